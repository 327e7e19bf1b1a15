#ifndef RANK_STORED_H
#define RANK_STORED_H

/* Rows of tables that are stored in fewer bits than they are computed with.
 *
 * One idea: code that reads a row asks for a pointer to numbers. In a table of numbers that is where the row
 * lies, behind a branch that always goes the same way and that no measurement shows; else it is memory of the
 * asker's own, to which the row was unpacked. Unpacking is exact but for one rounding, of an int8's product
 * with its row's factor. */

#include "rank_vec.h"

#include <string.h>

#if defined(__F16C__) && !defined(RANK_F64)
#include <immintrin.h>
#endif

/* A table of the state, as it is stored. */
static inline rank_stored rank_stored_of(const rank_state *s, int param)
{
  return s->stored ? s->stored[param] : (rank_stored){.rows = s->param[param]};
}

RANK_INLINE float rank_float_of(uint32_t bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Numbers below 2^-14 have no leading one: they are what is left of 2^-14 + x. */
RANK_INLINE rank_real rank_half(uint16_t h)
{
  const uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
  const float tiny = rank_float_of(magnitude + (113u << 23)) - 0x1p-14f;
  const float usual = rank_float_of(magnitude + (112u << 23));
  const float x = magnitude < (1u << 23) ? tiny : usual;
  return (rank_real)(h & 0x8000 ? -x : x);
}

RANK_INLINE void rank_unpack_halves(const uint16_t *from, int width, rank_real *restrict to)
{
  int j = 0;
#if defined(__AVX512F__) && !defined(RANK_F64)
  for (; j + 16 <= width; j += 16)
    _mm512_storeu_ps(to + j, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(from + j))));
#endif
#if defined(__F16C__) && !defined(RANK_F64)
  for (; j + 8 <= width; j += 8)
    _mm256_storeu_ps(to + j, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)(from + j))));
#endif
  for (; j < width; j++)
    to[j] = rank_half(from[j]);
}

RANK_INLINE void rank_unpack(const rank_stored *t, long id, int width, rank_real *restrict to)
{
  if (t->kind == RANK_F16) {
    rank_unpack_halves((const uint16_t *)t->rows + id * width, width, to);
  } else if (t->kind == RANK_BF16) {
    const uint16_t *from = (const uint16_t *)t->rows + id * width;
#pragma omp simd
    for (int j = 0; j < width; j++)
      to[j] = (rank_real)rank_float_of((uint32_t)from[j] << 16);
  } else {
    const int8_t *from = (const int8_t *)t->rows + id * width;
    const float scale = t->scale[id];
#pragma omp simd
    for (int j = 0; j < width; j++)
      to[j] = (rank_real)((float)from[j] * scale);
  }
}

/* Row id of a table with rows of `width` numbers: valid as long as both the table and `to` [width] are. */
RANK_INLINE const rank_real *rank_row(
  const rank_stored *t, long id, int width, rank_real *restrict to)
{
  if (__builtin_expect(t->kind == RANK_REALS, 1))
    return (const rank_real *)t->rows + id * width;
  rank_unpack(t, id, width, to);
  return to;
}

/* Row id will be read soon. */
RANK_INLINE void rank_fetch_row(const rank_stored *t, long id, int width)
{
  const long one = t->kind == RANK_REALS ? (long)sizeof(rank_real) : t->kind == RANK_INT8 ? 1 : 2;
  const char *row = (const char *)t->rows + id * width * one;
  for (long i = 0; i < width * one; i += 64)
    __builtin_prefetch(row + i);
  if (t->kind == RANK_INT8)
    __builtin_prefetch(t->scale + id);
}

/* One number of it. */
RANK_INLINE rank_real rank_cell(const rank_stored *t, long id, int width, int at)
{
  if (__builtin_expect(t->kind == RANK_REALS, 1))
    return ((const rank_real *)t->rows)[id * width + at];
  const size_t bytes = t->kind == RANK_INT8 ? 1 : 2;
  const char *cell = (const char *)t->rows + bytes * (size_t)(id * width + at);
  const rank_stored one = {cell, t->scale ? t->scale + id : NULL, t->kind};
  rank_real x;
  rank_unpack(&one, 0, 1, &x);
  return x;
}

#endif
