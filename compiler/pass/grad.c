/* grad.c: reverse-mode differentiation of the loss, graph to graph.
 *
 * One idea: an adjoint is kept at the smallest type. The adjoint of a value may lack axes the value has;
 * it is then constant along them (the adjoint of sum[L](x) is one number for all of L), and nothing is
 * spread out that need not be. What the result of an op has and its operand lacks is summed over.
 *
 * Needs a checked graph. Keeps every node, adds the adjoints behind them, and Graph.grads. Derivatives of
 * pointwise ops are the op rows' texts; each new node has the location of the value it belongs to. */

#include "rebuild.h"

typedef VEC(Node *) Nodes;

typedef struct Reverse {
  Graph *g; /* the new graph; its first nodes are the old ones, same ids */
  Diags *d;
  int nforward;
  bool *active;   /* depends on a param through ops that have a gradient */
  Node **adjoint; /* by id; NULL: 0 so far */
  Nodes *scatter; /* for each param: ids, d, ids, d, ... */
} Reverse;

static bool has_gradient(const Node *n, int operand)
{
  const OpRow *row = &op_rows[n->op];
  return row->class != CLASS_LEAF &&
         row->grad[operand < 3 && row->arity >= 0 ? operand : 0][0] != 0;
}

/* Is it a param that a formula updates? */
static bool updated(const Graph *g, const Node *n)
{
  for (int i = 0; n->op == OP_PARAM && i < g->grads.n; i++) {
    if (g->grads.data[i].update && g->grads.data[i].param == n->leaf) {
      return true;
    }
  }
  return false;
}

/* Which nodes of g an adjoint is worth computing for. */
static bool *find_active(const Graph *g)
{
  bool *active = ARENA_ARRAY(g->arena, bool, g->nodes.n);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    active[i] = (n->op == OP_PARAM && !updated(g, n)) || n->op == OP_GATHER;
    for (int k = 0; k < n->nin; k++) {
      active[i] = active[i] || (active[n->in[k]->id] && has_gradient(n, k));
    }
  }
  return active;
}

/* Derivatives that are structure or reduction, one function for each such op. Each gives the part of
 * in[i]'s adjoint that comes from y, whose adjoint is dy; `wide` is the type it stands for where that is
 * not the operand's. */

static Node *grad_max(Graph *g, const Node *y, Node *result, Node *dy)
{
  Node *x = y->in[0];
  Node *best = build_op2(g, OP_EQ, x, result);
  Node *ties = broad_sum(g, best, x->type, y->naxes, y->axes);
  return build_op2(g, OP_MUL, best, build_op2(g, OP_DIV, dy, ties));
}

static Node *grad_rename(Graph *g, const Node *y, Node *dy)
{
  short back[2 * MAX_AXES];
  for (int k = 0; k < y->naxes; k += 2) {
    back[k] = y->axes[k + 1];
    back[k + 1] = y->axes[k];
  }
  return broad_rename(g, dy, y->naxes / 2, back);
}

static Node *grad_concat(Graph *g, const Node *y, int i, Node *dy, Type *wide)
{
  const short *joined;
  long offset;
  int n = concat_piece(g, y, i, &joined, &offset);
  *wide = type_without(y->type, y->axes[0]);
  for (int k = 0; k < n; k++) {
    wide->axis[wide->n++] = joined[k];
  }
  return type_has(dy->type, y->axes[0]) ? build_slice(g, dy, y->axes[0], offset, n, joined) : dy;
}

static Node *grad_pad(Graph *g, const Node *y, Node *dy)
{
  return type_has(dy->type, y->axes[0])
           ? build_slice(g, dy, y->axes[0], y->offset, y->naxes - 1, y->axes + 1)
           : dy;
}

static Node *grad_untriangle(Graph *g, const Node *y, Node *dy)
{
  bool moves = type_has(dy->type, y->axes[1]) || type_has(dy->type, y->axes[2]);
  return moves ? build_triangle(g, dy, y->axes[1], y->axes[2], y->axes[0]) : dy;
}

