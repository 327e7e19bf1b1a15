/* check_fn.c: functions written in the language.
 *
 * One idea: a call opens a scope, binds the parameters, runs the body, and gives the value of its
 * last line. What the body declares is named after the value that the statement defines:
 * `score.0.weight`. */

#include "check.h"
#include "../ir/ops.h"

/* Overloads are told apart by the number of positional arguments; an exact count comes before
 * `n...`. */
static const Stmt *find_in(const Program *p, Str name, int n)
{
  const Stmt *found = NULL;
  for (int i = 0; i < p->statements.n; i++) {
    const Stmt *s = p->statements.data[i];
    if (s->kind != STMT_FN || !str_eq(s->name, name)) {
      continue;
    }
    if (!s->rest && s->parameters.n == n) {
      return s;
    }
    if (s->rest && n >= s->parameters.n - 1 && (!found || found->parameters.n < s->parameters.n)) {
      found = s;
    }
  }
  return found;
}

/* A primitive's name needs no look into the prelude, which may not have been read yet. */
static bool primitive(Str name)
{
  static const char *const words[] = {"sum", "max", "min", "where", "concat", "index", "size",
    "last", "axes", "rest", "random", "training", "scatter", "pad", "untriangle"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (str_eq(name, str_of(words[i]))) {
      return true;
    }
  }
  int op = op_by_word(name, 1);
  return op >= 0 && op_pointwise((Op)op);
}

const Stmt *find_fn(Checker *c, const Module *m, Str name, int n, const Module **home)
{
  for (; m; m = m->base) {
    if (m == &c->prelude && !m->program) {
      if (primitive(name)) {
        return NULL;
      }
      prelude_module(c);
    }
    const Stmt *s = find_in(m->program, name, n);
    if (s) {
      *home = m;
      return s;
    }
  }
  return NULL;
}

bool any_fn(Checker *c, const Module *m, Str name)
{
  for (; m; m = m->base) {
    const Program *p = m == &c->prelude ? prelude_module(c)->program : m->program;
    for (int i = 0; i < p->statements.n; i++) {
      if (p->statements.data[i]->kind == STMT_FN && str_eq(p->statements.data[i]->name, name)) {
        return true;
      }
    }
  }
  return false;
}

static bool same_signature(const Stmt *x, const Stmt *y)
{
  return str_eq(x->name, y->name) && x->parameters.n == y->parameters.n && x->rest == y->rest;
}

static void check_signature(Checker *c, const Stmt *s)
{
  for (int i = 0; i < s->parameters.n + s->options.n + s->axes.n; i++) {
    for (int k = 0; k < i; k++) {
      Str name[2];
      Loc loc[2];
      for (int side = 0; side < 2; side++) {
        int at = side == 0 ? i : k;
        int option = at - s->parameters.n;
        int axis = option - s->options.n;
        name[side] = option < 0 ? s->parameters.data[at].name
                     : axis < 0 ? s->options.data[option].name
                                : s->axes.data[axis].name;
        loc[side] = option < 0 ? s->parameters.data[at].loc
                    : axis < 0 ? s->options.data[option].loc
                               : s->axes.data[axis].loc;
      }
      if (str_eq(name[0], name[1])) {
        fail(c, loc[0], "'%.*s' is a parameter twice", STR_ARG(name[0]));
        note(c, loc[1], "first here");
      }
    }
  }
}

/* Two functions of the same name and number of arguments, or two schedules of the same name. */
void declare_functions(Checker *c)
{
  const Program *p = c->user.program;
  for (int i = 0; i < p->statements.n; i++) {
    const Stmt *s = p->statements.data[i];
    if (s->kind != STMT_FN && s->kind != STMT_SCHEDULE) {
      continue;
    }
    check_signature(c, s);
    for (int k = 0; k < i; k++) {
      const Stmt *old = p->statements.data[k];
      if (old->kind == s->kind && old->name.n > 0 && same_signature(s, old)) {
        fail(c, s->name_loc, "'%.*s' is defined twice with as many parameters", STR_ARG(s->name));
        note(c, old->name_loc, "first here");
      }
    }
  }
}

static bool declares_params(const Stmt *fn)
{
  for (int i = 0; i < fn->body.n; i++) {
    if (fn->body.data[i]->kind == STMT_PARAM) {
      return true;
    }
  }
  return false;
}

static void bind_args(Checker *c, Scope *scope, const Stmt *fn, int n, const Value *args)
{
  int plain = fn->parameters.n - fn->rest;
  for (int i = 0; i < plain; i++) {
    scope_bind(c->a, scope, fn->parameters.data[i].name, args[i], fn->parameters.data[i].loc);
  }
  if (fn->rest) {
    Value list = {.kind = VALUE_LIST, .n = n - plain};
    list.list = ARENA_ARRAY(c->a, Value, n - plain);
    for (int i = plain; i < n; i++) {
      list.list[i - plain] = args[i];
    }
    scope_bind(c->a, scope, fn->parameters.data[plain].name, list, fn->parameters.data[plain].loc);
  }
}

/* Without axes in the call: the last axis of the first argument. */
static bool default_axis(
  Checker *c, const Stmt *fn, const Expr *call, int n, const Value *args, short *axes, int *count)
{
  Node *x = n > 0 ? to_node(c, args[0], call->loc) : NULL;
  if (n > 0 && !x) {
    return false;
  }
  int last = x && x->type.n > 0 ? x->type.axis[x->type.n - 1] : AXIS_B;
  if (c->g->axes.data[last].kind == AXIS_BATCH) {
    fail(c, call->loc, "%.*s works along an axis, and the value is a scalar", STR_ARG(fn->name));
    return false;
  }
  axes[(*count)++] = (short)last;
  return true;
}

static bool bind_axes(
  Checker *c, Scope *scope, const Stmt *fn, const Expr *call, int n, const Value *args)
{
  short axes[MAX_AXES];
  int count = 0;
  if (call->has_axes && fn->axes.n == 0) {
    fail(c, call->loc, "%.*s takes no axes", STR_ARG(fn->name));
    return false;
  }
  if (fn->axes.n == 0) {
    return true;
  }
  if (call->has_axes ? !check_axes(c, &call->axes, MAX_AXES, axes, &count)
                     : !default_axis(c, fn, call, n, args, axes, &count)) {
    return false;
  }
  int plain = fn->axes.n - fn->axes_rest;
  if (count < plain || (count > plain && !fn->axes_rest)) {
    fail(c, call->loc, "%.*s takes %s%d %s, not %d", STR_ARG(fn->name),
      fn->axes_rest ? "at least " : "", plain, plain == 1 ? "axis" : "axes", count);
    return false;
  }
  for (int i = 0; i < plain; i++) {
    scope_bind(c->a, scope, fn->axes.data[i].name, axis_value(axes[i]), fn->axes.data[i].loc);
  }
  if (fn->axes_rest) {
    Value list = {.kind = VALUE_LIST, .n = count - plain};
    list.list = ARENA_ARRAY(c->a, Value, count - plain);
    for (int i = plain; i < count; i++) {
      list.list[i - plain] = axis_value(axes[i]);
    }
    scope_bind(c->a, scope, fn->axes.data[plain].name, list, fn->axes.data[plain].loc);
  }
  return true;
}

static int option_index(const Stmt *fn, Str name)
{
  for (int i = 0; i < fn->options.n; i++) {
    if (str_eq(fn->options.data[i].name, name)) {
      return i;
    }
  }
  return -1;
}

/* `; relu` is the first option, `; act = relu` the one of this name. Checked where the call
 * stands. */
static bool check_given(Checker *c, const Stmt *fn, const Expr *call, Value *given)
{
  int next = 0;
  for (int i = 0; i < call->options.n; i++) {
    const Option *o = &call->options.data[i];
    int at = o->name.n > 0 ? option_index(fn, o->name) : next++;
    if (at < 0 || at >= fn->options.n) {
      Buf b = {.arena = c->a};
      for (int k = 0; k < fn->options.n; k++) {
        buf_format(&b, "%s%.*s", k > 0 ? ", " : "", STR_ARG(fn->options.data[k].name));
      }
      Str have = buf_take(&b);
      fail(c, o->loc, "%.*s has no option %s%.*s%s; it has %s%.*s", STR_ARG(fn->name),
        o->name.n > 0 ? "'" : "left for this", STR_ARG(o->name), o->name.n > 0 ? "'" : "",
        have.n > 0 ? "" : "none", STR_ARG(have));
      return false;
    }
    if (given[at].kind != VALUE_ERROR) {
      fail(c, o->loc, "option '%.*s' is given twice", STR_ARG(fn->options.data[at].name));
      return false;
    }
    given[at] = check_expr(c, o->value);
    if (given[at].kind == VALUE_ERROR) {
      return false;
    }
  }
  return true;
}

/* A default is checked inside: it may name parameters and options before it. */
static bool bind_options(Checker *c, const Stmt *fn, const Value *given)
{
  for (int i = 0; i < fn->options.n; i++) {
    const Option *o = &fn->options.data[i];
    Value v = given[i].kind != VALUE_ERROR ? given[i] : check_expr(c, o->value);
    if (v.kind == VALUE_ERROR) {
      return false;
    }
    scope_bind(c->a, c->scope, o->name, v, o->loc);
  }
  return true;
}

/* NAME = EXPR in a body. A node that has no name yet gets one after the statement's value. */
bool check_body_let(Checker *c, const Stmt *s)
{
  Value v = check_expr(c, s->expr);
  if (v.kind == VALUE_NODE && v.node->name.n == 0 && c->module == &c->user) {
    v.node->name =
      unique_name(c, str_format(c->a, "%.*s.%.*s", STR_ARG(c->prefix), STR_ARG(s->name)));
  }
  return declare(c, s->name, v, s->name_loc) && v.kind != VALUE_ERROR;
}

static Value run_body(Checker *c, const Stmt *fn)
{
  int errors = c->d->errors;
  for (int i = 0; i < fn->body.n; i++) {
    const Stmt *s = fn->body.data[i];
    switch ((int)s->kind) {
    case STMT_RESULT:
      if (i < fn->body.n - 1) {
        return fail(c, s->loc, "a value stands at the end of a body; give this one a name");
      }
      return c->d->errors > errors ? error_value : check_expr(c, s->expr);
    case STMT_DIM:
      check_dim(c, s);
      break;
    case STMT_PARAM:
      check_param(c, s);
      break;
    case STMT_LET:
      check_body_let(c, s);
      break;
    case STMT_UPDATE:
      check_grad(c, s);
      break;
    default:
      return fail(c, s->loc, "this cannot stand in the body of a function");
    }
    if (c->d->errors > errors) {
      return error_value;
    }
  }
  return fail(
    c, fn->name_loc, "'%.*s' gives nothing: its body ends without a value", STR_ARG(fn->name));
}

Value instantiate(
  Checker *c, const Stmt *fn, const Module *home, const Expr *call, int n, const Value *args)
{
  if (fn->bad) {
    return error_value;
  }
  if (c->calls >= MOST_CALLS) {
    return fail(c, call->loc, "calls are nested more than %d deep: does '%.*s' ever end?",
      MOST_CALLS, STR_ARG(fn->name));
  }
  if (c->instances >= MOST_INSTANCES) {
    return fail(c, call->loc, "more than %d calls of functions: '%.*s' grows too fast",
      MOST_INSTANCES, STR_ARG(fn->name));
  }
  Scope scope = {.parent = home == &c->prelude ? &c->base : &c->globals};
  Value *given = ARENA_ARRAY(c->a, Value, fn->options.n); /* all VALUE_ERROR: not given */
  if (!check_given(c, fn, call, given) || !bind_axes(c, &scope, fn, call, n, args)) {
    return error_value;
  }
  bind_args(c, &scope, fn, n, args);
  Checker before = *c;
  c->scope = &scope;
  c->module = home;
  c->inside = fn->name;
  c->prefix = c->owner;
  if (!c->site.source) {
    c->site = call->loc;
    c->call_errors = c->d->errors;
  }
  c->instances++;
  if (declares_params(fn)) {
    c->prefix = str_format(c->a, "%.*s.%d", STR_ARG(c->owner), c->counter++);
  }
  c->calls++;
  Value v = bind_options(c, fn, given) ? run_body(c, fn) : error_value;
  c->calls--;
  c->scope = before.scope;
  c->module = before.module;
  c->inside = before.inside;
  c->prefix = before.prefix;
  c->site = before.site;
  return v;
}
