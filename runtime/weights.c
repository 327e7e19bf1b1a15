/* weights.c: a model's state as a safetensors file, and how far its training came.
 *
 * One idea: everything needed to go on exactly where training stopped is in one file: parameters by
 * name, optimizer state "NAME#STATE", the best epoch so far as "NAME#best" where it differs, and in the
 * metadata the step, seed, place in the epoch and the encoders. A file without our metadata is taken as
 * parameters from elsewhere: it fits when names and shapes do. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "rank_runtime.h"
#include "stored.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 512, PAIRS = 24 };

/* --- names and shapes --- */

/* state < 0: the parameter itself. */
static void tensor_name(const rank_model *m, int p, int state, int best, char name[NAME_ROOM])
{
  snprintf(name, NAME_ROOM, "%s%s%s%s", m->params[p].name, state < 0 ? "" : "#",
    state < 0 ? "" : m->state_names[state], best ? "#best" : "");
}

static int param_shape(const rank_model *m, int p, long rows, int64_t shape[ST_MAX_RANK])
{
  const rank_param *param = &m->params[p];
  for (int i = 0; i < param->nshape; i++) {
    shape[i] = param->shape[i];
  }
  if (param->table && param->nshape > 0 && shape[0] == 0) {
    shape[0] = rows;
  }
  return param->nshape;
}

static const st_tensor *find_param(
  const rank_weights *w, const rank_model *m, int p, int state, int best, long rows, rank_error *e)
{
  char name[NAME_ROOM], found[200], wanted[200];
  int64_t shape[ST_MAX_RANK];
  int n = param_shape(m, p, rows, shape);
  tensor_name(m, p, state, best, name);
  const st_tensor *t = st_find(&w->file, name);
  st_shape_text(shape, n, wanted, sizeof wanted);
  if (t == NULL) {
    rank_fail(e, "%s: no tensor %s %s in it", w->file.path, name, wanted);
    return NULL;
  }
  if (!st_shape_fits(t->shape, t->nshape, shape, n)) {
    rank_fail(e, "%s: tensor %s is %s, wanted %s", w->file.path, name,
      st_shape_text(t->shape, t->nshape, found, sizeof found), wanted);
    return NULL;
  }
  int rows_in_bytes = t->dtype == ST_I8 && state < 0 && m->params[p].by_rows;
  if (t->dtype != ST_F32 && t->dtype != ST_F64 && t->dtype != ST_F16 && t->dtype != ST_BF16 &&
      !rows_in_bytes) {
    rank_fail(e, "%s: tensor %s is %s, wanted F32, F64, F16 or BF16%s", w->file.path, name,
      t->dtype_name, m->params[p].by_rows && state < 0 ? ", or I8" : "");
    return NULL;
  }
  return t;
}

const st_tensor *rank_weights_find(
  const rank_weights *w, const rank_model *m, int param, long rows, rank_error *e)
{
  return find_param(w, m, param, -1, 0, rows, e);
}

/* --- opening --- */

int rank_weights_open(rank_weights *w, const rank_model *m, const char *path, rank_error *e)
{
  *w = (rank_weights){0};
  if (st_open(&w->file, path, e) != 0) {
    return -1;
  }
  const char *model = st_meta(&w->file, "rank.model"), *layout = st_meta(&w->file, "rank.layout");
  char mine[32];
  snprintf(mine, sizeof mine, "%016llx", (unsigned long long)m->layout);
  w->foreign = model == NULL && layout == NULL;
  int failed = 0;
  if (model != NULL && strcmp(model, m->name) != 0) {
    failed = rank_fail(e, "%s: these are weights of model %s, not of %s", path, model, m->name);
  } else if (layout != NULL && strcmp(layout, mine) != 0) {
    failed = rank_fail(e,
      "%s: these are weights of another version of %s: its inputs, parameters or optimizer were "
      "different (layout %s, wanted %s)",
      path, m->name, layout, mine);
  }
  if (failed) {
    st_close(&w->file);
  }
  return failed;
}

void rank_weights_close(rank_weights *w)
{
  st_close(&w->file);
}

