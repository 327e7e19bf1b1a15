#ifndef RANK_INDEX_H
#define RANK_INDEX_H

/* An index: the vectors of a catalogue in a file, and exact search in it by inner product. For programs
 * that embed it, as an ad server does: this header needs nothing else of rankc, and what is behind it is
 * `librank_index.a`, which needs OpenMP and nothing else.
 *
 *   rank_index *x;
 *   char why[256];
 *   if (rank_index_open(&x, "ads.index", why, sizeof why) != 0) ...
 *   rank_index_hit hits[10];
 *   rank_index_query q = {.vectors = user_vector, .n = 1, .k = 10, .threads = 1};
 *   if (rank_index_search(x, &q, hits) != 0) ...              (no memory)
 *   hits[0].position, hits[0].score; rank_index_id(x, hits[0].position, room)
 *   rank_index_close(x);
 *
 * The file is mapped, so the processes of a machine share one copy, and opening reads only its header.
 * An open index never changes: any number of threads may search in it at once. Positions are 0 to count
 * - 1 by rising id: whole numbers as numbers, everything else byte by byte. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rank_index rank_index;

typedef struct rank_index_facts {
  const char *model, *output; /* whose vectors they are */
  long count, width;
  uint64_t layout;  /* of the model, as rank_model.layout */
  uint64_t weights; /* a hash of the parameters they were made with */
} rank_index_facts;

/* Both valid until the index is closed. 0, or -1 with the reason in `message` (may be NULL). */
int rank_index_open(rank_index **index, const char *path, char *message, size_t size);
void rank_index_close(rank_index *x); /* also NULL */
/* Opening looks at the header alone. This reads the whole index once and compares it with the checksum that
 * was taken when it was made: 0, or -1 with the reason in `message` (may be NULL): damaged since. */
int rank_index_verify(const rank_index *index, char *message, size_t size);
rank_index_facts rank_index_about(const rank_index *x);

/* The id at a position as text, in `room` or in the index itself, with its length; a position that is
 * not there, or a damaged id, gives "". */
enum { RANK_INDEX_ID = 24 };
const char *rank_index_id(
  const rank_index *x, long position, char room[RANK_INDEX_ID], long *length);
/* The position of an id, -1 when it is not there. */
long rank_index_find(const rank_index *x, const char *id, long length);
/* Copies the vector at a position: width numbers. 0, or -1 when it is not there. */
int rank_index_vector(const rank_index *x, long position, float *vector);
/* What the model's input for the item has as id at each position [count], or NULL. */
const int32_t *rank_index_codes(const rank_index *x);

typedef struct rank_index_query {
  const float *vectors; /* [n][width] */
  long n, k;
  int threads; /* at least 1; without OpenMP there is one */
  /* Positions that query i does not get, in rising order: skip[skip_from[i]] to skip[skip_from[i + 1]].
   * skip_from NULL: none. */
  const int64_t *skip_from;
  const uint32_t *skip;
} rank_index_query;

typedef struct rank_index_hit {
  int64_t position; /* -1: there are fewer than k */
  float score;
} rank_index_hit;

/* The k items with the largest inner product, for each query: hits [n][k], by falling score and then by
 * rising position. A score that is not a number is no result. The same bits for any number of threads,
 * and for a query alone or among others. 0, or -1: no memory. */
int rank_index_search(const rank_index *x, const rank_index_query *q, rank_index_hit *hits);

/* The place, from 1, that item target[i] has for query i when the skipped ones (but not itself) are left
 * out: one more than how many items have a larger score, or the same and a smaller position. 0: target[i]
 * is negative, or its score is not a number. q->k is not read. 0, or -1: no memory. */
int rank_index_places(
  const rank_index *x, const rank_index_query *q, const int64_t *target, long *place);

#ifdef __cplusplus
}
#endif

#endif
