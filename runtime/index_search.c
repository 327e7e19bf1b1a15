/* index_search.c: exact search by inner product, and the places of given items; see rank_index.h.
 *
 * One idea: each thread takes a run of blocks through all queries of a group and keeps the k best it saw
 * for each query; which k items are best does not depend on how the blocks were dealt out, because score
 * and position order all items, so what the threads found is merged into the same result. */

#include "index.h"
#include "rank_thread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  GROUP = 1024,         /* queries that share one pass over the index, at most */
  KEPT_BYTES = 64 << 20 /* of what all threads keep for a group, about */
};

typedef struct found {
  float score;
  uint32_t at;
} found;

/* The k best so far of one query: a heap whose root is the worst of them. */
typedef struct best {
  found *heap;
  long n, k;
} best;

typedef struct search {
  const rank_index *x;
  const rank_index_query *q;
  long first, n; /* the group's queries */
  index_scan *scan;
} search;

/* --- the k best --- */

/* Whether a comes after b in the result. */
static int worse(found a, found b)
{
  return a.score < b.score || (a.score == b.score && a.at > b.at);
}

static void sift_up(best *b, long i)
{
  while (i > 0 && worse(b->heap[i], b->heap[(i - 1) / 2])) {
    found swap = b->heap[i];
    b->heap[i] = b->heap[(i - 1) / 2];
    i = (i - 1) / 2;
    b->heap[i] = swap;
  }
}

static void sift_down(best *b, found f)
{
  long i = 0;
  for (long child; (child = 2 * i + 1) < b->n; i = child) {
    child += child + 1 < b->n && worse(b->heap[child + 1], b->heap[child]);
    if (!worse(b->heap[child], f)) {
      break;
    }
    b->heap[i] = b->heap[child];
  }
  b->heap[i] = f;
}

static void keep(best *b, found f)
{
  if (b->n < b->k) {
    b->heap[b->n] = f;
    sift_up(b, b->n++);
  } else if (worse(b->heap[0], f)) {
    sift_down(b, f);
  }
}

/* What a score has to be above to be kept. Positions only rise, so an equal one never is. */
static float limit_of(const best *b)
{
  return b->n < b->k ? -INFINITY : b->heap[0].score;
}

