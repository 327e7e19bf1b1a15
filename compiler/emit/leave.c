/* leave.c: what leaves a tile: outputs into the caller's arrays, and rows of gradients with the ids they
 * belong to. */

#include "writer.h"

/* Row-major over the output's shape, ragged axes at their maximum and padded with 0. */
void output_print(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *n = s->node;
  short axes[MAX_AXES];
  int count = loop_axes(&env, e->g->outputs.data[s->index].type, axes);
  long size = 1;
  bool ragged = false;
  for (int i = 0; i < count; i++) {
    size *= axis_extent(e->g, axes[i]);
    ragged |= e->g->axes.data[axes[i]].kind == AXIS_RAGGED;
  }
  put_open(e, "if (step->out[%d]) {", s->index);
  put_line(e, "rank_real *to = step->out[%d] + %.*s;", s->index,
    STR_ARG(times_text(e, S("s0 + s"), size)));
  if (ragged) {
    put_line(e, "memset(to, 0, sizeof(rank_real) * %ld);", size);
  }
  guard_open(e, e->g->outputs.data[s->index].name, n->loc);
  loops_open(e, &env, count, axes, n);
  Buf b = {.arena = e->arena};
  for (int i = 0; i < count; i++) {
    size /= axis_extent(e->g, axes[i]);
    put_term(e, &b, env.index[axes[i]], size);
  }
  Str value = n->type.kind == KIND_ID ? put_text(e, "(rank_real)%.*s", STR_ARG(id_expr(e, &env, n)))
                                      : expr(e, &env, n);
  Str to = put_text(e, "to[%.*s]", STR_ARG(b.n > 0 ? buf_take(&b) : S("0")));
  put_line(e, "%.*s = %.*s;", STR_ARG(to), STR_ARG(value));
  guard_value(e, to, true, false);
  loops_close(e, count);
  guard_close(e);
  put_close(e, "}");
}

/* Where the ids of a lookup lie in the batch: the element that env points at. */
static Str lookup_index(Emit *e, const Env *env, const Node *ids)
{
  Layout l = plan_layout(e->g, ids->type, false);
  Buf b = {.arena = e->arena};
  Str row = S("s0 + s");
  if (l.ragged >= 0) {
    int root = axis_root(e->g, l.ragged);
    e->axis_used[root] = true;
    Buf at = {.arena = e->arena};
    buf_format(&at, "%.*s_off[s]", STR_ARG(e->axis_name[root]));
    put_term(e, &at, env->index[l.ragged], 1);
    row = buf_take(&at);
  }
  put_term(e, &b, row, l.width);
  for (int i = 0; i < ids->type.n; i++) {
    int axis = ids->type.axis[i];
    if (axis != AXIS_B && axis != l.ragged) {
      put_term(e, &b, env->index[axis], l.stride[i]);
    }
  }
  return buf_take(&b);
}

/* The same for rows of one number: the innermost loop writes places side by side, and is a vector's. */
static void scatter_numbers(Emit *e, const Stmt *s, bool leads)
{
  Env env = env_new(e);
  const Node *ids = s->node->in[2 * s->index], *d = s->node->in[2 * s->index + 1];
  Str name = e->param_name[s->node->leaf];
  short axes[MAX_AXES];
  int count = loop_axes(&env, ids->type, axes), axis = axes[count - 1];
  put_open(e, "{");
  for (int i = 0; i < count - 1; i++) {
    loop_open(e, &env, axes[i], false);
  }
  env.index[axis] = S("0");
  put_line(e, "const long from = step->%.*s_at[%d] + %.*s;", STR_ARG(name), s->index,
    STR_ARG(lookup_index(e, &env, ids)));
  env.index[axis] = (Str){0};
  put_line(e, "rank_real *grads = step->%.*s_rows.d + from;", STR_ARG(name));
  if (leads) {
    put_line(e, "int32_t *ids = step->%.*s_rows.ids + from;", STR_ARG(name));
  }
  loop_open(e, &env, axis, true);
  Layout l = plan_layout(e->g, ids->type, false);
  long step = l.ragged == axis ? l.width : 0;
  for (int i = 0; i < ids->type.n; i++) {
    step = ids->type.axis[i] == axis && axis != l.ragged ? l.stride[i] : step;
  }
  Str at = times_text(e, env.index[axis], step);
  if (leads) {
    put_line(e, "ids[%.*s] = %.*s;", STR_ARG(at), STR_ARG(id_expr(e, &env, ids)));
  }
  put_line(e, "grads[%.*s] = %.*s;", STR_ARG(at), STR_ARG(expr(e, &env, d)));
  loops_close(e, count);
  put_close(e, "}");
}

