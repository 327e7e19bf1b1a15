#ifndef RANK_STREAM_H
#define RANK_STREAM_H

/* Rows as they come, from standard input, a pipe or a file that grows: encoded like any other data, but
 * kept nowhere.
 *
 * One idea: nobody waits for a row. What has arrived is encoded, as many rows at a time as there are, and
 * fits are applied to all of them at once; only stream_wait waits. A row is a line that has its newline:
 * what stands behind the last one is half a row that somebody still writes. */

#include "rank_data.h"
#include "rank_error.h"
#include "rank_model.h"
#include "rank_runtime.h"

typedef struct rank_stream rank_stream;

/* path: "-" is standard input. Blocks have at most `most` rows. `enc`, fitted, must outlive it. */
rank_stream *stream_open(
  const rank_model *m, const rank_encoders *enc, const char *path, long most, rank_error *e);
void stream_close(rank_stream *s); /* also NULL */
const char *stream_name(const rank_stream *s);
int stream_is_file(const rank_stream *s);
/* Goes on at `at`, after reading the header; an error when the file is not the one it is a place of. */
int stream_seek(rank_stream *s, const rank_place *at, rank_error *e);

/* Rows that have arrived join the block, until it has `most`. -1: the next row is bad, and the error says
 * where; those before it are in the block. */
int stream_take(rank_stream *s, long most, rank_error *e);
long stream_rows(const rank_stream *s); /* of the block */
/* Waits until more has arrived, at most so long: 1 it has, 0 not, -1. `follow`: the end of a file is no end. */
int stream_wait(rank_stream *s, double seconds, int follow, rank_error *e);
int stream_ended(const rank_stream *s);   /* and nothing will */
long stream_unread(const rank_stream *s); /* bytes that are no row (yet) */

/* Fits are applied to the block. */
int stream_ready(rank_stream *s, rank_error *e);
/* Rows of it, after that, as a batch: valid until the next call. */
const rank_batch *stream_batch(rank_stream *s, long first, long n);
void stream_clear(rank_stream *s);                 /* the block is done with */
void stream_where(rank_stream *s, rank_place *at); /* behind the last block that was done with */

#endif
