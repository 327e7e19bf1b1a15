/* cosine_rank.c: ranking the catalogue for one user, and saying why.
 *
 * One idea: only neighbours of what the user has can score, so the catalogue is never walked: scores are
 * summed where the lists of neighbours point, and only those places are looked at and cleared again. */

#include "cosine.h"

#include <stdlib.h>
#include <string.h>

struct rank_ranker {
  int32_t items;
  double *sum;         /* [items], zero between requests */
  float *weight;       /* [items]: of seen ones */
  int32_t *place;      /* [items]: of ranked ones, while reasons are looked for */
  int32_t *seen;       /* [items]: rising, each once */
  int32_t *listed;     /* [items]: those with a sum */
  unsigned char *mark; /* [items]: SEEN, LISTED, BARRED; zero between requests */
  int32_t nseen, nlisted;
};

enum { SEEN = 1, LISTED = 2, BARRED = 4 };

static size_t aligned(size_t n)
{
  return (n + 7) / 8 * 8;
}

size_t rank_ranker_bytes(int32_t items)
{
  size_t n = (size_t)items + 1;
  return aligned(sizeof(rank_ranker)) + aligned(n * sizeof(double)) +
         4 * aligned(n * sizeof(int32_t)) + aligned(n);
}

rank_ranker *rank_ranker_place(int32_t items, void *room)
{
  size_t n = (size_t)items + 1;
  char *at = room;
  rank_ranker *r = room;
  *r = (rank_ranker){.items = items};
  at += aligned(sizeof *r);
  r->sum = (double *)(void *)at;
  at += aligned(n * sizeof *r->sum);
  r->weight = (float *)(void *)at;
  at += aligned(n * sizeof *r->weight);
  int32_t **const lists[] = {&r->place, &r->seen, &r->listed};
  for (int k = 0; k < 3; k++, at += aligned(n * sizeof(int32_t))) {
    *lists[k] = (int32_t *)(void *)at;
  }
  r->mark = (unsigned char *)at;
  memset(r->sum, 0, n * sizeof *r->sum);
  memset(r->mark, 0, n);
  return r;
}

rank_ranker *rank_ranker_new(int32_t items, rank_error *e)
{
  void *room = malloc(rank_ranker_bytes(items));
  if (!room) {
    rank_fail(e, "no memory to rank %d items", items);
    return NULL;
  }
  return rank_ranker_place(items, room);
}

void rank_ranker_free(rank_ranker *r)
{
  free(r);
}

/* Rising, by merging runs to and fro between x and `other`; unlike qsort it never allocates. */
static void sort_ids(int32_t *x, int32_t *other, int32_t n)
{
  int32_t *from = x, *to = other;
  for (int32_t run = 1; run < n; run *= 2) {
    for (int32_t low = 0; low < n; low += 2 * run) {
      int32_t middle = low + run < n ? low + run : n, high = middle + run < n ? middle + run : n;
      for (int32_t a = low, b = middle, at = low; at < high; at++) {
        int first = b >= high || (a < middle && from[a] <= from[b]);
        to[at] = first ? from[a++] : from[b++];
      }
    }
    int32_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != x) {
    memcpy(x, from, (size_t)n * sizeof *x);
  }
}

static int begin(rank_ranker *r, const rank_request *q, rank_error *e)
{
  r->nseen = r->nlisted = 0;
  for (long k = 0; k < q->n + q->nwithout; k++) {
    int32_t i = k < q->n ? q->seen[k] : q->without[k - q->n];
    if (i < 0 || i >= r->items) {
      return rank_fail(e, "item %d, but items are from 0 to %d", i, r->items - 1);
    }
  }
  for (long k = 0; k < q->n; k++) {
    int32_t i = q->seen[k];
    if (i < q->first) {
      continue;
    }
    r->weight[i] = q->weight ? q->weight[k] : 1;
    if (!(r->mark[i] & SEEN)) {
      r->mark[i] |= q->with_seen ? SEEN : SEEN | BARRED;
      r->seen[r->nseen++] = i;
    }
  }
  for (long k = 0; k < q->nwithout; k++) {
    r->mark[q->without[k]] |= BARRED;
  }
  sort_ids(r->seen, r->listed, r->nseen);
  return 0;
}

static void end(rank_ranker *r, const rank_request *q)
{
  for (long k = 0; k < q->nwithout; k++) {
    r->mark[q->without[k]] = 0;
  }
  for (int32_t k = 0; k < r->nseen; k++) {
    r->mark[r->seen[k]] = 0;
  }
  for (int32_t k = 0; k < r->nlisted; k++) {
    r->mark[r->listed[k]] = 0;
    r->sum[r->listed[k]] = 0;
  }
}

