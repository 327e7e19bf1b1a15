/* freeze.c: what follows from parameters that will not change any more, computed once.
 *
 * One idea: a value of parameters alone is a parameter too. It is evaluated here, in double precision, and
 * the program gets a new parameter in its place, appended to the model's own, which keep their numbers. Views
 * (renamed, sliced) of a parameter stay as they are: they cost nothing. */

#include "freeze.h"
#include "rebuild.h"

#include "../ir/interpret.h"

/* So many numbers an outer product may have; what has more must have no more than what it is made of. */
static const double few = 1 << 16;

typedef struct Freezing {
  Graph *g;         /* new */
  const Graph *old; /* pruned */
  Constants *c;
  bool *fixed; /* by old node: of parameters and numbers alone */
  bool *given; /* of parameters too */
  bool *fold;
  double *made_of; /* numbers of the parameters that it is made of */
} Freezing;

static double count_of(const Graph *g, Type t)
{
  double count = 1;
  for (int i = 0; i < t.n; i++) {
    count *= (double)g->axes.data[t.axis[i]].extent;
  }
  return count;
}

static bool is_view(Op op)
{
  return op == OP_RENAME || op == OP_SLICE;
}

/* Whether n's value would be known if its operands' were. */
static bool may_be_fixed(const Freezing *f, const Node *n)
{
  if (n->op == OP_PARAM) {
    return !f->g->params.data[n->leaf].table && f->c->value[n->leaf] != NULL;
  }
  if (n->op == OP_SIZE || n->op == OP_INDEX) {
    return f->old->axes.data[n->axes[0]].kind == AXIS_PLAIN;
  }
  return n->op == OP_CONST ||
         (n->nin > 0 && n->op != OP_GATHER && n->op != OP_SCATTER && !type_has(n->type, AXIS_B));
}

static void find_fixed(Freezing *f)
{
  for (int i = 0; i < f->old->nodes.n; i++) {
    const Node *n = f->old->nodes.data[i];
    bool fixed = may_be_fixed(f, n), given = n->op == OP_PARAM;
    double made_of = given ? count_of(f->old, n->type) : 0;
    for (int k = 0; k < n->nin; k++) {
      fixed &= f->fixed[n->in[k]->id];
      given |= f->given[n->in[k]->id];
      made_of += f->made_of[n->in[k]->id];
    }
    f->fixed[i] = fixed;
    f->given[i] = given;
    f->made_of[i] = made_of;
  }
}

/* Folds the largest fixed parts below n. */
static void choose(Freezing *f, const Node *n, bool *seen)
{
  if (seen[n->id]) {
    return;
  }
  seen[n->id] = true;
  double count = count_of(f->old, n->type);
  f->fold[n->id] = f->fixed[n->id] && f->given[n->id] && n->op != OP_PARAM && !is_view(n->op) &&
                   (count <= few || count <= f->made_of[n->id]);
  for (int k = 0; k < n->nin && !f->fold[n->id]; k++) {
    choose(f, n->in[k], seen);
  }
}

int constants_add(Constants *c, Graph *g, Param param, double *value)
{
  Arena *a = g->arena;
  int n = g->params.n;
  const double **values = ARENA_ARRAY(a, const double *, n + 1);
  long *rows = ARENA_ARRAY(a, long, n + 1);
  for (int i = 0; i < n; i++) {
    values[i] = c->value[i];
    rows[i] = c->rows[i];
  }
  values[n] = value;
  rows[n] = param.table ? param.rows : 1;
  *c = (Constants){values, rows};
  *VEC_PUSH(a, &g->params) = param;
  return n;
}

static Node *constant(Freezing *f, const Node *n, const Tensor *t)
{
  Graph *g = f->g;
  Str wish = n->name.n > 0 ? n->name : S("constant");
  Param param = {.name = rebuild_name(g, wish),
    .type = n->type,
    .rows = 1,
    .vocab_of = -1,
    .init = INIT_ZEROS,
    .nshape = n->type.n,
    .loc = n->loc};
  for (int i = 0; i < n->type.n; i++) {
    param.shape[i] = g->axes.data[n->type.axis[i]].extent;
  }
  Node *node = build_param(g, constants_add(f->c, g, param, t->data));
  node->loc = n->loc;
  return node;
}

Graph *pass_freeze(Arena *a, const Graph *model, bool rewrite, Constants *c)
{
  Graph *old = pass_prune(a, model, PRUNE_PREDICT);
  int n = old->nodes.n + 1;
  Freezing f = {.g = graph_shell(a, old), .old = old, .c = c};
  f.fixed = ARENA_ARRAY(a, bool, n);
  f.given = ARENA_ARRAY(a, bool, n);
  f.fold = ARENA_ARRAY(a, bool, n);
  f.made_of = ARENA_ARRAY(a, double, n);
  find_fixed(&f);
  bool *seen = ARENA_ARRAY(a, bool, n);
  for (int i = 0; i < old->outputs.n; i++) {
    choose(&f, old->outputs.data[i].node, seen);
  }
  InterpretBatch none = {0};
  Interp *ip = interpret_new(a, old, &none, c->value, c->rows, 0, 0, false);
  Node **map = ARENA_ARRAY(a, Node *, n);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *x = old->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, x->nin);
    for (int k = 0; k < x->nin; k++) {
      in[k] = map[x->in[k]->id];
    }
    map[i] = f.fold[i] ? constant(&f, x, interpret_node(ip, x)) : build_copy(f.g, x, in);
    map[i]->name = f.fold[i] ? (Str){0} : x->name;
    map[i]->loc = x->loc;
  }
  rebuild_roots(f.g, old, map);
  f.g->train = (Train){0};
  rebuild_sweep(f.g);
  return rewrite ? freeze_tables(a, f.g, c) : f.g;
}
