#ifndef RANK_DATA_ROWS_H
#define RANK_DATA_ROWS_H

/* A file as rows of the model's inputs: which fields belong to an input, lists taken apart, lengths
 * checked. The values themselves are still text. */

#include "data_text.h"
#include "rank_model.h"

typedef struct data_column {
  int used;
  long *field; /* [ncolumns] positions in a record */
} data_column;

typedef struct data_rows {
  const rank_model *m;
  text_reader text;
  int labels; /* else labels are left alone */
  data_column *columns;
  long nfields; /* that a record has; 0: not known yet */
  long rows;    /* read so far */
  long *length,
    *raw;      /* [ndims] of this row's lists: kept, and as they are in the file; -1: none yet */
  int *raw_of; /* which input said so */
  text_span *cells; /* of one input */
  long room_cells;
} data_rows;

int rows_open(data_rows *r, const rank_model *m, const text_file *f, int labels, rank_error *e);
/* Live: as text_start_live, and the header is still to be read. */
int rows_open_live(
  data_rows *r, const rank_model *m, const char *name, int fd, int labels, rank_error *e);
int rows_header(data_rows *r, rank_error *e); /* of a live file: 1 read, or none; TEXT_WAIT, -1 */
void rows_close(data_rows *r);
int rows_next(data_rows *r, rank_error *e); /* 1, 0 at the end, -1; TEXT_WAIT when live */
/* The fields of an input in this row, valid until the next call: how many, -1 on error. */
long rows_cells(data_rows *r, int input, const text_span **cells, rank_error *e);
/* An error in a value: puts the place before what `why` says. */
int rows_fail(const data_rows *r, int input, long cell, const rank_error *why, rank_error *e);

#endif
