/* rules_structure.c: rules about axes that are cut, joined and padded, and about lookups. */

#include "rules.h"

enum { MOST_OPERANDS = 64 };

/* A list has as many positions under any name, a batch as many samples. */
Node *rule_size_of_root(const Rewriter *w, Node *n)
{
  bool batch = w->g->axes.data[n->axes[0]].kind == AXIS_BATCH;
  int root = batch ? AXIS_B : axis_root(w->g, n->axes[0]);
  return root != n->axes[0] ? build_size(w->g, root) : NULL;
}

/* scatter(t, ids, x, ids, y) is scatter(t, ids, x + y). */
Node *rule_scatter_same_ids(const Rewriter *w, Node *n)
{
  Node **in = ARENA_ARRAY(w->g->arena, Node *, n->nin);
  int count = 0;
  for (int i = 0; i < n->nin; i += 2) {
    int k = 0;
    while (k < count && in[k] != n->in[i]) {
      k += 2;
    }
    in[k + 1] = k < count ? build_op2(w->g, OP_ADD, in[k + 1], n->in[i + 1]) : n->in[i + 1];
    in[k] = n->in[i];
    count = k < count ? count : count + 2;
  }
  return count < n->nin ? build_scatter(w->g, n->leaf, count, in) : NULL;
}

static long extent(const Graph *g, int axis)
{
  return g->axes.data[axis].extent;
}

/* x[from0 -> to0, from1 -> to1, ...] when the extents agree; NULL when they do not. */
static Node *renamed(
  const Rewriter *w, Node *x, int nfrom, const short *from, int nto, const short *to)
{
  short pairs[2 * MAX_AXES];
  if (nfrom != nto) {
    return NULL;
  }
  for (int i = 0; i < nfrom; i++) {
    if (extent(w->g, from[i]) != extent(w->g, to[i])) {
      return NULL;
    }
    pairs[2 * i] = from[i];
    pairs[2 * i + 1] = to[i];
  }
  return broad_rename(w->g, x, nfrom, pairs);
}

/* x with its axes from[], flattened, read as axes to[] from `offset` on; NULL when that takes more than
 * one op. x may be constant along from[]. */
static Node *reread(
  const Rewriter *w, Node *x, int nfrom, const short *from, long offset, int nto, const short *to)
{
  bool whole = offset == 0 && axes_extent(w->g, nfrom, from) == axes_extent(w->g, nto, to);
  Node *same = whole ? renamed(w, x, nfrom, from, nto, to) : NULL;
  if (same) {
    return same;
  }
  if (nfrom == 1) {
    return type_has(x->type, from[0]) ? build_slice(w->g, x, from[0], offset, nto, to) : x;
  }
  if (whole && nto == 1) {
    short joined[MAX_AXES + 1] = {(short)nfrom};
    for (int i = 0; i < nfrom; i++) {
      joined[i + 1] = from[i];
    }
    return build_concat(w->g, to[0], 1, &x, nfrom + 1, joined);
  }
  return NULL;
}

Node *rule_slice_whole(const Rewriter *w, Node *n)
{
  bool whole =
    n->offset == 0 && n->naxes == 2 && extent(w->g, n->axes[0]) == extent(w->g, n->axes[1]);
  return whole ? renamed(w, n->in[0], 1, n->axes, 1, n->axes + 1) : NULL;
}

Node *rule_slice_of_slice(const Rewriter *w, Node *n)
{
  const Node *x = n->in[0];
  if (x->op != OP_SLICE || x->naxes != 2 || x->axes[1] != n->axes[0]) {
    return NULL;
  }
  long offset = x->offset + n->offset;
  return build_slice(w->g, x->in[0], x->axes[0], offset, n->naxes - 1, n->axes + 1);
}

Node *rule_slice_of_concat(const Rewriter *w, Node *n)
{
  const Node *x = n->in[0];
  if (x->op != OP_CONCAT || x->axes[0] != n->axes[0]) {
    return NULL;
  }
  long length = axes_extent(w->g, n->naxes - 1, n->axes + 1);
  for (int i = 0; i < x->nin; i++) {
    const short *joined;
    long start;
    int count = concat_piece(w->g, x, i, &joined, &start);
    long end = start + axes_extent(w->g, count, joined);
    if (start <= n->offset && n->offset + length <= end) {
      return reread(w, x->in[i], count, joined, n->offset - start, n->naxes - 1, n->axes + 1);
    }
  }
  return NULL;
}

Node *rule_slice_of_pad(const Rewriter *w, Node *n)
{
  const Node *x = n->in[0];
  if (x->op != OP_PAD || x->axes[0] != n->axes[0]) {
    return NULL;
  }
  int nfrom = x->naxes - 1, nto = n->naxes - 1;
  long start = x->offset, end = start + axes_extent(w->g, nfrom, x->axes + 1);
  long from = n->offset, to = from + axes_extent(w->g, nto, n->axes + 1);
  if (to <= start || end <= from) {
    return build_const(w->g, 0);
  }
  bool inside = start <= from && to <= end;
  return inside ? reread(w, x->in[0], nfrom, x->axes + 1, from - start, nto, n->axes + 1) : NULL;
}

