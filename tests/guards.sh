#!/usr/bin/env bash
# Numerical guards: a training whose loss is NaN or infinite stops, names step, rows and what went bad, and
# saves nothing; a program of `rankc build --check` names the value and its line of the model.
#   tests/guards.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
build() { # FOLDER MODEL OPTION...
  local folder=$1 model=$2
  shift 2
  "$rankc" build -O0 --werror "$@" "$model" -o "$folder" || exit 1
}
# says CODE PATTERN COMMAND...
says() {
  local code=$1 pattern=$2 got
  shift 2
  "$@" >said 2>&1
  got=$?
  if [ $got != "$code" ] || ! grep -qE -e "$pattern" said; then
    echo "exit code $got, wanted $code and /$pattern/: $*"
    cat said
    bad=$((bad + 1))
  fi
}

{ # id, x, y; x is 0 in the row after the 117th
  echo i,x,y
  for ((k = 0; k < 200; k++)); do echo "$((k % 50)),$((k == 117 ? 0 : 1 + k % 7)),$((k % 2))"; done
} >data.csv
cat >log.rank <<'E'
model log
dim D = 4
input i : id(50)
input x : f32
label y : f32
table t : f32[i, D] ~ normal(0, 0.1)
param w : f32[D] ~ normal(0, 1)
h = t[i] * w
q = sum[D](h)
r = log(x)
z = q + r
loss bce_logits(z, y)
output o = z
metric auc(o, y)
train adam(lr = 0.01), batch = 16
E
sed 's/^model log/model sqr/; s/^r = .*/r = sqrt(sum[D](w) * 0)/' log.rank >sqr.rank
sed 's/^model log/model pairs/; s/^loss .*/loss mean[B](log(x - max[B](x)) + z)/' log.rank >pairs.rank
sed 's/^model log/model grow/; s/^r = .*/r = x/; s/adam(lr = 0.01)/sgd(lr = 1e30)/' log.rank >grow.rank

train() { # FOLDER/PROGRAM OPTION...: and nothing may be saved
  rm -f w.st
  "$@" train --data data.csv --no-cache --quiet --save w.st
  local code=$?
  [ ! -e w.st ] || echo "it was saved"
  return $code
}

# Without guards: the step, the rows, and what evaluating them one by one can tell.
for m in log sqr pairs grow; do build "$m" "$m.rank"; done
says 1 'epoch 1, step 9: the loss is inf on rows .*\(16 rows\) of data.csv; row 118: output o is -inf.*--check' \
  train log/log
says 1 'step 2: the loss is nan on rows .* of data.csv; parameter w is nan at element 0' train sqr/sqr
says 1 'step 1: the loss is (nan|-inf) on rows ' train pairs/pairs
says 1 'the loss is (nan|inf) on rows .*; (parameter|row|no row)' train grow/grow
# What an earlier run left stays as it was.
head -n 100 data.csv >good.csv
log/log train --data good.csv --no-cache --quiet --save w.st && cp w.st before.st
says 1 'what an earlier run left is untouched' log/log train --data data.csv --no-cache --save w.st
cmp w.st before.st || bad=$((bad + 1))

# With guards: the first value, the same for any number of threads.
for level in off loops tiles all; do
  build "log-$level" log.rank --check --fuse=$level
  value='z is -inf.*log.rank:11  z = q \+ r'
  [ $level != off ] || value='r is -inf.*log.rank:10  r = log\(x\)'
  says 1 "step 9: the loss is inf .* row 118: $value" train "log-$level/log"
  cp said "said-$level"
  for threads in 1 3; do
    rm -f w.st
    "log-$level/log" train --data data.csv --no-cache --quiet --save w.st --threads $threads >said 2>&1
    diff said "said-$level" || bad=$((bad + 1))
  done
done
[ -e log-all/log ] && [ ! -e log-all/liblog.so ] || { echo "a checked library" && bad=$((bad + 1)); }
# A gradient, while the loss is finite; and outputs, without a training.
build sqr-check sqr.rank --check --fuse=off
says 1 'step 1: a value is not finite on rows .* from sqr.rank:10  r = sqrt' train sqr-check/sqr
says 1 'row 118: r is -inf.*evaluate_.*log.rank:10' log-off/log eval --data data.csv --load before.st
says 1 'row 118: r is -inf.*predict_.*log.rank:10' log-off/log predict --data data.csv --load before.st
# The same while learning online, row by row.
build sqr-online log.rank --check
for program in log/log sqr-online/log; do
  says 1 'row 118: (the loss is inf|z is -inf, the first value)' $program train --online data.csv --load before.st --save o.st
done
# Guards change no bits, and find nothing where nothing is: maxima of empty lists, padding.
build plain "$top/models/din.rank"
build checked "$top/models/din.rank" --check
for p in plain checked; do
  $p/din train --rows 600 --epochs 1 --no-cache --quiet --save $p.st || bad=$((bad + 1))
done
cmp plain.st checked.st || bad=$((bad + 1))
! grep -q rank_guard plain/*.c || { echo "guards that nobody asked for" && bad=$((bad + 1)); }
[ $bad = 0 ]
