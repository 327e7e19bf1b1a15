#ifndef TREES_GROWER_H
#define TREES_GROWER_H

/* What growing a tree keeps between splits; shared by trees_grow.c (the tree) and trees_search.c (rows and
 * histograms). */

#include "trees.h"

typedef struct grow_leaf {
  trees_leaf_sums sums;
  double weight;
  trees_split best;
  int depth, parent, right; /* node above it, and on which side */
  int slot;                 /* of its histogram */
} grow_leaf;

typedef struct grow_node {
  rank_node node;
  int column;
} grow_node;

struct trees_grower {
  const rank_trees_options *o;
  const trees_mapping *m;
  const trees_data *d;
  int threads;
  size_t hist_size;
  uint32_t *rows, *to_left, *to_right;
  int64_t *hist;    /* [leaves][hist_size] */
  int64_t *partial; /* [threads - 1][hist_size] */
  grow_leaf *leaves;
  trees_grown *grown;
  grow_node *nodes;
  uint8_t (*goes_left)[TREES_BINS]; /* of each node, by bin */
  trees_split *found;               /* [2][columns] */
  /* of the tree under way */
  const int64_t *gradient;
  double g_scale, h_scale;
  const unsigned char *used;
  int nleaves;
};

/* Rows of [first, first + count) whose bin goes left move to its front, in order; returns how many. */
long trees_partition(trees_grower *g, long first, long count, int column, const uint8_t *goes_left);
/* Histograms and best splits of two children, the smaller one first; of the root with large -1. */
void trees_search_leaves(trees_grower *g, int small, int large);

#endif
