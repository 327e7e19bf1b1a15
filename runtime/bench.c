/* bench.c: loads the levels, checks that they agree, and runs them in turn.
 *
 * One idea: a round runs every level for a slice of the time, one after another; what is compared are
 * the levels within a round, and of the rounds the median. The learning rate is next to nothing, so that
 * every round computes on the same parameters, however many steps there were. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "bench.h"
#include "program.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long MOST_STEPS = 1L << 24;
static const double DRIFT = 1e-4, PEAK_SECONDS = 0.03;

bench_result *bench_result_of(const bench *b, int level, int pass)
{
  return &b->result[level * RANK_PASSES + pass];
}

double bench_samples(const bench *b)
{
  return (double)b->n * (double)b->nbatches;
}

/* Sum over the samples of the product of their lists' lengths, each to its power. */
static double positions(const bench *b, const bench_batch *x, const rank_bench_term *t)
{
  double sum = 0;
  for (long i = 0; i < b->n; i++) {
    double product = 1;
    for (int d = 0; d < b->m->ndims && d < RANK_BENCH_DIMS; d++) {
      for (int k = 0; k < t->power[d]; k++) {
        product *= (double)(x->offset[d][i + 1] - x->offset[d][i]);
      }
    }
    sum += product;
  }
  return sum;
}

double bench_amount(const bench *b, const rank_bench_amount *x)
{
  double sum = 0;
  for (int i = 0; i < x->n; i++) {
    const rank_bench_term *t = &x->terms[i];
    for (long k = 0; k < b->nbatches; k++) {
      const bench_batch *batch = &b->batches[k];
      double value = t->factor;
      if (t->batches > 0) {
        value *= pow((double)b->n, t->batches - 1) * positions(b, batch, t);
      }
      value *= t->touched >= 0 ? (double)batch->touched[t->touched] : 1;
      value *= t->rows >= 0 ? (double)b->state.rows[t->rows] : 1;
      sum += value;
    }
  }
  return sum;
}

/* --- the levels --- */

/* OpenBLAS is called by our own threads. With more than one of its own it would be in their way. */
static void set_blas(bench *b, void *library)
{
  void *set_found = dlsym(library, "openblas_set_num_threads");
  void *name_found = dlsym(library, "openblas_get_corename");
  void (*set)(int);
  char *(*name)(void);
  memcpy(&set, &set_found, sizeof set); /* ISO C has no cast from one to the other */
  memcpy(&name, &name_found, sizeof name);
  if (set_found != NULL) {
    set(1);
  }
  if (name_found != NULL) {
    b->blas = name();
  }
}

static int open_levels(bench *b, rank_error *e)
{
  int n = b->spec->nlevels;
  b->model = calloc((size_t)n, sizeof *b->model);
  b->library = calloc((size_t)n, sizeof *b->library);
  b->result = calloc((size_t)n * RANK_PASSES, sizeof *b->result);
  if (b->model == NULL || b->library == NULL || b->result == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < n; i++) {
    b->library[i] = dlopen(b->spec->levels[i].path, RTLD_NOW | RTLD_LOCAL);
    b->model[i] = b->library[i] != NULL ? dlsym(b->library[i], b->spec->symbol) : NULL;
    if (b->model[i] == NULL) {
      return rank_fail(e, "cannot load %s", dlerror());
    }
    if (b->model[i]->layout != b->model[0]->layout) {
      return rank_fail(e, "%s is of another model", b->spec->levels[i].path);
    }
    set_blas(b, b->library[i]);
  }
  b->m = b->model[0];
  return 0;
}

/* --- memory --- */

static int make_work(bench *b, rank_error *e)
{
  size_t most = 0;
  for (int i = 0; i < b->spec->nlevels; i++) {
    for (long k = 0; k < b->nbatches; k++) {
      for (int pass = 0; pass < b->passes; pass++) {
        size_t bytes = b->model[i]->workspace(&b->state, &b->batches[k].b, b->threads, pass);
        most = bytes > most ? bytes : most;
      }
    }
  }
  return rank_work_need(&b->work, most, e);
}

