#!/usr/bin/env bash
# For shrink: exits with 0 when agree.sh finds this kind of thing wrong, with any of the variants.
#   tests/fuzz/wrong.sh KIND TOOLS VARIANT MODEL.rank
kind=$1 tools=$2 variant=$3 model=$4
"$(dirname "$0")/agree.sh" "$tools" "$model" "$variant" 2>/dev/null | grep -q "^$kind: "
