/* rows.c: gradients reach the rows of tables.
 *
 * The rows' gradients stand in lists of lookups, which are dealt to buckets and chained by id
 * (runtime/rank_table.h). Tables that are looked up by the same ids share the list's order: their rows
 * are updated in one loop, while those of the next ids and of the next bucket are on their way from
 * memory. A row's optimizer states lie side by side, so that it takes two places in memory and not one for
 * each of them. */

#include "writer.h"

#include <string.h>

enum { AHEAD = 8, LANES = 16, ROWS = 64, NEAR = 1 << 15 };
/* ROWS: of one number each, updated at a time, LANES in a vector; NEAR: so many are in the cache anyway */

static const Grad *grad_of(const Emit *e, int param)
{
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].param == param) {
      return &e->g->grads.data[i];
    }
  }
  return NULL;
}

static bool is_table(const Grad *grad)
{
  return grad->node->op == OP_SCATTER;
}

/* The first table that is looked up by the same ids, place by place: they are grouped once. */
int lookups_leader(const Emit *e, int param)
{
  const Node *own = grad_of(e, param)->node;
  for (int i = 0; i < e->g->grads.n; i++) {
    const Node *n = e->g->grads.data[i].node;
    bool same = n->op == OP_SCATTER && n->nin == own->nin;
    for (int k = 0; k < n->nin && same; k += 2) {
      same = n->in[k] == own->in[k];
    }
    if (same) {
      return e->g->grads.data[i].param;
    }
  }
  return param;
}

static bool is_leader(const Emit *e, const Grad *grad)
{
  return is_table(grad) && lookups_leader(e, grad->param) == grad->param;
}

/* Does every row move, with a gradient or without? */
bool whole_tables(const Optimizer *o)
{
  return o->dense_tables || (o->l2 > 0 && o->l2_dense);
}

static long row_width(const Emit *e, int param)
{
  return plan_layout(e->g, e->g->params.data[param].type, false).width;
}

/* ---- grouping ---- */

static void each_leader(Emit *e, const char *format)
{
  for (int i = 0; i < e->g->grads.n; i++) {
    if (is_leader(e, &e->g->grads.data[i])) {
      const char *at = strchr(format, '%');
      put_line(e, "%.*s%.*s%s", (int)(at - format), format,
        STR_ARG(e->param_name[e->g->grads.data[i].param]), at + 1);
    }
  }
}

/* Buckets are what threads take in turn. */
static void bucket_loop(Emit *e, int leader)
{
  put_line(e, "#pragma omp for schedule(dynamic, 1) nowait");
  put_open(
    e, "for (int b = 0; b < step->%.*s_rows.buckets; b++) {", STR_ARG(e->param_name[leader]));
}

/* What has to be known of all ids before the first row can be updated. */
static void chain_first(Emit *e, int leader)
{
  const Optimizer *o = &e->g->train.optimizer;
  Str name = e->param_name[leader];
  bucket_loop(e, leader);
  put_line(
    e, "const rank_chains ids = rank_lookups_chain(&step->%.*s_rows, b, part);", STR_ARG(name));
  if (whole_tables(o)) {
    put_line(e, "rank_lookups_point(&step->%.*s_rows, ids);", STR_ARG(name));
  }
  for (int i = 0; i < e->g->grads.n && o->clip_norm > 0; i++) {
    int param = e->g->grads.data[i].param;
    if (is_table(&e->g->grads.data[i]) && lookups_leader(e, param) == leader) {
      put_line(e, "rank_lookups_norms(&step->%.*s_rows, ids);", STR_ARG(e->param_name[param]));
    }
  }
  put_close(e, "}");
}

