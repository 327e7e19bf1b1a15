/* orders.c: folded weights in the order that their contraction reads them.
 *
 * A kernel wants the axis its vectors run along innermost. Weights that are the same for every sample are
 * packed once per step; those that a sample makes for itself (weights scaled by its own values) are
 * better computed in the right order at once: the totals they are made of are kept in that order, and
 * the same arithmetic is done on them. */

#include "pass.h"
#include "plan.h"
#include "rebuild.h"

typedef struct Orders {
  Graph *g;
  int n, k; /* the axis that must be innermost, and the summed one */
} Orders;

static bool innermost(const Node *x, int axis)
{
  return x->type.n > 0 && x->type.axis[x->type.n - 1] == axis;
}

/* Of samples, though not of B's: what a sample sees of the others is theirs, a view of it and nothing that
 * could be computed for this one. */
static bool of_others(const Graph *g, const Node *x)
{
  bool samples = false;
  for (int i = 0; i < x->type.n; i++) {
    samples |= g->axes.data[x->type.axis[i]].kind == AXIS_BATCH;
  }
  return samples && !type_has(x->type, AXIS_B);
}

/* x with axis n last in memory; NULL: not worth it, or not possible. */
static Node *reorder(const Orders *o, Node *x)
{
  if (!type_has(x->type, o->n) || !type_has(x->type, o->k)) {
    return x;
  }
  if (of_others(o->g, x)) {
    return NULL;
  }
  if (!type_has(x->type, AXIS_B)) {
    return innermost(x, o->n) && x->op == OP_ORDER ? x : build_order(o->g, x, o->n);
  }
  if (!op_pointwise(x->op)) {
    return NULL;
  }
  Node *in[3];
  for (int i = 0; i < x->nin; i++) {
    in[i] = reorder(o, x->in[i]);
    if (!in[i]) {
      return NULL;
    }
  }
  Node *y = build_op(o->g, x->op, x->nin, in);
  y->loc = x->loc;
  return innermost(y, o->n) ? y : NULL;
}

/* b as n, a sum of a * b within one sample, should read it; NULL: as it is. */
static Node *better(Graph *g, const Node *n, const Node *a, Node *b)
{
  int last = n->type.n > 0 ? n->type.axis[n->type.n - 1] : -1;
  bool within = n->naxes == 1 && n->axes[0] != AXIS_B && type_has(b->type, AXIS_B) &&
                type_has(a->type, n->axes[0]) && type_has(b->type, n->axes[0]);
  if (!within || last < 0 || g->axes.data[last].kind != AXIS_PLAIN || type_has(a->type, last) ||
      !type_has(b->type, last) || innermost(b, last) || !op_pointwise(b->op)) {
    return NULL;
  }
  Orders o = {g, last, n->axes[0]};
  return reorder(&o, b);
}

static bool has_list(const Graph *g, const Node *x)
{
  for (int i = 0; i < x->type.n; i++) {
    if (g->axes.data[x->type.axis[i]].kind == AXIS_RAGGED) {
      return true;
    }
  }
  return false;
}

typedef struct Copy {
  const Node *of;
  Node *copy;
} Copy;

typedef struct Copies {
  VEC(Copy) list;
} Copies;

/* Each sample's copy: what others see of an input is theirs to copy, for every tile. */
static Node *copy_of(Graph *g, Copies *copies, Node *x, Loc loc)
{
  for (int i = 0; i < copies->list.n; i++) {
    if (copies->list.data[i].of == x) {
      return copies->list.data[i].copy;
    }
  }
  bool theirs = x->op != OP_INPUT && !type_has(x->type, AXIS_B);
  Node *inner = theirs ? copy_of(g, copies, x->in[0], loc) : NULL;
  Node *copy = inner ? build_like(g, x, &inner) : build_order(g, x, x->type.axis[x->type.n - 1]);
  copy->loc = loc;
  *VEC_PUSH(g->arena, &copies->list) = (Copy){x, copy};
  return copy;
}

/* Vectors of a kernel read whole rows, rounded up, of what has the innermost axis of its result. Rows of
 * an input, or of a part of one, are the caller's, not rounded up: they are copied. So are lists where op-by-op
 * code wants them padded. */
static Node *padded_input(Graph *g, Copies *copies, const Node *n, Node *x, bool padded)
{
  enum { WIDEST = 16 };
  int last = n->type.n > 0 ? n->type.axis[n->type.n - 1] : -1;
  if (plan_source(x)->op != OP_INPUT || x->type.kind == KIND_ID || x->type.n == 0) {
    return NULL;
  }
  bool whole = last < 0 || !type_has(x->type, last) || g->axes.data[last].kind != AXIS_PLAIN ||
               g->axes.data[last].extent % WIDEST == 0;
  return whole && !(padded && has_list(g, x)) ? NULL : copy_of(g, copies, x, n->loc);
}

Graph *pass_orders(Arena *a, const Graph *old, bool padded)
{
  Graph *g = graph_shell(a, old);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  Copies copies = {0};
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      in[k] = map[n->in[k]->id];
    }
    if (n->op == OP_SUM && in[0]->op == OP_MUL) {
      for (int k = 0; k < 2; k++) {
        Node *b = padded ? NULL : better(g, n, in[0]->in[1 - k], in[0]->in[k]);
        bool weights = b != NULL;
        b = b ? b : padded_input(g, &copies, n, in[0]->in[k], padded);
        if (b) {
          in[0] =
            k == 0 ? build_op2(g, OP_MUL, b, in[0]->in[1]) : build_op2(g, OP_MUL, in[0]->in[0], b);
          in[0]->loc = n->loc;
          if (weights) {
            break;
          }
        }
      }
    }
    map[i] = build_copy(g, n, in);
    map[i]->name = n->name;
    map[i]->loc = n->loc;
  }
  rebuild_roots(g, old, map);
  rebuild_sweep(g);
  return g;
}
