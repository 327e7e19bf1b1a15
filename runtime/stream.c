/* stream.c: see stream.h. */

#define XXH_INLINE_ALL
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "stream.h"

#include "cache.h"
#include "data_rows.h"
#include "encode.h"
#include "fit.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

enum { ALIGN = 64, CHECKED = 4096 };

static const double FOLLOW_EVERY = 0.02; /* seconds between looks at a file that ended */

typedef struct column { /* of an input */
  char *at;             /* rows back to back */
  size_t room, row;     /* bytes; of a row, or of an element of a list */
  int dim, used;
} column;

struct rank_stream {
  const rank_model *m;
  const rank_encoders *enc;
  text_file file;
  data_rows rows;
  int headed, ended;
  long most, n; /* rows of the block */
  rank_place taken,
    done; /* behind the last row of the block, and of the one before; without check */
  column *columns;
  int32_t **offsets; /* [ndims][most + 1] */
  const void **input;
  const int32_t **offset_of;
  rank_batch whole; /* the block, with what fits compute */
  char *derived;
  const void **part_input; /* of a part of it */
  int32_t **part_offsets;
  const int32_t **part_offset_of;
  rank_batch part;
};

/* --- opening --- */

static void *array_of(size_t n, size_t size)
{
  return calloc(n + 1, size);
}

static char *aligned_bytes(size_t bytes)
{
  size_t room = (bytes + 2 * ALIGN - 1) / ALIGN * ALIGN;
  char *at = aligned_alloc(ALIGN, room);
  if (at != NULL) {
    memset(at, 0, room);
  }
  return at;
}

static int open_columns(rank_stream *s)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    const rank_input *in = &s->m->inputs[i];
    column *c = &s->columns[i];
    c->row = (size_t)in->width * cache_element(in);
    c->dim = in->dim;
    c->used = cache_has(s->m, i, 1);
    c->room = c->used ? c->row * (size_t)(in->dim < 0 ? s->most : 16) : 0;
    if (c->used && (c->at = aligned_bytes(c->room)) == NULL) {
      return -1;
    }
  }
  for (int d = 0; d < s->m->ndims; d++) {
    s->offsets[d] = array_of((size_t)s->most + 1, sizeof(int32_t));
    s->part_offsets[d] = array_of((size_t)s->most + 1, sizeof(int32_t));
    if (s->offsets[d] == NULL || s->part_offsets[d] == NULL) {
      return -1;
    }
  }
  s->derived = aligned_bytes(rank_fits_room(s->enc->fits, s->most));
  return s->derived != NULL ? 0 : -1;
}

static int open_arrays(rank_stream *s)
{
  size_t ninputs = (size_t)s->m->ninputs, ndims = (size_t)s->m->ndims;
  s->columns = array_of(ninputs, sizeof *s->columns);
  s->offsets = array_of(ndims, sizeof *s->offsets);
  s->input = array_of(ninputs, sizeof *s->input);
  s->offset_of = array_of(ndims, sizeof *s->offset_of);
  s->part_input = array_of(ninputs, sizeof *s->part_input);
  s->part_offsets = array_of(ndims, sizeof *s->part_offsets);
  s->part_offset_of = array_of(ndims, sizeof *s->part_offset_of);
  return s->columns != NULL && s->offsets != NULL && s->input != NULL && s->offset_of != NULL &&
             s->part_input != NULL && s->part_offsets != NULL && s->part_offset_of != NULL
           ? open_columns(s)
           : -1;
}

rank_stream *stream_open(
  const rank_model *m, const rank_encoders *enc, const char *path, long most, rank_error *e)
{
  rank_stream *s = calloc(1, sizeof *s);
  if (s == NULL) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  *s = (rank_stream){.m = m, .enc = enc, .most = most, .file.fd = -1};
  int failed = encode_check(enc, e) || text_file_open(&s->file, path, 0, e);
  if (!failed) {
    failed = rows_open_live(&s->rows, m, s->file.name, s->file.fd, 1, e);
  }
  if (!failed && open_arrays(s) != 0) {
    failed = rank_fail(e, "out of memory: a block of %ld rows", most);
  }
  if (failed) {
    stream_close(s);
    return NULL;
  }
  return s;
}

