/* library.c: opening, predicting and training for a model's library; see rank_library.h.
 *
 * One idea: what a call needs was made when the weights were opened; a call checks its batch, which nothing
 * later does, and hands it on. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "library_opened.h"
#include "lists.h"
#include "rank_runtime.h"

#include <stdlib.h>
#include <string.h>

static rank_status say(rank_status status, const rank_error *e, char *message, size_t size)
{
  if (message != NULL && size > 0) {
    snprintf(message, size, "%s", status == RANK_OK ? "" : e->text);
  }
  return status;
}

/* --- weights to train --- */

/* The encoders are kept for the file that will be saved. */
static int open_training(rank_opened *o, const rank_weights *w, uint64_t seed, rank_error *e)
{
  const rank_model *m = o->library->model;
  long *rows = calloc((size_t)m->nparams + 1, sizeof *rows);
  o->enc = rank_encoders_new(m);
  int failed = rows == NULL || o->enc == NULL ? rank_fail(e, "out of memory") : 0;
  if (!failed && w == NULL && m->nfits > 0) {
    failed =
      rank_fail(e, "fit %s is learnt from data, so there have to be weights", m->fits[0].name);
  }
  failed = failed || (w != NULL && rank_weights_encoders(w, o->enc, e) != 0) ||
           rank_state_rows(m, rank_encoders_fitted(o->enc) ? o->enc : NULL, rows, e) != 0 ||
           (w != NULL && rank_weights_rows(w, m, rows, e) != 0);
  for (int p = 0; p < m->nparams && !failed; p++) {
    failed = rows[p] > 0 ? 0
                         : rank_fail(e,
                             "table %s: its vocabulary is learnt from data, so there "
                             "have to be weights",
                             m->params[p].name);
  }
  failed = failed || rank_state_new(&o->state, m, rows, 1, e) != 0;
  free(rows);
  if (failed) {
    return -1;
  }
  rank_state_init(&o->state, m, seed, 1);
  return w != NULL ? rank_weights_read(w, m, &o->state, NULL, e) : 0;
}

/* --- opening and closing --- */

/* The runtime says in words alone which of the two it was. */
static rank_status reason(const rank_error *e)
{
  return strstr(e->text, "out of memory") != NULL ? RANK_NO_MEMORY : RANK_BAD_FILE;
}

static int open_fits(rank_opened *o, const rank_weights *w, rank_error *e)
{
  const rank_model *m = o->library->model;
  if (m->nfits == 0) {
    return 0;
  }
  o->enc = rank_encoders_new(m);
  if (o->enc == NULL) {
    return rank_fail(e, "out of memory");
  }
  if (rank_fits_load(rank_encoders_fits(o->enc), &w->file, e) != 0) {
    return -1;
  }
  return rank_fits_ready(rank_encoders_fits(o->enc))
           ? 0
           : rank_fail(e, "%s: has not what fit %s learns in it", w->file.path, m->fits[0].name);
}

/* weights may be NULL to train. */
static int fill(rank_opened *o, const char *weights, uint64_t seed, rank_error *e)
{
  if (weights == NULL) {
    return o->training ? open_training(o, NULL, seed, e) : rank_fail(e, "no file of weights given");
  }
  rank_weights w;
  if (rank_weights_open(&w, o->library->model, weights, e) != 0) {
    return -1;
  }
  int failed = o->training ? open_training(o, &w, seed, e)
                           : open_fits(o, &w, e) || library_open_weights(o, &w, e);
  rank_weights_close(&w);
  return failed;
}

static rank_status open_new(
  rank_opened with, const char *weights, uint64_t seed, rank_opened **opened, rank_error *e)
{
  rank_opened *o = calloc(1, sizeof *o);
  *opened = NULL;
  if (o == NULL) {
    rank_fail(e, "out of memory");
    return RANK_NO_MEMORY;
  }
  *o = with;
  if (fill(o, weights, seed, e) != 0) {
    rank_library_close(o);
    return reason(e);
  }
  *opened = o;
  return RANK_OK;
}

