/* rules_number.c: rules about numbers, signs and quotients that depend on more than text can say: on how
 * large an operand is, on what else uses it, on what is there already. */

#include "rules.h"

#include <math.h>
#include <stdlib.h>

Node *rule_fold(const Rewriter *w, Node *n)
{
  double x[3];
  if (!op_pointwise(n->op)) {
    return NULL;
  }
  for (int i = 0; i < n->nin; i++) {
    if (n->in[i]->op != OP_CONST) {
      return NULL;
    }
    x[i] = n->in[i]->value;
  }
  return build_const(w->g, op_apply(n->op, x));
}

Node *rule_stop(const Rewriter *w, Node *n)
{
  return w->grads_taken ? n->in[0] : NULL;
}

Node *rule_divide_by_power_of_two(const Rewriter *w, Node *n)
{
  int exponent;
  const Node *k = n->in[1];
  if (k->op != OP_CONST || fabs(frexp(k->value, &exponent)) != 0.5 || abs(exponent) > 64) {
    return NULL;
  }
  return build_op2(w->g, OP_MUL, n->in[0], build_const(w->g, 1 / k->value));
}

/* The operand of a product, or the dividend of a quotient, that has fewer axes than the whole; -1: none. */
static int smaller_factor(const Node *p)
{
  for (int i = 0; i < (p->op == OP_MUL ? 2 : 1); i++) {
    if (p->in[i]->type.n < p->type.n) {
      return i;
    }
  }
  return -1;
}

static Node *with_factor(const Rewriter *w, const Node *p, int i, Node *x)
{
  return i == 0 ? build_op2(w->g, p->op, x, p->in[1]) : build_op2(w->g, p->op, p->in[0], x);
}

Node *rule_sign_outwards(const Rewriter *w, Node *n)
{
  for (int i = 0; i < 2; i++) {
    const Node *x = n->in[i];
    if (x->op == OP_NEG && x->type.n == n->type.n && rule_single_use(w, x)) {
      return build_op1(w->g, OP_NEG, with_factor(w, n, i, x->in[0]));
    }
  }
  return NULL;
}

Node *rule_sign_inwards(const Rewriter *w, Node *n)
{
  const Node *p = n->in[0];
  if ((p->op != OP_MUL && p->op != OP_DIV) || !rule_single_use(w, p)) {
    return NULL;
  }
  for (int i = 0; i < 2; i++) {
    if (p->in[i]->op == OP_NEG) {
      return with_factor(w, p, i, p->in[i]->in[0]);
    }
  }
  int i = smaller_factor(p);
  return i >= 0 ? with_factor(w, p, i, build_op1(w->g, OP_NEG, p->in[i])) : NULL;
}

/* k * (x * y) is (k * x) * y when x has fewer axes than the product, or is a number times something. */
Node *rule_scale_smaller(const Rewriter *w, Node *n)
{
  for (int i = 0; i < 2; i++) {
    Node *k = n->in[i], *p = n->in[1 - i];
    bool product = p->op == OP_MUL || p->op == OP_DIV;
    if (k->op != OP_CONST || !product || !rule_single_use(w, p)) {
      continue;
    }
    int which = smaller_factor(p);
    for (int f = 0; which < 0 && f < (p->op == OP_MUL ? 2 : 1); f++) {
      const Node *x = p->in[f];
      bool scaled = x->op == OP_MUL && (x->in[0]->op == OP_CONST || x->in[1]->op == OP_CONST);
      which = scaled && rule_single_use(w, x) ? f : -1;
    }
    if (which >= 0) {
      return with_factor(w, p, which, build_op2(w->g, OP_MUL, k, p->in[which]));
    }
  }
  return NULL;
}

/* Not from one quotient to another and back: towards one that stays anyway, or else the older one. */
Node *rule_reuse_quotient(const Rewriter *w, Node *n)
{
  for (int i = 0; i < 2; i++) {
    const Node *quotient = n->in[i];
    if (quotient->op == OP_DIV && rule_single_use(w, quotient)) {
      Node *other = build_op2(w->g, OP_DIV, n->in[1 - i], quotient->in[1]);
      Node *there = rule_existing(w, other);
      bool stays = there && (!rule_single_use(w, there) || there->id < quotient->id);
      if (stays && there != quotient) {
        return build_op2(w->g, OP_MUL, quotient->in[0], there);
      }
    }
  }
  return NULL;
}
