#ifndef TREES_SCORER_H
#define TREES_SCORER_H

/* A forest as tables for the kernels of rank_trees_kernel.h: built by trees_tables.c in double precision,
 * used by the scorer (which narrows them to its element type) and by the emitter (which writes them). */

#include "trees.h"

/* The entries, columns and masks of both inclusions are the same types. */
#define RANK_TREES_REAL double
#define RANK_TREES(name) trees64_##name
#include "rank_trees_kernel.h"
#undef RANK_TREES_REAL
#undef RANK_TREES
#define RANK_TREES_REAL float
#define RANK_TREES(name) trees32_##name
#include "rank_trees_kernel.h"
#undef RANK_TREES_REAL
#undef RANK_TREES

typedef struct trees_tables {
  int f64;
  int columns, block;
  long ntrees, nnodes, nmasks, nleaves, nplain, nwords;
  rank_trees_column *column;
  rank_trees_entry *tree;
  trees64_node *node;
  trees32_node *node32; /* the same for floats; NULL when f64 */
  double *threshold;
  float *threshold32;
  rank_trees_mask *mask;
  int32_t *order;
  double *order_value, *value;
  rank_trees_plain *plain;
  uint32_t *words;
} trees_tables;

int trees_tables_make(trees_tables *t, const rank_forest *f, int f64, rank_error *e);
void trees_tables_free(trees_tables *t);
float trees_below(double x); /* the largest float that is not above x */

/* trees_score.c, trees_score_avx2.c: the kernels, compiled for two machines; in one file of C for its own alone */
void trees_score32(const trees32_table *t, const float *x, long stride, long n, double *score,
  int32_t *leaf, float *work, double *sum);
void trees_score64(const trees64_table *t, const double *x, long stride, long n, double *score,
  int32_t *leaf, double *work, double *sum);
#if defined(TREES_AVX2) && !defined(RANK_FROZEN)
void trees_score32_avx2(const trees32_table *t, const float *x, long stride, long n, double *score,
  int32_t *leaf, float *work, double *sum);
void trees_score64_avx2(const trees64_table *t, const double *x, long stride, long n, double *score,
  int32_t *leaf, double *work, double *sum);
#endif

#endif
