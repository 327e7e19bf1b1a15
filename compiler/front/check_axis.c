/* check_axis.c: axes as expressions, and what brackets do with them: x[A -> C], x[A = 3], x[F > G
 * -> P].
 *
 * One idea: a name that stands for nothing yet is a new axis exactly where an operation makes one:
 * right of an arrow. Everywhere else it is an error. */

#include "check.h"

#include <math.h>

/* The axis called by its extent; NO_AXIS for 1. */
int number_axis(Checker *c, long extent, Loc loc, bool *ok)
{
  if (c->g->axes.n >= MOST_AXES) {
    fail(c, loc, "the model has more than %d axes", MOST_AXES);
    *ok = false;
    return NO_AXIS;
  }
  return extent == 1 ? NO_AXIS : graph_number_axis(c->g, extent);
}

/* The axis that a value stands for. A number is the axis called by it; 1 is NO_AXIS. */
int axis_or_fail(Checker *c, const Value *v, Loc loc, bool *ok)
{
  if (v->kind == VALUE_AXIS) {
    return v->index;
  }
  if (v->kind == VALUE_NUMBER) {
    double x = v->number;
    if (x == floor(x) && x >= 1 && x <= (double)MOST_EXTENT) {
      return number_axis(c, (long)x, loc, ok);
    }
    fail(c, loc, "an axis named by its extent needs a whole number from 1 to %ld, not %g",
      MOST_EXTENT, x);
  } else if (v->kind != VALUE_ERROR) {
    fail(c, loc, "this is no axis; an axis is a dim or a whole number");
  }
  *ok = false;
  return NO_AXIS;
}

static int check_axis(Checker *c, const Expr *e, bool *ok)
{
  if (e->kind == EXPR_NAME && !scope_find(c->scope, e->name)) {
    fail_unknown(c, e->loc, e->name, "axis");
    *ok = false;
    return NO_AXIS;
  }
  Value v = check_expr(c, e);
  return axis_or_fail(c, &v, e->loc, ok);
}

static bool add_axis(Checker *c, Loc loc, int most, short *axes, int *n, int axis)
{
  if (*n == most) {
    fail(c, loc, "more than %d axes", most);
    return false;
  }
  axes[(*n)++] = (short)axis;
  return true;
}

