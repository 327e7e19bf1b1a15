/* type.c: types, and what each op makes of its operands' types.
 *
 * One idea: an op's type follows from its operands' types, its axes and its leaf alone. node_type says
 * it once: the builder uses it to make nodes, the verifier to check them. */

#include "build.h"
#include "ops.h"

#include <assert.h>

int type_position(Type t, int axis)
{
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] == axis) {
      return i;
    }
  }
  return -1;
}

bool type_has(Type t, int axis)
{
  return type_position(t, axis) >= 0;
}

bool type_same(Type x, Type y)
{
  if (x.kind != y.kind || x.n != y.n) {
    return false;
  }
  for (int i = 0; i < x.n; i++) {
    if (!type_has(y, x.axis[i])) {
      return false;
    }
  }
  return true;
}

Type type_without(Type t, int axis)
{
  Type rest = {.kind = t.kind};
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != axis) {
      rest.axis[rest.n++] = t.axis[i];
    }
  }
  return rest;
}

static int axis_rank(const Graph *g, int axis)
{
  AxisKind kind = g->axes.data[axis].kind;
  return kind == AXIS_BATCH ? 0 : kind == AXIS_RAGGED ? 1 : 2;
}

Type type_canonical(const Graph *g, Type t)
{
  Type sorted = {.kind = t.kind};
  for (int rank = 0; rank < 3; rank++) {
    for (int i = 0; i < t.n; i++) {
      if (axis_rank(g, t.axis[i]) == rank) {
        sorted.axis[sorted.n++] = t.axis[i];
      }
    }
  }
  return sorted;
}

/* Axes on their way into a type. `ok` turns false when they are too many or one comes twice. */
typedef struct Gathered {
  Type t;
  bool ok;
} Gathered;

static void join(Gathered *to, int axis)
{
  if (type_has(to->t, axis)) {
    return;
  }
  if (to->t.n == MAX_AXES) {
    to->ok = false;
    return;
  }
  to->t.axis[to->t.n++] = (short)axis;
}

static void join_new(Gathered *to, int axis)
{
  if (type_has(to->t, axis)) {
    to->ok = false;
  }
  join(to, axis);
}

Type type_union(const Graph *g, Type x, Type y, bool *fits)
{
  Gathered all = {.ok = true};
  for (int i = 0; i < x.n; i++) {
    join(&all, x.axis[i]);
  }
  for (int i = 0; i < y.n; i++) {
    join(&all, y.axis[i]);
  }
  *fits = all.ok;
  return type_canonical(g, all.t);
}

Str type_print(const Graph *g, Type t, Arena *a)
{
  Buf b = {.arena = a};
  buf_str(&b, t.kind == KIND_ID ? S("id") : S("f32"));
  int shown = 0;
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != AXIS_B) {
      buf_str(&b, shown++ == 0 ? S("[") : S(", "));
      buf_str(&b, g->axes.data[t.axis[i]].name);
    }
  }
  buf_str(&b, shown > 0 ? S("]") : S(""));
  return buf_take(&b);
}

int axis_root(const Graph *g, int axis)
{
  while (g->axes.data[axis].root != axis) {
    axis = g->axes.data[axis].root;
  }
  return axis;
}

static bool listed(const short *axes, int n, int axis)
{
  for (int i = 0; i < n; i++) {
    if (axes[i] == axis) {
      return true;
    }
  }
  return false;
}

/* x's axes with those in from[] replaced, where the first of them stands, by to[]; to[] at the end when
 * x has none of them. */
static void join_replaced(
  Gathered *to, Type x, const short *from, int nfrom, const short *new, int nnew)
{
  bool done = false;
  for (int i = 0; i <= x.n; i++) {
    bool end = i == x.n;
    if (!end && !listed(from, nfrom, x.axis[i])) {
      join_new(to, x.axis[i]);
    } else if (!done) {
      done = true;
      for (int k = 0; k < nnew; k++) {
        join_new(to, new[k]);
      }
    }
  }
}

static void join_concat(Gathered *to, const Node *n)
{
  const short *joined = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    Gathered one = {.ok = true};
    join_replaced(&one, n->in[i]->type, joined + 1, joined[0], n->axes, 1);
    to->ok &= one.ok;
    for (int k = 0; k < one.t.n; k++) {
      join(to, one.t.axis[k]);
    }
    joined += 1 + joined[0];
  }
}

