#!/usr/bin/env bash
# Rules of the house that a compiler does not see: no model is named in compiler/ or runtime/, files
# stay short enough to be one thing, nothing is left undone, every source is built, and the top level
# stays as it is.
set -uo pipefail
cd "$(dirname "$0")/.."
bad=0
report() { # heading, lines
  [ -z "$2" ] && return
  printf '%s\n%s\n' "$1" "$2"
  bad=1
}
code=$(find compiler runtime -name '*.[ch]' -o -name '*.def' | sort)
names=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' models/*.rank | awk 'length > 2' | paste -sd '|')

report "A model's name in code:" "$(grep -nwiE "$names" $code | grep -vE '^[^:]+:[0-9]+: *(/\*|\*|//)')"
report "Files past 450 lines:" "$(wc -l $code | awk '$2 != "total" && $2 !~ /\.def$/ && $1 > 450 { print $2 ": " $1 }')"
report "Left undone:" "$(grep -nE '\b(TODO|FIXME|XXX)\b|not implemented|unimplemented' $code)"
report "Sources that are in no list:" "$(for f in compiler/*/*.c runtime/*.c; do
  grep -q "^  $f" CMakeLists.txt || echo "$f"
done
for f in tests/unit/test_*.c; do
  name=${f#tests/unit/test_}
  grep -q "^rankc_unit(${name%.c} " tests/CMakeLists.txt || echo "$f"
done)"
files() { # what git knows or would take; outside of git, all that is there
  git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f | sed 's,^\./,,'
}
report "On the top level:" "$(files | sed 's,/.*,,' | sort -u |
  grep -vxE 'CMakeLists.txt|CMakePresets.json|README.md|LICENSE|compiler|runtime|models|generated|tests|build|\..*')"
exit $bad
