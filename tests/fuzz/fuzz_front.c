/* fuzz_front.c: the front end on any bytes (libFuzzer). It may report errors, and nothing else; a program
 * that compiles goes through the passes and prints as a program again. */

#include "ir/print.h"
#include "ir/verify.h"
#include "pass/pass.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Graph *compile(Arena *a, Str text)
{
  Source *source = ARENA_NEW(a, Source);
  *source = (Source){S("bytes"), text};
  Diags d = {.arena = a};
  return front_compile(a, source, NULL, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static Arena whole;
  if (!whole.at) {
    whole = arena_new((size_t)1 << 32);
  }
  Arena arena = whole; /* gives everything back at the end */
  Graph *g = size < 1 << 16 ? compile(&arena, (Str){(const char *)data, (int)size}) : NULL;
  if (!g || g->nodes.n > 2000) {
    return 0;
  }
  Diags d = {.arena = &arena};
  Graph *after = pass_simplify(&arena, pass_grad(&arena, pass_simplify(&arena, g), &d));
  if (!verify_graph(after, arena, &d) || !compile(&arena, print_graph(g, &arena))) {
    diag_print(&d, stderr);
    abort();
  }
  return 0;
}
