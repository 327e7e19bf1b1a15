/* broad.c: see broad.h.
 *
 * What needs care is ragged axes. `full` with both L and B has, for each sample, its own positions of L;
 * a value that lacks one of the two cannot be summed over the other as it stands: f[L] summed over L
 * must stop at each sample's length, f[B] summed over B must count, for each position, only the samples
 * that are long enough. Multiplying by mask(L), which is 1 wherever a position exists and has both axes,
 * says exactly that. */

#include "broad.h"
#include "empty.h"

#include <math.h>

long axes_extent(const Graph *g, int n, const short *axes)
{
  long product = 1;
  for (int i = 0; i < n; i++) {
    product *= g->axes.data[axes[i]].extent;
  }
  return product;
}

int concat_piece(const Graph *g, const Node *concat, int i, const short **axes, long *offset)
{
  const short *at = concat->axes + 1;
  *offset = 0;
  for (int k = 0; k < i; k++) {
    *offset += axes_extent(g, at[0], at + 1);
    at += 1 + at[0];
  }
  *axes = at + 1;
  return at[0];
}

static AxisKind kind_of(const Graph *g, int axis)
{
  return g->axes.data[axis].kind;
}

static bool listed(int axis, int n, const short *axes)
{
  for (int i = 0; i < n; i++) {
    if (axes[i] == axis) {
      return true;
    }
  }
  return false;
}

/* The batch axis whose samples give the lengths of the ragged axes in t; -1: none, they are full. */
static int batch_of(const Graph *g, Type t)
{
  if (type_has(t, AXIS_B)) {
    return AXIS_B;
  }
  for (int i = 0; i < t.n; i++) {
    if (kind_of(g, t.axis[i]) == AXIS_BATCH) {
      return t.axis[i];
    }
  }
  return -1;
}

/* How many positions `axis` has in a value of type `full`. */
static Node *size_in(Graph *g, Type full, int axis)
{
  int batch = batch_of(g, full);
  if (kind_of(g, axis) != AXIS_RAGGED) {
    return build_size(g, axis);
  }
  if (batch < 0) {
    return build_const(g, (double)g->axes.data[axis].extent);
  }
  short pair[] = {AXIS_B, (short)batch};
  Node *size = build_size(g, axis);
  return batch == AXIS_B ? size : build_rename(g, size, 1, pair);
}

/* 1 wherever `axis` has a position in a value of type `full`. */
static Node *mask(Graph *g, Type full, int axis)
{
  short pair[] = {AXIS_B, (short)batch_of(g, full)};
  Node *index = build_index(g, axis);
  if (pair[1] > AXIS_B) {
    index = build_rename(g, index, 1, pair);
  }
  return build_op2(g, OP_LE, build_const(g, 0), index);
}

/* Whether x, to be reduced over `axes`, must be spelled out along the ragged axis r of full. */
static bool must_spell(
  const Graph *g, const Node *x, Type full, int r, int naxes, const short *axes)
{
  int batch = batch_of(g, full);
  if (kind_of(g, r) != AXIS_RAGGED || batch < 0) {
    return false;
  }
  bool has = type_has(x->type, r), has_batch = type_has(x->type, batch);
  if (listed(r, naxes, axes)) {
    return has && !has_batch;
  }
  return listed(batch, naxes, axes) && !(has && has_batch);
}

bool broad_sum_spells(const Graph *g, const Node *x, Type full, int naxes, const short *axes)
{
  for (int i = 0; i < full.n; i++) {
    if (must_spell(g, x, full, full.axis[i], naxes, axes)) {
      return true;
    }
  }
  return false;
}

static Node *spell_ragged(Graph *g, Node *x, Type full, int naxes, const short *axes)
{
  for (int i = 0; i < full.n; i++) {
    if (must_spell(g, x, full, full.axis[i], naxes, axes)) {
      x = build_op2(g, OP_MUL, x, mask(g, full, full.axis[i]));
    }
  }
  return x;
}

/* Of `axes`, those x has; the result is their number. */
static int present(const Node *x, int naxes, const short *axes, short *out)
{
  int n = 0;
  for (int i = 0; i < naxes; i++) {
    if (type_has(x->type, axes[i])) {
      out[n++] = axes[i];
    }
  }
  return n;
}

/* x as often as `axis` has positions; nothing where it has none, even if x is infinite there. */
static Node *times_length(Graph *g, Node *x, Type full, int axis)
{
  Node *size = size_in(g, full, axis), *all = build_op2(g, OP_MUL, x, size);
  if (size->op == OP_CONST || !empty_blows_up(g, full, x, false, axis)) {
    return all;
  }
  Node *in[] = {build_op2(g, OP_LT, build_const(g, 0), size), all, build_const(g, 0)};
  return build_op(g, OP_WHERE, 3, in);
}

Node *broad_sum(Graph *g, Node *x, Type full, int naxes, const short *axes)
{
  double plain = 1;
  x = spell_ragged(g, x, full, naxes, axes);
  for (int i = 0; i < naxes; i++) {
    if (type_has(x->type, axes[i])) {
      continue;
    }
    if (kind_of(g, axes[i]) == AXIS_PLAIN) {
      plain *= (double)g->axes.data[axes[i]].extent;
    } else if (kind_of(g, axes[i]) == AXIS_RAGGED) {
      x = times_length(g, x, full, axes[i]); /* may bring in the batch axis */
    }
  }
  for (int i = 0; i < naxes; i++) {
    if (!type_has(x->type, axes[i]) && kind_of(g, axes[i]) == AXIS_BATCH) {
      x = build_op2(g, OP_MUL, x, build_size(g, axes[i]));
    }
  }
  if (plain > 1) {
    x = build_op2(g, OP_MUL, x, build_const(g, plain));
  }
  short some[MAX_AXES];
  int n = present(x, naxes, axes, some);
  return n ? build_reduce(g, OP_SUM, x, n, some) : x;
}

Node *broad_max(Graph *g, Node *x, Type full, int naxes, const short *axes)
{
  x = spell_ragged(g, x, full, naxes, axes);
  for (int i = 0; i < naxes; i++) {
    if (!type_has(x->type, axes[i]) && kind_of(g, axes[i]) == AXIS_RAGGED) {
      Node *some = build_op2(g, OP_LT, build_const(g, 0), size_in(g, full, axes[i]));
      Node *in[] = {some, x, build_const(g, -(double)INFINITY)};
      x = build_op(g, OP_WHERE, 3, in);
    }
  }
  short some[MAX_AXES];
  int n = present(x, naxes, axes, some);
  return n ? build_reduce(g, OP_MAX, x, n, some) : x;
}

Node *broad_rename(Graph *g, Node *x, int npairs, const short *pairs)
{
  short some[2 * MAX_AXES];
  int n = 0;
  for (int i = 0; i < npairs; i++) {
    if (type_has(x->type, pairs[2 * i]) && pairs[2 * i] != pairs[2 * i + 1]) {
      some[2 * n] = pairs[2 * i];
      some[2 * n++ + 1] = pairs[2 * i + 1];
    }
  }
  return n ? build_rename(g, x, n, some) : x;
}

Node *broad_like(Graph *g, const Node *old, Node *const *in)
{
  if (old->op == OP_SUM) {
    return broad_sum(g, in[0], old->in[0]->type, old->naxes, old->axes);
  }
  if (old->op == OP_MAX) {
    return broad_max(g, in[0], old->in[0]->type, old->naxes, old->axes);
  }
  if (old->op == OP_RENAME) {
    return broad_rename(g, in[0], old->naxes / 2, old->axes);
  }
  return build_like(g, old, in);
}
