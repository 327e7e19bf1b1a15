#ifndef TREES_H
#define TREES_H

/* Shared by the files that fit forests: how values become bins, what a histogram is, what a split is.
 *
 * One idea: gradients are rounded once per round to whole numbers, two in one 64-bit word (the gradient in
 * the upper half, the hessian in the lower), scaled so that no sum over rows can leave its half. A
 * histogram is then sums of whole numbers: one addition per row and column, exact, and the same in
 * whatever order and by however many threads it is made; a sibling is a subtraction without loss. */

#include "rank_trees.h"

#include <stdlib.h>

enum {
  TREES_BINS = 256,
  TREES_GROUP = 8
}; /* bins of a column's histogram; columns done at a time */

#define TREES_EPSILON ((double)1e-15F)

/* Functions worth a second body for AVX2 are written as always-inline bodies, and instantiated. No fused
 * multiply-add: both bodies give the same bits. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define TREES_AVX2 1
#define TREES_TARGET __attribute__((target("avx2,bmi,bmi2")))
static inline int trees_avx2(void)
{
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
#else
#define TREES_TARGET
static inline int trees_avx2(void)
{
  return 0;
}
#endif
#define TREES_BODY static inline __attribute__((always_inline))

/* --- trees_bins.c: bins of one column --- */

typedef struct trees_bins {
  int n;                  /* bins; 1: nothing to split */
  unsigned char category; /* bin 0: missing and rare ones */
  unsigned char missing;  /* RANK_SPLIT_ZERO, RANK_SPLIT_NAN or 0 */
  int zero;               /* the bin of 0 */
  double low, high;       /* of the values seen */
  double upper[TREES_BINS];
  int32_t code[TREES_BINS]; /* category of each bin, -1 of bin 0 */
  /* categories to look up, sorted, with their bins */
  int ncodes;
  int32_t sorted[TREES_BINS];
  uint8_t sorted_bin[TREES_BINS];
} trees_bins;

/* From n sampled values (which it reorders); scratch has room for n doubles and n ints. */
void trees_bins_find(trees_bins *b, double *values, long n, const rank_trees_options *o,
  int categorical, void *scratch);
size_t trees_bins_scratch(long n);
uint8_t trees_bin(const trees_bins *b, double x);
char *trees_bins_info(const trees_bins *b); /* as LightGBM's feature_infos; malloc'd */

/* --- trees_data.c: all rows as bins --- */

typedef struct trees_data {
  long rows;
  int columns,
    groups;        /* columns that can split; groups of TREES_GROUP of them, the last one padded */
  uint8_t *by_row; /* [rows][groups * TREES_GROUP] */
  uint8_t *by_column; /* [columns][rows]; NULL of validation data */
} trees_data;

typedef struct trees_mapping {
  int columns;      /* used ones */
  int *feature;     /* their place in the matrix */
  trees_bins *bins; /* one each */
} trees_mapping;

/* From n rows of x: those in `sample`, or the first n (NULL). *all: bins of every column. -1: no memory. */
int trees_map(trees_mapping *m, trees_bins **all, const rank_trees_options *o, const rank_matrix *x,
  const long *sample, long n, int threads);
void trees_map_free(trees_mapping *m);
int trees_data_begin(trees_data *d, const trees_mapping *m, long rows, int columns);
/* Rows `first` on are those of x. */
void trees_data_fill(
  trees_data *d, const trees_mapping *m, long first, const rank_matrix *x, int threads);
void trees_data_free(trees_data *d);

/* --- trees_rows.c: what is fitted to --- */

struct rank_trees_rows {
  const rank_trees_options *o;
  int features; /* columns of the matrices */
  trees_mapping map;
  trees_bins *all;    /* bins of every column of the matrices */
  trees_data data[2]; /* to train on, to validate on */
  float *y[2], *weight;
  long filled[2];
};

/* An empty one with bins from a sample, as trees_map. */
rank_trees_rows *trees_rows_new(const rank_trees_options *o, const rank_matrix *x,
  const long *sample, long n, long rows, long valid_rows, rank_error *e);

/* --- trees_hist.c --- */

