/* rewrite.c: rewrites that save arithmetic, each a rule about a shape, applied when it is cheaper.
 *
 *   factor       sum[F, G](a * b), F in a alone: sum[G](sum[F](a) * b). A sum over all pairs that is a
 *                product of sums becomes linear in the number of fields.
 *   distribute   sum[K](w * concat(p, q, ...)): a contraction of each piece. What does not vary along an
 *                axis of the others (the candidate beside each click) is contracted once, not for every
 *                position; pieces with a common factor (h, h - t, h * t) share one contraction, whose
 *                weights are folded per sample.
 *   chain        nested sums of products, in the order that is cheapest (chains.c).
 *   join         narrow contractions of the same operand: one (siblings.c).
 *
 * They run before gradients are taken, so the gradient program has the same shape. Exact but for
 * rounding. */

#include "rules.h"
#include "chains.h"
#include "empty.h"
#include "siblings.h"

enum { MOST_TERMS = 32, MOST_IN_PRODUCT = 6, LEAST_ROWS = 4 };

/* Sums x over those of n's axes that `other` lacks; not a value of samples alone over B where the product
 * has a list: of those samples only the ones whose list is long enough count. */
static Node *sum_own(const Rewriter *w, const Node *n, Node *x, const Node *other, bool *any)
{
  short own[MAX_AXES];
  int count = 0;
  for (int i = 0; i < n->naxes; i++) {
    int axis = n->axes[i];
    if (type_has(x->type, axis) && !type_has(other->type, axis) &&
        !empty_blows_up(w->g, n->in[0]->type, other, false, axis)) {
      own[count++] = (short)axis;
    }
  }
  if (broad_sum_spells(w->g, x, n->in[0]->type, count, own)) {
    return x;
  }
  *any |= count > 0;
  return count > 0 ? build_reduce(w->g, OP_SUM, x, count, own) : x;
}

static Node *rule_factor_sum(const Rewriter *w, Node *n)
{
  Node *product = n->in[0];
  if (product->op != OP_MUL) {
    return NULL;
  }
  bool any = false;
  Node *a = sum_own(w, n, product->in[0], product->in[1], &any);
  Node *b = sum_own(w, n, product->in[1], product->in[0], &any);
  if (!any) {
    return NULL;
  }
  short left[MAX_AXES];
  int count = 0;
  for (int i = 0; i < n->naxes; i++) {
    if (type_has(a->type, n->axes[i]) || type_has(b->type, n->axes[i])) {
      left[count++] = n->axes[i];
    }
  }
  Node *smaller = build_op2(w->g, OP_MUL, a, b);
  return count > 0 ? build_reduce(w->g, OP_SUM, smaller, count, left) : smaller;
}

/* ---- distribution over concat ---- */

typedef struct Term { /* sign * weight * product of factors, summed over axes */
  bool negative;
  int n;
  Node *factor[MOST_IN_PRODUCT];
  Node *weight; /* the part of the weights for this term's piece */
  int naxes;
  const short *axes;
} Term;

typedef struct Terms {
  int n;
  Term term[MOST_TERMS];
  bool too_many;
} Terms;

static void add_factors(Term *t, Node *x, bool *too_many)
{
  if (x->op == OP_MUL) {
    add_factors(t, x->in[0], too_many);
    add_factors(t, x->in[1], too_many);
  } else if (t->n < MOST_IN_PRODUCT) {
    t->factor[t->n++] = x;
  } else {
    *too_many = true;
  }
}

static void expand(Terms *all, Node *x, const Term *like, bool negative)
{
  if (x->op == OP_ADD || x->op == OP_SUB) {
    expand(all, x->in[0], like, negative);
    expand(all, x->in[1], like, x->op == OP_SUB ? !negative : negative);
  } else if (x->op == OP_NEG) {
    expand(all, x->in[0], like, !negative);
  } else if (all->n < MOST_TERMS) {
    Term *t = &all->term[all->n++];
    *t = *like;
    t->negative = negative;
    add_factors(t, x, &all->too_many);
  } else {
    all->too_many = true;
  }
}

static bool term_has(const Term *t, int axis)
{
  for (int i = 0; i < t->n; i++) {
    if (type_has(t->factor[i]->type, axis)) {
      return true;
    }
  }
  return false;
}