/* Ids and gradient rows of one lookup, in the order of the batch. */
void scatter_print(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *ids = s->node->in[2 * s->index], *d = s->node->in[2 * s->index + 1];
  const Param *table = &e->g->params.data[s->node->leaf];
  Str name = e->param_name[s->node->leaf];
  Layout row = plan_layout(e->g, table->type, false);
  short axes[MAX_AXES];
  int count = loop_axes(&env, ids->type, axes);
  bool leads = lookups_leader(e, s->node->leaf) == s->node->leaf;
  if (s->late && !leads) {
    return;
  }
  if (row.width == 1 && count > 0 && !s->late && !e->o->check && !has_random(e, d)) {
    scatter_numbers(e, s, leads);
    return;
  }
  for (int i = 0; i < count; i++) {
    loop_open(e, &env, axes[i], false);
  }
  if (count == 0) {
    put_open(e, "{");
  }
  put_line(e, "const long at = step->%.*s_at[%d] + %.*s;", STR_ARG(name), s->index,
    STR_ARG(lookup_index(e, &env, ids)));
  if (leads) {
    put_line(e, "step->%.*s_rows.ids[at] = %.*s;", STR_ARG(name), STR_ARG(id_expr(e, &env, ids)));
  }
  if (s->late) {
    loops_close(e, count > 0 ? count : 1);
    return;
  }
  int inner = loop_axes(&env, table->type, axes);
  put_line(e, "rank_real *grad = step->%.*s_rows.d + %.*s;", STR_ARG(name),
    STR_ARG(times_text(e, S("at"), row.width)));
  guard_open(e, put_text(e, "the gradient of a row of %.*s", STR_ARG(table->name)), d->loc);
  loops_open(e, &env, inner, axes, d);
  Buf at = {.arena = e->arena};
  for (int i = 0; i < table->type.n; i++) {
    put_term(e, &at, env.index[table->type.axis[i]], row.stride[i]);
  }
  Str value = expr(e, &env, d);
  Str to = put_text(e, "grad[%.*s]", STR_ARG(at.n > 0 ? buf_take(&at) : S("0")));
  put_line(e, "%.*s = %.*s;", STR_ARG(to), STR_ARG(value));
  guard_value(e, to, true, false);
  loops_close(e, inner);
  guard_close(e);
  loops_close(e, count > 0 ? count : 1);
}

/* to[...] += (or =) the gradient of lookup `at` in a table whose rows are made late; `row` points at the
 * table's row. */
void late_row_print(Emit *e, const Grad *grad, const char *to, const char *row)
{
  const Node *ids = grad->node->in[0], *d = grad->node->in[1];
  const Param *table = &e->g->params.data[grad->param];
  Layout l = plan_layout(e->g, table->type, false);
  long each = plan_layout(e->g, ids->type, false).width;
  Env env = env_new(e);
  env.absolute = true;
  env.table = grad->param;
  env.table_row = str_of(row);
  put_line(e, each == 1 ? "const long s = at;" : "const long s = at / %ld;", each);
  short axes[MAX_AXES];
  int inner = loop_axes(&env, table->type, axes);
  loops_open(e, &env, inner, axes, NULL);
  Buf at = {.arena = e->arena};
  for (int i = 0; i < table->type.n; i++) {
    put_term(e, &at, env.index[table->type.axis[i]], l.stride[i]);
  }
  put_line(e, "%s[%.*s] += %.*s;", to, STR_ARG(at.n > 0 ? buf_take(&at) : S("0")),
    STR_ARG(expr(e, &env, d)));
  loops_close(e, inner);
}
