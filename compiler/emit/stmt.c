/* stmt.c: statements as loop nests, and what shares one.
 *
 * Within one sample's turn a statement loops over the other axes of its value, outermost first; the
 * innermost loop is left to the compiler's vectoriser, which `omp simd` tells that it may. Pointwise
 * statements and sums that follow one another over the same axes become one nest, unless one reads another
 * at different indices, or a sum before it is complete: fewer passes over memory. */

#include "writer.h"

#include "../ir/ops.h"

#include <string.h>

enum { MOST_SHARED = 8 };

/* The value of a node at the current indices, as if it were not stored. */
static Str value_of(Emit *e, const Env *env, const Node *n)
{
  Place place = e->p->value[n->id].place;
  e->p->value[n->id].place = PLACE_INLINE;
  Str t = expr(e, env, n);
  e->p->value[n->id].place = place;
  return t;
}

/* Statements that share a nest, and the axes each of them runs over, outermost first. */
typedef struct Nest {
  int n, count;
  const Stmt *stmt[MOST_SHARED];
  short axes[MOST_SHARED][MAX_AXES];
} Nest;

/* What the loops compute for a statement, rather than read. */
static const Node *computed(const Stmt *s)
{
  return s->kind == STMT_REDUCE ? s->node->in[0] : s->store;
}

static void nest_open(Emit *e, const Nest *nest, Env *env)
{
  for (int i = 0; i < nest->count; i++) {
    bool last = i == nest->count - 1, simd = last;
    for (int k = 0; k < nest->n; k++) {
      const Stmt *s = nest->stmt[k];
      Value *v = &e->p->value[s->store->id];
      Place place = v->place;
      v->place = s->kind == STMT_REDUCE ? place : PLACE_INLINE;
      if (last) {
        rows_point(e, env, computed(s));
      }
      simd &= !has_random(e, computed(s));
      v->place = place;
    }
    loop_open(e, env, nest->axes[0][i], simd);
    for (int k = 1; k < nest->n; k++) {
      env->index[nest->axes[k][i]] = env->index[nest->axes[0][i]];
    }
  }
}

static void nest_print(Emit *e, const Nest *nest)
{
  const Stmt *first = nest->stmt[0];
  for (int i = 0; i < nest->n; i++) {
    comment_source(e, nest->stmt[i]->store->loc);
  }
  Env env = env_fresh(e, first);
  if (first->kind == STMT_ELEMENT && local_scalar(e, first->store)) {
    put_line(e, "const rank_real %.*s = %.*s;", STR_ARG(e->p->value[first->store->id].name),
      STR_ARG(value_of(e, &env, first->store)));
    return;
  }
  for (int i = 0; i < nest->n; i++) {
    if (nest->stmt[i]->kind == STMT_REDUCE) {
      reduce_begin(e, nest->stmt[i], nest->axes[i], nest->count);
    } else {
      declare_local(e, nest->stmt[i]->store);
    }
  }
  nest_open(e, nest, &env);
  for (int i = 0; i < nest->n; i++) {
    const Stmt *s = nest->stmt[i];
    if (s->kind == STMT_REDUCE) {
      reduce_inside(e, s, &env);
      continue;
    }
    Str value = value_of(e, &env, s->store);
    put_line(e, "%.*s = %.*s;", STR_ARG(target_of(e, &env, s->store)), STR_ARG(value));
  }
  loops_close(e, nest->count);
  reduce_end(e, nest->n, nest->stmt);
  for (int i = 0; i < nest->n; i++) {
    zero_padding(e, nest->stmt[i], nest->stmt[i]->store);
  }
}

