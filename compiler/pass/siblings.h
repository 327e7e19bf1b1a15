#ifndef RANKC_SIBLINGS_H
#define RANKC_SIBLINGS_H

/* Narrow contractions of one operand, joined: a part of rewriting, see siblings.c. */

#include "pass.h"

/* The same values; the graph's log says what was joined, and when it is enough. Before gradients. */
Graph *siblings_join(Arena *a, const Graph *old);

#endif
