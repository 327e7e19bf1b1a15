/* A forest in memory: room for its trees, the check that everything else relies on, and the plain walk from
 * root to leaf that defines what a tree means. */

#include "trees.h"

#include <math.h>
#include <string.h>

rank_forest *rank_forest_new(int features, rank_error *e)
{
  rank_forest *f = calloc(1, sizeof *f);
  if (f) {
    f->features = features;
    f->sigmoid = 1;
    f->names = calloc((size_t)features + 1, sizeof *f->names);
    f->infos = calloc((size_t)features + 1, sizeof *f->infos);
  }
  int ok = f && f->names && f->infos;
  for (int i = 0; ok && i < features; i++) {
    char name[24];
    snprintf(name, sizeof name, "f%d", i);
    f->names[i] = strdup(name);
    f->infos[i] = strdup("none");
    ok = f->names[i] && f->infos[i];
  }
  if (!ok) {
    rank_fail(e, "out of memory");
    rank_forest_free(f);
    return NULL;
  }
  return f;
}

void rank_forest_free(rank_forest *f)
{
  if (!f) {
    return;
  }
  for (int i = 0; i < f->features; i++) {
    free(f->names ? f->names[i] : NULL);
    free(f->infos ? f->infos[i] : NULL);
  }
  free(f->names);
  free(f->infos);
  free(f->trees);
  free(f->nodes);
  free(f->leaves);
  free(f->words);
  free(f);
}

/* Room for `more` elements after the first n; new ones are zero. */
static int reserve(void **at, long *room, long n, long more, size_t size)
{
  if (n + more > *room || !*at) {
    long grown = n + more > 2 * *room ? n + more + 1 : 2 * *room;
    void *moved = realloc(*at, (size_t)grown * size);
    if (!moved) {
      return 0;
    }
    *at = moved;
    *room = grown;
  }
  if (more > 0) {
    memset((char *)*at + (size_t)n * size, 0, (size_t)more * size);
  }
  return 1;
}

rank_tree *rank_forest_add(rank_forest *f, int leaves, rank_error *e)
{
  void *trees = f->trees, *nodes = f->nodes, *end = f->leaves;
  int ok = leaves >= 1 && reserve(&trees, &f->room[0], f->ntrees, 1, sizeof *f->trees);
  f->trees = trees;
  ok = ok && reserve(&nodes, &f->room[1], f->nnodes, leaves - 1, sizeof *f->nodes);
  f->nodes = nodes;
  ok = ok && reserve(&end, &f->room[2], f->nleaves, leaves, sizeof *f->leaves);
  f->leaves = end;
  if (!ok) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  rank_tree *t = f->trees + f->ntrees++;
  *t = (rank_tree){.node = f->nnodes, .leaf = f->nleaves, .leaves = leaves, .shrinkage = 1};
  for (int i = 0; i < leaves; i++) {
    f->leaves[f->nleaves + i].id = i;
  }
  f->nnodes += leaves - 1;
  f->nleaves += leaves;
  return t;
}

int rank_forest_words(rank_forest *f, const uint32_t *words, size_t n, uint32_t *at, rank_error *e)
{
  void *room = f->words;
  if (n > UINT32_MAX || f->nwords > (long)(UINT32_MAX - n) ||
      !reserve(&room, &f->room[3], f->nwords, (long)n, sizeof *f->words)) {
    return rank_fail(e, "out of memory");
  }
  f->words = room;
  if (n > 0) {
    memcpy(f->words + f->nwords, words, n * sizeof *words);
  }
  *at = (uint32_t)f->nwords;
  f->nwords += (long)n;
  return 0;
}

static int check_node(const rank_forest *f, long tree, const rank_node *n, rank_error *e)
{
  int leaves = f->trees[tree].leaves;
  if (n->feature < 0 || n->feature >= f->features) {
    return rank_fail(e, "tree %ld splits by feature %d of %d", tree, n->feature, f->features);
  }
  for (int side = 0; side < 2; side++) {
    int32_t child = side ? n->right : n->left;
    if (child >= leaves - 1 || child < -leaves) {
      return rank_fail(e, "tree %ld has a child %d with %d leaves", tree, child, leaves);
    }
  }
  if (n->decision & RANK_SPLIT_CATEGORY) {
    if (n->nwords > (uint32_t)INT32_MAX || (uint64_t)n->word + n->nwords > (uint64_t)f->nwords) {
      return rank_fail(e, "tree %ld has categories out of range", tree);
    }
  } else if (isnan(n->threshold)) {
    return rank_fail(e, "tree %ld has a threshold that is no number", tree);
  }
  return 0;
}

