#!/usr/bin/env bash
# Every ```rank block of the language's description is a program that rankc accepts; a block marked
# ```rank error is one that it refuses.
#   tests/language.sh RANKC [FILE.md]
set -uo pipefail
rankc=$1
page=${2:-$(dirname "$0")/../compiler/language.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v work="$work" '
  /^```rank/ { n++; file = sprintf("%s/line-%04d%s.rank", work, NR, /error/ ? "-error" : ""); inside = 1; next }
  /^```/ { inside = 0 }
  inside { print > file }
' "$page"
bad=0
n=0
for block in "$work"/*.rank; do
  [ -e "$block" ] || break
  n=$((n + 1))
  wanted=0
  case $block in *-error.rank) wanted=1 ;; esac
  "$rankc" check "$block" >"$work/out" 2>&1
  code=$?
  if [ $code != $wanted ]; then
    echo "$page, block before $(basename "$block" .rank): exit code $code, wanted $wanted"
    cat "$work/out"
    bad=$((bad + 1))
  fi
done
echo "$n blocks, $bad wrong"
[ $n -gt 0 ] && [ $bad = 0 ]
