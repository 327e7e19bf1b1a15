#ifndef RANK_THREAD_H
#define RANK_THREAD_H

/* The thread's number and its team's size; without OpenMP there is one. */

#ifdef _OPENMP
#include <omp.h>
static inline int rank_thread(void)
{
  return omp_get_thread_num();
}
static inline int rank_threads(void)
{
  return omp_get_num_threads();
}
#else
static inline int rank_thread(void)
{
  return 0;
}
static inline int rank_threads(void)
{
  return 1;
}
#endif

#endif
