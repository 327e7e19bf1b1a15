/* One tree, leaf by leaf: the leaf whose best split gains most is split next. The rows of a leaf lie together
 * in one array of row numbers, in ascending order; a split moves those that go left before those that go
 * right. The smaller child's histogram is counted, the larger child's is what remains of the parent's. */

#include "trees_grower.h"

#include <string.h>

trees_grower *trees_grower_new(const rank_trees_options *o, const trees_mapping *m,
  const trees_data *d, int threads, rank_error *e)
{
  trees_grower *g = calloc(1, sizeof *g);
  size_t leaves = (size_t)o->leaves, rows = (size_t)d->rows + 1;
  if (!g) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  g->o = o;
  g->m = m;
  g->d = d;
  g->threads = threads;
  g->hist_size = (size_t)d->groups * TREES_GROUP * TREES_BINS;
  g->rows = malloc(sizeof *g->rows * rows);
  g->to_left = malloc(sizeof *g->to_left * rows);
  g->to_right = malloc(sizeof *g->to_right * rows);
  g->hist = malloc(sizeof *g->hist * g->hist_size * leaves + 8);
  g->partial =
    threads > 1 ? malloc(sizeof *g->hist * g->hist_size * ((size_t)threads - 1) + 8) : NULL;
  g->leaves = calloc(leaves, sizeof *g->leaves);
  g->grown = calloc(leaves, sizeof *g->grown);
  g->nodes = calloc(leaves, sizeof *g->nodes);
  g->goes_left = calloc(leaves, sizeof *g->goes_left);
  g->found = calloc(2 * ((size_t)m->columns + 1), sizeof *g->found);
  if (!g->rows || !g->to_left || !g->to_right || !g->hist || (threads > 1 && !g->partial) ||
      !g->leaves || !g->grown || !g->nodes || !g->goes_left || !g->found) {
    rank_fail(e, "out of memory");
    trees_grower_free(g);
    return NULL;
  }
  return g;
}

void trees_grower_free(trees_grower *g)
{
  if (g) {
    free(g->rows);
    free(g->to_left);
    free(g->to_right);
    free(g->hist);
    free(g->partial);
    free(g->leaves);
    free(g->grown);
    free(g->nodes);
    free(g->goes_left);
    free(g->found);
    free(g);
  }
}

uint32_t *trees_grower_rows(trees_grower *g)
{
  return g->rows;
}

const trees_grown *trees_grower_leaves(const trees_grower *g, int *n)
{
  *n = g->nleaves;
  return g->grown;
}

static double output(const rank_trees_options *o, const trees_search *s, double l2)
{
  return -trees_soft(s->g, o->lambda_l1) / (s->h + l2) * o->rate;
}

/* Sums, output and the place of a leaf; its split is not known yet. */
static void open_leaf(trees_grower *g, int at, long first, long count, int64_t sum, double l2)
{
  grow_leaf *l = g->leaves + at;
  trees_search s;
  l->sums = (trees_leaf_sums){sum, count, g->g_scale, g->h_scale};
  l->best.gain = -1;
  trees_search_begin(&s, g->o, &l->sums);
  s.h -= 2 * TREES_EPSILON;
  g->grown[at] = (trees_grown){first, count, s.h + l2 > 0 ? output(g->o, &s, l2) : 0};
  l->weight = s.h;
}

static void fill_lookup(const trees_bins *b, const trees_split *s, uint8_t *left)
{
  memset(left, 0, TREES_BINS);
  if (b->category) {
    for (int i = 0; i < s->ncats; i++) {
      left[s->cats[i]] = 1;
    }
    return;
  }
  for (int i = 0; i <= s->bin; i++) {
    left[i] = 1;
  }
  if (b->missing) {
    left[b->missing == RANK_SPLIT_NAN ? b->n - 1 : b->zero] = s->default_left;
  }
}

static int fill_node(trees_grower *g, rank_forest *f, int leaf, grow_node *n, rank_error *e)
{
  const trees_split *s = &g->leaves[leaf].best;
  const trees_bins *b = g->m->bins + s->column;
  rank_node *to = &n->node;
  memset(to, 0, sizeof *to);
  n->column = s->column;
  to->feature = g->m->feature[s->column];
  to->gain = s->gain;
  to->value = g->nleaves > 1 ? g->grown[leaf].value : 0;
  to->weight = g->leaves[leaf].weight;
  to->count = g->grown[leaf].count;
  to->decision = b->missing;
  if (!b->category) {
    to->threshold = b->upper[s->bin];
    to->decision |= s->default_left ? RANK_SPLIT_LEFT : 0;
    return 0;
  }
  int32_t most = 0;
  for (int i = 0; i < s->ncats; i++) {
    most = b->code[s->cats[i]] > most ? b->code[s->cats[i]] : most;
  }
  to->decision |= RANK_SPLIT_CATEGORY;
  to->nwords = (uint32_t)most / 32 + 1;
  uint32_t *words = calloc(to->nwords, sizeof *words);
  if (!words) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < s->ncats; i++) {
    uint32_t c = (uint32_t)b->code[s->cats[i]];
    words[c / 32] |= 1u << c % 32;
  }
  int status = rank_forest_words(f, words, to->nwords, &to->word, e);
  free(words);
  return status;
}

