#ifndef RANK_CHECK_H
#define RANK_CHECK_H

/* check.c: whether a batch may be given to generated code (rank_check_batch of rank_model.h), and what is wrong
 * with it. */

#include "rank_error.h"
#include "rank_model.h"

const char *rank_status_text(rank_status status);
/* Parts of it: the offsets of a ragged axis; the values of an input whose offsets are good. *at gets the
 * row. And what to say when they are not good. */
rank_status rank_check_lists(const rank_model *m, const rank_batch *b, int dim, long *at);
rank_status rank_check_input(
  const rank_model *m, const rank_state *s, const rank_batch *b, int input, long *at);
void rank_explain_lists(const rank_model *m, const rank_batch *b, int dim, long at, rank_error *e);
void rank_explain_input(
  const rank_model *m, const rank_state *s, const rank_batch *b, int input, long at, rank_error *e);
/* What is wrong with a batch that a call refused with `status`. */
void rank_explain_batch(
  const rank_model *m, const rank_state *s, const rank_batch *b, rank_status status, rank_error *e);

#endif
