/* program_bench.c: the command `bench`: how long a prediction takes, and how many rows a second.
 *
 * One idea: what is timed is what a server does for a request, checking the batch, computing what fits
 * make of it and predicting it, with the weights packed beforehand as the library packs them. Gathering the rows is not timed, but it has
 * just been done, as a server has just written its request. Each thread has rows, outputs and working memory of
 * its own; several are a load on the machine, and a latency is then one call's under that load. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "program.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 4, MOST_ROWS = 4096, CALLS_MOST = 200000 };

static const double seconds_warm = 0.1, seconds_timed = 1.0;
static const long sizes[SIZES] = {1, 16, 128, MOST_ROWS};

typedef struct bench {
  const rank_model *m;
  const program_options *o;
  rank_log log;
  program_model model;
  rank_data *data;
  char made_up[64]; /* temporary file, "" when there is none */
} bench;

typedef struct driver { /* one thread */
  const bench *b;
  long size, first; /* rows in a call; where its rows begin */
  long calls;
  double *taken;     /* [CALLS_MOST] seconds of each call */
  double total;      /* of all of them */
  rank_work derived; /* results of fits */
  int failed;
  rank_error e;
} driver;

/* --- one thread --- */

static int call(
  driver *d, const rank_batch *b, rank_work *work, rank_real *const *out, double *took)
{
  const rank_model *m = d->b->m;
  const rank_state *s = &d->b->model.state;
  int what = 0;
  long at = 0;
  if (rank_work_need(work, m->workspace(s, b, 1, 0), &d->e) != 0) {
    return -1;
  }
  const rank_fits *fits = rank_encoders_fits(d->b->model.enc);
  rank_batch whole = *b;
  if (m->nfits > 0 && rank_work_need(&d->derived, rank_fits_room(fits, b->n), &d->e) != 0) {
    return -1;
  }
  double start = rank_now();
  rank_status status = rank_check_batch(m, s, b, 0, &what, &at);
  if (status == RANK_OK && m->nfits > 0) { /* the batch has them already; a request has not */
    status = rank_fits_apply(fits, b, d->derived.data, &whole) == 0 ? RANK_OK : RANK_NO_MEMORY;
    b = &whole;
  }
  status = status == RANK_OK ? m->predict(s, b, out, work->data, 1) : status;
  *took = rank_now() - start;
  if (status != RANK_OK) {
    rank_explain_batch(m, s, b, status, &d->e);
  }
  return status == RANK_OK ? 0 : -1;
}

/* Rows in turn, from the first again when there are no more. */
static int calls(driver *d, rank_batcher *batcher, rank_work *work, rank_real *const *out)
{
  long rows = rank_data_rows(d->b->data), at = d->first % rows;
  double begin = rank_now(), start = begin + seconds_warm, end = start + seconds_timed;
  for (double now = begin; now < end && d->calls < CALLS_MOST; now = rank_now()) {
    long n = d->size < rows ? d->size : rows;
    double took = 0;
    at = at + n > rows ? 0 : at;
    const rank_batch *b = rank_batch_range(batcher, at, n);
    if (b == NULL) {
      return rank_fail(&d->e, "out of memory: a batch of %ld rows", n);
    }
    if (call(d, b, work, out, &took) != 0) {
      return -1;
    }
    at += n;
    if (now >= start) {
      d->taken[d->calls++] = took;
      d->total += took;
    }
  }
  return 0;
}

static void *drive(void *arg)
{
  driver *d = arg;
  rank_work work = {0};
  rank_batcher *batcher = rank_batcher_new(d->b->data, d->size);
  rank_real **out = program_outputs_new(d->b->m, d->size);
  d->taken = malloc(sizeof *d->taken * CALLS_MOST);
  if (batcher == NULL || out == NULL || d->taken == NULL) {
    d->failed = rank_fail(&d->e, "out of memory");
  } else {
    d->failed = calls(d, batcher, &work, out);
  }
  program_outputs_free(d->b->m, out);
  rank_work_free(&work);
  rank_work_free(&d->derived);
  rank_batcher_free(batcher);
  return NULL;
}

/* --- all threads, and what they found --- */

