/* layout.c: where the elements of a value are, and how an expression reads stored values through views.
 *
 * One idea: an address is affine in the indices, so a view (a rename or a slice) is only another set of
 * strides; nothing is copied for it. */

#include "plan.h"

#include "../ir/ops.h"

enum { PAD_FROM = 8, PAD_TO = 16 }; /* rows that kernels write end on a whole widest vector */

long axis_extent(const Graph *g, int axis)
{
  return g->axes.data[axis].extent;
}

static long padded_extent(long n)
{
  return n < PAD_FROM ? n : (n + PAD_TO - 1) / PAD_TO * PAD_TO;
}

Layout plan_layout(const Graph *g, Type t, bool padded)
{
  Layout l = {.ragged = -1};
  bool row[MAX_AXES] = {0};
  bool sample = type_has(t, AXIS_B);
  for (int i = 0; i < t.n; i++) {
    bool ragged = g->axes.data[t.axis[i]].kind == AXIS_RAGGED;
    row[i] = t.axis[i] == AXIS_B || (sample && ragged && l.ragged < 0);
    if (row[i] && ragged) {
      l.ragged = t.axis[i];
    }
  }
  long size = 1;
  bool last = true;
  for (int i = t.n - 1; i >= 0; i--) {
    if (row[i]) {
      continue;
    }
    l.stride[i] = size;
    long extent = axis_extent(g, t.axis[i]);
    if (g->axes.data[t.axis[i]].kind == AXIS_BATCH) {
      l.across++; /* batch axes come first */
    } else {
      size *= last && padded ? padded_extent(extent) : extent;
    }
    last = false;
  }
  l.width = size;
  return l;
}

long plan_width(const Plan *p, const Value *v)
{
  bool block = p->columns > 0 && v->layout.across > 0;
  return v->layout.width * (block ? p->columns : 1);
}

bool op_is_view(Op op)
{
  return op == OP_RENAME || op == OP_SLICE || op == OP_STOP;
}

const Node *plan_source(const Node *n)
{
  while (op_is_view(n->op)) {
    n = n->in[0];
  }
  return n;
}

bool plan_stored(const Plan *p, const Node *n)
{
  if (n->op == OP_PARAM || n->op == OP_INPUT) {
    return true;
  }
  Place place = p->value[n->id].place;
  return place != PLACE_INLINE && place != PLACE_FUSED;
}

static long own_stride(const Plan *p, const Node *n, int axis)
{
  const Layout *l = &p->value[n->id].layout;
  int i = type_position(n->type, axis);
  if (i < 0) {
    return 0;
  }
  return axis == AXIS_B || axis == l->ragged ? l->width : l->stride[i];
}

/* axis as the operand of the view calls it, and by how much its stride grows; -1: gone */
static int behind_rename(const Node *n, int axis)
{
  for (int i = 0; i + 1 < n->naxes; i += 2) {
    if (n->axes[i + 1] == axis) {
      return n->axes[i];
    }
  }
  return axis;
}

bool plan_affine(const Plan *p, const Node *n, int axis, long *stride)
{
  long times = 1;
  while (op_is_view(n->op)) {
    if (n->op == OP_RENAME) {
      axis = behind_rename(n, axis);
    } else if (n->op == OP_SLICE) {
      for (int i = n->naxes - 1; i > 0; i--) {
        if (n->axes[i] == axis) {
          for (int j = i + 1; j < n->naxes; j++) {
            times *= axis_extent(p->g, n->axes[j]);
          }
          axis = n->axes[0];
          break;
        }
      }
    }
    n = n->in[0];
  }
  *stride = times * own_stride(p, n, axis);
  return type_has(n->type, axis);
}

void plan_reads(const Plan *p, const Node *n, void (*visit)(void *, const Node *), void *arg)
{
  if (plan_stored(p, n)) {
    visit(arg, n);
    return;
  }
  for (int i = 0; i < n->nin; i++) {
    plan_reads(p, n->in[i], visit, arg);
  }
}

int stmt_axes(const Plan *p, const Stmt *s, short *axes)
{
  const Node *n = s->node;
  int count = 0;
  for (int i = 0; i < n->type.n; i++) {
    axes[count++] = n->type.axis[i];
  }
  if (s->kind == STMT_REDUCE) {
    for (int i = 0; i < n->naxes; i++) {
      axes[count++] = n->axes[i];
    }
  }
  (void)p;
  return count;
}
