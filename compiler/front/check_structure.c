/* check_structure.c: the ops that move data or make it from nothing: concat, pad, index, ...
 *
 * One idea: the builders trust their arguments, so every rule of ir/type.c that could fail is told
 * here first, in the user's words. */

#include "check.h"

enum { MOST_SITES = 1 << 20 };

static Str name_of(const Checker *c, int axis)
{
  return axis == NO_AXIS ? S("1") : c->g->axes.data[axis].name;
}

static int without_ones(short *axes, int n)
{
  int kept = 0;
  for (int i = 0; i < n; i++) {
    if (axes[i] != NO_AXIS) {
      axes[kept++] = axes[i];
    }
  }
  return kept;
}

/* size[A, ...]: the product of how many positions they have. */
static Value check_size(Checker *c, const Expr *e, int n, const short *axes)
{
  Value v = number_value(1);
  for (int i = 0; i < n; i++) {
    Value one = axis_value(axes[i]);
    if (axes[i] != NO_AXIS && c->g->axes.data[axes[i]].kind != AXIS_PLAIN) {
      one = node_value(place(c, build_size(c->g, axes[i]), e->loc));
    }
    Value both[] = {v, one};
    Loc locs[] = {e->loc, e->loc};
    double x;
    v = i == 0 && !plain_number(c, &one, &x) ? one : pointwise(c, OP_MUL, 2, both, locs, e->loc);
  }
  return v;
}

/* random[A; 3](): the site of the number 3, as dumps say it; otherwise sites are counted. */
static bool next_site(Checker *c, const Expr *e, int *site)
{
  long given = c->g->randoms;
  bool good = !e->extra || check_whole(c, e->extra, 0, MOST_SITES - 1, "a site's number", &given);
  *site = (int)given;
  return good;
}

static Value check_random(Checker *c, const Expr *e, int n, const short *axes)
{
  Type t = {0};
  int site;
  int sites = c->g->randoms;
  if (!next_site(c, e, &site)) {
    return error_value;
  }
  bool batch = false, lists = false;
  int others = 0;
  for (int i = 0; i < n; i++) {
    batch = batch || c->g->axes.data[axes[i]].kind == AXIS_BATCH;
    lists = lists || c->g->axes.data[axes[i]].kind == AXIS_RAGGED;
    others += c->g->axes.data[axes[i]].kind == AXIS_BATCH && axes[i] != AXIS_B;
    if (type_has(t, axes[i])) {
      return fail(c, e->loc, "axis '%.*s' comes twice", STR_ARG(name_of(c, axes[i])));
    }
    t.axis[t.n++] = axes[i];
  }
  if (lists && others > 0) {
    return fail(c, e->loc, "a random list is one sample's; other samples do not see it");
  }
  if (!batch) {
    if (t.n == MAX_AXES) {
      return fail(c, e->loc, "a value has at most %d axes", MAX_AXES);
    }
    t.axis[t.n++] = AXIS_B;
  }
  t = type_canonical(c->g, t);
  if (!fits(c, t, e->loc)) {
    return error_value;
  }
  c->g->randoms = site;
  Node *made = place(c, build_random(c->g, t), e->loc);
  c->g->randoms = site < sites ? sites : site + 1;
  return node_value(made);
}

/* index[A], size[A, ...], random[A, ...], training() */
Value check_leaf(Checker *c, const Expr *e, bool *known)
{
  bool index = str_eq(e->name, S("index"));
  bool size = str_eq(e->name, S("size"));
  bool training = str_eq(e->name, S("training"));
  *known = index || size || training || str_eq(e->name, S("random"));
  if (!*known) {
    return error_value;
  }
  bool random = !index && !size && !training;
  if (e->args.n > 0 || e->options.n > 0 || (e->extra && !random) || (training && e->has_axes)) {
    return fail(c, e->loc, "%.*s takes no arguments", STR_ARG(e->name));
  }
  if (training) {
    return node_value(place(c, build_training(c->g), e->loc));
  }
  short axes[MAX_AXES];
  int n = 0;
  if (!check_axes(c, &e->axes, MAX_AXES, axes, &n)) {
    return error_value;
  }
  if (index && e->axes.n != 1) {
    return fail(c, e->loc, "index[A] takes one axis");
  }
  if (size) {
    return e->axes.n > 0 ? check_size(c, e, n, axes)
                         : fail(c, e->loc, "size[A] takes an axis: how many positions has it?");
  }
  n = without_ones(axes, n);
  if (!index) {
    return check_random(c, e, n, axes);
  }
  return n == 0 ? number_value(0) : node_value(place(c, build_index(c->g, axes[0]), e->loc));
}

