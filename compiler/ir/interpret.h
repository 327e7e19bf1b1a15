#ifndef RANKC_INTERPRET_H
#define RANKC_INTERPRET_H

/* The reference interpreter: what a graph means, in double precision, by the plainest loops. Everything
 * else is compared with it.
 *
 * A value is a dense array over all axes of its type, batch axes n long and ragged axes at their maximum.
 * A position beyond a sample's length does not exist: it holds 0 and no reduction looks at it. The
 * length is that of the sample at axis B, or at the type's other batch axis when it has no B. */

#include "ir.h"

#include <stdint.h>

typedef struct Tensor {
  int n;
  long shape[MAX_AXES + 1]; /* in the order of the node's type; a table's gradient: rows first */
  long count;
  double *data;
} Tensor;

typedef struct InterpretBatch {
  long n;
  const double *const
    *input; /* by input: [n][the axes after B]; ids with the sum of the vocabularies
                               * of the positions before already added; NULL: never read */
  const long *const *length; /* by axis: ragged ones that are their own root [n]; others NULL */
} InterpretBatch;

typedef struct Interp {
  Arena *arena;
  const Graph *g;
  InterpretBatch batch;
  const double *const *params; /* by param: [rows][width], a dense one has 1 row */
  const long *rows;            /* by param */
  uint64_t seed, step;         /* step counts from 0 */
  bool training;
  uint64_t jitter; /* not 0: a state of random bits, see interpret_jitter */
  long *extent;    /* by axis */
  Tensor **value;  /* by node; NULL: not computed yet */
  long *at;        /* by axis: the position that loops are at */
} Interp;

/* Refers to what it is given: all of it must outlive the Interp. */
Interp *interpret_new(Arena *a, const Graph *g, const InterpretBatch *batch,
  const double *const *params, const long *rows, uint64_t seed, uint64_t step, bool training);
/* From now on each result that rounding may touch is its neighbour above or below, or itself, at random: how
 * far results of several seeds lie apart is what rounding may do to them, by cancellation and at steps (Parker,
 * Monte Carlo arithmetic, 1997). Whole numbers made of whole numbers are exact. */
void interpret_jitter(Interp *ip, uint64_t seed);
double interpret_add(Interp *ip, double x, double y);    /* as everything that is summed is added */
const Tensor *interpret_node(Interp *ip, const Node *n); /* computed once */
/* Dense: in the shape of the param's type; a table: [rows][width]. */
const Tensor *interpret_grad(Interp *ip, const Grad *grad);
double interpret_loss(Interp *ip); /* mean over the batch; 0 of an empty batch */
long interpret_width(const Graph *g, const Param *param); /* of one row */

/* Optimizer states: [param * MAX_STATES + state][rows][width], at their initial values. */
double **interpret_states_new(Arena *a, const Graph *g, const long *rows);
/* One step with the gradients of this batch. steps: how many there will be, for schedules. */
void interpret_optimizer_step(Interp *ip, double *const *params, double *const *states, long steps);

#endif
