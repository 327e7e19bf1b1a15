/* Text to batches: every form of file, every encoding, every error. */

#include "data_helpers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data_text.h"

static const char *const x_column[] = {"x"}, *const y_column[] = {"y"};
static const char *const time_column[] = {"time"};

/* x, y: two numbers. */
static const rank_input xy_inputs[] = {
  {.name = "x", .dim = -1, .width = 1, .same_as = -1, .encoding = {PLAIN(x_column, 1)}},
  {.name = "y", .label = 1, .dim = -1, .width = 1, .same_as = -1, .encoding = {PLAIN(y_column, 1)}},
};
static const rank_model xy = {
  .name = "xy", .ninputs = 2, .inputs = xy_inputs, .header = 1, .separator = ','};

static rank_model one(const rank_input *in) /* of a single input */
{
  return (rank_model){.name = "one", .ninputs = 1, .inputs = in, .header = 1, .separator = ','};
}

static void expect_xy(const char *path, long n, const double *x)
{
  opened o = data_opened(&xy, path, 1);
  assert_string_equal(o.error.text, "");
  assert_non_null(o.data);
  assert_int_equal(o.batch->n, n);
  for (long i = 0; i < n; i++) {
    assert_true(data_number(&o, 0, i) == (rank_real)x[2 * i]);
    assert_true(data_number(&o, 1, i) == (rank_real)x[2 * i + 1]);
  }
  data_closed(&o);
}

static void test_forms(void **state)
{
  static const double want[] = {1, 0, 2.5, 1};
  static const char *const same[] = {"x,y\n1,0\n2.5,1\n", "x,y\n1,0\n2.5,1",
    "x,y\r\n1,0\r\n2.5,1\r\n", "x,y\r\n1,0\r\n2.5,1", "\xef\xbb\xbfx,y\n1,0\n2.5,1\n",
    "y,x\n0,1\n1,2.5\n", "x,other,y\n1,,0\n2.5,\"a,\"\"b\n\",1\n",
    "\"x\",\"y\"\n\"1\",\"0\"\n2.5,\"1\"", "\n\nx,y\n\n1,0\n\r\n2.5,1\n\n\n",
    " x , y \n 1 , 0 \n2.5,1\n", "x,y\n+1.0e0,-0\n25e-1,1E+0\n"};
  (void)state;
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    expect_xy(data_text("same.csv", same[i]), 2, want);
    expect_xy(data_gzip("same.csv.gz", same[i], strlen(same[i])), 2, want);
  }
  expect_xy(data_text("header.csv", "x,y\n"), 0, want);
  expect_xy(data_text("header.csv", "x,y"), 0, want);
}

static void test_separators(void **state)
{
  static const double want[] = {1, 0, 2.5, 1};
  rank_model m = xy;
  (void)state;
  m.separator = '\t';
  opened o = data_opened(&m, data_text("a.tsv", "x\tother\ty\n1\t\t0\n2.5\ta,b\t1\n"), 1);
  assert_int_equal(o.batch->n, 2);
  assert_true(data_number(&o, 0, 1) == (rank_real)want[2]);
  data_closed(&o);
  static const int second[] = {2}, first[] = {0};
  rank_input in[] = {xy_inputs[0], xy_inputs[1]};
  in[0].encoding = (rank_encoding){
    .source = RANK_FROM_POSITIONS, .ncolumns = 1, .positions = second, .separator = ""};
  in[1].encoding.source = RANK_FROM_POSITIONS;
  in[1].encoding.positions = first;
  m = (rank_model){.ninputs = 2, .inputs = in, .separator = ';'};
  o = data_opened(&m, data_text("none.txt", "1;a b;7\n0;;8\n"), 1);
  assert_int_equal(o.batch->n, 2);
  assert_true(data_number(&o, 0, 0) == 7 && data_number(&o, 1, 0) == 1);
  data_closed(&o);
  data_fails(&m, data_text("none.txt", "1;2\n"),
    "#:1: input x reads column 2 (the first is 0), but there are 2 fields");
  data_fails(&m, data_text("none.txt", "1;2;3\n1;2\n"), "#:2: 2 fields, but the first row has 3");
  data_fails(&m, data_text("none.txt", "1;2;3\n1;2;t\n"), "#:2: column 2: \"t\" is not a number");
  data_fails(&m, data_text("none.txt", ""), "#: the file is empty");
}

