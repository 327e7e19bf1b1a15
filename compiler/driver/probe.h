#ifndef RANKC_PROBE_H
#define RANKC_PROBE_H

/* Random parameters and a random batch for any graph, with empty lists and repeated ids, and the
 * derivative of its loss by finite differences in the interpreter. */

#include "../ir/interpret.h"

typedef struct Probe {
  Arena *arena;
  InterpretBatch batch;
  double **params; /* by param: [rows][width] */
  long *rows;      /* by param */
  uint64_t seed;   /* of the next random number */
} Probe;

enum { PROBE_ROWS = 12 }; /* ids are small: only a table's first rows are looked up */

/* n samples. Numbers are in [0.2, 1.2): every op of the table is smooth there. */
Probe probe_new(Arena *a, const Graph *g, long n, uint64_t seed);
void probe_scale(Probe *p, const Graph *g, double low, double high); /* params in [low, high) */
double probe_number(Probe *p); /* the next random number in [0, 1) */

Interp *probe_interpreter(const Probe *p, Arena *a, const Graph *g, bool training);
double probe_loss(const Probe *p, const Graph *g, bool training);
/* The derivative of the loss by *x, which is a value of p->params, from five points h apart. */
double probe_difference(Probe *p, const Graph *g, double *x, double h);
const Grad *probe_grad(const Graph *g, int param); /* NULL: the loss does not depend on it */

#endif
