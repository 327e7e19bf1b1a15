/* fuzz_cache.c: the reader of encoded rows and of learnt encodings on any bytes (libFuzzer). What a checksum
 * would refuse at once gets the right checksums here, so that everything behind them is reached too: rows
 * that are believed must be gathered without a read outside the file, and hold no id past its table.
 * The first byte chooses: '{' learnt encodings as JSON, else a cache's rows. */

#define XXH_INLINE_ALL
#include "../../runtime/cache_format.h"
#include "../../runtime/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NDIMS = 1, WORDS = 3 + NDIMS, MOST_ROWS = 64, MOST_BYTES = 1 << 16 };

static const rank_dim dims[] = {{"L", 5}};
static const long fixed[] = {20}, learnt[] = {0};
static const char *const columns[][2] = {{"i"}, {"h"}, {"a", "b"}};
static const rank_input inputs[] = {
  {.name = "i",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = fixed,
    .same_as = -1,
    .encoding = {.ncolumns = 1, .columns = columns[0], .separator = ""}},
  {.name = "h",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = -1,
    .encoding = {.ncolumns = 1, .columns = columns[1], .separator = " ", .vocab = 1}},
  {.name = "x",
    .dim = -1,
    .width = 2,
    .same_as = -1,
    .encoding = {.ncolumns = 2, .columns = columns[2], .separator = "", .standardize = 1}}};
static const rank_model model = {
  .ndims = NDIMS, .ninputs = 3, .dims = dims, .inputs = inputs, .header = 1, .separator = ','};

/* Makes the checksums right, as far as there is something to be right about. */
static void sign(char *rows, size_t size)
{
  cache_header *h = (cache_header *)(void *)rows;
  memcpy(h->magic, CACHE_MAGIC, sizeof h->magic);
  h->version = CACHE_VERSION;
  h->endian = CACHE_ENDIAN;
  h->real = sizeof(rank_real);
  h->key[0] = h->key[1] = 0;
  h->size = size;
  h->shift = cache_shift(&model, 1);
  if (h->directory < size && h->directory % sizeof(uint64_t) == 0) {
    uint64_t *entry = (uint64_t *)(void *)(rows + h->directory);
    for (size_t n = (size - h->directory) / sizeof *entry; n >= WORDS; n -= WORDS) {
      if (entry[0] <= h->directory && entry[1] <= h->directory - entry[0]) {
        entry[2] = XXH3_64bits(rows + entry[0], entry[1]);
      }
      entry += WORDS;
    }
    h->directory_checksum = XXH3_64bits(rows + h->directory, size - h->directory);
  }
  h->checksum = cache_hash(h);
}

static int file_of(const void *bytes, size_t size)
{
  int fd = memfd_create("rows", MFD_CLOEXEC);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
    abort();
  }
  return fd;
}

static void gather(cache *c, int fits)
{
  rank_data d = {.m = &model, .cache = c};
  rank_batcher *batcher = rank_batcher_new(&d, MOST_ROWS);
  long rows = rank_data_rows(&d);
  for (long at = 0; at < rows && at < 20 * MOST_ROWS; at += MOST_ROWS) {
    long n = rows - at < MOST_ROWS ? rows - at : MOST_ROWS;
    const rank_batch *b = rank_batch_range(batcher, at, n);
    if (!b) {
      abort();
    }
    int what;
    long where;
    rank_state state = {0};
    if (fits && rank_check_batch(&model, &state, b, 1, &what, &where) == RANK_BAD_ID) {
      abort();
    }
    if (b->offset[0][b->n] > dims[0].max * b->n) {
      abort();
    }
  }
  rank_batcher_free(batcher);
}

static void read_learnt(const uint8_t *data, size_t size)
{
  rank_encoders *enc = rank_encoders_new(&model);
  rank_error e;
  if (rank_encoders_from_json(enc, (const char *)data, size, &e) == 0) {
    char *json = rank_encoders_json(enc);
    rank_encoders *again = rank_encoders_new(&model);
    if (!json || rank_encoders_from_json(again, json, strlen(json), &e) != 0) {
      abort(); /* what it writes it reads */
    }
    free(json);
    rank_encoders_free(again);
  }
  rank_encoders_free(enc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char rows[MOST_BYTES] __attribute__((aligned(64)));
  if (size == 0 || size > MOST_BYTES) {
    return 0;
  }
  if (data[0] == '{') {
    read_learnt(data, size);
    return 0;
  }
  memcpy(rows, data, size);
  if (size >= sizeof(cache_header)) {
    sign(rows, size);
  }
  for (int full = 0; full < 2; full++) {
    cache *c = cache_map(&model, 1, (cache_key){{0, 0}}, file_of(rows, size), full);
    if (c) {
      rank_encoders *enc = rank_encoders_new(&model);
      gather(c, data_ids_fit(enc, c));
      rank_encoders_free(enc);
      cache_unmap(c);
    }
  }
  return 0;
}
