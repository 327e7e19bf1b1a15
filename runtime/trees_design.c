/* Products with the matrix of trees_logistic.h. A tree's indicators are one id per row: forwards a weight is
 * looked up and added, backwards a number is added to its leaf's sum, eight trees at a time so that additions
 * to the same leaf do not wait for each other. */

#include "trees_logistic.h"

#include <string.h>

enum { PIECE = 2048, SIDE = 8, LANES = 8 };

static void forward_piece(const design *d, const double *v, long first, long n, double *z)
{
  double intercept = v[d->weights - 1];
  for (long i = 0; i < n; i++) {
    z[i] = intercept;
  }
  long t = 0;
  for (; t + 4 <= d->trees; t += 4) {
    const uint16_t *a = d->leaf + t * d->rows + first, *b = a + d->rows, *c = b + d->rows,
                   *e = c + d->rows;
    const double *va = v + d->base[t], *vb = v + d->base[t + 1], *vc = v + d->base[t + 2],
                 *ve = v + d->base[t + 3];
    for (long i = 0; i < n; i++) {
      z[i] += (va[a[i]] + vb[b[i]]) + (vc[c[i]] + ve[e[i]]);
    }
  }
  for (; t < d->trees; t++) {
    const uint16_t *a = d->leaf + t * d->rows + first;
    for (long i = 0; i < n; i++) {
      z[i] += v[d->base[t] + a[i]];
    }
  }
  for (int c = 0; c < d->columns; c++) {
    const float *x = d->x + c * d->rows + first;
    double w = v[d->base[d->trees] + c];
    for (long i = 0; i < n; i++) {
      z[i] += w * (double)x[i];
    }
  }
}

void design_forward(const design *d, const double *v, double *z)
{
#pragma omp parallel for num_threads(d->threads) schedule(static)
  for (long first = 0; first < d->rows; first += PIECE) {
    forward_piece(d, v, first, d->rows - first < PIECE ? d->rows - first : PIECE, z + first);
  }
}

static void backward_eight(const design *d, long t, const double *r, double *out)
{
  const uint16_t *a[SIDE];
  double *o[SIDE];
  for (int k = 0; k < SIDE; k++) {
    a[k] = d->leaf + (t + k) * d->rows;
    o[k] = out + d->base[t + k];
  }
  for (long i = 0; i < d->rows; i++) {
    for (int k = 0; k < SIDE; k++) {
      o[k][a[k][i]] += r[i];
    }
  }
}

static void backward_trees(const design *d, long t, const double *r, double *out)
{
  long end = t + SIDE < d->trees ? t + SIDE : d->trees;
  memset(out + d->base[t], 0, sizeof *out * (size_t)(d->base[end] - d->base[t]));
  if (end - t == SIDE) {
    backward_eight(d, t, r, out);
    return;
  }
  for (; t < end; t++) {
    const uint16_t *a = d->leaf + t * d->rows;
    for (long i = 0; i < d->rows; i++) {
      out[d->base[t] + a[i]] += r[i];
    }
  }
}

static double column_dot(const float *x, const double *r, long n, int squared)
{
  double sum[LANES] = {0}, all = 0;
  long i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int k = 0; k < LANES; k++) {
      double v = x ? (double)x[i + k] : 1;
      sum[k] += (squared ? v * v : v) * r[i + k];
    }
  }
  for (; i < n; i++) {
    double v = x ? (double)x[i] : 1;
    sum[0] += (squared ? v * v : v) * r[i];
  }
  for (int k = 0; k < LANES; k++) {
    all += sum[k];
  }
  return all;
}

void design_backward(const design *d, const double *r, int squared, double *out)
{
  long groups = (d->trees + SIDE - 1) / SIDE, tasks = groups + d->columns + 1;
#pragma omp parallel for num_threads(d->threads) schedule(dynamic, 1)
  for (long i = 0; i < tasks; i++) {
    if (i < groups) {
      backward_trees(d, i * SIDE, r, out);
    } else {
      long c = i - groups;
      const float *x = c < d->columns ? d->x + c * d->rows : NULL;
      out[d->base[d->trees] + c] = column_dot(x, r, d->rows, squared);
    }
  }
}

double design_dot(const design *d, const double *a, const double *b, long n)
{
  double sum = 0;
  enum { PARTS = 64 };
  double part[PARTS];
#pragma omp parallel for num_threads(d->threads) schedule(static) if (n > 1 << 16)
  for (long p = 0; p < PARTS; p++) {
    double s = 0;
    for (long i = n * p / PARTS; i < n * (p + 1) / PARTS; i++) {
      s += a[i] * b[i];
    }
    part[p] = s;
  }
  for (int p = 0; p < PARTS; p++) {
    sum += part[p];
  }
  return sum;
}
