/* Arenas, vectors, strings and diagnostics. */

#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static Arena arena;

static void arena_aligns_and_zeroes(void **state)
{
  (void)state;
  Arena a = arena;
  char *c = ARENA_NEW(&a, char);
  *c = 1;
  double *d = ARENA_ARRAY(&a, double, 3);
  assert_int_equal((uintptr_t)d % _Alignof(double), 0);
  for (int i = 0; i < 3; i++) {
    assert_true(d[i] == 0);
  }
  assert_non_null(ARENA_ARRAY(&a, double, 0));
}

static void dirty(Arena scratch)
{
  memset(ARENA_ARRAY(&scratch, char, 64), 'x', 64);
}

static void scratch_leaves_nothing(void **state)
{
  (void)state;
  Arena a = arena;
  char *before = a.at;
  dirty(a);
  assert_ptr_equal(a.at, before);
  char *again = ARENA_ARRAY(&a, char, 64);
  for (int i = 0; i < 64; i++) {
    assert_int_equal(again[i], 0);
  }
}

static void vectors_keep_what_was_pushed(void **state)
{
  (void)state;
  Arena a = arena;
  VEC(int) v = {0};
  for (int i = 0; i < 1000; i++) {
    *VEC_PUSH(&a, &v) = i;
    ARENA_NEW(&a, char);
  }
  assert_int_equal(v.n, 1000);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(v.data[i], i);
  }
  assert_int_equal(*VEC_PUSH(&a, &v), 0);
}

static void strings_compare_by_bytes(void **state)
{
  (void)state;
  Arena a = arena;
  assert_true(str_eq(S("ab"), str_of("ab")));
  assert_false(str_eq(S("ab"), S("abc")));
  assert_true(str_eq((Str){0}, S("")));
  assert_true(str_eq(str_of(NULL), (Str){0}));
  assert_true(str_cmp(S("ab"), S("abc")) < 0);
  assert_true(str_cmp(S("b"), S("abc")) > 0);
  assert_int_equal(str_cmp(S("b"), S("b")), 0);
  Str part = {"abcdef", 3};
  assert_string_equal(str_copy(&a, part).s, "abc");
  assert_string_equal(str_format(&a, "%d-%s", 7, "x").s, "7-x");
}

static void buffers_grow(void **state)
{
  (void)state;
  Arena a = arena;
  Buf b = {.arena = &a};
  assert_int_equal(buf_take(&b).n, 0);
  for (int i = 0; i < 200; i++) {
    buf_format(&b, "%03d", i);
    buf_str(&b, S(","));
  }
  assert_int_equal(buf_take(&b).n, 800);
  assert_memory_equal(buf_take(&b).s + 796, "199,", 5);
}

static Source sample = {{"m.rank", 6}, {"one\n\ttwo three\n", 15}};

static void locations_count_from_one(void **state)
{
  (void)state;
  Loc two = {&sample, 5, 3};
  Loc three = {&sample, 9, 5};
  assert_int_equal(loc_line(two), 2);
  assert_int_equal(loc_column(two), 2);
  assert_int_equal(loc_line((Loc){0}), 0);
  assert_int_equal(loc_column((Loc){0}), 0);
  Loc both = loc_join(two, three);
  assert_int_equal(both.at, 5);
  assert_int_equal(both.n, 9);
  Loc elsewhere = loc_join(two, (Loc){0});
  assert_int_equal(elsewhere.n, 3);
}

static void diagnostics_point_at_the_text(void **state)
{
  (void)state;
  Arena a = arena;
  Diags d = {.arena = &a};
  diag_error(&d, (Loc){&sample, 5, 3}, "no %s", "two");
  diag_note(&d, (Loc){&sample, 0, 3}, "see here");
  diag_error(&d, (Loc){0}, "nowhere");
  assert_int_equal(d.errors, 2);
  assert_int_equal(d.list.n, 3);
  char text[1024] = {0};
  FILE *out = tmpfile();
  assert_non_null(out);
  diag_print(&d, out);
  rewind(out);
  size_t n = fread(text, 1, sizeof text - 1, out);
  fclose(out);
  text[n] = '\0';
  assert_string_equal(text, "m.rank:2:2: error: no two\n"
                            "    2 | \ttwo three\n"
                            "      | \t^~~\n"
                            "m.rank:1:1: note: see here\n"
                            "    1 | one\n"
                            "      | ^~~\n"
                            "error: nowhere\n");
}

static void diagnostics_stop_at_twenty(void **state)
{
  (void)state;
  Arena a = arena;
  Diags d = {.arena = &a};
  for (int i = 0; i < 25; i++) {
    diag_error(&d, (Loc){0}, "e%d", i);
  }
  char text[1024] = {0};
  FILE *out = tmpfile();
  assert_non_null(out);
  diag_print(&d, out);
  rewind(out);
  text[fread(text, 1, sizeof text - 1, out)] = '\0';
  fclose(out);
  assert_non_null(strstr(text, "error: e19\nand 5 more errors\n"));
  assert_null(strstr(text, "e20"));
}

int main(void)
{
  arena = arena_new((size_t)1 << 24);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(arena_aligns_and_zeroes),
    cmocka_unit_test(scratch_leaves_nothing),
    cmocka_unit_test(vectors_keep_what_was_pushed),
    cmocka_unit_test(strings_compare_by_bytes),
    cmocka_unit_test(buffers_grow),
    cmocka_unit_test(locations_count_from_one),
    cmocka_unit_test(diagnostics_point_at_the_text),
    cmocka_unit_test(diagnostics_stop_at_twenty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
