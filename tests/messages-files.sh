#!/usr/bin/env bash
# What a model's programs say about files of theirs that are not what they seem: what fits have learnt, indexes,
# catalogues, tensors, files that are followed; and about numbers that grow without bounds. messages.sh has the others.
#   tests/messages-files.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
top=$PWD
. tests/says.sh
export PYTHONPATH=$top/tests

cat >fits.rank <<'E'
model fits
dim L <= 5
input seen : id(vocab)[L], sep = "|"
label next : id(seen)
input x : f32[2] from "x1".."x2"
input c : id(20000000)
label y : f32
fit near = item_cosine(seen; neighbors = 3)
fit often = popularity(seen)
fit z = standardize(x)
fit trees = gbdt(x, c, y; rounds = 2, leaves = 3, min_data_in_leaf = 1)
output rec = near.score(seen) where not seen, top = 2
output pop = often.score(seen) where not seen, top = 2
output q = sum[2](z) + trees.score
metric recall(rec, next; k = 2)
E
cat >two.rank <<'E'
model two
dim L <= 3
input i : id(vocab)
input l : id(i)[L], sep = "|"
input p : f32[L, 2], sep = "|"
input x : f32
label y : f32
table t : f32[i, 2] ~ normal(0, 1)
table s : f32[i] ~ zeros
param w : f32[3] ~ normal(0, 1)
a = t[i] + s[i]
v = w * x
g = sum[L](t[l]) * x * 100
loss bce_logits(sum[2](a) + sum[3](v) + sum[L, 2](p) + sum[L](s[l]), y)
output a
output v
output g
metric recall(a, g; k = 1)
train adam(lr = 0.1), batch = 4, epochs = 1, drop_last = 1
E
cat >plain.rank <<'E'
model plain
data csv(header = 0)
input u : f32[2] from 0..1
label y : f32 from 2
param k : f32[2]
a = k * u
b = a * a
loss bce_logits(sum[2](a), y)
output a
metric recall(a, b; k = 1)
train lbfgs(memory = 20, tolerance = 1e-7), l2 = 1e-4, epochs = 200
E
for m in fits two plain; do "$rankc" build -O0 $m.rank -o $m || exit 1; done
{
  echo seen,next,x1,x2,c,y
  for ((r = 0; r < 24; r++)); do
    echo "a$((r % 4))|a$((r % 3)),a$((r % 4)),$r,$((r % 5)),$((r % 2 * 18000000)),$((r % 2))"
  done
} >f.csv
{
  echo i,l,p,x,y
  for ((r = 0; r < 12; r++)); do echo "a$((r % 3)),a1|a2,1|2|3|4,$r,$((r % 2))"; done
} >t.csv
for ((r = 0; r < 12; r++)); do echo "$r,$((r % 5)),$((r % 3 / 2))"; done >p.csv
f=fits/fits m=two/two p=plain/plain
$f train --quiet --no-cache --data f.csv --save f.st && $m train --quiet --no-cache --data t.csv --save t.st &&
  $m train --online --quiet --data t.csv --load t.st --save online.st &&
  for o in a g; do $m index --no-cache --data t.csv --load t.st --output $o --out $o.x >/dev/null || exit 1; done || exit 1
$p train --quiet --no-cache --data p.csv --epochs 2 --save p.st >/dev/null 2>&1 # too few to end

python3 - <<'E' || exit 1
import json, struct
from raw_st import load, save
def edited(of):
    head, data = load(of)
    def make(path, tensor, change=None, at=0, raw=b"", only=None):
        h, d = json.loads(json.dumps(head)), bytearray(data)
        h["__metadata__"] = {k: v for k, v in h["__metadata__"].items() if not k.startswith("sum.") and k != only}
        h[tensor].update(change or {})
        at += head[tensor]["data_offsets"][0]
        d[at:at + len(raw)] = raw
        save(path, h, bytes(d))
    return head, data, make
def real(x):
    return struct.pack("<d", x)
