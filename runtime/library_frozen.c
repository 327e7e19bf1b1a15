/* library_frozen.c: opening a library whose weights were known when it was made; see rank_frozen.h. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "library_opened.h"
#include "rank_frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Eight sums side by side, each mixed with every number it takes: as fast as memory. */
uint64_t rank_frozen_check(const void *data, long bytes)
{
  uint64_t sum[8] = {1, 2, 3, 4, 5, 6, 7, 8}, all = (uint64_t)bytes;
  const char *at = data;
  for (long i = 0; i + 64 <= bytes; i += 64) {
    for (int k = 0; k < 8; k++) {
      uint64_t x;
      memcpy(&x, at + i + 8 * k, sizeof x);
      sum[k] = (sum[k] ^ x) * 0x9e3779b97f4a7c15u;
      sum[k] ^= sum[k] >> 32;
    }
  }
  for (int k = 0; k < 8; k++) {
    all = (all ^ sum[k]) * 0x9e3779b97f4a7c15u;
    all ^= all >> 29;
  }
  return all;
}

/* Whether what is mapped is what this library reads. */
static int check_file(const rank_frozen *f, const rank_opened *o, const char *path, rank_error *e)
{
  const rank_frozen_head *head = (const void *)o->map;
  if (o->map_bytes < sizeof *head ||
      memcmp(head->magic, RANK_FROZEN_MAGIC, sizeof RANK_FROZEN_MAGIC) != 0) {
    return rank_fail(e, "%s: not a file of frozen weights", path);
  }
  if (head->layout != f->layout) {
    return rank_fail(e, "%s: these weights were frozen for another library than this one of %s",
      path, f->library->model->name);
  }
  if (head->bytes != (uint64_t)f->bytes || o->map_bytes != sizeof *head + (size_t)f->bytes) {
    return rank_fail(
      e, "%s: it has %zu bytes, wanted %zu", path, o->map_bytes, sizeof *head + (size_t)f->bytes);
  }
  return rank_frozen_check(head + 1, f->bytes) == head->check
           ? 0
           : rank_fail(e, "%s: the weights are damaged (checksum)", path);
}

static int map_frozen(const rank_frozen *f, rank_opened *o, const char *path, rank_error *e)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    rank_fail(e, "%s: %s", path, strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return -1;
  }
  void *p = S_ISREG(info.st_mode) && info.st_size > 0
              ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0)
              : MAP_FAILED;
  close(fd);
  if (p == MAP_FAILED) {
    return rank_fail(e, "%s: not a file of frozen weights", path);
  }
  o->map = p;
  o->map_bytes = (size_t)info.st_size;
  return check_file(f, o, path, e);
}

static void *place_of(const char *base, long at)
{
  return at < 0 ? NULL : (void *)(uintptr_t)(base + at);
}

static int point_at(const rank_frozen *f, rank_opened *o, const char *base, rank_error *e)
{
  size_t n = (size_t)f->library->model->nparams;
  const rank_split *split = f->library->model->split;
  size_t values = split != NULL ? (size_t)split->nvalues : 0;
  o->state.param = calloc(n + values + 1, sizeof *o->state.param);
  o->state.rows = calloc(n + 1, sizeof *o->state.rows);
  o->state.stored = calloc(n + 1, sizeof *o->state.stored);
  if (o->state.param == NULL || o->state.rows == NULL || o->state.stored == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (size_t p = 0; p < n; p++) {
    const rank_frozen_param *at = &f->params[p];
    void *rows = place_of(base, at->at);
    o->state.rows[p] = at->rows;
    o->state.param[p] = at->kind == RANK_REALS ? rows : NULL;
    o->state.stored[p] = (rank_stored){rows, place_of(base, at->scale), at->kind};
  }
  o->state.prepared = place_of(base, f->prepared);
  o->request_prepared = place_of(base, f->request_prepared);
  o->rank_prepared = place_of(base, f->rank_prepared);
  return 0;
}

/* Fits take copies: what they make of them is theirs. */
static int learn(const rank_frozen *f, rank_opened *o, const char *base, rank_error *e)
{
  const rank_model *m = f->library->model;
  if (m->nfits == 0) {
    return 0;
  }
  o->fits = rank_fits_new(m);
  for (int i = 0; o->fits != NULL && i < f->ntensors; i++) {
    const rank_frozen_tensor *t = &f->tensors[i];
    const fit_tensor *to =
      fit_add_as(&o->fits->state[t->fit], t->key, (st_dtype)t->type, t->rows, t->columns);
    if (to == NULL) {
      return rank_fail(e, "out of memory");
    }
    size_t bytes = (size_t)(t->rows * t->columns) * (t->type == ST_F64 ? 8 : 4);
    memcpy(to->data, base + t->at, bytes);
  }
  int failed = o->fits == NULL ? rank_fail(e, "out of memory") : 0;
  for (int i = 0; i < m->nfits && !failed; i++) {
    failed = fit_get_ready(m, &m->fits[i], &o->fits->state[i], e);
  }
  if (!failed) {
    o->fits->ready = 1;
  }
  return failed;
}

static int use(const rank_frozen *f, rank_opened *o, const char *base, rank_error *e)
{
  return point_at(f, o, base, e) != 0 || learn(f, o, base, e) != 0 ? -1 : 0;
}

static int fill(const rank_frozen *f, rank_opened *o, const char *weights, rank_error *e)
{
  if (f->inside != NULL) {
    return weights != NULL
             ? rank_fail(e, "the weights of this library are inside it: open it with NULL")
             : use(f, o, f->inside, e);
  }
  if (weights == NULL) {
    return rank_fail(e, "no file of weights given");
  }
  return map_frozen(f, o, weights, e) != 0 ? -1 : use(f, o, o->map + sizeof(rank_frozen_head), e);
}

rank_status rank_frozen_open(
  const rank_frozen *f, const char *weights, rank_opened **opened, char *message, size_t size)
{
  rank_error e = {{0}};
  rank_opened *o = calloc(1, sizeof *o);
  *opened = NULL;
  if (o == NULL) {
    rank_fail(&e, "out of memory");
    return library_say(RANK_NO_MEMORY, &e, message, size);
  }
  o->library = f->library;
  if (fill(f, o, weights, &e) != 0) {
    rank_status why = strcmp(e.text, "out of memory") == 0 ? RANK_NO_MEMORY : RANK_BAD_FILE;
    rank_frozen_close(o);
    return library_say(why, &e, message, size);
  }
  *opened = o;
  return RANK_OK;
}

void rank_frozen_close(rank_opened *o)
{
  if (o == NULL) {
    return;
  }
  if (o->map != NULL) {
    munmap(o->map, o->map_bytes);
  }
  rank_fits_free(o->fits);
  free(o->state.param);
  free(o->state.rows);
  free(o->state.stored);
  free(o);
}
