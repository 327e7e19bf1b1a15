/* Encoded rows on disk and in batches: found again, never believed when damaged, gathered right;
 * and learnt encodings as JSON. */

#define XXH_INLINE_ALL
#include "data_helpers.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <xxhash.h>

#include "cache_format.h"

enum { ROWS = 3000, LONGEST = 9 };

static const char *const v_columns[] = {"a", "b"};
static const long learnt[] = {0};
static const rank_dim dims[] = {{"L", LONGEST}};
static const rank_input inputs[] = {
  ITEM_INPUT(learnt),
  HIST_INPUT(learnt),
  {.name = "v",
    .dim = -1,
    .width = 2,
    .same_as = -1,
    .encoding = {PLAIN(v_columns, 2), .standardize = 1}},
};
static const rank_model model = {
  .ninputs = 3, .inputs = inputs, .ndims = 1, .dims = dims, .header = 1, .separator = ','};

static char cache_dir[128];

/* rows of `item,hist,a,b`: what row i has follows from i alone. */
static const char *rows_file(const char *name, int rows)
{
  char *text = malloc((size_t)rows * 100 + 100);
  size_t n = (size_t)sprintf(text, "item,hist,a,b\n");
  for (int i = 0; i < rows; i++) {
    n += (size_t)sprintf(text + n, "i%d,", i % 50);
    for (int k = 0; k < i % (LONGEST + 1); k++)
      n += (size_t)sprintf(text + n, "%si%d", k ? " " : "", (i + k) % 50);
    n += (size_t)sprintf(text + n, ",%d,%d\n", i, i % 7);
  }
  const char *path = data_file(name, text, n);
  free(text);
  return path;
}

typedef struct told {
  int calls;
  double last;
} told;

static void tell(void *arg, double fraction)
{
  told *t = arg;
  assert_true(fraction >= t->last && fraction <= 1);
  t->last = fraction;
  t->calls++;
}

/* Opens with the cache; *calls: how often it had something to tell (1: all was there). */
static rank_data *open_cached(const rank_model *m, rank_encoders *enc, const char *path, int *calls)
{
  told t = {0};
  rank_error e = {""};
  rank_data_options o = {
    .labels = 1, .fit = 1, .cache_dir = cache_dir, .progress = tell, .progress_arg = &t};
  rank_data *d = rank_data_open(m, enc, path, &o, &e);
  assert_string_equal(e.text, "");
  assert_non_null(d);
  assert_true(t.last >= 1);
  *calls = t.calls;
  return d;
}

static char *content(const rank_data *d, size_t *n) /* all values, one after another */
{
  rank_batcher *b = rank_batcher_new(d, ROWS);
  const rank_batch *batch = rank_batch_range(b, 0, rank_data_rows(d));
  assert_non_null(batch);
  size_t rows = (size_t)batch->n, values = (size_t)batch->offset[0][batch->n];
  const size_t sizes[] = {rows * 4, values * 4, rows * 2 * sizeof(rank_real), (rows + 1) * 4};
  const void *const from[] = {batch->input[0], batch->input[1], batch->input[2], batch->offset[0]};
  char *bytes = malloc(sizes[0] + sizes[1] + sizes[2] + sizes[3]);
  *n = 0;
  for (int i = 0; i < 4; *n += sizes[i++])
    memcpy(bytes + *n, from[i], sizes[i]);
  rank_batcher_free(b);
  return bytes;
}

/* The only file of the cache with this ending. */
static const char *entry(const char *suffix)
{
  static char path[512];
  DIR *dir = opendir(cache_dir);
  int found = 0;
  assert_non_null(dir);
  for (struct dirent *f = readdir(dir); f; f = readdir(dir)) {
    size_t n = strlen(f->d_name), m = strlen(suffix);
    assert_int_not_equal(strncmp(f->d_name, "writing", 7), 0); /* nothing is left behind */
    if (n > m && !strcmp(f->d_name + n - m, suffix)) {
      snprintf(path, sizeof path, "%s/%s", cache_dir, f->d_name);
      found++;
    }
  }
  closedir(dir);
  assert_int_equal(found, 1);
  return path;
}

static int setup(void **state)
{
  int failed = data_setup(state);
  snprintf(cache_dir, sizeof cache_dir, "%s/some/cache", data_dir);
  return failed;
}

static void overwrite(const char *path, const char *bytes, size_t n)
{
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  fclose(f);
}

/* Opens again: the content must be as it was, whatever lies in the cache. */
static int reopen(const char *path, const char *want, size_t size)
{
  int calls;
  size_t n;
  rank_encoders *enc = rank_encoders_new(&model);
  rank_data *d = open_cached(&model, enc, path, &calls);
  char *bytes = content(d, &n);
  assert_int_equal(n, size);
  assert_memory_equal(bytes, want, n);
  free(bytes);
  rank_data_close(d);
  rank_encoders_free(enc);
  return calls;
}

