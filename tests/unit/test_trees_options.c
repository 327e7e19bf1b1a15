/* test_trees_options.c: what each setting of boosting does, on data whose answer can be computed by hand. */

#include "trees_helpers.h"

/* Column 0 is a step at 0.25, which the label follows: 50 times 2, then 150 times 5. */
typedef struct step {
  double x[200], y[200];
  sample s;
} step;

static void make_step(step *t)
{
  for (int i = 0; i < 200; i++) {
    t->x[i] = i / 200.0;
    t->y[i] = t->x[i] < 0.25 ? 2 : 5;
  }
  t->s = (sample){t->x, t->y, {t->x, 200, 1, 1, 1}, {t->y, 200, 1, 1, 1}};
}

static rank_trees_options one_split(void)
{
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.objective = RANK_TREES_SQUARED;
  o.rounds = 1;
  o.leaves = 2;
  o.rate = 1;
  o.min_data_in_bin = 1;
  o.threads = 1;
  return o;
}

/* The mean is 4.25: gradients are 2.25 on the left, -0.75 on the right; hessians 1. */
static void test_lambdas(void **state)
{
  (void)state;
  step t;
  make_step(&t);
  rank_trees_options o = one_split();
  o.lambda_l1 = 12.5;
  o.lambda_l2 = 25;
  rank_forest *f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 2);
  assert_true(fabs(f->leaves[0].value - (4.25 - (112.5 - 12.5) / 75)) < 1e-6);
  assert_true(fabs(f->leaves[1].value - (4.25 + (112.5 - 12.5) / 175)) < 1e-6);
  assert_true(fabs(f->nodes[0].gain - (100 * 100 / 75.0 + 100 * 100 / 175.0)) < 1e-4);
  rank_forest_free(f);
  o.lambda_l1 = 113; /* more than any gradient */
  f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 1);
  rank_forest_free(f);
}

static void test_least_gain(void **state)
{
  (void)state;
  step t;
  make_step(&t);
  rank_trees_options o = one_split();
  o.min_gain = 300; /* the split gains 337.5 */
  rank_forest *f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 2);
  assert_true(fabs(f->nodes[0].gain - 37.5) < 1e-3);
  rank_forest_free(f);
  o.min_gain = 338;
  f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 1);
  rank_forest_free(f);
}

static void test_least_rows(void **state)
{
  (void)state;
  step t;
  make_step(&t);
  rank_trees_options o = one_split();
  o.min_data = 80;
  rank_forest *f = forest_fit(&o, &t.s);
  assert_true(f->leaves[0].count >= 80 && f->leaves[1].count >= 80);
  rank_forest_free(f);
  o.min_data = 0;
  o.min_hessian = 60;
  f = forest_fit(&o, &t.s);
  assert_true(f->leaves[0].count >= 60);
  rank_forest_free(f);
  o.min_hessian = 101; /* both sides cannot have it */
  f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 1);
  rank_forest_free(f);
}

static int depth_of(const rank_forest *f, const rank_tree *t, int node)
{
  int most = 0, child[2] = {f->nodes[t->node + node].left, f->nodes[t->node + node].right};
  for (int k = 0; k < 2; k++) {
    int depth = child[k] < 0 ? 0 : depth_of(f, t, child[k]);
    most = depth > most ? depth : most;
  }
  return most + 1;
}

static void test_depth(void **state)
{
  (void)state;
  sample s = sample_new(4000, 5, 11);
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.rounds = 4;
  o.threads = 1;
  rank_forest *deep = forest_fit(&o, &s);
  o.depth = 3;
  rank_forest *flat = forest_fit(&o, &s);
  for (int i = 0; i < 4; i++) {
    assert_true(depth_of(deep, deep->trees + i, 0) > 3);
    assert_int_equal(depth_of(flat, flat->trees + i, 0), 3);
    assert_true(flat->trees[i].leaves <= 8);
  }
  rank_forest_free(deep);
  rank_forest_free(flat);
  sample_free(&s);
}

static void test_columns_of_a_tree(void **state)
{
  (void)state;
  sample s = sample_new(4000, 8, 12);
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.rounds = 12;
  o.feature_fraction = 0.5;
  o.threads = 1;
  rank_forest *f = forest_fit(&o, &s);
  int all = 0;
  for (int i = 0; i < 12; i++) {
    int seen = 0;
    for (int k = 0; k + 1 < f->trees[i].leaves; k++) {
      seen |= 1 << f->nodes[f->trees[i].node + k].feature;
    }
    assert_true(__builtin_popcount((unsigned)seen) <= 4);
    all |= seen;
  }
  assert_int_equal(all, 255); /* but not always the same ones */
  rank_forest_free(f);
  sample_free(&s);
}

