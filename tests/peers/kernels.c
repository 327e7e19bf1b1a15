/* How near the contraction kernels of generated code (runtime/rank_gemm.h) come to the most multiply-adds
 * that a core can do, by width and number of rows, in cache.
 *
 *     clang-19 -std=gnu11 -O2 -march=native -ffp-contract=fast -fopenmp -Iruntime tests/peers/kernels.c -o kernels
 *     ./kernels
 *
 * Times are of the thread's own processor time, shortest of some rounds that take turns with the peak, so
 * that another program on the machine does not count. Columns that only fill a vector are not counted. */

#include "rank_gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 7, K = 80, MOST_ROWS = 256, MOST_COLS = 416 };

static rank_real left[MOST_ROWS * K], right[K * MOST_COLS], out[MOST_ROWS * MOST_COLS];
static volatile rank_real sink;

static double seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Multiply-adds that wait for nothing. */
static double peak(void)
{
  enum { SUMS = 12, TURNS = 400000 };
  rank_vec sum[SUMS];
  for (int i = 0; i < SUMS; i++) {
    sum[i] = rank_splat((rank_real)i);
  }
  const rank_vec a = rank_splat(left[0]), b = rank_splat(left[1]);
  double start = seconds();
  for (int t = 0; t < TURNS; t++) {
    RANK_UNROLL for (int i = 0; i < SUMS; i++)
    {
      sum[i] = sum[i] * a + b;
      __asm__ volatile("" : "+v"(sum[i]));
    }
  }
  double took = seconds() - start;
  for (int i = 0; i < SUMS; i++) {
    sink = sum[i][0];
  }
  return 2.0 * (double)((long)SUMS * TURNS * RANK_VL) / took;
}

#define FORWARD(N) \
  __attribute__((noinline)) static void forward_##N(long rows) \
  { \
    enum { LD = (N + RANK_PAD - 1) / RANK_PAD * RANK_PAD }; \
    if (N <= 56 && N % 16 > 0 && N % 16 <= 8) \
      RANK_GEMM_HALF(rows, N, K, left, K, right, LD, rank_store(out + row * LD + col, sum)); \
    else \
      RANK_GEMM( \
        rows, N, K, left, K, 1, right, LD, (rank_vec){0}, rank_store(out + row * LD + col, sum)); \
  }

#define WEIGHT(N) \
  __attribute__((noinline)) static void weight_##N(long rows) \
  { \
    enum { LD = (N + RANK_PAD - 1) / RANK_PAD * RANK_PAD }; \
    RANK_GEMM_ROWS(K, N, rows, left, 1, K, out, LD, rank_load(right + row * LD + col), \
      rank_store(right + row * LD + col, sum)); \
  }

#define EACH(X) X(16) X(32) X(40) X(64) X(80) X(128) X(200) X(256) X(400)
EACH(FORWARD)
EACH(WEIGHT)

static double rate(void (*run)(long), long rows, int n)
{
  double work = 2.0 * (double)(rows * K * n);
  int turns = (int)(2e7 / work) + 1;
  double start = seconds();
  for (int t = 0; t < turns; t++) {
    run(rows);
  }
  return work * turns / (seconds() - start);
}

static void report(const char *what, void (*run)(long), int n)
{
  static const long count[] = {25, 33, 37, 43, 50, 64, 97, 128, 256};
  enum { COUNTS = sizeof count / sizeof *count };
  printf("%-8s %4d", what, n);
  for (int i = 0; i < COUNTS; i++) {
    double best = 0, most = 0;
    for (int round = 0; round < ROUNDS; round++) {
      double top = peak(), here = rate(run, count[i], n);
      most = top > most ? top : most;
      best = here > best ? here : best;
    }
    printf(" %6.0f%%", 100 * best / most);
  }
  printf("\n");
}

int main(void)
{
  for (int i = 0; i < MOST_ROWS * K; i++) {
    left[i] = (rank_real)1e-3 * (rank_real)(i % 7);
  }
  for (int i = 0; i < K * MOST_COLS; i++) {
    right[i] = (rank_real)1e-3 * (rank_real)(i % 11);
  }
  printf(
    "%.0f GFLOP/s; rows:     25      33      37      43      50      64      97     128     256\n",
    peak() / 1e9);
#define REPORT(N) \
  report("forward", forward_##N, N); \
  report("weight", weight_##N, N);
  EACH(REPORT)
  return 0;
}
