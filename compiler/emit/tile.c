/* tile.c: the functions that take a tile of samples through a phase, and what they work on.
 *
 * A function's body is printed first, noting which values it touches; then its head with a pointer for
 * each of them, and then the body. */

#include "writer.h"

#include "../ir/ops.h"

#include <string.h>

static long rows_of(const Emit *e, const Value *v)
{
  return v->layout.ragged < 0 ? 1 : axis_extent(e->g, v->layout.ragged);
}

static bool is_real_leaf(const Node *n)
{
  return n->op == OP_PARAM || n->op == OP_INPUT;
}

static bool needs_memory(const Emit *e, const Node *n, Place place)
{
  return e->p->value[n->id].place == place && !is_real_leaf(n);
}

static long padded(long n)
{
  return (n + 15) / 16 * 16;
}

/* Members of one place, in the order of the program; phase -1: all. */
static int members(Emit *e, Place place, int phase, Op except)
{
  int count = 0;
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    const Value *v = &e->p->value[i];
    if (!needs_memory(e, n, place) || (phase >= 0 && v->phase - 1 != phase) || n->op == except) {
      continue;
    }
    Str type = type_print(e->g, n->type, e->arena);
    count++;
    if (place == PLACE_TILE && v->layout.per_sample_batch) {
      put_line(e, "rank_real *%.*s; /* %.*s */", STR_ARG(v->name), STR_ARG(type));
    } else if (place == PLACE_TILE && rows_of(e, v) > 1) {
      put_line(e, "rank_real %.*s[TILE * %ld * %ld]; /* %.*s */", STR_ARG(v->name), rows_of(e, v),
        v->layout.width, STR_ARG(type));
    } else if (place == PLACE_TILE) {
      put_line(e, "rank_real %.*s[TILE * %ld]; /* %.*s */", STR_ARG(v->name), v->layout.width,
        STR_ARG(type));
    } else {
      put_line(e, "rank_real %.*s[%ld]; /* %.*s */", STR_ARG(v->name), padded(v->layout.width),
        STR_ARG(type));
    }
  }
  return count;
}

static bool has_place(const Emit *e, Place place)
{
  for (int i = 0; i < e->g->nodes.n; i++) {
    if (needs_memory(e, e->g->nodes.data[i], place)) {
      return true;
    }
  }
  return false;
}

static bool has_totals(const Emit *e)
{
  return e->p->packs.n > 0 || has_place(e, PLACE_TOTAL);
}

static bool has_scatter(const Emit *e, int param)
{
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].param == param && e->g->grads.data[i].node->op == OP_SCATTER) {
      return true;
    }
  }
  return false;
}

static int lookups(const Emit *e, int param)
{
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].param == param) {
      return e->g->grads.data[i].node->nin / 2;
    }
  }
  return 0;
}

/* Root ragged axes, each with its lists' offsets. */
static bool is_list_axis(const Graph *g, int axis)
{
  return g->axes.data[axis].kind == AXIS_RAGGED && axis_root(g, axis) == axis;
}

static void step_struct(Emit *e)
{
  const Graph *g = e->g;
  put_open(e, "struct %.*s_step {", STR_ARG(e->prefix));
  put_line(e, "long n; /* samples */");
  put_line(e, "int slots, threads;");
  for (int i = 0; i < g->axes.n; i++) {
    if (is_list_axis(g, i)) {
      put_line(e, "const int32_t *%.*s_off; /* where each sample's list starts */",
        STR_ARG(name_c(e->arena, g->axes.data[i].name)));
    }
  }
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    if (n->op == OP_INPUT) {
      put_line(e, "const %s *%.*s;", n->type.kind == KIND_ID ? "int32_t" : "rank_real",
        STR_ARG(e->p->value[i].name));
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    put_line(e, "rank_real *%.*s;", STR_ARG(name_c(e->arena, g->params.data[i].name)));
  }
  for (int i = 0; i < g->nodes.n; i++) {
    if (needs_memory(e, g->nodes.data[i], PLACE_BATCH)) {
      put_line(e, "rank_real *%.*s; /* %.*s of every sample */", STR_ARG(e->p->value[i].name),
        STR_ARG(type_print(g, g->nodes.data[i]->type, e->arena)));
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    if (has_scatter(e, i)) {
      Str name = name_c(e->arena, g->params.data[i].name);
      put_line(e, "rank_lookups %.*s_rows; /* gradient rows, by lookup */", STR_ARG(name));
      put_line(e, "long %.*s_at[%d];", STR_ARG(name), lookups(e, i));
    }
  }
  if (has_totals(e)) {
    put_line(e, "struct %.*s_totals *totals;", STR_ARG(e->prefix));
  }
  if (has_place(e, PLACE_SLOT)) {
    put_line(e, "struct %.*s_sums *sums; /* [SLOTS]; afterwards the first holds the totals */",
      STR_ARG(e->prefix));
  }
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "struct %.*s_tile *tiles; /* [threads] */", STR_ARG(e->prefix));
  }
  if (e->role == ROLE_TRAIN) {
    put_line(e, "const rank_state *state;");
    put_line(e, "struct hyper hyper;");
  } else {
    put_line(e, "rank_real *const *out;");
  }
  if (g->randoms > 0) {
    put_line(e, "uint64_t random[%d];", g->randoms);
  }
  put_close(e, "};");
  put_blank(e);
}

