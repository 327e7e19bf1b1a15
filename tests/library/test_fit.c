/* test_fit.c WEIGHTS < ROWS: predictions of a model with fits through its library, one a line, for rows of X
 * numbers; first one by one, then all at once, which must be the same. A prediction allocates nothing. */

#include "gbdt_lr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { X = 30, MOST = 1000 };

static long taken; /* calls of malloc, the library's too, but where malloc is a sanitizer's */

#ifndef SANITIZED
void *__libc_malloc(size_t n);

void *malloc(size_t n)
{
  taken++;
  return __libc_malloc(n);
}
#endif

static int quit(const char *what)
{
  fprintf(stderr, "test_fit: %s\n", what);
  return 1;
}

int main(int argc, char **argv)
{
  static float x[MOST * X], one[MOST], all[MOST];
  char why[300] = "";
  gbdt_lr *model;
  if (gbdt_lr_open_training(&model, NULL, 1, why, sizeof why) == GBDT_LR_OK ||
      strstr(why, "learnt from data") == NULL) {
    return quit("trains without what its fits learn");
  }
  if (argc != 2 || gbdt_lr_open(&model, argv[1], why, sizeof why) != GBDT_LR_OK) {
    return quit(why);
  }
  int n = 0;
  while (n < MOST * X && scanf("%f", &x[n]) == 1) {
    n++;
  }
  n /= X;
  void *scratch = malloc(gbdt_lr_scratch_for(model, n));
  long before = taken;
  for (int i = 0; i < n; i++) {
    gbdt_lr_inputs in = {.n = 1, .x = x + i * X};
    gbdt_lr_outputs out = {.p = one + i};
    if (gbdt_lr_predict(model, &in, &out, scratch) != GBDT_LR_OK) {
      return quit("a row is refused");
    }
  }
  gbdt_lr_inputs in = {.n = n, .x = x};
  gbdt_lr_outputs out = {.p = all};
  if (gbdt_lr_predict(model, &in, &out, scratch) != GBDT_LR_OK ||
      memcmp(one, all, sizeof one) != 0) {
    return quit("rows together are not what they are alone");
  }
  if (taken != before) {
    return quit("memory was taken");
  }
  for (int i = 0; i < n; i++) {
    printf("%.6f\n", (double)all[i]);
  }
  free(scratch);
  gbdt_lr_close(model);
  return 0;
}
