/* The two losses: where boosting starts, gradients at the current scores, and the mean loss. Sums over rows
 * are taken in pieces of a fixed size, and the pieces in order, so that they do not depend on threads. */

#include "trees.h"

#include <math.h>
#include <string.h>

enum { PIECE = 4096, LANES = 8 };

static long pieces_of(long rows)
{
  return (rows + PIECE - 1) / PIECE;
}

void trees_loss_begin(trees_loss *l, rank_tree_objective objective, long rows, const float *y,
  const float *weight, int threads)
{
  double sum = 0, all = 0;
  *l = (trees_loss){objective, rows, y, weight, 0, threads};
  for (long i = 0; i < rows; i++) {
    double w = weight ? (double)weight[i] : 1;
    sum += (double)y[i] * w;
    all += w;
  }
  double mean = all > 0 ? sum / all : 0;
  if (objective == RANK_TREES_BINARY) {
    mean = mean < 1e-15 ? 1e-15 : mean > 1 - 1e-15 ? 1 - 1e-15 : mean;
    mean = log(mean / (1 - mean));
  }
  l->init = mean;
}

/* exp(x), x at most 700 in size: 2^k times a polynomial in the rest, to about 1e-11 of it; the result is
 * for a float. */
TREES_BODY double exp_body(double x)
{
  double k = x * 1.4426950408889634 + 6755399441055744.0; /* 1.5 * 2^52: the whole part, low bits */
  uint64_t bits;
  memcpy(&bits, &k, 8);
  k -= 6755399441055744.0;
  double r = x - k * 0.6931471805599453, r2 = r * r, r4 = r2 * r2;
  double p = (1 + r) + r2 * (0.5 + r * (1.0 / 6));
  double q = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
  p += r4 * (q + r4 * (1.0 / 40320 + r * (1.0 / 362880)));
  bits = (bits << 52) + 0x3ff0000000000000u;
  double scale;
  memcpy(&scale, &bits, 8);
  return p * scale;
}

/* Gradients and hessians of n rows (rounded up to LANES there is room in out), and the sums of their
 * sizes. */
TREES_BODY void logit_body(const float *y, const float *weight, const double *score, long n,
  float *g, float *h, double sums[2])
{
  double sum_g[LANES] = {0}, sum_h[LANES] = {0};
  for (long i = 0; i < n; i += LANES) {
    double s[LANES] = {0}, t[LANES] = {0}, w[LANES] = {0};
    int m = n - i < LANES ? (int)(n - i) : LANES;
    for (int k = 0; k < m; k++) {
      s[k] = score[i + k];
      t[k] = (double)y[i + k];
      w[k] = weight ? (double)weight[i + k] : 1;
    }
    for (int k = 0; k < LANES; k++) {
      double z = s[k] > 700 ? 700 : s[k] < -700 ? -700 : s[k];
      double p = 1 / (1 + exp_body(-z));
      double a = (p - t[k]) * w[k], b = p * (1 - p) * w[k];
      sum_g[k] += a < 0 ? -a : a;
      sum_h[k] += b;
      s[k] = a;
      t[k] = b;
    }
    for (int k = 0; k < m; k++) {
      g[i + k] = (float)s[k];
      h[i + k] = (float)t[k];
    }
  }
  sums[0] = sums[1] = 0;
  for (int k = 0; k < LANES; k++) {
    sums[0] += sum_g[k];
    sums[1] += sum_h[k];
  }
}

/* Two whole numbers in one word; what is rounded is within half a unit. */
TREES_BODY void pack_body(
  const float *gs, const float *hs, long n, double g_unit, double h_unit, int64_t *out)
{
  const double magic = 6755399441055744.0;
  for (long i = 0; i < n; i++) {
    double g = (double)gs[i] * g_unit + magic, h = (double)hs[i] * h_unit + magic;
    int64_t gi, hi;
    memcpy(&gi, &g, 8);
    memcpy(&hi, &h, 8);
    out[i] = (int64_t)((uint64_t)gi << 32) + (hi & 0x7fffffff);
  }
}

#ifdef TREES_AVX2
TREES_TARGET static void logit_avx2(const float *y, const float *weight, const double *score,
  long n, float *g, float *h, double sums[2])
{
  logit_body(y, weight, score, n, g, h, sums);
}

