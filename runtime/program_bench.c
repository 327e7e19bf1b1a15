/* program_bench.c: the command `bench`: how long a prediction takes, and how many rows a second.
 *
 * One idea: several threads are a load on the machine, each of them as another client of the model would be,
 * and a latency is then one call's under that load. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "program_bench.h"

#include "fit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 4, MOST_ROWS = 4096 };

static const long sizes[SIZES] = {1, 16, 128, MOST_ROWS};

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

static void print_series(
  const program_options *o, const bench_driver *d, bench_api api, long n, double *taken)
{
  static const char *const names[BENCH_APIS] = {"rows", "repeated", "request"};
  double rate = 0;
  for (int i = 0; i < (int)o->threads; i++) {
    const bench_series *s = &d[i].series[api];
    rate += s->total > 0 ? (double)(s->calls * d[i].size) / s->total : 0;
  }
  qsort(taken, (size_t)n, sizeof *taken, by_size);
  printf(o->csv ? "%s,%ld,%ld,%ld,%.3f,%.3f,%.3f,%.0f\n"
                : "%-8s %7ld %8ld %8ld %10.2f %10.2f %10.2f %12.0f\n",
    names[api], d->size, o->threads, n, percentile(taken, n, 0.5), percentile(taken, n, 0.99),
    percentile(taken, n, 0.999), rate);
}

/* The calls of all threads, one after another in memory of the caller's to free; NULL: no memory. */
static double *gather(const bench_driver *d, int threads, bench_api api, long *n)
{
  *n = 0;
  for (int i = 0; i < threads; i++) {
    *n += d[i].series[api].calls;
  }
  double *all = malloc(sizeof *all * (size_t)(*n + 1));
  long at = 0;
  for (int i = 0; all != NULL && i < threads; i++) {
    const bench_series *s = &d[i].series[api];
    memcpy(all + at, s->taken, sizeof *all * (size_t)s->calls);
    at += s->calls;
  }
  return all;
}

static int report(const bench *b, const bench_driver *d, rank_error *e)
{
  for (int api = 0; api < BENCH_APIS; api++) {
    long n = 0;
    if (d->series[api].taken == NULL) {
      continue;
    }
    double *all = gather(d, (int)b->o->threads, (bench_api)api, &n);
    if (all == NULL) {
      return rank_fail(e, "out of memory");
    }
    print_series(b->o, d, (bench_api)api, n, all);
    free(all);
  }
  return 0;
}

static int run_threads(bench_driver *d, pthread_t *thread, int threads, rank_error *e)
{
  int failed = 0, started = 0;
  for (; started < threads; started++) {
    if (pthread_create(&thread[started], NULL, bench_drive, &d[started]) != 0) {
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
  return failed;
}

static int measure(const bench *b, long size, int requests, rank_error *e)
{
  int threads = (int)b->o->threads;
  long rows = rank_data_rows(b->data);
  bench_driver *d = calloc((size_t)threads, sizeof *d);
  pthread_t *thread = calloc((size_t)threads, sizeof *thread);
  int failed = d == NULL || thread == NULL ? rank_fail(e, "out of memory") : 0;
  for (int i = 0; i < threads && !failed; i++) {
    d[i] = (bench_driver){
      .b = b, .requests = requests, .size = size < rows ? size : rows, .first = rows / threads * i};
  }
  failed = failed || run_threads(d, thread, threads, e) || report(b, d, e);
  for (int i = 0; d != NULL && i < threads; i++) {
    for (int api = 0; api < BENCH_APIS; api++) {
      free(d[i].series[api].taken);
    }
  }
  free(d);
  free(thread);
  return failed;
}

/* --- the command --- */

/* Packed weights, as the library makes them when it opens a file. */
static int pack(const rank_state *s, size_t (*fill)(const rank_state *s, void *prepared),
  void **prepared, rank_error *e)
{
  size_t bytes = fill(s, NULL);
  *prepared = bytes > 0
                ? aligned_alloc(RANK_ALIGN, (bytes + RANK_ALIGN - 1) / RANK_ALIGN * RANK_ALIGN)
                : NULL;
  if (*prepared == NULL) {
    return bytes > 0 ? rank_fail(e, "out of memory: %zu bytes of packed weights", bytes) : 0;
  }
  memset(*prepared, 0, bytes);
  fill(s, *prepared);
  return 0;
}

/* A library with these weights, for requests. */
static int open_requests(bench *b, rank_error *e)
{
  const rank_model *m = b->m;
  size_t n = (size_t)(m->ninputs + m->ndims);
  unsigned char *needed = malloc(n + 1); /* inputs, then axes */
  if (needed == NULL) {
    return rank_fail(e, "out of memory");
  }
  memset(needed, RANK_TO_PREDICT, n);
  for (int i = 0; i < m->ninputs; i++) {
    int made = m->inputs[i].encoding.source == RANK_FROM_FIT; /* by the call itself */
    needed[i] = made ? 0 : m->inputs[i].label ? RANK_TO_TRAIN : RANK_TO_PREDICT;
  }
  b->library = (rank_library){.model = m, .inputs = needed, .dims = needed + m->ninputs};
  b->opened = (rank_opened){
    .library = &b->library, .state = b->model.state, .fits = rank_encoders_fits(b->model.enc)};
  const rank_state *s = &b->model.state;
  return pack(s, m->split->request.prepare, &b->opened.request_prepared, e) != 0 ||
             pack(s, m->split->rank.prepare, &b->opened.rank_prepared, e) != 0
           ? -1
           : 0;
}

static int open_weights(bench *b, rank_error *e)
{
  rank_state *s = &b->model.state;
  void *prepared;
  if (b->m->split != NULL && open_requests(b, e) != 0) {
    return -1;
  }
  int failed = pack(s, b->m->prepare, &prepared, e);
  s->prepared = prepared;
  return failed;
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
    long rows = o.rows > 0 ? o.rows : o.candidates > MOST_ROWS ? 2 * o.candidates : 2 * MOST_ROWS;
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
  return rank_data_rows(b->data) > 0 ? open_weights(b, e) : rank_fail(e, "%s: no rows", o.data);
}

static void close_all(bench *b)
{
  if (b->made_up[0] != '\0') {
    remove(b->made_up);
  }
  rank_log_clear(&b->log);
  rank_data_close(b->data);
  free((void *)(uintptr_t)b->library.inputs);
  free(b->opened.request_prepared);
  free(b->opened.rank_prepared);
  free(b->model.state.prepared);
  b->model.state.prepared = NULL;
  program_close(&b->model, b->m);
}

static int measure_all(const bench *b, rank_error *e)
{
  const program_options *o = b->o;
  int failed = 0;
  if (o->candidates > 0 && b->m->split == NULL) {
    return rank_fail(e, "--candidates: the model has no inputs per request");
  }
  printf(o->csv
           ? "api,batch,threads,calls,p50_us,p99_us,p99.9_us,rows_per_second\n"
           : "api        batch  threads    calls     p50 us     p99 us   p99.9 us       rows/s\n");
  for (int i = 0; i < SIZES && !failed && o->candidates == 0; i++) {
    failed = measure(b, sizes[i], 0, e);
  }
  for (int i = 0; i < SIZES && !failed && b->m->split != NULL; i++) {
    if (i == 0 || o->candidates == 0) {
      failed = measure(b, o->candidates > 0 ? o->candidates : sizes[i], 1, e);
    }
  }
  return failed;
}

int program_bench(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  bench b = {.m = m, .o = o};
  int failed = open_all(&b, &e) || measure_all(&b, &e);
  close_all(&b);
  return failed ? program_error(m, &e) : 0;
}
