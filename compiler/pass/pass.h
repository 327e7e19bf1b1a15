#ifndef RANKC_PASS_H
#define RANKC_PASS_H

/* The passes over the graph. Each is one function: it needs a verified graph and gives a new one that
 * shares axes, inputs and params (same indices) with the old; the old one stays as it was. */

#include "../front/front.h"
#include "../ir/build.h"
#include "../ir/ops.h"

/* Adds Graph.grads: the gradient of the loss for every param it depends on, in the order of params.
 * Unchanged when grads are there already, or there is no loss or no `train`. */
Graph *pass_grad(Arena *a, const Graph *g, Diags *d);

/* The same values with less work: constants folded, identities applied (rules.def), common
 * subexpressions shared, dead nodes dropped. Keeps names and locations. */
Graph *pass_simplify(Arena *a, const Graph *g);

/* The same values with less arithmetic, where that is cheaper: see rewrite.c. Before gradients. */
Graph *pass_rewrite(Arena *a, const Graph *g);

/* Masks of gradients read from what an activation gave, so that what it was given need not be kept. */
Graph *pass_masks(Arena *a, const Graph *g);

/* Folded weights in the order that their contraction reads them. For planning: what it makes cannot be
 * printed. */
Graph *pass_orders(Arena *a, const Graph *g, bool padded);

/* The same values with less arithmetic on pairs of samples. After gradients, before pass_late. */
Graph *pass_pairs(Arena *a, const Graph *g);

/* Values of pairs of samples once for each phase that reads them, so that none is kept for the whole batch.
 * For planning: a simplification would undo it. */
Graph *pass_late(Arena *a, const Graph *g);

/* What one role of the program needs. training() becomes a number, and with it dropout a decision. */
typedef enum PruneFor {
  PRUNE_PREDICT,  /* the outputs */
  PRUNE_EVALUATE, /* outputs, arguments of metrics, the loss */
  PRUNE_TRAIN     /* the loss and the gradients */
} PruneFor;
Graph *pass_prune(Arena *a, const Graph *g, PruneFor what);

/* In a graph that predicts: the sum of a table's numbers over the ids of a fit, when that is all there is of
 * the fit. false: there is none. */
typedef struct Fold {
  const Node *sum;
  int fit, param;
} Fold;
bool pass_fold(const Graph *g, Fold *out);

/* Parameters that will not change any more. */
typedef struct Constants {
  const double *const
    *value; /* by parameter: [rows][width], a dense one has 1 row; NULL: not known */
  const long *rows;
} Constants;

/* Appends a parameter with its value to `g`; its index. */
int constants_add(Constants *c, Graph *g, Param param, double *value);

/* What predicts, with what follows from parameters alone as parameters of their own, behind the model's.
 * rewrite: tables multiplied by the matrices that their rows meet too, where that makes a sample cheaper. */
Graph *pass_freeze(Arena *a, const Graph *g, bool rewrite, Constants *c);

/* What predicts for a request and its candidates, when inputs are `per request`: `request` gives, from one
 * sample, the values that candidates read, as outputs in the order of the parameters that `rank` has for
 * them, from index `own` on. rewrite: with what saves arithmetic now. false: no input is per request. */
typedef struct RequestSplit {
  Graph *request, *rank;
  int own;
} RequestSplit;
bool pass_split(Arena *a, const Graph *g, bool rewrite, RequestSplit *out);

#endif