/* Each bag serves two rounds. */
static void test_bags(void **state)
{
  (void)state;
  sample s = sample_new(5000, 5, 13);
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.rounds = 6;
  o.bagging_fraction = 0.4;
  o.bagging_freq = 2;
  o.threads = 2;
  rank_forest *f = forest_fit(&o, &s);
  int differ = 0;
  for (int i = 0; i < 6; i++) {
    long bag = f->nodes[f->trees[i].node].count, leaves = 0;
    for (int k = 0; k < f->trees[i].leaves; k++) {
      leaves += f->leaves[f->trees[i].leaf + k].count;
    }
    assert_int_equal(bag, leaves);
    assert_true(labs(bag - 2000) < 200);
    if (i % 2 == 1) {
      assert_int_equal(bag, f->nodes[f->trees[i - 1].node].count);
    } else if (i > 0) {
      differ += bag != f->nodes[f->trees[i - 1].node].count;
    }
  }
  assert_true(differ > 0);
  rank_forest_free(f);
  o.bagging_freq = 0; /* never */
  f = forest_fit(&o, &s);
  assert_int_equal(f->nodes[0].count, 5000);
  rank_forest_free(f);
  sample_free(&s);
}

/* What is missing is like the small values, or like the large ones: it goes with them. */
static void test_missing(void **state)
{
  (void)state;
  for (int high = 0; high < 2; high++) {
    step t;
    make_step(&t);
    for (int i = 0; i < 200; i += 7) {
      t.x[i] = (double)NAN;
      t.y[i] = high ? 5 : 2;
    }
    rank_trees_options o = one_split();
    rank_forest *f = forest_fit(&o, &t.s);
    assert_int_equal(f->nleaves, 2);
    assert_int_equal(f->nodes[0].decision, RANK_SPLIT_NAN | (high ? 0 : RANK_SPLIT_LEFT));
    for (int i = 0; i < 200; i++) {
      assert_true(fabs(rank_forest_score(f, &t.s.mx, i) - t.y[i]) < 1e-5);
    }
    rank_forest_free(f);
  }
}

/* Only whether it is there says anything: one bin of numbers, one of NaN. */
static void test_missing_alone(void **state)
{
  (void)state;
  step t;
  make_step(&t);
  for (int i = 0; i < 200; i++) {
    t.x[i] = t.y[i] > 3 ? (double)NAN : 1;
  }
  rank_trees_options o = one_split();
  rank_forest *f = forest_fit(&o, &t.s);
  assert_int_equal(f->nleaves, 2);
  assert_true(fabs(rank_forest_score(f, &t.s.mx, 0) - 2) < 1e-5);
  assert_true(fabs(rank_forest_score(f, &t.s.mx, 199) - 5) < 1e-5);
  rank_forest_free(f);
}

/* Twelve categories; 2, 3, 5, 7 and 11 are high. */
static rank_forest *fit_primes(rank_trees_options *o, int categories, long rows)
{
  static const unsigned char category[1] = {1};
  static double x[2400], y[2400];
  for (long i = 0; i < rows; i++) {
    x[i] = (double)(i % categories);
    y[i] = 0x8ac >> i % categories & 1;
  }
  sample s = {x, y, {x, rows, 1, 1, 1}, {y, rows, 1, 1, 1}};
  o->categorical = category;
  return forest_fit(o, &s);
}

