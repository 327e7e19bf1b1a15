#ifndef RANK_VEC_H
#define RANK_VEC_H

/* Vectors of numbers, by the compilers' vector extension: RANK_VL lanes of rank_real, as wide as the
 * instruction set that the file is compiled for. Infix arithmetic works on them as on scalars, so the
 * same generated text serves both; loads and stores need no alignment. */

#include "rank_model.h"

#if defined(__AVX512F__)
#define RANK_VECTOR_BYTES 64
#elif defined(__AVX__)
#define RANK_VECTOR_BYTES 32
#else
#define RANK_VECTOR_BYTES 16
#endif

#ifdef RANK_F64
#define RANK_VL (RANK_VECTOR_BYTES / 8)
typedef int64_t rank_int;
#else
#define RANK_VL (RANK_VECTOR_BYTES / 4)
typedef int32_t rank_int;
#endif

typedef rank_real rank_vec __attribute__((vector_size(RANK_VECTOR_BYTES)));
typedef rank_int rank_ivec __attribute__((vector_size(RANK_VECTOR_BYTES)));
typedef rank_real rank_vec_u __attribute__((vector_size(RANK_VECTOR_BYTES), aligned(4), may_alias));

/* Rows of buffers that kernels write are padded to this many numbers: the widest vector. */
#define RANK_PAD 16

#define RANK_INLINE static inline __attribute__((always_inline, unused))

RANK_INLINE rank_vec rank_load(const rank_real *p)
{
  return *(const rank_vec_u *)p;
}

RANK_INLINE void rank_store(rank_real *p, rank_vec x)
{
  *(rank_vec_u *)p = x;
}

RANK_INLINE void rank_add(rank_real *p, rank_vec x)
{
  rank_store(p, rank_load(p) + x);
}

RANK_INLINE rank_vec rank_splat(rank_real x)
{
  return x - (rank_vec){0};
}

/* Vectors of float that may be halved (rank_gemm.h). */
#define RANK_HALVES (RANK_VECTOR_BYTES == 64 && sizeof(rank_real) == 4)

/* p[0], p[1], p[0], p[1], ...: of two floats */
RANK_INLINE rank_vec rank_splat_pair(const rank_real *p)
{
  typedef int64_t pairs __attribute__((vector_size(RANK_VECTOR_BYTES)));
  int64_t both;
  __builtin_memcpy(&both, p, sizeof both);
  return (rank_vec)(both - (pairs){0});
}

/* x[0] + x[1], x[2] + x[3], ... in the lower half. */
RANK_INLINE rank_vec rank_add_pairs(rank_vec x)
{
#if RANK_VECTOR_BYTES == 64 && !defined RANK_F64
  return __builtin_shufflevector(x, x, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14) +
         __builtin_shufflevector(x, x, 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return x; /* not halved */
#endif
}

/* x[0], y[0], x[1], y[1], ...: of the lower halves; and one of the two again, with zeros behind it */
RANK_INLINE rank_vec rank_twins(rank_vec x, rank_vec y)
{
#if RANK_VECTOR_BYTES == 64 && !defined RANK_F64
  return __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#else
  (void)y;
  return x; /* not halved */
#endif
}

RANK_INLINE rank_vec rank_twin(rank_vec x, int second)
{
#if RANK_VECTOR_BYTES == 64 && !defined RANK_F64
  const rank_vec zero = {0};
  return second ? __builtin_shufflevector(
                    x, zero, 1, 3, 5, 7, 9, 11, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23)
                : __builtin_shufflevector(
                    x, zero, 0, 2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20, 21, 22, 23);
#else
  (void)second;
  return x; /* not halved */
#endif
}

/* Full unrolling of loops with constant bounds, so that arrays of vectors live in registers. */
#ifdef __clang__
#define RANK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RANK_UNROLL _Pragma("GCC unroll 16")
#endif

#endif
