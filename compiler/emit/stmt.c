/* stmt.c: statements as loop nests, and what shares one.
 *
 * Within one sample's turn a statement loops over the other axes of its value, outermost first; the
 * innermost loop is left to the compiler's vectoriser, which `omp simd` tells that it may. Pointwise
 * statements that follow one another over the same axes become one nest, unless one reads another at
 * different indices: fewer passes over memory. */

#include "writer.h"

#include "../ir/ops.h"

/* The value of a node at the current indices, as if it were not stored. */
static Str value_of(Emit *e, const Env *env, const Node *n)
{
  Place place = e->p->value[n->id].place;
  e->p->value[n->id].place = PLACE_INLINE;
  Str t = expr(e, env, n);
  e->p->value[n->id].place = place;
  return t;
}

static void open_for(Emit *e, Env *env, int count, const short *axes, int n, const Stmt *const *s)
{
  Place place[16];
  for (int i = 0; i < n; i++) { /* what the loops are opened for is computed, not read */
    place[i] = e->p->value[s[i]->store->id].place;
  }
  for (int i = 0; i < count; i++) {
    bool simd = i == count - 1;
    for (int k = 0; k < n; k++) {
      const Node *x = s[k]->store;
      e->p->value[x->id].place = PLACE_INLINE;
      if (i == count - 1) {
        rows_point(e, env, x);
      }
      simd &= !has_random(e, x);
      e->p->value[x->id].place = place[k];
    }
    loop_open(e, env, axes[i], simd);
  }
}

static void print_elements(Emit *e, int n, const Stmt *const *s)
{
  for (int i = 0; i < n; i++) {
    comment_source(e, s[i]->store->loc);
  }
  Env env = env_fresh(e, s[0]);
  if (local_scalar(e, s[0]->store)) {
    put_line(e, "const rank_real %.*s = %.*s;", STR_ARG(e->p->value[s[0]->store->id].name),
      STR_ARG(value_of(e, &env, s[0]->store)));
    return;
  }
  for (int i = 0; i < n; i++) {
    declare_local(e, s[i]->store);
  }
  short axes[MAX_AXES];
  int count = loop_axes(&env, s[0]->store->type, axes);
  open_for(e, &env, count, axes, n, s);
  for (int i = 0; i < n; i++) {
    Str value = value_of(e, &env, s[i]->store);
    put_line(e, "%.*s = %.*s;", STR_ARG(target_of(e, &env, s[i]->store)), STR_ARG(value));
  }
  loops_close(e, count);
  for (int i = 0; i < n; i++) {
    zero_padding(e, s[i], s[i]->store);
  }
}

void stmt_print(Emit *e, const Stmt *s)
{
  if (s->kind == STMT_ELEMENT) {
    print_elements(e, 1, &s);
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

enum { MOST_SHARED = 8 };

static bool same_axes(const Node *x, const Node *y)
{
  if (x->type.n != y->type.n || x->type.n < 2) { /* B alone: no loop to share */
    return false;
  }
  for (int i = 0; i < x->type.n; i++) {
    if (x->type.axis[i] != y->type.axis[i]) {
      return false;
    }
  }
  return true;
}

/* Does the statement of n read m through a view, that is at other indices? */
static bool reads_elsewhere(const Plan *p, const Node *n, const Node *m, bool moved, bool top)
{
  if (n == m) {
    return moved;
  }
  if (!top && plan_stored(p, n)) {
    return false;
  }
  moved |= op_is_view(n->op) && n->op != OP_STOP;
  for (int i = 0; i < n->nin; i++) {
    if (reads_elsewhere(p, n->in[i], m, moved, false)) {
      return true;
    }
  }
  return false;
}

static bool may_join(const Emit *e, int n, const Stmt *const *group, const Stmt *s)
{
  if (n == MOST_SHARED || s->kind != STMT_ELEMENT || group[0]->kind != STMT_ELEMENT ||
      s->scope != SCOPE_SAMPLE || !e->p->fuses || !same_axes(group[0]->store, s->store)) {
    return false;
  }
  for (int i = 0; i < n; i++) {
    if (reads_elsewhere(e->p, s->store, group[i]->store, false, true)) {
      return false;
    }
  }
  return true;
}

void stmts_print(Emit *e, int count, const int *stmts)
{
  for (int i = 0; i < count;) {
    const Stmt *group[MOST_SHARED] = {&e->p->stmts.data[stmts[i]]};
    int n = 1;
    while (i + n < count && may_join(e, n, group, &e->p->stmts.data[stmts[i + n]])) {
      group[n] = &e->p->stmts.data[stmts[i + n]];
      n++;
    }
    if (n > 1) {
      print_elements(e, n, group);
    } else {
      stmt_print(e, group[0]);
    }
    for (int k = 0; k < n; k++) {
      guard_stmt(e, group[k]);
    }
    i += n;
  }
}
