/* Encodings: what fields become, what is learnt, and learnt state as JSON. */

#include "data_helpers.h"

#include <math.h>

static const char *const x_column[] = {"x"}, *const y_column[] = {"y"};
static const char *const abc_columns[] = {"a", "b", "c"};

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

static void test_missing_and_log(void **state)
{
  rank_input in[] = {xy_inputs[0], xy_inputs[1]};
  rank_model m = xy;
  (void)state;
  m.inputs = in;
  in[0].encoding.has_missing = 1;
  in[0].encoding.missing = 3;
  in[0].encoding.log1p = 1;
  opened o = data_opened(&m, data_text("m.csv", "x,y\n,0\nNaN,0\n-7,0\n0,1\n"), 1);
  assert_true(data_number(&o, 0, 0) == (rank_real)log1p(3));
  assert_true(data_number(&o, 0, 1) == (rank_real)log1p(3));
  assert_true(data_number(&o, 0, 2) == (rank_real)-log1p(7));
  assert_true(data_number(&o, 0, 3) == 0);
  data_closed(&o);
}

static void test_standardize(void **state)
{
  rank_input in = {.name = "v",
    .dim = -1,
    .width = 3,
    .same_as = -1,
    .encoding = {PLAIN(abc_columns, 3), .standardize = 1}};
  rank_model m = one(&in);
  (void)state;
  opened o = data_opened(&m, data_text("s.csv", "a,b,c\n1,5,0\n3,5,10\n"), 1);
  static const double want[] = {-1, 0, -1, 1, 0, 1}; /* b does not vary: sd 1 */
  for (int i = 0; i < 6; i++)
    assert_true(data_number(&o, 0, i) == (rank_real)want[i]);
  char *json = rank_encoders_json(o.enc);
  assert_string_equal(json, "{\"v\":{\"mean\":[2,5,5],\"sd\":[1,1,5]}}");
  /* elsewhere the same numbers are used, not learnt again */
  rank_encoders *other = rank_encoders_new(&m);
  assert_false(rank_encoders_fitted(other));
  rank_error e = {""};
  rank_data_options options = {.labels = 1};
  const char *path = data_text("t.csv", "a,b,c\n2,6,5\n");
  assert_null(rank_data_open(&m, other, path, &options, &e));
  assert_non_null(
    strstr(e.text, "has an encoding that is learnt from training data, and was not yet"));
  assert_int_equal(rank_encoders_from_json(other, json, strlen(json), &e), 0);
  assert_true(rank_encoders_fitted(other));
  rank_data *d = rank_data_open(&m, other, path, &options, &e);
  rank_batcher *b = rank_batcher_new(d, 1);
  const rank_real *row = rank_batch_range(b, 0, 1)->input[0];
  assert_true(row[0] == 0 && row[1] == 1 && row[2] == 0);
  rank_batcher_free(b);
  rank_data_close(d);
  rank_encoders_free(other);
  free(json);
  data_closed(&o);
}

static void test_ids(void **state)
{
  static const long size[] = {2000};
  rank_input in = {.name = "item",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = size,
    .same_as = -1,
    .encoding = {PLAIN(item_column, 1)}};
  rank_model m = one(&in);
  (void)state;
  opened o = data_opened(&m, data_text("i.csv", "item\n0\n1999\n 7 \n3.0\n"), 1);
  static const int want[] = {0, 1999, 7, 3};
  for (int i = 0; i < 4; i++)
    assert_int_equal(data_id(&o, 0, i), want[i]);
  assert_int_equal(rank_encoders_size(o.enc, 0), 2000);
  data_closed(&o);
  static const char *const bad[][2] = {{"2317", "id 2317, but id(2000) ends at 1999"},
    {"-1", "id -1, but ids begin at 0"}, {"1.5", "\"1.5\" is not a whole number"},
    {"\"\"", "empty, and the input does not say missing = ..."},
    {"99999999999999999999999", "id 9223372036854775807, but id(2000) ends at 1999"},
    {"abc", "\"abc\" is not a whole number"}};
  char file[100], text[200];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sprintf(file, "item\n5\n%s\n", bad[i][0]);
    sprintf(text, "#:3: column item: %s", bad[i][1]);
    data_fails(&m, data_text("i.csv", file), text);
  }
  in.encoding.has_missing = 1;
  in.encoding.missing = 4;
  o = data_opened(&m, data_text("i.csv", "item\n\n6\n"), 1); /* one column: a blank line is a row */
  assert_int_equal(o.batch->n, 2);
  assert_int_equal(data_id(&o, 0, 0), 4);
  data_closed(&o);
}

