#!/usr/bin/env bash
# ranked.sh RANKC: rankings by what a fit has learnt, from training to prediction, evaluation and the library:
# four users and four ads, whose numbers are scikit-learn's cosine_similarity, and made-up data.
set -euo pipefail
rankc=$1
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "ranked.sh: $1" >&2; exit 1; }
same() { diff "$dir/want" "$1" > "$dir/diff" || fail "$2: $(cat "$dir/diff")"; }
build() { "$rankc" build "$1" -o "$dir/m" > /dev/null; }

# --- four users
build "$here/models/item_cf.rank"
p=$dir/m/item_cf
cat > "$dir/users.csv" << 'CSV'
user,seen
A,ad1 ad2
B,ad2 ad3
C,ad1 ad3 ad4
D,ad3 ad4
CSV
"$p" train --no-cache --data "$dir/users.csv" --save "$dir/w" > "$dir/log"
grep -q '^fit near: 4 users, 4 items, 9 interactions, 10 neighbours' "$dir/log" || fail "said: $(cat "$dir/log")"

# What userA is offered: ad3 because of both ads, ad4 because of ad1; 1 / sqrt(6) twice, 1 / 2.
cat > "$dir/want" << 'CSV'
row,rank,item,score,because.0,part.0,because.1,part.1,because.2,part.2
0,1,ad3,0.816496611,ad1,0.408248305,ad2,0.408248305,,
0,2,ad4,0.5,ad1,0.5,,,,
1,1,ad1,0.908248305,ad2,0.5,ad3,0.408248305,,
1,2,ad4,0.816496611,ad3,0.816496611,,,,
2,1,ad2,0.908248305,ad1,0.5,ad3,0.408248305,,
3,1,ad1,0.908248305,ad4,0.5,ad3,0.408248305,,
3,2,ad2,0.408248305,ad3,0.408248305,,,,
CSV
"$p" predict --no-cache --data "$dir/users.csv" --load "$dir/w" --out "$dir/got"
same "$dir/got" "predictions"
"$p" predict --no-cache --data "$dir/users.csv" --load "$dir/w" --batch 1 --out "$dir/got"
same "$dir/got" "predictions one by one"
"$p" predict --no-cache --data "$dir/users.csv" --load "$dir/w" --format jsonl > "$dir/got"
echo '{"row": 2, "items": [{"item": "ad2", "score": 0.908248305, "because": [{"item": "ad1", "part": 0.5}, {"item": "ad3", "part": 0.408248305}]}]}' > "$dir/want"
sed -n 3p "$dir/got" | diff "$dir/want" - || fail "JSON"

# Places 1, 2 and nowhere: ad1 was seen, and what nobody has is unknown.
printf 'seen,next\nad1 ad2,ad3\nad1 ad2,ad4\nad1 ad2,ad1\nad1 ad2,ad9\n' > "$dir/test.csv"
"$p" eval --no-cache --data "$dir/test.csv" --load "$dir/w" > "$dir/got"
cat > "$dir/want" << 'TXT'
4 rows
loss n/a
recall(rec, next; k = 10) 0.500000
recall(rec, next; k = 20) 0.500000
ndcg(rec, next; k = 10) 0.407732
mrr(rec, next) 0.375000
TXT
same "$dir/got" "evaluation"
! "$p" predict --no-cache --data "$dir/users.csv" --load "$dir/w" --output nope 2> "$dir/err" || fail "an output that is not there"
grep -q 'no such output' "$dir/err" || fail "said: $(cat "$dir/err")"

