/* fit_bucketize.c: z = bucketize(x; buckets = 10): each column of x becomes an id by its quantiles. 0: x is NaN;
 * else 1 + how many bounds are at most x.
 *
 * The bounds are values of the data: of n values that are not NaN, sorted and counted from 0, the one at
 * ceil(k (n - 1) / buckets) for k = 1, 2, ... (numpy.quantile's method "higher"). A bound that comes twice
 * stands once, and one that is the least value is left out, so no bucket is empty in training and the
 * ids are 1, 2, ... without gaps; a constant column has one bucket.
 *
 * One idea: they are found digit by digit, as a radix sort would, without keeping a value. A pass over the
 * data counts the next byte of all values that begin as a bound does, which tells the bound's next byte. So they are
 * exact, the same in any order of the rows, and memory follows from the number of bounds, not from that of rows. */

#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static long bounds_of(const rank_fit *fit)
{
  return (long)fit->settings[0] - 1;
}

#ifndef RANK_SERVING

enum { DIGITS = sizeof(rank_real), VALUES = 256 };

typedef struct node { /* values that begin with the same bytes, by their next one */
  int64_t count[VALUES];
  int32_t next[VALUES]; /* 0: no bound is among them */
} node;

typedef struct place { /* of a bound among the values, as far as it is known */
  int32_t node;
  int64_t rank; /* within the node's values, from 0 */
  uint64_t key; /* its first bytes */
} place;

typedef struct column {
  node *node; /* the first is the root */
  int32_t n, room;
  place *place; /* [bounds + 1]: the first is the least value */
} column;

typedef struct digging {
  int input, depth; /* bytes that are known */
  long width, bounds;
  column *column; /* [width] */
} digging;

/* A number whose order is that of the values; the two zeros are one. */
static uint64_t key_of(rank_real x)
{
  uint64_t bits = 0, sign = UINT64_C(1) << (8 * DIGITS - 1);
  x += (rank_real)0;
  memcpy(&bits, &x, sizeof x); /* little endian, as everywhere */
  return bits & sign ? ~bits & (sign | (sign - 1)) : bits | sign;
}

