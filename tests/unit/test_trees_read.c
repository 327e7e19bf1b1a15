/* test_trees_read.c: forests from other programs' files, scoring against the plain walk, and damaged files. */

#include "trees_helpers.h"

static const char lightgbm[] =
  "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
  "objective=binary sigmoid:1\nfeature_names=a b c\nfeature_infos=[0:1] [-1:1] 1:0:40\n"
  "tree_sizes=0 0\n\n"
  "Tree=0\nnum_leaves=4\nnum_cat=1\nsplit_feature=0 2 1\nsplit_gain=3 2 1\nthreshold=0.5 0 0.25\n"
  "decision_type=2 1 8\nleft_child=1 -1 -2\nright_child=2 -3 -4\nleaf_value=1 2 3 4\n"
  "cat_boundaries=0 2\ncat_threshold=2 256\nis_linear=0\nshrinkage=1\n\n\n"
  "Tree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=0.5\nis_linear=0\nshrinkage=1\n\n\n"
  "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n";

static const char xgboost[] =
  "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[{\"left_children\":[1,-1,3,-1,-1],"
  "\"right_children\":[2,-1,4,-1,-1],\"split_indices\":[0,0,1,0,0],\"split_conditions\":"
  "[1E-1,-5E-1,0,7.5E-1,2E0],\"default_left\":[1,0,0,0,0],\"split_type\":[0,0,1,0,0],"
  "\"categories\":[1,33],\"categories_nodes\":[2],\"categories_segments\":[0],"
  "\"categories_sizes\":[2]}]},\"name\":\"gbtree\"},\"learner_model_param\":{\"base_score\":"
  "\"[5E-1]\",\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},\"objective\":"
  "{\"name\":\"binary:logistic\"}},\"version\":[3,2,0]}";

static int leaf_of(const rank_forest *f, long tree, double a, double b, double c)
{
  double row[3] = {a, b, c};
  rank_matrix x = {row, 1, 3, 3, 1};
  return rank_forest_leaf(f, tree, &x, 0);
}

static void test_lightgbm(void **state)
{
  (void)state;
  rank_error e;
  double nan = (double)NAN, inf = (double)INFINITY;
  rank_forest *f = rank_forest_read_lightgbm(lightgbm, sizeof lightgbm - 1, &e);
  assert_non_null(f);
  assert_int_equal(f->ntrees, 2);
  assert_string_equal(f->names[2], "c");
  /* node 0: a <= 0.5, a NaN is 0; node 1: c is 1 or 40; node 2: b <= 0.25, a NaN goes right */
  assert_int_equal(leaf_of(f, 0, 0.5, 0, 1), 0);
  assert_int_equal(leaf_of(f, 0, nan, 0, 40.9), 0);
  assert_int_equal(leaf_of(f, 0, 0, 0, 2), 2);
  assert_int_equal(leaf_of(f, 0, 0, 0, nan), 2);
  assert_int_equal(leaf_of(f, 0, 0, 0, -1), 2);
  assert_int_equal(leaf_of(f, 0, 0, 0, inf), 2);
  assert_int_equal(leaf_of(f, 0, -inf, 0, 1e300), 2);
  assert_int_equal(leaf_of(f, 0, nextafter(0.5, 1), 0.25, 1), 1);
  assert_int_equal(leaf_of(f, 0, inf, nan, 1), 3);
  double row[3] = {1, 0, 0};
  rank_matrix x = {row, 1, 3, 3, 1};
  assert_true(rank_forest_score(f, &x, 0) == 2.5);
  size_t n, m;
  char *text = forest_text(f, &n);
  rank_forest *g = rank_forest_read_lightgbm(text, n, &e);
  assert_non_null(g);
  char *again = forest_text(g, &m);
  assert_int_equal(n, m);
  assert_memory_equal(text, again, n);
  free(text);
  free(again);
  rank_forest_free(f);
  rank_forest_free(g);
}

