/* fit_gbdt.c: trees = gbdt(x, ..., y; ...): a forest by gradient boosting. What becomes of it is fit_trees.c's.
 *
 * One idea: the data is read three times in pieces (which categories there are, where bins end, which bin
 * every number is in) and is held as bins only. */

#include "fit_columns.h"
#include "fit_trees.h"

#include <stdlib.h>
#include <string.h>

/* The op's settings, in the compiler's order. */
enum {
  ROUNDS,
  LEAVES,
  RATE,
  MIN_DATA,
  MIN_HESSIAN,
  LAMBDA_L1,
  LAMBDA_L2,
  FEATURE_FRACTION,
  BAGGING_FRACTION,
  BAGGING_FREQ,
  MAX_BIN,
  EARLY_STOPPING,
  OBJECTIVE,
  SEED,
  MAX_DEPTH,
  MIN_GAIN,
  MIN_DATA_IN_BIN,
  CAT_SMOOTH,
  CAT_L2,
  MAX_CAT_THRESHOLD,
  MAX_CAT_TO_ONEHOT,
  MIN_DATA_PER_GROUP
};

/* --- learning --- */

#ifndef RANK_SERVING

enum { PIECE = FIT_PIECE };

static rank_trees_options options_of(const fit_call *c)
{
  const double *x = c->fit->settings;
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.objective = x[OBJECTIVE] > 0 ? RANK_TREES_SQUARED : RANK_TREES_BINARY;
  o.rounds = (int)x[ROUNDS];
  o.leaves = (int)x[LEAVES];
  o.rate = x[RATE];
  o.min_data = (long)x[MIN_DATA];
  o.min_hessian = x[MIN_HESSIAN];
  o.lambda_l1 = x[LAMBDA_L1];
  o.lambda_l2 = x[LAMBDA_L2];
  o.feature_fraction = x[FEATURE_FRACTION];
  o.bagging_fraction = x[BAGGING_FRACTION];
  o.bagging_freq = (int)x[BAGGING_FREQ];
  o.bins = (int)x[MAX_BIN];
  o.early_stopping = c->valid.n > 0 ? (int)x[EARLY_STOPPING] : 0;
  o.seed = (uint64_t)x[SEED];
  o.depth = (int)x[MAX_DEPTH];
  o.min_gain = x[MIN_GAIN];
  o.min_data_in_bin = (long)x[MIN_DATA_IN_BIN];
  o.cat_smooth = x[CAT_SMOOTH];
  o.cat_l2 = x[CAT_L2];
  o.max_cat_threshold = (int)x[MAX_CAT_THRESHOLD];
  o.max_cat_to_onehot = (int)x[MAX_CAT_TO_ONEHOT];
  o.min_data_per_group = (long)x[MIN_DATA_PER_GROUP];
  o.threads = c->threads;
  return o;
}

/* The sampled rows' columns, [n][columns], malloc'd. */
static rank_real *gather_sample(const fit_call *c, const fit_columns *columns, const long *sample,
  long n, rank_batcher *b, rank_error *e)
{
  size_t width = (size_t)columns->n;
  rank_real *x = malloc(((size_t)n * width + 1) * sizeof *x);
  uint32_t rows[PIECE];
  int failed = x == NULL;
  for (long at = 0; at < n && !failed; at += PIECE) {
    long some = n - at < PIECE ? n - at : PIECE;
    for (long i = 0; i < some; i++) {
      rows[i] = (uint32_t)(c->train.first + sample[at + i]);
    }
    const rank_batch *batch = rank_batch_rows(b, rows, some);
    rank_real *to = x + (size_t)at * width;
    failed = batch == NULL;
    if (!failed) {
      const rank_real *from = fit_columns_rows(columns, batch, 0, some, to);
      if (from != to) {
        memcpy(to, from, (size_t)some * width * sizeof *to);
      }
    }
  }
  if (failed) {
    free(x);
    rank_fail(e, "out of memory: %ld rows of %zu numbers", n, width);
    return NULL;
  }
  return x;
}

