#ifndef RANK_PROGRAM_H
#define RANK_PROGRAM_H

/* Shared by the files of the native program: what its command line said, and its commands. */

#include "rank_index.h"
#include "rank_runtime.h"

typedef enum program_command {
  PROGRAM_TRAIN = 1,
  PROGRAM_EVAL = 2,
  PROGRAM_PREDICT = 4,
  PROGRAM_STEP = 8,
  PROGRAM_INIT = 16,
  PROGRAM_INFO = 32,
  PROGRAM_SYNTH = 64,
  PROGRAM_INDEX = 128,
  PROGRAM_SEARCH = 256,
  PROGRAM_BENCH = 512,
  PROGRAM_EXPORT = 1024,
  PROGRAM_QUANTIZE = 2048
} program_command;

typedef struct program_options {
  const char *data, *valid, *load, *save, *out, *log, *cache, *batch_file;
  const char *index, *catalogue, *output, *id, *exclude, *lightgbm, *fit, *tables, *against, *plot;
  long epochs, batch, threads, rows, log_every, checkpoint; /* 0: not given */
  int fewer_threads;    /* their number was not given: training may take fewer */
  long k, candidates;   /* 0: not given */
  long steps, patience; /* -1: not given */
  uint64_t seed;
  double lr, valid_split; /* 0: not given */
  int has_seed, no_cache, quiet, json, jsonl, approximate, funnel, csv;
  int online, follow, ack, from_start;
  double seconds; /* 0: not given */
} program_options;

/* Fills in what the command line says; wrong usage prints and exits with 2, --help with 0. */
void program_parse(const rank_model *m, program_command command, const char *name, int argc,
  char **argv, program_options *o);

long program_processors(void);

/* Commands: 0, 1 after printing why, or 128 + signal. */
int program_train(const rank_model *m, const program_options *o);
int program_online(const rank_model *m, const program_options *o); /* `train --online` */
int program_eval(const rank_model *m, const program_options *o);
int program_predict(const rank_model *m, const program_options *o);
int program_step(const rank_model *m, const program_options *o);
int program_init(const rank_model *m, const program_options *o);
int program_info(const rank_model *m, const program_options *o);
int program_synth(const rank_model *m, const program_options *o);
int program_bench(const rank_model *m, const program_options *o);
int program_export(const rank_model *m, const program_options *o);
int program_quantize(const rank_model *m, const program_options *o);
int program_index(const rank_model *m, const program_options *o);
int program_search(const rank_model *m, const program_options *o);

/* SIGINT and SIGTERM ask to stop after the step; the second one is the system's. */
const volatile int *program_signals(void); /* the signal's number, or 0 */
/* Whether a file can be written there: better now than after hours. */
int program_check_writable(const char *path, rank_error *e);

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

/* Writes rows of made-up data to a temporary file; path: "" when there is none. */
int program_made_up(const rank_model *m, long rows, char path[64], rank_error *e);
/* Room for the outputs that a prediction gives, each [rows][width]; hidden ones NULL. NULL: no memory. */
rank_real **program_outputs_new(const rank_model *m, long rows);
void program_outputs_free(const rank_model *m, rank_real **value); /* may be NULL */

/* Reads a data file with a progress bar. */
rank_data *program_data(const rank_model *m, const program_options *o, rank_encoders *enc,
  const char *path, int labels, int fit, rank_log *log, rank_error *e);

/* --- program_vectors.c: one output of a model over a file --- */

/* Only the inputs that the output is computed from are read; the data may lack all others. */
typedef struct program_vectors {
  const rank_model *m;
  const program_options *o;
  int output;
  long width, batch;
  program_model model;
  rank_model reads; /* m, with the inputs that are not read marked as labels are */
  rank_input *inputs;
  rank_data *data;
  rank_batcher *batcher;
  rank_log log;
  void **nothing; /* per input: zeros for one that is not read */
  const void **input;
  rank_real **out;
  rank_work work;
} program_vectors;

/* The output called `name` (NULL: the first or second vector that a retrieval metric compares). */
int program_vector_output(const rank_model *m, const char *name, int second, rank_error *e);
/* Loads the model and reads the data, with the output's inputs and those in `also` ([n] indices). */
int program_vectors_open(program_vectors *v, const rank_model *m, const program_options *o,
  int output, const int *also, int nalso, rank_error *e);
