#ifndef RANK_FIT_RANKED_H
#define RANK_FIT_RANKED_H

/* Lists of the best items as results of a fit: what ops that score a catalogue have in common. */

#include "cosine.h"
#include "fit.h"

/* Settings of an application, in the compiler's order; its sources, the last two perhaps -1. */
enum { RANKED_TOP, RANKED_REASONS };
enum { RANKED_QUERY, RANKED_WITHOUT, RANKED_WEIGHT };

/* The first id of an input that is an item: before it stand missing and unknown. */
int32_t fit_first_item(const rank_model *m, int input);

/* Fills `out` for one request by what was learnt. 0 or -1: an id outside the catalogue. */
typedef int (*fit_rank_one)(
  const void *made, const rank_request *q, rank_ranker *r, rank_ranked *out);

/* The bodies of room() and apply() of an op that ranks so many items. */
size_t fit_ranked_room(const rank_model *m, const rank_fit *fit, int32_t items);
int fit_ranked_apply(const rank_model *m, const rank_fit *fit, const void *made, int32_t items,
  fit_rank_one rank, const rank_batch *b, void *const *out, int32_t *const *offset, void *room);

/* Calls `take` for each row of an input of ids and perhaps the weights along it (else -1), in order. Stops
 * when it returns other than 0. */
typedef int (*fit_take_list)(
  void *arg, const int32_t *item, const rank_real *weight, long n, rank_error *e);
int fit_each_list(
  const fit_call *c, int input, int weight, fit_take_list take, void *arg, rank_error *e);

#endif
