#ifndef RANK_INDEX_INSIDE_H
#define RANK_INDEX_INSIDE_H

/* What an index file looks like, and what the files behind rank_index.h share.
 *
 * One idea: vectors lie in blocks of 64, and in a block coordinate by coordinate, [width][64]. That is
 * the form in which a register-blocked product reads its right side, so one query and a batch of them
 * stream the same bytes from the first to the last, nothing is packed while searching, no sum runs across
 * a vector register, and widths need no padding. Every score is summed in the order of the coordinates,
 * so it does not depend on how many queries are asked at once. */

#include "rank_error.h"
#include "rank_index.h"

#include <stdio.h>

enum {
  INDEX_BLOCK = 64,   /* vectors a block; the last is filled up with zeros */
  INDEX_ALIGN = 4096, /* of the vectors in the file */
  INDEX_VERSION = 2,
  INDEX_NAME = 64,
  INDEX_ROWS = 24 /* queries scored at a time: their scores stay in the first-level cache */
};

typedef enum index_ids { INDEX_NUMBERS = 1, INDEX_TEXTS = 2 } index_ids;

/* The file: this header; the ids, int64_t [count], or uint64_t [count + 1] offsets and then bytes; codes,
 * int32_t [count], or nothing; the vectors. Everything is little-endian, as the machines are that this
 * runs on. Places are bytes from the start of the file. */
typedef struct index_header {
  char magic[8];
  uint32_t version, ids; /* ids: index_ids */
  uint64_t layout, weights;
  uint64_t count, width;
  uint64_t ids_at, ids_bytes; /* of the texts alone, without the offsets */
  uint64_t codes_at;          /* 0: none */
  uint64_t vectors_at, file_bytes;
  char model[INDEX_NAME], output[INDEX_NAME]; /* end in a 0 */
  uint64_t content;                           /* XXH3 of all that is behind the header */
  uint64_t checksum;                          /* XXH3 of all that is before it */
} index_header;

extern const char index_magic[8];
uint64_t index_checksum(const index_header *h);
uint64_t index_content(const index_header *h, const char *file); /* of what is behind the header */

struct rank_index {
  const index_header *h;
  const char *map;
  size_t bytes;
  const float *vectors; /* [blocks][width][INDEX_BLOCK] */
  int owned;            /* map is from aligned_alloc and not from mmap */
};

/* Whether a text is a whole number as a program prints it, and which. */
int index_number(const char *text, long length, int64_t *x);

/* Checks `bytes` bytes at `map`, which become the index's. On error they stay the caller's. */
int index_adopt(rank_index *x, const char *name, const char *map, size_t bytes, rank_error *e);

/* Scores of `n` queries (at most INDEX_ROWS) with a block: scores [n][INDEX_BLOCK]; above[i] whether one
 * of them is larger than limit[i]. The same sums in all of them, but for fused multiply-adds where the
 * machine has them. */
typedef void index_scan(const float *block, long width, const float *queries, long n,
  const float *limit, float *scores, unsigned char *above);
index_scan index_scan_base, index_scan_avx2, index_scan_avx512;
index_scan *index_scan_here(void);

/* --- index_write.c --- */

/* A catalogue in memory, on its way into a file. */
typedef struct index_draft {
  index_header h;
  char *bytes; /* the file, [h.file_bytes] */
} index_draft;

typedef struct index_item_ids { /* for `count` rows */
  long count;
  int64_t *numbers;   /* or, NULL: */
  const char **texts; /* not ended by a 0 */
  uint32_t *lengths;
  char *bytes; /* what the texts point into */
} index_item_ids;

/* Sorts the ids, lays the file out and writes everything but vectors and codes. position[row]: where the
 * row's vector goes. A draft is freed with index_draft_free, also after an error. */
int index_draft_new(index_draft *d, const index_item_ids *ids, long width, int codes,
  uint32_t *position, rank_error *e);
void index_draft_free(index_draft *d);
void index_draft_vector(index_draft *d, uint32_t position, const float *vector);
int32_t *index_draft_codes(index_draft *d); /* [count] by position */
void index_draft_sign(index_draft *d);      /* once the header is complete */
/* The draft as an index, without a file; it is not the draft's any more. */
rank_index *index_draft_open(index_draft *d, rank_error *e);

#endif
