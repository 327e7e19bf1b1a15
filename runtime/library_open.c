/* library_open.c: opening, training and saving for a model's library; see rank_library.h.
 *
 * One idea: weights to predict with are not changed any more, so they stay where they lie in their file
 * (library_weights.c); weights to train are a state like the program's. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "library_opened.h"
#include "rank_runtime.h"

#include <stdlib.h>
#include <string.h>

/* --- weights to train --- */

static void own_encoders(rank_opened *o)
{
  o->enc = rank_encoders_new(o->library->model);
  o->fits = o->enc != NULL ? rank_encoders_fits(o->enc) : NULL;
}

/* The encoders are kept for the file that will be saved. */
static int open_training(rank_opened *o, const rank_weights *w, uint64_t seed, rank_error *e)
{
  const rank_model *m = o->library->model;
  long *rows = calloc((size_t)m->nparams + 1, sizeof *rows);
  own_encoders(o);
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
  own_encoders(o);
  if (o->enc == NULL) {
    return rank_fail(e, "out of memory");
  }
  if (rank_fits_load(o->fits, &w->file, e) != 0) {
    return -1;
  }
  return rank_fits_ready(o->fits)
           ? 0
           : rank_fail(e, "%s: has not what fit %s learns in it", w->file.path, m->fits[0].name);
}

static int fold(rank_opened *o, rank_error *e)
{
  const rank_fold *f = o->library->model->fold;
  return f != NULL ? rank_fits_fold(o->fits, o->state.param[f->param], e) : 0;
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
                           : open_fits(o, &w, e) || library_open_weights(o, &w, e) || fold(o, e);
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
  return library_say(
    open_new((rank_opened){.library = l}, weights, 0, opened, &e), &e, message, size);
}

rank_status rank_library_train_open(const rank_library *l, const char *weights, uint64_t seed,
  rank_opened **opened, char *message, size_t size)
{
  rank_error e = {{0}};
  rank_opened with = {.library = l, .training = 1};
  return library_say(open_new(with, weights, seed, opened, &e), &e, message, size);
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
  return library_say(failed ? RANK_BAD_FILE : RANK_OK, &e, message, size);
}

rank_status rank_library_train(rank_opened *o, const rank_batch *b, int usual,
  const rank_step *step, double *loss, void *scratch)
{
  double unused;
  rank_status status = library_check(o, b, usual, RANK_TO_TRAIN, WHOLE);
  if (status != RANK_OK || b->n == 0) {
    return status;
  }
  if (scratch == NULL || !o->training) {
    return RANK_NO_MEMORY;
  }
  rank_batch whole;
  char *work = library_with_fits(o, &b, &whole, scratch);
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
