/* How near the contraction kernels of generated code (runtime/rank_gemm.h) come to the most multiply-adds
 * that a core can do, by width and number of rows, in cache.
 *
 *     clang-19 -std=gnu11 -O2 -march=native -ffp-contract=fast -fopenmp -Iruntime tests/peers/kernels.c -o kernels
 *     ./kernels
 *
 * Times are of the thread's own processor time, in rounds that take turns with the peak, so that other programs
 * on the machine count little. Shown is the median of the rounds, each beside the peak right before and
 * after it: the processor's frequency changes. Columns that only fill a vector are not counted. */

#include "rank_gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 15, K = 80, MOST_ROWS = 256, MOST_COLS = 416 };

static rank_real *all_left, *all_right, *all_out;
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
  const rank_vec a = rank_splat(all_left[0]), b = rank_splat(all_left[1]);
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
  __attribute__((noinline)) static void forward_##N( \
    long rows, const rank_real *restrict left, rank_real *restrict right, rank_real *restrict out) \
  { \
    enum { LD = (N + RANK_PAD - 1) / RANK_PAD * RANK_PAD }; \
    if (N <= 56 && N % 16 > 0 && N % 16 <= 8) \
      RANK_GEMM_HALF(rows, N, K, left, K, right, LD, rank_store(out + row * LD + col, sum)); \
    else \
      RANK_GEMM( \
        rows, N, K, left, K, 1, right, LD, (rank_vec){0}, rank_store(out + row * LD + col, sum)); \
  }

#define WEIGHT(N) \
  __attribute__((noinline)) static void weight_##N( \
    long rows, const rank_real *restrict left, rank_real *restrict right, rank_real *restrict out) \
  { \
    enum { LD = (N + RANK_PAD - 1) / RANK_PAD * RANK_PAD }; \
    RANK_GEMM_ROWS(K, N, rows, left, 1, K, out, LD, rank_load(right + row * LD + col), \
      rank_store(right + row * LD + col, sum)); \
  }

#define EACH(X) X(16) X(32) X(40) X(64) X(80) X(128) X(200) X(256) X(400)
EACH(FORWARD)
EACH(WEIGHT)

typedef void Kernel(long rows, const rank_real *, rank_real *, rank_real *);

static double rate(Kernel *run, long rows, int n)
{
  double work = 2.0 * (double)(rows * K * n);
  int turns = (int)(2e7 / work) + 1;
  double start = seconds();
  for (int t = 0; t < turns; t++) {
    run(rows, all_left, all_right, all_out);
  }
  return work * turns / (seconds() - start);
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *what, Kernel *run, int n)
{
  static const long count[] = {25, 33, 36, 37, 43, 50, 64, 97, 128, 192, 256};
  enum { COUNTS = sizeof count / sizeof *count };
  printf("%-8s %4d", what, n);
  for (int i = 0; i < COUNTS; i++) {
    double part[ROUNDS], before = peak();
    for (int round = 0; round < ROUNDS; round++) {
      double here = rate(run, count[i], n), after = peak();
      part[round] = 2 * here / (before + after);
      before = after;
    }
    qsort(part, ROUNDS, sizeof *part, ascending);
    printf(" %6.0f%%", 100 * part[ROUNDS / 2]);
  }
  printf("\n");
}

/* On whole lines of the cache and in huge pages, as the memory of generated code is. */
static rank_real *room_for(size_t count)
{
  const size_t huge = 1 << 21, bytes = (count * sizeof(rank_real) + huge - 1) / huge * huge;
  rank_real *p = aligned_alloc(huge, bytes);
  if (!p) {
    exit(1);
  }
  madvise(p, bytes, MADV_HUGEPAGE); /* only advice */
  memset(p, 0, bytes);
  return p;
}

int main(void)
{
  all_left =
    room_for((size_t)MOST_ROWS * K + (size_t)K * MOST_COLS + (size_t)MOST_ROWS * MOST_COLS);
  all_right = all_left + (size_t)MOST_ROWS * K;
  all_out = all_right + (size_t)K * MOST_COLS;
  for (int i = 0; i < MOST_ROWS * K; i++) {
    all_left[i] = (rank_real)1e-3 * (rank_real)(i % 7);
  }
  for (int i = 0; i < K * MOST_COLS; i++) {
    all_right[i] = (rank_real)1e-3 * (rank_real)(i % 11);
  }
  printf("%.0f GFLOP/s; rows:     25      33      36      37      43      50      64      97     "
         "128     192     256\n",
    peak() / 1e9);
#define REPORT(N) \
  report("forward", forward_##N, N); \
  report("weight", weight_##N, N);
  EACH(REPORT)
  return 0;
}
