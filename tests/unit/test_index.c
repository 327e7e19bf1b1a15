/* The index of vectors: exact search against a plain loop, ties, threads; files that are damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index.h"
#include "rank_random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Small whole numbers: every sum is exact, and equal scores are frequent. */
static void fill(float *x, long n, uint64_t seed)
{
  for (long i = 0; i < n; i++) {
    x[i] = (float)(rank_mix(seed + (uint64_t)i) % 5) - 2;
  }
}

static rank_index *make_index(const float *vectors, long count, long width, int64_t *ids)
{
  rank_error e = {{0}};
  index_draft d;
  int64_t *own = calloc((size_t)count + 1, sizeof *own);
  uint32_t *position = calloc((size_t)count + 1, sizeof *position);
  for (long i = 0; i < count; i++) {
    own[i] = ids != NULL ? ids[i] : i;
  }
  assert_int_equal(
    index_draft_new(&d, &(index_item_ids){.count = count, .numbers = own}, width, 1, position, &e),
    0);
  for (long i = 0; i < count; i++) {
    index_draft_vector(&d, position[i], vectors + i * width);
    index_draft_codes(&d)[position[i]] = (int32_t)(own[i] + 2);
  }
  d.h.layout = 77;
  snprintf(d.h.model, sizeof d.h.model, "tiny");
  rank_index *x = index_draft_open(&d, &e);
  assert_non_null(x);
  free(own);
  free(position);
  return x;
}

static float plain_score(const float *u, const float *a, long width)
{
  float sum = 0;
  for (long d = 0; d < width; d++) {
    sum += u[d] * a[d];
  }
  return sum;
}

/* How many of the items stand before item `i` for a query. */
static long place_of(const float *u, const float *items, long count, long width, long i)
{
  float own = plain_score(u, items + i * width, width);
  long place = 1;
  for (long j = 0; j < count; j++) {
    float s = plain_score(u, items + j * width, width);
    place += s > own || (s == own && j < i);
  }
  return place;
}

static void check_search(long count, long width, long n, long k)
{
  float *items = calloc((size_t)(count * width) + 1, sizeof *items);
  float *queries = calloc((size_t)(n * width) + 1, sizeof *queries);
  rank_index_hit *hits = calloc((size_t)(n * k), sizeof *hits),
                 *again = calloc((size_t)(n * k), sizeof *again);
  fill(items, count * width, 1);
  fill(queries, n * width, 1000003);
  rank_index *x = make_index(items, count, width, NULL);
  rank_index_query q = {.vectors = queries, .n = n, .k = k, .threads = 1};
  assert_int_equal(rank_index_search(x, &q, hits), 0);
  for (long i = 0; i < n; i++) {
    for (long r = 0; r < k; r++) {
      rank_index_hit h = hits[i * k + r];
      if (r >= count) {
        assert_int_equal(h.position, -1);
        continue;
      }
      assert_in_range(h.position, 0, count - 1);
      const float *u = queries + i * width, *a = items + h.position * width;
      assert_true(h.score == plain_score(u, a, width));
      assert_int_equal(place_of(u, items, count, width, h.position), r + 1);
    }
  }
  static const int threads[] = {2, 3, 8};
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    q.threads = threads[t];
    memset(again, 0, (size_t)(n * k) * sizeof *again);
    assert_int_equal(rank_index_search(x, &q, again), 0);
    for (long i = 0; i < n * k; i++) {
      assert_int_equal(hits[i].position, again[i].position);
      assert_memory_equal(&hits[i].score, &again[i].score, sizeof hits[i].score);
    }
  }
  rank_index_close(x);
  free(items);
  free(queries);
  free(hits);
  free(again);
}

static void test_search(void **state)
{
  (void)state;
  check_search(1, 1, 1, 1);
  check_search(63, 3, 1, 10);
  check_search(64, 16, 2, 64);
  check_search(65, 17, 25, 100); /* k > n */
  check_search(700, 33, 30, 9);
  check_search(700, 1, 3, 700); /* five scores, all else by position */
}

/* A query alone or among others, in numbers that do not add up exactly: the same bits. */
static void test_alone(void **state)
{
  (void)state;
  enum { COUNT = 500, WIDTH = 37, N = 29, K = 20 };
  static float items[COUNT * WIDTH], queries[N * WIDTH];
  static rank_index_hit together[N * K], alone[K];
  for (long i = 0; i < COUNT * WIDTH; i++) {
    items[i] = (float)rank_random_at(5, (uint64_t)i, 0) - 0.5f;
  }
  for (long i = 0; i < N * WIDTH; i++) {
    queries[i] = (float)rank_random_at(6, (uint64_t)i, 0) - 0.5f;
  }
  rank_index *x = make_index(items, COUNT, WIDTH, NULL);
  rank_index_query q = {.vectors = queries, .n = N, .k = K, .threads = 2};
  assert_int_equal(rank_index_search(x, &q, together), 0);
  for (long i = 0; i < N; i++) {
    q = (rank_index_query){.vectors = queries + i * WIDTH, .n = 1, .k = K, .threads = 1};
    assert_int_equal(rank_index_search(x, &q, alone), 0);
    for (long r = 0; r < K; r++) {
      assert_int_equal(alone[r].position, together[i * K + r].position);
      assert_memory_equal(&alone[r].score, &together[i * K + r].score, sizeof(float));
    }
  }
  rank_index_close(x);
}

