#ifndef RANK_LISTS_H
#define RANK_LISTS_H

/* Outputs that are lists of items (rank_list). */

#include "rank_library.h"

/* Fills place[b->n]: where the id of the metric's target stands in its list, from 1; 0: nowhere. */
void rank_list_places(
  const rank_model *m, const rank_metric *metric, const rank_batch *b, long *place);

/* Copies a list of every row out of a batch. */
void rank_list_rows(
  const rank_model *m, const rank_list *l, const rank_batch *b, const rank_list_out *out);

#endif
