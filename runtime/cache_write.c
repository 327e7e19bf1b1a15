/* Writing encoded rows. One idea: rows gather in one buffer per column until a group is full, the
 * group goes out, and only when all is on disk does the file get its name, so a reader never sees
 * half a file and two writers of the same entry just replace each other's equal work. */

#define _GNU_SOURCE
#define XXH_INLINE_ALL

#include "cache_format.h"
#include "data_text.h"
#include "rank_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

typedef struct column_buffer {
  char *at;
  size_t n, room;
} column_buffer;

struct cache_writer {
  const rank_model *m;
  int labels, fd;
  cache_header header;
  cache_path path, temporary; /* "" when it stays without a name */
  uint64_t at;                /* bytes written */
  uint64_t group_rows;
  column_buffer *columns; /* [ninputs] */
  uint32_t **offset;      /* [ndims][rows of a group + 1] */
  uint64_t *directory;
  uint64_t room_groups;
  XXH3_state_t *hash;
};

static void *grow(column_buffer *b, size_t more)
{
  if (!b->at || b->n + more > b->room) { /* nothing has a place, too */
    size_t room = (b->n + more) * 2 + CACHE_ALIGN;
    char *at = realloc(b->at, room);
    if (!at)
      return NULL;
    b->at = at;
    b->room = room;
  }
  b->n += more;
  return b->at + b->n - more;
}

void *cache_room(cache_writer *w, int input, long n)
{
  return grow(&w->columns[input], (size_t)n * cache_element(&w->m->inputs[input]));
}

static int write_all(int fd, const void *bytes, size_t n)
{
  const char *at = bytes;
  while (n) {
    ssize_t put = write(fd, at, n);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return -1;
    at += put;
    n -= (size_t)put;
  }
  return 0;
}

/* Bytes of a group, from an aligned place on, into the file and its checksum. */
static int put(cache_writer *w, const void *bytes, size_t n)
{
  static const char zeros[CACHE_ALIGN];
  size_t pad = (size_t)(cache_align(w->at) - w->at);
  XXH3_64bits_update(w->hash, zeros, pad);
  if (n)
    XXH3_64bits_update(w->hash, bytes, n);
  w->at += pad + n;
  return write_all(w->fd, zeros, pad) || write_all(w->fd, bytes, n);
}

static uint64_t *new_entry(cache_writer *w)
{
  size_t words = 3 + (size_t)w->m->ndims;
  if (w->header.groups == w->room_groups) {
    uint64_t room = w->room_groups ? w->room_groups * 2 : 16;
    uint64_t *more = realloc(w->directory, room * words * sizeof *more);
    if (!more)
      return NULL;
    w->directory = more;
    w->room_groups = room;
  }
  return w->directory + w->header.groups * words;
}

static int fail_write(cache_writer *w, rank_error *e)
{
  return rank_fail(e, "%s: cannot write encoded rows: %s",
    w->temporary.text[0] ? w->temporary.text : "temporary file", strerror(errno));
}

static int flush_group(cache_writer *w, rank_error *e)
{
  uint64_t *entry = new_entry(w);
  if (!entry)
    return rank_fail(e, "out of memory for encoded rows");
  static const char zeros[CACHE_ALIGN];
  size_t pad = (size_t)(cache_align(w->at) - w->at);
  if (write_all(w->fd, zeros, pad))
    return fail_write(w, e);
  w->at += pad;
  entry[0] = w->at;
  XXH3_64bits_reset(w->hash);
  for (int d = 0; d < w->m->ndims; d++) {
    entry[3 + d] = w->offset[d][w->group_rows];
    if (put(w, w->offset[d], (w->group_rows + 1) * sizeof(uint32_t)))
      return fail_write(w, e);
  }
  for (int i = 0; i < w->m->ninputs; i++) {
    if (cache_has(w->m, i, w->labels) && put(w, w->columns[i].at, w->columns[i].n))
      return fail_write(w, e);
    w->columns[i].n = 0;
  }
  entry[1] = w->at - entry[0];
  entry[2] = XXH3_64bits_digest(w->hash);
  w->header.groups++;
  w->group_rows = 0;
  return 0;
}

int cache_row(cache_writer *w, const long *length, rank_error *e)
{
  if (w->header.rows == UINT32_MAX)
    return rank_fail(e, "more than %u rows", UINT32_MAX);
  for (int d = 0; d < w->m->ndims; d++) {
    uint32_t more = length[d] > 0 ? (uint32_t)length[d] : 0;
    w->offset[d][w->group_rows + 1] = w->offset[d][w->group_rows] + more;
  }
  w->header.rows++;
  w->group_rows++;
  return w->group_rows == (uint64_t)1 << w->header.shift ? flush_group(w, e) : 0;
}

/* mkdir -p */
static int make_directories(const char *dir)
{
  cache_path p;
  size_t n = strlen(dir);
  if (n >= sizeof p.text)
    return -1;
  memcpy(p.text, dir, n + 1);
  for (char *s = p.text + 1; *s; s++) {
    if (*s != '/')
      continue;
    *s = 0;
    mkdir(p.text, 0777);
    *s = '/';
  }
  return mkdir(p.text, 0777) && errno != EEXIST ? -1 : 0;
}

