#ifndef RANK_MODEL_H
#define RANK_MODEL_H

/* What generated code tells the runtime about its model, and the calls between them.
 *
 * One idea: the runtime knows no graph. Everything it needs to read data, make parameters, train,
 * evaluate and predict stands in one constant `rank_model` that the generated program defines. Pure
 * data and functions; nothing here allocates. */

#include <stddef.h>
#include <stdint.h>

#ifdef RANK_F64
typedef double rank_real;
#else
typedef float rank_real;
#endif

enum { RANK_MAX_STATES = 4, RANK_MAX_SHAPE = 10 };

typedef enum rank_status {
  RANK_OK,
  RANK_BAD_ID,     /* an id outside its table */
  RANK_BAD_LENGTH, /* a list longer than its axis, or offsets that fall */
  RANK_BAD_VALUE,  /* NaN or infinite input */
  RANK_NO_MEMORY,
  RANK_BAD_FILE /* weights: missing, truncated, another model's */
} rank_status;

typedef enum rank_source {
  RANK_FROM_NAMES,     /* columns by header name */
  RANK_FROM_POSITIONS, /* columns by position, 0 is the first */
  RANK_FROM_INDICES,   /* libsvm: the indices of the row */
  RANK_FROM_VALUES,    /* libsvm: the values of the row, aligned with the indices */
  RANK_FROM_TARGET,    /* libsvm: the number before the first pair */
  RANK_FROM_FIT        /* no data: a fit computes it from other inputs of the row */
} rank_source;

typedef struct rank_encoding {
  rank_source source;
  int ncolumns;               /* = width of a plain input; 1 when a field is a list */
  const char *const *columns; /* RANK_FROM_NAMES */
  const int *positions;       /* RANK_FROM_POSITIONS */
  const char *separator;      /* of the elements of a list field; "" when not a list */
  const double *buckets;      /* bucketize: id = 1 + how many bounds are <= x; missing: 0 */
  int nbuckets;
  int vocab_min; /* vocabulary: fewer occurrences are unknown */
  double missing;
  unsigned char
    has_missing;       /* else an empty field is an error, or id 0 with hash, vocab, buckets */
  unsigned char nan;   /* what is missing is NaN, and infinities are values: only fits read it */
  unsigned char log1p; /* sign(x) log(1 + |x|) */
  unsigned char standardize; /* (x - mean) / sd per column, learnt from the training data */
  unsigned char hash;        /* id = 2 + hash(bytes) % (size - 2); empty: 0 */
  unsigned char vocab;       /* id by learnt vocabulary: 0 missing, 1 unknown, 2.. */
  unsigned char cut;         /* a list that is too long is cut; else it is an error */
  unsigned char keep_last;   /* with cut: the end that stays */
} rank_encoding;

typedef struct rank_dim { /* a ragged axis */
  const char *name;
  long max; /* longest list */
} rank_dim;

typedef struct rank_input {
  const char *name;
  unsigned char is_id; /* int32_t ids, else rank_real numbers */
  unsigned char label; /* not needed to predict */
  int dim;             /* index of its ragged axis in rank_model.dims, or -1 */
  long width;          /* values per row (a row: a sample, or an element of the list) */
  int nvocab;          /* ids: 1 (one vocabulary), or `width` of them, one per position */
  const long *vocab;   /* their sizes; [0] == 0: learnt. With several, position i's ids are stored
                        * with the sum of the sizes before it added, so that one table holds them all */
  int same_as;         /* shares the vocabulary (and encoding state) of this input, or -1 */
  rank_encoding encoding;
} rank_input;

/* An op of fits; only those that a model names are linked. */
extern const struct rank_fit_op rank_fit_standardize, rank_fit_bucketize, rank_fit_gbdt,
  rank_fit_forest, rank_fit_item_cosine, rank_fit_item_cosine_score, rank_fit_popularity,
  rank_fit_popularity_score;

/* Learnt from the training data before gradient training; afterwards its results, inputs RANK_FROM_FIT,
 * are computed from its sources for every batch. */