Node *rule_pad_whole(const Rewriter *w, Node *n)
{
  int nfrom = n->naxes - 1;
  bool whole = axes_extent(w->g, nfrom, n->axes + 1) == extent(w->g, n->axes[0]);
  return whole ? reread(w, n->in[0], nfrom, n->axes + 1, 0, 1, n->axes) : NULL;
}

Node *rule_concat_one(const Rewriter *w, Node *n)
{
  return n->nin == 1 ? renamed(w, n->in[0], n->axes[1], n->axes + 2, 1, n->axes) : NULL;
}

/* Operands and joined axes of a concatenation in the making. */
typedef struct Joined {
  Node *in[MOST_OPERANDS];
  int nin;
  short axes[MOST_OPERANDS * (MAX_AXES + 1)];
  int naxes;
} Joined;

static bool join(Joined *j, Node *x, int count, const short *axes)
{
  if (j->nin == MOST_OPERANDS) {
    return false;
  }
  j->in[j->nin++] = x;
  j->axes[j->naxes++] = (short)count;
  for (int i = 0; i < count; i++) {
    j->axes[j->naxes++] = axes[i];
  }
  return true;
}

static bool join_pieces(const Rewriter *w, Joined *j, const Node *concat)
{
  bool fits = true;
  for (int i = 0; i < concat->nin; i++) {
    const short *axes;
    long offset;
    int count = concat_piece(w->g, concat, i, &axes, &offset);
    fits = fits && join(j, concat->in[i], count, axes);
  }
  return fits;
}

/* NULL: an axis would be joined in one operand and kept from another. */
static Node *concat_joined(const Rewriter *w, int axis, const Joined *j)
{
  Node *n = build_concat(w->g, axis, j->nin, j->in, j->naxes, j->axes);
  for (int at = 0; at < j->naxes; at += 1 + j->axes[at]) {
    for (int k = at + 1; k <= at + j->axes[at]; k++) {
      if (j->axes[k] != axis && type_has(n->type, j->axes[k])) {
        return NULL;
      }
    }
  }
  return n;
}

Node *rule_concat_of_concat(const Rewriter *w, Node *n)
{
  Joined j = {.nin = 0};
  bool any = false, fits = true;
  for (int i = 0; i < n->nin; i++) {
    const short *axes;
    long offset;
    Node *x = n->in[i];
    int count = concat_piece(w->g, n, i, &axes, &offset);
    if (x->op == OP_CONCAT && count == 1 && axes[0] == x->axes[0] && rule_single_use(w, x)) {
      any = true;
      fits = fits && join_pieces(w, &j, x);
    } else {
      fits = fits && join(&j, x, count, axes);
    }
  }
  return any && fits ? concat_joined(w, n->axes[0], &j) : NULL;
}

Node *rule_triangle_of_untriangle(const Rewriter *w, Node *n)
{
  const Node *x = n->in[0];
  if (x->op != OP_UNTRIANGLE || x->axes[1] != n->axes[0] || x->axes[2] != n->axes[1]) {
    return NULL;
  }
  return renamed(w, x->in[0], 1, x->axes, 1, n->axes + 2);
}

/* The pads that a tree of additions adds up, all of one axis; -1: there is something else. */
static int find_pads(const Rewriter *w, Node *n, bool top, Node **pads, int count)
{
  if (count < 0) {
    return -1;
  }
  if (n->op == OP_PAD && count < MOST_OPERANDS && (count == 0 || n->axes[0] == pads[0]->axes[0])) {
    pads[count] = n;
    return count + 1;
  }
  if (n->op == OP_ADD && (top || rule_single_use(w, n))) {
    count = find_pads(w, n->in[0], false, pads, count);
    return find_pads(w, n->in[1], false, pads, count);
  }
  return -1;
}

Node *rule_add_pads(const Rewriter *w, Node *n)
{
  Node *pads[MOST_OPERANDS];
  int count = find_pads(w, n, true, pads, 0);
  Joined j = {.nin = 0};
  long end = 0;
  for (int found = 0; found < count; found++) { /* the one that starts where the last one ends */
    int i = 0;
    while (i < count && pads[i]->offset != end) {
      i++;
    }
    if (i == count || !join(&j, pads[i]->in[0], pads[i]->naxes - 1, pads[i]->axes + 1)) {
      return NULL;
    }
    end += axes_extent(w->g, pads[i]->naxes - 1, pads[i]->axes + 1);
  }
  if (count < 2 || end != extent(w->g, pads[0]->axes[0])) {
    return NULL;
  }
  return concat_joined(w, pads[0]->axes[0], &j);
}
