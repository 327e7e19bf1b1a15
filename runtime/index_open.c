/* index_open.c: index files, opened; ids and vectors at a position. See rank_index.h.
 *
 * One idea: everything that a search goes by (counts, places in the file) stands in the header and is
 * checked against the file's size when it is opened; what lies behind it is only numbers, and a text id
 * is checked when it is asked for. So opening reads one page; the rest has a checksum for those who ask. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define XXH_INLINE_ALL

#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

const char index_magic[8] = {'r', 'a', 'n', 'k', 'i', 'd', 'x', '\n'};

uint64_t index_checksum(const index_header *h)
{
  return XXH3_64bits(h, offsetof(index_header, checksum));
}

uint64_t index_content(const index_header *h, const char *file)
{
  return XXH3_64bits(file + sizeof *h, (size_t)h->file_bytes - sizeof *h);
}

/* --- checking --- */

/* Whether a part of `count` things of `size` bytes lies in the file. */
static int lies_inside(const index_header *h, uint64_t at, uint64_t count, uint64_t size)
{
  uint64_t bytes, end;
  return at >= sizeof *h && at % 8 == 0 && !__builtin_mul_overflow(count, size, &bytes) &&
         !__builtin_add_overflow(at, bytes, &end) && end <= h->file_bytes;
}

static int check_places(const index_header *h)
{
  uint64_t blocks = (h->count + INDEX_BLOCK - 1) / INDEX_BLOCK, of_block, of_ids;
  int texts = h->ids == INDEX_TEXTS;
  return h->count < UINT32_MAX && h->width > 0 && h->width <= UINT32_MAX &&
         (texts || h->ids == INDEX_NUMBERS) && h->model[INDEX_NAME - 1] == 0 &&
         h->output[INDEX_NAME - 1] == 0 && h->vectors_at % INDEX_ALIGN == 0 &&
         !__builtin_mul_overflow(h->width, INDEX_BLOCK * sizeof(float), &of_block) &&
         lies_inside(h, h->vectors_at, blocks, of_block) &&
         lies_inside(h, h->ids_at, h->count + (uint64_t)texts, 8) &&
         !__builtin_add_overflow(h->ids_at, (h->count + 1) * 8, &of_ids) &&
         (!texts || lies_inside(h, of_ids, h->ids_bytes, 1)) &&
         (h->codes_at == 0 || lies_inside(h, h->codes_at, h->count, sizeof(int32_t)));
}

int index_adopt(rank_index *x, const char *name, const char *map, size_t bytes, rank_error *e)
{
  const index_header *h = (const index_header *)(const void *)map;
  if (bytes < sizeof index_magic || memcmp(map, index_magic, sizeof index_magic) != 0) {
    return rank_fail(e, "%s: not an index (it does not start like one)", name);
  }
  if (bytes < sizeof *h) {
    return rank_fail(e, "%s: cut off: %zu bytes, the header alone has %zu", name, bytes, sizeof *h);
  }
  if (h->version != INDEX_VERSION) {
    return rank_fail(e, "%s: an index of version %" PRIu32 ", wanted %d; make it again", name,
      h->version, INDEX_VERSION);
  }
  if (h->checksum != index_checksum(h)) {
    return rank_fail(e, "%s: damaged: the checksum of its header is wrong", name);
  }
  if (h->file_bytes != bytes) {
    return rank_fail(e, "%s: %s: %zu bytes, its header says %" PRIu64, name,
      bytes < h->file_bytes ? "cut off" : "damaged", bytes, h->file_bytes);
  }
  if (!check_places(h)) {
    return rank_fail(e, "%s: damaged: its header does not fit together", name);
  }
  *x = (rank_index){.h = h,
    .map = map,
    .bytes = bytes,
    .vectors = (const float *)(const void *)(map + h->vectors_at)};
  return 0;
}

/* --- opening --- */

/* The whole file, read-only; NULL after saying why. */
static char *map_file(const char *path, size_t *bytes, rank_error *e)
{
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    rank_fail(e, "%s: cannot open: %s", path, strerror(errno));
    return NULL;
  }
  void *map = NULL;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    rank_fail(e, "%s: not an index (not a plain file)", path);
  } else if (info.st_size == 0) {
    rank_fail(e, "%s: not an index (the file is empty)", path);
  } else {
    *bytes = (size_t)info.st_size;
    map = mmap(NULL, *bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
      rank_fail(e, "%s: cannot map: %s", path, strerror(errno));
      map = NULL;
    }
  }
  close(fd);
  return map;
}