typedef struct rank_fit {
  const char *name, *op;
  const struct rank_fit_op *run; /* what the runtime does for it */
  unsigned char uses;            /* learns nothing: it applies what fits[of] has learnt */
  int of;
  int nsources;
  const int *sources; /* inputs, or -1 */
  int label;          /* input that it learns from besides, or -1 */
  int nresults;
  const int *results;     /* inputs, in the op's own order */
  const double *settings; /* all of the op's, in its order */
  const char *file;       /* that it is read from; NULL: it is learnt */
} rank_fit;

/* predict sums a table's numbers over the ids of a fit, and reads nothing else of it: with weights that do
 * not change, the fit can give the sums (rank_batch.folded) and empty lists of ids. */
typedef struct rank_fold {
  int fit, param;
} rank_fold;

/* An output that is a list of items: the results of a fit along a ragged axis, which stand in a batch and
 * not in what predict gives: ids, scores, and perhaps reasons for each (ids, -1: no more; parts). */
typedef struct rank_list {
  const char *name;
  unsigned char hidden;           /* only metrics look at it */
  int item, score, because, part; /* inputs; the last two are -1 when there are no reasons */
} rank_list;

typedef enum rank_init { RANK_ZEROS, RANK_CONSTANT, RANK_NORMAL, RANK_UNIFORM } rank_init;

typedef struct rank_param {
  const char *name;
  unsigned char table;
  long rows;    /* table: rows; 0: the size of the vocabulary of input `vocab_of`. Dense: 1 */
  int vocab_of; /* input index or -1 */
  long width;   /* values per row; dense: all values */
  int nshape;   /* shape in files; of a table the first is rows (0 when learnt) */
  long shape[RANK_MAX_SHAPE];
  rank_init init;
  double init_a, init_b; /* normal: mean, sd; uniform: low, high; constant: a */
  unsigned char free;    /* the penalty leaves it out */
  unsigned char
    by_rows; /* a table that predict reads through rank_stored: of more than one number a row */
} rank_param;

typedef struct rank_output {
  const char *name;
  unsigned char hidden; /* only a metric's argument: not printed by predict */
  long width;           /* values per sample, in the order of `shape` */
  int nshape;
  long shape[RANK_MAX_SHAPE];
  int nneeds;       /* the inputs it is computed from; 0: not known, it may be all of them */
  const int *needs; /* their indices */
} rank_output;

typedef struct rank_metric {
  const char *name; /* auc logloss gauc ne calibration mse rmse mae accuracy recall ndcg mrr */
  const char *text; /* as the model says it: "auc(ctr, click)" */
  int nargs;
  int args[4]; /* output indices */
  int by;      /* input index that groups, or -1 */
  int nk;
  const long *k;
  unsigned char ranked; /* no args: it is the place of input `target`'s id in list `list` */
  int list, target;
} rank_metric;

/* A batch of n samples. input[i]: rows of input i back to back ([rows][width], int32_t or rank_real);
 * rows = n, or offset[dim][n] for a ragged input. offset[d]: n + 1 numbers, the first is 0. Labels may
 * be NULL where they are not needed. Without arrays (input and offset NULL) it only says how large a
 * batch is: working memory can be measured for it, with every list at its longest. */
typedef struct rank_batch {
  long n;
  const void *const *input;
  const int32_t *const *offset;
  const rank_real *folded; /* see rank_fold; or NULL */
} rank_batch;

typedef enum rank_kind { RANK_REALS, RANK_F16, RANK_BF16, RANK_INT8 } rank_kind;

/* A table as it is served: rows of numbers, of halves, of the upper halves of floats, or of whole numbers
 * from -127 to 127 with a factor for each row. What is read is known when weights are opened. */
typedef struct rank_stored {
  const void *rows;   /* [rows][width] rank_real, uint16_t, uint16_t or int8_t */
  const float *scale; /* [rows] of RANK_INT8, else NULL */
  rank_kind kind;
} rank_stored;

/* Parameters and optimizer state. Tables: [rows][width]. state[p][k] of a dense parameter is like param[p];
 * the states of a table's row lie side by side, so row r of state k is at state[p][k] + r * width * nstates. */