static void test_found_again(void **state)
{
  const char *path = rows_file("found.csv", ROWS);
  int calls;
  size_t size;
  (void)state;
  rank_encoders *enc = rank_encoders_new(&model);
  rank_data *d = open_cached(&model, enc, path, &calls);
  assert_true(calls > 3);
  char *want = content(d, &size);
  assert_int_equal(reopen(path, want, size), 1);
  /* other encodings, other rows */
  char json[] = "{\"item\":{\"vocab\":[[\"i7\"]]},\"v\":{\"mean\":[0,0],\"sd\":[1,1]}}";
  rank_data_options o = {.labels = 1, .cache_dir = cache_dir};
  rank_error e = {""};
  assert_int_equal(rank_encoders_from_json(enc, json, strlen(json), &e), 0);
  rank_data *other = rank_data_open(&model, enc, path, &o, &e);
  size_t n;
  char *bytes = content(other, &n);
  assert_int_equal(n, size);
  assert_memory_not_equal(bytes, want, n);
  free(bytes);
  rank_data_close(other);
  /* the file grows: neither the rows nor what was learnt are taken for its own */
  FILE *f = fopen(path, "a");
  fputs("new,new,1,1\n", f);
  fclose(f);
  other = open_cached(&model, enc, path, &calls);
  assert_true(calls > 3);
  assert_int_equal(rank_data_rows(other), ROWS + 1);
  assert_int_equal(rank_encoders_size(enc, 0), 53);
  rank_data_close(other);
  rank_data_close(d);
  free(want);
  rank_encoders_free(enc);
}

/* Every kind of damage gives the same rows again, from the text. */
static void test_damage(void **state)
{
  const char *path = rows_file("damage.csv", 600);
  int calls;
  size_t size, n, told_n;
  (void)state;
  snprintf(cache_dir, sizeof cache_dir, "%s/damage", data_dir);
  rank_encoders *enc = rank_encoders_new(&model);
  rank_data *d = open_cached(&model, enc, path, &calls);
  char *want = content(d, &size);
  rank_data_close(d);
  rank_encoders_free(enc);
  char rows_path[512], learnt_path[512];
  strcpy(rows_path, entry(".rows"));
  strcpy(learnt_path, entry(".learnt"));
  char *rows = data_read(rows_path, &n), *told_bytes = data_read(learnt_path, &told_n);
  for (size_t at = 0; at < n; at += at < 128 || at > n - 48 ? 1 : 397) {
    char *copy = malloc(n);
    memcpy(copy, rows, n);
    copy[at] ^= 0x10;
    unlink(rows_path); /* not into what is mapped */
    overwrite(rows_path, copy, n);
    calls = reopen(path, want, size);
    assert_true(calls == 1 || calls >= 3);
    free(copy);
  }
  for (size_t cut = 0; cut < n; cut += cut < 256 ? 17 : 1999) {
    unlink(rows_path);
    overwrite(rows_path, rows, cut);
    assert_true(reopen(path, want, size) >= 3);
  }
  for (size_t at = 0; at < told_n; at += 11) {
    told_bytes[at] ^= 0x20;
    overwrite(learnt_path, told_bytes, at % 2 ? told_n : at);
    assert_true(reopen(path, want, size) >= 3);
    told_bytes[at] ^= 0x20;
  }
  char *again = data_read(rows_path, &n);
  assert_memory_equal(again, rows, n); /* and the file is written anew, the same */
  free(again);
  free(rows);
  free(told_bytes);
  free(want);
}

/* Makes the checksums of a file with one group right again. */
static void sign(char *rows)
{
  cache_header *h = (cache_header *)(void *)rows;
  uint64_t *directory = (uint64_t *)(void *)(rows + h->directory);
  assert_int_equal(h->groups, 1);
  directory[2] = XXH3_64bits(rows + directory[0], directory[1]);
  h->directory_checksum = XXH3_64bits(directory, h->size - h->directory);
  h->checksum = XXH3_64bits(h, offsetof(cache_header, checksum));
}

