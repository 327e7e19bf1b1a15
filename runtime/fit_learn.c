/* fit_learn.c: the fits of a model learn from the training rows, one after another, in the model's order. */

#include "fit.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 };

rank_real *fit_gather(rank_rows rows, const rank_model *m, int input, rank_error *e)
{
  size_t width = (size_t)m->inputs[input].width;
  rank_real *all = malloc(((size_t)rows.n * width + 1) * sizeof *all);
  rank_batcher *batcher = rank_batcher_new(rows.data, PIECE);
  int failed = all == NULL || batcher == NULL;
  for (long at = 0; at < rows.n && !failed; at += PIECE) {
    long n = rows.n - at < PIECE ? rows.n - at : PIECE;
    const rank_batch *b = rank_batch_range(batcher, rows.first + at, n);
    failed = b == NULL;
    if (!failed) {
      memcpy(all + (size_t)at * width, b->input[input], (size_t)n * width * sizeof *all);
    }
  }
  rank_batcher_free(batcher);
  if (failed) {
    free(all);
    rank_fail(e, "out of memory: input %s of %ld rows", m->inputs[input].name, rows.n);
    return NULL;
  }
  return all;
}

int rank_fits_learn(
  rank_fits *f, rank_rows train, rank_rows valid, int threads, rank_log *log, rank_error *e)
{
  const rank_model *m = f->m;
  f->ready = 0;
  for (int i = 0; i < m->nfits; i++) {
    const rank_fit *fit = &m->fits[i];
    fit_call call = {m, fit, train, valid, threads, log};
    double start = rank_now();
    fit_forget(fit, &f->state[i]);
    if (fit->run->learn(&call, &f->state[i], e) != 0 ||
        fit_get_ready(m, fit, &f->state[i], e) != 0) {
      return -1;
    }
    rank_log_line(log, "fit %s: %s, %.2f s", fit->name, fit->op, rank_now() - start);
  }
  f->ready = 1;
  return 0;
}
