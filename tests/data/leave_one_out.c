/* leave_one_out.c: how often the item that was left out is among those that item-item neighbours offer.
 *
 *     leave_one_out KNOWN.csv TEST.csv [NEIGHBORS [none|idf|bm25 [SHRINKAGE]]]
 *
 * Files as interactions.py writes them, items whole numbers. Fits on KNOWN, ranks the whole catalogue less
 * what the user has for every row of TEST, and prints recall and the like, also of popularity. A target
 * that is not among the best 100 counts as not found. */

#include "cosine.h"
#include "metrics.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 100, LONGEST = 100000, MOST = 1 << 24 };

typedef struct row {
  long n;
  int32_t seen[LONGEST];
  int32_t next;
} row;

/* user,item item ...[,next] */
static int read_row(FILE *f, row *r, char **line, size_t *room)
{
  if (getline(line, room, f) < 0) {
    return 0;
  }
  char *at = strchr(*line, ',');
  r->n = 0;
  while (at && (*++at >= '0' && *at <= '9') && r->n < LONGEST) {
    long item = strtol(at, &at, 10);
    r->seen[r->n++] = (int32_t)(item < MOST ? item : MOST - 1);
    if (*at != ' ') {
      break;
    }
  }
  r->next = at && *at == ',' ? (int32_t)strtol(at + 1, NULL, 10) : -1;
  return 1;
}

static FILE *open_rows(const char *path, char **line, size_t *room)
{
  FILE *f = fopen(path, "r");
  if (!f || getline(line, room, f) < 0) {
    fprintf(stderr, "leave_one_out: %s cannot be read\n", path);
    exit(1);
  }
  return f;
}

/* One more than the largest id of a file, at least `items`. */
static int32_t count_items(const char *path, row *r, int32_t items)
{
  char *line = NULL;
  size_t room = 0;
  FILE *f = open_rows(path, &line, &room);
  while (read_row(f, r, &line, &room)) {
    for (long k = 0; k < r->n; k++) {
      items = r->seen[k] >= items ? r->seen[k] + 1 : items;
    }
  }
  free(line);
  fclose(f);
  return items;
}

static long place_of(const rank_ranked *out, int32_t item)
{
  for (long k = 0; k < out->n; k++) {
    if (out->item[k] == item) {
      return k + 1;
    }
  }
  return LONG_MAX;
}

static void report(const char *name, const long *place, long n)
{
  printf("%s: recall@10=%.4f recall@20=%.4f recall@50=%.4f ndcg@10=%.4f mrr=%.4f (users=%ld)\n",
    name, rank_recall(place, n, 10), rank_recall(place, n, 20), rank_recall(place, n, 50),
    rank_ndcg(place, n, 10), rank_mrr(place, n, 0), n);
}

static void die(const rank_error *e)
{
  fprintf(stderr, "leave_one_out: %s\n", e->text);
  exit(1);
}

static void test(const char *path, const rank_neighbors *near, const int64_t *count, row *r)
{
  int32_t items = near->items;
  rank_error e;
  char *line = NULL;
  size_t room = 0;
  long n = 0, size = 0, *by_near = NULL, *by_count = NULL;
  int32_t *order = malloc((size_t)items * sizeof *order), item[TOP], popular = 0;
  float score[TOP];
  rank_ranker *ranker = rank_ranker_new(items, &e);
  if (!order || !ranker || (popular = rank_popularity_order(count, items, order)) < 0) {
    die(&e);
  }
  FILE *f = open_rows(path, &line, &room);
  while (read_row(f, r, &line, &room)) {
    if (n == size) {
      size = size * 2 + 1024;
      by_near = realloc(by_near, (size_t)size * sizeof *by_near);
      by_count = realloc(by_count, (size_t)size * sizeof *by_count);
    }
    rank_request q = {.seen = r->seen, .n = r->n};
    rank_ranked out = {.top = TOP, .item = item, .score = score};
    if (rank_neighbors_rank(near, &q, ranker, &out, &e) != 0) {
      die(&e);
    }
    by_near[n] = place_of(&out, r->next);
    if (rank_popularity_rank(order, count, popular, &q, ranker, &out, &e) != 0) {
      die(&e);
    }
    by_count[n++] = place_of(&out, r->next);
  }
  report("item_cosine", by_near, n);
  report("popularity", by_count, n);
  free(by_near);
  free(by_count);
  free(order);
  free(line);
  rank_ranker_free(ranker);
  fclose(f);
}

int main(int argc, char **argv)
{
  if (argc < 3) {
    fprintf(stderr, "leave_one_out KNOWN.csv TEST.csv [NEIGHBORS [none|idf|bm25 [SHRINKAGE]]]\n");
    return 2;
  }
  rank_error e;
  rank_cosine_options o;
  rank_cosine_defaults(&o);
  o.threads = 2;
  o.neighbors = argc > 3 ? atoi(argv[3]) : o.neighbors;
  if (argc > 4) {
    o.weighting = strcmp(argv[4], "idf") == 0    ? RANK_COSINE_IDF
                  : strcmp(argv[4], "bm25") == 0 ? RANK_COSINE_BM25
                                                 : RANK_COSINE_NONE;
  }
  o.shrinkage = argc > 5 ? strtod(argv[5], NULL) : 0;
  rank_interactions log;
  row *r = malloc(sizeof *r);
  if (!r) {
    return 1;
  }
  int32_t items = count_items(argv[2], r, count_items(argv[1], r, 1));
  int64_t *count = malloc((size_t)items * sizeof *count);
  char *line = NULL;
  size_t room = 0;
  FILE *f = open_rows(argv[1], &line, &room);
  if (!count || rank_interactions_begin(&log, items, 0, &e) != 0) {
    die(&e);
  }
  while (read_row(f, r, &line, &room)) {
    if (rank_interactions_add(&log, r->seen, NULL, r->n, 0, &e) != 0) {
      die(&e);
    }
  }
  fclose(f);
  rank_popularity_fit(&log, count);
  rank_neighbors *near = rank_cosine_fit(&log, &o, &e);
  if (!near) {
    die(&e);
  }
  test(argv[2], near, count, r);
  rank_neighbors_free(near);
  rank_interactions_free(&log);
  free(r);
  free(count);
  free(line);
  return 0;
}
