#ifndef RANKC_REBUILD_H
#define RANKC_REBUILD_H

/* What passes that build a new graph node by node have in common. */

#include "broad.h"

/* How often each node is used, by id: as an operand of a live node, or as a root: an output, an argument
 * of a metric, the loss, a gradient. 0: dead. */
int *rebuild_uses(Arena *a, const Graph *g);

/* Gives `g` the roots of `old`; map: the new node for each old one, by old id. */
void rebuild_roots(Graph *g, const Graph *old, Node *const *map);

/* Drops nodes of `g` that no root needs. */
void rebuild_sweep(Graph *g);

/* A name that starts like `wish` and that no node, input, param or output of `g` has. */
Str rebuild_name(Graph *g, Str wish);

#endif
