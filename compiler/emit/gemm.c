/* gemm.c: contractions as calls of the micro-kernel, with their epilogue as its last argument. What sums
 * over all rows is added up in an array of its own, which the compiler may keep in registers. */

#include "writer.h"

#include "../pass/reason.h"

#include <stdlib.h>
#include <string.h>

typedef struct Shape {
  Str m, k; /* counts as text */
  long n;
  Str a_m, a_k, ldb; /* strides */
  Str a, b;          /* pointers */
} Shape;

static long stride_of(const Emit *e, const Node *n, int axis)
{
  long stride = 0;
  plan_affine(e->p, n, axis, &stride);
  return stride;
}

/* Distance between two rows of a value. */
static long row_stride(const Emit *e, const Node *n)
{
  return e->p->value[plan_source(n)->id].layout.width;
}

static int ragged_of(const Emit *e, const Node *n)
{
  return e->p->value[plan_source(n)->id].layout.ragged;
}

static Str number(Emit *e, long x)
{
  return put_text(e, "%ld", x);
}

static Str times(Emit *e, Str count, long k)
{
  if (k == 1) {
    return count;
  }
  return put_text(e, count.n > 1 ? "(%.*s) * %ld" : "%.*s * %ld", STR_ARG(count), k);
}

/* Number of positions along axes, of which at most the first is ragged. */
static Str count_of(Emit *e, int n, const short *axes)
{
  long plain = 1;
  Str ragged = {0};
  for (int i = 0; i < n; i++) {
    if (e->g->axes.data[axes[i]].kind == AXIS_RAGGED) {
      ragged = length_of(e, axes[i]);
    } else {
      plain *= axis_extent(e->g, axes[i]);
    }
  }
  return ragged.n > 0 ? times(e, ragged, plain) : number(e, plain);
}

/* Every axis at 0, or, within a sample, at the start of its list. */
static Env env_at_start(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  for (int i = 0; i < e->g->axes.n; i++) {
    env.index[i] = i == AXIS_B ? S("s") : S("0");
  }
  env.flat = s->flat;
  return env;
}

static long pack_ld(const Emit *e, const Contract *c)
{
  const Pack *k = &e->p->packs.data[c->pack];
  return k->stride[c->nk - 1];
}

static Shape shape_of(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  Env env = env_at_start(e, s);
  Shape h = {.n = axis_extent(e->g, c->n)};
  if (c->nn > 1) { /* several axes as one, gaps of padding included */
    int first = s->node->type.axis[s->node->type.n - c->nn];
    h.n = stride_of(e, s->node, first) * axis_extent(e->g, first);
  }
  h.m = count_of(e, c->nm, c->m);
  h.k = count_of(e, c->nk, c->k);
  long nm = c->nm > 0 ? stride_of(e, c->a, c->m[c->nm - 1]) : 0;
  long nk = c->nk > 0 ? stride_of(e, c->a, c->k[c->nk - 1]) : 0;
  long ldb = c->nk > 0 ? stride_of(e, c->b, c->k[c->nk - 1]) : 0;
  if (c->rows_m) {
    long own = 1;
    for (int i = 0; i < c->nm; i++) {
      own *= axis_extent(e->g, c->m[i]);
    }
    h.m = times(e, row_count(e, ragged_of(e, c->a)), own);
    nm = c->nm > 0 ? nm : row_stride(e, c->a);
  }
  if (c->rows_k) {
    long own = 1;
    for (int i = 0; i < c->nk; i++) {
      own *= axis_extent(e->g, c->k[i]);
    }
    h.k = times(e, row_count(e, ragged_of(e, c->a)), own);
    nk = c->nk > 0 ? nk : row_stride(e, c->a);
    ldb = c->nk > 0 ? ldb : row_stride(e, c->b);
  }
  h.a_m = number(e, nm);
  h.a_k = number(e, nk);
  h.a = pointer_to(e, &env, c->a, (Str){0});
  if (c->pack >= 0) {
    e->pack_used[c->pack] = true;
    h.b = e->p->packs.data[c->pack].name;
    h.ldb = number(e, pack_ld(e, c));
  } else {
    h.b = pointer_to(e, &env, c->b, (Str){0});
    h.ldb = number(e, ldb);
  }
  return h;
}

/* The address of the element (row, col) of the result, and the value to store there. */
static Env env_in_kernel(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  Env env = env_at_start(e, s);
  env.index[c->n] = S("col");
  env.vec = c->n;
  env.sum = s->node;
  if (c->nm > 0) {
    env.index[c->m[c->nm - 1]] = S("row");
  } else if (c->rows_m) {
    env.flat_row = S("row");
  }
  return env;
}

static Str store_of(Emit *e, const Env *env, const Node *n, const Node *sum)
{
  Value *v = &e->p->value[n->id];
  e->written[n->id] = true;
  Str value = S("sum");
  if (n != sum) {
    Place place = v->place;
    v->place = PLACE_INLINE;
    value = expr(e, env, n);
    v->place = place;
  }
  return put_text(
    e, "rank_store(%.*s, %.*s)", STR_ARG(pointer_to(e, env, n, (Str){0})), STR_ARG(value));
}

