#!/usr/bin/env bash
# What rankc's programs say about wrong weights, wrong tensors, wrong data and wrong usage: an error that names
# the file and what was wanted, within a minute, never a crash. diagnostics.py asks that every message
# of the sources stands in a test; those of programs mostly stand here.
#   tests/messages.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
top=$PWD
. tests/says.sh
export PYTHONPATH=$top/tests

cat >m.rank <<'E'
model m
dim D = 2
dim L <= 4
input i : id(vocab)
input l : id(i)[L], sep = "|"
input x : f32, standardize
input k : id(5)
label y : f32
table t : f32[i, D] ~ normal(0, 1)
param w : f32[D] ~ normal(0, 1)
e = t[i] + sum[L](t[l])
loss bce_logits(sum[D](e * w) + x, y)
output o = sigmoid(sum[D](e * w) + x)
output e2 = e
metric auc(o, y)
train adam(lr = 0.01), batch = 4, epochs = 2
E
sed '/^train\|^loss\|^label\|^metric/d; s/^model m/model only/' m.rank >only.rank
for m in m only; do "$rankc" build -O0 $m.rank -o $m || exit 1; done
{
  echo i,l,x,k,y
  for ((r = 0; r < 12; r++)); do echo "a$((r % 3)),a1|a2,$r,$((r % 5)),$((r % 2))"; done
} >d.csv
m=m/m
$m train --quiet --no-cache --data d.csv --save w.st || exit 1
says 1 'the vocabulary of input i is not known yet' $m init --save init.st

# Usage.
says 2 'm: error: no command "fly"' $m fly
says 2 'wanted a number above 0' $m train --lr -1
says 2 'wanted a number above 0 and below 1' $m train --valid-split 2
says 2 '--follow needs --online' $m train --follow
says 2 '--online and --epochs exclude each other' $m train --online d.csv --epochs 2
says 2 '--follow needs a file' $m train --online --follow
says 2 '--rows N is missing' $m synth
says 2 '--index and --catalogue exclude each other' $m eval --data d.csv --load w.st --index a --catalogue b
says 2 '--exclude needs --catalogue or --index' $m eval --data d.csv --load w.st --exclude l
says 2 '--valid needs --data' $m train --valid d.csv
says 2 'wanted csv or jsonl' $m search --index x --data d.csv --load w.st --format xml
says 2 'belongs to no option' $m train there
says 1 'it only predicts' only/only train
says 1 'has encodings or fits that are learnt from a file' $m train --online d.csv
# Data.
head -n 1 d.csv >none.csv
says 1 'no rows to train on' $m train --no-cache --data none.csv
says 1 'no rows to validate on' $m train --no-cache --data d.csv --valid-split 0.01
says 1 'output o has 0 axes, wanted one: e2' $m index --data d.csv --load w.st --out i.x --output o
says 1 'its numbers are too large to standardize' $m train --no-cache --data <(sed 's/,11,/,1e300,/' d.csv)
says 1 'id 9, but id(5) ends at 4' $m train --no-cache --data <(sed 's/,11,1,/,11,9,/' d.csv)
# A line of 100 MB, a quote that is never closed, nothing but separators; in libsvm too.
python3 - <<'E'
head = "i,l,x,k,y\n"
open("line.csv", "w").write(head + "a" * 100_000_000 + ",a,1,2,0\n")
open("quote.csv", "w").write(head + '"' + "a\n" * 50_000_000)
open("list.csv", "w").write(head + "a," + "a|" * 50_000_000 + "a,1,2,0\n")
open("commas.csv", "w").write(head + "," * 100_000_000 + "\n")
open("pairs.svm", "w").write("1 " + "1:1 " * 25_000_000 + "\n")
open("number.svm", "w").write("1 3:" + "9" * 100_000_000 + "\n")
E
says 0 '' $m train --no-cache --data line.csv --quiet --save long.st # an id, if a long one
says 0 '' $m predict --no-cache --data line.csv --load w.st
for f in quote list commas; do
  says 1 "$f.csv" $m train --no-cache --data $f.csv --quiet --save none.st
  says 1 "$f.csv" $m predict --no-cache --data $f.csv --load w.st
done
says 1 'a quote that is not closed' $m train --no-cache --data quote.csv --quiet --save none.st
"$rankc" build -O0 "$top/models/lr.rank" -o lr >/dev/null
cat >svm.rank <<'E'
model svm
data libsvm(base = 1)
dim L <= 10
input i : id(50)[L] from indices
input v : f32[L] from values
label y : f32 from target
table t : f32[i] ~ zeros
z = sum[L](t[i] * v)
loss bce_logits(z, y)
output o = z
train sgd(lr = 0.1), batch = 4
E
"$rankc" build -O0 svm.rank -o svm || exit 1
for f in pairs number; do says 1 "$f.svm" svm/svm train --no-cache --data $f.svm --quiet --save none.st; done
[ ! -e none.st ] || { echo "wrong data were learnt" && bad=$((bad + 1)); }
rm -f line.csv quote.csv list.csv commas.csv pairs.svm number.svm

