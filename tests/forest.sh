#!/usr/bin/env bash
# forest.sh RANKC: forests read from other programs' files: the leaves of awkward rows are what LightGBM and
# XGBoost say (forest/rows.csv; infinities, which XGBoost refuses, by its rule), in the program and in the
# library; files that are damaged, of another width, or larger than the program is made for are refused.
set -euo pipefail
rankc=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "forest.sh: $1" >&2; exit 1; }
cp "$here"/forest/*.rank "$here"/forest/lightgbm.txt "$here"/forest/xgboost.json "$dir"

"$rankc" build "$dir/imported.rank" -o "$dir/m" > /dev/null
p=$dir/m/imported
(cd / && "$p" train --save "$dir/w" > "$dir/log") # no data: there is nothing that learns from it
grep -q '^fit light: 3 trees, 9 leaves from lightgbm.txt' "$dir/log" || fail "the file is not told: $(cat "$dir/log")"
rm "$dir/m/lightgbm.txt" "$dir/m/xgboost.json" # the weights have it all
cut -d, -f1-3 "$here/forest/rows.csv" > "$dir/rows.csv"
cut -d, -f4-5 "$here/forest/rows.csv" > "$dir/wanted"
for batch in 1 2 7 100; do
  "$p" predict --no-cache --batch $batch --data "$dir/rows.csv" --load "$dir/w" --out "$dir/said"
  cmp "$dir/wanted" "$dir/said" || fail "other leaves, $batch at a time: $(diff "$dir/wanted" "$dir/said")"
done

# Written as LightGBM's text and read again it is the same forest; XGBoost's categories LightGBM cannot say.
"$p" export --load "$dir/w" --fit light --lightgbm "$dir/m/lightgbm.txt" > /dev/null
grep -q '^feature_names=x1 x2 x3$' "$dir/m/lightgbm.txt" || fail "other names of columns"
cp "$here/forest/xgboost.json" "$dir/m"
"$p" train --save "$dir/w2" > /dev/null
"$p" predict --no-cache --data "$dir/rows.csv" --load "$dir/w2" --out "$dir/said"
cmp "$dir/wanted" "$dir/said" || fail "what is exported has other leaves"
refuses() { # text of the message, arguments
  local text=$1
  shift
  ! "$p" export --load "$dir/w" --lightgbm "$dir/none.txt" "$@" > /dev/null 2> "$dir/err" || fail "exports: $*"
  grep -q "$text" "$dir/err" || fail "wanted '$text', said: $(cat "$dir/err")"
  [ ! -e "$dir/none.txt" ] || fail "a file is left: $*"
}
refuses 'fits light and extreme have forests: which one? --fit NAME'
refuses 'no fit called dark has a forest' --fit dark
refuses 'LightGBM has no such splits by category' --fit extreme

cc=$(command -v clang-19 || command -v gcc)
"$cc" ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE} -std=gnu11 -Wall -Wextra -Werror -I"$dir/m" "$here/forest/predict.c" -o "$dir/predict" -L"$dir/m" -limported \
  -Wl,-rpath,"$dir/m"
tail -n +2 "$dir/rows.csv" | awk -F, '{ for (i = 1; i <= 3; i++) printf "%s ", $i == "" ? "nan" : $i; print "" }' |
  "$dir/predict" "$dir/w" | cmp - <(tail -n +2 "$dir/wanted") || fail "other leaves in the library"

! "$p" bench > /dev/null 2> "$dir/err" || fail "measures a forest that is not there"
grep -q 'fit light has learnt nothing yet: --load' "$dir/err" || fail "said: $(cat "$dir/err")"
! "$rankc" bench "$dir/imported.rank" > /dev/null 2> "$dir/err" || fail "rankc bench of a fit"
grep -q 'bench has no data for fits' "$dir/err" || fail "said: $(cat "$dir/err")"

# Beside what is learnt by gradient; x may be empty, z may not.
"$rankc" build "$dir/both.rank" -o "$dir/b" > /dev/null
b=$dir/b/both
"$b" synth --rows 500 --out "$dir/d.csv"
grep -q ',,' "$dir/d.csv" || fail "made-up data misses nothing"
for threads in 1 2; do
  "$b" train --no-cache --threads $threads --data "$dir/d.csv" --save "$dir/w$threads" > /dev/null
done
cmp "$dir/w1" "$dir/w2" || fail "bits depend on threads"
"$b" train --no-cache --epochs 1 --data "$dir/d.csv" --save "$dir/half" > /dev/null
"$b" train --no-cache --epochs 2 --data "$dir/d.csv" --load "$dir/half" --save "$dir/again" > /dev/null
cmp "$dir/w1" "$dir/again" || fail "going on gives other bits"
printf 'x1,x2,x3,z,y\n,,,,1\n' > "$dir/e.csv"
! "$b" predict --no-cache --data "$dir/e.csv" --load "$dir/w1" > /dev/null 2> "$dir/err" || fail "an empty z"
grep -q 'z: empty' "$dir/err" || fail "said: $(cat "$dir/err")"

# Files that will not do. What stands beside the program is what is read.
refused() { # text of the message
  ! "$b" train --no-cache --data "$dir/d.csv" --save "$dir/no" > /dev/null 2> "$dir/err" || fail "took: $1"
  grep -q "$1" "$dir/err" || fail "wanted '$1', said: $(cat "$dir/err")"
  [ ! -e "$dir/no" ] || fail "weights are left: $1"
}
edit() { sed "$1" "$here/forest/lightgbm.txt" > "$dir/b/lightgbm.txt"; }
edit 's/max_feature_idx=2/max_feature_idx=3/;/^feature_/d'
refused 'fit trees: lightgbm.txt: a forest over 4 features, but input x has 3 numbers'
edit 's/right_child=2 -3 -4/right_child=2 -3 -9/'
refused 'fit trees: lightgbm.txt: LightGBM model, tree 0: a split.s feature, decision or child is out of range'
edit '/^end of trees/,$d'
refused 'it ends too early'
(sed '/^end of trees/,$d' "$here/forest/lightgbm.txt"; sed -n '/^Tree=2/,$p' "$here/forest/lightgbm.txt") > "$dir/b/lightgbm.txt"
refused '4 trees of at most 4 leaves, but the program was made for 3 of 4'
echo nonsense > "$dir/b/lightgbm.txt"
refused "neither LightGBM's text nor XGBoost's JSON"
rm "$dir/b/lightgbm.txt"
refused 'lightgbm.txt: cannot read: No such file'
echo "forests from files: as they should be"
