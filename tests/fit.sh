#!/usr/bin/env bash
# fit.sh RANKC: fits from training to prediction: the same bits with any number of threads, kept by a training
# that goes on, used by eval and predict, and refused when damaged.
set -euo pipefail
rankc=$1
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "fit.sh: $1" >&2; exit 1; }

sed 's/rounds = 200/rounds = 12/' "$here/models/gbdt_lr.rank" > "$dir/gbdt_lr.rank"
"$rankc" build "$dir/gbdt_lr.rank" -o "$dir/m" > /dev/null
p=$dir/m/gbdt_lr
"$p" synth --rows 4500 --out "$dir/all.csv"
head -4001 "$dir/all.csv" > "$dir/d.csv"
(head -1 "$dir/all.csv"; tail -500 "$dir/all.csv") > "$dir/v.csv"
train() { "$p" train --no-cache --data "$dir/d.csv" --valid "$dir/v.csv" "$@"; }

train --epochs 2 --threads 1 --save "$dir/one" > "$dir/log"
grep -q '^fit trees: gbdt' "$dir/log" || fail "the fit is not told"
train --epochs 2 --threads 2 --save "$dir/two" > /dev/null
cmp "$dir/one" "$dir/two" || fail "bits depend on threads"

train --epochs 1 --threads 2 --save "$dir/half" > /dev/null
train --epochs 2 --threads 2 --load "$dir/half" --save "$dir/again" > "$dir/log"
! grep -q '^fit' "$dir/log" || fail "going on fits again"
cmp "$dir/one" "$dir/again" || fail "going on gives other bits"

"$p" eval --no-cache --data "$dir/v.csv" --load "$dir/one" > "$dir/eval"
awk '/^auc\(p, y\)/ { exit !($3 > 0.6) }' "$dir/eval" || fail "nothing was learnt: $(cat "$dir/eval")"
"$p" predict --no-cache --batch 7 --data "$dir/v.csv" --load "$dir/one" --out "$dir/p7"
"$p" predict --no-cache --batch 500 --data "$dir/v.csv" --load "$dir/one" --out "$dir/p500"
cmp "$dir/p7" "$dir/p500" || fail "predictions depend on the batch"
[ "$(wc -l < "$dir/p7")" = 501 ] || fail "not a prediction for each row"

# The library says the same, from a forest that has the weights in its leaves.
grep -q 'step->folded ? step->folded' "$dir/m/gbdt_lr_predict.c" || fail "the weights are not in the leaves"
"$rankc" explain "$dir/gbdt_lr.rank" | grep -q 'libraries: trees has leaf_w in its leaves and sums it' || fail "explain does not tell"
cc=$(command -v clang-19 || command -v gcc)
"$cc" ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE -DSANITIZED} -std=gnu11 -Wall -Wextra -Werror -I"$dir/m" "$here/tests/library/test_fit.c" -o "$dir/library" -L"$dir/m" \
  -lgbdt_lr_train -lm -Wl,-rpath,"$dir/m"
head -1 "$dir/v.csv" | grep -q '^x1,.*,x30,y' || fail "other columns than the library's test reads"
tail -n +2 "$dir/v.csv" | cut -d, -f1-30 | tr , ' ' | "$dir/library" "$dir/one" > "$dir/said"
tail -n +2 "$dir/p500" | awk -F, '{ printf "%.6f\n", $1 }' | paste - "$dir/said" |
  awk '{ d = $1 - $2 } d * d > 4e-12 { exit 1 } END { exit NR != 500 }' || fail "the library predicts otherwise"
"$p" info --load "$dir/one" | grep -q 'splits' || fail "info tells no importance"

# To the optimum, and online from there: the trees stay, the weights move.
train --threads 1 --save "$dir/best" > "$dir/log"
grep -qE '^the optimum after|does not fall any more' "$dir/log" || fail "no optimum: $(tail -3 "$dir/log")"
train --threads 2 --save "$dir/best2" > /dev/null
cmp "$dir/best" "$dir/best2" || fail "the optimum depends on threads"
"$p" train --online "$dir/v.csv" --load "$dir/best" --save "$dir/on" > "$dir/log"
grep -q '^500 rows learnt' "$dir/log" || fail "not online: $(cat "$dir/log")"
! cmp -s "$dir/best" "$dir/on" || fail "nothing was learnt online"
"$p" info --load "$dir/best" | grep -A40 '^fit trees' > "$dir/before"
"$p" info --load "$dir/on" | grep -A40 '^fit trees' | cmp - "$dir/before" || fail "online moved the trees"
! "$p" train --online "$dir/v.csv" --save "$dir/x" 2> "$dir/err" || fail "online without a fit"
grep -q 'there is no --load' "$dir/err" || fail "said: $(cat "$dir/err")"
"$p" info --load "$dir/best" | grep -q '^solver: lbfgs, l2 0.0005, tolerance' || fail "info does not tell the solver"
! train --lr 0.1 2> "$dir/err" || fail "lbfgs took --lr"
grep -q 'lbfgs, which has no learning rate' "$dir/err" || fail "said: $(cat "$dir/err")"

