#!/usr/bin/env bash
# Names and texts that try to be more than that: what a shell would run, what C, a compiler's command line or a
# terminal would take for something else, and files that lead out of the model's folder.
#   tests/names.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
top=$PWD
. tests/says.sh

# Files and folders. What a shell would run, a folder above, spaces, quotes and newlines stay what they are;
# -x is no option, and @x no file of arguments, of the C compiler.
for name in '$(touch hacked)' '`touch hacked`' 'a b' "it's" 'say "x"' $'two\nlines' '; touch hacked' '-o' '@x' 'q*'; do
  mkdir -p -- "$name"
  cp "$top/models/lr.rank" "./$name/$name.rank"
  says 0 '' "$rankc" build -O0 "./$name/$name.rank" -o "$name"
  says 0 '' "./$name/lr" synth --rows 200 --out "$name/data $name.csv"
  says 0 '' "./$name/lr" train --quiet --no-cache --epochs 1 --data "$name/data $name.csv" --save "$name/w $name.st"
  [ -s "$name/w $name.st" ] || wrong "a folder called $name does not work"
done
for name in '../m' '"m"' 'a/b' '$(m)' '..' '' rank_model "$(printf 'm%.0s' {1..65})"; do
  printf 'model %s\ninput x : f32\noutput o = x\n' "$name" >name.rank
  says 1 'error: ' "$rankc" emit name.rank -o refused
done
says 1 "cannot be a file's name" "$rankc" emit name.rank -o refused
[ ! -e refused ] || wrong "a refused model left a folder"

