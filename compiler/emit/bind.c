/* bind.c: connects a step to its parameters, batch and working memory.
 *
 * The same function measures and binds: with no working memory it only adds up what would be carved from
 * it. */

#include "writer.h"

#include <string.h>

int dim_index(const Graph *g, int axis)
{
  int dim = 0;
  int root = axis_root(g, axis);
  for (int i = 0; i < root; i++) {
    dim += g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i;
  }
  return dim;
}

/* How many rows a value of the whole batch has. */
static Str batch_rows(Emit *e, int ragged)
{
  if (ragged < 0) {
    return S("b->n");
  }
  if (e->p->padded) {
    return put_text(e, "b->n * %ld", axis_extent(e->g, ragged));
  }
  return put_text(e, "rank_rows(b, %d, %ld)", dim_index(e->g, ragged), axis_extent(e->g, ragged));
}

/* count * k, count being a product or a call */
static Str times_plain(Emit *e, Str count, long k)
{
  return k == 1 ? count : put_text(e, "%.*s * %ld", STR_ARG(count), k);
}

static void bind_leaves(Emit *e)
{
  const Graph *g = e->g;
  for (int i = 0; i < g->axes.n; i++) {
    if (g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i) {
      put_line(e, "step->%.*s_off = b->offset ? b->offset[%d] : NULL;", STR_ARG(e->axis_name[i]),
        dim_index(g, i));
    }
  }
  for (int i = 0; i < g->nodes.n; i++) {
    if (g->nodes.data[i]->op == OP_INPUT) {
      put_line(e, "step->%.*s = b->input ? b->input[%d] : NULL;", STR_ARG(e->p->value[i].name),
        g->nodes.data[i]->leaf);
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    if (e->param_unused && e->param_unused[i]) {
      continue;
    }
    put_line(e,
      param_stored(e, i) ? "step->%.*s = rank_stored_of(s, %d);" : "step->%.*s = s->param[%d];",
      STR_ARG(e->param_name[i]), i);
  }
}

static void bind_batch_values(Emit *e)
{
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Value *v = &e->p->value[i];
    if (has_memory(e, e->g->nodes.data[i], PLACE_BATCH)) {
      put_line(e,
        "step->%.*s = rank_carve(work, &used, sizeof(rank_real) * (size_t)(%.*s%s + 64));",
        STR_ARG(v->name), STR_ARG(times_plain(e, batch_rows(e, v->layout.ragged), v->layout.width)),
        times_batch(e, "b->n", v->layout.across).s);
    }
  }
}

static void bind_tiles(Emit *e)
{
  put_line(e, "step->tiles = rank_carve(work, &used, sizeof *step->tiles * (size_t)threads);");
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Value *v = &e->p->value[i];
    if (has_memory(e, e->g->nodes.data[i], PLACE_TILE) && v->layout.across > 0 &&
        e->p->columns == 0) {
      put_open(e, "for (int i = 0; i < threads; i++) {");
      long rows = v->layout.ragged < 0 ? 1 : axis_extent(e->g, v->layout.ragged);
      put_line(e,
        "rank_real *values = rank_carve(work, &used, sizeof(rank_real) * (size_t)(b->n%s * TILE * "
        "%ld + 64));",
        times_batch(e, "b->n", v->layout.across - 1).s, rows * v->layout.width);
      put_open(e, "if (work) {");
      put_line(e, "step->tiles[i].%.*s = values;", STR_ARG(v->name));
      put_close(e, "}");
      put_close(e, "}");
    }
  }
}

/* A sum over samples that leaves one for each sample, or each pair: every slot has its own of the whole
 * batch. */
static void bind_sums(Emit *e)
{
  put_line(e, "step->sums = rank_carve(work, &used, sizeof *step->sums * (size_t)step->slots);");
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Value *v = &e->p->value[i];
    if (sum_of_each(e, e->g->nodes.data[i])) {
      put_open(e, "for (int i = 0; i < step->slots; i++) {");
      put_line(e,
        "rank_real *sums = rank_carve(work, &used, sizeof(rank_real) * (size_t)(%ld%s + 64));",
        v->layout.width, times_batch(e, "b->n", v->layout.across).s);
      put_open(e, "if (work) {");
      put_line(e, "step->sums[i].%.*s = sums;", STR_ARG(v->name));
      put_close(e, "}");
      put_close(e, "}");
    }
  }
}