static void join_renamed(Gathered *to, const Node *n)
{
  Type x = n->in[0]->type;
  for (int i = 0; i < x.n; i++) {
    int axis = x.axis[i];
    for (int k = 0; k + 1 < n->naxes; k += 2) {
      if (n->axes[k] == x.axis[i]) {
        axis = n->axes[k + 1];
        break;
      }
    }
    join_new(to, axis);
  }
}

static void join_structure(const Graph *g, Gathered *to, const Node *n)
{
  Type x = n->in[0]->type;
  const short *axes = n->axes;
  switch ((int)n->op) {
  case OP_GATHER:
    to->t = x;
    for (int i = 0; i < g->params.data[n->leaf].type.n; i++) {
      join_new(to, g->params.data[n->leaf].type.axis[i]);
    }
    return;
  case OP_SCATTER:
    to->t = g->params.data[n->leaf].type;
    return;
  case OP_RENAME:
    join_renamed(to, n);
    return;
  case OP_CONCAT:
    join_concat(to, n);
    return;
  case OP_SLICE:
    join_replaced(to, x, axes, 1, axes + 1, n->naxes - 1);
    return;
  case OP_PAD:
    join_replaced(to, x, axes + 1, n->naxes - 1, axes, 1);
    return;
  case OP_TRIANGLE:
    join_replaced(to, x, axes, 2, axes + 2, 1);
    return;
  case OP_UNTRIANGLE:
    join_replaced(to, x, axes, 1, axes + 1, 2);
    return;
  case OP_ORDER:
    to->t = type_without(x, axes[0]);
    join_new(to, axes[0]);
    return;
  default:
    assert(0 && "a structure op without a type rule");
  }
}

static void join_leaf(const Graph *g, Gathered *to, const Node *n)
{
  if (n->op == OP_INPUT) {
    to->t = g->inputs.data[n->leaf].type;
  } else if (n->op == OP_PARAM) {
    to->t = g->params.data[n->leaf].type;
  } else if (n->op == OP_RANDOM) {
    to->t = n->type;
  } else if (n->op == OP_INDEX || n->op == OP_SIZE) {
    if (g->axes.data[n->axes[0]].kind == AXIS_RAGGED) {
      join(to, AXIS_B); /* how many positions there are depends on the sample */
    }
    if (n->op == OP_INDEX) {
      join(to, n->axes[0]);
    }
  }
}

/* Moving an id about leaves it an id; all else computes with its number. */
static bool keeps_kind(Op op)
{
  return op == OP_INPUT || op == OP_RENAME || op == OP_SLICE || op == OP_TRIANGLE;
}

bool node_type(const Graph *g, const Node *n, Type *type)
{
  Gathered all = {.ok = true};
  OpClass class = op_rows[n->op].class;
  if (class == CLASS_LEAF) {
    join_leaf(g, &all, n);
  } else if (class == CLASS_STRUCTURE) {
    join_structure(g, &all, n);
  } else if (class == CLASS_REDUCE) {
    all.t = n->in[0]->type;
    for (int i = 0; i < n->naxes; i++) {
      all.ok &= type_has(all.t, n->axes[i]);
      all.t = type_without(all.t, n->axes[i]);
    }
  } else {
    for (int i = 0; i < n->nin; i++) {
      for (int k = 0; k < n->in[i]->type.n; k++) {
        join(&all, n->in[i]->type.axis[k]);
      }
    }
  }
  Kind kind = KIND_REAL;
  if (keeps_kind(n->op)) {
    kind = n->nin > 0 ? n->in[0]->type.kind : all.t.kind;
  }
  bool declared = n->op == OP_INPUT || n->op == OP_PARAM || n->op == OP_SCATTER;
  *type = declared ? all.t : type_canonical(g, all.t);
  type->kind = kind;
  return all.ok;
}

bool graph_has_gradients(const Graph *g)
{
  for (int i = 0; i < g->grads.n; i++) {
    if (!g->grads.data[i].update) {
      return true;
    }
  }
  return false;
}
