/* guard.c: `rankc build --check`: what a statement has stored is looked at, element by element.
 *
 * One idea: guards are numbered in the order in which statements run, and of all values that are not finite
 * the one with the lowest number is where the trouble began, whichever thread met it. What is stored nowhere
 * is not looked at: the statement that computes it in passing is named by what it stores. */

#include "writer.h"

/* Where a guard stands, as a constant before its loops. */
static void place_line(Emit *e, Str value, Loc loc)
{
  Str file, text = source_line(e, loc, &file);
  put_line(e,
    "static const rank_guard_place guard = {%d, \"%.*s_%.*s\", %d, %.*s, %.*s, %d, %.*s};",
    e->guards++, STR_ARG(e->prefix), STR_ARG(e->function), e->group,
    STR_ARG(string_c(e->arena, value)), STR_ARG(string_c(e->arena, file)), loc_line(loc),
    STR_ARG(string_c(e->arena, text)));
}

void guard_open(Emit *e, Str value, Loc loc)
{
  if (e->o->check) {
    put_open(e, "{");
    place_line(e, value, loc);
  }
}

void guard_value(Emit *e, Str value, bool sample, bool may_be_empty)
{
  if (e->o->check) {
    put_line(e, "rank_guard%s(&guard, %.*s, %s);", may_be_empty ? "_max" : "", STR_ARG(value),
      sample ? "s0 + s" : "-1");
  }
}

void guard_close(Emit *e)
{
  if (e->o->check) {
    put_close(e, "}");
  }
}

/* Sums over the batch, totals, and what a sample has: all elements of n. */
static void guard_node(Emit *e, const Stmt *s, const Node *n)
{
  Place place = e->p->value[n->id].place;
  if (n->type.kind == KIND_ID || place == PLACE_INLINE || place == PLACE_FUSED) {
    return;
  }
  bool sample = type_has(n->type, AXIS_B);
  Env env = env_fresh(e, s);
  short axes[MAX_AXES];
  int count = loop_axes(&env, n->type, axes);
  guard_open(e, e->p->value[n->id].name, n->loc);
  for (int i = 0; i < count; i++) {
    loop_open(e, &env, axes[i], false);
  }
  guard_value(e, expr(e, &env, n), sample, s->node->op == OP_MAX);
  loops_close(e, count);
  guard_close(e);
}

void guard_stmt(Emit *e, const Stmt *s)
{
  if (!e->o->check || s->kind == STMT_OUTPUT || s->kind == STMT_SCATTER) {
    return; /* these have theirs inside */
  }
  guard_node(e, s, s->store);
  if (s->then) {
    guard_node(e, s, s->then);
  }
  for (int i = 0; i < s->nsums; i++) {
    guard_node(e, s, s->sums[i]);
  }
}

bool guard_by_sample(const Stmt *s)
{
  return type_has(s->store->type, AXIS_B) && s->kind != STMT_OUTPUT && s->kind != STMT_SCATTER;
}

void guards_print(Emit *e, int count, const int *stmts)
{
  for (int i = 0; i < count; i++) {
    const Stmt *s = &e->p->stmts.data[stmts[i]];
    if (guard_by_sample(s)) {
      guard_stmt(e, s);
    }
  }
}
