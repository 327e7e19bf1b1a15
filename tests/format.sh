#!/usr/bin/env bash
# C files as clang-format 14 (Debian 12's) lays them out. `tests/format.sh --refresh` rewrites them.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format) || {
  echo "no clang-format" >&2
  exit 77
}
files=$(find compiler runtime tests generated -name '*.[ch]' | LC_ALL=C sort)
if [ "${1:-}" = --refresh ]; then
  $format -i $files
else
  $format --dry-run --Werror -ferror-limit=3 $files
fi
