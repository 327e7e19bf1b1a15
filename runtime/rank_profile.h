#ifndef RANK_PROFILE_H
#define RANK_PROFILE_H

/* Clock readings between the groups of a profiled build. The program that loads it counts them. */

#include <stdint.h>
#include <time.h>

/* Adds what this thread spent in a group. */
void rank_profile_add(int group, uint64_t ticks);

static inline uint64_t rank_ticks(void)
{
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* The time since `since` belongs to the group; gives the time now. */
static inline uint64_t rank_profile_next(int group, uint64_t since)
{
  const uint64_t now = rank_ticks();
  rank_profile_add(group, now - since);
  return now;
}

#endif
