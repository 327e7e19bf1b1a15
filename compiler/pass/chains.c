/* chains.c: products summed over several axes, in the order that takes the fewest operations.
 *
 *   (x A) B               x (A B)           where A B, of parameters alone, is made once
 *   x (A B), low rank     (x A) B
 *   (q k') v, no softmax  q (k' v)
 *
 * Nested sums of products are one sum over all their axes of the product of all their factors, and how to
 * take it apart again, two factors at a time, is found by trying: the best way to make the product of a set
 * of factors is the best way to make two parts of it, and what these cost together. An axis is summed as
 * soon as no factor outside has it. What belongs to a sample counts for each, with lists of half their
 * greatest length; what follows from parameters alone once for a batch. */

#include "chains.h"

#include "empty.h"

enum { MOST_FACTORS = 6, SUBSETS = 1 << MOST_FACTORS, MOST_LOCAL = 24 };
static const double usual_batch = 128;
static const double worth =
  0.9; /* of the operations as written; less saved is not worth the change */

/* An axis as the chain knows it: two sums within each other may call theirs by the same name. */
typedef struct Local {
  int axis;
  bool summed;
} Local;

typedef struct Factor {
  Node *x;
  unsigned axes; /* a bit for each Local */
} Factor;

typedef struct Chain {
  const Rewriter *w;
  int n, nlocal;
  Factor factor[MOST_FACTORS];
  Local local[MOST_LOCAL];
  double written, batch; /* operations as it stands, for a sample */
  bool fits;
  unsigned axes[SUBSETS]; /* that the product of a set of factors has, once summed */
  double cost[SUBSETS];
  int part[SUBSETS]; /* one of the two that it is best made of */
} Chain;

/* Which local axis a global one is, here. */
typedef struct Scope {
  int local[MAX_AXES], n;
  const struct Scope *outer;
} Scope;

static const Axis *axis_of(const Chain *c, int local)
{
  return &c->w->g->axes.data[c->local[local].axis];
}

static int add_local(Chain *c, int axis, bool summed)
{
  c->fits &= c->nlocal < MOST_LOCAL;
  if (c->nlocal < MOST_LOCAL) {
    c->local[c->nlocal] = (Local){axis, summed};
    return c->nlocal++;
  }
  return 0;
}

static int local_of(Chain *c, const Scope *scope, int axis)
{
  for (const Scope *s = scope; s; s = s->outer) {
    for (int i = 0; i < s->n; i++) {
      if (c->local[s->local[i]].axis == axis) {
        return s->local[i];
      }
    }
  }
  for (int i = 0; i < c->nlocal; i++) {
    if (c->local[i].axis == axis && !c->local[i].summed) {
      return i;
    }
  }
  return add_local(c, axis, false);
}

static double positions(const Chain *c, unsigned axes)
{
  double count = 1;
  bool samples = false;
  for (int i = 0; i < c->nlocal; i++) {
    const Axis *a = axis_of(c, i);
    if (axes >> i & 1) {
      samples |= a->kind == AXIS_BATCH;
      count *= a->kind == AXIS_BATCH    ? 1
               : a->kind == AXIS_RAGGED ? ((double)a->extent + 1) / 2
                                        : (double)a->extent;
    }
  }
  return samples ? count : count / c->batch;
}

static unsigned axes_of(Chain *c, const Scope *scope, Type t)
{
  unsigned axes = 0;
  for (int i = 0; i < t.n; i++) {
    axes |= 1u << local_of(c, scope, t.axis[i]);
  }
  return axes;
}

static void add_factor(Chain *c, const Scope *scope, Node *x)
{
  if (c->n == MOST_FACTORS || x->type.kind == KIND_ID) {
    c->fits = false;
    return;
  }
  c->factor[c->n++] = (Factor){x, axes_of(c, scope, x->type)};
}

static void add_sum(Chain *c, const Scope *outer, const Node *sum);

/* The factors of x. below: x is what a sum sums, whose product costs nothing beside the sum. */
static void add_product(Chain *c, const Scope *scope, Node *x, bool below)
{
  bool own = below || rule_single_use(c->w, x);
  if (x->op == OP_MUL && own) {
    c->written += positions(c, axes_of(c, scope, x->type));
    add_product(c, scope, x->in[0], false);
    add_product(c, scope, x->in[1], false);
  } else if (x->op == OP_SUM && own && x->in[0]->op == OP_MUL && rule_single_use(c->w, x->in[0])) {
    add_sum(c, scope, x);
  } else {
    add_factor(c, scope, x);
  }
}

static void add_sum(Chain *c, const Scope *outer, const Node *sum)
{
  Scope scope = {.outer = outer};
  for (int i = 0; i < sum->naxes && i < MAX_AXES; i++) {
    AxisKind kind =
      c->w->g->axes.data[sum->axes[i]].kind; /* without samples a list is as long as it may be */
    c->fits &= kind == AXIS_PLAIN || (kind == AXIS_RAGGED && type_has(sum->in[0]->type, AXIS_B));
    scope.local[scope.n++] = add_local(c, sum->axes[i], true);
  }
  add_product(c, &scope, sum->in[0], true);
}

/* Axes of samples other than B are for pass/pairs.c; what no list's length would be known for, or would be
 * infinite for an empty one, has to stay within its sum. */
static bool may_change(const Chain *c, const Node *n)
{
  bool may = c->fits && c->n > 2;
  for (int i = 0; i < c->nlocal && may; i++) {
    int axis = c->local[i].axis, with = 0, same = 0;
    may = axis_of(c, i)->kind != AXIS_BATCH || axis == AXIS_B;
    for (int k = 0; k < c->n && may; k++) {
      bool has = c->factor[k].axes >> i & 1;
      with += has;
      may = !c->local[i].summed || has ||
            !empty_blows_up(c->w->g, n->in[0]->type, c->factor[k].x, false, axis);
    }
    for (int k = 0; k < c->nlocal; k++) {
      same += c->local[k].axis == axis;
    }
    may &= (!c->local[i].summed || with > 1) && (same == 1 || axis_of(c, i)->kind == AXIS_PLAIN);
  }
  return may;
}