head, data, make = edited("f.st")
make("offset.st", "fit.near.offsets", raw=real(5))
make("neighbour.st", "fit.near.items", raw=struct.pack("<i", 99))
make("across.st", "fit.near.offsets", {"shape": head["fit.near.offsets"]["shape"][::-1]})
make("real.st", "fit.near.items", {"dtype": "F32"})
make("counts.st", "fit.often.counts", {"shape": head["fit.often.counts"]["shape"][::-1]})
make("count.st", "fit.often.counts", raw=real(-1))
make("means.st", "fit.z.mean", {"shape": [2, 1]})
make("whole.st", "fit.z.mean", {"dtype": "I64"})
make("sd.st", "fit.z.sd", raw=real(-1))
make("head.st", "fit.trees.head", {"shape": head["fit.trees.head"]["shape"][::-1]})
code = head["fit.trees.codes"]["data_offsets"][0]
make("codes.st", "fit.trees.codes", at=16, raw=data[code:code + 16])
meta = {k: v for k, v in head["__metadata__"].items() if not k.startswith("sum.")}
save("nofits.st", {"__metadata__": meta}, b"")
head, data, make = edited("t.st")
make("noenc.st", "t", only="rank.encoders")
make("large.st", "t", raw=struct.pack("<f", 1e30))
begin, end = head["s"]["data_offsets"]
rest = {"dtype": "F32", "shape": [1], "data_offsets": [end - 4, end]}
h = {**head, "s": {"dtype": "F32", "shape": [4], "data_offsets": [begin, end - 4]}, "rest": rest}
del h["__metadata__"]
save("share.st", h, data)
begin, end = head["w"]["data_offsets"]
h = {**head, "w": {"dtype": "F32", "shape": [1], "data_offsets": [begin, begin + 4]},
     "rest": {"dtype": "F32", "shape": [2], "data_offsets": [begin + 4, end]}}
del h["__metadata__"]
save("one.st", h, data)
h = {**head, "__metadata__": {**head["__metadata__"], "rank.encoders": "no"}}
save("json.st", h, data)
text = json.dumps(head)[:-1].encode() + b', "w": ' + json.dumps(head["w"]).encode() + b"}"
open("twice.st", "wb").write(struct.pack("<Q", len(text)) + text + data)
head, data, make = edited("p.st")
pairs = [k for k in head if head[k].get("dtype") == "F64"]
make("pairs.st", pairs[0], {"dtype": "I64"})
make("infinite.st", "k", raw=struct.pack("<f", float("inf")))
index = bytearray(open("a.x", "rb").read())
index[8:12] = struct.pack("<I", 77)
open("old.x", "wb").write(index)
def batch(path, **tensors):
    h, body = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        raw = struct.pack("<%d%s" % (len(values), {"I64": "q", "F64": "d", "U8": "B"}[dtype]), *values)
        h[name.replace("_", ".")] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    save(path, h, body)
good = dict(i=("I64", [2], [0, 1]), l=("I64", [2, 3], [0] * 6), L_length=("I64", [2], [1, 2]),
            p=("F64", [2, 3, 2], [0.] * 12), x=("F64", [2], [0., 1.]))
batch("nolabel.b", **good)
good["y"] = ("F64", [2], [0., 1.])
batch("good.b", **good)
batch("half.b", **{**good, "i": ("F64", [2], [0, .5])})
batch("far.b", **{**good, "x": ("F64", [2], [0, 1e300])})
batch("byte.b", **{**good, "x": ("U8", [2], [0, 1])})
E

