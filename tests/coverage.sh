#!/usr/bin/env bash
# How many of the lines of each folder the tests run, by clang's counters; generated programs count what they run
# of the runtime too.
#   tests/coverage.sh [FOLDER] [CTEST ARGUMENTS...]        (default: all labels but peers and data)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
folder=${1:-build/coverage}
shift $(($# < 1 ? $# : 1))
for tool in clang-19 llvm-profdata-19 llvm-cov-19; do command -v $tool >/dev/null || exit 77; done
# loops that count are not vectorized, whatever their pragmas ask
flags="-fprofile-instr-generate -fcoverage-mapping -Wno-pass-failed"
cmake -S . -B "$folder" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-g -O1 $flags" \
  "-DRANKC_FLAGS=$flags" >/dev/null && cmake --build "$folder" -j2 >/dev/null || exit 1
folder=$(realpath "$folder")
rm -rf "$folder/counts"
mkdir "$folder/counts"
[ $# -gt 0 ] || set -- -LE 'peers|data'
LLVM_PROFILE_FILE="$folder/counts/%m-%p.profraw" ctest --test-dir "$folder" -j2 "$@" | tail -n 5
# programs that a test kills leave broken files
llvm-profdata-19 merge -sparse --failure-mode=all "$folder"/counts/*.profraw -o "$folder/all.profdata" || exit 1
objects=()
for program in "$folder"/bin/unit_*; do objects+=(-object "$program"); done
llvm-cov-19 export -summary-only -instr-profile="$folder/all.profdata" "$folder/bin/rankc" "${objects[@]}" |
  python3 -c '
import collections, json, os, sys
lines = collections.defaultdict(lambda: [0, 0])
for f in json.load(sys.stdin)["data"][0]["files"]:
    name = os.path.relpath(f["filename"])
    if name.startswith(("compiler/", "runtime/")):
        s = f["summary"]["lines"]
        lines[os.path.dirname(name)][0] += s["covered"]
        lines[os.path.dirname(name)][1] += s["count"]
for folder, (covered, count) in sorted(lines.items()):
    print(f"{folder:20} {covered:6} of {count:6} lines  {100 * covered / count:5.1f} %")
'