void tile_structs(Emit *e)
{
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "/* One thread's slab: the values of TILE samples that several blocks share. */");
    put_open(e, "struct %.*s_tile {", STR_ARG(e->prefix));
    members(e, PLACE_TILE, -1, OP_COUNT);
    put_close(e, "};");
    put_blank(e);
  }
  if (has_place(e, PLACE_SLOT)) {
    put_line(
      e, "/* Sums over the batch. Samples are dealt to slots by their index, never by thread, and");
    put_line(e, " * the slots are added in order: the same bits for any number of threads. */");
    put_open(e, "struct %.*s_sums {", STR_ARG(e->prefix));
    for (int p = 0; p < e->p->phases; p++) {
      put_open(e, "struct {");
      int count = members(e, PLACE_SLOT, p, OP_MAX);
      if (count == 0) {
        put_line(e, "rank_real none[16];");
      }
      put_close(e, "} phase_%d;", p);
    }
    for (int i = 0; i < e->g->nodes.n; i++) {
      const Node *n = e->g->nodes.data[i];
      if (needs_memory(e, n, PLACE_SLOT) && n->op == OP_MAX) {
        put_line(e, "rank_real %.*s[%ld];", STR_ARG(e->p->value[i].name),
          padded(e->p->value[i].layout.width));
      }
    }
    put_close(e, "};");
    put_blank(e);
  }
  if (has_totals(e)) {
    put_line(e, "/* What does not depend on the sample; weights packed for the kernels. */");
    put_open(e, "struct %.*s_totals {", STR_ARG(e->prefix));
    members(e, PLACE_TOTAL, -1, OP_COUNT);
    for (int i = 0; i < e->p->packs.n; i++) {
      const Pack *k = &e->p->packs.data[i];
      put_line(e, "rank_real %.*s[%ld];", STR_ARG(k->name), k->size);
    }
    put_close(e, "};");
    put_blank(e);
  }
  step_struct(e);
}

/* ---- function heads ---- */

void function_begin(Emit *e)
{
  memset(e->used, 0, sizeof(bool) * (size_t)e->g->nodes.n);
  memset(e->pack_used, 0, sizeof(bool) * (size_t)e->p->packs.n);
  memset(e->axis_used, 0, sizeof(bool) * (size_t)e->g->axes.n);
  e->out = ARENA_NEW(e->arena, Buf);
  e->out->arena = e->arena;
  e->indent = 1;
}

/* Where a sum over the batch stands: `phase_P.` within the struct, or by itself. */
static Str slot_member(Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  return n->op == OP_MAX ? v->name : put_text(e, "phase_%d.%.*s", v->phase - 1, STR_ARG(v->name));
}

