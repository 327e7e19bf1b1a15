/* fit_item_cosine.c: near = item_cosine(seen; ...): which items are had by the same users (cosine.h), and
 * near.score(seen), the items most like those of a list.
 *
 * One idea: a row of data is a user. What is kept is sparse, the neighbours of every item and how near they
 * are, and lies in the weights file as ranking reads it. */

#include "fit_ranked.h"

#include <math.h>
#include <stdlib.h>

/* The op's settings, in the compiler's order. */
enum { NEIGHBORS, WEIGHTING, SHRINKAGE };
enum { BINARY, COUNT, IDF, BM25 };

/* --- learning --- */

#ifndef RANK_SERVING

typedef struct filling {
  rank_interactions log;
  int32_t first;
  float *weight; /* room for one list */
  long room;
} filling;

static int add_user(void *arg, const int32_t *item, const rank_real *weight, long n, rank_error *e)
{
  filling *f = arg;
  if (weight != NULL && n > f->room) {
    float *more = realloc(f->weight, (size_t)n * sizeof *more);
    if (more == NULL) {
      return rank_fail(e, "out of memory");
    }
    f->weight = more;
    f->room = n;
  }
  for (long k = 0; weight != NULL && k < n; k++) {
    f->weight[k] = (float)weight[k];
  }
  return rank_interactions_add(&f->log, item, weight != NULL ? f->weight : NULL, n, f->first, e);
}

static rank_cosine_options options_of(const fit_call *c)
{
  const double *x = c->fit->settings;
  rank_cosine_options o;
  rank_cosine_defaults(&o);
  o.neighbors = (int)x[NEIGHBORS];
  int weighting = (int)x[WEIGHTING];
  o.weighting = weighting == IDF    ? RANK_COSINE_IDF
                : weighting == BM25 ? RANK_COSINE_BM25
                                    : RANK_COSINE_NONE;
  o.shrinkage = x[SHRINKAGE];
  o.threads = c->threads;
  return o;
}

static int keep(const rank_neighbors *n, fit_state *s, rank_error *e)
{
  int64_t kept = n->offset[n->items];
  double *offset = fit_add(s, "offsets", n->items + 1, 1);
  fit_tensor *item = offset != NULL ? fit_add_as(s, "items", ST_I32, kept, 1) : NULL;
  fit_tensor *score = item != NULL ? fit_add_as(s, "scores", ST_F32, kept, 1) : NULL;
  if (score == NULL) {
    return rank_fail(e, "out of memory: %lld neighbours", (long long)kept);
  }
  for (int32_t i = 0; i <= n->items; i++) {
    offset[i] = (double)n->offset[i];
  }
  for (int64_t k = 0; k < kept; k++) {
    item->ints[k] = n->item[k];
    score->floats[k] = n->score[k];
  }
  return 0;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  int input = c->fit->sources[0], weight = c->fit->nsources > 1 ? c->fit->sources[1] : -1;
  rank_cosine_options o = options_of(c);
  filling f = {.first = fit_first_item(c->m, input)};
  int weighted = (int)c->fit->settings[WEIGHTING] != BINARY;
  if (rank_interactions_begin(&f.log, (int32_t)c->ids, weighted, e) != 0) {
    return -1;
  }
  int failed = fit_each_list(c, input, weight, add_user, &f, e);
  free(f.weight);
  rank_neighbors *n = failed ? NULL : rank_cosine_fit(&f.log, &o, e);
  long users = f.log.users, pairs = failed ? 0 : (long)f.log.offset[users];
  rank_interactions_free(&f.log);
  if (n == NULL || keep(n, s, e) != 0) {
    rank_neighbors_free(n);
    return -1;
  }
  rank_log_line(c->log, "fit %s: %ld users, %ld items, %ld interactions, %lld neighbours",
    c->fit->name, users, c->ids - f.first, pairs, (long long)n->offset[n->items]);
  rank_neighbors_free(n);
  return 0;
}

#endif

/* --- ready to score --- */

/* Offsets of their own; items and scores stay in the tensors. */
static void forget(void *p)
{
  rank_neighbors *n = p;
  free(n->offset);
  free(n);
}