"$p" init --save "$dir/init" > /dev/null
! "$p" eval --no-cache --data "$dir/v.csv" --load "$dir/init" 2> "$dir/err" || fail "eval without a fit"
grep -q 'has not what fit trees learns' "$dir/err" || fail "said: $(cat "$dir/err")"

# A tree that says it has more leaves than it has; without its checksum only the check of the tree is left.
cat > "$dir/damage.py" <<'PY'
import json, struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
n = struct.unpack("<Q", b[:8])[0]
head = json.loads(b[8:8 + n])
at = 8 + n + head["fit.trees.trees"]["data_offsets"][0]
b[at:at + 8] = struct.pack("<d", 5000.0)
head["__metadata__"] = {k: v for k, v in head["__metadata__"].items() if not k.startswith("sum.")}
text = json.dumps(head).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + bytes(b[8 + n:]))
PY
python3 "$dir/damage.py" "$dir/one" "$dir/bad"
! "$p" eval --no-cache --data "$dir/v.csv" --load "$dir/bad" 2> "$dir/err" || fail "took a damaged forest"
grep -q 'fit trees: its trees are not' "$dir/err" || fail "said: $(cat "$dir/err")"

# Numbers and categories together: what a set of sites and an hour decide, no single number shows.
cat > "$dir/cats.rank" <<'RANK'
model cats
dim X = 2
dim F = 2
input x    : f32[X]
input site : id(vocab)[F] from "site", "device"
input hour : id(24)
label y : f32
fit trees = gbdt(x, site, hour, y; rounds = 30, leaves = 8, min_data_per_group = 10, max_depth = 4, early_stopping = 3)
table w : f32[trees.leaf] ~ zeros
logit = sum[T](w[trees.leaf])
loss   bce_logits(logit, y)
output p = sigmoid(trees.score)
metric auc(p, y)
train  adam(lr = 1e-3), batch = 128, epochs = 1
RANK
awk 'BEGIN { srand(7); print "x1,x2,site,device,hour,y"
  for (i = 0; i < 5000; i++) {
    s = int(rand() * 40); d = int(rand() * 3); h = int(rand() * 24); x = rand(); odd = (s * 7 % 11 < 5) != (h % 3 == 0)
    printf "%.4f,%.4f,s%d,%s,%d,%d\n", x, rand(), s, d ? "d" d : "", h, rand() < (odd ? 0.8 : 0.15) + (x > 0.5 ? 0.1 : 0) } }' > "$dir/c.csv"
head -4001 "$dir/c.csv" > "$dir/d.csv"
(head -1 "$dir/c.csv"; tail -1000 "$dir/c.csv") > "$dir/v.csv"
"$rankc" build "$dir/cats.rank" -o "$dir/c" > /dev/null
p=$dir/c/cats
train --threads 1 --save "$dir/one" > /dev/null
train --threads 3 --save "$dir/two" > /dev/null
cmp "$dir/one" "$dir/two" || fail "with categories, bits depend on threads"
"$p" eval --no-cache --data "$dir/v.csv" --load "$dir/one" > "$dir/eval"
awk '/^auc/ { exit !($3 > 0.78) }' "$dir/eval" || fail "categories are not learnt: $(cat "$dir/eval")"
"$p" info --load "$dir/one" > "$dir/info"
sed -n '/^fit trees/,$p' "$dir/info" | sed -n '2,3s/: gain.*//p' | sort | tr -d ' \n' | grep -qx 'hoursite' ||
  fail "what decides is not named first: $(cat "$dir/info")"