static void test_hash(void **state)
{
  static const long size[] = {100, 7, 3};
  rank_input in = {.name = "f",
    .is_id = 1,
    .dim = -1,
    .width = 3,
    .nvocab = 3,
    .vocab = size,
    .same_as = -1,
    .encoding = {PLAIN(abc_columns, 3), .hash = 1}};
  rank_model m = one(&in);
  (void)state;
  opened o = data_opened(&m, data_text("h.csv", "a,b,c\nred,red,red\n,,\nred,blue,x\n"), 1);
  assert_int_equal(data_id(&o, 0, 0), 15); /* never changes: weights depend on it */
  assert_int_equal(data_id(&o, 0, 0), data_id(&o, 0, 6));
  assert_in_range(data_id(&o, 0, 1), 102, 106);
  assert_int_equal(data_id(&o, 0, 2), 109);
  assert_int_equal(data_id(&o, 0, 3), 0);
  assert_int_equal(data_id(&o, 0, 4), 100);
  assert_int_equal(data_id(&o, 0, 5), 107);
  assert_int_equal(rank_encoders_size(o.enc, 0), 110);
  data_closed(&o);
  static const long small[] = {2, 7, 3};
  in.vocab = small;
  data_fails(&m, data_text("h.csv", "a,b,c\n"), "input f: a vocabulary of 2 ids is too small");
}

static void test_buckets(void **state)
{
  static const long size[] = {5};
  static const double bounds[] = {10, 20, 50};
  rank_input in = {.name = "x",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = size,
    .same_as = -1,
    .encoding = {PLAIN(x_column, 1), .buckets = bounds, .nbuckets = 3}};
  rank_model m = one(&in);
  static const int want[] = {1, 2, 2, 3, 4, 0};
  (void)state;
  opened o = data_opened(&m, data_text("b.csv", "x\n9.99\n10\n19\n20\n1e9\n\"\"\n"), 1);
  for (int i = 0; i < 6; i++)
    assert_int_equal(data_id(&o, 0, i), want[i]);
  data_closed(&o);
  static const long small[] = {4};
  in.vocab = small;
  data_fails(&m, data_text("b.csv", "x\n60\n"), "#:2: column x: bucket 4, but id(4) ends at 3");
  data_fails(&m, data_text("b.csv", "x\nbig\n"), "#:2: column x: \"big\" is not a number");
}

/* Models that rankc makes none of, but that a hand might. */
static void test_no_such_model(void **state)
{
  static const long most[] = {INT32_MAX, 2};
  rank_input in[] = {xy_inputs[0], xy_inputs[1]};
  rank_model m = xy;
  const char *path = data_text("xy.csv", "x,y\n1,0\n");
  (void)state;
  m.inputs = in;
  m.header = 0;
  data_fails(&m, path, "#: input x reads a column by name, but there is no header");
  m.header = 1;
  m.libsvm = 1;
  data_fails(&m, path, "#: input x does not read from libsvm data");
  m.libsvm = 0;
  in[0].width = 2;
  data_fails(&m, path, "#: input x: 1 columns for 2 values");
  in[0] = (rank_input){.name = "x",
    .is_id = 1,
    .dim = -1,
    .width = 3,
    .nvocab = 2,
    .vocab = most,
    .same_as = -1,
    .encoding = {PLAIN(abc_columns, 3)}};
  data_fails(&m, path, "input x: 2 vocabularies for 3 positions");
  in[0].width = 2;
  in[0].encoding.ncolumns = 2;
  data_fails(&m, path, "input x: 2147483649 ids in all, the most is 2147483647");
}

static void test_vocab(void **state)
{
  static const long learnt[] = {0}, capped[] = {4};
  rank_input in = {.name = "item",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = -1,
    .encoding = {PLAIN(item_column, 1), .vocab = 1}};
  rank_model m = one(&in);
  /* c: 3; then two of b, then of a, aa and \xff one each: by bytes */
  const char *path = data_text("v.csv", "item\nc\nb\n\xff\nc\naa\na\nb\nc\n\"\"\n");
  static const int all[] = {2, 3, 6, 2, 5, 4, 3, 2, 0}, least[] = {2, 3, 1, 2, 1, 1, 3, 2, 0};
  (void)state;
  opened o = data_opened(&m, path, 1);
  for (int i = 0; i < 9; i++)
    assert_int_equal(data_id(&o, 0, i), all[i]);
  assert_int_equal(rank_encoders_size(o.enc, 0), 7);
  char *json = rank_encoders_json(o.enc);
  assert_string_equal(json, "{\"item\":{\"vocab\":[[\"c\",\"b\",\"a\",\"aa\",\"\\udcff\"]]}}");
  free(json);
  data_closed(&o);
  in.encoding.vocab_min = 2;
  o = data_opened(&m, path, 1);
  for (int i = 0; i < 9; i++)
    assert_int_equal(data_id(&o, 0, i), least[i]);
  assert_int_equal(rank_encoders_size(o.enc, 0), 4);
  data_closed(&o);
  in.encoding.vocab_min = 0;
  in.vocab = capped;
  o = data_opened(&m, path, 1);
  for (int i = 0; i < 9; i++)
    assert_int_equal(data_id(&o, 0, i), least[i]);
  assert_int_equal(rank_encoders_size(o.enc, 0), 4);
  data_closed(&o);
  o = data_opened(
    &m, data_text("v.csv", "item\nz\n"), 1); /* the cap is the table's size all the same */
  assert_int_equal(rank_encoders_size(o.enc, 0), 4);
  data_closed(&o);
}

