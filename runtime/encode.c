/* Values of fields, by what the model says and what was learnt. One idea: an input's kind is
 * decided once, and each kind is a loop over the values of a row. */

#define XXH_INLINE_ALL
#define _GNU_SOURCE

#include "encode.h"
#include "fit.h"

#include <math.h>
#include <stdlib.h>

#include <xxhash.h>

static encode_kind kind_of(const rank_input *in)
{
  const rank_encoding *c = &in->encoding;
  if (!in->is_id)
    return ENCODE_NUMBER;
  if (c->hash)
    return ENCODE_HASH;
  if (c->vocab || !in->vocab || in->vocab[0] == 0)
    return ENCODE_VOCAB;
  return c->nbuckets ? ENCODE_BUCKET : ENCODE_ID;
}

static int root_of(const rank_model *m, int input)
{
  for (int hops = 0; m->inputs[input].same_as >= 0 && hops < m->ninputs; hops++)
    input = m->inputs[input].same_as;
  return input;
}

static int new_input(const rank_model *m, encode_input *all, int input)
{
  encode_input *x = &all[input];
  x->root = root_of(m, input);
  const rank_input *root = &m->inputs[x->root], *in = &m->inputs[input];
  x->kind = kind_of(root);
  size_t nvocab = (size_t)(root->nvocab > 0 ? root->nvocab : 1);
  if (x->root == input && x->kind != ENCODE_NUMBER) {
    x->offset = calloc(nvocab + 1, sizeof *x->offset);
    x->vocabs = x->kind == ENCODE_VOCAB ? calloc(nvocab, sizeof *x->vocabs) : NULL;
    return !x->offset || (x->kind == ENCODE_VOCAB && !x->vocabs);
  }
  if (x->kind == ENCODE_NUMBER && in->encoding.standardize) {
    x->nstats = in->width;
    x->mean = calloc((size_t)in->width + 1, sizeof *x->mean);
    x->sd = calloc((size_t)in->width + 1, sizeof *x->sd);
    return !x->mean || !x->sd;
  }
  return 0;
}

rank_encoders *rank_encoders_new(const rank_model *m)
{
  rank_encoders *e = calloc(1, sizeof *e);
  encode_input *inputs = calloc((size_t)m->ninputs + 1, sizeof *inputs);
  if (!e || !inputs) {
    free(e);
    free(inputs);
    return NULL;
  }
  e->model = m;
  e->inputs = inputs;
  e->fitted = 1;
  if (!(e->fits = rank_fits_new(m))) {
    rank_encoders_free(e);
    return NULL;
  }
  for (int i = 0; i < m->ninputs; i++) {
    if (new_input(m, inputs, i)) {
      rank_encoders_free(e);
      return NULL;
    }
    if (encode_learns(e, i))
      e->fitted = 0;
  }
  encode_offsets(e);
  return e;
}

void rank_encoders_free(rank_encoders *e)
{
  if (!e)
    return;
  for (int i = 0; i < e->model->ninputs; i++) {
    encode_input *x = &e->inputs[i];
    for (int k = 0; x->vocabs && k < e->model->inputs[i].nvocab; k++)
      vocab_free(&x->vocabs[k]);
    free(x->vocabs);
    free(x->offset);
    free(x->mean);
    free(x->sd);
    free(x->square);
    free(x->seen);
  }
  free(e->inputs);
  rank_fits_free(e->fits);
  free(e);
}

struct rank_fits *rank_encoders_fits(const rank_encoders *e)
{
  return e->fits;
}

int rank_encoders_fitted(const rank_encoders *e)
{
  return e->fitted;
}

int encode_learns(const rank_encoders *e, int input)
{
  return e->inputs[input].vocabs || e->inputs[input].nstats;
}

void encode_offsets(rank_encoders *e)
{
  for (int i = 0; i < e->model->ninputs; i++) {
    const rank_input *in = &e->model->inputs[i];
    encode_input *x = &e->inputs[i];
    for (int k = 0; x->offset && k < in->nvocab; k++) {
      long declared = in->vocab && in->vocab[0] ? in->vocab[k] : 0;
      x->offset[k + 1] = x->offset[k] + (declared ? declared : 2 + x->vocabs[k].n);
    }
  }
}

long rank_encoders_size(const rank_encoders *e, int input)
{
  if (input < 0 || input >= e->model->ninputs)
    return 0;
  const encode_input *x = &e->inputs[e->inputs[input].root];
  const rank_input *in = &e->model->inputs[e->inputs[input].root];
  if (!x->offset || (!e->fitted && !(in->vocab && in->vocab[0])))
    return 0;
  return x->offset[in->nvocab];
}

const char *rank_encoders_text(
  const rank_encoders *e, int input, int32_t id, char room[RANK_ID_TEXT], long *length)
{
  const encode_input *x = &e->inputs[e->inputs[input].root];
  const rank_input *in = &e->model->inputs[e->inputs[input].root];
  if (x->vocabs && in->nvocab == 1 && id >= 2 && id - 2 < x->vocabs[0].n) {
    text_span s = vocab_at(&x->vocabs[0], id - 2);
    *length = (long)s.length;
    return s.at;
  }
  *length = snprintf(room, RANK_ID_TEXT, "%d", (int)id);
  return room;
}

