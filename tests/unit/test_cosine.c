/* test_cosine.c: neighbours of items against brute force, and ranking by them. */

#include "cosine.h"
#include "rank_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rank_neighbors *fit(const rank_interactions *log, int neighbors, int weighting, int threads)
{
  rank_error e = {{0}};
  rank_cosine_options o;
  rank_cosine_defaults(&o);
  o.neighbors = neighbors;
  o.weighting = (rank_cosine_weighting)weighting;
  o.threads = threads;
  rank_neighbors *n = rank_cosine_fit(log, &o, &e);
  assert_string_equal(e.text, "");
  assert_non_null(n);
  return n;
}

static float similarity(const rank_neighbors *n, int i, int j)
{
  for (int64_t k = n->offset[i]; k < n->offset[i + 1]; k++) {
    if (n->item[k] == j) {
      return n->score[k];
    }
  }
  return 0;
}

/* Four users and four ads; the numbers are scikit-learn's cosine_similarity. */
static void small_log(rank_interactions *log)
{
  const int32_t has[4][4] = {{0, 1}, {2, 1}, {2, 3, 0}, {3, 2}};
  const long n[4] = {2, 2, 3, 2};
  rank_error e;
  assert_int_equal(rank_interactions_begin(log, 4, 0, &e), 0);
  for (int u = 0; u < 4; u++) {
    assert_int_equal(rank_interactions_add(log, has[u], NULL, n[u], 0, &e), 0);
  }
}

static void test_four_by_four(void **state)
{
  (void)state;
  rank_interactions log;
  small_log(&log);
  rank_neighbors *n = fit(&log, 100, RANK_COSINE_NONE, 1); /* more than there are items */
  const double want[4][4] = {{0, 0.4999999999999999, 0.4082482904638630, 0.4999999999999999},
    {0.4999999999999999, 0, 0.4082482904638630, 0},
    {0.4082482904638630, 0.4082482904638630, 0, 0.8164965809277260},
    {0.4999999999999999, 0, 0.8164965809277260, 0}};
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 4; j++) {
      assert_true(similarity(n, i, j) == (float)want[i][j]);
    }
  }
  int32_t item[4], seen[] = {1, 0};
  float score[4];
  rank_reason reason[8];
  rank_ranked out = {.top = 4, .item = item, .score = score, .reasons = 2, .reason = reason};
  rank_ranker *r = rank_ranker_new(4, NULL);
  assert_int_equal(rank_neighbors_rank(n, &(rank_request){.seen = seen, .n = 2}, r, &out, NULL), 0);
  assert_int_equal(out.n, 2);
  assert_int_equal(item[0], 2);
  assert_int_equal(item[1], 3);
  assert_true(score[0] == (float)0.816496580927726 && score[1] == (float)0.4999999999999999);
  assert_int_equal(reason[0].item, 0); /* equal parts: the smaller id first */
  assert_int_equal(reason[1].item, 1);
  assert_true(reason[0].part == (float)0.408248290463863);
  assert_int_equal(reason[2].item, 0);
  assert_int_equal(reason[3].item, -1); /* ads 1 and 3 have no user in common */
  rank_ranker_free(r);
  rank_neighbors_free(n);
  rank_interactions_free(&log);
}

enum { USERS = 300, ITEMS = 60 };

static double draw(int site, int u, int k)
{
  return rank_random(7, 0, (uint32_t)site, (uint64_t)u, (uint64_t)k);
}

/* Skewed, with repeats, users without any item, and items below `first`. x: what must come of it. */
static void random_log(rank_interactions *log, int weighted, double *x)
{
  rank_error e;
  memset(x, 0, sizeof *x * USERS * ITEMS);
  assert_int_equal(rank_interactions_begin(log, ITEMS, weighted, &e), 0);
  for (int u = 0; u < USERS; u++) {
    int n = (int)(draw(1, u, 0) * 14);
    int32_t item[16];
    float weight[16];
    for (int k = 0; k < n; k++) {
      double v = draw(2, u, k);
      item[k] = (int32_t)(v * v * (double)ITEMS);
      weight[k] = (float)floor(draw(3, u, k) * 4);
      if (item[k] >= 2) {
        double *at = x + u * ITEMS + item[k];
        *at = weighted ? *at + (double)weight[k] : 1;
      }
    }
    assert_int_equal(rank_interactions_add(log, item, weighted ? weight : NULL, n, 2, &e), 0);
  }
}

