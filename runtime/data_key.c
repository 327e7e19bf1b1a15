/* What an entry of the cache is for. One idea: its name is a hash over everything that its bytes
 * depend on, so an entry is never out of date, only unused. */

#define _GNU_SOURCE
#define XXH_INLINE_ALL

#include "data.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

static void add(XXH3_state_t *s, const void *bytes, size_t n)
{
  uint64_t length = n;
  XXH3_128bits_update(s, &length, sizeof length); /* so that "a" "bc" is not "ab" "c" */
  if (n)
    XXH3_128bits_update(s, bytes, n);
}

static void add_number(XXH3_state_t *s, int64_t x)
{
  add(s, &x, sizeof x);
}

static void add_text(XXH3_state_t *s, const char *text)
{
  add(s, text, text ? strlen(text) : 0);
}

static void add_encoding(XXH3_state_t *s, const rank_encoding *c)
{
  add_number(s, c->source);
  add_number(s, c->ncolumns);
  for (int i = 0; i < c->ncolumns; i++) {
    if (c->source == RANK_FROM_NAMES)
      add_text(s, c->columns[i]);
    else if (c->source == RANK_FROM_POSITIONS)
      add_number(s, c->positions[i]);
  }
  add_text(s, c->separator);
  add(s, c->buckets, (size_t)c->nbuckets * sizeof *c->buckets);
  add(s, &c->missing, sizeof c->missing);
  const int flags[] = {c->vocab_min, c->has_missing, c->nan, c->log1p, c->standardize, c->hash,
    c->vocab, c->cut, c->keep_last};
  add(s, flags, sizeof flags);
}

static void add_model(XXH3_state_t *s, const rank_model *m)
{
  const int64_t numbers[] = {
    m->ndims, m->ninputs, m->libsvm, m->libsvm_base, m->header, m->separator, sizeof(rank_real)};
  add(s, numbers, sizeof numbers);
  for (int d = 0; d < m->ndims; d++)
    add_number(s, m->dims[d].max);
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    const int64_t shape[] = {in->is_id, in->label, in->dim, in->width, in->nvocab, in->same_as};
    add_text(s, in->name);
    add(s, shape, sizeof shape);
    for (int k = 0; in->vocab && k < in->nvocab && in->vocab[0]; k++)
      add_number(s, in->vocab[k]);
    add_encoding(s, &in->encoding);
  }
}

/* Sixteen blocks spread over the file: what size and time might not tell apart. */
static void add_blocks(XXH3_state_t *s, const text_file *f)
{
  enum { BLOCKS = 16, BLOCK = 1 << 16 };
  char block[BLOCK];
  uint64_t last = f->size > BLOCK ? f->size - BLOCK : 0;
  for (uint64_t i = 0; i < BLOCKS; i++) {
    uint64_t from = last / (BLOCKS - 1) * i;
    ssize_t got = pread(f->fd, block, sizeof block, (off_t)(i + 1 == BLOCKS ? last : from));
    add(s, block, got > 0 ? (size_t)got : 0);
  }
}

cache_key data_key(
  const rank_model *m, const text_file *f, int labels, const char *purpose, const char *encodings)
{
  cache_key key = {{0}};
  XXH3_state_t *s = XXH3_createState();
  if (!s)
    return key;
  XXH3_128bits_reset(s);
  add_text(s, purpose);
  add_number(s, labels);
  add_model(s, m);
  add_text(s, encodings);
  char *path = realpath(f->name, NULL);
  add_text(s, path ? path : f->name);
  free(path);
  const int64_t identity[] = {(int64_t)f->size, f->seconds, f->nanoseconds};
  add(s, identity, sizeof identity);
  add_blocks(s, f);
  XXH128_hash_t hash = XXH3_128bits_digest(s);
  XXH3_freeState(s);
  key.word[0] = hash.high64;
  key.word[1] = hash.low64;
  return key;
}
