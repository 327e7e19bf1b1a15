/* bench_search.c: how close exact search comes to what the machine gives. Not a test: it takes seconds and a
 * machine that does nothing else.
 *
 *   bench_search [VECTORS [WIDTH [K [THREADS]]]]      (1000000 128 100, all processors)
 *
 * One query has to read the whole index once, so it is compared with a plain sum over as many bytes; a batch
 * reuses what it reads, so it is compared with multiply-adds in registers. The best of several turns, each
 * taken next to the measurement that it is compared with. */

#include "index.h"
#include "rank_peak.h"
#include "rank_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 7 };

/* A float in (-0.5, 0.5) by its number. */
static float number(uint64_t i)
{
  return (float)(rank_mix(i) >> 40) * 0x1p-24f - 0.5f;
}

static rank_index *make_index(long count, long width)
{
  rank_error e = {{0}};
  index_draft d;
  int64_t *ids = calloc((size_t)count, sizeof *ids);
  uint32_t *position = calloc((size_t)count, sizeof *position);
  rank_index *x = NULL;
  for (long i = 0; ids != NULL && i < count; i++) {
    ids[i] = i;
  }
  index_item_ids of = {.count = count, .numbers = ids};
  if (ids != NULL && position != NULL && index_draft_new(&d, &of, width, 0, position, &e) == 0) {
    float *to = (float *)(void *)(d.bytes + d.h.vectors_at);
    for (long i = 0; i < count / INDEX_BLOCK * INDEX_BLOCK * width; i++) {
      to[i] = number((uint64_t)i);
    }
    x = index_draft_open(&d, &e);
  }
  free(ids);
  free(position);
  return x;
}

/* Bytes per second of reading the vectors and adding them up, the simplest use there is. */
static double read_speed(const rank_index *x, int threads)
{
  const long n = (long)(x->h->file_bytes - x->h->vectors_at) / (long)sizeof(rank_vec);
  const rank_vec *v = (const rank_vec *)(const void *)x->vectors;
  double start = rank_peak_now();
  volatile float keep;
  (void)threads;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
#endif
  {
    rank_vec sum[8] = {{0}};
    long from = n / 8 * rank_thread() / rank_threads(),
         to = n / 8 * (rank_thread() + 1) / rank_threads();
    for (long i = from; i < to; i++) {
      for (int j = 0; j < 8; j++) {
        sum[j] += v[i * 8 + j];
      }
    }
    for (int j = 1; j < 8; j++) {
      sum[0] += sum[j];
    }
    keep = sum[0][0];
  }
  (void)keep;
  return (double)n * (double)sizeof(rank_vec) / (rank_peak_now() - start);
}

/* Seconds of one search. */
static double seconds_of(
  const rank_index *x, const float *queries, long n, long k, int threads, rank_index_hit *hits)
{
  rank_index_query q = {.vectors = queries, .n = n, .k = k, .threads = threads};
  double start = rank_peak_now();
  if (rank_index_search(x, &q, hits) != 0) {
    fprintf(stderr, "bench_search: out of memory\n");
    exit(1);
  }
  return rank_peak_now() - start;
}

static long argument(int argc, char **argv, int i, long otherwise)
{
  return i < argc ? strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
  static const long batches[] = {1, 4, 16, 64, 256, 1024};
  long count = argument(argc, argv, 1, 1000000), width = argument(argc, argv, 2, 128);
  long k = argument(argc, argv, 3, 100), most = batches[5];
#ifdef _OPENMP
  int threads = (int)argument(argc, argv, 4, omp_get_num_procs());
#else
  int threads = 1;
#endif
  if (count < INDEX_BLOCK || width < 1 || k < 1 || threads < 1) {
    fprintf(stderr, "usage: bench_search [VECTORS [WIDTH [K [THREADS]]]]\n");
    return 2;
  }
  rank_index *x = make_index(count, width);
  float *queries = calloc((size_t)(most * width), sizeof *queries);
  rank_index_hit *hits = calloc((size_t)(most * k), sizeof *hits);
  if (x == NULL || queries == NULL || hits == NULL) {
    fprintf(stderr, "bench_search: out of memory\n");
    return 1;
  }
  for (long i = 0; i < most * width; i++) {
    queries[i] = number((uint64_t)i + ((uint64_t)1 << 40));
  }
  double bytes = (double)(x->h->file_bytes - x->h->vectors_at);
  printf("%ld vectors of %ld numbers (%.0f MB), the %ld best, %d threads\n", count, width,
    bytes / 1e6, k, threads);
  printf("%8s %10s %12s %10s %8s %10s %8s\n", "queries", "ms", "queries/s", "GB/s", "of read",
    "GFLOP/s", "of peak");
  for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
    long n = batches[b];
    double least = 1e9, read = 0, flops = 0;
    for (int turn = 0; turn < TURNS; turn++) {
      double r = read_speed(x, threads), f = rank_peak_flops(threads, 0.1);
      double s = seconds_of(x, queries, n, k, threads, hits);
      read = r > read ? r : read;
      flops = f > flops ? f : flops;
      least = s < least ? s : least;
    }
    double work = 2 * (double)n * (double)count * (double)width / least;
    printf("%8ld %10.2f %12.1f %10.2f %7.0f%% %10.1f %7.0f%%\n", n, 1e3 * least, (double)n / least,
      bytes / least / 1e9, 100 * bytes / least / read, work / 1e9, 100 * work / flops);
  }
  rank_index_close(x);
  free(queries);
  free(hits);
  return 0;
}
