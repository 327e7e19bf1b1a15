/* bench_small.c BATCH WEIGHTS...: microseconds that big_predict takes for so many rows of random ids, with each file
 * of weights (-: with NULL, of a frozen library) in turn, medians of 21 rounds. By hand: bench_small.sh. */

#include "big.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 21, FIELDS = 8, IDS = 1000000, MOST = 8, POOL = 1 << 14 }; /* rows */

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
  long batch = argc > 2 ? atol(argv[1]) : 0, calls = batch > 0 ? POOL / batch : 0;
  int n = argc - 2;
  if (calls < 1 || n > MOST) {
    return 2;
  }
  big *model[MOST];
  static double took[MOST][ROUNDS];
  char why[300];
  for (int i = 0; i < n; i++) {
    if (big_open(&model[i], strcmp(argv[2 + i], "-") == 0 ? NULL : argv[2 + i], why, sizeof why) !=
        BIG_OK) {
      fprintf(stderr, "%s\n", why);
      return 1;
    }
  }
  int32_t *field = malloc(sizeof *field * POOL * FIELDS);
  float *ctr = malloc(sizeof *ctr * POOL);
  void *scratch = malloc(big_scratch_for(model[0], batch));
  uint64_t x = 1;
  for (long i = 0; i < POOL * FIELDS; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    field[i] = (int32_t)((x >> 33) % IDS);
  }
  for (int r = 0; r < ROUNDS; r++) {
    for (int i = 0; i < n; i++) {
      double start = now();
      for (long k = 0; k < calls; k++) {
        big_inputs in = {.n = batch, .field = field + k * batch * FIELDS};
        if (big_predict(model[i], &in, &(big_outputs){.ctr = ctr + k * batch}, scratch) != BIG_OK) {
          return 1;
        }
      }
      took[i][r] = (now() - start) / (double)calls;
    }
  }
  for (int i = 0; i < n; i++) {
    qsort(took[i], ROUNDS, sizeof *took[i], by_size);
    printf("batch %ld, %s: %.3f us, %.0f rows/s\n", batch, argv[2 + i], took[i][ROUNDS / 2],
      1e6 * (double)batch / took[i][ROUNDS / 2]);
    big_close(model[i]);
  }
  free(field);
  free(ctr);
  free(scratch);
  return 0;
}
