/* check_decl.c: dims, params and tables, data: declarations other than inputs.
 *
 * One idea: a shape is written in axes, and `1` is an axis of none: files keep it, types do not. */

#include "check.h"

#include <math.h>

bool check_number(Checker *c, const Expr *e, const char *what, double *out)
{
  Value v = check_expr(c, e);
  if (v.kind == VALUE_ERROR) {
    return false;
  }
  if (!plain_number(c, &v, out)) {
    fail(c, e->loc, "%s must be a number known when compiling", what);
    return false;
  }
  return true;
}

bool check_whole(Checker *c, const Expr *e, long low, long high, const char *what, long *out)
{
  double x = 0;
  if (!check_number(c, e, what, &x)) {
    return false;
  }
  if (x != floor(x) || x < (double)low || x > (double)high) {
    fail(c, e->loc, "%s is %.15g, wanted a whole number from %ld to %ld", what, x, low, high);
    return false;
  }
  *out = (long)x;
  return true;
}

long check_extent(const Checker *c, int axis)
{
  return axis == NO_AXIS ? 1 : c->g->axes.data[axis].extent;
}

/* A further axis of the same kind and extent as `like`; ragged and batch axes share its lengths.
 * The user's own names are taken as they are, a call's are made unique. */
int new_axis(Checker *c, Str name, const Axis *like, Loc loc)
{
  Axis axis = {.name = name, .kind = like->kind, .extent = like->extent, .loc = loc};
  axis.root = like->kind == AXIS_PLAIN ? c->g->axes.n : like->root;
  if (c->scope != &c->globals) {
    axis.name = unique_name(c, str_format(c->a, "%.*s.%.*s", STR_ARG(c->prefix), STR_ARG(name)));
    axis.loc = c->site.source ? c->site : loc;
  }
  if (c->g->axes.n >= MOST_AXES) {
    fail(c, loc, "the model has more than %d axes", MOST_AXES);
    return AXIS_B;
  }
  return graph_axis(c->g, axis);
}

static const long * override(const Checker *c, Str name)
{
  for (int i = 0; c->o && i < c->o->ndims; i++) {
    if (c->scope == &c->globals && str_eq(c->o->dim_name[i], name)) {
      return &c->o->dim_extent[i];
    }
  }
  return NULL;
}

static Value plain_dim(Checker *c, const Stmt *s, Value v, bool alias)
{
  Axis like = {.kind = s->at_most ? AXIS_RAGGED : AXIS_PLAIN, .root = c->g->axes.n};
  const long *given = override(c, s->name);
  if (given) {
    if (*given < 1 || *given > MOST_EXTENT) {
      return fail(c, s->name_loc, "--dim %.*s=%ld: wanted a whole number from 1 to %ld",
        STR_ARG(s->name), *given, MOST_EXTENT);
    }
    like.extent = *given;
  } else if (!(v.kind == VALUE_AXIS && v.index == NO_AXIS)) {
    if (v.number != floor(v.number) || v.number < 1 || v.number > (double)MOST_EXTENT) {
      return fail(
        c, s->expr->loc, "a dim has 1 to %ld positions, not %.15g", MOST_EXTENT, v.number);
    }
    like.extent = (long)v.number;
  } else {
    like.extent = 1;
  }
  if (c->scope != &c->globals && like.extent == 1 && !alias) {
    return axis_value(NO_AXIS); /* in a call: a scalar's axis is none */
  }
  return axis_value(new_axis(c, s->name, &like, s->name_loc));
}

/* dim D = 32; dim L <= 50; dim M = L, another name for L's positions */
void check_dim(Checker *c, const Stmt *s)
{
  Value v = check_expr(c, s->expr);
  if (v.kind == VALUE_ERROR) {
    declare(c, s->name, v, s->name_loc);
    return;
  }
  bool alias = v.kind == VALUE_AXIS && v.index != NO_AXIS;
  if (!alias && v.kind != VALUE_NUMBER && !(v.kind == VALUE_AXIS)) {
    v = fail(c, s->expr->loc, "a dim's extent must be a number or another dim");
  } else if (alias && c->g->axes.data[v.index].kind != AXIS_PLAIN) {
    const Axis like = c->g->axes.data[v.index];
    if (s->at_most) {
      v = fail(c, s->expr->loc, "'%.*s' is no number; write dim %.*s = %.*s for the same lengths",
        STR_ARG(like.name), STR_ARG(s->name), STR_ARG(like.name));
    } else if (override(c, s->name)) {
      v = fail(c, s->name_loc, "--dim cannot change '%.*s': it has the lengths of '%.*s'",
        STR_ARG(s->name), STR_ARG(like.name));
    } else {
      v = axis_value(new_axis(c, s->name, &like, s->name_loc));
    }
  } else {
    if (alias) {
      v = number_value((double)c->g->axes.data[v.index].extent);
    }
    v = plain_dim(c, s, v, alias);
  }
  declare(c, s->name, v, s->name_loc);
}

