/* expr.c: expressions and addresses.
 *
 * An inline value is printed as C text by its op row; a stored one is an element of its array. Views
 * (renames, slices) change nothing but the indices: they are followed by rewriting the Env on the way to
 * what they view. */

#include "writer.h"

#include "../ir/ops.h"

#include <string.h>

enum { PREC_SUM = 1, PREC_PRODUCT, PREC_UNARY, PREC_ATOM };

Env env_new(Emit *e)
{
  Env env = {.index = ARENA_ARRAY(e->arena, Str, e->g->axes.n), .vec = -1};
  env.index[AXIS_B] = S("s");
  return env;
}

Env env_copy(Emit *e, const Env *env)
{
  Env copy = *env;
  copy.index = ARENA_ARRAY(e->arena, Str, e->g->axes.n);
  memcpy(copy.index, env->index, sizeof(Str) * (size_t)e->g->axes.n);
  return copy;
}

static Str root_name(Emit *e, int axis)
{
  int root = axis_root(e->g, axis);
  e->axis_used[root] = true;
  return e->axis_name[root];
}

Str row_count(Emit *e, int ragged)
{
  if (ragged < 0) {
    return S("n");
  }
  Str name = root_name(e, ragged);
  if (e->p->padded) {
    return put_text(e, "n * %ld", axis_extent(e->g, ragged));
  }
  return put_text(e, "%.*s_off[n] - %.*s_off[0]", STR_ARG(name), STR_ARG(name));
}

Str length_of(Emit *e, int axis)
{
  const Axis *a = &e->g->axes.data[axis];
  if (a->kind == AXIS_BATCH) {
    return S("step->n");
  }
  if (a->kind == AXIS_RAGGED) {
    return put_text(e, "%.*s_len", STR_ARG(root_name(e, axis)));
  }
  return put_text(e, "%ld", a->extent);
}

/* The index of the row that env points at, for a value with B. */
static Str row_of(Emit *e, const Env *env, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  int ragged = v->layout.ragged;
  bool local = v->place == PLACE_LOCAL;
  if (env->flat) {
    return env->flat_row;
  }
  if (ragged < 0) {
    return local ? (Str){0} : env->index[AXIS_B];
  }
  Str l = env->index[ragged];
  if (local) {
    return l;
  }
  Str root = root_name(e, ragged);
  if (e->p->padded && n->op == OP_INPUT) { /* lists come without padding */
    return put_text(
      e, "%.*s_off[s] - %.*s_off[0] + %.*s", STR_ARG(root), STR_ARG(root), STR_ARG(l));
  }
  return l.n == 0 || str_eq(l, S("0")) ? put_text(e, "%.*s_row", STR_ARG(root))
                                       : put_text(e, "%.*s_row + %.*s", STR_ARG(root), STR_ARG(l));
}

/* Everything inside the brackets of a stored value. */
static Str offset_of(Emit *e, const Env *env, const Node *n)
{
  n = e->p->value[n->id].same ? e->p->value[n->id].same : n;
  const Value *v = &e->p->value[n->id];
  Buf b = {.arena = e->arena};
  int across = v->layout.across;
  if (v->keeps) {
    buf_format(&b, "at");
  }
  if (type_has(n->type, AXIS_B)) {
    Str row = row_of(e, env, n);
    put_term(e, &b, across_text(e, row, v->layout.across), v->layout.width);
  }
  for (int i = 0; i < n->type.n; i++) {
    int axis = n->type.axis[i];
    bool is_row = type_has(n->type, AXIS_B) && (axis == AXIS_B || axis == v->layout.ragged);
    if (!is_row) {
      bool batch = e->g->axes.data[axis].kind == AXIS_BATCH;
      across -= batch;
      Str index = batch && e->p->columns > 0 ? column_of(e, env, axis)
                  : batch                    ? across_text(e, env->index[axis], across)
                                             : env->index[axis];
      put_term(e, &b, index, v->layout.stride[i]);
    }
  }
  return b.n == 0 ? S("0") : buf_take(&b);
}

