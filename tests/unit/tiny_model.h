#ifndef TINY_MODEL_H
#define TINY_MODEL_H

/* A rank_model written by hand, as small as one can be that has a table, a list, numbers and optimizer
 * state: logistic regression with momentum. logit = b + w . x + emb[item] + sum of emb[hist]. */

#include "rank_model.h"

#include <math.h>
#include <string.h>

enum { TINY_ITEMS = 24, TINY_X = 3, TINY_L = 4 };

static int tiny_nan_at = -1;      /* the step whose loss is made NaN */
static int tiny_stop_at = -1;     /* the step during which a signal arrives: */
static volatile int tiny_stopped; /* its number */

static inline double tiny_logit(const rank_state *s, const rank_batch *b, long i)
{
  const int32_t *item = b->input[0], *hist = b->input[1], *offset = b->offset[0];
  const rank_real *x = b->input[2];
  double z = (double)s->param[2][0] + (double)s->param[0][item[i]];
  for (long k = 0; k < TINY_X; k++) {
    z += (double)s->param[1][k] * (double)x[i * TINY_X + k];
  }
  for (long k = offset[i]; k < offset[i + 1]; k++) {
    z += (double)s->param[0][hist[k]];
  }
  return z;
}

static inline double tiny_loss(double z, double y)
{
  return (z > 0 ? z : 0) - z * y + log1p(exp(-fabs(z)));
}

static size_t tiny_workspace(const rank_state *s, const rank_batch *b, int threads, int training)
{
  (void)s;
  (void)threads;
  (void)training;
  return sizeof(double) * (TINY_ITEMS + TINY_X + 1) + (size_t)b->n;
}

static rank_status tiny_evaluate(const rank_state *s, const rank_batch *b, rank_real *const *out,
  double *loss, void *work, int threads)
{
  (void)work;
  (void)threads;
  *loss = 0;
  for (long i = 0; i < b->n; i++) {
    double z = tiny_logit(s, b, i);
    if (out[0] != NULL) {
      out[0][i] = (rank_real)(1 / (1 + exp(-z)));
    }
    if (out[1] != NULL && b->input[3] != NULL) {
      out[1][i] = ((const rank_real *)b->input[3])[i];
    }
    *loss += b->input[3] != NULL
               ? tiny_loss(z, (double)((const rank_real *)b->input[3])[i]) / (double)b->n
               : 0;
  }
  return RANK_OK;
}

static rank_status tiny_predict(
  const rank_state *s, const rank_batch *b, rank_real *const *out, void *work, int threads)
{
  double loss;
  return tiny_evaluate(s, b, out, &loss, work, threads);
}

static void tiny_gradient(const rank_state *s, const rank_batch *b, double *g, double *loss)
{
  const int32_t *item = b->input[0], *hist = b->input[1], *offset = b->offset[0];
  const rank_real *x = b->input[2], *y = b->input[3];
  memset(g, 0, sizeof(double) * (TINY_ITEMS + TINY_X + 1));
  *loss = 0;
  for (long i = 0; i < b->n; i++) {
    double z = tiny_logit(s, b, i);
    double d = (1 / (1 + exp(-z)) - (double)y[i]) / (double)b->n;
    *loss += tiny_loss(z, (double)y[i]) / (double)b->n;
    g[item[i]] += d;
    for (long k = offset[i]; k < offset[i + 1]; k++) {
      g[hist[k]] += d;
    }
    for (long k = 0; k < TINY_X; k++) {
      g[TINY_ITEMS + k] += d * (double)x[i * TINY_X + k];
    }
    g[TINY_ITEMS + TINY_X] += d;
  }
}

