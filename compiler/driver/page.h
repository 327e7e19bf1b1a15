#ifndef RANKC_PAGE_H
#define RANKC_PAGE_H

/* `rankc explain --html`: the plan, the model and the C on one page that needs nothing else. */

#include "pipeline.h"

#include "../emit/emit.h"
#include "../pass/count.h"

/* A role of the program, as it is drawn. */
typedef struct PageRole {
  const char *name; /* "predict" */
  const Plan *plan;
  const Count *count;
} PageRole;

/* text: what `rankc explain` prints. Messages go to stderr; false when it could not be written. */
bool page_write(const Session *s, const PageRole *roles, int n, const EmitFiles *files, Str text);

/* page_graph.c: a role's statements as graphviz's input, phases and groups as nested clusters. Nodes have
 * the class LN for line N of the model. */
Str page_dot(Arena *a, const PageRole *role);

#endif
