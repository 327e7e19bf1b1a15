/* The best threshold of one numeric column in one leaf: every bin's boundary is tried, with what is missing
 * on either side. The sums to the right of each boundary are exact whole numbers; the gains are computed for
 * all boundaries at once, then the first of the best is taken. The order of preference between equal gains is
 * LightGBM's: missing left before missing right, large thresholds before small ones. */

#include "trees.h"

#include <string.h>

void trees_search_begin(trees_search *s, const rank_trees_options *o, const trees_leaf_sums *leaf)
{
  s->o = o;
  s->leaf = *leaf;
  s->g = trees_g(leaf->sum) * leaf->g_scale;
  s->h = trees_h(leaf->sum) * leaf->h_scale;
  s->count_factor = s->h > 0 ? (double)leaf->count / s->h : 0;
  s->h += 2 * TREES_EPSILON;
  s->shift = trees_gain(s->g, s->h, o->lambda_l1, o->lambda_l2) + o->min_gain;
}

enum { LANES = 8 };

typedef struct scan { /* the right side's sums at each candidate, in the order of preference */
  int n;
  int64_t sum[TREES_BINS];
  int32_t count[TREES_BINS];
  double gain[TREES_BINS];
  double top; /* the largest gain */
} scan;

TREES_BODY void counts_body(const int64_t *h, int n, double unit, int32_t *count)
{
  for (int i = 0; i < n; i++) {
    count[i] = (int32_t)((double)(int32_t)(h[i] & 0xffffffff) * unit + 0.5);
  }
}

/* Gains where both sides are large enough, else 0: no gain counts unless it is above 0. */
TREES_BODY void gains_body(const trees_search *s, scan *c)
{
  const rank_trees_options *o = s->o;
  double gs = s->leaf.g_scale, hs = s->leaf.h_scale, g = s->g, h = s->h, top[LANES] = {0};
  double l1 = o->lambda_l1, l2 = o->lambda_l2, min_h = o->min_hessian;
  int32_t all = (int32_t)s->leaf.count,
          min = o->min_data < INT32_MAX ? (int32_t)o->min_data : INT32_MAX;
  int n = (c->n + LANES - 1) / LANES * LANES;
  for (int i = c->n; i < n; i++) {
    c->sum[i] = 0;
    c->count[i] = -1;
  }
  for (int i = 0; i < n; i++) {
    double gr = (double)(int32_t)(c->sum[i] >> 32) * gs;
    double hr = (double)(int32_t)(c->sum[i] & 0xffffffff) * hs + TREES_EPSILON;
    double gl = g - gr, hl = h - hr;
    double a = (gr < 0 ? -gr : gr) - l1, b = (gl < 0 ? -gl : gl) - l1;
    a = a > 0 ? a : 0;
    b = b > 0 ? b : 0;
    double dr = hr + l2, dl = hl + l2;
    double gain = (a * a * dl + b * b * dr) / (dr * dl);
    int ok = (c->count[i] >= min) & (all - c->count[i] >= min) & (c->count[i] >= 0) &
             (hr >= min_h) & (hl >= min_h);
    c->gain[i] = ok ? gain : 0;
  }
  for (int i = 0; i < n; i += LANES) {
    for (int k = 0; k < LANES; k++) {
      top[k] = c->gain[i + k] > top[k] ? c->gain[i + k] : top[k];
    }
  }
  c->top = 0;
  for (int k = 0; k < LANES; k++) {
    c->top = top[k] > c->top ? top[k] : c->top;
  }
}

#ifdef TREES_AVX2
TREES_TARGET static void counts_avx2(const int64_t *h, int n, double unit, int32_t *count)
{
  counts_body(h, n, unit, count);
}

TREES_TARGET static void gains_avx2(const trees_search *s, scan *c)
{
  gains_body(s, c);
}
#endif

static void counts_of(const int64_t *h, int n, double unit, int32_t *count)
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    counts_avx2(h, n, unit, count);
    return;
  }
#endif
  counts_body(h, n, unit, count);
}

static void gains_of(const trees_search *s, scan *c)
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    gains_avx2(s, c);
    return;
  }
#endif
  gains_body(s, c);
}

/* The first of the best candidates; -1: none beats the best split so far. */
static int choose(const trees_search *s, const scan *c, const trees_split *best)
{
  double least = best->gain > 0 ? best->gain : 0;
  if (!(c->top > s->shift && c->top - s->shift > least)) {
    return -1;
  }
  int at = 0;
  while (c->gain[at] < c->top) {
    at++;
  }
  return at;
}

/* Candidates that send bins above a boundary right, from the last boundary down; bin `skip` (-1: none) is
 * never among those on the right. */
static void scan_down(scan *c, const int64_t *h, const int32_t *count, int top, int skip)
{
  int64_t sum = 0;
  int32_t rows = 0;
  int n = 0;
  for (int t = top; t > 0; t--) {
    if (t != skip) {
      sum += h[t];
      rows += count[t];
    }
    c->sum[n] = sum;
    c->count[n++] = t != skip ? rows : -1;
  }
  c->n = n;
}

/* Candidates that send bins up to a boundary left, and everything else, `skip` too, right. */
static void scan_up(
  scan *c, const int64_t *h, const int32_t *count, int top, int skip, int64_t all, int32_t rows)
{
  int64_t sum = all;
  int n = 0;
  for (int t = 0; t <= top; t++) {
    if (t != skip) {
      sum -= h[t];
      rows -= count[t];
    }
    c->sum[n] = sum;
    c->count[n++] = t != skip ? rows : -1;
  }
  c->n = n;
}

static void take(const trees_search *s, const scan *c, int at, int column, int bin,
  int default_left, trees_split *best)
{
  if (at < 0) {
    return;
  }
  best->gain = c->gain[at] - s->shift;
  best->column = column;
  best->bin = bin;
  best->default_left = (unsigned char)default_left;
  best->left = s->leaf.sum - c->sum[at];
  best->l2 = s->o->lambda_l2;
  best->ncats = 0;
}

void trees_split_number(
  const trees_search *s, const int64_t *h, const trees_bins *b, int column, trees_split *best)
{
  scan c;
  int32_t count[TREES_BINS];
  int both = b->missing && b->n > 2, nan_bin = both && b->missing == RANK_SPLIT_NAN;
  int skip = both && !nan_bin ? b->zero : -1, top = b->n - 1 - nan_bin;
  counts_of(h, b->n, s->leaf.h_scale * s->count_factor, count);
  scan_down(&c, h, count, top, skip);
  gains_of(s, &c);
  int at = choose(s, &c, best);
  take(s, &c, at, column, top - 1 - at, b->missing != RANK_SPLIT_NAN || both, best);
  if (both) {
    scan_up(&c, h, count, b->n - 2, skip, s->leaf.sum, (int32_t)s->leaf.count);
    gains_of(s, &c);
    at = choose(s, &c, best);
    take(s, &c, at, column, at, 0, best);
  }
}