/* Walks the whole tree: as many visits as there are nodes and leaves, and none twice. */
static int check_shape(
  const rank_forest *f, long tree, unsigned char *seen, int32_t *stack, rank_error *e)
{
  const rank_tree *t = f->trees + tree;
  const rank_node *nodes = f->nodes + t->node;
  long inner = t->leaves - 1, visits = 0, top = 0;
  memset(seen, 0, (size_t)(2 * t->leaves));
  stack[top++] = inner > 0 ? 0 : ~0;
  while (top > 0) {
    int32_t at = stack[--top];
    long mark = at >= 0 ? at : inner + ~at;
    if (seen[mark]++) {
      return rank_fail(e, "tree %ld reaches a node or leaf twice", tree);
    }
    visits++;
    if (at >= 0) {
      stack[top++] = nodes[at].right;
      stack[top++] = nodes[at].left;
    }
  }
  return visits == inner + t->leaves ? 0 : rank_fail(e, "tree %ld does not hang together", tree);
}

int rank_forest_check(const rank_forest *f, rank_error *e)
{
  int most = 1;
  for (long t = 0; t < f->ntrees; t++) {
    most = f->trees[t].leaves > most ? f->trees[t].leaves : most;
  }
  unsigned char *seen = malloc(2 * (size_t)most);
  int32_t *stack = malloc(sizeof *stack * 2 * (size_t)most);
  int status = seen && stack ? 0 : rank_fail(e, "out of memory");
  for (long t = 0; status == 0 && t < f->ntrees; t++) {
    const rank_node *nodes = f->nodes + f->trees[t].node;
    for (int i = 0; status == 0 && i < f->trees[t].leaves - 1; i++) {
      status = check_node(f, t, nodes + i, e);
    }
    status = status == 0 ? check_shape(f, t, seen, stack, e) : status;
    for (int i = 0; status == 0 && i < f->trees[t].leaves; i++) {
      if (isnan(f->leaves[f->trees[t].leaf + i].value)) {
        status = rank_fail(e, "tree %ld has a leaf whose value is no number", t);
      }
    }
  }
  free(seen);
  free(stack);
  return status;
}

double trees_threshold(double t)
{
  if (fabs(t) > RANK_TREES_ZERO) {
    return t;
  }
  return t < 0 ? nextafter(-RANK_TREES_ZERO, -1) : RANK_TREES_ZERO;
}

static int left_of_category(const rank_forest *f, const rank_node *n, double x)
{
  int strict = n->decision & RANK_SPLIT_STRICT;
  if (isnan(x)) {
    return strict && (n->decision & RANK_SPLIT_LEFT);
  }
  x = strict ? (double)(float)x : x; /* XGBoost has floats only */
  if (!(x < 2147483648.0) || (strict ? x < 0 : x <= -1)) {
    return 0;
  }
  uint32_t c = (uint32_t)x;
  return c / 32 < n->nwords && (f->words[n->word + c / 32] >> c % 32 & 1);
}

static int goes_left(const rank_forest *f, const rank_node *n, double x)
{
  if (n->decision & RANK_SPLIT_CATEGORY) {
    return left_of_category(f, n, x);
  }
  int missing = isnan(x) && (n->decision & (RANK_SPLIT_NAN | RANK_SPLIT_ZERO));
  if (isnan(x) && !(n->decision & RANK_SPLIT_NAN)) {
    x = 0;
  }
  missing |= (n->decision & RANK_SPLIT_ZERO) && fabs(x) <= RANK_TREES_ZERO;
  return missing ? (n->decision & RANK_SPLIT_LEFT) != 0 : x <= n->threshold;
}

int rank_forest_leaf(const rank_forest *f, long tree, const rank_matrix *x, long row)
{
  const rank_tree *t = f->trees + tree;
  const rank_node *nodes = f->nodes + t->node;
  int32_t at = t->leaves > 1 ? 0 : ~0;
  while (at >= 0) {
    const rank_node *n = nodes + at;
    at = goes_left(f, n, rank_matrix_at(x, row, n->feature)) ? n->left : n->right;
  }
  return ~at;
}

double rank_forest_score(const rank_forest *f, const rank_matrix *x, long row)
{
  double sum = 0;
  for (long t = 0; t < f->ntrees; t++) {
    sum += f->leaves[f->trees[t].leaf + rank_forest_leaf(f, t, x, row)].value;
  }
  return (f->average && f->ntrees > 0 ? sum / (double)f->ntrees : sum) + f->base;
}

double rank_forest_probability(const rank_forest *f, double score)
{
  return f->objective == RANK_TREES_BINARY ? 1 / (1 + exp(-f->sigmoid * score)) : score;
}

void rank_forest_importance(const rank_forest *f, double *gain, long *splits)
{
  for (int i = 0; i < f->features; i++) {
    if (gain) {
      gain[i] = 0;
    }
    if (splits) {
      splits[i] = 0;
    }
  }
  for (long i = 0; i < f->nnodes; i++) {
    const rank_node *n = f->nodes + i;
    if (gain) {
      gain[n->feature] += n->gain;
    }
    if (splits && n->gain > 0) {
      splits[n->feature]++;
    }
  }
}
