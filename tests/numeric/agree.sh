#!/usr/bin/env bash
# The interpreter, unfused C and fused C give the same outputs, loss, gradients and new parameters, in
# double precision, at batch sizes around the tile's; and the fused program's bits do not depend on how
# many threads there are.
#   agree.sh RANKC MAKE_BATCH COMPARE_TENSORS MODEL.rank
set -uo pipefail
rankc=$1 make=$2 compare=$3 model=$4
name=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' "$model" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

check() { # what, command...
  local what=$1
  shift
  if ! "$@" >"$work/said" 2>&1; then
    echo "$name: $what"
    cat "$work/said"
    bad=$((bad + 1))
    return 1
  fi
}

check "fused C" "$rankc" build "$model" -o "$work/fused" --dtype f64 --tile 8 -O1 || exit 1
check "unfused C" "$rankc" build "$model" -o "$work/unfused" --dtype f64 --fuse=off -O1 || exit 1
for n in 0 1 7 8 9 33; do
  files=(--load "$work/params.st" --batch "$work/batch.st" --steps 3)
  check "batch of $n" "$make" "$model" $n $((n + 1)) "$work/params.st" "$work/batch.st" || continue
  check "interpreter, batch of $n" "$rankc" interpret "$model" "${files[@]}" --out "$work/i.st" || continue
  for variant in fused unfused; do
    check "$variant, batch of $n" \
      "$work/$variant/$name" step "${files[@]}" --threads 2 --out "$work/$variant.st" &&
      check "$variant against the interpreter, batch of $n" "$compare" "$work/i.st" "$work/$variant.st" 1e-8
  done
  check "one thread, batch of $n" \
    "$work/fused/$name" step "${files[@]}" --threads 1 --out "$work/one.st" &&
    check "bits with one thread and with two, batch of $n" cmp "$work/one.st" "$work/fused.st"
done
echo "$name: $bad wrong"
[ $bad = 0 ]
