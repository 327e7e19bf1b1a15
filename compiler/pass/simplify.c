/* simplify.c: rewriting by rules (rules.h) to a fixed point, and the table that simplification uses.
 *
 * One idea: settle(n) gives the final form of a fresh node: its operands settled, the same as an equal
 * node that is there already, or what the first rule that fires makes of it, settled. The graph is
 * rebuilt by settling a copy of each live node in order, and swept at the end. What one round's use
 * counts did not allow, the next may. */

#include "rules.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { MOST_ROUNDS = 10, MOST_DEPTH = 10000 };

static const Rule simplify_rules[] = {
#define TEXT(from, to) {from, to, false, NULL, OP_COUNT, from " is " to, false},
#define ONCE(from, to) {from, to, true, NULL, OP_COUNT, from " is " to, false},
#define CODE(op, function, why) {NULL, NULL, false, function, op, why, false},
#define NEED(op, function, why) {NULL, NULL, false, function, op, why, true},
#include "rules.def"
#undef TEXT
#undef ONCE
#undef CODE
#undef NEED
};

typedef struct Applied { /* a rule ready for use */
  RuleFunction *function;
  const Pattern *pattern;
  const char *why;
  bool needed;
} Applied;

struct Engine {
  Arena *a;
  Graph *g;
  Rewriter w;
  VEC(Applied) rules[OP_COUNT]; /* those for each op, in order */
  VEC(Node *) final;            /* by id in g: what a node settled to; NULL: not yet */
  VEC(int) uses;
  Node **table; /* nodes with settled operands, by hash of what they compute */
  int ntable, nheld;
  int depth;
  bool changed, saves; /* saves: these rules save arithmetic */
};

/* Sharing: nodes that compute the same. */

