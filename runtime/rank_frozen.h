#ifndef RANK_FROZEN_H
#define RANK_FROZEN_H

/* A library whose weights were known when it was made: where everything lies in them.
 *
 * One idea: nothing is left to be read, converted or packed. Opening points at what is there, in an array of
 * the library or in a file of the same bytes, which is mapped. */

#include "rank_library.h"

typedef struct rank_frozen_param {
  long rows;
  long at;        /* bytes before it; -1: nothing reads it */
  long scale;     /* the same of the factors of its rows, RANK_INT8 */
  rank_kind kind; /* of a table */
} rank_frozen_param;

typedef struct rank_frozen_tensor { /* that a fit has learnt */
  int fit;
  const char *key;
  int type; /* st_dtype */
  long rows, columns, at;
} rank_frozen_tensor;

typedef struct rank_frozen {
  const rank_library *library;
  const rank_frozen_param *params;                /* of each of the model's */
  long prepared, request_prepared, rank_prepared; /* where they are; -1: there is nothing */
  const rank_frozen_tensor *tensors;              /* those of a fit in the order of its op */
  int ntensors;
  long bytes;
  const void *inside; /* the weights; NULL: they are in a file */
  uint64_t layout;    /* what such a file must be made for */
} rank_frozen;

/* Such a file: this, then the weights. */
typedef struct rank_frozen_head {
  char magic[16]; /* RANK_FROZEN_MAGIC, then zeros */
  uint64_t layout, bytes;
  uint64_t check; /* rank_frozen_check of the weights */
  uint64_t zero[3];
} rank_frozen_head;

#define RANK_FROZEN_MAGIC "rankc frozen 1"

/* A checksum of `bytes` bytes, a multiple of 64. */
uint64_t rank_frozen_check(const void *data, long bytes);

/* weights: the file, or NULL when they are inside. */
rank_status rank_frozen_open(
  const rank_frozen *f, const char *weights, rank_opened **opened, char *message, size_t size);
void rank_frozen_close(rank_opened *o); /* may be NULL */

#endif
