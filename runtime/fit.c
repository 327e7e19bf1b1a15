/* fit.c: the fits of a model: what they have learnt, in memory, and applying them to a batch. */

#include "fit.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

/* --- what is learnt --- */

fit_tensor *fit_add_as(fit_state *s, const char *key, st_dtype type, int64_t rows, int64_t columns)
{
  void *data = calloc((size_t)rows + 1, (size_t)columns * (type == ST_F64 ? 8 : 4));
  if (data == NULL) {
    return NULL;
  }
  fit_tensor *t = &s->tensor[s->ntensors++];
  *t = (fit_tensor){key, type, rows, columns, data, NULL, NULL, NULL};
  t->at = type == ST_F64 ? data : NULL;
  t->ints = type == ST_I32 ? data : NULL;
  t->floats = type == ST_F32 ? data : NULL;
  return t;
}

double *fit_add(fit_state *s, const char *key, int64_t rows, int64_t columns)
{
  const fit_tensor *t = fit_add_as(s, key, ST_F64, rows, columns);
  return t != NULL ? t->at : NULL;
}

const fit_tensor *fit_find(const fit_state *s, const char *key)
{
  for (int i = 0; i < s->ntensors; i++) {
    if (strcmp(s->tensor[i].key, key) == 0) {
      return &s->tensor[i];
    }
  }
  return NULL;
}

void fit_forget(const rank_fit *fit, fit_state *s)
{
  if (s->made != NULL) {
    fit->run->forget(s->made);
  }
  for (int i = 0; i < s->ntensors; i++) {
    free(s->tensor[i].data);
  }
  *s = (fit_state){0};
}

int fit_get_ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  return fit->run->ready != NULL ? fit->run->ready(m, fit, s, e) : 0;
}

rank_fits *rank_fits_new(const rank_model *m)
{
  rank_fits *f = calloc(1, sizeof *f);
  fit_state *state = calloc((size_t)m->nfits + 1, sizeof *state);
  if (f == NULL || state == NULL) {
    free(f);
    free(state);
    return NULL;
  }
  *f = (rank_fits){m, state, m->nfits == 0, NULL};
  return f;
}

void rank_fits_free(rank_fits *f)
{
  for (int i = 0; f != NULL && i < f->m->nfits; i++) {
    fit_forget(&f->m->fits[i], &f->state[i]);
  }
  if (f != NULL) {
    free(f->state);
  }
  free(f);
}

int rank_fits_ready(const rank_fits *f)
{
  return f != NULL && f->m->nfits > 0 && f->ready;
}

int rank_fits_need_rows(const rank_model *m)
{
  int need = 0;
  for (int i = 0; i < m->nfits; i++) {
    need |= !m->fits[i].run->no_rows;
  }
  return need;
}

/* --- applying --- */

