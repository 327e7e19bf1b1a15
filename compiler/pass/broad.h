#ifndef RANKC_BROAD_H
#define RANKC_BROAD_H

/* Builders for operands that may lack axes.
 *
 * A value whose type lacks an axis of the type it stands for is constant along that axis. Adjoints are
 * kept that way (the adjoint of a sum is one number, not a copy for each summand), and simplification
 * loses axes too (`x * 0`). The builders of ir/build.h want the axes they work on; these do the same
 * work for operands without them: summing 3 along [80] is 3 * 80. `full` is the type an operand stands
 * for. */

#include "pass.h"

/* Sum over `axes` of x read as a value of type `full`. */
Node *broad_sum(Graph *g, Node *x, Type full, int naxes, const short *axes);
/* Whether that needs x to be spelled out along a ragged axis first (and so is not cheaper than before). */
bool broad_sum_spells(const Graph *g, const Node *x, Type full, int naxes, const short *axes);
Node *broad_max(Graph *g, Node *x, Type full, int naxes, const short *axes);
Node *broad_rename(Graph *g, Node *x, int npairs, const short *pairs);

/* build_like for operands that may lack axes which old's operands have. Gives name and loc to nothing. */
Node *broad_like(Graph *g, const Node *old, Node *const *in);

/* Reading the axes of structure nodes. */
long axes_extent(const Graph *g, int n, const short *axes); /* product of extents */
/* Operand i of a CONCAT: how many axes are joined, which, and where its piece starts. */
int concat_piece(const Graph *g, const Node *concat, int i, const short **axes, long *offset);

#endif
