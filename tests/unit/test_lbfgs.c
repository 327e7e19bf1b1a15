/* test_lbfgs.c: quadratics to their exact minimum, a valley that bends, stopping and going on to the same bits. */

#include "lbfgs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct problem {
  long n;
  int calls, stop_at, fail_at; /* which call; 0: none */
} problem;

static int called(problem *p, rank_error *e)
{
  p->calls++;
  if (p->calls == p->fail_at) {
    return rank_fail(e, "as told");
  }
  return p->calls == p->stop_at;
}

/* sum of d_i / 2 (u_i - i)^2, u the coordinates after a reflection, which makes the matrix full; d from 1 to
 * 1000. */
static double scale_of(const problem *p, long i)
{
  return pow(1000, (double)i / (double)(p->n > 1 ? p->n - 1 : 1));
}

static void reflect(const problem *p, const double *x, double *u)
{
  double sum = 0, n = (double)p->n;
  for (long i = 0; i < p->n; i++) {
    sum += x[i];
  }
  for (long i = 0; i < p->n; i++) {
    u[i] = x[i] - 2 / n * sum;
  }
}

static int quadratic(void *arg, const double *w, double *f, double *g, rank_error *e)
{
  problem *p = arg;
  double *u = malloc(sizeof *u * (size_t)p->n);
  reflect(p, w, u);
  *f = 0;
  for (long i = 0; i < p->n; i++) {
    double off = u[i] - (double)i;
    *f += scale_of(p, i) / 2 * off * off;
    u[i] = scale_of(p, i) * off;
  }
  reflect(p, u, g);
  free(u);
  return called(p, e);
}

/* Rosenbrock's: not convex, minimum 0 at (1, 1). */
static int valley(void *arg, const double *w, double *f, double *g, rank_error *e)
{
  double a = 1 - w[0], b = w[1] - w[0] * w[0];
  *f = a * a + 100 * b * b;
  g[0] = -2 * a - 400 * w[0] * b;
  g[1] = 200 * b;
  return called(arg, e);
}

/* A gradient that points the wrong way: nothing falls along it. */
static int uphill(void *arg, const double *w, double *f, double *g, rank_error *e)
{
  *f = w[0] * w[0] / 2;
  g[0] = -w[0];
  return called(arg, e);
}

static void open_on(rank_lbfgs *l, problem *p, rank_objective f, int memory, int threads)
{
  rank_error e;
  assert_int_equal(rank_lbfgs_new(l, p->n, memory, threads, &e), 0);
  l->objective = f;
  l->arg = p;
  l->noise = 1e-14;
}

static int run(rank_lbfgs *l, double tolerance, int most)
{
  rank_error e;
  int k = 0;
  while (k < most && rank_lbfgs_gradient(l) > tolerance) {
    if (rank_lbfgs_iterate(l, &e) != 0) {
      return -1;
    }
    k++;
  }
  return k;
}

static void test_round_bowl(void **state)
{
  (void)state;
  problem p = {.n = 1};
  rank_lbfgs l;
  rank_error e;
  open_on(&l, &p, quadratic, 3, 1); /* one coordinate, reflected: minimum at -0 = 0 */
  l.w[0] = 7;
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_in_range(run(&l, 0, 4), 1, 3); /* a pair of one dimension is the whole curvature */
  assert_true(l.w[0] == 0 && l.f == 0);
  rank_lbfgs_free(&l);
}

static void test_quadratic(void **state)
{
  (void)state;
  problem p = {.n = 30};
  rank_lbfgs l;
  rank_error e;
  double u[30];
  open_on(&l, &p, quadratic, 30, 1);
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_in_range(run(&l, 1e-9, 300), 1, 299);
  reflect(&p, l.w, u);
  for (int i = 0; i < 30; i++) {
    assert_true(fabs(u[i] - i) < 6e-9); /* sqrt(30) entries of 1e-9, the least curvature is 1 */
  }
  assert_true(l.f < 2e-17);
  rank_lbfgs_free(&l);
  open_on(&l, &p, quadratic, 5, 1); /* with less memory, more steps and the same place */
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_in_range(run(&l, 1e-9, 2000), 1, 1999);
  assert_true(l.pairs == 5);
  rank_lbfgs_free(&l);
}