/* Puts an item where it belongs among the best so far, if it does. */
static void offer(rank_ranked *out, int32_t item, float score)
{
  long at = out->n;
  while (at > 0 && (score > out->score[at - 1] ||
                     (score == out->score[at - 1] && item < out->item[at - 1]))) {
    at--;
  }
  if (at == out->top) {
    return;
  }
  out->n += out->n < out->top;
  for (long k = out->n - 1; k > at; k--) {
    out->item[k] = out->item[k - 1];
    out->score[k] = out->score[k - 1];
  }
  out->item[at] = item;
  out->score[at] = score;
}

static void clear_reasons(rank_ranked *out)
{
  for (long k = 0; k < out->top * out->reasons; k++) {
    out->reason[k] = (rank_reason){-1, 0};
  }
}

static void add_reason(rank_reason *list, int n, int32_t item, float part)
{
  int at = n; /* seen items come by rising id, so equal parts stay in that order */
  while (at > 0 && (list[at - 1].item < 0 || part > list[at - 1].part)) {
    at--;
  }
  if (at < n) {
    memmove(list + at + 1, list + at, (size_t)(n - 1 - at) * sizeof *list);
    list[at] = (rank_reason){item, part};
  }
}

static void explain(const rank_neighbors *n, rank_ranker *r, rank_ranked *out)
{
  for (int32_t k = 0; k < r->nlisted; k++) {
    r->place[r->listed[k]] = -1;
  }
  for (long k = 0; k < out->n; k++) {
    r->place[out->item[k]] = (int32_t)k;
  }
  for (int32_t k = 0; k < r->nseen; k++) {
    int32_t i = r->seen[k];
    for (int64_t m = n->offset[i]; m < n->offset[i + 1]; m++) {
      int32_t place = (r->mark[n->item[m]] & LISTED) ? r->place[n->item[m]] : -1;
      if (place >= 0) {
        add_reason(
          out->reason + (long)place * out->reasons, out->reasons, i, r->weight[i] * n->score[m]);
      }
    }
  }
}

int rank_neighbors_rank(
  const rank_neighbors *n, const rank_request *q, rank_ranker *r, rank_ranked *out, rank_error *e)
{
  out->n = 0;
  clear_reasons(out);
  if (begin(r, q, e) != 0) {
    return -1;
  }
  for (int32_t k = 0; k < r->nseen; k++) {
    int32_t i = r->seen[k];
    double weight = (double)r->weight[i];
    for (int64_t m = n->offset[i]; m < n->offset[i + 1]; m++) {
      int32_t j = n->item[m];
      if (!(r->mark[j] & LISTED)) {
        if (r->mark[j] & BARRED) {
          continue;
        }
        r->mark[j] |= LISTED;
        r->listed[r->nlisted++] = j;
      }
      r->sum[j] += weight * (double)n->score[m];
    }
  }
  for (int32_t k = 0; k < r->nlisted; k++) {
    float score = (float)r->sum[r->listed[k]];
    if (score > 0) {
      offer(out, r->listed[k], score);
    }
  }
  if (out->reasons > 0) {
    explain(n, r, out);
  }
  end(r, q);
  return 0;
}

typedef struct counted {
  int64_t count;
  int32_t item;
} counted;

static int by_count(const void *a, const void *b)
{
  const counted *x = a, *y = b;
  if (x->count != y->count) {
    return x->count > y->count ? -1 : 1;
  }
  return x->item < y->item ? -1 : x->item > y->item;
}

int32_t rank_popularity_order(const int64_t *count, int32_t items, int32_t *order)
{
  counted *list = malloc(((size_t)items + 1) * sizeof *list);
  if (!list) {
    return -1;
  }
  int32_t n = 0;
  for (int32_t i = 0; i < items; i++) {
    if (count[i] > 0) {
      list[n++] = (counted){count[i], i};
    }
  }
  qsort(list, (size_t)n, sizeof *list, by_count);
  for (int32_t k = 0; k < n; k++) {
    order[k] = list[k].item;
  }
  free(list);
  return n;
}

int rank_popularity_rank(const int32_t *order, const int64_t *count, int32_t items,
  const rank_request *q, rank_ranker *r, rank_ranked *out, rank_error *e)
{
  out->n = 0;
  clear_reasons(out);
  if (begin(r, q, e) != 0) {
    return -1;
  }
  for (int32_t k = 0; k < items && out->n < out->top; k++) {
    if (!(r->mark[order[k]] & BARRED)) {
      out->item[out->n] = order[k];
      out->score[out->n++] = (float)count[order[k]];
    }
  }
  end(r, q);
  return 0;
}
