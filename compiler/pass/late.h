#ifndef RANKC_LATE_H
#define RANKC_LATE_H

/* When a value is computed: by how often samples must have met before. */

#include "pass.h"

/* Is n the end of a phase: a sum or maximum over the samples, or a view of all of them? */
bool samples_meet(const Graph *g, const Node *n);

/* Fills phase[node id]. late: values of pairs of samples count for the phase that first reads them. */
void plan_phases(const Graph *g, bool late, int *phase);

#endif