rank_status rank_library_open(
  const rank_library *l, const char *weights, rank_opened **opened, char *message, size_t size)
{
  rank_error e = {{0}};
  return say(open_new((rank_opened){.library = l}, weights, 0, opened, &e), &e, message, size);
}

rank_status rank_library_train_open(const rank_library *l, const char *weights, uint64_t seed,
  rank_opened **opened, char *message, size_t size)
{
  rank_error e = {{0}};
  rank_opened with = {.library = l, .training = 1};
  return say(open_new(with, weights, seed, opened, &e), &e, message, size);
}

void rank_library_close(rank_opened *o)
{
  if (o == NULL) {
    return;
  }
  const rank_model *m = o->library->model;
  free(o->state.prepared);
  free(o->request_prepared);
  free(o->rank_prepared);
  if (o->training) {
    rank_state_free(&o->state, m);
  } else {
    library_close_weights(o);
  }
  rank_encoders_free(o->enc);
  free(o);
}

rank_status rank_library_save(const rank_opened *o, const char *path, char *message, size_t size)
{
  rank_error e = {{0}};
  const rank_encoders *enc = o->enc != NULL && rank_encoders_fitted(o->enc) ? o->enc : NULL;
  int failed = rank_weights_save(path, o->library->model, &o->state, NULL, enc, NULL, &e);
  return say(failed ? RANK_BAD_FILE : RANK_OK, &e, message, size);
}

/* --- calls --- */

typedef struct wrong { /* what a batch is refused for */
  rank_status status;
  int dim, input; /* one of them, the other -1; none: the number of rows */
  long at;
  long ids; /* the input has one that fits have not learnt of: there are so many */
} wrong;

/* Whether an input, or an axis, is needed for `use` and stands in a batch of this part. */
static int concerns(int what, int use, part of, const unsigned char *requests, int which)
{
  return (what & use) != 0 && (of == WHOLE || (of == REQUEST) == (requests[which] != 0));
}

static wrong check(const rank_opened *o, const rank_batch *b, int use, part of)
{
  const rank_model *m = o->library->model;
  const rank_split *split = m->split;
  wrong w = {b->n < 0 ? RANK_BAD_LENGTH : RANK_OK, -1, -1, 0, 0};
  for (int d = 0; d < m->ndims && b->n > 0; d++) {
    if (!concerns(o->library->dims[d], use, of, split ? split->dims : NULL, d)) {
      continue;
    }
    w.status = rank_check_lists(m, b, d, &w.at);
    if (w.status != RANK_OK) {
      w.dim = d;
      return w;
    }
  }
  for (int i = 0; i < m->ninputs && b->n > 0; i++) {
    if (!concerns(o->library->inputs[i], use, of, split ? split->inputs : NULL, i)) {
      continue;
    }
    w.status = rank_check_input(m, &o->state, b, i, &w.at);
    if (w.status != RANK_OK) {
      w.input = i;
      return w;
    }
  }
  const rank_fits *fits = o->enc != NULL ? rank_encoders_fits(o->enc) : NULL;
  if (w.status == RANK_OK && b->n > 0 && rank_fits_ready(fits)) {
    int input;
    long ids;
    if (rank_fits_check(fits, b, &input, &w.at, &ids) != 0) {
      w = (wrong){RANK_BAD_ID, -1, input, w.at, ids};
    }
  }
  return w;
}

rank_status library_check(const rank_opened *o, const rank_batch *b, int use, part of)
{
  return check(o, b, use, of).status;
}

rank_status library_explain(
  const rank_opened *o, const rank_batch *b, int use, part of, char *message, size_t size)
{
  const rank_model *m = o->library->model;
  rank_error e = {{0}};
  wrong w = check(o, b, use, of);
  if (w.dim >= 0) {
    rank_explain_lists(m, b, w.dim, w.at, &e);
  } else if (w.ids > 0) {
    rank_fail(&e,
      "input %s, row %ld: an id that is not from 0 to %ld, which are all that was learnt",
      m->inputs[w.input].name, w.at, w.ids - 1);
  } else if (w.input >= 0) {
    rank_explain_input(m, &o->state, b, w.input, w.at, &e);
  } else if (w.status != RANK_OK) {
    rank_fail(&e, "%ld rows", b->n);
  }
  return say(w.status, &e, message, size);
}

