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
  const double *ns; /* by group: measured, per sample; NULL: it was not */
  double most, all; /* of them */
  Str measured;     /* how, in words */
} PageRole;

/* text: what `rankc explain` prints. Messages go to stderr; false when it could not be written. */
bool page_write(const Session *s, const PageRole *roles, int n, const EmitFiles *files, Str text);

/* page_graph.c: a role's statements as graphviz's input, phases and groups as nested clusters. Nodes have
 * the class LN for line N of the model. */
Str page_dot(Arena *a, const PageRole *role);

/* page_heat.c: fills in what `rankc bench --groups --csv` measured of the roles; they must have the same
 * groups. Messages go to stderr. And a group's colour, "#rrggbb", and its time in words. */
bool page_times(const Session *s, Str path, PageRole *roles, int n);
Str page_heat(Arena *a, const PageRole *role, int group);
Str page_time(Arena *a, const PageRole *role, int group);

#endif
