#ifndef RANK_USUAL_H
#define RANK_USUAL_H

/* Whether a batch may be given to generated code, which itself checks nothing: in one pass without a branch for
 * each value, compiled with the model's own sizes. It only says yes or no; of a batch that is not as usual, check.c
 * says what is wrong with it and where.
 *
 * Each returns 0 when all is well. What is empty may be NULL. As many values as one row has, a number that the
 * compiler knows, are compared 16 at once, in no loop and with no vector made of single values. */

#include "rank_vec.h"

#include <stddef.h>

#if defined(__AVX512DQ__) && !defined(RANK_F64)
#include <immintrin.h>
#define RANK_IN_ONE_ROW(n) (__builtin_constant_p(n) && (n) <= 128)

RANK_INLINE __mmask16 rank_first_lanes(long n)
{
  return (__mmask16)(n >= 16 ? 0xffff : (1 << n) - 1);
}

/* Lanes behind the last id are 0, which every vocabulary has. */
RANK_INLINE uint32_t rank_odd_row_ids(const int32_t *id, long n, uint32_t size)
{
  __mmask16 odd = 0;
  for (long i = 0; i < n; i += 16) {
    __m512i x = _mm512_maskz_loadu_epi32(rank_first_lanes(n - i), id + i);
    odd |= _mm512_cmpge_epu32_mask(x, _mm512_set1_epi32((int)size));
  }
  return odd;
}

RANK_INLINE uint32_t rank_odd_row_fields(
  const int32_t *id, int width, const uint32_t *low, const uint32_t *size)
{
  __mmask16 odd = 0;
  for (int v = 0; v < width; v += 16) {
    __m512i x = _mm512_maskz_loadu_epi32(rank_first_lanes(width - v), id + v);
    x = _mm512_sub_epi32(x, _mm512_loadu_si512(low + v));
    odd |= _mm512_cmpge_epu32_mask(x, _mm512_loadu_si512(size + v));
  }
  return odd;
}

RANK_INLINE uint32_t rank_odd_row_numbers(const rank_real *x, long n)
{
  enum { NAN_OR_INFINITE = 0x01 | 0x80 | 0x08 | 0x10 };
  __mmask16 odd = 0;
  for (long i = 0; i < n; i += 16) {
    __m512 values = _mm512_maskz_loadu_ps(rank_first_lanes(n - i), x + i);
    odd |= _mm512_fpclass_ps_mask(values, NAN_OR_INFINITE);
  }
  return odd;
}
#else
#define RANK_IN_ONE_ROW(n) 0
#define rank_odd_row_ids rank_odd_ids
#define rank_odd_row_fields(id, width, low, size) rank_odd_fields(id, 1, width, low, size)
#define rank_odd_row_numbers rank_odd_numbers
#endif

/* Apart from the code for one row, which is short and stands in the caller. */
#define RANK_APART static __attribute__((noinline, unused))

/* Offsets of n lists of at most `most`. */
RANK_INLINE uint32_t rank_odd_lists(const int32_t *offset, long n, uint32_t most)
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
RANK_INLINE uint32_t rank_odd_ids(const int32_t *id, long n, uint32_t size)
{
  if (n > 0 && id == NULL) {
    return 1;
  }
  if (RANK_IN_ONE_ROW(n)) {
    return rank_odd_row_ids(id, n, size);
  }
  uint32_t odd = 0;
#pragma omp simd reduction(| : odd)
  for (long i = 0; i < n; i++) {
    odd |= (uint32_t)((uint32_t)id[i] >= size);
  }
  return odd;
}

/* Rows of ids, of which each position has a vocabulary of its own: size[v] ids from low[v]. Both arrays go on to a
 * multiple of RANK_PAD, by one id that is 0. */
RANK_INLINE uint32_t rank_odd_fields(
  const int32_t *id, long rows, int width, const uint32_t *low, const uint32_t *size)
{
  if (rows > 0 && id == NULL) {
    return 1;
  }
  if (RANK_IN_ONE_ROW(rows * width) && rows == 1) {
    return rank_odd_row_fields(id, width, low, size);
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
RANK_INLINE uint32_t rank_odd_numbers(const rank_real *x, long n)
{
  if (n > 0 && x == NULL) {
    return 1;
  }
  if (RANK_IN_ONE_ROW(n)) {
    return rank_odd_row_numbers(x, n);
  }
  rank_real zero = 0; /* or NaN */
#pragma omp simd reduction(+ : zero)
  for (long i = 0; i < n; i++) {
    zero += x[i] * 0;
  }
  return (uint32_t)(zero != 0);
}

#endif
