/* Gradient boosting: a tree at a time on the gradients of the loss, its values added to every row's score,
 * and a halt when a validation set sees nothing better any more. */

#include "trees.h"

#include "rank_random.h"

#include <math.h>
#include <string.h>
#include <time.h>

void rank_trees_defaults(rank_trees_options *o)
{
  *o = (rank_trees_options){.rounds = 100,
    .leaves = 31,
    .bins = 255,
    .rate = 0.1,
    .min_hessian = 1e-3,
    .min_data = 20,
    .feature_fraction = 1,
    .bagging_fraction = 1,
    .seed = 1,
    .cat_l2 = 10,
    .cat_smooth = 10,
    .max_cat_threshold = 32,
    .max_cat_to_onehot = 4,
    .min_data_per_group = 100,
    .min_data_in_bin = 3,
    .bin_sample = 200000};
}

typedef struct boosting {
  const rank_trees_options *o;
  const rank_trees_rows *rows;
  long n, nvalid;
  trees_loss loss, valid_loss;
  trees_grower *grower;
  double *score, *valid_score;
  float *pairs;
  int64_t *gradient;
  uint32_t *out; /* rows outside the bag */
  long bag;      /* rows inside it */
  unsigned char *used;
  int threads;
} boosting;

static double seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int prepare(boosting *b, rank_error *e)
{
  const rank_trees_rows *r = b->rows;
  size_t rows = (size_t)b->n + 1;
  trees_loss_begin(&b->loss, b->o->objective, b->n, r->y[0], r->weight, b->threads);
  trees_loss_begin(&b->valid_loss, b->o->objective, b->nvalid, r->y[1], NULL, b->threads);
  b->grower = trees_grower_new(b->o, &r->map, &r->data[0], b->threads, e);
  b->score = malloc(sizeof *b->score * rows);
  b->valid_score = malloc(sizeof *b->score * ((size_t)b->nvalid + 1));
  b->pairs = malloc(2 * sizeof *b->pairs * rows);
  b->gradient = malloc(sizeof *b->gradient * rows);
  b->out = malloc(sizeof *b->out * rows);
  b->used = malloc((size_t)r->map.columns + 1);
  if (!b->grower || !b->score || !b->valid_score || !b->pairs || !b->gradient || !b->out ||
      !b->used) {
    return rank_fail(e, "out of memory");
  }
  for (long i = 0; i < b->n; i++) {
    b->score[i] = b->loss.init;
  }
  for (long i = 0; i < b->nvalid; i++) {
    b->valid_score[i] = b->loss.init;
  }
  return 0;
}

static void finish(boosting *b)
{
  trees_grower_free(b->grower);
  free(b->score);
  free(b->valid_score);
  free(b->pairs);
  free(b->gradient);
  free(b->out);
  free(b->used);
}

/* The grower's rows: all, or a bag that changes every bagging_freq rounds. */
static void choose_rows(boosting *b, int round)
{
  const rank_trees_options *o = b->o;
  uint32_t *rows = trees_grower_rows(b->grower);
  long in = 0, out = 0;
  if (o->bagging_freq == 0 || o->bagging_fraction >= 1) {
#pragma omp parallel for num_threads(b->threads) schedule(static) if (b->n > 32768)
    for (long i = 0; i < b->n; i++) {
      rows[i] = (uint32_t)i;
    }
    b->bag = b->n;
    return;
  }
  uint64_t key = rank_random_key(o->seed, (uint64_t)(round / o->bagging_freq), 2);
  for (long i = 0; i < b->n; i++) {
    if (rank_random_at(key, (uint64_t)i, 0) < o->bagging_fraction) {
      rows[in++] = (uint32_t)i;
    } else {
      b->out[out++] = (uint32_t)i;
    }
  }
  b->bag = in;
}

/* As many columns as the fraction says, drawn anew for each tree. */
static void choose_columns(boosting *b, int round)
{
  int n = b->rows->map.columns, left = (int)((double)n * b->o->feature_fraction + 0.5);
  left = left < 1 ? 1 : left;
  uint64_t key = rank_random_key(b->o->seed, (uint64_t)round, 3);
  for (int c = 0; c < n; c++) {
    b->used[c] = rank_random_at(key, (uint64_t)c, 0) * (n - c) < left;
    left -= b->used[c];
  }
}

static void add_scores(boosting *b)
{
  int n;
  const trees_grown *leaves = trees_grower_leaves(b->grower, &n);
  const uint32_t *rows = trees_grower_rows(b->grower);
#pragma omp parallel for num_threads(b->threads) schedule(dynamic, 1)
  for (int i = 0; i < n; i++) {
    for (long r = 0; r < leaves[i].count; r++) {
      b->score[rows[leaves[i].first + r]] += leaves[i].value;
    }
  }
  long out = b->n - b->bag;
  if (out > 0) {
    trees_grower_apply(b->grower, &b->rows->data[0], b->out, out, b->score, b->threads);
  }
  if (b->nvalid > 0) {
    trees_grower_apply(b->grower, &b->rows->data[1], NULL, b->nvalid, b->valid_score, b->threads);
  }
}

