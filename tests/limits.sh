#!/usr/bin/env bash
# Descriptions and data of a size that nobody means: an error within seconds and a bounded memory, never a
# crash, a hang or a giant allocation.
#   tests/limits.sh RANKC
set -uo pipefail
shopt -s lastpipe # what stands behind a pipe counts here, not in a shell of its own
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 n=0
command -v python3 >/dev/null || exit 77
head=$'model m\ninput x : f32\nlabel y : f32\nparam p : f32\n'
tail=$'\nloss bce_logits(z, y)\noutput o = z\ntrain sgd(lr = 0.1), batch = 8\n'
times() { # TEXT N
  head -c "$2" /dev/zero | sed "s/\x00/$1/g"
}

# limit NAME CODE PATTERN COMMAND...: within 60 seconds and 2 GB of memory that is touched, more under a sanitizer
limit() {
  local name=$1 code=$2 pattern=$3
  shift 3
  n=$((n + 1))
  LC_ALL=C timeout $((60 * ${RANKC_PATIENCE:-1})) /usr/bin/env python3 - "$work/said" "$@" <<'PY'
import os, resource, subprocess, sys
said = open(sys.argv[1], "wb")
code = subprocess.run(sys.argv[2:], stdout=said, stderr=said, stdin=subprocess.DEVNULL).returncode
if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > int(os.environ.get("RANKC_PATIENCE", 1)) * 2 << 20:
    sys.exit(100)
sys.exit(code if code >= 0 else 200 - code)
PY
  local got=$?
  if [ $got != "$code" ] || { [ -n "$pattern" ] && ! grep -qE -e "$pattern" "$work/said"; }; then
    echo "$name: exit code $got (100: too much memory, 124: too long, above 200: a signal), wanted $code" \
      "and /$pattern/"
    cut -c1-200 "$work/said" | tail -n 5
    bad=$((bad + 1))
    return 1
  fi
}
model() { # NAME CODE PATTERN, the text on standard input
  cat >"$work/$1.rank"
  limit "$1" "$2" "$3" "$rankc" emit "$work/$1.rank" -o "$work/out"
}

# Each is one of: the text, its depth, its sizes, its number of things.
{ echo "$head"; printf 'z = x * p + '; times a 100000000; echo "$tail"; } | model long_name 1 'a description has at most 4194304'
{ echo "$head"; printf 'z = x * p + '; times a 4000000; echo "$tail"; } | model long_line 1 'no value is called'
{ echo "$head"; printf 'z = '; times '(' 10000; printf 'x * p'; times ')' 10000; echo "$tail"; } |
  model brackets 1 'error: .*deep'
{ echo "$head"; printf 'z = '; times 'tanh(' 10000; printf 'x * p'; times ')' 10000; echo "$tail"; } |
  model calls 1 'error: .*deep'
{ echo "$head"; printf 'z = '; times - 10000; echo "x * p$tail"; } | model signs 1 'error: .*deep'
{ echo "$head"; printf 'z = x'; times '^x' 10000; echo "$tail"; } | model powers 1 'error: .*deep'
{ echo "$head"; echo 'z0 = x * p'; for ((i = 0; i < 10000; i++)); do echo "z$((i + 1)) = tanh(z$i) * p"; done
  echo "z = z10000$tail"; } | model lines 1 'values and inputs; at most'
{ echo 'model m'; for ((i = 0; i < 100000; i++)); do echo "input x$i : f32"; done
  echo "label y : f32"; echo "param p : f32"; echo "z = x0 * p + x99999$tail"; } |
  model inputs 1 'values and inputs; at most'
model rows 1 'error: ' <<<$'model m\ninput i : id(1099511627776)\nlabel y : f32
table t : f32[1099511627776]\nz = t[i]'"$tail"
model big_table 1 'error: ' <<<$'model m\ndim D = 2000000000\ninput i : id(2000000000)\nlabel y : f32
table t : f32[2000000000, D]\nz = sum[D](t[i])'"$tail"
model dims 1 'error: ' <<<$'model m\ndim A = 65536\ndim C = 65536\ndim D = 65536\ndim E = 65536
input x : f32\nlabel y : f32\nparam p : f32[A]\nparam q : f32[C]\nparam r : f32[D]\nparam s : f32[E]
z = x * sum[A, C, D, E](tanh(p * q * r * s))'"$tail"
model recursion 1 'error: ' <<<"$head"$'fn f(a) = g(a) + 1\nfn g(a) = f(a) * 2\nz = f(x * p)'"$tail"
{ echo "$head"; echo 'fn f0(a) = tanh(a)'; for ((i = 1; i < 40; i++)); do
  echo "fn f$i(a) = f$((i - 1))(f$((i - 1))(a) + 1)"; done; echo "z = f39(x * p)$tail"; } |
  model doubling 1 'grows too fast'
{ echo "$head"; echo 'fn f0(a) = a'; for ((i = 1; i < 60; i++)); do
  echo "fn f$i(a) = $(times - 150) f$((i - 1))(a)"; done; echo "z = f59(x * p)$tail"; } |
  model call_chain 1 'expressions and calls are nested too deep'
model layers 1 'error: ' <<<$'model m\ninput x : f32\nlabel y : f32
z = mlp(x, 2000000000, 2000000000, 1; relu)'"$tail"

# The same text in two folders: the same C, the same objects, programs and libraries, byte for byte.
for copy in one two/deeper; do
  mkdir -p "$work/$copy"
  cp models/fm.rank "$work/$copy/"
  (cd "$work/$copy" && "$rankc" build -O1 --march=x86-64-v3 fm.rank -o built) >"$work/said" 2>&1 || cat "$work/said"
done
for file in "$work"/one/built/*; do
  case $file in *.built) continue ;; esac
  n=$((n + 1))
  cmp "$file" "$work/two/deeper/built/$(basename "$file")" || bad=$((bad + 1))
done
echo "$n limits, $bad wrong"
[ $bad = 0 ]
