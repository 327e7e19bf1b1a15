/* test_trees_refused.c: what is wrong with files of forests, with rows and with options, in words. */

#include "trees_helpers.h"

#include <stdio.h>

static const char lightgbm[] =
  "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n"
  "objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=[0:1] [-1:1]\n\n"
  "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=0.5 0.25\ndecision_type=2 2\n"
  "left_child=1 -1\nright_child=-3 -2\nleaf_value=1 2 3\nis_linear=0\nshrinkage=1\n\n\n"
  "end of trees\n";

static const char xgboost[] =
  "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[{\"left_children\":[1,-1,3,-1,-1],"
  "\"right_children\":[2,-1,4,-1,-1],\"split_indices\":[0,0,1,0,0],\"split_conditions\":"
  "[1E-1,-5E-1,0,7.5E-1,2E0],\"default_left\":[1,0,0,0,0]}]},\"name\":\"gbtree\"},"
  "\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\","
  "\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\"}},\"version\":[3,2,0]}";

/* The text with `from` replaced is refused with these words; the text itself is not. */
static void refused(const char *text, const char *from, const char *to, const char *wanted)
{
  rank_forest *(*read)(const char *, size_t, rank_error *) =
    text == xgboost ? rank_forest_read_xgboost : rank_forest_read_lightgbm;
  char changed[2000];
  const char *at = strstr(text, from);
  assert_non_null(at);
  snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  rank_error e = {{0}};
  rank_forest *whole = read(text, strlen(text), &e), *f = read(changed, strlen(changed), &e);
  if (whole == NULL || f != NULL || strstr(e.text, wanted) == NULL) {
    fail_msg("%s for %s: %s, wanted %s", to, from, e.text, wanted);
  }
  rank_forest_free(whole);
}

static void test_lightgbm(void **state)
{
  (void)state;
  const char *text = lightgbm;
  refused(text, "tree\n", "forest\n", "no LightGBM model: it does not begin with \"tree\"");
  refused(text, "num_class=1", "num_class=3", "one class and a number of features are expected");
  refused(text, "max_feature_idx=1\n", "", "max_feature_idx is missing");
  refused(text, "sigmoid:1", "sigmoid:0", "its sigmoid is no number");
  refused(text, "feature_names=a b", "feature_names=a b c",
    "names or infos of another number of features");
  refused(text, "end of trees\n", "", "it ends too early");
  refused(text, "leaf_value=1 2 3", "leaf_value=1 2", "leaf_value should be 3 numbers");
  refused(text, "left_child=1 -1", "left_child=1 1", "tree 0 reaches a node or leaf twice");
  refused(text, "left_child=1 -1", "left_child=-1 -1", "tree 0 does not hang together");
  refused(
    text, "leaf_value=1 2 3", "leaf_value=1 2 nan", "tree 0 has a leaf whose value is no number");
}

static void test_check(void **state)
{
  (void)state;
  rank_error e = {{0}};
  rank_forest *f = rank_forest_read_lightgbm(lightgbm, sizeof lightgbm - 1, &e);
  assert_non_null(f);
  rank_node *n = f->nodes, was = *n;
  n->feature = 7;
  assert_int_equal(rank_forest_check(f, &e), -1);
  assert_string_equal(e.text, "tree 0 splits by feature 7 of 2");
  *n = was;
  n->left = -9;
  assert_int_equal(rank_forest_check(f, &e), -1);
  assert_string_equal(e.text, "tree 0 has a child -9 with 3 leaves");
  *n = was;
  n->threshold = (double)NAN;
  assert_int_equal(rank_forest_check(f, &e), -1);
  assert_string_equal(e.text, "tree 0 has a threshold that is no number");
  rank_forest_free(f);
}

static void test_xgboost(void **state)
{
  (void)state;
  const char *text = xgboost;
  refused(
    text, "[1,0,0,0,0]}", "[1,0,0]}", "XGBoost model, tree 0: default_left should be 5 numbers");
  refused(text, "\"num_class\":\"0\"", "\"num_class\":\"3\"",
    "one output of a logistic or squared objective is expected");
  refused(text, "5E-1\"", "5E1\"", "XGBoost model: its base_score is 50");
  refused(text, "gbtree", "dart", "only gbtree boosters are known here");
  refused(
    text, "[2,-1,4,-1,-1]", "[9,-1,4,-1,-1]", "XGBoost model, tree 0: a child is out of range");
  refused(text, "[2,-1,4,-1,-1]", "[1,-1,4,-1,-1]", "XGBoost model, tree 0: reaches a node twice");
  refused(text, "[0,0,1,0,0]", "[0,0,9,0,0]", "a split's feature or condition is out of range");
}

