/* fold.c: sums over what a fit looks up.
 *
 * A forest gives an id for every tree, and a linear part sums a table's numbers over them. Who predicts with
 * weights that do not change can have these numbers in the leaves, where the forest's own score is summed
 * already: then no ids are written, and none are looked up. Here is said where that is so: when nothing else
 * reads the ids, their lists or the score. */

#include "pass.h"

static bool reads(const Node *n, const Node *x)
{
  for (int i = 0; i < n->nin; i++) {
    if (n->in[i] == x) {
      return true;
    }
  }
  return false;
}

/* Is the axis one of its value's, or of those it is about? */
static bool knows_axis(const Node *n, int axis)
{
  for (int i = 0; i < n->type.n; i++) {
    if (n->type.axis[i] == axis) {
      return true;
    }
  }
  for (int i = 0; i < n->naxes; i++) {
    if (n->axes[i] == axis) {
      return true;
    }
  }
  return false;
}

static const Node *input_of(const Graph *g, int input)
{
  for (int i = 0; i < g->nodes.n; i++) {
    if (g->nodes.data[i]->op == OP_INPUT && g->nodes.data[i]->leaf == input) {
      return g->nodes.data[i];
    }
  }
  return NULL;
}

/* Operands stand before what reads them. */
static const Node *only_sum(const Graph *g, const Node *ids, const Node **gather)
{
  const Node *sum = NULL;
  int axis = ids->type.axis[ids->type.n - 1];
  *gather = NULL;
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    if (n == ids) {
      continue;
    }
    if (!*gather && n->op == OP_GATHER && n->in[0] == ids && n->type.n == ids->type.n) {
      *gather = n;
    } else if (*gather && !sum && n->op == OP_SUM && n->in[0] == *gather && n->naxes == 1 &&
               n->axes[0] == axis) {
      sum = n;
    } else if (reads(n, ids) || (*gather && reads(n, *gather)) || knows_axis(n, axis)) {
      return NULL;
    }
  }
  for (int i = 0; i < g->outputs.n; i++) {
    if (g->outputs.data[i].node == ids || g->outputs.data[i].node == *gather) {
      return NULL;
    }
  }
  return sum;
}

bool pass_fold(const Graph *g, Fold *out)
{
  for (int i = 0; i < g->fits.n; i++) {
    const Fitted *f = &g->fits.data[i];
    const Node *ids = f->folds ? input_of(g, f->results[0]) : NULL, *gather;
    const Node *sum = ids && !input_of(g, f->results[1]) ? only_sum(g, ids, &gather) : NULL;
    if (sum) {
      *out = (Fold){sum, i, gather->leaf};
      return true;
    }
  }
  return false;
}
