#ifndef RANK_COSINE_H
#define RANK_COSINE_H

/* Item-item collaborative filtering (Sarwar et al., WWW 2001; top-N as in Deshpande and Karypis, TOIS
 * 2004): two items are alike when the same users have them, and a user is offered the items most like
 * those that she has.
 *
 * One idea: a log of interactions is read once into a list per user; from it come, item by item, the few
 * neighbours that are kept, and these alone are what ranking needs. Every sum runs in the order of users
 * or of items, so results do not depend on threads. Items are numbers from 0. */

#include "rank_error.h"

#include <stddef.h>
#include <stdint.h>

/* --- cosine_log.c: who has what --- */

/* Users' items: user u has item[offset[u] .. offset[u + 1]), rising and each once, and `weight` of each
 * the same way (NULL: all 1). */
typedef struct rank_interactions {
  long users;
  int32_t items; /* ids are below it */
  int64_t *offset;
  int32_t *item;
  float *weight;
  /* how much there is room for */
  long user_room;
  int64_t item_room;
} rank_interactions;

/* weighted: users come with weights. Fails only for want of memory. */
int rank_interactions_begin(rank_interactions *log, int32_t items, int weighted, rank_error *e);
/* One more user with these n items in any order; an item that is there twice counts once, weights are
 * added up. weight: NULL, or n finite numbers, at least 0 (0: as if not there). Ids below `first`
 * (missing and unknown ones) are left out; an id outside the catalogue is an error. */
int rank_interactions_add(rank_interactions *log, const int32_t *item, const float *weight, long n,
  int32_t first, rank_error *e);
void rank_interactions_free(rank_interactions *log);

/* --- cosine_fit.c: who is like whom --- */

typedef enum rank_cosine_weighting {
  RANK_COSINE_NONE, /* x = w */
  RANK_COSINE_IDF, /* x = sqrt(w) ln((1 + items) / (1 + items of the user)): who has much says little */
  RANK_COSINE_BM25 /* as idf, with w (k1 + 1) / (w + k1 (1 - b + b length / mean length)) for sqrt(w),
                     * length: the sum of the user's weights; k1 = 1.2, b = 0.75 */
} rank_cosine_weighting;

typedef struct rank_cosine_options {
  int neighbors; /* kept for each item, at least 1 */
  rank_cosine_weighting weighting;
  double shrinkage; /* at least 0: similarity = x_i . x_j / (|x_i| |x_j| + shrinkage) */
  int threads;
} rank_cosine_options;

void rank_cosine_defaults(rank_cosine_options *o); /* 100, none, 0, 1 */

/* Neighbours of item i: item[offset[i] .. offset[i + 1]), by falling score, equal ones by rising id;
 * scores are above 0, i is not among its own. */
typedef struct rank_neighbors {
  int32_t items;
  int64_t *offset; /* items + 1 */
  int32_t *item;
  float *score;
} rank_neighbors;

/* Exact. Memory beside the log: its transpose, 8 bytes an item and thread, and what is kept. NULL: no
 * memory, or options that are not allowed. */
rank_neighbors *rank_cosine_fit(
  const rank_interactions *log, const rank_cosine_options *o, rank_error *e);
void rank_neighbors_free(rank_neighbors *n);

/* How many users have each item, count[items]. */
void rank_popularity_fit(const rank_interactions *log, int64_t *count);

/* --- cosine_rank.c: what a user is offered --- */

typedef struct rank_reason { /* a seen item that brought `part` of a ranked item's score */
  int32_t item;
  float part;
} rank_reason;

typedef struct rank_request {
  const int32_t
    *seen; /* n items in any order; what is below `first` is left out, repeats count once */
  const float *weight; /* of each, or NULL: 1; of repeats the last counts */
  long n;
  int32_t first;
  int with_seen;          /* seen items may be offered too */
  const int32_t *without; /* nwithout items that are not offered either */
  long nwithout;
} rank_request;

typedef struct rank_ranked {
  long n;              /* filled, at most `top`: only items that score above 0 are offered */
  long top;            /* room in item and score */
  int32_t *item;       /* by falling score, equal ones by rising id */
  float *score;        /* sum over the seen of weight * similarity, popularity: the count */
  int reasons;         /* kept for each item; 0: none */
  rank_reason *reason; /* [top][reasons], by falling part, then rising id; item -1: no more */
} rank_ranked;

/* Working memory of one thread that ranks a catalogue of so many items. */
typedef struct rank_ranker rank_ranker;
rank_ranker *rank_ranker_new(int32_t items, rank_error *e);
void rank_ranker_free(rank_ranker *r);
/* The same in memory of one's own, aligned to 8: so many bytes, which hold it until they are used again. */
size_t rank_ranker_bytes(int32_t items);
rank_ranker *rank_ranker_place(int32_t items, void *room);

/* Fills `out`. Ids outside the catalogue: -1 and a message. */
int rank_neighbors_rank(
  const rank_neighbors *n, const rank_request *q, rank_ranker *r, rank_ranked *out, rank_error *e);
/* The same by popularity: the most frequent items that were not seen. order: rank_popularity_order. */
int rank_popularity_rank(const int32_t *order, const int64_t *count, int32_t items,
  const rank_request *q, rank_ranker *r, rank_ranked *out, rank_error *e);
/* Items by falling count, equal ones by rising id; without those that nobody has. Returns how many. */
int32_t rank_popularity_order(const int64_t *count, int32_t items, int32_t *order);

#endif
