#ifndef TREES_HELPERS_H
#define TREES_HELPERS_H

/* Rows and labels for the tests of forests, and a forest as text. */

#include "rank_random.h"
#include "rank_trees.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct sample {
  double *x, *y;
  rank_matrix mx, my;
} sample;

/* Numbers in [-1, 1); column 1 is NaN in every fifth row, column 2 is often 0, column 3 a category below
 * 9. The label depends on columns 0 to 3. */
static inline sample sample_new(long rows, int columns, uint64_t seed)
{
  sample s = {malloc(sizeof(double) * (size_t)(rows * columns)),
    malloc(sizeof(double) * (size_t)rows), {0}, {0}};
  for (long i = 0; i < rows; i++) {
    double *x = s.x + i * columns;
    for (int c = 0; c < columns; c++) {
      x[c] = 2 * rank_random(seed, 0, 7, (uint64_t)i, (uint64_t)c) - 1;
    }
    double b = x[1], z = 3 * x[0] * (b > 0 ? 1 : -1) + (x[2] > 0 ? 1 : 0);
    x[1] = i % 5 == 0 ? (double)NAN : b;
    x[2] = i % 3 == 0 ? 0 : x[2];
    x[3] = floor((x[3] + 1) * 4.5);
    z += (int)x[3] % 3 == 1 ? 1.5 : -0.5;
    s.y[i] = 1 / (1 + exp(-2 * z)) > rank_random(seed, 0, 8, (uint64_t)i, 0) ? 1 : 0;
  }
  s.mx = (rank_matrix){s.x, rows, columns, columns, 1};
  s.my = (rank_matrix){s.y, rows, 1, 1, 1};
  return s;
}

static inline void sample_free(sample *s)
{
  free(s->x);
  free(s->y);
}

static inline char *forest_text(const rank_forest *f, size_t *n)
{
  char *text = NULL;
  rank_error e;
  FILE *out = open_memstream(&text, n);
  assert_non_null(out);
  if (rank_forest_write_lightgbm(f, out, &e) != 0) {
    fail_msg("%s", e.text);
  }
  fclose(out);
  return text;
}

static inline rank_forest *forest_fit(const rank_trees_options *o, const sample *s)
{
  rank_error e;
  rank_forest *f = rank_trees_fit(o, &s->mx, &s->my, NULL, NULL, NULL, NULL, &e);
  if (!f) {
    fail_msg("%s", e.text);
  }
  return f;
}

#endif
