#!/usr/bin/env bash
# A dump is a program: what is printed after any pass over the graph can be read again, and prints as
# the same text.
#   tests/round-trip.sh RANKC FILE.rank ...
set -uo pipefail
rankc=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
n=0
for model in "$@"; do
  for pass in $("$rankc" dump --passes | awk '{ print $1 }'); do
    n=$((n + 1))
    if ! "$rankc" dump "$model" --after="$pass" >"$work/once.rank" ||
      ! "$rankc" dump "$work/once.rank" --after=check >"$work/twice.rank" ||
      ! diff -u "$work/once.rank" "$work/twice.rank"; then
      echo "$model: after $pass"
      bad=$((bad + 1))
    fi
  done
done
echo "$n dumps, $bad wrong"
[ $n -gt 0 ] && [ $bad = 0 ]
