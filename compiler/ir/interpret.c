/* interpret.c: values of nodes, see interpret.h.
 *
 * One idea: every op is a loop over the positions of its result (or, reducing, of its operand), which
 * stand in Interp.at by axis; an operand is read at the same position, whatever subset of the axes it
 * has. That is all that broadcasting is. */

#include "interpret.h"
#include "build.h"
#include "ops.h"
#include "../../runtime/rank_random.h"

#include <assert.h>
#include <math.h>

static Tensor *tensor_new(Interp *ip, Type t)
{
  Tensor *x = ARENA_NEW(ip->arena, Tensor);
  x->n = t.n;
  x->count = 1;
  for (int i = 0; i < t.n; i++) {
    x->shape[i] = ip->extent[t.axis[i]];
    x->count *= x->shape[i];
  }
  x->data = ARENA_ARRAY(ip->arena, double, x->count);
  return x;
}

static long offset_at(const Interp *ip, Type t, const long *at)
{
  long offset = 0;
  for (int i = 0; i < t.n; i++) {
    offset = offset * ip->extent[t.axis[i]] + at[t.axis[i]];
  }
  return offset;
}

static double read_at(Interp *ip, const Node *n, const long *at)
{
  return interpret_node(ip, n)->data[offset_at(ip, n->type, at)];
}

/* The sample a position belongs to: where B is, or else the first other batch axis; -1: none. */
static int sample_axis(const Interp *ip, Type t)
{
  int found = -1;
  for (int i = t.n - 1; i >= 0; i--) {
    if (ip->g->axes.data[t.axis[i]].kind == AXIS_BATCH) {
      found = t.axis[i];
    }
  }
  return type_has(t, AXIS_B) ? AXIS_B : found;
}

static long length_at(const Interp *ip, int axis, int sample)
{
  return ip->batch.length[axis_root(ip->g, axis)][ip->at[sample]];
}

static bool exists(const Interp *ip, Type t)
{
  int sample = sample_axis(ip, t);
  for (int i = 0; sample >= 0 && i < t.n; i++) {
    int axis = t.axis[i];
    if (ip->g->axes.data[axis].kind == AXIS_RAGGED && ip->at[axis] >= length_at(ip, axis, sample)) {
      return false;
    }
  }
  return true;
}

/* Where a loop along an axis ends: a ragged one at the length that the sample, further out in the type,
 * has there. */
static long end_of(const Interp *ip, Type t, int axis)
{
  if (ip->g->axes.data[axis].kind != AXIS_RAGGED) {
    return ip->extent[axis];
  }
  int sample = sample_axis(ip, t);
  return sample < 0 ? ip->extent[axis] : length_at(ip, axis, sample);
}

/* Moves on by one position, which may not exist. Returns which axis moved, as an index into t; the ones
 * further in are back at 0; -1: that was the last. */
static int step(Interp *ip, Type t)
{
  int i = t.n - 1;
  while (i >= 0 && ++ip->at[t.axis[i]] >= end_of(ip, t, t.axis[i])) {
    ip->at[t.axis[i--]] = 0;
  }
  return i;
}

/* for (bool more = first(ip, t); more; more = next(ip, t)): all positions of t that exist. */
static bool first(Interp *ip, Type t)
{
  for (int i = 0; i < t.n; i++) {
    ip->at[t.axis[i]] = 0;
    if (ip->extent[t.axis[i]] == 0) {
      return false;
    }
  }
  bool more = true;
  while (more && !exists(ip, t)) {
    more = step(ip, t) >= 0;
  }
  return more;
}

static bool next(Interp *ip, Type t)
{
  int moved = step(ip, t);
  if (moved >= 0 && ip->g->axes.data[t.axis[moved]].kind == AXIS_PLAIN) {
    return true; /* what exists along ragged axes has not changed */
  }
  while (moved >= 0 && !exists(ip, t)) {
    moved = step(ip, t);
  }
  return moved >= 0;
}

