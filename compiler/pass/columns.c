/* columns.c: how sweeps over pairs of samples run: in blocks of how many columns, which of their products
 * serve a later sweep too, and what these read.
 *
 * A block is as wide as the second-level cache likes with a tile's rows of a few values. */

#include "fuse.h"
#include "late.h"

#include "../ir/ops.h"

static bool same_product(const Stmt *x, const Stmt *y)
{
  return x->contract.cols_n && y->contract.cols_n && x->contract.a == y->contract.a &&
         x->contract.b == y->contract.b;
}

/* Of the same products the one that is made in the earliest phase is kept for the others. */
static void share_products(Plan *p, const Stmt *s)
{
  const Stmt *first = s;
  for (int j = 0; j < p->stmts.n; j++) {
    const Stmt *other = &p->stmts.data[j];
    bool earlier = other->phase < first->phase || (other->phase == first->phase && other < first);
    if (other->kind == STMT_CONTRACT && same_product(other, s) && earlier) {
      first = other;
    }
  }
  if (first != s) {
    p->value[s->node->id].same = first->node;
    p->value[first->node->id].keeps = true;
  }
}

void plan_turned(Arena *a, Plan *p)
{
  if (p->columns == 0) {
    return;
  }
  for (int i = 0; i < p->stmts.n; i++) {
    Stmt *s = &p->stmts.data[i];
    Contract *c = &s->contract;
    if (s->kind != STMT_CONTRACT || !c->cols_n) {
      continue;
    }
    share_products(p, s);
    Turned t = {.node = c->b, .axis = c->n, .nk = c->nk, .size = 1};
    for (int k = 0; k < c->nk; k++) {
      t.k[k] = c->k[k];
      t.size *= axis_extent(p->g, c->k[k]);
    }
    const Node *source = plan_source(c->b);
    t.phase = source->op == OP_INPUT ? 0 : p->value[source->id].phase;
    for (c->turned = 0; c->turned < p->turned.n; c->turned++) {
      if (p->turned.data[c->turned].node == c->b) {
        break;
      }
    }
    if (c->turned == p->turned.n) {
      *VEC_PUSH(a, &p->turned) = t;
    }
  }
}

void plan_columns(Plan *p)
{
  enum { COLUMNS = 256, WIDEST = 16, KEPT = 4 };
  if (!p->tiles || !runs_by_columns(p->g)) {
    return;
  }
  bool asked = p->tile > 0 && 2 * p->tile < COLUMNS;
  p->columns = asked ? (2 * p->tile + WIDEST - 1) / WIDEST * WIDEST : COLUMNS;
  p->kept = asked ? p->columns : KEPT * p->columns;
}
