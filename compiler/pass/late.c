/* late.c: the phase of every value, and values of pairs of samples made in the phase that reads them.
 *
 * A value with two batch axes has as many numbers as there are pairs of samples. Kept for a later phase it
 * would take memory by the square of the batch; a tile's rows of it take as much as there are samples. So
 * it is computed as late as it is first read, and once more in each later phase that reads it: what it is
 * made of, vectors of samples, is small ("FlashAttention", Dao et al. 2022, has the same bargain). */

#include "late.h"

#include "rebuild.h"

static bool renames_batch(const Graph *g, const Node *n)
{
  for (int i = 0; n->op == OP_RENAME && i + 1 < n->naxes; i += 2) {
    if (g->axes.data[n->axes[i]].kind == AXIS_BATCH) {
      return true;
    }
  }
  return false;
}

bool samples_meet(const Graph *g, const Node *n)
{
  if (n->op == OP_RENAME) {
    return renames_batch(g, n) && !type_has(n->type, AXIS_B);
  }
  return (n->op == OP_SUM || n->op == OP_MAX) && type_has(n->in[0]->type, AXIS_B) &&
         !type_has(n->type, AXIS_B);
}

static bool of_pairs(const Graph *g, const Node *n)
{
  int samples = 0;
  for (int i = 0; i < n->type.n; i++) {
    samples += g->axes.data[n->type.axis[i]].kind == AXIS_BATCH;
  }
  return samples > 1 && type_has(n->type, AXIS_B);
}

/* The phase in which n is computed, and its operands read. */
static int reading_phase(const Graph *g, const Node *n, const int *phase)
{
  return phase[n->id] - samples_meet(g, n);
}

void plan_phases(const Graph *g, bool late, int *phase)
{
  enum { NEVER = 1 << 30 };
  Arena scratch = *g->arena;
  int *first = ARENA_ARRAY(&scratch, int, g->nodes.n + 1);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    phase[i] = 0;
    for (int j = 0; j < n->nin; j++) {
      int in = n->in[j]->id;
      phase[i] = phase[in] > phase[i] ? phase[in] : phase[i];
    }
    phase[i] += samples_meet(g, n);
    first[i] = NEVER;
  }
  for (int i = g->nodes.n - 1; i >= 0 && late; i--) {
    const Node *n = g->nodes.data[i];
    if (of_pairs(g, n) && first[i] != NEVER && first[i] > phase[i]) {
      phase[i] = first[i];
    }
    for (int j = 0; j < n->nin; j++) {
      int in = n->in[j]->id, at = renames_batch(g, n) ? 0 : reading_phase(g, n, phase);
      first[in] = at < first[in] ? at : first[in];
    }
  }
}

typedef struct Late {
  Graph *g;
  const Graph *old;
  const int *phase; /* of the old nodes */
  int phases;
  Node **made; /* [old id][phase] */
} Late;

/* The new node for an old one that is read in this phase. */
static Node *made_for(Late *l, const Node *n, int phase)
{
  int own = l->phase[n->id];
  int at = of_pairs(l->old, n) && phase > own ? phase : own;
  Node **slot = &l->made[n->id * l->phases + at];
  if (*slot) {
    return *slot;
  }
  Node **in = ARENA_ARRAY(l->g->arena, Node *, n->nin);
  for (int k = 0; k < n->nin; k++) {
    int reads = renames_batch(l->old, n) ? 0 : at - samples_meet(l->old, n);
    in[k] = made_for(l, n->in[k], reads);
  }
  *slot = build_copy(l->g, n, in);
  (*slot)->name = at == own ? n->name : (Str){0};
  (*slot)->loc = n->loc;
  return *slot;
}

Graph *pass_late(Arena *a, const Graph *old)
{
  Late l = {.g = graph_shell(a, old), .old = old};
  int *phase = ARENA_ARRAY(a, int, old->nodes.n + 1);
  plan_phases(old, true, phase);
  for (int i = 0; i < old->nodes.n; i++) {
    l.phases = phase[i] + 1 > l.phases ? phase[i] + 1 : l.phases;
  }
  l.phase = phase;
  l.made = ARENA_ARRAY(a, Node *, (long)old->nodes.n * l.phases + 1);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  for (int i = 0; i < old->nodes.n; i++) {
    map[i] = made_for(&l, old->nodes.data[i], phase[i]);
  }
  rebuild_roots(l.g, old, map);
  rebuild_sweep(l.g);
  return l.g;
}
