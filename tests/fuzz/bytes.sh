#!/usr/bin/env bash
# libFuzzer on what reads bytes from outside: the front end, data files, weights files, encoded rows,
# forests of other programs.
#   tests/fuzz/bytes.sh front|data|weights|cache|trees FOLDER [SECONDS]
# It starts from corpus/WHAT, inputs of earlier runs that each reach something of their own. FOLDER: where the program and its corpus are kept (a build folder). What crashes stays there.
set -uo pipefail
what=$1 folder=$2 seconds=${3:-10}
command -v clang-19 >/dev/null || exit 77
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "$folder/$what"
flags="-std=c11 -D_GNU_SOURCE -DRANK_F64 -DRANK_LIB_DIR=\"\" -DRANK_LIB_INSTALLED=\"\" -w -g -O1 -fno-omit-frame-pointer
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
case $what in
front)
  cmake -D FROM=compiler/prelude.rank -D "TO=$folder/prelude_text.c" -D NAME=prelude_text \
    -P compiler/text_to_c.cmake || exit 1
  sources="compiler/base/*.c compiler/ir/*.c compiler/front/*.c compiler/pass/*.c $folder/prelude_text.c"
  cp --backup=numbered models/*.rank tests/golden/*/*.rank "$folder/front/" # names repeat
  ;;
data)
  sources=$(ls runtime/*.c)
  printf ',id,list,x,z,y,h\n1,1|2,0.5,2,0,a\n2,,3,,1,"b ""c"\n' >"$folder/data/csv"
  printf '#1 1:0.5 4:1 5:2\n0 2:1\n0\n' >"$folder/data/libsvm"
  ;;
trees)
  sources=$(ls runtime/*.c)
  cp tests/forest/lightgbm.txt tests/forest/xgboost.json "$folder/trees/"
  ;;
cache)
  sources=$(ls runtime/*.c)
  ;;
weights)
  sources=$(ls runtime/*.c)
  head='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"rank.step":"1"}}'
  printf "\\x$(printf %02x ${#head})\\0\\0\\0\\0\\0\\0\\0%s12345678" "$head" >"$folder/weights/one"
  ;;
*) exit 2 ;;
esac
[ ! -d "tests/fuzz/corpus/$what" ] || cp "tests/fuzz/corpus/$what"/* "$folder/$what/"
clang-19 $flags -Icompiler tests/fuzz/fuzz_$what.c $sources -l:libxxhash.a -lz -fopenmp -lm \
  -o "$folder/fuzz_$what" || exit 1
"$folder/fuzz_$what" -max_total_time="$seconds" -max_len=4000 -timeout=$((20 * ${RANKC_PATIENCE:-1})) -rss_limit_mb=4096 -detect_leaks=0 \
  -verbosity=0 -print_final_stats=1 -artifact_prefix="$folder/$what-" "$folder/$what" 2>"$folder/$what.said" || {
  tail -n 40 "$folder/$what.said"
  exit 1
}
grep number_of_executed_units "$folder/$what.said"
