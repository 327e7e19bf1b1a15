#ifndef RANKC_EMPTY_H
#define RANKC_EMPTY_H

/* What there is no position of: a list that is empty, and, of the batch, a place in a list that no sample's
 * list reaches. A sum over it is 0, whatever it sums; a factor moved out of that sum must not be infinite or
 * NaN there. */

#include "pass.h"

/* Whether n's value, or with `below` 1 / n, could be infinite or NaN where `axis`, of a value of type `full`,
 * has no position. */
bool empty_blows_up(const Graph *g, Type full, const Node *n, bool below, int axis);

#endif