# What fits have learnt.
said_of() { says 1 "$2" $f eval --no-cache --data f.csv --load "$1"; }
said_of offset.st 'offset.st: fit near: offset 1 is 0'
said_of neighbour.st 'fit near: neighbour 0 is item 99 with score 0.3'
said_of across.st 'fit near: not the neighbours of seen'
said_of real.st 'wanted I32 with two axes as tensor fit.near.items'
said_of counts.st 'fit often: not the counts of seen'
said_of count.st 'count.st: fit often: a count is -1'
said_of means.st 'fit z: wanted 2 means and deviations'
said_of whole.st 'wanted F64 with two axes as tensor fit.z.mean'
said_of sd.st 'fit z: column 0 has mean 11.5 and deviation -1'
said_of head.st 'its trees are not ones of 3 leaves, 2 at most'
said_of codes.st 'fit trees: a category is there twice'
said_of nofits.st 'nofits.st: has not what fit near learns (fit.near.*) in it'
says 1 'what fit trees learns is not in the weights' $f export --lightgbm f.txt --load nofits.st
says 1 'category 18000000 is too large for LightGBM, 16777215 is not' $f export --lightgbm f.txt --load f.st
[ ! -s f.txt ] || wrong "an export that was refused left a file"
says 1 'there are no curves to --plot' $f train --plot p.svg --data f.csv
says 1 ', not 0 or 1 (objective' $f train --quiet --no-cache --data <(sed 's/,1$/,2/' f.csv) --save g.st

# The same in a library, and what only it can be given.
python3 - <<'E' || wrong "the library of fits says something else"
import ctypes as c
class Inputs(c.Structure):
    _fields_ = [("n", c.c_long), ("L_offsets", c.POINTER(c.c_int32)), ("seen", c.POINTER(c.c_int32)),
                ("x", c.POINTER(c.c_float)), ("c", c.POINTER(c.c_int32))]
lib = c.CDLL("fits/libfits.so")
model, said = c.c_void_p(), c.create_string_buffer(500)
def expect(status, code, text):
    if status != code or text not in said.value.decode():
        raise SystemExit("status %d: %s, wanted %s" % (status, said.value.decode(), text))
expect(lib.fits_open(c.byref(model), b"nofits.st", said, 500), 5, "nofits.st: has not what fit near learns in it")
expect(lib.fits_open(c.byref(model), b"f.st", said, 500), 0, "")
def explain(offsets, seen, code, text):
    rows = Inputs(1, (c.c_int32 * 2)(*offsets), seen and (c.c_int32 * 2)(*seen), (c.c_float * 2)(1, 2), (c.c_int32 * 1)(0))
    expect(lib.fits_explain(model, c.byref(rows), said, 500), code, text)
explain([0, 2], [2, 3], 0, "")
explain([0, 2], [2, 500], 1, "input seen, row 0: an id that is not from 0 to 5, which are all that was learnt")
explain([0, -1], [2, 3], 2, "axis L, row 0: the list ends before it begins (-1 after 0)")
explain([0, 2], None, 3, "input seen: not given (NULL)")
E

# Weights and tensors.
says 1 'share.st: tables t and s share a vocabulary, but have 5 and 4 rows' $m quantize --load share.st --tables f16 --out q.st
says 1 'json.st: encodings: not JSON' $m eval --no-cache --data t.csv --load json.st
says 1 'twice.st: damaged: two tensors w' $m eval --no-cache --data t.csv --load twice.st
says 1 'table t, row 0: a number that is not finite or too large for f16' $m quantize --load large.st --tables f16 --out q.st
says 1 '--tables: table s has one number a row, and is kept as it is' $m quantize --load t.st --tables s=f16 --out q.st
says 1 'half.b: tensor i (F64): element 1 is not a whole number' $m step --load t.st --batch half.b --out s.st
says 1 'far.b: tensor x (F64): element 1 is too large for this program' $m step --load t.st --batch far.b --out s.st
says 1 'byte.b: tensor x is U8, wanted F64, F32, F16, BF16, I64, I32 or I8' $m step --load t.st --batch byte.b --out s.st
says 1 'nolabel.b: a label is missing' "$rankc" interpret two.rank --steps 1 --load t.st --batch nolabel.b --out s.st
says 1 'one.st: parameter w has 1 values, not 3' "$rankc" interpret two.rank --load one.st --batch good.b --out s.st
says 1 'is not F64 [20 at most, 2]' $p train --quiet --no-cache --data p.csv --load pairs.st --save q.st
says 1 'the objective is not finite at the first weights' $p train --quiet --no-cache --data p.csv --load infinite.st --save q.st
says 1 'learning rate (--lr)' $p train --quiet --no-cache --data p.csv --lr 1 --save q.st

