#ifndef RANK_TABLE_H
#define RANK_TABLE_H

/* Gradients of table rows: one row per lookup, grouped by id so that each row of the table is updated
 * once, by one thread, with its lookups added up in the order of the batch.
 *
 * One idea: lookups are dealt to buckets first, each a stretch of the table's rows, so that what is
 * updated one after another lies close together and page tables stay cached. A bucket's lookups fit the
 * first-level cache; there those of an id are chained where they were dealt, so that no two threads
 * write to one cache line. A thread takes a bucket ahead, and while the rows of one are updated, those of
 * the other are on their way from memory. Neither how many threads there are nor which of them takes a
 * bucket changes a bit of the result. */

#include "rank_vec.h"

#include <string.h>

typedef struct rank_lookup {
  int32_t id; /* once it is chained: where the next lookup of its id was dealt to, or -1 */
  int32_t at; /* its number among the lookups */
} rank_lookup;

typedef struct rank_lookups {
  long n;           /* lookups, in the order of the batch, site after site */
  long width, rows; /* of the table */
  int32_t *ids;     /* [n] */
  rank_real *d;     /* [n][width] */
  int buckets;
  uint64_t scale;     /* an id's bucket is id * scale >> 32 */
  rank_lookup *dealt; /* [n] bucket by bucket, within one in the order of the batch */
  int32_t *count;     /* [parts][buckets] lookups of each part's share */
  int32_t *start;     /* [buckets + 1] in `dealt` */
  int *taken;         /* buckets that threads have taken */
  rank_lookup
    *first; /* [n] each id of a bucket, and where its first lookup was dealt to; bucket by bucket */
  int32_t *chains; /* [buckets] ids in each */
  rank_lookup
    *cell;         /* [parts][cells] of a hash table: the last lookup of an id, id -1 where empty */
  long cells;      /* a power of two, at least 2 n */
  double *norm;    /* [n] squared norm of the summed row, at its first lookup */
  int32_t *of_row; /* [rows of the table] `at` of its first, or -1: where all rows are updated */
} rank_lookups;

/* A bucket's ids, each with where its first lookup was dealt to. */
typedef struct rank_chains {
  const rank_lookup *first;
  long count;
  int once; /* no id has a second lookup */
} rank_chains;

/* Working memory, carved piece by piece: with a NULL base only the size is found. */
static inline void *rank_carve(char *base, size_t *used, size_t bytes)
{
  size_t at = (*used + 63) & ~(size_t)63;
  *used = at + bytes;
  return base ? base + at : NULL;
}

/* Samples in a tile, when n of them are to be `parts` tiles or more: halves of `most`, but not less than 64. */
static inline long rank_tile(long n, long most, int parts)
{
  while (most > 64 && most * parts > n)
    most /= 2;
  return most;
}

/* Rows of a ragged axis in a batch; as many as may be when the batch has no arrays. */
static inline long rank_rows(const rank_batch *b, int dim, long max)
{
  return !b->offset ? b->n * max : b->n > 0 ? b->offset[dim][b->n] : 0;
}

enum { RANK_BUCKET = 512, RANK_MOST_BUCKETS = 256 }; /* lookups in one, about */

/* Room for r->n lookups in a table of `rows` rows of `width` numbers, grouped by `parts` threads. */
static inline void rank_lookups_carve(
  rank_lookups *r, long rows, long width, int parts, char *work, size_t *used)
{
  const size_t n = (size_t)r->n;
  r->rows = rows;
  r->width = width;
  for (r->cells = 16; r->cells < 2 * r->n;)
    r->cells *= 2;
  for (r->buckets = 1; r->buckets < RANK_MOST_BUCKETS && r->buckets * (long)RANK_BUCKET < r->n;)
    r->buckets *= 2;
  r->scale = ((uint64_t)r->buckets << 32) / (uint64_t)(rows > 0 ? rows : 1);
  r->ids = rank_carve(work, used, sizeof(int32_t) * n);
  r->dealt = rank_carve(work, used, sizeof(rank_lookup) * n);
  r->count = rank_carve(work, used, sizeof(int32_t) * (size_t)(r->buckets * parts));
  r->start = rank_carve(work, used, sizeof(int32_t) * (size_t)(r->buckets + 1));
  r->taken = rank_carve(work, used, sizeof *r->taken);
  r->first = rank_carve(work, used, sizeof(rank_lookup) * n);
  r->chains = rank_carve(work, used, sizeof(int32_t) * (size_t)r->buckets);
  r->norm = rank_carve(work, used, sizeof(double) * n);
  r->cell = rank_carve(work, used, sizeof(rank_lookup) * (size_t)(r->cells * parts));
  r->d = rank_carve(work, used, sizeof(rank_real) * (n * (size_t)width + 64));
}