static int by_size(const void *x, const void *y)
{
  double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

static double percentile(const double *sorted, long n, double share)
{
  long at = (long)((double)n * share);
  return n == 0 ? 0 : 1e6 * sorted[at < n ? at : n - 1];
}

static void print_size(const program_options *o, const driver *d, double *taken, long n)
{
  double rate = 0;
  for (int i = 0; i < (int)o->threads; i++) {
    rate += d[i].total > 0 ? (double)(d[i].calls * d[i].size) / d[i].total : 0;
  }
  qsort(taken, (size_t)n, sizeof *taken, by_size);
  printf(
    o->csv ? "%ld,%ld,%ld,%.3f,%.3f,%.3f,%.0f\n" : "%7ld %8ld %8ld %10.2f %10.2f %10.2f %12.0f\n",
    d->size, o->threads, n, percentile(taken, n, 0.5), percentile(taken, n, 0.99),
    percentile(taken, n, 0.999), rate);
}

/* The calls of all threads, one after another in memory of the caller's to free; NULL: none. */
static double *gather(driver *d, int threads, long *n)
{
  *n = 0;
  for (int i = 0; i < threads; i++) {
    *n += d[i].calls;
  }
  double *all = malloc(sizeof *all * (size_t)(*n + 1));
  long at = 0;
  for (int i = 0; all != NULL && i < threads; i++) {
    memcpy(all + at, d[i].taken, sizeof *all * (size_t)d[i].calls);
    at += d[i].calls;
  }
  return all;
}

static int measure(const bench *b, long size, rank_error *e)
{
  int threads = (int)b->o->threads, started = 0, failed = 0;
  long rows = rank_data_rows(b->data), n = 0;
  driver *d = calloc((size_t)threads, sizeof *d);
  pthread_t *thread = calloc((size_t)threads, sizeof *thread);
  if (d == NULL || thread == NULL) {
    failed = rank_fail(e, "out of memory");
  }
  for (; !failed && started < threads; started++) {
    d[started] =
      (driver){.b = b, .size = size < rows ? size : rows, .first = rows / threads * started};
    if (pthread_create(&thread[started], NULL, drive, &d[started]) != 0) {
      failed = rank_fail(e, "cannot start thread %d", started);
      break;
    }
  }
  for (int i = 0; i < started; i++) {
    pthread_join(thread[i], NULL);
    if (d[i].failed && !failed) {
      failed = -1;
      *e = d[i].e;
    }
  }
  double *all = failed ? NULL : gather(d, threads, &n);
  if (!failed && all == NULL) {
    failed = rank_fail(e, "out of memory");
  } else if (!failed) {
    print_size(b->o, d, all, n);
  }
  for (int i = 0; i < started; i++) {
    free(d[i].taken);
  }
  free(all);
  free(d);
  free(thread);
  return failed;
}

/* --- the command --- */

/* Packed weights, as the library makes them when it opens a file. */
static int pack(bench *b, rank_error *e)
{
  size_t bytes = b->m->prepare(&b->model.state, NULL);
  if (bytes == 0) {
    return 0;
  }
  void *prepared = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (prepared == NULL) {
    return rank_fail(e, "out of memory: %zu bytes of packed weights", bytes);
  }
  memset(prepared, 0, bytes);
  b->m->prepare(&b->model.state, prepared);
  b->model.state.prepared = prepared;
  return 0;
}

static int open_all(bench *b, rank_error *e)
{
  program_options o = *b->o;
  if (rank_log_open(&b->log, o.csv, NULL, 0, e) != 0 ||
      program_open(&b->model, b->m, o.load, e) != 0) {
    return -1;
  }
  if (b->m->nfits > 0 && !rank_fits_ready(rank_encoders_fits(b->model.enc))) {
    return rank_fail(
      e, "fit %s has learnt nothing yet: --load weights of `train'", b->m->fits[0].name);
  }
  if (o.data == NULL) {
    long rows = o.rows > 0 ? o.rows : 2 * MOST_ROWS;
    o.data = b->made_up;
    o.no_cache = 1;
    if (program_made_up(b->m, rows, b->made_up, e) != 0) {
      return -1;
    }
  }
  int fit = !b->model.loaded && !rank_encoders_fitted(b->model.enc);
  b->data = program_data(b->m, &o, b->model.enc, o.data, 0, fit, &b->log, e);
  if (b->data == NULL || program_fill(&b->model, b->m, 0, 1, 1, e) != 0) {
    return -1;
  }
  return rank_data_rows(b->data) > 0 ? pack(b, e) : rank_fail(e, "%s: no rows", o.data);
}

int program_bench(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  bench b = {.m = m, .o = o};
  int failed = open_all(&b, &e);
  if (!failed) {
    printf(o->csv ? "batch,threads,calls,p50_us,p99_us,p99.9_us,rows_per_second\n"
                  : "  batch  threads    calls     p50 us     p99 us   p99.9 us   rows/s\n");
  }
  for (int i = 0; i < SIZES && !failed; i++) {
    failed = measure(&b, sizes[i], &e);
  }
  if (b.made_up[0] != '\0') {
    remove(b.made_up);
  }
  rank_log_clear(&b.log);
  rank_data_close(b.data);
  free(b.model.state.prepared);
  b.model.state.prepared = NULL;
  program_close(&b.model, m);
  return failed ? program_error(m, &e) : 0;
}