static void tell_lie(char *rows, int lie)
{
  cache_header *h = (cache_header *)(void *)rows;
  uint64_t *directory = (uint64_t *)(void *)(rows + h->directory);
  uint32_t *offset = (uint32_t *)(void *)(rows + directory[0]);
  switch (lie) {
  case 0:
    break;
  case 1:
    h->version++;
    break;
  case 2:
    h->real ^= 12;
    break;
  case 3:
    h->key[0]++;
    break;
  case 4:
    h->shift--;
    break;
  case 5:
    h->rows += 7;
    break;
  case 6:
    h->rows = UINT32_MAX;
    break;
  case 7:
    offset[0] = 1;
    break;
  case 8:
    offset[10] += 1000000;
    break;
  case 9:
    offset[10] = offset[9] - 1;
    break;
  case 10: /* longer than L */
    offset[10] = offset[9] + LONGEST + 1;
    break;
  case 11:
    offset[600]++;
    break;
  case 12:
    directory[3]++;
    break;
  case 13:
    directory[3] += (uint64_t)1 << 62;
    offset[600] = (uint32_t)directory[3];
    break;
  case 14:
    directory[1] -= 64;
    break;
  case 15: /* an item that is none of the 50 */
    ((int32_t *)(void *)offset)[cache_align(601 * sizeof *offset) / sizeof *offset] = 2 + 50;
    break;
  default:
    h->groups = 2;
    break;
  }
}

/* What no writer of this version writes, with the right checksums all the same. */
static void test_lies(void **state)
{
  const char *path = rows_file("lies.csv", 600);
  int calls;
  size_t size, n;
  (void)state;
  snprintf(cache_dir, sizeof cache_dir, "%s/lies", data_dir);
  rank_encoders *enc = rank_encoders_new(&model);
  rank_data *d = open_cached(&model, enc, path, &calls);
  char *want = content(d, &size), rows_path[512];
  rank_data_close(d);
  rank_encoders_free(enc);
  strcpy(rows_path, entry(".rows"));
  char *rows = data_read(rows_path, &n), *copy = malloc(n);
  for (int lie = 0; lie < 17; lie++) {
    memcpy(copy, rows, n);
    cache_header *h = (cache_header *)(void *)copy;
    tell_lie(copy, lie);
    uint64_t groups = h->groups;
    h->groups = 1;
    sign(copy);
    h->groups = groups;
    h->checksum = XXH3_64bits(h, offsetof(cache_header, checksum));
    unlink(rows_path);
    overwrite(rows_path, copy, n);
    calls = reopen(path, want, size);
    assert_true(lie == 0 ? calls == 1 : calls >= 3);
  }
  free(copy);
  free(rows);
  free(want);
}

static void test_two_processes(void **state)
{
  const char *path = rows_file("two.csv", ROWS);
  pid_t children[4];
  int calls;
  size_t size;
  (void)state;
  snprintf(cache_dir, sizeof cache_dir, "%s/two", data_dir);
  opened plain = data_opened(&model, path, 1);
  char *want = content(plain.data, &size);
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      for (int k = 0; k < 5; k++) {
        rank_encoders *enc = rank_encoders_new(&model);
        rank_data *d = open_cached(&model, enc, path, &calls);
        size_t n;
        char *bytes = content(d, &n);
        if (n != size || memcmp(bytes, want, n))
          _exit(1);
        free(bytes);
        rank_data_close(d);
        rank_encoders_free(enc);
        if (k % 2 == i % 2) { /* safe to delete, at any time */
          char command[300];
          snprintf(command, sizeof command, "rm -f %s/*.rows %s/*.learnt", cache_dir, cache_dir);
          if (system(command))
            _exit(2);
        }
      }
      _exit(0);
    }
  }
  for (int i = 0; i < 4; i++) {
    int status;
    waitpid(children[i], &status, 0);
    assert_int_equal(status, 0);
  }
  free(want);
  data_closed(&plain);
}

static void test_cannot_write(void **state)
{
  rank_error e = {""};
  char want[300];
  const char *path = rows_file("cannot.csv", 3), *file = data_text("file", "");
  rank_data_options o = {.labels = 1, .fit = 1, .cache_dir = file};
  rank_encoders *enc = rank_encoders_new(&model);
  (void)state;
  assert_null(rank_data_open(&model, enc, path, &o, &e));
  snprintf(want, sizeof want, "%s: cannot write the cache: Not a directory", file);
  assert_string_equal(e.text, want);
  rank_encoders_free(enc);
}

/* Row i of a batch is what rows_file wrote as `row`. */
static void expect_row(const rank_batch *b, long i, int row, const rank_encoders *enc)
{
  const int32_t *item = b->input[0], *hist = b->input[1], *offset = b->offset[0];
  (void)enc;
  assert_int_equal(offset[i + 1] - offset[i], row % (LONGEST + 1));
  for (int k = 0; k < offset[i + 1] - offset[i]; k++) /* the first click is the item itself */
    assert_true((hist[offset[i] + k] == item[i]) == (k == 0));
}