static bool is_whole(double x)
{
  return x == rint(x) && fabs(x) < 0x1p53;
}

/* x, or a neighbour of it. Nothing is nothing: where it is what rounding left, its operands have moved. */
static double jittered(Interp *ip, double x)
{
  if (x == 0 || !isfinite(x)) {
    return x;
  }
  ip->jitter = ip->jitter * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
  unsigned choice = (unsigned)(ip->jitter >> 40) % 3;
  return choice == 0 ? x : nextafter(x, choice == 1 ? HUGE_VAL : -HUGE_VAL);
}

void interpret_jitter(Interp *ip, uint64_t seed)
{
  ip->jitter = seed * 0x9e3779b97f4a7c15u;
}

double interpret_add(Interp *ip, double x, double y)
{
  bool exact = ip->jitter == 0 || (is_whole(x) && is_whole(y));
  return exact ? x + y : jittered(ip, x + y);
}

static double apply_at(Interp *ip, const Node *n)
{
  double x[3] = {0};
  bool whole = true;
  for (int i = 0; i < n->nin; i++) {
    x[i] = read_at(ip, n->in[i], ip->at);
    whole &= is_whole(x[i]);
  }
  double y = op_apply(n->op, x);
  bool exact = ip->jitter == 0 || !op_rounds(n->op) || (whole && is_whole(y));
  return exact ? y : jittered(ip, y);
}

/* What is reduced need not be stored: the product under a sum may be far larger than its factors. */
static double reduced_at(Interp *ip, const Node *x)
{
  bool compute = op_pointwise(x->op) && !ip->value[x->id];
  return compute ? apply_at(ip, x) : read_at(ip, x, ip->at);
}

static void reduce(Interp *ip, const Node *n, Tensor *y)
{
  const Node *x = n->in[0];
  bool sum = n->op == OP_SUM;
  for (bool more = !sum && first(ip, n->type); more; more = next(ip, n->type)) {
    y->data[offset_at(ip, n->type, ip->at)] = -(double)INFINITY;
  }
  for (bool more = first(ip, x->type); more; more = next(ip, x->type)) {
    double *to = &y->data[offset_at(ip, n->type, ip->at)];
    double value = reduced_at(ip, x);
    *to = sum ? interpret_add(ip, *to, value) : value > *to || isnan(value) ? value : *to;
  }
}

static const double *row_at(Interp *ip, const Node *n, const Node *ids)
{
  double id = read_at(ip, ids, ip->at);
  if (!(id >= 0 && id < (double)ip->rows[n->leaf])) {
    return NULL;
  }
  const Param *param = &ip->g->params.data[n->leaf];
  return ip->params[n->leaf] + (long)id * interpret_width(ip->g, param) +
         offset_at(ip, param->type, ip->at);
}

static void scatter(Interp *ip, const Node *n, Tensor *y)
{
  for (int i = 0; i < n->nin; i += 2) {
    bool fits;
    Type all = type_union(ip->g, n->in[i]->type, ip->g->params.data[n->leaf].type, &fits);
    assert(fits);
    for (bool more = first(ip, all); more; more = next(ip, all)) {
      const double *row = row_at(ip, n, n->in[i]);
      if (row) {
        double *to = &y->data[row - ip->params[n->leaf]];
        *to = interpret_add(ip, *to, read_at(ip, n->in[i + 1], ip->at));
      }
    }
  }
}

/* The axes, outermost first, at position p of them flattened; and back. */
static void split(const Interp *ip, long p, int n, const short *axes, long *at)
{
  for (int i = n - 1; i >= 0; i--) {
    at[axes[i]] = p % ip->extent[axes[i]];
    p /= ip->extent[axes[i]];
  }
}

static long flatten(const Interp *ip, int n, const short *axes, const long *at)
{
  long p = 0;
  for (int i = 0; i < n; i++) {
    p = p * ip->extent[axes[i]] + at[axes[i]];
  }
  return p;
}

static long product(const Interp *ip, int n, const short *axes)
{
  long p = 1;
  for (int i = 0; i < n; i++) {
    p *= ip->extent[axes[i]];
  }
  return p;
}