# The library gives the same, by the vocabulary's numbers: by falling count ad3, ad1, ad2, ad4 from 2 on.
cat > "$dir/use.c" << 'C'
#include "item_cf.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
  char why[300] = "";
  item_cf *model;
  if (argc != 2 || item_cf_open(&model, argv[1], why, sizeof why) != ITEM_CF_OK) {
    puts(why);
    return 1;
  }
  static const int32_t seen[] = {3, 4, 3, 2, 5}, offset[] = {0, 2, 5};
  static int32_t item[2][20], because[2][20][3], bad[] = {3, 77};
  static float score[2][20], part[2][20][3];
  item_cf_inputs in = {.n = 2, .L_offsets = offset, .seen = seen};
  item_cf_outputs out = {item[0], score[0], because[0][0], part[0][0]};
  void *scratch = malloc(item_cf_scratch(model, &in));
  int status = item_cf_predict(model, &in, &out, scratch);
  for (int i = 0; i < 2 && status == ITEM_CF_OK; i++) {
    for (int k = 0; k < 20 && item[i][k] >= 0; k++) {
      printf("%d: %d %.6f, %d %.6f, %d\n", i, item[i][k], (double)score[i][k], because[i][k][0],
        (double)part[i][k][0], because[i][k][2]);
    }
  }
  in = (item_cf_inputs){.n = 1, .L_offsets = offset, .seen = bad};
  printf("%d, %d\n", item_cf_predict(model, &in, &out, scratch),
    item_cf_explain(model, &in, why, sizeof why));
  puts(why);
  free(scratch);
  item_cf_close(model);
  return status;
}
C
cc=$(command -v clang-19 || command -v gcc)
"$cc" ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE} -std=gnu11 -Wall -Wextra -Werror -I"$dir/m" "$dir/use.c" -o "$dir/use" -L"$dir/m" -litem_cf -lm -Wl,-rpath,"$dir/m"
"$dir/use" "$dir/w" > "$dir/got" || fail "the library: $(cat "$dir/got")"
cat > "$dir/want" << 'TXT'
0: 2 0.816497, 3 0.408248, -1
0: 5 0.500000, 3 0.500000, -1
1: 4 0.908248, 3 0.500000, -1
1, 1
input seen, row 0: an id that is not from 0 to 5, which are all that was learnt
TXT
same "$dir/got" "the library"

# --- the most popular ads
build "$here/models/most_popular.rank"
p=$dir/m/most_popular
"$p" train --no-cache --quiet --data "$dir/users.csv" --save "$dir/w"
printf 'row,rank,item,score\n0,1,ad3,3\n0,2,ad4,2\n' > "$dir/want"
head -2 "$dir/users.csv" > "$dir/a.csv"
"$p" predict --no-cache --data "$dir/a.csv" --load "$dir/w" --out "$dir/got"
same "$dir/got" "popularity"

# --- little: one user, one item, nothing at all; then unknown items, everything seen, no history
little() { # fitted on, interactions, what users without a history are offered by popularity
  printf 'seen,next\n%s\n' "$1" > "$dir/few.csv"
  printf 'seen,next\n,a\nnever,a\na b c,a\na never,b\n' > "$dir/ask.csv"
  for p in "$dir/cf/item_cf" "$dir/m/most_popular"; do
    "$p" train --no-cache --data "$dir/few.csv" --save "$dir/few" > "$dir/log" || fail "trained on '$1'"
    [ "$p" = "$dir/m/most_popular" ] || grep -q ", $2 interactions" "$dir/log" || fail "'$1': $(head -1 "$dir/log")"
    "$p" predict --no-cache --data "$dir/ask.csv" --load "$dir/few" > "$dir/got" || fail "predicts after '$1'"
    ! grep -q '^2,' "$dir/got" || fail "'$1': offers what is seen: $(cat "$dir/got")"
    "$p" eval --no-cache --data "$dir/ask.csv" --load "$dir/few" > "$dir/log" || fail "evaluates after '$1'"
    ! grep -q nan "$dir/log" || fail "'$1': $(cat "$dir/log")"
  done
  [ "$(sed -n 's/^0,[0-9]*,\([a-z]*\),.*/\1/p' "$dir/got" | paste -sd' ')" = "$3" ] || fail "'$1': $(cat "$dir/got")"
}
"$rankc" build "$here/models/item_cf.rank" -o "$dir/cf" > /dev/null
little 'a b c,d' 3 'a b c'
little $'a,b\na,b' 2 'a'
little 'a a a,b' 1 'a'
little $',a\n,b' 0 ''
printf 'seen,next\n' > "$dir/few.csv"
! "$p" train --no-cache --data "$dir/few.csv" --save "$dir/few" 2> "$dir/err" || fail "trained on no rows"
grep -q 'few.csv: no rows to train on' "$dir/err" || fail "said: $(cat "$dir/err")"

