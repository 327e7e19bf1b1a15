/* plan.c: scopes, phases and places. See plan.h for what they are.
 *
 * Places are decided from the last node to the first, because whether a value deserves memory depends on
 * who reads it and how often. A pointwise value is computed where it is used when that does not repeat
 * its work, or when it is so cheap that reading it back would cost as much. */

#include "fuse.h"
#include "late.h"

#include "../ir/build.h"
#include "../ir/ops.h"

enum { CHEAP = 2 };

typedef struct Planner {
  Arena *arena;
  Plan *p;
  bool *forced; /* by node: must have memory of its own */
  int *cost;    /* by node: of computing it from what is certainly stored */
} Planner;

static bool is_plain(const Graph *g, int axis)
{
  return g->axes.data[axis].kind != AXIS_BATCH;
}

static double size_of(const Graph *g, Type t)
{
  double size = 1;
  for (int i = 0; i < t.n; i++) {
    size *= is_plain(g, t.axis[i]) ? (double)axis_extent(g, t.axis[i]) : 1;
  }
  return size;
}

static Scope scope_of(const Graph *g, const Node *n)
{
  if (type_has(n->type, AXIS_B)) {
    return SCOPE_SAMPLE;
  }
  for (int i = 0; i < n->type.n; i++) {
    if (g->axes.data[n->type.axis[i]].kind == AXIS_BATCH) {
      return SCOPE_ACROSS;
    }
  }
  return SCOPE_TOTAL;
}

static void find_costs(Planner *pl)
{
  const Graph *g = pl->p->g;
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    int cost = op_rows[n->op].cost;
    for (int j = 0; j < n->nin && op_pointwise(n->op) && cost < 1000; j++) {
      cost += pl->cost[plan_source(n->in[j])->id];
    }
    pl->cost[i] = cost;
  }
}

static void find_scopes(Planner *pl)
{
  Plan *p = pl->p;
  const Graph *g = p->g;
  int *read = ARENA_ARRAY(pl->arena, int, g->nodes.n + 1);
  int *made = ARENA_ARRAY(pl->arena, int, g->nodes.n + 1);
  plan_times(g, p->tiles, read, made);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    Value *v = &p->value[i];
    v->phase = made[i] / SWEEPS;
    v->sweep = read[i] % SWEEPS;
    v->scope = scope_of(g, n);
    v->stmt = -1;
    v->place = PLACE_INLINE;
    v->layout = plan_layout(g, n->type, n->op != OP_PARAM && n->op != OP_INPUT);
    for (int j = 0; j < n->nin; j++) {
      p->value[n->in[j]->id].uses++;
    }
  }
}

static void demand(Planner *pl, const Node *n, double evals)
{
  pl->p->value[n->id].evals += evals;
}

static void force(Planner *pl, const Node *n)
{
  const Node *source = plan_source(n);
  pl->forced[source->id] = source->op != OP_PARAM && source->op != OP_INPUT;
}

static void add_stmt(Planner *pl, Stmt s)
{
  const Graph *g = pl->p->g;
  s.pairs = pl->p->columns > 0 && (value_of_pairs(g, s.node) || reduces_columns(g, s.node));
  *VEC_PUSH(pl->arena, &pl->p->stmts) = s;
}

static Place stored_place(const Plan *p, const Node *n)
{
  const Value *v = &p->value[n->id];
  if (v->scope != SCOPE_SAMPLE && op_rows[n->op].class == CLASS_REDUCE && samples_meet(p->g, n)) {
    return PLACE_SLOT;
  }
  if (v->scope == SCOPE_TOTAL) {
    return PLACE_TOTAL;
  }
  return p->tiles ? PLACE_TILE : PLACE_BATCH;
}

/* Is a pointwise node better computed in place? */
static bool stays_inline(Planner *pl, const Node *n)
{
  const Plan *p = pl->p;
  const Value *v = &p->value[n->id];
  if (v->scope == SCOPE_ACROSS || n->op == OP_CONST) {
    return true;
  }
  bool once = v->evals <= size_of(p->g, n->type) * 1.0001;
  int cost = pl->cost[n->id];
  if (!p->fuses) {
    return n->type.n == 0 && cost <= 4; /* numbers like 1 / size[B] */
  }
  if (v->scope == SCOPE_TOTAL && n->type.n == 0) {
    return cost <= CHEAP || once;
  }
  return once || cost <= CHEAP;
}