static int skips(const rank_index_query *q, long query, uint32_t at)
{
  if (q->skip_from == NULL) {
    return 0;
  }
  int64_t low = q->skip_from[query], high = q->skip_from[query + 1], end = high;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (q->skip[middle] < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < end && q->skip[low] == at;
}

/* --- one thread --- */

static long block_count(const rank_index *x)
{
  return ((long)x->h->count + INDEX_BLOCK - 1) / INDEX_BLOCK;
}

/* How many vectors a block really has. */
static int filled(const rank_index *x, long block)
{
  long left = (long)x->h->count - block * INDEX_BLOCK;
  return left < INDEX_BLOCK ? (int)left : INDEX_BLOCK;
}

static const float *block_at(const rank_index *x, long block)
{
  return x->vectors + (size_t)block * x->h->width * INDEX_BLOCK;
}

/* The scores of a block that are good enough; a score that is not a number is above nothing. */
static void take(const search *s, long query, const float *score, long block, best *b)
{
  int n = filled(s->x, block);
  for (int j = 0; j < n; j++) {
    uint32_t at = (uint32_t)(block * INDEX_BLOCK + j);
    if ((b->n < b->k ? score[j] == score[j] : score[j] > b->heap[0].score) &&
        !skips(s->q, query, at)) {
      keep(b, (found){score[j], at});
    }
  }
}

/* Blocks [from, to) for every query of the group. */
static void scan_blocks(const search *s, long from, long to, best *b)
{
  float scores[INDEX_ROWS * INDEX_BLOCK] __attribute__((aligned(64)));
  float limit[INDEX_ROWS];
  unsigned char above[INDEX_ROWS];
  long width = (long)s->x->h->width;
  for (long block = from; block < to; block++) {
    for (long i = 0; i < s->n; i += INDEX_ROWS) {
      long n = s->n - i < INDEX_ROWS ? s->n - i : INDEX_ROWS;
      for (long r = 0; r < n; r++) {
        limit[r] = limit_of(&b[i + r]);
      }
      s->scan(block_at(s->x, block), width, s->q->vectors + (s->first + i) * width, n, limit,
        scores, above);
      for (long r = 0; r < n; r++) {
        if (above[r] || b[i + r].n < b[i + r].k) {
          take(s, s->first + i + r, scores + r * INDEX_BLOCK, block, &b[i + r]);
        }
      }
    }
  }
}

/* --- all threads --- */

static int compare_found(const void *a, const void *b)
{
  const found *x = a, *y = b;
  return worse(*x, *y) ? 1 : worse(*y, *x) ? -1 : 0;
}

/* What the threads kept for one query, in order. */
static void merge(best *of, long stride, int threads, found *room, rank_index_hit *hits, long k)
{
  long n = 0;
  for (int t = 0; t < threads; t++) {
    const best *b = of + t * stride;
    memcpy(room + n, b->heap, (size_t)b->n * sizeof *room);
    n += b->n;
  }
  qsort(room, (size_t)n, sizeof *room, compare_found);
  for (long i = 0; i < k; i++) {
    hits[i] = i < n ? (rank_index_hit){room[i].at, room[i].score} : (rank_index_hit){-1, 0};
  }
}

/* One group: best [threads][n], each with room for `keeps`; room [threads][threads * keeps]. */
static void search_group(const search *s, int threads, best *b, found *room, rank_index_hit *hits)
{
  long keeps = b[0].k;
  for (long i = 0; i < threads * s->n; i++) {
    b[i].n = 0;
  }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
  {
    int t = rank_thread(), team = rank_threads();
    long blocks = block_count(s->x);
    scan_blocks(s, blocks * t / team, blocks * (t + 1) / team, b + t * s->n);
#ifdef _OPENMP
#pragma omp barrier
#endif
    for (long i = s->n * t / team; i < s->n * (t + 1) / team; i++) {
      merge(b + i, s->n, team, room + (size_t)t * (size_t)threads * (size_t)keeps,
        hits + (s->first + i) * s->q->k, s->q->k);
    }
  }
}

int rank_index_search(const rank_index *x, const rank_index_query *q, rank_index_hit *hits)
{
  long count = (long)x->h->count, keeps = q->k < count ? q->k : count;
  int threads = q->threads > 1 ? q->threads : 1;
  if (keeps <= 0) {
    for (long i = 0; i < q->n * q->k; i++) {
      hits[i] = (rank_index_hit){-1, 0};
    }
    return 0;
  }
  long group = KEPT_BYTES / ((long)sizeof(found) * keeps * threads);
  group = group > GROUP ? GROUP : group < INDEX_ROWS ? INDEX_ROWS : group;
  group = group < q->n ? group : q->n;
  size_t nbest = (size_t)threads * (size_t)group;
  best *b = calloc(nbest + 1, sizeof *b);
  found *heap = calloc(nbest * (size_t)keeps + 1, sizeof *heap);
  found *room = calloc((size_t)threads * (size_t)threads * (size_t)keeps + 1, sizeof *room);
  int failed = b == NULL || heap == NULL || room == NULL;
  for (long first = 0; first < q->n && !failed; first += group) {
    long n = q->n - first < group ? q->n - first : group;
    search s = {x, q, first, n, index_scan_here()};
    for (size_t i = 0; i < (size_t)threads * (size_t)n; i++) {
      b[i] = (best){heap + i * (size_t)keeps, 0, keeps};
    }
    search_group(&s, threads, b, room, hits);
  }
  free(b);
  free(heap);
  free(room);
  return failed ? -1 : 0;
}

/* --- places --- */

/* Adds how many items of the blocks stand before each query's target, whose score is `own`. */
static void count_blocks(
  const search *s, long from, long to, const int64_t *target, const float *own, long *place)
{
  float scores[INDEX_ROWS * INDEX_BLOCK] __attribute__((aligned(64)));
  unsigned char above[INDEX_ROWS];
  long width = (long)s->x->h->width;
  for (long block = from; block < to; block++) {
    for (long i = 0; i < s->n; i += INDEX_ROWS) {
      long n = s->n - i < INDEX_ROWS ? s->n - i : INDEX_ROWS, last = filled(s->x, block);
      s->scan(block_at(s->x, block), width, s->q->vectors + (s->first + i) * width, n,
        own + s->first + i, scores, above);
      for (long r = s->first + i; r < s->first + i + n; r++) {
        const float *score = scores + (r - s->first - i) * INDEX_BLOCK;
        for (int j = 0; j < last; j++) {
          int64_t at = block * INDEX_BLOCK + j;
          if ((score[j] > own[r] || (score[j] == own[r] && at < target[r])) &&
              !skips(s->q, r, (uint32_t)at)) {
            place[r]++;
          }
        }
      }
    }
  }
}

/* The target's own score, as the scan has it. */
static float own_score(const search *s, long query, int64_t target)
{
  float scores[INDEX_BLOCK] __attribute__((aligned(64))), limit = INFINITY;
  unsigned char above;
  long width = (long)s->x->h->width;
  if (target < 0 || (uint64_t)target >= s->x->h->count) {
    return NAN;
  }
  s->scan(block_at(s->x, target / INDEX_BLOCK), width, s->q->vectors + query * width, 1, &limit,
    scores, &above);
  return scores[target % INDEX_BLOCK];
}

int rank_index_places(
  const rank_index *x, const rank_index_query *q, const int64_t *target, long *place)
{
  float *own = calloc((size_t)q->n + 1, sizeof *own);
  if (own == NULL) {
    return -1;
  }
  int threads = q->threads > 1 ? q->threads : 1;
  (void)threads; /* without OpenMP */
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
  { /* each thread has queries of its own, and no place is written by two */
    int t = rank_thread(), team = rank_threads();
    long first = q->n * t / team, last = q->n * (t + 1) / team;
    for (; first < last; first += GROUP) {
      search s = {x, q, first, last - first < GROUP ? last - first : GROUP, index_scan_here()};
      for (long i = first; i < first + s.n; i++) {
        own[i] = own_score(&s, i, target[i]);
        place[i] = own[i] == own[i];
      }
      count_blocks(&s, 0, block_count(x), target, own, place);
    }
  }
  free(own);
  return 0;
}
