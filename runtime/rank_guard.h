#ifndef RANK_GUARD_H
#define RANK_GUARD_H

/* Values that are not finite, noticed where they arise: only what `rankc build --check` builds calls these.
 *
 * One idea: guards are numbered in the order of the program, and the first one counts, in the first sample
 * that has it. So what is found does not depend on threads. */

#include "rank_model.h"

typedef struct rank_guard_place { /* a statement of generated code */
  int order;
  const char *function; /* of the generated file */
  int group;            /* as its comments number them; 0: none */
  const char *value;
  const char *file; /* of the model, with the line and its text; "" when nobody wrote it */
  int line;
  const char *text;
} rank_guard_place;

typedef struct rank_guard_bad {
  const rank_guard_place *place;
  double value;
  long sample; /* of the batch; -1: it is no sample's */
} rank_guard_bad;

/* Remembers it when it is before all that were found since the last rank_guard_clear. */
void rank_guard_found(const rank_guard_place *place, double value, long sample);
void rank_guard_clear(void);
int rank_guard_first(rank_guard_bad *bad); /* 0: all values were finite */

static inline void rank_guard(const rank_guard_place *place, rank_real x, long sample)
{
  if (!(x - x == 0)) {
    rank_guard_found(place, (double)x, sample);
  }
}

/* The maximum of nothing is minus infinity, and no mistake. */
static inline void rank_guard_max(const rank_guard_place *place, rank_real x, long sample)
{
  if (!(x - x == 0) && !(x < 0)) {
    rank_guard_found(place, (double)x, sample);
  }
}

#endif
