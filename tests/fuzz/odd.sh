#!/usr/bin/env bash
# Programs of odd shapes, written by hand, compared with the interpreter at every level of fusion.
#   tests/fuzz/odd.sh TOOLS
set -uo pipefail
tools=$1
here=$(cd "$(dirname "$0")" && pwd)
wrong=0 n=0
for program in "$here"/odd/*.rank; do
  n=$((n + 1))
  "$here/agree.sh" "$tools" "$program" || wrong=$((wrong + 1))
done
# As written, but for the rules that planning relies on.
"$here/agree.sh" "$tools" "$here/odd/matrix_of_others.rank" "--fuse=all --max-rewrites=0" ||
  wrong=$((wrong + 1))
"$here/../round-trip.sh" "$tools/rankc" "$here"/odd/*.rank || wrong=$((wrong + 1))
echo "$n odd programs, $wrong wrong"
[ $wrong = 0 ]