static int make_outputs(bench *b, rank_error *e)
{
  b->out = calloc((size_t)b->m->noutputs + 1, sizeof *b->out);
  for (int i = 0; b->out != NULL && i < b->m->noutputs; i++) {
    if (!b->m->outputs[i].hidden) {
      b->out[i] = calloc((size_t)(b->n * b->m->outputs[i].width) + 16, sizeof(rank_real));
      if (b->out[i] == NULL) {
        return rank_fail(e, "out of memory");
      }
    }
  }
  for (int i = 0; i < b->spec->nlevels * RANK_PASSES; i++) {
    b->result[i].rates = calloc((size_t)b->spec->rounds, sizeof(double));
    if (b->result[i].rates == NULL) {
      return rank_fail(e, "out of memory");
    }
  }
  return b->out != NULL ? 0 : rank_fail(e, "out of memory");
}

static int make_state(bench *b, rank_error *e)
{
  long *rows = calloc((size_t)b->m->nparams + 1, sizeof *rows);
  int failed = rows == NULL ? rank_fail(e, "out of memory")
                            : bench_rows(b, rows, e) ||
                                rank_state_new(&b->state, b->m, rows, b->passes > RANK_TRAIN, e);
  free(rows);
  if (!failed) {
    rank_state_init(&b->state, b->m, b->spec->seed, b->threads);
  }
  return failed ? -1 : 0;
}

static void bench_free(bench *b)
{
  for (int i = 0; b->result != NULL && i < b->spec->nlevels * RANK_PASSES; i++) {
    free(b->result[i].rates);
  }
  for (int i = 0; b->out != NULL && i < b->m->noutputs; i++) {
    free(b->out[i]);
  }
  if (b->m != NULL) {
    bench_data_free(b);
    rank_state_free(&b->state, b->m);
  }
  free(b->times);
  free(b->out);
  free(b->result);
  rank_work_free(&b->work);
  free(b->model);
  free(b->library); /* what is loaded stays: its threads may still wait for work */
}

/* --- time --- */

rank_status bench_step(bench *b, const rank_model *m, int pass, const bench_batch *batch)
{
  if (pass == RANK_FORWARD) {
    return m->predict(&b->state, &batch->b, b->out, b->work.data, b->threads);
  }
  double loss;
  rank_step step = {.lr = m->lr * DRIFT, .steps = 1L << 40, .update = 1, .threads = b->threads};
  return m->train(&b->state, &batch->b, &step, &loss, b->work.data);
}

static int run_steps(bench *b, int level, int pass, long steps, double *seconds, rank_error *e)
{
  rank_status status = RANK_OK;
  double start = rank_now();
  for (long i = 0; i < steps && status == RANK_OK; i++) {
    status = bench_step(b, b->model[level], pass, &b->batches[i % b->nbatches]);
  }
  *seconds = rank_now() - start;
  return status == RANK_OK
           ? 0
           : rank_fail(e, "level %s: %s", b->spec->levels[level].name, rank_status_text(status));
}

/* How many steps fill a slice: whole rotations through the batches, when there is time for one. */
static int choose_steps(bench *b, int level, int pass, rank_error *e)
{
  double seconds, slice = b->spec->seconds / (double)b->spec->rounds;
  if (run_steps(b, level, pass, 1, &seconds, e) != 0 ||
      run_steps(b, level, pass, b->nbatches, &seconds, e) != 0) {
    return -1;
  }
  double each = seconds / (double)b->nbatches, steps = ceil(slice / (each > 1e-9 ? each : 1e-9));
  steps = steps > (double)b->nbatches ? ceil(steps / (double)b->nbatches) * (double)b->nbatches
                                      : (double)b->nbatches;
  bench_result_of(b, level, pass)->steps = steps < (double)MOST_STEPS ? (long)steps : MOST_STEPS;
  return 0;
}

static void measure_peaks(bench *b)
{
  double flops = b->spec->peak_flops(b->threads, PEAK_SECONDS);
  double bytes = b->spec->peak_bytes(b->threads, PEAK_SECONDS);
  b->peak_flops = flops > b->peak_flops ? flops : b->peak_flops;
  b->peak_bytes = bytes > b->peak_bytes ? bytes : b->peak_bytes;
}

static int one_round(bench *b, long round, rank_error *e)
{
  measure_peaks(b);
  for (int pass = 0; pass < b->passes; pass++) {
    for (int level = 0; level < b->spec->nlevels; level++) {
      bench_result *r = bench_result_of(b, level, pass);
      double seconds;
      if (run_steps(b, level, pass, 1, &seconds, e) != 0 || /* its data into the caches */
          run_steps(b, level, pass, r->steps, &seconds, e) != 0) {
        return -1;
      }
      r->rates[round] = (double)(r->steps * b->n) / seconds;
    }
  }
  return 0;
}