/* The first tree carries the score that boosting starts from. */
static void add_init(rank_forest *f, double init)
{
  rank_tree *t = f->trees;
  for (int i = 0; i < t->leaves; i++) {
    f->leaves[t->leaf + i].value += init;
  }
  for (int i = 0; i < t->leaves - 1; i++) {
    f->nodes[t->node + i].value += init;
  }
}

/* One round; 1: no leaf can be split any more. */
static int boost(boosting *b, rank_forest *f, int round, rank_error *e)
{
  double g_scale, h_scale;
  choose_rows(b, round);
  choose_columns(b, round);
  trees_loss_gradient(&b->loss, b->score, b->pairs, b->gradient, &g_scale, &h_scale);
  if (trees_grow(b->grower, f, b->bag, b->gradient, g_scale, h_scale, b->used, e) != 0) {
    return -1;
  }
  if (f->trees[f->ntrees - 1].leaves == 1 && b->o->bagging_freq == 0 &&
      b->o->feature_fraction >= 1) {
    if (round > 0) { /* a tree of one leaf says nothing, but a forest needs one */
      f->ntrees--;
      f->nleaves--;
    }
    return 1;
  }
  add_scores(b);
  return 0;
}

static int boost_all(boosting *b, rank_forest *f, rank_trees_report *r, rank_error *e)
{
  double best = (double)INFINITY;
  int status = 0, stopped = 0;
  for (int round = 0; round < b->o->rounds && status == 0 && !stopped; round++) {
    status = boost(b, f, round, e);
    if (status != 0) {
      break;
    }
    r->rounds = round + 1;
    double loss = b->nvalid > 0 ? trees_loss_mean(&b->valid_loss, b->valid_score) : (double)NAN;
    if (b->nvalid == 0 || b->o->early_stopping == 0 || loss < best) {
      best = loss;
      r->best_round = round + 1;
      r->valid_loss = loss;
    }
    stopped = b->o->early_stopping > 0 && round + 1 - r->best_round >= b->o->early_stopping;
    stopped |= b->o->progress && b->o->progress(b->o->progress_arg, round, loss) != 0;
  }
  if (status < 0) {
    return -1;
  }
  add_init(f, b->loss.init);
  if (r->best_round > 0 && r->best_round < f->ntrees) {
    f->ntrees = r->best_round;
    f->nnodes = f->trees[f->ntrees].node;
    f->nleaves = f->trees[f->ntrees].leaf;
  }
  return 0;
}

static int describe(rank_forest *f, const boosting *b)
{
  f->objective = b->o->objective;
  for (int i = 0; i < f->features; i++) {
    free(f->infos[i]);
    f->infos[i] = trees_bins_info(b->rows->all + i);
    if (b->o->names) {
      free(f->names[i]);
      f->names[i] = strdup(b->o->names[i]);
    }
    if (!f->infos[i] || !f->names[i]) {
      return -1;
    }
  }
  return 0;
}

rank_forest *rank_trees_fit_rows(rank_trees_rows *rows, rank_trees_report *report, rank_error *e)
{
  const rank_trees_options *o = rows->o;
  boosting b = {.o = o, .rows = rows, .threads = trees_threads(o->threads)};
  rank_trees_report r = {.valid_loss = (double)NAN};
  double start = seconds();
  b.n = rows->data[0].rows;
  b.nvalid = rows->data[1].rows;
  if (rows->filled[0] != b.n || rows->filled[1] != b.nvalid) {
    rank_fail(e, "rows are missing");
    return NULL;
  }
  rank_forest *f = prepare(&b, e) == 0 ? rank_forest_new(rows->features, e) : NULL;
  if (f && (boost_all(&b, f, &r, e) != 0 || describe(f, &b) != 0)) {
    rank_forest_free(f);
    f = NULL;
  }
  r.seconds_fit = seconds() - start;
  finish(&b);
  if (report) {
    *report = r;
  }
  return f;
}

rank_forest *rank_trees_fit(const rank_trees_options *o, const rank_matrix *x, const rank_matrix *y,
  const rank_matrix *weight, const rank_matrix *valid_x, const rank_matrix *valid_y,
  rank_trees_report *report, rank_error *e)
{
  long n;
  double start = seconds();
  if (y->rows != x->rows || (weight && weight->rows != x->rows) || !valid_x != !valid_y ||
      (valid_x && (valid_x->columns != x->columns || valid_x->rows != valid_y->rows))) {
    rank_fail(e, "trees need as many labels and weights as rows, and validation rows as wide");
    return NULL;
  }
  long *sample = rank_trees_sample(o, x->rows, &n);
  rank_trees_rows *r =
    sample ? trees_rows_new(o, x, sample, n, x->rows, valid_x ? valid_x->rows : 0, e) : NULL;
  int failed = r == NULL || rank_trees_rows_add(r, 0, x, y, weight, e) != 0 ||
               (valid_x && rank_trees_rows_add(r, 1, valid_x, valid_y, NULL, e) != 0);
  double binned = seconds() - start;
  rank_forest *f = failed ? NULL : rank_trees_fit_rows(r, report, e);
  if (report) {
    report->seconds_bin = binned;
  }
  rank_trees_rows_free(r);
  free(sample);
  return f;
}