void tables_group(Emit *e)
{
  const Optimizer *o = &e->g->train.optimizer;
  int leaders = 0;
  for (int i = 0; i < e->g->grads.n; i++) {
    leaders += is_leader(e, &e->g->grads.data[i]);
  }
  if (leaders == 0) {
    return;
  }
  each_leader(e, "rank_lookups_count(&step->%_rows, part, parts);");
  if (whole_tables(o)) {
    each_leader(e, "rank_lookups_clear(&step->%_rows, part, parts);");
  }
  put_line(e, "#pragma omp barrier");
  each_leader(e, "rank_lookups_deal(&step->%_rows, part, parts);");
  put_line(e, "#pragma omp barrier");
  for (int i = 0; i < e->g->grads.n && (whole_tables(o) || o->clip_norm > 0); i++) {
    if (is_leader(e, &e->g->grads.data[i])) {
      chain_first(e, e->g->grads.data[i].param);
    }
  }
  if (whole_tables(o) && o->clip_norm <= 0) {
    put_line(e, "#pragma omp barrier");
  }
}

/* ---- updating ---- */

/* Where a row starts: id * width. */
static Str row_at(Emit *e, const char *id, long width)
{
  return width == 1 ? str_of(id) : put_text(e, "%s * %ldL", id, width);
}

/* Row `id` of the table and of its states. */
static void row_pointers(Emit *e, int param, const char *id)
{
  long width = row_width(e, param);
  int states = e->g->train.optimizer.nstates;
  put_line(e, "rank_real *restrict %.*s = step->%.*s + %.*s;", STR_ARG(e->own_name),
    STR_ARG(e->param_name[param]), STR_ARG(row_at(e, id, width)));
  for (int k = 0; k < states; k++) {
    put_line(e, "rank_real *restrict %.*s = step->state->state[%d][%d] + %.*s;",
      STR_ARG(e->state_name[k]), param, k, STR_ARG(row_at(e, id, width * states)));
  }
}

/* g, the sum of the lookups from `at` on, applied to a row. */
static void row_update(Emit *e, const Param *q, long width, bool touched_only)
{
  Str l2 = touched_only ? S(", l2") : l2_argument(e, q);
  if (width == 1) {
    put_line(e, "%.*s, g[0]%.*s, &step->hyper);", STR_ARG(update_call(e, S("0"))), STR_ARG(l2));
    return;
  }
  put_line(e, "#pragma omp simd");
  put_open(e, "for (int i = 0; i < %ld; i++) {", width);
  put_line(e, "%.*s, g[i]%.*s, &step->hyper);", STR_ARG(update_call(e, S("i"))), STR_ARG(l2));
  put_close(e, "}");
}

/* Every row of a table moves. */
static void update_whole(Emit *e, int param)
{
  const Optimizer *o = &e->g->train.optimizer;
  Str name = e->param_name[param];
  long width = row_width(e, param);
  const Param *q = &e->g->params.data[param];
  put_line(e, "/* %.*s: every row moves, with a gradient or without */", STR_ARG(q->name));
  put_line(e, "#pragma omp for nowait");
  put_open(e, "for (long id = 0; id < step->%.*s_rows.rows; id++) {", STR_ARG(name));
  put_line(e, "const int32_t at = step->%.*s_rows.of_row[id];", STR_ARG(name));
  put_line(e, "rank_real g[%ld];", width);
  bool touched = o->l2 > 0 && !o->l2_dense;
  if (touched) {
    put_line(
      e, "const rank_real l2 = at >= 0 ? %.*s : 0;", STR_ARG(number_c(e, q->free ? 0 : o->l2)));
  }
  put_open(e, "if (at >= 0) {");
  put_line(e, "rank_lookups_sum(&step->%.*s_rows, at, %ld, g);", STR_ARG(name), width);
  e->indent--;
  put_open(e, "} else {");
  put_line(e, "memset(g, 0, sizeof g);");
  put_close(e, "}");
  row_pointers(e, param, "id");
  row_update(e, q, width, touched);
  put_close(e, "}");
}

/* Fetches the row of `id`, and those of its states: `how` is rank_soon or rank_later. */
static void row_fetch(Emit *e, int param, const char *how, const char *id)
{
  long width = row_width(e, param);
  int states = e->g->train.optimizer.nstates;
  put_line(e, "%s(step->%.*s + %.*s, %ld);", how, STR_ARG(e->param_name[param]),
    STR_ARG(row_at(e, id, width)), width);
  if (states > 0) {
    put_line(e, "%s(step->state->state[%d][0] + %.*s, %ld);", how, param,
      STR_ARG(row_at(e, id, width * states)), width * states);
  }
}

