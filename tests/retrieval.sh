#!/usr/bin/env bash
# From made-up data to answers: a model of two towers is trained, a catalogue that has no users becomes an
# index, queries that have no items are searched in it, and what comes out is what `predict` and sorting give.
# Then everything that can be wrong with these files, with what is said about it.
#   tests/retrieval.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
wrong() {
  echo "retrieval: $*"
  bad=$((bad + 1))
}

"$rankc" build "$top/models/two_tower.rank" -o . -O1 2>said || { cat said; exit 1; }
m=./two_tower
"$m" synth --rows 1200 --seed 3 --out all.csv || exit 1
"$m" train --data all.csv --epochs 2 --save w.st --no-cache --quiet || exit 1
"$m" train --data all.csv --epochs 3 --save other.st --no-cache --quiet || exit 1
# The ids count down, so that positions and rows differ.
awk -F, -v OFS=, '{ id = NR == 1 ? "id" : 5000 - NR; print id, $17, $18, $19, $20, $21, $22, $23, $24, $25,
  $26, $27, $28 }' all.csv >items.csv
cut -d, -f1-16 all.csv | head -n 41 >users.csv

"$m" index --data items.csv --load w.st --output ad_vector --id id -o ads.index --no-cache >said || exit 1
[ "$(cat said)" = "1,200 items, ad_vector of 128 numbers, in ads.index" ] || wrong "index says: $(cat said)"
"$m" search --index ads.index --data users.csv --load w.st --k 5 --no-cache >hits.csv || exit 1
[ "$(head -n 1 hits.csv)" = query,rank,id,score ] || wrong "no header"
[ "$(wc -l <hits.csv)" = 201 ] || wrong "not 40 times 5 hits"

# The same from `predict`: scores to five digits; ids wherever no neighbour is that close.
"$m" predict --data all.csv --load w.st --out vectors.csv --no-cache || exit 1
awk -F, 'NR > 1 { for (d = 1; d <= 128; d++) { u[NR - 2, d] = $d; a[NR - 2, d] = $(128 + d) } }
  END {
    for (q = 0; q < 40; q++) {
      for (i = 0; i < 1200; i++) {
        s[i] = 0
        for (d = 1; d <= 128; d++) { s[i] += u[q, d] * a[i, d] }
      }
      for (r = 1; r <= 5; r++) {
        best = -1
        for (i = 0; i < 1200; i++) { if (best < 0 || s[i] > s[best]) { best = i } }
        print q "," r "," 4998 - best "," s[best]
        s[best] = -9
      }
    }
  }' vectors.csv >expected.csv
tail -n +2 hits.csv | paste -d, - expected.csv |
  awk -F, '{ d = $4 - $8; if (d > 1e-5 || d < -1e-5) { n++ } if ($3 != $7) { ids++ } }
    END { if (NR != 200 || n > 0 || ids > 2) { print NR " rows, " n + 0 " scores, " ids + 0 " ids"; exit 1 } }' ||
  wrong "search and predict differ"

# Users alone are enough for the users' vectors.
close() { # two CSV files with a header: the same numbers but for rounding
  paste -d, "$1" "$2" | awk -F, 'NR == 1 { for (i = 1; i <= NF / 2; i++) { bad += $i != $(i + NF / 2) } }
    NR > 1 { for (i = 1; i <= NF / 2; i++) { d = $i - $(i + NF / 2); bad += d > 1e-6 || d < -1e-6 || $i == "" } }
    END { exit bad > 0 || NR < 2 }'
}
"$m" predict --output user_vector --data users.csv --load w.st --out one.csv --no-cache || wrong "no vectors of users alone"
cut -d, -f1-128 vectors.csv | head -n 41 >want.csv
close one.csv want.csv || wrong "predict --output differs"

for how in "--threads 1" "--threads 3" "--threads 8" "--batch 1" "--batch 7 --threads 2"; do
  # shellcheck disable=SC2086
  "$m" search --index ads.index --data users.csv --load w.st --k 5 --no-cache $how | cmp -s - hits.csv ||
    wrong "search $how differs"
done
"$m" search --index ads.index --data users.csv --load w.st --k 2 --format jsonl --no-cache | head -n 1 >line
ids=$(awk -F, 'NR > 1 && NR < 4 { print $3 }' hits.csv | paste -sd, | sed 's/,/, /')
grep -q "^{\"query\": 0, \"ids\": \[$ids\], \"scores\": \[0\." line || wrong "jsonl: $(cat line)"
"$m" search --index ads.index --data users.csv --load w.st --k 5000 --no-cache | grep -c '^7,' >n
[ "$(cat n)" = 1200 ] || wrong "k larger than the catalogue"

