/* fit_trees.c: what fits that have a forest share. Results: the leaf that a row falls into in every tree, as an
 * id that tells trees apart, and the forest's score.
 *
 * One idea: between files and memory a forest is tables of numbers, one row per node, leaf and tree; the
 * forest that scoring uses is made from them anew and checked. */

#include "fit_trees.h"

#include "fit_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 5, TREE = 2, NODE = 11, LEAF = 4, PIECE = 256 };

typedef struct made {
  rank_forest *forest;
  rank_scorer *scorer;
  fit_columns columns;
  int folded; /* the leaves' values are a table's, and no ids are given */
} made;

/* --- as tensors --- */

int fit_trees_save(const rank_forest *f, fit_state *s)
{
  int codes = fit_find(s, "codes") != NULL || fit_add(s, "codes", 0, 2) != NULL;
  double *head = codes ? fit_add(s, "head", 1, HEAD) : NULL;
  double *tree = head != NULL ? fit_add(s, "trees", f->ntrees, TREE) : NULL;
  double *leaf = tree != NULL ? fit_add(s, "leaves", f->nleaves, LEAF) : NULL;
  double *node = leaf != NULL ? fit_add(s, "nodes", f->nnodes, NODE) : NULL;
  double *word = node != NULL ? fit_add(s, "words", f->nwords, 1) : NULL;
  if (word == NULL) {
    return -1;
  }
  head[0] = f->features;
  head[1] = f->objective;
  head[2] = f->sigmoid;
  head[3] = f->base;
  head[4] = f->average;
  for (long i = 0; i < f->ntrees; i++, tree += TREE) {
    tree[0] = f->trees[i].leaves;
    tree[1] = f->trees[i].shrinkage;
  }
  for (long i = 0; i < f->nleaves; i++, leaf += LEAF) {
    const rank_leaf *l = &f->leaves[i];
    leaf[0] = l->value;
    leaf[1] = l->weight;
    leaf[2] = (double)l->count;
    leaf[3] = l->id;
  }
  for (long i = 0; i < f->nnodes; i++, node += NODE) {
    const rank_node *n = &f->nodes[i];
    const double x[NODE] = {n->threshold, n->feature, n->left, n->right, n->word, n->nwords,
      n->decision, n->gain, n->value, n->weight, (double)n->count};
    for (int k = 0; k < NODE; k++) {
      node[k] = x[k];
    }
  }
  for (long i = 0; i < f->nwords; i++) {
    word[i] = f->words[i];
  }
  return 0;
}

/* --- ready to score --- */

static int whole(double x, double low, double high)
{
  return x >= low && x <= high && x == floor(x);
}

static int load_node(const double *x, rank_node *n)
{
  int good = whole(x[6], 0, 255);
  for (int k = 1; k <= 5; k++) {
    good &= whole(x[k], k < 4 ? INT32_MIN : 0, k < 4 ? INT32_MAX : UINT32_MAX);
  }
  good &= whole(x[10], 0, 0x1p53) && !isnan(x[0]);
  if (good) {
    *n = (rank_node){x[0], (int32_t)x[1], (int32_t)x[2], (int32_t)x[3], (uint32_t)x[4],
      (uint32_t)x[5], (uint8_t)x[6], x[7], x[8], x[9], (long)x[10]};
  }
  return good;
}

static int load_tree(
  rank_forest *f, const double *head, const double **leaf, const double **node, rank_error *e)
{
  rank_tree *t = rank_forest_add(f, (int)head[0], e);
  if (t == NULL) {
    return -1;
  }
  t->shrinkage = head[1];
  for (int i = 0; i < t->leaves; i++, *leaf += LEAF) {
    const double *x = *leaf;
    if (!isfinite(x[0]) || !whole(x[2], 0, 0x1p53) || !whole(x[3], INT32_MIN, INT32_MAX)) {
      return rank_fail(e, "a leaf is damaged");
    }
    f->leaves[t->leaf + i] = (rank_leaf){x[0], x[1], (long)x[2], (int32_t)x[3]};
  }
  for (int i = 0; i + 1 < t->leaves; i++, *node += NODE) {
    if (!load_node(*node, &f->nodes[t->node + i])) {
      return rank_fail(e, "a node is damaged");
    }
  }
  return 0;
}

