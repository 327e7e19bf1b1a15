#!/usr/bin/env bash
# The libraries of a model need libc and libm alone and show shop_* alone; programs in C, C++ and Python
# use them; and once more with its C compiled into the program, under sanitizers.
#   tests/library/library.sh RANKC
set -euo pipefail
cd "$(dirname "$0")/../.."
rankc=$1 here=tests/library
cc=$(command -v clang-19 || command -v clang || command -v gcc)
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror"
# A sanitized library goes with programs that are, too: of clang, whose sanitizer it is.
sanitize=${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE -DSANITIZED} compilers="clang-19 gcc" compilers_cpp="clang++-19 g++"
if [ -n "$sanitize" ]; then
  echo "skipped under a sanitizer: callers that gcc compiles, sizes, how much memory a library takes"
  compilers=clang-19 compilers_cpp=clang++-19
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$rankc" build $here/shop.rank -o "$work" -O1 --werror
for library in shop shop_train; do
  so="$work/lib$library.so"
  needed=$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
  others=$(nm -D --defined-only "$so" | awk '$3 !~ /^shop_/ { print $3 }')
  if [ -n "$others" ] || { [ "$needed" != "libc.so.6 libm.so.6 " ] && [ -z "${RANKC_SANITIZE:-}" ]; }; then
    echo "lib$library.so needs $needed, shows $others"
    exit 1
  fi
done
strip --strip-debug -o "$work/stripped.so" "$work/libshop.so" # a debug build carries more than code
size=$(stat -c %s "$work/stripped.so")
[ "$size" -lt 200000 ] || [ -n "$sanitize" ] || { echo "libshop.so has $size bytes" && exit 1; }

for compiler in $compilers; do
  command -v $compiler >/dev/null || continue
  $compiler -std=c11 $sanitize $warnings -I"$work" $here/test_library.c -o "$work/test-$compiler" -L"$work" \
    -lshop_train -lm -lpthread -Wl,-rpath,"$work"
done
test=$(ls "$work"/test-* | head -n 1)
"$test" csv >"$work/rows.csv"
"$work/shop" train --quiet --no-cache --data "$work/rows.csv" --save "$work/w.st"
"$work/shop" predict --no-cache --data "$work/rows.csv" --load "$work/w.st" >"$work/predicted.csv"
for program in "$work"/test-*; do
  "$program" test "$work/w.st" "$work/predicted.csv"
done
"$work/shop" init --save "$work/init.st" >/dev/null
"$work/shop" predict --no-cache --data "$work/rows.csv" --load "$work/init.st" >"$work/first.csv"
"$test" test "$work/init.st" "$work/first.csv"

# How long predictions take: what is said, not how much it is.
"$work/shop" bench --csv --no-cache --data "$work/rows.csv" --load "$work/w.st" --threads 2 >"$work/bench.csv"
timed() { # FILE THREADS APIS: has a line for each of these, and times that can be
  awk -F, -v threads="$2" -v apis="$3" '
    NR == 1 { if ($0 != "api,batch,threads,calls,p50_us,p99_us,p99.9_us,rows_per_second") exit 1; next }
    NF != 8 || $3 != threads || !($4 > 0 && $5 > 0 && $6 >= $5 && $7 >= $6 && $8 > 0) { exit 1 }
    { seen = seen " " $1 ":" $2 }
    END { if (seen != " " apis) exit 1 }' "$1" || { cat "$1" && exit 1; }
}
rows=$(($(wc -l <"$work/rows.csv") - 1))
timed "$work/bench.csv" 2 "rows:1 rows:16 rows:$rows rows:$rows"
if "$work/shop" bench --load "$work/none.st" >/dev/null 2>"$work/said"; then
  echo "bench went on without weights" && exit 1
fi
grep -q "none.st" "$work/said"
if "$work/shop" bench --candidates 5 >/dev/null 2>"$work/said"; then
  echo "bench made requests of a model without" && exit 1