static void place_reduce(Planner *pl, const Node *n)
{
  Plan *p = pl->p;
  Value *v = &p->value[n->id];
  v->place = stored_place(p, n);
  Stmt s = {.kind = STMT_REDUCE, .node = n, .store = n};
  if (plan_contract(p, n, &s.contract)) {
    s.kind = STMT_CONTRACT;
    const Contract *c = &s.contract;
    s.flat = c->rows_m || c->rows_k || c->cols_n || c->cols_k;
    p->value[n->in[0]->id].place = PLACE_FUSED;
    force(pl, s.contract.a);
    force(pl, s.contract.b);
  }
  short axes[2 * MAX_AXES];
  int count = stmt_axes(p, &(Stmt){.kind = STMT_REDUCE, .node = n}, axes);
  double evals = 1;
  for (int i = 0; i < count; i++) {
    evals *= is_plain(p->g, axes[i]) ? (double)axis_extent(p->g, axes[i]) : 1;
  }
  demand(pl, n->in[0], evals);
  s.scope = samples_meet(p->g, n) ? SCOPE_SAMPLE : v->scope;
  s.phase = samples_meet(p->g, n) ? v->phase - 1 : v->phase;
  add_stmt(pl, s);
}

static void store(Planner *pl, const Node *n, StmtKind kind)
{
  Plan *p = pl->p;
  p->value[n->id].place = stored_place(p, n);
  for (int i = 0; i < n->nin; i++) {
    demand(pl, n->in[i],
      kind == STMT_STRUCTURE ? size_of(p->g, n->in[i]->type) : size_of(p->g, n->type));
  }
  add_stmt(pl, (Stmt){.kind = kind,
                 .node = n,
                 .store = n,
                 .scope = p->value[n->id].scope,
                 .phase = p->value[n->id].phase});
}

static void place(Planner *pl, const Node *n)
{
  Plan *p = pl->p;
  const Value *v = &p->value[n->id];
  if (v->place == PLACE_FUSED) {
    demand(pl, n->in[0], 0);
    return;
  }
  if (v->uses == 0 && v->evals <= 0) {
    return;
  }
  switch (op_rows[n->op].class) {
  case CLASS_LEAF: {
    bool costly = n->op == OP_RANDOM && (v->uses > 1 || !p->fuses);
    bool factor = pl->forced[n->id] && (n->op == OP_RANDOM || n->op == OP_INDEX);
    if (v->scope != SCOPE_ACROSS && (costly || factor)) {
      store(pl, n, STMT_ELEMENT);
    }
    return;
  }
  case CLASS_REDUCE:
    place_reduce(pl, n);
    return;
  case CLASS_STRUCTURE:
    if (op_is_view(n->op)) {
      demand(pl, n->in[0], v->evals);
      if (samples_meet(p->g, n)) {
        force(pl, n->in[0]);
      }
    } else if (n->op == OP_GATHER) {
      bool once = v->evals <= size_of(p->g, n->type) * 1.0001 && v->uses == 1;
      if (once && !pl->forced[n->id] && p->fuses) {
        demand(pl, n->in[0], v->evals);
      } else {
        store(pl, n, STMT_ELEMENT);
      }
    } else if (n->op == OP_ORDER) {
      store(pl, n, STMT_ELEMENT);
    } else if (n->op != OP_SCATTER) {
      store(pl, n, STMT_STRUCTURE);
    }
    return;
  case CLASS_UNARY:
  case CLASS_BINARY:
  case CLASS_TERNARY:
  case CLASS_OPERATOR:
    if (!pl->forced[n->id] && stays_inline(pl, n)) {
      for (int i = 0; i < n->nin; i++) {
        demand(pl, n->in[i], v->evals);
      }
    } else {
      store(pl, n, STMT_ELEMENT);
    }
    return;
  }
}

