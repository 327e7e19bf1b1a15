/* program_bench_calls.c: one thread of the command `bench`: it makes calls and writes down how long each took.
 *
 * One idea: what is timed is what a server does for a request, checking the batch, computing what fits
 * make of it and predicting it, with the weights packed beforehand as the library packs them. Gathering the
 * rows is not timed, but it has just been done, as a server has just written its request. Rows, outputs and
 * working memory are the thread's own. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "program_bench.h"

#include <stdlib.h>
#include <string.h>

static const double seconds_warm = 0.1, seconds_timed = 1.0;

typedef struct room { /* of a thread */
  rank_batcher *batcher;
  rank_real **out;
  rank_work work, derived; /* derived: results of fits */
  rank_work *repeated;     /* by input, then by axis: what the request brings, for every row */
  const void **input;      /* of such rows */
  const int32_t **offset;
  const void **part[2]; /* what a request and its candidates bring */
} room;

static int room_new(room *r, const bench_driver *d)
{
  const rank_model *m = d->b->m;
  size_t ninputs = (size_t)m->ninputs, ndims = (size_t)m->ndims;
  r->batcher = rank_batcher_new(d->b->data, d->size);
  r->out = program_outputs_new(m, d->size);
  r->repeated = calloc(ninputs + ndims + 1, sizeof *r->repeated);
  r->input = calloc(ninputs + 1, sizeof *r->input);
  r->offset = calloc(ndims + 1, sizeof *r->offset);
  for (int i = 0; i < 2; i++) {
    r->part[i] = calloc(ninputs + 1, sizeof *r->part[i]);
  }
  return r->batcher && r->out && r->repeated && r->input && r->offset && r->part[0] && r->part[1]
           ? 0
           : -1;
}

static void room_free(room *r, const rank_model *m)
{
  for (int i = 0; r->repeated != NULL && i < m->ninputs + m->ndims; i++) {
    rank_work_free(&r->repeated[i]);
  }
  free(r->part[0]);
  free(r->part[1]);
  free(r->repeated);
  free(r->input);
  free(r->offset);
  program_outputs_free(m, r->out);
  rank_work_free(&r->work);
  rank_work_free(&r->derived);
  rank_batcher_free(r->batcher);
}

/* --- one call --- */

static int call_rows(bench_driver *d, room *r, const rank_batch *b, double *took)
{
  const rank_model *m = d->b->m;
  const rank_state *s = &d->b->model.state;
  int what = 0;
  long at = 0;
  if (rank_work_need(&r->work, m->workspace(s, b, 1, 0), &d->e) != 0) {
    return -1;
  }
  const rank_fits *fits = rank_encoders_fits(d->b->model.enc);
  rank_batch whole = *b;
  if (m->nfits > 0 && rank_work_need(&r->derived, rank_fits_room(fits, b->n), &d->e) != 0) {
    return -1;
  }
  double start = rank_now();
  rank_status status = rank_check_batch(m, s, b, 0, &what, &at);
  if (status == RANK_OK && m->nfits > 0) { /* the batch has them already; a request has not */
    status = rank_fits_apply(fits, b, r->derived.data, &whole) == 0 ? RANK_OK : RANK_NO_MEMORY;
    b = &whole;
  }
  status = status == RANK_OK ? m->predict(s, b, r->out, r->work.data, 1) : status;
  *took = rank_now() - start;
  if (status != RANK_OK) {
    rank_explain_batch(m, s, b, status, &d->e);
  }
  return status == RANK_OK ? 0 : -1;
}

/* The first row's request, with all rows as candidates: the batch's arrays begin with that row. */
static int call_request(bench_driver *d, room *r, const rank_batch *b, double *took)
{
  const rank_opened *o = &d->b->opened;
  if (rank_work_need(&r->work, rank_library_rank_scratch(o, b->n), &d->e) != 0) {
    return -1;
  }
  const rank_model *m = d->b->m;
  for (int i = 0; i < m->ninputs; i++) { /* what fits compute is for the call to compute */
    int made = m->inputs[i].encoding.source == RANK_FROM_FIT;
    r->part[0][i] = m->split->inputs[i] && !made ? b->input[i] : NULL;
    r->part[1][i] = m->split->inputs[i] || made ? NULL : b->input[i];
  }
  const rank_batch request = {1, r->part[0], b->offset, NULL},
                   candidates = {b->n, r->part[1], b->offset, NULL};
  double start = rank_now();
  rank_status status = rank_library_rank(o, &request, &candidates, 0, r->out, r->work.data);
  *took = rank_now() - start;
  if (status != RANK_OK) {
    rank_library_rank_explain(o, &request, &candidates, d->e.text, sizeof d->e.text);
  }
  return status == RANK_OK ? 0 : -1;
}

