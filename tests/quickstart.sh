#!/usr/bin/env bash
# A first look, from nothing: installs what is needed, builds rankc, then compiles a few models and
# trains and evaluates each on data made up on the spot.
#   tests/quickstart.sh [MODEL ...]    lr fm din unless said
# What it leaves: build/release (rankc), build/quickstart/MODEL (C, program, library, data, weights).
set -euo pipefail
cd "$(dirname "$0")/.."
models=("$@")
[ $# -gt 0 ] || models=(lr fm din)

bash tests/install-deps.sh
cmake --preset release >/dev/null
cmake --build --preset release --target rankc
rankc=build/release/bin/rankc

for name in "${models[@]}"; do
  out=build/quickstart/$name
  printf '\n== models/%s.rank\n' "$name"
  "$rankc" build "models/$name.rank" -o "$out" -v
  "$out/$name" synth --rows 20000 --seed 1 --out "$out/train.csv"
  "$out/$name" synth --rows 5000 --seed 2 --out "$out/valid.csv"
  "$out/$name" train --data "$out/train.csv" --valid "$out/valid.csv" --epochs 3 \
    --save "$out/$name.safetensors"
  "$out/$name" eval --data "$out/valid.csv" --load "$out/$name.safetensors"
done
