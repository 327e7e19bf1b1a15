/* metrics.c: see metrics.h. One idea: AUC needs only an order, so predictions become integers that sort
 * the same way and are sorted by radix, which is stable; grouping is one more stable sort. */

#include "metrics.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* --- order --- */

typedef struct sort_entry {
  uint64_t key;
  uint64_t index;
} sort_entry;

size_t rank_auc_scratch(long n)
{
  return 2 * sizeof(sort_entry) * (size_t)n;
}

/* An integer that orders like the number; -0 and 0 are the same. */
static uint64_t order_key(double x)
{
  uint64_t bits;
  x += 0.0;
  memcpy(&bits, &x, sizeof bits);
  return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* Stable, ascending; the result is in `a`. Bytes that are the same in all keys cost one count. */
static void radix_sort(sort_entry *a, sort_entry *b, size_t n)
{
  sort_entry *from = a, *to = b;
  for (int shift = 0; shift < 64; shift += 8) {
    size_t count[256] = {0}, at[256], sum = 0;
    for (size_t i = 0; i < n; i++) {
      count[from[i].key >> shift & 255]++;
    }
    if (count[from[0].key >> shift & 255] == n) {
      continue;
    }
    for (int i = 0; i < 256; i++) {
      at[i] = sum;
      sum += count[i];
    }
    for (size_t i = 0; i < n; i++) {
      to[at[from[i].key >> shift & 255]++] = from[i];
    }
    sort_entry *t = from;
    from = to;
    to = t;
  }
  if (from != a) {
    memcpy(a, from, n * sizeof *a);
  }
}

/* --- AUC --- */

static int positive(rank_real y)
{
  return (double)y >= 0.5;
}

/* Of entries sorted by prediction: counts pairs in halves, so that it is exact below 2^63. */
static double auc_sorted(const sort_entry *s, size_t n, const rank_real *p, const rank_real *y)
{
  uint64_t below = 0, positives = 0, halves = 0;
  for (size_t i = 0; i < n;) {
    uint64_t pos = 0, neg = 0;
    rank_real tie = p[s[i].index];
    for (; i < n && p[s[i].index] == tie; i++) {
      positive(y[s[i].index]) ? pos++ : neg++;
    }
    halves += pos * (2 * below + neg);
    below += neg;
    positives += pos;
  }
  if (positives == 0 || below == 0) {
    return (double)NAN;
  }
  return (double)halves / 2 / (double)positives / (double)below;
}

/* Sorted entries of all predictions, or 0 when there are none or one is not a number. */
static int sort_predictions(const rank_real *p, long n, sort_entry *a)
{
  for (long i = 0; i < n; i++) {
    if (isnan(p[i])) {
      return 0;
    }
    a[i] = (sort_entry){order_key((double)p[i]), (uint64_t)i};
  }
  if (n > 0) {
    radix_sort(a, a + n, (size_t)n);
  }
  return n > 0;
}

double rank_auc(const rank_real *p, const rank_real *y, long n, void *scratch)
{
  sort_entry *a = scratch;
  return sort_predictions(p, n, a) ? auc_sorted(a, (size_t)n, p, y) : (double)NAN;
}

double rank_gauc(
  const rank_real *p, const rank_real *y, const int32_t *group, long per, long n, void *scratch)
{
  sort_entry *a = scratch;
  if (!sort_predictions(p, n, a)) {
    return (double)NAN;
  }
  for (long i = 0; i < n; i++) {
    a[i].key = (uint32_t)group[a[i].index / (uint64_t)per];
  }
  radix_sort(a, a + n, (size_t)n);
  double sum = 0, weight = 0;
  for (long i = 0, end; i < n; i = end) {
    for (end = i; end < n && a[end].key == a[i].key; end++) {
    }
    double auc = auc_sorted(a + i, (size_t)(end - i), p, y);
    if (!isnan(auc)) {
      sum += auc * (double)(end - i);
      weight += (double)(end - i);
    }
  }
  return weight > 0 ? sum / weight : (double)NAN;
}

/* --- means --- */

double rank_logloss(const rank_real *p, const rank_real *y, long n)
{
#ifdef RANK_F64
  const double eps = DBL_EPSILON;
#else
  const double eps = (double)FLT_EPSILON;
#endif
  double sum = 0;
  for (long i = 0; i < n; i++) {
    double q = (double)p[i], t = (double)y[i];
    q = q < eps ? eps : q > 1 - eps ? 1 - eps : q;
    sum -= t * log(q) + (1 - t) * log1p(-q);
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}

double rank_ne(const rank_real *p, const rank_real *y, long n)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    sum += (double)y[i];
  }
  double rate = sum / (double)n;
  if (n == 0 || !(rate > 0 && rate < 1)) {
    return (double)NAN;
  }
  return rank_logloss(p, y, n) / -(rate * log(rate) + (1 - rate) * log1p(-rate));
}

