#ifndef LAB_H
#define LAB_H

/* A place to try graphs: random parameters and a random batch for any graph, with empty lists and
 * repeated ids, and the checks that hold for every graph. They fail the running cmocka test. */

#include "../../compiler/driver/probe.h"
#include "../../compiler/pass/pass.h"

typedef struct Lab {
  Arena *arena;
  Arena scratch; /* apart from *arena, where messages go */
  Diags diags;
  Probe probe;   /* parameters and batch */
  int probes;    /* of how many elements of a param finite differences are taken */
  bool thorough; /* else each check only once, not at every stage */
} Lab;

/* n samples. Numbers are in [0.2, 1.2): every op of the table is smooth there. */
Lab lab_new(Arena *a, const Graph *g, long n, uint64_t seed);
void lab_scale(
  Lab *lab, const Graph *g, double low, double high); /* params in [low, high) instead */

void lab_copy(Lab *lab, const Graph *g, Str from, Str to); /* one param's values to another */

/* What pass_grad and pass_simplify make of the gradient of a param. */
const Tensor *lab_gradient(Lab *lab, const Graph *g, Str param);

/* Gradients by pass_grad are the finite differences of the loss; simplifying keeps every value and is done
 * after one go; each role gives what the whole gives. `shows` prints the graphs. */
void lab_check(Lab *lab, const Graph *g, bool shows);

#endif
