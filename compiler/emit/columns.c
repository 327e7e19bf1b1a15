/* columns.c: values of pairs of samples, for a tile's samples and one block of columns after another.
 *
 * A column is another sample of the batch. One idea: what a sweep makes of pairs is needed only within
 * it, so there is memory for one block of columns, and sums and maxima over all of them grow from block
 * to block. In a batch of at most KEPT samples the products have memory for all blocks, and later sweeps
 * find them there. Products read the columns' vectors turned, samples innermost: copied once, by
 * the tiles that make them; rows are a vector longer than a block, lest they share sets of the cache. */

#include "writer.h"

enum { GAP = 16 };

void columns_constants(Emit *e)
{
  const Plan *p = e->p;
  if (p->columns > 0) {
    put_line(e, "/* Blocks of other samples, and how many of them products are kept for. */");
    put_line(
      e, "enum { COLUMNS = %d, KEPT = %d, TURNED = COLUMNS + %d };", p->columns, p->kept, GAP);
    put_blank(e);
  }
}

Str column_of(Emit *e, const Env *env, int axis)
{
  return env->column.n > 0 ? env->column : put_text(e, "(%.*s - c0)", STR_ARG(env->index[axis]));
}

/* ---- products ---- */

static long row_width(const Emit *e, const Node *n)
{
  return e->p->value[plan_source(n)->id].layout.width;
}

/* The first row and column of the block. */
static Env env_of_block(Emit *e, int columns)
{
  Env env = env_new(e);
  for (int i = 0; i < e->g->axes.n; i++) {
    env.index[i] = S("0");
  }
  env.index[columns] = S("c0");
  env.column = S("0");
  env.flat = true;
  return env;
}

static Env env_of_element(Emit *e, const Contract *c)
{
  Env env = env_of_block(e, c->n);
  env.index[c->n] = env.column = S("col");
  env.flat_row = S("row");
  return env;
}

static void rows_times_columns(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  const Turned *t = &e->p->turned.data[c->turned];
  const Value *v = &e->p->value[s->node->id];
  Env env = env_of_block(e, c->n), at = env_of_element(e, c);
  long step = 0;
  plan_affine(e->p, c->a, c->k[c->nk - 1], &step);
  put_line(e, "/* [samples, %ld] x [%ld, columns]; %ld flops for each pair%s */", t->size, t->size,
    2 * t->size, v->same ? "; a small batch has them still" : "");
  e->written[v->same ? v->same->id : s->node->id] = true;
  if (v->same) {
    put_open(e, "if (!step->kept) {");
  }
  put_line(e,
    "RANK_GEMM_SOME(n, COLUMNS, c1 - c0, %ld, %.*s, %ld, %ld, step->%.*s + c0 / COLUMNS * (%ld * "
    "TURNED), TURNED, (rank_vec){0}, rank_store(%.*s, sum));",
    t->size, STR_ARG(pointer_to(e, &env, c->a, (Str){0})), row_width(e, c->a), step,
    STR_ARG(t->name), t->size, STR_ARG(pointer_to(e, &at, s->node, (Str){0})));
  if (v->same) {
    put_close(e, "}");
  }
}

static void pairs_times_columns(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  Env env = env_of_block(e, c->k[0]), at = env_of_element(e, c);
  long n = axis_extent(e->g, c->n);
  e->written[s->node->id] = true;
  Str out = pointer_to(e, &at, s->node, (Str){0});
  put_line(e,
    "/* [samples, columns] x [columns, %ld], summed over them; %ld flops for each pair */", n,
    2 * n);
  put_line(e,
    "RANK_GEMM_ROWS(n, %ld, c1 - c0, %.*s, COLUMNS, 1, %.*s, %ld, rank_load(%.*s), "
    "rank_store(%.*s, sum));",
    n, STR_ARG(pointer_to(e, &env, c->a, (Str){0})), STR_ARG(pointer_to(e, &env, c->b, (Str){0})),
    row_width(e, c->b), STR_ARG(out), STR_ARG(out));
}

/* Op by op: the samples of this thread against all others. */
static void all_by_blas(Emit *e, const Stmt *s)
{
  const Contract *c = &s->contract;
  Env env = env_of_block(e, c->cols_n ? c->n : c->k[0]);
  env.index[c->cols_n ? c->n : c->k[0]] = S("0");
  e->written[s->node->id] = true;
  Str a = pointer_to(e, &env, c->a, (Str){0}), b = pointer_to(e, &env, c->b, (Str){0});
  Str out = pointer_to(e, &env, s->node, (Str){0});
  if (c->cols_n) {
    long k = 1;
    for (int i = 0; i < c->nk; i++) {
      k *= axis_extent(e->g, c->k[i]);
    }
    put_line(e, "/* [samples, %ld] x [%ld, all samples]; %ld flops for each pair */", k, k, 2 * k);
    put_line(e, "rank_blas_turned(n, step->n, %ld, %.*s, %ld, %.*s, %ld, %.*s);", k, STR_ARG(a),
      row_width(e, c->a), STR_ARG(b), row_width(e, c->b), STR_ARG(out));
  } else {
    long n = axis_extent(e->g, c->n);
    put_line(
      e, "/* [samples, all samples] x [all samples, %ld]; %ld flops for each pair */", n, 2 * n);
    put_line(e, "rank_blas(n, %ld, step->n, %.*s, step->n, 1, %.*s, %ld, %.*s, %ld, 0);", n,
      STR_ARG(a), STR_ARG(b), row_width(e, c->b), STR_ARG(out), row_width(e, s->node));
  }
}

