/* cosine_fit.c: the neighbours of every item, exactly.
 *
 * One idea: one row of the matrix of similarities at a time. The row of item i is the sum, over the users
 * who have i, of their lists, so it costs what these lists are long; it is cut to its best entries before
 * the next row is begun, and the whole matrix never exists. Rows are shared out among threads in blocks,
 * and each is summed by one thread in the order of users. */

#include "cosine.h"
#include "rank_thread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 2048 }; /* rows at once; what they keep is then moved to the end of the result */

typedef struct match {
  int32_t item;
  float score;
} match;

/* The log the other way round, with users' factors worked into the numbers. */
typedef struct transposed {
  int64_t *offset; /* items + 1 */
  int32_t *user;   /* rising within an item */
  double *factor;  /* of each user: what its entries are multiplied by; NULL: 1 */
  float *x;        /* of each entry of the log, in its order, where weights matter; NULL: 1 */
  float *xt;       /* the same, transposed */
  double *norm;    /* of each item: the length of its row */
} transposed;

typedef struct worker {
  double *sum;      /* [items], zero between rows */
  int32_t *touched; /* [items] */
} worker;

void rank_cosine_defaults(rank_cosine_options *o)
{
  *o = (rank_cosine_options){.neighbors = 100, .threads = 1};
}

void rank_neighbors_free(rank_neighbors *n)
{
  if (n) {
    free(n->offset);
    free(n->item);
    free(n->score);
    free(n);
  }
}

void rank_popularity_fit(const rank_interactions *log, int64_t *count)
{
  memset(count, 0, (size_t)log->items * sizeof *count);
  for (int64_t k = 0; k < log->offset[log->users]; k++) {
    count[log->item[k]]++;
  }
}

/* --- weights of users and of entries --- */

static double user_length(const rank_interactions *log, long u)
{
  double sum = 0;
  for (int64_t k = log->offset[u]; k < log->offset[u + 1]; k++) {
    sum += log->weight ? (double)log->weight[k] : 1;
  }
  return sum;
}

static double mean_length(const rank_interactions *log)
{
  double sum = 0;
  for (long u = 0; u < log->users; u++) {
    sum += user_length(log, u);
  }
  return log->users > 0 && sum > 0 ? sum / (double)log->users : 1;
}

/* An entry's number before the user's factor. */
static double entry_value(rank_cosine_weighting weighting, double w, double relative_length)
{
  switch (weighting) {
  case RANK_COSINE_IDF:
    return sqrt(w);
  case RANK_COSINE_BM25:
    return w * (1.2 + 1) / (w + 1.2 * (1 - 0.75 + 0.75 * relative_length));
  case RANK_COSINE_NONE:
    break;
  }
  return w;
}

/* Fills t->factor and t->x. Without weights every entry of a user is the same number, which then is part
 * of the factor. */
static void weigh(const rank_interactions *log, rank_cosine_weighting weighting, transposed *t)
{
  double mean = weighting == RANK_COSINE_BM25 ? mean_length(log) : 1;
  for (long u = 0; t->factor && u < log->users; u++) {
    int64_t first = log->offset[u], last = log->offset[u + 1];
    double relative = weighting == RANK_COSINE_BM25 ? user_length(log, u) / mean : 1;
    t->factor[u] = 1;
    if (weighting != RANK_COSINE_NONE) {
      t->factor[u] = log1p((double)log->items) - log1p((double)(last - first));
    }
    if (!t->x) {
      t->factor[u] *= entry_value(weighting, 1, relative);
    }
    for (int64_t k = first; t->x && k < last; k++) {
      t->x[k] = (float)entry_value(weighting, (double)log->weight[k], relative);
    }
  }
}

static void transpose(const rank_interactions *log, transposed *t)
{
  int64_t entries = log->offset[log->users];
  for (int64_t k = 0; k < entries; k++) {
    t->offset[log->item[k] + 1]++;
  }
  for (int32_t i = 0; i < log->items; i++) {
    t->offset[i + 1] += t->offset[i];
  }
  for (long u = 0; u < log->users; u++) { /* t->offset[i] runs through item i's users... */
    for (int64_t k = log->offset[u]; k < log->offset[u + 1]; k++) {
      int64_t at = t->offset[log->item[k]]++;
      t->user[at] = (int32_t)u;
      if (t->x) {
        t->xt[at] = t->x[k];
      }
    }
  }
  memmove(t->offset + 1, t->offset, (size_t)log->items * sizeof *t->offset);
  t->offset[0] = 0; /* ...and is set back */
  for (int32_t i = 0; i < log->items; i++) {
    double sum = 0;
    for (int64_t k = t->offset[i]; k < t->offset[i + 1]; k++) {
      double x = t->factor ? t->factor[t->user[k]] : 1;
      x *= t->x ? (double)t->xt[k] : 1;
      sum += x * x;
    }
    t->norm[i] = sqrt(sum);
  }
}