static int load_words(rank_forest *f, const fit_tensor *t, rank_error *e)
{
  uint32_t at = 0;
  for (int64_t i = 0; i < t->rows; i++) {
    if (!whole(t->at[i], 0, UINT32_MAX)) {
      return rank_fail(e, "a set of categories is damaged");
    }
    uint32_t word = (uint32_t)t->at[i];
    if (rank_forest_words(f, &word, 1, &at, e) != 0) {
      return -1;
    }
  }
  return 0;
}

/* Sizes first: as many leaves and nodes as the trees say. */
static int check_sizes(const rank_fit *fit, const fit_state *s, rank_error *e)
{
  const fit_tensor *head = fit_find(s, "head"), *trees = fit_find(s, "trees");
  double leaves = 0;
  int good = head->rows == 1 && head->columns == HEAD && trees->columns == TREE &&
             fit_find(s, "leaves")->columns == LEAF && fit_find(s, "nodes")->columns == NODE &&
             fit_find(s, "words")->columns == 1 &&
             trees->rows <= (int64_t)fit->settings[FIT_TREES_MOST];
  for (int64_t i = 0; good && i < trees->rows; i++) {
    good = whole(trees->at[i * TREE], 1, fit->settings[FIT_TREES_LEAVES]);
    leaves += trees->at[i * TREE];
  }
  good = good && leaves == (double)fit_find(s, "leaves")->rows &&
         leaves - (double)trees->rows == (double)fit_find(s, "nodes")->rows &&
         isfinite(head->at[2]) && isfinite(head->at[3]);
  return good ? 0
              : rank_fail(e, "its trees are not ones of %g leaves, %g at most",
                  fit->settings[FIT_TREES_LEAVES], fit->settings[FIT_TREES_MOST]);
}

/* Columns' names; where LightGBM could not have them, with a low line for each blank. */
static int name_features(rank_forest *f, const rank_model *m, const rank_fit *fit)
{
  char name[200];
  for (int i = 0; i < f->features; i++) {
    fit_columns_name(m, fit, i, name, sizeof name);
    for (char *c = name; (c = strpbrk(c, " \t\r\n")) != NULL;) {
      *c = '_';
    }
    char *copy = name[0] != '\0' ? strdup(name) : strdup("_");
    if (copy == NULL) {
      return -1;
    }
    free(f->names[i]);
    f->names[i] = copy;
  }
  return 0;
}

static int load_forest(rank_forest *f, const fit_state *s, rank_error *e)
{
  const fit_tensor *trees = fit_find(s, "trees");
  const double *head = fit_find(s, "head")->at;
  const double *leaf = fit_find(s, "leaves")->at, *node = fit_find(s, "nodes")->at;
  f->objective = head[1] > 0 ? RANK_TREES_SQUARED : RANK_TREES_BINARY;
  f->sigmoid = head[2];
  f->base = head[3];
  f->average = head[4] > 0;
  int failed = load_words(f, fit_find(s, "words"), e);
  for (int64_t i = 0; i < trees->rows && !failed; i++) {
    failed = load_tree(f, trees->at + i * TREE, &leaf, &node, e);
  }
  return failed ? -1 : rank_forest_check(f, e);
}

void fit_trees_forget(void *p)
{
  made *x = p;
  fit_columns_close(&x->columns);
  rank_scorer_free(x->scorer);
  rank_forest_free(x->forest);
  free(x);
}