grep -q 'x2: gain' "$dir/info" || fail "a column has no name"
"$p" info --json --load "$dir/one" | python3 -c '
import json, sys
fit, = json.load(sys.stdin)["fits"]
rows = fit["importance"]
assert fit["name"] == "trees" and fit["op"] == "gbdt" and len(rows) == 5, fit
assert {r["feature"] for r in rows[:2]} == {"site", "hour"}, rows
assert sum(r["splits"] for r in rows) == fit["leaves"] - fit["trees"], fit' || fail "info --json"
# A site that was not there in training is as one that is on no list, in any batch.
printf 'x1,x2,site,device,hour,y\n0.1,0.5,s999,d1,3,0\n0.1,0.5,nowhere,d1,3,0\n0.1,0.5,s3,d1,3,0\n' > "$dir/n.csv"
"$p" predict --no-cache --data "$dir/n.csv" --load "$dir/one" --out "$dir/n1"
"$p" predict --no-cache --batch 1 --data "$dir/n.csv" --load "$dir/one" --out "$dir/n2"
cmp "$dir/n1" "$dir/n2" || fail "categories depend on the batch"
[ "$(sed -n 2p "$dir/n1")" = "$(sed -n 3p "$dir/n1")" ] || fail "unknown sites differ"
# What is exported tells categories by their ids: read again, as an input of numbers, it says the same.
"$p" export --load "$dir/one" --lightgbm "$dir/cats.txt" > /dev/null
grep -q '^feature_names=x1 x2 site device hour$' "$dir/cats.txt" || fail "exported: $(grep feature_names "$dir/cats.txt")"
cat > "$dir/again.rank" <<'RANK'
model again
dim X = 5
input x : f32[X] from "x1", "x2", "site", "device", "hour"
fit trees = forest(x; file = "cats.txt")
output p = sigmoid(trees.score)
RANK
cat > "$dir/known.py" <<'PY'
import csv, sys
train, valid = (list(csv.DictReader(open(f))) for f in sys.argv[1:])
shared = {}  # ids of both columns, one behind the other: 0 missing, 1 unknown, then by falling count, then bytes
first = 0
for c in ("site", "device"):
    words = [r[c] for r in train if r[c]]
    order = sorted(set(words), key=lambda w: (-words.count(w), w.encode()))
    shared[c] = first, {w: i + 2 for i, w in enumerate(order)}
    first += len(order) + 2
print("x1,x2,site,device,hour")
for r in valid:
    for c, (offset, ids) in shared.items():
        r[c] = offset + (ids.get(r[c], 1) if r[c] else 0)
    print(r["x1"], r["x2"], r["site"], r["device"], r["hour"], sep=",")
PY
python3 "$dir/known.py" "$dir/d.csv" "$dir/v.csv" > "$dir/ids.csv"
"$rankc" build "$dir/again.rank" -o "$dir/a" > /dev/null
"$dir/a/again" train --save "$dir/imported" > /dev/null
"$dir/a/again" predict --no-cache --data "$dir/ids.csv" --load "$dir/imported" --out "$dir/pa"
"$p" predict --no-cache --data "$dir/v.csv" --load "$dir/one" --out "$dir/pc"
cmp "$dir/pa" "$dir/pc" || fail "the exported forest says otherwise"
# Numbers that are missing say something: half of them are empty where the label is 1.
sed 's/input x .*/&, missing = nan/; s/^model cats/model gaps/; s/site, hour, y/y/' "$dir/cats.rank" > "$dir/gaps.rank"
awk -F, -v OFS=, 'BEGIN { srand(3) } NR > 1 && $6 == 1 && rand() < 0.5 { $2 = "" } 1' "$dir/d.csv" > "$dir/gd.csv"
awk -F, -v OFS=, 'BEGIN { srand(4) } NR > 1 && $6 == 1 && rand() < 0.5 { $2 = "" } 1' "$dir/v.csv" > "$dir/gv.csv"
"$rankc" build "$dir/gaps.rank" -o "$dir/g" > /dev/null
"$dir/g/gaps" train --no-cache --data "$dir/gd.csv" --valid "$dir/gv.csv" --save "$dir/gaps" > /dev/null
"$dir/g/gaps" predict --no-cache --data "$dir/gv.csv" --load "$dir/gaps" --out "$dir/p"
paste -d, "$dir/gv.csv" "$dir/p" | awk -F, 'NR > 1 && $2 == "" { n++; sum += $7 } NR > 1 && $2 != "" { m++; rest += $7 }
  END { exit !(n > 100 && sum / n > 0.95 && rest / m < 0.5) }' || fail "what is missing is not learnt"
