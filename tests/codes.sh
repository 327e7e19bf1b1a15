#!/usr/bin/env bash
# Every exit code of rankc and of the programs that it builds, and every status of their libraries, has a test
# that provokes it. The exit codes are provoked here; statuses in tests/library, where this looks for all that
# a model's header declares.
#   tests/codes.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
# code N COMMAND...
code() {
  local wanted=$1 got
  shift
  timeout $((60 * ${RANKC_PATIENCE:-1})) "$@" >said 2>&1 </dev/null
  got=$?
  [ $got = "$wanted" ] || {
    echo "exit code $got, wanted $wanted: $*"
    head -n 3 said
    bad=$((bad + 1))
  }
}

# rankc: 0 done; 1 what it was given is wrong; 2 the command line is, or a file cannot be read or written; 3 the C
# compiler failed, or rankc itself did.
printf 'model m\ninput x : f32\nlabel y : f32\nparam w : f32\nz = x * w\nloss bce_logits(z, y)\noutput o = z
train sgd(lr = 0.1), batch = 2\n' >m.rank
code 0 "$rankc" build -O0 m.rank -o m
echo 'model m = 3' >wrong.rank
code 1 "$rankc" check wrong.rank
code 2 "$rankc" fly
code 2 "$rankc" check none.rank
code 3 "$rankc" build -O0 m.rank --cc false -o failed
[ ! -e failed/m ] || { echo "a program that was not compiled is there" && bad=$((bad + 1)); }

# A program: 0 done; 1 what it was given is wrong; 2 the command line is; 130 and 143 SIGINT and SIGTERM, the step
# finished and saved.
printf 'x,y\n1,0\n2,1\n3,1\n' >d.csv
code 0 m/m train --quiet --no-cache --data d.csv --save w.st
code 1 m/m train --quiet --no-cache --data none.csv
code 2 m/m fly
for signal in INT TERM; do
  rm -f s.st
  wanted=$([ $signal = INT ] && echo 130 || echo 143)
  # a background job of a script ignores SIGINT unless it says otherwise
  code "$wanted" /usr/bin/env bash -c 'set -m; m/m train --quiet --no-cache --data d.csv --epochs 1000000000 \
    --checkpoint-every 1 --save s.st & p=$!
    until [ -e s.st ]; do sleep 0.05; done; kill -'$signal' $p; wait $p'
  code 0 m/m eval --no-cache --data d.csv --load s.st
done

# Statuses: those of the header, each in a test that gets it back from the library.
statuses=$(sed -n 's/^  M_\([A-Z_]*\),\{0,1\}\( .*\)\{0,1\}$/\1/p' m/m.h)
[ "$(wc -l <<<"$statuses")" = 6 ] || { echo "these are the statuses of m.h: $statuses" && bad=$((bad + 1)); }
for status in $statuses; do
  grep -qE "(== |refused\()(SHOP|FM)_$status\b" "$top"/tests/library/*.c || {
    echo "no test in tests/library gets $status back"
    bad=$((bad + 1))
  }
done
echo "codes: $bad wrong"
[ $bad = 0 ]
