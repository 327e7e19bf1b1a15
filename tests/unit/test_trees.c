/* test_trees.c: fitting forests. */

#include "trees_helpers.h"

static const unsigned char fourth[5] = {0, 0, 0, 1, 0};

static rank_trees_options options(int rounds)
{
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.rounds = rounds;
  o.leaves = 15;
  o.categorical = fourth;
  o.threads = 1;
  return o;
}

static double logloss(const rank_forest *f, const sample *s)
{
  double sum = 0;
  for (long i = 0; i < s->mx.rows; i++) {
    double p = rank_forest_probability(f, rank_forest_score(f, &s->mx, i));
    sum -= log(s->y[i] > 0 ? p : 1 - p);
  }
  return sum / (double)s->mx.rows;
}

static void test_learns(void **state)
{
  (void)state;
  sample train = sample_new(6000, 5, 1), test = sample_new(3000, 5, 2);
  rank_trees_options o = options(40);
  rank_forest *f = forest_fit(&o, &train);
  assert_int_equal(f->ntrees, 40);
  assert_true(logloss(f, &train) < 0.42);
  assert_true(logloss(f, &test) < 0.47);
  double gain[5];
  long splits[5];
  rank_forest_importance(f, gain, splits);
  assert_true(gain[0] > 10 * gain[4] && gain[1] > 10 * gain[4] && splits[3] > 0);
  for (long i = 0; i < f->nleaves; i++) {
    assert_true(f->leaves[i].count > 0); /* the least asked for is counted by hessians */
  }
  rank_forest_free(f);
  sample_free(&train);
  sample_free(&test);
}

/* A step at 0.25: one split finds it exactly between the two values beside it. */
static void test_one_split(void **state)
{
  (void)state;
  double x[200], y[200];
  for (int i = 0; i < 200; i++) {
    x[i] = i / 200.0;
    y[i] = x[i] < 0.25 ? 2 : 5;
  }
  sample s = {x, y, {x, 200, 1, 1, 1}, {y, 200, 1, 1, 1}};
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.objective = RANK_TREES_SQUARED;
  o.rounds = 1;
  o.leaves = 2;
  o.rate = 1;
  o.min_data_in_bin = 1;
  rank_forest *f = forest_fit(&o, &s);
  assert_int_equal(f->trees[0].leaves, 2);
  assert_true(f->nodes[0].threshold >= 0.245 && f->nodes[0].threshold < 0.25);
  assert_true(fabs(f->leaves[0].value - 2) < 1e-6 && fabs(f->leaves[1].value - 5) < 1e-6);
  assert_int_equal(f->leaves[0].count, 50);
  assert_true(fabs(f->nodes[0].gain - (200 * 0.25 * 0.75 * 9)) < 1e-3);
  rank_forest_free(f);
}

static void test_same_with_any_threads(void **state)
{
  (void)state;
  sample s = sample_new(40000, 5, 3);
  rank_trees_options o = options(6);
  o.bagging_fraction = 0.7;
  o.bagging_freq = 2;
  o.feature_fraction = 0.8;
  char *first = NULL;
  size_t n = 0;
  for (int threads = 1; threads <= 4; threads++) {
    o.threads = threads;
    rank_forest *f = forest_fit(&o, &s);
    size_t m;
    char *text = forest_text(f, &m);
    if (first) {
      assert_int_equal(n, m);
      assert_memory_equal(first, text, n);
      free(text);
    } else {
      first = text;
      n = m;
    }
    rank_forest_free(f);
  }
  free(first);
  sample_free(&s);
}

static void test_seeds_matter(void **state)
{
  (void)state;
  sample s = sample_new(3000, 5, 4);
  rank_trees_options o = options(3);
  o.feature_fraction = 0.5;
  size_t n, m;
  rank_forest *f = forest_fit(&o, &s);
  o.seed = 99;
  rank_forest *g = forest_fit(&o, &s);
  char *a = forest_text(f, &n), *b = forest_text(g, &m);
  assert_true(n != m || memcmp(a, b, n) != 0);
  free(a);
  free(b);
  rank_forest_free(f);
  rank_forest_free(g);
  sample_free(&s);
}

static void test_early_stopping(void **state)
{
  (void)state;
  sample train = sample_new(500, 5, 5), valid = sample_new(500, 5, 6);
  rank_trees_options o = options(500);
  o.rate = 0.3;
  o.early_stopping = 5;
  rank_trees_report r;
  rank_error e;
  rank_forest *f = rank_trees_fit(&o, &train.mx, &train.my, NULL, &valid.mx, &valid.my, &r, &e);
  assert_non_null(f);
  assert_int_equal(r.rounds, r.best_round + 5);
  assert_int_equal(f->ntrees, r.best_round);
  assert_true(fabs(logloss(f, &valid) - r.valid_loss) < 1e-9);
  rank_forest_free(f);
  o.early_stopping = 5;
  assert_null(rank_trees_fit(&o, &train.mx, &train.my, NULL, NULL, NULL, NULL, &e));
  sample_free(&train);
  sample_free(&valid);
}

static void test_weights_are_repetitions(void **state)
{
  (void)state;
  sample s = sample_new(800, 5, 7), twice = sample_new(1600, 5, 7);
  double weight[800];
  for (int i = 0; i < 800; i++) {
    weight[i] = 2;
    for (int k = 0; k < 2; k++) {
      memcpy(twice.x + (2 * i + k) * 5, s.x + i * 5, 5 * sizeof(double));
      twice.y[2 * i + k] = s.y[i];
    }
  }
  rank_matrix w = {weight, 800, 1, 1, 1};
  rank_trees_options o = options(5);
  o.objective = RANK_TREES_SQUARED;
  o.min_data = 1;
  o.min_hessian = 50;
  o.categorical = NULL;
  o.min_data_in_bin = 1;
  rank_error e;
  rank_forest *a = rank_trees_fit(&o, &s.mx, &s.my, &w, NULL, NULL, NULL, &e);
  rank_forest *b = forest_fit(&o, &twice);
  for (long i = 0; i < 800; i += 7) {
    assert_true(fabs(rank_forest_score(a, &s.mx, i) - rank_forest_score(b, &s.mx, i)) < 0.05);
  }
  rank_forest_free(a);
  rank_forest_free(b);
  sample_free(&s);
  sample_free(&twice);
}

static void test_poor_data(void **state)
{
  (void)state;
  double x[30], y[30];
  rank_error e;
  for (int i = 0; i < 30; i++) {
    x[i] = (double)NAN;
    y[i] = i % 2;
  }
  sample s = {x, y, {x, 30, 1, 1, 1}, {y, 30, 1, 1, 1}};
  rank_trees_options o;
  rank_trees_defaults(&o);
  rank_forest *f = forest_fit(&o, &s); /* nothing to split by: the mean */
  assert_true(fabs(rank_forest_score(f, &s.mx, 0)) < 1e-12);
  rank_forest_free(f);
  y[3] = 0.5;
  assert_null(rank_trees_fit(&o, &s.mx, &s.my, NULL, NULL, NULL, NULL, &e));
  assert_non_null(strstr(e.text, "training row 4: the label is"));
  y[3] = 1;
  o.bins = 256;
  assert_null(rank_trees_fit(&o, &s.mx, &s.my, NULL, NULL, NULL, NULL, &e));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns),
    cmocka_unit_test(test_one_split), cmocka_unit_test(test_same_with_any_threads),
    cmocka_unit_test(test_seeds_matter), cmocka_unit_test(test_early_stopping),
    cmocka_unit_test(test_weights_are_repetitions), cmocka_unit_test(test_poor_data)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