static void transposed_free(transposed *t)
{
  free(t->offset);
  free(t->user);
  free(t->factor);
  free(t->x);
  free(t->xt);
  free(t->norm);
}

static int transposed_make(
  transposed *t, const rank_interactions *log, rank_cosine_weighting weighting)
{
  size_t entries = (size_t)log->offset[log->users] + 1, items = (size_t)log->items;
  memset(t, 0, sizeof *t);
  t->offset = calloc(items + 2, sizeof *t->offset);
  t->user = malloc(entries * sizeof *t->user);
  t->norm = malloc((items + 1) * sizeof *t->norm);
  int factors = log->weight || weighting != RANK_COSINE_NONE;
  if (factors) {
    t->factor = malloc(((size_t)log->users + 1) * sizeof *t->factor);
  }
  if (log->weight) {
    t->x = malloc(entries * sizeof *t->x);
    t->xt = malloc(entries * sizeof *t->xt);
  }
  if (!t->offset || !t->user || !t->norm || (factors && !t->factor) ||
      (log->weight && (!t->x || !t->xt))) {
    return -1;
  }
  weigh(log, weighting, t);
  transpose(log, t);
  return 0;
}

/* --- one row --- */

/* Sums row i into w->sum; returns how many items it touched, i among them. All that is added is above 0,
 * so a sum of 0 is one that was not touched yet. */
static int32_t sum_row(const rank_interactions *log, const transposed *t, int32_t i, worker *w)
{
  int32_t n = 0;
  for (int64_t k = t->offset[i]; k < t->offset[i + 1]; k++) {
    int32_t u = t->user[k];
    double f = t->factor ? t->factor[u] * t->factor[u] : 1;
    if (t->x) {
      f *= (double)t->xt[k];
    }
    if (!(f > 0)) {
      continue;
    }
    for (int64_t m = log->offset[u]; m < log->offset[u + 1]; m++) {
      int32_t j = log->item[m];
      double x = t->x ? f * (double)t->x[m] : f;
      w->touched[n] = j; /* written always, counted when it is new: no branch to guess */
      n += w->sum[j] == 0 && x > 0;
      w->sum[j] += x;
    }
  }
  return n;
}

static int better(match a, match b)
{
  return a.score > b.score || (a.score == b.score && a.item < b.item);
}

/* heap[0] is the worst of the n; puts m there and sinks it. */
static void sink(match *heap, int n, match m)
{
  int at = 0;
  for (int child = 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && better(heap[child], heap[child + 1])) {
      child++;
    }
    if (!better(m, heap[child])) {
      break;
    }
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = m;
}

static void rise(match *heap, int n, match m)
{
  int at = n;
  for (; at > 0 && better(heap[(at - 1) / 2], m); at = (at - 1) / 2) {
    heap[at] = heap[(at - 1) / 2];
  }
  heap[at] = m;
}

/* The best of row i into kept[most], best first; clears the row. Returns how many. */
static int keep_best(const transposed *t, int32_t i, const rank_cosine_options *o, worker *w,
  int32_t touched, int most, match *kept)
{
  int n = 0;
  for (int32_t k = 0; k < touched; k++) {
    int32_t j = w->touched[k];
    double sum = w->sum[j];
    w->sum[j] = 0;
    match m = {j, (float)(sum / (t->norm[i] * t->norm[j] + o->shrinkage))};
    if (j == i || !(m.score > 0)) {
      continue;
    }
    if (n < most) {
      rise(kept, n++, m);
    } else if (better(m, kept[0])) {
      sink(kept, n, m);
    }
  }
  for (int k = n - 1; k > 0; k--) { /* the worst goes to the end */
    match worst = kept[0];
    sink(kept, k, kept[k]);
    kept[k] = worst;
  }
  return n;
}

