/* Histograms. The inner loop is a load of eight columns' bins at once and one 64-bit addition for each: the
 * group's histogram (16 KB) stays in the first cache, and rows come in pieces that stay in the second one
 * while every group takes its turn. */

#include "trees.h"

#include <string.h>

enum { PIECE = 1024 };

TREES_BODY void add_body(int64_t *h, const uint8_t *bins, size_t stride, const uint32_t *rows,
  long n, const int64_t *gradient)
{
  for (long i = 0; i < n; i++) {
    uint64_t w;
    memcpy(&w, bins + (size_t)rows[i] * stride, 8);
    int64_t x = gradient[i];
    h[0 * TREES_BINS + (w & 255)] += x;
    h[1 * TREES_BINS + (w >> 8 & 255)] += x;
    h[2 * TREES_BINS + (w >> 16 & 255)] += x;
    h[3 * TREES_BINS + (w >> 24 & 255)] += x;
    h[4 * TREES_BINS + (w >> 32 & 255)] += x;
    h[5 * TREES_BINS + (w >> 40 & 255)] += x;
    h[6 * TREES_BINS + (w >> 48 & 255)] += x;
    h[7 * TREES_BINS + (w >> 56)] += x;
  }
}

#ifdef TREES_AVX2
TREES_TARGET static void add_avx2(int64_t *h, const uint8_t *bins, size_t stride,
  const uint32_t *rows, long n, const int64_t *gradient)
{
  add_body(h, bins, stride, rows, n, gradient);
}
#endif

static void add_group(int64_t *h, const uint8_t *bins, size_t stride, const uint32_t *rows, long n,
  const int64_t *gradient)
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    add_avx2(h, bins, stride, rows, n, gradient);
    return;
  }
#endif
  add_body(h, bins, stride, rows, n, gradient);
}

/* The gradients of rows[0..n) in their order. */
static void gather(int64_t *out, const int64_t *gradient, const uint32_t *rows, long n)
{
  for (long i = 0; i < n; i++) {
    out[i] = gradient[rows[i]];
  }
}

void trees_hist_add(
  int64_t *h, const trees_data *d, int group, const uint32_t *rows, long n, const int64_t *gradient)
{
  int64_t ordered[PIECE];
  size_t stride = (size_t)d->groups * TREES_GROUP;
  for (long at = 0; at < n; at += PIECE) {
    long m = n - at < PIECE ? n - at : PIECE;
    gather(ordered, gradient, rows + at, m);
    add_group(h, d->by_row + (size_t)group * TREES_GROUP, stride, rows + at, m, ordered);
  }
}

void trees_hist_all(
  int64_t *h, const trees_data *d, const uint32_t *rows, long n, const int64_t *gradient)
{
  int64_t ordered[PIECE];
  size_t stride = (size_t)d->groups * TREES_GROUP;
  for (long at = 0; at < n; at += PIECE) {
    long m = n - at < PIECE ? n - at : PIECE;
    for (long i = 0; i < m; i++) { /* rows apart: asked for before they are needed */
      const uint8_t *row = d->by_row + (size_t)rows[at + i] * stride;
      for (size_t k = 0; k < stride; k += 64) {
        __builtin_prefetch(row + k);
      }
      ordered[i] = gradient[rows[at + i]];
    }
    for (int g = 0; g < d->groups; g++) {
      add_group(h + (size_t)g * TREES_GROUP * TREES_BINS, d->by_row + (size_t)g * TREES_GROUP,
        stride, rows + at, m, ordered);
    }
  }
}