void columns_contract(Emit *e, const Stmt *s)
{
  if (e->p->columns == 0) {
    all_by_blas(e, s);
    return;
  }
  (s->contract.cols_n ? rows_times_columns : pairs_times_columns)(e, s);
}

/* ---- sweeps ---- */

static bool is_product(const Stmt *s)
{
  return s->contract.cols_n || s->contract.cols_k;
}

void sweep_print(Emit *e, const Block *b)
{
  const Plan *p = e->p;
  bool kept = false;
  for (int i = 0; i < b->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[b->stmts.data[i]];
    kept |= p->value[s->node->id].keeps || p->value[s->node->id].same;
    if (s->kind == STMT_REDUCE || s->contract.cols_k) {
      reduce_clear(e, s);
    }
  }
  e->sweep = true;
  put_open(e, "for (long c0 = 0; c0 < step->n; c0 += COLUMNS) {");
  put_line(e, "const long c1 = c0 + COLUMNS < step->n ? c0 + COLUMNS : step->n;");
  if (kept) {
    put_line(e, "const long at = step->kept ? c0 * TILE : 0;");
  }
  for (int i = 0; i < b->stmts.n;) {
    int count = 0;
    while (i + count < b->stmts.n && !is_product(&p->stmts.data[b->stmts.data[i + count]])) {
      count++;
    }
    if (count > 0) {
      sample_loop(e, b, count, b->stmts.data + i);
    } else {
      stmt_print(e, &p->stmts.data[b->stmts.data[i]]);
    }
    i += count > 0 ? count : 1;
  }
  put_close(e, "}");
  e->sweep = false;
}

/* ---- turned copies ---- */

void turned_members(Emit *e)
{
  if (e->p->columns > 0) {
    put_line(e, "long kept; /* columns that products are kept for */");
  }
  for (int i = 0; i < e->g->nodes.n; i++) {
    if (e->p->value[i].keeps) {
      put_line(e, "rank_real *%.*s; /* %.*s of every sample, when these are few */",
        STR_ARG(e->p->value[i].name),
        STR_ARG(type_print(e->g, e->g->nodes.data[i]->type, e->arena)));
    }
  }
  for (int i = 0; i < e->p->turned.n; i++) {
    const Turned *t = &e->p->turned.data[i];
    put_line(e, "rank_real *%.*s; /* of every sample, samples innermost, in blocks of columns */",
      STR_ARG(t->name));
  }
}

void turned_bind(Emit *e)
{
  if (e->p->columns > 0) {
    put_line(e, "step->kept = b->n > KEPT ? 0 : (b->n + COLUMNS - 1) / COLUMNS * COLUMNS;");
  }
  for (int i = 0; i < e->g->nodes.n; i++) {
    if (e->p->value[i].keeps) {
      put_line(e,
        "step->%.*s = rank_carve(work, &used, sizeof(rank_real) * (size_t)(tiles * TILE * "
        "step->kept "
        "+ 64));",
        STR_ARG(e->p->value[i].name));
    }
  }
  for (int i = 0; i < e->p->turned.n; i++) {
    const Turned *t = &e->p->turned.data[i];
    put_line(e,
      "step->%.*s = rank_carve(work, &used, sizeof(rank_real) * (size_t)((b->n + COLUMNS - 1) / "
      "COLUMNS * (%ld * TURNED) + 64));",
      STR_ARG(t->name), t->size);
  }
}

/* One number of a column after another, of sample `c`; value 0: what fills the last block. */
static void fill_column(Emit *e, const Turned *t, bool value)
{
  put_line(e, "rank_real *column = step->%.*s + c / COLUMNS * (%ld * TURNED) + c %% COLUMNS;",
    STR_ARG(t->name), t->size);
  Env env = env_new(e);
  Buf at = {.arena = e->arena};
  env.index[t->axis] = S("c");
  long k = t->size;
  for (int i = 0; i < t->nk; i++) {
    loop_open(e, &env, t->k[i], false);
    k /= axis_extent(e->g, t->k[i]);
    put_term(e, &at, env.index[t->k[i]], k);
  }
  Str index = buf_take(&at);
  put_line(e,
    text_has_space(index) ? "column[(%.*s) * TURNED] = %.*s;" : "column[%.*s * TURNED] = %.*s;",
    STR_ARG(index), STR_ARG(value ? expr(e, &env, t->node) : S("0")));
  loops_close(e, t->nk);
}

void turned_fill(Emit *e, int phase)
{
  for (int i = 0; i < e->p->turned.n; i++) {
    const Turned *t = &e->p->turned.data[i];
    if (t->phase != phase) {
      continue;
    }
    put_blank(e);
    put_line(e, "/* %.*s */", STR_ARG(t->name));
    put_open(e, "for (long c = s0; c < s0 + n; c++) {");
    fill_column(e, t, true);
    put_close(e, "}");
    put_open(e, "for (long c = step->n; s0 + n == step->n && c %% COLUMNS != 0; c++) {");
    fill_column(e, t, false);
    put_close(e, "}");
  }
}
