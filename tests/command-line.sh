#!/usr/bin/env bash
# What the command line promises: exit codes, messages where they belong, files left alone.
#   tests/command-line.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# expect CODE PATTERN COMMAND...: the exit code, and a pattern that stdout and stderr together contain
expect() {
  local code=$1 pattern=$2
  shift 2
  "$@" >"$work/text" 2>&1 </dev/null
  local got=$?
  if [ $got != "$code" ] || { [ -n "$pattern" ] && ! grep -qE -e "$pattern" "$work/text"; }; then
    printf 'exit code %d, wanted %d with /%s/: %s\n' $got "$code" "$pattern" "$*"
    cat "$work/text"
    bad=$((bad + 1))
  fi
}

expect 2 'Usage: rankc COMMAND' "$rankc"
expect 0 'Usage: rankc COMMAND' "$rankc" --help
expect 0 'Usage: rankc COMMAND' "$rankc" help
expect 2 "there is no command 'chekc'" "$rankc" chekc
expect 0 '^rankc [0-9]+\.[0-9]+\.[0-9]+$' "$rankc" version
expect 0 '^rankc [0-9]+\.[0-9]+\.[0-9]+$' "$rankc" --version
for command in check dump emit build run explain bench interpret gradcheck ops; do
  expect 0 "Usage: rankc $command" "$rankc" "$command" --help
done
expect 0 'CONST.*a number' "$rankc" ops
expect 0 '^\| op \|' "$rankc" ops --markdown

expect 0 'line 19  a sum over pairs that is a product of sums' "$rankc" explain models/fm.rank
expect 0 'Rewritten to save arithmetic: nothing; and 0 simplifications' "$rankc" explain models/fm.rank --max-rewrites=0
expect 0 '3 rewrites and simplifications; the last rewrite, line [0-9]+: ' \
  "$rankc" emit models/fm.rank -o "$work/fm" --max-rewrites=3 -v
expect 2 "--max-rewrites: 'some' is not a whole number" "$rankc" emit models/fm.rank --max-rewrites=some
expect 0 '0 of 4 parameters above' "$rankc" gradcheck models/fm.rank --max-rewrites=0

expect 2 'which model' "$rankc" check
expect 2 'too many arguments' "$rankc" check a.rank b.rank
expect 2 'cannot open' "$rankc" check "$work/none.rank"
expect 2 'cannot run nosuch: there is no such program' "$rankc" build models/lr.rank --cc nosuch -o "$work/nosuch"
expect 2 'cannot run ./nosuch' "$rankc" build models/lr.rank --cc ./nosuch -o "$work/nosuch"
expect 2 'is not NAME=N' "$rankc" check --dim D models/lr.rank
expect 2 'whole number' "$rankc" check --dim D=many models/lr.rank
expect 2 "'some' is none of off, loops, tiles, all" "$rankc" build --fuse=some models/lr.rank
expect 2 "there is no pass 'nothing'" "$rankc" dump models/lr.rank --after=nothing
printf 'model lengths\ndim L <= 5\ndim M = L\ninput x : f32[L]\ninput y : f32[M]\noutput o = sum[L](x) + sum[M](y)\n' >"$work/lengths.rank"
expect 1 "dim cannot change 'M': it has the lengths of 'L'" "$rankc" check "$work/lengths.rank" --dim M=3
expect 2 'is too long' "$rankc" check "$(head -c 5000 /dev/zero | tr '\0' a)"
expect 0 '^grad ' "$rankc" dump --passes
expect 0 '# after check' "$rankc" dump models/lr.rank
expect 0 '^model lr' "$rankc" dump models/lr.rank --after=check
expect 0 '^model lr' "$rankc" check models/lr.rank

expect 0 '^0 of 2 parameters|^0 of 3 parameters' "$rankc" gradcheck models/lr.rank
expect 1 'too far' "$rankc" gradcheck models/fm.rank --tolerance 1e-16
expect 2 'is not a number between 0 and 1' "$rankc" gradcheck models/lr.rank --tolerance many
printf 'model plain\ninput x : f32\noutput o = x\n' >"$work/plain.rank"
expect 1 'no loss' "$rankc" gradcheck "$work/plain.rank"

