#ifndef RANK_FIT_COLUMNS_H
#define RANK_FIT_COLUMNS_H

/* fit_columns.c: what trees see of a row: the numbers and ids of a fit's inputs, side by side as numbers.
 *
 * One idea: an id is a category. Those that may be told apart, at most 254 a column, are numbered by how
 * often they occur; what a forest knows are these small numbers, and every other id is -1. */

#include "fit.h"
#include "rank_trees.h"

enum { FIT_CODES = 254 };

typedef struct fit_codes { /* the categories of a column */
  int n;
  int32_t id[FIT_CODES]; /* by number */
  int32_t sorted[256];   /* ascending; then INT32_MAX */
  int16_t number[256];   /* of each sorted one; then -1 */
} fit_codes;

typedef struct fit_columns {
  const rank_model *m;
  const rank_fit *fit;
  int n; /* columns */
  unsigned char *category;
  fit_codes *codes; /* [n] */
} fit_columns;

int fit_columns_count(const rank_model *m, const rank_fit *fit);
int fit_columns_open(fit_columns *c, const rank_model *m, const rank_fit *fit); /* -1: no memory */
void fit_columns_close(fit_columns *c);
#ifndef RANK_SERVING
/* The categories of every id column, from a sample of rows; at most `most` a column. */
int fit_columns_learn(
  fit_columns *c, rank_rows rows, const long *sample, long n, int most, rank_error *e);
#endif
/* Between files and memory: rows of (column, id), in the order of their numbers. */
int fit_columns_save(const fit_columns *c, fit_state *s);
int fit_columns_load(fit_columns *c, const fit_state *s, rank_error *e);
/* Rows [first, first + n) of a batch, [n][columns]: in `room`, or where they lie when nothing is to be done. */
const rank_real *fit_columns_rows(
  const fit_columns *c, const rank_batch *b, long first, long n, rank_real *room);
size_t fit_columns_room(const rank_model *m, const rank_fit *fit, long n); /* bytes for that */
/* What a column is called: as in the data, or by its input and place there. */
void fit_columns_name(const rank_model *m, const rank_fit *fit, int column, char *out, size_t room);

#endif