/* ~ normal(0, 0.01) */
static bool check_init(Checker *c, const Expr *e, Param *p)
{
  typedef struct Row {
    const char *word;
    InitKind kind;
    int least, most;
    double a, b; /* when left out */
  } Row;
  static const Row rows[] = {{"zeros", INIT_ZEROS, 0, 0, 0, 0}, {"ones", INIT_CONSTANT, 0, 0, 1, 0},
    {"constant", INIT_CONSTANT, 1, 1, 0, 0}, {"normal", INIT_NORMAL, 0, 2, 0, 1},
    {"uniform", INIT_UNIFORM, 0, 2, 0, 1}};
  if (e->kind != EXPR_NAME && e->kind != EXPR_CALL) {
    fail(c, e->loc,
      "found no initialiser; there are zeros, ones, constant(x), normal(mean, sd) and "
      "uniform(low, high)");
    return false;
  }
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const Row *row = &rows[i];
    if (!str_eq(e->name, str_of(row->word))) {
      continue;
    }
    double x[2] = {row->a, row->b};
    if ((e->args.n != row->least && e->args.n != row->most) || e->options.n > 0 || e->has_axes) {
      fail(c, e->loc, "%s takes %d argument%s, not %d", row->word, row->most,
        row->most == 1 ? "" : "s", e->args.n);
      return false;
    }
    for (int k = 0; k < e->args.n; k++) {
      if (!check_number(c, e->args.data[k], "an initialiser's argument", &x[k])) {
        return false;
      }
    }
    bool wrong =
      (row->kind == INIT_NORMAL && x[1] < 0) || (row->kind == INIT_UNIFORM && x[1] < x[0]);
    if (wrong) {
      fail(c, e->loc,
        row->kind == INIT_NORMAL ? "the standard deviation is negative"
                                 : "the upper end is below the lower one");
      return false;
    }
    p->init = row->kind;
    p->init_a = x[0];
    p->init_b = x[1];
    return true;
  }
  fail(c, e->name_loc,
    "no initialiser is called '%.*s'; there are zeros, ones, constant(x), "
    "normal(mean, sd) and uniform(low, high)",
    STR_ARG(e->name));
  return false;
}

static void default_init(Param *p)
{
  if (p->table) {
    p->init = INIT_NORMAL;
    p->init_b = 1;
  } else if (p->nshape > 0) {
    double k = (double)p->shape[p->nshape - 1];
    p->init = INIT_UNIFORM;
    p->init_a = -1 / sqrt(k);
    p->init_b = 1 / sqrt(k);
  }
}

/* The first bracketed thing of a table's type: a number, a dim, or the input whose ids it holds. */
static bool check_rows(Checker *c, const Expr *e, Param *p)
{
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  if (!b || b->value.kind != VALUE_INPUT) {
    long rows = 0;
    bool good = check_whole(c, e, 1, MOST_EXTENT, "a table's number of rows", &rows);
    p->rows = rows;
    return good;
  }
  int input = b->value.index;
  const Input *in = &c->g->inputs.data[input];
  if (in->type.kind != KIND_ID) {
    fail(
      c, e->loc, "'%.*s' holds no ids, so it has no vocabulary to make rows for", STR_ARG(e->name));
    note(c, in->loc, "declared here");
    return false;
  }
  while (c->g->inputs.data[input].same_as >= 0) {
    input = c->g->inputs.data[input].same_as;
  }
  p->vocab_of = input;
  for (int i = 0; i < in->nvocab; i++) {
    p->rows += in->vocab[i];
  }
  return true;
}

static bool add_shape(Checker *c, const TypeExpr *t, int first, Param *p)
{
  short axes[MAX_AXES + 1];
  int n = 0;
  Exprs rest = {0};
  if (t->axes.n > first) {
    rest.data = t->axes.data + first;
    rest.n = t->axes.n - first;
  }
  if (!check_axes(c, &rest, MAX_AXES, axes, &n)) {
    return false;
  }
  double numbers = p->table && p->rows > 0 ? (double)p->rows : 1;
  for (int i = 0; i < n; i++) {
    if (axes[i] != NO_AXIS && c->g->axes.data[axes[i]].kind == AXIS_BATCH) {
      fail(c, t->loc, "a parameter has no batch axis: it is the same for every sample");
      return false;
    }
    if (axes[i] != NO_AXIS && type_has(p->type, axes[i])) {
      Str name = c->g->axes.data[axes[i]].name;
      fail(c, t->loc, "axis '%.*s' comes twice; declare another one: dim %s = %.*s", STR_ARG(name),
        str_eq(name, S("K")) ? "K2" : "K", STR_ARG(name));
      return false;
    }
    if (axes[i] != NO_AXIS) {
      p->type.axis[p->type.n++] = axes[i];
    }
    p->shape[p->nshape++] = check_extent(c, axes[i]);
    numbers *= (double)check_extent(c, axes[i]);
  }
  if (numbers > (double)MOST_NUMBERS) {
    fail(c, t->loc, "this would be %.3g numbers; a parameter has at most 2^40", numbers);
    return false;
  }
  return true;
}

