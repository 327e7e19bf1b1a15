#!/usr/bin/env bash
# The rewrite that makes a program go wrong: the smallest N for which agree.sh finds something wrong with
# the first N rewrites and simplifications, and right with one less; and the levels of fusion that do.
#   tests/fuzz/bisect.sh TOOLS PROGRAM.rank [VARIANT]
# VARIANT: options of `rankc emit`, in one word; the first that goes wrong unless said.
set -uo pipefail
tools=$1 program=$2
here=$(cd "$(dirname "$0")" && pwd)
said=$("$here/agree.sh" "$tools" "$program" ${3:+"$3"})
variant=${3:-$(sed -n 's/^[a-z]*: [A-Za-z0-9_]*: \(--fuse[^,]*\).*/\1/p' <<<"$said" | head -n 1 |
  sed 's/ batch of.*//')}
[ -n "$said" ] || { echo "nothing is wrong" && exit 1; }
for level in off loops tiles all; do
  echo "--fuse=$level: $("$here/agree.sh" "$tools" "$program" "--fuse=$level" >/dev/null && echo right || echo wrong)"
done

is_right() { "$here/agree.sh" "$tools" "$program" "$variant --max-rewrites=$1" >/dev/null; }

is_right 0 || { echo "$variant is wrong without any rewrite" && exit 0; }
good=0 bad=1
while is_right $bad; do
  good=$bad bad=$((bad * 2))
  [ $bad -lt 1000000 ] || { echo "$variant: no number of rewrites goes wrong" && exit 1; }
done
while [ $((bad - good)) -gt 1 ]; do
  middle=$(((good + bad) / 2))
  if is_right $middle; then good=$middle; else bad=$middle; fi
done
folder=$(mktemp -d)
echo "$variant goes wrong with rewrite $bad:"
"$tools/rankc" emit "$program" -o "$folder" --dtype f64 $variant --max-rewrites=$bad -v 2>&1 | grep "last rewrite"
rm -rf "$folder"
