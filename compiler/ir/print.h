#ifndef RANKC_PRINT_H
#define RANKC_PRINT_H

/* A graph as text of the language: read again, it gives the same graph, and prints as the same text. */

#include "ir.h"

Str print_graph(const Graph *g, Arena *a);
void print_number(
  Buf *b, double value); /* the shortest text that reads as the same finite number */

/* Everything before the first value: model, dims, data, inputs, tables and params. */
void print_declarations(Buf *b, const Graph *g);

#endif
