/* empty.c: see empty.h. One idea: what follows from a reduction over the axis, or from its length, is what may
 * be special when there is nothing to reduce; whether it can then be infinite is seen from the ops on the way. */

#include "empty.h"

#include <math.h>

typedef struct Cone {
  const Graph *g;
  int root;                      /* of the axis that may have no position */
  signed char *depends, *unsafe; /* by id: 0 not known, 1 no, 2 yes */
} Cone;

/* A reduction over the axis, or its length; a batch has samples, only perhaps none with a list so long. */
static bool counts(const Cone *c, const Node *n)
{
  bool length = n->op == OP_SIZE && c->g->axes.data[c->root].kind == AXIS_RAGGED;
  if (n->op != OP_SUM && n->op != OP_MAX && !length) {
    return false;
  }
  for (int i = 0; i < n->naxes; i++) {
    if (axis_root(c->g, n->axes[i]) == c->root) {
      return true;
    }
  }
  return false;
}

static bool depends(const Cone *c, const Node *n)
{
  signed char *known = &c->depends[n->id];
  bool yes = *known == 2 || (*known == 0 && counts(c, n));
  for (int i = 0; i < n->nin && *known == 0 && !yes; i++) {
    yes = depends(c, n->in[i]);
  }
  *known = yes ? 2 : 1;
  return yes;
}

static bool not_negative(const Node *n)
{
  switch ((int)n->op) {
  case OP_CONST:
    return n->value >= 0;
  case OP_SIZE:
  case OP_ABS:
  case OP_EXP:
  case OP_SIGMOID:
  case OP_SQRT:
    return true;
  case OP_SUM:
  case OP_RENAME:
    return not_negative(n->in[0]);
  case OP_MUL:
    return n->in[0] == n->in[1] || (not_negative(n->in[0]) && not_negative(n->in[1]));
  case OP_ADD:
  case OP_DIV:
    return not_negative(n->in[0]) && not_negative(n->in[1]);
  case OP_MAXIMUM:
    return not_negative(n->in[0]) || not_negative(n->in[1]);
  default:
    return false;
  }
}

/* At least some number above 0, like max(size[L], 1) or the square root of a variance and a little. */
static bool positive(const Node *n)
{
  switch ((int)n->op) {
  case OP_CONST:
    return n->value > 0;
  case OP_SQRT:
    return positive(n->in[0]);
  case OP_MAXIMUM:
    return positive(n->in[0]) || positive(n->in[1]);
  case OP_ADD:
    return (positive(n->in[0]) && not_negative(n->in[1])) ||
           (not_negative(n->in[0]) && positive(n->in[1]));
  default:
    return false;
  }
}

static bool is_infinite(const Node *n)
{
  return n->op == OP_CONST && !isfinite(n->value);
}

/* The maximum of what lacks the axis has become where(0 < size, x, -1 / 0) (broad.c). */
static bool may_blow_up(const Cone *c, const Node *n)
{
  switch ((int)n->op) {
  case OP_MAX:
    return counts(c, n);
  case OP_WHERE:
    return depends(c, n->in[0]) && (is_infinite(n->in[1]) || is_infinite(n->in[2]));
  case OP_DIV:
    return depends(c, n->in[1]) && !positive(n->in[1]);
  case OP_LOG:
  case OP_LOG1P:
  case OP_POW:
    return depends(c, n->in[0]) || depends(c, n->in[n->nin - 1]);
  default:
    return false;
  }
}

static bool unsafe(const Cone *c, const Node *n)
{
  signed char *known = &c->unsafe[n->id];
  if (*known == 0) {
    bool yes = false;
    if (depends(c, n)) {
      yes = may_blow_up(c, n);
      for (int i = 0; i < n->nin && !yes; i++) {
        yes = unsafe(c, n->in[i]);
      }
    }
    *known = yes ? 2 : 1;
  }
  return *known == 2;
}

bool empty_blows_up(const Graph *g, Type full, const Node *n, bool below, int axis)
{
  bool lists = false;
  for (int i = 0; i < full.n; i++) {
    lists |= g->axes.data[full.axis[i]].kind == AXIS_RAGGED;
  }
  AxisKind kind = g->axes.data[axis].kind;
  if (kind == AXIS_PLAIN || (kind == AXIS_BATCH && !lists)) {
    return false;
  }
  Arena scratch = *g->arena;
  Cone c = {.g = g, .root = axis_root(g, axis)};
  c.depends = ARENA_ARRAY(&scratch, signed char, g->nodes.n);
  c.unsafe = ARENA_ARRAY(&scratch, signed char, g->nodes.n);
  return unsafe(&c, n) || (below && depends(&c, n) && !positive(n));
}