static rank_status tiny_train(
  rank_state *s, const rank_batch *b, const rank_step *step, double *loss, void *work)
{
  static const int count[3] = {TINY_ITEMS, TINY_X, 1};
  double *g = work;
  tiny_gradient(s, b, g, loss);
  for (int p = 0; p < 3; g += count[p++]) {
    for (int k = 0; k < count[p]; k++) {
      if (step->grad != NULL) {
        step->grad[p][k] = (rank_real)g[k];
      }
      if (step->update) {
        s->state[p][0][k] = (rank_real)(0.9 * (double)s->state[p][0][k] + g[k]);
        s->param[p][k] = (rank_real)((double)s->param[p][k] - step->lr * (double)s->state[p][0][k]);
      }
    }
  }
  if (step->update && tiny_nan_at >= 0 && s->step == (uint64_t)tiny_nan_at) {
    *loss = (double)NAN;
  }
  if (step->update && tiny_stop_at >= 0 && s->step == (uint64_t)tiny_stop_at) {
    tiny_stopped = 2;
  }
  s->step += (uint64_t)step->update;
  return RANK_OK;
}

static const long tiny_vocab[] = {TINY_ITEMS};
static const char *const tiny_names[][3] = {{"item"}, {"hist"}, {"x1", "x2", "x3"}, {"click"}};
static const rank_dim tiny_dims[] = {{"L", TINY_L}};
static const rank_input tiny_inputs[] = {
  {"item", 1, 0, -1, 1, 1, tiny_vocab, -1,
    {.source = RANK_FROM_NAMES, .ncolumns = 1, .columns = tiny_names[0], .separator = ""}},
  {"hist", 1, 0, 0, 1, 1, tiny_vocab, 0,
    {.source = RANK_FROM_NAMES, .ncolumns = 1, .columns = tiny_names[1], .separator = " "}},
  {"x", 0, 0, -1, TINY_X, 0, NULL, -1,
    {.source = RANK_FROM_NAMES,
      .ncolumns = 3,
      .columns = tiny_names[2],
      .separator = "",
      .standardize = 1}},
  {"click", 0, 1, -1, 1, 0, NULL, -1,
    {.source = RANK_FROM_NAMES, .ncolumns = 1, .columns = tiny_names[3], .separator = ""}}};
static const rank_param tiny_params[] = {
  {"emb", 1, TINY_ITEMS, -1, 1, 1, {TINY_ITEMS}, RANK_NORMAL, 0, 0.1, 0, 0},
  {"w", 0, 1, -1, TINY_X, 1, {TINY_X}, RANK_UNIFORM, -0.5, 0.5, 0, 0},
  {"b", 0, 1, -1, 1, 0, {0}, RANK_ZEROS, 0, 0, 0, 0}};
static const rank_output tiny_outputs[] = {
  {"ctr", 0, 1, 0, {0}, 0, NULL}, {"click", 1, 1, 0, {0}, 0, NULL}};
static const rank_metric tiny_metrics[] = {
  {"auc", "auc(ctr, click)", 2, {0, 1, 0, 0}, -1, 0, NULL, 0, 0, 0},
  {"gauc", "gauc(ctr, click; by = item)", 2, {0, 1, 0, 0}, 0, 0, NULL, 0, 0, 0}};
static const char *const tiny_states[] = {"m"};
static const double tiny_state_init[] = {0};

static const rank_model tiny_model = {.name = "tiny",
  .doc = "logistic regression by hand",
  .rankc = "0",
  .layout = 0x1234,
  .ndims = 1,
  .ninputs = 4,
  .nparams = 3,
  .noutputs = 2,
  .nmetrics = 2,
  .nstates = 1,
  .dims = tiny_dims,
  .inputs = tiny_inputs,
  .params = tiny_params,
  .outputs = tiny_outputs,
  .metrics = tiny_metrics,
  .state_names = tiny_states,
  .state_init = tiny_state_init,
  .optimizer = "sgd(momentum = 0.9)",
  .header = 1,
  .separator = ',',
  .lr = 0.5,
  .batch = 64,
  .epochs = 3,
  .seed = 7,
  .workspace = tiny_workspace,
  .predict = tiny_predict,
  .evaluate = tiny_evaluate,
  .train = tiny_train};

#endif