# --- made-up data: bits, whatever the threads; what is damaged is refused
build "$here/models/item_cf.rank"
p=$dir/m/item_cf
"$p" synth --rows 3000 --out "$dir/d.csv"
"$p" train --no-cache --quiet --data "$dir/d.csv" --threads 1 --save "$dir/one"
"$p" train --no-cache --quiet --data "$dir/d.csv" --threads 3 --save "$dir/three"
cmp "$dir/one" "$dir/three" || fail "bits depend on threads"
cat > "$dir/damage.py" << 'PY'
import json, struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
n = struct.unpack("<Q", b[:8])[0]
head = json.loads(b[8:8 + n])
tensor, form, value = sys.argv[3], sys.argv[4], float(sys.argv[5])
at = 8 + n + head[tensor]["data_offsets"][0]
b[at:at + struct.calcsize(form)] = struct.pack(form, int(value) if form == "<i" else value)
head["__metadata__"] = {k: v for k, v in head["__metadata__"].items() if not k.startswith("sum.")}
text = json.dumps(head).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + bytes(b[8 + n:]))
PY
for what in "fit.near.items <i 99999" "fit.near.scores <f nan" "fit.near.offsets <d 3"; do
  python3 "$dir/damage.py" "$dir/one" "$dir/bad" $what
  ! "$p" eval --no-cache --data "$dir/d.csv" --load "$dir/bad" 2> "$dir/err" || fail "took damaged $what"
  grep -q 'fit near: ' "$dir/err" || fail "said: $(cat "$dir/err")"
done

# --- candidates as values, which a model weighs
cat > "$dir/again.rank" << 'RANK'
model again "Candidates by cosine, scored anew"
dim L <= 50
dim D = 4
input seen : id(200)[L], keep = last
input strength : f32[L], keep = last, missing = 1
input hide : id(200)[L], keep = last
label next : id(200)
fit near = item_cosine(seen, strength; neighbors = 20, weighting = bm25, shrinkage = 1)
found = near.score(seen, strength) where not hide, top = 5
table e : f32[found.item, D]
u = mean[L](e[seen])
p = softmax[found.n](sum[D](e[found.item] * u) + found.score)
output most = max[found.n](p)
output found
loss sum[found.n](p * found.score) + sum[D](u * u)
metric recall(found, next; k = 5)
train sgd(lr = 0.1), epochs = 2, batch = 64
RANK
build "$dir/again.rank"
p=$dir/m/again
"$p" synth --rows 500 --out "$dir/signed.csv"
! "$p" train --no-cache --quiet --data "$dir/signed.csv" --save "$dir/one" 2> "$dir/err" || fail "took a weight below 0"
grep -q 'fit near: user 0: item [0-9]* weighs -' "$dir/err" || fail "said: $(cat "$dir/err")"
sed 's/-//g' "$dir/signed.csv" > "$dir/d.csv"
"$p" train --no-cache --quiet --data "$dir/d.csv" --threads 1 --save "$dir/one"
"$p" train --no-cache --quiet --data "$dir/d.csv" --threads 2 --save "$dir/two"
cmp "$dir/one" "$dir/two" || fail "bits of a model that scores anew depend on threads"
"$p" predict --no-cache --data "$dir/d.csv" --load "$dir/one" > "$dir/got"
[ "$(head -1 "$dir/got")" = most ] || fail "not the outputs but $(head -1 "$dir/got")"
"$p" predict --no-cache --data "$dir/d.csv" --load "$dir/one" --output found > "$dir/got"
[ "$(head -1 "$dir/got")" = row,rank,item,score ] || fail "not the list but $(head -1 "$dir/got")"
echo "rankings: as they should be"
