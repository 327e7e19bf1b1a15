#ifndef RANK_MATH_H
#define RANK_MATH_H

/* The pointwise functions that generated code calls: rank_exp(x) and the like, for scalars and for
 * vectors by the type of the argument. Single precision is inline polynomials (rank_math_f32.h); double
 * precision, which is for checking, is libm. */

#include "rank_vec.h"

#include <math.h>
#include <string.h>

#ifndef RANK_F64

RANK_INLINE int32_t rank_bits(float x)
{
  int32_t i;
  memcpy(&i, &x, sizeof i);
  return i;
}
RANK_INLINE float rank_from_bits(int32_t i)
{
  float x;
  memcpy(&x, &i, sizeof x);
  return x;
}

#define RANK_T float
#define RANK_I int32_t
#define RANK_F(name) rank_##name##_s
#define RANK_K(x) (x)
#define RANK_SEL(c, x, y) ((c) ? (x) : (y))
#define RANK_BITS(x) rank_bits(x)
#define RANK_FLOAT(i) rank_from_bits(i)
#define RANK_ROOT(x) __builtin_sqrtf(x)
#define RANK_WHOLE(i) ((float)(i))
#include "rank_math_f32.h"

RANK_INLINE rank_vec rank_root_lanes(rank_vec x)
{
  rank_vec y = x;
  RANK_UNROLL for (int i = 0; i < RANK_VL; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
}

#define RANK_T rank_vec
#define RANK_I rank_ivec
#define RANK_F(name) rank_##name##_v
#define RANK_K(x) rank_splat(x)
#define RANK_SEL(c, x, y) \
  ((rank_vec)(((rank_ivec)(c) & (rank_ivec)(x)) | (~(rank_ivec)(c) & (rank_ivec)(y))))
#define RANK_BITS(x) ((rank_ivec)(x))
#define RANK_FLOAT(i) ((rank_vec)(i))
#define RANK_ROOT(x) rank_root_lanes(x)
#define RANK_WHOLE(i) __builtin_convertvector(i, rank_vec)
#include "rank_math_f32.h"

RANK_INLINE float rank_floor_s(float x)
{
  return __builtin_floorf(x);
}
RANK_INLINE float rank_pow_s(float x, float y)
{
  return powf(x, y);
}

#else /* RANK_F64 */

#define RANK_F64_1(name, expression) \
  RANK_INLINE double rank_##name##_s(double x) \
  { \
    return expression; \
  } \
  RANK_INLINE rank_vec rank_##name##_v(rank_vec v) \
  { \
    for (int i = 0; i < RANK_VL; i++) \
      v[i] = rank_##name##_s(v[i]); \
    return v; \
  }
#define RANK_F64_2(name, expression) \
  RANK_INLINE double rank_##name##_s(double x, double y) \
  { \
    return expression; \
  } \
  RANK_INLINE rank_vec rank_##name##_v(rank_vec v, rank_vec w) \
  { \
    for (int i = 0; i < RANK_VL; i++) \
      v[i] = rank_##name##_s(v[i], w[i]); \
    return v; \
  }

RANK_F64_1(exp, exp(x))
RANK_F64_1(expm1, expm1(x))
RANK_F64_1(log, log(x))
RANK_F64_1(log1p, log1p(x))
RANK_F64_1(sqrt, sqrt(x))
RANK_F64_1(tanh, tanh(x))
RANK_F64_1(sigmoid, x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)))
RANK_F64_1(softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))
RANK_F64_1(erf, erf(x))
RANK_F64_1(abs, fabs(x))
RANK_F64_1(sign, (double)((x > 0) - (x < 0)))
RANK_F64_2(max, x > y || x != x ? x : y)
RANK_F64_2(min, x < y || x != x ? x : y)
RANK_F64_2(lt, (double)(x < y))
RANK_F64_2(le, (double)(x <= y))
RANK_F64_2(eq, (double)(x == y))
RANK_F64_2(ne, (double)(x != y))

RANK_INLINE double rank_where_s(double c, double x, double y)
{
  return c != 0 ? x : y;
}
RANK_INLINE rank_vec rank_where_v(rank_vec c, rank_vec x, rank_vec y)
{
  for (int i = 0; i < RANK_VL; i++)
    x[i] = c[i] != 0 ? x[i] : y[i];
  return x;
}
RANK_INLINE double rank_floor_s(double x)
{
  return floor(x);
}
RANK_INLINE double rank_pow_s(double x, double y)
{
  return pow(x, y);
}

