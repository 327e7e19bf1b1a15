/* prune.c: the part of a program that one role needs.
 *
 * training() is a number in each role, so the branch of a where() that dropout does not take disappears,
 * and with it the random numbers. Gradients have been taken when a role is cut out, so stop_gradient has
 * done its work and goes too. */

#include "pass.h"
#include "rebuild.h"

/* Old nodes by id -> new ones; NULL: of no use to this role. */
static Node **copy(Graph *g, const Graph *old, PruneFor what)
{
  Node **map = ARENA_ARRAY(g->arena, Node *, old->nodes.n);
  bool stops_done = what != PRUNE_TRAIN || graph_has_gradients(old);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    Node **in = ARENA_ARRAY(g->arena, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      in[k] = map[n->in[k]->id];
    }
    if (n->op == OP_TRAINING) {
      map[i] = build_const(g, what == PRUNE_TRAIN);
    } else if (n->op == OP_STOP && stops_done) {
      map[i] = in[0];
    } else {
      map[i] = build_copy(g, n, in);
      map[i]->name = n->name;
      map[i]->loc = n->loc;
    }
  }
  return map;
}

Graph *pass_prune(Arena *a, const Graph *old, PruneFor what)
{
  Graph *g = graph_shell(a, old);
  rebuild_roots(g, old, copy(g, old, what));
  if (what == PRUNE_PREDICT || what == PRUNE_TRAIN) {
    g->metrics.n = 0;
  }
  if (what == PRUNE_PREDICT) {
    g->loss = NULL;
  } else if (what == PRUNE_TRAIN) {
    g->outputs.n = 0;
  }
  if (what != PRUNE_TRAIN) {
    g->grads.n = 0;
  }
  rebuild_sweep(g);
  return pass_simplify(a, g);
}