static double row_length(const double *row)
{
  double sum = 0;
  for (int i = 0; i < ITEMS; i++) {
    sum += row[i];
  }
  return sum;
}

static void weigh(double *x, int weighting)
{
  double mean = 0;
  for (int u = 0; u < USERS; u++) {
    mean += row_length(x + u * ITEMS) / (double)USERS;
  }
  for (int u = 0; u < USERS; u++) {
    double *row = x + u * ITEMS, length = row_length(row), has = 0;
    for (int i = 0; i < ITEMS; i++) {
      has += row[i] > 0;
    }
    double idf = log((1.0 + (double)ITEMS) / (1 + has));
    for (int i = 0; i < ITEMS && weighting != RANK_COSINE_NONE; i++) {
      double w = row[i];
      row[i] = weighting == RANK_COSINE_IDF
                 ? sqrt(w) * idf
                 : w * 2.2 / (w + 1.2 * (0.25 + 0.75 * length / mean)) * idf;
    }
  }
}

static double brute(const double *x, int i, int j, double shrinkage)
{
  double dot = 0, a = 0, b = 0;
  for (int u = 0; u < USERS; u++) {
    dot += x[u * ITEMS + i] * x[u * ITEMS + j];
    a += x[u * ITEMS + i] * x[u * ITEMS + i];
    b += x[u * ITEMS + j] * x[u * ITEMS + j];
  }
  return dot > 0 ? dot / (sqrt(a) * sqrt(b) + shrinkage) : 0;
}

static void compare(const rank_neighbors *n, const double *x, double shrinkage, int most)
{
  for (int i = 0; i < ITEMS; i++) {
    long above = 0, kept = n->offset[i + 1] - n->offset[i];
    double least = kept ? (double)n->score[n->offset[i + 1] - 1] : 0;
    for (int j = 0; j < ITEMS; j++) {
      double s = i == j ? 0 : brute(x, i, j, shrinkage), got = (double)similarity(n, i, j);
      assert_true(got == 0 ? kept < most ? s == 0 : s <= least + 1e-6 : fabs(got - s) < 1e-6);
      above += s > 0;
    }
    assert_int_equal(kept, above < most ? above : most);
    for (int64_t k = n->offset[i] + 1; k < n->offset[i + 1]; k++) {
      assert_true(n->score[k - 1] > n->score[k] ||
                  (n->score[k - 1] == n->score[k] && n->item[k - 1] < n->item[k]));
    }
  }
}

static void test_against_brute_force(void **state)
{
  (void)state;
  double *x = malloc(sizeof *x * USERS * ITEMS);
  const int most[] = {1, 7, 1000};
  for (int weighting = RANK_COSINE_NONE; weighting <= RANK_COSINE_BM25; weighting++) {
    for (int weighted = 0; weighted < 2; weighted++) {
      rank_interactions log;
      random_log(&log, weighted, x);
      weigh(x, weighting);
      for (int k = 0; k < 3; k++) {
        rank_neighbors *n = fit(&log, most[k], weighting, 1);
        compare(n, x, 0, most[k]);
        rank_neighbors_free(n);
      }
      rank_cosine_options o = {5, (rank_cosine_weighting)weighting, 2.5, 1};
      rank_neighbors *n = rank_cosine_fit(&log, &o, NULL);
      compare(n, x, 2.5, 5);
      rank_neighbors_free(n);
      rank_interactions_free(&log);
    }
  }
  free(x);
}

