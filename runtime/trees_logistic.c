/* Logistic regression on the leaves of a forest and on standardised numbers, to the optimum of
 *   c * sum of log losses + |w|^2 / 2,   the intercept left free.
 * Truncated Newton: each step solves with the Hessian by conjugate gradients, preconditioned by its diagonal,
 * only as exactly as the gradient still is large, and then halves the step until the objective falls enough.
 * The objective is strictly convex in the weights, so that there is one optimum. */

#include "trees_logistic.h"

#include "trees.h"

#include <math.h>
#include <string.h>

void rank_logistic_defaults(rank_logistic_options *o)
{
  *o = (rank_logistic_options){.c = 0.5, .tolerance = 1e-6, .rounds = 100};
}

typedef struct newton {
  design d;
  double c, objective;
  double *sign; /* 1 or -1 of each row */
  double *z, *zp, *r,
    *curve; /* [rows]: scores, of the direction, a row vector, second derivatives */
  double *w, *g, *p, *hp, *res, *dir, *diagonal; /* [weights] */
  int products;
} newton;

static double row_loss(double m)
{
  return m > 0 ? log1p(exp(-m)) : log1p(exp(m)) - m;
}

/* The objective at scores z + step * zp and weights w + step * p. */
static double objective(const newton *s, double step)
{
  enum { PARTS = 64 };
  double part[PARTS], loss = 0, norm = 0;
#pragma omp parallel for num_threads(s->d.threads) schedule(static)
  for (long k = 0; k < PARTS; k++) {
    double sum = 0;
    for (long i = s->d.rows * k / PARTS; i < s->d.rows * (k + 1) / PARTS; i++) {
      sum += row_loss(s->sign[i] * (s->z[i] + step * s->zp[i]));
    }
    part[k] = sum;
  }
  for (int k = 0; k < PARTS; k++) {
    loss += part[k];
  }
  for (long i = 0; i < s->d.weights - 1; i++) {
    double w = s->w[i] + step * s->p[i];
    norm += w * w;
  }
  return s->c * loss + norm / 2;
}

/* Gradient and curvature at the current scores; returns the gradient's largest entry. */
static double gradient(newton *s)
{
  double most = 0;
#pragma omp parallel for num_threads(s->d.threads) schedule(static)
  for (long i = 0; i < s->d.rows; i++) {
    double q = 1 / (1 + exp(s->sign[i] * s->z[i]));
    s->r[i] = -s->c * s->sign[i] * q;
    s->curve[i] = s->c * q * (1 - q);
  }
  design_backward(&s->d, s->r, 0, s->g);
  design_backward(&s->d, s->curve, 1, s->diagonal);
  for (long i = 0; i < s->d.weights; i++) {
    int free_one = i == s->d.weights - 1;
    s->g[i] += free_one ? 0 : s->w[i];
    s->diagonal[i] += free_one ? 1e-12 : 1;
    most = fabs(s->g[i]) > most ? fabs(s->g[i]) : most;
  }
  return most;
}

static void hessian(newton *s, const double *v, double *out)
{
  design_forward(&s->d, v, s->r);
#pragma omp parallel for num_threads(s->d.threads) schedule(static)
  for (long i = 0; i < s->d.rows; i++) {
    s->r[i] *= s->curve[i];
  }
  design_backward(&s->d, s->r, 0, out);
  for (long i = 0; i < s->d.weights - 1; i++) {
    out[i] += v[i];
  }
  s->products++;
}

/* p: about -H^-1 g, to a relative residual of `tolerance` in the preconditioner's norm. */
static void solve(newton *s, double tolerance)
{
  long n = s->d.weights;
  double rho = 0;
  for (long i = 0; i < n; i++) {
    s->p[i] = 0;
    s->res[i] = -s->g[i];
    s->dir[i] = s->res[i] / s->diagonal[i];
    rho += s->res[i] * s->dir[i];
  }
  double first = rho;
  for (int round = 0; round < 1000 && rho > tolerance * tolerance * first && rho > 0; round++) {
    hessian(s, s->dir, s->hp);
    double bend = design_dot(&s->d, s->dir, s->hp, n), next = 0;
    if (!(bend > 0)) {
      return;
    }
    double step = rho / bend;
    for (long i = 0; i < n; i++) {
      s->p[i] += step * s->dir[i];
      s->res[i] -= step * s->hp[i];
      next += s->res[i] * s->res[i] / s->diagonal[i];
    }
    for (long i = 0; i < n; i++) {
      s->dir[i] = s->res[i] / s->diagonal[i] + next / rho * s->dir[i];
    }
    rho = next;
  }
}

