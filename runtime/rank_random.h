#ifndef RANK_RANDOM_H
#define RANK_RANDOM_H

/* Counter-based random numbers: a number is a function of where it is used, not of how many were drawn
 * before it, so that every backend, order and number of threads sees the same ones. The mixer is
 * SplitMix64's finaliser (Steele, Lea, Flood 2014), applied once per counter. */

#include <stdint.h>

static inline uint64_t rank_mix(uint64_t x)
{
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* What does not change within one use in one step: mix it once, outside the loops. */
static inline uint64_t rank_random_key(uint64_t seed, uint64_t step, uint32_t site)
{
  return rank_mix(rank_mix(rank_mix(seed) ^ step) ^ site);
}

/* Uniform in [0, 1) on a grid of 2^-24, so that float and double agree exactly. sample: index in the
 * batch; element: row-major over the other axes at their full (ragged: maximum) extent. */
static inline double rank_random_at(uint64_t key, uint64_t sample, uint64_t element)
{
  return (double)(rank_mix(rank_mix(key ^ sample) ^ element) >> 40) * 0x1p-24;
}

static inline double rank_random(
  uint64_t seed, uint64_t step, uint32_t site, uint64_t sample, uint64_t element)
{
  return rank_random_at(rank_random_key(seed, step, site), sample, element);
}

#endif