static size_t aligned(size_t n)
{
  return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t result_bytes(const rank_model *m, int input, long n)
{
  const rank_input *in = &m->inputs[input];
  size_t rows = (size_t)n * (size_t)(in->dim < 0 ? 1 : m->dims[in->dim].max);
  return aligned(rows * (size_t)in->width * (in->is_id ? sizeof(int32_t) : sizeof(rank_real)) +
                 ALIGN); /* vector loads read past the end */
}

static size_t pointer_bytes(const rank_model *m)
{
  return aligned(((size_t)m->ninputs + 1) * sizeof(void *)) +
         aligned(((size_t)m->ndims + 1) * sizeof(void *));
}

/* What a fit computes with: its own, or another's. */
static const fit_state *state_of(const rank_fits *f, int i)
{
  return &f->state[f->m->fits[i].uses ? f->m->fits[i].of : i];
}

/* Ops work one after another in the same room, behind the results. */
static size_t working_bytes(const rank_fits *f)
{
  size_t most = 0;
  for (int i = 0; i < f->m->nfits; i++) {
    const rank_fit *fit = &f->m->fits[i];
    size_t bytes = fit->run->room != NULL ? aligned(fit->run->room(f->m, fit, state_of(f, i))) : 0;
    most = bytes > most ? bytes : most;
  }
  return most;
}

size_t rank_fits_room(const rank_fits *f, long n)
{
  if (f == NULL || f->m->nfits == 0) {
    return 0;
  }
  const rank_model *m = f->m;
  size_t bytes = pointer_bytes(m) + working_bytes(f);
  for (int i = 0; i < m->nfits; i++) {
    for (int k = 0; k < m->fits[i].nresults; k++) {
      int input = m->fits[i].results[k];
      bytes += result_bytes(m, input, n);
      bytes += m->inputs[input].dim >= 0 ? aligned(((size_t)n + 1) * sizeof(int32_t)) : 0;
    }
  }
  return bytes;
}

enum { MOST_RESULTS = 8 };

/* Whether everything that a fit computes from has been read: a catalogue's rows may lack the users' side. */
static int has_sources(const rank_fit *fit, const rank_batch *b)
{
  for (int i = 0; i < fit->nsources; i++) {
    if (fit->sources[i] >= 0 && b->input[fit->sources[i]] == NULL) {
      return 0;
    }
  }
  return 1;
}

int rank_fits_apply(const rank_fits *f, const rank_batch *b, void *room, rank_batch *whole)
{
  const rank_model *m = f->m;
  char *at = room, *work = at + rank_fits_room(f, b->n) - working_bytes(f);
  const void **input = room;
  const int32_t **offset =
    (const int32_t **)(void *)(at + aligned(((size_t)m->ninputs + 1) * sizeof(void *)));
  at += pointer_bytes(m);
  memcpy(input, b->input, (size_t)m->ninputs * sizeof *input);
  if (m->ndims > 0) {
    memcpy(offset, b->offset, (size_t)m->ndims * sizeof *offset);
  }
  for (int i = 0; i < m->nfits; i++) {
    const rank_fit *fit = &m->fits[i];
    if (!has_sources(fit, b)) {
      continue; /* its results stay NULL */
    }
    void *out[MOST_RESULTS];
    int32_t *lists[MOST_RESULTS] = {NULL};
    for (int k = 0; k < fit->nresults; k++) {
      int result = fit->results[k], dim = m->inputs[result].dim;
      out[k] = at;
      input[result] = at;
      at += result_bytes(m, result, b->n);
      for (int j = 0; j < k && dim >= 0 && lists[k] == NULL; j++) { /* along the same lists */
        lists[k] = m->inputs[fit->results[j]].dim == dim ? lists[j] : NULL;
      }
      if (dim >= 0 && lists[k] == NULL) {
        lists[k] = (int32_t *)(void *)at;
        offset[dim] = lists[k];
        at += aligned(((size_t)b->n + 1) * sizeof(int32_t));
      }
    }
    if (fit->run->apply != NULL &&
        fit->run->apply(m, fit, state_of(f, i), b, out, lists, work) != 0) {
      return -1;
    }
  }
  const rank_fit *folded = f->folded != NULL ? &m->fits[f->folded->fit] : NULL;
  *whole =
    (rank_batch){b->n, input, offset, folded != NULL ? input[folded->results[1]] : b->folded};
  return 0;
}

int rank_fits_fold(rank_fits *f, const rank_real *table, rank_error *e)
{
  const rank_fit *fit = &f->m->fits[f->m->fold->fit];
  if (fit->run->fold(fit, &f->state[f->m->fold->fit], table, e) != 0) {
    return -1;
  }
  f->folded = f->m->fold;
  return 0;
}

static long first_unknown(const rank_model *m, const rank_batch *b, int input, int32_t ids)
{
  const int32_t *id = b->input[input];
  int dim = m->inputs[input].dim;
  for (long i = 0; i < b->n; i++) {
    long first = dim < 0 ? i : b->offset[dim][i], end = dim < 0 ? i + 1 : b->offset[dim][i + 1];
    for (long k = first; k < end; k++) {
      if (id[k] < 0 || id[k] >= ids) {
        return i;
      }
    }
  }
  return -1;
}

int rank_fits_check(const rank_fits *f, const rank_batch *b, int *input, long *at, long *ids)
{
  const rank_model *m = f->m;
  for (int i = 0; i < m->nfits; i++) {
    const rank_fit *fit = &m->fits[i];
    for (int k = 0; fit->run->ids != NULL && has_sources(fit, b) && k < fit->nsources; k++) {
      int source = fit->sources[k];
      if (source < 0 || !m->inputs[source].is_id) {
        continue;
      }
      *input = source;
      *ids = fit->run->ids(state_of(f, i));
      *at = first_unknown(m, b, source, (int32_t)*ids);
      if (*at >= 0) {
        return -1;
      }
    }
  }
  return 0;
}
