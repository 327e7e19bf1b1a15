/* The kernels that score a forest: included by the runtime, and by C that was made from a forest, after
 *   #define RANK_TREES_REAL float        (or double: the rows' element type)
 *   #define RANK_TREES(name) some_##name (the names that this inclusion makes)
 *
 * One idea: what is missing is settled once per row. A block of rows is laid out as columns of eight rows
 * each, in which a NaN (or a zero, where that is missing) has become 0, or an infinity on the side that the
 * split sends it to; a feature whose splits disagree about that has several columns. A node is then one
 * comparison, x > threshold, for any number of rows at once.
 *
 *  - Trees of up to 32 leaves: all nodes are compared, eight rows at a time. A node that says "right"
 *    clears the bits of the leaves to its left; the lowest bit that is left is the leaf.
 *  - Larger trees, and few rows: walks of eight rows (or eight trees) side by side, without branches;
 *    children lie next to each other. A leaf leads to itself: it asks about one more column, which holds
 *    -infinity, and has its number for a threshold.
 *  - Trees with categories: a plain walk. */

#ifndef RANK_TREES_KERNEL_H
#define RANK_TREES_KERNEL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) || defined(RANK_TREES_AVX2)
#define RANK_TREES_GATHER 1
#include <immintrin.h>
#endif

enum { RANK_TREES_LANES = 8, RANK_TREES_MASKED = 32 };

typedef enum rank_trees_fill { /* what a column has in place of what is missing */
  RANK_FILL_ZERO,              /* NaN: 0 */
  RANK_FILL_LOW,               /* NaN: -infinity */
  RANK_FILL_HIGH,              /* NaN: infinity */
  RANK_FILL_ZERO_LOW,          /* NaN and zeros: -infinity */
  RANK_FILL_ZERO_HIGH,
  RANK_FILL_IS_NAN, /* the column says whether it is missing: 1 or 0 */
  RANK_FILL_IS_ZERO,
  RANK_FILLS
} rank_trees_fill;

typedef struct rank_trees_column {
  int32_t feature;
  int32_t fill;
} rank_trees_column;

typedef enum rank_trees_kind { RANK_KIND_MASKS, RANK_KIND_WALK, RANK_KIND_PLAIN } rank_trees_kind;

typedef struct rank_trees_entry { /* a tree: its first node, mask, leaf and plain node */
  uint32_t node, mask, leaf, plain;
  uint16_t leaves, depth; /* depth: steps to the nearest leaf */
  uint8_t kind;
} rank_trees_entry;

typedef struct rank_trees_mask {
  uint32_t clear;  /* leaves to the left, by their order */
  uint32_t column; /* times eight */
} rank_trees_mask;

typedef struct rank_trees_plain { /* a node as rank_node has it */
  double threshold;
  int32_t feature, left, right;
  uint32_t word, nwords, decision;
} rank_trees_plain;

typedef int32_t rank_trees_ints __attribute__((vector_size(32)));
typedef float rank_trees_floats __attribute__((vector_size(32)));
typedef int64_t rank_trees_longs __attribute__((vector_size(64)));

#ifdef __clang__
#define RANK_TREES_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RANK_TREES_UNROLL _Pragma("GCC unroll 4")
#endif

#define RANK_TREES_FN static inline __attribute__((always_inline, unused))

RANK_TREES_FN int rank_trees_category(const uint32_t *words, const rank_trees_plain *n, double x)
{
  int strict = (n->decision & 16) != 0;
  if (isnan(x)) {
    return strict && (n->decision & 2);
  }
  x = strict ? (double)(float)x : x; /* XGBoost has floats only */
  if (!(x < 2147483648.0) || (strict ? x < 0 : x <= -1)) {
    return 0;
  }
  uint32_t c = (uint32_t)x;
  return c / 32 < n->nwords && (words[n->word + c / 32] >> c % 32 & 1);
}

RANK_TREES_FN int rank_trees_left(const uint32_t *words, const rank_trees_plain *n, double x)
{
  if (n->decision & 1) {
    return rank_trees_category(words, n, x);
  }
  int missing = isnan(x) && (n->decision & 12);
  if (isnan(x) && !(n->decision & 8)) {
    x = 0;
  }
  missing |= (n->decision & 4) && fabs(x) <= 1.0000000180025095e-35;
  return missing ? (n->decision & 2) != 0 : x <= n->threshold;
}