static Node *structure_gradient(Graph *g, const Node *y, int i, Node *dy, Type *wide)
{
  switch ((int)y->op) {
  case OP_SUM:
    return dy;
  case OP_MAX:
    return grad_max(g, y, g->nodes.data[y->id], dy);
  case OP_RENAME:
    return grad_rename(g, y, dy);
  case OP_CONCAT:
    return grad_concat(g, y, i, dy, wide);
  case OP_SLICE:
    return build_pad(g, dy, y->axes[0], y->offset, y->naxes - 1, y->axes + 1);
  case OP_PAD:
    return grad_pad(g, y, dy);
  case OP_TRIANGLE:
    return build_untriangle(g, dy, y->axes[2], y->axes[0], y->axes[1]);
  case OP_UNTRIANGLE:
    return grad_untriangle(g, y, dy);
  default:
    return NULL;
  }
}

static Node *pointwise_gradient(Reverse *r, const Node *y, int i, Node *dy)
{
  static const char *const names[] = {"y", "dy", "a", "b", "c"};
  Node *values[5] = {r->g->nodes.data[y->id], dy};
  for (int k = 0; k < y->nin; k++) {
    values[2 + k] = y->in[k];
  }
  Str text = str_of(op_rows[y->op].grad[i]);
  return front_expression(r->g, text, 2 + y->nin, names, values, NULL, r->d);
}

static bool is_zero(const Node *n)
{
  return n->op == OP_CONST && n->value == 0;
}

/* The axes of `wide` that x lacks, summed over: x had the same value all along them. */
static Node *sum_what_lacks(Graph *g, Node *d, Type wide, Type x)
{
  short axes[MAX_AXES];
  int n = 0;
  for (int k = 0; k < wide.n; k++) {
    if (!type_has(x, wide.axis[k])) {
      axes[n++] = wide.axis[k];
    }
  }
  return n ? broad_sum(g, d, wide, n, axes) : d;
}

static void locate(Graph *g, int from, Loc loc)
{
  for (int k = from; k < g->nodes.n; k++) {
    g->nodes.data[k]->loc = loc;
  }
}

/* Adds what y owes to the adjoint of its operand i. */
static void contribute(Reverse *r, const Node *y, int i, Node *dy)
{
  Graph *g = r->g;
  Node *x = y->in[i];
  Type wide = op_pointwise(y->op) ? y->type : x->type;
  Node *d =
    op_pointwise(y->op) ? pointwise_gradient(r, y, i, dy) : structure_gradient(g, y, i, dy, &wide);
  if (!d || is_zero(d)) {
    return;
  }
  d = sum_what_lacks(g, d, wide, x->type);
  Node **total = &r->adjoint[x->id];
  *total = *total ? build_op2(g, OP_ADD, *total, d) : d;
}

/* The adjoint of a named value is called d_<name>, unless it is also something else already. */
static void name_adjoint(Reverse *r, const Node *of, Str name, Node *d)
{
  if (name.n > 0 && d->name.n == 0 && d->id >= r->nforward && d->op != OP_CONST) {
    d->name = rebuild_name(r->g, str_format(r->g->arena, "d_%.*s", STR_ARG(name)));
    d->loc = of->loc;
  }
}

/* dy where the lists of y, a value of pairs of samples, are: its own might be taken for those of the other
 * sample once it lacks B. */
static Node *with_owner(Graph *g, const Node *y, Node *dy)
{
  int ragged = -1, others = 0;
  for (int i = 0; i < y->type.n; i++) {
    const Axis *axis = &g->axes.data[y->type.axis[i]];
    ragged = axis->kind == AXIS_RAGGED ? y->type.axis[i] : ragged;
    others += axis->kind == AXIS_BATCH && y->type.axis[i] != AXIS_B;
  }
  if (ragged < 0 || others == 0 || !type_has(y->type, AXIS_B) || type_has(dy->type, AXIS_B)) {
    return dy;
  }
  Node *exists = build_op2(g, OP_LE, build_const(g, 0), build_index(g, ragged));
  return build_op2(g, OP_MUL, dy, exists);
}