rank_status rank_library_explain(
  const rank_opened *o, const rank_batch *b, int use, char *message, size_t size)
{
  return library_explain(o, b, use, WHOLE, message, size);
}

/* Offsets are the caller's and not checked yet: a last one that cannot be counts as the largest. */
size_t rank_library_scratch(const rank_opened *o, const rank_batch *b, int use)
{
  const rank_model *m = o->library->model;
  rank_batch measured = {b->n < 0 ? 0 : b->n, b->input, b->offset};
  size_t derived = rank_fits_room(o->enc != NULL ? rank_encoders_fits(o->enc) : NULL, measured.n);
  for (int d = 0; d < m->ndims && measured.offset != NULL; d++) {
    const int32_t *offset = (o->library->dims[d] & use) != 0 ? b->offset[d] : NULL;
    int known = offset != NULL && measured.n > 0 && offset[measured.n] >= 0 &&
                offset[measured.n] <= measured.n * m->dims[d].max;
    if (!known) {
      measured.offset = NULL;
    }
  }
  if (use == RANK_TO_TRAIN) {
    return o->training ? o->library->train_bytes(&o->state, &measured, 1) + derived + ALIGN : ALIGN;
  }
  return m->workspace(&o->state, &measured, 1, 0) + derived + ALIGN;
}

void *library_aligned(void *scratch)
{
  return (void *)(((uintptr_t)scratch + ALIGN - 1) / ALIGN * ALIGN);
}

/* Puts what fits compute into *b, at the beginning of scratch; what is left of it, or NULL. */
static char *with_fits(const rank_opened *o, const rank_batch **b, rank_batch *whole, void *scratch)
{
  char *work = library_aligned(scratch);
  if (o->library->model->nfits == 0) {
    return work;
  }
  if (o->enc == NULL || !rank_fits_ready(rank_encoders_fits(o->enc)) ||
      rank_fits_apply(rank_encoders_fits(o->enc), *b, work, whole) != 0) {
    return NULL;
  }
  *b = whole;
  return work + rank_fits_room(rank_encoders_fits(o->enc), whole->n);
}

rank_status rank_library_predict(const rank_opened *o, const rank_batch *b, rank_real *const *out,
  const rank_list_out *lists, void *scratch)
{
  const rank_model *m = o->library->model;
  rank_status status = check(o, b, RANK_TO_PREDICT, WHOLE).status;
  if (status != RANK_OK || b->n == 0) {
    return status;
  }
  rank_batch whole;
  char *work = scratch != NULL ? with_fits(o, &b, &whole, scratch) : NULL;
  if (work == NULL) {
    return RANK_NO_MEMORY;
  }
  for (int i = 0; lists != NULL && i < m->nlists; i++) {
    rank_list_rows(m, &m->lists[i], b, &lists[i]);
  }
  return m->predict(&o->state, b, out, work, 1);
}

rank_status rank_library_train(
  rank_opened *o, const rank_batch *b, const rank_step *step, double *loss, void *scratch)
{
  double unused;
  rank_status status = check(o, b, RANK_TO_TRAIN, WHOLE).status;
  if (status != RANK_OK || b->n == 0) {
    return status;
  }
  if (scratch == NULL || !o->training) {
    return RANK_NO_MEMORY;
  }
  rank_batch whole;
  char *work = with_fits(o, &b, &whole, scratch);
  if (work == NULL) {
    return RANK_NO_MEMORY;
  }
  rank_step full = *step;
  full.grad = NULL;
  full.update = 1;
  full.threads = 1;
  full.lr = full.lr > 0 ? full.lr : o->library->model->lr;
  full.steps = full.steps > 0 ? full.steps : 1;
  return o->library->train(&o->state, b, &full, loss != NULL ? loss : &unused, work);
}

const char *rank_library_status(int status)
{
  return status < 0 || status > RANK_BAD_FILE ? "unknown status"
                                              : rank_status_text((rank_status)status);
}
