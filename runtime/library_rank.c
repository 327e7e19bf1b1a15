/* library_rank.c: one request with its candidates, for a model's library; see rank_library.h.
 *
 * One idea: to the candidates, what follows from the request alone is a parameter. The request's part of the
 * program computes these values into the caller's scratch, and the candidates' part gets the model's
 * parameters with them behind. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "library_opened.h"

#include <string.h>

typedef struct ranking {  /* what a call's scratch holds */
  rank_real **param;      /* the model's, then the request's values */
  rank_real **value;      /* these alone, as outputs */
  const int32_t **offset; /* of the candidates, by axis */
  int32_t *same;          /* [request axes][n + 1]: lists that are as long for every candidate */
  char *fits[2];          /* what fits compute of the request, and of the candidates */
  char *work;
} ranking;

static size_t take(size_t *used, size_t bytes)
{
  size_t at = *used;
  *used = (at + bytes + RANK_ALIGN - 1) / RANK_ALIGN * RANK_ALIGN;
  return at;
}

/* Lays scratch out for n candidates; base NULL: only measures. */
static size_t lay_out(const rank_opened *o, long n, char *base, ranking *r)
{
  const rank_model *m = o->library->model;
  const rank_split *split = o->library->model->split;
  size_t used = 0, nvalues = (size_t)split->nvalues, nparams = (size_t)m->nparams + nvalues;
  size_t at[4] = {take(&used, (nparams + 1) * sizeof *r->param),
    take(&used, (nvalues + 1) * sizeof *r->value),
    take(&used, ((size_t)m->ndims + 1) * sizeof *r->offset),
    take(&used, (size_t)m->ndims * (size_t)(n + 1) * sizeof *r->same)};
  if (base != NULL) {
    r->param = (rank_real **)(void *)(base + at[0]);
    r->value = (rank_real **)(void *)(base + at[1]);
    r->offset = (const int32_t **)(void *)(base + at[2]);
    r->same = (int32_t *)(void *)(base + at[3]);
  }
  for (int side = 0; side < 2; side++) {
    size_t where = take(&used, rank_fits_room(o->fits, side == 0 ? 1 : n));
    r->fits[side] = base != NULL ? base + where : NULL;
  }
  for (size_t k = 0; k < nvalues; k++) {
    size_t where = take(&used, (size_t)split->values[k] * sizeof(rank_real) + SLACK);
    if (base != NULL) {
      r->value[k] = (rank_real *)(void *)(base + where);
    }
  }
  if (base != NULL) {
    r->work = base + used;
  }
  return used;
}

size_t rank_library_rank_scratch(const rank_opened *o, long n)
{
  ranking unused = {0};
  n = n < 0 ? 0 : n;
  rank_state s = o->state;
  rank_batch one = {.n = 1}, all = {.n = n};
  s.prepared = o->request_prepared;
  size_t request = o->library->model->split->request.bytes(&s, &one, 1);
  s.prepared = o->rank_prepared;
  size_t used = lay_out(o, n, NULL, &unused);
  size_t rank = o->library->model->split->rank.bytes(&s, &all, 1);
  return used + (request > rank ? request : rank) + 2 * (size_t)RANK_ALIGN;
}

static void same_lists(
  const rank_opened *o, const rank_batch *request, const rank_batch *candidates, ranking *r)
{
  int32_t *next = r->same;
  for (int d = 0; d < o->library->model->ndims; d++) {
    r->offset[d] = candidates->offset[d];
    if (o->library->model->split->dims[d] && request->offset[d] != NULL) {
      for (long i = 0; i <= candidates->n; i++) {
        next[i] = (int32_t)i * request->offset[d][1];
      }
      r->offset[d] = next;
      next += candidates->n + 1;
    }
  }
}

static rank_status rank_all(const rank_opened *o, const rank_batch *request,
  const rank_batch *candidates, rank_real *const *out, char *scratch)
{
  const rank_model *m = o->library->model;
  const rank_split *split = o->library->model->split;
  ranking r = {0};
  lay_out(o, candidates->n, scratch, &r);
  rank_state s = o->state;
  s.prepared = o->request_prepared;
  rank_batch whole[2];
  if (library_with_fits(o, &request, &whole[0], r.fits[0]) == NULL || /* what has its inputs */
      library_with_fits(o, &candidates, &whole[1], r.fits[1]) == NULL) {
    return RANK_NO_MEMORY;
  }
  rank_status status = split->request.run(&s, request, r.value, r.work, 1);
  if (status != RANK_OK) {
    return status;
  }
  memcpy(r.param, o->state.param, sizeof *r.param * (size_t)m->nparams);
  memcpy(r.param + m->nparams, r.value, sizeof *r.param * (size_t)split->nvalues);
  s.param = r.param;
  s.prepared = o->rank_prepared;
  same_lists(o, request, candidates, &r);
  rank_batch b = {candidates->n, candidates->input, r.offset, NULL};
  return split->rank.run(&s, &b, out, r.work, 1);
}

rank_status rank_library_rank(const rank_opened *o, const rank_batch *request,
  const rank_batch *candidates, int usual, rank_real *const *out, void *scratch)
{
  rank_status status = library_check(o, request, usual, RANK_TO_PREDICT, REQUEST);
  if (status == RANK_OK) {
    status = library_check(o, candidates, usual, RANK_TO_PREDICT, CANDIDATES);
  }
  if (status != RANK_OK || candidates->n == 0) {
    return status;
  }
  for (int d = 0; d < o->library->model->ndims; d++) { /* rows are counted in 32 bits */
    if (candidates->n > INT32_MAX / (o->library->model->dims[d].max + 1)) {
      return RANK_BAD_LENGTH;
    }
  }
  return scratch == NULL ? RANK_NO_MEMORY
                         : rank_all(o, request, candidates, out, rank_library_aligned(scratch));
}

rank_status rank_library_rank_explain(const rank_opened *o, const rank_batch *request,
  const rank_batch *candidates, char *message, size_t size)
{
  rank_status status = library_explain(o, request, RANK_TO_PREDICT, REQUEST, message, size);
  return status != RANK_OK
           ? status
           : library_explain(o, candidates, RANK_TO_PREDICT, CANDIDATES, message, size);
}