#endif

RANK_INLINE rank_vec rank_floor_v(rank_vec x)
{
  for (int i = 0; i < RANK_VL; i++)
    x[i] = rank_floor_s(x[i]);
  return x;
}
RANK_INLINE rank_vec rank_pow_v(rank_vec x, rank_vec y)
{
  for (int i = 0; i < RANK_VL; i++)
    x[i] = rank_pow_s(x[i], y[i]);
  return x;
}

#define RANK_BY_TYPE(name, x) _Generic((x), rank_vec : rank_##name##_v, default : rank_##name##_s)

#define rank_exp(x) RANK_BY_TYPE(exp, x)(x)
#define rank_expm1(x) RANK_BY_TYPE(expm1, x)(x)
#define rank_log(x) RANK_BY_TYPE(log, x)(x)
#define rank_log1p(x) RANK_BY_TYPE(log1p, x)(x)
#define rank_sqrt(x) RANK_BY_TYPE(sqrt, x)(x)
#define rank_tanh(x) RANK_BY_TYPE(tanh, x)(x)
#define rank_sigmoid(x) RANK_BY_TYPE(sigmoid, x)(x)
#define rank_softplus(x) RANK_BY_TYPE(softplus, x)(x)
#define rank_erf(x) RANK_BY_TYPE(erf, x)(x)
#define rank_abs(x) RANK_BY_TYPE(abs, x)(x)
#define rank_sign(x) RANK_BY_TYPE(sign, x)(x)
#define rank_floor(x) RANK_BY_TYPE(floor, x)(x)
#define rank_max(x, y) RANK_BY_TYPE(max, x)(x, y)
#define rank_min(x, y) RANK_BY_TYPE(min, x)(x, y)
#define rank_pow(x, y) RANK_BY_TYPE(pow, x)(x, y)
#define rank_lt(x, y) RANK_BY_TYPE(lt, x)(x, y)
#define rank_le(x, y) RANK_BY_TYPE(le, x)(x, y)
#define rank_eq(x, y) RANK_BY_TYPE(eq, x)(x, y)
#define rank_ne(x, y) RANK_BY_TYPE(ne, x)(x, y)
#define rank_where(c, x, y) RANK_BY_TYPE(where, c)(c, x, y)

/* A whole number that is the greater the greater x is, and x again. Of these the greatest is found in vectors;
 * of floats compilers look at one after another, for the sake of NaNs and the sign of 0. */
#ifdef RANK_F64
typedef int64_t rank_height;
#else
typedef int32_t rank_height;
#endif

RANK_INLINE rank_height rank_height_of(rank_real x)
{
  rank_height i;
  memcpy(&i, &x, sizeof i);
  return i < 0 ? i ^ (rank_height)(((uint64_t)1 << (8 * sizeof i - 1)) - 1) : i;
}
RANK_INLINE rank_real rank_at_height(rank_height i)
{
  rank_real x;
  i = i < 0 ? i ^ (rank_height)(((uint64_t)1 << (8 * sizeof i - 1)) - 1) : i;
  memcpy(&x, &i, sizeof x);
  return x;
}

/* x where it is positive, else 0; and y where x is positive, else 0, which is the gradient of the first. */
RANK_INLINE rank_real rank_relu_s(rank_real x)
{
  return x > 0 ? x : 0;
}
RANK_INLINE rank_vec rank_relu_v(rank_vec x)
{
  return (rank_vec)((rank_ivec)(x > (rank_vec){0}) & (rank_ivec)x);
}
RANK_INLINE rank_real rank_gate_s(rank_real x, rank_real y)
{
  return x > 0 ? y : 0;
}
RANK_INLINE rank_vec rank_gate_v(rank_vec x, rank_vec y)
{
  return (rank_vec)((rank_ivec)(x > (rank_vec){0}) & (rank_ivec)y);
}
#define rank_relu(x) RANK_BY_TYPE(relu, x)(x)
#define rank_gate(x, y) RANK_BY_TYPE(gate, x)(x, y)

/* The sum of a vector's lanes, in a fixed order. */
RANK_INLINE rank_real rank_lanes(rank_vec x)
{
  rank_real s = x[0];
  for (int i = 1; i < RANK_VL; i++)
    s += x[i];
  return s;
}

#endif
