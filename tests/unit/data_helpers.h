#ifndef DATA_HELPERS_H
#define DATA_HELPERS_H

/* Models by hand and files in a directory that goes away: what the tests of reading data share. To
 * be included first. */

#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "rank_data.h"

/* Rows of a model's inputs: an id, and a list of ids over the same vocabulary along the axis of dim 0. `size`
 * has the vocabulary's size, or 0. */
static const char *const item_column[] = {"item"}, *const hist_column[] = {"hist"};

#define ITEM_INPUT(size) \
  { \
    .name = "item", .is_id = 1, .dim = -1, .width = 1, .nvocab = 1, .vocab = size, .same_as = -1, \
    .encoding = { \
      PLAIN(item_column, 1), \
      .vocab = 1 \
    } \
  }
#define HIST_INPUT(size) \
  { \
    .name = "hist", .is_id = 1, .dim = 0, .width = 1, .nvocab = 1, .vocab = size, .same_as = 0, \
    .encoding = { \
      LIST(hist_column, " ") \
    } \
  }

static char data_dir[64]; /* "" until data_setup */

static inline int data_setup(void **state)
{
  (void)state;
  strcpy(data_dir, "/tmp/rankc-data-XXXXXX");
  return mkdtemp(data_dir) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
  (void)s, (void)kind, (void)at;
  return remove(path);
}

static inline int data_teardown(void **state)
{
  (void)state;
  return nftw(data_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *path_of(const char *name)
{
  static char paths[8][256];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", data_dir, name);
  return path;
}

/* A file in data_dir; the path is good until the next call but seven. */
static inline const char *data_file(const char *name, const char *bytes, size_t n)
{
  const char *path = path_of(name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  fclose(f);
  return path;
}

static inline const char *data_text(const char *name, const char *text)
{
  return data_file(name, text, strlen(text));
}

static inline const char *data_gzip(const char *name, const char *bytes, size_t n)
{
  const char *path = path_of(name);
  gzFile f = gzopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(gzwrite(f, bytes, (unsigned)n), n);
  gzclose(f);
  return path;
}

static inline char *data_read(const char *path, size_t *n)
{
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  *n = (size_t)ftell(f);
  rewind(f);
  char *bytes = malloc(*n + 1);
  assert_int_equal(fread(bytes, 1, *n, f), *n);
  fclose(f);
  return bytes;
}

/* Opens without a cache and learns when there is something to: the whole as a batch. */
typedef struct opened {
  rank_encoders *enc;
  rank_data *data;
  rank_batcher *batcher;
  const rank_batch *batch;
  rank_error error;
} opened;
static inline opened data_opened(const rank_model *m, const char *path, int labels)
{
  opened o = {.enc = rank_encoders_new(m)};
  rank_data_options options = {.labels = labels, .fit = 1};
  assert_non_null(o.enc);
  o.data = rank_data_open(m, o.enc, path, &options, &o.error);
  if (!o.data)
    return o;
  o.batcher = rank_batcher_new(o.data, rank_data_rows(o.data));
  assert_non_null(o.batcher);
  o.batch = rank_batch_range(o.batcher, 0, rank_data_rows(o.data));
  assert_non_null(o.batch);
  return o;
}

static inline void data_closed(opened *o)
{
  rank_batcher_free(o->batcher);
  rank_data_close(o->data);
  rank_encoders_free(o->enc);
}

/* The error, which must be there, is `want` with every # replaced by the path. */
static inline void data_fails(const rank_model *m, const char *path, const char *want)
{
  char text[1024] = "";
  for (size_t n = 0; *want && n < sizeof text - 300; want++) {
    if (*want == '#')
      n += (size_t)snprintf(text + n, 300, "%s", path);
    else
      text[n++] = *want, text[n] = 0;
  }
  opened o = data_opened(m, path, 1);
  assert_null(o.data);
  assert_string_equal(o.error.text, text);
  data_closed(&o);
}

static inline rank_real data_number(const opened *o, int input, long at)
{
  return ((const rank_real *)o->batch->input[input])[at];
}

static inline int data_id(const opened *o, int input, long at)
{
  return ((const int32_t *)o->batch->input[input])[at];
}

/* Pieces of a model's encodings: columns by name, and one that holds a list. */
#define PLAIN(names, n) \
  .source = RANK_FROM_NAMES, .ncolumns = (n), .columns = (names), .separator = ""
#define LIST(names, between) \
  .source = RANK_FROM_NAMES, .ncolumns = 1, .columns = (names), .separator = (between)

#endif