typedef struct adding {
  const fit_call *c;
  const fit_columns *columns;
  rank_trees_rows *to;
  int valid;
  rank_real *room;
  rank_error *e;
} adding;

static int add_batch(void *arg, const rank_batch *b)
{
  const adding *a = arg;
  rank_matrix x =
    fit_trees_matrix(fit_columns_rows(a->columns, b, 0, b->n, a->room), b->n, a->columns->n);
  rank_matrix y = fit_trees_matrix(b->input[a->c->fit->label], b->n, 1);
  return rank_trees_rows_add(a->to, a->valid, &x, &y, NULL, a->e);
}

static int add_rows(
  const fit_call *c, const fit_columns *columns, rank_trees_rows *to, int valid, rank_error *e)
{
  rank_real *room = malloc(fit_columns_room(c->m, c->fit, PIECE) + 1);
  adding a = {c, columns, to, valid, room, e};
  int failed = room == NULL ? rank_fail(e, "out of memory")
                            : fit_each(valid ? c->valid : c->train, add_batch, &a, e);
  free(room);
  return failed;
}

/* All rows as bins; NULL on error. */
static rank_trees_rows *bin_rows(
  const fit_call *c, fit_columns *columns, const rank_trees_options *o, rank_error *e)
{
  long n = 0;
  long *sample = rank_trees_sample(o, c->train.n, &n);
  rank_batcher *b = rank_batcher_new(c->train.data, PIECE);
  rank_trees_rows *rows = NULL;
  if (sample == NULL || b == NULL) {
    rank_fail(e, "out of memory");
  } else if (fit_columns_learn(columns, c->train, sample, n, o->bins - 1, e) == 0) {
    rank_real *x = gather_sample(c, columns, sample, n, b, e);
    rank_matrix mx = fit_trees_matrix(x, n, columns->n);
    rows = x != NULL ? rank_trees_rows_new(o, &mx, c->train.n, c->valid.n, e) : NULL;
    free(x);
  }
  free(sample);
  rank_batcher_free(b);
  if (rows != NULL && (add_rows(c, columns, rows, 0, e) != 0 ||
                        (c->valid.n > 0 && add_rows(c, columns, rows, 1, e) != 0))) {
    rank_trees_rows_free(rows);
    return NULL;
  }
  return rows;
}

static void tell(const fit_call *c, const rank_forest *f, const rank_trees_report *r)
{
  const char *name = c->fit->name;
  if (f->nnodes == 0) {
    rank_log_line(c->log,
      "fit %s: no split gains anything with %ld rows and min_data_in_leaf = %g; all rows fall into "
      "one leaf",
      name, c->train.n, c->fit->settings[MIN_DATA]);
  } else if (c->valid.n > 0) {
    rank_log_line(c->log, "fit %s: %ld trees of %d, validation loss %.6f", name, f->ntrees,
      r->rounds, r->valid_loss);
  } else {
    rank_log_line(c->log, "fit %s: %ld trees", name, f->ntrees);
  }
}

static int learn_columns(const fit_call *c, fit_columns *columns, fit_state *s, rank_error *e)
{
  rank_trees_options o = options_of(c);
  o.categorical = columns->category;
  rank_trees_rows *rows = bin_rows(c, columns, &o, e);
  rank_trees_report r;
  rank_forest *f = rows != NULL ? rank_trees_fit_rows(rows, &r, e) : NULL;
  rank_trees_rows_free(rows);
  if (f == NULL) {
    return -1;
  }
  int failed = fit_columns_save(columns, s) != 0 || fit_trees_save(f, s) != 0
                 ? rank_fail(e, "out of memory")
                 : 0;
  if (!failed) {
    tell(c, f, &r);
  }
  rank_forest_free(f);
  return failed;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  fit_columns columns;
  int failed = fit_columns_open(&columns, c->m, c->fit) != 0 ? rank_fail(e, "out of memory")
                                                             : learn_columns(c, &columns, s, e);
  fit_columns_close(&columns);
  return failed;
}

#endif

const rank_fit_op rank_fit_gbdt = {FIT_TREES_OP, .learn = FIT_LEARN(learn)};