/* What the update of an id's rows a few turns later will touch, into the cache. */
static void rows_soon(Emit *e, int param)
{
  Str name = e->param_name[param];
  long width = row_width(e, param);
  row_fetch(e, param, "rank_soon", "soon.id");
  if (!plan_is_late(e->p, grad_of(e, param)->node)) {
    Str at = put_text(e, "step->%.*s_rows.dealt[soon.at].at", STR_ARG(name));
    put_line(e, "rank_soon(step->%.*s_rows.d + %.*s, %ld);", STR_ARG(name),
      STR_ARG(row_at(e, str_copy(e->arena, at).s, width)), width);
  }
}

/* Rows of the bucket that this thread has taken next: one with each that it updates. */
static void rows_later(Emit *e, int leader)
{
  put_open(e, "if (id < later.count) {");
  put_line(e, "const long far = later.first[id].id;");
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    if (is_table(grad) && lookups_leader(e, grad->param) == leader) {
      row_fetch(e, grad->param, "rank_later", "far");
    }
  }
  put_close(e, "}");
}

/* The row of one id: its lookups' gradients summed, and the sum applied. */
static void row_apply(Emit *e, const Grad *grad)
{
  long width = row_width(e, grad->param);
  Str name = e->param_name[grad->param];
  put_open(e, "{ /* %.*s */", STR_ARG(e->g->params.data[grad->param].name));
  const char *aligned = width < 16 ? "" : "_Alignas(64) ";
  if (plan_is_late(e->p, grad->node)) {
    row_pointers(e, grad->param, "now.id");
    put_line(e, "%srank_real g[%ld] = {0};", aligned, width);
    put_open(e, "for (long k = now.at; k >= 0; k = step->%.*s_rows.dealt[k].id) {", STR_ARG(name));
    put_line(e, "const long at = step->%.*s_rows.dealt[k].at;", STR_ARG(name));
    late_row_print(e, grad, "g", str_copy(e->arena, e->own_name).s);
    put_close(e, "}");
  } else {
    put_line(e, "%srank_real g[%ld];", aligned, width);
    put_line(e, "rank_lookups_sum(&step->%.*s_rows, now.at, %ld, g);", STR_ARG(name), width);
    row_pointers(e, grad->param, "now.id");
  }
  row_update(e, &e->g->params.data[grad->param], width, false);
  put_close(e, "}");
}

/* Rows of one number each, which share their ids with no other table: ROWS of them are brought together, so
 * that the roots and divisions of an optimizer are a vector's. Ids of a bucket are all different; the last
 * rows are updated by the same code, so that a row's bits do not depend on its place. */
static void numbers_apply(Emit *e, const Grad *grad)
{
  Str name = e->param_name[grad->param];
  int states = e->g->train.optimizer.nstates;
  put_open(e, "for (long id = 0; id < ids.count; id += %d) {", ROWS);
  put_line(e, "const rank_lookup *now = ids.first + id;");
  put_line(e, "const long left = ids.count - id;");
  put_line(e, "const int some = left < %d ? (int)left : %d;", ROWS, ROWS);
  put_line(e, "rank_real g[%d] = {0}, %.*s[%d] = {0};", ROWS, STR_ARG(e->own_name), ROWS);
  for (int k = 0; k < states; k++) {
    put_line(e, "rank_real %.*s[%d] = {0};", STR_ARG(e->state_name[k]), ROWS);
  }
  put_open(e, "for (int i = 0; i < some && step->%.*s_rows.rows > %d; i++) {", STR_ARG(name), NEAR);
  put_line(e, "const rank_lookup soon = now[i + %d < left ? i + %d : i];", ROWS, ROWS);
  rows_soon(e, grad->param);
  put_close(e, "}");
  put_line(e, "rank_lookups_numbers(&step->%.*s_rows, ids.once, now, some, g);", STR_ARG(name));
  put_open(e, "for (int i = 0; i < some; i++) {");
  put_line(e, "%.*s[i] = step->%.*s[now[i].id];", STR_ARG(e->own_name), STR_ARG(name));
  for (int k = 0; k < states; k++) {
    put_line(e, "%.*s[i] = step->state->state[%d][%d][%.*s];", STR_ARG(e->state_name[k]),
      grad->param, k, STR_ARG(row_at(e, "now[i].id", states)));
  }
  put_close(e, "}");
  put_open(e, "for (int k = 0; k < some; k += %d) {", LANES);
  put_line(e, "#pragma omp simd");
  put_open(e, "for (int i = k; i < k + %d; i++) {", LANES);
  put_line(e, "%.*s, g[i]%.*s, &step->hyper);", STR_ARG(update_call(e, S("i"))),
    STR_ARG(l2_argument(e, &e->g->params.data[grad->param])));
  put_close(e, "}");
  put_close(e, "}");
  put_open(e, "for (int i = 0; i < some; i++) {");
  put_line(e, "step->%.*s[now[i].id] = %.*s[i];", STR_ARG(name), STR_ARG(e->own_name));
  for (int k = 0; k < states; k++) {
    put_line(e, "step->state->state[%d][%d][%.*s] = %.*s[i];", grad->param, k,
      STR_ARG(row_at(e, "now[i].id", states)), STR_ARG(e->state_name[k]));
  }
  put_close(e, "}");
  put_close(e, "}");
}