/* The array's name; for another sample's value, the array of the whole batch. */
static Str base_of(Emit *e, const Env *env, const Node *n)
{
  n = e->p->value[n->id].same ? e->p->value[n->id].same : n;
  Str name = e->p->value[n->id].name;
  if (env->absolute && type_has(n->type, AXIS_B)) {
    return put_text(e, "step->%.*s", STR_ARG(name));
  }
  e->used[n->id] = true;
  return name;
}

Str place_of(Emit *e, const Env *env, const Node *n)
{
  Str base = base_of(e, env, n);
  if (local_scalar(e, n)) {
    return base;
  }
  return put_text(e, "%.*s[%.*s]", STR_ARG(base), STR_ARG(offset_of(e, env, n)));
}

Str target_of(Emit *e, const Env *env, const Node *n)
{
  e->written[n->id] = true;
  return place_of(e, env, n);
}

static bool all_indexed(const Env *env, int n, const short *axes)
{
  for (int i = 0; i < n; i++) {
    if (env->index[axes[i]].n == 0) {
      return false;
    }
  }
  return true;
}

Env through_view(Emit *e, const Env *env, const Node *view)
{
  Env in = env_copy(e, env);
  if (view->op == OP_RENAME) {
    for (int i = 0; i + 1 < view->naxes; i += 2) {
      Str index = env->index[view->axes[i + 1]];
      bool counts_in_tile = view->axes[i + 1] == AXIS_B && !env->absolute && index.n > 0;
      in.index[view->axes[i]] = counts_in_tile ? put_text(e, "s0 + %.*s", STR_ARG(index)) : index;
      if (env->vec == view->axes[i + 1]) {
        in.vec = view->axes[i];
      }
      if (view->axes[i] == AXIS_B) {
        in.absolute = view->axes[i + 1] != AXIS_B;
        in.flat &= !in.absolute;
      }
    }
  } else if (view->op == OP_SLICE && !all_indexed(env, view->naxes - 1, view->axes + 1)) {
    in.index[view->axes[0]] = (Str){0};
  } else if (view->op == OP_SLICE) {
    Buf b = {.arena = e->arena};
    long k = 1;
    for (int i = view->naxes - 1; i > 0; i--) {
      if (env->vec == view->axes[i]) {
        in.vec = view->axes[0];
      }
      put_term(e, &b, env->index[view->axes[i]], k);
      k *= axis_extent(e->g, view->axes[i]);
    }
    if (view->offset != 0 || b.n == 0) {
      buf_format(&b, b.n > 0 ? " + %ld" : "%ld", view->offset);
    }
    in.index[view->axes[0]] = buf_take(&b);
  }
  return in;
}

Str pointer_to(Emit *e, const Env *env, const Node *n, Str more)
{
  if (op_is_view(n->op)) {
    Env in = through_view(e, env, n);
    return pointer_to(e, &in, n->in[0], more);
  }
  Str base = base_of(e, env, n);
  Str offset = offset_of(e, env, n);
  if (str_eq(offset, S("0"))) {
    return more.n == 0 ? base : put_text(e, "%.*s + %.*s", STR_ARG(base), STR_ARG(more));
  }
  return put_text(e, more.n == 0 ? "%.*s + %.*s" : "%.*s + %.*s + %.*s", STR_ARG(base),
    STR_ARG(offset), STR_ARG(more));
}

typedef struct Printed {
  Str text;
  int prec;
  bool vector;
} Printed;

static Printed print(Emit *e, const Env *env, const Node *n);

static Printed atom(Str text, bool vector)
{
  return (Printed){text, PREC_ATOM, vector};
}

static Printed print_stored(Emit *e, const Env *env, const Node *n)
{
  bool vector = env->vec >= 0 && type_has(n->type, env->vec);
  bool is_id = n->type.kind == KIND_ID;
  if (vector) {
    return atom(put_text(e, "rank_load(%.*s)", STR_ARG(pointer_to(e, env, n, (Str){0}))), true);
  }
  Str element = place_of(e, env, n);
  return is_id ? (Printed){put_text(e, "(rank_real)%.*s", STR_ARG(element)), PREC_UNARY, false}
               : atom(element, false);
}

