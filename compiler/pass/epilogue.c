/* epilogue.c: what follows a matrix product is done while the sums are still in registers.
 *
 * A contraction's result that only one pointwise statement of the same shape reads need not be stored:
 * bias, activation, the mask of an activation's gradient and the like become the kernel's last act. Sums of
 * the result over its rows, or element by element over samples, are added to in the kernel as well. */

#include "fuse.h"

#include "../ir/ops.h"

enum { WIDEST = 16 }; /* numbers in a vector */

typedef struct Fit {
  const Plan *p;
  const Contract *c;
  const Node *sum;
} Fit;

/* The axes of the result except the vector axis, rows first, outermost first. Within a sample, B is none. */
static int outer_axes(const Fit *f, short *axes)
{
  const Type t = f->sum->type;
  bool samples = f->c->rows_m && f->p->value[f->sum->id].layout.ragged < 0;
  int n = 0;
  for (int i = 0; i < t.n; i++) {
    if (i < t.n - f->c->nn && (t.axis[i] != AXIS_B || samples)) {
      axes[n++] = t.axis[i];
    }
  }
  return n;
}

/* Has the axes that vectors run through as the result has them, or none of them. */
static bool vectors_fit(const Fit *f, const Node *n)
{
  const Type t = f->sum->type;
  int present = 0;
  for (int i = t.n - f->c->nn; i < t.n; i++) {
    long stride = 0, own = 0;
    plan_affine(f->p, f->sum, t.axis[i], &own);
    if (plan_affine(f->p, n, t.axis[i], &stride)) {
      present++;
      if (stride != own) {
        return false;
      }
    }
  }
  return present == 0 || present == f->c->nn;
}

/* A stored operand: constant over the rows, or lying like the result itself, vectors contiguous. */
static bool operand_fits(const Fit *f, const Node *n)
{
  const Plan *p = f->p;
  long stride = 0;
  if (n->type.kind == KIND_ID) {
    return false;
  }
  if (!vectors_fit(f, n)) {
    return false;
  }
  if (plan_source(n)->op == OP_INPUT && type_has(n->type, f->c->n) &&
      axis_extent(p->g, f->c->n) % WIDEST != 0) {
    return false; /* the last vector would reach past what a caller gave */
  }
  short axes[MAX_AXES];
  int count = outer_axes(f, axes);
  int present = 0;
  for (int i = 0; i < count; i++) {
    present += plan_affine(p, n, axes[i], &stride);
  }
  bool sample = type_has(n->type, AXIS_B);
  if (present == 0 && !sample) {
    return true;
  }
  if (!f->c->rows_m && present == 0) {
    return true; /* within a sample: one value, or one row, for all of its rows */
  }
  if (present != count || (f->c->rows_m && !sample)) {
    return false;
  }
  for (int i = 0; i + 1 < count; i++) {
    long inner = 0;
    plan_affine(p, n, axes[i], &stride);
    plan_affine(p, n, axes[i + 1], &inner);
    if (stride != inner * axis_extent(p->g, axes[i + 1])) {
      return false;
    }
  }
  return true;
}

static bool fits(const Fit *f, const Node *n)
{
  if (n == f->sum || n->op == OP_CONST || (n->op == OP_SIZE && n->type.n == 0)) {
    return true;
  }
  const Node *source = plan_source(n);
  if (source != n || plan_stored(f->p, n)) {
    return plan_stored(f->p, source) && operand_fits(f, n);
  }
  if (!op_pointwise(n->op) || n->type.kind == KIND_ID) {
    return false;
  }
  for (int i = 0; i < n->nin; i++) {
    if (!fits(f, n->in[i])) {
      return false;
    }
  }
  return true;
}

typedef struct Count {
  const Node *wanted;
  int found;
} Count;

static void count_reads(void *arg, const Node *n)
{
  Count *c = arg;
  c->found += n == c->wanted;
}

/* The only statement that reads n, or -1. */
static int only_reader(const Plan *p, const Node *n)
{
  int reader = -1;
  for (int i = 0; i < p->stmts.n; i++) {
    Count c = {n, 0};
    stmt_visit(p, &p->stmts.data[i], count_reads, &c);
    if (c.found > 0) {
      if (reader >= 0) {
        return -1;
      }
      reader = i;
    }
  }
  return reader;
}

/* May the kernel compute y and store it: what y reads, and y itself, lie as the result does. */
static bool can_leave(const Fit *f, const Node *y)
{
  if (!operand_fits(f, y)) {
    return false;
  }
  for (int i = 0; i < y->nin; i++) {
    if (!fits(f, y->in[i])) {
      return false;
    }
  }
  return true;
}

static bool read_outside(const Plan *p, const Node *n)
{
  Count c = {n, 0};
  for (int i = 0; i < p->g->grads.n; i++) {
    plan_reads(p, p->g->grads.data[i].node, count_reads, &c);
  }
  return c.found > 0 || n == p->loss;
}

static void remove_stmt(Plan *p, int stmt)
{
  for (int j = stmt; j + 1 < p->stmts.n; j++) {
    p->stmts.data[j] = p->stmts.data[j + 1];
  }
  p->stmts.n--;
}