static void test_categories(void **state)
{
  (void)state;
  rank_trees_options o = one_split();
  rank_forest *f = fit_primes(&o, 12, 2400);
  assert_int_equal(f->nleaves, 2);
  assert_true(f->nodes[0].decision & RANK_SPLIT_CATEGORY);
  uint32_t left = f->words[f->nodes[0].word], primes = 0x8ac;
  assert_true(left == primes || (left | primes) == 0xfff);
  rank_forest_free(f);
  o.max_cat_threshold = 2;
  f = fit_primes(&o, 12, 2400);
  assert_int_equal(__builtin_popcount(f->words[f->nodes[0].word]), 2);
  rank_forest_free(f);
  o.max_cat_threshold = 32;
  o.min_data_per_group = 700; /* 200 rows in each: four at a time */
  f = fit_primes(&o, 12, 2400);
  assert_true(__builtin_popcount(f->words[f->nodes[0].word]) >= 4);
  rank_forest_free(f);
  o.min_data_per_group = 2000;
  f = fit_primes(&o, 12, 2400);
  assert_int_equal(f->nleaves, 1);
  rank_forest_free(f);
  o.min_data_per_group = 100;
  o.cat_smooth = 500; /* more than a category has */
  f = fit_primes(&o, 12, 2400);
  assert_int_equal(f->nleaves, 1);
  rank_forest_free(f);
}

static void test_one_category_against_the_rest(void **state)
{
  (void)state;
  rank_trees_options o = one_split();
  o.cat_l2 = 50;
  for (int onehot = 0; onehot < 2; onehot++) {
    o.max_cat_to_onehot = onehot ? 13 : 4;
    rank_forest *f = fit_primes(&o, 12, 2400);
    int left = __builtin_popcount(f->words[f->nodes[0].word]);
    const rank_leaf *l = f->leaves;
    double mean = 1000 / 2400.0, rows = (double)l->count;
    double value = (f->words[f->nodes[0].word] & 0x8ac ? 1 - mean : -mean) * rows;
    assert_true(onehot ? left == 1 : left > 1);
    assert_true(fabs(l->value - mean - value / (rows + (onehot ? 0 : o.cat_l2))) < 1e-5);
    rank_forest_free(f);
  }
}

/* Rows in uneven pieces, with the bins of the same sample, are the rows at once. */
static void test_pieces(void **state)
{
  (void)state;
  sample s = sample_new(5000, 5, 14), v = sample_new(700, 5, 15);
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.rounds = 10;
  o.early_stopping = 8;
  o.bin_sample = 1500;
  o.threads = 2;
  rank_error e;
  long n, at = 0;
  rank_forest *whole = rank_trees_fit(&o, &s.mx, &s.my, NULL, &v.mx, &v.my, NULL, &e);
  long *rows = rank_trees_sample(&o, 5000, &n);
  assert_int_equal(n, 1500);
  double *some = malloc(sizeof *some * 5 * 1500);
  for (long i = 0; i < n; i++) {
    assert_true(i == 0 || rows[i] > rows[i - 1]);
    memcpy(some + 5 * i, s.x + 5 * rows[i], 5 * sizeof *some);
  }
  rank_matrix sampled = {some, n, 5, 5, 1};
  rank_trees_rows *r = rank_trees_rows_new(&o, &sampled, 5000, 700, &e);
  assert_non_null(r);
  assert_null(rank_trees_fit_rows(r, NULL, &e)); /* none is there yet */
  for (long k = 1; at < 5000; k += 311) {
    long m = 5000 - at < k ? 5000 - at : k;
    rank_matrix x = {s.x + 5 * at, m, 5, 5, 1}, y = {s.y + at, m, 1, 1, 1};
    assert_int_equal(rank_trees_rows_add(r, 0, &x, &y, NULL, &e), 0);
    at += m;
  }
  assert_int_not_equal(rank_trees_rows_add(r, 0, &v.mx, &v.my, NULL, &e), 0); /* no room */
  assert_int_equal(rank_trees_rows_add(r, 1, &v.mx, &v.my, NULL, &e), 0);
  rank_forest *pieces = rank_trees_fit_rows(r, NULL, &e);
  size_t a, b;
  char *one = forest_text(whole, &a), *two = forest_text(pieces, &b);
  assert_int_equal(a, b);
  assert_memory_equal(one, two, a);
  free(one);
  free(two);
  free(some);
  free(rows);
  rank_trees_rows_free(r);
  rank_forest_free(whole);
  rank_forest_free(pieces);
  sample_free(&s);
  sample_free(&v);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lambdas),
    cmocka_unit_test(test_least_gain), cmocka_unit_test(test_least_rows),
    cmocka_unit_test(test_depth), cmocka_unit_test(test_columns_of_a_tree),
    cmocka_unit_test(test_bags), cmocka_unit_test(test_missing),
    cmocka_unit_test(test_missing_alone), cmocka_unit_test(test_categories),
    cmocka_unit_test(test_one_category_against_the_rest), cmocka_unit_test(test_pieces)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
