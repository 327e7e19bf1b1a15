/* test_safetensors.c: files written and read back, cut short, with each bit flipped, with lies in the
 * header, and written to a full disk. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "safetensors.h"
#include "test_folder.h"

#include <signal.h>
#include <sys/resource.h>

static void write_sample(const char *path)
{
  static const float f[6] = {1, 2, 3, 4, 5, 6.5F};
  static const double d = -0.25;
  static const int64_t l[2] = {-7, 1LL << 40};
  const st_entry entries[] = {{"a", ST_F32, 2, {2, 3}, f, 0, 0},
    {"sc\"alar\\", ST_F64, 0, {0}, &d, 0, 0}, {"ids", ST_I64, 1, {2}, l, 0, 0},
    {"empty", ST_F32, 2, {0, 3}, NULL, 0, 0}};
  char key[] = "k", value[] = "line\nand \"quotes\" \xc3\xa9";
  const st_pair pair = {key, value};
  rank_error e;
  assert_int_equal(st_write(path, entries, 4, &pair, 1, &e), 0);
}

static void test_safetensors_round_trip(void **state)
{
  (void)state;
  const char *path = path_of("round.safetensors");
  st_file f;
  rank_error e;
  write_sample(path);
  assert_int_equal(st_open(&f, path, &e), 0);
  assert_int_equal(f.ntensors, 4);
  assert_string_equal(st_meta(&f, "k"), "line\nand \"quotes\" \xc3\xa9");
  rank_real r[6];
  int64_t ids[6];
  const st_tensor *a = st_find(&f, "a");
  assert_non_null(a);
  assert_int_equal(a->at % 64, 0);
  assert_int_equal(st_read_reals(&f, a, r, &e), 0);
  assert_true(r[0] == 1 && (double)r[5] == 6.5);
  assert_int_equal(st_read_ints(&f, a, ids, &e), -1); /* 6.5 */
  assert_int_equal(st_read_reals(&f, st_find(&f, "sc\"alar\\"), r, &e), 0);
  assert_true((double)r[0] == -0.25);
  assert_int_equal(st_read_ints(&f, st_find(&f, "ids"), ids, &e), 0);
  assert_true(ids[0] == -7 && ids[1] == 1LL << 40);
  assert_int_equal(st_read_reals(&f, st_find(&f, "empty"), r, &e), 0);
  assert_null(st_find(&f, "b"));
  st_close(&f);
  assert_true(st_shape_fits((int64_t[]){1, 80}, 2, (int64_t[]){80}, 1));
  assert_true(st_shape_fits((int64_t[]){1}, 1, NULL, 0));
  assert_false(st_shape_fits((int64_t[]){2, 3}, 2, (int64_t[]){3, 2}, 2));
}

/* Rows that are apart in memory are a tensor like any other in the file. */
static void test_safetensors_rows(void **state)
{
  (void)state;
  const char *path = path_of("rows.safetensors");
  enum { ROWS = 7000, WIDTH = 3, STRIDE = 5 }; /* more than one chunk */
  static rank_real apart[ROWS * STRIDE], back[ROWS * STRIDE], whole[ROWS * WIDTH];
  for (int i = 0; i < ROWS * STRIDE; i++) {
    apart[i] = (rank_real)i;
  }
  const st_entry entry = {"rows", ST_REAL, 2, {ROWS, WIDTH}, apart + 1, WIDTH, STRIDE};
  st_file f;
  rank_error e;
  assert_int_equal(st_write(path, &entry, 1, NULL, 0, &e), 0);
  assert_int_equal(st_open(&f, path, &e), 0);
  assert_int_equal(st_read_reals(&f, &f.tensors[0], whole, &e), 0);
  assert_int_equal(st_read_rows(&f, &f.tensors[0], back + 1, WIDTH, STRIDE, &e), 0);
  for (int i = 0; i < ROWS * STRIDE; i++) {
    int column = i % STRIDE - 1;
    int inside = column >= 0 && column < WIDTH;
    assert_true(back[i] == (inside ? apart[i] : 0));
    assert_true(!inside || whole[i / STRIDE * WIDTH + column] == apart[i]);
  }
  st_close(&f);
}