int rank_weights_encoders(const rank_weights *w, rank_encoders *enc, rank_error *e)
{
  const char *json = st_meta(&w->file, "rank.encoders");
  rank_error why;
  if (json != NULL && rank_encoders_from_json(enc, json, strlen(json), &why) != 0) {
    return rank_fail(e, "%s: %.900s", w->file.path, why.text);
  }
  return rank_fits_load(rank_encoders_fits(enc), &w->file, e);
}

static int vocabulary_of(const rank_model *m, int input)
{
  return m->inputs[input].same_as >= 0 ? m->inputs[input].same_as : input;
}

int rank_weights_rows(const rank_weights *w, const rank_model *m, long *rows, rank_error *e)
{
  for (int p = 0; p < m->nparams; p++) {
    const rank_param *param = &m->params[p];
    if (!param->table || rows[p] > 0) {
      continue;
    }
    const st_tensor *t = st_find(&w->file, param->name);
    if (t == NULL || t->nshape < 1 || t->shape[0] <= 0 || t->shape[0] > INT32_MAX) {
      return rank_fail(e, "%s: no tensor %s with a row for each id", w->file.path, param->name);
    }
    rows[p] = (long)t->shape[0];
    for (int q = 0; q < p; q++) { /* one vocabulary, one size: ids are checked against it alone */
      if (m->params[q].vocab_of >= 0 && rows[q] != rows[p] &&
          vocabulary_of(m, m->params[q].vocab_of) == vocabulary_of(m, param->vocab_of)) {
        return rank_fail(e, "%s: tables %s and %s share a vocabulary, but have %ld and %ld rows",
          w->file.path, m->params[q].name, param->name, rows[q], rows[p]);
      }
    }
  }
  return 0;
}

/* --- metadata --- */

static int read_count(const rank_weights *w, const char *key, uint64_t *x, rank_error *e)
{
  const char *text = st_meta(&w->file, key);
  if (text == NULL) {
    return 0;
  }
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
    return rank_fail(
      e, "%s: metadata %s is \"%.40s\", wanted a whole number", w->file.path, key, text);
  }
  *x = value;
  return 0;
}

static int read_long(const rank_weights *w, const char *key, long *x, rank_error *e)
{
  uint64_t value = (uint64_t)*x;
  if (read_count(w, key, &value, e) != 0) {
    return -1;
  }
  if (value > INT64_MAX / 2) {
    return rank_fail(e, "%s: metadata %s is out of range", w->file.path, key);
  }
  *x = (long)value;
  return 0;
}

static void read_double(const rank_weights *w, const char *key, double *x)
{
  const char *text = st_meta(&w->file, key);
  if (text != NULL) {
    *x = strtod(text, NULL);
  }
}

static int read_online(const rank_weights *w, rank_online_place *at, rank_error *e)
{
  read_double(w, "rank.online.loss", &at->loss);
  read_double(w, "rank.online.window_loss", &at->window_loss);
  return read_long(w, "rank.online.rows", &at->rows, e) ||
             read_long(w, "rank.online.window_rows", &at->window_rows, e) ||
             read_count(w, "rank.online.offset", &at->place.offset, e) ||
             read_long(w, "rank.online.line", &at->place.line, e) ||
             read_count(w, "rank.online.check", &at->place.check, e)
           ? -1
           : 0;
}

static int read_position(const rank_weights *w, rank_position *at, rank_error *e)
{
  *at = (rank_position){.best = (double)NAN};
  read_double(w, "rank.loss_sum", &at->loss_sum);
  read_double(w, "rank.best", &at->best);
  return read_count(w, "rank.seed", &at->seed, e) || read_long(w, "rank.epoch", &at->epoch, e) ||
             read_long(w, "rank.batches", &at->batches, e) ||
             read_long(w, "rank.batch", &at->batch, e) || read_long(w, "rank.rows", &at->rows, e) ||
             read_long(w, "rank.best_epoch", &at->best_epoch, e) || read_online(w, &at->online, e)
           ? -1
           : 0;
}

/* --- reading --- */

