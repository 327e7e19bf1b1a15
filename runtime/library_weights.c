/* library_weights.c: weights to predict with.
 *
 * One idea: tables are read where they lie in the weights file, which is mapped: the processes of a machine share
 * one copy, and opening costs no more than checking it. What cannot be used in place (another number
 * format, no room for a vector load past its end) and the dense parameters are copied. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "library_opened.h"
#include "rank_runtime.h"
#include "stored.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *aligned_memory(size_t bytes)
{
  return aligned_alloc(RANK_ALIGN, (bytes + RANK_ALIGN - 1) / RANK_ALIGN * RANK_ALIGN);
}

static int is_mapped(const rank_opened *o, const void *p)
{
  const char *at = p;
  return o->map != NULL && at >= o->map && at < o->map + o->map_bytes;
}

static void map_file(rank_opened *o, const st_file *f)
{
  struct stat info;
  if (fstat(f->fd, &info) == 0 && info.st_size > 0) {
    void *p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, f->fd, 0);
    if (p != MAP_FAILED) {
      o->map = p;
      o->map_bytes = (size_t)info.st_size;
    }
  }
}

/* Past the file's end the last page holds zeros; past that page there is nothing. */
static int fits_in_place(const rank_opened *o, const st_tensor *t)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t readable = (o->map_bytes + page - 1) / page * page;
  int whole = t->count == 0 || t->at % (t->bytes / (uint64_t)t->count) == 0;
  return o->map != NULL && whole && t->at + t->bytes <= o->map_bytes &&
         t->at + t->bytes + SLACK <= readable;
}

/* A tensor's bytes where they lie, or copied. NULL with a message. */
static void *open_bytes(rank_opened *o, const rank_weights *w, const st_tensor *t, rank_error *e)
{
  if (fits_in_place(o, t)) {
    return st_verify(&w->file, t, o->map + t->at, e) == 0 ? o->map + t->at : NULL;
  }
  char *own = aligned_memory(t->bytes + SLACK);
  if (own == NULL) {
    rank_fail(e, "out of memory: parameter %s", t->name);
  } else if (st_read_bytes(&w->file, t, own, e) != 0) {
    free(own);
    own = NULL;
  }
  return own;
}

/* A table in fewer bits stays so. */
static int open_stored(
  rank_opened *o, const rank_weights *w, int p, const st_tensor *t, rank_error *e)
{
  const rank_model *m = o->library->model;
  if (o->state.stored == NULL) {
    o->state.stored = calloc((size_t)m->nparams + 1, sizeof *o->state.stored);
    if (o->state.stored == NULL) {
      return rank_fail(e, "out of memory");
    }
  }
  rank_stored *s = &o->state.stored[p];
  s->rows = open_bytes(o, w, t, e);
  s->kind = rank_stored_of_tensor(t);
  if (s->rows != NULL && s->kind == RANK_INT8) {
    const st_tensor *scale = rank_stored_find_scale(w, m, p, o->state.rows[p], e);
    s->scale = scale != NULL ? open_bytes(o, w, scale, e) : NULL;
    return s->scale != NULL ? 0 : -1;
  }
  return s->rows != NULL ? 0 : -1;
}

static int open_param(rank_opened *o, const rank_weights *w, int p, rank_error *e)
{
  const rank_model *m = o->library->model;
  const st_tensor *t = rank_weights_find(w, m, p, o->state.rows[p], e);
  if (t == NULL) {
    return -1;
  }
  if (m->params[p].by_rows && rank_stored_of_tensor(t) != RANK_REALS) {
    return open_stored(o, w, p, t, e);
  }
  if (m->params[p].table && t->dtype == ST_REAL && fits_in_place(o, t)) {
    o->state.param[p] = (rank_real *)(void *)(o->map + t->at);
    return st_verify(&w->file, t, o->state.param[p], e);
  }
  size_t bytes = rank_param_count(m, &o->state, p) * sizeof(rank_real);
  char *own = aligned_memory(bytes + SLACK);
  if (own == NULL) {
    return rank_fail(e, "out of memory: parameter %s", m->params[p].name);
  }
  memset(own + bytes, 0, SLACK);
  o->state.param[p] = (rank_real *)(void *)own;
  return st_read_reals(&w->file, t, o->state.param[p], e);
}

static int prepare_one(const rank_state *s, size_t (*fill)(const rank_state *s, void *prepared),
  void **prepared, rank_error *e)
{
  size_t bytes = fill(s, NULL);
  *prepared = bytes > 0 ? aligned_memory(bytes) : NULL;
  if (*prepared == NULL) {
    return bytes > 0 ? rank_fail(e, "out of memory: %zu bytes of packed weights", bytes) : 0;
  }
  memset(*prepared, 0, bytes); /* rows of packed weights are padded */
  fill(s, *prepared);
  return 0;
}

/* The parts of a split program each have their own. */
static int prepare(rank_opened *o, rank_error *e)
{
  const rank_split *split = o->library->model->split;
  if (split != NULL &&
      (prepare_one(&o->state, split->request.prepare, &o->request_prepared, e) != 0 ||
        prepare_one(&o->state, split->rank.prepare, &o->rank_prepared, e) != 0)) {
    return -1;
  }
  return prepare_one(&o->state, o->library->model->prepare, &o->state.prepared, e);
}

int library_open_weights(rank_opened *o, const rank_weights *w, rank_error *e)
{
  const rank_model *m = o->library->model;
  const rank_split *split = o->library->model->split;
  size_t values = split != NULL ? (size_t)split->nvalues : 0; /* those of a request: NULL here */
  o->state.param = calloc((size_t)m->nparams + values + 1, sizeof *o->state.param);
  o->state.rows = calloc((size_t)m->nparams + 1, sizeof *o->state.rows);
  if (o->state.param == NULL || o->state.rows == NULL) {
    return rank_fail(e, "out of memory");
  }
  map_file(o, &w->file);
  int failed = rank_state_rows(m, NULL, o->state.rows, e) != 0 ||
               rank_weights_rows(w, m, o->state.rows, e) != 0;
  for (int p = 0; p < m->nparams && !failed; p++) {
    failed = open_param(o, w, p, e);
  }
  for (int p = 0; p < m->nparams && !failed && o->state.stored != NULL; p++) {
    if (o->state.stored[p].kind == RANK_REALS) {
      o->state.stored[p].rows = o->state.param[p];
    }
  }
  return failed || prepare(o, e) != 0 ? -1 : 0;
}

static void close_bytes(const rank_opened *o, const void *bytes)
{
  if (!is_mapped(o, bytes)) {
    free((void *)(uintptr_t)bytes);
  }
}

void library_close_weights(rank_opened *o)
{
  for (int p = 0; p < o->library->model->nparams && o->state.param != NULL; p++) {
    close_bytes(o, o->state.param[p]);
    if (o->state.stored != NULL) {
      close_bytes(o, o->state.stored[p].kind != RANK_REALS ? o->state.stored[p].rows : NULL);
      close_bytes(o, o->state.stored[p].scale);
    }
  }
  free(o->state.stored);
  free(o->state.param);
  free(o->state.rows);
  if (o->map != NULL) {
    munmap(o->map, o->map_bytes);
  }
}