static void bind_lookups(Emit *e, const Grad *grad)
{
  const Graph *g = e->g;
  const Param *table = &g->params.data[grad->param];
  Str name = e->param_name[grad->param];
  long width = plan_layout(g, table->type, false).width;
  width = plan_is_late(e->p, grad->node) ? 0 : width; /* no rows are kept */
  put_line(e, "rank_lookups *%.*s_rows = &step->%.*s_rows;", STR_ARG(name), STR_ARG(name));
  for (int j = 0; j < grad->node->nin; j += 2) {
    Layout l = plan_layout(g, grad->node->in[j]->type, false);
    put_line(e, "step->%.*s_at[%d] = %.*s_rows->n;", STR_ARG(name), j / 2, STR_ARG(name));
    if (l.ragged < 0) {
      put_line(
        e, "%.*s_rows->n += %.*s;", STR_ARG(name), STR_ARG(times_plain(e, S("b->n"), l.width)));
    } else {
      Str rows =
        put_text(e, "rank_rows(b, %d, %ld)", dim_index(g, l.ragged), axis_extent(g, l.ragged));
      put_line(e, "%.*s_rows->n += %.*s;", STR_ARG(name), STR_ARG(times_plain(e, rows, l.width)));
    }
  }
  int leader = lookups_leader(e, grad->param);
  if (leader == grad->param) {
    put_line(e, "rank_lookups_carve(%.*s_rows, s->rows[%d], %ld, threads, work, &used);",
      STR_ARG(name), grad->param, width);
    if (whole_tables(&g->train.optimizer)) {
      put_line(e, "rank_lookups_whole(%.*s_rows, work, &used);", STR_ARG(name));
    }
  } else {
    put_line(e, "rank_lookups_share(%.*s_rows, %.*s_rows, %ld, work, &used);", STR_ARG(name),
      STR_ARG(e->param_name[leader]), width);
  }
}

void bind_function(Emit *e)
{
  Buf *outer = e->out;
  Buf body = {.arena = e->arena};
  e->out = &body;
  e->indent = 1;
  put_line(e, "size_t used = 0;");
  put_line(e, "memset(step, 0, sizeof *step);");
  put_line(e, "step->n = b->n;");
  put_line(e, "step->threads = threads;");
  if (e->fold.sum) {
    put_line(e, "step->folded = b->folded;");
  }
  if (e->p->tiles) {
    put_line(e, "const long size = %s;", tile_size(e));
    put_line(e, "const long tiles = (b->n + size - 1) / size;");
    put_line(e, "step->slots = tiles < 1 ? 1 : tiles < SLOTS ? (int)tiles : SLOTS;");
  } else {
    put_line(e, "step->slots = b->n < 1 ? 1 : b->n < SLOTS ? (int)b->n : SLOTS;");
  }
  bind_leaves(e);
  if (e->o->frozen && totals_any(e, true)) {
    put_line(e, "step->prepared = s->prepared;");
  } else if (totals_any(e, true)) {
    put_line(e, "step->ready = s->prepared != NULL;");
    put_line(e, "step->prepared = s->prepared;");
    put_open(e, "if (!step->ready) {");
    put_line(e, "step->prepared = rank_carve(work, &used, sizeof *step->prepared);");
    put_close(e, "}");
  }
  if (totals_any(e, false)) {
    put_line(e, "step->totals = rank_carve(work, &used, sizeof *step->totals);");
  }
  if (any_in(e, PLACE_SLOT)) {
    bind_sums(e);
  }
  if (any_in(e, PLACE_TILE)) {
    bind_tiles(e);
  }
  bind_batch_values(e);
  turned_bind(e);
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].node->op == OP_SCATTER) {
      bind_lookups(e, &e->g->grads.data[i]);
    }
  }
  Str head = put_text(e,
    "static size_t %.*s_bind(struct %.*s_step *step, const rank_state *s, const rank_batch *b, "
    "int threads, char *work)",
    STR_ARG(e->prefix), STR_ARG(e->prefix));
  mention_unused(e, head.s, put_text(e, "%.*s", STR_ARG(buf_take(&body))));
  put_line(e, "return used + 64;");
  e->out = outer;
  e->indent = 0;
  put_line(
    e, "/* Connects a step to what it works on; returns the bytes of working memory it needs. */");
  put_line(e, "%.*s", STR_ARG(head));
  put_open(e, "{");
  buf_str(e->out, buf_take(&body));
  put_close(e, "}");
  put_blank(e);
}
