#!/usr/bin/env bash
# One training of a model with lists and tables under valgrind, by a rankc without sanitizers.
#   tests/valgrind.sh RANKC
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
[ -z "${RANKC_SANITIZE:-}" ] || { echo "skipped: valgrind does not go with a sanitizer" && exit 77; }
command -v valgrind >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# valgrind knows AVX2 and not AVX-512
"$1" build -O1 --march=x86-64-v2 models/din.rank -o "$work/din" &&
  strip --strip-debug "$work/din/din" && # whose format valgrind may not know
  OMP_NUM_THREADS=1 valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
    "$work/din/din" train --rows 300 --epochs 1 --threads 1 --quiet --no-cache --save "$work/w"
