/* test_plot.c: learning curves: what is in the file, that it stays small, and that an old one survives. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"
#include "test_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *text_of(const char *path)
{
  static char text[1 << 17];
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  size_t n = fread(text, 1, sizeof text - 1, in);
  assert_true(n < sizeof text - 1);
  text[n] = '\0';
  fclose(in);
  return text;
}

static int count_of(const char *text, const char *what)
{
  int n = 0;
  for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
    n++;
  }
  return n;
}

static void test_curves(void **state)
{
  (void)state;
  const char *path = path_of("curves.svg");
  rank_error e = {{0}};
  rank_plot *p = rank_plot_new(path, "a<b&c", "epochs");
  assert_int_equal(rank_plot_write(p, &e), 0); /* nothing yet is a chart too */
  assert_non_null(strstr(text_of(path), "nothing yet"));
  rank_score auc = {"auc(p < q, y)", 0.75};
  for (int i = 1; i <= 3; i++) {
    rank_scores scores = {.loss = 1.0 / i, .n = 1, .score = &auc};
    rank_plot_point(p, "loss", "training", i, i == 2 ? (double)NAN : 2.0 / i);
    rank_plot_scores(p, i, &scores);
  }
  rank_plot_mark(p, 2);
  assert_int_equal(rank_plot_write(p, &e), 0);
  const char *text = text_of(path);
  assert_int_equal(count_of(text, "<polyline"), 3);
  assert_int_equal(count_of(text, "<circle"), 2 + 3 + 3); /* the NaN is not there */
  assert_int_equal(count_of(text, "class=\"mark\""), 2);  /* in both panels */
  assert_non_null(strstr(text, ">a&lt;b&amp;c<"));
  assert_non_null(strstr(text, "auc(p &lt; q, y)"));
  assert_null(strstr(text, "nan"));
  assert_null(strstr(text, "inf"));
  /* The largest training loss is at the top left, the smallest of the panel at the bottom right. */
  assert_non_null(strstr(text, "points=\"84.0,62.0 644.0,"));
  assert_non_null(strstr(text, " 644.0,232.0\""));
  rank_plot_free(p);
}

static void test_stays_small(void **state)
{
  (void)state;
  const char *path = path_of("long.svg");
  rank_error e = {{0}};
  rank_plot *p = rank_plot_new(path, "long", "epochs");
  for (int i = 0; i < 300001; i++) {
    rank_plot_point(p, "loss", "training", i, exp(-i * 1e-5));
  }
  assert_int_equal(rank_plot_write(p, &e), 0);
  size_t n = strlen(text_of(path));
  assert_true(n > 4000 && n < 40000);
  rank_plot_free(p);
}

static void test_extremes(void **state)
{
  (void)state;
  const char *path = path_of("extremes.svg");
  const double of[][2] = {{0, 0}, {-3, -3}, {1e99, -1e99}, {1e-300, 0}, {5, 5.0000001}, {1e200, 1}};
  rank_error e = {{0}};
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    rank_plot *p = rank_plot_new(path, "extreme", "epochs");
    rank_plot_point(p, "loss", "training", 1, of[i][0]);
    rank_plot_point(p, "loss", "training", 2, of[i][1]);
    assert_int_equal(rank_plot_write(p, &e), 0);
    const char *text = text_of(path);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    assert_int_equal(count_of(text, "<polyline"), 1);
    rank_plot_free(p);
  }
}

static void test_cannot_write(void **state)
{
  (void)state;
  rank_error e = {{0}};
  rank_plot *p = rank_plot_new("/nowhere/at/all.svg", "x", "epochs");
  assert_int_equal(rank_plot_write(p, &e), -1);
  assert_non_null(strstr(e.text, "/nowhere/at/all.svg: cannot write in its folder: No such file"));
  rank_plot_free(p);
  assert_int_equal(rank_plot_write(NULL, &e), 0);
  rank_plot_point(NULL, "loss", "training", 1, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_curves),
    cmocka_unit_test(test_stays_small), cmocka_unit_test(test_extremes),
    cmocka_unit_test(test_cannot_write)};
  return cmocka_run_group_tests_name("plot", tests, set_up_folder, tear_down_folder);
}
