#ifndef RANK_LBFGS_H
#define RANK_LBFGS_H

/* Minimises a smooth function of many numbers by limited-memory BFGS ("Updating Quasi-Newton Matrices with
 * Limited Storage", Nocedal 1980; algorithm 7.5 of Nocedal and Wright, Numerical Optimization).
 *
 * One idea: where it stands is the point, and the last `memory` steps with what the gradient did over them; all
 * else is computed from these. So saving them is enough to go on to the same bits. */

#include "rank_error.h"
#include "rank_model.h"

/* The function's value and gradient at w: 0, 1 (asked to stop), -1. Values of w are always rank_reals. */
typedef int (*rank_objective)(void *arg, const double *w, double *f, double *g, rank_error *e);

typedef struct rank_lbfgs {
  long n;
  int memory, threads;
  double noise; /* relative error of the function's values: smaller falls are not looked for */
  rank_objective objective;
  void *arg;
  double *w, *g, f; /* the point, its gradient and value */
  int pairs;        /* kept, oldest first: */
  double *s, *y;    /* [memory][n] steps, and differences of gradients */
  double *rho;      /* [memory] 1 / s y */
  double *p, *trial, *trial_g, trial_f;
  double step; /* the last one's length along its direction */
  long calls;  /* of the objective */
} rank_lbfgs;

/* Sets n, memory, threads, noise, objective, arg; w is zeros. */
int rank_lbfgs_new(rank_lbfgs *l, long n, int memory, int threads, rank_error *e);
void rank_lbfgs_free(rank_lbfgs *l);
/* From w, and pairs where there are any. As the objective returns. */
int rank_lbfgs_start(rank_lbfgs *l, rank_error *e);
double rank_lbfgs_gradient(const rank_lbfgs *l); /* its largest entry */

enum { RANK_LBFGS_STUCK = 2 };
/* To the next point: 0; RANK_LBFGS_STUCK: the function does not fall any more; or as the objective returns,
 * and the point is as it was. */
int rank_lbfgs_iterate(rank_lbfgs *l, rank_error *e);

#endif