void stream_close(rank_stream *s)
{
  if (s == NULL) {
    return;
  }
  for (int i = 0; s->columns != NULL && i < s->m->ninputs; i++) {
    free(s->columns[i].at);
  }
  for (int d = 0; d < s->m->ndims; d++) {
    free(s->offsets != NULL ? s->offsets[d] : NULL);
    free(s->part_offsets != NULL ? s->part_offsets[d] : NULL);
  }
  free(s->columns);
  free(s->offsets);
  free(s->input);
  free(s->offset_of);
  free(s->derived);
  free(s->part_input);
  free(s->part_offsets);
  free(s->part_offset_of);
  if (s->rows.m != NULL) {
    rows_close(&s->rows);
  }
  text_file_close(&s->file);
  free(s);
}

const char *stream_name(const rank_stream *s)
{
  return s->file.name;
}

int stream_is_file(const rank_stream *s)
{
  return s->file.regular;
}

int stream_ended(const rank_stream *s)
{
  return s->ended;
}

long stream_rows(const rank_stream *s)
{
  return s->n;
}

long stream_unread(const rank_stream *s)
{
  return (long)(s->rows.text.end - s->rows.text.start);
}

/* --- places --- */

/* The last bytes before `offset`. */
static int check_of(const rank_stream *s, uint64_t offset, uint64_t *check)
{
  char bytes[CHECKED];
  size_t n = offset < CHECKED ? (size_t)offset : CHECKED;
  if (pread(s->file.fd, bytes, n, (off_t)(offset - n)) != (ssize_t)n) {
    return -1;
  }
  *check = XXH3_64bits(bytes, n);
  return 0;
}

void stream_where(rank_stream *s, rank_place *at)
{
  rank_place here = s->done;
  int known = s->file.regular && here.offset > 0 && check_of(s, here.offset, &here.check) == 0;
  *at = known ? here : (rank_place){0};
}

int stream_seek(rank_stream *s, const rank_place *at, rank_error *e)
{
  uint64_t check = 0;
  while (!s->headed) {
    int got = rows_header(&s->rows, e);
    s->headed = got == 1;
    if (got < 0 || (!s->headed && text_more(&s->rows.text, e) < 0)) {
      return -1;
    }
    if (!s->headed && s->rows.text.ended) {
      return rank_fail(e, "%s: no header in it", s->file.name);
    }
  }
  if (check_of(s, at->offset, &check) != 0) {
    return rank_fail(e,
      "%s: ends before byte %llu, where learning was to go on (--from-start: another file)",
      s->file.name, (unsigned long long)at->offset);
  }
  if (check != at->check) {
    return rank_fail(e,
      "%s: is not the file that was learnt from: it differs before byte %llu, where learning was "
      "to go on "
      "(--from-start: another file)",
      s->file.name, (unsigned long long)at->offset);
  }
  text_seek(&s->rows.text, at->offset, at->line);
  s->taken = s->done = *at;
  return 0;
}

/* --- rows --- */

static char *room_for(column *c, size_t used, size_t more)
{
  if (used + more > c->room) {
    size_t room = 2 * (used + more);
    char *at = aligned_bytes(room);
    if (at == NULL) {
      return NULL;
    }
    memcpy(at, c->at, used);
    free(c->at);
    c->at = at;
    c->room = room;
  }
  return c->at + used;
}

static int take_input(rank_stream *s, int input, rank_error *e)
{
  column *c = &s->columns[input];
  const text_span *cells;
  rank_error why;
  long bad = 0, n = rows_cells(&s->rows, input, &cells, e);
  if (n < 0) {
    return -1;
  }
  size_t used = c->row * (size_t)(c->dim < 0 ? s->n : s->offsets[c->dim][s->n]);
  char *out = room_for(c, used, (size_t)n * cache_element(&s->m->inputs[input]));
  if (out == NULL) {
    return rank_fail(e, "out of memory: lists of %ld rows", s->n);
  }
  return encode_cells(s->enc, input, cells, n, out, &bad, &why) != 0
           ? rows_fail(&s->rows, input, bad, &why, e)
           : 0;
}

