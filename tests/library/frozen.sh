#!/usr/bin/env bash
# `rankc freeze`: the frozen library of a model, with its weights inside and beside it, against the one that
# `rankc build` makes; its C, compiled by itself by two compilers; weights and folders that do not fit.
#   tests/library/frozen.sh RANKC
set -euo pipefail
cd "$(dirname "$0")/../.."
rankc=$1 here=tests/library sanitize=${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE}
[ -z "$sanitize" ] || echo "skipped under a sanitizer: sizes, and what libraries need and show"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

refused() { # WORDS COMMAND...: it fails with these words, and leaves nothing
  local words=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    echo "accepted: $*" && exit 1
  fi
  grep -qF -- "$words" "$work/said" || { echo "$*: wanted '$words', got:" && cat "$work/said" && exit 1; }
}

preloaded() { LD_PRELOAD=${RANKC_PRELOAD:-} "$@"; } # Python, which loads what may be sanitized

# Libraries need libc and libm alone, show their model's functions alone, and are small.
check_library() { # NAME FOLDER
  local needed others
  needed=$(readelf -d "$2/lib$1.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so' -e '^libm\.so' || true)
  others=$(nm -D --defined-only "$2/lib$1.so" | awk -v "own=^$1_" '$3 !~ own { print $3 }')
  [ -z "$others$needed" ] || [ -n "$sanitize" ] || { echo "lib$1.so needs $needed, shows $others" && exit 1; }
}

for model in models/fm models/din models/esmm models/deepfm $here/page $here/fold; do
  name=${model##*/} m="$work/${model##*/}"
  "$rankc" build $model.rank -o "$m" -O1
  "$m/$name" init --save "$m/w.st" >/dev/null
  "$rankc" freeze $model.rank "$m/w.st" -o "$m/inside" --werror -O1
  "$rankc" freeze --beside $model.rank "$m/w.st" -o "$m/beside" --werror -O1
  [ "$(ls "$m/inside")" = "$(printf '%s\n' lib$name.so $name.c $name.h | LC_ALL=C sort)" ]
  check_library $name "$m/inside"
  check_library $name "$m/beside"
  size=$(stat -c %s "$m/beside/lib$name.so")
  [ "$size" -lt 200000 ] || [ -n "$sanitize" ] || { echo "lib$name.so has $size bytes without its weights" && exit 1; }
  if command -v python3 >/dev/null; then
    preloaded python3 $here/frozen.py $name "$m/$name.h" "$m/lib$name.so" "$m/w.st" "$m/inside/lib$name.so" -
    preloaded python3 $here/frozen.py $name "$m/$name.h" "$m/lib$name.so" "$m/w.st" "$m/beside/lib$name.so" "$m/beside/$name.weights"
  fi
done

# What fits have learnt: a forest with standardized columns, lists of items.
for name in gbdt_lr item_cf; do
  m="$work/$name"
  "$rankc" build models/$name.rank -o "$m" -O1
  "$m/$name" synth --rows 2000 --out "$m/rows.csv" >/dev/null
  "$m/$name" train --quiet --no-cache --data "$m/rows.csv" --save "$m/w.st"
  for where in inside beside; do
    "$rankc" freeze models/$name.rank "$m/w.st" -o "$m/$where" --werror $([ $where = inside ] || echo --beside)
    check_library $name "$m/$where"
    command -v python3 >/dev/null || continue
    preloaded python3 $here/frozen.py $name "$m/$name.h" "$m/lib$name.so" "$m/w.st" "$m/$where/lib$name.so" \
      $([ $where = inside ] && echo - || echo "$m/$where/$name.weights")
  done
  [ "$(stat -c %s "$m/beside/lib$name.so")" -lt 200000 ] || [ -n "$sanitize" ]
done

# Tables that meet nothing but a matrix are multiplied by it and not there any more, unless rewrites are not wanted.
full=$(stat -c %s "$work/fold/w.st") small=$(stat -c %s "$work/fold/beside/fold.weights")
[ "$(grep -c '/\* [a-z]*\.folded \*/' "$work/fold/beside/fold.c")" = 4 ] && [ $((small * 6)) -lt "$full" ]
"$rankc" freeze --no-rewrite $here/fold.rank "$work/fold/w.st" -o "$work/fold/plain" -O1
[ "$(grep -c '/\* [a-z]*\.folded \*/' "$work/fold/plain/fold.c")" = 0 ]
if command -v python3 >/dev/null; then
  preloaded python3 $here/frozen.py fold "$work/fold/fold.h" "$work/fold/plain/libfold.so" - "$work/fold/inside/libfold.so" -
fi

# Tables in fewer bits stay so.
for kind in f16 bf16 int8; do
  m="$work/fm"
  "$m/fm" quantize --load "$m/w.st" --tables $kind -o "$m/$kind.st" >/dev/null
  "$rankc" freeze models/fm.rank "$m/$kind.st" -o "$m/$kind" --werror -O1
  if command -v python3 >/dev/null; then
    preloaded python3 $here/frozen.py fm "$m/fm.h" "$m/libfm.so" "$m/$kind.st" "$m/$kind/libfm.so" -
  fi
done

# From numpy arrays.
for kind in "libdin.so $work/din/w.st" "inside/libdin.so -"; do
  [ -x /usr/bin/python3 ] || continue
  preloaded /usr/bin/python3 $here/test_numpy.py "$work/din/"$kind || [ $? = 77 ]
done

# The C by itself, and two frozen models in one program.
for compiler in clang-19 gcc; do
  command -v $compiler >/dev/null || continue
  for name in fm din page gbdt_lr; do
    (cd "$work" && $compiler -O2 -c -Wall -Wextra -Wpedantic -Werror $name/inside/$name.c -o $name.o)
  done
  printf '#include "fm.h"\n#include "din.h"\n%s\n' 'int main(void) { fm *a; din *b; int bad = fm_open(&a, NULL, NULL, 0) |
    din_open(&b, NULL, NULL, 0); fm_close(a); din_close(b); return bad; }' >"$work/two.c"
  $compiler -I"$work/fm/inside" -I"$work/din/inside" "$work/two.c" "$work/fm.o" "$work/din.o" -o "$work/two" -lm
  "$work/two"
done

# What does not fit, and files that are not what they say.
models=$PWD/models
cd "$work"
for kind in inside beside; do
  ${sanitize:+clang-19} ${sanitize:-${CC:-cc}} -std=c11 -I"fm/$kind" "$OLDPWD/$here/test_frozen.c" -o "test_$kind" -L"fm/$kind" -lfm -Wl,-rpath,"$work/fm/$kind"
done
./test_inside -
./test_beside fm/beside/fm.weights
refused 'the weights of this library are inside it' ./test_inside fm/beside/fm.weights
refused 'no file of weights given' ./test_beside -
refused 'none.weights: No such file' ./test_beside none.weights
refused 'not a file of frozen weights' ./test_beside fm/w.st
refused 'not a file of frozen weights' ./test_beside /dev/null
refused 'din.weights: these weights were frozen for another library than this one of fm' ./test_beside din/beside/din.weights
size=$(stat -c %s fm/beside/fm.weights)
head -c $((size - 1)) fm/beside/fm.weights >short
refused "it has $((size - 1)) bytes, wanted $size" ./test_beside short
cp fm/beside/fm.weights damaged
printf 'x' | dd of=damaged bs=1 seek=$((size / 2)) conv=notrunc status=none
refused 'the weights are damaged (checksum)' ./test_beside damaged

sed 's/fit\.trees\.nodes/fit.trees.knots/g' gbdt_lr/w.st >knots.st
refused 'knots.st: no tensor fit.trees.nodes of two axes, which fit trees = gbdt(...) learns' \
  "$rankc" freeze $models/gbdt_lr.rank knots.st -o x
refused 'which weights?' "$rankc" freeze $models/fm.rank
refused 'none.st: cannot open' "$rankc" freeze $models/fm.rank none.st -o x
refused 'these are weights of model din, not of fm' "$rankc" freeze $models/fm.rank din/w.st -o x
refused 'another version of fm' "$rankc" freeze --dim D=8 $models/fm.rank fm/w.st -o x
python3 - fm/w.st nan.st <<'END' && refused 'nan.st: tensor b: number 0 is nan' "$rankc" freeze $models/fm.rank nan.st -o x
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
del header["__metadata__"]
at = 8 + n + header["b"]["data_offsets"][0]
data = data[:at] + struct.pack("<f", float("nan")) + data[at + 4:]
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])
END
sed 's/rank\.model/rank_model/; s/rank\.layout/rank_layout/' fm/w.st >foreign # weights from elsewhere: names and shapes decide
"$rankc" freeze $models/fm.rank foreign -o foreign.fm -O0
refused 'tensor v is [1700, 16], wanted [1700, 8]' "$rankc" freeze --dim D=8 $models/fm.rank foreign -o x
head -c $(($(stat -c %s fm/w.st) - 7)) fm/w.st >short.st
refused 'short.st' "$rankc" freeze $models/fm.rank short.st -o x
cp fm/w.st damaged.st
printf 'x' | dd of=damaged.st bs=1 seek=$(($(stat -c %s fm/w.st) - 5)) conv=notrunc status=none
refused 'is damaged' "$rankc" freeze $models/fm.rank damaged.st -o x
[ ! -e x ] || { echo "a folder is left" && exit 1; }
if [ "$(id -u)" != 0 ]; then
  mkdir fixed && chmod a-w fixed
  refused 'Permission denied' "$rankc" freeze $models/fm.rank fm/w.st -o fixed
fi
printf 'model big\ndim D = 64\ninput u : id(300000)\ntable t : f32[300000, D] ~ zeros\noutput s = sum[D](t[u])\n' >big.rank
"$rankc" build big.rank -o big -O0
big/big init --save big.st >/dev/null
refused 'big has 73 MiB of weights; inside the C there is room for 64: --beside' "$rankc" freeze big.rank big.st -o x
touch file
refused 'file' "$rankc" freeze $models/fm.rank fm/w.st -o file
refused 'file' "$rankc" freeze $models/fm.rank fm/w.st -o /proc/self
# A compiler that fails leaves what was there.
cp fm/inside/libfm.so before.so
if "$rankc" freeze --cc false $models/fm.rank fm/w.st -o fm/inside; then
  echo "false compiles" && exit 1
fi
cmp before.so fm/inside/libfm.so
[ "$(ls -A fm/inside | wc -l)" = 3 ]
