/* rules_rename.c: rules about renaming, above all of the batch axis.
 *
 * Where samples meet, `v[B -> C]`, one sample's value is seen by every other. After these rules such a
 * renaming stands directly on a value of single samples, which can be computed tile by tile before any
 * sample looks at another: a value of pairs (B and C) is never renamed, what it is made of is; a value of
 * C alone is the value of B, renamed. */

#include "rules.h"

static bool is_batch(const Graph *g, int axis)
{
  return g->axes.data[axis].kind == AXIS_BATCH;
}

static int new_name(const short *pairs, int npairs, int axis)
{
  for (int i = 0; i < npairs; i++) {
    if (pairs[2 * i] == axis) {
      return pairs[2 * i + 1];
    }
  }
  return axis;
}

static bool is_target(const short *pairs, int npairs, int axis)
{
  for (int i = 0; i < npairs; i++) {
    if (pairs[2 * i + 1] == axis) {
      return true;
    }
  }
  return false;
}

Node *rule_rename_of_rename(const Rewriter *w, Node *n)
{
  Node *x = n->in[0];
  short pairs[2 * MAX_AXES];
  int count = 0;
  bool inner = x->op == OP_RENAME;
  Type from = inner ? x->in[0]->type : x->type;
  for (int i = 0; i < from.n; i++) {
    int to = inner ? new_name(x->axes, x->naxes / 2, from.axis[i]) : from.axis[i];
    to = new_name(n->axes, n->naxes / 2, to);
    if (to != from.axis[i]) {
      pairs[2 * count] = from.axis[i];
      pairs[2 * count++ + 1] = (short)to;
    }
  }
  bool less = inner || 2 * count < n->naxes;
  return less ? broad_rename(w->g, inner ? x->in[0] : x, count, pairs) : NULL;
}

/* n, a reduction, with its result's axes renamed. A reduced axis that is in the way takes a name that
 * becomes free. */
static Node *rename_reduce(const Rewriter *w, const Node *n, int npairs, const short *pairs)
{
  short all[4 * MAX_AXES], axes[MAX_AXES];
  int count = 0;
  for (int i = 0; i < npairs; i++) {
    all[2 * count] = pairs[2 * i];
    all[2 * count++ + 1] = pairs[2 * i + 1];
  }
  for (int i = 0; i < n->naxes; i++) {
    axes[i] = n->axes[i];
    if (!is_target(pairs, npairs, axes[i])) {
      continue;
    }
    /* back along the pairs to a name that nothing takes, which has the same extent */
    short free = axes[i];
    for (int k = 0; k < npairs; k++) {
      if (pairs[2 * k + 1] == free) {
        free = pairs[2 * k];
        k = -1;
      }
    }
    all[2 * count] = n->axes[i];
    all[2 * count++ + 1] = axes[i] = free;
  }
  return build_reduce(w->g, n->op, broad_rename(w->g, n->in[0], count, all), n->naxes, axes);
}

/* Whether the renaming would give lists of x to other samples: they are as long as B's say. */
static bool moves_lists(const Graph *g, const Node *x, int npairs, const short *pairs)
{
  bool lists = false, moves = false;
  for (int i = 0; i < x->type.n; i++) {
    lists |= g->axes.data[x->type.axis[i]].kind == AXIS_RAGGED;
  }
  for (int i = 0; i < npairs; i++) {
    bool of_samples = pairs[2 * i] == AXIS_B || pairs[2 * i + 1] == AXIS_B;
    moves |= of_samples && type_has(x->type, pairs[2 * i]);
  }
  return lists && moves;
}

/* A node like n with batch axes renamed in its operands instead of in itself; NULL: not possible. */
static Node *rename_inside(const Rewriter *w, const Node *n, int npairs, const short *pairs)
{
  Node *few[4];
  Node **in = n->nin <= 4 ? few : ARENA_ARRAY(w->g->arena, Node *, n->nin);
  if (n->op == OP_INDEX && is_batch(w->g, n->axes[0])) {
    return build_index(w->g, new_name(pairs, npairs, n->axes[0]));
  }
  if (moves_lists(w->g, n, npairs, pairs)) { /* also of operands that have one each */
    return NULL;
  }
  for (int i = 0; i < n->nin; i++) {
    if (moves_lists(w->g, n->in[i], npairs, pairs)) {
      return NULL;
    }
  }
  if (op_rows[n->op].class == CLASS_REDUCE) {
    return rename_reduce(w, n, npairs, pairs);
  }
  if (op_rows[n->op].class == CLASS_LEAF || n->op == OP_SCATTER || n->op == OP_RENAME) {
    return NULL;
  }
  for (int i = 0; i < n->nin; i++) {
    in[i] = broad_rename(w->g, n->in[i], npairs, pairs);
  }
  return build_copy(w->g, n, in);
}

static int batch_axes(const Graph *g, Type t, int *last)
{
  int n = 0;
  for (int i = 0; i < t.n; i++) {
    if (is_batch(g, t.axis[i])) {
      *last = t.axis[i];
      n++;
    }
  }
  return n;
}

Node *rule_rename_pushed(const Rewriter *w, Node *n)
{
  Node *x = n->in[0];
  short batch[2 * MAX_AXES], others[2 * MAX_AXES];
  int nbatch = 0, nothers = 0, last = AXIS_B;
  for (int i = 0; i < n->naxes; i += 2) {
    bool pairs_samples = is_batch(w->g, n->axes[i]);
    short *pair = pairs_samples ? &batch[2 * nbatch++] : &others[2 * nothers++];
    pair[0] = n->axes[i];
    pair[1] = n->axes[i + 1];
  }
  int count = batch_axes(w->g, x->type, &last);
  if (nbatch == 0 || (count == 1 && last == AXIS_B)) {
    return NULL;
  }
  Node *inside = rename_inside(w, x, nbatch, batch);
  return inside ? broad_rename(w->g, inside, nothers, others) : NULL;
}

Node *rule_rename_pulled(const Rewriter *w, Node *n)
{
  int axis = AXIS_B;
  if (n->op == OP_RENAME || batch_axes(w->g, n->type, &axis) != 1 || axis == AXIS_B) {
    return NULL;
  }
  short there[] = {(short)axis, AXIS_B}, back[] = {AXIS_B, (short)axis};
  Node *of_one = rename_inside(w, n, 1, there);
  return of_one ? build_rename(w->g, of_one, 1, back) : NULL;
}

/* A renamed sum of products is the sum of renamed factors: a factor that is stored is then read by other
 * names, and the sum is again what a contraction's kernel computes. */
Node *rule_rename_of_product(const Rewriter *w, Node *n)
{
  Node *x = n->in[0];
  for (int i = 0; i < n->naxes; i++) {
    if (is_batch(w->g, n->axes[i])) {
      return NULL;
    }
  }
  if (!rule_single_use(w, x)) {
    return NULL;
  }
  if (x->op == OP_SUM && x->in[0]->op == OP_MUL && rule_single_use(w, x->in[0])) {
    return rename_reduce(w, x, n->naxes / 2, n->axes);
  }
  if (x->op == OP_MUL) {
    Node *a = broad_rename(w->g, x->in[0], n->naxes / 2, n->axes);
    return build_op2(w->g, OP_MUL, a, broad_rename(w->g, x->in[1], n->naxes / 2, n->axes));
  }
  return NULL;
}