bool check_axes(Checker *c, const Exprs *list, int most, short *axes, int *n)
{
  bool ok = true;
  for (int i = 0; i < list->n; i++) {
    const Expr *e = list->data[i];
    Value v = error_value;
    bool list_like = e->kind == EXPR_SPREAD || e->kind == EXPR_CALL;
    if (list_like) {
      v = check_expr(c, e);
      ok = ok && v.kind != VALUE_ERROR;
    }
    for (int k = 0; v.kind == VALUE_LIST && k < v.n; k++) {
      int axis = axis_or_fail(c, &v.list[k], e->loc, &ok);
      ok = add_axis(c, e->loc, most, axes, n, axis) && ok;
    }
    if (list_like && v.kind != VALUE_LIST) {
      int axis = axis_or_fail(c, &v, e->loc, &ok);
      ok = add_axis(c, e->loc, most, axes, n, axis) && ok;
    } else if (!list_like) {
      int axis = check_axis(c, e, &ok);
      ok = add_axis(c, e->loc, most, axes, n, axis) && ok;
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

static Str name_of(const Checker *c, int axis)
{
  return axis == NO_AXIS ? S("1") : c->g->axes.data[axis].name;
}

static const char *kind_of(const Axis *a)
{
  return a->kind == AXIS_PLAIN ? "plain" : a->kind == AXIS_RAGGED ? "ragged" : "the batch";
}

/* The axis that a result gets: one that exists and has the same positions as `like`, or a new
 * one. */
int target_axis(Checker *c, const Expr *e, const Axis *like, bool *ok)
{
  if (e->kind == EXPR_NAME && !scope_find(c->scope, e->name)) {
    int made = new_axis(c, e->name, like, e->loc);
    declare(c, e->name, axis_value(made), e->loc);
    return made;
  }
  int axis = check_axis(c, e, ok);
  if (!*ok) {
    return axis;
  }
  if (axis == NO_AXIS && like->kind == AXIS_PLAIN && like->extent == 1) {
    return axis;
  }
  const Axis *have = axis == NO_AXIS ? NULL : &c->g->axes.data[axis];
  bool same = have && have->kind == like->kind &&
              (like->kind == AXIS_PLAIN ? have->extent == like->extent
                                        : axis_root(c->g, axis) == axis_root(c->g, like->root));
  if (!same) {
    *ok = false;
    if (like->kind == AXIS_PLAIN && have && have->kind == AXIS_PLAIN) {
      fail(c, e->loc, "axis '%.*s' has %ld positions, wanted %ld", STR_ARG(have->name),
        have->extent, like->extent);
    } else if (like->kind != AXIS_PLAIN && have && have->kind == like->kind) {
      fail(c, e->loc, "axis '%.*s' has other lengths than '%.*s'", STR_ARG(have->name),
        STR_ARG(like->name));
    } else {
      fail(c, e->loc, "axis '%.*s' is %s, wanted one that is %s", STR_ARG(name_of(c, axis)),
        have ? kind_of(have) : "a scalar's", kind_of(like));
    }
    if (have && have->loc.source) {
      note(c, have->loc, "declared here");
    }
  }
  return axis;
}

/* The axis of x that an expression names. */
static int source_axis(Checker *c, const Expr *e, const Node *x, bool *ok)
{
  int axis = check_axis(c, e, ok);
  if (*ok && axis != NO_AXIS && !type_has(x->type, axis)) {
    fail(c, e->loc, "the value has no axis '%.*s'; it is %.*s", STR_ARG(name_of(c, axis)),
      STR_ARG(type_print(c->g, x->type, c->a)));
    *ok = false;
  }
  return axis;
}

static bool has_ragged(const Checker *c, Type t)
{
  for (int i = 0; i < t.n; i++) {
    if (c->g->axes.data[t.axis[i]].kind == AXIS_RAGGED) {
      return true;
    }
  }
  return false;
}

static bool check_pair(
  Checker *c, const Expr *from_e, const Expr *to_e, const Node *x, short *pairs, int *n)
{
  bool ok = true;
  int from = source_axis(c, from_e, x, &ok);
  if (!ok) {
    return false;
  }
  Axis like = from == NO_AXIS ? (Axis){.kind = AXIS_PLAIN, .extent = 1} : c->g->axes.data[from];
  if (like.kind == AXIS_BATCH && has_ragged(c, x->type)) {
    fail(c, from_e->loc,
      "%.*s has a ragged axis, whose lengths belong to the sample; reduce it "
      "before other samples see the value",
      STR_ARG(type_print(c->g, x->type, c->a)));
    return false;
  }
  int to = target_axis(c, to_e, &like, &ok);
  if (!ok || from == to) {
    return ok;
  }
  for (int i = 0; i < *n; i += 2) {
    if (pairs[i] == from) {
      fail(c, from_e->loc, "axis '%.*s' is renamed twice", STR_ARG(name_of(c, from)));
      return false;
    }
  }
  pairs[(*n)++] = (short)from;
  pairs[(*n)++] = (short)to;
  return true;
}

/* x[A -> C, D -> E] */
Value check_rename(Checker *c, const Expr *e, Node *x)
{
  short pairs[2 * MAX_AXES];
  int n = 0;
  for (int i = 0; i + 1 < e->axes.n; i += 2) {
    if (n == 2 * MAX_AXES) {
      return fail(c, e->loc, "more than %d axes renamed", MAX_AXES);
    }
    if (!check_pair(c, e->axes.data[i], e->axes.data[i + 1], x, pairs, &n)) {
      return error_value;
    }
  }
  Type t = {0};
  for (int i = 0; i < x->type.n; i++) {
    int axis = x->type.axis[i];
    for (int k = 0; k < n; k += 2) {
      axis = pairs[k] == x->type.axis[i] ? pairs[k + 1] : axis;
    }
    if (type_has(t, axis)) {
      return fail(c, e->loc, "the value would have axis '%.*s' twice; it is %.*s",
        STR_ARG(name_of(c, axis)), STR_ARG(type_print(c->g, x->type, c->a)));
    }
    t.axis[t.n++] = (short)axis;
  }
  return n == 0 ? node_value(x) : node_value(place(c, build_rename(c->g, x, n / 2, pairs), e->loc));
}

static Value build_cut(
  Checker *c, const Expr *e, Node *x, int from, long offset, int nto, const short *to)
{
  for (int i = 0; i < nto; i++) {
    bool twice = to[i] != from && type_has(x->type, to[i]);
    for (int k = 0; k < i; k++) {
      twice = twice || to[k] == to[i];
    }
    if (twice) {
      return fail(c, e->loc, "the part would have axis '%.*s' twice; name it: x[A = 0:4 -> NAME]",
        STR_ARG(name_of(c, to[i])));
    }
  }
  if (x->type.n - 1 + nto > MAX_AXES) {
    return fail(c, e->loc, "a value has at most %d axes", MAX_AXES);
  }
  return node_value(place(c, build_slice(c->g, x, from, offset, nto, to), e->loc));
}

/* The axes that a part is read as: the one called by its length, a name of its own, or several. */
static bool cut_axes(Checker *c, const Expr *e, long length, short *to, int *n)
{
  if (e->axes.n == 1) {
    bool good = true;
    int axis = number_axis(c, length, e->loc, &good);
    if (axis != NO_AXIS) {
      to[(*n)++] = (short)axis;
    }
    return good;
  }
  bool ok = true;
  if (e->axes.n == 2) {
    Axis like = {.kind = AXIS_PLAIN, .extent = length};
    int axis = target_axis(c, e->axes.data[1], &like, &ok);
    if (ok && axis != NO_AXIS) {
      to[(*n)++] = (short)axis;
    }
    return ok;
  }
  Exprs names = {.data = e->axes.data + 1, .n = e->axes.n - 1};
  short all[MAX_AXES];
  int count = 0;
  if (!check_axes(c, &names, MAX_AXES, all, &count)) {
    return false;
  }
  double product = 1;
  for (int i = 0; i < count; i++) {
    product *= (double)check_extent(c, all[i]);
    if (all[i] != NO_AXIS && c->g->axes.data[all[i]].kind != AXIS_PLAIN) {
      fail(c, e->loc, "axis '%.*s' is not plain: a part of an axis cannot be read as it",
        STR_ARG(name_of(c, all[i])));
      return false;
    }
    if (all[i] != NO_AXIS) {
      to[(*n)++] = all[i];
    }
  }
  if (product != (double)length) {
    fail(c, e->loc, "the part has %ld positions, but the axes it is to be read as have %.0f",
      length, product);
    return false;
  }
  return true;
}

/* x[A = 3], x[A = 0:4], x[A = 0:12 -> F, D] */
Value check_slice(Checker *c, const Expr *e, Node *x)
{
  bool ok = true;
  int from = source_axis(c, e->axes.data[0], x, &ok);
  if (!ok) {
    return error_value;
  }
  if (from == NO_AXIS || c->g->axes.data[from].kind != AXIS_PLAIN) {
    return fail(c, e->axes.data[0]->loc, "only a plain axis has parts; '%.*s' is %s",
      STR_ARG(name_of(c, from)), from == NO_AXIS ? "a scalar's" : kind_of(&c->g->axes.data[from]));
  }
  long extent = check_extent(c, from);
  long low = 0;
  long high = 0;
  if (!check_whole(c, e->y, 0, extent - 1, "the position", &low)) {
    return error_value;
  }
  if (!e->high) {
    return build_cut(c, e, x, from, low, 0, NULL);
  }
  if (!check_whole(c, e->high, low + 1, extent, "the end of the part", &high)) {
    return error_value;
  }
  short to[MAX_AXES];
  int n = 0;
  if (!cut_axes(c, e, high - low, to, &n)) {
    return error_value;
  }
  return build_cut(c, e, x, from, low, n, to);
}

/* x[F > G -> P] */
Value check_triangle(Checker *c, const Expr *e, Node *x)
{
  bool ok = true;
  int f = source_axis(c, e->axes.data[0], x, &ok);
  int h = ok ? source_axis(c, e->axes.data[1], x, &ok) : NO_AXIS;
  if (!ok) {
    return error_value;
  }
  bool plain = f != NO_AXIS && h != NO_AXIS && c->g->axes.data[f].kind == AXIS_PLAIN &&
               c->g->axes.data[h].kind == AXIS_PLAIN;
  if (!plain || f == h || check_extent(c, f) != check_extent(c, h)) {
    return fail(c, e->loc,
      "pairs need two different plain axes of the same extent; '%.*s' has %ld "
      "and '%.*s' %ld",
      STR_ARG(name_of(c, f)), check_extent(c, f), STR_ARG(name_of(c, h)), check_extent(c, h));
  }
  double n = (double)check_extent(c, f);
  if (n < 2) {
    return fail(
      c, e->loc, "axis '%.*s' has one position: there are no pairs", STR_ARG(name_of(c, f)));
  }
  if (n * (n - 1) / 2 > (double)MOST_EXTENT) {
    return fail(c, e->loc, "%.0f pairs are too many for one axis", n * (n - 1) / 2);
  }
  Axis like = {.kind = AXIS_PLAIN, .extent = (long)(n * (n - 1) / 2)};
  int p = target_axis(c, e->axes.data[2], &like, &ok);
  if (!ok) {
    return error_value;
  }
  if (p == NO_AXIS) {
    return fail(c, e->axes.data[2]->loc, "give the axis of pairs a name");
  }
  if (type_has(x->type, p)) {
    return fail(c, e->loc, "the value would have axis '%.*s' twice", STR_ARG(name_of(c, p)));
  }
  return node_value(place(c, build_triangle(c->g, x, f, h, p), e->loc));
}