static void declare(Emit *e, const Node *n, int phase)
{
  const Value *v = &e->p->value[n->id];
  Str name = v->name;
  bool leaf = is_real_leaf(n);
  if (n->op == OP_INPUT || (v->place == PLACE_BATCH && !leaf)) {
    const char *type = n->type.kind == KIND_ID ? "const int32_t"
                       : n->op == OP_INPUT     ? "const rank_real"
                                               : "rank_real";
    Buf at = {.arena = e->arena};
    if (v->layout.ragged < 0) {
      buf_format(&at, "s0");
    } else if (e->p->fuse || n->op == OP_INPUT) {
      Str root = name_c(e->arena, e->g->axes.data[axis_root(e->g, v->layout.ragged)].name);
      buf_format(&at, "(long)%.*s_off[0]", STR_ARG(root));
    } else {
      buf_format(&at, "s0 * %ld", axis_extent(e->g, v->layout.ragged));
    }
    put_line(e, "%s *restrict %.*s = step->%.*s + %.*s * %ld%s;", type, STR_ARG(name),
      STR_ARG(name), STR_ARG(buf_take(&at)), v->layout.width,
      v->layout.per_sample_batch ? " * step->n" : "");
  } else if (n->op == OP_PARAM) {
    put_line(e, "const rank_real *restrict %.*s = step->%.*s;", STR_ARG(name),
      STR_ARG(name_c(e->arena, e->g->params.data[n->leaf].name)));
  } else if (v->place == PLACE_TILE) {
    put_line(e, "rank_real *restrict %.*s = tile->%.*s;", STR_ARG(name), STR_ARG(name));
  } else if (v->place == PLACE_SLOT) {
    bool own = phase == v->phase - 1;
    put_line(e, "%srank_real *restrict %.*s = %s->%.*s;", own ? "" : "const ", STR_ARG(name),
      own ? "sums" : "step->sums", STR_ARG(slot_member(e, n)));
  } else if (v->place == PLACE_TOTAL) {
    put_line(e, "rank_real *restrict %.*s = step->totals->%.*s;", STR_ARG(name), STR_ARG(name));
  }
}

void function_end(Emit *e, Buf *outer, const char *head, int phase)
{
  Buf *body = e->out;
  e->out = outer;
  e->indent = 0;
  put_line(e, "%s", head);
  put_open(e, "{");
  for (int i = 0; i < e->g->nodes.n; i++) { /* inputs and padded values need their lists' axes */
    const Value *v = &e->p->value[i];
    if (e->used[i] && v->layout.ragged >= 0 && v->place != PLACE_LOCAL &&
        (e->g->nodes.data[i]->op == OP_INPUT || (v->place == PLACE_BATCH && e->p->fuse))) {
      e->axis_used[axis_root(e->g, v->layout.ragged)] = true;
    }
  }
  for (int i = 0; i < e->g->axes.n; i++) {
    if (e->axis_used[i]) {
      Str name = name_c(e->arena, e->g->axes.data[i].name);
      Str off = put_text(e, "%.*s_off", STR_ARG(name));
      bool needed = e->p->fuse || strstr(buf_take(body).s, off.s) != NULL;
      for (int j = 0; j < e->g->nodes.n && !needed; j++) {
        int ragged = e->p->value[j].layout.ragged;
        needed = e->used[j] && e->g->nodes.data[j]->op == OP_INPUT && ragged >= 0 &&
                 axis_root(e->g, ragged) == i;
      }
      if (needed) {
        put_line(e, "const int32_t *restrict %.*s_off = step->%.*s_off + s0;", STR_ARG(name),
          STR_ARG(name));
      }
    }
  }
  for (int i = 0; i < e->g->nodes.n; i++) {
    if (e->used[i]) {
      declare(e, e->g->nodes.data[i], phase);
    }
  }
  for (int i = 0; i < e->p->packs.n; i++) {
    if (e->pack_used[i]) {
      Str name = e->p->packs.data[i].name;
      put_line(e, "rank_real *restrict %.*s = step->totals->%.*s;", STR_ARG(name), STR_ARG(name));
    }
  }
  put_blank(e);
  buf_str(e->out, buf_take(body));
  put_close(e, "}");
  put_blank(e);
}

/* ---- bodies ---- */

static void sample_loop(Emit *e, const Block *b)
{
  Buf *outer = e->out;
  Buf body = {.arena = e->arena};
  e->out = &body;
  e->indent++;
  for (int i = 0; i < b->stmts.n; i++) {
    stmt_print(e, &e->p->stmts.data[b->stmts.data[i]]);
  }
  e->indent--;
  e->out = outer;
  put_open(e, "for (int s = 0; s < n; s++) {");
  Str text = buf_take(&body);
  for (int i = 0; i < e->g->axes.n; i++) {
    Str name = name_c(e->arena, e->g->axes.data[i].name);
    if (!is_list_axis(e->g, i)) {
      continue;
    }
    if (strstr(text.s, put_text(e, "%.*s_row", STR_ARG(name)).s)) {
      e->axis_used[i] = true;
      if (e->p->fuse) {
        put_line(e, "const long %.*s_row = %.*s_off[s] - %.*s_off[0];", STR_ARG(name),
          STR_ARG(name), STR_ARG(name));
      } else {
        put_line(e, "const long %.*s_row = (long)s * %ld;", STR_ARG(name), axis_extent(e->g, i));
      }
    }
    if (strstr(text.s, put_text(e, "%.*s_len", STR_ARG(name)).s)) {
      e->axis_used[i] = true;
      put_line(e, "const int %.*s_len = %.*s_off[s + 1] - %.*s_off[s];", STR_ARG(name),
        STR_ARG(name), STR_ARG(name));
    }
  }
  buf_str(e->out, text);
  put_close(e, "}");
}