/* Gradient rows of another table that is looked up by the same ids: grouped with it. */
static inline void rank_lookups_share(
  rank_lookups *r, const rank_lookups *leader, long width, char *work, size_t *used)
{
  *r = *leader;
  r->width = width;
  r->norm = rank_carve(work, used, sizeof(double) * (size_t)r->n);
  r->d = rank_carve(work, used, sizeof(rank_real) * ((size_t)r->n * (size_t)width + 64));
}

static inline int rank_lookups_bucket(const rank_lookups *r, int32_t id)
{
  return (int)((uint64_t)id * r->scale >> 32);
}

/* Counts the lookups of part `part` of `parts` by bucket. */
static inline void rank_lookups_count(const rank_lookups *r, int part, int parts)
{
  int32_t *count = r->count + (long)part * r->buckets;
  if (r->buckets == 1) {
    count[0] = (int32_t)(r->n * (part + 1) / parts - r->n * part / parts);
    return;
  }
  memset(count, 0, sizeof(int32_t) * (size_t)r->buckets);
  for (long i = r->n * part / parts; i < r->n * (part + 1) / parts; i++)
    count[rank_lookups_bucket(r, r->ids[i])]++;
}

/* Deals them, once all parts are counted: behind those of earlier parts in the same bucket. */
static inline void rank_lookups_deal(const rank_lookups *r, int part, int parts)
{
  int32_t to[RANK_MOST_BUCKETS], sum = 0;
  if (part == 0)
    *r->taken = 0;
  if (r->buckets == 1) { /* all of them, as they are */
    if (part == 0) {
      r->start[0] = 0;
      r->start[1] = (int32_t)r->n;
    }
    for (long i = r->n * part / parts; i < r->n * (part + 1) / parts; i++)
      r->dealt[i] = (rank_lookup){r->ids[i], (int32_t)i};
    return;
  }
  for (int b = 0; b < r->buckets; b++) {
    if (part == 0)
      r->start[b] = sum;
    for (int p = 0; p < parts; p++) {
      if (p == part)
        to[b] = sum;
      sum += r->count[(long)p * r->buckets + b];
    }
  }
  if (part == 0)
    r->start[r->buckets] = sum;
  for (long i = r->n * part / parts; i < r->n * (part + 1) / parts; i++)
    r->dealt[to[rank_lookups_bucket(r, r->ids[i])]++] = (rank_lookup){r->ids[i], (int32_t)i};
}

/* Ids that rise, as those of a row's fields and leaves do, are all different. */
static inline int rank_lookups_rise(const rank_lookup *dealt, long n)
{
  int falls = 0;
  for (long k = 1; k < n; k++)
    falls |= dealt[k].id <= dealt[k - 1].id;
  return !falls;
}

/* The next bucket that no thread has taken, or one behind the last. */
static inline int rank_lookups_take(const rank_lookups *r)
{
  int bucket;
#pragma omp atomic capture
  bucket = (*r->taken)++;
  return bucket;
}

/* The lookups of a bucket that is not chained yet, each by itself; none behind the last bucket. */
static inline rank_chains rank_lookups_of(const rank_lookups *r, int bucket)
{
  return bucket < r->buckets
           ? (rank_chains){r->dealt + r->start[bucket], r->start[bucket + 1] - r->start[bucket], 0}
           : (rank_chains){r->dealt, 0, 0};
}

/* Chains the lookups of a bucket by id, in the order of first occurrence. */
static inline rank_chains rank_lookups_chain(const rank_lookups *r, int bucket, int part)
{
  const int32_t from = r->start[bucket], to = r->start[bucket + 1], n = to - from;
  rank_lookup *dealt = r->dealt;
  rank_lookup *cell = r->cell + (long)part * r->cells, *first = r->first + from;
  uint32_t cells = 16, count = 0;
  if (n <= RANK_BUCKET && rank_lookups_rise(dealt + from, n)) {
    for (int32_t k = from; k < to; k++) {
      first[k - from] = (rank_lookup){dealt[k].id, k};
      dealt[k].id = -1;
    }
    r->chains[bucket] = n;
    return (rank_chains){first, n, 1};
  }
  while (cells < 2 * (uint32_t)n)
    cells *= 2;
  memset(cell, -1, sizeof *cell * cells);
  for (int32_t k = from; k < to; k++) {
    const rank_lookup x = {dealt[k].id, k};
    uint32_t at = ((uint32_t)x.id * 2654435769u >> 7) & (cells - 1);
    while (cell[at].id >= 0 && cell[at].id != x.id)
      at = (at + 1) & (cells - 1);
    if (cell[at].id < 0)
      first[count++] = x;
    else
      dealt[cell[at].at].id = k;
    cell[at] = x;
    dealt[k].id = -1;
  }
  r->chains[bucket] = (int32_t)count;
  return (rank_chains){first, count, count == (uint32_t)n};
}

