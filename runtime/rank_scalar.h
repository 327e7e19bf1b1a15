#ifndef RANK_SCALAR_H
#define RANK_SCALAR_H

/* The pointwise functions in double precision, for the few numbers a training step computes once: bias
 * corrections, schedules. */

#include <math.h>

static inline double rank_d_max(double x, double y)
{
  return x > y || x != x ? x : y;
}
static inline double rank_d_min(double x, double y)
{
  return x < y || x != x ? x : y;
}
static inline double rank_d_sigmoid(double x)
{
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static inline double rank_d_softplus(double x)
{
  return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}
#define rank_d_exp(x) exp(x)
#define rank_d_expm1(x) expm1(x)
#define rank_d_log(x) log(x)
#define rank_d_log1p(x) log1p(x)
#define rank_d_sqrt(x) sqrt(x)
#define rank_d_tanh(x) tanh(x)
#define rank_d_erf(x) erf(x)
#define rank_d_abs(x) fabs(x)
#define rank_d_sign(x) (double)(((x) > 0) - ((x) < 0))
#define rank_d_floor(x) floor(x)
#define rank_d_pow(x, y) pow(x, y)
#define rank_d_lt(x, y) (double)((x) < (y))
#define rank_d_le(x, y) (double)((x) <= (y))
#define rank_d_eq(x, y) (double)((x) == (y))
#define rank_d_ne(x, y) (double)((x) != (y))
#define rank_d_where(c, x, y) ((c) != 0 ? (x) : (y))

#endif
