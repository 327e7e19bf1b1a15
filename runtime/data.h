#ifndef RANK_DATA_INSIDE_H
#define RANK_DATA_INSIDE_H

/* What the files behind rank_data.h share. */

#include "cache.h"
#include "data_text.h"
#include "encode.h"
#include "rank_data.h"

struct rank_data {
  const rank_model *m;
  cache *cache;
  const struct rank_fits *fits; /* the encoders', which then must outlive the data */
};

/* The name of a cache entry for this file: `purpose` says of what, `encodings` is the learnt
 * state. */
cache_key data_key(
  const rank_model *m, const text_file *f, int labels, const char *purpose, const char *encodings);

#endif