/* Which bit is the lowest: its exponent as a float. (Vectors are passed by address: how they are passed by
 * value depends on the machine.) */
RANK_TREES_FN void rank_trees_lowest(rank_trees_ints *m)
{
  rank_trees_ints low = *m & -*m;
  rank_trees_floats f = __builtin_convertvector(low, rank_trees_floats);
  rank_trees_ints bits;
  memcpy(&bits, &f, sizeof bits);
  *m = ((bits >> 23) & 255) - 127;
}

/* sum[k] += value[at[k]] */
RANK_TREES_FN void rank_trees_add(double *sum, const double *value, const rank_trees_ints *at)
{
#ifdef RANK_TREES_GATHER
  __m256i i;
  memcpy(&i, at, sizeof i);
  __m256d low = _mm256_i32gather_pd(value, _mm256_castsi256_si128(i), 8);
  __m256d high = _mm256_i32gather_pd(value, _mm256_extracti128_si256(i, 1), 8);
  _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), low));
  _mm256_storeu_pd(sum + 4, _mm256_add_pd(_mm256_loadu_pd(sum + 4), high));
#else
  for (int k = 0; k < RANK_TREES_LANES; k++) {
    sum[k] += value[(*at)[k]];
  }
#endif
}

#endif

typedef struct RANK_TREES(node) {
  RANK_TREES_REAL threshold;
  uint16_t column,
    step; /* column: times eight; step: how far on the left child is, before the right one */
} RANK_TREES(node);

typedef struct RANK_TREES(table) {
  int columns, features, block; /* block: rows laid out at a time, a multiple of eight */
  long ntrees;
  double base, divide;
  const rank_trees_column *column;
  const rank_trees_entry *tree;
  const RANK_TREES(node) * node;
  const RANK_TREES_REAL *threshold; /* of each mask */
  const rank_trees_mask *mask;
  const int32_t *order; /* of each tree: leaves from left to right */
  const double *order_value, *value;
  const rank_trees_plain *plain;
  const uint32_t *words;
} RANK_TREES(table);

typedef RANK_TREES_REAL RANK_TREES(lanes)
  __attribute__((vector_size(RANK_TREES_LANES * sizeof(RANK_TREES_REAL)), aligned(4), may_alias));

RANK_TREES_FN RANK_TREES_REAL RANK_TREES(filled)(RANK_TREES_REAL x, int32_t fill)
{
  int missing = isnan(x);
  if (fill == RANK_FILL_ZERO_LOW || fill == RANK_FILL_ZERO_HIGH || fill == RANK_FILL_IS_ZERO) {
    missing |= fabs((double)x) <= 1.0000000180025095e-35;
  }
  if (fill >= RANK_FILL_IS_NAN) {
    return (RANK_TREES_REAL)missing;
  }
  RANK_TREES_REAL high = (RANK_TREES_REAL)INFINITY;
  RANK_TREES_REAL with = fill == RANK_FILL_ZERO                                ? 0
                         : fill == RANK_FILL_LOW || fill == RANK_FILL_ZERO_LOW ? -high
                                                                               : high;
  return missing ? with : x;
}

/* Rows [0, n) as columns of eight; the last ones are repeated to fill the last eight. */
RANK_TREES_FN void RANK_TREES(lay_out)(
  const RANK_TREES(table) * t, const RANK_TREES_REAL *x, long stride, int n, RANK_TREES_REAL *out)
{
  int groups = (n + RANK_TREES_LANES - 1) / RANK_TREES_LANES;
  for (int g = 0; g < groups; g++) {
    for (int k = 0; k < RANK_TREES_LANES; k++) {
      int row = g * RANK_TREES_LANES + k < n ? g * RANK_TREES_LANES + k : n - 1;
      const RANK_TREES_REAL *from = x + row * stride;
      RANK_TREES_REAL *to = out + (long)g * (t->columns + 1) * RANK_TREES_LANES + k;
      for (int c = 0; c < t->columns; c++) {
        to[c * RANK_TREES_LANES] =
          RANK_TREES(filled)(from[t->column[c].feature], t->column[c].fill);
      }
      to[t->columns * RANK_TREES_LANES] = -(RANK_TREES_REAL)INFINITY;
    }
  }
}

RANK_TREES_FN void RANK_TREES(put)(
  const int32_t *order, const rank_trees_ints *at, int n, int32_t *out, long stride)
{
  for (int k = 0; k < RANK_TREES_LANES; k++) {
    if (k < n) {
      out[k * stride] = order[(*at)[k]];
    }
  }
}