/* Opens and reads everything: 0 when all of it was accepted. */
static int read_everything(const char *path)
{
  st_file f;
  rank_error e = {{0}};
  int failed = st_open(&f, path, &e);
  for (int i = 0; !failed && i < f.ntensors; i++) {
    int64_t count = f.tensors[i].count;
    assert_true(count <= 1 << 20);
    rank_real *r = malloc((size_t)count * sizeof *r + 1);
    failed = st_read_reals(&f, &f.tensors[i], r, &e);
    free(r);
  }
  assert_true(!failed || strlen(e.text) > strlen(path));
  if (failed == 0 || f.tensors != NULL) {
    st_close(&f);
  }
  return failed;
}

static void test_safetensors_damage(void **state)
{
  (void)state;
  const char *path = path_of("good.safetensors"), *bad = path_of("bad.safetensors");
  size_t n;
  write_sample(path);
  char *bytes = read_file(path, &n);
  for (size_t cut = 0; cut < n; cut++) {
    write_file(bad, bytes, cut);
    assert_int_equal(read_everything(bad), -1);
  }
  uint64_t header;
  memcpy(&header, bytes, 8);
  for (size_t i = 0; i < n; i++) {
    for (int bit = 0; bit < 8; bit++) {
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
      write_file(bad, bytes, n);
      int failed = read_everything(bad); /* a flip in a name may pass, one in the numbers may not */
      assert_true(failed == -1 || (i >= 8 && i < 8 + header));
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
    }
  }
  write_file(bad, "\x08\0\0\0\0\0\0\0{\"a\":[]}", 16);
  assert_int_equal(read_everything(bad), -1);
  free(bytes);
}

static void test_header_tricks(void **state)
{
  (void)state;
  static const char *const refused[] = {
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]}}",
    "{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"__metadata__\":{\"a\":1},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} x", "[1, 2]", "{\"a\"", "{}",
    "\"a\"", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}"};
  static const char *const taken[] = {
    "{\"a\":{\"data_offsets\":[0,8],\"shape\":[2],\"dtype\":\"F32\"}}   ",
    ("{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},\"__metadata__\":{}}"),
    "{\"\\u00e9\\ud83d\\ude00\\n\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"};
  const char *path = path_of("trick.safetensors");
  for (size_t i = 0; i < sizeof refused / sizeof *refused + sizeof taken / sizeof *taken; i++) {
    size_t bad = sizeof refused / sizeof *refused;
    const char *header = i < bad ? refused[i] : taken[i - bad];
    char bytes[512] = {(char)strlen(header)};
    memcpy(bytes + 8, header, strlen(header));
    write_file(path, bytes, 8 + strlen(header) + 8);
    int failed = read_everything(path);
    if (failed != (i < bad ? -1 : 0)) {
      fail_msg("%s: %d", header, failed);
    }
  }
}

static void test_write_on_full_disk(void **state)
{
  (void)state;
  const char *path = path_of("full.safetensors"), *copy = path_of("copy.safetensors");
  static float big[1 << 16];
  const st_entry entry = {"big", ST_F32, 1, {1 << 16}, big, 0, 0};
  struct rlimit old, tight;
  rank_error e = {{0}};
  write_sample(path);
  write_sample(copy);
  int before = files_in_folder();
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  tight = old;
  tight.rlim_cur = 10000;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tight);
  int failed = st_write(path, &entry, 1, NULL, 0, &e);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_int_equal(failed, -1);
  assert_non_null(strstr(e.text, "cannot write"));
  assert_int_equal(files_in_folder(), before);
  assert_same_files(path, copy);
  assert_int_equal(st_write(path_of("none/x"), &entry, 1, NULL, 0, &e), -1);
  assert_int_equal(st_write(path, &entry, 1, NULL, 0, &e), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_safetensors_round_trip),
    cmocka_unit_test(test_safetensors_rows), cmocka_unit_test(test_safetensors_damage),
    cmocka_unit_test(test_header_tricks), cmocka_unit_test(test_write_on_full_disk)};
  return cmocka_run_group_tests_name("safetensors", tests, set_up_folder, tear_down_folder);
}
