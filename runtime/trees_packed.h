#ifndef TREES_PACKED_H
#define TREES_PACKED_H

/* A forest of small trees for a row that comes alone: sixteen trees side by side.
 *
 * One idea: the row's columns lie in registers, and a node's column is an index into them; so slot i of
 * sixteen trees, whatever they ask about, is one permutation, one comparison and one masked "and", which
 * clears the leaves to the left of the nodes that say "right" (see rank_trees_kernel.h). */

#include "trees_scorer.h"

enum { PACKED_TREES = 16, PACKED_COLUMNS = 128 };

typedef struct trees_packed {
  long groups, ntrees;
  int columns;     /* of the row laid out, rounded up to 32 */
  uint32_t *first; /* [groups + 1]: slots, each of sixteen nodes */
  uint8_t *column;
  float *threshold; /* of a tree without so many nodes: infinity */
  uint32_t *keep;   /* leaves that are not to the left */
  int32_t *leaf;    /* [groups * 16]: the tree's first in order and order_value */
} trees_packed;

/* NULL: no memory, or it is no such forest, or no such machine. */
trees_packed *trees_pack(const trees_tables *t);
void trees_packed_free(trees_packed *p);
/* x: the row's columns, filled, [columns]. The sum of its leaves. */
double trees_packed_row(const trees_packed *p, const int32_t *order, const double *order_value,
  const float *x, int32_t *leaf);

#endif
