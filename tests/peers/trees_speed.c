/* trees_speed.c LIGHTGBM.so MODEL.txt WEIGHTS ROWS.f32 COUNT: microseconds a row of a forest, by LightGBM's C
 * interface and by the library that rankc built of a model with that forest (scored.h), round by round in
 * turns. See trees_speed.py, which makes all of it.
 *
 * LightGBM at its best: one row through PredictForMatSingleRowFast, many in one call, floats as they are. It
 * gives scores or leaves, so both calls are measured; rankc's call gives the score and has all leaves. One
 * thread is measured in processor time, several in time. */

#include "scored.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COLUMNS = 30, ROUNDS = 7, SCORE = 1, LEAVES = 2, ALONE = 500 };

typedef int (*create_fn)(const char *, int *, void **);
typedef int (*many_fn)(void *, const void *, int, int32_t, int32_t, int, int, int, int,
  const char *, int64_t *, double *);
typedef int (*init_fn)(void *, int, int, int, int, int32_t, const char *, void **);
typedef int (*one_fn)(void *, const void *, int64_t *, double *);

typedef struct work {
  int kind; /* SCORE, LEAVES: of LightGBM; 0: rankc's */
  long batch, rows, threads;
  const float *x;
  double *out;   /* LightGBM's results */
  float *score;  /* rankc's */
  void *scratch; /* of this thread */
  void *fast[3];
} work;

static void *booster;
static many_fn many;
static init_fn init;
static one_fn one;
static scored *model;

static double now(int processor)
{
  struct timespec t;
  clock_gettime(processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
  fprintf(stderr, "trees_speed: %s\n", what);
  exit(1);
}

static void *run(void *arg)
{
  work *w = arg;
  int64_t n;
  for (long i = 0; i < w->rows; i += w->batch) {
    const float *x = w->x + i * COLUMNS;
    if (w->kind == 0) {
      scored_inputs in = {.n = w->batch, .x = x};
      scored_outputs out = {.logit = w->score + i};
      if (scored_predict(model, &in, &out, w->scratch) != SCORED_OK) {
        die("rankc refuses");
      }
    } else if (one(w->fast[w->kind], x, &n, w->out) != 0) {
      die("LightGBM refuses");
    }
  }
  return NULL;
}

/* Every thread has its share of the rows. */
static void run_threads(work *w, long threads)
{
  pthread_t thread[8];
  for (long t = 1; t < threads; t++) {
    pthread_create(&thread[t], NULL, run, &w[t]);
  }
  run(&w[0]);
  for (long t = 1; t < threads; t++) {
    pthread_join(thread[t], NULL);
  }
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x)
{
  qsort(x, ROUNDS, sizeof *x, ascending);
  return x[ROUNDS / 2];
}

static double measure(work *w, int kind, long batch, long rows, long threads, double *result)
{
  char parameters[40];
  int64_t n;
  snprintf(parameters, sizeof parameters, "num_threads=%ld", threads);
  for (long t = 0; t < threads; t++) {
    w[t].kind = kind;
    w[t].rows = rows / threads;
    w[t].batch = batch < w[t].rows ? batch : w[t].rows;
  }
  double start = now(threads == 1);
  if (kind != 0 && batch > 1) {
    if (many(booster, w[0].x, 0, (int32_t)rows, COLUMNS, 1, kind, 0, -1, parameters, &n, result)) {
      die("LightGBM refuses");
    }
  } else {
    run_threads(w, threads);
  }
  return 1e6 * (now(threads == 1) - start) / (double)rows;
}

static void compare(work *w, long batch, long count, long threads, double *result)
{
  double us[3][ROUNDS];
  long rows = batch == 1 ? ALONE * threads : count;
  for (int r = -1; r < ROUNDS; r++) { /* the first is for the caches */
    for (int kind = 0; kind < 3; kind++) {
      us[kind][r < 0 ? 0 : r] = measure(w, kind, batch, rows, threads, result);
    }
  }
  double ours = median(us[0]), scores = median(us[SCORE]), leaves = median(us[LEAVES]);
  printf("batch %5ld, %ld thread%s: LightGBM scores %9.3f, leaves %9.3f; rankc both %8.3f us a row "
         "(%.1f, %.1f times)\n",
    batch == 1 ? batch : count, threads, threads == 1 ? " " : "s", scores, leaves, ours,
    scores / ours, leaves / ours);
  fflush(stdout);
}

int main(int argc, char **argv)
{
  void *l = argc == 6 ? dlopen(argv[1], RTLD_NOW) : NULL;
  int trees;
  char why[300];
  if (!l) {
    die("trees_speed LIGHTGBM.so MODEL.txt WEIGHTS ROWS.f32 COUNT");
  }
  create_fn create = (create_fn)dlsym(l, "LGBM_BoosterCreateFromModelfile");
  many = (many_fn)dlsym(l, "LGBM_BoosterPredictForMat");
  init = (init_fn)dlsym(l, "LGBM_BoosterPredictForMatSingleRowFastInit");
  one = (one_fn)dlsym(l, "LGBM_BoosterPredictForMatSingleRowFast");
  if (create(argv[2], &trees, &booster) != 0 ||
      scored_open(&model, argv[3], why, sizeof why) != SCORED_OK) {
    die("a model that does not load");
  }
  long count = atol(argv[5]);
  float *x = malloc((size_t)count * COLUMNS * sizeof *x),
        *score = malloc((size_t)count * sizeof *score);
  double *result = malloc((size_t)count * (size_t)trees * sizeof *result);
  FILE *in = fopen(argv[4], "rb");
  if (!in || fread(x, sizeof *x * COLUMNS, (size_t)count, in) != (size_t)count) {
    die("no such rows");
  }
  work w[2];
  for (int t = 0; t < 2; t++) {
    w[t] = (work){.x = x + t * (count / 2) * COLUMNS, .score = score + t * (count / 2)};
    w[t].out = malloc((size_t)trees * sizeof *w[t].out);
    w[t].scratch = malloc(scored_scratch_for(model, count));
    for (int kind = SCORE; kind <= LEAVES; kind++) {
      init(booster, kind, 0, -1, 0, COLUMNS, "num_threads=1", &w[t].fast[kind]);
    }
  }
  for (long threads = 1; threads <= 2; threads++) {
    compare(w, 1, count, threads, result);
    compare(w, count, count, threads, result);
  }
  int64_t n;
  many(booster, x, 0, (int32_t)count, COLUMNS, 1, SCORE, 0, -1, "", &n, result);
  for (long i = 0; i < count; i++) {
    if (score[i] != (float)result[i]) {
      die("other scores");
    }
  }
  return 0;
}
