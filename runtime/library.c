/* library.c: predictions for a model's library; see rank_library.h.
 *
 * One idea: what a call needs was made when the weights were opened; a call checks its batch, which nothing
 * later does, and hands it on. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "check.h"
#include "fit.h"
#include "library_opened.h"
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rank_status library_say(rank_status status, const rank_error *e, char *message, size_t size)
{
  if (message != NULL && size > 0) {
    snprintf(message, size, "%s", status == RANK_OK ? "" : e->text);
  }
  return status;
}

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

/* What fits have learnt of, only they know. */
static wrong check_fits(const rank_opened *o, const rank_batch *b)
{
  wrong w = {RANK_OK, -1, -1, 0, 0};
  int input;
  long ids;
  if (o->library->model->nfits > 0 && rank_fits_ready(o->fits) &&
      rank_fits_check(o->fits, b, &input, &w.at, &ids) != 0) {
    w = (wrong){RANK_BAD_ID, -1, input, w.at, ids};
  }
  return w;
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
  return w.status == RANK_OK && b->n > 0 ? check_fits(o, b) : w;
}

rank_status library_check(const rank_opened *o, const rank_batch *b, int usual, int use, part of)
{
  return (usual ? check_fits(o, b) : check(o, b, use, of)).status;
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
  return library_say(w.status, &e, message, size);
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
  rank_batch measured = {b->n < 0 ? 0 : b->n, b->input, b->offset, NULL};
  size_t derived = rank_fits_room(o->fits, measured.n);
  for (int d = 0; d < m->ndims && measured.offset != NULL; d++) {
    const int32_t *offset = (o->library->dims[d] & use) != 0 ? b->offset[d] : NULL;
    int known = offset != NULL && measured.n > 0 && offset[measured.n] >= 0 &&
                offset[measured.n] <= measured.n * m->dims[d].max;
    if (!known) {
      measured.offset = NULL;
    }
  }
  if (use == RANK_TO_TRAIN) {
    return o->training ? o->library->train_bytes(&o->state, &measured, 1) + derived + RANK_ALIGN
                       : RANK_ALIGN;
  }
  return m->workspace(&o->state, &measured, 1, 0) + derived + RANK_ALIGN;
}

char *library_with_fits(
  const rank_opened *o, const rank_batch **b, rank_batch *whole, void *scratch)
{
  char *work = rank_library_aligned(scratch);
  if (o->library->model->nfits == 0) {
    return work;
  }
  if (!rank_fits_ready(o->fits) || rank_fits_apply(o->fits, *b, work, whole) != 0) {
    return NULL;
  }
  *b = whole;
  return work + rank_fits_room(o->fits, whole->n);
}

rank_status rank_library_predict(const rank_opened *o, const rank_batch *b, int usual,
  rank_real *const *out, const rank_list_out *lists, void *scratch)
{
  const rank_model *m = o->library->model;
  if (!usual || m->nfits > 0) {
    rank_status status = library_check(o, b, usual, RANK_TO_PREDICT, WHOLE);
    if (status != RANK_OK || b->n == 0) {
      return status;
    }
  }
  rank_batch whole;
  char *work = scratch != NULL ? library_with_fits(o, &b, &whole, scratch) : NULL;
  if (work == NULL) {
    return RANK_NO_MEMORY;
  }
  for (int i = 0; lists != NULL && i < m->nlists; i++) {
    rank_list_rows(m, &m->lists[i], b, &lists[i]);
  }
  return m->predict(&o->state, b, out, work, 1);
}

const char *rank_library_status(int status)
{
  return status < 0 || status > RANK_BAD_FILE ? "unknown status"
                                              : rank_status_text((rank_status)status);
}