static void test_bad_files(void **state)
{
  (void)state;
  data_fails(&xy, data_text("empty.csv", ""), "#: the file is empty");
  data_fails(&xy, data_text("empty.csv", "\xef\xbb\xbf"), "#: the file is empty");
  data_fails(&xy, data_text("a.csv", "xx,y,z,yx\n"),
    "#:1: no column x, which input x reads; the nearest: xx, y, z");
  data_fails(&xy, data_text("a.csv", "x,z,click\n"),
    "#:1: no column y, which input y reads; the nearest: x, z, click");
  data_fails(&xy, data_text("a.csv", "x,y,x\n"), "#:1: column x is there twice, as fields 1 and 3");
  data_fails(&xy, data_text("a.csv", "x,y\n1,2\n1\n"), "#:3: 1 fields, but the header has 2");
  data_fails(&xy, data_text("a.csv", "x,y\n1,2,3\n"), "#:2: 3 fields, but the header has 2");
  data_fails(
    &xy, data_text("a.csv", "x,z,y\n1,\"\n\n\",0\n1,0\n"), "#:5: 2 fields, but the header has 3");
  data_fails(&xy, data_text("a.csv", "x,y\n1,\"2\n3,4\n"), "#:2: a quote that is not closed");
  data_fails(&xy, data_text("a.csv", "x,y\n1,\"2\"3\n"),
    "#:2: field 2: something follows its closing quote");
  data_fails(
    &xy, data_file("a.csv", "x,y\n1,2\0\n", 9), "#:2: a byte 0: not a text file, or one in UTF-16");
  data_fails(&xy, data_file("a.csv", "x,y\n1,\"\0\"\n", 10),
    "#:2: a byte 0: not a text file, or one in UTF-16");
  data_fails(&xy, data_dir, "#: is a directory");
  data_fails(&xy, "/nowhere/at.csv", "#: No such file or directory");
}

static void test_bad_gzip(void **state)
{
  char text[5000];
  size_t n = (size_t)sprintf(text, "x,y\n");
  (void)state;
  for (int i = 0; i < 400; i++)
    n += (size_t)sprintf(text + n, "%d,%d\n", i * i * 7919 % 1000, i % 2);
  const char *path = data_gzip("cut.gz", text, n);
  size_t size;
  char *bytes = data_read(path, &size);
  path = data_file("cut.gz", bytes, size - 20);
  opened o = data_opened(&xy, path, 1);
  assert_null(o.data);
  assert_non_null(strstr(o.error.text, "cut.gz: cannot be read to its end: "));
  data_closed(&o);
  bytes[size / 2] ^= 0x55;
  o = data_opened(&xy, data_file("bad.gz", bytes, size), 1);
  assert_null(o.data);
  data_closed(&o);
  free(bytes);
}

static void expect_strtod(const char *text)
{
  double want = strtod(text, NULL), got = 0;
  char copy[64];
  snprintf(copy, sizeof copy, "%s", text);
  const text_span span = {.at = copy, .length = (unsigned)strlen(copy)};
  assert_int_equal(number_read(&span, &got), NUMBER_OK);
  assert_memory_equal(&got, &want, sizeof got);
}