/* --- a request as plain rows --- */

static int repeat_list(bench_driver *d, room *r, const rank_batch *b, int dim)
{
  rank_work *own = &r->repeated[d->b->m->ninputs + dim];
  if (rank_work_need(own, ((size_t)b->n + 1) * sizeof(int32_t), &d->e) != 0) {
    return -1;
  }
  int32_t *offset = (void *)own->data;
  for (long i = 0; i <= b->n; i++) {
    offset[i] = (int32_t)i * b->offset[dim][1];
  }
  r->offset[dim] = offset;
  return 0;
}

static int repeat_input(bench_driver *d, room *r, const rank_batch *b, int input)
{
  const rank_input *in = &d->b->m->inputs[input];
  size_t element = in->is_id ? sizeof(int32_t) : sizeof(rank_real);
  size_t rows = in->dim >= 0 ? (size_t)b->offset[in->dim][1] : 1;
  size_t bytes = rows * (size_t)in->width * element;
  if (rank_work_need(&r->repeated[input], bytes * (size_t)b->n + 1, &d->e) != 0) {
    return -1;
  }
  for (long i = 0; i < b->n; i++) {
    memcpy((char *)r->repeated[input].data + bytes * (size_t)i, b->input[input], bytes);
  }
  r->input[input] = r->repeated[input].data;
  return 0;
}

/* Every row with the first one's request. */
static int repeat(bench_driver *d, room *r, const rank_batch *b, rank_batch *all)
{
  const rank_model *m = d->b->m;
  int failed = 0;
  for (int k = 0; k < m->ndims && !failed; k++) {
    r->offset[k] = b->offset[k];
    failed = m->split->dims[k] ? repeat_list(d, r, b, k) : 0;
  }
  for (int i = 0; i < m->ninputs && !failed; i++) {
    r->input[i] = b->input[i];
    failed = m->split->inputs[i] ? repeat_input(d, r, b, i) : 0;
  }
  *all = (rank_batch){b->n, r->input, r->offset, NULL};
  return failed;
}

/* --- all calls --- */

static void note(bench_series *s, double took)
{
  s->taken[s->calls++] = took;
  s->total += took;
}

/* timed 0: only to get warm. */
static int turn(bench_driver *d, room *r, const rank_batch *b, int timed)
{
  double took[BENCH_APIS] = {0};
  rank_batch all;
  int failed = d->requests
                 ? repeat(d, r, b, &all) || call_rows(d, r, &all, &took[BENCH_REPEATED]) ||
                     call_request(d, r, b, &took[BENCH_REQUEST])
                 : call_rows(d, r, b, &took[BENCH_ROWS]);
  for (int i = 0; i < BENCH_APIS && timed && !failed; i++) {
    if (d->series[i].taken != NULL) {
      note(&d->series[i], took[i]);
    }
  }
  return failed;
}

/* Rows in turn, from the first again when there are no more. */
static int calls(bench_driver *d, room *r)
{
  long rows = rank_data_rows(d->b->data), at = d->first % rows, done = 0;
  double begin = rank_now(), start = begin + seconds_warm, end = start + seconds_timed;
  for (double now = begin; now < end && done < BENCH_CALLS; now = rank_now()) {
    at = at + d->size > rows ? 0 : at;
    const rank_batch *b = rank_batch_range(r->batcher, at, d->size);
    if (b == NULL) {
      return rank_fail(&d->e, "out of memory: a batch of %ld rows", d->size);
    }
    if (turn(d, r, b, now >= start) != 0) {
      return -1;
    }
    at += d->size;
    done += now >= start;
  }
  return 0;
}

void *bench_drive(void *arg)
{
  bench_driver *d = arg;
  room r = {0};
  int failed = room_new(&r, d);
  for (int i = 0; i < BENCH_APIS && !failed; i++) {
    if ((i != BENCH_ROWS) == d->requests) {
      d->series[i].taken = malloc(sizeof(double) * BENCH_CALLS);
      failed = d->series[i].taken == NULL ? -1 : 0;
    }
  }
  d->failed = failed ? rank_fail(&d->e, "out of memory") : calls(d, &r);
  room_free(&r, d->b->m);
  return NULL;
}
