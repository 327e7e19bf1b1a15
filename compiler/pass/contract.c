/* contract.c: which sums of products are matrix products, and what can be done to their result before it
 * is stored.
 *
 * There is no matmul in the language: `sum[K](w * x)` is one. It has a kernel when one operand (b) has
 * the result's last axis with stride 1, or may be packed so, and every other axis is either summed in
 * both operands (k), in the other operand only (m), or in both and not summed (a loop around the
 * kernel). Two forms run over all rows of a tile at once ("flat"): weights against rows, and rows
 * against rows summed over the batch, which is how weights get their gradients. Two more run in a sweep,
 * the tile's samples against a block of others (op by op: all others): each with each, and sums over these
 * of what was made of that. */

#include "plan.h"

#include "../ir/ops.h"

enum { LEAST_N = 8, WIDEST = 16 }; /* from here on rows are padded to whole vectors */

typedef struct Try {
  const Plan *p;
  const Node *sum, *a, *b;
  Contract *c;
} Try;

static bool summed(const Node *sum, int axis)
{
  for (int i = 0; i < sum->naxes; i++) {
    if (sum->axes[i] == axis) {
      return true;
    }
  }
  return false;
}

static AxisKind kind_of(const Plan *p, int axis)
{
  return p->g->axes.data[axis].kind;
}

/* How many numbers lie between two elements that differ by one in `axis`; row axes: the row's width. */
static long stride_of(const Plan *p, const Node *n, int axis)
{
  long stride = 0;
  plan_affine(p, n, axis, &stride);
  return stride;
}

/* Do the axes (outermost first) run through memory like one? The innermost stride is theirs. */
static bool one_stride(const Plan *p, const Node *n, int count, const short *axes)
{
  for (int i = 0; i + 1 < count; i++) {
    long inner = stride_of(p, n, axes[i + 1]);
    if (stride_of(p, n, axes[i]) != inner * axis_extent(p->g, axes[i + 1]) ||
        kind_of(p, axes[i + 1]) != AXIS_PLAIN) {
      return false;
    }
  }
  return true;
}

/* The ragged axis by whose rows a node's values lie, as its root; -1: by sample, -2: no rows. */
static int row_space(const Plan *p, const Node *n)
{
  if (!type_has(n->type, AXIS_B)) {
    return -2;
  }
  int ragged = -1;
  for (int i = 0; i < n->type.n; i++) {
    if (kind_of(p, n->type.axis[i]) == AXIS_RAGGED) {
      if (ragged >= 0) {
        return -3; /* two: not a plain list of rows */
      }
      ragged = axis_root(p->g, n->type.axis[i]);
    }
  }
  return ragged;
}

static bool has_across(const Plan *p, const Node *n)
{
  for (int i = 0; i < n->type.n; i++) {
    if (n->type.axis[i] != AXIS_B && kind_of(p, n->type.axis[i]) == AXIS_BATCH) {
      return true;
    }
  }
  return false;
}

static bool plain_or_row(const Plan *p, int axis)
{
  return kind_of(p, axis) == AXIS_PLAIN;
}

/* Sorts the axes of a and of the sum into m and k; false when one fits nowhere. */
static bool sort_axes(Try *t, bool flat)
{
  Contract *c = t->c;
  c->nm = c->nk = 0;
  for (int i = 0; i < t->a->type.n; i++) {
    int axis = t->a->type.axis[i];
    bool row = flat && (axis == AXIS_B || kind_of(t->p, axis) == AXIS_RAGGED);
    bool in_b = type_has(t->b->type, axis);
    if (summed(t->sum, axis)) {
      if (!in_b) {
        return false;
      }
      if (!row) {
        c->k[c->nk++] = (short)axis;
      }
    } else if (!in_b && !row) {
      c->m[c->nm++] = (short)axis;
    } else if (in_b && axis != AXIS_B) {
      return false; /* loops around a kernel are left to plain nests */
    }
  }
  return true;
}

/* b's own axes beside k: the vector axis alone, or, when a pack can lay them out so, all the axes that the
 * result ends with, in its order. */
