/* cosine_log.c: a log of interactions as lists of items, one for each user.
 *
 * One idea: a user's items are put in order and freed of repeats as they come, so that every later sum
 * runs over sorted lists whatever the order of the log. */

#include "cosine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int rank_interactions_begin(rank_interactions *log, int32_t items, int weighted, rank_error *e)
{
  memset(log, 0, sizeof *log);
  log->items = items;
  log->user_room = 1024;
  log->item_room = 8192;
  log->offset = calloc((size_t)log->user_room + 1, sizeof *log->offset);
  log->item = malloc((size_t)log->item_room * sizeof *log->item);
  log->weight = weighted ? malloc((size_t)log->item_room * sizeof *log->weight) : NULL;
  if (!log->offset || !log->item || (weighted && !log->weight)) {
    rank_interactions_free(log);
    return rank_fail(e, "no memory for a log of interactions");
  }
  return 0;
}

void rank_interactions_free(rank_interactions *log)
{
  free(log->offset);
  free(log->item);
  free(log->weight);
  memset(log, 0, sizeof *log);
}

static int grow(void *at, int64_t n, size_t size)
{
  void *more = realloc(*(void **)at, (size_t)n * size);
  if (!more) {
    return -1;
  }
  *(void **)at = more;
  return 0;
}

/* Room for one more user with n items. */
static int reserve(rank_interactions *log, long n, rank_error *e)
{
  int64_t wanted = log->offset[log->users] + n;
  int bad = 0;
  if (log->users == log->user_room) {
    log->user_room *= 2;
    bad |= grow(&log->offset, log->user_room + 1, sizeof *log->offset);
  }
  if (wanted > log->item_room) {
    int64_t room = log->item_room + log->item_room / 2;
    log->item_room = room < wanted ? wanted : room;
    bad |= grow(&log->item, log->item_room, sizeof *log->item);
    if (log->weight) {
      bad |= grow(&log->weight, log->item_room, sizeof *log->weight);
    }
  }
  return bad ? rank_fail(e, "no memory for %ld users and %lld interactions", log->users + 1,
                 (long long)wanted)
             : 0;
}

static int usable(
  const rank_interactions *log, const int32_t *item, const float *weight, long n, rank_error *e)
{
  for (long k = 0; k < n; k++) {
    if (item[k] < 0 || item[k] >= log->items) {
      return rank_fail(
        e, "user %ld: item %d, but items are from 0 to %d", log->users, item[k], log->items - 1);
    }
    if (weight && !(isfinite(weight[k]) && weight[k] >= 0)) {
      return rank_fail(e, "user %ld: item %d weighs %g, but weights are finite and at least 0",
        log->users, item[k], (double)weight[k]);
    }
  }
  return 0;
}

typedef struct entry {
  int32_t item;
  float weight;
} entry;

static int by_item(const void *a, const void *b)
{
  int32_t x = ((const entry *)a)->item, y = ((const entry *)b)->item;
  if (x != y) {
    return x < y ? -1 : 1;
  }
  float v = ((const entry *)a)->weight, w = ((const entry *)b)->weight; /* sums do not depend on */
  return v < w ? -1 : v > w;                                            /* the order of the log  */
}

int rank_interactions_add(rank_interactions *log, const int32_t *item, const float *weight, long n,
  int32_t first, rank_error *e)
{
  if (usable(log, item, weight, n, e) != 0 || reserve(log, n, e) != 0) {
    return -1;
  }
  entry few[256], *list = n <= 256 ? few : malloc((size_t)n * sizeof *list);
  if (!list) {
    return rank_fail(e, "no memory for a user with %ld items", n);
  }
  long m = 0;
  for (long k = 0; k < n; k++) {
    float w = weight ? weight[k] : 1;
    if (item[k] >= first && w > 0) {
      list[m++] = (entry){item[k], w};
    }
  }
  qsort(list, (size_t)m, sizeof *list, by_item);
  int64_t start = log->offset[log->users], end = start;
  for (long k = 0; k < m; k++) {
    int again = end > start && log->item[end - 1] == list[k].item;
    if (!again) {
      log->item[end++] = list[k].item;
    }
    if (log->weight) {
      log->weight[end - 1] = list[k].weight + (again ? log->weight[end - 1] : 0);
    }
  }
  log->offset[++log->users] = end;
  if (list != few) {
    free(list);
  }
  return 0;
}
