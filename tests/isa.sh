#!/usr/bin/env bash
# The same bits at one --march: with 1, 2, 3 and 8 threads, built again elsewhere, and on a processor that has more
# than --march asks for as on one that has not (glibc's functions, which choose by processor, are told so).
#   tests/isa.sh RANKC [MODEL.rank...]
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
shift
models=("$@")
[ $# -gt 0 ] || models=(models/fm.rank models/din.rank)
[ "$(uname -m)" = x86_64 ] || exit 77
grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 n=0
no512=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-Prefer_No_VZEROUPPER
no256=$no512,-AVX2,-AVX,-FMA,-FMA4,-AVX2_Usable,-AVX_Usable,-FMA_Usable,-BMI2

same() { # FIRST SECOND WHAT
  n=$((n + 1))
  cmp -s "$1" "$2" || {
    echo "other bits: $3"
    bad=$((bad + 1))
  }
}
# train FOLDER KEY OPTIONS...: weights, predictions and the log of losses
train() {
  local program=$1/$name key=$2
  shift 2
  "$program" train --quiet --no-cache --data "$work/d.csv" --epochs 2 --batch 64 --save "$work/$key.st" "$@" &&
    "$program" predict --no-cache --data "$work/d.csv" --load "$work/$key.st" >"$work/$key.csv"
}

for model in "${models[@]}"; do
  name=$(basename "$model" .rank)
  for march in x86-64 x86-64-v3; do
    for folder in one other/place; do
      "$rankc" build -O2 --march=$march "$model" -o "$work/$folder" || exit 1
    done
    "$work/one/$name" synth --rows 500 --out "$work/d.csv" >/dev/null
    train "$work/one" first --threads 1 || exit 1
    for threads in 2 3 8; do
      train "$work/one" again --threads $threads
      same "$work/first.st" "$work/again.st" "$model, $march, $threads threads: weights"
      same "$work/first.csv" "$work/again.csv" "$model, $march, $threads threads: predictions"
    done
    train "$work/other/place" again --threads 2
    same "$work/first.st" "$work/again.st" "$model, $march, built again: weights"
    # what a machine without these has: x86-64-v3 itself asks for AVX2 and FMA
    hidden=$([ $march = x86-64 ] && echo $no256 || echo $no512)
    GLIBC_TUNABLES=glibc.cpu.hwcaps=$hidden train "$work/one" again --threads 2
    same "$work/first.st" "$work/again.st" "$model, $march, without $hidden: weights"
    same "$work/first.csv" "$work/again.csv" "$model, $march, without $hidden: predictions"
  done
done
echo "$n comparisons, $bad differ"
[ $bad = 0 ]
