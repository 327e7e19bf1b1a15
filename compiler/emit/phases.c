/* phases.c: runs the tiles of every phase and adds up what they summed.
 *
 * One idea: samples go to slots by their index, whole tiles at a time, and a slot's tiles run one after
 * another in one thread; so sums have the same bits for any number of threads. */

#include "writer.h"

enum { LEAST_TILE = 64 }; /* larger tiles are halved down to this */

/* Large tiles are halved where there would not be enough of them for the threads. What is summed depends on
 * the tiles, so they must not depend on the number of threads then. */
const char *tile_size(const Emit *e)
{
  bool large = e->p->tile > LEAST_TILE;
  return !large                  ? "TILE"
         : any_in(e, PLACE_SLOT) ? "rank_tile(step->n, TILE, SLOTS)"
                                 : "rank_tile(step->n, TILE, step->threads)";
}

/* What stands between two groups is in neither. */
static void profile_skip(Emit *e)
{
  if (e->o->profile) {
    put_line(e, "rank_last = rank_ticks();");
  }
}

static void call_tile(Emit *e, const char *what, int index)
{
  put_line(e, "%.*s_%s_%d(step%s%s, s0, (int)(step->n - s0 < size ? step->n - s0 : size));",
    STR_ARG(e->prefix), what, index, any_in(e, PLACE_TILE) ? ", tile" : "",
    any_in(e, PLACE_SLOT) ? ", &step->sums[slot]" : "");
}

/* How many numbers a sum has. */
static Str sum_count(Emit *e, const Value *v)
{
  return put_text(e, "%ld%s", v->layout.width, times_batch(e, "step->n", v->layout.across).s);
}

/* Nothing was summed in this slot yet. */
static void clear_slot(Emit *e)
{
  bool apart = false; /* pointers among the sums */
  for (int i = 0; i < e->g->nodes.n; i++) {
    apart |= sum_of_each(e, e->g->nodes.data[i]);
  }
  for (int p = 0; p < e->p->phases && apart; p++) {
    put_line(e, "memset(&step->sums[slot].phase_%d, 0, sizeof step->sums[slot].phase_%d);", p, p);
  }
  if (!apart) {
    put_line(e, "memset(&step->sums[slot], 0, sizeof step->sums[slot]);");
  }
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    Str name = e->p->value[i].name;
    if (has_memory(e, n, PLACE_SLOT) && n->op == OP_MAX) {
      put_open(e, "for (long i = 0; i < %.*s; i++) {", STR_ARG(sum_count(e, &e->p->value[i])));
      put_line(e, "step->sums[slot].%.*s[i] = -(rank_real)INFINITY;", STR_ARG(name));
      put_close(e, "}");
    } else if (sum_of_each(e, n)) {
      put_line(e, "memset(step->sums[slot].%.*s, 0, sizeof(rank_real) * (size_t)(%.*s));",
        STR_ARG(name), STR_ARG(sum_count(e, &e->p->value[i])));
    }
  }
}

/* One loop over slots, each a run of whole tiles. */
static void run_slots(Emit *e, const char *what, int index, bool clear)
{
  put_line(e, "#pragma omp for schedule(dynamic, 1)");
  put_open(e, "for (int slot = 0; slot < step->slots; slot++) {");
  if (clear && any_in(e, PLACE_SLOT)) {
    clear_slot(e);
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
  put_line(
    e, "const long from = (long)i * CHUNK, to = from + CHUNK < count ? from + CHUNK : count;");
  put_line(e, "rank_sum_slots(first, stride, step->slots, from, to);");
  put_close(e, "}");
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    const Value *v = &e->p->value[i];
    bool more = n->op == OP_MAX || sum_of_each(e, n);
    if (has_memory(e, n, PLACE_SLOT) && more && v->phase - 1 == phase) {
      Str first = put_text(e, "step->sums[0].%.*s[i]", STR_ARG(v->name));
      Str other = put_text(e, "step->sums[k].%.*s[i]", STR_ARG(v->name));
      put_line(e, "#pragma omp for");
      put_open(e, "for (long i = 0; i < %.*s; i++) {", STR_ARG(sum_count(e, v)));
      put_open(e, "for (int k = 1; k < step->slots; k++) {");
      if (n->op == OP_MAX) {
        put_line(e, "%.*s = rank_max(%.*s, %.*s);", STR_ARG(first), STR_ARG(first), STR_ARG(other));
      } else {
        put_line(e, "%.*s += %.*s;", STR_ARG(first), STR_ARG(other));
      }
      put_close(e, "}");
      put_close(e, "}");
    }
  }
  put_close(e, "}");
  put_blank(e);
}

void phases_function(Emit *e)
{
  bool slots = any_in(e, PLACE_SLOT);
  for (int p = 0; slots && p < e->p->phases; p++) {
    add_function(e, p);
  }
  put_line(e, "/* Every phase, by all threads of a team. */");
  put_line(e, "static void %.*s_phases(const struct %.*s_step *step)", STR_ARG(e->prefix),
    STR_ARG(e->prefix));
  put_open(e, "{");
  bool loops = e->p->tiles || e->p->blocks.n > 0; /* what only ranks has nothing to compute */
  if (loops) {
    put_line(
      e, "const long size = %s;", e->p->tiles ? tile_size(e) : "(step->n + SLOTS - 1) / SLOTS");
    put_line(e, "const long tiles = size > 0 ? (step->n + size - 1) / size : 0;");
  }
  profile_start(e);
  if (any_in(e, PLACE_TILE)) {
    put_line(e, "struct %.*s_tile *tile = step->tiles + rank_thread();", STR_ARG(e->prefix));
  }
  if (totals_any(e, true) && !e->o->frozen) {
    put_open(e, "if (!step->ready) {");
    put_line(e, "%.*s_prepare(step);", STR_ARG(e->prefix));
    put_close(e, "}");
  }
  bool first = true; /* nothing was summed yet; the first phase may have no loop at all */
  for (int p = 0; p < e->p->phases; p++) {
    profile_skip(e);
    put_line(e, "%.*s_totals_%d(step);", STR_ARG(e->prefix), p);
    profile_group(e, e->p->blocks.n);
    if (e->p->tiles) {
      run_slots(e, "tile", p, p == 0);
    } else {
      for (int i = 0; i < e->p->blocks.n; i++) {
        if (e->p->blocks.data[i].phase == p) {
          run_slots(e, "op", i, first);
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
