/* test_synth.c: made-up data is read back by the reader of the same declarations, is the same each time,
 * and has labels as promised. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 3000 };

static const long ids[] = {50}, fields[] = {100, 30}, open_words[] = {0}, hashed[] = {64};
static const double bounds[] = {10, 20, 50};
static const char *const names[][2] = {{"user id"}, {"f,1", "f\"2"}, {"words"}, {"hashed"}, {"age"},
  {"price"}, {"click"}, {"buy"}, {"grade"}};
static const int positions[] = {2};
static const rank_dim dims[] = {{"L", 6}};

#define NAMED(k, n) .source = RANK_FROM_NAMES, .ncolumns = (n), .columns = names[k]

static const rank_input csv_inputs[] = {
  {"user", 1, 0, -1, 1, 1, ids, -1, {NAMED(0, 1), .separator = ""}},
  {"field", 1, 0, -1, 2, 2, fields, -1, {NAMED(1, 2), .separator = ""}},
  {"words", 1, 0, 0, 1, 1, open_words, -1, {NAMED(2, 1), .separator = " ", .vocab = 1}},
  {"hashed", 1, 0, -1, 1, 1, hashed, -1, {NAMED(3, 1), .separator = "", .hash = 1}},
  {"age", 1, 0, -1, 1, 1, ids, -1,
    {NAMED(4, 1), .separator = "", .buckets = bounds, .nbuckets = 3}},
  {"price", 0, 0, -1, 1, 0, NULL, -1,
    {NAMED(5, 1), .separator = "", .log1p = 1, .has_missing = 1, .missing = 0}},
  {"third", 0, 0, -1, 1, 0, NULL, -1,
    {.source = RANK_FROM_POSITIONS, .ncolumns = 1, .positions = positions, .separator = ""}},
  {"click", 0, 1, -1, 1, 0, NULL, -1, {NAMED(6, 1), .separator = ""}},
  {"buy", 0, 1, -1, 1, 0, NULL, -1, {NAMED(7, 1), .separator = ""}},
  {"grade", 1, 1, -1, 1, 1, fields + 1, -1, {NAMED(8, 1), .separator = ""}}};
enum { CLICK = 7, BUY = 8 };

static const rank_model csv_model = {.name = "csv",
  .ndims = 1,
  .ninputs = sizeof csv_inputs / sizeof *csv_inputs,
  .dims = dims,
  .inputs = csv_inputs,
  .header = 1,
  .separator = ','};

static const rank_input svm_inputs[] = {
  {"index", 1, 0, 0, 1, 1, fields, -1,
    {.source = RANK_FROM_INDICES, .ncolumns = 1, .separator = ""}},
  {"value", 0, 0, 0, 1, 0, NULL, -1, {.source = RANK_FROM_VALUES, .ncolumns = 1, .separator = ""}},
  {"y", 0, 1, -1, 1, 0, NULL, -1, {.source = RANK_FROM_TARGET, .ncolumns = 1, .separator = ""}}};

static const rank_model svm_model = {
  .name = "svm", .ndims = 1, .ninputs = 3, .dims = dims, .inputs = svm_inputs, .libsvm = 1};

static const char *const twin_names[] = {"c", "d"};
static const rank_input twin_inputs[] = {
  {"u", 0, 0, -1, 2, 0, NULL, -1, {NAMED(1, 2), .separator = ""}},
  {"a", 0, 0, -1, 2, 0, NULL, -1,
    {.source = RANK_FROM_NAMES, .ncolumns = 2, .columns = twin_names, .separator = ""}}};

static void write_data(const rank_model *m, const rank_synth *o, char path[32])
{
  rank_error e;
  strcpy(path, "/tmp/rank-test-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  FILE *out = fdopen(fd, "w");
  assert_int_equal(rank_synth_write(m, o, out, &e), 0);
  fclose(out);
}

static rank_data *read_data(const rank_model *m, const char *path)
{
  rank_error e = {{0}};
  rank_encoders *enc = rank_encoders_new(m);
  rank_data *d =
    rank_data_open(m, enc, path, &(rank_data_options){.labels = 1, .fit = 1, .threads = 1}, &e);
  if (d == NULL) {
    fail_msg("%s", e.text);
  }
  rank_encoders_free(enc);
  return d;
}

static double share(const rank_real *y, const rank_real *given, long n)
{
  double ones = 0, all = 0;
  for (long i = 0; i < n; i++) {
    ones += given[i] > 0 && y[i] > 0;
    all += given[i] > 0;
  }
  return ones / all;
}

static void test_csv(void **state)
{
  (void)state;
  for (int funnel = 0; funnel < 2; funnel++) {
    char path[32];
    const rank_synth o = {.rows = ROWS, .seed = 5, .funnel = funnel};
    write_data(&csv_model, &o, path);
    rank_data *d = read_data(&csv_model, path);
    unlink(path);
    assert_int_equal(rank_data_rows(d), ROWS);
    rank_batcher *batcher = rank_batcher_new(d, ROWS);
    const rank_batch *b = rank_batch_range(batcher, 0, ROWS);
    assert_non_null(b);
    const rank_real *click = b->input[CLICK], *buy = b->input[BUY];
    rank_real all[ROWS];
    long lengths[7] = {0}, broken = 0;
    for (long i = 0; i < ROWS; i++) {
      all[i] = 1;
      broken += buy[i] > click[i];
      lengths[b->offset[0][i + 1] - b->offset[0][i]]++;
    }
    assert_true(fabs(share(click, all, ROWS) - 0.25) < 0.05);
    assert_true(funnel ? broken == 0 : broken > 0);
    assert_true(share(buy, click, ROWS) > 0.15 && share(buy, click, ROWS) < 0.6);
    for (int k = 0; k < 7; k++) {
      assert_true(lengths[k] > ROWS / 14);
    }
    rank_batcher_free(batcher);
    rank_data_close(d);
  }
}

static void test_libsvm(void **state)
{
  (void)state;
  char path[32];
  write_data(&svm_model, &(rank_synth){.rows = 500, .seed = 1}, path);
  rank_data *d = read_data(&svm_model, path);
  unlink(path);
  assert_int_equal(rank_data_rows(d), 500);
  rank_data_close(d);
}

/* Without labels the inputs themselves go together. */
static void test_without_labels(void **state)
{
  (void)state;
  rank_model twin = {
    .name = "twin", .ninputs = 2, .inputs = twin_inputs, .header = 1, .separator = ','};
  char *text = NULL, *again = NULL;
  size_t n, k;
  rank_error e;
  for (int i = 0; i < 2; i++) {
    FILE *out = open_memstream(i == 0 ? &text : &again, i == 0 ? &n : &k);
    assert_int_equal(rank_synth_write(&twin, &(rank_synth){.rows = 20, .seed = 1}, out, &e), 0);
    fclose(out);
  }
  assert_int_equal(n, k);
  assert_string_equal(text, again);
  assert_memory_equal(text, "\"f,1\",\"f\"\"2\",", 12);
  free(text);
  free(again);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_csv), cmocka_unit_test(test_libsvm),
    cmocka_unit_test(test_without_labels)};
  return cmocka_run_group_tests_name("synth", tests, NULL, NULL);
}
