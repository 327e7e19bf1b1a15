/* masks.c: a gradient that is let through where an activation was positive asks the activation.
 *
 * where(0 < z, z, 0) and z are positive in the same places. Asking the result, which is kept for the next
 * layer anyway, means that z itself need not be kept: it stays in the registers of the contraction that
 * computed it. */

#include "pass.h"
#include "rebuild.h"

/* Is n where(0 < z, z, 0)? */
static bool is_positive_part(const Node *n)
{
  if (n->op != OP_WHERE) {
    return false;
  }
  const Node *m = n->in[0];
  return m->op == OP_LT && m->in[0]->op == OP_CONST && m->in[0]->value >= 0 &&
         m->in[0]->value <= 0 && m->in[1] == n->in[1] && n->in[2]->op == OP_CONST &&
         n->in[2]->value >= 0 && n->in[2]->value <= 0;
}

Graph *pass_masks(Arena *a, const Graph *old)
{
  Graph *g = graph_shell(a, old);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  Node **instead = ARENA_ARRAY(a, Node *, old->nodes.n + 1); /* by mask: the same of the result */
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      Node *other = instead[n->in[k]->id];
      in[k] = other ? other : map[n->in[k]->id];
    }
    map[i] = build_copy(g, n, in);
    map[i]->name = n->name;
    map[i]->loc = n->loc;
    if (is_positive_part(n) && !instead[n->in[0]->id]) {
      Node *mask = build_op2(g, OP_LT, map[n->in[0]->in[0]->id], map[i]);
      mask->loc = n->loc;
      instead[n->in[0]->id] = mask;
    }
  }
  rebuild_roots(g, old, map);
  rebuild_sweep(g);
  return g;
}
