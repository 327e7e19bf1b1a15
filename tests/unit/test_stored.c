/* test_stored.c: tables in fewer bits: every half there is, rounding to the nearest and to even, rows of any
 * width, and what cannot be rounded. */

#include "stored.h"

#include "rank_stored.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

static double half_by_definition(uint16_t h)
{
  int exponent = h >> 10 & 31, fraction = h & 1023;
  double x = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
  return h & 0x8000 ? -x : x;
}

static uint16_t packed(rank_kind kind, float x)
{
  uint16_t h = 0;
  rank_real row = x;
  assert_int_equal(rank_stored_pack(&row, 1, 1, kind, &h, NULL), -1);
  return h;
}

static void test_every_half(void **unused)
{
  (void)unused;
  for (unsigned h = 0; h < 0x10000; h++) {
    if ((h >> 10 & 31) != 31) { /* not infinite */
      double x = half_by_definition((uint16_t)h);
      assert_true((double)rank_half((uint16_t)h) == x);
      assert_int_equal(packed(RANK_F16, (float)x), h);
    }
  }
}

/* Between two halves: to the nearer one; from the middle to the even one. */
static void test_rounding(void **unused)
{
  (void)unused;
  for (unsigned h = 0; h < 0x7bff; h += 3) {
    double low = half_by_definition((uint16_t)h), high = half_by_definition((uint16_t)(h + 1));
    double middle = (low + high) / 2;
    assert_int_equal(packed(RANK_F16, (float)middle), h + (h & 1));
    assert_int_equal(packed(RANK_F16, (float)(low + 0.49 * (high - low))), h);
    assert_int_equal(packed(RANK_F16, (float)(low + 0.51 * (high - low))), h + 1);
  }
  assert_int_equal(packed(RANK_BF16, 1.0f), 0x3f80);
  assert_int_equal(packed(RANK_BF16, 1.0f + 0x1p-8f), 0x3f80); /* a middle */
  assert_int_equal(packed(RANK_BF16, 1.0f + 0x3p-8f), 0x3f82);
  assert_int_equal(packed(RANK_BF16, -1.0f - 0x1.1p-8f), 0xbf81);
}

enum { ROWS = 5, WIDEST = 67 };

/* Rows of every width, through vectors and what is left of them; nothing is written past a row. */
static void test_rows(void **unused)
{
  (void)unused;
  static rank_real from[ROWS * WIDEST], to[WIDEST + 1];
  static uint16_t memory[ROWS * WIDEST];
  float scale[ROWS];
  for (int width = 1; width <= WIDEST; width++) {
    for (int i = 0; i < ROWS * width; i++) {
      from[i] = (rank_real)(sin(i * 0.7) * pow(10, i % 7 - 5));
    }
    for (rank_kind kind = RANK_F16; kind <= RANK_INT8; kind++) {
      assert_int_equal(rank_stored_pack(from, ROWS, width, kind, memory, scale), -1);
      rank_stored t = {memory, kind == RANK_INT8 ? scale : NULL, kind};
      for (int r = 0; r < ROWS; r++) {
        to[width] = 77;
        assert_ptr_equal(rank_row(&t, r, width, to), to);
        assert_true(to[width] == 77);
        double most = 0;
        for (int j = 0; j < width; j++) {
          most = fmax(most, fabs((double)from[r * width + j]));
        }
        for (int j = 0; j < width; j++) {
          double x = (double)from[r * width + j];
          double allowed = kind == RANK_INT8  ? most / 127 * 0.5001
                           : kind == RANK_F16 ? fmax(fabs(x) * 0x1p-11, 0x1p-25)
                                              : fabs(x) * 0x1p-8;
          assert_true(fabs((double)to[j] - x) <= allowed);
          assert_true(rank_cell(&t, r, width, j) == to[j]);
        }
      }
    }
  }
}

static void test_plain_rows_are_read_in_place(void **unused)
{
  (void)unused;
  rank_real rows[6] = {1, 2, 3, 4, 5, 6}, spare[3];
  rank_stored t = {.rows = rows};
  assert_ptr_equal(rank_row(&t, 1, 3, spare), rows + 3);
  assert_true(rank_cell(&t, 1, 3, 2) == 6);
}

static void test_refusals(void **unused)
{
  (void)unused;
  rank_real rows[4] = {0, 0, 65504, 0};
  uint16_t to[4];
  float scale[2];
  assert_int_equal(rank_stored_pack(rows, 2, 2, RANK_F16, to, scale), -1);
  rows[2] = 70000;
  assert_int_equal(rank_stored_pack(rows, 2, 2, RANK_F16, to, scale), 1);
  assert_int_equal(rank_stored_pack(rows, 2, 2, RANK_BF16, to, scale), -1);
  rows[3] = (rank_real)NAN;
  for (rank_kind kind = RANK_F16; kind <= RANK_INT8; kind++) {
    assert_int_equal(rank_stored_pack(rows, 2, 2, kind, to, scale), 1);
  }
  assert_int_equal(rank_stored_kind("int8"), RANK_INT8);
  assert_int_equal(rank_stored_kind("INT8"), -1);
  assert_int_equal(rank_stored_kind("full"), -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_half),
    cmocka_unit_test(test_rounding), cmocka_unit_test(test_rows),
    cmocka_unit_test(test_plain_rows_are_read_in_place), cmocka_unit_test(test_refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
