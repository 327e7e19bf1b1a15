#ifndef TREES_LOGISTIC_H
#define TREES_LOGISTIC_H

/* The matrix of a logistic regression on leaves and numbers, never written out: of each row one weight per
 * tree, the numbers, and a one for the intercept. */

#include "rank_trees.h"

typedef struct design {
  long rows, trees;
  int columns, threads;
  long weights;     /* in all; the last one is the intercept */
  const long *base; /* [trees + 1] */
  uint16_t *leaf;   /* [trees][rows] */
  float *x;         /* [columns][rows], standardised */
} design;

/* z = A v, rows in pieces. */
void design_forward(const design *d, const double *v, double *z);
/* out = transpose(A) r, columns shared out: each is summed by one thread in the order of rows. squared: the
 * numbers count by their squares. */
void design_backward(const design *d, const double *r, int squared, double *out);
/* A sum in pieces of a fixed size, whatever the number of threads. */
double design_dot(const design *d, const double *a, const double *b, long n);

#endif