static bool sort_n(Try *t, bool may_pack)
{
  const Node *sum = t->sum;
  int last = sum->type.n > 0 ? sum->type.axis[sum->type.n - 1] : -1;
  if (last < 0 || kind_of(t->p, last) != AXIS_PLAIN || !type_has(t->b->type, last) ||
      type_has(t->a->type, last)) {
    return false;
  }
  t->c->n = last;
  int own = 0;
  for (int i = 0; i < t->b->type.n; i++) {
    int axis = t->b->type.axis[i];
    own += axis != AXIS_B && !summed(sum, axis) && !type_has(t->a->type, axis);
    if (summed(sum, axis) && !type_has(t->a->type, axis)) {
      return false;
    }
  }
  long extent = 1;
  for (int i = 0; i < own; i++) { /* the tail of the result, in order */
    int axis = sum->type.n > i ? sum->type.axis[sum->type.n - 1 - i] : -1;
    if (axis < 0 || kind_of(t->p, axis) != AXIS_PLAIN || !type_has(t->b->type, axis) ||
        type_has(t->a->type, axis)) {
      return false;
    }
    extent *= axis_extent(t->p->g, axis);
  }
  t->c->nn = own;
  if (extent < LEAST_N || (own > 1 && !may_pack)) {
    return false;
  }
  if (axis_extent(t->p->g, last) < LEAST_N && t->p->value[sum->id].layout.width % WIDEST != 0) {
    return false; /* rows without room for whole vectors */
  }
  long stride = stride_of(t->p, t->b, last);
  return own > 1 || stride == 1 || may_pack;
}

static bool weights_times_rows(Try *t)
{
  const Plan *p = t->p;
  if (p->value[t->b->id].scope != SCOPE_TOTAL || p->value[t->a->id].scope != SCOPE_SAMPLE ||
      summed(t->sum, AXIS_B) || row_space(p, t->a) < -1 || has_across(p, t->a)) {
    return false;
  }
  for (int i = 0; i < t->b->type.n; i++) {
    if (!plain_or_row(p, t->b->type.axis[i])) {
      return false;
    }
  }
  for (int i = 0; i < t->sum->naxes; i++) {
    if (kind_of(p, t->sum->axes[i]) != AXIS_PLAIN) {
      return false;
    }
  }
  if (!sort_n(t, true) || !sort_axes(t, true)) {
    return false;
  }
  Contract *c = t->c;
  c->rows_m = true;
  short rows[MAX_AXES + 1];
  int n = 0;
  int space = row_space(p, t->a);
  rows[n++] = AXIS_B;
  for (int i = 0; space >= 0 && i < t->a->type.n; i++) {
    if (kind_of(p, t->a->type.axis[i]) == AXIS_RAGGED) {
      rows[0] = t->a->type.axis[i];
    }
  }
  for (int i = 0; i < c->nm; i++) {
    rows[n++] = c->m[i];
  }
  bool needs_pack = c->nn > 1 || stride_of(p, t->b, c->n) != 1 || c->nk > 1;
  return one_stride(p, t->a, n, rows) && one_stride(p, t->sum, n, rows) &&
         one_stride(p, t->a, c->nk, c->k) && (c->nk > 0) && (c->nk == 1 || needs_pack);
}

static bool rows_times_rows(Try *t)
{
  const Plan *p = t->p;
  if (!summed(t->sum, AXIS_B) || p->value[t->a->id].scope != SCOPE_SAMPLE ||
      p->value[t->b->id].scope != SCOPE_SAMPLE || has_across(p, t->a) || has_across(p, t->b)) {
    return false;
  }
  int space = row_space(p, t->a);
  if (space < -1 || space != row_space(p, t->b) || !sort_n(t, false) || !sort_axes(t, true)) {
    return false;
  }
  Contract *c = t->c;
  c->rows_k = true;
  short rows[MAX_AXES + 1];
  int n = 0;
  rows[n++] = AXIS_B;
  for (int i = 0; i < t->a->type.n; i++) {
    int axis = t->a->type.axis[i];
    if (kind_of(p, axis) == AXIS_RAGGED) {
      if (!summed(t->sum, axis)) {
        return false;
      }
      rows[0] = (short)axis;
    }
  }
  for (int i = 0; i < c->nk; i++) {
    rows[n++] = c->k[i];
  }
  return c->nm > 0 && one_stride(p, t->a, n, rows) && one_stride(p, t->b, n, rows) &&
         one_stride(p, t->a, c->nm, c->m) && one_stride(p, t->sum, c->nm, c->m);
}

/* Within one sample: any mixture of its own values and totals. Ragged axes have its length. */
static bool within_sample(Try *t)
{
  const Plan *p = t->p;
  if (summed(t->sum, AXIS_B) || !type_has(t->sum->type, AXIS_B) ||
      p->value[t->b->id].scope == SCOPE_ACROSS || has_across(p, t->a) || has_across(p, t->b) ||
      !sort_n(t, false)) {
    return false;
  }
  if (!sort_axes(t, false)) {
    return false;
  }
  Contract *c = t->c;
  int m = 0; /* B is a turn of the loop, not an axis of the product */
  for (int i = 0; i < c->nm; i++) {
    if (c->m[i] != AXIS_B) {
      c->m[m++] = c->m[i];
    }
  }
  c->nm = m;
  return c->nk > 0 && c->nk <= 1 && one_stride(p, t->a, c->nm, c->m) &&
         one_stride(p, t->sum, c->nm, c->m);
}

