/* fuzz_trees.c: the readers of LightGBM's text and XGBoost's JSON on any bytes (libFuzzer). A forest is refused,
 * or it can be scored: tables say what the plain walk says, and its text as LightGBM's reads back as itself. */

#include "../../runtime/rank_trees.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 5, MOST = 64 };

static void compare(const rank_forest *f)
{
  static double x[ROWS * MOST], score[ROWS];
  rank_error e;
  int32_t *leaf = malloc(sizeof *leaf * (size_t)(ROWS * f->ntrees + 1));
  for (int i = 0; i < ROWS * f->features; i++) {
    const double odd[] = {0.3, (double)NAN, -(double)INFINITY, 1, 40, 0, 1e-36, (double)INFINITY};
    x[i] = odd[i % 8];
  }
  rank_matrix m = {x, ROWS, f->features, f->features, 1};
  rank_scorer *s = rank_scorer_new(f, 1, &e);
  if (!s || !leaf || rank_scorer_run(s, &m, score, leaf, 1) != 0) {
    abort();
  }
  for (long i = 0; i < ROWS * f->ntrees; i++) {
    if (leaf[i] != rank_forest_leaf(f, i % f->ntrees, &m, i / f->ntrees)) {
      abort();
    }
  }
  rank_scorer_free(s);
  free(leaf);
}

static char *text_of(const rank_forest *f, size_t *n)
{
  char *text = NULL;
  rank_error e;
  FILE *out = open_memstream(&text, n);
  if (!out) {
    abort();
  }
  int failed = rank_forest_write_lightgbm(f, out, &e);
  fclose(out);
  if (failed) {
    free(text);
    return NULL;
  }
  return text;
}

/* A forest of LightGBM's: XGBoost's may have thresholds that LightGBM takes for 0. */
static rank_forest *reread(const rank_forest *f)
{
  size_t n;
  rank_error e;
  char *text = text_of(f, &n);
  rank_forest *g = text ? rank_forest_read_lightgbm(text, n, &e) : NULL;
  if (text && !g) {
    abort();
  }
  free(text);
  return g; /* NULL: LightGBM cannot say it */
}

static void round_trip(const rank_forest *f)
{
  size_t n, m;
  rank_forest *g = reread(f), *h = g ? reread(g) : NULL;
  char *text = g ? text_of(g, &n) : NULL, *again = h ? text_of(h, &m) : NULL;
  if (g && (!again || n != m || memcmp(text, again, n) != 0)) {
    abort();
  }
  rank_forest_free(g);
  rank_forest_free(h);
  free(text);
  free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rank_error e;
  int json = size > 0 && data[0] == '{';
  char *text = malloc(size > 0 ? size : 1); /* exactly so long: nothing may be read behind it */
  memcpy(text, data, size);
  rank_forest *f = (json ? rank_forest_read_xgboost : rank_forest_read_lightgbm)(text, size, &e);
  free(text);
  if (f && f->features <= MOST && f->ntrees < 1000) {
    compare(f);
    round_trip(f);
  }
  rank_forest_free(f);
  return 0;
}
