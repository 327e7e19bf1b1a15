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

/* Whether every id of the rows is one of its input's. Checksums find damage, not what was written to
 * mislead, and generated code reads a table's row without asking again. */
int data_ids_fit(const rank_encoders *enc, const cache *c);

/* The name of a cache entry for this file: `purpose` says of what, `encodings` is the learnt
 * state. */
cache_key data_key(
  const rank_model *m, const text_file *f, int labels, const char *purpose, const char *encodings);

#endif
