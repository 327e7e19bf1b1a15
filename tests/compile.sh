#!/usr/bin/env bash
# Generated C compiles under clang and under gcc with every warning an error, fused and op by op, in
# both arithmetics, and the programs start.
#   tests/compile.sh RANKC MODEL.rank
set -uo pipefail
rankc=$1 model=$2
name=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' "$model" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
for cc in clang-19 gcc; do
  command -v $cc >/dev/null || continue
  for options in --fuse=all --fuse=off "--fuse=all --dtype=f64"; do
    out="$work/$cc$options"
    if ! "$rankc" build "$model" -o "$out" --cc $cc -O1 --werror $options ||
      ! "$out/$name" info >"$work/said" 2>&1 || ! [ -s "$out/lib$name.so" ]; then
      echo "$model: $cc $options"
      cat "$work/said" 2>/dev/null
      bad=$((bad + 1))
    fi
    # Once more: nothing is compiled when nothing changed.
    "$rankc" build "$model" -o "$out" --cc $cc -O1 --werror $options -v 2>&1 | grep -q 'up to date' || {
      echo "$model: $cc $options: built twice"
      bad=$((bad + 1))
    }
  done
done
echo "$name: $bad wrong"
[ $bad = 0 ]
