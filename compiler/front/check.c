/* check.c: the checker's driver: statements in order, errors, and the two ways in. */

#include "check.h"

#include <stdarg.h>
#include <stdio.h>

extern const char prelude_text[];
extern const int prelude_text_size;

const Value error_value = {.kind = VALUE_ERROR};

Value node_value(Node *n)
{
  return n ? (Value){.kind = VALUE_NODE, .node = n} : error_value;
}

Value number_value(double x)
{
  return (Value){.kind = VALUE_NUMBER, .number = x};
}

Value axis_value(int axis)
{
  return (Value){.kind = VALUE_AXIS, .index = axis};
}

/* An error inside a function of the user's is shown where it is, with a note at the call; one
 * inside the prelude at the user's call, with a note at the prelude's line. */
Value fail(Checker *c, Loc loc, const char *format, ...)
{
  char text[700];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  bool own = loc.source == c->g->source;
  diag_error(c->d, own || !c->site.source ? loc : c->site, "%s", text);
  if (c->site.source && own && (loc.at < c->site.at || loc.at >= c->site.at + c->site.n)) {
    diag_note(c->d, c->site, "in this call");
  } else if (c->site.source && !own) {
    diag_note(c->d, loc, "in '%.*s' of the prelude", STR_ARG(c->inside));
  }
  return error_value;
}

void note(Checker *c, Loc loc, const char *format, ...)
{
  char text[700];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  diag_note(c->d, loc, "%s", text);
}

Node *place(Checker *c, Node *n, Loc loc)
{
  n->loc = c->site.source ? c->site : loc;
  return n;
}

const Source *front_prelude(void)
{
  static Source prelude;
  prelude = (Source){S("prelude.rank"), {prelude_text, prelude_text_size}};
  return &prelude;
}

/* Parsed when a name is first looked for in it. */
const Module *prelude_module(Checker *c)
{
  if (!c->prelude.program) {
    Diags d = {.arena = c->a};
    c->prelude.program = parse_source(c->a, front_prelude(), &d);
    if (d.errors > 0) {
      diag_print(&d, stderr);
      diag_error(c->d, (Loc){0}, "the prelude cannot be read");
    }
  }
  return &c->prelude;
}

static Checker checker_new(Arena *a, Graph *g, Diags *d, const FrontOptions *o)
{
  Checker c = {.a = a, .g = g, .d = d, .o = o};
  scope_bind(a, &c.base, S("B"), axis_value(AXIS_B), (Loc){0});
  return c;
}

static void check_model(Checker *c, const Stmt *s)
{
  if (c->g->model.n > 0) {
    fail(c, s->loc, "the model has a name already: '%.*s'", STR_ARG(c->g->model));
    return;
  }
  for (int i = 0; i < s->name.n; i++) {
    if (s->name.s[i] == '.') {
      fail(c, s->name_loc, "a model's name becomes names in C: no dots in it");
      return;
    }
  }
  c->g->model = s->name;
  c->g->doc = s->doc;
}

/* The node gets the name, unless it has one that the user gave: then the name is an alias. */
void adopt_name(const Checker *c, Node *n, Str name)
{
  Str old = n->name;
  bool own =
    old.n > c->owner.n && str_eq((Str){old.s, c->owner.n}, c->owner) && old.s[c->owner.n] == '.';
  bool leaf = n->op == OP_INPUT || n->op == OP_PARAM;
  if (!leaf && (old.n == 0 || own)) {
    n->name = name;
  }
}

static void check_let(Checker *c, const Stmt *s)
{
  if (is_ranked(c, s->expr)) {
    check_ranked(c, s);
    return;
  }
  Value v = check_expr(c, s->expr);
  if (declare(c, s->name, v, s->name_loc) && v.kind == VALUE_NODE) {
    adopt_name(c, v.node, s->name);
  }
}

static void set_owner(Checker *c, const Stmt *s)
{
  bool named = s->kind == STMT_LET || (s->kind == STMT_OUTPUT && s->name.n > 0);
  c->owner = named ? s->name : s->kind == STMT_METRIC ? S("metric") : S("loss");
  c->prefix = c->owner;
  c->counter = named ? 0 : c->loss_counter;
}

static void check_statement(Checker *c, const Stmt *s)
{
  set_owner(c, s);
  switch (s->kind) {
  case STMT_MODEL:
    check_model(c, s);
    break;
  case STMT_DIM:
    check_dim(c, s);
    break;
  case STMT_DATA:
    check_data(c, s);
    break;
  case STMT_INPUT:
  case STMT_LABEL:
    check_input(c, s);
    break;
  case STMT_FIT:
    check_fitted(c, s);
    break;
  case STMT_TABLE:
  case STMT_PARAM:
    check_param(c, s);
    break;
  case STMT_LET:
    check_let(c, s);
    break;
  case STMT_LOSS:
    check_loss(c, s);
    break;
  case STMT_OUTPUT:
    check_output(c, s);
    break;
  case STMT_METRIC:
    check_metric(c, s);
    break;
  case STMT_TRAIN:
    check_train(c, s);
    break;
  case STMT_GRAD:
  case STMT_UPDATE:
    check_grad(c, s);
    break;
  case STMT_FN:
  case STMT_OPTIMIZER:
  case STMT_SCHEDULE:
    break; /* declared beforehand */
  case STMT_STATE:
  case STMT_RESULT:
    fail(c, s->loc, "this belongs into the body of an optimizer");
    break;
  }
  if (s->kind == STMT_LOSS || s->kind == STMT_METRIC) {
    c->loss_counter = c->counter;
  }
}

