/* fuzz_data.c: the data reader on any bytes (libFuzzer): a file of rows is read, its encodings learnt,
 * and all rows gathered, or it is refused with a message. The first byte chooses csv or libsvm. */

#include "../../runtime/rank_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS = 5, MOST_ROWS = 64 };

static const rank_dim dims[] = {{"L", 5}};
static const char *const columns[][3] = {{"id"}, {"list"}, {"x", "z"}, {"h"}, {"y"}};
static const int positions[] = {0, 1, 2, 3, 4};
static const long learnt[] = {0}, hashed[] = {50}, most[] = {20};

static const rank_input csv_inputs[INPUTS] = {
  {.name = "id",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = -1,
    .encoding =
      {.ncolumns = 1, .columns = columns[0], .separator = "", .vocab = 1, .vocab_min = 2}},
  {.name = "list",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = learnt,
    .same_as = 0,
    .encoding = {.ncolumns = 1, .columns = columns[1], .separator = "|", .vocab = 1, .cut = 1}},
  {.name = "x",
    .dim = -1,
    .width = 2,
    .same_as = -1,
    .encoding = {.ncolumns = 2,
      .columns = columns[2],
      .separator = "",
      .log1p = 1,
      .standardize = 1,
      .has_missing = 1}},
  {.name = "h",
    .is_id = 1,
    .dim = -1,
    .width = 1,
    .nvocab = 1,
    .vocab = hashed,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_POSITIONS,
      .ncolumns = 1,
      .positions = positions + 3,
      .separator = "",
      .hash = 1}},
  {.name = "y",
    .label = 1,
    .dim = -1,
    .width = 1,
    .same_as = -1,
    .encoding = {.ncolumns = 1, .columns = columns[4], .separator = ""}}};
static const rank_input pair_inputs[] = {
  {.name = "index",
    .is_id = 1,
    .dim = 0,
    .width = 1,
    .nvocab = 1,
    .vocab = most,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_INDICES, .ncolumns = 1, .separator = "", .cut = 1}},
  {.name = "value",
    .dim = 0,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_VALUES, .ncolumns = 1, .separator = "", .cut = 1}},
  {.name = "y",
    .label = 1,
    .dim = -1,
    .width = 1,
    .same_as = -1,
    .encoding = {.source = RANK_FROM_TARGET, .ncolumns = 1, .separator = ""}}};

static void read_rows(const rank_model *m, const char *path)
{
  rank_error e;
  rank_encoders *encoders = rank_encoders_new(m);
  const rank_data_options options = {.labels = 1, .fit = 1, .threads = 1};
  rank_data *d = rank_data_open(m, encoders, path, &options, &e);
  if (d) {
    long rows = rank_data_rows(d), n = rows < MOST_ROWS ? rows : MOST_ROWS;
    rank_batcher *batcher = rank_batcher_new(d, MOST_ROWS);
    if (!rank_batch_range(batcher, 0, n) || !rank_batch_range(batcher, rows - n, n)) {
      abort();
    }
    rank_batcher_free(batcher);
    rank_data_close(d);
    char *json = rank_encoders_json(encoders);
    free(json);
  }
  rank_encoders_free(encoders);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const rank_model csv = {.name = "csv",
    .ndims = 1,
    .ninputs = INPUTS,
    .dims = dims,
    .inputs = csv_inputs,
    .optimizer = "",
    .header = 1,
    .separator = ','};
  static const rank_model pairs = {.name = "pairs",
    .ndims = 1,
    .ninputs = 3,
    .dims = dims,
    .inputs = pair_inputs,
    .optimizer = "",
    .libsvm = 1,
    .libsvm_base = 1};
  char path[64];
  snprintf(path, sizeof path, "/dev/shm/fuzz_data.%d", (int)getpid());
  FILE *file = size > 0 ? fopen(path, "wb") : NULL;
  if (!file) {
    return 0;
  }
  fwrite(data + 1, 1, size - 1, file);
  fclose(file);
  read_rows(data[0] == '#' ? &pairs : &csv, path);
  unlink(path);
  return 0;
}
