/* Rows to fit to, as bins: bins are found from a sample, then rows come in pieces and a byte is kept of each
 * number (twice: by row and by column), so that no more than a piece of them is ever there as numbers. */

#include "trees.h"

#include <math.h>
#include <string.h>

static int check_options(
  const rank_trees_options *o, const rank_matrix *x, long rows, long valid_rows, rank_error *e)
{
  if (rows < 1 || x->columns < 1) {
    return rank_fail(e, "trees need rows and columns");
  }
  if (rows > 1000000000 || valid_rows > 1000000000) {
    return rank_fail(e, "trees are fitted on at most a billion rows");
  }
  if (o->rounds < 1 || o->leaves < 2 || o->leaves > 65535 || o->bins < 2 || o->bins > 255) {
    return rank_fail(e, "trees need rounds, 2 to 65535 leaves and 2 to 255 bins");
  }
  if (!(o->rate > 0) || !(o->lambda_l1 >= 0) || !(o->lambda_l2 >= 0) || !(o->min_hessian >= 0) ||
      !(o->min_gain >= 0) || o->min_data < 0 ||
      !(o->feature_fraction > 0 && o->feature_fraction <= 1) ||
      !(o->bagging_fraction > 0 && o->bagging_fraction <= 1)) {
    return rank_fail(e, "an option of the trees is out of range");
  }
  if (o->early_stopping > 0 && valid_rows == 0) {
    return rank_fail(e, "early stopping needs validation rows");
  }
  return 0;
}

rank_trees_rows *trees_rows_new(const rank_trees_options *o, const rank_matrix *x,
  const long *sample, long n, long rows, long valid_rows, rank_error *e)
{
  if (check_options(o, x, rows, valid_rows, e) != 0) {
    return NULL;
  }
  rank_trees_rows *r = calloc(1, sizeof *r);
  int failed = r == NULL;
  if (!failed) {
    long n_of[2] = {rows, valid_rows};
    r->o = o;
    r->features = x->columns;
    failed = trees_map(&r->map, &r->all, o, x, sample, n, trees_threads(o->threads)) != 0;
    for (int k = 0; k < 2 && !failed; k++) {
      r->y[k] = malloc(sizeof *r->y[k] * ((size_t)n_of[k] + 1));
      failed = !r->y[k] || trees_data_begin(&r->data[k], &r->map, n_of[k], k == 0) != 0;
    }
  }
  if (failed) {
    rank_fail(e, "out of memory: %ld rows of %d numbers", rows, x->columns);
    rank_trees_rows_free(r);
    return NULL;
  }
  return r;
}

rank_trees_rows *rank_trees_rows_new(
  const rank_trees_options *o, const rank_matrix *sample, long rows, long valid_rows, rank_error *e)
{
  return trees_rows_new(o, sample, NULL, sample->rows, rows, valid_rows, e);
}

void rank_trees_rows_free(rank_trees_rows *r)
{
  if (r) {
    trees_map_free(&r->map);
    free(r->all);
    free(r->weight);
    for (int k = 0; k < 2; k++) {
      trees_data_free(&r->data[k]);
      free(r->y[k]);
    }
    free(r);
  }
}

static int add_labels(rank_trees_rows *r, int valid, const rank_matrix *y, rank_error *e)
{
  float *to = r->y[valid];
  long first = r->filled[valid];
  int binary = r->o->objective == RANK_TREES_BINARY;
  for (long i = 0; i < y->rows; i++) {
    double v = rank_matrix_at(y, i, 0);
    if (!isfinite(v) || (binary && v != 0 && v != 1)) {
      return rank_fail(e, "%s row %ld: the label is %g%s", valid ? "validation" : "training",
        first + i + 1, v, binary ? ", not 0 or 1 (objective = l2 takes any number)" : "");
    }
    to[first + i] = (float)v;
  }
  return 0;
}

/* Rows before the first one with a weight weigh 1. */
static int add_weights(rank_trees_rows *r, long first, const rank_matrix *weight, rank_error *e)
{
  if (!r->weight) {
    r->weight = malloc(sizeof *r->weight * (size_t)r->data[0].rows);
    for (long i = 0; r->weight && i < r->data[0].rows; i++) {
      r->weight[i] = 1;
    }
  }
  for (long i = 0; r->weight && i < weight->rows; i++) {
    double w = rank_matrix_at(weight, i, 0);
    if (!(w >= 0 && isfinite(w))) {
      return rank_fail(e, "training row %ld: the weight is %g", first + i + 1, w);
    }
    r->weight[first + i] = (float)w;
  }
  return r->weight ? 0 : rank_fail(e, "out of memory");
}

int rank_trees_rows_add(rank_trees_rows *r, int valid, const rank_matrix *x, const rank_matrix *y,
  const rank_matrix *weight, rank_error *e)
{
  int k = valid != 0;
  long first = r->filled[k];
  if (x->columns != r->features || y->rows != x->rows || x->rows > r->data[k].rows - first ||
      (weight && (k == 1 || weight->rows != x->rows))) {
    return rank_fail(e, "rows do not match");
  }
  if (add_labels(r, k, y, e) != 0 || (weight && add_weights(r, first, weight, e) != 0)) {
    return -1;
  }
  trees_data_fill(&r->data[k], &r->map, first, x, trees_threads(r->o->threads));
  r->filled[k] += x->rows;
  return 0;
}
