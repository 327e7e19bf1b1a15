/* check.c: whether a batch may be given to generated code, which itself checks nothing.
 *
 * One idea: the usual batch is good, so each input is scanned once without a branch per value, and only
 * when something is wrong is it scanned again to say where. */

#include "rank_runtime.h"

#include <stdlib.h>

static int has_offsets(const rank_batch *b, int dim)
{
  return b->offset != NULL && b->offset[dim] != NULL;
}

/* Offsets of one ragged axis. -1: good; else the sample. */
static long check_offsets(const int32_t *offset, long n, long max)
{
  if (offset[0] != 0) {
    return 0;
  }
  for (long i = 0; i < n; i++) {
    int64_t length = (int64_t)offset[i + 1] - offset[i];
    if (length < 0 || length > max) {
      return i;
    }
  }
  return -1;
}

static long first_bad_id(const int32_t *id, long n, int32_t low, int32_t high, long stride)
{
  int bad = 0;
  for (long i = 0; i < n; i++) {
    bad |= (id[i * stride] < low) | (id[i * stride] >= high);
  }
  for (long i = 0; bad && i < n; i++) {
    if (id[i * stride] < low || id[i * stride] >= high) {
      return i;
    }
  }
  return -1;
}

static long first_bad_number(const rank_real *x, long n)
{
  int bad = 0;
  for (long i = 0; i < n; i++) {
    bad |= !(x[i] - x[i] == 0); /* NaN and infinities */
  }
  for (long i = 0; bad && i < n; i++) {
    if (!(x[i] - x[i] == 0)) {
      return i;
    }
  }
  return -1;
}

/* Ids of an input whose vocabulary is learnt: as many as its table has rows. */
static long learnt_size(const rank_model *m, const rank_state *s, int input)
{
  int root = m->inputs[input].same_as >= 0 ? m->inputs[input].same_as : input;
  for (int p = 0; s != NULL && p < m->nparams; p++) {
    const rank_param *param = &m->params[p];
    if (param->table && (param->vocab_of == input || param->vocab_of == root)) {
      return s->rows[p];
    }
  }
  return INT32_MAX;
}

/* The row of the first bad id, or -1. */
static long check_ids(
  const rank_model *m, const rank_state *s, int input, const int32_t *id, long rows)
{
  const rank_input *in = &m->inputs[input];
  int learnt = in->nvocab == 0;
  for (int v = 0; v < in->nvocab; v++) {
    learnt |= in->vocab[v] == 0;
  }
  if (in->nvocab <= 1 || learnt) {
    long size = learnt ? learnt_size(m, s, input) : in->vocab[0];
    int32_t high = size > INT32_MAX ? INT32_MAX : (int32_t)size;
    long at = first_bad_id(id, rows * in->width, 0, high, 1);
    return at < 0 ? -1 : at / in->width;
  }
  long low = 0;
  for (int v = 0; v < in->nvocab; v++) { /* position v has ids low .. low + its size */
    long high = low + in->vocab[v];
    long at = first_bad_id(id + v, rows, (int32_t)low, (int32_t)high, in->width);
    if (at >= 0) {
      return at;
    }
    low = high;
  }
  return -1;
}

/* The sample that a row of the input belongs to. */
static long sample_of(const rank_model *m, const rank_batch *b, int input, long row)
{
  int dim = m->inputs[input].dim;
  if (dim < 0) {
    return row;
  }
  const int32_t *offset = b->offset[dim];
  long low = 0, high = b->n;
  while (high - low > 1) {
    long middle = low + (high - low) / 2;
    offset[middle] <= row ? (low = middle) : (high = middle);
  }
  return low;
}

/* The row of the input's first bad value and its kind. */
static rank_status check_input(
  const rank_model *m, const rank_state *s, const rank_batch *b, int input, long *at)
{
  const rank_input *in = &m->inputs[input];
  long rows = in->dim < 0 ? b->n : b->offset[in->dim][b->n];
  if (rows == 0) {
    return RANK_OK;
  }
  if (b->input[input] == NULL) {
    *at = 0;
    return RANK_BAD_VALUE;
  }
  long row = -1;
  if (in->is_id) {
    row = check_ids(m, s, input, b->input[input], rows);
  } else {
    row = first_bad_number(b->input[input], rows * in->width);
    row = row < 0 ? -1 : row / in->width;
  }
  if (row < 0) {
    return RANK_OK;
  }
  *at = sample_of(m, b, input, row);
  return in->is_id ? RANK_BAD_ID : RANK_BAD_VALUE;
}

rank_status rank_check_batch(
  const rank_model *m, const rank_state *s, const rank_batch *b, int labels, int *what, long *at)
{
  *what = 0;
  *at = 0;
  if (b->n < 0) {
    return RANK_BAD_LENGTH;
  }
  if (b->n == 0) {
    return RANK_OK;
  }
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    int absent = in->label && (!labels || b->input[i] == NULL);
    *what = i;
    if (in->dim >= 0 && !(in->label && !labels)) {
      *at =
        has_offsets(b, in->dim) ? check_offsets(b->offset[in->dim], b->n, m->dims[in->dim].max) : 0;
      if (*at >= 0) {
        return RANK_BAD_LENGTH;
      }
    }
    rank_status status = absent && !labels ? RANK_OK : check_input(m, s, b, i, at);
    if (status != RANK_OK) {
      return status;
    }
  }
  *what = 0;
  *at = 0;
  return RANK_OK;
}

const char *rank_status_text(rank_status status)
{
  switch (status) {
  case RANK_OK:
    return "ok";
  case RANK_BAD_ID:
    return "an id is outside its vocabulary";
  case RANK_BAD_LENGTH:
    return "a list is longer than its axis";
  case RANK_BAD_VALUE:
    return "a number is missing, NaN or infinite";
  case RANK_NO_MEMORY:
    return "out of memory";
  case RANK_BAD_FILE:
    return "a damaged file or another model's";
  }
  return "unknown status";
}

void rank_explain_batch(
  const rank_model *m, const rank_state *s, const rank_batch *b, rank_status status, rank_error *e)
{
  int what = 0;
  long at = 0;
  rank_status found = rank_check_batch(m, s, b, 1, &what, &at);
  if (found == RANK_OK || m->ninputs == 0) {
    rank_fail(e, "%s", rank_status_text(status));
  } else {
    rank_fail(e, "input %s, sample %ld of the batch: %s", m->inputs[what].name, at,
      rank_status_text(found));
  }
}
