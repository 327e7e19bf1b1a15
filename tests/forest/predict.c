/* predict.c WEIGHTS < ROWS: what the library of imported.rank says of rows of three numbers, one a line. A
 * NaN is a value to it, and predicting allocates nothing. */

#include "imported.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
  imported *model;
  char why[300];
  if (argc != 2 || imported_open(&model, argv[1], why, sizeof why) != IMPORTED_OK) {
    fprintf(stderr, "%s\n", argc == 2 ? why : "predict WEIGHTS < ROWS");
    return 1;
  }
  void *scratch = malloc(imported_scratch_for(model, 1));
  float x[3], light, extreme;
  while (scanf("%f %f %f", x, x + 1, x + 2) == 3) {
    imported_inputs in = {.n = 1, .x = x};
    imported_outputs out = {.light_leaves = &light, .extreme_leaves = &extreme};
    if (imported_predict(model, &in, &out, scratch) != IMPORTED_OK) {
      fputs("a row is refused\n", stderr);
      return 1;
    }
    printf("%g,%g\n", (double)light, (double)extreme);
  }
  free(scratch);
  imported_close(model);
  return 0;
}