static void test_valley(void **state)
{
  (void)state;
  problem p = {.n = 2};
  rank_lbfgs l;
  rank_error e;
  open_on(&l, &p, valley, 5, 1);
  l.w[0] = -1.2;
  l.w[1] = 1;
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_in_range(run(&l, 1e-10, 100), 1, 99);
  assert_true(fabs(l.w[0] - 1) < 1e-9 && fabs(l.w[1] - 1) < 1e-9);
  rank_lbfgs_free(&l);
}

/* The point and the pairs are all there is: another that has them goes on to the same bits. */
static void test_goes_on(void **state)
{
  (void)state;
  problem p = {.n = 40}, q = {.n = 40};
  rank_lbfgs l, m;
  rank_error e;
  open_on(&l, &p, quadratic, 4, 1);
  open_on(&m, &q, quadratic, 4, 1);
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_int_equal(run(&l, 0, 9), 9);
  memcpy(m.w, l.w, sizeof *m.w * 40);
  memcpy(m.s, l.s, sizeof *m.s * 160);
  memcpy(m.y, l.y, sizeof *m.y * 160);
  m.pairs = l.pairs;
  assert_int_equal(rank_lbfgs_start(&m, &e), 0);
  assert_int_equal(run(&l, 0, 9), 9);
  assert_int_equal(run(&m, 0, 9), 9);
  assert_memory_equal(l.w, m.w, sizeof *m.w * 40);
  rank_lbfgs_free(&l);
  rank_lbfgs_free(&m);
}

static void test_same_with_any_threads(void **state)
{
  (void)state;
  double w[3];
  for (int threads = 1; threads <= 3; threads++) {
    problem p = {.n = 150001};
    rank_lbfgs l;
    rank_error e;
    open_on(&l, &p, quadratic, 3, threads);
    assert_int_equal(rank_lbfgs_start(&l, &e), 0);
    assert_int_equal(run(&l, 0, 4), 4);
    w[threads - 1] = l.w[77777] + l.w[1] * 1e-3;
    rank_lbfgs_free(&l);
  }
  assert_true(w[0] == w[1] && w[0] == w[2]);
}

static void test_stopped(void **state)
{
  (void)state;
  for (int call = 2; call < 12; call++) {
    problem p = {.n = 30, .stop_at = call};
    rank_lbfgs l;
    rank_error e;
    double w[30];
    open_on(&l, &p, quadratic, 6, 1);
    assert_int_equal(rank_lbfgs_start(&l, &e), 0);
    int result = 0;
    while (result == 0) {
      memcpy(w, l.w, sizeof w);
      result = rank_lbfgs_iterate(&l, &e);
    }
    assert_int_equal(result, 1);
    assert_memory_equal(w, l.w, sizeof w); /* the point is as it was */
    rank_lbfgs_free(&l);
  }
}

static void test_fails(void **state)
{
  (void)state;
  problem p = {.n = 30, .fail_at = 3};
  rank_lbfgs l;
  rank_error e;
  open_on(&l, &p, quadratic, 6, 1);
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_int_equal(run(&l, 0, 9), -1);
  rank_lbfgs_free(&l);
  p = (problem){.n = 1};
  open_on(&l, &p, uphill, 6, 1);
  l.w[0] = 3;
  assert_int_equal(rank_lbfgs_start(&l, &e), 0);
  assert_int_equal(rank_lbfgs_iterate(&l, &e), RANK_LBFGS_STUCK);
  assert_true(l.w[0] == 3);
  rank_lbfgs_free(&l);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_bowl),
    cmocka_unit_test(test_quadratic), cmocka_unit_test(test_valley), cmocka_unit_test(test_goes_on),
    cmocka_unit_test(test_same_with_any_threads), cmocka_unit_test(test_stopped),
    cmocka_unit_test(test_fails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