static void block_print(Emit *e, const Block *b)
{
  if (!b->flat) {
    sample_loop(e, b);
    return;
  }
  for (int i = 0; i < b->stmts.n; i++) {
    stmt_print(e, &e->p->stmts.data[b->stmts.data[i]]);
  }
}

static Str tile_head(Emit *e, const char *what, int index)
{
  return put_text(e, "static void %.*s_%s_%d(const struct %.*s_step *step%s%s, long s0, int n)",
    STR_ARG(e->prefix), what, index, STR_ARG(e->prefix),
    has_place(e, PLACE_TILE) ? put_text(e, ", struct %.*s_tile *tile", STR_ARG(e->prefix)).s : "",
    has_place(e, PLACE_SLOT) ? put_text(e, ", struct %.*s_sums *sums", STR_ARG(e->prefix)).s : "");
}

/* Parameters that a body may leave unused, so that all these functions are called alike. */
static void mention_unused(Emit *e)
{
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "(void)tile;");
  }
  if (has_place(e, PLACE_SLOT)) {
    put_line(e, "(void)sums;");
  }
  put_line(e, "(void)step, (void)s0, (void)n;");
}

static void totals_function(Emit *e, int phase)
{
  Buf *outer = e->out;
  function_begin(e);
  for (int i = 0; i < e->p->stmts.n; i++) {
    const Stmt *s = &e->p->stmts.data[i];
    if (s->scope == SCOPE_TOTAL && s->phase == phase) {
      put_line(e, "#pragma omp single");
      put_open(e, "{");
      stmt_print(e, s);
      put_close(e, "}");
    }
  }
  bool packed = false;
  for (int i = 0; i < e->p->packs.n; i++) {
    const Pack *k = &e->p->packs.data[i];
    if (e->p->value[k->node->id].phase == phase) {
      e->pack_used[i] = true;
      pack_print(e, k);
      packed = true;
    }
  }
  if (packed) {
    put_line(e, "#pragma omp barrier");
  }
  put_line(e, "(void)step;");
  function_end(e, outer,
    put_text(e, "static void %.*s_totals_%d(const struct %.*s_step *step)", STR_ARG(e->prefix),
      phase, STR_ARG(e->prefix))
      .s,
    -1);
}

void tile_functions(Emit *e)
{
  e->line = 0;
  for (int p = 0; p < e->p->phases; p++) {
    totals_function(e, p);
    if (e->p->fuse) {
      Buf *outer = e->out;
      function_begin(e);
      mention_unused(e);
      for (int i = 0; i < e->p->blocks.n; i++) {
        if (e->p->blocks.data[i].phase == p) {
          put_blank(e);
          block_print(e, &e->p->blocks.data[i]);
        }
      }
      function_end(e, outer, tile_head(e, "tile", p).s, p);
      continue;
    }
    for (int i = 0; i < e->p->blocks.n; i++) {
      if (e->p->blocks.data[i].phase == p) {
        Buf *outer = e->out;
        function_begin(e);
        mention_unused(e);
        block_print(e, &e->p->blocks.data[i]);
        function_end(e, outer, tile_head(e, "op", i).s, p);
      }
    }
  }
  totals_function(e, e->p->phases); /* what follows from the last sums */
}

/* ---- running them ---- */

static void call_tile(Emit *e, const char *what, int index)
{
  put_line(e, "%.*s_%s_%d(step%s%s, s0, (int)(step->n - s0 < size ? step->n - s0 : size));",
    STR_ARG(e->prefix), what, index, has_place(e, PLACE_TILE) ? ", tile" : "",
    has_place(e, PLACE_SLOT) ? ", &step->sums[slot]" : "");
}