/* Halves the step until the objective falls enough; 0: it does not any more. */
static int advance(newton *s)
{
  design_forward(&s->d, s->p, s->zp);
  double slope = design_dot(&s->d, s->g, s->p, s->d.weights), step = 1;
  for (int k = 0; k < 40; k++, step /= 2) {
    double value = objective(s, step);
    if (value <= s->objective + 1e-4 * step * slope) {
      for (long i = 0; i < s->d.weights; i++) {
        s->w[i] += step * s->p[i];
      }
      s->objective = value;
      design_forward(&s->d, s->w, s->z);
      return 1;
    }
  }
  return 0;
}

static void minimise(newton *s, const rank_logistic_options *o, rank_logistic_report *r)
{
  memset(s->p, 0, sizeof *s->p * (size_t)s->d.weights);
  memset(s->zp, 0, sizeof *s->zp * (size_t)s->d.rows);
  design_forward(&s->d, s->w, s->z);
  s->objective = objective(s, 0);
  double first = gradient(s), now = first;
  for (r->rounds = 0; r->rounds < o->rounds && now > o->tolerance * first; r->rounds++) {
    double exact = sqrt(now / first);
    solve(s, exact < 0.1 ? (exact > 1e-4 ? exact : 1e-4) : 0.1);
    if (!advance(s)) {
      break;
    }
    now = gradient(s);
  }
  r->objective = s->objective;
  r->gradient = now;
  r->products = s->products;
  r->converged = now <= o->tolerance * first;
}

static int take_leaves(newton *s, const int32_t *leaf, const int *leaves, long trees, rank_error *e)
{
  for (long i = 0; i < s->d.rows; i++) {
    for (long t = 0; t < trees; t++) {
      int32_t id = leaf[i * trees + t];
      if (id < 0 || id >= leaves[t]) {
        return rank_fail(e, "row %ld has leaf %d of %d in tree %ld", i, id, leaves[t], t);
      }
      s->d.leaf[t * s->d.rows + i] = (uint16_t)id;
    }
  }
  return 0;
}

/* Means and deviations (over all rows, as a population), and the columns by them. */
static int take_numbers(newton *s, rank_logistic *l, const rank_matrix *x, rank_error *e)
{
  for (int c = 0; c < l->columns; c++) {
    double sum = 0, squares = 0;
    for (long i = 0; i < x->rows; i++) {
      sum += rank_matrix_at(x, i, c);
    }
    l->mean[c] = sum / (double)x->rows;
    for (long i = 0; i < x->rows; i++) {
      double d = rank_matrix_at(x, i, c) - l->mean[c];
      squares += d * d;
    }
    l->sd[c] = sqrt(squares / (double)x->rows);
    l->sd[c] = l->sd[c] > 0 ? l->sd[c] : 1;
    if (!isfinite(l->sd[c])) {
      return rank_fail(e, "column %d holds what is no finite number", c);
    }
    for (long i = 0; i < x->rows; i++) {
      s->d.x[c * x->rows + i] = (float)((rank_matrix_at(x, i, c) - l->mean[c]) / l->sd[c]);
    }
  }
  return 0;
}

static double *vector(long n)
{
  return calloc((size_t)(n > 0 ? n : 1), sizeof(double));
}

static void newton_free(newton *s)
{
  double *all[] = {
    s->sign, s->z, s->zp, s->r, s->curve, s->g, s->p, s->hp, s->res, s->dir, s->diagonal};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    free(all[i]);
  }
  free(s->d.leaf);
  free(s->d.x);
}