/* Splits leaf `at` by its best split; its right part becomes leaf nleaves. */
static int split_leaf(trees_grower *g, rank_forest *f, int at, rank_error *e)
{
  int fresh = g->nleaves, node = fresh - 1;
  grow_leaf *l = g->leaves + at;
  trees_split best = l->best;
  trees_grown old = g->grown[at];
  grow_node *n = g->nodes + node;
  if (fill_node(g, f, at, n, e) != 0) {
    return -1;
  }
  fill_lookup(g->m->bins + best.column, &best, g->goes_left[node]);
  long left = trees_partition(g, old.first, old.count, best.column, g->goes_left[node]);
  int depth = l->depth + 1, parent = l->parent;
  if (parent >= 0) {
    *(l->right ? &g->nodes[parent].node.right : &g->nodes[parent].node.left) = node;
  }
  n->node.left = ~at;
  n->node.right = ~fresh;
  int64_t sum = l->sums.sum;
  g->leaves[fresh] = *l;
  open_leaf(g, at, old.first, left, best.left, best.l2);
  open_leaf(g, fresh, old.first + left, old.count - left, sum - best.left, best.l2);
  g->leaves[at].depth = g->leaves[fresh].depth = depth;
  g->leaves[at].parent = g->leaves[fresh].parent = node;
  g->leaves[at].right = 0;
  g->leaves[fresh].right = 1;
  g->nleaves++;
  return 0;
}

static int best_leaf(const trees_grower *g)
{
  int best = -1;
  for (int i = 0; i < g->nleaves; i++) {
    double gain = g->leaves[i].best.gain;
    if (gain > 0 && (best < 0 || gain > g->leaves[best].best.gain)) {
      best = i;
    }
  }
  return best;
}

static int append(trees_grower *g, rank_forest *f, rank_error *e)
{
  rank_tree *t = rank_forest_add(f, g->nleaves, e);
  if (!t) {
    return -1;
  }
  t->shrinkage = g->o->rate;
  for (int i = 0; i < g->nleaves - 1; i++) {
    f->nodes[t->node + i] = g->nodes[i].node;
  }
  for (int i = 0; i < g->nleaves; i++) {
    rank_leaf *l = f->leaves + t->leaf + i;
    l->value = g->grown[i].value;
    l->weight = g->leaves[i].weight;
    l->count = g->grown[i].count;
  }
  return 0;
}

int trees_grow(trees_grower *g, rank_forest *f, long n, const int64_t *gradient, double g_scale,
  double h_scale, const unsigned char *used, rank_error *e)
{
  int64_t sum = 0; /* of whole numbers: the same in any order */
#pragma omp parallel for num_threads(g->threads) schedule(static) reduction(+ : sum) if (n > 32768)
  for (long i = 0; i < n; i++) {
    sum += gradient[g->rows[i]];
  }
  g->gradient = gradient;
  g->g_scale = g_scale;
  g->h_scale = h_scale;
  g->used = used;
  g->nleaves = 1;
  g->leaves[0] = (grow_leaf){.parent = -1};
  open_leaf(g, 0, 0, n, sum, g->o->lambda_l2);
  trees_search_leaves(g, 0, -1);
  while (g->nleaves < g->o->leaves) {
    int at = best_leaf(g);
    if (at < 0) {
      break;
    }
    if (split_leaf(g, f, at, e) != 0) {
      return -1;
    }
    if (g->nleaves < g->o->leaves) {
      int fresh = g->nleaves - 1, small = g->grown[at].count < g->grown[fresh].count ? at : fresh;
      trees_search_leaves(g, small, small == at ? fresh : at);
    }
  }
  if (g->nleaves == 1) {
    g->grown[0].value = 0;
  }
  return append(g, f, e);
}

void trees_grower_apply(const trees_grower *g, const trees_data *d, const uint32_t *rows, long n,
  double *score, int threads)
{
  size_t stride = (size_t)d->groups * TREES_GROUP;
#pragma omp parallel for num_threads(threads) schedule(static) if (n > 4096)
  for (long i = 0; i < n; i++) {
    long row = rows ? (long)rows[i] : i;
    const uint8_t *bins = d->by_row + (size_t)row * stride;
    int32_t at = g->nleaves > 1 ? 0 : ~0;
    while (at >= 0) {
      const grow_node *node = g->nodes + at;
      at = g->goes_left[at][bins[node->column]] ? node->node.left : node->node.right;
    }
    score[row] += g->grown[~at].value;
  }
  (void)threads;
}