/* XGBoost compares floats: of doubles, those that round to its threshold are not below it. */
static void test_xgboost(void **state)
{
  (void)state;
  rank_error e;
  double nan = (double)NAN;
  rank_forest *f = rank_forest_read_xgboost(xgboost, sizeof xgboost - 1, &e);
  if (!f) {
    fail_msg("%s", e.text);
  }
  assert_int_equal(f->trees[0].leaves, 3);
  double edge = (double)0.1F, below = (double)nextafterf(0.1F, 0), middle = (edge + below) / 2;
  double one = nextafter(1, 0); /* as a float it is category 1 */
  double rows[][2] = {{edge, 0}, {below, 0}, {middle, 0}, {nextafter(middle, 1), 0},
    {nextafter(middle, 0), 0}, {0.1, 0}, {nan, 0}, {1, 1}, {1, 33}, {1, nan}, {1, -0.5}, {1, 1e9},
    {1, one}, {1, nextafter(33, 34)}, {1, nextafter(2, 0)}, {1, -0.0}, {1, 16777217},
    {1, (double)INFINITY}};
  rank_scorer *scorer = rank_scorer_new(f, 1, &e);
  assert_non_null(scorer);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    rank_matrix x = {rows[i], 1, 2, 2, 1};
    int leaf = rank_forest_leaf(f, 0, &x, 0), id = f->leaves[leaf].id;
    int32_t scored;
    assert_int_equal(rank_scorer_run(scorer, &x, NULL, &scored, 1), 0);
    assert_int_equal(scored, leaf);
    int left = isnan(rows[i][0]) || (float)rows[i][0] < 0.1F;
    float category = (float)rows[i][1];
    int in_set = category == 1 || category == 33 || isnan(category);
    assert_int_equal(id, left ? 1 : in_set ? 4 : 3);
  }
  assert_true(f->base == 0);
  rank_scorer_free(scorer);
  rank_forest_free(f);
}

/* XGBoost 3.1 and later number a data frame's categories; `enc` is the list, by column. */
static void encoded(const char *enc, const char *wanted)
{
  char text[sizeof xgboost + 300];
  const char *at = strstr(xgboost, "{\"trees\":") + 1;
  snprintf(text, sizeof text, "%.*s\"cats\":{\"feature_segments\":[],\"enc\":[%s]},%s",
    (int)(at - xgboost), xgboost, enc, at);
  rank_error e = {{0}};
  rank_forest *f = rank_forest_read_xgboost(text, strlen(text), &e);
  if ((f != NULL) != (wanted == NULL) || (wanted != NULL && strstr(e.text, wanted) == NULL)) {
    fail_msg("%s: %s", enc, e.text);
  }
  rank_forest_free(f);
}

static void test_xgboost_encodings(void **state)
{
  (void)state;
  const char *none = "{\"offsets\":[],\"values\":[]}";
  char text[200];
  encoded("", NULL);
  encoded(none, NULL);
  encoded("{\"type\":15,\"values\":[0,1,2,3]}", NULL);
  encoded("{\"type\":15,\"values\":[0,10]}", "feature 0 has categories that are not the numbers");
  snprintf(text, sizeof text, "%s,{\"offsets\":[0,1],\"values\":[0]}", none);
  encoded(text, "feature 1 has categories that are not the numbers");
  encoded("{\"values\":[0,", "not the JSON it should be");
}

static double odd_number(uint64_t k)
{
  static const double odd[] = {
    0, -0.0, 1e-36, -1e-36, 1e300, -1e300, 0.25, -0.25, 0.5, 3, 7, -0.5, 1e10};
  uint64_t r = rank_mix(k), which = r % 16;
  if (which < 13) {
    return odd[which];
  }
  return which == 13 ? (double)NAN : which == 14 ? (double)INFINITY : -(double)INFINITY;
}

/* A random tree of any decisions; thresholds are among the odd numbers. */
static void grow_random(rank_forest *f, int leaves, uint64_t seed, int categories)
{
  rank_error e;
  rank_tree *t = rank_forest_add(f, leaves, &e);
  long first = t->node, leaf = t->leaf;
  uint32_t words[2] = {0x12345678u ^ (uint32_t)seed, 0xff};
  for (int i = 0; i < leaves; i++) {
    f->leaves[leaf + i].value = (double)(rank_mix(seed + (uint64_t)i) % 1000) / 7;
  }
  for (int i = 0; i < leaves - 1; i++) { /* leaf `at` splits into itself and leaf i + 1 */
    uint64_t r = rank_mix(seed * 1000 + (uint64_t)i);
    rank_node *n = f->nodes + first + i;
    int at = (int)(r % (uint64_t)(i + 1));
    for (int k = 0; k < i; k++) {
      rank_node *up = f->nodes + first + k;
      up->left = up->left == ~at ? i : up->left;
      up->right = up->right == ~at ? i : up->right;
    }
    static const uint8_t kinds[] = {0, 2, 4, 6, 8, 10};
    *n = (rank_node){
      .feature = (int32_t)((r >> 8) % (uint64_t)f->features), .left = ~at, .right = ~(i + 1)};
    n->decision = kinds[(r >> 16) % 6];
    do {
      n->threshold = odd_number(++r);
    } while (isnan(n->threshold));
    if (categories && (r >> 24) % 3 == 0) {
      n->decision = (uint8_t)((r & 1) ? 1 : (r & 2) ? 27 : 25);
      n->nwords = 2;
      rank_forest_words(f, words, 2, &n->word, &e);
    }
  }
}