printf 'model broken\noutput p = nothing\n' >"$work/broken.rank"
expect 1 'broken.rank:2:12: error: ' "$rankc" check "$work/broken.rank"
expect 1 'broken.rank:2:12: error: ' "$rankc" build "$work/broken.rank" -o "$work/out"
[ ! -e "$work/out" ] || { echo "a model with errors left a folder" && bad=$((bad + 1)); }

# A second emit changes nothing, not even a time stamp.
expect 0 '' "$rankc" emit models/lr.rank -o "$work/emit"
touch -d '2001-01-01' "$work"/emit/*
expect 0 'unchanged' "$rankc" emit models/lr.rank -o "$work/emit" -v
[ -z "$(find "$work/emit" -newermt '2001-01-02' -type f)" ] || {
  echo "emit wrote files again whose text was the same"
  bad=$((bad + 1))
}
[ -z "$(find "$work/emit" -name '.*' -type f -o -name '*.??????')" ] || {
  echo "emit left temporary files"
  bad=$((bad + 1))
}
# The page: well formed, nothing of the model is markup, and lines are marked in all three places.
cat >"$work/page.rank" <<'END'
model page "<script>alert(1)</script>"
input x : f32[2] from "</pre><b>", "&amp;" # </div><img src=x onerror="alert(2)">
label y : f32
param w : f32[2]
z = sum[2](w * x)
loss bce_logits(z, y)
output p = sigmoid(z)
train sgd(lr = 0.1), batch = 8
END
if command -v dot >/dev/null; then
  expect 0 '' "$rankc" explain "$work/page.rank" --html "$work/page.html"
  grep -qE '<img|<b>|<script>alert|https?://[^w]' "$work/page.html" && wrong_page="markup of the model, or a link"
  [ "$(grep -c '<script' "$work/page.html")" = 1 ] || wrong_page="scripts"
  grep -q '<g id="predict_s[0-9]*" class="node L5"' "$work/page.html" || wrong_page="no node of line 5"
  grep -q '<div class="L5"><i>5</i>z = ' "$work/page.html" || wrong_page="line 5 is not marked"
  [ "$(grep -c '<div class="L5">' "$work/page.html")" -gt 4 ] || wrong_page="no C of line 5"
  [ ! -x /usr/bin/python3 ] || /usr/bin/python3 -c "
import sys, re, xml.dom.minidom
page = open(sys.argv[1]).read().split('\n', 1)[1].replace('<meta charset=\"utf-8\">', '')
page = re.sub(r'<script>.*?</script>', '', page, flags=re.S).replace('&nbsp;', ' ')
xml.dom.minidom.parseString(page)
" "$work/page.html" || wrong_page="not well formed"
  [ -z "${wrong_page:-}" ] || { echo "explain --html: $wrong_page" && bad=$((bad + 1)); }
  expect 2 'annot' "$rankc" explain "$work/page.rank" --html /nowhere/page.html
fi
mkdir "$work/stub"
printf '#!/bin/sh\nexit 1\n' >"$work/stub/dot"
chmod +x "$work/stub/dot"
expect 2 'graphviz could not draw the graph' env PATH="$work/stub:$PATH" "$rankc" explain "$work/page.rank" --html "$work/none.html"
[ ! -e "$work/none.html" ] || { echo "a page without its graph is there" && bad=$((bad + 1)); }
expect 2 'the graph of --html is drawn by graphviz: install it' env PATH=/nowhere "$rankc" explain "$work/page.rank" --html "$work/none.html"
expect 2 'cannot run dot: there is no such program' env PATH=/nowhere "$rankc" explain "$work/page.rank" --html "$work/none.html"

expect 2 'cannot make the folder' "$rankc" emit models/lr.rank -o /dev/null/x

echo "$bad wrong"
[ $bad = 0 ]