/* The kernels for other machines, where this one can run them. */
static void test_kernels(void **state)
{
  (void)state;
  enum { WIDTH = 19 };
  static float block[WIDTH * INDEX_BLOCK], queries[INDEX_ROWS * WIDTH];
  static float want[INDEX_ROWS * INDEX_BLOCK], got[INDEX_ROWS * INDEX_BLOCK];
  static float limit[INDEX_ROWS];
  unsigned char above[INDEX_ROWS], other[INDEX_ROWS];
  fill(block, WIDTH * INDEX_BLOCK, 3);
  fill(queries, INDEX_ROWS * WIDTH, 4);
  index_scan *kernels[3] = {index_scan_base, index_scan_here(), index_scan_here()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels[2] = index_scan_avx2;
  }
#endif
  for (long n = 1; n <= INDEX_ROWS; n++) {
    limit[n - 1] = (float)(3 * n - 20);
    kernels[0](block, WIDTH, queries, n, limit, want, above);
    for (long i = 0; i < n * INDEX_BLOCK; i++) {
      float sum = 0;
      for (long d = 0; d < WIDTH; d++) {
        sum += queries[i / INDEX_BLOCK * WIDTH + d] * block[d * INDEX_BLOCK + i % INDEX_BLOCK];
      }
      assert_true(want[i] == sum);
    }
    for (int k = 1; k < 3; k++) {
      kernels[k](block, WIDTH, queries, n, limit, got, other);
      assert_memory_equal(want, got, (size_t)n * INDEX_BLOCK * sizeof *want);
      assert_memory_equal(above, other, (size_t)n);
    }
  }
}

static void test_not_a_number(void **state)
{
  (void)state;
  enum { COUNT = 130, K = 5 };
  static float items[COUNT];
  rank_index_hit hits[2 * K];
  fill(items, COUNT, 9);
  items[0] = items[64] = items[129] = NAN;
  items[77] = INFINITY;
  rank_index *x = make_index(items, COUNT, 1, NULL);
  float queries[2] = {1, NAN};
  for (int threads = 1; threads <= 3; threads++) {
    rank_index_query q = {.vectors = queries, .n = 2, .k = K, .threads = threads};
    assert_int_equal(rank_index_search(x, &q, hits), 0);
    assert_int_equal(hits[0].position, 77);
    for (int i = 1; i < K; i++) {
      assert_true(hits[i].position > 0 && items[hits[i].position] == 2);
      assert_int_equal(hits[K + i].position, -1); /* nothing compares with a query that is none */
    }
    long place[2];
    assert_int_equal(rank_index_places(x, &q, (int64_t[]){64, 77}, place), 0);
    assert_int_equal(place[0], 0);
    assert_int_equal(place[1], 0);
  }
  rank_index_close(x);
}

static void test_places(void **state)
{
  (void)state;
  enum { COUNT = 200, WIDTH = 3, N = 31 };
  static float items[COUNT * WIDTH], queries[N * WIDTH];
  int64_t target[N], from[N + 1];
  uint32_t skip[3 * N];
  long place[N], other[N];
  fill(items, COUNT * WIDTH, 21);
  fill(queries, N * WIDTH, 22);
  rank_index *x = make_index(items, COUNT, WIDTH, NULL);
  for (long i = 0; i < N; i++) {
    target[i] = i % 7 == 6 ? -1 : (i * 37) % COUNT;
    from[i] = 3 * i;
    skip[3 * i] = (uint32_t)i;
    skip[3 * i + 1] = (uint32_t)(i + 64);
    skip[3 * i + 2] = (uint32_t)(i + 150);
  }
  from[N] = 3 * N;
  rank_index_query q = {.vectors = queries, .n = N, .threads = 1, .skip_from = from, .skip = skip};
  assert_int_equal(rank_index_places(x, &q, target, place), 0);
  for (long i = 0; i < N; i++) {
    const float *u = queries + i * WIDTH;
    long want = target[i] < 0 ? 0 : place_of(u, items, COUNT, WIDTH, target[i]);
    for (int k = 0; k < 3 && want > 0; k++) {
      long s = skip[3 * i + k], own = target[i];
      float a = plain_score(u, items + s * WIDTH, WIDTH);
      float b = plain_score(u, items + own * WIDTH, WIDTH);
      want -= s != own && (a > b || (a == b && s < own));
    }
    assert_int_equal(place[i], want);
  }
  q.threads = 3;
  assert_int_equal(rank_index_places(x, &q, target, other), 0);
  assert_memory_equal(place, other, sizeof place);
  /* What is skipped is no result, and all else moves up. */
  enum { K = COUNT };
  static rank_index_hit hits[N * K];
  q.k = K;
  assert_int_equal(rank_index_search(x, &q, hits), 0);
  for (long i = 0; i < N; i++) {
    for (long r = 0; r < K; r++) {
      int64_t at = hits[i * K + r].position;
      assert_int_equal(at < 0, r >= COUNT - 3);
      assert_true(at != skip[3 * i] && at != skip[3 * i + 1] && at != skip[3 * i + 2]);
      if (target[i] >= 0 && at == target[i]) {
        assert_int_equal(place[i], r + 1);
      }
    }
  }
  rank_index_close(x);
}

