#ifndef RANK_PROGRAM_BENCH_H
#define RANK_PROGRAM_BENCH_H

/* Between the files of the command `bench`: what is measured, and one thread that does. */

#include "library_opened.h"
#include "program.h"

enum { BENCH_CALLS = 200000 }; /* most that are kept of a thread */

typedef struct bench {
  const rank_model *m;
  const program_options *o;
  rank_log log;
  program_model model;
  rank_library library; /* the model as its library knows it, for requests */
  rank_opened opened;
  rank_data *data;
  char made_up[64]; /* temporary file, "" when there is none */
} bench;

/* How the model is called. A request is measured beside plain rows that say the same, in turn. */
typedef enum bench_api { BENCH_ROWS, BENCH_REPEATED, BENCH_REQUEST, BENCH_APIS } bench_api;

typedef struct bench_series {
  double *taken; /* [BENCH_CALLS] seconds of each call, the caller's to free */
  long calls;
  double total; /* of all of them */
} bench_series;

typedef struct bench_driver { /* one thread */
  const bench *b;
  int requests;     /* BENCH_REPEATED and BENCH_REQUEST, else BENCH_ROWS */
  long size, first; /* rows in a call; where its rows begin */
  bench_series series[BENCH_APIS];
  int failed;
  rank_error e;
} bench_driver;

/* program_bench_calls.c: a thread's whole life; arg is its bench_driver. */
void *bench_drive(void *arg);

#endif
