/* rules_sum.c: rules about reductions.
 *
 * What needs care is the empty list: a sum over it is 0 whatever it sums, so nothing that could then be
 * infinite or NaN (a mean's 1 / 0, a maximum of nothing) may be moved out of the sum. */

#include "empty.h"
#include "rules.h"

enum { MOST_FACTORS = 16 };

/* Joins the reductions of n and of its operand, which is used for nothing else. */
static Node *merge(const Rewriter *w, const Node *n)
{
  const Node *inner = n->in[0];
  short axes[2 * MAX_AXES];
  int count = 0;
  if (inner->op != n->op || !rule_single_use(w, inner)) {
    return NULL;
  }
  for (int i = 0; i < inner->naxes; i++) {
    axes[count++] = inner->axes[i];
  }
  for (int i = 0; i < n->naxes; i++) {
    axes[count++] = n->axes[i];
  }
  return build_reduce(w->g, n->op, inner->in[0], count, axes);
}

Node *rule_sum_of_sum(const Rewriter *w, Node *n)
{
  return merge(w, n);
}

Node *rule_max_of_max(const Rewriter *w, Node *n)
{
  return merge(w, n);
}

static bool listed(int axis, int n, const short *axes)
{
  for (int i = 0; i < n; i++) {
    if (axes[i] == axis) {
      return true;
    }
  }
  return false;
}

/* sum[G](x[F -> G]) is sum[F](x), unless F is there again as another axis' new name. */
Node *rule_sum_of_rename(const Rewriter *w, Node *n)
{
  const Node *rename = n->in[0];
  if (rename->op != OP_RENAME) {
    return NULL;
  }
  short axes[MAX_AXES], rest[2 * MAX_AXES];
  int nrest = 0;
  for (int i = 0; i < n->naxes; i++) {
    axes[i] = n->axes[i];
  }
  for (int k = 0; k < rename->naxes; k += 2) {
    short from = rename->axes[k], to = rename->axes[k + 1];
    if (listed(to, n->naxes, n->axes) && !type_has(rename->type, from)) {
      for (int i = 0; i < n->naxes; i++) {
        axes[i] = axes[i] == to ? from : axes[i];
      }
    } else {
      rest[2 * nrest] = from;
      rest[2 * nrest++ + 1] = to;
    }
  }
  if (2 * nrest == rename->naxes) {
    return NULL;
  }
  Node *x = broad_rename(w->g, rename->in[0], nrest, rest);
  return build_reduce(w->g, n->op, x, n->naxes, axes);
}

Node *rule_sum_of_pad(const Rewriter *w, Node *n)
{
  const Node *pad = n->in[0];
  if (pad->op != OP_PAD || !listed(pad->axes[0], n->naxes, n->axes)) {
    return NULL;
  }
  short axes[2 * MAX_AXES];
  int count = 0;
  Type full = type_without(pad->type, pad->axes[0]);
  if (full.n + pad->naxes - 1 > MAX_AXES) {
    return NULL;
  }
  for (int i = 0; i < n->naxes; i++) {
    if (n->axes[i] != pad->axes[0]) {
      axes[count++] = n->axes[i];
    }
  }
  for (int i = 1; i < pad->naxes; i++) {
    axes[count++] = full.axis[full.n++] = pad->axes[i];
  }
  return broad_sum(w->g, pad->in[0], full, count, axes);
}

/* Taking factors out of a sum. */

typedef struct Split {
  const Rewriter *w;
  const Node *sum;
  Node *factor[MOST_FACTORS];
  bool below[MOST_FACTORS]; /* a divisor */
  int n;
  bool negative;
  bool guarded; /* nobody looks at the sum of an empty list */
} Split;

static bool leaves_sum(const Split *s, const Node *x, bool below)
{
  for (int i = 0; i < s->sum->naxes; i++) {
    int axis = s->sum->axes[i];
    bool blows_up = !s->guarded && empty_blows_up(s->w->g, s->sum->in[0]->type, x, below, axis);
    if (type_has(x->type, axis) || blows_up) {
      return false;
    }
  }
  return s->n < MOST_FACTORS;
}

/* x without the factors that leave the sum; NULL: nothing stays (a factor 1). `below`: x is part of a
 * divisor. Products used elsewhere too stay whole: they are computed anyway. */
static Node *what_stays(Split *s, Node *x, bool below)
{
  Graph *g = s->w->g;
  if (leaves_sum(s, x, below)) {
    s->below[s->n] = below;
    s->factor[s->n++] = x;
    return NULL;
  }
  if ((x->op != OP_MUL && x->op != OP_DIV && x->op != OP_NEG) || !rule_single_use(s->w, x)) {
    return x;
  }
  if (x->op == OP_NEG) {
    s->negative = !s->negative;
    return what_stays(s, x->in[0], below);
  }
  bool divides = x->op == OP_DIV;
  Node *left = what_stays(s, x->in[0], below);
  Node *right = what_stays(s, x->in[1], below != divides);
  if (left == x->in[0] && right == x->in[1]) {
    return x;
  }
  if (!right) {
    return left;
  }
  if (!left && !divides) {
    return right;
  }
  return build_op2(g, x->op, left ? left : build_const(g, 1), right);
}

/* Whether x, without some of its factors, would have lists but only other samples than x's. */
static bool loses_owner(const Graph *g, const Node *rest, const Node *x)
{
  bool lists = false, others = false;
  for (int i = 0; i < rest->type.n; i++) {
    lists |= g->axes.data[rest->type.axis[i]].kind == AXIS_RAGGED;
    others |= g->axes.data[rest->type.axis[i]].kind == AXIS_BATCH;
  }
  return lists && others && type_has(x->type, AXIS_B) && !type_has(rest->type, AXIS_B);
}

static Node *take_out(const Rewriter *w, const Node *n, bool guarded)
{
  Graph *g = w->g;
  Node *x = n->in[0];
  Split s = {.w = w, .sum = n, .guarded = guarded};
  Node *rest = what_stays(&s, x, false);
  if (rest == x || (s.n == 0 && !s.negative)) {
    return NULL;
  }
  rest = rest ? rest : build_const(g, 1);
  if (broad_sum_spells(g, rest, x->type, n->naxes, n->axes) || loses_owner(g, rest, x)) {
    return NULL;
  }
  Node *result = broad_sum(g, rest, x->type, n->naxes, n->axes);
  for (int i = 0; i < s.n; i++) {
    result = build_op2(g, s.below[i] ? OP_DIV : OP_MUL, result, s.factor[i]);
  }
  return s.negative ? build_op1(g, OP_NEG, result) : result;
}

Node *rule_sum_factor(const Rewriter *w, Node *n)
{
  return take_out(w, n, false);
}

/* x - sum[L](y), x with L: only read where the list has a position. */
Node *rule_sum_factor_inside(const Rewriter *w, Node *n)
{
  if (!op_pointwise(n->op)) {
    return NULL;
  }
  for (int i = 0; i < n->nin; i++) {
    const Node *sum = n->in[i];
    bool guarded = sum->op == OP_SUM && rule_single_use(w, sum);
    for (int k = 0; k < sum->naxes && guarded; k++) {
      guarded = type_has(n->type, sum->axes[k]);
    }
    Node *out = guarded ? take_out(w, sum, true) : NULL;
    if (out) {
      Node *in[3];
      for (int k = 0; k < n->nin; k++) {
        in[k] = k == i ? out : n->in[k];
      }
      return build_op(w->g, n->op, n->nin, in);
    }
  }
  return NULL;
}
