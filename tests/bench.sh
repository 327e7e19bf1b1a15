#!/usr/bin/env bash
# `rankc bench` on a small model with a list, a learnt vocabulary and two labels: every level is built,
# agrees, and is in the tables; a level that computes something else is found out.
#   tests/bench.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
wrong() {
  echo "$@"
  bad=$((bad + 1))
}

cat >shop.rank <<'END'
model shop
dim D = 4
dim L <= 5
input item : id(vocab)
input hist : id(item)[L]
input price : f32
label click : f32
label sale : f32
table v : f32[item, D] ~ normal(0, 1)
h = v[hist]
user = sum[L](h * softmax[L](sum[D](h * v[item])))
x = concat(user, v[item], price)
a = mlp(x, 8, 1; relu)
b = mlp(x, 8, 1; relu)
loss bce_logits(a, click) + bce_logits(b, sale)
output p = sigmoid(a)
output q = sigmoid(b)
train adam(lr = 0.01), batch = 33
END

quick="-O0 --seconds 0.01 --rounds 2 --batches 2 --vocab 50 --threads 2"
if ! "$rankc" bench shop.rank $quick -o out --groups --csv out.csv --svg out.svg >said 2>&1; then
  wrong "it failed:"
  cat said
fi
grep -q 'all levels agree' said || wrong "nothing about agreement"
grep -q 'GFLOP/s of multiply-adds' said || wrong "no peaks"
[ "$(grep -cE '^(off|loops|tiles|all) +(yes|no) ' said)" = 16 ] || wrong "not 16 lines of levels"
grep -q 'time of threads by group' said || wrong "no groups"
[ "$(grep -c ',,,,$' out.csv)" = 16 ] || wrong "not 16 lines of CSV for levels"
awk -F, 'NR == 1 { n = NF; next } /,,,,,,,/ { # a group; what it computes is in quotes
    if ($3 != "all" || !($23 > 0 && $24 >= 0 && $25 >= 0 && $26 ~ /^"/ && /"$/)) { print; bad = 1 }
    share[$2] += $24; groups++; next }
  END { if (groups < 8 || share["forward"] < 0.99 || share["train"] < 0.99 || share["train"] > 1.01) bad = 1
    exit bad }' out.csv || wrong "those groups in the CSV"
awk -F, '/,,,,,,,/ { next } NR == 1 { n = NF } NF != n || (NR > 1 && !($7 > 0 && $10 > 0 && $17 > 0 && $18 > 0 && $19 > 0 \
  && $20 > 0 && $22 < 1e-3)) { print; bad = 1 } END { exit bad }' out.csv || wrong "those lines of CSV"
[ "$(grep -c '<rect class=' out.svg)" = 16 ] || wrong "not 16 bars"
[ "$(tail -n 1 out.svg)" = '</svg>' ] || wrong "the chart has no end"

# Another model's code in place of a level: the layout tells, or else the numbers.
sed 's/sigmoid(a)/sigmoid(a * 1.5)/' shop.rank >other.rank
"$rankc" bench other.rank $quick -o other --levels all --rewrites on >said 2>&1 || wrong "other.rank failed"
cp other/all/libshop.so out/all/libshop.so
out/shop_bench >said 2>&1 && wrong "a level that differs went unnoticed"
grep -q 'levels disagree: p of all' said || wrong "no word of which level differs: $(cat said)"
sed 's/, 8, 1; relu/, 9, 1; relu/' shop.rank >third.rank
"$rankc" bench third.rank $quick -o third --levels all --rewrites on >said 2>&1 || wrong "third.rank failed"
cp third/all/libshop.so out/all/libshop.so
out/shop_bench >said 2>&1 && wrong "a level of another model went unnoticed"
grep -q 'of another model' said || wrong "no word of another model: $(cat said)"

# Without `train` there is the forward pass alone; and double precision.
grep -vE '^(train|loss|label)' shop.rank >forward.rank
"$rankc" bench forward.rank $quick -o forward --levels off,all --rewrites off --dtype f64 \
  --lengths 0..3 --zipf 1 --batch 7 >said 2>&1 || wrong "forward.rank failed: $(cat said)"
grep -q 'training step' said && wrong "a model that does not train has a training step"
[ "$(grep -cE '^(off|all) +no ' said)" = 2 ] || wrong "not 2 lines of levels"

for usage in '--levels=some' '--rewrites=maybe' '--batch=0' '--seconds=none' '--lengths=5..2' '--zipf=-1'; do
  "$rankc" bench shop.rank "$usage" >said 2>&1
  [ $? = 2 ] || wrong "$usage: no usage error"
done
echo "$bad wrong"
[ $bad = 0 ]