int fit_trees_ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  made *x = calloc(1, sizeof *x);
  if (x == NULL || check_sizes(fit, s, e) != 0) {
    free(x);
    return x == NULL ? rank_fail(e, "out of memory") : -1;
  }
  int failed = fit_columns_open(&x->columns, m, fit) != 0 ? rank_fail(e, "out of memory")
                                                          : fit_columns_load(&x->columns, s, e);
  x->forest = failed ? NULL : rank_forest_new(x->columns.n, e);
  failed = x->forest == NULL || load_forest(x->forest, s, e) != 0;
  if (!failed && name_features(x->forest, m, fit) != 0) {
    failed = rank_fail(e, "out of memory");
  }
  x->scorer = failed ? NULL : rank_scorer_new(x->forest, sizeof(rank_real) == 8, e);
  if (x->scorer == NULL) {
    fit_trees_forget(x);
    return -1;
  }
  s->made = x;
  return 0;
}

/* The scores of leaves themselves are not needed any more. */
int fit_trees_fold(const rank_fit *fit, fit_state *s, const rank_real *table, rank_error *e)
{
  made *x = s->made;
  rank_forest *f = x->forest;
  const long leaves = (long)fit->settings[FIT_TREES_LEAVES];
  for (long t = 0; t < f->ntrees; t++) {
    for (int i = 0; i < f->trees[t].leaves; i++) {
      f->leaves[f->trees[t].leaf + i].value = (double)table[t * leaves + i];
    }
  }
  f->base = 0;
  f->average = 0;
  rank_scorer *scorer = rank_scorer_new(f, sizeof(rank_real) == 8, e);
  if (scorer == NULL) {
    return -1;
  }
  rank_scorer_free(x->scorer);
  x->scorer = scorer;
  x->folded = 1;
  return 0;
}

/* --- applying --- */

static size_t scorer_room(const rank_model *m, const rank_fit *fit)
{
  return (rank_scorer_room(fit_columns_count(m, fit)) + 63) & ~(size_t)63;
}

size_t fit_trees_room(const rank_model *m, const rank_fit *fit, const fit_state *s)
{
  (void)s;
  return scorer_room(m, fit) + fit_columns_room(m, fit, PIECE);
}

/* Ids of tree t's leaves are t * leaves + leaf. In pieces, because scores are doubles to the scorer. */
int fit_trees_apply(const rank_model *m, const rank_fit *fit, const fit_state *s,
  const rank_batch *b, void *const *out, int32_t *const *offset, void *room)
{
  const made *x = s->made;
  long trees = x->forest->ntrees;
  int32_t *leaf = out[0];
  rank_real *score = out[1], *columns = (rank_real *)(void *)((char *)room + scorer_room(m, fit));
  double sums[PIECE];
  if (!x->folded && b->n * trees > INT32_MAX) {
    return -1; /* offsets would not fit */
  }
  for (long at = 0; at < b->n; at += PIECE) {
    long n = b->n - at < PIECE ? b->n - at : PIECE;
    rank_matrix piece =
      fit_trees_matrix(fit_columns_rows(&x->columns, b, at, n, columns), n, x->columns.n);
    rank_scorer_rows(x->scorer, &piece, sums, x->folded ? NULL : leaf + at * trees, room);
    for (long i = 0; i < n; i++) {
      score[at + i] = (rank_real)sums[i];
    }
  }
  if (x->folded) {
    memset(offset[0], 0, sizeof *offset[0] * ((size_t)b->n + 1));
    return 0;
  }
  const int32_t leaves = (int32_t)fit->settings[FIT_TREES_LEAVES];
  for (long i = 0; i < b->n; i++) {
    for (long t = 0; t < trees; t++) {
      leaf[i * trees + t] += (int32_t)t * leaves;
    }
  }
  for (long i = 0; i <= b->n; i++) {
    offset[0][i] = (int32_t)(i * trees);
  }
  return 0;
}

#ifndef RANK_SERVING

/* --- what it has learnt --- */

typedef struct feature {
  int column;
  double gain;
  long splits;
} feature;

static int by_gain(const void *a, const void *b)
{
  const feature *x = a, *y = b;
  return x->gain != y->gain ? (x->gain < y->gain ? 1 : -1) : x->column - y->column;
}

