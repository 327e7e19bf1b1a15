/* Rows as bins, kept twice: by row, in groups of columns, for histograms (which take all columns of few
 * rows), and by column for partitions (which take one column of few rows). */

#include "trees.h"

#include "rank_random.h"
#include "rank_thread.h"

#include <math.h>
#include <string.h>

#ifdef _OPENMP
static int processors(void)
{
  return omp_get_max_threads();
}
#else
static int processors(void)
{
  return 1;
}
#endif

int trees_threads(int asked)
{
  int n = asked > 0 ? asked : processors();
  return n < 1 ? 1 : n > 256 ? 256 : n;
}

/* A sample without replacement: row i is taken with probability (still wanted) / (still there). */
long *rank_trees_sample(const rank_trees_options *o, long rows, long *n)
{
  long wanted = rows < o->bin_sample ? rows : o->bin_sample;
  long *at = malloc(sizeof *at * (size_t)(wanted > 0 ? wanted : 1));
  *n = 0;
  for (long i = 0; at && i < rows && *n < wanted; i++) {
    if (rows <= wanted ||
        rank_random(o->seed, 0, 1, (uint64_t)i, 0) * (double)(rows - i) < (double)(wanted - *n)) {
      at[(*n)++] = i;
    }
  }
  return at;
}

static void find_all(trees_bins *all, const rank_trees_options *o, const rank_matrix *x,
  const long *sample, long n, char *scratch, size_t each, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int c = 0; c < x->columns; c++) {
    double *values = (double *)(scratch + (size_t)rank_thread() * each);
    for (long i = 0; i < n; i++) {
      values[i] = rank_matrix_at(x, sample ? sample[i] : i, c);
    }
    trees_bins_find(all + c, values, n, o, o->categorical && o->categorical[c], values + n);
  }
  (void)threads;
}

int trees_map(trees_mapping *m, trees_bins **all, const rank_trees_options *o, const rank_matrix *x,
  const long *sample, long n, int threads)
{
  size_t columns = (size_t)x->columns,
         each = (trees_bins_scratch(n) + 8 * (size_t)n + 63) & ~(size_t)63;
  char *scratch = malloc(each * (size_t)threads);
  *all = malloc(sizeof **all * (columns ? columns : 1));
  memset(m, 0, sizeof *m);
  m->feature = malloc(sizeof *m->feature * (columns ? columns : 1));
  m->bins = malloc(sizeof *m->bins * (columns ? columns : 1));
  int ok = scratch && *all && m->feature && m->bins;
  if (ok) {
    find_all(*all, o, x, sample, n, scratch, each, threads);
    for (int c = 0; c < x->columns; c++) {
      if ((*all)[c].n > 1) {
        m->feature[m->columns] = c;
        m->bins[m->columns++] = (*all)[c];
      }
    }
  }
  free(scratch);
  return ok ? 0 : -1;
}

void trees_map_free(trees_mapping *m)
{
  free(m->feature);
  free(m->bins);
}

void trees_data_free(trees_data *d)
{
  free(d->by_row);
  free(d->by_column);
}

enum { PIECE = 256, LANES = 16 };

/* First bound that is not below x, for LANES values at once: eight halvings over 256 bounds, without
 * branches, which no processor would guess. */
TREES_BODY void search_body(const double *upper, const double *x, uint8_t *out)
{
  int32_t bin[LANES] = {0};
  for (int step = 128; step > 0; step >>= 1) {
    for (int k = 0; k < LANES; k++) {
      bin[k] += step & -(int32_t)(upper[bin[k] + step - 1] < x[k]);
    }
  }
  for (int k = 0; k < LANES; k++) {
    out[k] = (uint8_t)bin[k];
  }
}

#ifdef TREES_AVX2
TREES_TARGET static void search_avx2(const double *upper, const double *x, long n, uint8_t *out)
{
  for (long i = 0; i < n; i += LANES) {
    search_body(upper, x + i, out + i);
  }
}
#endif

static void search(const double *upper, const double *x, long n, uint8_t *out)
{
#ifdef TREES_AVX2
  if (trees_avx2()) {
    search_avx2(upper, x, n, out);
    return;
  }
#endif
  for (long i = 0; i < n; i += LANES) {
    search_body(upper, x + i, out + i);
  }
}

/* Bins of one column of rows [first, first + n). */
static void bin_piece(
  const trees_bins *b, const rank_matrix *x, int feature, long first, long n, uint8_t *out)
{
  double upper[TREES_BINS], value[PIECE];
  if (b->category) {
    for (long i = 0; i < n; i++) {
      out[i] = trees_bin(b, rank_matrix_at(x, first + i, feature));
    }
    return;
  }
  int nan_bin = b->missing == RANK_SPLIT_NAN, last = b->n - 1 - nan_bin;
  for (int i = 0; i < TREES_BINS; i++) {
    upper[i] = i < last ? b->upper[i] : (double)INFINITY;
  }
  memset(value, 0, sizeof value);
  for (long i = 0; i < n; i++) {
    double v = rank_matrix_at(x, first + i, feature);
    value[i] = isnan(v) ? 0 : v;
  }
  search(upper, value, n, out);
  for (long i = 0; nan_bin && i < n; i++) {
    if (isnan(rank_matrix_at(x, first + i, feature))) {
      out[i] = (uint8_t)(b->n - 1);
    }
  }
}

int trees_data_begin(trees_data *d, const trees_mapping *m, long rows, int columns)
{
  memset(d, 0, sizeof *d);
  d->rows = rows;
  d->columns = m->columns;
  d->groups = (m->columns + TREES_GROUP - 1) / TREES_GROUP;
  d->by_row = calloc((size_t)rows * (size_t)d->groups * TREES_GROUP + 64, 1);
  d->by_column = columns ? malloc((size_t)rows * (size_t)m->columns + 64) : NULL;
  return !d->by_row || (columns && !d->by_column) ? -1 : 0;
}

void trees_data_fill(
  trees_data *d, const trees_mapping *m, long first, const rank_matrix *x, int threads)
{
  long pieces = (x->rows + PIECE - 1) / PIECE;
  size_t stride = (size_t)d->groups * TREES_GROUP;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long p = 0; p < pieces; p++) {
    uint8_t bins[PIECE + LANES];
    long from = p * PIECE, n = x->rows - from < PIECE ? x->rows - from : PIECE, to = first + from;
    for (int c = 0; c < m->columns; c++) {
      bin_piece(m->bins + c, x, m->feature[c], from, n, bins);
      for (long i = 0; i < n; i++) {
        d->by_row[(size_t)(to + i) * stride + (size_t)c] = bins[i];
      }
      if (d->by_column) {
        memcpy(d->by_column + (size_t)c * (size_t)d->rows + to, bins, (size_t)n);
      }
    }
  }
  (void)threads;
}