/* Axes that some terms have and others lack, and about how many positions they are together. */
typedef struct Varying {
  int n;
  short axis[MAX_AXES];
  double rows;
} Varying;

static Varying varying_axes(const Graph *g, const Terms *all, const Node *concat)
{
  Varying v = {.rows = 1};
  for (int i = 0; i < concat->type.n; i++) {
    int axis = concat->type.axis[i];
    int have = 0;
    for (int k = 0; k < all->n; k++) {
      have += term_has(&all->term[k], axis);
    }
    if (axis != concat->axes[0] && axis != AXIS_B && have > 0 && have < all->n) {
      const Axis *a = &g->axes.data[axis];
      v.axis[v.n++] = (short)axis;
      v.rows *= a->kind == AXIS_RAGGED ? (double)a->extent / 2 : (double)a->extent;
    }
  }
  return v;
}

static bool varies(const Varying *v, const Node *x)
{
  for (int i = 0; i < v->n; i++) {
    if (type_has(x->type, v->axis[i])) {
      return true;
    }
  }
  return false;
}

/* Puts the factors that vary first; returns how many there are. */
static int sort_factors(const Varying *v, Term *t)
{
  int n = 0;
  for (int i = 0; i < t->n; i++) {
    if (varies(v, t->factor[i])) {
      Node *x = t->factor[i];
      for (int k = i; k > n; k--) {
        t->factor[k] = t->factor[k - 1];
      }
      t->factor[n++] = x;
    }
  }
  return n;
}

static Node *product_of(const Rewriter *w, Node *const *factor, int n)
{
  Node *x = factor[0];
  for (int i = 1; i < n; i++) {
    x = build_op2(w->g, OP_MUL, x, factor[i]);
  }
  return x;
}

/* Do two terms have the same first `n` factors, in any order, and sum over the same axes? */
static bool same_group(const Term *x, const Term *y, int n)
{
  bool used[MOST_IN_PRODUCT] = {0};
  bool same = x->naxes == y->naxes;
  for (int i = 0; i < x->naxes && same; i++) {
    same = x->axes[i] == y->axes[i];
  }
  for (int i = 0; i < n && same; i++) {
    same = false;
    for (int k = 0; k < n && !same; k++) {
      if (!used[k] && y->factor[k] == x->factor[i]) {
        used[k] = same = true;
      }
    }
  }
  return same;
}

static Node *plus(const Rewriter *w, Node *sum, Node *x, bool negative)
{
  if (!sum) {
    return negative ? build_op1(w->g, OP_NEG, x) : x;
  }
  return build_op2(w->g, negative ? OP_SUB : OP_ADD, sum, x);
}

typedef struct Group {
  Node *fixed;  /* weights of terms without other factors */
  Node *folded; /* weights times factors that do not vary */
  Node *alone;  /* products that are not worth folding, contracted by themselves */
} Group;

static Node *contract(const Rewriter *w, Node *weight, Node *x, const Term *t)
{
  Node *product = build_op2(w->g, OP_MUL, weight, x);
  return t->naxes > 0 ? build_reduce(w->g, OP_SUM, product, t->naxes, t->axes) : product;
}

static void add_term(const Rewriter *w, Group *group, const Term *t, int shared, bool fold)
{
  if (t->n == shared) {
    group->fixed = plus(w, group->fixed, t->weight, t->negative);
  } else if (fold) {
    Node *scale = product_of(w, t->factor + shared, t->n - shared);
    Node *x = build_op2(w->g, OP_MUL, t->weight, scale);
    group->folded = plus(w, group->folded, x, t->negative);
  } else {
    Node *x = contract(w, t->weight, product_of(w, t->factor, t->n), t);
    group->alone = plus(w, group->alone, x, t->negative);
  }
}

