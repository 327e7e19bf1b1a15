/* Lays a forest out as tables: columns for every way a feature's missing values are filled, nodes with
 * children side by side, masks for small trees. Thresholds for floats are the largest float that is not above
 * the double: for any float x, x <= one exactly when x <= the other. */

#include "trees_scorer.h"

#include <float.h>
#include <math.h>

enum {
  LEAF = 65535, /* the column of a leaf, until their number is known */
  MOST_COLUMNS = 65528 / RANK_TREES_LANES - 1
};

static int fill_of(const rank_node *n)
{
  int left = (n->decision & RANK_SPLIT_LEFT) != 0;
  int always =
    n->threshold > DBL_MAX && !left; /* every number goes left, what is missing goes right */
  if (n->decision & RANK_SPLIT_ZERO) {
    return always ? RANK_FILL_IS_ZERO : left ? RANK_FILL_ZERO_LOW : RANK_FILL_ZERO_HIGH;
  }
  if (n->decision & RANK_SPLIT_NAN) {
    return always ? RANK_FILL_IS_NAN : left ? RANK_FILL_LOW : RANK_FILL_HIGH;
  }
  return RANK_FILL_ZERO;
}

static double threshold_of(const rank_node *n)
{
  return fill_of(n) >= RANK_FILL_IS_NAN ? 0.5 : n->threshold;
}

float trees_below(double x)
{
  if (x >= (double)FLT_MAX) {
    return isinf(x) ? (float)x : FLT_MAX;
  }
  if (x < -(double)FLT_MAX) {
    return -(float)INFINITY;
  }
  float f = (float)x;
  return (double)f > x ? nextafterf(f, -(float)INFINITY) : f;
}

/* Categories are walked plainly, and so are trees whose nodes or columns do not fit 16 bits. */
static int plain_tree(const rank_forest *f, const rank_tree *t)
{
  int plain = t->leaves < 2 || t->leaves > 32000 || f->features > MOST_COLUMNS / RANK_FILLS;
  for (int i = 0; !plain && i < t->leaves - 1; i++) {
    plain = f->nodes[t->node + i].decision & RANK_SPLIT_CATEGORY;
  }
  return plain;
}

typedef struct making {
  const rank_forest *f;
  trees_tables *t;
  int32_t *column_of; /* [features][RANK_FILLS] */
  int32_t *stack;     /* of a tree's nodes: pairs */
  uint32_t *left_bits;
} making;

static uint16_t column_for(making *k, const rank_node *n)
{
  int fill = fill_of(n);
  int32_t *c = k->column_of + (long)RANK_FILLS * n->feature + fill;
  if (*c < 0) {
    *c = k->t->columns;
    k->t->column[k->t->columns++] = (rank_trees_column){n->feature, fill};
  }
  return (uint16_t)(*c * RANK_TREES_LANES);
}

/* Nodes breadth first, so that children are neighbours. Returns the steps to the nearest leaf. */
static int lay_nodes(making *k, const rank_tree *tree)
{
  trees64_node *out = k->t->node + k->t->nnodes;
  int32_t *queue = k->stack, *depth = k->stack + 2L * tree->leaves;
  int n = 1, nearest = tree->leaves;
  queue[0] = tree->leaves > 1 ? 0 : ~0;
  depth[0] = 0;
  for (int i = 0; i < n; i++) {
    if (queue[i] < 0) {
      out[i] = (trees64_node){~queue[i], LEAF, 0};
      nearest = depth[i] < nearest ? depth[i] : nearest;
      continue;
    }
    const rank_node *from = k->f->nodes + tree->node + queue[i];
    out[i] = (trees64_node){threshold_of(from), column_for(k, from), (uint16_t)(n - i)};
    depth[n] = depth[n + 1] = depth[i] + 1;
    queue[n++] = from->left;
    queue[n++] = from->right;
  }
  k->t->nnodes += n;
  return nearest;
}

/* Leaves from left to right, and for each node the bits of those to its left. */
static void lay_masks(making *k, const rank_tree *tree, uint32_t at)
{
  trees_tables *t = k->t;
  const rank_node *nodes = k->f->nodes + tree->node;
  int top = 0, leaves = 0;
  int32_t *stack = k->stack;
  stack[top++] = 0;
  while (top > 0) { /* a node is met twice: before its left side, and after it */
    int32_t i = stack[--top];
    if (i < 0) {
      t->order[at + (uint32_t)leaves++] = ~i;
    } else if (i < tree->leaves) {
      k->left_bits[i] = leaves > 0 ? ~(uint32_t)0 >> (32 - leaves) : 0;
      stack[top++] = nodes[i].right;
      stack[top++] = i + tree->leaves;
      stack[top++] = nodes[i].left;
    } else {
      i -= tree->leaves;
      uint32_t before = k->left_bits[i];
      k->left_bits[i] = (~(uint32_t)0 >> (32 - leaves)) & ~before;
      t->threshold[t->nmasks] = threshold_of(nodes + i);
      t->mask[t->nmasks++] = (rank_trees_mask){k->left_bits[i], column_for(k, nodes + i)};
    }
  }
}

static void lay_plain(trees_tables *t, const rank_forest *f, const rank_tree *tree)
{
  for (int i = 0; i < tree->leaves - 1; i++) {
    const rank_node *n = f->nodes + tree->node + i;
    t->plain[t->nplain++] = (rank_trees_plain){
      n->threshold, n->feature, n->left, n->right, n->word, n->nwords, n->decision};
  }
}

