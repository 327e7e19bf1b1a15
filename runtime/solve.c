/* solve.c: training by a solver: passes over all the training data, until the gradient is nothing.
 *
 * One idea: generated code gives the gradient of a batch and makes no step. Batches are taken in the order of
 * the file and their gradients are added in double precision, so the function that the solver sees is the
 * same in every pass, with any number of threads. */

#include "lbfgs.h"
#include "rank_runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CHECKPOINT_EVERY = 60; /* seconds, at ends of iterations */

static const char *const pair_names[] = {"lbfgs.s", "lbfgs.y"};

typedef struct solving {
  rank_training *t;
  rank_batcher *batcher;
  rank_work work;
  rank_lbfgs l;
  rank_real **grad; /* per param, of a batch */
  double saved;
  int ended; /* nothing is left to do: what it remembers is not saved */
} solving;

/* --- the function: the mean loss, and l2 / 2 times the sum of squares --- */

static void set_weights(solving *s, const double *w)
{
  const rank_training *t = s->t;
  for (int p = 0; p < t->m->nparams; p++) {
    long n = (long)rank_param_count(t->m, t->s, p);
    rank_real *to = t->s->param[p];
    for (long i = 0; i < n; i++) {
      to[i] = (rank_real)w[i];
    }
    w += n;
  }
}

/* g += share * the batch's gradient. */
static int add_batch(solving *s, long first, double *f, double *g, rank_error *e)
{
  const rank_training *t = s->t;
  long n = t->train.n - first < t->batch ? t->train.n - first : t->batch;
  const rank_batch *b = rank_batch_range(s->batcher, t->train.first + first, n);
  if (b == NULL) {
    return rank_fail(e, "out of memory: a batch of %ld rows", n);
  }
  if (rank_work_need(&s->work, t->m->workspace(t->s, b, t->threads, 1), e) != 0) {
    return -1;
  }
  for (int p = 0; p < t->m->nparams; p++) {
    memset(s->grad[p], 0, rank_param_count(t->m, t->s, p) * sizeof(rank_real));
  }
  rank_step step = {.lr = t->lr, .steps = 1, .grad = s->grad, .threads = t->threads};
  double loss = 0, share = (double)n / (double)t->train.n;
  rank_status status = t->m->train(t->s, b, &step, &loss, s->work.data);
  if (status != RANK_OK) {
    rank_explain_batch(t->m, t->s, b, status, e);
    return -1;
  }
  *f += share * loss;
  for (int p = 0; p < t->m->nparams; p++) {
    long count = (long)rank_param_count(t->m, t->s, p);
    const rank_real *from = s->grad[p];
#pragma omp parallel for simd num_threads(t->threads) schedule(static) if (count > 100000)
    for (long i = 0; i < count; i++) {
      g[i] += share * (double)from[i];
    }
    g += count;
  }
  return 0;
}

static void add_penalty(solving *s, const double *w, double *f, double *g)
{
  const rank_training *t = s->t;
  double squares = 0;
  for (int p = 0; p < t->m->nparams; p++) {
    long n = (long)rank_param_count(t->m, t->s, p);
    for (long i = 0; i < n && !t->m->params[p].free; i++) {
      squares += w[i] * w[i];
      g[i] += t->m->l2 * w[i];
    }
    w += n;
    g += n;
  }
  *f += t->m->l2 / 2 * squares;
}

static int objective(void *arg, const double *w, double *f, double *g, rank_error *e)
{
  solving *s = arg;
  const rank_training *t = s->t;
  set_weights(s, w);
  *f = 0;
  memset(g, 0, sizeof *g * (size_t)s->l.n);
  for (long first = 0; first < t->train.n; first += t->batch) {
    if (*t->stop != 0) {
      return 1;
    }
    if (add_batch(s, first, f, g, e) != 0) {
      return -1;
    }
    char text[80];
    snprintf(text, sizeof text, "iteration %ld  pass %ld", t->at.epoch + 1, s->l.calls);
    rank_log_progress(t->log, (double)first / (double)t->train.n, text);
  }
  add_penalty(s, w, f, g);
  return 0;
}

