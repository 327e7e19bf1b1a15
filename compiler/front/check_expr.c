/* check_expr.c: expressions: names, operators, and the turn to calls and brackets.
 *
 * One idea: numbers stay numbers as long as only numbers meet, so that `2 * D` may be an axis and
 * `1 / sqrt(D)` an initialiser; the first node they meet makes them nodes. */

#include "check.h"
#include "../ir/ops.h"

/* One node for each input and parameter, made where it is first used. */
static Node *leaf_node(Checker *c, Node ***nodes, int *n, int count, int index)
{
  if (*n < count) {
    Node **grown = ARENA_ARRAY(c->a, Node *, 2 * count);
    for (int i = 0; i < *n; i++) {
      grown[i] = (*nodes)[i];
    }
    *nodes = grown;
    *n = 2 * count;
  }
  if (!(*nodes)[index]) {
    bool input = nodes == &c->inputs;
    Node *made = input ? build_input(c->g, index) : build_param(c->g, index);
    made->name = input ? c->g->inputs.data[index].name : c->g->params.data[index].name;
    made->loc = input ? c->g->inputs.data[index].loc : c->g->params.data[index].loc;
    (*nodes)[index] = made;
  }
  return (*nodes)[index];
}

Node *param_node(Checker *c, int param)
{
  return leaf_node(c, &c->params, &c->nparams, c->g->params.n, param);
}

Node *to_node(Checker *c, Value v, Loc loc)
{
  double x;
  switch (v.kind) {
  case VALUE_NODE:
    return v.node;
  case VALUE_NUMBER:
    return place(c, build_const(c->g, v.number), loc);
  case VALUE_INPUT:
    return leaf_node(c, &c->inputs, &c->ninputs, c->g->inputs.n, v.index);
  case VALUE_PARAM:
    if (c->g->params.data[v.index].table) {
      Str name = c->g->params.data[v.index].name;
      fail(c, loc, "'%.*s' is a table: its rows are looked up, %.*s[ids]", STR_ARG(name),
        STR_ARG(name));
      return NULL;
    }
    return param_node(c, v.index);
  case VALUE_AXIS:
    if (plain_number(c, &v, &x)) {
      return place(c, build_const(c->g, x), loc);
    }
    fail(c, loc, "the number of positions of '%.*s' differs; size[%.*s] is what it is in a sample",
      STR_ARG(c->g->axes.data[v.index].name), STR_ARG(c->g->axes.data[v.index].name));
    return NULL;
  case VALUE_FN:
    fail(c, loc, "'%.*s' is a function; it needs arguments", STR_ARG(v.fn));
    return NULL;
  case VALUE_FIT: {
    Str name = c->g->fits.data[v.index].name;
    fail(c, loc, "'%.*s' is a fit; its scores rank: NAME = %.*s.score(...), top = 10",
      STR_ARG(name), STR_ARG(name));
    return NULL;
  }
  case VALUE_RANKED:
    fail(c, loc, "a ranking is no value; its parts are NAME.item and NAME.score");
    return NULL;
  case VALUE_LIST:
    fail(c, loc, "a list of arguments is no value");
    return NULL;
  case VALUE_ERROR:
    return NULL;
  }
  return NULL;
}

/* A number, or a plain axis as the number of its positions. */
bool plain_number(Checker *c, const Value *v, double *x)
{
  if (v->kind == VALUE_NUMBER) {
    *x = v->number;
    return true;
  }
  if (v->kind == VALUE_AXIS && v->index == NO_AXIS) {
    *x = 1;
    return true;
  }
  if (v->kind == VALUE_AXIS && c->g->axes.data[v->index].kind == AXIS_PLAIN) {
    *x = (double)c->g->axes.data[v->index].extent;
    return true;
  }
  return false;
}

/* A list is as long as the sample's that it belongs to. Of `p[L] * z[B -> C]` alone it is not said whose:
 * C's, until it meets a value of B, whose lists then count. Passes would have to keep both apart. */
