#ifndef RANK_TABLE_H
#define RANK_TABLE_H

/* Gradients of table rows: one row per lookup, grouped by id so that each row of the table is updated
 * once, by one thread, with its lookups added up in the order of the batch. Which thread that is does not
 * change a bit of the result. */

#include "rank_vec.h"

#include <string.h>

typedef struct rank_lookups {
  long n; /* lookups, in the order of the batch, site after site */
  long width;
  int32_t *ids;   /* [n] */
  rank_real *d;   /* [n][width] */
  int32_t *next;  /* [n] the next lookup of the same id, or -1 */
  int32_t *first; /* [parts][n] first lookup of each id that a part owns */
  int32_t *cell;  /* [parts][2 * cells] hash cells: first and last lookup of an id */
  double *norm;   /* [n] squared norm of the summed row, at its first lookup */
  long cells;     /* a power of two, at least 2 n */
} rank_lookups;

/* Working memory, carved piece by piece: with a NULL base only the size is found. */
static inline void *rank_carve(char *base, size_t *used, size_t bytes)
{
  size_t at = (*used + 63) & ~(size_t)63;
  *used = at + bytes;
  return base ? base + at : NULL;
}

/* Rows of a ragged axis in a batch; as many as may be when the batch has no arrays. */
static inline long rank_rows(const rank_batch *b, int dim, long max)
{
  return !b->offset ? b->n * max : b->n > 0 ? b->offset[dim][b->n] : 0;
}

static inline long rank_lookups_cells(long n)
{
  long cells = 16;
  while (cells < 2 * n)
    cells *= 2;
  return cells;
}

/* Room for r->n lookups, of `width` numbers each, grouped by `parts` threads. */
static inline void rank_lookups_carve(
  rank_lookups *r, long width, int parts, char *work, size_t *used)
{
  const size_t n = (size_t)r->n;
  r->width = width;
  r->cells = rank_lookups_cells(r->n);
  r->ids = rank_carve(work, used, sizeof(int32_t) * n);
  r->next = rank_carve(work, used, sizeof(int32_t) * n);
  r->norm = rank_carve(work, used, sizeof(double) * n);
  r->first = rank_carve(work, used, sizeof(int32_t) * n * (size_t)parts);
  r->cell = rank_carve(work, used, sizeof(int32_t) * 2 * (size_t)r->cells * (size_t)parts);
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

/* Chains the lookups whose ids part `part` of `parts` owns; *first lists the chains' heads in order of
 * first occurrence. Returns how many. */
static inline long rank_lookups_group(
  const rank_lookups *r, int part, int parts, const int32_t **first)
{
  int32_t *cell = r->cell + (long)part * 2 * r->cells;
  int32_t *heads = r->first + (long)part * r->n;
  const uint32_t mask = (uint32_t)(r->cells - 1);
  long count = 0;
  memset(cell, -1, sizeof(int32_t) * 2 * (size_t)r->cells);
  for (long i = 0; i < r->n; i++) {
    const uint32_t mixed = (uint32_t)r->ids[i] * 2654435769u;
    if ((int)(((uint64_t)mixed * (uint32_t)parts) >> 32) != part)
      continue;
    uint32_t at = ((mixed ^ (mixed >> 15)) * 2246822519u >> 7) & mask;
    while (cell[2 * at] >= 0 && r->ids[cell[2 * at]] != r->ids[i])
      at = (at + 1) & mask;
    r->next[i] = -1;
    if (cell[2 * at] < 0) {
      cell[2 * at] = (int32_t)i;
      heads[count++] = (int32_t)i;
    } else {
      r->next[cell[2 * at + 1]] = (int32_t)i;
    }
    cell[2 * at + 1] = (int32_t)i;
  }
  *first = heads;
  return count;
}

/* The first lookup of `id` in the cells that its owner filled, or -1. */
static inline int32_t rank_lookups_find(const rank_lookups *r, int part, int parts, long id)
{
  const uint32_t mixed = (uint32_t)id * 2654435769u;
  if ((int)(((uint64_t)mixed * (uint32_t)parts) >> 32) != part)
    return -2; /* another part's row */
  const int32_t *cell = r->cell + (long)part * 2 * r->cells;
  const uint32_t mask = (uint32_t)(r->cells - 1);
  uint32_t at = ((mixed ^ (mixed >> 15)) * 2246822519u >> 7) & mask;
  while (cell[2 * at] >= 0 && r->ids[cell[2 * at]] != id)
    at = (at + 1) & mask;
  return cell[2 * at];
}

/* g = the sum of a chain's gradient rows. */
RANK_INLINE void rank_lookups_sum(
  const rank_lookups *r, int32_t first, long width, rank_real *restrict g)
{
  const rank_real *d = r->d + first * width;
  for (long j = 0; j < width; j++)
    g[j] = d[j];
  for (int32_t i = r->next[first]; i >= 0; i = r->next[i]) {
    d = r->d + i * width;
    for (long j = 0; j < width; j++)
      g[j] += d[j];
  }
}

/* norm[first of each chain] = the squared norm of its sum, 0 elsewhere in these chains. */
static inline void rank_lookups_norms(const rank_lookups *r, const int32_t *first, long count)
{
  for (long k = 0; k < count; k++) {
    double square = 0;
    for (long j = 0; j < r->width; j++) {
      rank_real g = 0;
      for (int32_t i = first[k]; i >= 0; i = r->next[i]) {
        g += r->d[i * r->width + j];
        r->norm[i] = 0;
      }
      square += (double)g * (double)g;
    }
    r->norm[first[k]] = square;
  }
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