static const Node *moved_concat(Interp *ip, const Node *n, long *at)
{
  long p = ip->at[n->axes[0]];
  const short *joined = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    long extent = product(ip, joined[0], joined + 1);
    if (p < extent) {
      split(ip, p, joined[0], joined + 1, at);
      return n->in[i];
    }
    p -= extent;
    joined += 1 + joined[0];
  }
  return NULL;
}

/* P counts (1,0) (2,0) (2,1) (3,0) ...: the pairs before row f are f (f - 1) / 2. */
static void split_pair(long p, long *f, long *h)
{
  long row = 1;
  while (row * (row + 1) / 2 <= p) {
    row++;
  }
  *f = row;
  *h = p - row * (row - 1) / 2;
}

/* Ops that only move data: the operand and, in at[], where in it the value at Interp.at comes from.
 * NULL: from nowhere, it is 0. */
static const Node *moved_from(Interp *ip, const Node *n, long *at)
{
  const short *axes = n->axes;
  switch ((int)n->op) {
  case OP_RENAME:
    for (int i = 0; i < n->naxes; i += 2) {
      at[axes[i]] = ip->at[axes[i + 1]];
    }
    return n->in[0];
  case OP_CONCAT:
    return moved_concat(ip, n, at);
  case OP_SLICE:
    at[axes[0]] = n->offset + flatten(ip, n->naxes - 1, axes + 1, ip->at);
    return n->in[0];
  case OP_PAD: {
    long p = ip->at[axes[0]] - n->offset;
    if (p < 0 || p >= product(ip, n->naxes - 1, axes + 1)) {
      return NULL;
    }
    split(ip, p, n->naxes - 1, axes + 1, at);
    return n->in[0];
  }
  case OP_TRIANGLE:
    split_pair(ip->at[axes[2]], &at[axes[0]], &at[axes[1]]);
    return n->in[0];
  default: { /* UNTRIANGLE */
    long f = ip->at[axes[1]], h = ip->at[axes[2]];
    at[axes[0]] = f * (f - 1) / 2 + h;
    return f > h ? n->in[0] : NULL;
  }
  }
}

static double moved(Interp *ip, const Node *n, long *at)
{
  for (int i = 0; i < n->type.n; i++) {
    at[n->type.axis[i]] = ip->at[n->type.axis[i]];
  }
  const Node *from = moved_from(ip, n, at);
  return from ? read_at(ip, from, at) : 0;
}

/* A number for each sample; along more batch axes, for each of that sample's pairs. */
static double random_at(Interp *ip, const Node *n)
{
  long element = 0, size = 1;
  int sample = sample_axis(ip, n->type);
  for (int batch = 0; batch < 2; batch++) {
    for (int i = n->type.n - 1; i >= 0; i--) {
      int axis = n->type.axis[i];
      if (axis != sample && (ip->g->axes.data[axis].kind == AXIS_BATCH) == batch) {
        element += ip->at[axis] * size;
        size *= batch ? ip->batch.n : ip->extent[axis];
      }
    }
  }
  return rank_random(ip->seed, ip->step, (uint32_t)n->leaf,
    sample < 0 ? 0 : (uint64_t)ip->at[sample], (uint64_t)element);
}

static double leaf_at(Interp *ip, const Node *n)
{
  switch ((int)n->op) {
  case OP_CONST:
    return n->value;
  case OP_INPUT:
    return ip->batch.input[n->leaf][offset_at(ip, n->type, ip->at)];
  case OP_PARAM:
    return ip->params[n->leaf][offset_at(ip, n->type, ip->at)];
  case OP_INDEX:
    return (double)ip->at[n->axes[0]];
  case OP_SIZE:
    return n->type.n == 0 ? (double)ip->batch.n : (double)length_at(ip, n->axes[0], AXIS_B);
  case OP_RANDOM:
    return random_at(ip, n);
  case OP_TRAINING:
    return ip->training;
  default:
    assert(0 && "a variable of an optimizer's text has no value in a batch");
    return 0;
  }
}