/* One loop over slots, each a run of whole tiles. */
static void run_slots(Emit *e, const char *what, int index, bool clear)
{
  put_line(e, "#pragma omp for schedule(dynamic, 1)");
  put_open(e, "for (int slot = 0; slot < step->slots; slot++) {");
  if (clear && has_place(e, PLACE_SLOT)) {
    put_line(e, "memset(&step->sums[slot], 0, sizeof step->sums[slot]);");
    for (int i = 0; i < e->g->nodes.n; i++) {
      const Node *n = e->g->nodes.data[i];
      if (needs_memory(e, n, PLACE_SLOT) && n->op == OP_MAX) {
        put_open(e, "for (int i = 0; i < %ld; i++) {", e->p->value[i].layout.width);
        put_line(
          e, "step->sums[slot].%.*s[i] = -(rank_real)INFINITY;", STR_ARG(e->p->value[i].name));
        put_close(e, "}");
      }
    }
  }
  put_line(e, "const long last = tiles * (slot + 1) / step->slots;");
  put_open(e, "for (long t = tiles * slot / step->slots; t < last; t++) {");
  put_line(e, "const long s0 = t * size;");
  call_tile(e, what, index);
  put_close(e, "}");
  put_close(e, "}");
}

static void sum_slots(Emit *e, int phase)
{
  put_line(e, "%.*s_add_%d(step);", STR_ARG(e->prefix), phase);
}

static void add_function(Emit *e, int phase)
{
  put_line(e, "static void %.*s_add_%d(const struct %.*s_step *step)", STR_ARG(e->prefix), phase,
    STR_ARG(e->prefix));
  put_open(e, "{");
  put_line(e, "enum { CHUNK = 2048 };");
  put_line(e, "rank_real *first = (rank_real *)&step->sums->phase_%d;", phase);
  put_line(e, "const long count = (long)(sizeof step->sums->phase_%d / sizeof(rank_real));", phase);
  put_line(e, "const long stride = (long)(sizeof *step->sums / sizeof(rank_real));");
  put_line(e, "const int chunks = (int)((count + CHUNK - 1) / CHUNK);");
  put_line(e, "#pragma omp for");
  put_open(e, "for (int i = 0; i < chunks; i++) {");
  put_line(e, "const long from = (long)i * CHUNK, to = from + CHUNK < count ? from + CHUNK : count;");
  put_line(e, "rank_sum_slots(first, stride, step->slots, from, to);");
  put_close(e, "}");
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    const Value *v = &e->p->value[i];
    if (needs_memory(e, n, PLACE_SLOT) && n->op == OP_MAX && v->phase - 1 == phase) {
      put_line(e, "#pragma omp for");
      put_open(e, "for (int i = 0; i < %ld; i++) {", v->layout.width);
      put_open(e, "for (int k = 1; k < step->slots; k++) {");
      put_line(e, "step->sums[0].%.*s[i] = rank_max(step->sums[0].%.*s[i], step->sums[k].%.*s[i]);",
        STR_ARG(v->name), STR_ARG(v->name), STR_ARG(v->name));
      put_close(e, "}");
      put_close(e, "}");
    }
  }
  put_close(e, "}");
  put_blank(e);
}

void phases_function(Emit *e)
{
  bool slots = has_place(e, PLACE_SLOT);
  for (int p = 0; slots && p < e->p->phases; p++) {
    add_function(e, p);
  }
  put_line(e, "/* Every phase, by all threads of a team. */");
  put_line(e, "static void %.*s_phases(const struct %.*s_step *step)", STR_ARG(e->prefix),
    STR_ARG(e->prefix));
  put_open(e, "{");
  if (e->p->fuse) {
    put_line(e, "const long size = TILE;");
  } else {
    put_line(e, "const long size = (step->n + SLOTS - 1) / SLOTS;");
  }
  put_line(e, "const long tiles = size > 0 ? (step->n + size - 1) / size : 0;");
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "struct %.*s_tile *tile = step->tiles + rank_thread();", STR_ARG(e->prefix));
  }
  for (int p = 0; p < e->p->phases; p++) {
    put_line(e, "%.*s_totals_%d(step);", STR_ARG(e->prefix), p);
    if (e->p->fuse) {
      run_slots(e, "tile", p, p == 0);
    } else {
      bool first = true;
      for (int i = 0; i < e->p->blocks.n; i++) {
        if (e->p->blocks.data[i].phase == p) {
          run_slots(e, "op", i, p == 0 && first);
          first = false;
        }
      }
    }
    if (slots) {
      sum_slots(e, p);
    }
  }
  put_line(e, "%.*s_totals_%d(step);", STR_ARG(e->prefix), e->p->phases);
  put_close(e, "}");
  put_blank(e);
}
