/* like.c: the same op with other operands, which is how passes copy.
 *
 * One idea: an operand that lost an axis is constant along it, and everything downstream broadcasts. So
 * pointwise ops just get smaller; what names an axis that is gone is dropped or, where how often
 * something is counted depends on it, made up for by the axis' size. */

#include "build.h"
#include "ops.h"

#include <assert.h>

static bool has_batch(const Graph *g, Type t)
{
  for (int i = 0; i < t.n; i++) {
    if (g->axes.data[t.axis[i]].kind == AXIS_BATCH) {
      return true;
    }
  }
  return false;
}

/* A ragged value without B is defined up to the maximum extent. Before it is reduced in place of one
 * that was there only up to each sample's length, it needs B again: times a 1 that exists for as long as
 * the sample's list. */
static Node *within_lengths(Graph *g, Node *x)
{
  for (int i = 0; i < x->type.n; i++) {
    if (g->axes.data[x->type.axis[i]].kind == AXIS_RAGGED) {
      Node *index = build_index(g, x->type.axis[i]);
      return build_op2(g, OP_MUL, x, build_op2(g, OP_LE, build_const(g, 0), index));
    }
  }
  return x;
}

static bool counts_samples(const Graph *g, int naxes, const short *axes)
{
  for (int i = 0; i < naxes; i++) {
    if (g->axes.data[axes[i]].kind != AXIS_PLAIN) {
      return true;
    }
  }
  return false;
}

Node *build_reduce_wide(Graph *g, Op op, Node *x, Type wide, int naxes, const short *axes)
{
  bool samples = has_batch(g, wide);
  if (samples && !has_batch(g, x->type) && counts_samples(g, naxes, axes)) {
    x = within_lengths(g, x);
  }
  for (int i = 0; op == OP_SUM && samples && i < naxes; i++) {
    if (!type_has(x->type, axes[i]) && g->axes.data[axes[i]].kind == AXIS_RAGGED) {
      x = build_op2(g, OP_MUL, x, build_size(g, axes[i]));
    }
  }
  short present[MAX_AXES];
  int npresent = 0;
  for (int i = 0; i < naxes; i++) {
    if (type_has(x->type, axes[i])) {
      present[npresent++] = axes[i];
    }
  }
  Type summed = x->type;
  if (npresent > 0) {
    x = build_reduce(g, op, x, npresent, present);
  }
  for (int i = 0; op == OP_SUM && i < naxes; i++) {
    const Axis *axis = &g->axes.data[axes[i]];
    if (type_has(summed, axes[i]) || (samples && axis->kind == AXIS_RAGGED)) {
      continue;
    }
    Node *size =
      axis->kind == AXIS_BATCH ? build_size(g, axes[i]) : build_const(g, (double)axis->extent);
    x = build_op2(g, OP_MUL, x, size);
  }
  return x;
}

static Node *rename_like(Graph *g, const Node *old, Node *x)
{
  short pairs[2 * MAX_AXES];
  int npairs = 0;
  for (int i = 0; i + 1 < old->naxes; i += 2) {
    if (type_has(x->type, old->axes[i])) {
      pairs[2 * npairs] = old->axes[i];
      pairs[2 * npairs + 1] = old->axes[i + 1];
      npairs++;
    }
  }
  return npairs > 0 ? build_rename(g, x, npairs, pairs) : x;
}

static Node *same_op(Graph *g, const Node *old, Node *const *in)
{
  if (op_rows[old->op].class == CLASS_REDUCE) {
    return build_reduce_wide(g, old->op, in[0], old->in[0]->type, old->naxes, old->axes);
  }
  if (old->op == OP_RENAME) {
    return rename_like(g, old, in[0]);
  }
  if (old->op == OP_SLICE && !type_has(in[0]->type, old->axes[0])) {
    return in[0];
  }
  if (old->op == OP_TRIANGLE && !type_has(in[0]->type, old->axes[0]) &&
      !type_has(in[0]->type, old->axes[1])) {
    return in[0];
  }
  return build_copy(g, old, in);
}

Node *build_like(Graph *g, const Node *old, Node *const *in)
{
  int before = g->nodes.n;
  Node *n = same_op(g, old, in);
  for (int i = before; i < g->nodes.n; i++) {
    g->nodes.data[i]->loc = old->loc;
  }
  if (n->id >= before) {
    n->name = old->name;
  }
  return n;
}