static void test_vocab_per_position(void **state)
{
  static const long learnt[] = {0};
  rank_input in = {.name = "f",
    .is_id = 1,
    .dim = -1,
    .width = 3,
    .nvocab = 3,
    .vocab = learnt,
    .same_as = -1,
    .encoding = {PLAIN(abc_columns, 3), .vocab = 1}};
  rank_model m = one(&in);
  static const int want[] = {2, 5, 9, 2, 6, 7, 2, 5, 10}; /* sizes 3, 4, 4: offsets 0, 3, 7 */
  (void)state;
  opened o = data_opened(&m, data_text("p.csv", "a,b,c\nu,u,u\nu,v,\nu,u,w\n"), 1);
  for (int i = 0; i < 9; i++)
    assert_int_equal(data_id(&o, 0, i), want[i]);
  assert_int_equal(rank_encoders_size(o.enc, 0), 11);
  data_closed(&o);
}

/* A vocabulary and numbers, for JSON. */
static const char *const v_columns[] = {"a", "b"};
static const long learnt[] = {0};
static const rank_input inputs[] = {
  ITEM_INPUT(learnt),
  {.name = "other",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = 0,
    .encoding = {PLAIN(item_column, 1)}},
  {.name = "v",
    .dim = -1,
    .width = 2,
    .same_as = -1,
    .encoding = {PLAIN(v_columns, 2), .standardize = 1}},
};
static const rank_model model = {.ninputs = 3, .inputs = inputs, .header = 1, .separator = ','};

static void test_json_bytes(void **state)
{
  static const char *const columns[] = {"item"};
  rank_input in = {.name = "it\"em",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = -1,
    .encoding = {PLAIN(columns, 1), .vocab = 1}};
  rank_model m = {.ninputs = 1, .inputs = &in, .header = 1, .separator = '\t'};
  /* every byte but 0 and what separates, valid and invalid UTF-8, surrogates, what JSON escapes */
  char text[2000];
  size_t n = (size_t)sprintf(text, "item\n");
  (void)state;
  for (int c = 1; c < 256; c++)
    if (!strchr("\"\t\r\n", c))
      n += (size_t)sprintf(text + n, "%c\n%c%c\n", c, 'x', c);
  n +=
    (size_t)sprintf(text + n, "\"\"\"\n\t\\\"\nz\xc3\xa4\n\xe2\x82\xac\n\xf0\x9f\x98\x80\n"
                              "\xed\xb2\x80\n\xc0\x80\n\xf4\x90\x80\x80\n\xe0\x80\x80\n\xf0\x9f\n");
  opened o = data_opened(&m, data_file("bytes.tsv", text, n), 1);
  assert_string_equal(o.error.text, "");
  char *json = rank_encoders_json(o.enc);
  rank_encoders *other = rank_encoders_new(&m);
  rank_error e = {""};
  assert_int_equal(rank_encoders_from_json(other, json, strlen(json), &e), 0);
  assert_int_equal(rank_encoders_size(other, 0), rank_encoders_size(o.enc, 0));
  char *again = rank_encoders_json(other);
  assert_string_equal(again, json);
  for (const char *s = json; *s; s++) /* a reader of strict JSON can take it */
    assert_true((unsigned char)*s >= 32);
  free(again);
  static const char escapes[] =
    "{\"it\\u0022em\":{\"vocab\":[[\"\\n\\/\",\"\\u20ac\",\"\\ud83d\\ude00\",\"\\udcff\"]]}}";
  assert_int_equal(rank_encoders_from_json(other, escapes, strlen(escapes), &e), 0);
  again = rank_encoders_json(other);
  assert_string_equal(again, "{\"it\\\"em\":{\"vocab\":[[\"\\u000a/\",\"\xe2\x82\xac\","
                             "\"\xf0\x9f\x98\x80\",\"\\udcff\"]]}}");
  free(again);
  free(json);
  rank_encoders_free(other);
  data_closed(&o);
}

