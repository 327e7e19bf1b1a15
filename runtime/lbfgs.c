/* lbfgs.c: see lbfgs.h.
 *
 * The line search looks for a point that satisfies the strong Wolfe conditions by bracketing and then the
 * secant of the slopes, kept away from the bracket's ends. Slopes rather than values: near the optimum the
 * function falls by less than the rounding of its value, while the slope still says where its minimum is
 * (Hager and Zhang, "A New Conjugate Gradient Method with Guaranteed Descent", 2005). */

#include "lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 64, MOST_TRIALS = 30 };

static const double FALL = 1e-4, FLATTER = 0.9; /* c1 and c2 of Nocedal and Wright */

/* --- vectors --- */

static long part_begin(long n, int part)
{
  return n / PARTS * part + (part < n % PARTS ? part : n % PARTS);
}

/* In parts that do not depend on threads. */
static double dot(const rank_lbfgs *l, const double *a, const double *b)
{
  double sums[PARTS], sum = 0;
#pragma omp parallel for num_threads(l->threads) schedule(static) if (l->n > 100000)
  for (int k = 0; k < PARTS; k++) {
    double s = 0;
    for (long i = part_begin(l->n, k); i < part_begin(l->n, k + 1); i++) {
      s += a[i] * b[i];
    }
    sums[k] = s;
  }
  for (int k = 0; k < PARTS; k++) {
    sum += sums[k];
  }
  return sum;
}

/* y += a x */
static void add(const rank_lbfgs *l, double *y, double a, const double *x)
{
#pragma omp parallel for simd num_threads(l->threads) schedule(static) if (l->n > 100000)
  for (long i = 0; i < l->n; i++) {
    y[i] += a * x[i];
  }
}

static double *vector(long n)
{
  return calloc((size_t)n + 1, sizeof(double));
}

int rank_lbfgs_new(rank_lbfgs *l, long n, int memory, int threads, rank_error *e)
{
  *l = (rank_lbfgs){.n = n, .memory = memory, .threads = threads};
  double **all[] = {&l->w, &l->g, &l->p, &l->trial, &l->trial_g};
  int failed = n > (long)(SIZE_MAX / 16) / (memory + 1);
  for (size_t i = 0; i < sizeof all / sizeof *all && !failed; i++) {
    failed = (*all[i] = vector(n)) == NULL;
  }
  if (!failed) {
    l->s = vector(n * memory);
    l->y = vector(n * memory);
    l->rho = vector(memory);
    failed = l->s == NULL || l->y == NULL || l->rho == NULL;
  }
  if (failed) {
    rank_lbfgs_free(l);
    return rank_fail(e, "out of memory: lbfgs over %ld weights with memory %d", n, memory);
  }
  return 0;
}

void rank_lbfgs_free(rank_lbfgs *l)
{
  double *all[] = {l->w, l->g, l->p, l->trial, l->trial_g, l->s, l->y, l->rho};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    free(all[i]);
  }
  *l = (rank_lbfgs){0};
}

double rank_lbfgs_gradient(const rank_lbfgs *l)
{
  double most = 0;
  for (long i = 0; i < l->n; i++) {
    most = fabs(l->g[i]) > most ? fabs(l->g[i]) : most;
  }
  return most;
}

int rank_lbfgs_start(rank_lbfgs *l, rank_error *e)
{
  for (int k = 0; k < l->pairs; k++) {
    l->rho[k] = 1 / dot(l, l->s + k * l->n, l->y + k * l->n);
  }
  l->calls++;
  return l->objective(l->arg, l->w, &l->f, l->g, e);
}

/* --- the direction --- */

/* p = -H g (algorithm 7.4), H from the pairs. The slope along it. */
static double direction(rank_lbfgs *l)
{
  double alpha[128];
  for (long i = 0; i < l->n; i++) {
    l->p[i] = -l->g[i];
  }
  for (int k = l->pairs - 1; k >= 0; k--) {
    alpha[k] = l->rho[k] * dot(l, l->s + k * l->n, l->p);
    add(l, l->p, -alpha[k], l->y + k * l->n);
  }
  if (l->pairs > 0) {
    const double *y = l->y + (l->pairs - 1) * l->n;
    double scale = 1 / (l->rho[l->pairs - 1] * dot(l, y, y));
    for (long i = 0; i < l->n; i++) {
      l->p[i] *= scale;
    }
  }
  for (int k = 0; k < l->pairs; k++) {
    double beta = l->rho[k] * dot(l, l->y + k * l->n, l->p);
    add(l, l->p, alpha[k] - beta, l->s + k * l->n);
  }
  return dot(l, l->g, l->p);
}

