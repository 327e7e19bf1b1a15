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
expect 2 "no command 'chekc'" "$rankc" chekc
expect 0 '^rankc [0-9]+\.[0-9]+\.[0-9]+$' "$rankc" version
expect 0 '^rankc [0-9]+\.[0-9]+\.[0-9]+$' "$rankc" --version
for command in check dump emit build run explain bench interpret gradcheck ops; do
  expect 0 "Usage: rankc $command" "$rankc" "$command" --help
done
expect 0 'CONST.*a number' "$rankc" ops
expect 0 '^\| op \|' "$rankc" ops --markdown

expect 2 'which model' "$rankc" check
expect 2 'too many arguments' "$rankc" check a.rank b.rank
expect 2 'cannot open' "$rankc" check "$work/none.rank"
expect 2 'cannot run nosuch: there is no such program' "$rankc" build models/lr.rank --cc nosuch -o "$work/nosuch"
expect 2 'cannot run ./nosuch' "$rankc" build models/lr.rank --cc ./nosuch -o "$work/nosuch"
expect 2 'is not NAME=N' "$rankc" check --dim D models/lr.rank
expect 2 'whole number' "$rankc" check --dim D=many models/lr.rank
expect 2 'none of off, loops, tiles, all' "$rankc" build --fuse=some models/lr.rank
expect 2 "no pass 'nothing'" "$rankc" dump models/lr.rank --after=nothing
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
expect 2 'cannot make the folder' "$rankc" emit models/lr.rank -o /dev/null/x

echo "$bad wrong"
[ $bad = 0 ]
