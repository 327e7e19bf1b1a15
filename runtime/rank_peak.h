#ifndef RANK_PEAK_H
#define RANK_PEAK_H

/* What the machine gives at best, right now: multiply-adds in registers, and bytes of a stream through
 * memory. A header, so that it is compiled for the machine it measures. */

#include "rank_thread.h"
#include "rank_vec.h"

#include <stdlib.h>
#include <time.h>

enum { RANK_PEAK_CHAINS = 12 }; /* more than the latency times the number of units */

static inline double rank_peak_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Additions and multiplications per second of all threads together. */
static inline double rank_peak_flops(int threads, double seconds)
{
  double total = 0;
  (void)threads; /* without OpenMP */
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) reduction(+ : total)
#endif
  {
    volatile rank_real start = 1, factor = (rank_real)0.999;
    rank_vec sum[RANK_PEAK_CHAINS];
    const rank_vec x = rank_splat(factor), y = rank_splat(start);
    for (int j = 0; j < RANK_PEAK_CHAINS; j++) {
      sum[j] = rank_splat(start) * (rank_real)j;
    }
    double begin = rank_peak_now(), now = begin, turns = 0;
    while (now - begin < seconds) {
      for (int i = 0; i < 20000; i++) {
        RANK_UNROLL
        for (int j = 0; j < RANK_PEAK_CHAINS; j++) {
          sum[j] = sum[j] * x + y;
        }
      }
      turns += 20000;
      now = rank_peak_now();
    }
    rank_real keep = 0;
    for (int j = 0; j < RANK_PEAK_CHAINS; j++) {
      keep += sum[j][0];
    }
    start = keep; /* the sums are used */
    const double each = RANK_PEAK_CHAINS * 2 * RANK_VL;
    total += turns * each / (now - begin);
  }
  return total;
}

/* Bytes per second of a[i] = a[i] * c + b[i], which reads two streams and writes one in place. The
 * arrays are far larger than caches and are made by the first call; 0 when there is no room. */
static inline double rank_peak_bytes(int threads, double seconds)
{
  enum { NUMBERS = 1 << 25, PIECE = 1 << 16 };
  static rank_real *a, *b;
  if (a == NULL) {
    a = malloc(sizeof(rank_real) * NUMBERS);
    b = malloc(sizeof(rank_real) * NUMBERS);
    for (long i = 0; a != NULL && b != NULL && i < NUMBERS; i++) {
      a[i] = b[i] = 1;
    }
  }
  if (a == NULL || b == NULL) {
    return 0;
  }
  double total = 0;
  (void)threads;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) reduction(+ : total)
#endif
  {
    const long pieces = NUMBERS / PIECE, own = pieces / rank_threads();
    const long first = own * rank_thread();
    double begin = rank_peak_now(), now = begin;
    long done = 0;
    for (; now - begin < seconds; now = rank_peak_now()) {
      rank_real *restrict to = a + (first + done % own) * PIECE;
      const rank_real *restrict from = b + (first + done % own) * PIECE;
      for (long i = 0; i < PIECE; i++) {
        to[i] = to[i] * (rank_real)0.5 + from[i];
      }
      done++;
    }
    const double each = PIECE * 3 * sizeof(rank_real);
    total += (double)done * each / (now - begin);
  }
  return total;
}

#endif
