/* build.c: making graphs and nodes. Every builder fills in a node, asks node_type for its type and
 * appends it: an operand must be there first, so Graph.nodes is in topological order by construction. */

#include "build.h"
#include "ops.h"

#include <assert.h>
#include <string.h>

int graph_axis(Graph *g, Axis axis)
{
  *VEC_PUSH(g->arena, &g->axes) = axis;
  return g->axes.n - 1;
}

int graph_number_axis(Graph *g, long extent)
{
  assert(extent != 1);
  for (int i = 0; i < g->axes.n; i++) {
    if (g->axes.data[i].number && g->axes.data[i].extent == extent) {
      return i;
    }
  }
  Str name = str_format(g->arena, "%ld", extent);
  return graph_axis(g,
    (Axis){.name = name, .kind = AXIS_PLAIN, .extent = extent, .root = g->axes.n, .number = true});
}

Graph *graph_new(Arena *a)
{
  Graph *g = ARENA_NEW(a, Graph);
  g->arena = a;
  g->data = (Data){.format = DATA_CSV, .separator = ',', .header = true};
  graph_axis(g, (Axis){.name = S("B"), .kind = AXIS_BATCH});
  return g;
}

#define COPY_VEC(a, to, from) \
  for (int copied = 0; copied < (from)->n; copied++) { \
    *VEC_PUSH(a, to) = (from)->data[copied]; \
  }

Graph *graph_shell(Arena *a, const Graph *old)
{
  Graph *g = ARENA_NEW(a, Graph);
  g->arena = a;
  g->log = old->log;
  g->model = old->model;
  g->doc = old->doc;
  g->source = old->source;
  g->randoms = old->randoms;
  g->train = old->train;
  g->data = old->data;
  COPY_VEC(a, &g->axes, &old->axes);
  COPY_VEC(a, &g->inputs, &old->inputs);
  COPY_VEC(a, &g->fits, &old->fits);
  COPY_VEC(a, &g->ranked, &old->ranked);
  COPY_VEC(a, &g->params, &old->params);
  return g;
}

static Node *node_new(Graph *g, Op op, int nin, Node *const *in, int naxes)
{
  Node *n = ARENA_NEW(g->arena, Node);
  n->op = op;
  n->nin = nin;
  n->in = ARENA_ARRAY(g->arena, Node *, nin);
  for (int i = 0; i < nin; i++) {
    assert(in[i]->id < g->nodes.n && g->nodes.data[in[i]->id] == in[i]);
    n->in[i] = in[i];
  }
  n->naxes = naxes;
  n->axes = ARENA_ARRAY(g->arena, short, naxes);
  return n;
}

static Node *node_add(Graph *g, Node *n)
{
  bool fits = node_type(g, n, &n->type);
  assert(fits);
  (void)fits;
  n->id = g->nodes.n;
  *VEC_PUSH(g->arena, &g->nodes) = n;
  return n;
}

static void set_axes(Node *n, int at, int count, const short *axes)
{
  if (count > 0) {
    memcpy(n->axes + at, axes, sizeof *axes * (size_t)count);
  }
}

static Node *add_leaf(Graph *g, Op op, int leaf)
{
  Node *n = node_new(g, op, 0, NULL, 0);
  n->leaf = leaf;
  return node_add(g, n);
}

static Node *add_axis_leaf(Graph *g, Op op, int axis)
{
  Node *n = node_new(g, op, 0, NULL, 1);
  n->axes[0] = (short)axis;
  return node_add(g, n);
}

Node *build_const(Graph *g, double value)
{
  Node *n = node_new(g, OP_CONST, 0, NULL, 0);
  n->value = value;
  return node_add(g, n);
}

Node *build_input(Graph *g, int input)
{
  return add_leaf(g, OP_INPUT, input);
}

Node *build_param(Graph *g, int param)
{
  assert(!g->params.data[param].table);
  return add_leaf(g, OP_PARAM, param);
}

Node *build_index(Graph *g, int axis)
{
  return add_axis_leaf(g, OP_INDEX, axis);
}

Node *build_size(Graph *g, int axis)
{
  const Axis *a = &g->axes.data[axis];
  return a->kind == AXIS_PLAIN ? build_const(g, (double)a->extent)
                               : add_axis_leaf(g, OP_SIZE, axis);
}

