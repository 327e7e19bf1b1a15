#ifndef RANKC_API_H
#define RANKC_API_H

/* What the two files of a model's C interface have in common: what is in it, and the heads of its
 * functions. */

#include "writer.h"

enum { TO_PREDICT = 1, TO_TRAIN = 2, OF_REQUEST = 4 };

enum { LIST_ITEM, LIST_SCORE, LIST_BECAUSE, LIST_PART, LIST_PARTS };

typedef struct Api {
  Arena *arena;
  const Graph *g;
  const RequestSplit *split; /* NULL: no input is per request */
  const Graph *predict;      /* what is left of the model to predict */
  Buf out;
  Str m, upper; /* the model's name in C */
  bool trains;
  const Frozen *frozen; /* or NULL */
  Str weights;          /* frozen: what is said of them */
  const char *real;     /* float */
  int *inputs, *axes;   /* by input, by root ragged axis: what it is needed for */
  Str *input_name, *axis_name, *output_name;
  Str *list_name; /* LIST_PARTS for each ranked output */
} Api;

typedef enum ApiHead {
  HEAD_STATUS,
  HEAD_VERSION,
  HEAD_ABI,
  HEAD_OPEN,
  HEAD_CLOSE,
  HEAD_SCRATCH,
  HEAD_SCRATCH_FOR,
  HEAD_PREDICT,
  HEAD_EXPLAIN,
  HEAD_RANK,
  HEAD_RANK_SCRATCH,
  HEAD_RANK_EXPLAIN,
  HEAD_OPEN_TRAINING,
  HEAD_TRAIN_SCRATCH,
  HEAD_TRAIN_STEP,
  HEAD_EXPLAIN_BATCH,
  HEAD_SAVE
} ApiHead;

Str api_named(
  Api *a, const char *text); /* with NAME and MODEL as the model's name, in capitals too */
void api_put(Api *a, const char *text);                /* the same, into the file */
void api_head(Api *a, ApiHead which, const char *end); /* a function's head, and what follows it */

/* What a function of a library is given. */
typedef enum ApiRows { ROWS_PREDICT, ROWS_TRAIN, ROWS_REQUEST, ROWS_CANDIDATES } ApiRows;
void api_check(Api *a, ApiRows rows);   /* NAME_library.c, NAME_training.c: what it has to be */
Str api_header(Api *a);                 /* NAME.h */
Str api_library(Api *a, bool training); /* NAME_library.c, or NAME_training.c */

#endif
