#!/usr/bin/env bash
# One program, emitted in several ways and compared with the interpreter: outputs, loss, gradients and
# the parameters after three steps, at several batch sizes, with one thread and with two.
#   tests/fuzz/agree.sh TOOLS MODEL.rank [VARIANT...]
# TOOLS: the folder with rankc, make_batch, compare_tensors and run_model. VARIANT: options of `rankc
# emit`, in one word. SIZES="0 1 9": batch sizes; LIMIT=1e-7: the largest difference. Every line printed
# is something wrong: one word for what, then where. Quick rather than thorough: the C is compiled in
# one go and not optimized.
set -uo pipefail
tools=$1 model=$2 here=$(dirname "$0")
shift 2
[ $# -gt 0 ] || set -- "--fuse=off" "--fuse=loops" "--fuse=tiles --tile=4" "--fuse=all --tile=8" \
  "--fuse=all --no-rewrite"
name=$(sed -n 's/^model *\([A-Za-z0-9_]*\).*/\1/p' "$model" | head -n 1)
runtime=${RUNTIME:-$(cd "$here/../../runtime" && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 limit=${LIMIT:-1e-7}

wrong() { # what, where
  echo "$1: $name: $2"
  sed 's/^/  /' "$work/said" | head -n "${LINES_SAID:-6}"
  bad=1
}

# All the C of a model as one: names that files have of their own are told apart. `step` evaluates only
# what does not train; of the others, evaluation is compiled at one level, in turn.
together() { # folder, variant's number
  local part constant parts="predict evaluate train model"
  [ ! -e "$1/${name}_train.c" ] || [ $2 = $turn ] || parts="predict train model"
  for part in $parts; do
    [ -e "$1/${name}_$part.c" ] || continue
    for constant in TILE SLOTS COLUMNS KEPT TURNED; do
      printf '#define %s %s_%s\n' $constant $constant $part
    done
    printf '#include "%s_%s.c"\n' "$1/$name" $part
    printf '#undef %s\n' TILE SLOTS COLUMNS KEPT TURNED
  done
}

emit() { # variant's number, options...
  local number=$1
  shift
  "$tools/rankc" emit "$model" -o "$work/v$number" --dtype f64 "$@" >"$work/said" 2>&1 || {
    wrong emit "$*"
    return 1
  }
  together "$work/v$number" $number >"$work/v$number.c"
}

# Objects of files *.c in $work by one process: what $CC does before it reads the first line is a third of
# its time. FRONT_END: the command for that, when the caller knows it (front-end.sh).
objects() {
  : "${FRONT_END:=$("$here/front-end.sh" "$runtime")}"
  (cd "$work" && eval "$FRONT_END $*") >"$work/said" 2>&1
}

# A shared object: $work/vNUMBER.so. What it needs is in run_model.
link() { # variant's number, options...
  local evaluation=() blas= object=$work/v$1
  [ -e "$object.o" ] || objects "v$1.c" || {
    shift
    wrong compile "$*"
    return 1
  }
  grep -q "_evaluate.c" "$object.c" || evaluation=(
    --defsym "${name}_evaluate_batch=${name}_predict_batch"
    --defsym "${name}_evaluate_bytes=${name}_predict_bytes")
  ! grep -q cblas "$object.o" || blas=-lopenblas # which takes ten times as long to link and to load
  ld -shared "$object.o" -o "$object.so" "${evaluation[@]}" $blas >"$work/said" 2>&1 || {
    shift
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
number=0
digits=${name//[!0-9]/}
turn=$((10#${digits:-0} % $#))
for variant; do
  emit $number $variant && files="${files:-} v$number.c"
  number=$((number + 1))
done
objects ${files:-} || rm -f "$work"/v*.o # one of them is wrong: each by itself
number=0
for variant; do
  key=v$number
  number=$((number + 1))
  [ -e "$work/$key.c" ] && link ${key#v} $variant || continue
  keys+=("$key:$variant")
  for n in $sizes; do
    for threads in 1 2; do
      echo "$work/$key.so $name step --load $work/params$n.st --batch $work/batch$n.st --steps 3" \
        "--threads $threads --out $work/$key.$n.$threads.st"
    done
  done >>"$work/runs"
done
[ ${#keys[@]} -gt 0 ] || exit 1
OMP_WAIT_POLICY=passive OPENBLAS_NUM_THREADS=1 timeout $((120 * ${RANKC_PATIENCE:-1})) "$tools/run_model" - <"$work/runs" >"$work/ran" 2>"$work/run.err"
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

(cd "$work" && cksum v*.[12].st 2>/dev/null) | awk '{ print $3, $1, $2 }' >"$work/sums"
for key_variant in "${keys[@]}"; do
  key=${key_variant%%:*} variant=${key_variant#*:}
  for n in $sizes; do
    [ -e "$work/$key.$n.1.st" ] && [ -e "$work/$key.$n.2.st" ] || continue
    echo "$work/wanted$n.st $work/$key.$n.1.st $limit" >>"$work/pairs"
  done
done
# The same bits with one thread and with two: sums of files that should be alike.
awk '{ split($1, part, "."); is = part[1] "." part[2]; sum = $2 " " $3 }
  is in first && first[is] != sum { print part[1], part[2] }
  { first[is] = sum }' "$work/sums" >"$work/bits"
while read -r key n; do
  cmp "$work/$key.$n.1.st" "$work/$key.$n.2.st" >"$work/said" 2>&1
  for key_variant in "${keys[@]}"; do
    [ "${key_variant%%:*}" != $key ] || wrong bits "${key_variant#*:}, batch of $n"
  done
done <"$work/bits"

# The interpreter's results with other roundings, which say how far rounding may take each tensor.
rounded() { # batch size
  local seed
  for seed in 1 2 3 4 5 6 7 8; do
    "$tools/rankc" interpret "$model" --max-rewrites=0 --load "$work/params$1.st" \
      --batch "$work/batch$1.st" --steps 3 --jitter $seed --out "$work/rounded$1.$seed.st"
  done
}

# What overflows as it is written may be finite when simplified: where infinity is wanted, the interpreter
# is asked what the same rewrites make of it.
agrees_simplified() { # batch size, key, variant
  grep -q "differs by -*nan" "$work/said" || return 1
  local rewrite=
  [[ $3 == *--fuse=off* || $3 == *--no-rewrite* ]] && rewrite=--no-rewrite
  "$tools/rankc" interpret "$model" $rewrite --load "$work/params$1.st" --batch "$work/batch$1.st" \
    --steps 3 --out "$work/simple.st" &&
    "$tools/compare_tensors" "$work/simple.st" "$work/$2.$1.1.st" "$limit" rounded "$work/rounded$1".*.st >"$work/said" 2>&1
}

if [ -e "$work/pairs" ] && ! xargs "$tools/compare_tensors" <"$work/pairs" >"$work/compared" 2>&1; then
  for n in $sizes; do # which of them it is, one at a time
    rounded $n
    for key_variant in "${keys[@]}"; do
      key=${key_variant%%:*} variant=${key_variant#*:}
      "$tools/compare_tensors" "$work/wanted$n.st" "$work/$key.$n.1.st" "$limit" \
        rounded "$work/rounded$n".*.st >"$work/said" 2>&1 ||
        agrees_simplified $n $key "$variant" || wrong differ "$variant, batch of $n"
    done
  done
fi
exit $bad
