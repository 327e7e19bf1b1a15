/* bench_groups.c: where the time of a level goes, group by group.
 *
 * A profiled build reads the clock between groups and reports the ticks here. They are of threads, so
 * with two threads a second of the step has two seconds of groups. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "bench.h"
#include "rank_profile.h"
#include "rank_thread.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 1024, THREADS = 256, LINE = 16 };

static const double LEAST_SHARE = 0.0005;

/* A thread's ticks by group; a whole cache line between threads. */
static struct {
  uint64_t ticks[GROUPS + LINE];
} counts[THREADS];

void rank_profile_add(int group, uint64_t ticks)
{
  int thread = rank_thread();
  if (group >= 0 && group < GROUPS && thread < THREADS) {
    counts[thread].ticks[group] += ticks;
  }
}

static double ticks_of(int group)
{
  double sum = 0;
  for (int i = 0; i < THREADS && group < GROUPS; i++) {
    sum += (double)counts[i].ticks[group];
  }
  return sum;
}

/* Runs the profiled build of a level for as long as a level had; seconds of the clock and of threads. */
static int run_profiled(bench *b, const rank_model *m, int pass, double *samples, double *ticks,
  double *seconds, rank_error *e)
{
  memset(counts, 0, sizeof counts);
  long steps = 0;
  double start = rank_now();
  uint64_t from = rank_ticks();
  rank_status status = RANK_OK;
  while (status == RANK_OK && (rank_now() - start < b->spec->seconds || steps % b->nbatches != 0)) {
    status = bench_step(b, m, pass, &b->batches[steps++ % b->nbatches]);
  }
  *ticks = (double)(rank_ticks() - from);
  *seconds = rank_now() - start;
  *samples = (double)steps * (double)b->n;
  return status == RANK_OK ? 0 : rank_fail(e, "%s", rank_status_text(status));
}

static int print_level(bench *b, const rank_model *m, int level, int pass, rank_error *e)
{
  const rank_bench_level *l = &b->spec->levels[level];
  const rank_bench_pass *p = &l->pass[pass];
  double samples, ticks, seconds, all = 0;
  bench_time *times = realloc(b->times, sizeof *times * (size_t)(b->ntimes + p->ngroups + 1));
  if (times == NULL) {
    return rank_fail(e, "out of memory");
  }
  b->times = times;
  if (run_profiled(b, m, pass, &samples, &ticks, &seconds, e) != 0) {
    return -1;
  }
  for (int i = 0; i < p->ngroups; i++) {
    all += ticks_of(i);
  }
  printf("\n%s, level %s%s: time of threads by group\n", pass == 0 ? "forward" : "training step",
    l->name, l->rewrites ? " with rewrites" : "");
  printf("%7s %10s %9s %8s  %s\n", "share", "ns/sample", "GFLOP/s", "GB/s", "what it computes");
  for (int i = 0; i < p->ngroups; i++) {
    double part = ticks_of(i), time = part / ticks * seconds; /* of threads */
    int known = part > LEAST_SHARE * all; /* else the clock's own time is what was measured */
    double scale = known ? 1e-9 * samples / bench_samples(b) / time : 0;
    bench_time *t = &b->times[b->ntimes++];
    *t = (bench_time){level, pass, i, all > 0 ? part / all : 0, 1e9 * time / samples,
      scale * bench_amount(b, &p->groups[i].flops), scale * bench_amount(b, &p->groups[i].bytes)};
    printf("%6.1f%% %10.1f %9.2f %8.2f  %s\n", 100 * t->share, t->ns, t->gflops, t->gigabytes,
      p->groups[i].name);
  }
  printf("%6.1f%% %10.1f  of the threads' time is in groups; the rest waits or shares out work\n",
    100 * all / ticks / b->threads, 1e9 * seconds * b->threads / samples);
  fflush(stdout);
  return 0;
}

int bench_groups(bench *b, rank_error *e)
{
  for (int level = 0; level < b->spec->nlevels; level++) {
    const char *path = b->spec->levels[level].profiled;
    if (path == NULL) {
      continue;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const rank_model *m = library != NULL ? dlsym(library, b->spec->symbol) : NULL;
    if (m == NULL) {
      return rank_fail(e, "cannot load %s", dlerror());
    }
    for (int pass = 0; pass < b->passes; pass++) {
      if (print_level(b, m, level, pass, e) != 0) {
        return -1;
      }
    }
  }
  return 0;
}
