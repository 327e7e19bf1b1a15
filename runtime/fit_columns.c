/* fit_columns.c: the columns of several inputs as one matrix of numbers; see fit_columns.h. */

#include "fit_columns.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 };

int fit_columns_count(const rank_model *m, const rank_fit *fit)
{
  long n = 0;
  for (int i = 0; i < fit->nsources; i++) {
    n += m->inputs[fit->sources[i]].width;
  }
  return n <= INT_MAX ? (int)n : 0;
}

int fit_columns_open(fit_columns *c, const rank_model *m, const rank_fit *fit)
{
  int n = fit_columns_count(m, fit);
  *c = (fit_columns){.m = m, .fit = fit, .n = n};
  c->category = calloc((size_t)n + 1, sizeof *c->category);
  c->codes = calloc((size_t)n + 1, sizeof *c->codes);
  if (c->category == NULL || c->codes == NULL) {
    return -1;
  }
  for (int i = 0, at = 0; i < fit->nsources; i++) {
    for (long k = 0; k < m->inputs[fit->sources[i]].width; k++) {
      c->category[at++] = m->inputs[fit->sources[i]].is_id;
    }
  }
  return 0;
}

void fit_columns_close(fit_columns *c)
{
  free(c->category);
  free(c->codes);
}

/* --- categories --- */

