#!/usr/bin/env bash
# generated/MODEL is what rankc emits for models/MODEL.rank, for every model.
#   tests/generated.sh [RANKC]              compares
#   tests/generated.sh --refresh [RANKC]    emits again
set -uo pipefail
refresh=0
if [ "${1:-}" = --refresh ]; then
  refresh=1
  shift
fi
cd "$(dirname "$0")/.." || exit 1
rankc=${1:-build/dev/bin/rankc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
n=0
for model in models/*.rank; do
  name=$(basename "$model" .rank)
  n=$((n + 1))
  if ! "$rankc" emit "$model" -o "$work/$name"; then
    bad=$((bad + 1))
  elif [ $refresh = 1 ]; then
    rm -rf "generated/$name" && cp -r "$work/$name" "generated/$name"
  elif ! diff -r -u "generated/$name" "$work/$name" >"$work/diff"; then
    head -n 40 "$work/diff"
    bad=$((bad + 1))
  fi
done
for folder in $(find generated -mindepth 1 -maxdepth 1 -type d); do
  name=$(basename "$folder")
  [ -e "models/$name.rank" ] || { echo "generated/$name has no model" && bad=$((bad + 1)); }
done
echo "$n models, $bad differ"
[ $bad = 0 ]
