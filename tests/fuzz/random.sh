#!/usr/bin/env bash
# Random programs, compiled at every level of fusion and compared with the interpreter.
#   tests/fuzz/random.sh TOOLS N [SEED [FOLDER]]
# N programs from SEED on (1 unless said). Those that go wrong stay in FOLDER (when given) as
# randomSEED.rank, with what was wrong beside them; tests/fuzz/reduce.sh makes one of them small.
set -uo pipefail
tools=$1 n=$2 seed=${3:-1} folder=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FRONT_END
FRONT_END=$("$here/front-end.sh" "$here/../../runtime" "$work") || exit 1
wrong=0
for ((i = seed; i < seed + n; i++)); do
  file="$work/random$i.rank"
  if ! "$tools/generate" $i >"$file" 2>"$work/said" ||
    ! timeout $((60 * ${RANKC_PATIENCE:-1})) "$here/../round-trip.sh" "$tools/rankc" "$file" >"$work/said" 2>&1 ||
    ! "$here/agree.sh" "$tools" "$file" >"$work/said" 2>&1; then
    wrong=$((wrong + 1))
    echo "seed $i: $(head -n 1 "$work/said")"
    if [ -n "$folder" ]; then
      mkdir -p "$folder" && cp "$file" "$folder/" && cp "$work/said" "$folder/random$i.said"
    fi
  fi
done
echo "$n random programs from seed $seed: $wrong wrong"
[ $wrong = 0 ]
