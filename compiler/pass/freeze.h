#ifndef RANKC_FREEZE_PASS_H
#define RANKC_FREEZE_PASS_H

/* Between the files of pass_freeze, and pieces side by side in a contraction: what freeze_tables.c and split.c
 * both take apart. */

#include "broad.h"
#include "pass.h"

/* freeze_tables.c: of a program whose constant expressions are parameters already. */
Graph *freeze_tables(Arena *a, const Graph *old, Constants *c);

/* split.c: the concat that n, a sum of a product, sums over; its operand in the product: *side. Or NULL. */
Node *concat_in(const Node *n, int *side);
/* Whether a piece has the axes that are joined in it, and the weights have none of them. */
bool piece_is_whole(const Node *piece, const Node *weight, int n, const short *axes);
/* The part of n that comes of some pieces; NULL: not all of them are whole. */
Node *sum_pieces(Graph *g, const Node *n, Node *concat, Node *weight, const bool *take);

#endif
