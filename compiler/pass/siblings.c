/* siblings.c: narrow contractions of one operand over one axis, computed as one.
 *
 * Two gates over what the experts read, queries, keys and values of a list, heads of several tasks:
 *
 *   sum[K](x * v), sum[K](x * w)     parts of sum[K](x * concat(v, w -> J))
 *
 * A kernel works in vectors of 16 columns and, below 8, not at all. Narrow products leave most of that empty
 * and read the same rows again; side by side they fill it, and the gradient of x is one product where it was
 * a sum of several. Wide ones lose: what follows finds its columns in longer rows, and they filled their
 * vectors before (compiler/README.md has the figures). Parameters stay what they were: it is in what is
 * computed once from them that they lie side by side.
 *
 * Before gradients: with them there it does nothing. Keeps names and locations; the parts have those of the
 * sums they were. */

#include "siblings.h"

#include "rebuild.h"

enum { WIDEST = 24, MOST_TOGETHER = 128, MOST_SIBLINGS = 16 }; /* columns; siblings */
enum {
  LEAST_KERNEL = 8,
  LEAST_SUMMED = 16,
  LEAST_WORK = 512
}; /* columns; terms; terms of all columns */

/* sum[k](x * weight), where x is `from`, perhaps with another name for its axis. */
typedef struct Member {
  const Node *sum, *weight, *from;
  int axis, k; /* what is summed, as `from` and as the weight call it */
  long columns;
  bool predicts; /* an output needs it */
} Member;

typedef struct Siblings {
  int n;
  const Member *member[MOST_SIBLINGS];
  long columns, narrowest;
  Node *joined;
} Siblings;

typedef struct Join {
  Graph *g;
  const Graph *old;
  bool *fixed;       /* by old node: follows from parameters alone */
  bool *predicts;    /* by old node */
  Member *member;    /* by old node; sum: NULL where it is none */
  Siblings **family; /* by old node */
  int *piece;        /* by old node: the number of the member in its family */
  Node **map;
} Join;

static void find_fixed(Join *j)
{
  for (int i = 0; i < j->old->nodes.n; i++) {
    const Node *n = j->old->nodes.data[i];
    bool fixed = n->op == OP_PARAM || (n->nin > 0 && op_rows[n->op].class != CLASS_LEAF);
    fixed &= n->op != OP_GATHER && n->op != OP_SCATTER;
    for (int k = 0; k < n->type.n; k++) {
      fixed &= j->old->axes.data[n->type.axis[k]].kind == AXIS_PLAIN;
    }
    for (int k = 0; k < n->nin; k++) {
      fixed &= j->fixed[n->in[k]->id] || n->in[k]->op == OP_CONST;
    }
    j->fixed[i] = fixed;
  }
}

static void find_predicts(Join *j)
{
  for (int i = 0; i < j->old->outputs.n; i++) {
    j->predicts[j->old->outputs.data[i].node->id] = true;
  }
  for (int i = j->old->nodes.n - 1; i >= 0; i--) {
    const Node *n = j->old->nodes.data[i];
    for (int k = 0; k < n->nin && j->predicts[i]; k++) {
      j->predicts[n->in[k]->id] = true;
    }
  }
}

/* Does the weight have the summed axis and beside it only axes that x lacks? */
static bool is_weight(const Join *j, const Node *weight, const Node *x, int k)
{
  bool own = j->fixed[weight->id] && type_has(weight->type, k) && type_has(x->type, k);
  for (int i = 0; i < weight->type.n && own; i++) {
    own = weight->type.axis[i] == k || !type_has(x->type, weight->type.axis[i]);
  }
  return own;
}

static bool find_member(const Join *j, const int *uses, const Node *n, Member *m)
{
  const Node *product = n->in[0];
  if (n->op != OP_SUM || n->naxes != 1 || product->op != OP_MUL || uses[product->id] != 1) {
    return false;
  }
  int k = n->axes[0];
  for (int i = 0; i < 2; i++) {
    const Node *x = product->in[i], *weight = product->in[1 - i];
    if (!type_has(x->type, AXIS_B) || x->type.kind == KIND_ID || !is_weight(j, weight, x, k)) {
      continue;
    }
    bool renamed = x->op == OP_RENAME && x->naxes == 2 && x->axes[1] == k;
    long summed = j->old->axes.data[k].extent, columns = 1;
    for (int a = 0; a < weight->type.n; a++) {
      columns *= weight->type.axis[a] == k ? 1 : j->old->axes.data[weight->type.axis[a]].extent;
    }
    *m = (Member){
      n, weight, renamed ? x->in[0] : x, renamed ? x->axes[0] : k, k, columns, j->predicts[n->id]};
    return columns > 1 && columns <= WIDEST && summed >= LEAST_SUMMED;
  }
  return false;
}

static bool belongs(const Siblings *s, const Member *m)
{
  const Member *first = s->member[0];
  return first->from == m->from && first->axis == m->axis && first->predicts == m->predicts &&
         s->n < MOST_SIBLINGS && s->columns + m->columns <= MOST_TOGETHER &&
         (first->k == m->k || !type_has(m->weight->type, first->k));
}

/* Whether the columns together can have the axis that is called by their number. */
static bool can_have_axis(const Graph *g, const Siblings *s)
{
  const Node *sum = s->member[0]->sum;
  bool can = true;
  for (int i = 0; i < sum->in[0]->type.n; i++) {
    const Axis *a = &g->axes.data[sum->in[0]->type.axis[i]];
    can &= !a->number || a->extent != s->columns;
  }
  return can;
}

