/* trees_packed.c: sixteen trees side by side, with AVX-512; see trees_packed.h. */

#include "trees_packed.h"

#include <math.h>
#include <string.h>

void trees_packed_free(trees_packed *p)
{
  if (p) {
    free(p->first);
    free(p->column);
    free(p->threshold);
    free(p->keep);
    free(p->leaf);
    free(p);
  }
}

#ifdef TREES_AVX2

/* Small trees of numbers all of them; a tree of one leaf has no node. */
static int packs(const trees_tables *t)
{
  int good =
    !t->f64 && t->columns <= PACKED_COLUMNS && t->ntrees > 0 && __builtin_cpu_supports("avx512f");
  for (long i = 0; good && i < t->ntrees; i++) {
    good = t->tree[i].kind == RANK_KIND_MASKS || t->tree[i].leaves == 1;
  }
  return good;
}

static int reserve(trees_packed *p, const trees_tables *t)
{
  p->first = calloc((size_t)p->groups + 1, sizeof *p->first);
  if (!p->first) {
    return -1;
  }
  for (long g = 0; g < p->groups; g++) {
    int most = 0;
    for (long i = g * PACKED_TREES; i < (g + 1) * PACKED_TREES && i < t->ntrees; i++) {
      most = t->tree[i].leaves - 1 > most ? t->tree[i].leaves - 1 : most;
    }
    p->first[g + 1] = p->first[g] + (uint32_t)most;
  }
  size_t n = (size_t)p->first[p->groups] * PACKED_TREES + 1;
  p->column = calloc(n, sizeof *p->column);
  p->threshold = malloc(n * sizeof *p->threshold);
  p->keep = calloc(n, sizeof *p->keep);
  p->leaf = calloc((size_t)p->groups * PACKED_TREES, sizeof *p->leaf);
  for (size_t i = 0; p->threshold && i < n; i++) {
    p->threshold[i] = (float)INFINITY;
  }
  return p->column && p->threshold && p->keep && p->leaf ? 0 : -1;
}

trees_packed *trees_pack(const trees_tables *t)
{
  trees_packed *p = packs(t) ? calloc(1, sizeof *p) : NULL;
  if (!p) {
    return NULL;
  }
  p->ntrees = t->ntrees;
  p->groups = (t->ntrees + PACKED_TREES - 1) / PACKED_TREES;
  p->columns = (t->columns + 31) / 32 * 32;
  if (reserve(p, t) != 0) {
    trees_packed_free(p);
    return NULL;
  }
  for (long i = 0; i < t->ntrees; i++) {
    const rank_trees_entry *e = t->tree + i;
    size_t at = (size_t)p->first[i / PACKED_TREES] * PACKED_TREES + (size_t)(i % PACKED_TREES);
    p->leaf[i] = (int32_t)e->leaf;
    for (uint32_t k = 0; k + 1 < e->leaves; k++, at += PACKED_TREES) {
      p->column[at] = (uint8_t)(t->mask[e->mask + k].column / RANK_TREES_LANES);
      p->threshold[at] = t->threshold32[e->mask + k];
      p->keep[at] = ~t->mask[e->mask + k].clear;
    }
  }
  return p;
}

#include <immintrin.h>

#define PACKED_TARGET __attribute__((target("avx512f")))
#define PACKED_BODY static inline __attribute__((always_inline, target("avx512f")))

/* The leaves, by their order, of one group. quads: columns / 32, a constant. */
PACKED_BODY __m512i fall(const trees_packed *p, long group, const __m512 *x, int quads)
{
  __m512i left = _mm512_set1_epi32(-1);
  for (uint32_t i = p->first[group]; i < p->first[group + 1]; i++) {
    size_t at = (size_t)i * PACKED_TREES;
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p->column + at));
    __m512i column = _mm512_cvtepu8_epi32(bytes);
    __m512 v = _mm512_permutex2var_ps(x[0], column, x[1]);
    for (int q = 1; q < quads; q++) {
      __mmask16 here = _mm512_cmpeq_epi32_mask(_mm512_srli_epi32(column, 5), _mm512_set1_epi32(q));
      v = _mm512_mask_mov_ps(v, here, _mm512_permutex2var_ps(x[2 * q], column, x[2 * q + 1]));
    }
    __mmask16 right = _mm512_cmp_ps_mask(v, _mm512_loadu_ps(p->threshold + at), _CMP_GT_OQ);
    left = _mm512_mask_and_epi32(left, right, left, _mm512_loadu_si512(p->keep + at));
  }
  __m512i low = _mm512_and_si512(left, _mm512_sub_epi32(_mm512_setzero_si512(), left));
  __m512i bits =
    _mm512_castps_si512(_mm512_cvtepi32_ps(low)); /* its exponent says which bit it is */
  bits = _mm512_and_si512(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(255));
  return _mm512_sub_epi32(bits, _mm512_set1_epi32(127));
}

PACKED_BODY double sum_row(const trees_packed *p, const int32_t *order, const double *order_value,
  const float *row, int32_t *leaf, int quads)
{
  __m512 x[2 * PACKED_COLUMNS / 32];
  int32_t at[PACKED_TREES];
  double sum = 0;
  for (int i = 0; i < 2 * quads; i++) {
    x[i] = _mm512_loadu_ps(row + 16 * i);
  }
  for (long g = 0; g < p->groups; g++) {
    long first = g * PACKED_TREES, n = p->ntrees - first;
    __m512i base = _mm512_loadu_si512(p->leaf + first);
    _mm512_storeu_si512(at, _mm512_add_epi32(fall(p, g, x, quads), base));
    n = n < PACKED_TREES ? n : PACKED_TREES;
    for (long k = 0; k < n; k++) {
      sum += order_value[at[k]];
    }
    for (long k = 0; leaf && k < n; k++) {
      leaf[first + k] = order[at[k]];
    }
  }
  return sum;
}

PACKED_TARGET double trees_packed_row(const trees_packed *p, const int32_t *order,
  const double *order_value, const float *x, int32_t *leaf)
{
  switch (p->columns / 32) {
  case 1:
    return sum_row(p, order, order_value, x, leaf, 1);
  case 2:
    return sum_row(p, order, order_value, x, leaf, 2);
  case 3:
    return sum_row(p, order, order_value, x, leaf, 3);
  default:
    return sum_row(p, order, order_value, x, leaf, 4);
  }
}

#else

trees_packed *trees_pack(const trees_tables *t)
{
  (void)t;
  return NULL;
}

double trees_packed_row(const trees_packed *p, const int32_t *order, const double *order_value,
  const float *x, int32_t *leaf)
{
  (void)p;
  (void)order;
  (void)order_value;
  (void)x;
  (void)leaf;
  return 0;
}

#endif
