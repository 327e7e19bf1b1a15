#!/usr/bin/env bash
# The same sources give the same bytes, wherever they lie: rankc, its libraries, and what they make of a model. A
# second copy of the sources is built in a folder of another depth, with the options of the first build.
#   tests/reproducible.sh RANKC [MODEL.rank...]
# RANKC: in the bin folder of a build; what differs is named. With -g, clang writes the full names of sources into
# OpenMP's tables, whatever maps it is given: of such a build, what has no threads is compared.
set -uo pipefail
rankc=$(realpath "$1")
first=$(dirname "$(dirname "$rankc")")
cd "$(dirname "$0")/.." || exit 1
shift
models=("$@")
[ $# -gt 0 ] || models=(models/fm.rank models/two_tower.rank)
[ -e "$first/CMakeCache.txt" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 n=0
wrong() {
  echo "$1"
  bad=$((bad + 1))
}

sources=$work/other/place
mkdir -p "$sources"
cp -r CMakeLists.txt compiler runtime tests models "$sources" || exit 1
mapfile -t options < <(grep -E '^(CMAKE_(BUILD_TYPE|GENERATOR|C(XX)?_COMPILER|C_FLAGS[A-Z_]*)|RANKC_[A-Z]*):[A-Z]+=' \
  "$first/CMakeCache.txt" | grep -vE '^CMAKE_GENERATOR' | sed 's/^/-D/')
generator=$(sed -n 's/^CMAKE_GENERATOR:[A-Z]*=//p' "$first/CMakeCache.txt")
second=$sources/deeper/build
cmake -S "$sources" -B "$second" -G "$generator" "${options[@]}" >"$work/said" 2>&1 &&
  cmake --build "$second" --target rankc -j2 >"$work/said" 2>&1 || {
  tail -n 20 "$work/said"
  exit 1
}
threads=(bin/rankc lib/lib{rank,rank64,rank_index}.a)
! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug' "$first/CMakeCache.txt" || threads=()
for file in lib/lib{compiler,rank_serving,rank64_serving}.a "${threads[@]}"; do
  n=$((n + 1))
  cmp "$first/$file" "$second/$file" || wrong "$file differs"
done

for model in "${models[@]}"; do
  "$rankc" build -O1 "$model" -o "$work/a" && (cd "$sources" && "$second/bin/rankc" build -O1 "$model" -o deeper/b) ||
    wrong "$model is not built"
  for file in "$work"/a/*; do
    case $file in *.built | */librank_hnsw.so) continue ;; esac # flags with their folders; not built a second time
    [ ${#threads[@]} -gt 0 ] || [ "$file" != "$work/a/$(basename "$model" .rank)" ] || continue
    n=$((n + 1))
    cmp "$file" "$sources/deeper/b/$(basename "$file")" || wrong "$model: $(basename "$file") differs"
  done
  rm -rf "$work/a" "$sources/deeper/b"
done
echo "$n files, $bad differ"
[ $bad = 0 ]
