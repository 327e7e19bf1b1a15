/* test_stream.c: rows that arrive byte by byte are those that a file gives; bad ones and ends. */

#include "data_helpers.h"

#include "stream.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char *const x_columns[] = {"a", "b"};
static const long learnt[] = {0};
static const rank_dim lists[] = {{"L", 3}};
static const rank_input csv_inputs[] = {
  ITEM_INPUT(learnt),
  HIST_INPUT(learnt),
  {.name = "x", .dim = -1, .width = 2, .same_as = -1, .encoding = {PLAIN(x_columns, 2)}},
};
static const rank_model csv = {.name = "csv",
  .ninputs = 3,
  .inputs = csv_inputs,
  .ndims = 1,
  .dims = lists,
  .header = 1,
  .separator = ','};
static const char csv_text[] =
  "item,other,b,hist,a\r\nu,,1,u v,2.5\r\n\"v\n\"\"w\",\"a,b\",-3,,4\r\n\nu,x,5,v v "
  "u,6\r\nv,,7,u,1e-3\r\n";

static const long sizes[] = {100};
static const rank_input pair_inputs[] = {
  {.name = "i",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = sizes,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_INDICES, .ncolumns = 1}},
  {.name = "v",
    .dim = 0,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_VALUES, .ncolumns = 1}},
  {.name = "y",
    .label = 1,
    .dim = -1,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_TARGET, .ncolumns = 1}},
};
static const rank_model pairs = {.name = "pairs",
  .ninputs = 3,
  .inputs = pair_inputs,
  .ndims = 1,
  .dims = lists,
  .separator = ',',
  .libsvm = 1};
static const char pairs_text[] = "# a comment\n1 3:0.5 17:1\n-1\n\n1 99:2 0:3 4:4 # three\n0 1:1\n";

/* A pipe with a name, and its end to write to. */
static const char *pipe_open(const char *name, int *to)
{
  const char *path = path_of(name);
  assert_int_equal(mkfifo(path, 0600), 0);
  *to = open(path, O_RDWR);
  assert_true(*to >= 0);
  return path;
}

static void feed(rank_stream *s, int to, const char *bytes, size_t n)
{
  rank_error e;
  assert_int_equal(write(to, bytes, n), n);
  int got = stream_wait(s, 5, 0, &e);
  assert_int_equal(got, 1);
}

/* Rows `at` and up of the batch from a file are those of the stream's block, one at a time. */
static void expect_rows(const rank_model *m, rank_stream *s, const rank_batch *want, long at)
{
  rank_error e;
  assert_int_equal(stream_ready(s, &e), 0);
  for (long r = 0; r < stream_rows(s); r++) {
    const rank_batch *b = stream_batch(s, r, 1);
    assert_int_equal(b->n, 1);
    for (int i = 0; i < m->ninputs; i++) {
      const rank_input *in = &m->inputs[i];
      size_t row = (size_t)in->width * (in->is_id ? sizeof(int32_t) : sizeof(rank_real));
      long from = at + r, count = 1;
      if (in->dim >= 0) {
        from = want->offset[in->dim][at + r];
        count = want->offset[in->dim][at + r + 1] - from;
        assert_int_equal(b->offset[in->dim][0], 0);
        assert_int_equal(b->offset[in->dim][1], count);
      }
      assert_memory_equal(
        b->input[i], (const char *)want->input[i] + row * (size_t)from, row * (size_t)count);
    }
  }
}

/* In pieces of `piece` bytes, blocks of `most` rows. */
static void expect_stream(const rank_model *m, const char *text, size_t piece, long most)
{
  static int number;
  char name[32];
  rank_error e;
  int to;
  opened o = data_opened(m, data_text("whole", text), 1);
  assert_non_null(o.data);
  snprintf(name, sizeof name, "pipe%d", number++);
  rank_stream *s = stream_open(m, o.enc, pipe_open(name, &to), most, &e);
  assert_non_null(s);
  long rows = 0;
  for (size_t at = 0; at < strlen(text); at += piece) {
    feed(s, to, text + at, strlen(text) - at < piece ? strlen(text) - at : piece);
    do {
      stream_clear(s);
      assert_int_equal(stream_take(s, most, &e), 0);
      expect_rows(m, s, o.batch, rows);
      rows += stream_rows(s);
    } while (stream_rows(s) == most);
  }
  assert_int_equal(rows, o.batch->n);
  assert_int_equal(stream_ended(s), 0);
  close(to);
  assert_int_equal(stream_wait(s, 5, 0, &e), 0);
  assert_int_equal(stream_ended(s), 1);
  assert_int_equal(stream_unread(s), 0);
  stream_close(s);
  data_closed(&o);
}