/* Is it a table of numbers whose ids no other table is looked up by? */
static bool numbers_alone(const Emit *e, int leader)
{
  int sharing = 0;
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    sharing += is_table(grad) && lookups_leader(e, grad->param) == leader;
  }
  return sharing == 1 && row_width(e, leader) == 1 && !plan_is_late(e->p, grad_of(e, leader)->node);
}

/* The same with a bucket taken ahead, whose rows can be fetched while those of `b` are updated. */
static void bucket_loop_ahead(Emit *e, int leader)
{
  Str rows = put_text(e, "step->%.*s_rows", STR_ARG(e->param_name[leader]));
  put_open(e, "for (int b = rank_lookups_take(&%.*s), next; b < %.*s.buckets; b = next) {",
    STR_ARG(rows), STR_ARG(rows));
  put_line(e, "next = rank_lookups_take(&%.*s);", STR_ARG(rows));
  put_line(e, "const rank_chains later = rank_lookups_%s(&%.*s, next);",
    e->g->train.optimizer.clip_norm > 0 ? "chained" : "of", STR_ARG(rows));
}

/* The rows that were looked up, of all tables that share their ids with `leader`. */
static void update_touched(Emit *e, int leader)
{
  const Optimizer *o = &e->g->train.optimizer;
  Str name = e->param_name[leader];
  bool alone = numbers_alone(e, leader), ahead = !alone && table_is_large(e, leader);
  if (ahead) {
    bucket_loop_ahead(e, leader);
  } else {
    bucket_loop(e, leader);
  }
  put_line(e, "const rank_chains ids = rank_lookups_%s(&step->%.*s_rows, b%s);",
    o->clip_norm > 0 ? "chained" : "chain", STR_ARG(name), o->clip_norm > 0 ? "" : ", part");
  if (alone) {
    numbers_apply(e, grad_of(e, leader));
    put_close(e, "}");
    return;
  }
  put_open(e, "for (long id = 0; id < ids.count; id++) {");
  put_line(e, "const rank_lookup now = ids.first[id];");
  put_line(
    e, "const rank_lookup soon = ids.first[id + %d < ids.count ? id + %d : id];", AHEAD, AHEAD);
  if (ahead) {
    rows_later(e, leader);
  }
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < e->g->grads.n; i++) {
      const Grad *grad = &e->g->grads.data[i];
      if (!is_table(grad) || lookups_leader(e, grad->param) != leader) {
        continue;
      }
      if (pass == 0) {
        rows_soon(e, grad->param);
        continue;
      }
      row_apply(e, grad);
    }
  }
  put_close(e, "}");
  put_close(e, "}");
}

void tables_update(Emit *e)
{
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    if (is_table(grad) && whole_tables(&e->g->train.optimizer)) {
      update_whole(e, grad->param);
    } else if (is_leader(e, grad)) {
      update_touched(e, grad->param);
    }
  }
}