static rank_index *open_index(const char *path, rank_error *e)
{
  size_t bytes = 0;
  char *map = map_file(path, &bytes, e);
  rank_index *x = map != NULL ? calloc(1, sizeof *x) : NULL;
  if (map != NULL && x == NULL) {
    rank_fail(e, "out of memory");
  }
  if (x != NULL && index_adopt(x, path, map, bytes, e) == 0) {
    return x;
  }
  if (map != NULL) {
    munmap(map, bytes);
  }
  free(x);
  return NULL;
}

int rank_index_open(rank_index **index, const char *path, char *message, size_t size)
{
  rank_error e = {{0}};
  *index = open_index(path, &e);
  if (message != NULL && size > 0) {
    snprintf(message, size, "%s", e.text);
  }
  return *index != NULL ? 0 : -1;
}

void rank_index_close(rank_index *x)
{
  if (x == NULL) {
    return;
  }
  if (x->owned) {
    free((void *)(uintptr_t)x->map);
  } else {
    munmap((void *)(uintptr_t)x->map, x->bytes);
  }
  free(x);
}

int rank_index_verify(const rank_index *x, char *message, size_t size)
{
  int good = index_content(x->h, x->map) == x->h->content;
  if (message != NULL && size > 0) {
    snprintf(
      message, size, "%s", good ? "" : "damaged: the checksum of its vectors and ids is wrong");
  }
  return good ? 0 : -1;
}

rank_index_facts rank_index_about(const rank_index *x)
{
  const index_header *h = x->h;
  return (rank_index_facts){
    h->model, h->output, (long)h->count, (long)h->width, h->layout, h->weights};
}

/* --- what stands at a position --- */

/* The text at a position, where it lies. */
static const char *text_at(const rank_index *x, long position, long *length)
{
  const uint64_t *offset = (const uint64_t *)(const void *)(x->map + x->h->ids_at);
  const char *texts = (const char *)(offset + x->h->count + 1);
  uint64_t from = offset[position], to = offset[position + 1];
  int fine = from <= to && to <= x->h->ids_bytes && to - from <= INT32_MAX;
  *length = fine ? (long)(to - from) : 0;
  return fine ? texts + from : "";
}

const char *rank_index_id(
  const rank_index *x, long position, char room[RANK_INDEX_ID], long *length)
{
  long unused;
  length = length != NULL ? length : &unused;
  *length = 0;
  room[0] = '\0';
  if (position < 0 || (uint64_t)position >= x->h->count) {
    return room;
  }
  if (x->h->ids == INDEX_TEXTS) {
    return text_at(x, position, length);
  }
  const int64_t *number = (const int64_t *)(const void *)(x->map + x->h->ids_at);
  *length = snprintf(room, RANK_INDEX_ID, "%" PRId64, number[position]);
  return room;
}

int index_number(const char *id, long length, int64_t *x)
{
  char text[RANK_INDEX_ID], again[RANK_INDEX_ID];
  if (length < 1 || length >= RANK_INDEX_ID - 1) {
    return 0;
  }
  memcpy(text, id, (size_t)length);
  text[length] = '\0';
  errno = 0;
  *x = strtoll(text, NULL, 10);
  snprintf(again, sizeof again, "%" PRId64, *x);
  return errno == 0 && strcmp(text, again) == 0;
}

static int compare_at(const rank_index *x, long position, const char *id, long length, int64_t n)
{
  if (x->h->ids == INDEX_NUMBERS) {
    int64_t own = ((const int64_t *)(const void *)(x->map + x->h->ids_at))[position];
    return (own > n) - (own < n);
  }
  long own_length;
  const char *own = text_at(x, position, &own_length);
  long least = own_length < length ? own_length : length;
  int order = memcmp(own, id, (size_t)least);
  return order != 0 ? order : (own_length > length) - (own_length < length);
}

long rank_index_find(const rank_index *x, const char *id, long length)
{
  int64_t n = 0;
  if (x->h->ids == INDEX_NUMBERS && !index_number(id, length, &n)) {
    return -1;
  }
  long low = 0, high = (long)x->h->count;
  while (low < high) {
    long middle = low + (high - low) / 2;
    if (compare_at(x, middle, id, length, n) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < (long)x->h->count && compare_at(x, low, id, length, n) == 0 ? low : -1;
}

int rank_index_vector(const rank_index *x, long position, float *vector)
{
  if (position < 0 || (uint64_t)position >= x->h->count) {
    return -1;
  }
  size_t width = (size_t)x->h->width;
  const float *block = x->vectors + (size_t)(position / INDEX_BLOCK) * width * INDEX_BLOCK;
  for (size_t d = 0; d < width; d++) {
    vector[d] = block[d * INDEX_BLOCK + (size_t)(position % INDEX_BLOCK)];
  }
  return 0;
}

const int32_t *rank_index_codes(const rank_index *x)
{
  return x->h->codes_at != 0 ? (const int32_t *)(const void *)(x->map + x->h->codes_at) : NULL;
}