static int read_states(
  const rank_weights *w, const rank_model *m, rank_state *s, int best, rank_error *e)
{
  int have = 0, wanted = m->nparams * m->nstates;
  char name[NAME_ROOM];
  for (int i = 0; i < wanted; i++) {
    tensor_name(m, i / m->nstates, i % m->nstates, best, name);
    have += st_find(&w->file, name) != NULL;
  }
  if (have == 0) {
    rank_state_reset(s, m);
    return 0;
  }
  for (int i = 0; i < wanted; i++) { /* some but not all: the missing one is named */
    int p = i / m->nstates, k = i % m->nstates;
    const st_tensor *t = find_param(w, m, p, k, best, s->rows[p], e);
    long stride = rank_state_stride(m, p);
    if (t == NULL ||
        (stride > 0 ? st_read_rows(&w->file, t, s->state[p][k], m->params[p].width, stride, e)
                    : st_read_reals(&w->file, t, s->state[p][k], e)) != 0) {
      return -1;
    }
  }
  return 0;
}

static int read_params(
  const rank_weights *w, const rank_model *m, rank_state *s, int best, rank_error *e)
{
  for (int p = 0; p < m->nparams; p++) {
    const st_tensor *t = find_param(w, m, p, -1, best, s->rows[p], e);
    if (t == NULL || (s->state != NULL && rank_stored_refuse(w, t, e) != 0)) {
      return -1;
    }
    if (t->dtype == ST_I8 ? rank_stored_read(w, m, p, t, s->param[p], e)
                          : st_read_reals(&w->file, t, s->param[p], e)) {
      return -1;
    }
  }
  return s->state != NULL ? read_states(w, m, s, best, e) : 0;
}

int rank_weights_read(
  const rank_weights *w, const rank_model *m, rank_state *s, rank_position *position, rank_error *e)
{
  rank_position at;
  if (read_position(w, &at, e) != 0 || read_count(w, "rank.step", &s->step, e) != 0 ||
      read_params(w, m, s, 0, e) != 0) {
    return -1;
  }
  s->seed = at.seed;
  if (position != NULL) {
    *position = at;
  }
  return 0;
}

int rank_weights_read_best(
  const rank_weights *w, const rank_model *m, rank_state *best, rank_error *e)
{
  char name[NAME_ROOM];
  if (m->nparams == 0) {
    return 0;
  }
  tensor_name(m, 0, -1, 1, name);
  if (st_find(&w->file, name) == NULL) {
    return 0;
  }
  return read_count(w, "rank.best_step", &best->step, e) != 0 || read_params(w, m, best, 1, e) != 0
           ? -1
           : 1;
}

/* --- writing --- */

typedef struct writer {
  const rank_model *m;
  st_entry *entries;
  char (*names)[NAME_ROOM];
  int n;
  st_pair pairs[PAIRS];
  char texts[PAIRS][64];
  int npairs;
} writer;

static void add_tensors(writer *w, const rank_state *s, int best)
{
  for (int p = 0; p < w->m->nparams; p++) {
    int states = s->state != NULL ? w->m->nstates : 0;
    for (int k = -1; k < states; k++) {
      st_entry *t = &w->entries[w->n];
      tensor_name(w->m, p, k, best, w->names[w->n]);
      t->name = w->names[w->n++];
      t->dtype = ST_REAL;
      t->nshape = param_shape(w->m, p, s->rows[p], t->shape);
      t->data = k < 0 ? s->param[p] : s->state[p][k];
      t->stride = k < 0 ? 0 : rank_state_stride(w->m, p);
      t->row = t->stride > 0 ? w->m->params[p].width : 0;
    }
  }
}

/* Tables in fewer bits, with the factors of their rows. */
static void add_stored(writer *w, const rank_state *s)
{
  for (int p = 0; p < w->m->nparams; p++) {
    const rank_stored *stored = &s->stored[p];
    w->entries[p].dtype = rank_stored_dtype(stored->kind);
    w->entries[p].data = stored->kind == RANK_REALS ? s->param[p] : stored->rows;
    if (stored->kind == RANK_INT8) {
      st_entry *t = &w->entries[w->n];
      snprintf(w->names[w->n], NAME_ROOM, "%s#scale", w->m->params[p].name);
      t->name = w->names[w->n++];
      t->dtype = ST_F32;
      t->nshape = 1;
      t->shape[0] = s->rows[p];
      t->data = stored->scale;
    }
  }
}

static void add_text(writer *w, const char *key, const char *value)
{
  w->pairs[w->npairs++] = (st_pair){(char *)(uintptr_t)key, (char *)(uintptr_t)value};
}

static void add_count(writer *w, const char *key, uint64_t x)
{
  snprintf(w->texts[w->npairs], sizeof w->texts[0], "%llu", (unsigned long long)x);
  add_text(w, key, w->texts[w->npairs]);
}