static void go_back(Reverse *r, const Node *y)
{
  Graph *g = r->g;
  Node *dy = r->adjoint[y->id];
  int from = g->nodes.n;
  name_adjoint(r, y, y->name, dy);
  dy = with_owner(g, y, dy);
  if (y->op == OP_GATHER) {
    *VEC_PUSH(g->arena, &r->scatter[y->leaf]) = y->in[0];
    *VEC_PUSH(g->arena, &r->scatter[y->leaf]) = dy;
  }
  for (int i = 0; i < y->nin; i++) {
    if (r->active[y->in[i]->id] && has_gradient(y, i)) {
      contribute(r, y, i, dy);
    }
  }
  locate(g, from, y->loc);
}

static void add_grad(Reverse *r, int param, Node *d)
{
  const Param *p = &r->g->params.data[param];
  if (d->name.n == 0 && d->id >= r->nforward && d->op != OP_CONST) {
    d->name = rebuild_name(r->g, str_format(r->g->arena, "d_%.*s", STR_ARG(p->name)));
  }
  *VEC_PUSH(r->g->arena, &r->g->grads) = (Grad){.param = param, .node = d};
}

/* Collects, for each param, the adjoints of all its uses. */
static void collect(Reverse *r)
{
  Graph *g = r->g;
  for (int p = 0; p < g->params.n; p++) {
    int from = g->nodes.n;
    Node *d = NULL;
    for (int i = 0; i < r->nforward && !g->params.data[p].table; i++) {
      Node *n = g->nodes.data[i];
      if (n->op == OP_PARAM && n->leaf == p && r->adjoint[i]) {
        d = d ? build_op2(g, OP_ADD, d, r->adjoint[i]) : r->adjoint[i];
      }
    }
    if (r->scatter[p].n > 0) {
      d = build_scatter(g, p, r->scatter[p].n, r->scatter[p].data);
    }
    locate(g, from, g->params.data[p].loc);
    if (d) {
      add_grad(r, p, d);
    }
  }
}

/* The loss that is minimised is the mean over the batch. */
static Node *seed(Graph *g, const Node *loss)
{
  Node *one = build_const(g, 1);
  return type_has(loss->type, AXIS_B) ? build_op2(g, OP_DIV, one, build_size(g, AXIS_B)) : one;
}

static Graph *copy(Arena *a, const Graph *old)
{
  Graph *g = graph_shell(a, old);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      in[k] = g->nodes.data[n->in[k]->id];
    }
    Node *same = build_copy(g, n, in);
    same->name = n->name;
    same->loc = n->loc;
  }
  rebuild_roots(g, old, g->nodes.data);
  return g;
}

Graph *pass_grad(Arena *a, const Graph *old, Diags *d)
{
  Graph *g = copy(a, old);
  if (graph_has_gradients(g) || !g->loss || !g->train.given) {
    return g;
  }
  Reverse r = {.g = g, .d = d, .nforward = g->nodes.n, .active = find_active(g)};
  r.adjoint = ARENA_ARRAY(a, Node *, g->nodes.n);
  r.scatter = ARENA_ARRAY(a, Nodes, g->params.n);
  r.adjoint[g->loss->id] = seed(g, g->loss);
  locate(g, r.nforward, g->loss->loc);
  for (int i = g->loss->id; i >= 0; i--) {
    if (r.adjoint[i] && r.active[i]) {
      go_back(&r, g->nodes.data[i]);
    }
  }
  collect(&r);
  rebuild_sweep(g);
  return g;
}
