#ifndef RANKC_TOOLCHAIN_H
#define RANKC_TOOLCHAIN_H

/* The C compiler and how it is called: where the runtime's headers and libraries are, which flags
 * generated C is compiled and linked with. */

#include "options.h"
#include "process.h"

typedef struct Toolchain {
  Str headers; /* folder of rank_model.h and the others */
  Str library; /* librank.a, or librank64.a */
  bool blas;   /* the C calls OpenBLAS */
} Toolchain;

/* $RANKC_RUNTIME; else share/rankc/runtime of where rankc was installed; else the tree it was built in.
 * False, with a message, when there is no runtime in the first of these that exists. */
bool toolchain_find(Arena *a, const Options *o, Toolchain *t);

/* cc -c and all flags; then follow the source and -o. */
void toolchain_compile(Arena *a, const Options *o, const Toolchain *t, Command *c);
/* cc and what it needs to know for any work; then follow -o, the objects and toolchain_link. */
void toolchain_start(Arena *a, const Options *o, Command *c);
void toolchain_link(Arena *a, const Options *o, const Toolchain *t, bool shared, Command *c);
/* Changes when anything does that an object depends on beside its C. */
Str toolchain_stamp(Arena *a, const Options *o, const Toolchain *t);

#endif
