#ifndef RANK_RUNTIME_H
#define RANK_RUNTIME_H

/* What the runtime's files share with each other and not with generated code: memory for parameters,
 * weights files, evaluation, training, and how things are said to the user.
 *
 * Conventions: functions that can fail return 0 or -1 and fill a rank_error; nothing but the program
 * (program*.c, log.c) prints, and nothing exits. */

#include "check.h"
#include "metrics.h"
#include "rank_data.h"
#include "rank_error.h"
#include "rank_model.h"
#include "safetensors.h"

#include <stdio.h>

/* --- file.c: files that appear whole or not at all --- */

typedef struct rank_file {
  FILE *out;
  char *path, *temp; /* temp NULL: written in place (a pipe, a device) */
} rank_file;

int rank_file_create(rank_file *f, const char *path, rank_error *e);
int rank_file_commit(rank_file *f, rank_error *e); /* on failure the old file is as it was */
void rank_file_discard(rank_file *f);

/* file_temp.c: a new file beside PREFIX, locked as long as it is open; *name is its path, malloc'd. What
 * killed programs left there is removed. -1 with errno. */
int rank_temp_create(const char *prefix, char **name);

/* --- state.c --- */

/* Room for parameters, and optimizer state when `training`; rows[p] of each table. Zeroed. */
int rank_state_new(
  rank_state *s, const rank_model *m, const long *rows, int training, rank_error *e);
void rank_state_free(rank_state *s, const rank_model *m); /* also of a zeroed one */
/* Parameters by their initialisers and optimizer state by its own: depends on seed, names and shapes
 * only. Sets step to 0 and seed. */
void rank_state_init(rank_state *s, const rank_model *m, uint64_t seed, int threads);
void rank_state_reset(rank_state *s, const rank_model *m); /* the optimizer state alone */
void rank_state_copy(rank_state *to, const rank_state *from, const rank_model *m);
/* Index of the first parameter that holds a NaN or an infinity, or -1. */
int rank_state_bad(const rank_state *s, const rank_model *m);
/* Rows of each parameter; those of learnt vocabularies from `enc` (NULL: leaves them 0). */
int rank_state_rows(const rank_model *m, const rank_encoders *enc, long *rows, rank_error *e);
size_t rank_param_count(const rank_model *m, const rank_state *s, int param); /* values */
/* From one row of a table's state to the next; 0 where a state is one piece. */
long rank_state_stride(const rank_model *m, int param);

/* Standard normal quantile of u in (0, 1). */
double rank_normal_quantile(double u);

/* --- weights.c: a state and how far its training came, as a safetensors file --- */

typedef struct rank_place { /* between two rows of a file */
  uint64_t offset;          /* bytes before it; 0: the beginning, or no file */
  long line;                /* the next row's */
  uint64_t check;           /* a hash of the last bytes before it */
} rank_place;

typedef struct rank_online_place { /* of learning row by row */
  long rows, window_rows;          /* learnt; since the last line of the log */
  double loss, window_loss;        /* sums over them, each before it was learnt */
  rank_place place;                /* in the file they came from */
} rank_online_place;

typedef struct rank_position { /* where training stands */
  uint64_t seed;
  long epoch;       /* epochs finished */
  long batches;     /* steps done in the epoch under way */
  long batch, rows; /* batch size and training rows of that epoch */
  double loss_sum;  /* over the samples of that epoch so far */
  double best;      /* score of the best epoch; NaN: none yet */
  long best_epoch;  /* 0: none */
  rank_online_place online;
} rank_position;

typedef struct rank_weights {
  st_file file;
  int foreign; /* without our metadata: another program wrote it */
} rank_weights;

/* Opens and checks that it is this model's. */
int rank_weights_open(rank_weights *w, const rank_model *m, const char *path, rank_error *e);
void rank_weights_close(rank_weights *w);
int rank_weights_encoders(const rank_weights *w, rank_encoders *enc, rank_error *e);
/* Rows of learnt tables as the file has them, for those that are still 0. */
int rank_weights_rows(const rank_weights *w, const rank_model *m, long *rows, rank_error *e);
/* Fills parameters, step, seed and, when there is room for it, optimizer state (as initialised when the
 * file has none). position may be NULL. */
int rank_weights_read(const rank_weights *w, const rank_model *m, rank_state *s,
  rank_position *position, rank_error *e);
/* The best epoch's state, if the file has one beside the current: 1 read, 0 none, -1. */
int rank_weights_read_best(
  const rank_weights *w, const rank_model *m, rank_state *best, rank_error *e);
/* The tensor of a parameter, which has `rows` rows; NULL when there is none that fits. */
const st_tensor *rank_weights_find(
  const rank_weights *w, const rank_model *m, int param, long rows, rank_error *e);
/* best: NULL, or a second state to keep in the same file. */
int rank_weights_save(const char *path, const rank_model *m, const rank_state *s,
  const rank_state *best, const rank_encoders *enc, const rank_position *position, rank_error *e);

/* With more tensors beside them, which whoever wrote them finds again in the file. */
int rank_weights_save_with(const char *path, const rank_model *m, const rank_state *s,
  const rank_state *best, const rank_encoders *enc, const rank_position *position,
  const st_entry *more, int nmore, rank_error *e);

/* --- evaluate.c --- */

typedef struct rank_work { /* working memory that grows when asked for more */
  void *data;
  size_t bytes;
} rank_work;

int rank_work_need(rank_work *w, size_t bytes, rank_error *e);
void rank_work_free(rank_work *w);

typedef struct rank_score {
  char name[120]; /* "auc(ctr, click)", "recall(u, a; k = 10)" */
  double value;   /* NaN: not defined on this data */
} rank_score;