static void lay_tree(making *k, const rank_tree *tree)
{
  trees_tables *t = k->t;
  rank_trees_entry *e = t->tree + t->ntrees++;
  int plain = plain_tree(k->f, tree);
  *e = (rank_trees_entry){(uint32_t)t->nnodes, (uint32_t)t->nmasks, (uint32_t)t->nleaves,
    (uint32_t)t->nplain, (uint16_t)(tree->leaves < 65535 ? tree->leaves : 65535), 0,
    plain                               ? RANK_KIND_PLAIN
    : tree->leaves <= RANK_TREES_MASKED ? RANK_KIND_MASKS
                                        : RANK_KIND_WALK};
  for (int i = 0; i < tree->leaves; i++) {
    t->value[t->nleaves + i] = k->f->leaves[tree->leaf + i].value;
    t->order[t->nleaves + i] = i;
  }
  if (plain) {
    lay_plain(t, k->f, tree);
  } else {
    e->depth = (uint16_t)lay_nodes(k, tree);
  }
  if (e->kind == RANK_KIND_MASKS) {
    lay_masks(k, tree, (uint32_t)t->nleaves);
  }
  for (int i = 0; i < tree->leaves; i++) {
    t->order_value[t->nleaves + i] = t->value[t->nleaves + t->order[t->nleaves + i]];
  }
  t->nleaves += tree->leaves;
}

static int reserve(making *k, const rank_forest *f)
{
  trees_tables *t = k->t;
  size_t nodes = (size_t)f->nnodes + (size_t)f->nleaves + 1, features = (size_t)f->features;
  size_t most = 1, columns = RANK_FILLS * features < nodes ? RANK_FILLS * features : nodes;
  for (long i = 0; i < f->ntrees; i++) {
    most = (size_t)f->trees[i].leaves > most ? (size_t)f->trees[i].leaves : most;
  }
  t->column = malloc(sizeof *t->column * (columns + 1));
  t->tree = calloc((size_t)f->ntrees + 1, sizeof *t->tree);
  t->node = calloc(nodes, sizeof *t->node);
  t->threshold = malloc(sizeof *t->threshold * nodes);
  t->mask = malloc(sizeof *t->mask * nodes);
  t->order = malloc(sizeof *t->order * nodes);
  t->order_value = malloc(sizeof *t->order_value * nodes);
  t->value = malloc(sizeof *t->value * nodes);
  t->plain = malloc(sizeof *t->plain * nodes);
  t->words = malloc(sizeof *t->words * ((size_t)f->nwords + 1));
  k->column_of = malloc(sizeof *k->column_of * RANK_FILLS * (features + 1));
  k->stack = malloc(sizeof *k->stack * 4 * (most + 1));
  k->left_bits = malloc(sizeof *k->left_bits * (most + 1));
  if (!t->column || !t->tree || !t->node || !t->threshold || !t->mask || !t->order ||
      !t->order_value || !t->value || !t->plain || !t->words || !k->column_of || !k->stack ||
      !k->left_bits) {
    return -1;
  }
  for (size_t i = 0; i < RANK_FILLS * features; i++) {
    k->column_of[i] = -1;
  }
  for (long i = 0; i < f->nwords; i++) {
    t->words[i] = f->words[i];
  }
  t->nwords = f->nwords;
  return 0;
}

static int narrow(trees_tables *t)
{
  t->node32 = calloc((size_t)t->nnodes + 1, sizeof *t->node32);
  t->threshold32 = malloc(sizeof *t->threshold32 * ((size_t)t->nmasks + 1));
  if (!t->node32 || !t->threshold32) {
    return -1;
  }
  for (long i = 0; i < t->nnodes; i++) {
    const trees64_node *n = t->node + i;
    int leaf = n->column == t->columns * RANK_TREES_LANES;
    t->node32[i] =
      (trees32_node){leaf ? (float)n->threshold : trees_below(n->threshold), n->column, n->step};
  }
  for (long i = 0; i < t->nmasks; i++) {
    t->threshold32[i] = trees_below(t->threshold[i]);
  }
  return 0;
}

int trees_tables_make(trees_tables *t, const rank_forest *f, int f64, rank_error *e)
{
  *t = (trees_tables){.f64 = f64};
  making k = {.f = f, .t = t};
  int status = rank_forest_check(f, e);
  if (status == 0 && (f->nnodes + f->nleaves > INT32_MAX || reserve(&k, f) != 0)) {
    status = rank_fail(e, "out of memory");
  }
  for (long i = 0; status == 0 && i < f->ntrees; i++) {
    lay_tree(&k, f->trees + i);
  }
  for (long i = 0; i < t->nnodes; i++) {
    if (t->node[i].column == LEAF) {
      t->node[i].column = (uint16_t)(t->columns * RANK_TREES_LANES);
    }
  }
  if (status == 0 && !f64 && narrow(t) != 0) {
    status = rank_fail(e, "out of memory");
  }
  int block = 65536 / (t->columns + 1) / (f64 ? 16 : 8) / 8 * 8;
  t->block = block < 8 ? 8 : block > 64 ? 64 : block;
  free(k.column_of);
  free(k.stack);
  free(k.left_bits);
  if (status != 0) {
    trees_tables_free(t);
  }
  return status;
}

void trees_tables_free(trees_tables *t)
{
  free(t->column);
  free(t->tree);
  free(t->node);
  free(t->node32);
  free(t->threshold);
  free(t->threshold32);
  free(t->mask);
  free(t->order);
  free(t->order_value);
  free(t->value);
  free(t->plain);
  free(t->words);
}
