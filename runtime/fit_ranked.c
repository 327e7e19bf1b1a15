/* fit_ranked.c: NAME = FIT.score(seen) where not seen, top = N: lists of the best items, row by row.
 *
 * One idea: what ranks works in memory that it is given, so a library may do it too; the results lie back
 * to back like any ragged input, and a row has fewer items than `top` when no more score above 0. */

#include "fit_ranked.h"

#include <math.h>

int32_t fit_first_item(const rank_model *m, int input)
{
  int root = m->inputs[input].same_as >= 0 ? m->inputs[input].same_as : input;
  const rank_encoding *c = &m->inputs[root].encoding;
  return c->vocab || c->hash ? 2 : c->nbuckets > 0 ? 1 : 0;
}

static size_t aligned(size_t n)
{
  return (n + 63) / 64 * 64;
}

static size_t longest(const rank_model *m, int input)
{
  return input < 0 ? 0 : m->inputs[input].dim < 0 ? 1 : (size_t)m->dims[m->inputs[input].dim].max;
}

static size_t reason_bytes(const rank_fit *fit)
{
  return aligned(
    (size_t)(fit->settings[RANKED_TOP] * fit->settings[RANKED_REASONS]) * sizeof(rank_reason));
}

size_t fit_ranked_room(const rank_model *m, const rank_fit *fit, int32_t items)
{
  return aligned(rank_ranker_bytes(items)) +
         aligned((size_t)fit->settings[RANKED_TOP] * sizeof(float)) + reason_bytes(fit) +
         aligned(longest(m, fit->sources[RANKED_WEIGHT]) * sizeof(float));
}

/* Row i of an input of ids. */
static const int32_t *ids_of(const rank_model *m, const rank_batch *b, int input, long i, long *n)
{
  *n = 0;
  if (input < 0) {
    return NULL;
  }
  int dim = m->inputs[input].dim;
  long first = dim >= 0 ? b->offset[dim][i] : i;
  *n = (dim >= 0 ? b->offset[dim][i + 1] : i + 1) - first;
  return (const int32_t *)b->input[input] + first;
}

/* A missing or unknown id is no item, so it bars none. */
static rank_request request_of(
  const rank_model *m, const rank_fit *fit, const rank_batch *b, long i)
{
  const int *source = fit->sources;
  rank_request q = {.first = fit_first_item(m, source[RANKED_QUERY]), .with_seen = 1};
  q.seen = ids_of(m, b, source[RANKED_QUERY], i, &q.n);
  q.with_seen = source[RANKED_WITHOUT] != source[RANKED_QUERY];
  if (q.with_seen) {
    q.without = ids_of(m, b, source[RANKED_WITHOUT], i, &q.nwithout);
  }
  return q;
}

static const float *weights_of(
  const rank_model *m, const rank_fit *fit, const rank_batch *b, long i, long n, float *room)
{
  int input = fit->sources[RANKED_WEIGHT];
  if (input < 0) {
    return NULL;
  }
  int dim = m->inputs[input].dim;
  const rank_real *x = (const rank_real *)b->input[input] + (dim >= 0 ? b->offset[dim][i] : i);
  for (long k = 0; k < n; k++) {
    room[k] = (float)x[k];
  }
  return room;
}

int fit_ranked_apply(const rank_model *m, const rank_fit *fit, const void *made, int32_t items,
  fit_rank_one rank, const rank_batch *b, void *const *out, int32_t *const *offset, void *room)
{
  char *at = room;
  long top = (long)fit->settings[RANKED_TOP], end = 0;
  int reasons = (int)fit->settings[RANKED_REASONS];
  rank_ranker *ranker = rank_ranker_place(items, at);
  at += aligned(rank_ranker_bytes(items));
  float *score = (float *)(void *)at;
  at += aligned((size_t)top * sizeof *score);
  rank_reason *reason = (rank_reason *)(void *)at;
  at += reason_bytes(fit);
  offset[0][0] = 0;
  for (long i = 0; i < b->n; i++) {
    rank_request q = request_of(m, fit, b, i);
    q.weight = weights_of(m, fit, b, i, q.n, (float *)(void *)at);
    rank_ranked list = {.top = top, .reasons = reasons, .score = score, .reason = reason};
    list.item = (int32_t *)out[0] + end;
    if (rank(made, &q, ranker, &list) != 0) {
      return -1;
    }
    for (long k = 0; k < list.n; k++) {
      ((rank_real *)out[1])[end + k] = (rank_real)score[k];
      for (int r = 0; r < reasons; r++) {
        ((int32_t *)out[2])[(end + k) * reasons + r] = reason[k * reasons + r].item;
        ((rank_real *)out[3])[(end + k) * reasons + r] = (rank_real)reason[k * reasons + r].part;
      }
    }
    end += list.n;
    offset[0][i + 1] = (int32_t)end;
  }
  return 0;
}

/* --- learning --- */

#ifndef RANK_SERVING

enum { PIECE = 4096 };

int fit_each_list(
  const fit_call *c, int input, int weight, fit_take_list take, void *arg, rank_error *e)
{
  rank_rows rows = c->train;
  rank_batcher *batcher = rank_batcher_new(rows.data, PIECE);
  int failed = batcher == NULL ? rank_fail(e, "out of memory") : 0;
  for (long at = 0; at < rows.n && !failed; at += PIECE) {
    long n = rows.n - at < PIECE ? rows.n - at : PIECE;
    const rank_batch *b = rank_batch_range(batcher, rows.first + at, n);
    failed = b == NULL ? rank_fail(e, "out of memory: %ld rows", n) : 0;
    for (long i = 0; i < n && !failed; i++) {
      long m, first = 0;
      const int32_t *item = ids_of(c->m, b, input, i, &m);
      first = item - (const int32_t *)b->input[input];
      const rank_real *w = weight < 0 ? NULL : (const rank_real *)b->input[weight] + first;
      failed = take(arg, item, w, m, e);
    }
  }
  rank_batcher_free(batcher);
  return failed;
}

#endif
