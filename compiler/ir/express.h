#ifndef RANKC_EXPRESS_H
#define RANKC_EXPRESS_H

/* Nodes as expressions: the inner half of print.c. */

#include "print.h"

/* How tightly text holds together; an operand that holds less tightly than its place asks for gets
 * parentheses. */
enum { LEVEL_ANY, LEVEL_COMPARE, LEVEL_ADD, LEVEL_MUL, LEVEL_NEG, LEVEL_POW, LEVEL_POSTFIX };

typedef struct Printer {
  const Graph *g;
  Buf b;
  bool *needed; /* by node: it is printed, inside another or on its own */
  int *uses;
  int *depth;  /* by node: levels of nesting where it is used */
  Str *name;   /* by node: what stands for it; {0}: its own text */
  int randoms; /* the site that a reader gives the next one */
} Printer;

void print_value(Printer *p, const Node *n);      /* its name, or its text */
void print_text(Printer *p, const Node *n);       /* its text, whatever its name */
int print_depth(const Printer *p, const Node *n); /* levels of nesting in its text */

#endif
