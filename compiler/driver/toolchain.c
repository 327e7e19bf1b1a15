/* toolchain.c: see toolchain.h. */

#include "toolchain.h"

#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Folder `relative` to the one that rankc's own file is in, or {0}. */
static Str beside_program(Arena *a, const char *relative)
{
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  while (n > 0 && path[n - 1] != '/') {
    n--;
  }
  return n > 0 ? str_format(a, "%.*s%s", (int)n, path, relative) : (Str){0};
}

static bool has_runtime(Arena *a, Str folder)
{
  return folder.n > 0 && file_exists(path_join(a, folder, S("rank_model.h")));
}

bool toolchain_find(Arena *a, const Options *o, Toolchain *t)
{
  Str archive = o->f64 ? S("librank64.a") : S("librank.a");
  const char *given = getenv("RANKC_RUNTIME");
  t->headers = given && *given ? str_of(given) : beside_program(a, "../share/rankc/runtime");
  Str serving = o->f64 ? S("librank64_serving.a") : S("librank_serving.a");
  bool beside = file_exists(path_join(a, t->headers, archive));
  Str folder = beside ? t->headers : beside_program(a, "../lib");
  t->graphs = path_join(a, folder, S("librank_hnsw.so"));
  t->library = path_join(a, folder, archive);
  t->serving = path_join(a, folder, serving);
  if (!has_runtime(a, t->headers) || !file_exists(t->library) || !file_exists(t->serving)) {
    fprintf(stderr,
      "rankc: error: no runtime in %.*s (rank_model.h, %.*s and %.*s are needed; RANKC_RUNTIME "
      "says "
      "where)\n",
      STR_ARG(t->headers), STR_ARG(archive), STR_ARG(serving));
    return false;
  }
  return process_found(o->cc);
}

/* clang-19 says on CPUs with AVX10 that its own -march=native is an invalid combination: that is no news
 * to anyone. A clang that does not know the warning must not warn of that either. */
void toolchain_start(Arena *a, const Options *o, Command *c)
{
  process_add(a, c, o->cc);
  if (strstr(o->cc, "clang")) {
    process_add_words(a, c, "-Wno-unknown-warning-option -Wno-invalid-feature-combination");
  }
  process_add(a, c, str_format(a, "-O%d", o->optimize).s);
  process_add(a, c, str_format(a, "-march=%s", o->march).s);
  process_add_words(a, c, RANKC_FLAGS);
  if (RANKC_SANITIZE[0] != '\0') {
    process_add(a, c, "-fsanitize=" RANKC_SANITIZE);
    process_add(a, c, "-fno-sanitize-recover=all");
  }
}

/* A loop that clang could not vectorize as it was told to is no mistake in the C: no pass-failed.
 * Nobody reads errno: without that a square root is an instruction, and Adam's loop is vectorized.
 * Contracting a * b + c into one rounding is wanted, and the same in every run; anything that lets sums
 * be reordered or NaN be ignored is not. */
static void add_arithmetic(Arena *a, Command *c)
{
  process_add_words(
    a, c, "-std=gnu11 -ffp-contract=fast -fno-math-errno -mprefer-vector-width=512 -fPIC");
}

void toolchain_compile(Arena *a, const Options *o, const Toolchain *t, bool shared, Command *c)
{
  toolchain_start(a, o, c);
  add_arithmetic(a, c);
  process_add_words(a, c, RANKC_WARNINGS " -Wno-pass-failed");
  process_add_words(a, c,
    shared ? "-fopenmp-simd -Wno-unknown-pragmas -fvisibility=hidden -DRANK_LIBRARY" : "-fopenmp");
  if (o->werror) {
    process_add(a, c, "-Werror");
  }
  if (o->f64) {
    process_add(a, c, "-DRANK_F64");
  }
  process_add(a, c, str_format(a, "-I%.*s", STR_ARG(t->headers)).s);
  process_add(a, c, "-c");
}

/* clang's OpenMP library also understands gcc's code, but not the other way round: when the runtime
 * library was compiled for the former, gcc has to link that instead of its own. */
static void add_openmp(Arena *a, const Options *o, Command *c)
{
  bool clang = strstr(o->cc, "clang") != NULL;
  if (strstr(RANKC_OPENMP, "libomp") && !clang) {
    process_add_words(a, c, RANKC_OPENMP);
  } else {
    process_add(a, c, "-fopenmp");
  }
}

void toolchain_link(Arena *a, const Options *o, const Toolchain *t, bool shared, Command *c)
{
  process_add(a, c, str_copy(a, shared ? t->serving : t->library).s);
  process_add_words(a, c, "-Wl,--as-needed -Wl,--gc-sections");
  if (t->blas) {
    process_add(a, c, "-lopenblas");
  }
  if (shared) {
    process_add_words(a, c, "-shared -Wl,--exclude-libs,ALL");
    process_add_words(a, c, RANKC_SANITIZE[0] == '\0' ? "-Wl,-z,defs" : "");
  } else {
    process_add_words(a, c, RANKC_LINK);
    add_openmp(a, o, c);
    process_add(a, c, "-lpthread");
  }
  process_add(a, c, "-lm");
}

void toolchain_link_part(Arena *a, const Options *o, const Toolchain *t, Command *c)
{
  process_add_words(a, c, t->blas ? "-shared -Wl,--as-needed -lopenblas" : "-shared");
  add_openmp(a, o, c);
  process_add(a, c, "-lm");
}

void toolchain_freeze(Arena *a, const Options *o, Command *c)
{
  toolchain_start(a, o, c);
  add_arithmetic(a, c);
  process_add_words(a, c,
    "-fopenmp-simd -Wall -Wextra -Wpedantic -Wno-pass-failed -ffunction-sections -shared "
    "-Wl,--gc-sections -Wl,--as-needed");
  process_add_words(a, c, RANKC_SANITIZE[0] == '\0' ? "-Wl,-z,defs" : "");
  if (o->werror) {
    process_add(a, c, "-Werror");
  }
}

Str toolchain_stamp(Arena *a, const Options *o, const Toolchain *t)
{
  Buf b = {.arena = a};
  for (int shared = 0; shared < 2; shared++) {
    Command compile = {0}, link = {0};
    toolchain_compile(a, o, t, shared, &compile);
    toolchain_start(a, o, &link);
    toolchain_link(a, o, t, shared, &link);
    buf_format(
      &b, "%.*s\n%.*s\n", STR_ARG(process_text(a, &compile)), STR_ARG(process_text(a, &link)));
  }
  buf_format(&b, "%.*s\n%.*s\n%016llx\n", STR_ARG(file_stamp(a, t->library)),
    STR_ARG(file_stamp(a, t->serving)), (unsigned long long)folder_hash(a, t->headers));
  return buf_take(&b);
}
