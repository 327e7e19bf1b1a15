/* A set of strings with numbers. One idea: strings lie back to back in one block, and a table of
 * (hash, number) with linear probing finds them, so that ten million of them are three
 * allocations. */

#define XXH_INLINE_ALL

#include "encode.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { VOCAB_MOST = INT32_MAX - 2 }; /* ids are int32_t and begin at 2 */

void vocab_free(vocab *v)
{
  free(v->bytes);
  free(v->end);
  free(v->count);
  free(v->slots);
  memset(v, 0, sizeof *v);
}

text_span vocab_at(const vocab *v, long i)
{
  size_t from = i ? v->end[i - 1] : 0;
  return (text_span){.at = v->bytes + from, .length = (unsigned)(v->end[i] - from)};
}

/* The slot where the string is, or where it would be put. */
static size_t find_slot(const vocab *v, const char *at, size_t length, uint32_t tag)
{
  for (size_t i = tag;; i++) {
    const vocab_slot *slot = &v->slots[i & (v->nslots - 1)];
    if (!slot->value)
      return i & (v->nslots - 1);
    if (slot->tag != tag)
      continue;
    text_span s = vocab_at(v, (long)slot->value - 1);
    if (s.length == length && !memcmp(s.at, at, length))
      return i & (v->nslots - 1);
  }
}

static uint32_t tag_of(const char *at, size_t length)
{
  return (uint32_t)(XXH3_64bits(at, length) >> 32);
}

long vocab_find(const vocab *v, const char *at, size_t length)
{
  if (!v->nslots)
    return -1;
  return (long)v->slots[find_slot(v, at, length, tag_of(at, length))].value - 1;
}

static int grow_slots(vocab *v)
{
  size_t n = v->nslots ? v->nslots * 2 : 64;
  vocab_slot *slots = calloc(n, sizeof *slots);
  if (!slots)
    return -1;
  for (size_t i = 0; i < v->nslots; i++) {
    if (!v->slots[i].value)
      continue;
    size_t to = v->slots[i].tag & (n - 1);
    while (slots[to].value)
      to = (to + 1) & (n - 1);
    slots[to] = v->slots[i];
  }
  free(v->slots);
  v->slots = slots;
  v->nslots = n;
  return 0;
}

static int grow_strings(vocab *v, size_t length)
{
  if (v->n == v->room) {
    long room = v->room ? v->room * 2 : 32;
    size_t *end = realloc(v->end, (size_t)room * sizeof *end);
    if (end)
      v->end = end;
    uint64_t *count = end ? realloc(v->count, (size_t)room * sizeof *count) : NULL;
    if (!count)
      return -1;
    v->count = count;
    v->room = room;
  }
  if (v->nbytes + length > v->room_bytes) {
    size_t room = (v->nbytes + length) * 2;
    char *bytes = realloc(v->bytes, room);
    if (!bytes)
      return -1;
    v->bytes = bytes;
    v->room_bytes = room;
  }
  return 0;
}

long vocab_add(vocab *v, const char *at, size_t length)
{
  if ((size_t)v->n >= v->nslots / 2 && grow_slots(v))
    return -1;
  uint32_t tag = tag_of(at, length);
  size_t slot = find_slot(v, at, length, tag);
  if (v->slots[slot].value)
    return (long)v->slots[slot].value - 1;
  if (v->n >= VOCAB_MOST || grow_strings(v, length))
    return -1;
  if (length)
    memcpy(v->bytes + v->nbytes, at, length);
  v->nbytes += length;
  v->end[v->n] = v->nbytes;
  v->count[v->n] = 0;
  v->slots[slot] = (vocab_slot){tag, (uint32_t)(v->n + 1)};
  return v->n++;
}

typedef struct ranked {
  uint64_t count;
  const char *at;
  size_t length;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
  const ranked *x = a, *y = b;
  if (x->count != y->count)
    return x->count < y->count ? 1 : -1;
  size_t n = x->length < y->length ? x->length : y->length;
  int order = n ? memcmp(x->at, y->at, n) : 0;
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

int vocab_rank(vocab *v, uint64_t least, long most)
{
  ranked *all = malloc(((size_t)v->n + 1) * sizeof *all);
  if (!all)
    return -1;
  long n = 0;
  for (long i = 0; i < v->n; i++) {
    text_span s = vocab_at(v, i);
    if (v->count[i] >= least)
      all[n++] = (ranked){v->count[i], s.at, s.length};
  }
  qsort(all, (size_t)n, sizeof *all, compare_ranked);
  vocab kept = {0};
  long failed = 0;
  for (long i = 0; i < n && i < most && failed >= 0; i++) {
    failed = vocab_add(&kept, all[i].at, all[i].length);
    if (failed >= 0)
      kept.count[failed] = all[i].count;
  }
  free(all);
  vocab_free(failed < 0 ? &kept : v);
  if (failed >= 0)
    *v = kept;
  return failed < 0 ? -1 : 0;
}
