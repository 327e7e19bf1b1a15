/* bench_cosine.c: how long the neighbours of a large made-up log take.
 *
 *     bench_cosine [USERS ITEMS INTERACTIONS NEIGHBORS THREADS]
 *
 * Items are drawn by Zipf's law (the r-th most frequent one with chance 1 / r), users' lists are
 * geometric around their mean; repeats within a user count once, and users are added until there are so
 * many interactions. Prints seconds, the largest memory, and a hash of the result, which must not depend
 * on the number of threads. */

#include "cosine.h"
#include "rank_random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <xxhash.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t find(const double *cumulated, int32_t n, double x)
{
  int32_t low = 0, high = n - 1;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (cumulated[middle] > x) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/* Distinct items of one user, drawn until there are n (or drawing finds no more). */
static long draw_user(
  uint64_t key, const double *zipf, int32_t items, long n, int32_t *list, int *mark)
{
  long found = 0;
  for (uint64_t k = 0; found < n && k < (uint64_t)n * 20; k++) {
    uint64_t bits = rank_mix(key ^ rank_mix(k)) >> 11; /* 53 bits: rare items need them */
    int32_t i = find(zipf, items, (double)bits * 0x1p-53 * zipf[items - 1]);
    if (!mark[i]) {
      mark[i] = 1;
      list[found++] = i;
    }
  }
  for (long k = 0; k < found; k++) {
    mark[list[k]] = 0;
  }
  return found;
}

static int make_log(
  rank_interactions *log, long users, int32_t items, int64_t wanted, rank_error *e)
{
  double *zipf = malloc((size_t)items * sizeof *zipf), sum = 0;
  int32_t *list = malloc((size_t)items * sizeof *list);
  int *mark = calloc((size_t)items, sizeof *mark);
  int bad = !zipf || !list || !mark || rank_interactions_begin(log, items, 0, e) != 0;
  for (int32_t i = 0; !bad && i < items; i++) {
    sum += 1 / (double)(i + 1);
    zipf[i] = sum;
  }
  for (long u = 0; !bad && u < users; u++) {
    uint64_t key = rank_random_key(1, 0, (uint32_t)u);
    int64_t left = wanted - log->offset[u];
    double mean = (double)left / (double)(users - u);
    long n = (long)ceil(-log1p(-rank_random_at(key, 0, 0)) * mean);
    n = n < left ? n : left;
    n = n < items / 4 ? n : items / 4;
    bad = rank_interactions_add(log, list, NULL, draw_user(key, zipf, items, n, list, mark), 0, e);
  }
  free(zipf);
  free(list);
  free(mark);
  return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
  long given[5] = {200000, 50000, 10000000, 100, 2};
  for (int k = 1; k < argc && k <= 5; k++) {
    given[k - 1] = atol(argv[k]);
  }
  rank_error e = {{0}};
  rank_interactions log;
  double start = now();
  if (make_log(&log, given[0], (int32_t)given[1], given[2], &e) != 0) {
    fprintf(stderr, "bench_cosine: %s\n", e.text);
    return 1;
  }
  double made = now();
  rank_cosine_options o;
  rank_cosine_defaults(&o);
  o.neighbors = (int)given[3];
  o.threads = (int)given[4];
  rank_neighbors *n = rank_cosine_fit(&log, &o, &e);
  if (!n) {
    fprintf(stderr, "bench_cosine: %s\n", e.text);
    return 1;
  }
  double done = now();
  size_t kept = (size_t)n->offset[n->items];
  XXH64_hash_t hash =
    XXH64(n->item, kept * sizeof *n->item, XXH64(n->score, kept * sizeof *n->score, 0));
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf(
    "%ld users, %ld items, %lld interactions, %d threads: log %.1f s, fit %.1f s, %zu neighbours "
    "kept, at most %.0f MB, %016llx\n",
    log.users, given[1], (long long)log.offset[log.users], o.threads, made - start, done - made,
    kept, (double)usage.ru_maxrss / 1024, (unsigned long long)hash);
  rank_neighbors_free(n);
  rank_interactions_free(&log);
  return 0;
}
