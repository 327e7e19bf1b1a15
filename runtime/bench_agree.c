/* bench_agree.c: all levels compute the same, or nothing is timed.
 *
 * Outputs are compared by the norm of their difference against their own norm. A parameter's gradient is
 * compared against its own norm, but against no less than a thousandth of the whole gradient's: one that
 * is zero by nature (the bias before a softmax) consists of rounding errors alone. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef RANK_F64
static const double TOLERANCE = 1e-9;
#else
static const double TOLERANCE = 1e-3; /* rounding may move a sample across the kink of a relu */
#endif

/* What one level gave on the first batch. */
typedef struct answer {
  double loss;
  rank_real **out, **grad;
} answer;

static int answer_new(const bench *b, answer *x, rank_error *e)
{
  const rank_model *m = b->m;
  int failed = 0;
  x->out = calloc((size_t)m->noutputs + 1, sizeof *x->out);
  x->grad = calloc((size_t)m->nparams + 1, sizeof *x->grad);
  if (x->out == NULL || x->grad == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < m->noutputs; i++) {
    if (!m->outputs[i].hidden) {
      x->out[i] = calloc((size_t)(b->n * m->outputs[i].width) + 16, sizeof(rank_real));
      failed |= x->out[i] == NULL;
    }
  }
  for (int p = 0; p < m->nparams && b->passes > RANK_TRAIN; p++) {
    x->grad[p] = calloc(rank_param_count(m, &b->state, p) + 16, sizeof(rank_real));
    failed |= x->grad[p] == NULL;
  }
  return failed ? rank_fail(e, "out of memory: the gradients do not fit") : 0;
}

static void answer_free(const bench *b, answer *x)
{
  for (int i = 0; x->out != NULL && i < b->m->noutputs; i++) {
    free(x->out[i]);
  }
  for (int p = 0; x->grad != NULL && p < b->m->nparams; p++) {
    free(x->grad[p]);
  }
  free(x->out);
  free(x->grad);
}

static int ask(bench *b, int level, answer *x, rank_error *e)
{
  const rank_model *m = b->model[level];
  const rank_batch *batch = &b->batches[0].b;
  rank_status status = m->predict(&b->state, batch, x->out, b->work.data, b->threads);
  if (status == RANK_OK && b->passes > RANK_TRAIN) {
    for (int p = 0; p < m->nparams; p++) {
      memset(x->grad[p], 0, rank_param_count(m, &b->state, p) * sizeof(rank_real));
    }
    rank_step step = {.lr = m->lr, .steps = 1, .grad = x->grad, .threads = b->threads};
    status = m->train(&b->state, batch, &step, &x->loss, b->work.data);
  }
  return status == RANK_OK
           ? 0
           : rank_fail(e, "level %s: %s", b->spec->levels[level].name, rank_status_text(status));
}

/* Sum of squares of x - y; y NULL: of x. */
static double squares(const rank_real *x, const rank_real *y, size_t n)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double d = (double)x[i] - (y != NULL ? (double)y[i] : 0);
    sum += d * d;
  }
  return sum;
}

/* NaN counts as the largest there is. */
static void note(bench_result *r, double difference, double norm, const char *where)
{
  double relative = norm > 0 ? difference / norm : difference;
  if (r->differs == NULL || !(relative <= r->difference)) {
    r->difference = relative;
    r->differs = where;
  }
}

static void compare(const bench *b, int level, const answer *first, const answer *x)
{
  const rank_model *m = b->m;
  bench_result *r = bench_result_of(b, level, RANK_FORWARD);
  for (int i = 0; i < m->noutputs; i++) {
    if (!m->outputs[i].hidden) {
      size_t n = (size_t)(b->n * m->outputs[i].width);
      note(r, sqrt(squares(x->out[i], first->out[i], n)), sqrt(squares(first->out[i], NULL, n)),
        m->outputs[i].name);
    }
  }
  if (b->passes <= RANK_TRAIN) {
    return;
  }
  r = bench_result_of(b, level, RANK_TRAIN);
  note(r, fabs(x->loss - first->loss), fabs(first->loss), "the loss");
  double whole = 0;
  for (int p = 0; p < m->nparams; p++) {
    whole += squares(first->grad[p], NULL, rank_param_count(m, &b->state, p));
  }
  for (int p = 0; p < m->nparams; p++) {
    size_t n = rank_param_count(m, &b->state, p);
    double norm = sqrt(squares(first->grad[p], NULL, n)), least = 1e-3 * sqrt(whole);
    note(r, sqrt(squares(x->grad[p], first->grad[p], n)), norm > least ? norm : least,
      m->params[p].name);
  }
}

/* Says which levels differ. */
static int judge(const bench *b, rank_error *e)
{
  for (int pass = 0; pass < b->passes; pass++) {
    for (int level = 1; level < b->spec->nlevels; level++) {
      const bench_result *r = bench_result_of(b, level, pass);
      if (r->differs != NULL && !(r->difference <= TOLERANCE)) {
        const rank_bench_level *l = &b->spec->levels[level];
        return rank_fail(e, "levels disagree: %s of %s%s is off by %.2g from %s (at most %.0g)",
          r->differs, l->name, l->rewrites ? " with rewrites" : "", r->difference,
          b->spec->levels[0].name, TOLERANCE);
      }
    }
  }
  return 0;
}

int bench_agree(bench *b, rank_error *e)
{
  answer first = {0}, other = {0};
  int failed = answer_new(b, &first, e) || answer_new(b, &other, e);
  for (int level = 0; level < b->spec->nlevels && !failed; level++) {
    failed = ask(b, level, level == 0 ? &first : &other, e);
    if (!failed) {
      compare(b, level, &first, level == 0 ? &first : &other);
    }
  }
  answer_free(b, &first);
  answer_free(b, &other);
  return failed ? -1 : judge(b, e);
}
