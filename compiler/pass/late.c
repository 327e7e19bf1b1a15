/* late.c: when every value is computed, and values of pairs of samples made where they are read.
 *
 * A value with two batch axes has as many numbers as there are pairs of samples. Kept it would take memory
 * by the square of the batch, so it is computed as late as it is first read, and once more for each later
 * reading: what it is made of, vectors of samples, is small ("FlashAttention", Dao et al. 2022, has the
 * same bargain). Readings are told apart by phase and, within one, by sweep: a tile's samples run through
 * all the others, a block of columns at a time, and what follows from a maximum or sum over all columns
 * needs the next sweep. */

#include "late.h"

#include "rebuild.h"

#include "../ir/ops.h"

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
    bool gives_away = false; /* B's own become another's, also when another's become B's */
    for (int i = 0; i + 1 < n->naxes; i += 2) {
      gives_away |= n->axes[i] == AXIS_B;
    }
    return gives_away || (renames_batch(g, n) && !type_has(n->type, AXIS_B));
  }
  return (n->op == OP_SUM || n->op == OP_MAX) && type_has(n->in[0]->type, AXIS_B) &&
         !type_has(n->type, AXIS_B);
}

bool value_of_pairs(const Graph *g, const Node *n)
{
  int samples = 0;
  for (int i = 0; i < n->type.n; i++) {
    samples += g->axes.data[n->type.axis[i]].kind == AXIS_BATCH;
  }
  return samples > 1 && type_has(n->type, AXIS_B);
}

bool reduces_columns(const Graph *g, const Node *n)
{
  bool columns = false;
  for (int i = 0; (n->op == OP_SUM || n->op == OP_MAX) && i < n->naxes; i++) {
    columns |= n->axes[i] != AXIS_B && g->axes.data[n->axes[i]].kind == AXIS_BATCH;
  }
  return columns && value_of_pairs(g, n->in[0]);
}

/* A value of two samples and of plain axes, by operations that look at one pair at a time. */
static bool has_columns(const Graph *g, const Node *n)
{
  int samples = 0;
  for (int i = 0; i < n->type.n; i++) {
    const Axis *a = &g->axes.data[n->type.axis[i]];
    samples += a->kind == AXIS_BATCH;
    if (a->kind == AXIS_RAGGED) {
      return false;
    }
  }
  OpClass class = op_rows[n->op].class;
  return samples == 2 && (class != CLASS_STRUCTURE || n->op == OP_SLICE || n->op == OP_STOP ||
                           (n->op == OP_RENAME && !renames_batch(g, n)));
}

bool runs_by_columns(const Graph *g)
{
  bool any = false;
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    bool pairs = value_of_pairs(g, n);
    bool sums = samples_meet(g, n) && n->op != OP_RENAME && value_of_pairs(g, n->in[0]);
    if ((pairs && !has_columns(g, n)) || (sums && !reduces_columns(g, n))) {
      return false;
    }
    any |= pairs;
  }
  return any;
}

void plan_times(const Graph *g, bool late, int *read, int *made)
{
  enum { NEVER = 1 << 30 };
  Arena scratch = *g->arena;
  int *first = ARENA_ARRAY(&scratch, int, g->nodes.n + 1);
  bool sweeps = late && runs_by_columns(g);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    read[i] = 0;
    for (int j = 0; j < n->nin; j++) {
      int in = n->in[j]->id;
      read[i] = made[in] > read[i] ? made[in] : read[i];
    }
    made[i] = samples_meet(g, n) ? (read[i] / SWEEPS + 1) * SWEEPS
                                 : read[i] + (sweeps && reduces_columns(g, n));
    first[i] = NEVER;
  }
  for (int i = g->nodes.n - 1; i >= 0 && late; i--) {
    const Node *n = g->nodes.data[i];
    if (value_of_pairs(g, n) && first[i] != NEVER && first[i] > made[i]) {
      made[i] = read[i] = first[i];
    }
    for (int j = 0; j < n->nin; j++) {
      int in = n->in[j]->id, at = renames_batch(g, n) ? 0 : read[i];
      first[in] = at < first[in] ? at : first[in];
    }
  }
}

typedef struct Made {
  int at;
  Node *node;
  struct Made *next;
} Made;

typedef struct Late {
  Graph *g;
  const Graph *old;
  const int *read, *time; /* of the old nodes: when operands are read, and when it is made */
  Made **made;            /* by old id */
} Late;

/* The new node for an old one that is read at this time. */
static Node *made_for(Late *l, const Node *n, int time)
{
  int own = l->time[n->id];
  bool pairs = value_of_pairs(l->old, n);
  int at = pairs && time > own ? time : own;
  for (const Made *m = l->made[n->id]; m; m = m->next) {
    if (m->at == at) {
      return m->node;
    }
  }
  Node **in = ARENA_ARRAY(l->g->arena, Node *, n->nin);
  for (int k = 0; k < n->nin; k++) {
    int reads = renames_batch(l->old, n) ? 0 : pairs ? at : l->read[n->id];
    in[k] = made_for(l, n->in[k], reads);
  }
  Node *node = build_copy(l->g, n, in);
  node->name = at == own ? n->name : (Str){0};
  node->loc = n->loc;
  Made *m = ARENA_NEW(l->g->arena, Made);
  *m = (Made){at, node, l->made[n->id]};
  l->made[n->id] = m;
  return node;
}

Graph *pass_late(Arena *a, const Graph *old)
{
  Late l = {.g = graph_shell(a, old), .old = old};
  int *read = ARENA_ARRAY(a, int, old->nodes.n + 1), *made = ARENA_ARRAY(a, int, old->nodes.n + 1);
  plan_times(old, true, read, made);
  l.read = read;
  l.time = made;
  l.made = ARENA_ARRAY(a, Made *, old->nodes.n + 1);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  for (int i = 0; i < old->nodes.n; i++) {
    map[i] = made_for(&l, old->nodes.data[i], made[i]);
  }
  rebuild_roots(l.g, old, map);
  rebuild_sweep(l.g);
  return l.g;
}
