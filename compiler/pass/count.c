/* count.c: see count.h.
 *
 * A pointwise operation counts what its row of the op table says, for each element of its own type: what
 * does not vary in an inner loop is computed outside of it. A sum counts one operation per element, a
 * product of matrices two. */

#include "count.h"

#include "../ir/ops.h"

#include <math.h>
#include <string.h>

static const double ID_BYTES = 4;

typedef struct Counter {
  Arena *arena;
  const Plan *p;
  double real; /* bytes of a number */
  CountGroup *group;
  int *seen; /* by node: the statement that counted its operations, plus 1 */
  int *read; /* by node: where its bytes were counted */
  int stmt, place;
  bool padded; /* rows of lists run to their greatest length */
} Counter;

int count_dim(const Graph *g, int axis)
{
  int dim = 0, root = axis_root(g, axis);
  for (int i = 0; i < root; i++) {
    dim += g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i;
  }
  return dim < COUNT_DIMS ? dim : -1;
}

static Term term_times(const Counter *c, Term t, int axis)
{
  const Graph *g = c->p->g;
  const Axis *a = &g->axes.data[axis];
  int dim = a->kind == AXIS_RAGGED ? count_dim(g, axis) : -1;
  if (a->kind == AXIS_BATCH) {
    t.batches++;
  } else if (dim >= 0 && t.batches > 0 && !c->padded) {
    t.power[dim]++;
  } else {
    t.factor *= (double)a->extent;
  }
  return t;
}

static Term term_new(double factor)
{
  return (Term){.factor = factor, .touched = -1, .rows = -1};
}

/* factor times the number of positions of these axes; batch axes first, since lists are theirs. */
static Term term_axes(const Counter *c, double factor, int n, const short *axes)
{
  Term t = term_new(factor);
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < n; i++) {
      if ((c->p->g->axes.data[axes[i]].kind == AXIS_BATCH) == (pass == 0)) {
        t = term_times(c, t, axes[i]);
      }
    }
  }
  return t;
}

static bool same_sizes(const Term *x, const Term *y)
{
  return x->batches == y->batches && memcmp(x->power, y->power, sizeof x->power) == 0 &&
         x->touched == y->touched && x->rows == y->rows;
}

static void amount_add(Counter *c, Amount *to, Term t)
{
  for (int i = 0; i < to->terms.n; i++) {
    if (same_sizes(&to->terms.data[i], &t)) {
      to->terms.data[i].factor += t.factor;
      return;
    }
  }
  if (t.factor != 0) {
    *VEC_PUSH(c->arena, &to->terms) = t;
  }
}

static void add_flops(Counter *c, double each, Type type)
{
  amount_add(c, &c->group->flops, term_axes(c, each, type.n, type.axis));
}

static void add_bytes(Counter *c, double each, Type type)
{
  amount_add(c, &c->group->bytes, term_axes(c, each, type.n, type.axis));
}

/* ---- bytes ---- */

static double bytes_each(const Counter *c, const Node *n)
{
  return n->type.kind == KIND_ID ? ID_BYTES : c->real;
}

/* Reading what is behind `n`: once for what runs while it is in the cache. */
static void read_bytes(Counter *c, const Node *n)
{
  Place place = c->p->value[n->id].place;
  if (c->read[n->id] == c->place) {
    return;
  }
  c->read[n->id] = c->place;
  if (n->op == OP_PARAM || n->op == OP_INPUT || n->op == OP_GATHER || place == PLACE_BATCH) {
    bool padded = c->padded;
    c->padded = c->p->padded && place == PLACE_BATCH && n->op != OP_GATHER;
    add_bytes(c, bytes_each(c, n), n->type);
    c->padded = padded;
  }
}

/* ---- operations ---- */

static bool in_memory(const Counter *c, const Node *n)
{
  return n->op == OP_PARAM || n->op == OP_INPUT || plan_stored(c->p, n);
}

/* What evaluating n takes, and reading what it is computed from; `n` itself is not in memory yet. */
static void count_expr(Counter *c, const Node *n, bool top)
{
  if (!top && in_memory(c, n)) {
    read_bytes(c, n);
    return;
  }
  if (c->seen[n->id] == c->stmt) {
    return;
  }
  c->seen[n->id] = c->stmt;
  if (n->op == OP_GATHER) {
    c->read[n->id] = 0; /* the table's rows, even where the value is kept */
    read_bytes(c, n);
  }
  if (op_pointwise(n->op)) {
    add_flops(c, op_rows[n->op].cost, n->type);
  }
  for (int i = 0; i < n->nin; i++) {
    count_expr(c, n->in[i], false);
  }
}

