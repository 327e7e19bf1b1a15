#!/usr/bin/env bash
# What samples share takes memory by their number, not by its square: a step over a batch whose pairs
# would fill several times 256 MB, and the rows of a tile of them 80 MB, runs in 80 MB of address space.
#   tests/memory.sh RANKC [--fuse=LEVEL]
set -uo pipefail
rankc=$(realpath "$1")
[ -z "${RANKC_SANITIZE:-}" ] || { echo "skipped: a sanitizer takes more address space than is allowed here" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pairs.rank" <<'TEXT'
model pairs
input x : f32[2]
input y : f32[2]
input item : id(50)
u = linear(x, 8)
a = linear(y, 8)
loss sampled_softmax(u, a, item) + info_nce(u, a)
near = sum[8](u * a[B -> C])
most = max[C](near)
loss most + log(sum[C](exp(near - most)))   # a softmax of one's own, with the gradient through its maximum
output vector = u
train sgd(lr = 0.1), batch = 8192
TEXT
(
  echo x1,x2,y1,y2,item
  awk 'BEGIN { for (i = 0; i < 8192; i++) printf "%d,%d,%d,%d,%d\n", i % 7, i % 5, i % 3, i % 11, i % 50 }'
) >"$work/data.csv"
"$rankc" build "$work/pairs.rank" -o "$work" ${2:-} || exit 1
ulimit -v 80000
if ! MALLOC_ARENA_MAX=1 OMP_STACKSIZE=1M OMP_NUM_THREADS=2 "$work/pairs" train --data "$work/data.csv" --epochs 1 \
  --threads 2 --save "$work/weights" >"$work/log" 2>&1; then
  cat "$work/log"
  exit 1
fi
grep -q 'loss [0-9]' "$work/log" || { cat "$work/log" && exit 1; }
