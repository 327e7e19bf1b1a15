#ifndef RANK_TREES_H
#define RANK_TREES_H

/* Forests of decision trees: fitted by gradient boosting, read from other programs' files, scored.
 *
 * One idea: whatever a forest comes from, its trees are told in one way, "left when x <= threshold" in
 * double precision, with one rule for what is missing, and leaves numbered from 0 within their tree. So a
 * leaf is an ordinary id, and every scorer gives the same one. */

#include "rank_error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Rows of numbers; `stride` elements from a row to the next. */
typedef struct rank_matrix {
  const void *at;
  long rows;
  int columns;
  long stride;
  unsigned char f64; /* double, else float */
} rank_matrix;

static inline double rank_matrix_at(const rank_matrix *x, long row, int column)
{
  size_t i = (size_t)row * (size_t)x->stride + (size_t)column;
  return x->f64 ? ((const double *)x->at)[i] : (double)((const float *)x->at)[i];
}

/* --- a forest --- */

typedef enum rank_tree_objective {
  RANK_TREES_BINARY, /* labels 0 and 1; the score is a logit: p = 1 / (1 + exp(-sigmoid * score)) */
  RANK_TREES_SQUARED /* any numbers; the score is the prediction */
} rank_tree_objective;

/* A node's `decision`; the lowest four bits are LightGBM's. */
enum {
  RANK_SPLIT_CATEGORY = 1, /* left when the bit of (int)x is set, else right (a NaN too) */
  RANK_SPLIT_LEFT = 2,     /* what is missing goes left */
  RANK_SPLIT_ZERO = 4,     /* NaN and |x| <= 1e-35 are missing */
  RANK_SPLIT_NAN = 8,      /* NaN is missing. Neither: NaN is 0 */
  RANK_SPLIT_STRICT =
    16 /* category: x in (-1, 0) is no category; a NaN goes left with SPLIT_LEFT */
};

#define RANK_TREES_ZERO 1.0000000180025095e-35 /* 1e-35f */

typedef struct rank_node {
  double threshold;
  int32_t feature;
  int32_t left, right; /* a node of the same tree, or ~leaf */
  uint32_t word;       /* categories: where its bits begin in rank_forest.words */
  uint32_t nwords;
  uint8_t decision;
  double gain, value, weight; /* what is known of the fit */
  long count;
} rank_node;

typedef struct rank_leaf {
  double value, weight;
  long count;
  int32_t id; /* its number in the file that it was read from */
} rank_leaf;

typedef struct rank_tree { /* node 0 is the root; a tree of one leaf has no node */
  long node, leaf;         /* its first in the forest's arrays */
  int leaves;
  double shrinkage;
} rank_tree;

typedef struct rank_forest {
  int features;
  char **names; /* of the features */
  char **infos; /* "[low:high]", "1:0:5" for categories, or "none" */
  rank_tree_objective objective;
  double sigmoid;
  double base;           /* is added to the sum of the leaves */
  unsigned char average; /* of the leaves, not their sum */
  long ntrees, nnodes, nleaves, nwords;
  rank_tree *trees;
  rank_node *nodes;
  rank_leaf *leaves;
  uint32_t *words;
  long room[4];
} rank_forest;

rank_forest *rank_forest_new(int features, rank_error *e); /* no trees; features f0, f1, ... */
void rank_forest_free(rank_forest *f);
/* Appends a tree of this many leaves (and leaves - 1 nodes), all zero. NULL: no memory. */
rank_tree *rank_forest_add(rank_forest *f, int leaves, rank_error *e);
/* Appends words of category bits; *at gets their place. */
int rank_forest_words(rank_forest *f, const uint32_t *words, size_t n, uint32_t *at, rank_error *e);
/* Every index in range, every node and leaf of a tree reached once: what scoring relies on. */
int rank_forest_check(const rank_forest *f, rank_error *e);
/* The leaf a row falls into, and its score: node by node, the meaning of a forest. */
int rank_forest_leaf(const rank_forest *f, long tree, const rank_matrix *x, long row);
double rank_forest_score(const rank_forest *f, const rank_matrix *x, long row);
double rank_forest_probability(
  const rank_forest *f, double score); /* the score itself if SQUARED */
/* Per feature: the sum of its splits' gains, and how many they are. Either may be NULL. */
void rank_forest_importance(const rank_forest *f, double *gain, long *splits);