static Str wrapped(Emit *e, Printed x, int prec)
{
  return x.prec >= prec ? x.text : put_text(e, "(%.*s)", STR_ARG(x.text));
}

static int prec_of(Op op)
{
  switch ((int)op) {
  case OP_ADD:
  case OP_SUB:
    return PREC_SUM;
  case OP_MUL:
  case OP_DIV:
    return PREC_PRODUCT;
  case OP_NEG:
    return PREC_UNARY;
  default:
    return PREC_ATOM;
  }
}

static Str splat(Emit *e, Printed x, bool vector)
{
  return vector && !x.vector ? put_text(e, "rank_splat(%.*s)", STR_ARG(x.text)) : x.text;
}

static Printed print_op(Emit *e, const Env *env, const Node *n)
{
  const char *c = op_rows[n->op].c;
  int prec = prec_of(n->op);
  Printed in[3];
  bool vector = false;
  for (int i = 0; i < n->nin; i++) {
    in[i] = print(e, env, n->in[i]);
    vector |= in[i].vector;
  }
  Buf b = {.arena = e->arena};
  for (const char *p = c; *p; p++) {
    if (*p != '%') {
      buf_str(&b, (Str){p, 1});
      continue;
    }
    int i = *++p - '0';
    if (prec == PREC_ATOM) { /* a call: all its arguments are of one type */
      buf_str(&b, splat(e, in[i], vector));
    } else {
      bool right = i == 1 || prec == PREC_UNARY;
      buf_str(&b, wrapped(e, in[i], right ? prec + 1 : prec));
    }
  }
  return (Printed){buf_take(&b), prec, vector};
}

static bool is_zero(const Node *n)
{
  return n->op == OP_CONST && n->value == 0;
}

/* where(0 < x, y, 0): what rectifiers and their gradients are made of. */
static bool is_gate(const Emit *e, const Node *n)
{
  return n->op == OP_WHERE && is_zero(n->in[2]) && n->in[0]->op == OP_LT &&
         is_zero(n->in[0]->in[0]) && !plan_stored(e->p, n->in[0]);
}

static Printed print_gate(Emit *e, const Env *env, const Node *n)
{
  Printed x = print(e, env, n->in[0]->in[1]);
  if (node_is_relu(n)) {
    return atom(put_text(e, "rank_relu(%.*s)", STR_ARG(x.text)), x.vector);
  }
  Printed y = print(e, env, n->in[1]);
  bool vector = x.vector || y.vector;
  return atom(put_text(e, "rank_gate(%.*s, %.*s)", STR_ARG(splat(e, x, vector)),
                STR_ARG(splat(e, y, vector))),
    vector);
}

static Printed print_random(Emit *e, const Env *env, const Node *n)
{
  return atom(random_text(e, env, n), false);
}

/* Of a batch, of the sample's list, or of another sample's. */
static Printed print_size(Emit *e, const Env *env, const Node *n)
{
  int axis = n->axes[0];
  if (e->g->axes.data[axis].kind == AXIS_BATCH) {
    return (Printed){S("(rank_real)step->n"), PREC_UNARY, false};
  }
  if (env->absolute) {
    Str off = e->axis_name[axis_root(e->g, axis)], at = env->index[AXIS_B];
    return (Printed){put_text(e, "(rank_real)(step->%.*s_off[%.*s + 1] - step->%.*s_off[%.*s])",
                       STR_ARG(off), STR_ARG(at), STR_ARG(off), STR_ARG(at)),
      PREC_UNARY, false};
  }
  return (Printed){
    put_text(e, "(rank_real)%.*s_len", STR_ARG(root_name(e, axis))), PREC_UNARY, false};
}

/* The element of a stored value behind views, without a cast. */
static Str element_of(Emit *e, const Env *env, const Node *n)
{
  if (op_is_view(n->op)) {
    Env in = through_view(e, env, n);
    return element_of(e, &in, n->in[0]);
  }
  return place_of(e, env, n);
}

