/* check_train.c: `train OPT(...), settings`, and given gradients.
 *
 * One idea: an optimizer is a text like any other. It is run once over OP_VAR leaves; what its
 * names stand for at the end is the update. */

#include "check.h"

#include <math.h>

enum { FIRST_VARS = 4 }; /* w g t lr, or t and steps */

static void bind_var(Checker *c, Scope *scope, const char *name, int var)
{
  scope_bind(
    c->a, scope, str_of(name), node_value(place(c, build_var(c->g, var), c->site)), (Loc){0});
}

/* The option's number: the call's, or the default's. */
static bool option_number(Checker *c, const Stmt *s, const Expr *call, int at, double *out)
{
  const Option *o = &s->options.data[at], *found = NULL;
  int next = 0;
  for (int i = 0; i < call->options.n; i++) {
    const Option *given = &call->options.data[i];
    bool mine = given->name.n > 0 ? str_eq(given->name, o->name) : next++ == at;
    if (mine && found) {
      fail(c, given->loc, "option '%.*s' is given twice", STR_ARG(o->name));
      return false;
    }
    found = mine ? given : found;
  }
  return found ? check_number(c, found->value, "an option", out)
               : check_number(c, o->value, "an option's default", out);
}

static bool has_option(const Stmt *s, Str name)
{
  for (int i = 0; i < s->options.n; i++) {
    if (str_eq(s->options.data[i].name, name)) {
      return true;
    }
  }
  return false;
}

/* Does it have every option that the call gives? Several texts may share a name: sgd with and
 * without momentum; the first that has them all is taken. */
static bool takes(const Stmt *s, const Expr *call)
{
  for (int i = 0; i < call->options.n; i++) {
    if (call->options.data[i].name.n > 0 && !has_option(s, call->options.data[i].name)) {
      return false;
    }
  }
  return call->options.n <= s->options.n;
}

static const Stmt *find_text(Checker *c, StmtKind kind, const Expr *call, const Module **home)
{
  const char *what = kind == STMT_OPTIMIZER ? "optimizer" : "schedule";
  const Stmt *named = NULL;
  Buf names = {.arena = c->a};
  prelude_module(c);
  for (const Module *m = &c->user; m; m = m->base) {
    for (int i = 0; i < m->program->statements.n; i++) {
      const Stmt *s = m->program->statements.data[i];
      if (s->kind != kind) {
        continue;
      }
      if (str_eq(s->name, call->name)) {
        *home = m;
        if (s->bad || takes(s, call)) {
          return s->bad ? NULL : s;
        }
        named = s;
      } else if (i == 0 || !str_eq(m->program->statements.data[i - 1]->name, s->name)) {
        buf_format(&names, "%s%.*s", names.n > 0 ? ", " : "", STR_ARG(s->name));
      }
    }
  }
  if (!named) {
    fail(c, call->loc, "no %s is called '%.*s'; there are %.*s", what, STR_ARG(call->name),
      STR_ARG(buf_take(&names)));
    return NULL;
  }
  Buf options = {.arena = c->a};
  for (int i = 0; i < named->options.n; i++) {
    buf_format(&options, "%s%.*s", i > 0 ? ", " : "", STR_ARG(named->options.data[i].name));
  }
  for (int i = 0; i < call->options.n; i++) {
    const Option *o = &call->options.data[i];
    if (o->name.n > 0 && !has_option(named, o->name)) {
      fail(c, o->loc, "%.*s has no option '%.*s'; it has %.*s", STR_ARG(named->name),
        STR_ARG(o->name), STR_ARG(buf_take(&options)));
      return NULL;
    }
  }
  fail(c, call->loc, "%.*s has %d options: %.*s", STR_ARG(named->name), named->options.n,
    STR_ARG(buf_take(&options)));
  return NULL;
}

/* A result of an optimizer's text: one real number. */
static Node *scalar(Checker *c, Str name, Value v, Loc loc)
{
  Node *n = to_node(c, v, loc);
  if (n && n->type.n > 0) {
    fail(c, loc, "'%.*s' must be a scalar here, not %.*s", STR_ARG(name),
      STR_ARG(type_print(c->g, n->type, c->a)));
    return NULL;
  }
  return n;
}