# Words of C, of its headers and of the runtime, each in every place where a model has a name.
cat >words.py <<'P'
import sys
words = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool
_Complex _Imaginary _Alignas _Generic _Atomic __int128 _Float16 __func__ __LINE__ __COUNTER__ asm typeof NULL NAN
INFINITY EOF I HUGE_VAL M_PI M_E SIZE_MAX INT_MAX INT32_MAX INT64_C RAND_MAX MB_CUR_MAX WNOHANG FD_SETSIZE FP_NAN
BIG_ENDIAN EXIT_SUCCESS linux unix alloca signbit isnan isinf offsetof complex size_t ptrdiff_t int8_t int32_t
int64_t uint8_t uint32_t uint64_t bool true false nullptr constexpr memcpy memset malloc free abort exit printf errno
environ main stdin exp expf log logf tanh tanhf sqrt pow fabs fmax fmin erf floor y0 y1 yn j0 j1 jn gamma signal
RANK_TILE RANK_INLINE RANK_F64 RANK_LIBRARY rank rank_real rank_model rank_exp rank_gemm st params inputs labels
lengths offsets length offset tables states scratch thread step tile sums state batch out work s n b i j k g id row
rows col column TILE SLOTS COLUMNS KEPT TURNED predict evaluate hyper slots lr seed epoch data x w v t m d grad total
count class namespace template new delete this private operator""".split()
role, terms, tail = int(sys.argv[1]), [], []
print("model odd\ndim LL <= 3")
for n, w in enumerate(words):
    kind = (n + role) % 8
    text, term = [
        (f"input {w} : f32", w),
        (f"input {w} : id(5)\ntable tt{n} : f32[{w}] ~ zeros", f"tt{n}[{w}]"),
        (f"param {w} : f32 ~ zeros", w),
        (f"input ii{n} : id(5)\ntable {w} : f32[ii{n}] ~ zeros", f"{w}[ii{n}]"),
        (f"dim {w} = 2\nparam pp{n} : f32[{w}]\ninput xx{n} : f32", f"sum[{w}](tanh(pp{n} * xx{n}))"),
        (f"input xx{n} : f32\n{w} = tanh(xx{n} * 3)", f"{w} * {w}"),
        (f"input {w} : id(5)[LL]\ntable tt{n} : f32[{w}] ~ zeros", f"sum[LL](tt{n}[{w}])"),
        (f"input xx{n} : f32", f"xx{n}")][kind]
    print(text)
    terms.append(term)
    if kind == 7:
        tail.append(f"output {w} = xx{n} * 2")
print("label target : f32")
sums = range(0, len(terms), 10)
for i in sums:
    print(f"zz{i} = " + " + ".join(terms[i:i + 10]))
print("zz = " + " + ".join(f"zz{i}" for i in sums))
print("loss bce_logits(zz, target)", *tail, "train adam(lr = 0.1), batch = 8", sep="\n")
P
gcc="--cc gcc"
[ -z "${RANKC_SANITIZE:-}" ] || { gcc= && echo "skipped under clang's sanitizer: gcc"; }
how=(--fuse=all "--fuse=off $gcc --dtype f64" "--fuse=tiles --check" "--fuse=loops $gcc")
for role in 0 1 2 3 4 5 6 7; do
  python3 words.py $role >odd.rank
  # shellcheck disable=SC2086
  says 0 '' "$rankc" build -O0 --werror odd.rank -o odd${how[role % 4]:7:3} ${how[role % 4]}
done
for name in int class NULL _Bool rank st main errno linux; do
  printf 'model %s\ninput x : f32\nlabel y : f32\nparam w : f32\nz = x * w\nloss bce_logits(z, y)\noutput o = z
train sgd(lr = 0.1), batch = 4\n' $name >name.rank
  says 0 '' "$rankc" build -O0 --werror name.rank -o "called $name"
done

# Texts that would end a comment or a string of the generated C, and formats; what they say is only said.
cat >text.rank <<'M'
model text "*/ #error a /* ??/ \\ %s%n"
dim D = 2 # */ #error b /*
input x : f32 from "*/ #error c /*" # */ #error d \
input z : f32 from "a\"b\\", missing = 0 # %s%n
input c : id(vocab) from "%s%n$(touch hacked)`touch hacked`", missing = 0
label y : f32 from "'; drop"
param w : f32[D] ~ normal(0, 1) # // \
table t : f32[c] ~ zeros
v = sum[D](w) * x + z + t[c] # */ #error e /*
loss bce_logits(v, y)
output o = sigmoid(v)
train sgd(lr = 0.1), batch = 8
M
for how in "" --check "--fuse=off $gcc"; do
  # shellcheck disable=SC2086
  says 0 '' "$rankc" build -O0 --werror text.rank -o text $how
done
says 1 'no column *' text/text train --quiet --no-cache --data "$work/words.py"
says 0 '' text/text synth --rows 20 --out text.csv
says 0 '' text/text train --quiet --no-cache --data text.csv --save text.st
for command in check dump explain; do says 0 '' "$rankc" $command text.rank; done
! grep -rq '^#error' text/ || wrong "a model's text became a line of C"

# A terminal shows names and data of files, and obeys none of them.
printf 'model e\ninput x : f32 # \033[2J\noutput p = nosuch\n' >$'e\033[31m.rank'
says 1 'control character' "$rankc" check $'e\033[31m.rank'
! grep -q $'\033' said || wrong "a text reaches the terminal as it is"
printf 'a\033[31m\302\2332J,y\n1,0\n' >escape.csv
says 1 'the nearest: ' text/text train --quiet --no-cache --data escape.csv
! grep -q $'\033\|\302\233' said || wrong "a column's name reaches the terminal as it is"

# Files of fits: plain ones, in the model's folder or below, that no compiler reads.
fit() { # FILE
  printf 'model f\ndim X = 4\ninput x : f32[X]\nfit t = forest(x; file = "%s", trees = 2, leaves = 4)\noutput p = t.score\n' \
    "$1" >folder/f.rank
}
mkdir -p folder/below outside
echo secret >outside/secret.txt
ln -s ../outside/secret.txt folder/link.txt
ln -s ../outside folder/away
ln -s /dev/zero folder/zero.txt
mkfifo folder/pipe.txt
echo tree >folder/below/own.txt
ln -s below/own.txt folder/inside.txt
for file in link.txt away/secret.txt zero.txt pipe.txt; do
  fit $file
  says 1 'leads out of the model' "$rankc" emit folder/f.rank -o fitted
  sed -i 's/, trees.*)/)/' folder/f.rank
  says 1 'error: ' "$rankc" emit folder/f.rank -o fitted
done
! grep -rq secret fitted || wrong "a file outside was copied"
for file in ../outside/secret.txt /etc/passwd below/../../outside/secret.txt f_main.c rank_model.h f f.built @a.txt \
  -x.txt a//b.txt ./own.txt .txt; do
  fit "$file"
  says 1 "wanted a file in the model's folder" "$rankc" check folder/f.rank
done
fit inside.txt
says 0 '' "$rankc" emit folder/f.rank -o fitted
(cd folder && "$rankc" emit f.rank -o ../fitted) || wrong "a model in the current folder has no files of fits"
[ -f fitted/inside.txt ] && [ ! -L fitted/inside.txt ] || wrong "a file of a fit is not beside the C"
[ -z "$(find . -name 'hacked*')" ] || wrong "a name was run"
echo "$n names, $bad wrong"
[ $bad = 0 ]
