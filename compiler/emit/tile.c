/* tile.c: the functions that take a tile of samples through a phase.
 *
 * A function's body is printed first, noting which values it touches; then its head with a pointer for
 * each of them, and then the body. */

#include "writer.h"

#include <ctype.h>
#include <string.h>

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
  return n->op == OP_MAX || sum_of_each(e, n)
           ? v->name
           : put_text(e, "phase_%d.%.*s", v->phase - 1, STR_ARG(v->name));
}

static void declare(Emit *e, const Node *n, int phase)
{
  const Value *v = &e->p->value[n->id];
  Str name = v->name;
  bool leaf = (n->op == OP_PARAM || n->op == OP_INPUT);
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
      times_batch(e, "step->n", v->layout.across).s);
  } else if (n->op == OP_PARAM) {
    put_line(e, "const rank_real *restrict %.*s = step->%.*s;", STR_ARG(name),
      STR_ARG(e->param_name[n->leaf]));
  } else if (v->keeps) {
    put_line(e,
      "rank_real *restrict %.*s = step->kept ? step->%.*s + s0 * step->kept : tile->%.*s;",
      STR_ARG(name), STR_ARG(name), STR_ARG(name));
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

/* Is `word` in the text as a name of its own, not as a member or in a comment? */
bool text_mentions(Str text, Str word)
{
  for (int i = 0; i + word.n <= text.n; i++) {
    const char *at = text.s + i;
    if (at[0] == '/' && at[1] == '*') {
      i = (int)(strstr(at, "*/") - text.s);
      continue;
    }
    bool starts = i == 0 || !(isalnum((unsigned char)at[-1]) || strchr("_.>", at[-1]));
    char after = i + word.n < text.n ? at[word.n] : ' ';
    if (starts && memcmp(at, word.s, (size_t)word.n) == 0 && !isalnum((unsigned char)after) &&
        after != '_') {
      return true;
    }
  }
  return false;
}

void mention_unused(Emit *e, const char *head, Str body)
{
  const char *end = strrchr(head, ')');
  while (end) {
    const char *from = end;
    while (isalnum((unsigned char)from[-1]) || from[-1] == '_') {
      from--;
    }
    Str name = {from, (int)(end - from)};
    if (!text_mentions(body, name)) {
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
  bool needed = !e->p->padded || text_mentions(body, put_text(e, "%.*s_off", STR_ARG(name)));
  for (int j = 0; j < e->g->nodes.n && !needed; j++) {
    int ragged = e->p->value[j].layout.ragged;
    needed = e->used[j] && e->g->nodes.data[j]->op == OP_INPUT && ragged >= 0 &&
             axis_root(e->g, ragged) == axis;
  }
  if (needed) {
    put_line(
      e, "const int32_t *restrict %.*s_off = step->%.*s_off + s0;", STR_ARG(name), STR_ARG(name));
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
      put_line(e, "%srank_real *restrict %.*s = step->%s->%.*s;",
        e->pack_written[i] ? "" : "const ", STR_ARG(name), totals_of(e, e->p->packs.data[i].node),
        STR_ARG(name));
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
  mention_unused(e, head,
    put_text(e, "%s%.*s", buf_take(&pointers).s ? buf_take(&pointers).s : "", STR_ARG(body)));
  put_close(e, "}");
  put_blank(e);
}

/* ---- bodies ---- */

/* With `guarding`: only looks at what they have stored. */
void sample_loop(Emit *e, const Block *b, int count, const int *stmts)
{
  Buf *outer = e->out;
  Buf body = {.arena = e->arena};
  e->out = &body;
  e->indent++;
  if (e->guarding) {
    guards_print(e, count, stmts);
  } else {
    if (e->p->tiles && !e->sweep) {
      rows_fetch(e, b);
    }
    stmts_print(e, count, stmts);
  }
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
    if (text_mentions(text, put_text(e, "%.*s_row", STR_ARG(name)))) {
      e->axis_used[i] = true;
      if (!e->p->padded) {
        put_line(e, "const long %.*s_row = %.*s_off[s] - %.*s_off[0];", STR_ARG(name),
          STR_ARG(name), STR_ARG(name));
      } else {
        put_line(e, "const long %.*s_row = (long)s * %ld;", STR_ARG(name), axis_extent(e->g, i));
      }
    }
    if (text_mentions(text, put_text(e, "%.*s_len", STR_ARG(name)))) {
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

static void block_print(Emit *e, const Block *b)
{
  int group = (int)(b - e->p->blocks.data) + 1;
  put_line(e, "/* group %d: %s */", group,
    b->pairs  ? "by blocks of columns, which are other samples"
    : b->flat ? "all rows of the tile"
              : "sample by sample");
  e->group = group;
  if (b->pairs) {
    sweep_print(e, b);
    return;
  }
  if (!b->flat) {
    sample_loop(e, b, b->stmts.n, b->stmts.data);
    return;
  }
  for (int i = 0; i < b->stmts.n; i++) {
    const Stmt *s = &e->p->stmts.data[b->stmts.data[i]];
    stmt_print(e, s);
    if (!guard_by_sample(s)) {
      guard_stmt(e, s);
    }
  }
  if (e->o->check) {
    e->guarding = true;
    sample_loop(e, b, b->stmts.n, b->stmts.data);
    e->guarding = false;
  }
}

static Str tile_head(Emit *e, const char *what, int index)
{
  return put_text(e, "static void %.*s_%s_%d(const struct %.*s_step *step%s%s, long s0, int n)",
    STR_ARG(e->prefix), what, index, STR_ARG(e->prefix),
    any_in(e, PLACE_TILE) ? put_text(e, ", struct %.*s_tile *tile", STR_ARG(e->prefix)).s : "",
    any_in(e, PLACE_SLOT) ? put_text(e, ", struct %.*s_sums *sums", STR_ARG(e->prefix)).s : "");
}

void tile_functions(Emit *e)
{
  e->line = 0;
  for (int p = 0; p < e->p->phases; p++) {
    totals_function(e, p);
    if (e->p->tiles) {
      Buf *outer = e->out;
      e->function = put_text(e, "tile_%d", p);
      function_begin(e);
      profile_start(e);
      for (int i = 0; i < e->p->blocks.n; i++) {
        if (e->p->blocks.data[i].phase == p) {
          put_blank(e);
          block_print(e, &e->p->blocks.data[i]);
          profile_group(e, i);
        }
      }
      turned_fill(e, p);
      function_end(e, outer, tile_head(e, "tile", p).s, p);
      continue;
    }
    for (int i = 0; i < e->p->blocks.n; i++) {
      if (e->p->blocks.data[i].phase == p) {
        Buf *outer = e->out;
        e->function = put_text(e, "op_%d", i);
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