typedef struct rank_state {
  rank_real **param;
  rank_real *(*state)[RANK_MAX_STATES];
  long *rows;    /* of each param: tables have theirs, dense ones 1 */
  uint64_t step; /* training steps done: Adam's t is step + 1 during the next */
  uint64_t seed; /* of the random numbers inside the model (dropout) */
  void
    *prepared; /* what predict needs of the parameters in another form; NULL: made in every call */
  rank_stored
    *stored; /* of each param, for predict: what is not RANK_REALS has no param[p]. NULL: all are */
} rank_state;

typedef struct rank_step {
  double lr;        /* base learning rate, before the schedule */
  long steps;       /* planned steps in all, for schedules; at least 1 */
  rank_real **grad; /* NULL, or for each param room for its whole gradient [rows][width], zeroed */
  int update;       /* 0: gradients only, the parameters stay */
  int threads;
} rank_step;

/* Inputs per request: the program cut in two. `request` gives, from one row, values as outputs; to `rank`
 * these are parameters behind the model's. */
typedef struct rank_part { /* as rank_model has the whole */
  rank_status (*run)(
    const rank_state *s, const rank_batch *b, rank_real *const *out, void *work, int threads);
  size_t (*bytes)(const rank_state *s, const rank_batch *b, int threads);
  size_t (*prepare)(const rank_state *s, void *prepared);
} rank_part;

typedef struct rank_split {
  int nvalues;
  const long *values;                 /* numbers of each */
  const unsigned char *inputs, *dims; /* by input, by ragged axis: 1 is the request's */
  rank_part request, rank;
} rank_split;

typedef struct rank_model {
  const char *name, *doc;
  const char *rankc; /* version that made it */
  uint64_t layout;   /* hash over inputs, params and states: weights files carry it */
  int ndims, ninputs, nfits, nparams, noutputs, nlists, nmetrics, nstates;
  const rank_dim *dims;
  const rank_input *inputs;
  const rank_fit *fits;
  const rank_fold *fold; /* or NULL */
  const rank_param *params;
  const rank_output *outputs; /* visible ones first */
  const rank_list *lists;
  const rank_metric *metrics;
  const char *const *state_names;
  const double *state_init;
  const char *optimizer; /* "" when the model does not train */
  const char *
    solver; /* "lbfgs": trains on all the data at once, the optimizer is for single steps; or NULL */
  int memory; /* of the solver: */
  double tolerance, l2;
  /* how data is written */
  int libsvm, libsvm_base, header;
  char separator;
  /* training defaults */
  double lr;
  long batch, epochs, seed, early_stopping;
  int drop_last;
  int no_loss;             /* evaluate's is then 0, and means nothing */
  const rank_split *split; /* NULL: no input is per request */

  /* Bytes of working memory that a call with this batch and number of threads needs. `training`: for
   * train, else for predict and evaluate. */
  size_t (*workspace)(const rank_state *s, const rank_batch *b, int threads, int training);
  /* What predict needs of the parameters in another form, for rank_state.prepared: fills it, and returns
   * its size in bytes; with NULL only that. */
  size_t (*prepare)(const rank_state *s, void *prepared);
  /* Outputs of every sample, out[i]: [n][width of output i]; out[i] NULL: not wanted. evaluate also
   * gives hidden outputs and the mean loss over the batch, and needs the labels. Reentrant. */
  rank_status (*predict)(
    const rank_state *s, const rank_batch *b, rank_real *const *out, void *work, int threads);
  rank_status (*evaluate)(const rank_state *s, const rank_batch *b, rank_real *const *out,
    double *loss, void *work, int threads);
  /* One training step: *loss is the mean over the batch before the update. n = 0 changes nothing. */
  rank_status (*train)(
    rank_state *s, const rank_batch *b, const rank_step *step, double *loss, void *work);
  /* The same, compiled without threads (step->threads is 1): a step of one row takes a twentieth of the
   * time. NULL: there is none. */
  rank_status (*train_serial)(
    rank_state *s, const rank_batch *b, const rank_step *step, double *loss, void *work);
} rank_model;

/* The native program: train, eval, predict, step, info. Returns the exit code. */
int rank_program(const rank_model *m, int argc, char **argv);

/* Validates offsets, lengths, ids and numbers of a batch. labels: also those. On error *what gets the
 * input's index and *at the row. */
rank_status rank_check_batch(
  const rank_model *m, const rank_state *s, const rank_batch *b, int labels, int *what, long *at);

#endif
