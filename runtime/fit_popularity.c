/* fit_popularity.c: pop = popularity(seen): how many rows have each item, and pop.score(seen), the most
 * popular ones; what everything else has to beat. */

#include "fit_ranked.h"

#include <math.h>
#include <stdlib.h>

/* --- learning --- */

#ifndef RANK_SERVING

typedef struct counting {
  double *count;
  int64_t *last; /* of each item: the last row that had it, from 1 */
  int64_t row;
  int32_t first;
} counting;

static int count_row(void *arg, const int32_t *item, const rank_real *weight, long n, rank_error *e)
{
  counting *c = arg;
  (void)weight;
  (void)e;
  c->row++;
  for (long k = 0; k < n; k++) {
    int32_t i = item[k];
    c->count[i] += i >= c->first && c->last[i] != c->row;
    c->last[i] = c->row;
  }
  return 0;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  int input = c->fit->sources[0];
  counting k = {.first = fit_first_item(c->m, input)};
  k.count = fit_add(s, "counts", c->ids, 1);
  k.last = calloc((size_t)c->ids + 1, sizeof *k.last);
  int failed = k.count == NULL || k.last == NULL ? rank_fail(e, "out of memory: %ld items", c->ids)
                                                 : fit_each_list(c, input, -1, count_row, &k, e);
  free(k.last);
  return failed;
}

#endif

/* --- ready to score --- */

typedef struct made {
  int32_t items, n; /* n of them are had by anyone */
  int64_t *count;
  int32_t *order;
} made;

static void forget(void *p)
{
  made *x = p;
  free(x->count);
  free(x->order);
  free(x);
}

static int ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  const fit_tensor *t = fit_find(s, "counts");
  const rank_input *in = &m->inputs[fit->sources[0]];
  long declared = in->nvocab == 1 ? in->vocab[0] : 0; /* 0: learnt */
  if (t->columns != 1 || t->rows >= INT32_MAX || (declared > 0 && t->rows != declared)) {
    return rank_fail(e, "not the counts of %s", in->name);
  }
  made *x = calloc(1, sizeof *x);
  if (x == NULL) {
    return rank_fail(e, "out of memory");
  }
  x->items = (int32_t)t->rows;
  x->count = calloc((size_t)t->rows + 1, sizeof *x->count);
  x->order = calloc((size_t)t->rows + 1, sizeof *x->order);
  int failed = x->count == NULL || x->order == NULL ? rank_fail(e, "out of memory") : 0;
  for (int64_t i = 0; i < t->rows && !failed; i++) {
    double n = t->at[i];
    failed = n >= 0 && n <= 0x1p53 && n == floor(n) ? 0 : rank_fail(e, "a count is %g", n);
    x->count[i] = failed ? 0 : (int64_t)n;
  }
  x->n = failed ? 0 : rank_popularity_order(x->count, x->items, x->order);
  if (failed || x->n < 0) {
    forget(x);
    return failed ? -1 : rank_fail(e, "out of memory");
  }
  s->made = x;
  return 0;
}

static void info(const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json)
{
  const made *x = s->made;
  (void)m;
  if (json) {
    fprintf(out, ", \"items\": %d", x->n);
  } else {
    fprintf(out, "fit %s: %d items\n", fit->name, x->n);
  }
}

const rank_fit_op rank_fit_popularity = {.keys = {"counts"},
  .learn = FIT_LEARN(learn),
  .ready = ready,
  .forget = forget,
  .info = info,
  .types = {ST_F64}};

/* --- pop.score(...) --- */

static int rank_one(const void *p, const rank_request *q, rank_ranker *r, rank_ranked *out)
{
  const made *x = p;
  return rank_popularity_rank(x->order, x->count, x->n, q, r, out, NULL);
}

static size_t room_of(const rank_model *m, const rank_fit *fit, const fit_state *s)
{
  const made *x = s->made;
  return x == NULL ? 0 : fit_ranked_room(m, fit, x->items);
}

static int32_t ids_of(const fit_state *s)
{
  const made *x = s->made;
  return x->items;
}

static int apply(const rank_model *m, const rank_fit *fit, const fit_state *s, const rank_batch *b,
  void *const *out, int32_t *const *offset, void *room)
{
  const made *x = s->made;
  return fit_ranked_apply(m, fit, x, x->items, rank_one, b, out, offset, room);
}

const rank_fit_op rank_fit_popularity_score = {.apply = apply, .room = room_of, .ids = ids_of};