static double value_at(Interp *ip, const Node *n, long *at)
{
  if (op_rows[n->op].class == CLASS_LEAF) {
    return leaf_at(ip, n);
  }
  if (op_pointwise(n->op)) {
    return apply_at(ip, n);
  }
  if (n->op == OP_GATHER) {
    const double *row = row_at(ip, n, n->in[0]);
    return row ? *row : (double)NAN;
  }
  if (n->op == OP_ORDER) {
    return read_at(ip, n->in[0], ip->at);
  }
  return moved(ip, n, at);
}

/* Operands first: computing one moves Interp.at. Those of what is reduced instead of it; but where the largest
 * of numbers that are rounded at random was is asked later, and computed again they would be others. */
static void compute_operands(Interp *ip, const Node *n)
{
  bool again = n->op == OP_SUM || (op_rows[n->op].class == CLASS_REDUCE && ip->jitter == 0);
  for (int i = 0; i < n->nin; i++) {
    const Node *x = n->in[i];
    if (again && op_pointwise(x->op)) {
      compute_operands(ip, x);
    } else {
      interpret_node(ip, x);
    }
  }
}

const Tensor *interpret_node(Interp *ip, const Node *n)
{
  assert(ip->g->nodes.data[n->id] == n);
  if (ip->value[n->id]) {
    return ip->value[n->id];
  }
  compute_operands(ip, n);
  Tensor *y = tensor_new(ip, n->type);
  if (n->op == OP_SCATTER) {
    long rows = ip->rows[n->leaf];
    *y = (Tensor){.n = n->type.n + 1, .count = rows * y->count};
    y->shape[0] = rows;
    for (int i = 0; i < n->type.n; i++) {
      y->shape[i + 1] = ip->extent[n->type.axis[i]];
    }
    y->data = ARENA_ARRAY(ip->arena, double, y->count);
    scatter(ip, n, y);
  } else if (op_rows[n->op].class == CLASS_REDUCE) {
    reduce(ip, n, y);
  } else {
    Arena scratch = *ip->arena;
    long *at = ARENA_ARRAY(&scratch, long, ip->g->axes.n);
    for (bool more = first(ip, n->type); more; more = next(ip, n->type)) {
      y->data[offset_at(ip, n->type, ip->at)] = value_at(ip, n, at);
    }
  }
  ip->value[n->id] = y;
  return y;
}

Interp *interpret_new(Arena *a, const Graph *g, const InterpretBatch *batch,
  const double *const *params, const long *rows, uint64_t seed, uint64_t step, bool training)
{
  Interp *ip = ARENA_NEW(a, Interp);
  *ip = (Interp){.arena = a,
    .g = g,
    .batch = *batch,
    .params = params,
    .rows = rows,
    .seed = seed,
    .step = step,
    .training = training};
  ip->value = ARENA_ARRAY(a, Tensor *, g->nodes.n);
  ip->at = ARENA_ARRAY(a, long, g->axes.n);
  ip->extent = ARENA_ARRAY(a, long, g->axes.n);
  for (int i = 0; i < g->axes.n; i++) {
    const Axis *axis = &g->axes.data[i];
    ip->extent[i] = axis->kind == AXIS_BATCH ? batch->n : axis->extent;
  }
  return ip;
}

const Tensor *interpret_grad(Interp *ip, const Grad *grad)
{
  const Tensor *value = interpret_node(ip, grad->node);
  Type t = ip->g->params.data[grad->param].type;
  if (grad->node->op == OP_SCATTER) {
    return value;
  }
  Tensor *wide = tensor_new(ip, t);
  bool some = ip->batch.n > 0; /* the loss of an empty batch is the number 0 */
  for (bool more = some && first(ip, t); more; more = next(ip, t)) {
    wide->data[offset_at(ip, t, ip->at)] = read_at(ip, grad->node, ip->at);
  }
  return wide;
}
