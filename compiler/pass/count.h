#ifndef RANKC_COUNT_H
#define RANKC_COUNT_H

/* What a plan costs: operations that its statements execute, and bytes that go through memory beyond a
 * tile's slab (inputs, table rows, weights, whole-batch values, sums, optimizer state).
 *
 * One idea: an amount is a sum of terms in the sizes of a batch, so that it is exact for every batch:
 * ragged lists count with the lengths they have, table rows with how many different ones occur. */

#include "plan.h"

enum { COUNT_DIMS = 8 }; /* lists of more kinds than that count at their greatest length */

/* factor * batch ^ (batches - 1) * sum over the samples of the product of length[d] ^ power[d]; without
 * batches it is the factor alone, times rows of a table. */
typedef struct Term {
  double factor;
  int batches;                     /* how many axes run over the batch */
  unsigned char power[COUNT_DIMS]; /* by ragged axis, in the order of rank_model.dims */
  int touched;                     /* a table: times its different rows in the batch; -1: none */
  int rows;                        /* a table: times all its rows; -1: none */
} Term;

typedef struct Amount {
  VEC(Term) terms;
} Amount;

/* What runs without a break: a block of the plan, or what stands beside the tiles. */
typedef struct CountGroup {
  int block; /* of the plan; -1: before and between phases; -2: sums and the update of parameters */
  Amount flops, bytes;
} CountGroup;

typedef struct Count {
  VEC(CountGroup) groups; /* the blocks in their order, then -1, then -2 when there are gradients */
} Count;

Count *count_plan(Arena *a, const Plan *p, bool f64);

/* Its value for one sample whose lists have length `share` times the maximum, in a batch of n; every
 * table row looked up is another. */
double amount_per_sample(const Plan *p, const Amount *x, double share, long n);
int count_dim(const Graph *g, int axis); /* of a ragged axis, or -1 */

#endif
