#ifndef RANKC_ONEFILE_H
#define RANKC_ONEFILE_H

/* Several files of C as one that compiles by itself.
 *
 * One idea: a header is put where it is first included, and names that two files have each for itself are
 * changed in the second one. What the runtime shows to other files of a program is renamed too, so that two
 * such files may stand in one program. */

#include "../emit/emit.h"

typedef struct OneFile {
  Arena *arena;
  Str headers;             /* the runtime's folder */
  const EmitFiles *others; /* headers that are not there, but here */
  Str prefix;              /* the model's name */
  Buf out;
  VEC(Str) system;   /* headers in <>, for the top */
  VEC(Str) included; /* in "" */
  VEC(Str) taken;    /* names at file scope so far */
  VEC(Str) shown;    /* those of the runtime that other files would see */
} OneFile;

/* Adds a file; false, with a message, when one that it includes cannot be read. own: it is the model's, its
 * names are its own already. */
bool onefile_add(OneFile *f, Str name, Str text, bool own);
/* The whole text, with `head`, a comment, on top. */
Str onefile_take(OneFile *f, Str head);

#endif