/* --- ids --- */

static void test_numbers(void **state)
{
  (void)state;
  float items[] = {1, 2, 3};
  char room[RANK_INDEX_ID];
  rank_index *x = make_index(items, 3, 1, (int64_t[]){500, -3, 20});
  static const char *const want[] = {"-3", "20", "500"};
  for (long i = 0; i < 3; i++) {
    long length = (long)strlen(want[i]);
    assert_string_equal(rank_index_id(x, i, room, NULL), want[i]);
    assert_int_equal(rank_index_find(x, want[i], length), i);
  }
  float v = 0;
  assert_int_equal(rank_index_vector(x, 2, &v), 0);
  assert_true(v == 1);
  assert_int_equal(rank_index_codes(x)[0], -1);
  assert_int_equal(rank_index_vector(x, 3, &v), -1);
  assert_string_equal(rank_index_id(x, 3, room, NULL), "");
  assert_string_equal(rank_index_id(x, -1, room, NULL), "");
  assert_int_equal(rank_index_find(x, "020", 3), -1);
  assert_int_equal(rank_index_find(x, "99999999999999999999", 20), -1);
  assert_int_equal(rank_index_find(x, "", 0), -1);
  rank_index_close(x);
}

static int text_draft(index_draft *d, const char **texts, long n, rank_error *e)
{
  uint32_t lengths[8], position[8];
  for (long i = 0; i < n; i++) {
    lengths[i] = (uint32_t)strlen(texts[i]);
  }
  index_item_ids ids = {.count = n, .texts = texts, .lengths = lengths};
  int failed = index_draft_new(d, &ids, 1, 0, position, e);
  for (long i = 0; i < n && !failed; i++) {
    index_draft_vector(d, position[i], &(float){(float)i});
  }
  return failed;
}

static void test_texts(void **state)
{
  (void)state;
  rank_error e = {{0}};
  index_draft d;
  char room[RANK_INDEX_ID];
  assert_int_equal(text_draft(&d, (const char *[]){"pear", "fig", "figs", "apple"}, 4, &e), 0);
  rank_index *x = index_draft_open(&d, &e);
  assert_non_null(x);
  static const char *const want[] = {"apple", "fig", "figs", "pear"};
  static const float vector[] = {3, 1, 2, 0};
  for (long i = 0; i < 4; i++) {
    long length;
    float v;
    const char *id = rank_index_id(x, i, room, &length);
    assert_int_equal(length, strlen(want[i]));
    assert_memory_equal(id, want[i], (size_t)length);
    assert_int_equal(rank_index_find(x, want[i], length), i);
    assert_int_equal(rank_index_vector(x, i, &v), 0);
    assert_true(v == vector[i]);
  }
  assert_int_equal(rank_index_find(x, "fi", 2), -1);
  assert_int_equal(rank_index_find(x, "zebra", 5), -1);
  assert_null(rank_index_codes(x));
  rank_index_close(x);
}

static void test_twice(void **state)
{
  (void)state;
  rank_error e = {{0}};
  index_draft d;
  assert_int_equal(text_draft(&d, (const char *[]){"pear", "fig", "pear"}, 3, &e), -1);
  assert_string_equal(e.text, "rows 0 and 2 (the first is 0) have the same id \"pear\"");
  index_draft_free(&d);
}

/* --- files --- */

static char path[] = "/tmp/rank-index-XXXXXX";