static Str partial_sums(Emit *e, const Node *n)
{
  return put_text(e, "%.*s_here", STR_ARG(e->p->value[n->id].name));
}

static Str add_of(Emit *e, const Env *env, const Stmt *s, const Node *sum)
{
  Str value = expr(e, env, sum->in[0]);
  if (sum_of_rows(s, sum)) {
    return put_text(e, "rank_add(%.*s + col, %.*s)", STR_ARG(partial_sums(e, sum)), STR_ARG(value));
  }
  e->written[sum->id] = true;
  return put_text(
    e, "rank_add(%.*s, %.*s)", STR_ARG(pointer_to(e, env, sum, (Str){0})), STR_ARG(value));
}

static Str done_of(Emit *e, const Stmt *s, const Env *env)
{
  Buf all = {.arena = e->arena};
  int count = 0;
  if (plan_stored(e->p, s->store) || s->store != s->node) {
    buf_str(&all, store_of(e, env, s->store, s->node));
    count++;
  }
  for (int i = 0; i < s->nsums; i++) {
    buf_format(&all, count++ > 0 ? ", %.*s" : "%.*s", STR_ARG(add_of(e, env, s, s->sums[i])));
  }
  if (s->then) {
    Env after = *env; /* the sum itself may be stored: it is read back */
    after.sum = s->store == s->node ? NULL : env->sum;
    buf_format(&all, ", %.*s", STR_ARG(store_of(e, &after, s->then, s->node)));
    count++;
  }
  return count == 1 ? buf_take(&all) : put_text(e, "(%.*s)", STR_ARG(buf_take(&all)));
}

/* Where sums over the rows begin, and where they go. */
static void sums_begin(Emit *e, const Stmt *s)
{
  long size = (axis_extent(e->g, s->contract.n) + 15) / 16 * 16;
  for (int i = 0; i < s->nsums; i++) {
    if (sum_of_rows(s, s->sums[i])) {
      put_line(
        e, "_Alignas(64) rank_real %.*s[%ld] = {0};", STR_ARG(partial_sums(e, s->sums[i])), size);
    }
  }
}

static void sums_end(Emit *e, const Stmt *s)
{
  bool open = false;
  Env env = env_fresh(e, s);
  for (int i = 0; i < s->nsums; i++) {
    const Node *n = s->sums[i];
    if (!sum_of_rows(s, n)) {
      continue;
    }
    if (!open) {
      loop_open(e, &env, s->contract.n, true);
      open = true;
    }
    put_line(e, "%.*s %s %.*s[%.*s];", STR_ARG(target_of(e, &env, n)),
      e->p->value[n->id].place == PLACE_SLOT ? "+=" : "=", STR_ARG(partial_sums(e, n)),
      STR_ARG(env.index[s->contract.n]));
  }
  loops_close(e, open);
}

static long whole(Str number)
{
  return number.n > 0 && number.s[0] >= '0' && number.s[0] <= '9' ? strtol(number.s, NULL, 10) : 0;
}

/* The ops of the epilogue, rectifiers by their own name. */
static Str epilogue_text(Emit *e, const Stmt *s)
{
  Str all = fused_text(e->arena, e->p, s);
  const char *at = all.n > 0 ? strstr(str_copy(e->arena, all).s, "< where") : NULL;
  if (!at) {
    return all;
  }
  const char *name = node_is_relu(s->then ? s->then : s->store) ? "relu" : "gate";
  int before = (int)strlen(str_copy(e->arena, all).s) - (int)strlen(at);
  return put_text(e, "%.*s%s%s", before, all.s, name, at + strlen("< where"));
}

/* What is multiplied, in which shape, what follows in the same kernel, and how much work that is. */
static void describe(Emit *e, const Stmt *s, const Shape *h)
{
  const Contract *c = &s->contract;
  int ragged = ragged_of(e, c->a);
  Str rows = ragged < 0 ? S("samples")
                        : put_text(e, "rows of %.*s",
                            STR_ARG(e->g->axes.data[axis_root(e->g, ragged)].name));
  Str m = c->rows_m && c->nm == 0 ? rows : h->m, k = c->rows_k && c->nk == 0 ? rows : h->k;
  long flops = 2 * h->n * (whole(m) ? whole(m) : 1) * (whole(k) ? whole(k) : 1);
  Str fused = epilogue_text(e, s);
  bool counted = whole(m) && whole(k);
  put_line(e, "/* [%.*s, %.*s] x [%.*s, %ld]%s%s%.*s; %ld flops%s */", STR_ARG(m), STR_ARG(k),
    STR_ARG(k), h->n, c->rows_k ? ", summed over the batch" : "", fused.n > 0 ? ", then " : "",
    STR_ARG(fused), flops, counted ? "" : " for each row");
}

