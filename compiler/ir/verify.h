#ifndef RANKC_VERIFY_H
#define RANKC_VERIFY_H

#include "ir.h"

/* Whether g keeps every rule of ir.h and ops.def. What does not is reported as an internal error: a pass
 * is wrong, not the user. */
bool verify_graph(const Graph *g, Arena scratch, Diags *d);

/* The parts of it. What is wrong with a node whose operands stand before it; NULL: nothing. */
const char *verify_node(const Graph *g, const Node *n);
bool verify_type(const Graph *g, Type t); /* its axes exist, none twice */

#endif