Node *build_random(Graph *g, Type type)
{
  Node *n = node_new(g, OP_RANDOM, 0, NULL, 0);
  n->type = type;
  n->leaf = g->randoms++;
  return node_add(g, n);
}

Node *build_training(Graph *g)
{
  return add_leaf(g, OP_TRAINING, 0);
}

Node *build_var(Graph *g, int var)
{
  return add_leaf(g, OP_VAR, var);
}

Node *build_op(Graph *g, Op op, int nin, Node *const *in)
{
  assert(op_pointwise(op) && op_rows[op].arity == nin);
  return node_add(g, node_new(g, op, nin, in, 0));
}

Node *build_op1(Graph *g, Op op, Node *x)
{
  return build_op(g, op, 1, &x);
}

Node *build_op2(Graph *g, Op op, Node *x, Node *y)
{
  return build_op(g, op, 2, (Node *[]){x, y});
}

Node *build_reduce(Graph *g, Op op, Node *x, int naxes, const short *axes)
{
  assert(op_rows[op].class == CLASS_REDUCE && naxes > 0);
  Node *n = node_new(g, op, 1, &x, naxes);
  set_axes(n, 0, naxes, axes);
  return node_add(g, n);
}

Node *build_gather(Graph *g, int param, Node *ids)
{
  assert(g->params.data[param].table && ids->type.kind == KIND_ID);
  Node *n = node_new(g, OP_GATHER, 1, &ids, 0);
  n->leaf = param;
  return node_add(g, n);
}

Node *build_scatter(Graph *g, int param, int nin, Node *const *in)
{
  assert(g->params.data[param].table && nin > 0 && nin % 2 == 0);
  Node *n = node_new(g, OP_SCATTER, nin, in, 0);
  n->leaf = param;
  return node_add(g, n);
}

Node *build_rename(Graph *g, Node *x, int npairs, const short *pairs)
{
  Node *n = node_new(g, OP_RENAME, 1, &x, 2 * npairs);
  set_axes(n, 0, 2 * npairs, pairs);
  return node_add(g, n);
}

Node *build_concat(Graph *g, int out, int nin, Node *const *in, int naxes, const short *axes)
{
  Node *n = node_new(g, OP_CONCAT, nin, in, 1 + naxes);
  n->axes[0] = (short)out;
  set_axes(n, 1, naxes, axes);
  return node_add(g, n);
}

Node *build_slice(Graph *g, Node *x, int from, long offset, int nto, const short *to)
{
  assert(type_has(x->type, from));
  Node *n = node_new(g, OP_SLICE, 1, &x, 1 + nto);
  n->axes[0] = (short)from;
  set_axes(n, 1, nto, to);
  n->offset = offset;
  return node_add(g, n);
}

Node *build_pad(Graph *g, Node *x, int to, long offset, int nfrom, const short *from)
{
  Node *n = node_new(g, OP_PAD, 1, &x, 1 + nfrom);
  n->axes[0] = (short)to;
  set_axes(n, 1, nfrom, from);
  n->offset = offset;
  return node_add(g, n);
}

Node *build_triangle(Graph *g, Node *x, int f, int h, int p)
{
  assert(type_has(x->type, f) || type_has(x->type, h));
  Node *n = node_new(g, OP_TRIANGLE, 1, &x, 3);
  set_axes(n, 0, 3, (short[]){(short)f, (short)h, (short)p});
  return node_add(g, n);
}

Node *build_untriangle(Graph *g, Node *x, int p, int f, int h)
{
  Node *n = node_new(g, OP_UNTRIANGLE, 1, &x, 3);
  set_axes(n, 0, 3, (short[]){(short)p, (short)f, (short)h});
  return node_add(g, n);
}

Node *build_copy(Graph *g, const Node *old, Node *const *in)
{
  Node *n = node_new(g, old->op, old->nin, in, old->naxes);
  set_axes(n, 0, old->naxes, old->axes);
  n->type = old->type; /* RANDOM has its own; the others' is computed */
  n->value = old->value;
  n->offset = old->offset;
  n->leaf = old->leaf;
  return node_add(g, n);
}

Node *build_order(Graph *g, Node *x, int innermost)
{
  Node *n = node_new(g, OP_ORDER, 1, &x, 1);
  n->axes[0] = (short)innermost;
  return node_add(g, n);
}