/* A tree of few leaves on `groups` times eight rows; groups is a constant where it matters. */
RANK_TREES_FN void RANK_TREES(masked)(const RANK_TREES(table) * t, const rank_trees_entry *e,
  const RANK_TREES_REAL *x, int groups, int n, double *sum, int32_t *leaf)
{
  rank_trees_ints m[4];
  long step = ((long)t->columns + 1) * RANK_TREES_LANES;
  const RANK_TREES_REAL *threshold = t->threshold + e->mask;
  const rank_trees_mask *mask = t->mask + e->mask;
  RANK_TREES_UNROLL
  for (int g = 0; g < groups; g++) {
    m[g] = (rank_trees_ints){0} - 1;
  }
  for (int i = 0; i < e->leaves - 1; i++) {
    RANK_TREES_UNROLL
    for (int g = 0; g < groups; g++) {
      RANK_TREES(lanes) v = *(const RANK_TREES(lanes) *)(x + g * step + mask[i].column);
      m[g] &=
        ~(__builtin_convertvector(v > threshold[i], rank_trees_ints) & (int32_t)mask[i].clear);
    }
  }
  RANK_TREES_UNROLL
  for (int g = 0; g < groups; g++) {
    rank_trees_lowest(m + g);
    rank_trees_add(sum + g * RANK_TREES_LANES, t->order_value + e->leaf, m + g);
    if (leaf) {
      RANK_TREES(put)
      (t->order + e->leaf, m + g, n - g * RANK_TREES_LANES,
        leaf + (long)g * RANK_TREES_LANES * t->ntrees, t->ntrees);
    }
  }
}

#define RANK_TREES_STEP(k, row) at[k] += at[k]->step + ((row)[at[k]->column] > at[k]->threshold);

/* A larger tree on eight rows. */
RANK_TREES_FN void RANK_TREES(walked)(const RANK_TREES(table) * t, const rank_trees_entry *e,
  const RANK_TREES_REAL *x, int n, double *sum, int32_t *leaf)
{
  const RANK_TREES(node) * at[RANK_TREES_LANES], *before;
  for (int k = 0; k < RANK_TREES_LANES; k++) {
    at[k] = t->node + e->node;
  }
  for (int i = 0; i < e->depth; i++) {
    for (int k = 0; k < RANK_TREES_LANES; k++) {
      RANK_TREES_STEP(k, x + k)
    }
  }
  for (int moved = 1; moved;) {
    moved = 0;
    for (int k = 0; k < RANK_TREES_LANES; k++) {
      RANK_TREES_STEP(k, x + k)
      before = at[k];
      RANK_TREES_STEP(k, x + k)
      moved |= before != at[k];
    }
  }
  for (int k = 0; k < RANK_TREES_LANES; k++) {
    int32_t id = (int32_t)at[k]->threshold;
    sum[k] += t->value[e->leaf + (uint32_t)id];
    if (leaf && k < n) {
      leaf[k * t->ntrees] = id;
    }
  }
}

RANK_TREES_FN int32_t RANK_TREES(fall)(
  const RANK_TREES(table) * t, const rank_trees_entry *e, const RANK_TREES_REAL *x)
{
  int32_t at = e->leaves > 1 ? 0 : ~0;
  while (at >= 0) {
    const rank_trees_plain *n = t->plain + e->plain + at;
    at = rank_trees_left(t->words, n, (double)x[n->feature]) ? n->left : n->right;
  }
  return ~at;
}

