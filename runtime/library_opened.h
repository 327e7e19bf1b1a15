#ifndef RANK_LIBRARY_OPENED_H
#define RANK_LIBRARY_OPENED_H

/* What the files library*.c know of each other: a library with weights, and how its inputs are checked. */

#include "rank_error.h"
#include "rank_library.h"

#include <stddef.h>

enum { SLACK = 64 };

struct rank_opened {
  rank_state state; /* first: rank_library_state */
  const rank_library *library;
  int training; /* state is rank_state_new's; else param[] point into the map or to the heap */
  char *map;    /* the weights file, or NULL */
  size_t map_bytes;
  struct rank_encoders *enc;              /* training: to be saved again */
  struct rank_fits *fits;                 /* those of enc, or a frozen library's own; or NULL */
  void *request_prepared, *rank_prepared; /* as state.prepared, for the parts of a split program */
};
_Static_assert(offsetof(struct rank_opened, state) == 0, "rank_library_state");

/* library_weights.c. The first leaves what it made to the second when it fails. */
struct rank_weights;
int library_open_weights(rank_opened *o, const struct rank_weights *w, rank_error *e);
void library_close_weights(rank_opened *o);

typedef enum part { WHOLE, REQUEST, CANDIDATES } part; /* whose inputs a batch has */

rank_status library_check(const rank_opened *o, const rank_batch *b, int usual, int use, part of);
rank_status library_explain(
  const rank_opened *o, const rank_batch *b, int use, part of, char *message, size_t size);
/* Puts what fits compute into *b, at the beginning of scratch; what is left of it, or NULL. */
char *library_with_fits(
  const rank_opened *o, const rank_batch **b, rank_batch *whole, void *scratch);
rank_status library_say(rank_status status, const rank_error *e, char *message, size_t size);

#endif