int encode_check(const rank_encoders *e, rank_error *error)
{
  for (int i = 0; i < e->model->ninputs; i++) {
    const rank_input *in = &e->model->inputs[i];
    const encode_input *x = &e->inputs[e->inputs[i].root];
    int nvocab = e->model->inputs[e->inputs[i].root].nvocab;
    if (!x->offset)
      continue;
    if (nvocab < 1 || (nvocab > 1 && nvocab != in->width))
      return rank_fail(
        error, "input %s: %d vocabularies for %ld positions", in->name, nvocab, in->width);
    long least = x->kind == ENCODE_HASH ? 3 : x->kind == ENCODE_VOCAB ? 2 : 1;
    for (int k = 0; k < nvocab; k++)
      if (x->offset[k + 1] - x->offset[k] < least)
        return rank_fail(error, "input %s: a vocabulary of %ld ids is too small", in->name,
          x->offset[k + 1] - x->offset[k]);
    if (x->offset[nvocab] > INT32_MAX)
      return rank_fail(
        error, "input %s: %ld ids in all, the most is %d", in->name, x->offset[nvocab], INT32_MAX);
  }
  return 0;
}

static int fail_empty(rank_error *error)
{
  return rank_fail(error, "empty, and the input does not say missing = ...");
}

int encode_number(const rank_input *in, const text_span *cell, double *x, rank_error *error)
{
  number_status status = number_read(cell, x);
  if ((status == NUMBER_EMPTY || status == NUMBER_NAN) && in->encoding.has_missing) {
    *x = in->encoding.nan ? (double)NAN : in->encoding.missing;
  } else if (status == NUMBER_EMPTY) {
    return fail_empty(error);
  } else if (status != NUMBER_OK && !(status == NUMBER_INFINITE && in->encoding.nan)) {
    text_shown shown = text_show(cell);
    return rank_fail(
      error, "%s is not a %s", shown.text, status == NUMBER_BAD ? "number" : "finite number");
  }
  if (in->encoding.log1p)
    *x = copysign(log1p(fabs(*x)), *x);
  return 0;
}

static int encode_numbers(const rank_encoders *e, int input, const text_span *cells, long n,
  rank_real *out, long *bad, rank_error *error)
{
  const rank_input *in = &e->model->inputs[input];
  const encode_input *x = &e->inputs[input];
  for (long j = 0, k = 0; j < n; j++) {
    double value;
    *bad = j;
    if (encode_number(in, &cells[j], &value, error))
      return -1;
    if (x->nstats) {
      value = (value - x->mean[k]) / x->sd[k];
      k = k + 1 < x->nstats ? k + 1 : 0;
    }
    out[j] = (rank_real)value;
    if (!isfinite(out[j]) && !in->encoding.nan) {
      text_shown shown = text_show(&cells[j]);
      return rank_fail(error, "%s is too large for a %zu-bit number", shown.text, 8 * sizeof *out);
    }
  }
  return 0;
}

/* A field that is an id itself, counted from `base`. */
static int encode_id(
  const rank_input *in, const text_span *cell, long size, long base, long *id, rank_error *error)
{
  int64_t x = 0;
  number_status status = number_whole(cell, &x);
  if (status == NUMBER_EMPTY && in->encoding.has_missing) {
    x = (int64_t)in->encoding.missing;
    base = 0;
  } else if (status == NUMBER_EMPTY) {
    return fail_empty(error);
  } else if (status != NUMBER_OK) {
    text_shown shown = text_show(cell);
    return rank_fail(error, "%s is not a whole number", shown.text);
  }
  if (x < base)
    return rank_fail(error, "id %lld, but ids begin at %ld", (long long)x, base);
  if (x - base >= size)
    return rank_fail(
      error, "id %lld, but id(%ld) ends at %ld", (long long)x, size, size - 1 + base);
  *id = (long)(x - base);
  return 0;
}

static int encode_bucket(const rank_input *in, const rank_encoding *c, const text_span *cell,
  long size, long *id, rank_error *error)
{
  double x;
  if (!in->encoding.has_missing && !text_trim(*cell).length) {
    *id = 0;
    return 0;
  }
  if (encode_number(in, cell, &x, error))
    return -1;
  int low = 0, high = c->nbuckets; /* how many bounds are <= x */
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (c->buckets[middle] <= x)
      low = middle + 1;
    else
      high = middle;
  }
  *id = 1 + low;
  if (*id >= size)
    return rank_fail(error, "bucket %ld, but id(%ld) ends at %ld", *id, size, size - 1);
  return 0;
}

int encode_cells(const rank_encoders *e, int input, const text_span *cells, long n, void *out,
  long *bad, rank_error *error)
{
  const rank_model *m = e->model;
  const encode_input *x = &e->inputs[e->inputs[input].root];
  const rank_input *in = &m->inputs[input], *root = &m->inputs[e->inputs[input].root];
  if (x->kind == ENCODE_NUMBER)
    return encode_numbers(e, input, cells, n, out, bad, error);
  long base = in->encoding.source == RANK_FROM_INDICES ? m->libsvm_base : 0;
  int32_t *ids = out;
  for (long j = 0, k = 0; j < n; j++, k = k + 1 < root->nvocab ? k + 1 : 0) {
    long size = x->offset[k + 1] - x->offset[k], id = 0;
    const text_span *cell = &cells[j];
    *bad = j;
    switch (x->kind) {
    case ENCODE_HASH:
      if (cell->length)
        id = 2 + (long)(XXH3_64bits(cell->at, cell->length) % (uint64_t)(size - 2));
      break;
    case ENCODE_VOCAB:
      if (cell->length) {
        long found = vocab_find(&x->vocabs[k], cell->at, cell->length);
        id = found < 0 ? 1 : 2 + found;
      }
      break;
    case ENCODE_BUCKET:
      if (encode_bucket(in, &root->encoding, cell, size, &id, error))
        return -1;
      break;
    case ENCODE_ID:
    case ENCODE_NUMBER:
      if (encode_id(in, cell, size, base, &id, error))
        return -1;
      break;
    }
    ids[j] = (int32_t)(x->offset[k] + id);
  }
  return 0;
}
