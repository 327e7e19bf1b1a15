#ifndef RANKC_REASON_H
#define RANKC_REASON_H

/* A plan in words: what was put together, and why what was not had to stay apart. For `rankc explain`,
 * and for the comment at the head of generated C. */

#include "count.h"
#include "pass.h"

typedef VEC(Str) Lines;

/* What a value is called: in C when it has a name there, else by the model. */
Str value_text(Arena *a, const Plan *p, const Node *n);
const char *place_text(Place place); /* where it is kept: "tile" */
/* "all rows: score.0 (product)": what a group computes, in about `room` bytes. */
Str group_text(Arena *a, const Plan *p, const CountGroup *group, int room);
/* The ops between a statement's result and what it reads from memory, each once: "gather, *, exp". */
Str fused_text(Arena *a, const Plan *p, const Stmt *s);
/* Why the statement's value is stored, and why nothing more was made part of the statement. */
Str reason_text(Arena *a, const Plan *p, const Stmt *s);
/* Bytes of a tile's slab, and of what is kept for one sample of the batch. */
double slab_bytes(const Plan *p, bool f64);
double batch_bytes(const Plan *p, bool f64);
/* What a fit sums by itself: "trees sums leaf_w over its ids by itself in libraries, ..." */
Str fold_text(Arena *a, const Graph *g, const Fold *f);
/* All of that, in lines of at most `room` bytes. */
void plan_log(Arena *a, const Plan *p, bool f64, int room, Lines *out);

#endif
