/* check_fit_items.c: what fits learn from when they learn from ids: a list of them for each row, or one. */

#include "check.h"

int vocabulary_root(const Graph *g, int input)
{
  return g->inputs.data[input].same_as >= 0 ? g->inputs.data[input].same_as : input;
}

/* A list of ids, or one id; -1: reported. */
static int check_items(Checker *c, const Expr *e, bool lists)
{
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  if (b && b->value.kind == VALUE_ERROR) {
    return -1;
  }
  const char *wanted = lists ? "a list of ids: id(...)[L]" : "ids: id(...) or id(...)[L]";
  if (!b || b->value.kind != VALUE_INPUT) {
    fail(c, e->loc, "a fit reads the data: wanted the name of an input, %s", wanted);
    return -1;
  }
  const Input *in = &c->g->inputs.data[b->value.index];
  bool list = in->type.n == 2 && c->g->axes.data[in->type.axis[1]].kind == AXIS_RAGGED;
  const char *wrong = in->encoding.source == FROM_FIT       ? "is the result of a fit"
                      : in->label                           ? "is a label"
                      : in->type.kind != KIND_ID            ? "holds numbers, not ids"
                      : (lists || in->type.n != 1) && !list ? "is no list of ids"
                                                            : NULL;
  if (wrong) {
    fail(c, e->loc, "'%.*s' %s; wanted %s", STR_ARG(e->name), wrong, wanted);
    note(c, in->loc, "declared here");
    return -1;
  }
  return b->value.index;
}

int check_list_weight(Checker *c, const Expr *e, int list)
{
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  if (b && b->value.kind == VALUE_ERROR) {
    return -1;
  }
  const Input *in = b && b->value.kind == VALUE_INPUT ? &c->g->inputs.data[b->value.index] : NULL;
  Type t = c->g->inputs.data[list].type;
  t.kind = KIND_REAL;
  if (!in || in->label || in->encoding.source == FROM_FIT || !type_same(in->type, t)) {
    fail(c, e->loc, "wanted the weights of '%.*s': an input %.*s",
      STR_ARG(c->g->inputs.data[list].name), STR_ARG(type_print(c->g, t, c->a)));
    return -1;
  }
  return b->value.index;
}

bool check_fit_items(Checker *c, const Expr *e, const char *usage, bool lists, Fitted *f)
{
  if (e->args.n < 1 || e->args.n > 1 + lists || e->has_axes) {
    fail(c, e->loc, "%.*s takes %s, not %d: %s", STR_ARG(e->name),
      lists ? "one or two arguments" : "1 argument", e->args.n, usage);
    return false;
  }
  f->nsources = e->args.n;
  f->sources = ARENA_ARRAY(c->a, int, 2);
  f->sources[0] = check_items(c, e->args.data[0], lists);
  if (e->args.n == 2 && f->sources[0] >= 0) {
    f->sources[1] = check_list_weight(c, e->args.data[1], f->sources[0]);
  }
  return f->sources[0] >= 0 && f->sources[f->nsources - 1] >= 0;
}
