#ifndef RANK_USUAL_H
#define RANK_USUAL_H

/* Whether a batch may be given to generated code, which itself checks nothing: in one pass without a branch for
 * each value, compiled with the model's own sizes. It only says yes or no; of a batch that is not as usual, check.c
 * says what is wrong with it and where.
 *
 * Each returns 0 when all is well. What is empty may be NULL. */

#include "rank_scalar.h"

#include <stddef.h>
#include <stdint.h>

/* Offsets of n lists of at most `most`. */
static inline uint32_t rank_odd_lists(const int32_t *offset, long n, uint32_t most)
{
  if (offset == NULL || offset[0] != 0) {
    return 1;
  }
  uint32_t odd = 0;
#pragma omp simd reduction(| : odd)
  for (long i = 0; i < n; i++) {
    uint32_t length = (uint32_t)offset[i + 1] - (uint32_t)offset[i];
    odd |= (uint32_t)(offset[i + 1] < offset[i]) | (uint32_t)(length > most);
  }
  return odd;
}

/* Ids from 0 to size - 1. */
static inline uint32_t rank_odd_ids(const int32_t *id, long n, uint32_t size)
{
  if (n > 0 && id == NULL) {
    return 1;
  }
  uint32_t odd = 0;
#pragma omp simd reduction(| : odd)
  for (long i = 0; i < n; i++) {
    odd |= (uint32_t)((uint32_t)id[i] >= size);
  }
  return odd;
}

/* Rows of ids, of which each position has a vocabulary of its own: size[v] ids from low[v]. */
static inline uint32_t rank_odd_fields(
  const int32_t *id, long rows, int width, const uint32_t *low, const uint32_t *size)
{
  if (rows > 0 && id == NULL) {
    return 1;
  }
  uint32_t odd = 0;
#pragma omp simd reduction(| : odd)
  for (long i = 0; i < rows; i++) {
    for (int v = 0; v < width; v++) {
      odd |= (uint32_t)((uint32_t)id[i * width + v] - low[v] >= size[v]);
    }
  }
  return odd;
}

/* Numbers that are finite. */
static inline uint32_t rank_odd_numbers(const rank_real *x, long n)
{
  if (n > 0 && x == NULL) {
    return 1;
  }
  uint32_t odd = 0;
#pragma omp simd reduction(| : odd)
  for (long i = 0; i < n; i++) {
    odd |= (uint32_t) !(x[i] - x[i] == 0);
  }
  return odd;
}

#endif
