#ifndef RANK_PROGRAM_H
#define RANK_PROGRAM_H

/* Shared by the files of the native program: what its command line said, and its commands. */

#include "rank_runtime.h"

typedef enum program_command {
  PROGRAM_TRAIN = 1,
  PROGRAM_EVAL = 2,
  PROGRAM_PREDICT = 4,
  PROGRAM_STEP = 8,
  PROGRAM_INIT = 16,
  PROGRAM_INFO = 32,
  PROGRAM_SYNTH = 64
} program_command;

typedef struct program_options {
  const char *data, *valid, *load, *save, *out, *log, *cache, *batch_file;
  long epochs, batch, threads, rows, log_every; /* 0: not given */
  long steps, patience;                         /* -1: not given */
  uint64_t seed;
  double lr, valid_split; /* 0: not given */
  int has_seed, no_cache, quiet, json, funnel;
} program_options;

/* Fills in what the command line says; wrong usage prints and exits with 2, --help with 0. */
void program_parse(const rank_model *m, program_command command, const char *name, int argc,
  char **argv, program_options *o);

long program_processors(void);

/* Commands: 0, 1 after printing why, or 128 + signal. */
int program_train(const rank_model *m, const program_options *o);
int program_eval(const rank_model *m, const program_options *o);
int program_predict(const rank_model *m, const program_options *o);
int program_step(const rank_model *m, const program_options *o);
int program_init(const rank_model *m, const program_options *o);
int program_info(const rank_model *m, const program_options *o);
int program_synth(const rank_model *m, const program_options *o);

/* Prints "NAME: error: TEXT"; 1. */
int program_error(const rank_model *m, const rank_error *e);

/* --- what several commands do --- */

/* A loaded model: encoders, parameters, and where its training stands. */
typedef struct program_model {
  rank_encoders *enc;
  rank_weights weights;
  int loaded; /* weights is open */
  rank_state state;
  rank_position at;
} program_model;

/* Opens `load` (may be NULL) and takes its encoders. */
int program_open(program_model *p, const rank_model *m, const char *load, rank_error *e);
/* Allocates the state and fills it, from the file or else initialised with `seed`. */
int program_fill(
  program_model *p, const rank_model *m, int training, uint64_t seed, int threads, rank_error *e);
void program_close(program_model *p, const rank_model *m);

/* Reads a data file with a progress bar. */
rank_data *program_data(const rank_model *m, const program_options *o, rank_encoders *enc,
  const char *path, int labels, int fit, rank_log *log, rank_error *e);

#endif