/* Every column's importance, the greatest gain first; NULL: no memory. */
static feature *importance_of(const rank_forest *f)
{
  size_t n = (size_t)f->features + 1;
  feature *all = calloc(n, sizeof *all);
  double *gain = calloc(n, sizeof *gain);
  long *splits = calloc(n, sizeof *splits);
  int ok = all != NULL && gain != NULL && splits != NULL;
  if (ok) {
    rank_forest_importance(f, gain, splits);
    for (int i = 0; i < f->features; i++) {
      all[i] = (feature){i, gain[i], splits[i]};
    }
    qsort(all, (size_t)f->features, sizeof *all, by_gain);
  }
  free(gain);
  free(splits);
  if (!ok) {
    free(all);
    return NULL;
  }
  return all;
}

void fit_trees_info(
  const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json)
{
  const rank_forest *f = ((const made *)s->made)->forest;
  feature *all = importance_of(f);
  char name[200];
  if (json) {
    fprintf(out, ", \"trees\": %ld, \"leaves\": %ld, \"importance\": [", f->ntrees, f->nleaves);
  } else {
    fprintf(out, "fit %s: %ld trees, %ld leaves\n", fit->name, f->ntrees, f->nleaves);
  }
  for (int i = 0; all != NULL && i < f->features; i++) {
    fit_columns_name(m, fit, all[i].column, name, sizeof name);
    if (json) {
      fprintf(out, "%s{\"feature\": ", i > 0 ? ", " : "");
      rank_json_string(out, name);
      fprintf(out, ", \"gain\": %.9g, \"splits\": %ld}", all[i].gain, all[i].splits);
    } else {
      fprintf(out, "  %s: gain %.6g, %ld splits\n", name, all[i].gain, all[i].splits);
    }
  }
  fputs(json ? "]" : "", out);
  free(all);
}

enum { MOST_ID = 1 << 24 }; /* bits of a set of categories */

/* The set of a split by numbers of categories, as a set of ids. */
static int set_of_ids(
  rank_forest *to, rank_node *n, const uint32_t *set, const fit_codes *codes, rank_error *e)
{
  int32_t most = 0;
  for (int i = 0; i < codes->n; i++) {
    most = codes->id[i] > most ? codes->id[i] : most;
  }
  if (most >= MOST_ID) {
    return rank_fail(e, "category %d is too large for LightGBM, %d is not", most, MOST_ID - 1);
  }
  uint32_t *ids = calloc((size_t)most / 32 + 1, sizeof *ids), nset = n->nwords;
  for (uint32_t i = 0; ids != NULL && i < (uint32_t)codes->n && i / 32 < nset; i++) {
    if (set[i / 32] >> i % 32 & 1) {
      ids[codes->id[i] / 32] |= 1u << codes->id[i] % 32;
    }
  }
  n->nwords = (uint32_t)most / 32 + 1;
  int failed = ids != NULL ? rank_forest_words(to, ids, n->nwords, &n->word, e)
                           : rank_fail(e, "out of memory");
  free(ids);
  return failed;
}

int fit_trees_write_lightgbm(const fit_state *s, FILE *out, rank_error *e)
{
  const made *x = s->made;
  const rank_forest *f = x->forest;
  rank_forest ids = *f; /* its trees, with sets of ids */
  ids.words = NULL;
  ids.nwords = ids.room[3] = 0;
  ids.nodes = malloc(((size_t)f->nnodes + 1) * sizeof *ids.nodes);
  int failed = ids.nodes == NULL ? rank_fail(e, "out of memory") : 0;
  for (long i = 0; i < f->nnodes && !failed; i++) {
    rank_node *n = &ids.nodes[i];
    *n = f->nodes[i];
    const uint32_t *set = f->words + n->word;
    if (n->decision & RANK_SPLIT_CATEGORY) {
      const fit_codes *codes = &x->columns.codes[n->feature];
      failed = codes->n > 0 ? set_of_ids(&ids, n, set, codes, e)
                            : rank_forest_words(&ids, set, n->nwords, &n->word, e);
    }
  }
  failed = failed || rank_forest_write_lightgbm(&ids, out, e) != 0;
  free(ids.nodes);
  free(ids.words);
  return failed ? -1 : 0;
}

#endif
