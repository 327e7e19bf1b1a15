#!/usr/bin/env bash
# The command that makes objects of several files of generated C, given behind it, in one process: clang's
# own compiler, which stands behind its driver and takes several files, or ${CC:-clang-19} where that is no clang.
#   tests/fuzz/front-end.sh RUNTIME [FOLDER]
# FOLDER: the runtime's headers are read once, and kept there.
set -uo pipefail
runtime=$1 folder=${2:-}
cc=${CC:-clang-19}
flags="-O0 -march=native -std=gnu11 -w -ffp-contract=fast -fopenmp -fPIC -DRANK_F64 -I$runtime
  ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE -fno-sanitize-recover=all}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.c"
command() { # flags...: the driver's command for one file, without that file
  $cc $flags "$@" -c "$work/empty.c" -o empty.o '-###' 2>&1 | grep '"-cc1"' |
    sed -E 's/"-main-file-name" "[^"]*"//; s/"-o" "[^"]*"//; s/"-x" "c" "[^"]*"$/-x c/'
}
if [ -n "$folder" ] && [ -n "$(command)" ]; then
  printf '#include "%s"\n' rank_model.h rank_gemm.h rank_math.h rank_random.h rank_scalar.h \
    rank_stored.h rank_table.h rank_thread.h >"$folder/runtime.h"
  $cc $flags -x c-header "$folder/runtime.h" -o "$folder/runtime.pch" >&2 || exit 1
  command -include-pch "$folder/runtime.pch"
else
  whole=$(command)
  echo "${whole:-$cc $flags -c}"
fi