static bool add_state(Checker *c, const Stmt *s, Optimizer *o)
{
  double init = 0;
  if (o->nstates == MAX_STATES) {
    fail(c, s->loc, "an optimizer has at most %d states", MAX_STATES);
    return false;
  }
  if (!check_number(c, s->expr, "a state's first value", &init)) {
    return false;
  }
  int k = o->nstates++;
  o->state_name[k] = s->name;
  o->state_init[k] = init;
  Node *var = place(c, build_var(c->g, VAR_STATE + k), s->loc);
  return declare(c, s->name, node_value(var), s->name_loc);
}

/* NAME = EXPR in an optimizer exchanges what NAME stands for. */
static bool assign(Checker *c, const Stmt *s)
{
  Value v = check_expr(c, s->expr);
  Node *n = v.kind == VALUE_ERROR ? NULL : scalar(c, s->name, v, s->expr->loc);
  if (!n) {
    return false;
  }
  Binding *old = scope_find_here(c->scope, s->name);
  if (old) {
    old->value = node_value(n);
  } else {
    scope_bind(c->a, c->scope, s->name, node_value(n), s->name_loc);
  }
  return true;
}

static bool run_optimizer(Checker *c, const Stmt *s, Optimizer *o)
{
  for (int i = 0; i < s->body.n; i++) {
    const Stmt *line = s->body.data[i];
    if (line->kind != STMT_STATE && line->kind != STMT_LET) {
      fail(c, line->loc, "an optimizer's body has `state m = 0` and `NAME = EXPR`");
      return false;
    }
    if (line->kind == STMT_STATE ? !add_state(c, line, o) : !assign(c, line)) {
      return false;
    }
  }
  for (int i = 0; i < o->nstates; i++) {
    o->new_state[i] = scope_find_here(c->scope, o->state_name[i])->value.node;
  }
  o->new_w = scope_find_here(c->scope, S("w"))->value.node;
  if (o->new_w->op == OP_VAR && o->new_w->leaf == VAR_W) {
    fail(c, s->name_loc, "this optimizer never sets w");
    return false;
  }
  return true;
}

/* What a dump needs to say it again: the user's own texts, as written. */
static void keep_definition(Checker *c, const Stmt *s, const Module *home)
{
  Str *all = &c->g->train.definitions;
  if (home == &c->user) {
    Str text = {c->g->source->text.s + s->loc.at, s->loc.n};
    *all = all->n == 0 ? text : str_format(c->a, "%.*s\n%.*s", STR_ARG(*all), STR_ARG(text));
  }
}

/* Opens the scope of an optimizer's or schedule's text, with its options as numbers. */
static bool enter_text(
  Checker *c, const Stmt *s, const Module *home, const Expr *call, Scope *scope, double *lr)
{
  scope->parent = &c->base;
  double *x = ARENA_ARRAY(c->a, double, s->options.n);
  for (int i = 0; i < s->options.n; i++) {
    if (!option_number(c, s, call, i, &x[i])) {
      return false;
    }
  }
  if (call->args.n > 0 && call->options.n == 0) {
    fail(c, call->args.data[0]->loc, "write the option's name: %.*s(%.*s = ...)", STR_ARG(s->name),
      s->options.n > 0 ? s->options.data[0].name.n : 0,
      s->options.n > 0 ? s->options.data[0].name.s : "");
    return false;
  }
  keep_definition(c, s, home);
  c->scope = scope;
  c->module = home;
  c->inside = s->name;
  c->site = call->loc;
  for (int i = 0; i < s->options.n; i++) {
    Str name = s->options.data[i].name;
    if (lr && str_eq(name, S("lr"))) {
      *lr = x[i];
    } else {
      scope_bind(c->a, scope, name, number_value(x[i]), s->options.data[i].loc);
    }
  }
  return true;
}

static void leave_text(Checker *c)
{
  c->scope = &c->globals;
  c->module = &c->user;
  c->site = (Loc){0};
}