static int time_levels(bench *b, rank_error *e)
{
  rank_log log;
  if (rank_log_open(&log, 0, NULL, 0, e) != 0) {
    return -1;
  }
  int failed = 0;
  for (int pass = 0; pass < b->passes; pass++) {
    for (int level = 0; level < b->spec->nlevels && !failed; level++) {
      failed = choose_steps(b, level, pass, e);
    }
  }
  for (long round = 0; round < b->spec->rounds && !failed; round++) {
    rank_log_progress(&log, (double)round / (double)b->spec->rounds, "measuring");
    failed = one_round(b, round, e);
  }
  rank_log_clear(&log);
  return failed || rank_log_close(&log, e) ? -1 : 0;
}

/* --- statistics --- */

static int by_size(const void *x, const void *y)
{
  double a = *(const double *)x, c = *(const double *)y;
  return (a > c) - (a < c);
}

/* The value below which a share of them lies. */
static double quantile(const double *sorted, long n, double share)
{
  double at = share * (double)(n - 1);
  long below = (long)at;
  double up = below + 1 < n ? sorted[below + 1] : sorted[below];
  return sorted[below] + (at - (double)below) * (up - sorted[below]);
}

static void summarize(bench *b, double *room)
{
  long n = b->spec->rounds;
  for (int i = 0; i < b->spec->nlevels * RANK_PASSES; i++) {
    bench_result *r = &b->result[i];
    const bench_result *first = bench_result_of(b, 0, i % RANK_PASSES);
    if (i % RANK_PASSES >= b->passes) {
      continue;
    }
    for (long k = 0; k < n; k++) {
      room[k] = r->rates[k] / first->rates[k];
    }
    qsort(room, (size_t)n, sizeof *room, by_size);
    r->ratio = quantile(room, n, 0.5);
    r->ratio_low = quantile(room, n, 0.25);
    r->ratio_high = quantile(room, n, 0.75);
    memcpy(room, r->rates, (size_t)n * sizeof *room);
    qsort(room, (size_t)n, sizeof *room, by_size);
    r->rate = quantile(room, n, 0.5);
    r->rate_low = quantile(room, n, 0.25);
    r->rate_high = quantile(room, n, 0.75);
    const rank_bench_pass *pass = &b->spec->levels[i / RANK_PASSES].pass[i % RANK_PASSES];
    for (int k = 0; k < pass->ngroups; k++) {
      r->flops += bench_amount(b, &pass->groups[k].flops);
      r->bytes += bench_amount(b, &pass->groups[k].bytes);
    }
  }
}

static int finish(bench *b, rank_error *e)
{
  double *room = calloc((size_t)b->spec->rounds, sizeof *room);
  if (room == NULL) {
    return rank_fail(e, "out of memory");
  }
  summarize(b, room);
  free(room);
  bench_print(b);
  if (bench_groups(b, e) != 0) {
    return -1;
  }
  if (b->spec->csv != NULL && bench_csv(b, b->spec->csv, e) != 0) {
    return -1;
  }
  return b->spec->svg != NULL ? bench_svg(b, b->spec->svg, e) : 0;
}

int rank_bench_run(const rank_bench *spec)
{
  rank_error e = {{0}};
  bench b = {.spec = spec, .nbatches = spec->batches};
  int failed = open_levels(&b, &e);
  if (!failed) {
    b.threads = spec->threads > 0 ? spec->threads : (int)program_processors();
    b.n = spec->batch > 0 ? spec->batch : b.m->batch > 0 ? b.m->batch : 128;
    b.passes = b.m->train != NULL ? 2 : 1;
    failed = make_state(&b, &e) || bench_data_new(&b, &e) || make_outputs(&b, &e) ||
             make_work(&b, &e) || bench_agree(&b, &e);
  }
  if (!failed) {
    bench_head(&b);
    failed = time_levels(&b, &e) || finish(&b, &e);
  }
  if (failed) {
    fprintf(stderr, "rankc: error: %s\n", e.text);
  }
  bench_free(&b);
  return failed ? 1 : 0;
}
