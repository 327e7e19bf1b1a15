/* The best split of one leaf by the categories of one column, as LightGBM searches it: one category against
 * the rest when there are few; else categories in the order of their gradient per hessian, and the best
 * prefix of that order from either end. Bin 0 (missing, rare) always goes right. */

#include "trees.h"

#include <string.h>

typedef struct ordered {
  double ratio;
  int bin;
} ordered;

typedef struct categories {
  const trees_search *s;
  const int64_t *h;
  double min_h, best_gain, l2;
  int64_t left; /* sums of the best */
  int at, down; /* its prefix's end in the order, and from which end */
} categories;

static double hessian(const categories *c, int bin)
{
  return trees_h(c->h[bin]) * c->s->leaf.h_scale;
}

static double gain_of(const categories *c, double g, double h)
{
  double l1 = c->s->o->lambda_l1;
  return trees_gain(g, h, l1, c->l2) + trees_gain(c->s->g - g, c->s->h - h, l1, c->l2);
}

static void one_against_rest(categories *c, int bins)
{
  const rank_trees_options *o = c->s->o;
  for (int t = 1; t < bins; t++) {
    double h = hessian(c, t) + TREES_EPSILON;
    long count = trees_count(hessian(c, t), c->s->count_factor);
    if (count < o->min_data || h < c->min_h || c->s->leaf.count - count < o->min_data ||
        c->s->h - h < c->min_h) {
      continue;
    }
    double gain = gain_of(c, trees_g(c->h[t]) * c->s->leaf.g_scale, h);
    if (gain > c->s->shift && gain > c->best_gain) {
      c->best_gain = gain;
      c->at = t;
      c->left = c->h[t];
    }
  }
}

/* Stable, and short: at most 255. */
static void sort_ordered(ordered *x, int n)
{
  for (int i = 1; i < n; i++) {
    ordered v = x[i];
    int j = i;
    for (; j > 0 && x[j - 1].ratio > v.ratio; j--) {
      x[j] = x[j - 1];
    }
    x[j] = v;
  }
}

static void best_prefix(categories *c, const ordered *order, int n, int down)
{
  const rank_trees_options *o = c->s->o;
  int most = o->max_cat_threshold < (n + 1) / 2 ? o->max_cat_threshold : (n + 1) / 2;
  long left = 0, group = 0;
  int64_t sum = 0;
  for (int i = 0; i < n && i < most; i++) {
    int bin = order[down ? n - 1 - i : i].bin;
    long count = trees_count(hessian(c, bin), c->s->count_factor), right;
    sum += c->h[bin];
    left += count;
    group += count;
    right = c->s->leaf.count - left;
    double h = trees_h(sum) * c->s->leaf.h_scale + TREES_EPSILON;
    if (left < o->min_data || h < c->min_h) {
      continue;
    }
    if (right < o->min_data || right < o->min_data_per_group || c->s->h - h < c->min_h) {
      break;
    }
    if (group < o->min_data_per_group) {
      continue;
    }
    group = 0;
    double gain = gain_of(c, trees_g(sum) * c->s->leaf.g_scale, h);
    if (gain > c->s->shift && gain > c->best_gain) {
      c->best_gain = gain;
      c->at = i;
      c->down = down;
      c->left = sum;
    }
  }
}

void trees_split_category(
  const trees_search *s, const int64_t *h, const trees_bins *b, int column, trees_split *best)
{
  const rank_trees_options *o = s->o;
  ordered order[TREES_BINS];
  int n = 0, single = b->n <= o->max_cat_to_onehot;
  categories c = {.s = s, .h = h, .min_h = o->min_hessian, .at = -1, .l2 = o->lambda_l2};
  c.best_gain = s->shift;
  if (single) {
    one_against_rest(&c, b->n);
  } else {
    for (int t = 1; t < b->n; t++) {
      double w = hessian(&c, t);
      if ((double)trees_count(w, s->count_factor) >= o->cat_smooth) {
        order[n++] = (ordered){trees_g(h[t]) * s->leaf.g_scale / (w + o->cat_smooth), t};
      }
    }
    sort_ordered(order, n);
    c.l2 += o->cat_l2;
    best_prefix(&c, order, n, 0);
    best_prefix(&c, order, n, 1);
  }
  double gain = c.best_gain - s->shift;
  if (c.at < 0 || !(gain > 0 && gain > best->gain)) {
    return;
  }
  *best = (trees_split){.gain = gain, .column = column, .left = c.left, .l2 = c.l2};
  best->ncats = single ? 1 : c.at + 1;
  for (int i = 0; i < best->ncats; i++) {
    best->cats[i] = (uint8_t)(single ? c.at : order[c.down ? n - 1 - i : i].bin);
  }
}
