#!/usr/bin/env bash
# Generated C compiles under clang and under gcc with every warning an error, fused and op by op, in
# both arithmetics, and the programs start.
#   tests/compile.sh RANKC MODEL.rank
set -uo pipefail
rankc=$1 model=$2
name=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' "$model" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

try() { # arguments of rankc build
  local out="$work/$*"
  if ! "$rankc" build "$model" -o "$out" --werror "$@" ||
    ! "$out/$name" info >"$work/said" 2>&1 || ! [ -s "$out/lib$name.so" ]; then
    echo "$model: $*"
    cat "$work/said" 2>/dev/null
    bad=$((bad + 1))
    return
  fi
  # Once more: nothing is compiled when nothing changed.
  "$rankc" build "$model" -o "$out" --werror "$@" -v 2>&1 | grep -q 'up to date' || {
    echo "$model: $*: built twice"
    bad=$((bad + 1))
  }
}

compilers="clang-19 gcc"
[ -z "${RANKC_SANITIZE:-}" ] || { compilers=clang-19 && echo "skipped under clang's sanitizer: gcc"; }
for cc in $compilers; do
  command -v $cc >/dev/null || continue
  level=-O0 # clang's warnings do not depend on it, some of gcc's do
  [ $cc != gcc ] || level=-O1
  try --cc $cc $level --fuse=all
  try --cc $cc $level --fuse=off
  try --cc $cc $level --dtype=f64
done
echo "$name: $bad wrong"
[ $bad = 0 ]