static int newton_new(newton *s, rank_logistic *l, long rows, int threads)
{
  long n = l->base[l->trees] + l->columns + 1;
  s->d = (design){.rows = rows,
    .trees = l->trees,
    .columns = l->columns,
    .threads = trees_threads(threads),
    .weights = n,
    .base = l->base,
    .leaf = malloc(sizeof(uint16_t) * (size_t)(rows * l->trees + 1)),
    .x = malloc(sizeof(float) * (size_t)(rows * l->columns + 1))};
  s->w = l->w;
  double **of_rows[] = {&s->sign, &s->z, &s->zp, &s->r, &s->curve};
  double **of_weights[] = {&s->g, &s->p, &s->hp, &s->res, &s->dir, &s->diagonal};
  int ok = s->d.leaf && s->d.x;
  for (size_t i = 0; i < 5; i++) {
    ok &= (*of_rows[i] = vector(rows)) != NULL;
  }
  for (size_t i = 0; i < 6; i++) {
    ok &= (*of_weights[i] = vector(n)) != NULL;
  }
  return ok ? 0 : -1;
}

static rank_logistic *logistic_new(const int *leaves, long trees, int columns)
{
  rank_logistic *l = calloc(1, sizeof *l);
  long *base = malloc(sizeof *base * (size_t)(trees + 1));
  if (!l || !base) {
    free(l);
    free(base);
    return NULL;
  }
  base[0] = 0;
  for (long t = 0; t < trees; t++) {
    base[t + 1] = base[t] + leaves[t];
  }
  *l = (rank_logistic){
    trees, base, columns, vector(columns), vector(columns), vector(base[trees] + columns + 1)};
  if (!l->mean || !l->sd || !l->w) {
    rank_logistic_free(l);
    return NULL;
  }
  return l;
}

rank_logistic *rank_logistic_fit(const int32_t *leaf, const int *leaves, long trees,
  const rank_matrix *x, const rank_matrix *y, const rank_logistic_options *o,
  rank_logistic_report *report, rank_error *e)
{
  newton s = {.c = o->c};
  rank_logistic_report r = {0};
  int status =
    y->rows > 0 && (!x || x->rows == y->rows) && o->c > 0
      ? 0
      : rank_fail(e, "a logistic regression needs as many labels as rows, and c above 0");
  for (long t = 0; status == 0 && t < trees; t++) {
    status = leaves[t] > 0 && leaves[t] <= 65536
               ? 0
               : rank_fail(e, "tree %ld has %d leaves", t, leaves[t]);
  }
  rank_logistic *l = status == 0 ? logistic_new(leaves, trees, x ? x->columns : 0) : NULL;
  if (status == 0 && (!l || newton_new(&s, l, y->rows, o->threads) != 0)) {
    status = rank_fail(e, "out of memory");
  }
  for (long i = 0; status == 0 && i < y->rows; i++) {
    double v = rank_matrix_at(y, i, 0);
    status = v == 0 || v == 1 ? 0 : rank_fail(e, "row %ld: the label is %g, not 0 or 1", i, v);
    s.sign[i] = v == 1 ? 1 : -1;
  }
  status = status == 0 ? take_leaves(&s, leaf, leaves, trees, e) : status;
  status = status == 0 && x ? take_numbers(&s, l, x, e) : status;
  if (status == 0) {
    minimise(&s, o, &r);
  } else {
    rank_logistic_free(l);
    l = NULL;
  }
  newton_free(&s);
  if (report) {
    *report = r;
  }
  return l;
}

void rank_logistic_free(rank_logistic *l)
{
  if (l) {
    free(l->base);
    free(l->mean);
    free(l->sd);
    free(l->w);
    free(l);
  }
}

double rank_logistic_score(
  const rank_logistic *l, const int32_t *leaf, const rank_matrix *x, long row)
{
  double sum = l->w[l->base[l->trees] + l->columns];
  for (long t = 0; t < l->trees; t++) {
    sum += l->w[l->base[t] + leaf[row * l->trees + t]];
  }
  for (int c = 0; c < l->columns; c++) {
    sum += l->w[l->base[l->trees] + c] * ((rank_matrix_at(x, row, c) - l->mean[c]) / l->sd[c]);
  }
  return sum;
}
