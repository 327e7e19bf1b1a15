#!/usr/bin/env bash
# Tables in fewer bits: all that predicts reads them and says the same; what they are not for is refused.
#   tests/library/small.sh RANKC
set -euo pipefail
cd "$(dirname "$0")/../.."
rankc=$1 here=tests/library
cc="$(command -v clang-19 || command -v clang || command -v gcc) ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE -DSANITIZED}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

refused() { # TEXT COMMAND...: fails, says TEXT and leaves nothing behind
  local wanted=$1
  shift
  if "$@" >/dev/null 2>"$work/said"; then
    echo "went on: $*" && exit 1
  fi
  grep -qF -- "$wanted" "$work/said" || { echo "$*: wanted \"$wanted\"" && cat "$work/said" && exit 1; }
  [ ! -e "$work/x.st" ] || { echo "$*: left a file" && exit 1; }
}

"$rankc" build $here/shop.rank -o "$work" -O1
shop="$work/shop"
$cc -std=c11 -I"$work" $here/test_library.c -o "$work/test" -L"$work" -lshop_train -lm -lpthread \
  -Wl,-rpath,"$work"
"$work/test" csv >"$work/rows.csv"
"$shop" train --quiet --no-cache --data "$work/rows.csv" --save "$work/full.st"
full=$(stat -c %s "$work/full.st")

# The program converts when it loads, the library reads rows where they lie: they agree.
for tables in f16 bf16 int8 items=f16 places=int8,items=bf16; do
  "$shop" quantize --load "$work/full.st" --tables $tables --out "$work/small.st" >"$work/said"
  grep -q "^items: ${tables##*items=}, 3,200 -> " "$work/said" || { cat "$work/said" && exit 1; }
  [ "$(stat -c %s "$work/small.st")" -lt "$full" ]
  "$shop" predict --no-cache --data "$work/rows.csv" --load "$work/small.st" >"$work/predicted.csv"
  "$work/test" rounded "$work/small.st" "$work/predicted.csv"
  "$shop" eval --no-cache --data "$work/rows.csv" --load "$work/small.st" --against "$work/full.st" |
    awk '/^(loss|auc|gauc)/ && /against/ { difference = $NF + 0; n++
           if (difference > 0.02 || difference < -0.02) exit 1 }
         END { if (n != 3) exit 1 }'
done
"$shop" bench --csv --no-cache --data "$work/rows.csv" --load "$work/small.st" >/dev/null
"$shop" eval --json --no-cache --data "$work/rows.csv" --load "$work/small.st" --against "$work/full.st" |
  grep -q '"against": {"loss": '
"$shop" eval --no-cache --data "$work/rows.csv" --load "$work/full.st" --against "$work/full.st" |
  grep -q '^loss .*: +0.000000$'

# What comes of a request and its candidates, at every level of fusion.
for level in off loops tiles all; do
  "$rankc" build $here/page.rank -o "$work/page" -O1 --fuse=$level
  "$work/page/page" init --save "$work/page/w.st" >/dev/null
  "$work/page/page" quantize --load "$work/page/w.st" --tables users=int8,ads=f16 -o "$work/page/s.st" >/dev/null
  $cc -std=c11 -I"$work/page" $here/test_rank.c -o "$work/page/test" -L"$work/page" -lpage -lm \
    -Wl,-rpath,"$work/page"
  "$work/page/test" "$work/page/s.st"
done

cd "$work"
refused 'wanted f16, bf16 or int8' ./shop quantize --load full.st --tables items=int4 --out x.st
refused 'no table "item"; there is items, places' ./shop quantize --load full.st --tables item=int8 --out x.st
refused 'table items is named twice' ./shop quantize --load full.st --tables items=f16,items=f16 --out x.st
./shop quantize --load full.st --tables f16 --out half.st >/dev/null
refused 'table items is F16: rounding twice' ./shop quantize --load half.st --tables int8 --out x.st
refused 'is F16, rounded to serve' ./shop train --quiet --no-cache --data rows.csv --load half.st --save x.st
refused 'is F16, rounded to serve' ./shop step --load half.st --batch half.st --out x.st
refused '--tables KIND is missing' ./shop quantize --load full.st --out x.st
refused '--out FILE is missing' ./shop quantize --load full.st --tables f16
refused 'standard input is not' ./shop eval --data - --load half.st --against full.st
refused 'none.st' ./shop eval --no-cache --data rows.csv --load half.st --against none.st

# Files that are not what they say.
./shop quantize --load full.st --tables int8 --out int8.st >/dev/null
sed 's/items#scale/items#scalp/g' int8.st >noscale.st
refused 'no tensor items#scale F32 [100]' ./shop predict --no-cache --data rows.csv --load noscale.st
refused 'no tensor items#scale F32 [100]' ./test rounded noscale.st predicted.csv
size=$(stat -c %s int8.st)
cp int8.st damaged.st # no int8 is -128
printf '\200' | dd of=damaged.st bs=1 seek=$((size - 5)) conv=notrunc status=none
refused 'is damaged' ./shop predict --no-cache --data rows.csv --load damaged.st
refused 'is damaged' ./test rounded damaged.st predicted.csv
head -c $((size - 7)) int8.st >short.st
refused 'short.st' ./test rounded short.st predicted.csv
