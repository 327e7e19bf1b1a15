#!/usr/bin/env bash
# A program that agree.sh finds something wrong with, made as small as it gets: PROGRAM.min.rank.
#   tests/fuzz/reduce.sh TOOLS PROGRAM.rank
set -uo pipefail
tools=$1 program=$2
here=$(cd "$(dirname "$0")" && pwd)
first=$("$here/agree.sh" "$tools" "$program" | head -n 1)
kind=${first%%:*}
variant=$(sed -n 's/^[a-z]*: [A-Za-z0-9_]*: \(--fuse[^,]*\).*/\1/p' <<<"$first" | sed 's/ batch of.*//')
size=$(sed -n 's/.*batch of \([0-9]*\).*/\1/p' <<<"$first")
echo "${first:-nothing is wrong}"
[ -n "$first" ] || exit 1
SIZES=${size:-2} "$tools/shrink" "$program" "${program%.rank}.min.rank" \
  "$here/wrong.sh" "$kind" "$tools" "${variant:---fuse=off}" 2>/dev/null
cat "${program%.rank}.min.rank"