fi
grep -q "no inputs per request" "$work/said"

# One request and its candidates, at every level of fusion.
for level in off loops tiles all; do
  "$rankc" build $here/page.rank -o "$work/page" -O1 --fuse=$level
  "$work/page/page" init --save "$work/page/w.st" >/dev/null
  $cc -std=c11 $sanitize $warnings -I"$work/page" $here/test_rank.c -o "$work/page/test" -L"$work/page" -lpage -lm \
    -Wl,-rpath,"$work/page"
  "$work/page/test" "$work/page/w.st"
done
"$work/page/page" bench --csv --load "$work/page/w.st" --rows 50 --threads 2 --candidates 20 >"$work/bench.csv"
timed "$work/bench.csv" 2 "repeated:20 request:20"

"$rankc" build $here/shelf.rank -o "$work/shelf" -O1 --werror
"$work/shelf/shelf" synth --rows 400 --out "$work/shelf/rows.csv" >/dev/null
"$work/shelf/shelf" train --quiet --no-cache --data "$work/shelf/rows.csv" --save "$work/shelf/w.st"
$cc -std=c11 $sanitize $warnings -I"$work/shelf" $here/test_shelf.c -o "$work/shelf/test" -L"$work/shelf" -lshelf -lm \
  -Wl,-rpath,"$work/shelf"
"$work/shelf/test" "$work/shelf/w.st"
"$work/shelf/shelf" bench --csv --no-cache --data "$work/shelf/rows.csv" --load "$work/shelf/w.st" --candidates 9 \
  >"$work/bench.csv"
timed "$work/bench.csv" 1 "repeated:9 request:9"

for compiler in $compilers_cpp; do
  command -v $compiler >/dev/null || continue
  $compiler -std=c++17 $sanitize $warnings -I"$work" $here/test_library.cpp -o "$work/cpp" -L"$work" -lshop \
    -Wl,-rpath,"$work"
  "$work/cpp" "$work/w.st"
done
if command -v python3 >/dev/null; then
  LD_PRELOAD=${RANKC_PRELOAD:-} python3 $here/test_library.py "$work" "$test"
fi

# The C itself in a program, as one may also use it.
serving=$(sed -n '/^set(RANK_SERVING/,/)/p' CMakeLists.txt | grep -o 'runtime/[a-z_0-9]*\.c')
sources="$work/shop_predict.c $work/shop_train.c $work/shop_model.c $work/shop_library.c
  $work/shop_training.c $serving"
for sanitizer in thread address,undefined; do
  flags="-std=gnu11 -g -O1 -ffunction-sections -fsanitize=$sanitizer -fno-sanitize-recover=all"
  echo 'int main(void) { return 0; }' | $cc $flags -x c - -o "$work/empty" 2>/dev/null || {
    echo "no -fsanitize=$sanitizer here" && continue
  }
  $cc $flags -w -fopenmp-simd -DRANK_LIBRARY -DRANK_SERVING -DSANITIZED -D_GNU_SOURCE= -Iruntime -I"$work" \
    $here/test_library.c $sources -o "$work/sanitized" -Wl,--gc-sections -lm -lpthread
  "$work/sanitized" test "$work/w.st" "$work/predicted.csv"
  $cc $flags -w -fopenmp-simd -DRANK_LIBRARY -DRANK_SERVING -D_GNU_SOURCE= -Iruntime -I"$work" $here/test_swap.c \
    $sources -o "$work/sanitized" -Wl,--gc-sections -lm -lpthread
  "$work/sanitized" "$work/w.st" "$work/init.st"
  $cc $flags -w -fopenmp-simd -DRANK_LIBRARY -DRANK_SERVING -D_GNU_SOURCE= -Iruntime -I"$work/page" $here/test_rank.c \
    "$work"/page/page_{predict,request,candidates,model,library}.c $serving -o "$work/sanitized" \
    -Wl,--gc-sections -lm
  "$work/sanitized" "$work/page/w.st"
done