static void compare_scorer(const rank_forest *f, const rank_matrix *x)
{
  rank_error e;
  rank_scorer *s = rank_scorer_new(f, x->f64, &e);
  if (!s) {
    fail_msg("%s", e.text);
  }
  double *score = malloc(sizeof *score * (size_t)x->rows);
  int32_t *leaf = malloc(sizeof *leaf * (size_t)(x->rows * f->ntrees));
  static const long sizes[] = {1, 2, 3, 5, 8, 31, 64, 65, 600};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    rank_matrix some = *x;
    some.rows = sizes[k];
    assert_int_equal(rank_scorer_run(s, &some, score, leaf, 2), 0);
    for (long i = 0; i < some.rows; i++) {
      assert_true(score[i] == rank_forest_score(f, x, i));
      for (long t = 0; t < f->ntrees; t++) {
        assert_int_equal(leaf[i * f->ntrees + t], rank_forest_leaf(f, t, x, i));
      }
    }
  }
  free(score);
  free(leaf);
  rank_scorer_free(s);
}

/* Some trees large, or small ones alone (which are scored in another way), with categories or without. */
static void compare_random(int features, int small, int categories)
{
  enum { ROWS = 600, MOST = 20 };
  static double x[ROWS * MOST];
  static float x32[ROWS * MOST];
  static const int leaves[] = {1, 2, 3, 7, 31, 32, 33, 64, 200};
  rank_error e;
  rank_forest *f = rank_forest_new(features, &e);
  for (int i = 0; i < ROWS * features; i++) {
    x[i] = odd_number((uint64_t)i);
    x32[i] = (float)x[i];
  }
  for (uint64_t t = 0; t < 45; t++) {
    grow_random(f, leaves[t % (small ? 6 : 9)], t + 1, categories && t % 4 == 0);
  }
  f->base = 0.125;
  assert_int_equal(rank_forest_check(f, &e), 0);
  compare_scorer(f, &(rank_matrix){x, ROWS, features, features, 1});
  compare_scorer(f, &(rank_matrix){x32, ROWS, features, features, 0});
  rank_forest_free(f);
}

static void test_scorer_is_the_walk(void **state)
{
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    compare_random(4, kind & 1, kind >> 1);
  }
  compare_random(10, 1, 0);
  compare_random(15, 1, 0);
  compare_random(20, 1, 0);
}

/* Bytes changed, cut, repeated: refused, or a forest that can be walked. */
static void damage(
  const char *text, size_t n, rank_forest *(*read)(const char *, size_t, rank_error *))
{
  static const char bytes[] = "0123456789-.,=[]{}\":\n eE\0\xff";
  char *copy = malloc(n + 64);
  double row[3] = {0.3, (double)NAN, 40};
  rank_matrix x = {row, 1, 3, 3, 1};
  for (uint64_t k = 0; k < 30000; k++) {
    size_t m = n;
    memcpy(copy, text, n);
    for (uint64_t c = 0; c <= k % 3; c++) {
      uint64_t r = rank_mix(4 * k + c);
      copy[r % m] = bytes[(r >> 32) % (sizeof bytes - 1)];
    }
    if (k % 5 == 0) {
      m = rank_mix(k) % n;
    }
    rank_error e;
    char *exact = malloc(m + 1);
    memcpy(exact, copy, m);
    rank_forest *f = read(exact, m, &e);
    for (long t = 0; f && f->features <= 3 && t < f->ntrees; t++) {
      int leaf = rank_forest_leaf(f, t, &x, 0);
      assert_in_range(leaf, 0, f->trees[t].leaves - 1);
    }
    rank_forest_free(f);
    free(exact);
  }
  free(copy);
}

static void test_damaged_files(void **state)
{
  (void)state;
  damage(lightgbm, sizeof lightgbm - 1, rank_forest_read_lightgbm);
  damage(xgboost, sizeof xgboost - 1, rank_forest_read_xgboost);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lightgbm),
    cmocka_unit_test(test_xgboost), cmocka_unit_test(test_xgboost_encodings),
    cmocka_unit_test(test_scorer_is_the_walk), cmocka_unit_test(test_damaged_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