sed 's/fit.trees.trees/fit.trees.codes/; s/5000.0/1e9/' "$dir/damage.py" > "$dir/damage2.py"
python3 "$dir/damage2.py" "$dir/one" "$dir/bad"
! "$p" eval --no-cache --data "$dir/v.csv" --load "$dir/bad" 2> "$dir/err" || fail "took damaged categories"
grep -q 'category 0 is damaged' "$dir/err" || fail "said: $(cat "$dir/err")"

# Data that teaches trees little or nothing, and data that is wrong.
cat > "$dir/odd.rank" <<'RANK'
model odd
dim X = 3
input x : f32[X]
label y : f32
fit trees = gbdt(x, y; rounds = 5, leaves = 4, early_stopping = 2)
fit z = standardize(x)
table w : f32[trees.leaf] ~ zeros
param k : f32[X] ~ zeros
logit = sum[T](w[trees.leaf]) + sum[X](k * z)
loss   bce_logits(logit, y)
output p = sigmoid(logit)
output alone = sigmoid(trees.score)
metric auc(p, y)
train  lbfgs(), l2 = 1e-3
RANK
"$rankc" build "$dir/odd.rank" -o "$dir/o" > /dev/null
p=$dir/o/odd
! grep -q folded "$dir/o/odd_predict.c" || fail "a score that is read is folded over"
rows() { # how many, awk expressions of x2 and y
  awk -v n="$1" "BEGIN { srand(5); print \"x1,x2,x3,y\"
    for (i = 0; i < n; i++) { x = rand(); z = rand(); print x \",\" ($2) \",\" z \",\" ($3) } }"
}
rows 200 'rand()' 'x + z > 1' > "$dir/good.csv"
teaches() { # what the log says, rows, x2, y
  rows "$2" "$3" "$4" > "$dir/d.csv"
  "$p" train --no-cache --data "$dir/d.csv" --valid "$dir/good.csv" --save "$dir/w" > "$dir/log" || fail "$*"
  grep -q "$1" "$dir/log" || fail "wanted '$1', said: $(grep '^fit' "$dir/log")"
  "$p" predict --no-cache --data "$dir/good.csv" --load "$dir/w" --out "$dir/p"
  [ "$(wc -l < "$dir/p")" = 201 ] && ! grep -qi nan "$dir/p" || fail "bad predictions: $*"
}
nothing='^fit trees: no split gains anything with [0-9]* rows and min_data_in_leaf = 20; all rows fall into one leaf'
teaches "$nothing" 1 'rand()' 1
teaches "$nothing" 2 'rand()' i
teaches "$nothing" 200 'rand()' 0
teaches "$nothing" 200 'rand()' 1
teaches '^fit trees: [1-5] trees of [1-5], validation loss 0\.' 200 7 'x + z > 1'
teaches '^fit trees: [1-5] trees of [1-5], validation loss 0\.' 200 'rand() * 3e38' 'x + z > 1'
wrong() { # what is said, rows to train on, rows to validate on
  ! "$p" train --no-cache --data "$2" --valid "$3" --save "$dir/no" > /dev/null 2> "$dir/err" || fail "took: $1"
  grep -q "$1" "$dir/err" || fail "wanted '$1', said: $(cat "$dir/err")"
  [ ! -e "$dir/no" ] || fail "weights are left: $1"
}
good=$dir/good.csv
rows 200 'rand()' 'i % 3' > "$dir/three.csv"
wrong 'fit trees: training row 3: the label is 2, not 0 or 1 (objective = l2 takes any number)' "$dir/three.csv" "$good"
wrong 'fit trees: validation row 3: the label is 2, not 0 or 1' "$good" "$dir/three.csv"
head -1 "$good" > "$dir/none.csv"
wrong 'none.csv: no rows to train on' "$dir/none.csv" "$good"
wrong 'none.csv: no rows to validate on' "$good" "$dir/none.csv"
cut -d, -f1,2,4 "$good" > "$dir/less.csv"
wrong 'less.csv:1: no column x3, which input x reads' "$dir/less.csv" "$good"
rows 200 '""' 1 > "$dir/gap.csv"
wrong 'gap.csv:2: column x2: empty, and the input does not say missing = ' "$dir/gap.csv" "$good"
sed 's/input x .*/&, missing = nan/; /^fit z/d; /^param k/d; s/ + sum.X.*//; s/^model odd/model holes/' "$dir/odd.rank" > "$dir/holes.rank"
"$rankc" build "$dir/holes.rank" -o "$dir/h" > /dev/null
p=$dir/h/holes
teaches '^fit trees: [1-5] trees of [1-5], validation loss 0\.' 200 '""' 'x + z > 1'
echo "fits: as they should be"