/* --- saving and saying --- */

static int save(solving *s, rank_error *e)
{
  rank_training *t = s->t;
  set_weights(s, s->l.w);
  s->saved = rank_now();
  if (t->save == NULL) {
    return 0;
  }
  int bad = rank_state_bad(t->s, t->m);
  if (bad >= 0) {
    return rank_fail(e, "parameter %s is not finite after iteration %ld; nothing was saved",
      t->m->params[bad].name, t->at.epoch);
  }
  st_entry pairs[2];
  for (int i = 0; i < 2; i++) {
    pairs[i] = (st_entry){.name = pair_names[i],
      .dtype = ST_F64,
      .nshape = 2,
      .shape = {s->l.pairs, s->l.n},
      .data = i == 0 ? s->l.s : s->l.y};
  }
  int n = s->ended || s->l.pairs == 0 ? 0 : 2;
  return rank_weights_save_with(t->save, t->m, t->s, NULL, t->enc, &t->at, pairs, n, e);
}

/* What the solver remembered, when the file has it. */
static int read_pairs(solving *s, const rank_weights *w, rank_error *e)
{
  long n = 0;
  for (int i = 0; i < 2 && st_find(&w->file, pair_names[0]) != NULL; i++) {
    const st_tensor *t = st_find(&w->file, pair_names[i]);
    if (t == NULL || t->dtype != ST_F64 || t->nshape != 2 || t->shape[0] < 1 ||
        t->shape[0] > s->l.memory || t->shape[1] != s->l.n || (i == 1 && t->shape[0] != n)) {
      return rank_fail(e, "%s: tensor %s is not F64 [%d at most, %ld]", w->file.path, pair_names[i],
        s->l.memory, s->l.n);
    }
    n = (long)t->shape[0];
    if (st_read_doubles(&w->file, t, i == 0 ? s->l.s : s->l.y, e) != 0) {
      return -1;
    }
  }
  s->l.pairs = (int)n;
  return 0;
}

static void show_iteration(const solving *s)
{
  const rank_training *t = s->t;
  double gradient = rank_lbfgs_gradient(&s->l);
  rank_log_line(t->log, "iteration %ld  objective %.9g  gradient %.2e  step %.3g  %ld passes",
    t->at.epoch, s->l.f, gradient, s->l.step, s->l.calls);
  FILE *json = t->log->json;
  if (json != NULL) {
    fprintf(json, "{\"event\": \"iteration\", \"iteration\": %ld, \"objective\": ", t->at.epoch);
    rank_json_number(json, s->l.f);
    fputs(", \"gradient\": ", json);
    rank_json_number(json, gradient);
    fprintf(json, ", \"step\": %.6g, \"passes\": %ld}\n", s->l.step, s->l.calls);
  }
}

static int show_validation(const solving *s, rank_error *e)
{
  const rank_training *t = s->t;
  rank_scores scores = {0};
  if (t->valid.n == 0) {
    return 0;
  }
  int result = rank_evaluate(t->m, t->s, t->valid, t->batch, t->threads, t->stop, &scores, e);
  if (result == 0) {
    rank_plot_scores(t->plot, (double)t->at.epoch, &scores);
    rank_log_line(t->log, "valid loss %.5f", scores.loss);
    for (int i = 0; i < scores.n; i++) {
      rank_log_line(t->log, "valid %s %.5f", scores.score[i].name, scores.score[i].value);
    }
    rank_scores_free(&scores);
  }
  return result < 0 ? -1 : 0;
}

/* --- the loop --- */