# Rows, and numbers without bounds.
head -n 4 t.csv >few.csv
says 1 '3 rows to train on are fewer than a batch of 4' $m train --quiet --no-cache --data few.csv --save q.st
says 1 '3 elements, not a multiple of 2' $m train --quiet --no-cache --data <(sed 's/1|2|3|4/1|2|3/' t.csv) --save q.st
says 1 'parameter t is not finite after step 1; nothing was saved' \
  $m train --quiet --no-cache --data t.csv --lr 1e39 --batch 12 --save q.st
says 1 '. Stopped; nothing was saved' $m train --quiet --no-cache --data t.csv --lr 1e39 --save q.st
says 1 'parameter t is not finite after row 1; the file of row 0 is untouched. A smaller --lr may help' \
  $m train --online --quiet --load t.st --lr 1e39 --data <(head -n 2 t.csv) --save q.st
[ ! -e q.st ] || wrong "what was refused left a file"
says 1 ' (the 11 rows before it are learnt, and saved to bad.st)' \
  $m train --online --quiet --load t.st --data <(sed 's/,11,1$/,zz,1/' t.csv) --save bad.st
says 1 'are learnt from a file, and they are not in noenc.st' $m train --online --quiet --load noenc.st --data t.csv --save q.st
: >empty.csv
says 1 'empty.csv: no header in it' $m train --online --quiet --load online.st --data empty.csv --save q.st
cp t.csv grow.csv
timeout 60 $m train --online --follow --quiet --load t.st --data grow.csv --checkpoint-every 12 --save grow.st >said 2>&1 &
for ((k = 0; k < 300; k++)); do [ -e grow.st ] && break || sleep 0.1; done
head -n 3 t.csv >grow.csv
wait $!
grep -q 'grow.csv: was cut to 52 bytes while it was followed' said || wrong "a file that shrank was followed"

# Indexes and catalogues.
says 1 'an index of version' \
  $m search --no-cache --index old.x --data t.csv --load t.st --output a
says 1 'a.x: vectors of 2 numbers (output a), but output v has 3' \
  $m search --no-cache --index a.x --data t.csv --load t.st --output v
says 1 'a.x: vectors of output a, but recall(a, g; k = 1) compares with g' \
  $m eval --no-cache --index a.x --data t.csv --load t.st
says 1 'g.x: its items have no id that the model knows: the output is computed from no input that is a single id' \
  $m eval --no-cache --index g.x --data t.csv --load t.st --exclude l
says 1 'row 11 (the first is 0): its g has a number that is not finite' \
  $m index --no-cache --data <(sed 's/,11,1$/,3e38,1/' t.csv) --load t.st --output g --out b.x
{ head -n 3 t.csv && echo 'a1,a1,1|2,,1'; } >gap.csv
says 1 'gap.csv:4: the id is empty' $m index --no-cache --data gap.csv --load t.st --id x --output a --out b.x
says 1 'p.csv: there is no header, so --id is a number from 0, not "u"' \
  $p index --no-cache --data p.csv --load p.st --id u --output a --out b.x
says 1 'p.csv:1: 3 fields, but --id asks for field 9' $p index --no-cache --data p.csv --load p.st --id 9 --output a --out b.x
says 1 '--id reads a column of a CSV file, which standard input is not' \
  bash -c "$p index --no-cache --data - --load p.st --id 0 --output a --out b.x <p.csv"
says 1 'b is no output of the model; a catalogue is ranked by outputs' \
  $p eval --no-cache --data p.csv --load p.st --catalogue p.csv
[ ! -e b.x ] || wrong "an index that was refused is there"

python3 -c "print('model m\n' + '# more\n' * 700000)" >long.rank
says 1 ' bytes; a description has at most 4194304' "$rankc" check long.rank
python3 -c "print('model m'); [print('dim D%d = 2' % i) for i in range(30001)]" >axes.rank
says 1 'the model has more than 30000 axes' "$rankc" check axes.rank
echo "$n messages, $bad wrong"
[ $bad = 0 ]
