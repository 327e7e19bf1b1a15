/* fit_gbdt.c: trees = gbdt(x, y; ...): a forest by gradient boosting. What becomes of it is fit_trees.c's. */

#include "fit_trees.h"

#include <stdlib.h>

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
  SEED
};

/* --- learning --- */

#ifndef RANK_SERVING

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
  o.threads = c->threads;
  return o;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  int input = c->fit->sources[0], label = c->fit->label;
  long width = c->m->inputs[input].width;
  rank_trees_options o = options_of(c);
  rank_real *x = fit_gather(c->train, c->m, input, e);
  rank_real *y = x != NULL ? fit_gather(c->train, c->m, label, e) : NULL;
  int valid = c->valid.n > 0, failed = y == NULL;
  rank_real *vx = valid && !failed ? fit_gather(c->valid, c->m, input, e) : NULL;
  rank_real *vy = vx != NULL ? fit_gather(c->valid, c->m, label, e) : NULL;
  failed |= valid && vy == NULL;
  rank_forest *f = NULL;
  rank_trees_report r;
  if (!failed) {
    rank_matrix mx = fit_trees_matrix(x, c->train.n, width),
                my = fit_trees_matrix(y, c->train.n, 1);
    rank_matrix mvx = fit_trees_matrix(vx, c->valid.n, width),
                mvy = fit_trees_matrix(vy, c->valid.n, 1);
    f = rank_trees_fit(&o, &mx, &my, NULL, valid ? &mvx : NULL, valid ? &mvy : NULL, &r, e);
  }
  free(x);
  free(y);
  free(vx);
  free(vy);
  if (f == NULL) {
    return -1;
  }
  failed = fit_trees_save(f, s) != 0 ? rank_fail(e, "out of memory") : 0;
  if (!failed && valid) {
    rank_log_line(c->log, "fit %s: %ld trees of %d, validation loss %.6f", c->fit->name, f->ntrees,
      r.rounds, r.valid_loss);
  } else if (!failed) {
    rank_log_line(c->log, "fit %s: %ld trees", c->fit->name, f->ntrees);
  }
  rank_forest_free(f);
  return failed;
}

#endif

const rank_fit_op rank_fit_gbdt = {FIT_TREES_KEYS, FIT_LEARN(learn), fit_trees_ready,
  fit_trees_forget, fit_trees_apply, fit_trees_room, fit_trees_info, 0,
  FIT_WRITE(fit_trees_write_lightgbm)};
