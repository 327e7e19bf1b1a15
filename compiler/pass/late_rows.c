/* late_rows.c: gradient rows of tables that are better made where they are summed than kept.
 *
 * A sample looks up many rows, and what each of them gets is often made of few numbers of the sample and of
 * the row itself: in `sum[F, G](e * e[F -> G])` the row of F gets a vector of the sample less itself times a
 * number. Kept for every lookup these rows are the largest thing that a step writes, and they are read in
 * another order than they were written. So the sample's few numbers are kept for the whole batch instead,
 * and the update, which has the table's row at hand, makes the gradient's. */

#include "plan.h"

#include "../ir/ops.h"

typedef struct Late {
  const Plan *p;
  const Node *scatter;
  Type row;    /* of the table */
  long kept;   /* numbers of a sample that the batch has to keep */
  bool change; /* whether to do it, or only to look */
} Late;

static bool in_row(const Late *l, Type t)
{
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != AXIS_B && !type_has(l->row, t.axis[i])) {
      return false;
    }
  }
  return true;
}

/* Can it be made in the update, and from what? */
static bool can_make(Late *l, const Node *n)
{
  if (n->op == OP_CONST) {
    return true;
  }
  if (n->op == OP_GATHER) { /* the row that is updated */
    return n->leaf == l->scatter->leaf && n->in[0] == l->scatter->in[0];
  }
  if (plan_stored(l->p, n)) {
    Value *v = &l->p->value[n->id];
    if (n->op == OP_PARAM || n->type.kind == KIND_ID || !type_has(n->type, AXIS_B) ||
        v->scope != SCOPE_SAMPLE || v->layout.across > 0 || !in_row(l, n->type)) {
      return false;
    }
    l->kept += n->op == OP_INPUT ? 0 : v->layout.width;
    if (l->change && n->op != OP_INPUT) {
      v->place = PLACE_BATCH;
      v->shared = true;
    }
    return true;
  }
  bool good = op_pointwise(n->op);
  for (int i = 0; i < n->nin && good; i++) {
    good = can_make(l, n->in[i]);
  }
  return good;
}

static long extent_of(const Plan *p, Type t)
{
  long size = 1;
  for (int i = 0; i < t.n; i++) {
    size *= t.axis[i] == AXIS_B ? 1 : axis_extent(p->g, t.axis[i]);
  }
  return size;
}

void plan_late_rows(Plan *p)
{
  const Optimizer *o = &p->g->train.optimizer;
  if (!p->tiles || o->dense_tables || o->clip_norm > 0 || (o->l2 > 0 && o->l2_dense)) {
    return;
  }
  for (int i = 0; i < p->stmts.n; i++) {
    Stmt *s = &p->stmts.data[i];
    if (s->kind != STMT_SCATTER || s->node->nin != 2 || s->node->in[0]->op != OP_INPUT ||
        p->value[s->node->in[0]->id].layout.ragged >= 0) {
      continue;
    }
    Late l = {.p = p, .scatter = s->node, .row = p->g->params.data[s->node->leaf].type};
    long made = extent_of(p, s->node->in[0]->type) * extent_of(p, l.row);
    if (can_make(&l, s->node->in[1]) && 2 * l.kept <= made) {
      l.change = true;
      s->late = can_make(&l, s->node->in[1]);
    }
  }
}

bool plan_is_late(const Plan *p, const Node *scatter)
{
  for (int i = 0; i < p->stmts.n; i++) {
    if (p->stmts.data[i].node == scatter && p->stmts.data[i].late) {
      return true;
    }
  }
  return false;
}
