/* freeze_weights.c: a file of weights as the parameters of a graph.
 *
 * One idea: the runtime's own reader decides what is this model's; it is given as much of a rank_model as it
 * looks at. */

#include "freeze.h"

#include "../emit/writer.h"

#include "../../runtime/fit.h"
#include "../../runtime/rank_runtime.h"
#include "../../runtime/stored.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reading {
  Arena *a;
  const Graph *g;
  rank_model m;
  rank_weights w;
  long *rows;
  const double **value;
  StoredKind *kind;
  const void **stored;
  const float **scale;
  Frozen *out;
  rank_error e;
} Reading;

static const char *text_of(Reading *r, Str s)
{
  return str_copy(r->a, s).s;
}

static void describe(Reading *r)
{
  const Graph *g = r->g;
  rank_param *params = ARENA_ARRAY(r->a, rank_param, g->params.n + 1);
  rank_input *inputs = ARENA_ARRAY(r->a, rank_input, g->inputs.n + 1);
  for (int i = 0; i < g->inputs.n; i++) {
    inputs[i] = (rank_input){
      .name = text_of(r, g->inputs.data[i].name), .same_as = g->inputs.data[i].same_as};
  }
  for (int i = 0; i < g->params.n; i++) {
    const Param *p = &g->params.data[i];
    long width = plan_layout(g, p->type, false).width;
    params[i] = (rank_param){.name = text_of(r, p->name),
      .table = p->table,
      .rows = p->table ? p->rows : 1,
      .vocab_of = p->vocab_of,
      .width = width,
      .nshape = p->nshape,
      .by_rows = p->table && width > 1};
    memcpy(params[i].shape, p->shape, sizeof *p->shape * (size_t)p->nshape);
  }
  r->m = (rank_model){.name = text_of(r, g->model),
    .layout = model_layout(g),
    .ninputs = g->inputs.n,
    .nparams = g->params.n,
    .inputs = inputs,
    .params = params};
}

static int read_stored(Reading *r, int p, const st_tensor *t)
{
  void *bytes = ARENA_ARRAY(r->a, char, t->bytes + 1);
  r->stored[p] = bytes;
  if (st_read_bytes(&r->w.file, t, bytes, &r->e) != 0) {
    return -1;
  }
  if (r->kind[p] == STORED_INT8) {
    float *scale = ARENA_ARRAY(r->a, float, r->rows[p] + 1);
    r->scale[p] = scale;
    return rank_stored_scale(&r->w, &r->m, p, r->rows[p], scale, &r->e);
  }
  return 0;
}

static int read_param(Reading *r, int p)
{
  static const StoredKind kinds[] = {[RANK_REALS] = STORED_REALS,
    [RANK_F16] = STORED_F16,
    [RANK_BF16] = STORED_BF16,
    [RANK_INT8] = STORED_INT8};
  const st_tensor *t = rank_weights_find(&r->w, &r->m, p, r->rows[p], &r->e);
  if (!t) {
    return -1;
  }
  r->kind[p] = r->m.params[p].by_rows ? kinds[rank_stored_of_tensor(t)] : STORED_REALS;
  if (r->kind[p] != STORED_REALS) {
    return read_stored(r, p, t);
  }
  double *value = ARENA_ARRAY(r->a, double, t->count + 1);
  r->value[p] = value;
  if (st_read_reals(&r->w.file, t, value, &r->e) != 0) {
    return -1;
  }
  for (int64_t i = 0; i < t->count; i++) {
    if (!isfinite(value[i])) {
      return rank_fail(
        &r->e, "%s: tensor %s: number %lld is %g", r->w.file.path, t->name, (long long)i, value[i]);
    }
  }
  return 0;
}

/* ---- fits ---- */

static const struct {
  const char *op;
  const rank_fit_op *run;
} ops[] = {{"standardize", &rank_fit_standardize}, {"bucketize", &rank_fit_bucketize},
  {"gbdt", &rank_fit_gbdt}, {"forest", &rank_fit_forest}, {"item_cosine", &rank_fit_item_cosine},
  {"popularity", &rank_fit_popularity}};

/* Those of one op, in its order; what is in them is looked at when the frozen library is opened. */
static int read_fit(Reading *r, int fit, const rank_fit_op *op)
{
  const Fitted *f = &r->g->fits.data[fit];
  for (int k = 0; op->keys[k]; k++) {
    Str name = str_format(r->a, "fit.%.*s.%s", STR_ARG(f->name), op->keys[k]);
    const st_tensor *t = st_find(&r->w.file, name.s);
    if (!t || t->dtype != op->types[k] || t->nshape != 2) {
      return rank_fail(&r->e, "%s: no tensor %s of two axes, which fit %.*s = %.*s(...) learns",
        r->w.file.path, name.s, STR_ARG(f->name), STR_ARG(f->op));
    }
    char *data = ARENA_ARRAY(r->a, char, t->bytes + 1);
    *VEC_PUSH(r->a, &r->out->tensors) = (FrozenTensor){.fit = fit,
      .type = (int)t->dtype,
      .key = op->keys[k],
      .rows = (long)t->shape[0],
      .columns = (long)t->shape[1],
      .bytes = (long)t->bytes,
      .data = data};
    if (st_read_bytes(&r->w.file, t, data, &r->e) != 0) {
      return -1;
    }
  }
  return 0;
}

static int read_fits(Reading *r)
{
  int failed = 0;
  for (int i = 0; i < r->g->fits.n && !failed; i++) {
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
      if (r->g->fits.data[i].of < 0 && str_eq(r->g->fits.data[i].op, str_of(ops[k].op))) {
        failed = read_fit(r, i, ops[k].run);
      }
    }
  }
  return failed;
}

static int read_all(Reading *r, Str path)
{
  int n = r->g->params.n + 1;
  r->rows = ARENA_ARRAY(r->a, long, n);
  r->value = ARENA_ARRAY(r->a, const double *, n);
  r->kind = ARENA_ARRAY(r->a, StoredKind, n);
  r->stored = ARENA_ARRAY(r->a, const void *, n);
  r->scale = ARENA_ARRAY(r->a, const float *, n);
  describe(r);
  if (rank_weights_open(&r->w, &r->m, text_of(r, path), &r->e) != 0) {
    return -1;
  }
  int failed = rank_state_rows(&r->m, NULL, r->rows, &r->e) != 0 ||
               rank_weights_rows(&r->w, &r->m, r->rows, &r->e) != 0;
  for (int p = 0; p < r->g->params.n && !failed; p++) {
    failed = read_param(r, p);
  }
  failed = failed || read_fits(r) != 0;
  rank_weights_close(&r->w);
  return failed ? -1 : 0;
}

bool freeze_read(Arena *a, const Graph *g, Str path, Frozen *out)
{
  Reading r = {.a = a, .g = g, .out = out};
  if (read_all(&r, path) != 0) {
    fprintf(stderr, "rankc: error: %s\n", r.e.text);
    return false;
  }
  *out = (Frozen){.constants = {r.value, r.rows},
    .kind = r.kind,
    .nkinds = g->params.n,
    .stored = r.stored,
    .scale = r.scale,
    .tensors = {out->tensors.data, out->tensors.n, out->tensors.cap},
    .beside = out->beside};
  return true;
}