/* LightGBM's text (versions 2 to 4; one class, no linear trees). */
rank_forest *rank_forest_read_lightgbm(const char *text, size_t n, rank_error *e);
int rank_forest_write_lightgbm(const rank_forest *f, FILE *out, rank_error *e);
/* XGBoost's JSON (gbtree, one output). */
rank_forest *rank_forest_read_xgboost(const char *text, size_t n, rank_error *e);
/* Either, by what the file begins with. */
rank_forest *rank_forest_load(const char *path, rank_error *e);

/* --- fitting --- */

typedef struct rank_trees_options {
  rank_tree_objective objective;
  int rounds, leaves, depth; /* depth 0: no limit */
  int bins;                  /* at most 255 */
  double rate, lambda_l1, lambda_l2, min_hessian, min_gain;
  long min_data;
  double feature_fraction, bagging_fraction;
  int bagging_freq; /* every so many rounds a new bag; 0: none */
  uint64_t seed;
  int early_stopping;               /* rounds without a better validation loss; 0: off */
  const unsigned char *categorical; /* per column, or NULL */
  const char *const *names;         /* per column, or NULL */
  double cat_l2, cat_smooth;
  int max_cat_threshold, max_cat_to_onehot;
  long min_data_per_group, min_data_in_bin, bin_sample;
  unsigned char zero_as_missing;
  int threads; /* 0: all */
  /* After each round; not 0 stops. valid_loss is NaN without a validation set. May be NULL. */
  int (*progress)(void *arg, int round, double valid_loss);
  void *progress_arg;
} rank_trees_options;

void rank_trees_defaults(
  rank_trees_options *o); /* LightGBM's: 100 rounds, 31 leaves, rate 0.1, ... */

typedef struct rank_trees_report {
  int rounds, best_round; /* trees made, and kept */
  double valid_loss;      /* of those kept; NaN without a validation set */
  double seconds_bin, seconds_fit;
} rank_trees_report;

/* y (and weight, valid_y) have one column. weight and valid may be NULL. The same data, options and seed
 * give the same forest with any number of threads. report may be NULL. */
rank_forest *rank_trees_fit(const rank_trees_options *o, const rank_matrix *x, const rank_matrix *y,
  const rank_matrix *weight, const rank_matrix *valid_x, const rank_matrix *valid_y,
  rank_trees_report *report, rank_error *e);

/* Rows that come in pieces: kept as bins, two bytes a number. */
typedef struct rank_trees_rows rank_trees_rows;

/* Which of so many rows bins are found from: ascending, malloc'd; NULL: no memory. */
long *rank_trees_sample(const rank_trees_options *o, long rows, long *n);
/* Finds bins from these rows, and has room for `rows` and `valid_rows` others. o must outlive it. */
rank_trees_rows *rank_trees_rows_new(const rank_trees_options *o, const rank_matrix *sample,
  long rows, long valid_rows, rank_error *e);
void rank_trees_rows_free(rank_trees_rows *r);
/* The next rows, to train on or (valid != 0) to validate on. weight may be NULL: 1. */
int rank_trees_rows_add(rank_trees_rows *r, int valid, const rank_matrix *x, const rank_matrix *y,
  const rank_matrix *weight, rank_error *e);
/* As rank_trees_fit, once all rows are there. */
rank_forest *rank_trees_fit_rows(rank_trees_rows *r, rank_trees_report *report, rank_error *e);

/* --- scoring many rows --- */

typedef struct rank_scorer rank_scorer; /* tables laid out for one element type */

rank_scorer *rank_scorer_new(const rank_forest *f, int f64, rank_error *e);
void rank_scorer_free(rank_scorer *s);
/* Of each row the score (may be NULL) and the leaf in every tree, leaf[row * ntrees + tree] (may be
 * NULL). x.f64 must be the scorer's. Exactly what rank_forest_leaf and _score say. 0, or -1: no memory. */
int rank_scorer_run(
  const rank_scorer *s, const rank_matrix *x, double *score, int32_t *leaf, int threads);
/* The same on the calling thread, in the caller's room (aligned to 8): no memory, no lock. */
void rank_scorer_rows(
  const rank_scorer *s, const rank_matrix *x, double *score, int32_t *leaf, void *room);
size_t rank_scorer_room(int features); /* bytes that do for every forest over so many features */

#endif
