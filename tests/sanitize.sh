#!/usr/bin/env bash
# The tests under a sanitizer: rankc, the runtime, and the C that rankc generates, all built with it.
#   tests/sanitize.sh address|undefined|thread [FOLDER] [CTEST ARGUMENTS...]
#   tests/sanitize.sh valgrind RANKC
# address and undefined: every test but those that compare speed or need PyTorch. thread: those that train with
# several threads; OpenMP is made visible by libarcher, which comes with clang's OpenMP, so that a barrier is
# known to be one. valgrind: one training of a model with lists and tables, by a rankc without sanitizers.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
what=${1:-address}
if [ "$what" = valgrind ]; then
  command -v valgrind >/dev/null || exit 77
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # valgrind knows AVX2 and not AVX-512
  "$2" build -O1 --march=x86-64-v2 models/din.rank -o "$work/din" &&
    strip --strip-debug "$work/din/din" && # whose format valgrind may not know
    OMP_NUM_THREADS=1 valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
      "$work/din/din" train --rows 300 --epochs 1 --threads 1 --quiet --no-cache --save "$work/w"
  exit $?
fi
folder=${2:-build/$what}
shift $(($# < 2 ? $# : 2))
command -v clang-19 >/dev/null || exit 77
cmake -S . -B "$folder" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-g -O1" \
  -DRANKC_VERIFY=ON "-DRANKC_SANITIZE=$what" >/dev/null && cmake --build "$folder" -j2 || exit 1
export RANKC_SANITIZE=$what # for scripts that link with what was built
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
case $what in
thread)
  archer=$(ls /usr/lib/llvm-19/lib/libarcher.so 2>/dev/null) || exit 77
  # ignore_noninstrumented_modules: libomp itself is not instrumented; what it orders, archer says
  export OMP_TOOL_LIBRARIES=$archer TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" ARCHER_OPTIONS=verbose=0
  tests="numeric/agree|unit/(runtime|data|index|trees|synth|cosine|metrics)"
  ;;
*) tests="" ;;
esac
if [ $# -eq 0 ]; then
  set -- ${tests:+-R "$tests"} -E 'peers/|data/|library/|compile/(fm|din|two_tower|esmm|bench|memory|reproducible)|crash/limits|fuzz/bytes|style/|sanitize/'
fi
ctest --test-dir "$folder" -j2 --output-on-failure "$@"