/* As many digits as doubles are printed with, and integers in the middle between two doubles. */
static void test_long_numbers(void **state)
{
  char text[64];
  uint64_t x = 88172645463325252u;
  (void)state;
  for (int i = 0; i < 60000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    double value = ldexp((double)(int64_t)x, -(int)(x % 120));
    snprintf(text, sizeof text, "%.*g", 15 + i % 4, value);
    expect_strtod(text);
    snprintf(text, sizeof text, "%llu.%03lluE%d", (unsigned long long)(x % 10000000000000000u),
      (unsigned long long)(x % 997), (int)(x % 50) - 25);
    expect_strtod(text);
    uint64_t middle = ((uint64_t)1 << 53) * 2 + 2 + 4 * (x % ((uint64_t)1 << 50));
    snprintf(text, sizeof text, "%llu", (unsigned long long)middle);
    expect_strtod(text);
    snprintf(
      text, sizeof text, "%llue-%d", (unsigned long long)(middle + x % 3 - 1), (int)(x % 27));
    expect_strtod(text);
  }
}

static void test_numbers(void **state)
{
  static const char *const texts[] = {"0", "-0", "1", "9007199254740993", "0.1", "-1.5e-7", "1e22",
    "1e23", "123456789012345678901234567890", "0.000000000000000000000000000001", "4.9e-324",
    "1e-400", ".5", "5.", "-0.6771831139635117", "00012", "3.4028234e38"};
  char file[100];
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    sprintf(file, "x,y\n%s,0\n", texts[i]);
    opened o = data_opened(&xy, data_text("n.csv", file), 1);
    assert_string_equal(o.error.text, "");
    rank_real want = (rank_real)strtod(texts[i], NULL), got = data_number(&o, 0, 0);
    assert_memory_equal(&want, &got, sizeof want);
    data_closed(&o);
  }
  static const char *const bad[][2] = {{"a", "\"a\" is not a number"},
    {"1.2.3", "\"1.2.3\" is not a number"}, {"0x10", "\"0x10\" is not a number"},
    {"1e", "\"1e\" is not a number"}, {"-", "\"-\" is not a number"},
    {"e5", "\"e5\" is not a number"}, {"1 2", "\"1 2\" is not a number"},
    {"\x01", "\"\\x01\" is not a number"}, {"nan", "\"nan\" is not a finite number"},
    {"-inf", "\"-inf\" is not a finite number"},
    {"Infinity", "\"Infinity\" is not a finite number"},
    {"1e999", "\"1e999\" is not a finite number"},
    {"", "empty, and the input does not say missing = ..."},
    {"  ", "empty, and the input does not say missing = ..."}};
  char want[200];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sprintf(file, "x,y\n1,0\n%s,0\n", bad[i][0]);
    sprintf(want, "#:3: column x: %s", bad[i][1]);
    data_fails(&xy, data_text("n.csv", file), want);
  }
  if (sizeof(rank_real) == 4)
    data_fails(&xy, data_text("n.csv", "x,y\n1e39,0\n"),
      "#:2: column x: \"1e39\" is too large for a 32-bit number");
}

/* item and hist over one vocabulary, and times over the same axis. */
static const long shared_size[] = {0};
static const rank_dim l3[] = {{"L", 3}};
static const rank_input history_inputs[] = {
  ITEM_INPUT(shared_size),
  HIST_INPUT(shared_size),
  {.name = "time", .dim = 0, .width = 1, .same_as = -1, .encoding = {LIST(time_column, "|")}},
};
static const rank_model history = {.name = "history",
  .ninputs = 3,
  .inputs = history_inputs,
  .ndims = 1,
  .dims = l3,
  .header = 1,
  .separator = ','};