double rank_calibration(const rank_real *p, const rank_real *y, long n)
{
  double predicted = 0, observed = 0;
  for (long i = 0; i < n; i++) {
    predicted += (double)p[i];
    observed += (double)y[i];
  }
  return observed > 0 ? predicted / observed : (double)NAN;
}

double rank_mse(const rank_real *p, const rank_real *y, long n)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    double d = (double)p[i] - (double)y[i];
    sum += d * d;
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}

double rank_mae(const rank_real *p, const rank_real *y, long n)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    sum += fabs((double)p[i] - (double)y[i]);
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}

double rank_accuracy(const rank_real *p, const rank_real *y, long n)
{
  long right = 0;
  for (long i = 0; i < n; i++) {
    right += positive(p[i]) == positive(y[i]);
  }
  return n > 0 ? (double)right / (double)n : (double)NAN;
}

/* --- retrieval --- */

enum { COLUMNS = 256 }; /* candidates scored at once; the last block is padded with zeros */

size_t rank_place_scratch(long n, long width)
{
  size_t blocks = ((size_t)n + COLUMNS - 1) / COLUMNS;
  return (blocks * (size_t)width + 2) * COLUMNS * sizeof(double) + (size_t)n * sizeof(double);
}

/* Dot products of one u with a block [width][COLUMNS], each summed in the order of the axis, so that
 * equal vectors have equal scores. */
static void score_block(const rank_real *u, const double *block, long width, double *score)
{
  memset(score, 0, COLUMNS * sizeof *score);
  for (long d = 0; d < width; d++) {
    double x = (double)u[d];
    for (int j = 0; j < COLUMNS; j++) {
      score[j] += x * block[d * COLUMNS + j];
    }
  }
}

static void transpose_block(const rank_real *a, long n, long width, double *block)
{
  memset(block, 0, (size_t)width * COLUMNS * sizeof *block);
  for (long j = 0; j < n; j++) {
    for (long d = 0; d < width; d++) {
      block[d * COLUMNS + j] = (double)a[j * width + d];
    }
  }
}

void rank_places(
  const rank_real *u, const rank_real *a, long n, long width, long *place, void *scratch)
{
  long blocks = (n + COLUMNS - 1) / COLUMNS;
  double *score = scratch, *own = score + COLUMNS, *block = own + n;
  for (long b = 0; b < blocks; b++) {
    long first = b * COLUMNS, count = n - first < COLUMNS ? n - first : COLUMNS;
    transpose_block(a + first * width, count, width, block + b * width * COLUMNS);
  }
  for (long i = 0; i < n; i++) {
    score_block(u + i * width, block + i / COLUMNS * width * COLUMNS, width, score);
    own[i] = score[i % COLUMNS];
    place[i] = 1;
  }
  for (long b = 0; b < blocks; b++) { /* a block stays in the cache while every u passes */
    long first = b * COLUMNS, count = n - first < COLUMNS ? n - first : COLUMNS;
    for (long i = 0; i < n; i++) {
      score_block(u + i * width, block + b * width * COLUMNS, width, score);
      long above = 0;
      for (long j = 0; j < count; j++) {
        above += (score[j] > own[i]) | ((score[j] == own[i]) & (first + j < i));
      }
      place[i] += above;
    }
  }
}

double rank_recall(const long *place, long n, long k)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    sum += place[i] > 0 && (k <= 0 || place[i] <= k) ? 1 : 0;
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}

double rank_ndcg(const long *place, long n, long k)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    sum += place[i] > 0 && (k <= 0 || place[i] <= k) ? 1 / log2((double)place[i] + 1) : 0;
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}

double rank_mrr(const long *place, long n, long k)
{
  double sum = 0;
  for (long i = 0; i < n; i++) {
    sum += place[i] > 0 && (k <= 0 || place[i] <= k) ? 1 / (double)place[i] : 0;
  }
  return n > 0 ? sum / (double)n : (double)NAN;
}
