/* tile.c: the functions that take a tile of samples through a phase, and what they work on.
 *
 * A function's body is printed first, noting which values it touches; then its head with a pointer for
 * each of them, and then the body. */

#include "writer.h"

#include "../ir/ops.h"

#include <ctype.h>
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
static int members(Emit *e, Place place, int phase, Op except, bool prepared)
{
  int count = 0;
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    const Value *v = &e->p->value[i];
    if (!needs_memory(e, n, place) || (phase >= 0 && v->phase - 1 != phase) || n->op == except ||
        e->prepared[i] != prepared) {
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
        STR_ARG(e->axis_name[i]));
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
    put_line(e, "rank_real *%.*s;", STR_ARG(e->param_name[i]));
  }
  for (int i = 0; i < g->nodes.n; i++) {
    if (needs_memory(e, g->nodes.data[i], PLACE_BATCH)) {
      put_line(e, "rank_real *%.*s; /* %.*s of every sample */", STR_ARG(e->p->value[i].name),
        STR_ARG(type_print(g, g->nodes.data[i]->type, e->arena)));
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    if (has_scatter(e, i)) {
      Str name = e->param_name[i];
      put_line(e, "rank_lookups %.*s_rows; /* gradient rows, by lookup */", STR_ARG(name));
      put_line(e, "long %.*s_at[%d];", STR_ARG(name), lookups(e, i));
    }
  }
  if (totals_any(e, true)) {
    put_line(e, "struct %.*s_prepared *prepared;", STR_ARG(e->prefix));
    put_line(e, "int ready; /* prepared was filled before */");
  }
  if (totals_any(e, false)) {
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

static void totals_struct(Emit *e, bool prepared)
{
  put_line(e, prepared ? "/* What follows from the weights alone: the same in every call. */"
                       : "/* What does not depend on the sample; weights packed for the kernels. */");
  put_open(e, "struct %.*s_%s {", STR_ARG(e->prefix), prepared ? "prepared" : "totals");
  members(e, PLACE_TOTAL, -1, OP_COUNT, prepared);
  for (int i = 0; i < e->p->packs.n; i++) {
    const Pack *k = &e->p->packs.data[i];
    if (e->prepared[k->node->id] == prepared) {
      put_line(e, "rank_real %.*s[%ld];", STR_ARG(k->name), k->size);
    }
  }
  put_close(e, "};");
  put_blank(e);
}

void tile_structs(Emit *e)
{
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "/* One thread's slab: the values of TILE samples that several blocks share. */");
    put_open(e, "struct %.*s_tile {", STR_ARG(e->prefix));
    members(e, PLACE_TILE, -1, OP_COUNT, false);
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
      int count = members(e, PLACE_SLOT, p, OP_MAX, false);
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
  for (int prepared = 1; prepared >= 0; prepared--) {
    if (totals_any(e, prepared)) {
      totals_struct(e, prepared);
    }
  }
  step_struct(e);
}

/* ---- function heads ---- */

void function_begin(Emit *e)
{
  memset(e->used, 0, sizeof(bool) * (size_t)e->g->nodes.n);
  memset(e->written, 0, sizeof(bool) * (size_t)e->g->nodes.n);
  memset(e->pack_written, 0, sizeof(bool) * (size_t)e->p->packs.n);
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
  const char *read = e->written[n->id] ? "" : "const ";
  if (n->op == OP_INPUT || (v->place == PLACE_BATCH && !leaf)) {
    const char *type = n->type.kind == KIND_ID ? "const int32_t"
                       : n->op == OP_INPUT     ? "const rank_real"
                       : e->written[n->id]     ? "rank_real"
                                               : "const rank_real";
    Buf at = {.arena = e->arena};
    if (v->layout.ragged < 0) {
      buf_format(&at, "s0");
    } else if (!e->p->padded || n->op == OP_INPUT) {
      Str root = e->axis_name[axis_root(e->g, v->layout.ragged)];
      buf_format(&at, "(long)%.*s_off[0]", STR_ARG(root));
    } else {
      buf_format(&at, "s0 * %ld", axis_extent(e->g, v->layout.ragged));
    }
    put_line(e, "%s *restrict %.*s = step->%.*s + %.*s%s;", type, STR_ARG(name), STR_ARG(name),
      STR_ARG(times_text(e, buf_take(&at), v->layout.width)),
      v->layout.per_sample_batch ? " * step->n" : "");
  } else if (n->op == OP_PARAM) {
    put_line(e, "const rank_real *restrict %.*s = step->%.*s;", STR_ARG(name),
      STR_ARG(e->param_name[n->leaf]));
  } else if (v->place == PLACE_TILE) {
    put_line(e, "%srank_real *restrict %.*s = tile->%.*s;", read, STR_ARG(name), STR_ARG(name));
  } else if (v->place == PLACE_SLOT) {
    bool own = phase == v->phase - 1;
    put_line(e, "%srank_real *restrict %.*s = %s->%.*s;", read, STR_ARG(name),
      own ? "sums" : "step->sums", STR_ARG(slot_member(e, n)));
  } else if (v->place == PLACE_TOTAL) {
    put_line(e, "%srank_real *restrict %.*s = step->%s->%.*s;", read, STR_ARG(name),
      totals_of(e, n), STR_ARG(name));
  }
}

/* Is `word` in the text as a name of its own, not as a member? */
static bool mentions(Str text, Str word)
{
  for (int i = 0; i + word.n <= text.n; i++) {
    const char *at = text.s + i;
    bool starts = i == 0 || !(isalnum((unsigned char)at[-1]) || strchr("_.>", at[-1]));
    char after = i + word.n < text.n ? at[word.n] : ' ';
    if (starts && memcmp(at, word.s, (size_t)word.n) == 0 && !isalnum((unsigned char)after) &&
        after != '_') {
      return true;
    }
  }
  return false;
}

/* A function's head promises more than every body needs: all of a kind are called alike. */
static void mention_unused(Emit *e, const char *head, Str body)
{
  const char *end = strrchr(head, ')');
  while (end) {
    const char *from = end;
    while (isalnum((unsigned char)from[-1]) || from[-1] == '_') {
      from--;
    }
    Str name = {from, (int)(end - from)};
    if (!mentions(body, name)) {
      put_line(e, "(void)%.*s;", STR_ARG(name));
    }
    while (from > head && *from != ',' && *from != '(') {
      from--;
    }
    end = *from == ',' ? from : NULL;
  }
}

static void declare_offsets(Emit *e, int axis, Str body)
{
  Str name = e->axis_name[axis];
  bool needed = !e->p->padded || mentions(body, put_text(e, "%.*s_off", STR_ARG(name)));
  for (int j = 0; j < e->g->nodes.n && !needed; j++) {
    int ragged = e->p->value[j].layout.ragged;
    needed = e->used[j] && e->g->nodes.data[j]->op == OP_INPUT && ragged >= 0 &&
             axis_root(e->g, ragged) == axis;
  }
  if (needed) {
    put_line(e, "const int32_t *restrict %.*s_off = step->%.*s_off + s0;", STR_ARG(name),
      STR_ARG(name));
  }
}

static void declare_all(Emit *e, int phase, Str body)
{
  for (int i = 0; i < e->g->nodes.n; i++) { /* inputs and padded values need their lists' axes */
    const Value *v = &e->p->value[i];
    if (e->used[i] && v->layout.ragged >= 0 && v->place != PLACE_LOCAL &&
        (e->g->nodes.data[i]->op == OP_INPUT || (v->place == PLACE_BATCH && !e->p->padded))) {
      e->axis_used[axis_root(e->g, v->layout.ragged)] = true;
    }
  }
  for (int i = 0; i < e->g->axes.n; i++) {
    if (e->axis_used[i]) {
      declare_offsets(e, i, body);
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
      put_line(e, "%srank_real *restrict %.*s = step->%s->%.*s;", e->pack_written[i] ? "" : "const ",
        STR_ARG(name), totals_of(e, e->p->packs.data[i].node), STR_ARG(name));
    }
  }
}

void function_end(Emit *e, Buf *outer, const char *head, int phase)
{
  Str body = buf_take(e->out);
  Buf pointers = {.arena = e->arena};
  e->out = &pointers;
  e->indent = 1;
  declare_all(e, phase, body);
  e->out = outer;
  e->indent = 0;
  put_line(e, "%s", head);
  put_open(e, "{");
  if (pointers.n > 0) {
    buf_str(e->out, buf_take(&pointers));
    put_blank(e);
  }
  buf_str(e->out, body);
  mention_unused(e, head, put_text(e, "%s%.*s", buf_take(&pointers).s ? buf_take(&pointers).s : "", STR_ARG(body)));
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
  stmts_print(e, b->stmts.n, b->stmts.data);
  e->indent--;
  e->out = outer;
  e->pointers.n = 0;
  put_open(e, "for (int s = 0; s < n; s++) {");
  Str text = buf_take(&body);
  for (int i = 0; i < e->g->axes.n; i++) {
    Str name = e->axis_name[i];
    if (!is_list_axis(e->g, i)) {
      continue;
    }
    if (strstr(text.s, put_text(e, "%.*s_row", STR_ARG(name)).s)) {
      e->axis_used[i] = true;
      if (!e->p->padded) {
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

void profile_start(Emit *e)
{
  if (e->o->profile) {
    put_line(e, "uint64_t rank_last = rank_ticks();");
  }
}

void profile_group(Emit *e, int group)
{
  if (e->o->profile) {
    put_line(e, "rank_last = rank_profile_next(%d, rank_last);", group);
  }
}

/* What stands between two groups is in neither. */
static void profile_skip(Emit *e)
{
  if (e->o->profile) {
    put_line(e, "rank_last = rank_ticks();");
  }
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

void tile_functions(Emit *e)
{
  e->line = 0;
  for (int p = 0; p < e->p->phases; p++) {
    totals_function(e, p);
    if (e->p->tiles) {
      Buf *outer = e->out;
      function_begin(e);
      profile_start(e);
      for (int i = 0; i < e->p->blocks.n; i++) {
        if (e->p->blocks.data[i].phase == p) {
          put_blank(e);
          block_print(e, &e->p->blocks.data[i]);
          profile_group(e, i);
        }
      }
      function_end(e, outer, tile_head(e, "tile", p).s, p);
      continue;
    }
    for (int i = 0; i < e->p->blocks.n; i++) {
      if (e->p->blocks.data[i].phase == p) {
        Buf *outer = e->out;
        function_begin(e);
          profile_start(e);
        block_print(e, &e->p->blocks.data[i]);
        profile_group(e, i);
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
  if (e->p->tiles) {
    put_line(e, "const long size = TILE;");
  } else {
    put_line(e, "const long size = (step->n + SLOTS - 1) / SLOTS;");
  }
  put_line(e, "const long tiles = size > 0 ? (step->n + size - 1) / size : 0;");
  profile_start(e);
  if (has_place(e, PLACE_TILE)) {
    put_line(e, "struct %.*s_tile *tile = step->tiles + rank_thread();", STR_ARG(e->prefix));
  }
  if (totals_any(e, true)) {
    put_open(e, "if (!step->ready) {");
    put_line(e, "%.*s_prepare(step);", STR_ARG(e->prefix));
    put_close(e, "}");
  }
  for (int p = 0; p < e->p->phases; p++) {
    profile_skip(e);
    put_line(e, "%.*s_totals_%d(step);", STR_ARG(e->prefix), p);
    profile_group(e, e->p->blocks.n);
    if (e->p->tiles) {
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
      profile_skip(e);
      sum_slots(e, p);
      profile_group(e, e->p->blocks.n + 1);
    }
  }
  put_line(e, "%.*s_totals_%d(step);", STR_ARG(e->prefix), e->p->phases);
  put_close(e, "}");
  put_blank(e);
}
