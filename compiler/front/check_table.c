/* check_table.c: tables: looking rows up, and adding their gradients.
 *
 * One idea: an id is checked against its table by where it comes from. Nothing but moving
 * (renaming, slicing) keeps an id an id, so every id leads back to one input and its
 * vocabulary. */

#include "check.h"

/* The input that ids come from: nothing but moving keeps an id an id. */
static const Input *ids_input(const Checker *c, const Node *ids, int *index)
{
  while (ids->op != OP_INPUT) {
    ids = ids->in[0];
  }
  *index = ids->leaf;
  return &c->g->inputs.data[ids->leaf];
}

/* Do all these ids have a row? Reports. */
static bool check_ids(Checker *c, int table, const Node *ids, Loc loc)
{
  const Param *p = &c->g->params.data[table];
  if (ids->type.kind != KIND_ID) {
    fail(c, loc, "a table is looked up by ids; these are numbers, %.*s",
      STR_ARG(type_print(c->g, ids->type, c->a)));
    return false;
  }
  int root;
  const Input *in = ids_input(c, ids, &root);
  while (c->g->inputs.data[root].same_as >= 0) {
    root = c->g->inputs.data[root].same_as;
  }
  long size = 0;
  for (int i = 0; i < in->nvocab; i++) {
    size += in->vocab[i];
  }
  bool learnt = in->vocab[0] == 0;
  bool good = p->rows == 0 ? p->vocab_of == root : !learnt && size <= p->rows;
  if (good) {
    return true;
  }
  if (learnt) {
    fail(c, loc,
      "how many ids '%.*s' has is learnt from the data; the table must be declared with "
      "its rows: f32[%.*s, ...]",
      STR_ARG(in->name), STR_ARG(in->name));
  } else if (p->rows == 0) {
    fail(c, loc, "'%.*s' has the rows of '%.*s', not of '%.*s'", STR_ARG(p->name),
      STR_ARG(c->g->inputs.data[p->vocab_of].name), STR_ARG(in->name));
  } else {
    fail(c, loc, "'%.*s' has ids up to %ld, but the table ends at row %ld", STR_ARG(in->name),
      size - 1, p->rows - 1);
  }
  note(c, in->loc, "the ids are declared here");
  note(c, p->loc, "the table is declared here");
  return false;
}

/* table[ids] */
Value check_lookup(Checker *c, const Expr *e)
{
  Value t = check_expr(c, e->x);
  Node *ids = t.kind == VALUE_ERROR ? NULL : check_node(c, e->y);
  if (!ids) {
    return error_value;
  }
  if (t.kind != VALUE_PARAM || !c->g->params.data[t.index].table) {
    return fail(c, e->x->loc,
      "only a table is looked up by ids; axes are written x[A -> C], x[A = 3] "
      "or x[A = 0:4]");
  }
  if (!check_ids(c, t.index, ids, e->y->loc)) {
    return error_value;
  }
  const Param *p = &c->g->params.data[t.index];
  for (int i = 0; i < p->type.n; i++) {
    if (type_has(ids->type, p->type.axis[i])) {
      return fail(c, e->loc,
        "the value would have axis '%.*s' twice: the ids have it, and so have the "
        "table's rows",
        STR_ARG(c->g->axes.data[p->type.axis[i]].name));
    }
  }
  if (ids->type.n + p->type.n > MAX_AXES) {
    return fail(c, e->loc, "a value has at most %d axes", MAX_AXES);
  }
  return node_value(place(c, build_gather(c->g, t.index, ids), e->loc));
}

/* scatter(table, ids, d, ids, d, ...) */
Value check_scatter(Checker *c, const Expr *e, int n, const Value *args)
{
  bool table =
    n >= 3 && n % 2 == 1 && args[0].kind == VALUE_PARAM && c->g->params.data[args[0].index].table;
  if (!table) {
    return fail(c, e->loc, "wanted scatter(table, ids, d, ids, d, ...)");
  }
  const Param *p = &c->g->params.data[args[0].index];
  Node **in = ARENA_ARRAY(c->a, Node *, n - 1);
  for (int i = 1; i < n; i++) {
    in[i - 1] = to_node(c, args[i], e->loc);
    if (!in[i - 1] || (i % 2 == 1 && !check_ids(c, args[0].index, in[i - 1], e->loc))) {
      return error_value;
    }
  }
  for (int i = 0; i + 1 < n - 1; i += 2) {
    for (int k = 0; k < in[i + 1]->type.n; k++) {
      int axis = in[i + 1]->type.axis[k];
      if (!type_has(in[i]->type, axis) && !type_has(p->type, axis)) {
        return fail(c, e->loc,
          "the rows' gradient has axis '%.*s', which neither the ids nor the table "
          "have",
          STR_ARG(c->g->axes.data[axis].name));
      }
    }
  }
  return node_value(place(c, build_scatter(c->g, args[0].index, n - 1, in), e->loc));
}