# Weights: names and shapes that nobody writes.
python3 - <<'E'
import json, struct
from raw_st import load, save

head, data = load("w.st")
tensor = head["w"]
def edit(path, change, keep=False):
    h = json.loads(json.dumps(head))
    change(h)
    if not keep and "__metadata__" in h:
        pass
    save(path, h, data)

edit("gone.st", lambda h: h.pop("w"))
edit("shape.st", lambda h: h["w"].update(shape=[1, 1]))
edit("dtype.st", lambda h: h["w"].update(dtype="I32"))
edit("name.st", lambda h: h["__metadata__"].update({"rank.model": "../../etc/passwd"}))
edit("twice.st", lambda h: h.update({"zz": dict(h["w"])}))
edit("end.st", lambda h: h["w"].update(data_offsets=[h["w"]["data_offsets"][0], 1 << 40]))
edit("negative.st", lambda h: h["t"].update(shape=[-1, 2]))
edit("huge.st", lambda h: h["t"].update(shape=[1 << 62, 8]))
hostile = ["%s%n%n%n%x", "a" * 100000, "\x1b[31m", "../../../../tmp/x", "w\u0000x", "\ud800", "", "t.x\n\n", "$(touch hacked)"]
for k, name in enumerate(hostile):
    def change(h):
        h[name] = h.pop("w")
    edit(f"hostile{k}.st", change)
    edit(f"hostile_meta{k}.st", lambda h: h["__metadata__"].update({name: name, "rank.encoders": name}))
inputs = {"i": ("I64", [2], [0, 1]), "l": ("I64", [2, 4], [0] * 8), "l.length": ("I64", [2], [1, 2]),
          "x": ("F64", [2], [0.0, 1.0]), "k": ("I64", [2], [0, 1]), "y": ("F64", [2], [0.0, 1.0])}