/* The nest of a statement by itself; false: it has none that others could share. */
static bool nest_of(Emit *e, const Stmt *s, Nest *nest)
{
  *nest = (Nest){.n = 1, .stmt = {s}};
  if (s->kind == STMT_REDUCE) {
    return s->scope == SCOPE_SAMPLE && e->p->fuses &&
           reduce_in_nest(e, s, &nest->count, nest->axes[0]);
  }
  Env env = env_fresh(e, s);
  nest->count = s->kind == STMT_ELEMENT ? loop_axes(&env, s->store->type, nest->axes[0]) : 0;
  return s->kind == STMT_ELEMENT;
}

void stmt_print(Emit *e, const Stmt *s)
{
  Nest nest;
  if (nest_of(e, s, &nest)) {
    nest_print(e, &nest);
    return;
  }
  comment_source(e, s->store->loc);
  switch (s->kind) {
  case STMT_ELEMENT:
    return;
  case STMT_REDUCE:
    reduce_print(e, s);
    return;
  case STMT_STRUCTURE:
    structure_print(e, s);
    return;
  case STMT_CONTRACT:
    contract_print(e, s);
    return;
  case STMT_OUTPUT:
    output_print(e, s);
    return;
  case STMT_SCATTER:
    scatter_print(e, s);
    return;
  }
}

/* ---- sharing a nest ---- */

static bool same_extent(const Graph *g, int x, int y)
{
  return g->axes.data[x].kind == AXIS_PLAIN && g->axes.data[y].kind == AXIS_PLAIN &&
         axis_extent(g, x) == axis_extent(g, y);
}

/* The same axes, or others of the same extents, if none of them is at another depth in a statement. */
static bool same_axes(const Graph *g, const Nest *nest, const Nest *own)
{
  if (nest->count != own->count || nest->count == 0) {
    return false;
  }
  for (int i = 0; i < own->count; i++) {
    int axis = own->axes[0][i];
    if (axis != nest->axes[0][i] && !same_extent(g, axis, nest->axes[0][i])) {
      return false;
    }
    for (int k = 0; k < nest->n; k++) {
      for (int j = 0; j < nest->count; j++) {
        if (j != i && nest->axes[k][j] == axis) {
          return false;
        }
      }
    }
  }
  return true;
}

/* Does the statement of n read m through a view, that is at other indices? `moved`: or at all? */
static bool reads(const Plan *p, const Node *n, const Node *m, bool moved, bool top)
{
  if (n == m) {
    return moved;
  }
  if (!top && plan_stored(p, n)) {
    return false;
  }
  moved |= op_is_view(n->op) && n->op != OP_STOP;
  for (int i = 0; i < n->nin; i++) {
    if (reads(p, n->in[i], m, moved, false)) {
      return true;
    }
  }
  return false;
}

static bool may_join(Emit *e, const Nest *nest, const Stmt *s, Nest *own)
{
  if (nest->n == MOST_SHARED || s->scope != SCOPE_SAMPLE || !e->p->fuses || !nest_of(e, s, own) ||
      !same_axes(e->g, nest, own)) {
    return false;
  }
  for (int i = 0; i < nest->n; i++) { /* a sum is complete only behind the nest */
    const Stmt *before = nest->stmt[i];
    if (reads(e->p, s->store, before->store, before->kind == STMT_REDUCE, true)) {
      return false;
    }
  }
  return true;
}

void stmts_print(Emit *e, int count, const int *stmts)
{
  for (int i = 0; i < count;) {
    Nest nest, own;
    const Stmt *s = &e->p->stmts.data[stmts[i]];
    if (nest_of(e, s, &nest)) {
      while (i + nest.n < count && may_join(e, &nest, &e->p->stmts.data[stmts[i + nest.n]], &own)) {
        nest.stmt[nest.n] = own.stmt[0];
        memcpy(nest.axes[nest.n++], own.axes[0], sizeof own.axes[0]);
      }
      nest_print(e, &nest);
    } else {
      stmt_print(e, s);
    }
    for (int k = 0; k < nest.n; k++) {
      guard_stmt(e, nest.stmt[k]);
    }
    i += nest.n;
  }
}