/* Where all rows are updated: the first lookup of each, or -1. rank_lookups_clear comes first. */
static inline void rank_lookups_whole(rank_lookups *r, char *work, size_t *used)
{
  r->of_row = rank_carve(work, used, sizeof(int32_t) * (size_t)r->rows);
}

static inline void rank_lookups_clear(const rank_lookups *r, int part, int parts)
{
  for (long id = r->rows * part / parts; id < r->rows * (part + 1) / parts; id++)
    r->of_row[id] = -1;
}

static inline void rank_lookups_point(const rank_lookups *r, rank_chains c)
{
  for (long k = 0; k < c.count; k++)
    r->of_row[c.first[k].id] = c.first[k].at;
}

/* A bucket as it was chained; an empty one behind the last. */
static inline rank_chains rank_lookups_chained(const rank_lookups *r, int bucket)
{
  if (bucket >= r->buckets)
    return (rank_chains){r->first, 0, 0};
  const long n = r->start[bucket + 1] - r->start[bucket];
  return (rank_chains){r->first + r->start[bucket], r->chains[bucket], r->chains[bucket] == n};
}

/* g = the sum of the gradient rows of the chain that starts at `first` of what was dealt. */
RANK_INLINE void rank_lookups_sum(
  const rank_lookups *r, int32_t first, long width, rank_real *restrict g)
{
  rank_lookup x = r->dealt[first];
  const rank_real *d = r->d + x.at * width;
  for (long j = 0; j < width; j++)
    g[j] = d[j];
  while (x.id >= 0) {
    x = r->dealt[x.id];
    d = r->d + x.at * width;
    for (long j = 0; j < width; j++)
      g[j] += d[j];
  }
}

/* The same of n chains of a table whose rows are numbers. */
RANK_INLINE void rank_lookups_numbers(
  const rank_lookups *r, int once, const rank_lookup *first, int n, rank_real *restrict g)
{
  const rank_lookup *dealt = r->dealt;
  if (n > 0 && once && dealt[first[n - 1].at].at - dealt[first[0].at].at == n - 1) {
    memcpy(g, r->d + dealt[first[0].at].at, sizeof *g * (size_t)n); /* one after another */
    return;
  }
  for (int k = 0; k < n; k++)
    g[k] = r->d[dealt[first[k].at].at];
  for (int k = 0; k < n && !once; k++)
    for (int32_t i = dealt[first[k].at].id; i >= 0; i = dealt[i].id)
      g[k] += r->d[dealt[i].at];
}

/* norm[first of each chain] = the squared norm of its sum, 0 elsewhere in these chains. */
static inline void rank_lookups_norms(const rank_lookups *r, rank_chains c)
{
  for (long k = 0; k < c.count; k++) {
    double square = 0;
    for (long j = 0; j < r->width; j++) {
      rank_real g = 0;
      for (int32_t i = c.first[k].at; i >= 0; i = r->dealt[i].id) {
        g += r->d[r->dealt[i].at * r->width + j];
        r->norm[r->dealt[i].at] = 0;
      }
      square += (double)g * (double)g;
    }
    r->norm[r->dealt[c.first[k].at].at] = square;
  }
}

/* `count` numbers that will be written soon, into the cache. */
RANK_INLINE void rank_soon(const rank_real *p, long count)
{
  for (long i = 0; i < count; i += 64 / (long)sizeof *p)
    __builtin_prefetch(p + i, 1);
}

/* `count` numbers that will be written later, into the second-level cache: what the first one can have under
 * way at a time is too little for a row from memory in every few nanoseconds. */
RANK_INLINE void rank_later(const rank_real *p, long count)
{
  for (long i = 0; i < count; i += 64 / (long)sizeof *p)
    __builtin_prefetch(p + i, 0, 2);
}

/* `count` numbers that will be read soon. */
RANK_INLINE void rank_fetch(const rank_real *p, long count)
{
  for (long i = 0; i < count; i += 64 / (long)sizeof *p)
    __builtin_prefetch(p + i);
}

/* slots[0] += slots[1] + ... for numbers [from, to) of slots that are `stride` numbers apart. */
static inline void rank_sum_slots(rank_real *slots, long stride, int count, long from, long to)
{
  for (int k = 1; k < count; k++) {
    const rank_real *other = slots + k * stride;
#pragma omp simd
    for (long i = from; i < to; i++)
      slots[i] += other[i];
  }
}

#endif