def batch(path, **changes):
    h, body = {}, b""
    for name, t in {**inputs, **{k.replace("_", "."): v for k, v in changes.items()}}.items():
        if t is None:
            continue
        dtype, shape, values = t
        raw = struct.pack(f"<{len(values)}{'q' if dtype == 'I64' else 'd'}", *values)
        h[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    save(path, h, body)
batch("good.b")
batch("noi.b", i=None)
batch("nox.b", x=None)
batch("shape.b", x=("F64", [2, 3], [0.0] * 6))
batch("id.b", i=("I64", [2], [0, 9999]))
batch("k.b", k=("I64", [2], [0, 5]))
batch("nan.b", x=("F64", [2], [0.0, float("nan")]))
batch("length.b", l_length=("I64", [2], [1, 9]))
batch("lengths.b", l_length=("I64", [3], [1, 2, 3]))
batch("nolength.b", l_length=None)
batch("two.b", L_length=("I64", [2], [1, 1]))
E
says 0 '' $m step --load w.st --batch good.b --out s.st
says 1 'noi.b: no tensor i' $m step --load w.st --batch noi.b --out s.st
says 1 'no tensor x' $m step --load w.st --batch nox.b --out s.st
says 1 'tensor x is [2, 3], wanted [2]' $m step --load w.st --batch shape.b --out s.st
says 1 'id.b: input i, sample 1: an id is outside its vocabulary' $m step --load w.st --batch id.b --out s.st
says 1 'tensor k: id 5 in sample 1, but its ids are 0 to 4' $m step --load w.st --batch k.b --out s.st
says 1 'nan.b' $m step --load w.st --batch nan.b --out s.st
says 1 'length 9 at 1, but axis L has 0 to 4' $m step --load w.st --batch length.b --out s.st
says 1 'lengths.b: tensor l.length is [3], wanted [2]' $m step --load w.st --batch lengths.b --out s.st
says 1 'no tensor l.length (nor L.length) [2]' $m step --load w.st --batch nolength.b --out s.st
says 1 'differs from other lengths of axis L' $m step --load w.st --batch two.b --out s.st
says 1 'its tensors overlap or leave gaps' $m eval --data d.csv --load gone.st
says 1 'shape.st: ' $m eval --data d.csv --load shape.st
says 1 'dtype.st: tensor w is I32, wanted F32, F64, F16 or BF16' $m eval --data d.csv --load dtype.st
says 1 'these are weights of model' $m eval --data d.csv --load name.st
for f in twice end negative huge; do says 1 "$f.st" $m eval --data d.csv --load $f.st; done
for f in hostile*.st; do
  $m eval --no-cache --data d.csv --load "$f" >said 2>&1
  [ $? -le 1 ] || { echo "$f: exit code above 1" && bad=$((bad + 1)); }
  ! grep -q $'\033\|\001' said || { echo "$f: a name of the file reaches the terminal as it is" && bad=$((bad + 1)); }
done
[ ! -e hacked ] || { echo "a name was run" && bad=$((bad + 1)); }

# A training that was stopped within an epoch goes on with the same model, data, seed and batch, and no others; any
# number of threads will do.
{
  echo i,l,x,k,y
  for ((r = 0; r < 20000; r++)); do echo "a$((r % 3)),a1|a2,$((r % 9)),$((r % 5)),$((r % 2))"; done
} >long.csv
{ cat long.csv && echo 'a1,a2,3,4,1'; } >longer.csv
bash -c "set -m; $m train --quiet --no-cache --data long.csv --epochs 100000 --checkpoint-every 100 --save part.st & p=\$!
  until [ -e part.st ]; do sleep 0.02; done; kill -TERM \$p; wait \$p" >said 2>&1
says 1 'stands in the middle of an epoch begun with seed 1: --seed 99 cannot go on with it' \
  $m train --quiet --no-cache --data long.csv --load part.st --save on.st --seed 99
says 1 'it cannot go on with 20001 rows in batches of 4' \
  $m train --quiet --no-cache --data longer.csv --load part.st --save on.st
says 1 'it cannot go on with 20000 rows in batches of 8' \
  $m train --quiet --no-cache --data long.csv --load part.st --save on.st --batch 8
says 1 'these are weights of model m, not of lr' \
  lr/lr train --quiet --no-cache --data long.csv --load part.st --save on.st
[ ! -e on.st ] || { echo "a training that was refused saved something" && bad=$((bad + 1)); }
for threads in 1 3; do
  says 0 '' $m train --quiet --no-cache --data long.csv --load part.st --epochs 2 --threads $threads --save on$threads.st
done
cmp on1.st on3.st || bad=$((bad + 1))

# Weights that do not serve, tables of fewer bits, vectors that are not there, a log on a full disk.
python3 - <<'E'
import subprocess
from raw_st import load, save

head, data = load("w.st")
del head["__metadata__"]
save("nometa.st", head, data)
subprocess.run(["m/m", "quantize", "--load", "w.st", "--tables", "int8", "--out", "small.st"], check=True, stdout=-3)
head, data = load("small.st")
head["other"] = head.pop("t#scale")
save("noscale.st", head, data)
E
says 1 'has no encoders (vocabularies, means) in it, so data cannot be read as in training' \
  $m eval --no-cache --data d.csv --load nometa.st
says 1 'is I8, which needs the factor of each row: no tensor t#scale F32 [5] in it' \
  $m eval --no-cache --data d.csv --load noscale.st
says 1 'm: not a file' $m eval --no-cache --data d.csv --load m
says 1 'is I8: rounding twice loses more; take the full weights' \
  $m quantize --load small.st --tables f16 --out twice.st
lr/lr init --save lr.st >/dev/null
says 1 'has no table with more than one number a row' lr/lr quantize --load lr.st --tables f16 --out none.st
says 1 'one of: (the model has no vectors)' lr/lr index --data d.csv --load lr.st --out none.x
says 1 'which output? --output NAME, one of: e2' $m search --no-cache --data d.csv --load w.st --index none.x
says 1 'rows 0 and 5 (the first is 0) have the same id "0"' \
  $m index --no-cache --data d.csv --load w.st --out none.x --output e2 --id k
says 1 'the model has no metric recall, ndcg or mrr to rank a catalogue by' \
  $m eval --no-cache --data d.csv --catalogue d.csv --load w.st
says 1 'the log could not be written: lines are missing, the disk may be full' \
  $m train --quiet --no-cache --data d.csv --log /dev/full --save full.st

# The reference on the same files.
says 0 '' "$rankc" interpret m.rank --load w.st --batch good.b --out r.st
says 2 '--load, --batch and --out are needed' "$rankc" interpret m.rank
says 1 'no input is there' "$rankc" interpret m.rank --load w.st --batch w.st --out r.st
says 1 'lengths are needed' "$rankc" interpret m.rank --load w.st --batch lengths.b --out r.st
says 1 'sample 1 has length 9' "$rankc" interpret m.rank --load w.st --batch length.b --out r.st
says 1 'but its ids end at' "$rankc" interpret m.rank --load w.st --batch k.b --out r.st
says 1 'which does not fit' "$rankc" interpret m.rank --load w.st --batch shape.b --out r.st
says 1 'no loss, so there are no gradients to check' "$rankc" gradcheck only.rank
says 2 'is not a program' "$rankc" build m.rank --cc -x
says 2 "'f16' is neither f32 nor f64" "$rankc" build m.rank --dtype f16
says 2 'is no range of lengths' "$rankc" bench m.rank --lengths 9..5
says 1 'the model declares no dim of this name' "$rankc" check m.rank --dim Q=3
says 2 'RANKC_RUNTIME says where' env RANKC_RUNTIME=/nonexistent "$rankc" build m.rank -o x
echo "$n messages, $bad wrong"
[ $bad = 0 ]