bool check_optimizer(Checker *c, const Expr *call, Optimizer *o)
{
  const Module *home = NULL;
  const Stmt *s = find_text(c, STMT_OPTIMIZER, call, &home);
  Scope scope = {0};
  o->lr = 0;
  bool has_lr = s && has_option(s, S("lr"));
  bool good = s && enter_text(c, s, home, call, &scope, &o->lr);
  if (good) {
    bind_var(c, &scope, "w", VAR_W);
    bind_var(c, &scope, "g", VAR_G);
    bind_var(c, &scope, "t", VAR_T);
    bind_var(c, &scope, "lr", VAR_LR);
    good = run_optimizer(c, s, o);
    o->name = s->name;
  }
  leave_text(c);
  if (good && !has_lr) {
    fail(c, s->name_loc, "an optimizer needs an option lr: %.*s(lr = 1e-3)", STR_ARG(s->name));
    return false;
  }
  if (good && !(o->lr > 0)) {
    fail(c, call->loc, "the learning rate must be above 0");
    return false;
  }
  return good;
}

static bool check_schedule(Checker *c, const Expr *call, Optimizer *o)
{
  if (call->kind != EXPR_CALL) {
    fail(c, call->loc, "wanted a schedule: cosine(warmup = 100)");
    return false;
  }
  const Module *home = NULL;
  const Stmt *s = find_text(c, STMT_SCHEDULE, call, &home);
  Scope scope = {0};
  if (s && enter_text(c, s, home, call, &scope, NULL)) {
    bind_var(c, &scope, "t", VAR_T);
    bind_var(c, &scope, "steps", VAR_STEPS);
    int errors = c->d->errors;
    Value v = error_value;
    for (int i = 0; i < s->body.n; i++) {
      const Stmt *line = s->body.data[i];
      if (line->kind == STMT_LET) {
        check_body_let(c, line);
      } else if (line->kind == STMT_RESULT) {
        v = check_expr(c, line->expr);
      } else {
        fail(c, line->loc, "a schedule's body has NAME = EXPR and, last, the factor on lr");
      }
    }
    o->schedule = c->d->errors > errors ? NULL : scalar(c, s->name, v, s->loc);
  }
  leave_text(c);
  return o->schedule != NULL;
}

static bool word_setting(Checker *c, const Option *o, const char *off, const char *on, bool *out)
{
  const Expr *e = o->value;
  *out = e->kind == EXPR_NAME && str_eq(e->name, str_of(on));
  if (!*out && !(e->kind == EXPR_NAME && str_eq(e->name, str_of(off)))) {
    fail(c, e->loc, "%.*s is %s or %s", STR_ARG(o->name), off, on);
    return false;
  }
  return true;
}

static bool positive_setting(Checker *c, const Option *o, double *out)
{
  if (!check_number(c, o->value, "a setting", out)) {
    return false;
  }
  if (!(*out >= 0) || isinf(*out)) {
    fail(c, o->value->loc, "%.*s must not be negative", STR_ARG(o->name));
    return false;
  }
  return true;
}

static void check_setting(Checker *c, const Option *o, Train *t)
{
  typedef struct Whole {
    const char *name;
    long *to;
    long low, high;
  } Whole;
  long drop = 0;
  const Whole wholes[] = {{"batch", &t->batch, 1, 1 << 24}, {"epochs", &t->epochs, 0, 1000000},
    {"seed", &t->seed, 0, MOST_EXTENT}, {"early_stopping", &t->early_stopping, 0, 1000000},
    {"drop_last", &drop, 0, 1}};
  for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
    const Whole *w = &wholes[i];
    if (str_eq(o->name, str_of(w->name))) {
      check_whole(c, o->value, w->low, w->high, w->name, w->to);
      t->drop_last = t->drop_last || drop == 1;
      return;
    }
  }
  if (str_eq(o->name, S("tables"))) {
    word_setting(c, o, "lazy", "dense", &t->optimizer.dense_tables);
  } else if (str_eq(o->name, S("l2_mode"))) {
    word_setting(c, o, "touched", "dense", &t->optimizer.l2_dense);
  } else if (str_eq(o->name, S("l2"))) {
    positive_setting(c, o, t->solver.given ? &t->solver.l2 : &t->optimizer.l2);
  } else if (str_eq(o->name, S("clip_norm"))) {
    positive_setting(c, o, &t->optimizer.clip_norm);
  } else if (str_eq(o->name, S("clip_value"))) {
    positive_setting(c, o, &t->optimizer.clip_value);
  } else if (str_eq(o->name, S("schedule"))) {
    check_schedule(c, o->value, &t->optimizer);
  } else {
    fail(c, o->loc,
      "no setting is called '%.*s'; there are batch, epochs, seed, tables, l2, l2_mode, "
      "clip_norm, clip_value, schedule, early_stopping, drop_last",
      STR_ARG(o->name));
  }
}

