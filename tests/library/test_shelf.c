/* test_shelf.c: fits beside requests: the same scores from one request and its candidates as from plain rows.
 *
 *   test_shelf WEIGHTS */

#include "shelf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 70, LENGTH = 5 };

static int quit(const char *what)
{
  fprintf(stderr, "test_shelf: %s\n", what);
  return 1;
}

int main(int argc, char **argv)
{
  static float age[MOST][3], bid[MOST][2], plain[MOST], split[MOST];
  static int32_t offsets[MOST + 1], seen[MOST][LENGTH];
  char why[300] = "";
  shelf *model;
  if (argc != 2 || shelf_open(&model, argv[1], why, sizeof why) != SHELF_OK) {
    return quit(why);
  }
  for (int i = 0; i < MOST; i++) {
    for (int k = 0; k < LENGTH; k++) {
      seen[i][k] = 7 * k % 30;
      age[i][k % 3] = (float)k - 1.5f;
    }
    bid[i][0] = (float)(i % 13) / 4;
    bid[i][1] = (float)(i % 7) - 2;
    offsets[i + 1] = (i + 1) * LENGTH;
  }
  for (int n = 0; n <= MOST; n = n < 3 ? n + 1 : n + 67) {
    shelf_inputs rows = {
      .n = n, .L_offsets = offsets, .age = age[0], .seen = seen[0], .bid = bid[0]};
    shelf_request request = {.L_length = LENGTH, .age = age[0], .seen = seen[0]};
    shelf_candidates candidates = {.n = n, .bid = bid[0]};
    shelf_outputs to_plain = {.ctr = plain}, to_split = {.ctr = split};
    void *scratch = malloc(shelf_scratch_for(model, n) + shelf_rank_scratch(model, n));
    if (shelf_predict(model, &rows, &to_plain, scratch) != SHELF_OK ||
        shelf_rank(model, &request, &candidates, &to_split, scratch) != SHELF_OK) {
      return quit("refused");
    }
    free(scratch);
    for (int i = 0; i < n; i++) {
      if (!(fabsf(plain[i] - split[i]) <= 2e-6f * (1 + fabsf(plain[i])))) {
        fprintf(stderr, "row %d of %d: %.9g and %.9g\n", i, n, (double)plain[i], (double)split[i]);
        return quit("scores differ");
      }
    }
    if (n > 50 && plain[3] == plain[4]) {
      return quit("all scores are the same");
    }
  }
  shelf_close(model);
  return 0;
}
