/* The format of encoded rows, and reading it. One idea: a file is believed only when its header,
 * its directory, the checksum of each group and every offset agree; whatever fails is a file to
 * write anew.
 *
 *   header, 128 bytes          | group 0 | group 1 | ... | directory
 *   group: [dim] uint32_t offsets[rows + 1], then [input] values, each at a multiple of 64
 *   directory, per group: where it begins, its bytes, their checksum, [dim] how many elements */

#define _GNU_SOURCE
#define XXH_INLINE_ALL

#include "cache.h"
#include "cache_format.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

size_t cache_element(const rank_input *in)
{
  return in->is_id ? sizeof(int32_t) : sizeof(rank_real);
}

int cache_has(const rank_model *m, int input, int labels)
{
  return (labels || !m->inputs[input].label) && m->inputs[input].encoding.source != RANK_FROM_FIT;
}

unsigned cache_shift(const rank_model *m, int labels)
{
  uint64_t row = 1, longest = 1;
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    uint64_t values = (uint64_t)in->width * (uint64_t)(in->dim < 0 ? 1 : m->dims[in->dim].max);
    if (cache_has(m, i, labels))
      row += values * cache_element(in);
    longest = in->dim >= 0 && values > longest ? values : longest;
  }
  unsigned shift = 16;
  while (shift > 8 && row << shift > (uint64_t)32 << 20)
    shift--;
  while (shift > 0 && longest > UINT32_MAX >> shift) /* offsets are uint32_t */
    shift--;
  return shift;
}

uint64_t cache_hash(const cache_header *h)
{
  return XXH3_64bits(h, offsetof(cache_header, checksum));
}

/* n bytes at `at` of the file, aligned; moves on. NULL when the file does not have them. */
static const void *take(const cache *c, uint64_t *at, uint64_t n, uint64_t end)
{
  uint64_t from = cache_align(*at);
  if (from > end || n > end - from)
    return NULL;
  *at = from + n;
  return (const char *)c->map + from;
}

static int check_offsets(const uint32_t *offset, uint64_t rows, uint64_t total, uint64_t most)
{
  if (offset[0] != 0 || offset[rows] != total)
    return -1;
  for (uint64_t i = 0; i < rows; i++)
    if (offset[i + 1] < offset[i] || offset[i + 1] - offset[i] > most)
      return -1;
  return 0;
}

/* One group's columns, from its entry in the directory. */
static int map_group(cache *c, uint64_t g, const uint64_t *entry, int full)
{
  const rank_model *m = c->m;
  uint64_t rows = (uint64_t)1 << c->shift, at = entry[0], end = entry[0] + entry[1];
  cache_column *columns = c->columns + g * (uint64_t)(m->ndims + m->ninputs);
  if (g + 1 == c->groups)
    rows = c->rows - (g << c->shift);
  if (at % CACHE_ALIGN || at > c->size || entry[1] > c->size - at)
    return -1;
  if (full && XXH3_64bits((const char *)c->map + at, entry[1]) != entry[2])
    return -1;
  for (int d = 0; d < m->ndims; d++) {
    const uint32_t *offset = take(c, &at, (rows + 1) * sizeof *offset, end);
    if (!offset || check_offsets(offset, rows, entry[3 + d], (uint64_t)m->dims[d].max))
      return -1;
    columns[d].at = offset;
  }
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    uint64_t n = in->dim < 0 ? rows : entry[3 + in->dim];
    uint64_t bytes = n * (uint64_t)in->width * cache_element(in);
    if (cache_has(m, i, c->labels) && !(columns[m->ndims + i].at = take(c, &at, bytes, end)))
      return -1;
  }
  return 0;
}

static int check_header(const cache *c, const cache_header *h, cache_key key)
{
  uint64_t entry = sizeof(uint64_t) * (uint64_t)(3 + c->m->ndims);
  if (memcmp(h->magic, CACHE_MAGIC, sizeof h->magic) || h->version != CACHE_VERSION ||
      h->endian != CACHE_ENDIAN || h->real != sizeof(rank_real) || cache_hash(h) != h->checksum)
    return -1;
  if (h->key[0] != key.word[0] || h->key[1] != key.word[1] || h->size != c->size ||
      h->shift != cache_shift(c->m, c->labels) || h->rows > UINT32_MAX)
    return -1;
  if (h->groups != (h->rows + ((uint64_t)1 << h->shift) - 1) >> h->shift)
    return -1;
  return h->directory % CACHE_ALIGN || h->directory > c->size ||
         (c->size - h->directory) / entry != h->groups || (c->size - h->directory) % entry;
}

static int validate(cache *c, cache_key key, int full)
{
  const cache_header *h = c->map;
  size_t words = 3 + (size_t)c->m->ndims;
  if (check_header(c, h, key))
    return -1;
  c->rows = h->rows;
  c->groups = h->groups;
  c->shift = h->shift;
  const uint64_t *directory = (const uint64_t *)(const void *)((const char *)c->map + h->directory);
  if (XXH3_64bits(directory, c->groups * words * sizeof *directory) != h->directory_checksum)
    return -1;
  c->columns = calloc(c->groups * (size_t)(c->m->ndims + c->m->ninputs) + 1, sizeof *c->columns);
  if (!c->columns)
    return -1;
  for (uint64_t g = 0; g < c->groups; g++)
    if (map_group(c, g, directory + g * words, full))
      return -1;
  return 0;
}

cache *cache_map(const rank_model *m, int labels, cache_key key, int fd, int full)
{
  struct stat s;
  cache *c = calloc(1, sizeof *c);
  if (c && !fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_size >= (off_t)sizeof(cache_header)) {
    c->m = m;
    c->labels = labels;
    c->size = (size_t)s.st_size;
    c->map = mmap(NULL, c->size, PROT_READ, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (c && c->map == MAP_FAILED)
    c->map = NULL;
  if (!c || !c->map || validate(c, key, full)) {
    cache_unmap(c);
    return NULL;
  }
  return c;
}

void cache_unmap(cache *c)
{
  if (!c)
    return;
  if (c->map)
    munmap(c->map, c->size);
  free(c->columns);
  free(c);
}

cache_path cache_path_of(const char *dir, cache_key key, const char *suffix)
{
  cache_path p;
  int n = snprintf(p.text, sizeof p.text, "%s/%016llx%016llx.%s", dir,
    (unsigned long long)key.word[0], (unsigned long long)key.word[1], suffix);
  if (n < 0 || (size_t)n >= sizeof p.text)
    p.text[0] = 0;
  return p;
}

char *cache_load(const char *path, size_t *n)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat s;
  char *bytes = NULL;
  uint64_t checksum;
  if (fd >= 0 && !fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_size > 8)
    bytes = malloc((size_t)s.st_size);
  size_t done = 0;
  while (bytes && done < (size_t)s.st_size) {
    ssize_t got = read(fd, bytes + done, (size_t)s.st_size - done);
    if (got <= 0)
      break;
    done += (size_t)got;
  }
  if (fd >= 0)
    close(fd);
  if (!bytes || done < (size_t)s.st_size) {
    free(bytes);
    return NULL;
  }
  *n = done - sizeof checksum;
  memcpy(&checksum, bytes + *n, sizeof checksum);
  if (XXH3_64bits(bytes, *n) != checksum) {
    free(bytes);
    return NULL;
  }
  return bytes;
}