void program_vectors_close(program_vectors *v);
/* The output of rows first to first + n - 1, n at most v->batch: [n][width]. The batch they were in stays
 * valid until the next call; NULL on error. */
const rank_batch *program_vectors_next(
  program_vectors *v, long first, long n, float *vectors, rank_error *e);
/* Draws the bar. */
void program_vectors_progress(program_vectors *v, long done, const char *text);
/* A hash of the parameters, to tell whose vectors an index holds. */
uint64_t program_fingerprint(const rank_model *m, const rank_state *s);

/* --- program_index.c: catalogues --- */

/* The id input that says which item a row of `output` is, or -1. */
int program_item_input(const rank_model *m, int output);
/* The text ids in a column of a file, in the order of its rows: ids->texts and ids->lengths in one
 * allocation, ids->texts, which the caller frees. Whole numbers all of them: ids->numbers instead. */
struct index_item_ids;
int program_read_ids(const rank_model *m, const char *path, const char *column,
  struct index_item_ids *ids, rank_error *e);
void program_free_ids(struct index_item_ids *ids);
/* The vectors of all rows as a draft of an index; `column` NULL: ids are the rows' numbers. */
struct index_draft;
int program_catalogue(program_vectors *v, const char *column, struct index_draft *d, rank_error *e);

/* --- program_eval.c --- */

/* A line; "n/a" for a value of no rows. other: NULL, or that there is a value of other weights, `before`. */
void program_print_score(const char *name, double value, const rank_scores *other, double before);

/* --- program_exclude.c --- */

typedef struct program_code {
  int32_t code; /* the model's id of an item */
  uint32_t at;  /* its position in the index */
} program_code;

typedef struct program_codes { /* by code, then position */
  long count;
  program_code *sorted;
} program_codes;

/* `name`: of the index, for messages. */
int program_codes_new(program_codes *c, const rank_index *x, const char *name, rank_error *e);
void program_codes_free(program_codes *c);
long program_codes_find(const program_codes *c, int32_t code); /* the first in `sorted`, or -1 */

typedef struct program_exclusion {
  const rank_model *m;
  int input; /* -1: nothing is left out */
  program_codes codes;
  int64_t *from; /* as in rank_index_query; NULL: nothing is left out */
  uint32_t *skip;
  int64_t room;
} program_exclusion;

int program_exclude_input(const rank_model *m, const char *name, rank_error *e);
int program_exclusion_new(program_exclusion *x, const rank_model *m, const rank_index *index,
  const char *name, int input, long batch, rank_error *e);
void program_exclusion_free(program_exclusion *x);
int program_exclude(program_exclusion *x, const rank_batch *b, rank_error *e);

/* --- program_search.c --- */

/* Opens an index and checks that it holds vectors of this model, these weights and this width. */
int program_open_index(rank_index **x, const char *path, const program_vectors *v, rank_error *e);

/* --- program_places.c --- */

/* `eval --catalogue` and `eval --index`. */
int program_eval_places(const rank_model *m, const program_options *o);

/* --- program_lists.c: outputs that are lists of items --- */

typedef struct program_list {
  const rank_model *m;
  const rank_encoders *enc;
  int list, jsonl;
  long reasons; /* of each item */
} program_list;

/* The list that `predict` prints: called `name`, or the first when the model has no other output. -1: it
 * prints outputs; -2: there is none of that name. */
int program_list_output(const rank_model *m, const char *name, rank_error *e);
void program_list_header(const program_list *l, FILE *out);
/* Of a batch whose first row is row `done` of the file. */
void program_list_rows(const program_list *l, const rank_batch *b, long done, FILE *out);
/* A field of CSV: quoted when it has to be. */
void program_print_field(FILE *out, const char *text, long length);

/* --- program_graph.c: approximate search --- */

typedef struct program_graph program_graph;

/* Builds it over an open index, which has to outlive it. NULL after saying why. */
program_graph *program_graph_new(const rank_index *x, rank_log *log, rank_error *e);
void program_graph_free(program_graph *g); /* also NULL */
/* As rank_index_search, but some of the best may be missed. */
int program_graph_search(
  program_graph *g, const rank_index_query *q, rank_index_hit *hits, rank_error *e);
void program_graph_report(const program_graph *g, long k); /* recall, on standard error */

#endif