/* --- all rows --- */

typedef struct fitting {
  const rank_interactions *log;
  const rank_cosine_options *o;
  transposed t;
  worker *workers;
  int most;    /* neighbours that an item can have at all */
  match *kept; /* [BLOCK][most] */
  int count[BLOCK];
  rank_neighbors *result;
  int64_t room;
} fitting;

static int append(fitting *f, int32_t first, int32_t n)
{
  rank_neighbors *r = f->result;
  int64_t end = r->offset[first];
  for (int32_t k = 0; k < n; k++) {
    end += f->count[k];
    r->offset[first + k + 1] = end;
  }
  if (end > f->room) {
    f->room = end + end / 4;
    int32_t *item = realloc(r->item, (size_t)f->room * sizeof *item);
    r->item = item ? item : r->item;
    float *score = realloc(r->score, (size_t)f->room * sizeof *score);
    r->score = score ? score : r->score;
    if (!item || !score) {
      return -1;
    }
  }
  for (int32_t k = 0; k < n; k++) {
    const match *m = f->kept + (size_t)k * (size_t)f->most;
    int64_t at = r->offset[first + k];
    for (int j = 0; j < f->count[k]; j++) {
      r->item[at + j] = m[j].item;
      r->score[at + j] = m[j].score;
    }
  }
  return 0;
}

static int fit_rows(fitting *f)
{
  for (int32_t first = 0; first < f->log->items; first += BLOCK) {
    int32_t n = f->log->items - first < BLOCK ? f->log->items - first : BLOCK;
#pragma omp parallel for num_threads(f->o->threads) schedule(dynamic, 4)
    for (int32_t k = 0; k < n; k++) {
      worker *w = f->workers + rank_thread();
      int32_t touched = sum_row(f->log, &f->t, first + k, w);
      f->count[k] = keep_best(
        &f->t, first + k, f->o, w, touched, f->most, f->kept + (size_t)k * (size_t)f->most);
    }
    if (append(f, first, n) != 0) {
      return -1;
    }
  }
  return 0;
}

static int fitting_make(fitting *f)
{
  size_t items = (size_t)f->log->items + 1;
  f->result = calloc(1, sizeof *f->result);
  f->workers = calloc((size_t)f->o->threads, sizeof *f->workers);
  f->kept = malloc((size_t)BLOCK * (size_t)f->most * sizeof *f->kept);
  if (!f->result || !f->workers || !f->kept) {
    return -1;
  }
  f->result->items = f->log->items;
  f->result->offset = calloc(items, sizeof *f->result->offset);
  f->result->item = malloc(sizeof *f->result->item);
  f->result->score = malloc(sizeof *f->result->score);
  f->room = 1;
  for (int k = 0; k < f->o->threads; k++) {
    f->workers[k].sum = calloc(items, sizeof *f->workers[k].sum);
    f->workers[k].touched = malloc(items * sizeof *f->workers[k].touched);
    if (!f->workers[k].sum || !f->workers[k].touched) {
      return -1;
    }
  }
  return f->result->offset && f->result->item && f->result->score &&
             transposed_make(&f->t, f->log, f->o->weighting) == 0
           ? 0
           : -1;
}

rank_neighbors *rank_cosine_fit(
  const rank_interactions *log, const rank_cosine_options *o, rank_error *e)
{
  if (o->neighbors < 1 || o->threads < 1 || !(o->shrinkage >= 0 && isfinite(o->shrinkage))) {
    rank_fail(e,
      "neighbors = %d, shrinkage = %g, threads = %d: neighbours and threads are at least "
      "1, the shrinkage at least 0",
      o->neighbors, o->shrinkage, o->threads);
    return NULL;
  }
  fitting f = {.log = log, .o = o};
  f.most = o->neighbors < log->items ? o->neighbors : log->items > 1 ? log->items - 1 : 1;
  if (fitting_make(&f) != 0 || fit_rows(&f) != 0) {
    rank_fail(e, "no memory for the neighbours of %d items", log->items);
    rank_neighbors_free(f.result);
    f.result = NULL;
  }
  for (int k = 0; f.workers && k < o->threads; k++) {
    free(f.workers[k].sum);
    free(f.workers[k].touched);
  }
  free(f.workers);
  free(f.kept);
  transposed_free(&f.t);
  return f.result;
}