static void test_batches(void **state)
{
  opened o = data_opened(&model, rows_file("batches.csv", ROWS), 1);
  rank_batcher *b = rank_batcher_new(o.data, 100);
  uint32_t order[ROWS];
  (void)state;
  rank_shuffle(order, ROWS, 1, 0);
  for (long at = 0; at < ROWS; at += 100) {
    const rank_batch *batch = rank_batch_rows(b, order + at, 100);
    assert_int_equal(batch->n, 100);
    assert_int_equal(batch->offset[0][0], 0);
    for (int i = 0; i < 3; i++)
      assert_int_equal((uintptr_t)batch->input[i] % 64, 0);
    assert_int_equal((uintptr_t)batch->offset[0] % 64, 0);
    for (long i = 0; i < 100; i++) {
      expect_row(batch, i, (int)order[at + i], o.enc);
      const rank_real *v = batch->input[2];
      assert_memory_equal(
        v + 2 * i, (const rank_real *)o.batch->input[2] + 2 * order[at + i], 2 * sizeof *v);
    }
  }
  const rank_batch *none = rank_batch_range(b, ROWS, 0);
  assert_int_equal(none->n, 0);
  assert_int_equal(none->offset[0][0], 0);
  assert_non_null(none->input[1]);
  static const uint32_t beyond[] = {0, ROWS};
  assert_null(rank_batch_rows(b, beyond, 2));
  assert_null(rank_batch_rows(b, order, 101));
  assert_null(rank_batch_range(b, ROWS - 1, 2));
  assert_null(rank_batch_range(b, -1, 1));
  rank_batcher_free(b);
  data_closed(&o);
}

/* So wide that a group has few rows: many groups, and a last one that is not full. */
static void test_groups(void **state)
{
  enum { WIDE = 5000, TALL = 2500 };
  static const char *const column[] = {"w"};
  rank_input wide = {.name = "w",
    .dim = -1,
    .width = WIDE,
    .same_as = -1,
    .encoding = {LIST(column, "|"), .has_missing = 1}};
  rank_model m = {.ninputs = 1, .inputs = &wide, .header = 1, .separator = ','};
  char *text = malloc((size_t)TALL * (WIDE + 20));
  size_t n = (size_t)sprintf(text, "w,other\n");
  (void)state;
  for (int i = 0; i < TALL; i++) {
    n += (size_t)sprintf(text + n, "%d", i);
    memset(text + n, '|', WIDE - 1);
    n += WIDE - 1;
    n += (size_t)sprintf(text + n, ",\n");
  }
  rank_encoders *enc = rank_encoders_new(&m);
  rank_error e = {""};
  rank_data_options o = {.labels = 1};
  rank_data *d = rank_data_open(&m, enc, data_file("wide.csv", text, n), &o, &e);
  assert_string_equal(e.text, "");
  rank_batcher *b = rank_batcher_new(d, 3);
  for (uint32_t i = 0; i < TALL; i++) {
    const uint32_t rows[] = {i, TALL - 1 - i, (i + 700) % TALL};
    const rank_real *v = rank_batch_rows(b, rows, 3)->input[0];
    for (int k = 0; k < 3; k++)
      assert_true(v[k * WIDE] == (rank_real)rows[k] && v[k * WIDE + WIDE - 1] == 0);
  }
  rank_batcher_free(b);
  rank_data_close(d);
  rank_encoders_free(enc);
  free(text);
}

static void test_shuffle(void **state)
{
  enum { N = 1000 };
  uint32_t a[N], b[N];
  unsigned char seen[N] = {0};
  static const uint32_t first[] = {7, 0, 2, 1, 5, 3, 6, 9, 4, 8};
  (void)state;
  rank_shuffle(a, N, 7, 3);
  rank_shuffle(b, N, 7, 3);
  assert_memory_equal(a, b, sizeof a);
  for (int i = 0; i < N; i++)
    assert_int_equal(seen[a[i]]++, 0);
  rank_shuffle(b, N, 7, 4);
  assert_memory_not_equal(a, b, sizeof a);
  rank_shuffle(b, N, 8, 3);
  assert_memory_not_equal(a, b, sizeof a);
  rank_shuffle(a, 10, 1, 0); /* the same everywhere, for good */
  assert_memory_equal(a, first, sizeof first);
  rank_shuffle(a, 1, 1, 0);
  assert_int_equal(a[0], 0);
  rank_shuffle(a, 0, 1, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_found_again),
    cmocka_unit_test(test_damage),
    cmocka_unit_test(test_lies),
    cmocka_unit_test(test_two_processes),
    cmocka_unit_test(test_cannot_write),
    cmocka_unit_test(test_batches),
    cmocka_unit_test(test_groups),
    cmocka_unit_test(test_shuffle),
  };
  return cmocka_run_group_tests_name("data_cache", tests, setup, data_teardown);
}
