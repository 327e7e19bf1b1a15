#ifndef RANK_FIT_H
#define RANK_FIT_H

/* Fitted operators: what is learnt by passes over the training data rather than by gradient.
 *
 * One idea: a fit's results are inputs of the model that no file has. Between a batch of data and generated
 * code stands rank_fits_apply, which computes them from other inputs of the same rows; so nothing else knows
 * of fits. An op is a row of functions, which generated code names; all that it learns is a few tensors, so saving, loading and
 * copying are the same for every op. */

#include "rank_error.h"
#include "rank_model.h"
#include "safetensors.h"
#ifndef RANK_SERVING
#include "rank_data.h"
#include "rank_runtime.h"
#endif

#include <stdio.h>

enum { FIT_TENSORS = 6 };

typedef struct fit_tensor { /* row-major */
  const char *key;          /* "fit.NAME.KEY" in files */
  st_dtype type;
  int64_t rows, columns;
  void *data; /* malloc'd */
  double *at; /* the same as what it holds, ST_F64 (every int32 and float exactly); else NULL */
  int32_t *ints;
  float *floats;
} fit_tensor;

typedef struct fit_state {
  int ntensors; /* 0: not learnt yet */
  fit_tensor tensor[FIT_TENSORS];
  void *made; /* by the op's ready(), from the tensors */
} fit_state;

/* Adds a zeroed tensor; its numbers, or NULL: no memory. */
double *fit_add(fit_state *s, const char *key, int64_t rows, int64_t columns);
/* The same of ST_F64, ST_F32 or ST_I32. */
fit_tensor *fit_add_as(fit_state *s, const char *key, st_dtype type, int64_t rows, int64_t columns);
void fit_forget(const rank_fit *fit, fit_state *s);
int fit_get_ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e);
const fit_tensor *fit_find(const fit_state *s, const char *key); /* NULL: not there */

typedef struct fit_call fit_call;

#ifndef RANK_SERVING

struct fit_call { /* what an op is given to learn from */
  const rank_model *m;
  const rank_fit *fit;
  rank_rows train, valid; /* valid.n == 0: none */
  long ids;               /* of the first source, when it holds ids: how many there are */
  int threads;
  rank_log *log;
};

/* Shows all rows, in order, at most FIT_PIECE at a time, without the results of fits; what is seen lasts for
 * the call. Ends early when `see` says -1, which then has told why. */
enum { FIT_PIECE = 4096 };
int fit_each(rank_rows rows, int (*see)(void *arg, const rank_batch *b), void *arg, rank_error *e);

#endif

typedef struct rank_fit_op {
  const char *keys[FIT_TENSORS + 1]; /* of its tensors, NULL at the end */
  /* NULL of an op that uses what another fit has learnt: `s` below is then that one's. */
  int (*learn)(const fit_call *c, fit_state *s, rank_error *e); /* fills the tensors */
  /* After learning or loading: believes nothing of the tensors; makes s->made. May be NULL. */
  int (*ready)(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e);
  void (*forget)(void *made); /* may be NULL */
  /* out[k]: room for the results of b->n rows; offset[k]: n + 1 numbers to set, for a result with a ragged
   * axis (else NULL); room: as many bytes as room() says, aligned to 64. Reentrant, allocates nothing. 0 or -1.
   * NULL: no results. */
  int (*apply)(const rank_model *m, const rank_fit *fit, const fit_state *s, const rank_batch *b,
    void *const *out, int32_t *const *offset, void *room);
  size_t (*room)(const rank_model *m, const rank_fit *fit, const fit_state *s); /* or NULL: none */
  /* What has been learnt: lines, or members of a JSON object, each behind a comma. Or NULL. */
  void (*info)(const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json);
  unsigned char no_rows;       /* learns without data */
  st_dtype types[FIT_TENSORS]; /* of its tensors; 0: ST_F64 */
  /* How many ids there are in its sources, by what was learnt; NULL: as their types say. */
  int32_t (*ids)(const fit_state *s);
  /* From now on result 1 is the sum of a table's numbers over the ids of result 0, whose lists are empty. Or NULL */
  int (*fold)(const rank_fit *fit, fit_state *s, const rank_real *table, rank_error *e);
  /* The forest that it has, as LightGBM's text; or NULL */
  int (*write_lightgbm)(const fit_state *s, FILE *out, rank_error *e);
} rank_fit_op;

#ifdef RANK_SERVING /* a library learns, exports and tells nothing */
#define FIT_LEARN(f) NULL
#define FIT_WRITE(f) NULL
#define FIT_INFO(f) NULL
#else
#define FIT_LEARN(f) f
#define FIT_WRITE(f) f
#define FIT_INFO(f) f
#endif

typedef struct rank_fits {
  const rank_model *m;
  fit_state *state; /* [m->nfits] */
  int ready;
  const rank_fold *folded; /* the model's, once rank_fits_fold has been called; else NULL */
} rank_fits;

rank_fits *rank_fits_new(const rank_model *m); /* NULL: no memory. Ready when the model has none */
void rank_fits_free(rank_fits *f);
int rank_fits_ready(const rank_fits *f);
int rank_fits_need_rows(const rank_model *m); /* to be learnt: a fit does */
#ifndef RANK_SERVING                          /* fit_learn.c */
int rank_fits_learn(rank_fits *f, const rank_encoders *enc, rank_rows train, rank_rows valid,
  int threads, rank_log *log, rank_error *e);
#endif

/* Bytes for the results of n rows; apply makes *whole, whose arrays lie in `room` (aligned to 64) or are
 * b's. A fit with an input that is NULL in b is left out. Reentrant; 0, or -1: no memory. */
size_t rank_fits_room(const rank_fits *f, long n); /* f NULL: 0 */
int rank_fits_apply(const rank_fits *f, const rank_batch *b, void *room, rank_batch *whole);

/* With parameters that do not change any more, for the model's predict alone: the model has a fold. */
int rank_fits_fold(rank_fits *f, const rank_real *table, rank_error *e);

/* Whether fits know the ids that they are asked about: 0, or -1, the input and the sample, and how many ids
 * there are. The batch has passed rank_check_batch. */
int rank_fits_check(const rank_fits *f, const rank_batch *b, int *input, long *at, long *ids);

/* --- fit_file.c --- */

/* Tensors to save, at most FIT_TENSORS a fit; names need room for FIT_NAME bytes each. How many. */
enum { FIT_NAME = 512 };
int rank_fits_entries(const rank_fits *f, st_entry *entries, char (*names)[FIT_NAME]);
/* Takes what the file has; a file without any leaves them not ready. */
int rank_fits_load(rank_fits *f, const st_file *file, rank_error *e);
void rank_fits_info(const rank_fits *f, FILE *out, int json); /* JSON: ", \"fits\": [...]" */
/* The forest of the fit called `name`, or of the only one that has one (NULL), as LightGBM's text. */
int rank_fits_write_lightgbm(const rank_fits *f, const char *name, FILE *out, rank_error *e);

#endif
