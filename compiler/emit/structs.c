/* structs.c: what a step works on: a thread's slab, sums, totals, and the step itself. */

#include "writer.h"

static long rows_of(const Emit *e, const Value *v)
{
  return v->layout.ragged < 0 ? 1 : axis_extent(e->g, v->layout.ragged);
}

bool has_memory(const Emit *e, const Node *n, Place place)
{
  const Value *v = &e->p->value[n->id];
  return v->place == place && !v->same && n->op != OP_PARAM && n->op != OP_INPUT;
}

bool sum_of_each(const Emit *e, const Node *n)
{
  return has_memory(e, n, PLACE_SLOT) && e->p->value[n->id].layout.across > 0;
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
    if (!has_memory(e, n, place) || (phase >= 0 && v->phase - 1 != phase) || n->op == except ||
        e->prepared[i] != prepared || sum_of_each(e, n)) {
      continue;
    }
    Str type = type_print(e->g, n->type, e->arena);
    count++;
    if (place == PLACE_TILE && v->layout.across > 0 && e->p->columns == 0) {
      put_line(e, "rank_real *%.*s; /* %.*s */", STR_ARG(v->name), STR_ARG(type));
    } else if (place == PLACE_TILE) {
      Str rows = times_text(e, S("TILE"), rows_of(e, v));
      long width = plan_width(e->p, v);
      put_line(e, "rank_real %.*s[%.*s]; /* %.*s */", STR_ARG(v->name),
        STR_ARG(width == 1 ? rows : put_text(e, "%.*s * %ld", STR_ARG(rows), width)),
        STR_ARG(type));
    } else {
      put_line(e, "rank_real %.*s[%ld]; /* %.*s */", STR_ARG(v->name), padded(v->layout.width),
        STR_ARG(type));
    }
  }
  return count;
}

bool any_in(const Emit *e, Place place)
{
  for (int i = 0; i < e->g->nodes.n; i++) {
    if (has_memory(e, e->g->nodes.data[i], place)) {
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
bool is_list_axis(const Graph *g, int axis)
{
  return g->axes.data[axis].kind == AXIS_RAGGED && axis_root(g, axis) == axis;
}

static void step_struct(Emit *e)
{
  const Graph *g = e->g;
  put_open(e, "struct %.*s_step {", STR_ARG(e->prefix));
  put_line(e, "long n; /* samples */");
  put_line(e, "int slots, threads;");
  if (e->fold.sum) {
    put_line(e,
      "const rank_real *folded; /* sums over the lists of %.*s, which are empty; or NULL */",
      STR_ARG(g->fits.data[e->fold.fit].name));
  }
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
    if (e->param_unused && e->param_unused[i]) {
      continue;
    }
    put_line(
      e, "%s%.*s;", param_stored(e, i) ? "rank_stored " : "rank_real *", STR_ARG(e->param_name[i]));
  }
  for (int i = 0; i < g->nodes.n; i++) {
    if (has_memory(e, g->nodes.data[i], PLACE_BATCH)) {
      put_line(e, "rank_real *%.*s; /* %.*s of every sample */", STR_ARG(e->p->value[i].name),
        STR_ARG(type_print(g, g->nodes.data[i]->type, e->arena)));
    }
  }
  turned_members(e);
  for (int i = 0; i < g->params.n; i++) {
    if (has_scatter(e, i)) {
      Str name = e->param_name[i];
      put_line(e, "rank_lookups %.*s_rows; /* gradient rows, by lookup */", STR_ARG(name));
      put_line(e, "long %.*s_at[%d];", STR_ARG(name), lookups(e, i));
    }
  }
  if (totals_any(e, true)) {
    put_line(
      e, "%sstruct %.*s_prepared *prepared;", e->o->frozen ? "const " : "", STR_ARG(e->prefix));
    put_line(e, e->o->frozen ? "" : "int ready; /* prepared was filled before */");
  }
  if (totals_any(e, false)) {
    put_line(e, "struct %.*s_totals *totals;", STR_ARG(e->prefix));
  }
  if (any_in(e, PLACE_SLOT)) {
    put_line(e, "struct %.*s_sums *sums; /* [SLOTS]; afterwards the first holds the totals */",
      STR_ARG(e->prefix));
  }
  if (any_in(e, PLACE_TILE)) {
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
  put_line(e, prepared
                ? "/* What follows from the weights alone: the same in every call. */"
                : "/* What does not depend on the sample; weights packed for the kernels. */");
  put_open(e, "struct %.*s_%s {", STR_ARG(e->prefix), prepared ? "prepared" : "totals");
  members(e, PLACE_TOTAL, -1, OP_COUNT, prepared);
  for (int i = 0; i < e->p->packs.n; i++) {
    const Pack *k = &e->p->packs.data[i];
    if (e->prepared[k->node->id] == prepared) {
      put_line(e, "rank_real %.*s[%ld]; /* %.*s, %ld a row */", STR_ARG(k->name), k->size,
        STR_ARG(e->p->value[plan_source(k->node)->id].name), k->stride[k->naxes - 2]);
    }
  }
  put_close(e, "};");
  put_blank(e);
}

void tile_structs(Emit *e)
{
  if (any_in(e, PLACE_TILE)) {
    put_line(e, "/* One thread's slab: the values of TILE samples that several blocks share. */");
    put_open(e, "struct %.*s_tile {", STR_ARG(e->prefix));
    members(e, PLACE_TILE, -1, OP_COUNT, false);
    put_close(e, "};");
    put_blank(e);
  }
  if (any_in(e, PLACE_SLOT)) {
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
      if (sum_of_each(e, n)) {
        put_line(e, "rank_real *%.*s; /* %.*s */", STR_ARG(e->p->value[i].name),
          STR_ARG(type_print(e->g, n->type, e->arena)));
      } else if (has_memory(e, n, PLACE_SLOT) && n->op == OP_MAX) {
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