static Term reduced_term(const Counter *c, double factor, const Node *n)
{
  short axes[2 * MAX_AXES];
  int count = 0;
  for (int i = 0; i < n->type.n; i++) {
    axes[count++] = n->type.axis[i];
  }
  for (int i = 0; i < n->naxes; i++) {
    axes[count++] = n->axes[i];
  }
  return term_axes(c, factor, count, axes);
}

static void count_written(Counter *c, const Node *n)
{
  c->padded = c->p->padded;
  if (c->p->value[n->id].place == PLACE_BATCH) {
    add_bytes(c, c->real, n->type);
  }
  c->padded = false;
}

static void count_contract(Counter *c, const Stmt *s)
{
  c->padded = c->p->padded && s->flat;
  amount_add(c, &c->group->flops, reduced_term(c, 2, s->node));
  c->padded = false;
  read_bytes(c, plan_source(s->contract.a));
  read_bytes(c, plan_source(s->contract.b));
  c->seen[s->node->id] = c->stmt; /* the epilogue starts from it */
  c->read[s->node->id] = c->place;
  if (s->store != s->node) {
    count_expr(c, s->store, true);
  }
  for (int i = 0; i < s->nsums; i++) {
    amount_add(c, &c->group->flops, reduced_term(c, 1, s->sums[i]));
    count_expr(c, s->sums[i]->in[0], false);
    count_written(c, s->sums[i]);
  }
}

static void count_stmt(Counter *c, int index)
{
  const Stmt *s = &c->p->stmts.data[index];
  c->stmt = index + 1;
  switch (s->kind) {
  case STMT_CONTRACT:
    count_contract(c, s);
    break;
  case STMT_REDUCE:
    amount_add(c, &c->group->flops, reduced_term(c, 1, s->node));
    count_expr(c, s->node->in[0], false);
    break;
  case STMT_ELEMENT:
  case STMT_STRUCTURE:
    count_expr(c, s->store, true);
    break;
  case STMT_OUTPUT:
    count_expr(c, s->node, false);
    add_bytes(c, c->real, s->node->type);
    return;
  case STMT_SCATTER: {
    const Node *ids = s->node->in[2 * s->index], *d = s->node->in[2 * s->index + 1];
    count_expr(c, ids, false);
    add_bytes(c, ID_BYTES, ids->type);
    if (!s->late) {
      count_expr(c, d, false);
      add_bytes(c, c->real, d->type);
    }
    return;
  }
  }
  count_written(c, s->store);
}

/* ---- beside the tiles ---- */

static void count_packs(Counter *c)
{
  for (int i = 0; i < c->p->packs.n; i++) {
    amount_add(c, &c->group->bytes, term_new(2 * c->real * (double)c->p->packs.data[i].size));
  }
}

/* Each sum is written by the tiles and read to be added up. */
static void count_sums(Counter *c)
{
  for (int i = 0; i < c->p->g->nodes.n; i++) {
    const Value *v = &c->p->value[i];
    if (v->place == PLACE_SLOT) {
      amount_add(c, &c->group->bytes, term_new(2 * c->real * (double)v->layout.width));
    }
  }
}

typedef VEC(const Node *) Nodes;

/* Operations of the optimizer's text, each node once. */
static double text_work(Arena *a, const Node *n, Nodes *seen)
{
  for (int i = 0; i < seen->n; i++) {
    if (seen->data[i] == n) {
      return 0;
    }
  }
  *VEC_PUSH(a, seen) = n;
  double work = op_pointwise(n->op) ? op_rows[n->op].cost : 0;
  for (int i = 0; i < n->nin; i++) {
    work += text_work(a, n->in[i], seen);
  }
  return work;
}

static double update_work(Arena scratch, const Optimizer *o)
{
  Nodes seen = {0};
  double work = o->new_w ? text_work(&scratch, o->new_w, &seen) : 0;
  for (int i = 0; i < o->nstates; i++) {
    work += o->new_state[i] ? text_work(&scratch, o->new_state[i], &seen) : 0;
  }
  return work;
}

