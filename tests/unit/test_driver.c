/* test_driver.c: files, processes and tables of the command line. */

#include "driver/files.h"
#include "driver/process.h"
#include "driver/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static Arena arena;

static Str folder(void)
{
  char name[] = "/tmp/rankc-test.XXXXXX";
  assert_non_null(mkdtemp(name));
  return str_copy(&arena, str_of(name));
}

static void writing_changes_only_what_differs(void **state)
{
  (void)state;
  Str f = folder(), text;
  bool changed;
  assert_true(file_write(f, S("x.c"), S("one"), &changed));
  assert_true(changed);
  Str stamp = file_stamp(&arena, path_join(&arena, f, S("x.c")));
  assert_true(file_write(f, S("x.c"), S("one"), &changed));
  assert_false(changed);
  assert_true(str_eq(stamp, file_stamp(&arena, path_join(&arena, f, S("x.c")))));
  assert_true(file_write(f, S("x.c"), S("longer"), &changed));
  assert_true(changed);
  assert_true(file_write(f, S("x.c"), S("long"), &changed));
  assert_true(changed);
  assert_true(file_read(&arena, path_join(&arena, f, S("x.c")), &text));
  assert_true(str_eq(text, S("long")));
  assert_true(folder_remove(f));
  assert_false(file_exists(f));
}

static void folders_are_made_with_those_above(void **state)
{
  (void)state;
  Str f = folder();
  Str deep = path_join(&arena, f, S("a/b/c"));
  assert_true(folder_make(deep));
  assert_true(folder_make(deep));
  assert_true(file_exists(deep));
  Str temporary;
  assert_true(folder_temporary(&arena, deep, &temporary));
  assert_true(folder_remove(temporary));
  assert_true(folder_remove(deep));
}

static void only_plain_names_become_files(void **state)
{
  (void)state;
  assert_true(name_is_plain(S("two_tower2")));
  assert_false(name_is_plain(S("")));
  assert_false(name_is_plain(S("2x")));
  assert_false(name_is_plain(S("../x")));
  assert_false(name_is_plain(S("a b")));
  assert_false(name_is_plain(S("-o")));
}

static void processes_get_their_words_as_they_are(void **state)
{
  (void)state;
  Command commands[4] = {0};
  const char *const lines[] = {"true", "false", "sh -c", "true"};
  for (int i = 0; i < 4; i++) {
    process_add_words(&arena, &commands[i], lines[i]);
  }
  process_add(&arena, &commands[2], "test \"$1\" = '; rm x' && exit 7");
  process_add(&arena, &commands[2], "sh");
  process_add(&arena, &commands[2], "; rm x");
  assert_false(process_run(arena, 4, commands, 2));
  assert_int_equal(commands[0].exit_code, 0);
  assert_int_equal(commands[1].exit_code, 1);
  assert_int_equal(commands[2].exit_code, 7);
  assert_int_equal(commands[3].exit_code, 0);
  assert_true(process_run(arena, 1, commands, 2));
}

static void tables_are_aligned(void **state)
{
  (void)state;
  Table t = {.arena = &arena, .columns = 2, .heads = {"name", "n"}, .right = {false, true}};
  table_cell(&t, S("a|b"));
  table_cell(&t, count_text(&arena, 1234567));
  table_cell(&t, S("longer"));
  table_cell(&t, count_text(&arena, 12));
  char text[512] = {0};
  FILE *file = fmemopen(text, sizeof text, "w");
  table_print(&t, "  ", file);
  table_markdown(&t, file);
  fclose(file);
  assert_string_equal(text, "  name            n\n  a|b     1,234,567\n  longer         12\n"
                            "| name | n |\n|---|---:|\n| a\\|b | 1,234,567 |\n| longer | 12 |\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(writing_changes_only_what_differs),
    cmocka_unit_test(folders_are_made_with_those_above),
    cmocka_unit_test(only_plain_names_become_files),
    cmocka_unit_test(processes_get_their_words_as_they_are),
    cmocka_unit_test(tables_are_aligned),
  };
  arena = arena_new((size_t)1 << 28);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