/* Which axes of an operand are joined, in the order of its type: the ones listed, or without a
 * list all plain ones. */
static bool joined_axes(Checker *c, const Node *x, bool listed, const short *axes, int n,
  short *out, int *count, double *positions)
{
  *count = 0;
  *positions = 1;
  for (int i = 0; i < x->type.n; i++) {
    int axis = x->type.axis[i];
    bool joined = !listed && c->g->axes.data[axis].kind == AXIS_PLAIN;
    for (int k = 0; k < n && listed; k++) {
      joined = joined || axes[k] == axis;
    }
    if (joined) {
      out[(*count)++] = (short)axis;
      *positions *= (double)check_extent(c, axis);
    }
  }
  return *positions <= (double)MOST_EXTENT;
}

typedef struct Joined {
  Node **in;
  int n;
  short *axes; /* for each operand: how many of its axes, and these */
  int naxes;
  double total;
  Type kept;
} Joined;

/* All axes that stay, and how long the joined one is. */
static bool join_operands(Checker *c, const Expr *e, const short *axes, int n, Joined *j)
{
  for (int i = 0; i < j->n; i++) {
    short mine[MAX_AXES];
    int count;
    double positions;
    bool good = joined_axes(c, j->in[i], e->has_axes, axes, n, mine, &count, &positions);
    j->total += positions;
    if (!good || j->total > (double)MOST_EXTENT) {
      fail(c, e->loc, "the joined axis would have %.3g positions", j->total);
      return false;
    }
    Type rest = j->in[i]->type;
    j->axes[j->naxes++] = (short)count;
    for (int k = 0; k < count; k++) {
      j->axes[j->naxes++] = mine[k];
      rest = type_without(rest, mine[k]);
    }
    bool few;
    j->kept = type_union(c->g, j->kept, rest, &few);
    if (!few) {
      fail(c, e->loc, "the operands have more than %d axes together", MAX_AXES);
      return false;
    }
  }
  return true;
}

static Value build_joined(Checker *c, const Expr *e, Joined *j)
{
  Axis like = {.kind = AXIS_PLAIN, .extent = (long)j->total};
  bool ok = true;
  int out = NO_AXIS;
  if (e->into) {
    out = target_axis(c, e->into, &like, &ok);
  } else {
    out = number_axis(c, like.extent, e->loc, &ok);
  }
  if (!ok) {
    return error_value;
  }
  if (out == NO_AXIS) {
    return node_value(j->in[0]);
  }
  if (type_has(j->kept, out)) {
    return fail(c, e->loc,
      "the value would have axis '%.*s' twice; name the joined one: "
      "concat(x, y -> NAME)",
      STR_ARG(name_of(c, out)));
  }
  if (j->kept.n == MAX_AXES) {
    return fail(c, e->loc, "a value has at most %d axes", MAX_AXES);
  }
  Type all = j->kept;
  all.axis[all.n++] = (short)out;
  return fits(c, all, e->loc)
           ? node_value(place(c, build_concat(c->g, out, j->n, j->in, j->naxes, j->axes), e->loc))
           : error_value;
}

/* concat(x, y, ...), concat[A, ...](x, y, ... -> C) */
static Value check_concat(Checker *c, const Expr *e, int n, const Value *args)
{
  short axes[MAX_AXES];
  int naxes = 0;
  if (!check_axes(c, &e->axes, MAX_AXES, axes, &naxes)) {
    return error_value;
  }
  naxes = without_ones(axes, naxes);
  Joined j = {.n = n, .in = ARENA_ARRAY(c->a, Node *, n)};
  j.axes = ARENA_ARRAY(c->a, short, n *(MAX_AXES + 1));
  for (int i = 0; i < n; i++) {
    j.in[i] = to_node(c, args[i], e->loc);
    if (!j.in[i]) {
      return error_value;
    }
  }
  for (int i = 0; i < naxes; i++) {
    bool has = false;
    for (int k = 0; k < n; k++) {
      has = has || type_has(j.in[k]->type, axes[i]);
    }
    if (c->g->axes.data[axes[i]].kind != AXIS_PLAIN) {
      return fail(
        c, e->loc, "only plain axes are joined; '%.*s' is not", STR_ARG(name_of(c, axes[i])));
    }
    for (int k = 0; k < i; k++) {
      has = has && axes[k] != axes[i];
    }
    if (!has) {
      return fail(c, e->loc, "no operand has axis '%.*s' (or it is listed twice)",
        STR_ARG(name_of(c, axes[i])));
    }
  }
  if (n == 0) {
    return fail(c, e->loc, "concat needs at least one operand");
  }
  return join_operands(c, e, axes, naxes, &j) ? build_joined(c, e, &j) : error_value;
}

