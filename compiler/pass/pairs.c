/* pairs.c: arithmetic on values of pairs of samples that can be done on those of single samples, or once
 * instead of twice.
 *
 * There are as many pairs as the square of the batch, so what counts is what is done for each of them.
 * Needs gradients to be there already and nothing to be simplified afterwards, which would prefer fewer
 * nodes to fewer pairs:
 *
 *   sum[K](x * y) / t                          sum[K](x / t * y)         t no pair's, but x's sample's
 *   sum[K](x * y), sum[K](y * x)               one of them
 *   sum[C](p * v) * s + sum[C](q * v) / t      sum[C]((p * s + q * (1 / t)) * v)
 *
 * The last is a gradient's: a sample is in the softmax over its own partners and in all of theirs. */

#include "late.h"

#include "rebuild.h"

enum { MOST_TERMS = 16, DEEPEST = 8 };

typedef struct Product {
  const Node *row, *column; /* old nodes */
  const Node *scale;        /* or NULL */
  bool divides;
  Node *made;
  struct Product *next;
} Product;

typedef struct Pairs {
  Graph *g;
  const Graph *old;
  const int *uses;
  Node **map;
  Product *products;
} Pairs;

/* A number, of every sample or of all. */
static bool is_scale(const Node *n)
{
  return n->type.kind != KIND_ID &&
         (n->type.n == 0 || (n->type.n == 1 && n->type.axis[0] == AXIS_B));
}

static bool of_column(const Graph *g, const Node *n)
{
  int batch = 0;
  for (int i = 0; i < n->type.n; i++) {
    batch += g->axes.data[n->type.axis[i]].kind == AXIS_BATCH;
  }
  return batch == 1 && !type_has(n->type, AXIS_B) && n->type.kind != KIND_ID;
}

static bool of_row(const Graph *g, const Node *n)
{
  return type_has(n->type, AXIS_B) && !value_of_pairs(g, n) && n->type.kind != KIND_ID;
}

/* ---- products of samples ---- */

/* Is n sum[K](row * column), each of both with all of K and nothing more? */
static bool is_product(const Pairs *p, const Node *n, const Node **row, const Node **column)
{
  if (n->op != OP_SUM || n->type.n != 2 || !value_of_pairs(p->old, n) || n->in[0]->op != OP_MUL) {
    return false;
  }
  for (int i = 0; i < 2; i++) {
    *row = n->in[0]->in[i];
    *column = n->in[0]->in[1 - i];
    if (of_row(p->old, *row) && of_column(p->old, *column)) {
      return (*row)->type.n == n->naxes + 1 && (*column)->type.n == n->naxes + 1;
    }
  }
  return false;
}

/* sum[K](row * column), with row scaled first; made once. */
static Node *product(Pairs *p, const Node *sum, const Node *scale, bool divides)
{
  const Node *row = NULL, *column = NULL;
  is_product(p, sum, &row, &column);
  Node *scaled = p->map[row->id];
  for (const Product *x = p->products; x; x = x->next) {
    if (x->row == row && x->scale == scale && x->divides == divides) {
      if (x->column == column) {
        return x->made;
      }
      scaled = x->made->in[0]->in[0];
      break;
    }
  }
  if (scale && scaled == p->map[row->id]) {
    scaled = build_op2(p->g, divides ? OP_DIV : OP_MUL, scaled, p->map[scale->id]);
    scaled->loc = row->loc;
  }
  Node *both = build_op2(p->g, OP_MUL, scaled, p->map[column->id]);
  Node *made = build_reduce(p->g, OP_SUM, both, sum->naxes, sum->axes);
  both->loc = made->loc = sum->loc;
  Product *x = ARENA_NEW(p->g->arena, Product);
  *x = (Product){row, column, scale, divides, made, p->products};
  p->products = x;
  return made;
}

/* n as such a product, or one that is scaled and read nowhere else; or NULL. */
static Node *product_for(Pairs *p, const Node *n)
{
  const Node *row, *column;
  if (is_product(p, n, &row, &column)) {
    return product(p, n, NULL, false);
  }
  for (int i = 0; i < n->nin && (n->op == OP_DIV || n->op == OP_MUL); i++) {
    const Node *sum = n->in[i], *scale = n->in[1 - i];
    bool here = n->op == OP_MUL || i == 0;
    if (here && p->uses[sum->id] == 1 && is_scale(scale) && is_product(p, sum, &row, &column)) {
      return product(p, sum, scale, n->op == OP_DIV);
    }
  }
  return NULL;
}

/* ---- sums over partners ---- */

/* A term of a sum: pairs, weighing columns, summed over these and scaled. */
typedef struct Term {
  const Node *node; /* the whole of it */
  const Node *pairs, *column, *sum;
  const Node *scale[DEEPEST]; /* innermost first */
  bool divides[DEEPEST];
  int nscales;
  bool fits, merged;
} Term;