static void add_double(writer *w, const char *key, double x)
{
  snprintf(w->texts[w->npairs], sizeof w->texts[0], "%a", x); /* every bit */
  add_text(w, key, w->texts[w->npairs]);
}

static void add_online(writer *w, const rank_online_place *at)
{
  add_count(w, "rank.online.rows", (uint64_t)at->rows);
  add_double(w, "rank.online.loss", at->loss);
  add_count(w, "rank.online.window_rows", (uint64_t)at->window_rows);
  add_double(w, "rank.online.window_loss", at->window_loss);
  if (at->place.offset > 0) {
    add_count(w, "rank.online.offset", at->place.offset);
    add_count(w, "rank.online.line", (uint64_t)at->place.line);
    add_count(w, "rank.online.check", at->place.check);
  }
}

static void add_metadata(writer *w, const rank_state *s, const rank_state *best,
  const char *encoders, const rank_position *at)
{
  char layout[32];
  snprintf(layout, sizeof layout, "%016llx", (unsigned long long)w->m->layout);
  add_text(w, "rank.model", w->m->name);
  memcpy(w->texts[w->npairs], layout, sizeof layout);
  add_text(w, "rank.layout", w->texts[w->npairs]);
  add_count(w, "rank.step", s->step);
  add_count(w, "rank.seed", at != NULL ? at->seed : s->seed);
  if (encoders != NULL) {
    add_text(w, "rank.encoders", encoders);
  }
  if (at == NULL) {
    return;
  }
  add_count(w, "rank.epoch", (uint64_t)at->epoch);
  add_count(w, "rank.batches", (uint64_t)at->batches);
  add_count(w, "rank.batch", (uint64_t)at->batch);
  add_count(w, "rank.rows", (uint64_t)at->rows);
  add_double(w, "rank.loss_sum", at->loss_sum);
  if (at->best_epoch > 0) {
    add_count(w, "rank.best_epoch", (uint64_t)at->best_epoch);
    add_double(w, "rank.best", at->best);
  }
  if (best != NULL) {
    add_count(w, "rank.best_step", best->step);
  }
  if (at->online.rows > 0) {
    add_online(w, &at->online);
  }
}

int rank_weights_save_with(const char *path, const rank_model *m, const rank_state *s,
  const rank_state *best, const rank_encoders *enc, const rank_position *position,
  const st_entry *more, int nmore, rank_error *e)
{
  size_t most = 2 * (size_t)m->nparams * (1 + (size_t)m->nstates) + 1 + (size_t)nmore;
  most += (size_t)m->nfits * FIT_TENSORS;
  writer *w = calloc(1, sizeof *w);
  char *encoders = enc != NULL ? rank_encoders_json(enc) : NULL;
  int failed = -1;
  if (w != NULL) {
    w->m = m;
    w->entries = calloc(most, sizeof *w->entries);
    w->names = calloc(most, sizeof *w->names);
  }
  if (w == NULL || (enc != NULL && encoders == NULL) || w->entries == NULL || w->names == NULL) {
    rank_fail(e, "%s: out of memory", path);
  } else {
    add_tensors(w, s, 0);
    if (s->stored != NULL) { /* to serve from: s has no optimizer's state */
      add_stored(w, s);
      qsort(w->entries, (size_t)w->n, sizeof *w->entries, rank_stored_order);
    }
    if (best != NULL) {
      add_tensors(w, best, 1);
    }
    if (enc != NULL) {
      w->n += rank_fits_entries(rank_encoders_fits(enc), w->entries + w->n, w->names + w->n);
    }
    for (int i = 0; i < nmore; i++) {
      w->entries[w->n++] = more[i];
    }
    add_metadata(w, s, best, encoders, position);
    failed = st_write(path, w->entries, w->n, w->pairs, w->npairs, e);
  }
  free(encoders);
  if (w != NULL) {
    free(w->entries);
    free(w->names);
    free(w);
  }
  return failed;
}

int rank_weights_save(const char *path, const rank_model *m, const rank_state *s,
  const rank_state *best, const rank_encoders *enc, const rank_position *position, rank_error *e)
{
  return rank_weights_save_with(path, m, s, best, enc, position, NULL, 0, e);
}