static void test_lists(void **state)
{
  (void)state;
  opened o = data_opened(&history,
    data_text("l.csv", "item,hist,time\na,  b  c ,1|2\nb,,\nc,b,-3.5\nd,c b a,1|2|3\n"), 1);
  assert_string_equal(o.error.text, "");
  static const int items[] = {3, 2, 4, 5}, offsets[] = {0, 2, 2, 3, 6}, hist[] = {2, 4, 2, 4, 2, 3};
  static const double times[] = {1, 2, -3.5, 1, 2, 3};
  /* b: 4 times, a: 2, c: 3 */
  static const int order[] = {4, 2, 3, 5}, hist_order[] = {2, 3, 2, 3, 2, 4};
  (void)items, (void)hist;
  for (int i = 0; i < 4; i++)
    assert_int_equal(data_id(&o, 0, i), order[i]);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(data_id(&o, 1, i), hist_order[i]);
    assert_true(data_number(&o, 2, i) == (rank_real)times[i]);
  }
  assert_memory_equal(o.batch->offset[0], offsets, sizeof offsets);
  assert_int_equal(rank_encoders_size(o.enc, 0), 6);
  assert_int_equal(rank_encoders_size(o.enc, 1), 6);
  assert_int_equal(rank_encoders_size(o.enc, 2), 0);
  data_closed(&o);
  data_fails(&history, data_text("l.csv", "item,hist,time\na,b c,1\n"),
    "#:2: column time: 1 elements over L, but hist has 2");
  data_fails(&history, data_text("l.csv", "item,hist,time\na,a b c d,1|2|3|4\n"),
    "#:2: column hist: 4 elements, but L <= 3 (keep = first or keep = last would cut)");
  data_fails(&history, data_text("l.csv", "item,hist,time\na,a b,1||\n"),
    "#:2: column time: 3 elements over L, but hist has 2");
  data_fails(&history, data_text("l.csv", "item,hist,time\na,a b,1|\n"),
    "#:2: column time: empty, and the input does not say missing = ...");
}

static void test_truncation(void **state)
{
  rank_input in[3];
  rank_model m = history;
  (void)state;
  memcpy(in, history_inputs, sizeof in);
  m.inputs = in;
  for (int last = 0; last < 2; last++) {
    for (int i = 1; i < 3; i++)
      in[i].encoding.cut = 1, in[i].encoding.keep_last = (unsigned char)last;
    opened o =
      data_opened(&m, data_text("l.csv", "item,hist,time\na,v w x y z,1|2|3|4|5\nb,p,6\n"), 1);
    assert_int_equal(o.batch->offset[0][2], 4);
    for (int i = 0; i < 3; i++)
      assert_true(data_number(&o, 2, i) == (rank_real)(i + 1 + 2 * last));
    assert_true(data_number(&o, 2, 3) == 6);
    char *json = rank_encoders_json(o.enc);
    assert_string_equal(json, last
                                ? "{\"item\":{\"vocab\":[[\"a\",\"b\",\"p\",\"x\",\"y\",\"z\"]]}}"
                                : "{\"item\":{\"vocab\":[[\"a\",\"b\",\"p\",\"v\",\"w\",\"x\"]]}}");
    free(json);
    data_closed(&o);
  }
}

static void test_fixed_lists(void **state)
{
  static const long size[] = {10};
  rank_input in[] = {
    {.name = "v", .dim = -1, .width = 3, .same_as = -1, .encoding = {LIST(x_column, "::")}},
    {.name = "f",
      .is_id = 1,
      .dim = -1,
      .width = 2,
      .nvocab = 1,
      .vocab = size,
      .same_as = -1,
      .encoding = {LIST(item_column, "|"), .hash = 1}}};
  rank_model m = {.ninputs = 2, .inputs = in, .header = 1, .separator = ','};
  (void)state;
  opened o = data_opened(&m, data_text("f.csv", "x,item\n1::2::3,\n4::5::6,a|\n"), 1);
  for (int i = 0; i < 6; i++)
    assert_true(data_number(&o, 0, i) == (rank_real)(i + 1));
  assert_int_equal(data_id(&o, 1, 0), 0);
  assert_int_equal(data_id(&o, 1, 1), 0);
  assert_in_range(data_id(&o, 1, 2), 2, 9);
  assert_int_equal(data_id(&o, 1, 3), 0);
  data_closed(&o);
  data_fails(&m, data_text("f.csv", "x,item\n1::2,\n"), "#:2: column x: 2 elements, but v has 3");
  data_fails(&m, data_text("f.csv", "x,item\n,\n"), "#:2: column x: 0 elements, but v has 3");
}