/* Fills t when n is such a term, with nothing in it read elsewhere. */
static bool is_term(const Pairs *p, const Node *n, Term *t)
{
  *t = (Term){.node = n};
  while (n->op != OP_SUM) {
    if (p->uses[n->id] != 1 || (n->op != OP_MUL && n->op != OP_DIV) || t->nscales == DEEPEST) {
      return false;
    }
    int side = n->op == OP_MUL && is_scale(n->in[0]) ? 0 : 1;
    if (!is_scale(n->in[side])) {
      return false;
    }
    for (int i = t->nscales++; i > 0; i--) {
      t->scale[i] = t->scale[i - 1];
      t->divides[i] = t->divides[i - 1];
    }
    t->scale[0] = n->in[side];
    t->divides[0] = n->op == OP_DIV;
    n = n->in[1 - side];
  }
  t->sum = n;
  if (p->uses[n->id] != 1 || n->naxes != 1 || n->in[0]->op != OP_MUL ||
      p->uses[n->in[0]->id] != 1 || !reduces_columns(p->old, n)) {
    return false;
  }
  for (int i = 0; i < 2; i++) {
    t->pairs = n->in[0]->in[i];
    t->column = n->in[0]->in[1 - i];
    if (t->pairs->type.n == 2 && value_of_pairs(p->old, t->pairs) && of_column(p->old, t->column) &&
        t->column->type.n == 2) {
      return true;
    }
  }
  return false;
}

static int flatten(const Pairs *p, Node *n, bool top, Node **terms, int count)
{
  if (n->op != OP_ADD || (!top && p->uses[n->id] != 1) || count + 2 > MOST_TERMS) {
    terms[count] = n;
    return count + 1;
  }
  count = flatten(p, n->in[0], false, terms, count);
  return count < MOST_TERMS ? flatten(p, n->in[1], false, terms, count) : MOST_TERMS + 1;
}

/* The pairs of a term times all of its scales, which are multiplied first. */
static Node *scaled_pairs(Pairs *p, const Term *t)
{
  Node *scale = NULL;
  double number = 1;
  for (int i = 0; i < t->nscales; i++) {
    const Node *by = t->scale[i];
    if (by->op == OP_CONST) {
      number = t->divides[i] ? number / by->value : number * by->value;
    } else if (!scale && !t->divides[i]) {
      scale = p->map[by->id];
    } else {
      scale = scale ? scale : build_const(p->g, 1);
      scale = build_op2(p->g, t->divides[i] ? OP_DIV : OP_MUL, scale, p->map[by->id]);
      scale->loc = t->node->loc;
    }
  }
  Node *pairs = p->map[t->pairs->id], *constant = build_const(p->g, number);
  scale = !scale                     ? constant
          : number < 1 || number > 1 ? build_op2(p->g, OP_MUL, scale, constant)
                                     : scale;
  return t->nscales > 0 ? build_op2(p->g, OP_MUL, pairs, scale) : pairs;
}

/* The sum of terms[i] and those after it that weigh the same columns; NULL: there are none. */
static Node *merged_term(Pairs *p, int i, int count, Term *t)
{
  Node *pairs = NULL;
  for (int j = i + 1; j < count; j++) {
    if (t[j].fits && t[j].column == t[i].column && t[j].sum->axes[0] == t[i].sum->axes[0]) {
      pairs = pairs ? pairs : scaled_pairs(p, &t[i]);
      pairs = build_op2(p->g, OP_ADD, pairs, scaled_pairs(p, &t[j]));
      pairs->loc = t[i].node->loc;
      t[j].fits = false;
      t[j].merged = true;
    }
  }
  if (!pairs) {
    return NULL;
  }
  Node *weighed = build_op2(p->g, OP_MUL, pairs, p->map[t[i].column->id]);
  Node *sum = build_reduce(p->g, OP_SUM, weighed, 1, t[i].sum->axes);
  weighed->loc = sum->loc = t[i].node->loc;
  return sum;
}

/* n, a sum, with terms that weigh the same columns as one; NULL: there are none. */
static Node *merged_for(Pairs *p, Node *n)
{
  Node *terms[MOST_TERMS + 2], *all = NULL;
  Term t[MOST_TERMS];
  bool any = false;
  int count = n->op == OP_ADD ? flatten(p, n, true, terms, 0) : 0;
  if (count == 0 || count > MOST_TERMS) {
    return NULL;
  }
  for (int i = 0; i < count; i++) {
    bool fits = is_term(p, terms[i], &t[i]);
    t[i].fits = fits;
  }
  for (int i = 0; i < count; i++) {
    Node *one = t[i].fits ? merged_term(p, i, count, t) : NULL;
    any |= one != NULL;
    one = one ? one : p->map[terms[i]->id];
    if (!t[i].merged) {
      all = all ? build_op2(p->g, OP_ADD, all, one) : one;
      all->loc = all == one ? one->loc : n->loc;
    }
  }
  return any ? all : NULL;
}

Graph *pass_pairs(Arena *a, const Graph *old)
{
  Pairs p = {.g = graph_shell(a, old), .old = old, .uses = rebuild_uses(a, old)};
  p.map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  for (int i = 0; i < old->nodes.n; i++) {
    Node *n = old->nodes.data[i];
    Node *made = p.uses[i] == 0 ? NULL : product_for(&p, n);
    made = made || p.uses[i] == 0 ? made : merged_for(&p, n);
    if (!made) {
      Node **in = ARENA_ARRAY(a, Node *, n->nin);
      for (int k = 0; k < n->nin; k++) {
        in[k] = p.map[n->in[k]->id];
      }
      made = build_copy(p.g, n, in);
      made->loc = n->loc;
    }
    made->name = made->name.n > 0 ? made->name : n->name;
    p.map[i] = made;
  }
  rebuild_roots(p.g, old, p.map);
  rebuild_sweep(p.g);
  return p.g;
}