static uint64_t mix(uint64_t h, uint64_t x)
{
  h = (h ^ x) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

static bool symmetric(const Node *n)
{
  return n->op == OP_ADD || n->op == OP_MUL || n->op == OP_EQ || n->op == OP_NE ||
         n->op == OP_MAXIMUM || n->op == OP_MINIMUM;
}

static uint64_t node_hash(const Node *n)
{
  uint64_t value, operands = 0;
  memcpy(&value, &n->value, sizeof value);
  uint64_t h = mix(mix(mix(n->op, value), (uint64_t)n->offset), (uint64_t)n->leaf);
  for (int i = 0; i < n->naxes; i++) {
    h = mix(h, (uint64_t)n->axes[i]);
  }
  for (int i = 0; i < n->nin; i++) {
    uint64_t id = (uint64_t)n->in[i]->id + 1;
    operands = symmetric(n) ? operands + mix(0, id) : mix(operands, id);
  }
  return mix(h, operands);
}

static bool same_operands(const Node *x, const Node *y)
{
  if (symmetric(x) && x->in[0] == y->in[1] && x->in[1] == y->in[0]) {
    return true;
  }
  for (int i = 0; i < x->nin; i++) {
    if (x->in[i] != y->in[i]) {
      return false;
    }
  }
  return true;
}

/* The same axes in the same order, which an output's file has too. */
static bool same_order(Type x, Type y)
{
  return x.kind == y.kind && x.n == y.n &&
         memcmp(x.axis, y.axis, sizeof *x.axis * (size_t)x.n) == 0;
}

static bool same_node(const Node *x, const Node *y)
{
  return x->op == y->op && x->nin == y->nin && x->naxes == y->naxes &&
         memcmp(&x->value, &y->value, sizeof x->value) == 0 && x->offset == y->offset &&
         x->leaf == y->leaf && same_order(x->type, y->type) &&
         (x->naxes == 0 || memcmp(x->axes, y->axes, sizeof *x->axes * (size_t)x->naxes) == 0) &&
         same_operands(x, y);
}

/* The place of n, or of a node that computes the same. */
static Node **lookup(const Engine *e, const Node *n)
{
  uint64_t at = node_hash(n);
  for (;; at++) {
    Node **place = &e->table[at & (uint64_t)(e->ntable - 1)];
    if (!*place || same_node(*place, n)) {
      return place;
    }
  }
}

Node *rule_existing(const Rewriter *w, const Node *probe)
{
  const Node *held = *lookup(w->engine, probe);
  return held ? w->engine->final.data[held->id] : NULL;
}

static void grow_table(Engine *e)
{
  Node **old = e->table;
  int n = e->ntable;
  e->ntable = n ? 2 * n : 256;
  e->table = ARENA_ARRAY(e->a, Node *, e->ntable);
  for (int i = 0; i < n; i++) {
    if (old[i]) {
      *lookup(e, old[i]) = old[i];
    }
  }
}

static void hold(Engine *e, Node *n)
{
  if (2 * e->nheld >= e->ntable) {
    grow_table(e);
  }
  *lookup(e, n) = n;
  e->nheld++;
}

/* Bookkeeping by node id. */

static void cover(Engine *e)
{
  while (e->final.n < e->g->nodes.n) {
    *VEC_PUSH(e->a, &e->final) = NULL;
    *VEC_PUSH(e->a, &e->uses) = 0;
  }
  e->w.uses = e->uses.data;
  e->w.nuses = e->uses.n;
}

bool rule_single_use(const Rewriter *w, const Node *x)
{
  return x->id >= w->nuses || w->uses[x->id] <= 1;
}

/* `to` stands for `from` now: it takes over the name, if it can use one. */
static void take_name(Str name, Loc loc, Node *to)
{
  if (to->loc.source == NULL) {
    to->loc = loc;
  }
  if (to->name.n == 0 && op_rows[to->op].class != CLASS_LEAF) {
    to->name = name;
    to->loc = name.n > 0 ? loc : to->loc;
  }
}

static Node *settle(Engine *e, Node *n);

static void locate(Graph *g, int from, Loc loc)
{
  for (int k = from; k < g->nodes.n; k++) {
    g->nodes.data[k]->loc = loc;
  }
}

static Node *like(Graph *g, const Node *old, Node *const *in)
{
  int from = g->nodes.n;
  Node *n = broad_like(g, old, in);
  locate(g, from, old->loc);
  return n;
}

static Node *settle_operands(Engine *e, Node *n)
{
  bool same = true;
  Node **in = ARENA_ARRAY(e->a, Node *, n->nin);
  for (int i = 0; i < n->nin; i++) {
    in[i] = settle(e, n->in[i]);
    same &= in[i] == n->in[i];
  }
  if (same) {
    return n;
  }
  Node *m = like(e->g, n, in);
  cover(e);
  return m;
}

static bool is_enough(const Engine *e, const Applied *rule)
{
  const RuleLog *log = e->g->log;
  return log && log->fired.n >= log->most && !(rule->needed && log->planned);
}

static void note(Engine *e, const char *why, const Node *n)
{
  if (e->g->log) {
    *VEC_PUSH(e->a, &e->g->log->fired) = (Fired){why, n->loc, e->saves};
  }
}

/* What the first rule that fires makes of n; NULL: none does. */
static Node *apply(Engine *e, Node *n)
{
  for (int i = 0; i < e->rules[n->op].n; i++) {
    const Applied *rule = &e->rules[n->op].data[i];
    if (is_enough(e, rule)) {
      continue;
    }
    int from = e->g->nodes.n;
    Node *m = rule->function ? rule->function(&e->w, n) : pattern_apply(&e->w, rule->pattern, n);
    cover(e);
    locate(e->g, from, n->loc);
    if (m && m != n && m->type.kind == n->type.kind) {
      e->changed = true;
      note(e, rule->why, n);
      return m;
    }
  }
  return NULL;
}

static Node *settle_fresh(Engine *e, Node *n)
{
  Node *m = settle_operands(e, n);
  if (m != n) { /* may be several nodes, or one of the operands */
    take_name(n->name, n->loc, m);
    return settle(e, m);
  }
  if (*lookup(e, n)) {
    m = e->final.data[(*lookup(e, n))->id];
    e->changed = true;
    e->uses.data[m->id]++;
    return m;
  }
  m = apply(e, n);
  if (m) {
    m = settle(e, m);
  } else {
    m = n;
  }
  e->final.data[n->id] = m;
  hold(e, n); /* also when it became another: the next one like it becomes the same */
  return m;
}

static Node *settle(Engine *e, Node *n)
{
  cover(e);
  if (e->final.data[n->id]) {
    return e->final.data[n->id];
  }
  assert(e->depth < MOST_DEPTH && "rules that undo each other");
  e->depth++;
  Node *m = settle_fresh(e, n);
  e->depth--;
  take_name(n->name, n->loc, m);
  e->final.data[n->id] = m;
  e->final.data[m->id] = m;
  return m;
}

/* A fresh copy of a node of the old graph. */
static Node *copy(Engine *e, const Node *old, Node *const *map)
{
  Node **in = ARENA_ARRAY(e->a, Node *, old->nin);
  for (int k = 0; k < old->nin; k++) {
    in[k] = map[old->in[k]->id];
  }
  int from = e->g->nodes.n;
  Node *n = like(e->g, old, in);
  if (n->id >= from) {
    n->name = n->op == OP_CONST ? (Str){0} : old->name;
  }
  return n;
}

/* One round. */
static Graph *rewrite(Engine *e, const Graph *old)
{
  e->g = graph_shell(e->a, old);
  e->w.g = e->g;
  e->w.engine = e;
  e->final.n = e->uses.n = 0;
  e->table = NULL;
  e->ntable = e->nheld = 0;
  e->changed = false;
  grow_table(e);
  const int *uses = rebuild_uses(e->a, old);
  Node **map = ARENA_ARRAY(e->a, Node *, old->nodes.n);
  for (int i = 0; i < old->nodes.n; i++) {
    if (uses[i] > 0) {
      const Node *n = old->nodes.data[i];
      map[i] = settle(e, copy(e, n, map));
      take_name(n->name, n->loc, map[i]);
      e->uses.data[map[i]->id] += uses[i];
    }
  }
  rebuild_roots(e->g, old, map);
  rebuild_sweep(e->g);
  return e->g;
}

static void add_rule(Engine *e, const Rule *rule)
{
  Applied ready = {.function = rule->function, .why = rule->why, .needed = rule->needed};
  if (!rule->function) {
    Pattern *p = pattern_new(e->a, rule);
    ready.pattern = p;
    *VEC_PUSH(e->a, &e->rules[pattern_op(p)]) = ready;
    return;
  }
  for (int op = 0; op < OP_COUNT; op++) {
    if (rule->op == OP_COUNT || rule->op == op) {
      *VEC_PUSH(e->a, &e->rules[op]) = ready;
    }
  }
}

Graph *rules_apply(Arena *a, const Graph *g, const Rule *rules, int nrules, bool saves)
{
  Engine e = {.a = a, .saves = saves};
  e.w.grads_taken = graph_has_gradients(g) || !g->loss || !g->train.given;
  for (int i = 0; i < nrules; i++) {
    add_rule(&e, &rules[i]);
  }
  Graph *result = rewrite(&e, g);
  for (int round = 1; e.changed && round < MOST_ROUNDS; round++) {
    result = rewrite(&e, result);
  }
  return result;
}

Graph *pass_simplify(Arena *a, const Graph *g)
{
  return rules_apply(
    a, g, simplify_rules, (int)(sizeof simplify_rules / sizeof *simplify_rules), false);
}
