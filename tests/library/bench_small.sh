#!/usr/bin/env bash
# How fast a library reads a large table of floats, halves, upper halves and bytes, in turns; by hand.
#   tests/library/bench_small.sh RANKC FOLDER      FOLDER: for some 600 MB
set -euo pipefail
cd "$(dirname "$0")"
rankc=$1 work=$2
"$rankc" build big.rank -o "$work"
"$work/big" init --save "$work/f32.st" >/dev/null
for kind in f16 bf16 int8; do
  [ -f "$work/$kind.st" ] || "$work/big" quantize --load "$work/f32.st" --tables $kind -o "$work/$kind.st" >/dev/null
done
cc -O2 -I"$work" bench_small.c -o "$work/bench_small" -L"$work" -lbig -Wl,-rpath,"$(realpath "$work")"
for batch in 1 4096; do
  "$work/bench_small" $batch "$work"/{f32,f16,bf16,int8}.st
done