head -n 1 items.csv >no_items.csv
"$m" index --data no_items.csv --load w.st -o empty.index --no-cache >said || wrong "an empty catalogue: $(cat said)"
"$m" search --index empty.index --data users.csv --load w.st --no-cache >none || wrong "a search of nothing"
[ "$(cat none)" = query,rank,id,score ] || wrong "found in an empty catalogue: $(head -n 3 none)"
head -n 1 all.csv >no_rows.csv
"$m" eval --data no_rows.csv --index ads.index --load w.st --no-cache >none || wrong "nobody to rank for"
[ "$(sed -n 2p none)" = "recall(u, a; k = 1) n/a" ] || wrong "of no rows: $(cat none)"

# Approximate, where the library for it was built: it says how good it was, and here it finds nearly all.
if [ -e "$(dirname "$rankc")/../lib/librank_hnsw.so" ]; then
  "$m" search --index ads.index --data users.csv --load w.st --k 5 --no-cache --approximate >near.csv 2>said ||
    wrong "$(cat said)"
  grep -qE '^approximate: recall@5 (1\.0000|0\.9[5-9][0-9]*) against the exact search, on the first 40 queries$' said ||
    wrong "approximate: $(cat said)"
  "$m" search --index empty.index --data users.csv --load w.st --no-cache --approximate 2>said >none ||
    wrong "approximate, in an empty catalogue"
  [ "$(cat none said)" = "query,rank,id,score
approximate: there was nothing to compare with the exact search" ] || wrong "approximate, of nothing: $(cat said)"
  same=$(cut -d, -f1,3 near.csv | sort | comm -12 - <(cut -d, -f1,3 hits.csv | sort) | wc -l)
  [ "$same" -ge 190 ] || wrong "approximate: $same of 200 are right"
else
  "$m" search --index ads.index --data users.csv --load w.st --no-cache --approximate >near.csv 2>said &&
    wrong "approximate without its library"
  grep -q 'librank_hnsw.so is not there; install libhnswlib-dev' said || wrong "approximate: $(cat said)"
fi

# Every row's own item among all: by the row's number, and by an id that both files have.
"$m" eval --data all.csv --catalogue all.csv --load w.st --no-cache >by_row || exit 1
paste -d, items.csv <(cut -d, -f1-16 all.csv) >both.csv
"$m" eval --data both.csv --index ads.index --id id --load w.st --no-cache >by_id || exit 1
cmp -s by_row by_id || wrong "eval by row and by id differ"
[ "$(head -n 1 by_row)" = "1,200 rows, 1,200 items" ] || wrong "eval says: $(cat by_row)"
# Fewer rows than are compared with each other by the metric without a catalogue: the same places.
"$m" eval --data all.csv --load w.st --no-cache | grep recall | cmp -s - <(grep recall by_row) ||
  wrong "eval with and without a catalogue differ"

# A model that knows its items: by its own id, with the history left out, unknown items last.
cat >next.rank <<'END'
model next
dim D = 4
dim L <= 9
input item : id(vocab)
input hist : id(item)[L]
table v : f32[item, D]
output user_vector = sum[L](v[hist])
output item_vector = v[item]
loss info_nce(user_vector, item_vector)
metric recall(user_vector, item_vector; k = 1, 2), mrr(user_vector, item_vector)
train sgd(lr = 1e-9), batch = 2
END
"$rankc" build next.rank -o . -O1 2>said || { cat said; exit 1; }
printf 'item,hist\na,\nb,a\n"x, y",b a\nd,a\n' >next.csv
printf 'hist\na b\n\n' >seen.csv
./next train --data next.csv --save n.st --no-cache --quiet || exit 1
./next index --data next.csv --id item --load n.st -o next.index --no-cache >said || exit 1
./next search --index next.index --data seen.csv --load n.st --exclude hist --no-cache |
  cut -d, -f1,3- | sed 's/,[-0-9.e]*$//' | sort >found
printf '%s\n' '0,"x, y"' 0,d '1,"x, y"' 1,a 1,b 1,d query,id | sed 's/,id$/,id,score/' | sort >want
cmp -s found want || wrong "search --exclude: $(paste -sd' ' found)"
printf 'item,hist\nb,a d "x\nnew,a\n' | sed 's/ "x//' >held.csv
./next eval --data held.csv --index next.index --exclude hist --load n.st --no-cache >said || exit 1
grep -q '^1 rows have an item that the catalogue does not; none of them is found$' said || wrong "$(cat said)"
printf 'item\na\nb\na\n' >twice.csv

# Fits of one side: the other's file lacks what they are computed from.
cat >fitted.rank <<'END'
model fitted
dim E = 8
input age : f32
input x : f32[2]
input item : id(30)
input price : f32
fit old = bucketize(age; buckets = 5)
fit z = standardize(x)
fit dear = bucketize(price)
table o : f32[old, E]
table v : f32[30, E]
table p : f32[dear, E]
output user_vector = o[old] + linear(z, E)
output item_vector = v[item] + p[dear]
loss info_nce(user_vector, item_vector)
metric recall(user_vector, item_vector; k = 1)
train adam(lr = 0.01), batch = 64, epochs = 1
END
"$rankc" build fitted.rank -o . -O1 2>said || { cat said; exit 1; }
./fitted synth --rows 60 --out f.csv && ./fitted train --data f.csv --save f.st --no-cache --quiet || exit 1
./fitted predict --data f.csv --load f.st --out f_both.csv --no-cache || exit 1
cut -d, -f1-3 f.csv >f_users.csv
cut -d, -f4-5 f.csv >f_items.csv
for side in users:user_vector:1-8 items:item_vector:9-16; do
  IFS=: read -r side output columns <<<"$side"
  ./fitted predict --output "$output" --data "f_$side.csv" --load f.st --out f_one.csv --no-cache || wrong "no $output"
  cut -d, -f"$columns" f_both.csv >want.csv
  close f_one.csv want.csv || wrong "$output of a model with fits differs"
done
if ./fitted index --data f_items.csv --load f.st -o f.index --no-cache >said; then
  ./fitted search --index f.index --data f_users.csv --load f.st --k 1 --no-cache >said || wrong "a search with fits"
  [ "$(wc -l <said)" = 61 ] || wrong "a search with fits: $(head -n 3 said)"
else
  wrong "an index with fits: $(cat said)"
fi

# What is wrong, and what is said.
says() { # expected text, command
  local text=$1
  shift
  if "$@" --no-cache >/dev/null 2>said; then
    wrong "$* succeeded"
  elif [ "$(cat said)" != "$text" ]; then
    wrong "$*: $(cat said)"
  fi
}
t="two_tower: error:"
says "$t no output x; the vectors: user_vector, ad_vector" \
  "$m" index --data items.csv --load w.st --output x -o no.index
says "$t items.csv:1: no column item for --id" \
  "$m" index --data items.csv --load w.st --id item -o no.index
says "next: error: twice.csv: rows 0 and 2 (the first is 0) have the same id \"a\"" \
  ./next index --data twice.csv --load n.st --id item -o no.index
says "$t gone.index: cannot open: No such file or directory" \
  "$m" search --index gone.index --data users.csv --load w.st
says "$t users.csv: not an index (it does not start like one)" \
  "$m" search --index users.csv --data users.csv --load w.st
head -c 5000 ads.index >cut.index
says "$t cut.index: cut off: 5000 bytes, its header says $(wc -c <ads.index)" \
  "$m" search --index cut.index --data users.csv --load w.st
cp ads.index hurt.index
printf X | dd of=hurt.index bs=1 seek=$(($(wc -c <hurt.index) - 700)) conv=notrunc status=none
says "$t hurt.index: damaged: the checksum of its vectors and ids is wrong" \
  "$m" search --index hurt.index --data users.csv --load w.st
says "$t next.index: an index of another model (next)" \
  "$m" search --index next.index --data users.csv --load w.st
says "$t ads.index: made with other weights than other.st; index again" \
  "$m" search --index ads.index --data users.csv --load other.st
says "$t --exclude x: the model has no such input" \
  "$m" search --index ads.index --data users.csv --load w.st --exclude x
says "$t --exclude user: the input has to hold ids, one or a list" \
  "$m" search --index ads.index --data users.csv --load w.st --exclude user
[ ! -e no.index ] || wrong "an index of what failed"
echo "retrieval: $bad wrong"
[ $bad = 0 ]