static int by_id(const void *a, const void *b)
{
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* Once the ids are there: how they are looked up. */
static void index_codes(fit_codes *c)
{
  for (int i = 0; i < 256; i++) {
    c->sorted[i] = i < c->n ? c->id[i] : INT32_MAX;
    c->number[i] = -1;
  }
  qsort(c->sorted, (size_t)c->n, sizeof *c->sorted, by_id);
  for (int i = 0; i < c->n; i++) {
    const int32_t *at = bsearch(&c->id[i], c->sorted, (size_t)c->n, sizeof *c->sorted, by_id);
    c->number[at - c->sorted] = (int16_t)i;
  }
}

/* The number of an id, or -1. Eight halvings: the last sorted one is greater than any id. */
static int number_of(const fit_codes *c, int32_t id)
{
  int at = 0;
  for (int step = 128; step > 0; step >>= 1) {
    at += c->sorted[at + step - 1] < id ? step : 0;
  }
  return c->sorted[at] == id ? c->number[at] : -1;
}

#ifndef RANK_SERVING

typedef struct counted {
  int32_t id;
  long count;
} counted;

static int by_count(const void *a, const void *b)
{
  const counted *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}

/* The most frequent of n ids, which become sorted. */
static int choose_codes(fit_codes *c, int32_t *ids, long n, int most)
{
  qsort(ids, (size_t)n, sizeof *ids, by_id);
  long distinct = 0;
  for (long i = 0; i < n; i++) {
    distinct += i == 0 || ids[i] != ids[i - 1];
  }
  counted *all = calloc((size_t)distinct + 1, sizeof *all);
  if (all == NULL) {
    return -1;
  }
  distinct = 0;
  for (long i = 0; i < n; i++) {
    if (i == 0 || ids[i] != ids[i - 1]) {
      all[distinct++].id = ids[i];
    }
    all[distinct - 1].count++;
  }
  qsort(all, (size_t)distinct, sizeof *all, by_count);
  c->n = distinct < most ? (int)distinct : most;
  for (int i = 0; i < c->n; i++) {
    c->id[i] = all[i].id;
  }
  free(all);
  index_codes(c);
  return 0;
}

/* The ids of one input at the sampled rows, column by column: ids[width][n]. */
static int gather_ids(
  int input, rank_batcher *b, rank_rows rows, const long *sample, long n, long width, int32_t *ids)
{
  uint32_t piece[PIECE];
  for (long at = 0; at < n; at += PIECE) {
    long some = n - at < PIECE ? n - at : PIECE;
    for (long i = 0; i < some; i++) {
      piece[i] = (uint32_t)(rows.first + sample[at + i]);
    }
    const rank_batch *batch = rank_batch_rows(b, piece, some);
    if (batch == NULL) {
      return -1;
    }
    const int32_t *from = batch->input[input];
    for (long i = 0; i < some; i++) {
      for (long k = 0; k < width; k++) {
        ids[k * n + at + i] = from[i * width + k];
      }
    }
  }
  return 0;
}

int fit_columns_learn(
  fit_columns *c, rank_rows rows, const long *sample, long n, int most, rank_error *e)
{
  rank_batcher *b = rank_batcher_new(rows.data, PIECE);
  int failed = b == NULL, column = 0;
  most = most < FIT_CODES ? most : FIT_CODES;
  for (int i = 0; i < c->fit->nsources && !failed; i++) {
    const rank_input *in = &c->m->inputs[c->fit->sources[i]];
    size_t cells = in->is_id ? (size_t)in->width * (size_t)n : 0;
    int32_t *ids = malloc((cells + 1) * sizeof *ids);
    failed = ids == NULL ||
             (in->is_id && gather_ids(c->fit->sources[i], b, rows, sample, n, in->width, ids) != 0);
    for (long k = 0; k < in->width && in->is_id && !failed; k++) {
      failed = choose_codes(&c->codes[column + k], ids + k * n, n, most) != 0;
    }
    column += (int)in->width;
    free(ids);
  }
  rank_batcher_free(b);
  return failed ? rank_fail(e, "out of memory: categories of %ld rows", n) : 0;
}

int fit_columns_save(const fit_columns *c, fit_state *s)
{
  int64_t n = 0;
  for (int i = 0; i < c->n; i++) {
    n += c->codes[i].n;
  }
  double *to = fit_add(s, "codes", n, 2);
  for (int i = 0; i < c->n && to != NULL; i++) {
    for (int k = 0; k < c->codes[i].n; k++, to += 2) {
      to[0] = i;
      to[1] = c->codes[i].id[k];
    }
  }
  return to != NULL ? 0 : -1;
}

#endif

int fit_columns_load(fit_columns *c, const fit_state *s, rank_error *e)
{
  const fit_tensor *t = fit_find(s, "codes");
  for (int64_t i = 0; i < t->rows; i++) {
    double column = t->columns == 2 ? t->at[2 * i] : -1, id = column >= 0 ? t->at[2 * i + 1] : -1;
    if (!(column >= 0 && column < c->n) || column != floor(column) || id != floor(id) ||
        !(id >= 0 && id < INT32_MAX) || !c->category[(int)column] ||
        c->codes[(int)column].n == FIT_CODES) {
      return rank_fail(e, "category %lld is damaged", (long long)i);
    }
    fit_codes *to = &c->codes[(int)column];
    to->id[to->n++] = (int32_t)id;
  }
  for (int i = 0; i < c->n; i++) {
    index_codes(&c->codes[i]);
    for (int k = 1; k < c->codes[i].n; k++) {
      if (c->codes[i].sorted[k] == c->codes[i].sorted[k - 1]) {
        return rank_fail(e, "a category is there twice");
      }
    }
  }
  return 0;
}

/* --- rows --- */

size_t fit_columns_room(const rank_model *m, const rank_fit *fit, long n)
{
  return fit->nsources == 1 && !m->inputs[fit->sources[0]].is_id
           ? 0
           : (size_t)n * (size_t)fit_columns_count(m, fit) * sizeof(rank_real);
}

const rank_real *fit_columns_rows(
  const fit_columns *c, const rank_batch *b, long first, long n, rank_real *room)
{
  if (fit_columns_room(c->m, c->fit, 1) == 0) {
    return (const rank_real *)b->input[c->fit->sources[0]] + first * c->n;
  }
  int column = 0;
  for (int s = 0; s < c->fit->nsources; s++) {
    const rank_input *in = &c->m->inputs[c->fit->sources[s]];
    const int32_t *id = b->input[c->fit->sources[s]];
    const rank_real *x = b->input[c->fit->sources[s]];
    for (long i = 0; i < n; i++) {
      rank_real *to = room + i * c->n + column;
      for (long k = 0; k < in->width; k++) {
        long at = (first + i) * in->width + k;
        to[k] = in->is_id ? (rank_real)number_of(&c->codes[column + k], id[at]) : x[at];
      }
    }
    column += (int)in->width;
  }
  return room;
}

/* What the data calls a column, or NULL. */
static const char *column_of(const rank_input *in, long at)
{
  int named = in->encoding.source == RANK_FROM_NAMES && in->encoding.ncolumns == in->width;
  return in->width == 1 ? in->name : named ? in->encoding.columns[at] : NULL;
}

/* Whether another of the fit's inputs has a column of that name. */
static int ambiguous(const rank_model *m, const rank_fit *fit, int source, const char *name)
{
  int found = 0;
  for (int i = 0; i < fit->nsources; i++) {
    const rank_input *in = &m->inputs[fit->sources[i]];
    for (long k = 0; i != source && k < in->width; k++) {
      const char *other = column_of(in, k);
      found |= other != NULL && strcmp(other, name) == 0;
    }
  }
  return found;
}

void fit_columns_name(const rank_model *m, const rank_fit *fit, int column, char *out, size_t room)
{
  int i = 0;
  long at = column;
  while (at >= m->inputs[fit->sources[i]].width) {
    at -= m->inputs[fit->sources[i++]].width;
  }
  const rank_input *in = &m->inputs[fit->sources[i]];
  const char *name = column_of(in, at);
  if (name == NULL) {
    snprintf(out, room, "%s.%ld", in->name, at);
  } else if (in->width > 1 && ambiguous(m, fit, i, name)) {
    snprintf(out, room, "%s.%s", in->name, name);
  } else {
    snprintf(out, room, "%s", name);
  }
}
