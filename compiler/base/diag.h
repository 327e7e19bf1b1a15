#ifndef RANKC_DIAG_H
#define RANKC_DIAG_H

/* Diagnostics: `file:line:col: error: what was found, what was wanted`, the line, and a caret.
 *
 * A Source is one text (a file, the prelude, an op row's gradient). A Loc points into one. Errors are
 * collected, not thrown: a pass reports and goes on with a value that stays silent, so that one run
 * shows several. diag_print sorts nothing: errors come in the order found. */

#include "str.h"

#include <stdio.h>

typedef struct Source {
  Str name; /* as the user wrote it */
  Str text;
} Source;

typedef struct Loc {
  const Source *source; /* NULL: nowhere in particular */
  int at, n;            /* byte offset and length in source->text */
} Loc;

typedef struct Diag {
  Loc loc;
  Str message;
  bool note; /* belongs to the error before it */
} Diag;

typedef struct Diags {
  Arena *arena;
  VEC(Diag) list;
  int errors;
} Diags;

void diag_error(Diags *d, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diags *d, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_print(
  const Diags *d, FILE *out);   /* colours only when `out` is a terminal; at most 20 errors */
int loc_line(Loc loc);          /* 1 for the first line; 0 when nowhere */
int loc_column(Loc loc);        /* 1 for the first byte */
Loc loc_join(Loc from, Loc to); /* from the start of one to the end of the other */

#endif