static void test_long_line(void **state)
{
  enum { LONG = 300000 };
  static const long size[] = {1000};
  static const rank_dim dim[] = {{"L", LONG}};
  rank_input in = {.name = "hist",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = size,
    .same_as = -1,
    .encoding = {LIST(hist_column, " ")}};
  rank_model m = one(&in);
  char *text = malloc(5 * LONG + 100);
  size_t n = (size_t)sprintf(text, "hist\n");
  (void)state;
  m.ndims = 1;
  m.dims = dim;
  for (int row = 0; row < 2; row++)
    for (int i = 0; i < LONG / 2; i++)
      n += (size_t)sprintf(text + n, "%d%s", i % 1000, i + 1 < LONG / 2 ? " " : "\n");
  opened o = data_opened(&m, data_file("long.csv", text, n), 1);
  assert_string_equal(o.error.text, "");
  assert_int_equal(o.batch->offset[0][2], LONG);
  for (int i = 0; i < LONG; i++)
    assert_int_equal(data_id(&o, 0, i), i % (LONG / 2) % 1000);
  data_closed(&o);
  free(text);
}

static void test_many_quoted(void **state)
{
  /* quotes, newlines and CRLF across the borders of the reader's blocks */
  enum { ROWS = 40000 };
  static const char *const columns[] = {"t"};
  static const long size[] = {1000000};
  rank_input in[] = {
    {.name = "x", .dim = -1, .width = 1, .same_as = -1, .encoding = {PLAIN(x_column, 1)}},
    {.name = "t",
      .is_id = 1,
      .dim = -1,
      .width = 1,
      .nvocab = 1,
      .vocab = size,
      .same_as = -1,
      .encoding = {PLAIN(columns, 1), .vocab = 1}}};
  rank_model m = {.ninputs = 2, .inputs = in, .header = 1, .separator = ','};
  char *text = malloc(ROWS * 100);
  size_t n = (size_t)sprintf(text, "t,x\r\n");
  (void)state;
  for (int i = 0; i < ROWS; i++)
    n += (size_t)sprintf(text + n, "\"%.*s\"\"%s,\r\n%05d\",%d\r\n", i % 31,
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr", i % 3 ? "" : "\"\"\n", i, i);
  opened o = data_opened(&m, data_file("q.csv", text, n), 1);
  assert_string_equal(o.error.text, "");
  assert_int_equal(o.batch->n, ROWS);
  assert_int_equal(rank_encoders_size(o.enc, 1), 1000000);
  for (int i = 0; i < ROWS; i++) {
    assert_true(data_number(&o, 0, i) == (rank_real)i);
    assert_in_range(data_id(&o, 1, i), 2, ROWS + 1);
  }
  data_closed(&o);
  free(text);
}

static const rank_dim pair_dim[] = {{"L", 4}};
static const long pair_size[] = {100};
static const rank_input pair_inputs[] = {
  {.name = "i",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = pair_size,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_INDICES, .separator = ""}},
  {.name = "v",
    .dim = 0,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_VALUES, .separator = ""}},
  {.name = "y",
    .label = 1,
    .dim = -1,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_TARGET, .separator = ""}},
};