TREES_TARGET static void pack_avx2(
  const float *g, const float *h, long n, double g_unit, double h_unit, int64_t *out)
{
  pack_body(g, h, n, g_unit, h_unit, out);
}
#endif

static void logit_piece(const float *y, const float *weight, const double *score, long n, float *g,
  float *h, double sums[2])
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    logit_avx2(y, weight, score, n, g, h, sums);
    return;
  }
#endif
  logit_body(y, weight, score, n, g, h, sums);
}

static void pack_piece(
  const float *g, const float *h, long n, double g_unit, double h_unit, int64_t *out)
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    pack_avx2(g, h, n, g_unit, h_unit, out);
    return;
  }
#endif
  pack_body(g, h, n, g_unit, h_unit, out);
}

static void squared_piece(const float *y, const float *weight, const double *score, long n,
  float *g, float *h, double sums[2])
{
  sums[0] = sums[1] = 0;
  for (long i = 0; i < n; i++) {
    double w = weight ? (double)weight[i] : 1, x = (score[i] - (double)y[i]) * w;
    g[i] = (float)x;
    h[i] = (float)w;
    sums[0] += fabs(x);
    sums[1] += w;
  }
}

void trees_loss_gradient(const trees_loss *l, const double *score, float *scratch, int64_t *packed,
  double *g_scale, double *h_scale)
{
  long pieces = pieces_of(l->rows);
  double all_g = 0, all_h = 0;
  double(*sums)[2] =
    (double(*)[2])packed; /* pieces hold fewer sums than rows; packed is written later */
  double small[2][2];
  sums = l->rows < 4 ? small : sums;
#pragma omp parallel for num_threads(l->threads) schedule(static)
  for (long p = 0; p < pieces; p++) {
    long first = p * PIECE, n = l->rows - first < PIECE ? l->rows - first : PIECE;
    const float *weight = l->weight ? l->weight + first : NULL;
    float *g = scratch + first, *h = scratch + l->rows + first;
    if (l->objective == RANK_TREES_BINARY) {
      logit_piece(l->y + first, weight, score + first, n, g, h, sums[p]);
    } else {
      squared_piece(l->y + first, weight, score + first, n, g, h, sums[p]);
    }
  }
  for (long p = 0; p < pieces; p++) {
    all_g += sums[p][0];
    all_h += sums[p][1];
  }
  double most = 2147483000.0 - (double)l->rows; /* rounding may add half a unit for each row */
  double g_unit = all_g > 0 ? most / all_g : 1, h_unit = all_h > 0 ? most / all_h : 1;
  *g_scale = 1 / g_unit;
  *h_scale = 1 / h_unit;
#pragma omp parallel for num_threads(l->threads) schedule(static)
  for (long p = 0; p < pieces; p++) {
    long first = p * PIECE, n = l->rows - first < PIECE ? l->rows - first : PIECE;
    pack_piece(scratch + first, scratch + l->rows + first, n, g_unit, h_unit, packed + first);
  }
}

static double row_loss(const trees_loss *l, long i, double score)
{
  double y = (double)l->y[i];
  if (l->objective == RANK_TREES_SQUARED) {
    return (score - y) * (score - y);
  }
  double m = y > 0 ? -score : score;
  return m > 0 ? m + log1p(exp(-m)) : log1p(exp(m));
}

double trees_loss_mean(const trees_loss *l, const double *score)
{
  enum { PARTS = 64 };
  double loss[PARTS] = {0}, all[PARTS] = {0}, sum = 0, weights = 0;
#pragma omp parallel for num_threads(l->threads) schedule(static)
  for (long p = 0; p < PARTS; p++) {
    for (long i = l->rows * p / PARTS; i < l->rows * (p + 1) / PARTS; i++) {
      double w = l->weight ? (double)l->weight[i] : 1;
      loss[p] += w * row_loss(l, i, score[i]);
      all[p] += w;
    }
  }
  for (int p = 0; p < PARTS; p++) {
    sum += loss[p];
    weights += all[p];
  }
  return weights > 0 ? sum / weights : 0;
}
