#!/usr/bin/env bash
# Text in, text out. For every tests/golden/**/x.rank, each of these that exists must be what rankc says:
#   x.err     `rankc check` fails with 1, and this is its stderr
#   x.check   `rankc check`: its stdout
#   x.PASS    `rankc dump --after=PASS`: its stdout, for any pass of `rankc dump --passes`
#
#   tests/run-golden.sh [RANKC]              compares
#   tests/run-golden.sh --refresh [RANKC]    writes them again; a new x.rank gets x.check or x.err
set -uo pipefail
refresh=0
if [ "${1:-}" = --refresh ]; then
  refresh=1
  shift
fi
top=$(cd "$(dirname "$0")/.." && pwd)
rankc=$(realpath "${1:-$top/build/dev/bin/rankc}")
cd "$top/tests/golden" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
n=0

compare() { # expected file, actual file
  n=$((n + 1))
  if [ $refresh = 1 ]; then
    cmp -s "$2" "$1" || { cp "$2" "$1" && echo "wrote $1"; }
  elif ! diff -u "$1" "$2"; then
    bad=$((bad + 1))
  fi
}

passes=$("$rankc" dump --passes | awk '{ print $1 }') || exit 1
while IFS= read -r model; do
  base=${model%.rank}
  "$rankc" check "$model" >"$work/check" 2>"$work/err"
  code=$?
  if [ $code -gt 1 ]; then
    echo "$model: rankc check ended with $code"
    cat "$work/err"
    bad=$((bad + 1))
    continue
  fi
  known=$(for kind in err check $passes; do [ -e "$base.$kind" ] && echo "$kind"; done)
  if [ -z "$known" ]; then
    [ $refresh = 1 ] || { echo "$model: nothing is expected of it (--refresh?)" && bad=$((bad + 1)); }
    known=$([ $code = 1 ] && echo err || echo check)
  fi
  for kind in $known; do
    case $kind in
    err)
      [ $code = 1 ] || { echo "$model: is accepted, but has $base.err" && bad=$((bad + 1)); }
      compare "$base.err" "$work/err"
      ;;
    check) compare "$base.check" "$work/check" ;;
    *)
      "$rankc" dump "$model" --after="$kind" >"$work/out" 2>&1
      compare "$base.$kind" "$work/out"
      ;;
    esac
    [ $code = 0 ] || [ "$kind" = err ] || { cat "$work/err" && bad=$((bad + 1)); }
  done
done < <(find . -name '*.rank' | sed 's,^\./,,' | LC_ALL=C sort)
echo "$n texts, $bad wrong"
[ "$bad" = 0 ]