static int bits(unsigned x)
{
  int n = 0;
  for (; x; x &= x - 1) {
    n++;
  }
  return n;
}

static unsigned kind_bits(const Chain *c, AxisKind kind)
{
  unsigned axes = 0;
  for (int i = 0; i < c->nlocal; i++) {
    axes |= axis_of(c, i)->kind == kind ? 1u << i : 0;
  }
  return axes;
}

/* The axes of a set's product that somebody outside of it wants. */
static unsigned axes_left(const Chain *c, int set, unsigned all)
{
  unsigned wanted = 0;
  for (int i = 0; i < c->nlocal; i++) {
    wanted |= c->local[i].summed ? 0 : 1u << i;
  }
  for (int k = 0; k < c->n; k++) {
    wanted |= set >> k & 1 ? 0 : c->factor[k].axes;
  }
  return all & wanted;
}

static void find_best(Chain *c)
{
  unsigned samples = kind_bits(c, AXIS_BATCH), lists = kind_bits(c, AXIS_RAGGED);
  for (int set = 1; set < 1 << c->n; set++) {
    if (bits((unsigned)set) == 1) {
      int k = bits((unsigned)set - 1);
      c->axes[set] = c->factor[k].axes;
      c->cost[set] = 0;
      continue;
    }
    c->cost[set] = -1;
    for (int part = (set - 1) & set; part > 0; part = (part - 1) & set) {
      int rest = set & ~part;
      if (part < rest || c->cost[part] < 0 || c->cost[rest] < 0) {
        continue;
      }
      unsigned both = c->axes[part] | c->axes[rest], left = axes_left(c, set, both);
      bool owned = !(both & ~left & lists) || (both & samples);
      double cost = c->cost[part] + c->cost[rest] + positions(c, both);
      if (owned && bits(both) <= MAX_AXES && (c->cost[set] < 0 || cost < c->cost[set])) {
        c->cost[set] = cost;
        c->part[set] = part;
        c->axes[set] = left;
      }
    }
  }
}

/* ---- building ---- */

static Str new_name(const Graph *g)
{
  Str name = {0};
  for (int number = g->axes.n, i = 0; i < g->axes.n; number++) {
    name = str_format(g->arena, "chain.%d", number);
    for (i = 0; i < g->axes.n && !str_eq(g->axes.data[i].name, name);) {
      i++;
    }
  }
  return name;
}

/* Axes with the name of another get one of their own. */
static void name_axes(Chain *c)
{
  Graph *g = c->w->g;
  for (int i = 0; i < c->nlocal; i++) {
    bool taken = false;
    for (int k = 0; k < c->nlocal && c->local[i].summed; k++) {
      taken |= k != i && c->local[k].axis == c->local[i].axis;
    }
    if (taken) {
      const Axis *a = axis_of(c, i);
      Str name = new_name(g);
      c->local[i].axis = graph_axis(g,
        (Axis){
          .name = name, .kind = AXIS_PLAIN, .extent = a->extent, .root = g->axes.n, .loc = a->loc});
    }
  }
}

static Node *renamed_factor(const Chain *c, int k, const Local *was)
{
  short pairs[2 * MAX_AXES];
  int n = 0;
  for (int i = 0; i < c->nlocal; i++) {
    if (c->factor[k].axes >> i & 1 && was[i].axis != c->local[i].axis) {
      pairs[2 * n] = (short)was[i].axis;
      pairs[2 * n++ + 1] = (short)c->local[i].axis;
    }
  }
  return n > 0 ? build_rename(c->w->g, c->factor[k].x, n, pairs) : c->factor[k].x;
}

static Node *make(const Chain *c, int set, const Local *was)
{
  if (bits((unsigned)set) == 1) {
    return renamed_factor(c, bits((unsigned)set - 1), was);
  }
  int part = c->part[set], rest = set & ~part;
  unsigned gone = (c->axes[part] | c->axes[rest]) & ~c->axes[set];
  Node *first = make(c, part, was);
  Node *second = make(c, rest, was);
  Node *product = build_op2(c->w->g, OP_MUL, first, second);
  short axes[MAX_AXES];
  int n = 0;
  for (int i = 0; i < c->nlocal; i++) {
    if (gone >> i & 1) {
      axes[n++] = (short)c->local[i].axis;
    }
  }
  return n > 0 ? build_reduce(c->w->g, OP_SUM, product, n, axes) : product;
}

Node *rule_chain(const Rewriter *w, Node *n)
{
  if (n->in[0]->op != OP_MUL || !rule_single_use(w, n->in[0])) {
    return NULL;
  }
  const Train *t = &w->g->train;
  Chain c = {.w = w, .fits = true, .batch = t->given ? (double)t->batch : usual_batch};
  for (int i = 0; i < n->type.n; i++) {
    add_local(&c, n->type.axis[i], false);
  }
  add_sum(&c, NULL, n);
  if (!may_change(&c, n)) {
    return NULL;
  }
  find_best(&c);
  int all = (1 << c.n) - 1;
  if (c.cost[all] < 0 || c.cost[all] > worth * c.written) {
    return NULL;
  }
  Local was[MOST_LOCAL];
  for (int i = 0; i < c.nlocal; i++) {
    was[i] = c.local[i];
  }
  name_axes(&c);
  return make(&c, all, was);
}
