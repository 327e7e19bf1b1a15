/* Batches out of encoded rows. One idea: a batch is gathered input by input into memory that is
 * kept from batch to batch, so that the model reads contiguous rows and training allocates
 * nothing. */

#define _GNU_SOURCE

#include "data.h"
#include "fit.h"
#include "rank_random.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ALIGN = 64, SHUFFLE_SITE = 0x5eed };

typedef struct batch_buffer {
  void *at;
  size_t room;
} batch_buffer;

struct rank_batcher {
  const rank_data *data;
  long most;
  rank_batch batch;
  batch_buffer *inputs, *offsets;
  const void **input;
  const int32_t **offset;
  uint32_t *rows; /* of a range */
  batch_buffer derived;
  rank_batch whole; /* with what fits compute */
};

static int reserve(batch_buffer *b, size_t bytes)
{
  if (bytes <= b->room)
    return 0;
  size_t room = (bytes + bytes / 4 + BATCH_ALIGN - 1) / BATCH_ALIGN * BATCH_ALIGN;
  void *more = aligned_alloc(BATCH_ALIGN, room);
  if (!more)
    return -1;
  free(b->at);
  b->at = more;
  b->room = room;
  return 0;
}

void rank_batcher_free(rank_batcher *b)
{
  if (!b)
    return;
  for (int i = 0; b->inputs && i < b->data->m->ninputs; i++)
    free(b->inputs[i].at);
  for (int d = 0; b->offsets && d < b->data->m->ndims; d++)
    free(b->offsets[d].at);
  free(b->inputs);
  free(b->offsets);
  free(b->input);
  free(b->offset);
  free(b->rows);
  free(b->derived.at);
  free(b);
}

rank_batcher *rank_batcher_new(const rank_data *d, long most)
{
  const rank_model *m = d->m;
  rank_batcher *b = calloc(1, sizeof *b);
  if (!b || most < 0) {
    free(b);
    return NULL;
  }
  size_t ninputs = (size_t)m->ninputs + 1, ndims = (size_t)m->ndims + 1;
  b->data = d;
  b->most = most;
  b->inputs = calloc(ninputs, sizeof *b->inputs);
  b->offsets = calloc(ndims, sizeof *b->offsets);
  b->input = calloc(ninputs, sizeof *b->input);
  b->offset = calloc(ndims, sizeof *b->offset);
  b->rows = calloc((size_t)most + 1, sizeof *b->rows);
  int failed = !b->inputs || !b->offsets || !b->input || !b->offset || !b->rows;
  for (int k = 0; k < m->ndims && !failed; k++)
    failed = reserve(&b->offsets[k], ((size_t)most + 1) * sizeof(int32_t));
  for (int i = 0; i < m->ninputs && !failed; i++) { /* aligned, and never NULL, even when empty */
    const rank_input *in = &m->inputs[i];
    size_t rows = in->dim < 0 ? (size_t)most : 0;
    failed = reserve(&b->inputs[i], rows * (size_t)in->width * cache_element(in) + BATCH_ALIGN);
  }
  if (failed) {
    rank_batcher_free(b);
    return NULL;
  }
  b->batch = (rank_batch){.input = b->input, .offset = b->offset};
  return b;
}

static const void *column(const cache *c, uint32_t row, int which)
{
  size_t width = (size_t)(c->m->ndims + c->m->ninputs);
  return c->columns[(row >> c->shift) * width + (size_t)which].at;
}

static int gather_offsets(rank_batcher *b, int dim, const uint32_t *rows, long n)
{
  const cache *c = b->data->cache;
  uint32_t mask = (1u << c->shift) - 1;
  int32_t *out = b->offsets[dim].at;
  uint64_t at = 0;
  out[0] = 0;
  for (long i = 0; i < n; i++) {
    const uint32_t *offset = (const uint32_t *)column(c, rows[i], dim) + (rows[i] & mask);
    at += offset[1] - offset[0];
    if (at > INT32_MAX)
      return -1;
    out[i + 1] = (int32_t)at;
  }
  b->offset[dim] = out;
  return 0;
}

static void gather_plain(
  const cache *c, int which, size_t bytes, const uint32_t *rows, long n, char *out)
{
  uint32_t mask = (1u << c->shift) - 1;
  if (bytes == 4) { /* one value, the most common by far */
    for (long i = 0; i < n; i++)
      memcpy(
        out + 4 * i, (const char *)column(c, rows[i], which) + 4 * (size_t)(rows[i] & mask), 4);
    return;
  }
  for (long i = 0; i < n; i++, out += bytes)
    memcpy(out, (const char *)column(c, rows[i], which) + bytes * (rows[i] & mask), bytes);
}

static void gather_ragged(
  const cache *c, int dim, int which, size_t bytes, const uint32_t *rows, long n, char *out)
{
  uint32_t mask = (1u << c->shift) - 1;
  for (long i = 0; i < n; i++) {
    const uint32_t *offset = (const uint32_t *)column(c, rows[i], dim) + (rows[i] & mask);
    size_t size = bytes * (offset[1] - offset[0]);
    if (size)
      memcpy(out, (const char *)column(c, rows[i], which) + bytes * offset[0], size);
    out += size;
  }
}

const rank_batch *rank_batch_rows(rank_batcher *b, const uint32_t *rows, long n)
{
  const cache *c = b->data->cache;
  const rank_model *m = b->data->m;
  if (n < 0 || n > b->most)
    return NULL;
  for (long i = 0; i < n; i++)
    if (rows[i] >= c->rows)
      return NULL;
  for (int d = 0; d < m->ndims; d++)
    if (gather_offsets(b, d, rows, n))
      return NULL;
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    size_t bytes = (size_t)in->width * cache_element(in);
    b->input[i] = NULL;
    if (!cache_has(m, i, c->labels))
      continue;
    if (in->dim >= 0 && reserve(&b->inputs[i], (size_t)b->offset[in->dim][n] * bytes))
      return NULL;
    if (in->dim >= 0)
      gather_ragged(c, in->dim, m->ndims + i, bytes, rows, n, b->inputs[i].at);
    else
      gather_plain(c, m->ndims + i, bytes, rows, n, b->inputs[i].at);
    b->input[i] = b->inputs[i].at;
  }
  b->batch.n = n;
  if (!rank_fits_ready(b->data->fits))
    return &b->batch;
  if (reserve(&b->derived, rank_fits_room(b->data->fits, n)) ||
      rank_fits_apply(b->data->fits, &b->batch, b->derived.at, &b->whole))
    return NULL;
  return &b->whole;
}

const rank_batch *rank_batch_range(rank_batcher *b, long first, long n)
{
  long rows = (long)b->data->cache->rows;
  if (first < 0 || n < 0 || n > b->most || first > rows || n > rows - first)
    return NULL;
  for (long i = 0; i < n; i++)
    b->rows[i] = (uint32_t)(first + i);
  return rank_batch_rows(b, b->rows, n);
}

void rank_shuffle(uint32_t *order, long n, uint64_t seed, uint64_t epoch)
{
  uint64_t key = rank_random_key(seed, epoch, SHUFFLE_SITE);
  for (long i = 0; i < n; i++)
    order[i] = (uint32_t)i;
  for (long i = n - 1; i > 0; i--) { /* 32 random bits times at most 2^32: below 2^64 */
    long k = (long)(((rank_mix(key ^ (uint64_t)i) >> 32) * (uint64_t)(i + 1)) >> 32);
    uint32_t swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
}
