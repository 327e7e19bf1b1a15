/* check.c: whether a batch may be given to generated code, which itself checks nothing.
 *
 * One idea: the usual batch is good, so each input is scanned once without a branch per value, and only
 * when something is wrong is it scanned again to say where. */

#include "check.h"

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

/* The ids [low, high) that may stand at a position of a row. */
static void id_range(
  const rank_model *m, const rank_state *s, int input, long position, int32_t *low, int32_t *high)
{
  const rank_input *in = &m->inputs[input];
  int learnt = in->nvocab == 0;
  for (int v = 0; v < in->nvocab; v++) {
    learnt |= in->vocab[v] == 0;
  }
  long from = 0, to = in->nvocab > 0 ? in->vocab[0] : 0;
  if (learnt) {
    to = learnt_size(m, s, input);
  } else if (in->nvocab > 1) { /* one vocabulary after another */
    for (long v = 0; v < position; v++) {
      from += in->vocab[v];
    }
    to = from + in->vocab[position];
  }
  *low = (int32_t)from;
  *high = to > INT32_MAX ? INT32_MAX : (int32_t)to;
}

/* The row of the first bad id, or -1. */
static long check_ids(
  const rank_model *m, const rank_state *s, int input, const int32_t *id, long rows)
{
  const rank_input *in = &m->inputs[input];
  int32_t low, high;
  if (in->nvocab <= 1) {
    id_range(m, s, input, 0, &low, &high);
    long at = first_bad_id(id, rows * in->width, low, high, 1);
    return at < 0 ? -1 : at / in->width;
  }
  for (long v = 0; v < in->width; v++) {
    id_range(m, s, input, v, &low, &high);
    long at = first_bad_id(id + v, rows, low, high, in->width);
    if (at >= 0) {
      return at;
    }
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

rank_status rank_check_lists(const rank_model *m, const rank_batch *b, int dim, long *at)
{
  *at = has_offsets(b, dim) ? check_offsets(b->offset[dim], b->n, m->dims[dim].max) : 0;
  return *at >= 0 ? RANK_BAD_LENGTH : RANK_OK;
}

rank_status rank_check_input(
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
  } else if (!in->encoding.nan) {
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
  for (int i = 0; b->n > 0 && i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    if (in->label && !labels) {
      continue;
    }
    *what = i;
    rank_status status = in->dim >= 0 ? rank_check_lists(m, b, in->dim, at) : RANK_OK;
    status = status == RANK_OK ? rank_check_input(m, s, b, i, at) : status;
    if (status != RANK_OK) {
      return status;
    }
  }
  *what = 0;
  *at = 0;
  return RANK_OK;
}

/* --- what is wrong, in words --- */

void rank_explain_lists(const rank_model *m, const rank_batch *b, int dim, long at, rank_error *e)
{
  const rank_dim *d = &m->dims[dim];
  if (!has_offsets(b, dim)) {
    rank_fail(e, "axis %s: no offsets", d->name);
    return;
  }
  const int32_t *offset = b->offset[dim];
  int64_t length = (int64_t)offset[at + 1] - offset[at];
  if (offset[0] != 0) {
    rank_fail(e, "axis %s: the first offset is %d, wanted 0", d->name, (int)offset[0]);
  } else if (length < 0) {
    rank_fail(e, "axis %s, row %ld: the list ends before it begins (%d after %d)", d->name, at,
      (int)offset[at + 1], (int)offset[at]);
  } else {
    rank_fail(e, "axis %s, row %ld: a list of %lld, but the longest may be %ld", d->name, at,
      (long long)length, d->max);
  }
}

static void explain_id(const rank_model *m, const rank_state *s, int input, long row,
  const int32_t *id, long n, rank_error *e)
{
  const rank_input *in = &m->inputs[input];
  for (long i = 0; i < n; i++) {
    int32_t low, high;
    id_range(m, s, input, i % in->width, &low, &high);
    if (id[i] < low || id[i] >= high) {
      rank_fail(e, "input %s, row %ld: id %d, but %s from %d to %d", in->name, row, (int)id[i],
        in->nvocab > 1 ? "at its position they go" : "ids go", (int)low, (int)high - 1);
      return;
    }
  }
}

void rank_explain_input(
  const rank_model *m, const rank_state *s, const rank_batch *b, int input, long at, rank_error *e)
{
  const rank_input *in = &m->inputs[input];
  if (b->input[input] == NULL) {
    rank_fail(e, "input %s: not given (NULL)", in->name);
    return;
  }
  long first = in->dim < 0 ? at : b->offset[in->dim][at];
  long n = in->dim < 0 ? in->width : (b->offset[in->dim][at + 1] - first) * in->width;
  first *= in->width;
  if (in->is_id) {
    explain_id(m, s, input, at, (const int32_t *)b->input[input] + first, n, e);
    return;
  }
  const rank_real *x = (const rank_real *)b->input[input] + first;
  long i = 0;
  while (i < n - 1 && x[i] - x[i] == 0) {
    i++;
  }
  rank_fail(e, "input %s, row %ld: value %ld is %g", in->name, at, i, (double)x[i]);
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
  if (found == RANK_OK || b->n < 0) {
    rank_fail(e, "%s", rank_status_text(status));
  } else if (found == RANK_BAD_LENGTH) {
    rank_explain_lists(m, b, m->inputs[what].dim, at, e);
  } else {
    rank_explain_input(m, s, b, what, at, e);
  }
}
