#!/usr/bin/env bash
# The interpreter and the C of every level of fusion give the same outputs, loss, gradients and new
# parameters, in double precision, at batch sizes around the tile's; and the fused program's bits do not
# depend on how many threads there are.
#   agree.sh RANKC MAKE_BATCH COMPARE_TENSORS MODEL.rank
# What is checked is the compiler's work, so the C compiler is asked for little: -O1 for the fused C,
# -O0 for the rest, which takes a fifth of the time.
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

build() { # variant, arguments of rankc build
  local variant=$1
  shift
  check "$variant: build" "$rankc" build "$model" -o "$work/$variant" --dtype f64 "$@"
}

build fused --tile 8 -O1 || exit 1
build off --fuse=off -O0 || exit 1
build loops --fuse=loops -O0 || exit 1
build tiles --fuse=tiles --tile 8 -O0 || exit 1
build plain --no-rewrite --tile 8 -O0 || exit 1

for n in 0 1 7 8 9 17; do
  files=(--load "$work/params.st" --batch "$work/batch.st" --steps 2)
  check "batch of $n" "$make" "$model" $n $((n + 1)) "$work/params.st" "$work/batch.st" || continue
  check "interpreter, batch of $n" "$rankc" interpret "$model" --max-rewrites=0 "${files[@]}" --out "$work/i.st" || continue
  variants=(fused off)
  [ $n != 9 ] || variants+=(loops tiles plain) # between the two: one size shows that they compute the same
  for variant in "${variants[@]}"; do
    check "$variant, batch of $n" \
      "$work/$variant/$name" step "${files[@]}" --threads 2 --out "$work/$variant.st" &&
      check "$variant against the interpreter, batch of $n" "$compare" "$work/i.st" "$work/$variant.st" 1e-8
  done
  threads_of=(1)
  [ $n != 17 ] || threads_of=(1 3 8)
  for threads in "${threads_of[@]}"; do
    check "$threads threads, batch of $n" \
      "$work/fused/$name" step "${files[@]}" --threads $threads --out "$work/other.st" &&
      check "bits with $threads threads and with 2, batch of $n" cmp "$work/other.st" "$work/fused.st"
  done
done
echo "$name: $bad wrong"
[ $bad = 0 ]
