#ifndef RANK_BENCH_PARTS_H
#define RANK_BENCH_PARTS_H

/* What the files of the comparison share: batches, results, and how they are shown. */

#include "rank_bench.h"
#include "rank_runtime.h"

typedef struct bench_batch {
  rank_batch b;
  void **input;
  int32_t **offset;
  long *touched; /* by parameter: different rows of a table that occur */
} bench_batch;

/* One level and pass. rate and ratio are what half of the rounds were below; low and high what a
 * quarter were below and above. */
typedef struct bench_result {
  double *rates; /* samples per second, by round */
  long steps;    /* per round */
  double rate, rate_low, rate_high, ratio, ratio_low, ratio_high;
  double flops, bytes; /* of the batches together */
  double difference;   /* from the first level: outputs, or loss and gradients */
  const char *differs; /* where it is largest */
} bench_result;

typedef struct bench_time { /* of a group, in a profiled level */
  int level, pass, group;
  double share;             /* of the time that is in groups */
  double ns;                /* of threads, per sample */
  double gflops, gigabytes; /* a second; 0: too short to be told from the clock's own time */
} bench_time;

typedef struct bench {
  const rank_bench *spec;
  const rank_model **model; /* by level */
  void **library;
  const rank_model *m; /* the first */
  rank_state state;    /* shared by all levels */
  rank_work work;
  rank_real **out;
  int threads, passes; /* passes: 2 when the model trains */
  long n, nbatches;
  bench_batch *batches;
  bench_result *result; /* [level * RANK_PASSES + pass] */
  double peak_flops, peak_bytes;
  bench_time *times; /* bench_groups fills it */
  int ntimes;
  const char *blas; /* what OpenBLAS calls its kernels; NULL: no level uses it */
} bench;

/* --- bench.c --- */
rank_status bench_step(bench *b, const rank_model *m, int pass, const bench_batch *batch);
bench_result *bench_result_of(const bench *b, int level, int pass);
/* An amount for all batches together. */
double bench_amount(const bench *b, const rank_bench_amount *x);

/* --- bench_data.c --- */
long bench_vocabulary(const bench *b, int input, long position); /* its size */
int bench_rows(const bench *b, long *rows, rank_error *e);       /* of each parameter */
int bench_data_new(bench *b, rank_error *e);
void bench_data_free(bench *b);

/* --- bench_agree.c: every level against the first; -1 also when they differ --- */
int bench_agree(bench *b, rank_error *e);

/* --- bench_groups.c: fills b->times and prints it --- */
int bench_groups(bench *b, rank_error *e);

/* --- bench_report.c --- */
void bench_print(const bench *b);
int bench_csv(const bench *b, const char *path, rank_error *e);
void bench_head(const bench *b);
double bench_samples(const bench *b); /* of all batches together */

/* --- bench_svg.c --- */
int bench_svg(const bench *b, const char *path, rank_error *e);

#endif