/* A new file beside the entry, to be renamed to it. */
static int open_temporary(const char *dir, cache_path *path, rank_error *e)
{
  int n = snprintf(path->text, sizeof path->text, "%s/rows", dir);
  int fd = -1;
  char *name = NULL;
  if (n > 0 && (size_t)n < sizeof path->text && !make_directories(dir))
    fd = rank_temp_create(path->text, &name);
  n = snprintf(path->text, sizeof path->text, "%s", name ? name : "");
  free(name);
  if (fd >= 0 && (n < 0 || (size_t)n >= sizeof path->text)) {
    close(fd);
    fd = -1;
    errno = ENAMETOOLONG;
  }
  if (fd < 0) {
    path->text[0] = 0;
    rank_fail(e, "%s: cannot write the cache: %s", dir, strerror(errno));
  }
  return fd;
}

/* On disk, then under its name; the directory too, so that the name survives a power cut. */
static int publish(int fd, const char *from, const char *to)
{
  if (fsync(fd) || rename(from, to))
    return -1;
  cache_path dir;
  size_t n = strlen(to);
  while (n && to[n - 1] != '/')
    n--;
  memcpy(dir.text, to, n);
  dir.text[n] = 0;
  int parent = open(n ? dir.text : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return 0;
}

int cache_store(const char *dir, const char *path, const char *bytes, size_t n, rank_error *e)
{
  uint64_t checksum = XXH3_64bits(bytes, n);
  cache_path temporary;
  int fd = open_temporary(dir, &temporary, e);
  if (fd < 0)
    return -1;
  int failed = write_all(fd, bytes, n) || write_all(fd, &checksum, sizeof checksum) ||
               publish(fd, temporary.text, path);
  if (failed) {
    rank_fail(e, "%s: cannot write the cache: %s", dir, strerror(errno));
    unlink(temporary.text);
  }
  close(fd);
  return failed ? -1 : 0;
}

static int make_buffers(cache_writer *w)
{
  size_t rows = ((size_t)1 << w->header.shift) + 1;
  w->columns = calloc((size_t)w->m->ninputs + 1, sizeof *w->columns);
  w->offset = calloc((size_t)w->m->ndims + 1, sizeof *w->offset);
  w->hash = XXH3_createState();
  int failed = !w->columns || !w->offset || !w->hash || XXH3_64bits_reset(w->hash);
  for (int d = 0; d < w->m->ndims && !failed; d++)
    failed = !(w->offset[d] = calloc(rows, sizeof(uint32_t)));
  return failed ? -1 : 0;
}

cache_writer *cache_create(
  const rank_model *m, int labels, cache_key key, const char *dir, rank_error *e)
{
  cache_writer *w = calloc(1, sizeof *w);
  if (!w) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  w->m = m;
  w->labels = labels;
  w->header = (cache_header){.magic = {0},
    .version = CACHE_VERSION,
    .endian = CACHE_ENDIAN,
    .real = sizeof(rank_real),
    .shift = cache_shift(m, labels),
    .key = {key.word[0], key.word[1]}};
  memcpy(w->header.magic, CACHE_MAGIC, sizeof w->header.magic);
  if (dir) {
    w->path = cache_path_of(dir, key, "rows");
    w->fd = open_temporary(dir, &w->temporary, e);
  } else {
    w->fd = text_temporary();
    if (w->fd < 0)
      rank_fail(e, "no room for encoded rows: %s", strerror(errno));
  }
  static const cache_header nothing; /* until the file is whole */
  int failed = w->fd < 0;
  if (!failed && make_buffers(w))
    failed = rank_fail(e, "out of memory");
  if (!failed && write_all(w->fd, &nothing, sizeof nothing))
    failed = fail_write(w, e);
  w->at = sizeof nothing;
  if (failed)
    cache_abandon(w);
  return failed ? NULL : w;
}

static void free_writer(cache_writer *w)
{
  for (int i = 0; w->columns && i < w->m->ninputs; i++)
    free(w->columns[i].at);
  for (int d = 0; w->offset && d < w->m->ndims; d++)
    free(w->offset[d]);
  free(w->columns);
  free(w->offset);
  free(w->directory);
  XXH3_freeState(w->hash);
  free(w);
}

void cache_abandon(cache_writer *w)
{
  if (!w)
    return;
  if (w->temporary.text[0])
    unlink(w->temporary.text);
  if (w->fd >= 0)
    close(w->fd);
  free_writer(w);
}

static int write_end(cache_writer *w, rank_error *e)
{
  cache_header *h = &w->header;
  size_t bytes = h->groups * (3 + (size_t)w->m->ndims) * sizeof(uint64_t);
  h->directory = cache_align(w->at);
  h->directory_checksum = XXH3_64bits(w->directory, bytes);
  if (put(w, w->directory, bytes))
    return fail_write(w, e);
  h->size = w->at;
  h->checksum = cache_hash(h);
  if (lseek(w->fd, 0, SEEK_SET) != 0 || write_all(w->fd, h, sizeof *h))
    return fail_write(w, e);
  return 0;
}

cache *cache_finish(cache_writer *w, rank_error *e)
{
  cache_key key = {{w->header.key[0], w->header.key[1]}};
  if ((w->group_rows && flush_group(w, e)) || write_end(w, e)) {
    cache_abandon(w);
    return NULL;
  }
  if (w->temporary.text[0] && publish(w->fd, w->temporary.text, w->path.text)) {
    fail_write(w, e);
    cache_abandon(w);
    return NULL;
  }
  cache *c = cache_map(w->m, w->labels, key, w->fd, 0);
  if (!c)
    rank_fail(e, "encoded rows cannot be read back");
  free_writer(w);
  return c;
}
