/* fit_standardize.c: z = standardize(x): minus the mean, divided by the standard deviation (over n, not
 * n - 1; a constant column is divided by 1), as scikit-learn's StandardScaler has it. */

#include "fit.h"

#include <math.h>

#ifndef RANK_SERVING
typedef struct moments {
  int input;
  long width;
  double *mean, *sd;
} moments;

static int add_values(void *arg, const rank_batch *b)
{
  const moments *s = arg;
  const rank_real *x = b->input[s->input];
  for (long i = 0; i < b->n; i++) {
    for (long k = 0; k < s->width; k++) {
      s->mean[k] += (double)x[i * s->width + k];
    }
  }
  return 0;
}

static int add_squares(void *arg, const rank_batch *b)
{
  const moments *s = arg;
  const rank_real *x = b->input[s->input];
  for (long i = 0; i < b->n; i++) {
    for (long k = 0; k < s->width; k++) {
      double off = (double)x[i * s->width + k] - s->mean[k];
      s->sd[k] += off * off;
    }
  }
  return 0;
}

/* Two passes: the mean, then squares about it. */
static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  moments to = {.input = c->fit->sources[0], .width = c->m->inputs[c->fit->sources[0]].width};
  to.mean = fit_add(s, "mean", 1, to.width);
  to.sd = to.mean != NULL ? fit_add(s, "sd", 1, to.width) : NULL;
  if (to.sd == NULL) {
    return rank_fail(e, "out of memory");
  }
  if (fit_each(c->train, add_values, &to, e) != 0) {
    return -1;
  }
  for (long k = 0; k < to.width; k++) {
    to.mean[k] /= (double)c->train.n;
  }
  if (fit_each(c->train, add_squares, &to, e) != 0) {
    return -1;
  }
  for (long k = 0; k < to.width; k++) {
    double least = 1e-12 * fabs(to.mean[k]); /* what is left of a constant column by rounding */
    to.sd[k] = sqrt(to.sd[k] / (double)c->train.n);
    to.sd[k] = to.sd[k] > least ? to.sd[k] : 1;
  }
  return 0;
}

#endif

static int ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  long width = m->inputs[fit->sources[0]].width;
  const fit_tensor *mean = fit_find(s, "mean"), *sd = fit_find(s, "sd");
  if (mean->rows != 1 || sd->rows != 1 || mean->columns != width || sd->columns != width) {
    return rank_fail(e, "wanted %ld means and deviations", width);
  }
  for (long k = 0; k < width; k++) {
    if (!isfinite(mean->at[k]) || !isfinite(sd->at[k]) || !(sd->at[k] > 0)) {
      return rank_fail(e, "column %ld has mean %g and deviation %g", k, mean->at[k], sd->at[k]);
    }
  }
  return 0;
}

static int apply(const rank_model *m, const rank_fit *fit, const fit_state *s, const rank_batch *b,
  void *const *out, int32_t *const *offset, void *room)
{
  long width = m->inputs[fit->sources[0]].width;
  const rank_real *x = b->input[fit->sources[0]];
  const double *mean = fit_find(s, "mean")->at, *sd = fit_find(s, "sd")->at;
  rank_real *z = out[0];
  (void)offset;
  (void)room;
  for (long i = 0; i < b->n; i++) {
    for (long k = 0; k < width; k++) {
      z[i * width + k] = (rank_real)(((double)x[i * width + k] - mean[k]) / sd[k]);
    }
  }
  return 0;
}

const rank_fit_op rank_fit_standardize = {
  .keys = {"mean", "sd"}, .learn = FIT_LEARN(learn), .ready = ready, .apply = apply};