typedef struct rank_scores {
  long rows;
  double loss;
  int n;
  rank_score *score;
} rank_scores;

typedef struct rank_rows { /* some rows of some data */
  const rank_data *data;
  long first, n;
} rank_rows;

/* Loss and metrics over rows. `stop` (may be NULL): gives up with 1 as soon as it is not 0. */
int rank_evaluate(const rank_model *m, const rank_state *s, rank_rows rows, long batch, int threads,
  const volatile int *stop, rank_scores *scores, rank_error *e);
int rank_is_retrieval(const rank_metric *metric); /* recall, ndcg or mrr of two vectors */
/* Names and values of such a metric, one for each of its k, from the places that the right ones have among
 * all [rows]: how many. */
int rank_retrieval_scores(
  const rank_metric *metric, const long *place, long rows, rank_score *score);
void rank_scores_free(rank_scores *scores);
/* The number to compare epochs by, larger is better: the first metric's first value, else the loss. */
double rank_scores_rank(const rank_model *m, const rank_scores *scores);

/* --- guard.c: what went bad when something is not finite --- */

const char *rank_not_finite(double x); /* "nan", "inf", "-inf" */
/* What the guards of a checked program found first, and in which sample of the batch (-1: none): 1. 0 when they
 * found nothing, as in all programs that are not checked. */
int rank_guard_text(char *text, size_t room, long *sample);
/* The same as an error: -1; `first`: the row that the batch's first sample is, from 0. Call rank_guard_clear
 * (rank_guard.h) before what is guarded. */
int rank_guard_check(long first, rank_error *e);
/* The first parameter that is not finite: 1; 0: there is none. */
int rank_state_bad_text(const rank_model *m, const rank_state *s, char *text, size_t room);
/* Evaluates the rows one by one: which of the n is the first whose outputs or loss are not finite, and says
 * what it is; -1: none is by itself. */
long rank_bad_row(const rank_model *m, const rank_state *s, rank_batcher *batcher,
  const uint32_t *rows, long n, char *text, size_t room);

/* --- log.c --- */

typedef struct rank_log {
  int quiet, bar; /* bar: standard error is a terminal */
  int shown;      /* a bar stands on the line */
  double last;    /* when it was drawn */
  FILE *out;      /* of lines */
  FILE *json;     /* NULL: none */
} rank_log;

double rank_now(void); /* seconds, monotonic */
int rank_log_open(rank_log *l, int quiet, const char *json_path, int append, rank_error *e);
int rank_log_close(rank_log *l, rank_error *e);
/* A line on l->out, standard output unless it is set otherwise (not when quiet). */
__attribute__((format(printf, 2, 3))) void rank_log_line(rank_log *l, const char *format, ...);
/* Shows how far something is, on standard error: a bar on a terminal, else a line every half minute. */
void rank_log_progress(rank_log *l, double fraction, const char *text);
void rank_log_clear(rank_log *l);
void rank_json_string(FILE *out, const char *text);
void rank_json_bytes(FILE *out, const char *text, long length);
void rank_json_number(FILE *out, double x); /* null when not finite */
void rank_json_scores(FILE *out, const rank_scores *scores);
const char *rank_count_text(double x, char text[32]); /* 1,234,567 */

/* --- plot.c: learning curves --- */

typedef struct rank_plot rank_plot;

/* `across` says what x counts. The path has to outlive it. NULL: no memory. */
rank_plot *rank_plot_new(const char *path, const char *title, const char *across);
void rank_plot_free(rank_plot *p); /* also NULL, as for all of these: then nothing is drawn */
/* Adds to a curve, made when it is new, of a panel, also made then. NaN and infinities are left out. */
void rank_plot_point(rank_plot *p, const char *panel, const char *name, double x, double y);
/* What a validation found: loss and metrics, each metric in its own panel. */
void rank_plot_scores(rank_plot *p, double x, const rank_scores *scores);
void rank_plot_mark(rank_plot *p, double x); /* a line at the weights that are kept */
/* The file, whole or as it was before. */
int rank_plot_write(const rank_plot *p, rank_error *e);
void rank_svg_text(FILE *out, const char *text); /* escaped */

/* --- train.c --- */

typedef struct rank_training {
  const rank_model *m;
  rank_state *s;
  rank_state *best; /* room for the best epoch's state, or NULL: the last is kept */
  const rank_encoders *enc;
  rank_rows train, valid; /* valid.n == 0: none */
  long epochs, batch, patience, log_every;
  long checkpoint; /* steps between saves; 0: at ends of epochs alone */
  int threads, drop_last;
  int fewer; /* steps may have one thread where that is faster */
  double lr;
  const char *save; /* NULL: not saved */
  const char *from; /* what the training data is called in messages: its file */
  rank_log *log;
  rank_plot *plot; /* NULL: none; written after every epoch */
  rank_position at;
  const volatile int *stop; /* a signal's number asks to stop after the step */
} rank_training;

/* 0: finished and saved; 1: stopped by *stop and saved; -1. */
int rank_train(rank_training *t, rank_error *e);

/* --- solve.c --- */

/* The same by the model's solver: epochs and checkpoint are in iterations, at.epoch is how many were made.
 * weights: the file to go on from, or NULL. */
int rank_solve(rank_training *t, const rank_weights *weights, rank_error *e);

/* --- synth.c --- */

typedef struct rank_synth {
  long rows;
  uint64_t seed;
  int funnel;
} rank_synth;

int rank_synth_write(const rank_model *m, const rank_synth *o, FILE *out, rank_error *e);

#endif