static bool owns_lists(Checker *c, Type t, Loc loc)
{
  int ragged = -1, other = -1;
  for (int i = 0; i < t.n; i++) {
    ragged = c->g->axes.data[t.axis[i]].kind == AXIS_RAGGED ? t.axis[i] : ragged;
    other = c->g->axes.data[t.axis[i]].kind == AXIS_BATCH ? t.axis[i] : other;
  }
  if (ragged < 0 || other < 0 || type_has(t, AXIS_B)) {
    return true;
  }
  Str list = c->g->axes.data[ragged].name, of = c->g->axes.data[other].name;
  fail(c, loc,
    "%.*s is of other samples ('%.*s') only, and the length of '%.*s' belongs to this one; combine "
    "it "
    "with a value of this sample first",
    STR_ARG(type_print(c->g, t, c->a)), STR_ARG(of), STR_ARG(list));
  return false;
}

/* Whether a value of this type may be: not too large, and its lists have lengths. */
/* Pairs of samples are as far as it goes: what sees two others is as much work as the batch cubed. */
static bool sees_one_other(Checker *c, Type t, Loc loc)
{
  int other = -1;
  for (int i = 0; i < t.n; i++) {
    int axis = t.axis[i];
    if (axis == AXIS_B || c->g->axes.data[axis].kind != AXIS_BATCH) {
      continue;
    }
    if (other >= 0) {
      fail(c, loc,
        "a value of %.*s and %.*s, two samples besides its own; one can be seen at a time",
        STR_ARG(c->g->axes.data[other].name), STR_ARG(c->g->axes.data[axis].name));
      return false;
    }
    other = axis;
  }
  return true;
}

bool fits(Checker *c, Type t, Loc loc)
{
  if (!owns_lists(c, t, loc) || !sees_one_other(c, t, loc)) {
    return false;
  }
  double numbers = 1;
  for (int i = 0; i < t.n; i++) {
    long extent = c->g->axes.data[t.axis[i]].extent;
    numbers *= extent > 0 ? (double)extent : 1;
  }
  if (numbers > (double)MOST_NUMBERS) {
    fail(c, loc, "%.*s is %.3g numbers for each sample; at most 2^40 are possible",
      STR_ARG(type_print(c->g, t, c->a)), numbers);
    return false;
  }
  return true;
}

/* A pointwise op over values; all numbers: computed now. */
Value pointwise(Checker *c, Op op, int n, const Value *args, const Loc *locs, Loc loc)
{
  double x[3];
  bool numbers = true;
  for (int i = 0; i < n; i++) {
    if (args[i].kind == VALUE_ERROR) {
      return error_value;
    }
    numbers = numbers && plain_number(c, &args[i], &x[i]);
  }
  if (numbers) {
    return number_value(op_apply(op, x));
  }
  Node *in[3];
  Type all = {0};
  for (int i = 0; i < n; i++) {
    in[i] = to_node(c, args[i], locs[i]);
    if (!in[i]) {
      return error_value;
    }
    Type before = all;
    bool few;
    all = type_union(c->g, all, in[i]->type, &few);
    if (!few) {
      return fail(c, loc, "%.*s and %.*s have more than %d axes together",
        STR_ARG(type_print(c->g, before, c->a)), STR_ARG(type_print(c->g, in[i]->type, c->a)),
        MAX_AXES);
    }
  }
  return fits(c, all, loc) ? node_value(place(c, build_op(c->g, op, n, in), loc)) : error_value;
}

static Value check_name(Checker *c, const Expr *e)
{
  Binding *b = scope_find(c->scope, e->name);
  if (b) {
    if (b->value.kind == VALUE_LIST && e->kind == EXPR_NAME) {
      return fail(c, e->loc, "'%.*s' is a list of arguments; pass it on as %.*s...",
        STR_ARG(e->name), STR_ARG(e->name));
    }
    return b->value;
  }
  bool known = any_fn(c, c->module, e->name);
  for (int arity = 1; arity <= 3 && !known; arity++) {
    int op = op_by_word(e->name, arity);
    known = op >= 0 && op_pointwise((Op)op);
  }
  if (known) {
    return (Value){.kind = VALUE_FN, .fn = e->name, .module = c->module};
  }
  fail_unknown(c, e->loc, e->name, "value");
  return error_value;
}