/* One row, eight trees at a time. x: laid out; raw: as it came. */
RANK_TREES_FN double RANK_TREES(row)(
  const RANK_TREES(table) * t, const RANK_TREES_REAL *x, const RANK_TREES_REAL *raw, int32_t *leaf)
{
  double sum = 0;
  long first = 0;
  while (first < t->ntrees) {
    const rank_trees_entry *e = t->tree + first;
    if (e->kind == RANK_KIND_PLAIN) {
      int32_t id = RANK_TREES(fall)(t, e, raw);
      sum += t->value[e->leaf + (uint32_t)id];
      if (leaf) {
        leaf[first] = id;
      }
      first++;
      continue;
    }
    long n = 1, most = t->ntrees - first < RANK_TREES_LANES ? t->ntrees - first : RANK_TREES_LANES;
    while (n < most && e[n].kind != RANK_KIND_PLAIN) {
      n++;
    }
    const RANK_TREES(node) * at[RANK_TREES_LANES], *before;
    for (int k = 0; k < RANK_TREES_LANES; k++) {
      at[k] = t->node + e[k < n ? k : 0].node;
    }
    for (int moved = 1; moved;) {
      moved = 0;
      for (int k = 0; k < RANK_TREES_LANES; k++) {
        RANK_TREES_STEP(k, x)
      }
      for (int k = 0; k < RANK_TREES_LANES; k++) {
        RANK_TREES_STEP(k, x)
      }
      for (int k = 0; k < RANK_TREES_LANES; k++) {
        before = at[k];
        RANK_TREES_STEP(k, x)
        moved |= before != at[k];
      }
    }
    for (int k = 0; k < n; k++) {
      int32_t id = (int32_t)at[k]->threshold;
      sum += t->value[e[k].leaf + (uint32_t)id];
      if (leaf) {
        leaf[first + k] = id;
      }
    }
    first += n;
  }
  return sum / t->divide + t->base;
}

/* A block of n rows, laid out in x. */
RANK_TREES_FN void RANK_TREES(block)(const RANK_TREES(table) * t, const RANK_TREES_REAL *x,
  const RANK_TREES_REAL *raw, long stride, int n, double *sum, int32_t *leaf)
{
  int groups = (n + RANK_TREES_LANES - 1) / RANK_TREES_LANES;
  long step = ((long)t->columns + 1) * RANK_TREES_LANES;
  memset(sum, 0, sizeof *sum * (size_t)groups * RANK_TREES_LANES);
  for (long i = 0; i < t->ntrees; i++) {
    const rank_trees_entry *e = t->tree + i;
    int32_t *ids = leaf ? leaf + i : NULL;
    int g = 0;
    for (; e->kind == RANK_KIND_MASKS && g + 4 <= groups; g += 4) {
      RANK_TREES(masked)
      (t, e, x + g * step, 4, n - g * RANK_TREES_LANES, sum + g * RANK_TREES_LANES,
        ids ? ids + (long)g * RANK_TREES_LANES * t->ntrees : NULL);
    }
    for (; e->kind != RANK_KIND_PLAIN && g < groups; g++) {
      int32_t *to = ids ? ids + (long)g * RANK_TREES_LANES * t->ntrees : NULL;
      int left = n - g * RANK_TREES_LANES;
      if (e->kind == RANK_KIND_MASKS) {
        RANK_TREES(masked)(t, e, x + g * step, 1, left, sum + g * RANK_TREES_LANES, to);
      } else {
        RANK_TREES(walked)(t, e, x + g * step, left, sum + g * RANK_TREES_LANES, to);
      }
    }
    for (int k = 0; e->kind == RANK_KIND_PLAIN && k < n; k++) {
      int32_t id = RANK_TREES(fall)(t, e, raw + k * stride);
      sum[k] += t->value[e->leaf + (uint32_t)id];
      if (ids) {
        ids[k * t->ntrees] = id;
      }
    }
  }
}

/* n rows. work: room for block * (columns + 1) numbers and block doubles more. */
RANK_TREES_FN void RANK_TREES(score)(const RANK_TREES(table) * t, const RANK_TREES_REAL *x,
  long stride, long n, double *score, int32_t *leaf, RANK_TREES_REAL *work, double *sum)
{
  for (long first = 0; first < n; first += t->block) {
    int m = n - first < t->block ? (int)(n - first) : t->block;
    const RANK_TREES_REAL *rows = x + first * stride;
    int32_t *ids = leaf ? leaf + first * t->ntrees : NULL;
    if (m < 4) {
      for (int k = 0; k < m; k++) {
        for (int c = 0; c < t->columns; c++) {
          work[c * RANK_TREES_LANES] =
            RANK_TREES(filled)(rows[k * stride + t->column[c].feature], t->column[c].fill);
        }
        work[t->columns * RANK_TREES_LANES] = -(RANK_TREES_REAL)INFINITY;
        double s = RANK_TREES(row)(t, work, rows + k * stride, ids ? ids + k * t->ntrees : NULL);
        if (score) {
          score[first + k] = s;
        }
      }
      continue;
    }
    RANK_TREES(lay_out)(t, rows, stride, m, work);
    RANK_TREES(block)(t, work, rows, stride, m, sum, ids);
    for (int k = 0; score && k < m; k++) {
      score[first + k] = sum[k] / t->divide + t->base;
    }
  }
}

#undef RANK_TREES_STEP