static int load_offsets(const fit_tensor *t, int64_t kept, int64_t *offset, rank_error *e)
{
  for (int64_t i = 0; i < t->rows; i++) {
    double x = t->at[i], least = i == 0 ? 0 : t->at[i - 1];
    if (!(x >= least && x <= (double)kept) || x != floor(x)) {
      return rank_fail(e, "offset %lld is %g", (long long)i, x);
    }
    offset[i] = (int64_t)x;
  }
  return offset[0] == 0 && offset[t->rows - 1] == kept
           ? 0
           : rank_fail(e, "its offsets do not cover %lld neighbours", (long long)kept);
}

static int check_neighbors(const rank_neighbors *n, rank_error *e)
{
  for (int64_t k = 0; k < n->offset[n->items]; k++) {
    if (n->item[k] < 0 || n->item[k] >= n->items || !(n->score[k] > 0 && isfinite(n->score[k]))) {
      return rank_fail(e, "neighbour %lld is item %d with score %g", (long long)k, n->item[k],
        (double)n->score[k]);
    }
  }
  return 0;
}

static int ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  const fit_tensor *offset = fit_find(s, "offsets"), *item = fit_find(s, "items");
  const fit_tensor *score = fit_find(s, "scores");
  const rank_input *in = &m->inputs[fit->sources[0]];
  long declared = in->nvocab == 1 ? in->vocab[0] : 0; /* 0: learnt */
  int good = offset->columns == 1 && item->columns == 1 && score->columns == 1 &&
             item->rows == score->rows && offset->rows >= 1 && offset->rows <= INT32_MAX &&
             (declared == 0 || offset->rows == declared + 1);
  if (!good) {
    return rank_fail(e, "not the neighbours of %s", in->name);
  }
  rank_neighbors *n = calloc(1, sizeof *n);
  int64_t *at = malloc((size_t)offset->rows * sizeof *at);
  if (n == NULL || at == NULL) {
    free(n);
    free(at);
    return rank_fail(e, "out of memory: neighbours of %lld items", (long long)offset->rows);
  }
  *n = (rank_neighbors){(int32_t)(offset->rows - 1), at, item->ints, score->floats};
  if (load_offsets(offset, item->rows, at, e) != 0 || check_neighbors(n, e) != 0) {
    forget(n);
    return -1;
  }
  s->made = n;
  return 0;
}

static void info(const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json)
{
  const rank_neighbors *n = s->made;
  long long kept = (long long)n->offset[n->items];
  (void)m;
  if (json) {
    fprintf(out, ", \"items\": %d, \"neighbours\": %lld", n->items, kept);
  } else {
    fprintf(out, "fit %s: %d items, %lld neighbours\n", fit->name, n->items, kept);
  }
}

const rank_fit_op rank_fit_item_cosine = {.keys = {"offsets", "items", "scores"},
  .learn = FIT_LEARN(learn),
  .ready = ready,
  .forget = forget,
  .info = info,
  .types = {ST_F64, ST_I32, ST_F32}};

/* --- near.score(...) --- */

static int rank_one(const void *made, const rank_request *q, rank_ranker *r, rank_ranked *out)
{
  return rank_neighbors_rank(made, q, r, out, NULL);
}

static size_t room_of(const rank_model *m, const rank_fit *fit, const fit_state *s)
{
  const rank_neighbors *n = s->made;
  return n == NULL ? 0 : fit_ranked_room(m, fit, n->items);
}

static int32_t ids_of(const fit_state *s)
{
  const rank_neighbors *x = s->made;
  return x->items;
}

static int apply(const rank_model *m, const rank_fit *fit, const fit_state *s, const rank_batch *b,
  void *const *out, int32_t *const *offset, void *room)
{
  const rank_neighbors *n = s->made;
  return fit_ranked_apply(m, fit, n, n->items, rank_one, b, out, offset, room);
}

const rank_fit_op rank_fit_item_cosine_score = {.apply = apply, .room = room_of, .ids = ids_of};