static bool check_shape(Checker *c, const Stmt *s, Param *p)
{
  const TypeExpr *t = &s->type;
  if (t->id) {
    fail(c, t->loc, "a parameter is learnt, so it is f32");
    return false;
  }
  if (!p->table) {
    return add_shape(c, t, 0, p);
  }
  if (t->axes.n == 0) {
    fail(c, t->loc, "a table needs rows: f32[2000, D], or f32[INPUT, D] for an input's ids");
    return false;
  }
  if (!check_rows(c, t->axes.data[0], p)) {
    return false;
  }
  p->shape[p->nshape++] = p->rows;
  return add_shape(c, t, 1, p);
}

/* `l2 = 0`: a weight that is not to be small, like that of a constant. */
static bool check_param_options(Checker *c, const Stmt *s, Param *p)
{
  for (int i = 0; i < s->options.n; i++) {
    const Option *o = &s->options.data[i];
    double x = 1;
    if (!str_eq(o->name, S("l2"))) {
      fail(c, o->loc, "a %s has one option: l2 = 0", p->table ? "table" : "param");
      return false;
    }
    if (!check_number(c, o->value, "l2", &x)) {
      return false;
    }
    if (x != 0) {
      fail(c, o->value->loc,
        "l2 is 0 here, for no penalty; how large it is for all others is a setting of `train`");
      return false;
    }
    p->free = true;
  }
  return true;
}

void check_param(Checker *c, const Stmt *s)
{
  Param p = {.name = s->name, .table = s->kind == STMT_TABLE, .vocab_of = -1, .loc = s->name_loc};
  Value v = error_value;
  if (check_shape(c, s, &p)) {
    default_init(&p);
    if ((!s->init || check_init(c, s->init, &p)) && check_param_options(c, s, &p)) {
      v = (Value){.kind = VALUE_PARAM, .index = c->g->params.n};
    }
  }
  if (c->scope != &c->globals) {
    p.loc = c->site;
    p.name = str_format(c->a, "%.*s.%.*s", STR_ARG(c->prefix), STR_ARG(s->name));
  }
  if (declare(c, s->name, v, s->name_loc) && v.kind != VALUE_ERROR) {
    if (c->scope != &c->globals) {
      p.name = unique_name(c, p.name);
    }
    *VEC_PUSH(c->a, &c->g->params) = p;
  }
}

/* data csv(separator = "\t", header = 0), data libsvm(base = 0) */
void check_data(Checker *c, const Stmt *s)
{
  const Expr *e = s->expr;
  bool libsvm = str_eq(e->name, S("libsvm"));
  if ((e->kind != EXPR_CALL && e->kind != EXPR_NAME) || (!libsvm && !str_eq(e->name, S("csv"))) ||
      e->args.n > 0) {
    fail(c, e->loc, "wanted csv(separator = \",\", header = 1) or libsvm(base = 0)");
    return;
  }
  c->g->data.format = libsvm ? DATA_LIBSVM : DATA_CSV;
  for (int i = 0; i < e->options.n; i++) {
    const Option *o = &e->options.data[i];
    long x = 0;
    if (!libsvm && str_eq(o->name, S("separator"))) {
      if (o->value->kind != EXPR_STRING || o->value->name.n != 1) {
        fail(c, o->value->loc, "the separator must be a string of one byte, like \"\\t\"");
        return;
      }
      c->g->data.separator = o->value->name.s[0];
    } else if (!libsvm && str_eq(o->name, S("header"))) {
      if (check_whole(c, o->value, 0, 1, "header", &x)) {
        c->g->data.header = x != 0;
      }
    } else if (libsvm && str_eq(o->name, S("base"))) {
      if (check_whole(c, o->value, 0, 1, "base", &x)) {
        c->g->data.base = (int)x;
      }
    } else {
      fail(c, o->loc, "%s",
        libsvm ? "libsvm has one setting: base = 0"
               : "csv has two settings: separator = \",\" and header = 1");
    }
  }
}