/* A statement with an error in it still declares its name, so that its uses are not reported
 * too. */
static void declare_bad(Checker *c, const Stmt *s)
{
  bool names = s->kind == STMT_LET || s->kind == STMT_DIM || s->kind == STMT_INPUT ||
               s->kind == STMT_LABEL || s->kind == STMT_FIT || s->kind == STMT_TABLE ||
               s->kind == STMT_PARAM || s->kind == STMT_OUTPUT;
  if (names && s->name.n > 0 && !scope_find_here(&c->globals, s->name)) {
    declare(c, s->name, error_value, s->name_loc);
  }
}

static void check_overrides(Checker *c)
{
  for (int i = 0; c->o && i < c->o->ndims; i++) {
    Str name = c->o->dim_name[i];
    bool found = false;
    for (int k = 0; k < c->user.program->statements.n; k++) {
      const Stmt *s = c->user.program->statements.data[k];
      found = found || (s->kind == STMT_DIM && str_eq(s->name, name));
    }
    if (!found) {
      fail(c, (Loc){0}, "--dim %.*s=%ld: the model declares no dim of this name", STR_ARG(name),
        c->o->dim_extent[i]);
    }
  }
}

static bool has_lengths(const Graph *g, int root)
{
  for (int i = 0; i < g->inputs.n; i++) {
    if (type_has(g->inputs.data[i].type, root)) {
      return true;
    }
  }
  return false;
}

/* A param over a list has its greatest length; values of samples need the lengths that inputs have. */
static void check_lists(Checker *c)
{
  for (int i = 0; i < c->g->nodes.n; i++) {
    const Node *n = c->g->nodes.data[i];
    bool samples = n->type.n > 0 && c->g->axes.data[n->type.axis[0]].kind == AXIS_BATCH;
    for (int k = 0; k < n->type.n + n->naxes; k++) {
      int axis = k < n->type.n ? n->type.axis[k] : n->axes[k - n->type.n];
      bool sized = k < n->type.n || n->op == OP_SIZE;
      if (samples && sized && c->g->axes.data[axis].kind == AXIS_RAGGED &&
          !has_lengths(c->g, axis_root(c->g, axis))) {
        fail(c, n->loc, "no input has the axis '%.*s' and says how long its lists are",
          STR_ARG(c->g->axes.data[axis].name));
        return;
      }
    }
  }
}

Graph *front_compile(Arena *a, const Source *source, const FrontOptions *o, Diags *d)
{
  int errors = d->errors;
  Program *program = parse_source(a, source, d);
  if (!program) {
    return NULL;
  }
  Graph *g = graph_new(a);
  g->source = source;
  g->train = (Train){.batch = 128, .epochs = 1, .seed = 1};
  Checker c = checker_new(a, g, d, o);
  c.user = (Module){program, &c.prelude};
  c.globals.parent = &c.base;
  c.scope = &c.globals;
  c.module = &c.user;
  declare_functions(&c);
  check_overrides(&c);
  for (int i = 0; i < program->statements.n; i++) {
    const Stmt *s = program->statements.data[i];
    if (s->bad) {
      declare_bad(&c, s);
    } else {
      check_statement(&c, s);
    }
  }
  if (d->errors == errors) {
    check_finish(&c);
    check_fits(&c);
    check_lists(&c);
    check_solver_updates(&c);
  }
  return d->errors == errors ? g : NULL;
}

Node *front_expression(Graph *g, Str text, int n, const char *const *names, Node *const *values,
  const short *axes, Diags *d)
{
  Source *source = ARENA_NEW(g->arena, Source);
  *source = (Source){S("expression"), text};
  int errors = d->errors;
  Expr *e = parse_one_expression(g->arena, source, d);
  if (!e) {
    return NULL;
  }
  Checker c = checker_new(g->arena, g, d, NULL);
  Scope given = {.parent = &c.base};
  c.scope = &given;
  c.module = &c.prelude;
  c.owner = c.prefix = S("value");
  for (int i = 0; i < n; i++) {
    bool axis = axes && axes[i] >= 0;
    bool number = !axis && values[i] && values[i]->op == OP_CONST;
    Value v = axis     ? axis_value(axes[i])
              : number ? number_value(values[i]->value)
                       : node_value(values[i]);
    scope_bind(c.a, &given, str_of(names[i]), v, (Loc){0});
    if (!axis && !c.site.source && values[i]) {
      c.site = values[i]->loc;
    }
  }
  Node *result = check_node(&c, e);
  return d->errors == errors ? result : NULL;
}