static int start(solving *s, const rank_weights *weights, rank_error *e)
{
  rank_training *t = s->t;
  long n = 0;
  s->grad = calloc((size_t)t->m->nparams + 1, sizeof *s->grad);
  s->batcher = rank_batcher_new(t->train.data, t->batch);
  int failed = s->grad == NULL || s->batcher == NULL;
  for (int p = 0; p < t->m->nparams && !failed; p++) {
    size_t count = rank_param_count(t->m, t->s, p);
    n += (long)count;
    failed = (s->grad[p] = calloc(count + 16, sizeof(rank_real))) == NULL;
  }
  if (failed) {
    return rank_fail(e, "out of memory");
  }
  if (rank_lbfgs_new(&s->l, n, t->m->memory, t->threads, e) != 0) {
    return -1;
  }
  s->l.noise = sizeof(rank_real) == 8 ? 1e-13 : 1e-6; /* of a sum of losses in that precision */
  s->l.objective = objective;
  s->l.arg = s;
  double *w = s->l.w;
  for (int p = 0; p < t->m->nparams; p++) {
    long count = (long)rank_param_count(t->m, t->s, p);
    for (long i = 0; i < count; i++) {
      *w++ = (double)t->s->param[p][i];
    }
  }
  if (weights != NULL && read_pairs(s, weights, e) != 0) {
    return -1;
  }
  return rank_lbfgs_start(&s->l, e);
}

/* 0: there; 1: stopped; -1. */
static int iterate(solving *s, rank_error *e)
{
  rank_training *t = s->t;
  while (t->at.epoch < t->epochs && rank_lbfgs_gradient(&s->l) > t->m->tolerance) {
    int result = rank_lbfgs_iterate(&s->l, e);
    if (result == RANK_LBFGS_STUCK) {
      rank_log_line(t->log, "the objective does not fall any more in this precision");
      s->ended = 1;
      return 0;
    }
    if (result != 0) {
      return result;
    }
    t->at.epoch++;
    show_iteration(s);
    rank_plot_point(t->plot, "objective", "training", (double)t->at.epoch, s->l.f);
    int due = t->checkpoint > 0 && t->at.epoch % t->checkpoint == 0;
    if ((due || rank_now() - s->saved > CHECKPOINT_EVERY) && save(s, e) != 0) {
      return -1;
    }
  }
  s->ended = rank_lbfgs_gradient(&s->l) <= t->m->tolerance;
  return 0;
}

static int finish(solving *s, rank_error *e)
{
  rank_training *t = s->t;
  double gradient = rank_lbfgs_gradient(&s->l);
  set_weights(s, s->l.w);
  if (s->ended && gradient <= t->m->tolerance) {
    rank_log_line(t->log, "the optimum after %ld iterations: objective %.9g, gradient %.2e",
      t->at.epoch, s->l.f, gradient);
  } else if (!s->ended) {
    rank_log_line(t->log,
      "%ld iterations, but the gradient is %.2e, wanted %.2e; --epochs is their number in all",
      t->at.epoch, gradient, t->m->tolerance);
  }
  return save(s, e) != 0 ? -1 : show_validation(s, e);
}

int rank_solve(rank_training *t, const rank_weights *weights, rank_error *e)
{
  solving s = {.t = t, .saved = rank_now()};
  t->at.batch = t->batch;
  t->at.rows = t->train.n;
  int result = start(&s, weights, e);
  if (result == 0 && !isfinite(s.l.f)) {
    result = rank_fail(e, "the objective is not finite at the first weights");
  }
  if (result == 0) {
    result = iterate(&s, e);
  }
  if (result == 0) {
    result = finish(&s, e);
  } else if (result == 1 && s.l.n > 0 && s.l.calls > 0) {
    result = save(&s, e) != 0 ? -1 : 1;
  }
  if (rank_plot_write(t->plot, result < 0 ? NULL : e) != 0) {
    result = -1;
  }
  rank_log_clear(t->log);
  for (int p = 0; s.grad != NULL && p < t->m->nparams; p++) {
    free(s.grad[p]);
  }
  free(s.grad);
  rank_batcher_free(s.batcher);
  rank_work_free(&s.work);
  rank_lbfgs_free(&s.l);
  return result;
}
