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

compile() { # folder, options...
  local out=$1
  shift
  "$tools/rankc" emit "$model" -o "$out" --dtype f64 "$@" >"$work/said" 2>&1 || {
    wrong emit "$*"
    return 1
  }
  together "$out" >"$out/together.c"
  ${CC:-clang-19} -O0 -march=native -std=gnu11 -w -ffp-contract=fast -fopenmp -fPIC -shared -DRANK_F64 \
    -I"$runtime" "$out/together.c" -o "$out.so" -Wl,--as-needed -lopenblas >"$work/said" 2>&1 || {
    wrong compile "$*"
    return 1
  }
}

run() { # object, batch size, threads, result, options...
  local so=$1 n=$2 threads=$3 to=$4
  shift 4
  timeout 60 "$tools/run_model" "$so" "$name" step --load "$work/params$n.st" --batch "$work/batch$n.st" \
    --steps 3 --threads "$threads" --out "$to" >"$work/said" 2>&1 || {
    wrong run "$* batch of $n, $threads threads: status $?"
    return 1
  }
}

sizes=
for n in ${SIZES:-0 1 2 9 19}; do
  if ! "$tools/make_batch" "$model" "$n" $((n + 1)) "$work/params$n.st" "$work/batch$n.st" \
    >"$work/said" 2>&1 ||
    ! "$tools/rankc" interpret "$model" --load "$work/params$n.st" --batch "$work/batch$n.st" --steps 3 \
      --out "$work/wanted$n.st" >"$work/said" 2>&1; then
    wrong interpret "batch of $n"
  else
    sizes="$sizes $n"
  fi
done
[ -n "$sizes" ] || exit 1
for variant; do
  compile "$work/c" $variant || continue
  for n in $sizes; do
    run "$work/c.so" $n 2 "$work/two.st" "$variant" && run "$work/c.so" $n 1 "$work/one.st" "$variant" ||
      continue
    "$tools/compare_tensors" "$work/wanted$n.st" "$work/one.st" "${LIMIT:-1e-7}" >"$work/said" 2>&1 ||
      wrong differ "$variant, batch of $n"
    cmp "$work/one.st" "$work/two.st" >"$work/said" 2>&1 || wrong bits "$variant, batch of $n"
  done
  rm -rf "$work/c" "$work/c.so"
done
exit $bad