static void test_write(void **state)
{
  (void)state;
  rank_error e = {{0}};
  rank_forest *f = rank_forest_new(1, &e);
  FILE *out = tmpfile();
  assert_non_null(f);
  assert_non_null(out);
  assert_int_equal(rank_forest_write_lightgbm(f, out, &e), -1);
  assert_string_equal(e.text, "a LightGBM model has a tree at least");
  snprintf(f->names[0], sizeof f->names[0], "a b");
  assert_int_equal(rank_forest_write_lightgbm(f, out, &e), -1);
  assert_string_equal(e.text, "LightGBM names no feature \"a b\"");
  fclose(out);
  rank_forest_free(f);
}

/* Options, each in turn one that cannot be. */
static void test_options(void **state)
{
  (void)state;
  sample s = sample_new(20, 4, 1);
  rank_error e = {{0}};
  rank_trees_options o;
  rank_trees_defaults(&o);
  const rank_matrix none = {s.x, 0, 4, 4, 1};
  assert_null(rank_trees_rows_new(&o, &none, 0, 0, &e));
  assert_string_equal(e.text, "trees need rows and columns");
  assert_null(rank_trees_rows_new(&o, &s.mx, 2000000000, 0, &e));
  assert_string_equal(e.text, "trees are fitted on at most a billion rows");
  o.leaves = 1;
  assert_null(rank_trees_rows_new(&o, &s.mx, 20, 0, &e));
  assert_string_equal(e.text, "trees need rounds, 2 to 65535 leaves and 2 to 255 bins");
  rank_trees_defaults(&o);
  o.rate = 0;
  assert_null(rank_trees_rows_new(&o, &s.mx, 20, 0, &e));
  assert_string_equal(e.text, "an option of the trees is out of range");
  rank_trees_defaults(&o);
  o.early_stopping = 5;
  assert_null(rank_trees_rows_new(&o, &s.mx, 20, 0, &e));
  assert_string_equal(e.text, "early stopping needs validation rows");
  sample_free(&s);
}

static void test_rows(void **state)
{
  (void)state;
  sample s = sample_new(20, 4, 1);
  rank_error e = {{0}};
  rank_trees_options o;
  rank_trees_defaults(&o);
  o.objective = RANK_TREES_BINARY;
  o.early_stopping = 0;
  rank_trees_rows *rows = rank_trees_rows_new(&o, &s.mx, 30, 0, &e);
  assert_non_null(rows);
  const rank_matrix fewer = {s.y, 19, 1, 1, 1};
  assert_int_equal(rank_trees_rows_add(rows, 0, &s.mx, &fewer, NULL, &e), -1);
  assert_string_equal(e.text, "rows do not match");
  s.y[2] = -1;
  assert_int_equal(rank_trees_rows_add(rows, 0, &s.mx, &s.my, &s.my, &e), -1);
  assert_string_equal(
    e.text, "training row 3: the label is -1, not 0 or 1 (objective = l2 takes any number)");
  double weight[20] = {1, -2};
  const rank_matrix weights = {weight, 20, 1, 1, 1};
  s.y[2] = 1;
  assert_int_equal(rank_trees_rows_add(rows, 0, &s.mx, &s.my, &weights, &e), -1);
  assert_string_equal(e.text, "training row 2: the weight is -2");
  assert_int_equal(rank_trees_rows_add(rows, 0, &s.mx, &s.my, NULL, &e), 0);
  rank_trees_report report;
  assert_null(rank_trees_fit_rows(rows, &report, &e)); /* 20 of 30 are there */
  assert_string_equal(e.text, "rows are missing");
  rank_trees_rows_free(rows);
  sample_free(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lightgbm), cmocka_unit_test(test_check),
    cmocka_unit_test(test_xgboost), cmocka_unit_test(test_write), cmocka_unit_test(test_options),
    cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