/* Merges the contraction i with the statement that alone reads it; returns where it stands then. */
static int fuse_reader(Plan *p, int i)
{
  Stmt *s = &p->stmts.data[i];
  int reader = only_reader(p, s->node);
  const Stmt *y = reader < 0 ? NULL : &p->stmts.data[reader];
  if (!y || y->kind != STMT_ELEMENT || y->phase != s->phase ||
      !type_same(y->node->type, s->node->type) || read_outside(p, s->node)) {
    return i;
  }
  Fit f = {p, &s->contract, s->node};
  if (!can_leave(&f, y->node)) {
    return i;
  }
  p->value[s->node->id].place = PLACE_FUSED;
  Stmt fused = *s;
  fused.store = y->node;
  p->stmts.data[reader] = fused; /* where its operands are ready */
  remove_stmt(p, i);
  return reader - 1;
}

typedef struct Ready {
  const Plan *p;
  const Node *stored;
  int before; /* statements before this one are done */
  bool reads, ready;
} Ready;

static void check_ready(void *arg, const Node *n)
{
  Ready *r = arg;
  r->reads |= n == r->stored;
  for (int i = r->before; i < r->p->stmts.n && n != r->stored; i++) {
    const Stmt *s = &r->p->stmts.data[i];
    r->ready &= s->store != n && s->then != n;
    for (int k = 0; k < s->nsums; k++) {
      r->ready &= s->sums[k] != n;
    }
  }
}

/* What is stored is kept for later, and an activation of it is wanted too: both leave the kernel. */
static void fuse_second(Plan *p, int i)
{
  Stmt *s = &p->stmts.data[i];
  for (int j = i + 1; j < p->stmts.n; j++) {
    const Stmt *y = &p->stmts.data[j];
    if (y->kind != STMT_ELEMENT || y->phase != s->phase || y->scope != s->scope ||
        !type_same(y->node->type, s->store->type)) {
      continue;
    }
    Ready r = {.p = p, .stored = s->store, .before = i, .ready = true};
    stmt_visit(p, y, check_ready, &r);
    Fit f = {p, &s->contract, s->node};
    if (r.reads && r.ready && can_leave(&f, y->node)) {
      s->then = y->node;
      remove_stmt(p, j);
      return;
    }
  }
}

/* ---- sums ---- */

static bool summed_over(const Node *sum, int axis)
{
  for (int i = 0; i < sum->naxes; i++) {
    if (sum->axes[i] == axis) {
      return true;
    }
  }
  return false;
}

bool sum_of_rows(const Stmt *s, const Node *sum)
{
  const Contract *c = &s->contract;
  bool all = true;
  for (int i = 0; i < s->node->type.n; i++) {
    int axis = s->node->type.axis[i];
    all &= axis == c->n || axis == AXIS_B || summed_over(sum, axis);
  }
  return all && (!c->rows_m || summed_over(sum, AXIS_B));
}

/* Rows of the sum lie as those of the result do: vectors end within them. */
static bool rows_alike(const Plan *p, const Stmt *s, const Node *sum)
{
  long own = 0, its = 0;
  for (int i = 0; i < sum->type.n; i++) {
    if (sum->type.axis[i] != AXIS_B) {
      plan_affine(p, sum, sum->type.axis[i], &own);
      plan_affine(p, s->node, sum->type.axis[i], &its);
      if (own != its) {
        return false;
      }
    }
  }
  return true;
}

static bool sum_fits(const Plan *p, const Stmt *s, const Node *y)
{
  const Contract *c = &s->contract;
  Fit f = {p, c, s->node};
  if (y->op != OP_SUM || c->nn != 1 || !type_has(y->type, c->n) ||
      !type_same(y->in[0]->type, s->node->type) || !fits(&f, y->in[0]) || !rows_alike(p, s, y)) {
    return false;
  }
  return sum_of_rows(s, y) || (!c->rows_m && y->naxes == 1 && y->axes[0] == AXIS_B);
}

/* Sums of what the contraction stores; then perhaps nobody reads that any more. */
static void fuse_sums(Plan *p, int i)
{
  Stmt *s = &p->stmts.data[i];
  for (int j = i + 1; j < p->stmts.n && s->nsums < MOST_SUMS; j++) {
    const Stmt *y = &p->stmts.data[j];
    if (y->kind != STMT_REDUCE || y->phase != s->phase || y->scope != SCOPE_SAMPLE || y->pairs) {
      continue;
    }
    Ready r = {.p = p, .stored = s->store, .before = i, .ready = true};
    stmt_visit(p, y, check_ready, &r);
    if (r.reads && r.ready && sum_fits(p, s, y->node)) {
      s->sums[s->nsums++] = y->node;
      remove_stmt(p, j--);
    }
  }
  bool read = s->store != s->node || s->then || read_outside(p, s->node);
  for (int j = 0; j < p->stmts.n && !read; j++) {
    Count c = {s->node, 0};
    stmt_visit(p, &p->stmts.data[j], count_reads, &c);
    read = j != i && c.found > 0;
  }
  if (s->nsums > 0 && !read) {
    p->value[s->node->id].place = PLACE_FUSED;
  }
}

void plan_epilogues(Plan *p)
{
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    if (s->kind != STMT_CONTRACT || s->contract.rows_k || s->pairs || s->scope != SCOPE_SAMPLE ||
        s->then || s->store != s->node) {
      continue;
    }
    int at = fuse_reader(p, i);
    fuse_second(p, at);
    fuse_sums(p, at);
    i = at > i ? i - 1 : i; /* another statement stands here now */
  }
}