static void test_libsvm(void **state)
{
  static const int offsets[] = {0, 2, 2, 3};
  (void)state;
  for (int base = 0; base < 2; base++) {
    rank_model m = {.ninputs = 3,
      .inputs = pair_inputs,
      .ndims = 1,
      .dims = pair_dim,
      .libsvm = 1,
      .libsvm_base = base};
    opened o =
      data_opened(&m, data_text("a.svm", "+1 3:1 99:0.5 # note\n\n-1\r\n1\t7:2e3 \r\n"), 1);
    assert_string_equal(o.error.text, "");
    assert_memory_equal(o.batch->offset[0], offsets, sizeof offsets);
    assert_int_equal(data_id(&o, 0, 0), 3 - base);
    assert_int_equal(data_id(&o, 0, 1), 99 - base);
    assert_int_equal(data_id(&o, 0, 2), 7 - base);
    assert_true(data_number(&o, 1, 1) == (rank_real)0.5 && data_number(&o, 1, 2) == 2000);
    assert_true(data_number(&o, 2, 0) == 1 && data_number(&o, 2, 1) == -1);
    data_closed(&o);
    data_fails(&m, data_text("a.svm", "1 101:1\n"),
      base ? "#:1: indices (input i): id 101, but id(100) ends at 100"
           : "#:1: indices (input i): id 101, but id(100) ends at 99");
    data_fails(&m, data_text("a.svm", "1 5:1\n1 5\n"), "#:2: \"5\" is not index:value");
    data_fails(&m, data_text("a.svm", "1 5:\n"), "#:1: \"5:\" is not index:value");
    data_fails(
      &m, data_text("a.svm", "1 a:1\n"), "#:1: indices (input i): \"a\" is not a whole number");
    data_fails(&m, data_text("a.svm", "1 1:b\n"), "#:1: values (input v): \"b\" is not a number");
    data_fails(&m, data_text("a.svm", "y 1:1\n"), "#:1: target (input y): \"y\" is not a number");
    data_fails(&m, data_text("a.svm", "1:1\n"), "#:1: target (input y): the row has none");
    data_fails(&m, data_text("a.svm", "1 1:1 1:1 1:1 1:1 1:1\n"),
      "#:1: indices (input i): 5 elements, but L <= 4 (keep = first or keep = last would cut)");
    data_fails(
      &m, data_file("a.svm", "1 1:1\0\n", 7), "#:1: a byte 0: not a text file, or one in UTF-16");
    data_fails(&m, data_text("a.svm", ""), "#: the file is empty");
    o = data_opened(&m, data_text("a.svm", "4:1\n5:1"), 0);
    assert_int_equal(o.batch->n, 2);
    assert_null(o.batch->input[2]);
    data_closed(&o);
  }
  rank_model m = {.ninputs = 3,
    .inputs = pair_inputs,
    .ndims = 1,
    .dims = pair_dim,
    .libsvm = 1,
    .libsvm_base = 1};
  data_fails(&m, data_text("a.svm", "1 0:1\n"), "#:1: indices (input i): id 0, but ids begin at 1");
}

static void test_no_labels(void **state)
{
  (void)state;
  opened o = data_opened(&xy, data_text("n.csv", "x\n4\n"), 0);
  assert_non_null(o.data);
  assert_true(data_number(&o, 0, 0) == 4);
  assert_null(o.batch->input[1]);
  assert_false(rank_data_has_labels(o.data));
  data_closed(&o);
}

/* Standard input is read once, or kept to be read twice. */
static void test_standard_input(void **state)
{
  static const long learnt[] = {0};
  rank_input in = {.name = "item",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = -1,
    .encoding = {PLAIN(item_column, 1), .vocab = 1}};
  rank_model m = one(&in);
  int ends[2], keep = dup(STDIN_FILENO);
  (void)state;
  for (int twice = 0; twice < 2; twice++) {
    assert_int_equal(pipe(ends), 0);
    const char *text = twice ? "item\nb\na\nb\n" : "x,y\n1,2\nt,0\n";
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    opened o = data_opened(twice ? &m : &xy, "-", 1);
    if (twice) {
      assert_int_equal(data_id(&o, 0, 0), 2);
      assert_int_equal(data_id(&o, 0, 1), 3);
    } else {
      assert_string_equal(o.error.text, "standard input:3: column x: \"t\" is not a number");
    }
    data_closed(&o);
  }
  dup2(keep, STDIN_FILENO);
  close(keep);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
    cmocka_unit_test(test_separators), cmocka_unit_test(test_bad_files),
    cmocka_unit_test(test_bad_gzip), cmocka_unit_test(test_numbers),
    cmocka_unit_test(test_long_numbers), cmocka_unit_test(test_lists),
    cmocka_unit_test(test_truncation), cmocka_unit_test(test_fixed_lists),
    cmocka_unit_test(test_long_line), cmocka_unit_test(test_many_quoted),
    cmocka_unit_test(test_libsvm), cmocka_unit_test(test_no_labels),
    cmocka_unit_test(test_standard_input)};
  return cmocka_run_group_tests_name("data", tests, data_setup, data_teardown);
}