/* The contraction of every term that shares the varying factors of term i. */
static Node *contract_group(
  const Rewriter *w, const Terms *all, const int *shared, int i, bool *done)
{
  const Term *first = &all->term[i];
  int n = shared[i] > 0 ? shared[i] : first->n;
  bool fixed = false;
  for (int k = i; k < all->n; k++) {
    bool same = !done[k] && (shared[k] > 0) == (shared[i] > 0) &&
                (shared[k] > 0 ? shared[k] : all->term[k].n) == n &&
                same_group(first, &all->term[k], n);
    fixed |= same && all->term[k].n == n;
  }
  Group group = {0};
  for (int k = i; k < all->n; k++) {
    const Term *t = &all->term[k];
    bool same = !done[k] && (shared[k] > 0) == (shared[i] > 0) &&
                (shared[k] > 0 ? shared[k] : t->n) == n && same_group(first, t, n);
    if (same) {
      done[k] = true;
      add_term(w, &group, t, n, fixed);
    }
  }
  Node *weight = group.fixed;
  if (group.folded) {
    weight = weight ? build_op2(w->g, OP_ADD, weight, group.folded) : group.folded;
  }
  Node *sum = weight ? contract(w, weight, product_of(w, first->factor, n), first) : NULL;
  return group.alone ? plus(w, sum, group.alone, false) : sum;
}

/* The concat behind n's factor `x`, if n sums over what it joins: w * concat(...) or a new name of it. */
static Node *concat_behind(const Node *n, Node *x)
{
  Node *concat = x->op == OP_RENAME ? x->in[0] : x;
  if (concat->op != OP_CONCAT || n->naxes != 1) {
    return NULL;
  }
  int axis = concat->axes[0];
  if (x->op == OP_RENAME) {
    if (x->naxes != 2 || x->axes[0] != axis) {
      return NULL;
    }
    axis = x->axes[1];
  }
  return axis == n->axes[0] ? concat : NULL;
}

static bool collect(const Rewriter *w, Node *concat, Node *weight, int axis, Terms *all)
{
  for (int i = 0; i < concat->nin; i++) {
    const short *axes;
    long offset;
    int count = concat_piece(w->g, concat, i, &axes, &offset);
    for (int k = 0; k < count; k++) {
      if (type_has(weight->type, axes[k]) || !type_has(concat->in[i]->type, axes[k])) {
        return false;
      }
    }
    Term like = {.naxes = count, .axes = axes};
    like.weight = build_slice(w->g, weight, axis, offset, count, axes);
    expand(all, concat->in[i], &like, false);
  }
  return !all->too_many;
}

static Node *rule_distribute(const Rewriter *w, Node *n)
{
  Node *product = n->in[0];
  for (int i = 0; i < 2 && product->op == OP_MUL; i++) {
    Node *concat = concat_behind(n, product->in[i]);
    Node *weight = product->in[1 - i];
    if (!concat || type_has(weight->type, AXIS_B)) {
      continue;
    }
    Terms all = {0};
    if (!collect(w, concat, weight, n->axes[0], &all)) {
      return NULL;
    }
    Varying v = varying_axes(w->g, &all, concat);
    if (v.n == 0 || v.rows < (double)LEAST_ROWS) {
      return NULL;
    }
    int shared[MOST_TERMS];
    bool done[MOST_TERMS] = {0};
    for (int k = 0; k < all.n; k++) {
      shared[k] = sort_factors(&v, &all.term[k]);
    }
    Node *sum = NULL;
    for (int turn = 0; turn < 2; turn++) { /* what varies first: the large contraction leads */
      for (int k = 0; k < all.n; k++) {
        if (!done[k] && (shared[k] > 0) == (turn == 0)) {
          sum = plus(w, sum, contract_group(w, &all, shared, k, done), false);
        }
      }
    }
    return sum;
  }
  return NULL;
}

static const Rule rewrite_rules[] = {
  {.function = rule_factor_sum,
    .op = OP_SUM,
    .why = "a sum over pairs that is a product of sums is computed as one"},
  {.function = rule_distribute,
    .op = OP_SUM,
    .why =
      "a contraction over concatenated pieces is one of each, shared where they share factors"},
  {.function = rule_chain,
    .op = OP_SUM,
    .why = "a chain of products is summed in the order that takes the fewest operations"},
  {.pattern = "log(sigmoid(x))",
    .result = "-softplus(-x)",
    .op = OP_COUNT,
    .why = "the logarithm of a probability is taken from its logit"},
};

Graph *pass_rewrite(Arena *a, const Graph *g)
{
  int rules = (int)(sizeof rewrite_rules / sizeof rewrite_rules[0]);
  return siblings_join(a, rules_apply(a, g, rewrite_rules, rules, true));
}
