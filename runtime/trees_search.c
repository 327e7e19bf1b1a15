/* The work at each split: rows are parted, histograms made, and every column searched for the children's best
 * splits. Threads share it by pieces of rows where there are many of them, else by groups of columns; sums of
 * whole numbers make both the same. What a thread counts it searches, so that all wait for each other once. */

#include "trees_grower.h"

#include "rank_thread.h"

#include <string.h>

enum { MANY_ROWS = 16384, MANY_TO_PART = 8192 };

/* Parts rows[0..n) into left and right, in order; returns how many go left. */
static long part(const uint32_t *rows, long n, const uint8_t *bins, const uint8_t *goes_left,
  uint32_t *left, uint32_t *right)
{
  long nl = 0, nr = 0;
  for (long i = 0; i < n; i++) {
    uint32_t row = rows[i];
    unsigned to_left = goes_left[bins[row]];
    left[nl] = row;
    right[nr] = row;
    nl += to_left;
    nr += 1 - to_left;
  }
  return nl;
}

static long part_many(
  trees_grower *g, uint32_t *rows, long n, const uint8_t *bins, const uint8_t *goes_left)
{
  enum { MOST = 256 };
  long left[MOST + 1] = {0}, pieces = g->threads < MOST ? g->threads : MOST;
#pragma omp parallel num_threads((int)pieces)
  {
#pragma omp for schedule(static)
    for (long p = 0; p < pieces; p++) {
      long from = n * p / pieces, to = n * (p + 1) / pieces;
      left[p + 1] =
        part(rows + from, to - from, bins, goes_left, g->to_left + from, g->to_right + from);
    }
#pragma omp single
    for (long p = 0; p < pieces; p++) {
      left[p + 1] += left[p];
    }
#pragma omp for schedule(static)
    for (long p = 0; p < pieces; p++) {
      long from = n * p / pieces, to = n * (p + 1) / pieces, here = left[p + 1] - left[p];
      memcpy(rows + left[p], g->to_left + from, sizeof *rows * (size_t)here);
      memcpy(rows + left[pieces] + from - left[p], g->to_right + from,
        sizeof *rows * (size_t)(to - from - here));
    }
  }
  return left[pieces];
}

long trees_partition(trees_grower *g, long first, long count, int column, const uint8_t *goes_left)
{
  const uint8_t *bins = g->d->by_column + (size_t)column * (size_t)g->d->rows;
  uint32_t *rows = g->rows + first;
  if (g->threads > 1 && count >= MANY_TO_PART) {
    return part_many(g, rows, count, bins, goes_left);
  }
  long left = part(rows, count, bins, goes_left, rows, g->to_right);
  memcpy(rows + left, g->to_right, sizeof *rows * (size_t)(count - left));
  return left;
}

static int64_t *slot(const trees_grower *g, int leaf)
{
  return g->hist + (size_t)g->leaves[leaf].slot * g->hist_size;
}

/* Pieces of rows, one histogram each; the first one is the leaf's own. */
static void count_pieces(trees_grower *g, int leaf)
{
  const uint32_t *rows = g->rows + g->grown[leaf].first;
  long n = g->grown[leaf].count;
#pragma omp parallel for num_threads(g->threads) schedule(static)
  for (int p = 0; p < g->threads; p++) {
    long from = n * p / g->threads, to = n * (p + 1) / g->threads;
    int64_t *h = p == 0 ? slot(g, leaf) : g->partial + (size_t)(p - 1) * g->hist_size;
    memset(h, 0, sizeof *h * g->hist_size);
    trees_hist_all(h, g->d, rows + from, to - from, g->gradient);
  }
}

/* Histograms of one group: the small leaf's, and what remains for the large one. */
static void finish_group(trees_grower *g, int small, int large, int group, int counted)
{
  size_t size = TREES_GROUP * TREES_BINS, at = (size_t)group * size;
  int64_t *h = slot(g, small) + at;
  if (counted) {
    for (int p = 1; p < g->threads; p++) {
      const int64_t *more = g->partial + (size_t)(p - 1) * g->hist_size + at;
      for (size_t i = 0; i < size; i++) {
        h[i] += more[i];
      }
    }
  } else {
    memset(h, 0, sizeof *h * size);
    trees_hist_add(
      h, g->d, group, g->rows + g->grown[small].first, g->grown[small].count, g->gradient);
  }
  if (large >= 0) {
    int64_t *rest = slot(g, large) + at;
    for (size_t i = 0; i < size; i++) {
      rest[i] -= h[i];
    }
  }
}

static int worth_searching(const trees_grower *g, int leaf)
{
  const grow_leaf *l = g->leaves + leaf;
  return (g->o->depth <= 0 || l->depth < g->o->depth) && l->sums.count >= 2 * g->o->min_data &&
         l->weight >= 2 * g->o->min_hessian;
}

/* The best split of child k by one column, into found. */
static void search_column(const trees_grower *g, const trees_search s[2], const int leaf[2],
  const int search[2], int k, int column)
{
  if (column >= g->m->columns) {
    return; /* the last group's rest */
  }
  trees_split *found = g->found + k * g->m->columns + column;
  found->gain = -1;
  if (!search[k] || !g->used[column]) {
    return;
  }
  const int64_t *h = slot(g, leaf[k]) + (size_t)column * TREES_BINS;
  const trees_bins *b = g->m->bins + column;
  if (b->category) {
    trees_split_category(s + k, h, b, column, found);
  } else {
    trees_split_number(s + k, h, b, column, found);
  }
}

void trees_search_leaves(trees_grower *g, int small, int large)
{
  int leaf[2] = {small, large}, columns = g->m->columns, both = large >= 0 ? 2 : 1, any = 0;
  int search[2] = {0}, counted = 0;
  trees_search s[2];
  for (int i = 0; i < both; i++) {
    search[i] = worth_searching(g, leaf[i]);
    trees_search_begin(s + i, g->o, &g->leaves[leaf[i]].sums);
    any |= search[i];
  }
  if (large >= 0) { /* the large one takes the parent's place */
    g->leaves[small].slot = g->nleaves - 1;
  }
  if (!any) {
    return;
  }
  if (g->threads > 1 && g->grown[small].count >= MANY_ROWS) {
    count_pieces(g, small);
    counted = 1;
  } else if (g->threads == 1) {
    memset(slot(g, small), 0, sizeof *g->hist * g->hist_size);
    trees_hist_all(
      slot(g, small), g->d, g->rows + g->grown[small].first, g->grown[small].count, g->gradient);
    counted = 1;
  }
  int each =
    g->d->groups >= g->threads; /* a group's columns are searched where they were counted */
#pragma omp parallel num_threads(g->threads) if (g->threads > 1)
  {
#pragma omp for schedule(dynamic, 1)
    for (int group = 0; group < g->d->groups; group++) {
      finish_group(g, small, large, group, counted);
      for (int i = 0; i < both * TREES_GROUP && each; i++) {
        search_column(g, s, leaf, search, i / TREES_GROUP, group * TREES_GROUP + i % TREES_GROUP);
      }
    }
#pragma omp for schedule(dynamic, 4)
    for (int i = 0; i < (each ? 0 : both * columns); i++) {
      search_column(g, s, leaf, search, i / columns, i % columns);
    }
  }
  for (int i = 0; i < both * columns; i++) { /* of equal ones the first column */
    trees_split *best = &g->leaves[leaf[i / columns]].best;
    if (g->found[i].gain > 0 && g->found[i].gain > best->gain) {
      *best = g->found[i];
    }
  }
}