static void test_same_with_any_threads(void **state)
{
  (void)state;
  enum { MANY = 5000 }; /* more than the rows that are done at once */
  rank_interactions log;
  rank_error e;
  assert_int_equal(rank_interactions_begin(&log, MANY, 1, &e), 0);
  for (int u = 0; u < 3000; u++) {
    int32_t item[20];
    float weight[20];
    for (int k = 0; k < 20; k++) {
      double v = draw(4, u, k);
      item[k] = (int32_t)(v * v * v * (double)MANY);
      weight[k] = (float)draw(5, u, k);
    }
    assert_int_equal(rank_interactions_add(&log, item, weight, 20, 0, &e), 0);
  }
  rank_neighbors *first = fit(&log, 10, RANK_COSINE_BM25, 1);
  int64_t total = first->offset[MANY];
  assert_true(total > 5000);
  const int threads[] = {2, 3, 8};
  for (int k = 0; k < 3; k++) {
    rank_neighbors *n = fit(&log, 10, RANK_COSINE_BM25, threads[k]);
    assert_memory_equal(n->offset, first->offset, (MANY + 1) * sizeof *n->offset);
    assert_memory_equal(n->item, first->item, (size_t)total * sizeof *n->item);
    assert_memory_equal(n->score, first->score, (size_t)total * sizeof *n->score);
    rank_neighbors_free(n);
  }
  rank_neighbors_free(first);
  rank_interactions_free(&log);
}

/* Every request against scores of the whole catalogue, summed plainly. */
static void test_rank_against_brute_force(void **state)
{
  (void)state;
  double *x = malloc(sizeof *x * USERS * ITEMS);
  rank_interactions log;
  random_log(&log, 0, x);
  rank_neighbors *n = fit(&log, 9, RANK_COSINE_NONE, 1);
  rank_ranker *r = rank_ranker_new(ITEMS, NULL);
  for (int u = 0; u < 60; u++) {
    const int32_t *seen = log.item + log.offset[u];
    long nseen = log.offset[u + 1] - log.offset[u];
    int32_t item[7];
    float score[7];
    rank_reason reason[7 * 20];
    rank_ranked out = {.top = 7, .item = item, .score = score, .reasons = 20, .reason = reason};
    rank_request q = {.seen = seen, .n = nseen, .with_seen = u % 2};
    assert_int_equal(rank_neighbors_rank(n, &q, r, &out, NULL), 0);
    double want[ITEMS] = {0};
    for (long k = 0; k < nseen; k++) {
      for (int j = 0; j < ITEMS; j++) {
        want[j] += (double)similarity(n, seen[k], j);
      }
    }
    for (long k = 0; k < nseen && !q.with_seen; k++) {
      want[seen[k]] = 0;
    }
    for (int at = 0; at < 7; at++) {
      int best = 0;
      for (int j = 1; j < ITEMS; j++) {
        best = (float)want[j] > (float)want[best] ? j : best;
      }
      if (!((float)want[best] > 0)) {
        assert_int_equal(out.n, at);
        break;
      }
      assert_int_equal(item[at], best);
      assert_true(score[at] == (float)want[best]);
      double parts = 0;
      for (int k = 0; k < 20 && reason[at * 20 + k].item >= 0; k++) {
        parts += (double)reason[at * 20 + k].part;
      }
      assert_true(fabs(parts - want[best]) < 1e-6);
      want[best] = 0;
    }
  }
  rank_ranker_free(r);
  rank_neighbors_free(n);
  rank_interactions_free(&log);
  free(x);
}

