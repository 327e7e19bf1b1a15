/* bench_check.c LIBRARY.so WEIGHTS ROWS...: what looking at every id, length and number costs: nanoseconds that
 * NAME_predict (with -DTRAIN NAME_train_step, with -DREQUEST NAME_rank) takes for so many rows, with looking and, by a
 * switch in the same code, without, in turn: medians of 201 rounds, and of their quotients. By hand: bench_check.sh. */

#include MODEL_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 201, POOL = 1 << 12, LONGEST = 50, WIDEST = 8 }; /* rows */

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define OF(what) JOIN(MODEL, what)

typedef struct library {
  MODEL *model;
  int (*predict)(const MODEL *, const OF(inputs) *, const OF(outputs) *, void *);
#ifdef TRAIN
  int (*step)(MODEL *, const OF(batch) *, double, long, double *, void *);
#endif
#ifdef REQUEST
  int (*rank)(
    const MODEL *, const OF(request) *, const OF(candidates) *, const OF(outputs) *, void *);
#endif
  int *looks;
} library;

static int32_t id[POOL * LONGEST], target[POOL], offset[POOL + 1];
static float number[POOL * WIDEST], label[POOL];
#ifndef TRAIN
static float out[POOL];
#endif
static double took[2][ROUNDS], quotient[ROUNDS];
static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x)
{
  qsort(x, ROUNDS, sizeof *x, by_size);
  return x[ROUNDS / 2];
}

#ifdef REQUEST
static int call(const library *l, long first, long n, void *scratch)
{
  OF(request)
  request = {.L_length = 9, .user = target, .age = number, .seen = id, .long_0 = number};
  OF(candidates) candidates = {.n = n, .ad = target + first, .bid = number + first};
  OF(outputs) to = {.ctr = out};
  return l->rank(l->model, &request, &candidates, &to, scratch);
}
#else
static OF(inputs) rows_from(long first, long n)
{
  OF(inputs) in = {.n = n};
#ifdef LISTS
  in.L_offsets = offset;
  in.item = target + first;
  in.hist = id;
#else
  in.FIELDS = id + 3 * first;
  in.dense = number + WIDE * first;
#endif
  return in;
}

static int call(const library *l, long first, long n, void *scratch)
{
  OF(inputs) in = rows_from(first, n);
#ifdef TRAIN
  OF(batch) batch = {.inputs = in, .click = label + first};
  double loss;
  return l->step(l->model, &batch, 1e-4, 1, &loss, scratch);
#else
  OF(outputs) to = {.ctr = out};
  return l->predict(l->model, &in, &to, scratch);
#endif
}
#endif

/* Nanoseconds a call. */
static double run(const library *l, long rows, long calls, void *scratch)
{
  double start = now();
  long first = 0;
  for (long k = 0; k < calls; k++) {
    if (call(l, first, rows, scratch) != 0) {
      exit(1);
    }
    first = first + 2 * rows <= POOL ? first + rows : 0;
  }
  return (now() - start) / (double)calls;
}

static void *sym(void *so, const char *name)
{
  void *f = dlsym(so, name);
  if (f == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return f;
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#ifdef REQUEST
#define SCRATCH "rank_scratch"
#else
#define SCRATCH "scratch_for"
#endif
#define FIND(to, what) *(void **)&(to) = sym(so, TEXT(MODEL) "_" what)

static size_t bytes; /* of scratch */

static void load(library *l, const char *path, const char *weights)
{
  void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  char why[300] = "";
  int failed = so == NULL;
  if (!failed) {
#ifdef TRAIN
    int (*open)(MODEL **, const char *, uint64_t, char *, size_t);
    size_t (*need)(const MODEL *, const OF(batch) *);
    FIND(open, "open_training");
    FIND(need, "train_scratch");
    FIND(l->step, "train_step");
    failed = open(&l->model, weights, 1, why, sizeof why);
    OF(batch) b = {.inputs = rows_from(0, POOL), .click = label};
    bytes = failed ? 0 : need(l->model, &b);
#else
    int (*open)(MODEL **, const char *, char *, size_t);
    size_t (*need)(const MODEL *, long);
    FIND(open, "open");
    FIND(need, SCRATCH);
    failed = open(&l->model, weights, why, sizeof why);
    bytes = failed ? 0 : need(l->model, POOL);
#endif
#ifdef REQUEST
    FIND(l->rank, "rank");
#endif
    FIND(l->predict, "predict");
    l->looks = sym(so, "rank_looks");
  }
  if (failed) {
    fprintf(stderr, "%s: %s\n", path, so == NULL ? dlerror() : why);
    exit(1);
  }
}

static void make_values(void)
{
  static const uint32_t size[] = {SIZES}; /* of each position's vocabulary, one after another */
  const long positions = sizeof size / sizeof *size;
  for (long i = 0; i < POOL * LONGEST; i++) {
    for (long p = 0; p < i % positions; p++) {
      id[i] += (int32_t)size[p];
    }
    id[i] += (int32_t)below(size[i % positions]);
  }
  for (long i = 0; i < POOL; i++) {
    target[i] = (int32_t)below(size[0]);
    label[i] = (float)below(2);
    offset[i + 1] = offset[i] + 1 + (int32_t)(i * 7 + LONGEST / 2) % LONGEST;
  }
  for (long i = 0; i < POOL * WIDEST; i++) {
    number[i] = (float)below(1000) / 1000;
  }
}

int main(int argc, char **argv)
{
  if (argc < 4) {
    return 2;
  }
  library l;
  make_values();
  load(&l, argv[1], argv[2]);
  void *scratch = malloc(bytes);
  for (int a = 3; a < argc; a++) {
    long rows = atol(argv[a]);
    long calls = (long)(1e6 / run(&l, rows, 20, scratch)) + 1; /* a millisecond */
    for (int r = 0; r < ROUNDS; r++) {
      for (int k = 0; k < 2; k++) {
        *l.looks = (k ^ r) & 1;
        took[*l.looks][r] = run(&l, rows, calls, scratch);
      }
      quotient[r] = took[1][r] / took[0][r];
    }
    double with = median(took[1]), without = median(took[0]);
    printf("%s, %ld rows a call: %.1f ns, %.1f without looking: %+.1f %%\n", TEXT(MODEL), rows,
      with, without, 100 * (median(quotient) - 1));
  }
  free(scratch);
  return 0;
}
