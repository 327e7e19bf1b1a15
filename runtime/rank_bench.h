#ifndef RANK_BENCH_H
#define RANK_BENCH_H

/* Several builds of one model, measured against each other: what `rankc bench` writes down for the
 * program that it builds and runs.
 *
 * One idea: every level is a shared object that exports the same rank_model; one process loads them all
 * and runs them in turn, on the same batches and the same parameters, so that whatever disturbs the
 * machine disturbs all of them alike. */

#include "rank_model.h"

enum { RANK_BENCH_DIMS = 8, RANK_FORWARD = 0, RANK_TRAIN = 1, RANK_PASSES = 2 };

/* factor * n ^ (batches - 1) * sum over the n samples of the product of length[d] ^ power[d]; without
 * batches the factor alone. Then times the rows of a table: those that occur, or all. */
typedef struct rank_bench_term {
  double factor;
  int batches;
  unsigned char power[RANK_BENCH_DIMS];
  int touched, rows; /* parameter, or -1 */
} rank_bench_term;

typedef struct rank_bench_amount {
  int n;
  const rank_bench_term *terms;
} rank_bench_amount;

/* What runs without a break. */
typedef struct rank_bench_group {
  const char *name; /* what it computes */
  rank_bench_amount flops, bytes;
} rank_bench_group;

typedef struct rank_bench_pass { /* forward, or a training step */
  int ngroups;
  const rank_bench_group *groups;
  int barriers;
  long code;         /* bytes of instructions */
  double compile_ms; /* of the C compiler */
} rank_bench_pass;

typedef struct rank_bench_level {
  const char *name;
  int rewrites;
  const char *path;     /* shared object */
  const char *profiled; /* the same with a clock around each group, or NULL */
  rank_bench_pass pass[RANK_PASSES];
} rank_bench_level;

/* Which inputs look up a table whose gradient has only the rows that occur. */
typedef struct rank_bench_table {
  int param, ninputs;
  const int *inputs;
} rank_bench_table;

typedef struct rank_bench {
  const char *symbol; /* of the rank_model */
  int nlevels, ntables;
  const rank_bench_level *levels; /* the first is what the others are compared with */
  const rank_bench_table *tables;
  long batch; /* samples; 0: what the model trains with */
  long batches, vocab, rounds;
  int threads;                  /* 0: as many as there are processors */
  double seconds;               /* per level and pass, over all rounds */
  double zipf;                  /* 0: ids are uniform */
  long length_low, length_high; /* of lists; 0: from 1 to the most there may be */
  uint64_t seed;
  const char *csv, *svg; /* files, or NULL */
  /* rank_peak.h, compiled for this machine */
  double (*peak_flops)(int threads, double seconds);
  double (*peak_bytes)(int threads, double seconds);
} rank_bench;

/* Checks that the levels agree, times them, prints. The exit code: 1 also when they do not agree. */
int rank_bench_run(const rank_bench *b);

#endif