static void write_bytes(const void *bytes, size_t n)
{
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

static void refused(const char *want)
{
  char message[300], full[500];
  rank_index *x = NULL;
  assert_int_equal(rank_index_open(&x, path, message, sizeof message), -1);
  assert_null(x);
  snprintf(full, sizeof full, "%s: %s", path, want);
  assert_string_equal(message, full);
}

static void test_damage(void **state)
{
  (void)state;
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  float items[3 * 2] = {1, 2, 3, 4, 5, 6};
  rank_index *made = make_index(items, 3, 2, NULL), *x;
  size_t n = made->bytes;
  char *copy = malloc(n + 1);
  memcpy(copy, made->map, n);
  copy[n] = 0;

  write_bytes(copy, n);
  assert_int_equal(rank_index_open(&x, path, NULL, 0), 0);
  rank_index_facts about = rank_index_about(x);
  assert_string_equal(about.model, "tiny");
  assert_int_equal(about.count, 3);
  assert_int_equal(about.width, 2);
  assert_int_equal(about.layout, 77);
  rank_index_hit hit;
  rank_index_query q = {.vectors = (float[]){1, 1}, .n = 1, .k = 1, .threads = 1};
  assert_int_equal(rank_index_search(x, &q, &hit), 0);
  assert_int_equal(hit.position, 2);
  assert_true(hit.score == 11);
  rank_index_close(x);

  write_bytes("", 0);
  refused("not an index (the file is empty)");
  write_bytes("PK\3\4 something else", 18);
  refused("not an index (it does not start like one)");
  write_bytes(copy, 20);
  refused("cut off: 20 bytes, the header alone has 232");
  char message[200];
  snprintf(message, sizeof message, "cut off: %zu bytes, its header says %zu", n - 100, n);
  write_bytes(copy, n - 100);
  refused(message);
  snprintf(message, sizeof message, "damaged: %zu bytes, its header says %zu", n + 1, n);
  write_bytes(copy, n + 1);
  refused(message);
  copy[8]++;
  write_bytes(copy, n);
  refused("an index of version 3, wanted 2; make it again");
  copy[8]--;
  for (size_t i = 12; i < sizeof(index_header); i++) { /* every byte of the header */
    copy[i] ^= 4;
    write_bytes(copy, n);
    refused("damaged: the checksum of its header is wrong");
    copy[i] ^= 4;
  }
  for (size_t i = sizeof(index_header); i < n;
       i += i + 97 < n ? 97 : 1) { /* and what is behind it */
    copy[i] ^= 4;
    write_bytes(copy, n);
    assert_int_equal(rank_index_open(&x, path, message, sizeof message), 0);
    assert_int_equal(rank_index_verify(x, message, sizeof message), -1);
    assert_string_equal(message, "damaged: the checksum of its vectors and ids is wrong");
    rank_index_close(x);
    copy[i] ^= 4;
  }
  assert_int_equal(rank_index_verify(made, NULL, 0), 0);
  free(copy);
  unlink(path);
  refused("cannot open: No such file or directory");
  rank_index_close(made);
}

/* Headers that are signed and wrong: whoever made them, nothing outside of the file is read. */
static void test_lies(void **state)
{
  (void)state;
  float items[3 * 2] = {1, 2, 3, 4, 5, 6};
  rank_index *made = make_index(items, 3, 2, NULL);
  rank_error e = {{0}};
  char *copy =
    aligned_alloc(INDEX_ALIGN, (made->bytes + INDEX_ALIGN - 1) / INDEX_ALIGN * INDEX_ALIGN);
  index_header *h = (index_header *)(void *)copy;
  const struct {
    size_t at;
    uint64_t value;
  } lies[] = {{offsetof(index_header, count), 65}, {offsetof(index_header, count), UINT64_MAX},
    {offsetof(index_header, count), UINT64_MAX / 8}, {offsetof(index_header, width), 0},
    {offsetof(index_header, width), 3}, {offsetof(index_header, width), UINT64_MAX / 256 + 2},
    {offsetof(index_header, ids_at), 8}, {offsetof(index_header, ids_at), made->bytes - 8},
    {offsetof(index_header, ids_at), UINT64_MAX - 7}, {offsetof(index_header, codes_at), 4},
    {offsetof(index_header, codes_at), made->bytes}, {offsetof(index_header, vectors_at), 4100},
    {offsetof(index_header, vectors_at), made->bytes / 4096 * 4096 + 4096}};
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    rank_index x;
    memcpy(copy, made->map, made->bytes);
    memcpy(copy + lies[i].at, &lies[i].value, sizeof lies[i].value);
    h->checksum = index_checksum(h);
    assert_int_equal(index_adopt(&x, "it", copy, made->bytes, &e), -1);
    assert_string_equal(e.text, "it: damaged: its header does not fit together");
  }
  free(copy);
  rank_index_close(made);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_search), cmocka_unit_test(test_alone),
    cmocka_unit_test(test_kernels), cmocka_unit_test(test_not_a_number),
    cmocka_unit_test(test_places), cmocka_unit_test(test_numbers), cmocka_unit_test(test_texts),
    cmocka_unit_test(test_twice), cmocka_unit_test(test_damage), cmocka_unit_test(test_lies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
