/* index_write.c: a catalogue on its way into an index: ids in order, then every vector at its place.
 *
 * One idea: the draft is the file's own bytes, so that what was made can be searched at once or written
 * in one go. It is in memory until then; a catalogue that is searched has to fit there anyway. */

#include "index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- ids in order --- */

typedef struct sort_item {
  const char *text; /* NULL: a number */
  int64_t number;   /* or the text's length */
  uint32_t row;
} sort_item;

static int compare_ids(const sort_item *a, const sort_item *b)
{
  if (a->text == NULL) {
    return (a->number > b->number) - (a->number < b->number);
  }
  int64_t least = a->number < b->number ? a->number : b->number;
  int order = memcmp(a->text, b->text, (size_t)least);
  return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

static int compare_items(const void *a, const void *b)
{
  const sort_item *x = a, *y = b;
  int order = compare_ids(x, y);
  return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int fail_twice(const sort_item *a, const sort_item *b, rank_error *e)
{
  char number[32];
  snprintf(number, sizeof number, "%" PRId64, a->number);
  return rank_fail(e, "rows %" PRIu32 " and %" PRIu32 " (the first is 0) have the same id \"%.*s\"",
    a->row, b->row, a->text != NULL ? (int)(a->number < 80 ? a->number : 80) : 31,
    a->text != NULL ? a->text : number);
}

static sort_item *sort_ids(const index_item_ids *ids, rank_error *e)
{
  sort_item *item = calloc((size_t)ids->count + 1, sizeof *item);
  if (item == NULL) {
    rank_fail(e, "out of memory: %ld ids", ids->count);
    return NULL;
  }
  for (long i = 0; i < ids->count; i++) {
    item[i] = ids->numbers == NULL ? (sort_item){ids->texts[i], ids->lengths[i], (uint32_t)i}
                                   : (sort_item){NULL, ids->numbers[i], (uint32_t)i};
  }
  qsort(item, (size_t)ids->count, sizeof *item, compare_items);
  for (long i = 1; i < ids->count; i++) {
    if (compare_ids(&item[i - 1], &item[i]) == 0) {
      fail_twice(&item[i - 1], &item[i], e);
      free(item);
      return NULL;
    }
  }
  return item;
}

/* --- the file --- */

static uint64_t round_up(uint64_t x, uint64_t to)
{
  return (x + to - 1) / to * to;
}

static void lay_out(index_header *h, const index_item_ids *ids, long width, int codes)
{
  uint64_t at = round_up(sizeof *h, 64), count = (uint64_t)ids->count;
  int texts = ids->numbers == NULL;
  *h = (index_header){.version = INDEX_VERSION, .ids = texts ? INDEX_TEXTS : INDEX_NUMBERS};
  memcpy(h->magic, index_magic, sizeof h->magic);
  h->count = count;
  h->width = (uint64_t)width;
  h->ids_at = at;
  at += (count + (uint64_t)texts) * 8;
  for (uint64_t i = 0; texts && i < count; i++) {
    h->ids_bytes += ids->lengths[i];
  }
  at = round_up(at + h->ids_bytes, 64);
  if (codes) {
    h->codes_at = at;
    at += count * sizeof(int32_t);
  }
  h->vectors_at = round_up(at, INDEX_ALIGN);
  h->file_bytes = h->vectors_at + round_up(count, INDEX_BLOCK) * (uint64_t)width * sizeof(float);
}

static void put_ids(index_draft *d, const sort_item *item)
{
  uint64_t at = 0, *offset = (uint64_t *)(void *)(d->bytes + d->h.ids_at);
  int64_t *number = (int64_t *)(void *)(d->bytes + d->h.ids_at);
  char *text = (char *)(offset + d->h.count + 1);
  for (uint64_t i = 0; i < d->h.count; i++) {
    if (d->h.ids == INDEX_NUMBERS) {
      number[i] = item[i].number;
      continue;
    }
    offset[i] = at;
    memcpy(text + at, item[i].text, (size_t)item[i].number);
    at += (uint64_t)item[i].number;
    offset[i + 1] = at;
  }
}

int index_draft_new(index_draft *d, const index_item_ids *ids, long width, int codes,
  uint32_t *position, rank_error *e)
{
  *d = (index_draft){.bytes = NULL};
  sort_item *item = sort_ids(ids, e);
  if (item == NULL) {
    return -1;
  }
  lay_out(&d->h, ids, width, codes);
  size_t room = (size_t)round_up(d->h.file_bytes, INDEX_ALIGN);
  d->bytes = aligned_alloc(INDEX_ALIGN, room);
  if (d->bytes == NULL) {
    free(item);
    return rank_fail(e, "out of memory: %zu MB for %ld vectors", room >> 20, ids->count);
  }
  memset(d->bytes, 0, room);
  put_ids(d, item);
  for (long i = 0; i < ids->count; i++) {
    position[item[i].row] = (uint32_t)i;
  }
  free(item);
  return 0;
}

void index_draft_free(index_draft *d)
{
  free(d->bytes);
  *d = (index_draft){.bytes = NULL};
}

void index_draft_vector(index_draft *d, uint32_t position, const float *vector)
{
  size_t width = (size_t)d->h.width, block = position / INDEX_BLOCK;
  float *to = (float *)(void *)(d->bytes + d->h.vectors_at);
  to += block * width * INDEX_BLOCK + position % INDEX_BLOCK;
  for (size_t k = 0; k < width; k++) {
    to[k * INDEX_BLOCK] = vector[k];
  }
}

int32_t *index_draft_codes(index_draft *d)
{
  return d->h.codes_at != 0 ? (int32_t *)(void *)(d->bytes + d->h.codes_at) : NULL;
}

void index_draft_sign(index_draft *d)
{
  d->h.content = index_content(&d->h, d->bytes);
  d->h.checksum = index_checksum(&d->h);
  memcpy(d->bytes, &d->h, sizeof d->h);
}

rank_index *index_draft_open(index_draft *d, rank_error *e)
{
  rank_index *x = calloc(1, sizeof *x);
  index_draft_sign(d);
  if (x == NULL || index_adopt(x, "index", d->bytes, (size_t)d->h.file_bytes, e) != 0) {
    if (x == NULL) {
      rank_fail(e, "out of memory");
    }
    free(x);
    return NULL;
  }
  x->owned = 1;
  *d = (index_draft){.bytes = NULL};
  return x;
}
