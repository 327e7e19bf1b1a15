#ifndef RANKC_FRONT_H
#define RANKC_FRONT_H

/* The front end: from text to a typed graph of primitive ops.
 *
 * Functions of the language (the prelude's and the user's) are instantiated at each call, like
 * tracing: the graph that comes out holds nothing but rows of ir/ops.def. */

#include "../ir/ir.h"

typedef struct FrontOptions { /* --dim NAME=N */
  int ndims;
  const Str *dim_name;
  const long *dim_extent;
} FrontOptions;

/* The program of `source`, or NULL when there were errors. `o` may be NULL. */
Graph *front_compile(Arena *a, const Source *source, const FrontOptions *o, Diags *d);

/* One expression of the language over given nodes of g, built into g. `axes`, when not NULL:
 * names[i] stands for the axis axes[i] instead of a node where that is not negative. New nodes get
 * the loc of the first given node. NULL on an error, which is reported in `d`. */
Node *front_expression(Graph *g, Str text, int n, const char *const *names, Node *const *values,
  const short *axes, Diags *d);

/* The text of the functions, optimizers and schedules that every model may use. */
const Source *front_prelude(void);

#endif