/* The step from w to the trial, and what the gradient did; not where the function does not curve upwards. */
static void remember(rank_lbfgs *l)
{
  if (l->pairs == l->memory) {
    size_t bytes = sizeof(double) * (size_t)(l->memory - 1) * (size_t)l->n;
    memmove(l->s, l->s + l->n, bytes);
    memmove(l->y, l->y + l->n, bytes);
    memmove(l->rho, l->rho + 1, sizeof(double) * (size_t)(l->memory - 1));
    l->pairs--;
  }
  double *s = l->s + l->pairs * l->n, *y = l->y + l->pairs * l->n;
  for (long i = 0; i < l->n; i++) {
    s[i] = l->trial[i] - l->w[i];
    y[i] = l->trial_g[i] - l->g[i];
  }
  double bend = dot(l, s, y);
  if (bend > 1e-12 * dot(l, y, y)) {
    l->rho[l->pairs++] = 1 / bend;
  }
}

/* --- the step --- */

typedef struct point { /* along the direction */
  double t, f, slope;
} point;

/* Weights are what parameters can hold, so that function and gradient belong to just this point. */
static int look(rank_lbfgs *l, point *x, rank_error *e)
{
  for (long i = 0; i < l->n; i++) {
    l->trial[i] = (double)(rank_real)(l->w[i] + x->t * l->p[i]);
  }
  l->calls++;
  int result = l->objective(l->arg, l->trial, &x->f, l->trial_g, e);
  x->slope = dot(l, l->trial_g, l->p);
  return result;
}

/* Between the ends: where the line through both slopes is zero, but not too near to either. */
static double between(point low, point high)
{
  double width = high.t - low.t, t = 0.5;
  if (isfinite(high.slope) && high.slope > 0) {
    t = -low.slope / (high.slope - low.slope);
  }
  t = t < 0.1 ? 0.1 : t > 0.9 ? 0.9 : t;
  return low.t + width * t;
}

/* 0: the trial is the next point; or STUCK, or what the objective returned. */
static int search(rank_lbfgs *l, double slope, double first, rank_error *e)
{
  point low = {0, l->f, slope}, high = {0}, x = {.t = first};
  int bounded = 0;
  double slack = l->noise * fabs(l->f);
  for (int k = 0; k < MOST_TRIALS; k++) {
    int result = look(l, &x, e);
    if (result != 0) {
      return result;
    }
    int far = !isfinite(x.f) || !isfinite(x.slope) || x.f > l->f + FALL * x.t * slope + slack;
    if (!far && fabs(x.slope) <= -FLATTER * slope) {
      l->step = x.t;
      l->trial_f = x.f;
      return 0;
    }
    if (far || x.slope > 0) {
      high = x;
      bounded = 1;
    } else {
      low = x;
    }
    x.t = bounded ? between(low, high) : 4 * x.t;
  }
  return RANK_LBFGS_STUCK;
}

int rank_lbfgs_iterate(rank_lbfgs *l, rank_error *e)
{
  int result = RANK_LBFGS_STUCK;
  for (int again = 0; again < 2 && result == RANK_LBFGS_STUCK; again++) {
    if (again && l->pairs == 0) {
      break;
    }
    l->pairs = again ? 0 : l->pairs; /* a curvature that is all rounding: begin anew */
    double slope = direction(l);
    if (!(slope < 0)) {
      continue;
    }
    double first = l->pairs > 0 ? 1 : fmin(1, 1 / sqrt(-slope));
    result = search(l, slope, first, e);
  }
  if (result != 0) {
    return result;
  }
  remember(l);
  memcpy(l->w, l->trial, sizeof(double) * (size_t)l->n);
  memcpy(l->g, l->trial_g, sizeof(double) * (size_t)l->n);
  l->f = l->trial_f;
  return 0;
}