/* Below 8 columns there was no kernel; small kernels gain less than the longer rows cost. */
static bool pays(const Graph *g, const Siblings *s)
{
  long summed = g->axes.data[s->member[0]->k].extent;
  return s->n > 1 && s->columns >= LEAST_KERNEL &&
         (s->narrowest < LEAST_KERNEL || s->columns * summed >= LEAST_WORK) && can_have_axis(g, s);
}

/* Families of two and more. */
static bool find_families(Join *j)
{
  const Graph *old = j->old;
  const int *uses = rebuild_uses(old->arena, old);
  VEC(Siblings *) all = {0};
  bool any = false;
  for (int i = 0; i < old->nodes.n; i++) {
    Member *m = &j->member[i];
    if (uses[i] == 0 || old->nodes.data[i]->nin == 0 ||
        !find_member(j, uses, old->nodes.data[i], m)) {
      continue;
    }
    int f = 0;
    while (f < all.n && !belongs(all.data[f], m)) {
      f++;
    }
    if (f == all.n) {
      *VEC_PUSH(old->arena, &all) = ARENA_NEW(old->arena, Siblings);
    }
    Siblings *s = all.data[f];
    j->family[i] = s;
    j->piece[i] = s->n;
    s->member[s->n++] = m;
    s->columns += m->columns;
    s->narrowest = s->n == 1 || m->columns < s->narrowest ? m->columns : s->narrowest;
  }
  for (int i = 0; i < old->nodes.n; i++) {
    const Siblings *s = j->family[i];
    j->family[i] = s && pays(old, s) ? j->family[i] : NULL;
    any |= j->family[i] != NULL;
  }
  return any;
}

static bool log_fired(Graph *g, Loc loc)
{
  RuleLog *log = g->log;
  if (log && log->fired.n >= log->most) {
    return false;
  }
  if (log) {
    *VEC_PUSH(g->arena, &log->fired) = (Fired){
      "narrow contractions of the same operand are one, their weights side by side", loc, true};
  }
  return true;
}

/* sum[K](x * weights side by side). */
static Node *join(Join *j, const Siblings *s)
{
  Graph *g = j->g;
  const Member *first = s->member[0];
  const Node *product = first->sum->in[0];
  Node *weight[MOST_SIBLINGS];
  short joined[MOST_SIBLINGS * (MAX_AXES + 1)];
  int naxes = 0;
  for (int i = 0; i < s->n; i++) {
    const Member *m = s->member[i];
    short pair[2] = {(short)m->k, (short)first->k};
    weight[i] = j->map[m->weight->id];
    weight[i] = m->k == first->k ? weight[i] : build_rename(g, weight[i], 1, pair);
    joined[naxes++] = (short)(m->weight->type.n - 1);
    for (int a = 0; a < m->weight->type.n; a++) {
      if (m->weight->type.axis[a] != m->k) {
        joined[naxes++] = m->weight->type.axis[a];
      }
    }
  }
  int axis = graph_number_axis(g, s->columns);
  Node *all = build_concat(g, axis, s->n, weight, naxes, joined);
  Node *in[2] = {j->map[product->in[0]->id], j->map[product->in[1]->id]};
  in[product->in[0] == first->weight ? 0 : 1] = all;
  return build_reduce(g, OP_SUM, build_op2(g, OP_MUL, in[0], in[1]), 1, first->sum->axes);
}

/* n's part of what its family computes. */
static Node *part(Join *j, const Node *n)
{
  Siblings *s = j->family[n->id];
  if (!s->joined) {
    s->joined = join(j, s);
  }
  long offset = 0;
  short own[MAX_AXES];
  int count = 0;
  for (int i = 0; i < j->piece[n->id]; i++) {
    offset += s->member[i]->columns;
  }
  const Member *m = s->member[j->piece[n->id]];
  for (int a = 0; a < m->weight->type.n; a++) {
    if (m->weight->type.axis[a] != m->k) {
      own[count++] = m->weight->type.axis[a];
    }
  }
  return build_slice(j->g, s->joined, graph_number_axis(j->g, s->columns), offset, count, own);
}

static void copy(Join *j, const Node *n)
{
  Graph *g = j->g;
  int from = g->nodes.n;
  Siblings *s = j->family[n->id];
  if (s && j->piece[n->id] == 0 && !log_fired(g, n->loc)) {
    s->n = 0;
  }
  if (s && s->n > 0) {
    j->map[n->id] = part(j, n);
  } else {
    Node **in = ARENA_ARRAY(g->arena, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      in[k] = j->map[n->in[k]->id];
    }
    j->map[n->id] = build_copy(g, n, in);
  }
  for (int i = from; i < g->nodes.n; i++) {
    g->nodes.data[i]->loc = n->loc;
  }
  j->map[n->id]->name = n->name;
}

Graph *siblings_join(Arena *a, const Graph *old)
{
  int n = old->nodes.n + 1;
  Join j = {.old = old,
    .fixed = ARENA_ARRAY(a, bool, n),
    .predicts = ARENA_ARRAY(a, bool, n),
    .member = ARENA_ARRAY(a, Member, n),
    .family = ARENA_ARRAY(a, Siblings *, n),
    .piece = ARENA_ARRAY(a, int, n),
    .map = ARENA_ARRAY(a, Node *, n)};
  find_fixed(&j);
  find_predicts(&j);
  bool any = !graph_has_gradients(old) && find_families(&j);
  j.g = graph_shell(a, old);
  for (int turn = 0; turn < 2; turn++) { /* weights before the first of those that read them */
    for (int i = 0; i < old->nodes.n; i++) {
      const Node *x = old->nodes.data[i];
      bool first = any && (j.fixed[i] || x->op == OP_CONST);
      if (turn == (first ? 0 : 1)) {
        copy(&j, x);
      }
    }
  }
  rebuild_roots(j.g, old, j.map);
  rebuild_sweep(j.g);
  return j.g;
}
