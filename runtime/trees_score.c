/* Scoring by tables: rows are shared out in blocks, and each thread runs the kernels of rank_trees_kernel.h,
 * those for AVX2 where the machine has it. */

#include "trees_packed.h"

enum { PACKED_ROWS = 8 }; /* from so many on, rows side by side are faster */

struct rank_scorer {
  trees_tables t;
  trees_packed *packed; /* NULL: none */
  trees32_table table32;
  trees64_table table64;
};

rank_scorer *rank_scorer_new(const rank_forest *f, int f64, rank_error *e)
{
  rank_scorer *s = calloc(1, sizeof *s);
  if (!s) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  trees_tables *t = &s->t;
  if (trees_tables_make(t, f, f64, e) != 0) {
    free(s);
    return NULL;
  }
  double divide = f->average && f->ntrees > 0 ? (double)f->ntrees : 1;
  s->table32 = (trees32_table){t->columns, f->features, t->block, t->ntrees, f->base, divide,
    t->column, t->tree, t->node32, t->threshold32, t->mask, t->order, t->order_value, t->value,
    t->plain, t->words};
  s->table64 = (trees64_table){t->columns, f->features, t->block, t->ntrees, f->base, divide,
    t->column, t->tree, t->node, t->threshold, t->mask, t->order, t->order_value, t->value,
    t->plain, t->words};
  s->packed = trees_pack(t);
  return s;
}

void rank_scorer_free(rank_scorer *s)
{
  if (s) {
    trees_tables_free(&s->t);
    trees_packed_free(s->packed);
    free(s);
  }
}

void trees_score32(const trees32_table *t, const float *x, long stride, long n, double *score,
  int32_t *leaf, float *work, double *sum)
{
  trees32_score(t, x, stride, n, score, leaf, work, sum);
}

void trees_score64(const trees64_table *t, const double *x, long stride, long n, double *score,
  int32_t *leaf, double *work, double *sum)
{
  trees64_score(t, x, stride, n, score, leaf, work, sum);
}

/* A few rows, each by sixteen trees at a time. */
static void score_alone(
  const rank_scorer *s, const float *rows, long stride, long n, double *score, int32_t *leaf)
{
  const trees32_table *t = &s->table32;
  float x[PACKED_COLUMNS] = {0};
  for (long i = 0; i < n; i++) {
    for (int c = 0; c < t->columns; c++) {
      x[c] = trees32_filled(rows[i * stride + t->column[c].feature], t->column[c].fill);
    }
    double sum =
      trees_packed_row(s->packed, t->order, t->order_value, x, leaf ? leaf + i * t->ntrees : NULL);
    if (score) {
      score[i] = sum / t->divide + t->base;
    }
  }
}

static void score_rows(const rank_scorer *s, const rank_matrix *x, long first, long n,
  double *score, int32_t *leaf, void *work)
{
  double *sum = work;
  size_t skip = (size_t)first * (size_t)x->stride;
  score = score ? score + first : NULL;
  leaf = leaf ? leaf + first * s->t.ntrees : NULL;
  work = sum + s->t.block;
  if (s->t.f64) {
    const double *rows = (const double *)x->at + skip;
#if defined(TREES_AVX2) && !defined(RANK_FROZEN)
    if (trees_avx2()) {
      trees_score64_avx2(&s->table64, rows, x->stride, n, score, leaf, work, sum);
      return;
    }
#endif
    trees_score64(&s->table64, rows, x->stride, n, score, leaf, work, sum);
  } else {
    const float *rows = (const float *)x->at + skip;
    if (s->packed && n < PACKED_ROWS) {
      score_alone(s, rows, x->stride, n, score, leaf);
      return;
    }
#if defined(TREES_AVX2) && !defined(RANK_FROZEN)
    if (trees_avx2()) {
      trees_score32_avx2(&s->table32, rows, x->stride, n, score, leaf, work, sum);
      return;
    }
#endif
    trees_score32(&s->table32, rows, x->stride, n, score, leaf, work, sum);
  }
}

/* What trees_tables_new makes of a block: at most 64 rows, in at most 65536 bytes unless it has 8 rows. */
size_t rank_scorer_room(int features)
{
  size_t eight = 8 * sizeof(double) * (RANK_FILLS * (size_t)features + 1);
  return 64 * sizeof(double) + (eight > 65536 ? eight : 65536);
}

void rank_scorer_rows(
  const rank_scorer *s, const rank_matrix *x, double *score, int32_t *leaf, void *room)
{
  score_rows(s, x, 0, x->rows, score, leaf, room);
}

enum { PIECE = 512, SMALL = 1 << 13 };

int rank_scorer_run(
  const rank_scorer *s, const rank_matrix *x, double *score, int32_t *leaf, int threads)
{
  size_t block = x->rows < s->t.block ? ((size_t)x->rows + 7) / 8 * 8 : (size_t)s->t.block;
  size_t bytes = 8 * ((size_t)s->t.block + block * ((size_t)s->t.columns + 1));
  double room[SMALL / 8];
  int failed = 0;
#ifdef _OPENMP
  threads = x->rows > PIECE ? trees_threads(threads) : 1;
#else
  threads = 1;
#endif
  if (threads == 1 && bytes <= SMALL) { /* few rows should not wait for memory */
    score_rows(s, x, 0, x->rows, score, leaf, room);
    return 0;
  }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) reduction(| : failed)
#endif
  {
    void *work = malloc(bytes);
    failed = work == NULL;
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
    for (long first = 0; first < x->rows; first += PIECE) {
      long n = x->rows - first < PIECE ? x->rows - first : PIECE;
      if (work) {
        score_rows(s, x, first, n, score, leaf, work);
      }
    }
    free(work);
  }
  return failed ? -1 : 0;
}