/* pad[A, F, D; offset](x): x's F and D as the part of A from offset on. */
static Value check_pad(Checker *c, const Expr *e, Node *x)
{
  short axes[MAX_AXES + 1];
  int n = 0;
  long offset = 0;
  if (!check_axes(c, &e->axes, MAX_AXES + 1, axes, &n)) {
    return error_value;
  }
  if (n == 0 || axes[0] == NO_AXIS || c->g->axes.data[axes[0]].kind != AXIS_PLAIN || !e->extra) {
    return fail(c, e->loc, "wanted pad[A, F, ...; offset](x), A a plain axis");
  }
  int from = without_ones(axes + 1, n - 1);
  double product = 1;
  Type rest = x->type;
  for (int i = 1; i <= from; i++) {
    if (!type_has(rest, axes[i]) || c->g->axes.data[axes[i]].kind != AXIS_PLAIN) {
      return fail(c, e->loc, "the value has no plain axis '%.*s'; it is %.*s",
        STR_ARG(name_of(c, axes[i])), STR_ARG(type_print(c->g, x->type, c->a)));
    }
    rest = type_without(rest, axes[i]);
    product *= (double)check_extent(c, axes[i]);
  }
  long extent = check_extent(c, axes[0]);
  if (product > (double)extent) {
    return fail(c, e->loc, "%.0f positions do not fit into the %ld of '%.*s'", product, extent,
      STR_ARG(name_of(c, axes[0])));
  }
  if (type_has(rest, axes[0]) || rest.n == MAX_AXES) {
    return fail(
      c, e->loc, "the value has axis '%.*s' already, or too many", STR_ARG(name_of(c, axes[0])));
  }
  if (!check_whole(c, e->extra, 0, extent - (long)product, "the offset", &offset)) {
    return error_value;
  }
  return node_value(place(c, build_pad(c->g, x, axes[0], offset, from, axes + 1), e->loc));
}

/* untriangle[P, F, G](x) */
static Value check_untriangle(Checker *c, const Expr *e, Node *x)
{
  short axes[3];
  int n = 0;
  if (!check_axes(c, &e->axes, 3, axes, &n)) {
    return error_value;
  }
  bool good = n == 3;
  for (int i = 0; i < n; i++) {
    good = good && axes[i] != NO_AXIS && c->g->axes.data[axes[i]].kind == AXIS_PLAIN;
  }
  good = good && axes[1] != axes[2] && check_extent(c, axes[1]) == check_extent(c, axes[2]) &&
         check_extent(c, axes[0]) == check_extent(c, axes[1]) * (check_extent(c, axes[1]) - 1) / 2;
  if (!good) {
    return fail(c, e->loc,
      "wanted untriangle[P, F, G](x): F and G plain and of one extent n, "
      "P of n * (n - 1) / 2");
  }
  Type rest = type_without(x->type, axes[0]);
  if (!type_has(x->type, axes[0]) || type_has(rest, axes[1]) || type_has(rest, axes[2]) ||
      rest.n + 2 > MAX_AXES) {
    return fail(c, e->loc,
      "%.*s cannot be unfolded so: it needs the first axis and must not have the "
      "others",
      STR_ARG(type_print(c->g, x->type, c->a)));
  }
  return node_value(place(c, build_untriangle(c->g, x, axes[0], axes[1], axes[2]), e->loc));
}

Value check_structure(Checker *c, const Expr *e, int n, const Value *args, bool *known)
{
  *known = true;
  if (str_eq(e->name, S("concat"))) {
    return check_concat(c, e, n, args);
  }
  if (str_eq(e->name, S("scatter"))) {
    return check_scatter(c, e, n, args);
  }
  bool pad = str_eq(e->name, S("pad"));
  *known = pad || str_eq(e->name, S("untriangle"));
  if (!*known) {
    return error_value;
  }
  if (n != 1) {
    return fail(c, e->loc, "%.*s takes one value, not %d", STR_ARG(e->name), n);
  }
  Node *x = to_node(c, args[0], e->loc);
  return !x ? error_value : pad ? check_pad(c, e, x) : check_untriangle(c, e, x);
}