/* Adds rows[0..n) of group `group` to h, [TREES_GROUP][TREES_BINS]. */
void trees_hist_add(int64_t *h, const trees_data *d, int group, const uint32_t *rows, long n,
  const int64_t *gradient);
/* All groups, rows in pieces that stay in cache; h is [groups][TREES_GROUP][TREES_BINS]. */
void trees_hist_all(
  int64_t *h, const trees_data *d, const uint32_t *rows, long n, const int64_t *gradient);

static inline int32_t trees_g(int64_t sum)
{
  return (int32_t)(sum >> 32);
}

static inline int32_t trees_h(int64_t sum)
{
  return (int32_t)(sum & 0xffffffff);
}

/* --- trees_split.c, trees_cat.c: the best split of a leaf by one column --- */

typedef struct trees_split {
  double gain;     /* over what it must exceed; -1: none */
  int column, bin; /* numbers: left when the bin is at most this */
  unsigned char default_left;
  int64_t left; /* packed sums */
  double l2;    /* of the children's outputs */
  int ncats;
  uint8_t cats[TREES_BINS]; /* bins that go left */
} trees_split;

typedef struct trees_leaf_sums {
  int64_t sum;
  long count;
  double g_scale, h_scale; /* what one unit of the packed sums is worth */
} trees_leaf_sums;

typedef struct trees_search {
  const rank_trees_options *o;
  trees_leaf_sums leaf;
  double g, h;  /* of the leaf; h a little more, as LightGBM has it */
  double shift; /* gain that a split must exceed */
  double count_factor;
} trees_search;

void trees_search_begin(trees_search *s, const rank_trees_options *o, const trees_leaf_sums *leaf);
/* Leaves in *best what is strictly better than it by this column. */
void trees_split_number(
  const trees_search *s, const int64_t *h, const trees_bins *b, int column, trees_split *best);
void trees_split_category(
  const trees_search *s, const int64_t *h, const trees_bins *b, int column, trees_split *best);

static inline double trees_soft(double g, double l1)
{
  double a = (g < 0 ? -g : g) - l1;
  a = a < 0 ? 0 : a;
  return g < 0 ? -a : a;
}

static inline double trees_gain(double g, double h, double l1, double l2)
{
  double t = trees_soft(g, l1);
  return t * t / (h + l2);
}

static inline long trees_count(double h, double factor)
{
  return (long)(h * factor + 0.5);
}

/* --- trees_grow.c: one tree --- */

typedef struct trees_grower trees_grower;

typedef struct trees_grown { /* a leaf of the tree just grown: rows[first .. first + count) */
  long first, count;
  double value;
} trees_grown;

trees_grower *trees_grower_new(const rank_trees_options *o, const trees_mapping *m,
  const trees_data *d, int threads, rank_error *e);
void trees_grower_free(trees_grower *g);
/* Grows a tree on rows[0..n) of the grower's row array, which it permutes, and appends it to f. used:
 * columns that may split. The tree's bins per node are in trees_grower_bins. */
int trees_grow(trees_grower *g, rank_forest *f, long n, const int64_t *gradient, double g_scale,
  double h_scale, const unsigned char *used, rank_error *e);
uint32_t *trees_grower_rows(trees_grower *g);
const trees_grown *trees_grower_leaves(const trees_grower *g, int *n);
/* Adds the last tree's values to the scores of rows that it was not grown on. */
void trees_grower_apply(const trees_grower *g, const trees_data *d, const uint32_t *rows, long n,
  double *score, int threads);

/* --- trees_loss.c --- */

typedef struct trees_loss {
  rank_tree_objective objective;
  long rows;
  const float *y, *weight; /* weight NULL: 1 */
  double init;
  int threads;
} trees_loss;

void trees_loss_begin(trees_loss *l, rank_tree_objective objective, long rows, const float *y,
  const float *weight, int threads);
/* Packed gradients of every row at these scores, and what their units are worth. scratch: 2 floats a row. */
void trees_loss_gradient(const trees_loss *l, const double *score, float *scratch, int64_t *packed,
  double *g_scale, double *h_scale);
double trees_loss_mean(const trees_loss *l, const double *score);

int trees_threads(int asked);

/* A threshold of LightGBM's, which takes all |x| <= 1e-35 for 0 before it asks x <= t. */
double trees_threshold(double t);

#endif
