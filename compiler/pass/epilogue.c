/* epilogue.c: what follows a matrix product is done while the sums are still in registers.
 *
 * A contraction's result that only one pointwise statement of the same shape reads need not be stored:
 * bias, activation, the mask of an activation's gradient and the like become the kernel's last act. */

#include "fuse.h"

#include "../ir/ops.h"

typedef struct Fit {
  const Plan *p;
  const Contract *c;
  const Node *sum;
} Fit;

/* The axes of the result except the vector axis, rows first, outermost first. */
static int outer_axes(const Fit *f, short *axes)
{
  const Type t = f->sum->type;
  int n = 0;
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != f->c->n &&
        (t.axis[i] != AXIS_B || f->p->value[f->sum->id].layout.ragged < 0)) {
      axes[n++] = t.axis[i];
    }
  }
  return n;
}

/* A stored operand: constant over the rows, or lying like the result itself, vectors contiguous. */
static bool operand_fits(const Fit *f, const Node *n)
{
  const Plan *p = f->p;
  long stride = 0;
  if (n->type.kind == KIND_ID) {
    return false;
  }
  if (plan_affine(p, n, f->c->n, &stride) && stride != 1) {
    return false;
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
  if (present != count || sample != type_has(f->sum->type, AXIS_B)) {
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

static bool operands_fit(const Fit *f, const Node *y)
{
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

void plan_epilogues(Plan *p)
{
  for (int i = 0; i < p->stmts.n; i++) {
    Stmt *s = &p->stmts.data[i];
    if (s->kind != STMT_CONTRACT || s->contract.rows_k || s->scope != SCOPE_SAMPLE) {
      continue;
    }
    int reader = only_reader(p, s->node);
    const Stmt *y = reader < 0 ? NULL : &p->stmts.data[reader];
    if (!y || y->kind != STMT_ELEMENT || y->phase != s->phase ||
        !type_same(y->node->type, s->node->type) || read_outside(p, s->node)) {
      continue;
    }
    Fit f = {p, &s->contract, s->node};
    if (operands_fit(&f, y->node)) {
      p->value[s->node->id].place = PLACE_FUSED;
      Stmt fused = *s;
      fused.store = y->node;
      p->stmts.data[reader] = fused; /* where its operands are ready */
      for (int j = i; j + 1 < p->stmts.n; j++) {
        p->stmts.data[j] = p->stmts.data[j + 1];
      }
      p->stmts.n--;
      i--;
    }
  }
}
