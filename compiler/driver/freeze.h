#ifndef RANKC_FREEZE_H
#define RANKC_FREEZE_H

/* Between freeze.c and freeze_weights.c. */

#include "../emit/emit.h"

/* Reads the weights of a file, checked against the model: names, shapes, vocabularies, values. Messages go to
 * standard error. */
bool freeze_read(Arena *a, const Graph *g, Str path, Frozen *out);

#endif
