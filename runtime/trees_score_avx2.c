/* The scoring kernels once more, for AVX2. */

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define RANK_TREES_AVX2
#endif

#include "trees_scorer.h"

#ifdef TREES_AVX2
void trees_score32_avx2(const trees32_table *t, const float *x, long stride, long n, double *score,
  int32_t *leaf, float *work, double *sum)
{
  trees32_score(t, x, stride, n, score, leaf, work, sum);
}

void trees_score64_avx2(const trees64_table *t, const double *x, long stride, long n, double *score,
  int32_t *leaf, double *work, double *sum)
{
  trees64_score(t, x, stride, n, score, leaf, work, sum);
}
#endif

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif
