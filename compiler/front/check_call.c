/* check_call.c: calls: which of function, reduction, structure op or pointwise op a name means.
 *
 * One idea: arguments are checked before axes, because an argument may be what makes the axis:
 * sum[G](e * e[F -> G]). The user's functions come first, then the prelude's, then primitives. */

#include "check.h"
#include "../ir/ops.h"

/* The positional arguments, lists laid out flat. False: one of them was wrong (and all were
 * checked). */
static bool check_args(Checker *c, const Expr *e, Value **args, int *n)
{
  bool good = true;
  VEC(Value) all = {0};
  for (int i = 0; i < e->args.n; i++) {
    Value v = check_expr(c, e->args.data[i]);
    good = good && v.kind != VALUE_ERROR;
    if (e->args.data[i]->kind == EXPR_SPREAD && v.kind == VALUE_LIST) {
      for (int k = 0; k < v.n; k++) {
        *VEC_PUSH(c->a, &all) = v.list[k];
      }
    } else {
      *VEC_PUSH(c->a, &all) = v;
    }
  }
  *args = all.data;
  *n = all.n;
  return good;
}

/* sum[A, ...](x), max[A, ...](x) */
static Value check_reduce(Checker *c, const Expr *e, Op op, int n, const Value *args)
{
  if (n != 1 || e->options.n > 0) {
    return fail(c, e->loc, "%.*s[A, ...](x) takes one value", STR_ARG(e->name));
  }
  Node *x = to_node(c, args[0], e->args.data[0]->loc);
  short axes[MAX_AXES];
  int count = 0;
  if (!x || !check_axes(c, &e->axes, MAX_AXES, axes, &count)) {
    return error_value;
  }
  int kept = 0;
  Type rest = x->type;
  for (int i = 0; i < count; i++) {
    if (axes[i] == NO_AXIS) {
      continue;
    }
    if (!type_has(rest, axes[i])) {
      Str name = c->g->axes.data[axes[i]].name;
      bool twice = type_has(x->type, axes[i]);
      Loc loc = i < e->axes.n ? e->axes.data[i]->loc : e->loc;
      return twice ? fail(c, loc, "axis '%.*s' is reduced twice", STR_ARG(name))
                   : fail(c, loc, "the value has no axis '%.*s' to reduce; it is %.*s",
                       STR_ARG(name), STR_ARG(type_print(c->g, x->type, c->a)));
    }
    rest = type_without(rest, axes[i]);
    axes[kept++] = axes[i];
  }
  if (!fits(c, rest, e->loc)) {
    return error_value;
  }
  return kept == 0 ? node_value(x)
                   : node_value(place(c, build_reduce(c->g, op, x, kept, axes), e->loc));
}

/* The axes of t but those listed, and not the batch. */
static Value other_axes(Checker *c, Type t, int n, const short *but)
{
  Value list = {.kind = VALUE_LIST, .list = ARENA_ARRAY(c->a, Value, t.n)};
  for (int i = 0; i < t.n; i++) {
    bool other = c->g->axes.data[t.axis[i]].kind != AXIS_BATCH;
    for (int k = 0; k < n; k++) {
      other = other && but[k] != t.axis[i];
    }
    if (other) {
      list.list[list.n++] = axis_value(t.axis[i]);
    }
  }
  return list;
}

/* last(x): the last axis of x that is not the batch. axes(x): all of them, for an axis list.
 * rest[A, ...](x): all but these and the batch; rest(x): but the last. */
static Value check_axes_of(Checker *c, const Expr *e, int n, const Value *args)
{
  bool rest = str_eq(e->name, S("rest"));
  if (n != 1 || (e->has_axes && !rest) || e->options.n > 0) {
    return fail(c, e->loc, "%.*s(x) takes one value", STR_ARG(e->name));
  }
  Node *x = to_node(c, args[0], e->args.data[0]->loc);
  short axes[MAX_AXES];
  int count = 0;
  if (!x || (e->has_axes && !check_axes(c, &e->axes, MAX_AXES, axes, &count))) {
    return error_value;
  }
  if (rest && !e->has_axes && x->type.n > 0) {
    axes[count++] = x->type.axis[x->type.n - 1];
  }
  if (rest) {
    return other_axes(c, x->type, count, axes);
  }
  if (str_eq(e->name, S("axes"))) {
    Value list = {.kind = VALUE_LIST, .n = x->type.n, .list = ARENA_ARRAY(c->a, Value, x->type.n)};
    for (int i = 0; i < x->type.n; i++) {
      list.list[i] = axis_value(x->type.axis[i]);
    }
    return list;
  }
  int last = x->type.n > 0 ? x->type.axis[x->type.n - 1] : NO_AXIS;
  bool batch = last != NO_AXIS && c->g->axes.data[last].kind == AXIS_BATCH;
  return axis_value(batch ? NO_AXIS : last);
}

static Value check_pointwise(Checker *c, const Expr *e, Op op, int n, const Value *args)
{
  if (e->has_axes || e->options.n > 0 || e->into) {
    return fail(
      c, e->loc, "%.*s works on each number: it takes no axes and no options", STR_ARG(e->name));
  }
  Loc locs[3];
  for (int i = 0; i < n; i++) {
    locs[i] = i < e->args.n ? e->args.data[i]->loc : e->loc;
  }
  return pointwise(c, op, n, args, locs, e->loc);
}