/* What is wanted from outside: outputs, gradients, the loss. */
static void place_roots(Planner *pl)
{
  Plan *p = pl->p;
  const Graph *g = p->g;
  for (int i = 0; i < g->outputs.n; i++) {
    const Node *n = g->outputs.data[i].node;
    demand(pl, n, size_of(g, g->outputs.data[i].type));
    p->value[n->id].uses++;
    add_stmt(pl, (Stmt){.kind = STMT_OUTPUT,
                   .node = n,
                   .store = n,
                   .index = i,
                   .scope = SCOPE_SAMPLE,
                   .phase = p->value[n->id].phase});
  }
  for (int i = 0; i < g->grads.n; i++) {
    const Node *n = g->grads.data[i].node;
    p->value[n->id].uses++;
    if (n->op != OP_SCATTER) {
      force(pl, n); /* computed before any parameter moves */
      demand(pl, n, size_of(g, g->params.data[g->grads.data[i].param].type));
      continue;
    }
    Type row = g->params.data[n->leaf].type;
    for (int j = 0; j < n->nin; j += 2) {
      double ids = size_of(g, n->in[j]->type);
      demand(pl, n->in[j], ids);
      demand(pl, n->in[j + 1], ids * size_of(g, row));
      add_stmt(pl, (Stmt){.kind = STMT_SCATTER,
                     .node = n,
                     .store = n,
                     .index = j / 2,
                     .scope = SCOPE_SAMPLE,
                     .phase = p->value[n->in[j + 1]->id].phase});
    }
  }
  if (p->loss) {
    demand(pl, p->loss, 1);
    p->value[p->loss->id].uses++;
    pl->forced[p->loss->id] = true;
  }
}

/* A sample's value that a later phase or another sample reads is kept for the whole batch. */
typedef struct Reader {
  Plan *p;
  int phase;
} Reader;

static void keep_for_batch(void *arg, const Node *n)
{
  const Reader *r = arg;
  Value *v = &r->p->value[n->id];
  if ((v->place == PLACE_TILE || v->place == PLACE_BATCH) && v->phase < r->phase) {
    v->place = PLACE_BATCH;
    v->shared = true;
  }
}

static void reverse(Plan *p)
{
  for (int i = 0, j = p->stmts.n - 1; i < j; i++, j--) {
    Stmt s = p->stmts.data[i];
    p->stmts.data[i] = p->stmts.data[j];
    p->stmts.data[j] = s;
  }
}

/* n, or a copy of it when it is a leaf or a view of one, which would be read in place. */
static Node *kept(Graph *g, Node *n)
{
  const Node *source = plan_source(n);
  return op_rows[source->op].class == CLASS_LEAF ? build_op2(g, OP_ADD, n, build_const(g, 0)) : n;
}

Plan *plan_graph(Arena *a, Graph *g, FuseLevel level, int tile)
{
  Plan *p = ARENA_NEW(a, Plan);
  *p = (Plan){.g = g,
    .padded = level == FUSE_OFF,
    .fuses = level >= FUSE_LOOPS,
    .tiles = level >= FUSE_TILES,
    .epilogues = level >= FUSE_ALL,
    .tile = tile,
    .phases = 1};
  for (int i = 0; i < g->grads.n; i++) {
    g->grads.data[i].node = kept(g, g->grads.data[i].node);
  }
  if (g->loss) {
    short b = AXIS_B;
    bool each = type_has(g->loss->type, AXIS_B);
    g->loss = each ? g->loss : kept(g, g->loss);
    p->loss = each ? build_reduce(g, OP_SUM, g->loss, 1, &b) : g->loss;
  }
  p->value = ARENA_ARRAY(a, Value, g->nodes.n + 1);
  Planner pl = {a, p, ARENA_ARRAY(a, bool, g->nodes.n + 1), ARENA_ARRAY(a, int, g->nodes.n + 1)};
  plan_columns(p);
  find_scopes(&pl);
  find_costs(&pl);
  place_roots(&pl);
  for (int i = g->nodes.n - 1; i >= 0; i--) {
    place(&pl, g->nodes.data[i]);
  }
  reverse(p);
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    Reader r = {p, s->phase};
    stmt_visit(p, s, keep_for_batch, &r);
    p->phases = s->scope == SCOPE_SAMPLE && s->phase + 1 > p->phases ? s->phase + 1 : p->phases;
  }
  plan_late_rows(p);
  plan_packs(a, p);
  plan_padding(p);
  plan_turned(a, p);
  plan_schedule(a, p);
  return p;
}