void check_train(Checker *c, const Stmt *s)
{
  Train *t = &c->g->train;
  if (t->given) {
    fail(c, s->loc, "the model says twice how it is trained");
    note(c, t->loc, "first here");
    return;
  }
  t->given = true;
  t->loc = s->loc;
  Loc from = s->expr->loc;
  t->text = (Str){from.source->text.s + from.at, s->loc.at + s->loc.n - from.at};
  bool solver = solver_named(s->expr);
  if (solver) {
    check_solver(c, s);
  } else {
    check_optimizer(c, s->expr, &t->optimizer);
  }
  for (int i = 0; i < s->options.n; i++) {
    const Option *o = &s->options.data[i];
    bool twice = false;
    for (int k = 0; k < i; k++) {
      twice = twice || str_eq(o->name, s->options.data[k].name);
    }
    if (twice && o->name.n > 0) {
      fail(c, o->loc, "setting '%.*s' is given twice", STR_ARG(o->name));
    } else if (!check_solver_setting(c, o, solver)) {
      check_setting(c, o, t);
    }
  }
}

/* Is n what PARAM can have as its gradient or become? */
static bool check_fit(Checker *c, const Stmt *s, const Param *p, const Node *n)
{
  bool update = s->kind == STMT_UPDATE;
  bool good = p->table ? !update && n->op == OP_SCATTER && n->leaf == (int)(p - c->g->params.data)
                       : n->type.kind == KIND_REAL;
  for (int i = 0; i < n->type.n && !p->table; i++) {
    good = good && type_has(p->type, n->type.axis[i]);
  }
  if (good) {
    return true;
  }
  if (p->table && update) {
    fail(c, s->name_loc, "'%.*s' is a table; only a param can be updated", STR_ARG(p->name));
  } else if (p->table) {
    fail(c, s->expr->loc, "the gradient of table '%.*s' must be scatter(%.*s, ids, d, ...)",
      STR_ARG(p->name), STR_ARG(p->name));
  } else if (update && type_has(n->type, AXIS_B)) {
    fail(c, s->expr->loc,
      "'%.*s' is the same for every sample, and this is a value of each: sum[B]", STR_ARG(p->name));
  } else {
    fail(c, s->expr->loc, "%s '%.*s' must have its axes, %.*s, not %.*s",
      update ? "what becomes of" : "the gradient of", STR_ARG(p->name),
      STR_ARG(type_print(c->g, p->type, c->a)), STR_ARG(type_print(c->g, n->type, c->a)));
  }
  return false;
}

/* update PARAM = EXPR; grad PARAM = EXPR, in programs that the compiler printed */
void check_grad(Checker *c, const Stmt *s)
{
  Binding *b = scope_find(c->scope, s->name);
  if (!b || (b->value.kind != VALUE_PARAM && b->value.kind != VALUE_ERROR)) {
    fail(c, s->name_loc, "no parameter is called '%.*s'", STR_ARG(s->name));
    return;
  }
  Node *n = check_node(c, s->expr);
  if (!n || b->value.kind == VALUE_ERROR) {
    return;
  }
  int param = b->value.index;
  for (int i = 0; i < c->g->grads.n; i++) {
    if (c->g->grads.data[i].param == param) {
      fail(c, s->name_loc, "'%.*s' has two %s", STR_ARG(s->name),
        s->kind == STMT_UPDATE ? "updates" : "gradients");
      return;
    }
  }
  if (check_fit(c, s, &c->g->params.data[param], n)) {
    *VEC_PUSH(c->a, &c->g->grads) = (Grad){param, n, s->kind == STMT_UPDATE};
  }
}
