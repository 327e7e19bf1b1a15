#ifndef RANKC_TOOLCHAIN_H
#define RANKC_TOOLCHAIN_H

/* The C compiler and how it is called: where the runtime's headers and libraries are, which flags
 * generated C is compiled and linked with. */

#include "options.h"
#include "process.h"

typedef struct Toolchain {
  Str headers; /* folder of rank_model.h and the others */
  Str library; /* librank.a, or librank64.a */
  Str serving; /* the part of it that a model's library needs, without OpenMP */
  Str graphs;  /* what approximate search loads; need not be there */
  bool blas;   /* the C calls OpenBLAS */
} Toolchain;

/* $RANKC_RUNTIME; else ../share/rankc/runtime beside rankc, which in a build folder is a link to the sources;
 * then the libraries are in ../lib. No path is compiled in, so rankc is the same wherever it was built. False,
 * with a message, when there is no runtime there, or no such C compiler. */
bool toolchain_find(Arena *a, const Options *o, Toolchain *t);

/* cc -c and all flags; then follow the source and -o. What goes into the shared library has only OpenMP's
 * simd loops, and shows nothing that does not say so. */
void toolchain_compile(Arena *a, const Options *o, const Toolchain *t, bool shared, Command *c);
/* cc and what it needs to know for any work; then follow -o, the objects and toolchain_link. */
void toolchain_start(Arena *a, const Options *o, Command *c);
void toolchain_link(Arena *a, const Options *o, const Toolchain *t, bool shared, Command *c);
/* Links what was compiled for the program as a shared object, for a program of ours that loads it. */
void toolchain_link_part(Arena *a, const Options *o, const Toolchain *t, Command *c);
/* Changes when anything does that an object depends on beside its C. */
Str toolchain_stamp(Arena *a, const Options *o, const Toolchain *t);

/* A file that needs nothing else, to a library. */
void toolchain_freeze(Arena *a, const Options *o, Command *c);

#endif