static int take_row(rank_stream *s, rank_error *e)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    if (s->columns[i].used && take_input(s, i, e) != 0) {
      return -1;
    }
  }
  for (int d = 0; d < s->m->ndims; d++) {
    long length = s->rows.length[d] > 0 ? s->rows.length[d] : 0;
    if (s->offsets[d][s->n] + length > INT32_MAX) {
      return rank_fail(e, "the lists of %ld rows are too long", s->n);
    }
    s->offsets[d][s->n + 1] = s->offsets[d][s->n] + (int32_t)length;
  }
  s->n++;
  s->taken.offset = text_place(&s->rows.text);
  s->taken.line = s->rows.text.next_line;
  return 0;
}

int stream_take(rank_stream *s, long most, rank_error *e)
{
  most = most < s->most ? most : s->most;
  while (s->n < most) {
    int got = s->headed ? rows_next(&s->rows, e) : rows_header(&s->rows, e);
    if (got != 1) {
      return got == TEXT_WAIT ? 0 : got;
    }
    if (!s->headed) {
      s->headed = 1;
    } else if (take_row(s, e) != 0) {
      return -1;
    }
  }
  return 0;
}

/* A file that ended: a while later it may have grown. It must not have shrunk. */
static int wait_for_file(rank_stream *s, double seconds, int follow, rank_error *e)
{
  struct stat now;
  if (!follow) {
    s->ended = 1;
    return 0;
  }
  if (fstat(s->file.fd, &now) == 0 &&
      (uint64_t)now.st_size < s->rows.text.base + s->rows.text.end) {
    return rank_fail(
      e, "%s: was cut to %lld bytes while it was followed", s->file.name, (long long)now.st_size);
  }
  double pause = seconds < FOLLOW_EVERY ? seconds : FOLLOW_EVERY;
  nanosleep(&(struct timespec){.tv_nsec = (long)(pause * 1e9)}, NULL);
  return 0;
}

int stream_wait(rank_stream *s, double seconds, int follow, rank_error *e)
{
  if (!s->file.regular) {
    struct pollfd p = {.fd = s->file.fd, .events = POLLIN};
    int ready = poll(&p, 1, (int)(seconds * 1000) + 1);
    if (ready <= 0) {
      return ready == 0 || errno == EINTR ? 0
                                          : rank_fail(e, "%s: %s", s->file.name, strerror(errno));
    }
  }
  long got = text_more(&s->rows.text, e);
  if (got != 0) {
    return got > 0 ? 1 : -1;
  }
  if (s->rows.text.ended && !s->file.regular) {
    s->ended = 1;
  }
  return s->file.regular ? wait_for_file(s, seconds, follow, e) : 0;
}

/* --- batches --- */

int stream_ready(rank_stream *s, rank_error *e)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    s->input[i] = s->columns[i].at;
  }
  for (int d = 0; d < s->m->ndims; d++) {
    s->offset_of[d] = s->offsets[d];
  }
  s->whole = (rank_batch){s->n, s->input, s->offset_of, NULL};
  if (!rank_fits_ready(s->enc->fits)) {
    return 0;
  }
  rank_batch rows = s->whole;
  return rank_fits_apply(s->enc->fits, &rows, s->derived, &s->whole) != 0
           ? rank_fail(e, "%s: fits cannot be computed for %ld rows", s->file.name, s->n)
           : 0;
}

const rank_batch *stream_batch(rank_stream *s, long first, long n)
{
  for (int d = 0; d < s->m->ndims; d++) {
    const int32_t *from = s->whole.offset[d] + first;
    for (long i = 0; i <= n; i++) {
      s->part_offsets[d][i] = from[i] - from[0];
    }
    s->part_offset_of[d] = s->part_offsets[d];
  }
  for (int i = 0; i < s->m->ninputs; i++) {
    const column *c = &s->columns[i];
    const char *at = s->whole.input[i];
    long row = c->dim < 0 ? first : s->whole.offset[c->dim][first];
    s->part_input[i] = at != NULL ? at + (size_t)row * c->row : NULL;
  }
  s->part = (rank_batch){n, s->part_input, s->part_offset_of, NULL};
  return &s->part;
}

void stream_clear(rank_stream *s)
{
  s->n = 0;
  s->done = s->taken;
}