/* How the function wants to be called, for a message: "linear(x), linear(x, n...)". */
static Str signatures(Checker *c, const Module *m, Str name)
{
  Buf b = {.arena = c->a};
  for (; m; m = m->base) {
    for (int i = 0; m->program && i < m->program->statements.n; i++) {
      const Stmt *s = m->program->statements.data[i];
      if (s->kind != STMT_FN || !str_eq(s->name, name)) {
        continue;
      }
      buf_format(&b, "%s%.*s(", b.n > 0 ? ", " : "", STR_ARG(name));
      for (int k = 0; k < s->parameters.n; k++) {
        bool rest = s->rest && k == s->parameters.n - 1;
        buf_format(&b, "%s%.*s%s", k > 0 ? ", " : "", STR_ARG(s->parameters.data[k].name),
          rest ? "..." : "");
      }
      buf_str(&b, S(")"));
    }
  }
  return buf_take(&b);
}

static Value fail_call(Checker *c, const Module *m, const Expr *e, int n)
{
  if (any_fn(c, m, e->name)) {
    return fail(c, e->loc, "no '%.*s' takes %d argument%s; there is %.*s", STR_ARG(e->name), n,
      n == 1 ? "" : "s", STR_ARG(signatures(c, m, e->name)));
  }
  for (int arity = 1; arity <= 3; arity++) {
    int op = op_by_word(e->name, arity);
    if (op >= 0 && op_rows[op].class == CLASS_REDUCE && !e->has_axes && n == 1) {
      return fail(c, e->loc, "say what is reduced: %.*s[A, ...](x)", STR_ARG(e->name));
    }
    if (op >= 0 && op_pointwise((Op)op)) {
      return fail(c, e->loc, "%.*s takes %d argument%s, not %d", STR_ARG(e->name), arity,
        arity == 1 ? "" : "s", n);
    }
  }
  Binding *b = scope_find(c->scope, e->name);
  if (b) {
    return fail(c, e->name_loc, "'%.*s' is not a function", STR_ARG(e->name));
  }
  if (is_ranked(c, e)) {
    return fail(c, e->loc,
      "%.*s ranks a whole catalogue; it stands alone: NAME = %.*s(...), top = 10", STR_ARG(e->name),
      STR_ARG(e->name));
  }
  Str meant = suggest(c, e->name);
  for (int op = 0; op < OP_COUNT && meant.n == 0; op++) {
    Str word = str_of(op_rows[op].word);
    bool close = word.n > 2 && word.n <= e->name.n + 1 && e->name.n <= word.n + 1 &&
                 e->name.n > 2 && word.s[0] == e->name.s[0] && word.s[1] == e->name.s[1] &&
                 word.s[word.n - 1] == e->name.s[e->name.n - 1];
    meant = close ? word : meant;
  }
  return meant.n > 0 ? fail(c, e->name_loc, "no function is called '%.*s'; did you mean '%.*s'?",
                         STR_ARG(e->name), STR_ARG(meant))
                     : fail(c, e->name_loc, "no function is called '%.*s'", STR_ARG(e->name));
}

static Value check_primitive(Checker *c, const Module *m, const Expr *e, int n, const Value *args)
{
  bool known = false;
  if (str_eq(e->name, S("last")) || str_eq(e->name, S("axes")) || str_eq(e->name, S("rest"))) {
    return check_axes_of(c, e, n, args);
  }
  Value v = check_leaf(c, e, &known);
  if (known) {
    return v;
  }
  bool sum = str_eq(e->name, S("sum"));
  if (e->has_axes && (sum || str_eq(e->name, S("max")))) {
    return check_reduce(c, e, sum ? OP_SUM : OP_MAX, n, args);
  }
  int op = n >= 1 && n <= 3 ? op_by_word(e->name, n) : -1;
  while (op >= 0 && !op_pointwise((Op)op)) { /* max is two ops: by arity 1 it reduces */
    op = -1;
  }
  if (op >= 0) {
    return check_pointwise(c, e, (Op)op, n, args);
  }
  v = check_structure(c, e, n, args, &known);
  return known ? v : fail_call(c, m, e, n);
}

Value check_call(Checker *c, const Expr *e)
{
  Value *args;
  int n = 0;
  if (!check_args(c, e, &args, &n)) {
    return error_value;
  }
  const Module *m = c->module;
  Expr renamed = *e;
  Binding *b = scope_find(c->scope, e->name);
  if (b && b->value.kind == VALUE_FN) { /* act(x), act a parameter */
    renamed.name = b->value.fn;
    m = b->value.module;
  }
  const Module *home = NULL;
  const Stmt *fn = find_fn(c, m, renamed.name, n, &home);
  if (!fn) {
    return check_primitive(c, m, &renamed, n, args);
  }
  if (e->into || e->extra) {
    return fail(
      c, e->loc, "'%.*s' is a function of the language; only concat takes '->'", STR_ARG(e->name));
  }
  return instantiate(c, fn, home, &renamed, n, args);
}
