/* test_kernels.c: the kernels of generated code against plain sums, for the vectors of this machine: every way that
 * columns end, and all rows up to some blocks. Numbers are small and whole, so that every sum is exact. And the whole
 * numbers that maxima are found among. */

#include "rank_gemm.h"
#include "rank_math.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 40, DEEP = 6, LD = 112 };

static rank_real a[MOST * DEEP], turned[DEEP][MOST], b[DEEP][LD], packed[DEEP * LD], out[MOST * LD];

static void fill(void)
{
  for (int i = 0; i < MOST * DEEP; i++) {
    turned[i % DEEP][i / DEEP] = a[i] = (rank_real)(i * 7 % 11 - 5);
  }
  for (int k = 0; k < DEEP; k++) {
    for (int n = 0; n < LD; n++) {
      b[k][n] = (rank_real)((k * 3 + n * 5) % 13 - 6);
    }
  }
}

static void check(long rows, long columns, int times)
{
  for (long m = 0; m < rows; m++) {
    for (long n = 0; n < columns; n++) {
      rank_real sum = 0;
      for (int k = 0; k < DEEP; k++) {
        sum += a[m * DEEP + k] * b[k][n];
      }
      assert_true(out[m * LD + n] == sum * (rank_real)times);
    }
  }
  for (long n = 0; n < LD && rows < MOST; n++) { /* no row more */
    assert_true(out[rows * LD + n] == -99);
  }
}

static void clear(rank_real x)
{
  for (int i = 0; i < MOST * LD; i++) {
    out[i] = x;
  }
}

/* N is a constant of the kernels. */
#define TRY(N) \
  for (long rows = 0; rows <= MOST; rows++) { \
    clear(-99); \
    RANK_GEMM( \
      rows, N, DEEP, a, DEEP, 1, b[0], LD, (rank_vec){0}, rank_store(out + row * LD + col, sum)); \
    check(rows, N, 1); \
    memset(packed, 0, sizeof packed); \
    for (int k = 0; k < DEEP; k++) { \
      for (int n = 0; n < N; n++) { \
        packed[RANK_HALF_AT(k, n, N, LD)] = b[k][n]; \
      } \
    } \
    clear(-99); \
    RANK_GEMM_HALF(rows, N, DEEP, a, DEEP, packed, LD, rank_store(out + row * LD + col, sum)); \
    check(rows, N, 1); \
    for (int i = 0; i < MOST * LD; i++) { \
      out[i] = i < rows * LD ? 0 : -99; \
    } \
    for (int turn = 0; turn < 3; turn++) { \
      RANK_GEMM_ROWS(rows, N, DEEP, a, DEEP, 1, b[0], LD, rank_load(out + row * LD + col), \
        rank_store(out + row * LD + col, sum)); \
    } \
    check(rows, N, 3); \
    for (int turn = 0; turn < 2; turn++) { \
      RANK_GEMM_ROWS(rows, N, DEEP, turned[0], 1, MOST, b[0], LD, rank_load(out + row * LD + col), \
        rank_store(out + row * LD + col, sum)); \
    } \
    check(rows, N, 5); \
  }

static void test_whole_vectors(void **state)
{
  (void)state;
  fill();
  TRY(16)
  TRY(32)
  TRY(48)
}

static void test_halves(void **state)
{
  (void)state;
  fill();
  TRY(17)
  TRY(20)
  TRY(24)
  TRY(40)
  TRY(50)
  TRY(56)
  TRY(88)
  TRY(104)
}

static void test_more_than_a_half(void **state)
{
  (void)state;
  fill();
  TRY(9)
  TRY(30)
  TRY(44)
}

static void test_heights(void **state)
{
  (void)state;
  const rank_real rising[] = {
    -(rank_real)INFINITY, -3e38f, -1, -1e-40f, 0, 1e-40f, 1, 3e38f, (rank_real)INFINITY};
  enum { N = sizeof rising / sizeof *rising };
  for (int i = 0; i < N; i++) {
    assert_true(rank_at_height(rank_height_of(rising[i])) == rising[i]);
    assert_true(i == 0 || rank_height_of(rising[i - 1]) < rank_height_of(rising[i]));
  }
  assert_true(signbit(rank_at_height(rank_height_of(-(rank_real)0))));
  assert_true(rank_height_of(-(rank_real)0) < rank_height_of(0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_vectors),
    cmocka_unit_test(test_halves),
    cmocka_unit_test(test_more_than_a_half),
    cmocka_unit_test(test_heights),
  };
  return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