static Op operator(TokenKind kind)
{
  switch ((int)kind) {
  case TOK_PLUS:
    return OP_ADD;
  case TOK_MINUS:
    return OP_SUB;
  case TOK_STAR:
    return OP_MUL;
  case TOK_SLASH:
    return OP_DIV;
  case TOK_CARET:
    return OP_POW;
  case TOK_LESS:
  case TOK_GREATER:
    return OP_LT;
  case TOK_LESS_EQUAL:
  case TOK_GREATER_EQUAL:
    return OP_LE;
  case TOK_EQUAL:
    return OP_EQ;
  default:
    return OP_NE;
  }
}

static Value apply_binary(Checker *c, const Expr *e, Value x)
{
  Value y = check_expr(c, e->y);
  bool swap = e->op == TOK_GREATER || e->op == TOK_GREATER_EQUAL; /* a > b is b < a */
  Value args[] = {swap ? y : x, swap ? x : y};
  Loc locs[] = {swap ? e->y->loc : e->x->loc, swap ? e->x->loc : e->y->loc};
  return pointwise(c, operator(e->op), 2, args, locs, e->loc);
}

/* A chain `a + b + c + ...` leans left and may be long: its spine is walked in a loop. */
static Value check_binary(Checker *c, const Expr *e)
{
  int n = 0;
  const Expr *leftmost = e;
  for (; leftmost->kind == EXPR_BINARY; leftmost = leftmost->x) {
    n++;
  }
  const Expr **spine = ARENA_ARRAY(c->a, const Expr *, n);
  for (int i = n; i > 0; e = e->x) {
    spine[--i] = e;
  }
  Value v = check_expr(c, leftmost);
  for (int i = 0; i < n; i++) {
    v = apply_binary(c, spine[i], v);
  }
  return v;
}

static Value check_bracket(Checker *c, const Expr *e)
{
  if (e->kind == EXPR_INDEX) {
    return check_lookup(c, e);
  }
  Node *x = check_node(c, e->x);
  if (!x) {
    return error_value;
  }
  return e->kind == EXPR_RENAME  ? check_rename(c, e, x)
         : e->kind == EXPR_SLICE ? check_slice(c, e, x)
                                 : check_triangle(c, e, x);
}

static Value check_kind(Checker *c, const Expr *e)
{
  switch (e->kind) {
  case EXPR_NUMBER:
    return number_value(e->number);
  case EXPR_STRING:
    return fail(c, e->loc, "a string is no value");
  case EXPR_NAME:
    return check_name(c, e);
  case EXPR_SPREAD: {
    Value v = check_name(c, e);
    if (v.kind != VALUE_LIST && v.kind != VALUE_ERROR) {
      return fail(c, e->loc, "'%.*s' is not a list of arguments", STR_ARG(e->name));
    }
    return v;
  }
  case EXPR_NEGATE: {
    Value x = check_expr(c, e->x);
    return pointwise(c, OP_NEG, 1, &x, &e->x->loc, e->loc);
  }
  case EXPR_BINARY:
    return check_binary(c, e);
  case EXPR_CALL:
    return check_call(c, e);
  case EXPR_INDEX:
  case EXPR_RENAME:
  case EXPR_SLICE:
  case EXPR_TRIANGLE:
    return check_bracket(c, e);
  case EXPR_ERROR:
    return error_value;
  }
  return error_value;
}

Value check_expr(Checker *c, const Expr *e)
{
  if (c->calls > 0 && c->d->errors > c->call_errors) {
    return error_value;
  }
  if (c->levels >= MOST_LEVELS) {
    return fail(c, e->loc, "expressions and calls are nested too deep");
  }
  c->levels++;
  Value v = check_kind(c, e);
  c->levels--;
  return v;
}

Node *check_node(Checker *c, const Expr *e)
{
  return to_node(c, check_expr(c, e), e->loc);
}