static const char *const bad_json[][2] = {{"", "not JSON"}, {"{", "not JSON"},
  {"[]", "it has 0 inputs, the model learns 2"}, {"{}", "it has 0 inputs, the model learns 2"},
  {"7", "not JSON"},
  {"{\"item\":{\"vocab\":[[]]},\"w\":{}}",
    "an input that the model does not have, or does not learn"},
  {"{\"item\":{\"vocab\":[[]]},\"other\":{}}",
    "an input that the model does not have, or does not learn"},
  {"{\"item\":{\"vocab\":[[]]},\"item\":{\"vocab\":[[]]}}",
    "an input that the model does not have, or does not learn"},
  {"{\"item\":{\"vocab\":[]},\"v\":{}}", "input item: not 1 vocabularies"},
  {"{\"item\":{\"vocab\":7},\"v\":{}}", "input item: not 1 vocabularies"},
  {"{\"item\":{\"vocab\":[7]},\"v\":{}}", "input item: -1 values for a vocabulary of 0 ids"},
  {"{\"item\":{\"vocab\":[[7]]},\"v\":{}}", "input item: value 0 is no string"},
  {"{\"item\":{\"vocab\":[[\"\"]]},\"v\":{}}", "input item: value 0 is no string"},
  {"{\"item\":{\"vocab\":[[\"\\ud800\"]]},\"v\":{}}", "input item: value 0 is no string"},
  {"{\"item\":{\"vocab\":[[\"\\udc00\"]]},\"v\":{}}", "input item: value 0 is no string"},
  {"{\"item\":{\"vocab\":[[\"a\",\"b\",\"a\"]]},\"v\":{}}",
    "input item: value 2 is there twice, or there is no memory"},
  {"{\"item\":{\"vocab\":[[\"a\"]],\"more\":1},\"v\":{}}", "input item: not what it learns"},
  {"{\"item\":{\"words\":[[\"a\"]]},\"v\":{}}", "input item: not what it learns"},
  {"{\"item\":[[\"a\"]],\"v\":{}}", "input item: not what it learns"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,0]}}", "input v: not what it learns"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,0],\"mean\":[0,0]}}",
    "input v: not what it learns"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0],\"sd\":[1,1]}}", "input v: not 2 numbers"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,\"0\"],\"sd\":[1,1]}}", "input v: not a number"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,null],\"sd\":[1,1]}}",
    "input v: null is no mean"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,0],\"sd\":[1,0]}}", "input v: 0 is no sd"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,0],\"sd\":[1,1e999]}}",
    "input v: 1e999 is no sd"},
  {"{\"item\":{\"vocab\":[[]]},\"v\":{\"mean\":[0,0],\"sd\":[1,1]}}[]",
    "more than there should be"}};

static void test_bad_json(void **state)
{
  static const char good[] =
    "{\"v\":{\"sd\":[2,1],\"mean\":[0,-1.5]},\"item\":{\"vocab\":[[\"a\"]]}}";
  (void)state;
  rank_encoders *enc = rank_encoders_new(&model);
  rank_error e = {""};
  assert_int_equal(rank_encoders_from_json(enc, good, strlen(good), &e), 0);
  assert_string_equal(e.text, "");
  char *before = rank_encoders_json(enc);
  for (size_t i = 0; i < sizeof bad_json / sizeof *bad_json; i++) {
    char want[200];
    assert_int_equal(rank_encoders_from_json(enc, bad_json[i][0], strlen(bad_json[i][0]), &e), -1);
    snprintf(want, sizeof want, "encodings: %s", bad_json[i][1]);
    assert_string_equal(e.text, want);
    char *after = rank_encoders_json(enc); /* nothing of it stays */
    assert_string_equal(after, before);
    free(after);
  }
  /* in exactly its bytes, so that a read too far is found out */
  for (size_t n = 0; n < sizeof good - 1; n++) {
    char *cut = malloc(n ? n : 1);
    memcpy(cut, good, n);
    assert_int_equal(rank_encoders_from_json(enc, cut, n, &e), -1);
    free(cut);
  }
  free(before);
  rank_encoders_free(enc);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_missing_and_log),
    cmocka_unit_test(test_standardize), cmocka_unit_test(test_ids), cmocka_unit_test(test_hash),
    cmocka_unit_test(test_buckets), cmocka_unit_test(test_no_such_model),
    cmocka_unit_test(test_vocab), cmocka_unit_test(test_vocab_per_position),
    cmocka_unit_test(test_json_bytes), cmocka_unit_test(test_bad_json)};
  return cmocka_run_group_tests_name("encode", tests, data_setup, data_teardown);
}