static bool reads_row(const Env *env, const Node *n)
{
  return env->table_row.n > 0 && n->op == OP_GATHER && n->leaf == env->table;
}

static Printed print_gather(Emit *e, const Env *env, const Node *n)
{
  const Param *table = &e->g->params.data[n->leaf];
  Str name = e->param_name[n->leaf];
  Layout l = plan_layout(e->g, table->type, false);
  Buf b = {.arena = e->arena};
  for (int i = 0; i < table->type.n; i++) {
    put_term(e, &b, env->index[table->type.axis[i]], l.stride[i]);
  }
  Str cell = b.n > 0 ? buf_take(&b) : S("0");
  if (reads_row(env, n)) {
    return atom(put_text(e, "%.*s[%.*s]", STR_ARG(env->table_row), STR_ARG(cell)), false);
  }
  Str id = element_of(e, env, n->in[0]);
  for (int i = 0; i < e->pointers.n; i++) {
    const RowPointer *p = &e->pointers.data[i];
    if (p->table == n->leaf && str_eq(p->id, id)) {
      return atom(put_text(e, "%.*s[%.*s]", STR_ARG(p->name), STR_ARG(cell)), false);
    }
  }
  if (param_stored(e, n->leaf)) {
    return atom(stored_cell(e, n->leaf, id, cell), false);
  }
  Buf at = {.arena = e->arena};
  buf_str(&at, l.width == 1 ? id : put_text(e, "(long)%.*s * %ld", STR_ARG(id), l.width));
  put_term(e, &at, buf_take(&b), 1);
  return atom(put_text(e, "step->%.*s[%.*s]", STR_ARG(name), STR_ARG(buf_take(&at))), false);
}

/* Ids are compared as the whole numbers they are: as rank_real, large ones would meet. */
static bool compares_ids(const Env *env, const Node *n)
{
  return (n->op == OP_EQ || n->op == OP_NE) && env->vec < 0 && n->in[0]->type.kind == KIND_ID &&
         n->in[1]->type.kind == KIND_ID && plan_source(n->in[0])->op == OP_INPUT &&
         plan_source(n->in[1])->op == OP_INPUT;
}

static Printed print_id_compare(Emit *e, const Env *env, const Node *n)
{
  return (Printed){put_text(e, "(rank_real)(%.*s %s %.*s)", STR_ARG(element_of(e, env, n->in[0])),
                     op_rows[n->op].word, STR_ARG(element_of(e, env, n->in[1]))),
    PREC_UNARY, false};
}

static Printed print(Emit *e, const Env *env, const Node *n)
{
  if (n == env->sum) {
    return atom(S("sum"), true);
  }
  if (op_is_view(n->op)) {
    Env in = through_view(e, env, n);
    return print(e, &in, n->in[0]);
  }
  if (plan_stored(e->p, n) && !reads_row(env, n)) {
    return print_stored(e, env, n);
  }
  switch ((int)n->op) {
  case OP_CONST:
    return (Printed){number_c(e, n->value), n->value < 0 ? PREC_UNARY : PREC_ATOM, false};
  case OP_INDEX: {
    bool of_tile = n->axes[0] == AXIS_B && !env->absolute;
    return (Printed){put_text(e, of_tile ? "(rank_real)(s0 + %.*s)" : "(rank_real)(%.*s)",
                       STR_ARG(env->index[n->axes[0]])),
      PREC_UNARY, false};
  }
  case OP_SIZE:
    return print_size(e, env, n);
  case OP_RANDOM:
    return print_random(e, env, n);
  case OP_GATHER:
    return print_gather(e, env, n);
  case OP_ORDER:
    return print(e, env, n->in[0]);
  default:
    return compares_ids(env, n) ? print_id_compare(e, env, n)
           : is_gate(e, n)      ? print_gate(e, env, n)
                                : print_op(e, env, n);
  }
}

Str expr(Emit *e, const Env *env, const Node *n)
{
  return print(e, env, n).text;
}

Str id_expr(Emit *e, const Env *env, const Node *n)
{
  return element_of(e, env, n);
}