static void test_pieces(void **state)
{
  (void)state;
  for (size_t piece = 1; piece < 40; piece += 6) {
    for (long most = 1; most < 4; most++) {
      expect_stream(&csv, csv_text, piece, most);
      expect_stream(&pairs, pairs_text, piece, most);
    }
  }
}

/* The rows before a bad one are in the block; half a row is none. */
static void test_bad_row(void **state)
{
  static const char bad[] = "1 3:0.5\n1 5:1\n1 100:1\n1 7:1\n";
  rank_error e;
  int to;
  (void)state;
  rank_encoders *enc = rank_encoders_new(&pairs);
  rank_stream *s = stream_open(&pairs, enc, pipe_open("bad", &to), 10, &e);
  feed(s, to, bad, 11);
  assert_int_equal(stream_take(s, 10, &e), 0);
  assert_int_equal(stream_rows(s), 1);
  assert_int_equal(stream_unread(s), 3);
  feed(s, to, bad + 11, sizeof bad - 12);
  assert_int_equal(stream_take(s, 10, &e), -1);
  assert_int_equal(stream_rows(s), 2);
  assert_non_null(strstr(e.text, ":3: indices (input i): id 100, but id(100) ends at 99"));
  close(to);
  stream_close(s);
  rank_encoders_free(enc);
}

static rank_place place_after(const rank_encoders *enc, const char *path, long rows)
{
  rank_error e;
  rank_place at = {0};
  rank_stream *s = stream_open(&pairs, enc, path, rows, &e);
  while (stream_rows(s) < rows) {
    assert_int_equal(stream_wait(s, 1, 0, &e), 1);
    assert_int_equal(stream_take(s, rows, &e), 0);
  }
  stream_where(s, &at);
  assert_int_equal(at.offset, 0); /* nothing is done with yet */
  stream_clear(s);
  stream_where(s, &at);
  stream_close(s);
  return at;
}

/* A place leads to the row behind it, in the same file and no other. */
static void test_places(void **state)
{
  rank_error e;
  (void)state;
  rank_encoders *enc = rank_encoders_new(&pairs);
  opened o = data_opened(&pairs, data_text("pairs", pairs_text), 1);
  rank_place at = place_after(enc, path_of("pairs"), 2);
  assert_int_equal(at.line, 4);
  rank_stream *s = stream_open(&pairs, enc, path_of("pairs"), 10, &e);
  assert_int_equal(stream_seek(s, &at, &e), 0);
  assert_int_equal(stream_wait(s, 1, 0, &e), 1);
  assert_int_equal(stream_take(s, 10, &e), 0);
  assert_int_equal(stream_rows(s), 2);
  expect_rows(&pairs, s, o.batch, 2);
  stream_close(s);
  s =
    stream_open(&pairs, enc, data_text("other", "# A comment\n1 3:0.5 17:1\n-1\n0 1:1\n"), 10, &e);
  assert_int_equal(stream_seek(s, &at, &e), -1);
  assert_non_null(strstr(e.text, "is not the file that was learnt from"));
  stream_close(s);
  s = stream_open(&pairs, enc, data_text("short", "# a comment\n"), 10, &e);
  assert_int_equal(stream_seek(s, &at, &e), -1);
  assert_non_null(strstr(e.text, "ends before byte"));
  stream_close(s);
  s = stream_open(&pairs, enc, data_gzip("zipped", pairs_text, strlen(pairs_text)), 10, &e);
  assert_int_equal(stream_wait(s, 1, 0, &e), -1);
  assert_non_null(strstr(e.text, "is gzipped"));
  stream_close(s);
  rank_encoders_free(enc);
  data_closed(&o);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_pieces), cmocka_unit_test(test_bad_row), cmocka_unit_test(test_places)};
  return cmocka_run_group_tests(tests, data_setup, data_teardown);
}