static rank_real value_of(uint64_t key)
{
  uint64_t sign = UINT64_C(1) << (8 * DIGITS - 1), bits = key & sign ? key & ~sign : ~key;
  rank_real x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static int digit_of(uint64_t key, int depth)
{
  return (int)(key >> (8 * (DIGITS - 1 - depth)) & (VALUES - 1));
}

static void count_value(column *c, uint64_t key, int depth)
{
  int32_t at = 0;
  for (int d = 0; d < depth; d++) {
    at = c->node[at].next[digit_of(key, d)];
    if (at == 0) {
      return;
    }
  }
  c->node[at].count[digit_of(key, depth)]++;
}

static int count_rows(void *arg, const rank_batch *b)
{
  const digging *g = arg;
  const rank_real *x = b->input[g->input];
  for (long i = 0; i < b->n; i++) {
    for (long k = 0; k < g->width; k++) {
      if (!isnan(x[i * g->width + k])) {
        count_value(&g->column[k], key_of(x[i * g->width + k]), g->depth);
      }
    }
  }
  return 0;
}

/* Where bounds lie, once the root's counts say how many values there are; -1: there are none. */
static int place_bounds(column *c, long bounds)
{
  int64_t n = 0;
  for (int d = 0; d < VALUES; d++) {
    n += c->node[0].count[d];
  }
  for (int64_t k = 0; k <= bounds; k++) {
    c->place[k].rank = (k * (n - 1) + bounds) / (bounds + 1);
  }
  return n > 0 ? 0 : -1;
}

/* The node of what continues node `at` with the digit, made when it is missing; 0: no memory. */
static int32_t node_below(column *c, int32_t at, int digit)
{
  if (c->node[at].next[digit] == 0) {
    if (c->n == c->room) {
      node *more = realloc(c->node, (size_t)c->room * 2 * sizeof *more);
      if (more == NULL) {
        return 0;
      }
      c->node = more;
      c->room *= 2;
    }
    memset(&c->node[c->n], 0, sizeof *c->node);
    c->node[at].next[digit] = c->n++;
  }
  return c->node[at].next[digit];
}

/* Every bound's next byte; 0, or -1: no memory. */
static int go_deeper(column *c, long bounds, int depth)
{
  if (depth == 0 && place_bounds(c, bounds) != 0) {
    c->n = 0;
  }
  for (long k = 0; k <= bounds && c->n > 0; k++) {
    place *p = &c->place[k];
    int d = 0;
    while (p->rank >= c->node[p->node].count[d]) {
      p->rank -= c->node[p->node].count[d++];
    }
    p->key = p->key << 8 | (uint64_t)d;
    if (depth + 1 < DIGITS) {
      p->node = node_below(c, p->node, d);
      if (p->node == 0) {
        return -1;
      }
    }
  }
  return 0;
}

/* Bounds that are left of each column, then NaN. */
static void keep_bounds(const column *c, long bounds, double *out)
{
  long n = 0;
  for (long k = 1; k <= bounds && c->n > 0; k++) {
    if (c->place[k].key != c->place[k - 1].key) {
      out[n++] = (double)value_of(c->place[k].key);
    }
  }
  while (n < bounds) {
    out[n++] = (double)NAN;
  }
}

static int dig(digging *g, const fit_call *c, double *out, rank_error *e)
{
  for (long k = 0; k < g->width; k++) {
    column *x = &g->column[k];
    *x = (column){.node = calloc(8, sizeof *x->node), .n = 1, .room = 8};
    x->place = calloc((size_t)g->bounds + 1, sizeof *x->place);
    if (x->node == NULL || x->place == NULL) {
      return rank_fail(e, "out of memory");
    }
  }
  for (g->depth = 0; g->depth < DIGITS; g->depth++) {
    if (fit_each(c->train, count_rows, g, e) != 0) {
      return -1;
    }
    for (long k = 0; k < g->width; k++) {
      if (go_deeper(&g->column[k], g->bounds, g->depth) != 0) {
        return rank_fail(e, "out of memory");
      }
    }
  }
  for (long k = 0; k < g->width; k++) {
    keep_bounds(&g->column[k], g->bounds, out + k * g->bounds);
  }
  return 0;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  int input = c->fit->sources[0];
  digging g = {.input = input, .width = c->m->inputs[input].width, .bounds = bounds_of(c->fit)};
  g.column = calloc((size_t)g.width + 1, sizeof *g.column);
  double *out = fit_add(s, "bounds", g.width, g.bounds);
  int failed = g.column == NULL || out == NULL ? rank_fail(e, "out of memory") : dig(&g, c, out, e);
  for (long k = 0; k < g.width && g.column != NULL; k++) {
    free(g.column[k].node);
    free(g.column[k].place);
  }
  free(g.column);
  return failed;
}

#endif

/* A step of a search, without the branch that half of all values would take by surprise: each compiler makes one
 * of the other's form, at four times the time. */
#ifdef __clang__
#define STEP_IF(right, half) (__builtin_unpredictable(right) ? (half) : 0)
#else
#define STEP_IF(right, half) ((half) * (right))
#endif

/* How many of a column's n > 0 bounds are at most x; NaN is at least none, and no bound. */
static long bounds_below(const double *bound, long n, double x)
{
  const double *at = bound;
  while (n > 1) {
    long half = n / 2;
    at += STEP_IF(at[half - 1] <= x, half);
    n -= half;
  }
  return at - bound + (*at <= x);
}

static int ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e)
{
  long width = m->inputs[fit->sources[0]].width, bounds = bounds_of(fit);
  const fit_tensor *t = fit_find(s, "bounds");
  if (t->rows != width || t->columns != bounds) {
    return rank_fail(e, "wanted %ld times %ld bounds", width, bounds);
  }
  for (long i = 0; i < width * bounds; i++) {
    if (i % bounds > 0 && !isnan(t->at[i]) && !(t->at[i] > t->at[i - 1])) {
      return rank_fail(
        e, "the bounds of column %ld do not rise: %g, %g", i / bounds, t->at[i - 1], t->at[i]);
    }
  }
  return 0;
}

static int apply(const rank_model *m, const rank_fit *fit, const fit_state *s, const rank_batch *b,
  void *const *out, int32_t *const *offset, void *room)
{
  long width = m->inputs[fit->sources[0]].width, bounds = bounds_of(fit);
  const rank_real *x = b->input[fit->sources[0]];
  const double *bound = fit_find(s, "bounds")->at;
  int32_t *z = out[0];
  (void)offset;
  (void)room;
  for (long i = 0; i < b->n; i++) {
    for (long k = 0; k < width; k++) { /* ids of a column behind those of the columns before it */
      double one = (double)x[i * width + k];
      long id = isnan(one) ? 0 : 1 + bounds_below(bound + k * bounds, bounds, one);
      z[i * width + k] = (int32_t)(k * (bounds + 2) + id);
    }
  }
  return 0;
}

static void info(const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json)
{
  long width = m->inputs[fit->sources[0]].width, bounds = bounds_of(fit);
  const double *bound = fit_find(s, "bounds")->at;
  fputs(json ? ", \"bounds\": [" : "", out);
  for (long k = 0; k < width; k++, bound += bounds) {
    long n = bounds_below(bound, bounds, (double)INFINITY);
    if (json) {
      fputs(k > 0 ? ", [" : "[", out);
    } else {
      fprintf(out, "fit %s: %s[%ld], %ld bucket%s%s", fit->name, m->inputs[fit->sources[0]].name, k,
        n + 1, n > 0 ? "s" : "", n > 0 ? " from" : "");
    }
    for (long i = 0; i < n; i++) {
      fprintf(out,
        json && isinf(bound[i]) ? "%s1e999"
        : json                  ? "%s%.9g"
                                : "%s %.9g",
        json && i > 0 ? ", " : "", bound[i]);
    }
    fputs(json ? "]" : "\n", out);
  }
  fputs(json ? "]" : "", out);
}

const rank_fit_op rank_fit_bucketize = {
  .keys = {"bounds"}, .learn = FIT_LEARN(learn), .ready = ready, .apply = apply, .info = info};