/* ---- b is a view of other samples: in a sweep, or op by op all of them at once ---- */

/* Op by op, OpenBLAS reads both where they are: the summed axes have to lie in memory as a row. */
static bool reads_columns(const Plan *p, const Node *n, int count, const short *axes)
{
  return p->columns > 0 ||
         (p->padded && one_stride(p, n, count, axes) && stride_of(p, n, axes[count - 1]) == 1);
}

static bool is_real(const Node *n)
{
  return n->type.kind != KIND_ID;
}

/* The one axis beside B that is of this kind; -1: there are other axes too, or no B. */
static int beside_batch(const Plan *p, Type t, AxisKind kind)
{
  int axis = t.n == 2 && type_has(t, AXIS_B) ? t.axis[t.axis[0] == AXIS_B] : -1;
  return axis >= 0 && kind_of(p, axis) == kind ? axis : -1;
}

/* Every sample's vector with every other's. */
static bool rows_times_columns(Try *t)
{
  const Plan *p = t->p;
  Contract *c = t->c;
  if (p->value[t->a->id].scope != SCOPE_SAMPLE || has_across(p, t->a) ||
      p->value[t->b->id].scope != SCOPE_ACROSS || beside_batch(p, t->sum->type, AXIS_BATCH) < 0 ||
      t->a->type.n != t->sum->naxes + 1 || t->b->type.n != t->sum->naxes + 1) {
    return false;
  }
  for (int i = 0; i < t->a->type.n; i++) {
    int axis = t->a->type.axis[i];
    if (axis != AXIS_B && (!summed(t->sum, axis) || kind_of(p, axis) != AXIS_PLAIN)) {
      return false;
    }
    if (axis != AXIS_B) {
      c->k[c->nk++] = (short)axis;
    }
  }
  c->n = beside_batch(p, t->sum->type, AXIS_BATCH);
  c->nn = 1;
  c->cols_n = true;
  return type_has(t->a->type, AXIS_B) && c->nk > 0 && one_stride(p, t->a, c->nk, c->k) &&
         reads_columns(p, t->a, c->nk, c->k) && reads_columns(p, t->b, c->nk, c->k);
}

/* Every sample's sum of the others' vectors, weighed by what was made of both. */
static bool pairs_times_columns(Try *t)
{
  const Plan *p = t->p;
  Contract *c = t->c;
  int columns = beside_batch(p, t->a->type, AXIS_BATCH);
  int vector = beside_batch(p, t->sum->type, AXIS_PLAIN);
  bool whole = p->padded && plan_source(t->a) == t->a; /* not transposed */
  if ((p->columns == 0 && !whole) || t->sum->naxes != 1 || columns != t->sum->axes[0] ||
      vector < 0 || p->value[t->b->id].scope != SCOPE_ACROSS || t->b->type.n != 2 ||
      !type_has(t->b->type, vector)) {
    return false;
  }
  c->n = vector;
  c->nn = c->nk = 1;
  c->k[0] = t->sum->axes[0];
  c->cols_k = true;
  return axis_extent(p->g, c->n) >= LEAST_N && stride_of(p, t->b, c->n) == 1;
}

bool plan_contract(const Plan *p, const Node *sum, Contract *c)
{
  const Node *product = sum->in[0];
  if (sum->op != OP_SUM || product->op != OP_MUL || p->value[product->id].uses != 1) {
    return false;
  }
  for (int i = 0; i < 2; i++) {
    *c = (Contract){.a = product->in[i], .b = product->in[1 - i], .pack = -1};
    Try t = {p, sum, c->a, c->b, c};
    if (!is_real(c->a) || !is_real(c->b)) {
      return false;
    }
    if (rows_times_columns(&t) || pairs_times_columns(&t)) {
      return true;
    }
    *c = (Contract){.a = product->in[i], .b = product->in[1 - i], .pack = -1};
    if (weights_times_rows(&t) || rows_times_rows(&t)) {
      return true;
    }
    *c = (Contract){.a = product->in[i], .b = product->in[1 - i], .pack = -1};
    if (within_sample(&t)) {
      return true;
    }
  }
  return false;
}