/* The gradient rows that were set aside are read once more, and summed. */
static void count_rows(Counter *c, const Node *scatter)
{
  for (int i = 0; i < scatter->nin; i += 2) {
    add_bytes(c, ID_BYTES, scatter->in[i]->type);
    add_flops(c, 1, scatter->in[i + 1]->type);
    if (plan_is_late(c->p, scatter)) {
      count_expr(c, scatter->in[i + 1], false);
    } else {
      add_bytes(c, c->real, scatter->in[i + 1]->type);
    }
  }
}

static void count_update(Counter *c)
{
  const Graph *g = c->p->g;
  const Optimizer *o = &g->train.optimizer;
  double work = update_work(*c->arena, o);
  for (int i = 0; i < g->grads.n; i++) {
    int param = g->grads.data[i].param;
    const Node *grad = g->grads.data[i].node;
    const Param *p = &g->params.data[param];
    double width = 1;
    for (int j = 0; j < p->type.n; j++) {
      width *= (double)g->axes.data[p->type.axis[j]].extent;
    }
    Term t = term_new(width);
    if (grad->op == OP_SCATTER) {
      count_rows(c, grad);
    }
    if (p->table) {
      bool all = o->dense_tables || grad->op != OP_SCATTER;
      t.touched = all ? -1 : param;
      t.rows = all ? param : -1;
    }
    Term flops = t, bytes = t;
    flops.factor *= work;
    bytes.factor *= 2 * c->real * (1 + o->nstates);
    amount_add(c, &c->group->flops, flops);
    amount_add(c, &c->group->bytes, bytes);
  }
}

static void begin_group(Counter *c, Count *out, int block)
{
  c->group = VEC_PUSH(c->arena, &out->groups);
  c->group->block = block;
}

Count *count_plan(Arena *a, const Plan *p, bool f64)
{
  Count *out = ARENA_NEW(a, Count);
  Counter c = {.arena = a, .p = p, .real = f64 ? 8 : 4};
  c.seen = ARENA_ARRAY(a, int, p->g->nodes.n + 1);
  c.read = ARENA_ARRAY(a, int, p->g->nodes.n + 1);
  for (int i = 0; i < p->blocks.n; i++) {
    const Block *b = &p->blocks.data[i];
    begin_group(&c, out, i);
    c.place = p->tiles ? b->phase + 1 : i + 1; /* how long what was read stays in the cache */
    for (int j = 0; j < b->stmts.n; j++) {
      count_stmt(&c, b->stmts.data[j]);
    }
  }
  begin_group(&c, out, -1);
  c.place = p->blocks.n + p->phases + 2;
  for (int i = 0; i < p->stmts.n; i++) {
    if (p->stmts.data[i].scope != SCOPE_SAMPLE) {
      count_stmt(&c, i);
    }
  }
  count_packs(&c);
  begin_group(&c, out, -2);
  count_sums(&c);
  if (p->g->grads.n > 0) {
    count_update(&c);
  }
  return out;
}

/* Rows of the table that one sample looks up. */
static double lookups(const Graph *g, int param, double share)
{
  double sum = 0;
  for (int i = 0; i < g->grads.n; i++) {
    const Node *n = g->grads.data[i].node;
    for (int j = 0; g->grads.data[i].param == param && n->op == OP_SCATTER && j < n->nin; j += 2) {
      double ids = 1;
      for (int k = 0; k < n->in[j]->type.n; k++) {
        const Axis *axis = &g->axes.data[n->in[j]->type.axis[k]];
        ids *= axis->kind == AXIS_PLAIN    ? (double)axis->extent
               : axis->kind == AXIS_RAGGED ? share * (double)axis->extent
                                           : 1;
      }
      sum += ids;
    }
  }
  return sum;
}

double amount_per_sample(const Plan *p, const Amount *x, double share, long n)
{
  const Graph *g = p->g;
  double sum = 0;
  for (int i = 0; i < x->terms.n; i++) {
    const Term *t = &x->terms.data[i];
    double value = t->factor * pow((double)n, t->batches - 1);
    int dim = 0;
    for (int j = 0; j < g->axes.n && dim < COUNT_DIMS; j++) {
      if (g->axes.data[j].kind == AXIS_RAGGED && axis_root(g, j) == j) {
        value *= pow(share * (double)g->axes.data[j].extent, t->power[dim++]);
      }
    }
    value *= t->rows >= 0 ? (double)g->params.data[t->rows].rows : 1;
    value *= t->touched >= 0 ? (double)n * lookups(g, t->touched, share) : 1;
    sum += value;
  }
  return sum;
}
