/* test_metrics.c: metrics against numbers worked out by hand, and against all pairs. */

#include "metrics.h"
#include "rank_random.h"
#include "rank_runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define R(x) ((rank_real)(x))

static void assert_close(double found, double wanted)
{
  if (!(fabs(found - wanted) <= 1e-6 * (1 + fabs(wanted)))) {
    fail_msg("found %.12g, wanted %.12g", found, wanted);
  }
}

static void test_metrics_by_hand(void **state)
{
  (void)state;
  const rank_real p[] = {R(0.1), R(0.4), R(0.35), R(0.8)}, y[] = {0, 0, 1, 1};
  const rank_real tied[] = {R(0.5), R(0.5), R(0.5), R(0.2)}, none[] = {0, 0, 0, 0};
  char scratch[512];
  assert_close(rank_auc(p, y, 4, scratch), 0.75);
  assert_close(rank_auc(tied, y, 4, scratch), 0.25); /* (1/2 + 1/2 + 0 + 0) / 4 */
  assert_true(isnan(rank_auc(p, none, 4, scratch)));
  assert_true(isnan(rank_auc(p, y, 0, scratch)));
  assert_close(rank_logloss(p, y, 4), -(log(0.9) + log(0.6) + log(0.35) + log(0.8)) / 4);
  assert_close(rank_ne(p, y, 4), rank_logloss(p, y, 4) / log(2));
  assert_true(isnan(rank_ne(p, none, 4)));
  assert_close(rank_calibration(p, y, 4), 1.65 / 2);
  assert_true(isnan(rank_calibration(p, none, 4)));
  assert_close(rank_mse(p, y, 4), (0.01 + 0.16 + 0.4225 + 0.04) / 4);
  assert_close(rank_mae(p, y, 4), (0.1 + 0.4 + 0.65 + 0.2) / 4);
  assert_close(rank_accuracy(p, y, 4), 0.75);
  const rank_real sure[] = {0, 1};
  assert_true(isfinite(rank_logloss(sure, y + 2, 2)));
}

static void test_gauc(void **state)
{
  (void)state;
  /* group 5: pairs (.2, 1) > (.1, 0): 1 of 1; group -1: one class; group 7: 1 of 2 */
  const rank_real p[] = {R(0.1), R(0.9), R(0.2), R(0.3), R(0.5), R(0.4)}, y[] = {0, 1, 1, 0, 0, 1};
  const int32_t group[] = {5, -1, 5, 7, 7, 7};
  char scratch[512];
  assert_close(rank_gauc(p, y, group, 1, 6, scratch), (1.0 * 2 + 0.5 * 3) / 5);
  assert_true(isnan(rank_gauc(p, y, group, 1, 2, scratch)));
}

static void test_auc_against_pairs(void **state)
{
  (void)state;
  enum { N = 700 };
  rank_real p[N], y[N];
  void *scratch = malloc(rank_auc_scratch(N));
  for (uint64_t i = 0; i < N; i++) {
    p[i] = (rank_real)(floor(rank_random(1, 0, 0, i, 0) * 40) - 20); /* many ties, both signs */
    y[i] = rank_random(2, 0, 0, i, 0) < 0.3;
  }
  double wins = 0, pairs = 0;
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      if (y[i] > y[j]) {
        wins += p[i] > p[j] ? 1 : p[i] == p[j] ? 0.5 : 0;
        pairs++;
      }
    }
  }
  assert_close(rank_auc(p, y, N, scratch), wins / pairs);
  free(scratch);
}

static void test_places(void **state)
{
  (void)state;
  enum { N = 300, W = 3 };
  rank_real u[N * W], a[N * W];
  long place[N];
  void *scratch = malloc(rank_place_scratch(N, W));
  for (uint64_t i = 0; i < N * W; i++) { /* whole numbers: sums are exact and ties are many */
    u[i] = (rank_real)floor(rank_random(1, 0, 1, i, 0) * 5 - 2);
    a[i] = (rank_real)floor(rank_random(1, 0, 2, i, 0) * 5 - 2);
  }
  rank_places(u, a, N, W, place, scratch);
  for (int i = 0; i < N; i++) {
    double score[N];
    long wanted = 1;
    for (int j = 0; j < N; j++) {
      score[j] = 0;
      for (int d = 0; d < W; d++) {
        score[j] += (double)u[i * W + d] * (double)a[j * W + d];
      }
    }
    for (int j = 0; j < N; j++) {
      wanted += score[j] > score[i] || (score[j] == score[i] && j < i);
    }
    assert_int_equal(place[i], wanted);
  }
  free(scratch);
  const long found[] = {1, 3, 20};
  assert_close(rank_recall(found, 3, 10), 2.0 / 3);
  assert_close(rank_ndcg(found, 3, 10), (1 + 0.5) / 3);
  assert_close(rank_mrr(found, 3, 0), (1 + 1.0 / 3 + 1.0 / 20) / 3);
}

static void test_quantile(void **state)
{
  (void)state;
  for (double x = -8; x <= 8; x += 0.37) {
    double u = 0.5 * erfc(-x / sqrt(2));
    assert_true(fabs(rank_normal_quantile(u) - x) < (x > 5 ? 0.1 : 1e-9)); /* 1 - u loses digits */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_metrics_by_hand),
    cmocka_unit_test(test_gauc), cmocka_unit_test(test_auc_against_pairs),
    cmocka_unit_test(test_places), cmocka_unit_test(test_quantile)};
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