static void by_blas(Emit *e, const Stmt *s, const Shape *h)
{
  Env env = env_at_start(e, s);
  const Contract *c = &s->contract;
  long ldc = c->nm > 0 ? stride_of(e, s->node, c->m[c->nm - 1]) : row_stride(e, s->node);
  e->written[s->node->id] = true;
  Str out = pointer_to(e, &env, s->node, (Str){0});
  put_line(e, "rank_blas(%.*s, %ld, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s, %ld, %d);",
    STR_ARG(h->m), h->n, STR_ARG(h->k), STR_ARG(h->a), STR_ARG(h->a_m), STR_ARG(h->a_k),
    STR_ARG(h->b), STR_ARG(h->ldb), STR_ARG(out), ldc, c->rows_k);
}

void contract_print(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  if (c->cols_n || c->cols_k) {
    columns_contract(e, s);
    return;
  }
  Shape h = shape_of(e, s);
  declare_local(e, s->store);
  if (s->then) {
    declare_local(e, s->then);
  }
  sums_begin(e, s);
  describe(e, s, &h);
  if (e->p->padded && s->flat) {
    by_blas(e, s, &h);
    return;
  }
  Env env = env_in_kernel(e, s);
  Str done = done_of(e, s, &env);
  Str init = S("(rank_vec){0}");
  if (c->rows_k) {
    init = put_text(e, "rank_load(%.*s)", STR_ARG(pointer_to(e, &env, s->node, (Str){0})));
  }
  /* frozen weights lie in one way, whatever machine their C is compiled for */
  if (c->pack >= 0 && e->p->packs.data[c->pack].half && !e->o->frozen) {
    put_line(e, "RANK_GEMM_HALF(%.*s, %ld, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s);", STR_ARG(h.m), h.n,
      STR_ARG(h.k), STR_ARG(h.a), STR_ARG(h.a_m), STR_ARG(h.b), STR_ARG(h.ldb), STR_ARG(done));
    sums_end(e, s);
    zero_padding(e, s, s->store);
    return;
  }
  put_line(e, "%s(%.*s, %ld, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s, %.*s);",
    c->rows_k ? "RANK_GEMM_ROWS" : "RANK_GEMM", STR_ARG(h.m), h.n, STR_ARG(h.k), STR_ARG(h.a),
    STR_ARG(h.a_m), STR_ARG(h.a_k), STR_ARG(h.b), STR_ARG(h.ldb), STR_ARG(init), STR_ARG(done));
  sums_end(e, s);
  zero_padding(e, s, s->store);
}

/* The rest of the half vector, that two k share (RANK_HALF_AT). */
static void zero_half(Emit *e, const Pack *k, const Env *env)
{
  enum { HALF = 8 };
  long n = axis_extent(e->g, k->axis[1]), end = (n + HALF - 1) / HALF * HALF;
  if (n == end) {
    return;
  }
  Str v = loop_variable(e, env, k->axis[1]);
  put_open(
    e, "for (int %.*s = %ld; %.*s < %ld; %.*s++) {", STR_ARG(v), n, STR_ARG(v), end, STR_ARG(v));
  put_line(e, "%.*s[RANK_HALF_AT(%.*s, %.*s, %ld, %ld)] = 0;", STR_ARG(k->name),
    STR_ARG(env->index[k->axis[0]]), STR_ARG(v), n, k->stride[0]);
  put_close(e, "}");
}

/* Columns, counted with what they are padded to, fill a row? */
static bool fills_rows(const Emit *e, const Pack *k)
{
  long size = 1;
  for (int i = k->nk; i < k->naxes; i++) {
    size *= axis_extent(e->g, k->axis[i]);
  }
  return size == k->stride[k->nk - 1];
}

/* A pack is written once per step: rows padded with 0. */
void pack_print(Emit *e, const Pack *k)
{
  Env env = env_new(e);
  env.index[AXIS_B] = (Str){0};
  e->pack_written[k - e->p->packs.data] = true;
  put_line(e, "#pragma omp for nowait");
  Buf at = {.arena = e->arena};
  for (int i = 0; i < k->naxes; i++) {
    if (i == k->nk && k->half) {
      zero_half(e, k, &env);
    } else if (i == k->nk && !fills_rows(e, k)) {
      put_line(e, "memset(&%.*s[%.*s], 0, %ld * sizeof(rank_real));", STR_ARG(k->name),
        STR_ARG(buf_take(&at)), k->stride[k->nk - 1]);
    }
    loop_open(e, &env, k->axis[i], false);
    put_term(e, &at, env.index[k->axis[i]], k->stride[i]);
  }
  Str index = buf_take(&at);
  if (k->half) {
    index = put_text(e, "RANK_HALF_AT(%.*s, %.*s, %ld, %ld)", STR_ARG(env.index[k->axis[0]]),
      STR_ARG(env.index[k->axis[1]]), axis_extent(e->g, k->axis[1]), k->stride[0]);
  }
  put_line(
    e, "%.*s[%.*s] = %.*s;", STR_ARG(k->name), STR_ARG(index), STR_ARG(expr(e, &env, k->node)));
  loops_close(e, k->naxes);
}
