/* fit_learn.c: the fits of a model learn from the training rows, one after another, in the model's order. */

#include "fit.h"

enum { PIECE = FIT_PIECE };

int fit_each(rank_rows rows, int (*see)(void *arg, const rank_batch *b), void *arg, rank_error *e)
{
  rank_batcher *batcher = rank_batcher_new(rows.data, PIECE);
  int failed = batcher == NULL ? rank_fail(e, "out of memory") : 0;
  for (long at = 0; at < rows.n && !failed; at += PIECE) {
    long n = rows.n - at < PIECE ? rows.n - at : PIECE;
    const rank_batch *b = rank_batch_range(batcher, rows.first + at, n);
    failed = b == NULL ? rank_fail(e, "out of memory: %ld rows", n) : see(arg, b);
  }
  rank_batcher_free(batcher);
  return failed;
}

int rank_fits_learn(rank_fits *f, const rank_encoders *enc, rank_rows train, rank_rows valid,
  int threads, rank_log *log, rank_error *e)
{
  const rank_model *m = f->m;
  f->ready = 0;
  for (int i = 0; i < m->nfits; i++) {
    const rank_fit *fit = &m->fits[i];
    if (fit->uses) {
      continue;
    }
    fit_call call = {.m = m, .fit = fit, .train = train, .valid = valid, .threads = threads};
    call.ids = rank_encoders_size(enc, fit->sources[0]);
    call.log = log;
    double start = rank_now();
    fit_forget(fit, &f->state[i]);
    rank_error why = {{0}};
    if (fit->run->learn(&call, &f->state[i], &why) != 0 ||
        fit_get_ready(m, fit, &f->state[i], &why) != 0) {
      return rank_fail(e, "fit %s: %.900s", fit->name, why.text);
    }
    rank_log_line(log, "fit %s: %s, %.2f s", fit->name, fit->op, rank_now() - start);
  }
  f->ready = 1;
  return 0;
}
