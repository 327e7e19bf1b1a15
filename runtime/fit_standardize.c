/* fit_standardize.c: z = standardize(x): minus the mean, divided by the standard deviation (over n, not
 * n - 1; a constant column is divided by 1), as scikit-learn's StandardScaler has it. */

#include "fit.h"

#include <math.h>
#include <stdlib.h>

#ifndef RANK_SERVING
/* Column by column in two passes: the mean, then squares about it. */
static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  int input = c->fit->sources[0];
  long width = c->m->inputs[input].width;
  rank_real *x = fit_gather(c->train, c->m, input, e);
  double *mean = x != NULL ? fit_add(s, "mean", 1, width) : NULL;
  double *sd = mean != NULL ? fit_add(s, "sd", 1, width) : NULL;
  if (sd == NULL) {
    free(x);
    return x != NULL ? rank_fail(e, "out of memory") : -1;
  }
  double n = (double)c->train.n;
  for (long i = 0; i < c->train.n; i++) {
    for (long k = 0; k < width; k++) {
      mean[k] += (double)x[i * width + k];
    }
  }
  for (long k = 0; k < width; k++) {
    mean[k] /= n;
  }
  for (long i = 0; i < c->train.n; i++) {
    for (long k = 0; k < width; k++) {
      double off = (double)x[i * width + k] - mean[k];
      sd[k] += off * off;
    }
  }
  for (long k = 0; k < width; k++) {
    double least = 1e-12 * fabs(mean[k]); /* what is left of a constant column by rounding */
    sd[k] = sqrt(sd[k] / n);
    sd[k] = sd[k] > least ? sd[k] : 1;
  }
  free(x);
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
  {"mean", "sd"}, FIT_LEARN(learn), ready, NULL, apply, NULL, NULL, 0, NULL};
