#!/usr/bin/env bash
# What it costs that a model's library looks at every id, length and number; by hand.
#   tests/library/bench_check.sh RANKC FOLDER [MODEL...]       TIMED: what to run the measuring program by
set -euo pipefail
cd "$(dirname "$0")/../.."
rankc=$1 work=$2
shift 2
[ $# -gt 0 ] || set -- fm din esmm page fm_train
mkdir -p "$work"
work=$(realpath "$work")
# A C compiler that puts a switch before the checks, which the measuring program turns on and off: two libraries, one
# with checks and one without, would differ by where their functions happen to lie, which is worth more (5 ns).
echo '__attribute__((weak, visibility("default"))) int rank_looks = 1;' >"$work/looks.h"
cat >"$work/clang-looks" <<E
#!/bin/sh
for file; do
  case "\$file" in *_library.c|*_training.c)
    sed -i 's/return b->n == 1 ? rank_odd/return !rank_looks ? b->n > 0 : b->n == 1 ? rank_odd/' "\$file"
    set -- -include $work/looks.h "\$@"
  esac
done
exec clang-19 "\$@"
E
chmod +x "$work/clang-looks"
for what in "$@"; do
  model=${what%_train} from=models
  [ $model != page ] || from=tests/library
  "$rankc" build --cc "$work/clang-looks" $from/$model.rank -o "$work/$model" >/dev/null
  "$work/$model/$model" init --save "$work/$model.st" >/dev/null
  case $what in
    fm) set -- -DSIZES=1000,500,200 -DFIELDS=field -DWIDE=3 ;;
    fm_train) set -- -DSIZES=1000,500,200 -DFIELDS=field -DWIDE=3 -DTRAIN ;;
    esmm) set -- -DSIZES=100,50,40 -DFIELDS=cat -DWIDE=6 ;;
    din) set -- -DSIZES=2000 -DLISTS ;;
    page) set -- -DSIZES=50 -DREQUEST ;;
  esac
  clang-19 -std=gnu11 -O2 -Wall -Wextra -DMODEL=$model "-DMODEL_H=\"$model.h\"" "$@" -I"$work/$model" \
    tests/library/bench_check.c -o "$work/bench_$what"
  ${TIMED:-} "$work/bench_$what" "$work/$model/lib$what.so" "$work/$model.st" 1 16 128 1024
done
