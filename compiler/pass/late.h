#ifndef RANKC_LATE_H
#define RANKC_LATE_H

/* When a value is computed: a time is a phase, that is how often samples must have met before, times
 * SWEEPS, plus a sweep within it, that is how often all pairs of a sample must have been seen. */

#include "pass.h"

enum { SWEEPS = 1024 };

/* Is n the end of a phase: a sum or maximum over the samples, or a view of all of them? */
bool samples_meet(const Graph *g, const Node *n);
/* Does n have the batch axis and another one? */
bool value_of_pairs(const Graph *g, const Node *n);
/* Is n a sum or maximum of values of pairs over one sample's partners, be it over the samples too? */
bool reduces_columns(const Graph *g, const Node *n);
/* Has the graph values of pairs, and can all of them be computed a block of columns at a time? */
bool runs_by_columns(const Graph *g);

/* Fills, by node id, the time when operands are read and the time when the value is made. late: values
 * of pairs of samples are made when they are first read. */
void plan_times(const Graph *g, bool late, int *read, int *made);

#endif
