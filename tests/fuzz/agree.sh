#!/usr/bin/env bash
# One program, emitted in several ways and compared with the interpreter: outputs, loss, gradients and
# the parameters after three steps, at several batch sizes, with one thread and with two.
#   tests/fuzz/agree.sh TOOLS MODEL.rank [VARIANT...]
# TOOLS: the folder with rankc, make_batch, compare_tensors and run_model. VARIANT: options of `rankc
# emit`, in one word. SIZES="0 1 9": batch sizes; LIMIT=1e-7: the largest difference. Every line printed
# is something wrong: one word for what, then where. Quick rather than thorough: the C is compiled in
# one go and not optimized.
set -uo pipefail
tools=$1 model=$2
shift 2
[ $# -gt 0 ] || set -- "--fuse=off" "--fuse=loops" "--fuse=tiles --tile=4" "--fuse=all --tile=8" \
  "--fuse=all --no-rewrite"
name=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' "$model" | head -n 1)
runtime=${RUNTIME:-$(dirname "$0")/../../runtime}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

wrong() { # what, where
  echo "$1: $name: $2"
  sed 's/^/  /' "$work/said" | head -n "${LINES_SAID:-6}"
  bad=1
}

# All the C of a model as one: names that files have of their own are told apart.
together() { # folder
  for part in predict evaluate train model; do
    [ -e "$1/${name}_$part.c" ] || continue
    for constant in TILE SLOTS COLUMNS KEPT TURNED; do
      printf '#define %s %s_%s\n' $constant $constant $part
    done
    printf '#include "%s_%s.c"\n' "$name" $part
    printf '#undef %s\n' TILE SLOTS COLUMNS KEPT TURNED
  done
}

# One variant as an object: $work/KEY.so.
compile() { # key, options...
  local out=$work/$1
  shift
  "$tools/rankc" emit "$model" -o "$out" --dtype f64 "$@" >"$work/said" 2>&1 || {
    wrong emit "$*"
    return 1
  }
  together "$out" >"$out/together.c"
  ${CC:-clang-19} -O0 -march=native -std=gnu11 -w -ffp-contract=fast -fopenmp -fPIC -DRANK_F64 \
    -I"$runtime" -c "$out/together.c" -o "$out.o" >"$work/said" 2>&1 &&
    ${CC:-clang-19} -shared -fopenmp "$out.o" -o "$out.so" -Wl,--as-needed -lopenblas \
      >"$work/said" 2>&1 || {
    wrong compile "$*"
    return 1
  }
}

sizes=
for n in ${SIZES:-0 1 2 9 19}; do
  if ! "$tools/make_batch" "$model" "$n" $((n + 1)) "$work/params$n.st" "$work/batch$n.st" \
    >"$work/said" 2>&1 ||
    ! "$tools/rankc" interpret "$model" --max-rewrites=0 --load "$work/params$n.st" --batch "$work/batch$n.st" --steps 3 \
      --out "$work/wanted$n.st" >"$work/said" 2>&1; then
    wrong interpret "batch of $n"
  else
    sizes="$sizes $n"
  fi
done
[ -n "$sizes" ] || exit 1

# Everything that is to be run, then in one process; what is missing in its list of results is where it
# died, or would never have ended.
keys=()
for variant; do
  key=v${#keys[@]}
  compile $key $variant || continue
  keys+=("$key:$variant")
  for n in $sizes; do
    for threads in 1 2; do
      echo "$work/$key.so $name step --load $work/params$n.st --batch $work/batch$n.st --steps 3" \
        "--threads $threads --out $work/$key.$n.$threads.st"
    done
  done >>"$work/runs"
done
[ ${#keys[@]} -gt 0 ] || exit 1
timeout 120 "$tools/run_model" - <"$work/runs" >"$work/ran" 2>"$work/run.err"
status=$?
grep -v "^status 0: " "$work/ran" | grep "^status" >"$work/said" && {
  cat "$work/run.err" >>"$work/said"
  wrong run "$(head -n 1 "$work/said" | sed 's/.* step //')"
}
if [ $status != 0 ]; then
  cp "$work/run.err" "$work/said"
  done=$(grep -c "^status" "$work/ran")
  wrong run "status $status: $(sed -n "$((done + 1))p" "$work/runs" | sed 's/.* step //')"
fi

for key_variant in "${keys[@]}"; do
  key=${key_variant%%:*} variant=${key_variant#*:}
  for n in $sizes; do
    one=$work/$key.$n.1.st two=$work/$key.$n.2.st
    [ -e "$one" ] && [ -e "$two" ] || continue
    echo "$work/wanted$n.st $one ${LIMIT:-1e-7}" >>"$work/pairs"
    cmp "$one" "$two" >"$work/said" 2>&1 || wrong bits "$variant, batch of $n"
  done
done
# The largest difference that rounding explains: what the interpreter itself makes of parameters that are
# each moved to a neighbouring number, or LIMIT where that is more. Under a softmax of fourth powers it
# is. Deep cancellation moves other orders of summation by more than one such step: a factor for that.
limit_of() { # batch size
  "$tools/make_batch" "$model" "$1" $(($1 + 1)) "$work/near.st" "$work/same.st" nudge &&
    "$tools/rankc" interpret "$model" --max-rewrites=0 --load "$work/near.st" --batch "$work/batch$1.st" --steps 3 \
      --out "$work/near$1.st" &&
    "$tools/compare_tensors" "$work/wanted$1.st" "$work/near$1.st" 0 >"$work/moved"
  awk -v least="${LIMIT:-1e-7}" '/largest difference/ { x = $NF * 100 }
    END { print (x > least ? x : least) }' "$work/moved"
}

# What overflows as it is written may be finite when simplified: where infinity is wanted, the interpreter
# is asked what the same rewrites make of it.
agrees_simplified() { # batch size, key, variant
  grep -q "differs by -*nan" "$work/said" || return 1
  local rewrite=
  [[ $3 == *--fuse=off* || $3 == *--no-rewrite* ]] && rewrite=--no-rewrite
  "$tools/rankc" interpret "$model" $rewrite --load "$work/params$1.st" --batch "$work/batch$1.st" \
    --steps 3 --out "$work/simple.st" &&
    "$tools/compare_tensors" "$work/simple.st" "$work/$2.$1.1.st" "$limit" >"$work/said" 2>&1
}

if [ -e "$work/pairs" ] && ! xargs "$tools/compare_tensors" <"$work/pairs" >"$work/compared" 2>&1; then
  for n in $sizes; do # which of them it is, one at a time
    limit=$(limit_of $n)
    for key_variant in "${keys[@]}"; do
      key=${key_variant%%:*} variant=${key_variant#*:}
      "$tools/compare_tensors" "$work/wanted$n.st" "$work/$key.$n.1.st" "$limit" >"$work/said" 2>&1 ||
        agrees_simplified $n $key "$variant" || wrong differ "$variant, batch of $n"
    done
  done
fi
exit $bad