static void test_nothing_to_offer(void **state)
{
  (void)state;
  rank_interactions log;
  small_log(&log);
  rank_neighbors *n = fit(&log, 3, RANK_COSINE_NONE, 2);
  rank_ranker *r = rank_ranker_new(4, NULL);
  int32_t item[4], all[] = {3, 1, 2, 0, 2};
  float score[4];
  rank_ranked out = {.top = 4, .item = item, .score = score};
  assert_int_equal(rank_neighbors_rank(n, &(rank_request){.n = 0}, r, &out, NULL), 0);
  assert_int_equal(out.n, 0); /* an empty history */
  assert_int_equal(rank_neighbors_rank(n, &(rank_request){.seen = all, .n = 5}, r, &out, NULL), 0);
  assert_int_equal(out.n, 0); /* nothing unseen */
  rank_request missing = {.seen = (const int32_t[]){0, 1}, .n = 2, .first = 2};
  assert_int_equal(rank_neighbors_rank(n, &missing, r, &out, NULL), 0);
  assert_int_equal(out.n, 0);
  rank_error e;
  rank_request wrong = {.seen = (const int32_t[]){0, 4}, .n = 2};
  assert_int_equal(rank_neighbors_rank(n, &wrong, r, &out, &e), -1);
  assert_string_equal(e.text, "item 4, but items are from 0 to 3");
  rank_request one = {.seen = (const int32_t[]){0}, .n = 1}; /* the failure left nothing behind */
  assert_int_equal(rank_neighbors_rank(n, &one, r, &out, NULL), 0);
  assert_int_equal(out.n, 3);
  rank_ranker_free(r);
  rank_neighbors_free(n);
  rank_interactions_free(&log);
  assert_int_equal(rank_interactions_begin(&log, 4, 0, &e), 0); /* a log of nobody */
  n = fit(&log, 3, RANK_COSINE_BM25, 1);
  assert_int_equal(n->offset[4], 0);
  rank_neighbors_free(n);
  rank_interactions_free(&log);
}

static void test_popularity(void **state)
{
  (void)state;
  rank_interactions log;
  small_log(&log);
  int64_t count[4];
  int32_t order[4], item[4], seen[] = {2, 2};
  float score[4];
  rank_popularity_fit(&log, count);
  assert_int_equal(count[2], 3);
  assert_int_equal(rank_popularity_order(count, 4, order), 4);
  const int32_t want[] = {2, 0, 1, 3};
  assert_memory_equal(order, want, sizeof want);
  rank_ranker *r = rank_ranker_new(4, NULL);
  rank_ranked out = {.top = 2, .item = item, .score = score};
  rank_request q = {.seen = seen, .n = 2};
  assert_int_equal(rank_popularity_rank(order, count, 4, &q, r, &out, NULL), 0);
  assert_int_equal(out.n, 2);
  assert_true(item[0] == 0 && item[1] == 1 && score[0] == 2);
  rank_ranker_free(r);
  rank_interactions_free(&log);
}

static void test_bad_input(void **state)
{
  (void)state;
  rank_interactions log;
  rank_error e;
  assert_int_equal(rank_interactions_begin(&log, 4, 1, &e), 0);
  const int32_t item[] = {1, 4};
  const float weight[] = {1, -2};
  assert_int_equal(rank_interactions_add(&log, item, NULL, 2, 0, &e), -1);
  assert_string_equal(e.text, "user 0: item 4, but items are from 0 to 3");
  assert_int_equal(rank_interactions_add(&log, item, weight + 1, 1, 0, &e), -1);
  assert_string_equal(e.text, "user 0: item 1 weighs -2, but weights are finite and at least 0");
  assert_int_equal(log.users, 0);
  rank_cosine_options o = {0, RANK_COSINE_NONE, 0, 1};
  assert_null(rank_cosine_fit(&log, &o, &e));
  assert_non_null(strstr(e.text, "neighbors = 0"));
  o = (rank_cosine_options){3, RANK_COSINE_NONE, (double)NAN, 1};
  assert_null(rank_cosine_fit(&log, &o, &e));
  rank_interactions_free(&log);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_four_by_four),
    cmocka_unit_test(test_against_brute_force), cmocka_unit_test(test_same_with_any_threads),
    cmocka_unit_test(test_rank_against_brute_force), cmocka_unit_test(test_nothing_to_offer),
    cmocka_unit_test(test_popularity), cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests_name("cosine", tests, NULL, NULL);
}
