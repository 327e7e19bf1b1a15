/* stmt.c: statements as loop nests.
 *
 * Within one sample's turn a statement loops over the other axes of its value, outermost first; the
 * innermost loop is left to the compiler's vectoriser, which `omp simd` tells that it may. Sums run over
 * the reduced axes in order; when the innermost axis stays, partial sums stand in the result's array, so
 * that the loop over it vectorises. */

#include "writer.h"

#include "../ir/ops.h"

enum { LEAST_SIMD = 4 }; /* shorter loops are unrolled instead */

static bool is_sample(const Stmt *s)
{
  return s->scope == SCOPE_SAMPLE;
}

/* Opens a loop over `axis` and records its variable. */
void loop_open(Emit *e, Env *env, int axis, bool simd)
{
  Str v = e->axis_var[axis];
  bool whole = e->g->axes.data[axis].kind == AXIS_RAGGED && env->index[AXIS_B].n == 0;
  Str bound = whole ? put_text(e, "%ld", axis_extent(e->g, axis)) : length_of(e, axis);
  const Axis *a = &e->g->axes.data[axis];
  if (simd && (a->kind != AXIS_PLAIN || a->extent >= LEAST_SIMD)) {
    put_line(e, "#pragma omp simd");
  }
  put_open(e, "for (int %.*s = 0; %.*s < %.*s; %.*s++) {", STR_ARG(v), STR_ARG(v), STR_ARG(bound),
    STR_ARG(v));
  env->index[axis] = v;
}

static void loops_close(Emit *e, int n)
{
  for (int i = 0; i < n; i++) {
    put_close(e, "}");
  }
}

/* The axes of t that need loops: not B, and none that already has an index. */
static int loop_axes(const Env *env, Type t, short *axes)
{
  int n = 0;
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != AXIS_B && env->index[t.axis[i]].n == 0) {
      axes[n++] = t.axis[i];
    }
  }
  return n;
}

static int loops_open(Emit *e, Env *env, int n, const short *axes, bool simd)
{
  for (int i = 0; i < n; i++) {
    loop_open(e, env, axes[i], simd && i == n - 1);
  }
  return n;
}

/* Is stored per row or position, so that a declaration is due before its statement? */
static void declare_local(Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  if (v->place != PLACE_LOCAL || (v->layout.ragged < 0 && v->layout.width == 1)) {
    return;
  }
  long rows = v->layout.ragged < 0 ? 1 : axis_extent(e->g, v->layout.ragged);
  put_line(e, "rank_real %.*s[%ld];", STR_ARG(v->name), rows * v->layout.width);
}

static bool local_scalar(const Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  return v->place == PLACE_LOCAL && v->layout.ragged < 0 && v->layout.width == 1;
}

/* With op-by-op code, lists are padded: positions past the length hold 0. */
static bool pads(const Emit *e, const Stmt *s, const Node *n)
{
  return !e->p->fuse && is_sample(s) && e->p->value[n->id].place == PLACE_BATCH &&
         e->p->value[n->id].layout.ragged >= 0;
}

static void zero_padding(Emit *e, const Stmt *s, const Node *n)
{
  if (!pads(e, s, n)) {
    return;
  }
  const Value *v = &e->p->value[n->id];
  Str root = name_c(e->arena, e->g->axes.data[axis_root(e->g, v->layout.ragged)].name);
  e->axis_used[axis_root(e->g, v->layout.ragged)] = true;
  e->used[n->id] = true;
  put_line(e,
    "memset(%.*s + (%.*s_row + %.*s_len) * %ld, 0, sizeof(rank_real) * (size_t)((%ld - %.*s_len) * "
    "%ld));",
    STR_ARG(v->name), STR_ARG(root), STR_ARG(root), v->layout.width,
    axis_extent(e->g, v->layout.ragged), STR_ARG(root), v->layout.width);
}

static bool has_random(const Emit *e, const Node *n)
{
  if (n->op == OP_RANDOM) {
    return true;
  }
  for (int i = 0; i < n->nin && !plan_stored(e->p, n); i++) {
    if (has_random(e, n->in[i])) {
      return true;
    }
  }
  return false;
}

/* The value of a node at the current indices, as if it were not stored. */
static Str value_of(Emit *e, const Env *env, const Node *n)
{
  Place place = e->p->value[n->id].place;
  e->p->value[n->id].place = PLACE_INLINE;
  Str t = expr(e, env, n);
  e->p->value[n->id].place = place;
  return t;
}

static void print_element(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *n = s->store;
  if (!is_sample(s)) {
    env.index[AXIS_B] = (Str){0};
  }
  if (local_scalar(e, n)) {
    put_line(e, "const rank_real %.*s = %.*s;", STR_ARG(e->p->value[n->id].name),
      STR_ARG(value_of(e, &env, n)));
    return;
  }
  declare_local(e, n);
  short axes[MAX_AXES];
  int count = loop_axes(&env, n->type, axes);
  loops_open(e, &env, count, axes, !has_random(e, n));
  Str value = value_of(e, &env, n);
  put_line(e, "%.*s = %.*s;", STR_ARG(place_of(e, &env, n)), STR_ARG(value));
  loops_close(e, count);
  zero_padding(e, s, n);
}

static bool reduces(const Node *n, int axis)
{
  for (int i = 0; i < n->naxes; i++) {
    if (n->axes[i] == axis) {
      return true;
    }
  }
  return false;
}

/* Axes of the reduced expression, apart from B: those that stay and those that go. */
typedef struct Split {
  int nkept, ngone;
  short kept[MAX_AXES], gone[MAX_AXES];
  bool innermost_stays;
} Split;

static Split split_axes(const Env *env, const Node *n)
{
  Split p = {0};
  Type in = n->in[0]->type;
  for (int i = 0; i < in.n; i++) {
    int axis = in.axis[i];
    if (axis == AXIS_B || env->index[axis].n > 0) {
      continue;
    }
    if (reduces(n, axis)) {
      p.gone[p.ngone++] = (short)axis;
    } else {
      p.kept[p.nkept++] = (short)axis;
      p.innermost_stays = i == in.n - 1;
    }
  }
  return p;
}

/* result op= value */
static void accumulate(Emit *e, Op op, Str result, Str value)
{
  if (op == OP_MAX) {
    put_line(e, "%.*s = rank_max(%.*s, %.*s);", STR_ARG(result), STR_ARG(result), STR_ARG(value));
  } else {
    put_line(e, "%.*s += %.*s;", STR_ARG(result), STR_ARG(value));
  }
}

/* Each kept element by itself: a scalar accumulator, a reduction loop inside. */
static void reduce_scalar(Emit *e, const Stmt *s, Env *env, const Split *p)
{
  const Node *n = s->node;
  bool slot = e->p->value[n->id].place == PLACE_SLOT;
  loops_open(e, env, p->nkept, p->kept, false);
  bool direct = local_scalar(e, n) && p->nkept == 0;
  Str acc =
    direct ? e->p->value[n->id].name : put_text(e, "%.*s_sum", STR_ARG(e->p->value[n->id].name));
  bool trivial = slot && p->ngone == 0;
  if (!trivial) {
    put_line(
      e, "rank_real %.*s = %s;", STR_ARG(acc), n->op == OP_MAX ? "-(rank_real)INFINITY" : "0");
  }
  for (int i = 0; i < p->ngone; i++) {
    if (i == p->ngone - 1) {
      if (!has_random(e, n->in[0])) {
        put_line(
          e, "#pragma omp simd reduction(%s : %.*s)", n->op == OP_MAX ? "max" : "+", STR_ARG(acc));
      }
    }
    loop_open(e, env, p->gone[i], false);
  }
  Str value = expr(e, env, n->in[0]);
  if (trivial) {
    accumulate(e, n->op, place_of(e, env, n), value);
  } else if (n->op == OP_MAX) {
    put_line(e, "%.*s = %.*s > %.*s ? %.*s : %.*s;", STR_ARG(acc), STR_ARG(value), STR_ARG(acc),
      STR_ARG(value), STR_ARG(acc));
  } else {
    accumulate(e, n->op, acc, value);
  }
  loops_close(e, p->ngone);
  if (!trivial && !direct) {
    if (slot) {
      accumulate(e, n->op, place_of(e, env, n), acc);
    } else if (local_scalar(e, n)) {
      put_line(e, "const rank_real %.*s = %.*s;", STR_ARG(e->p->value[n->id].name), STR_ARG(acc));
    } else {
      put_line(e, "%.*s = %.*s;", STR_ARG(place_of(e, env, n)), STR_ARG(acc));
    }
  }
  loops_close(e, p->nkept);
}

/* The innermost axis stays: sums stand in the result's array. */
static void reduce_array(Emit *e, const Stmt *s, Env *env, const Split *p)
{
  const Node *n = s->node;
  declare_local(e, n);
  if (e->p->value[n->id].place != PLACE_SLOT) {
    Env zero = *env;
    zero.index = ARENA_ARRAY(e->arena, Str, e->g->axes.n);
    for (int i = 0; i < e->g->axes.n; i++) {
      zero.index[i] = env->index[i];
    }
    loops_open(e, &zero, p->nkept, p->kept, true);
    put_line(e, "%.*s = %s;", STR_ARG(place_of(e, &zero, n)),
      n->op == OP_MAX ? "-(rank_real)INFINITY" : "0");
    loops_close(e, p->nkept);
  }
  loops_open(e, env, p->nkept - 1, p->kept, false);
  loops_open(e, env, p->ngone, p->gone, false);
  loop_open(e, env, p->kept[p->nkept - 1], !has_random(e, n->in[0]));
  Str value = expr(e, env, n->in[0]);
  accumulate(e, n->op, place_of(e, env, n), value);
  loops_close(e, p->nkept + p->ngone);
}

static void print_reduce(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *n = s->node;
  if (!is_sample(s)) {
    env.index[AXIS_B] = (Str){0};
  }
  Split p = split_axes(&env, n);
  if (p.innermost_stays && p.nkept > 0 && (p.ngone > 0 || e->p->value[n->id].place == PLACE_SLOT)) {
    reduce_array(e, s, &env, &p);
  } else {
    if (p.nkept > 0) {
      declare_local(e, n);
    }
    reduce_scalar(e, s, &env, &p);
  }
  zero_padding(e, s, n);
}

/* ---- pieces ---- */

static void assign(Emit *e, Env *env, const Node *n, Str value)
{
  put_line(e, "%.*s = %.*s;", STR_ARG(place_of(e, env, n)), STR_ARG(value));
}

/* offset + ((i * J) + j) ... of the joined axes */
static Str joined_index(Emit *e, const Env *env, int n, const short *axes, long offset)
{
  Buf b = {.arena = e->arena};
  long k = 1;
  for (int i = n - 1; i >= 0; i--) {
    buf_format(&b, k == 1 ? "%s%.*s" : "%s%.*s * %ld", b.n > 0 ? " + " : "",
      STR_ARG(env->index[axes[i]]), k);
    k *= axis_extent(e->g, axes[i]);
  }
  if (offset != 0 || b.n == 0) {
    buf_format(&b, b.n > 0 ? " + %ld" : "%ld", offset);
  }
  return buf_take(&b);
}

static Env fresh(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  if (!is_sample(s)) {
    env.index[AXIS_B] = (Str){0};
  }
  return env;
}

/* Writes `piece`, whose axes `joined` lie in [offset, ...) of axis `out` of n. */
static void print_piece(
  Emit *e, const Stmt *s, const Node *piece, int out, int n, const short *joined, long offset)
{
  Env env = fresh(e, s);
  short axes[MAX_AXES];
  int count = 0;
  for (int i = 0; i < s->node->type.n; i++) { /* the axes that are kept, then the joined ones */
    int axis = s->node->type.axis[i];
    if (axis != AXIS_B && axis != out) {
      axes[count++] = (short)axis;
    }
  }
  for (int i = 0; i < n; i++) {
    axes[count++] = joined[i];
  }
  loops_open(e, &env, count, axes, !has_random(e, piece));
  env.index[out] = joined_index(e, &env, n, joined, offset);
  Str value = expr(e, &env, piece);
  assign(e, &env, s->node, value);
  loops_close(e, count);
}

static void print_concat(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  const short *axes = n->axes + 1;
  long offset = 0;
  for (int i = 0; i < n->nin; i++) {
    int joined = *axes++;
    print_piece(e, s, n->in[i], n->axes[0], joined, axes, offset);
    long size = 1;
    for (int j = 0; j < joined; j++) {
      size *= axis_extent(e->g, axes[j]);
    }
    offset += size;
    axes += joined;
  }
}

static void print_zeros(Emit *e, const Stmt *s)
{
  Env env = fresh(e, s);
  short axes[MAX_AXES];
  int count = loop_axes(&env, s->node->type, axes);
  loops_open(e, &env, count, axes, true);
  assign(e, &env, s->node, S("0"));
  loops_close(e, count);
}

/* x[F > G -> P] and back: position f (f - 1) / 2 + g of P is (f, g). */
static void print_triangle(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  bool back = n->op == OP_UNTRIANGLE;
  int f = back ? n->axes[1] : n->axes[0];
  int h = back ? n->axes[2] : n->axes[1];
  int p = back ? n->axes[0] : n->axes[2];
  if (back) {
    print_zeros(e, s);
  }
  Env env = fresh(e, s);
  short axes[MAX_AXES];
  int count = 0;
  Type t = n->type;
  short after[MAX_AXES]; /* plain axes behind F, G or P stay innermost */
  int nafter = 0;
  bool seen = false;
  for (int i = 0; i < t.n; i++) {
    int axis = t.axis[i];
    bool own = axis == f || axis == h || axis == p;
    seen |= own;
    if (axis != AXIS_B && !own) {
      if (seen) {
        after[nafter++] = (short)axis;
      } else {
        axes[count++] = (short)axis;
      }
    }
  }
  loops_open(e, &env, count, axes, false);
  Str vf = e->axis_var[f], vh = e->axis_var[h];
  put_open(e, "for (int %.*s = 1; %.*s < %ld; %.*s++) {", STR_ARG(vf), STR_ARG(vf),
    axis_extent(e->g, f), STR_ARG(vf));
  put_open(e, "for (int %.*s = 0; %.*s < %.*s; %.*s++) {", STR_ARG(vh), STR_ARG(vh), STR_ARG(vf),
    STR_ARG(vh));
  env.index[f] = vf;
  env.index[h] = vh;
  env.index[p] = put_text(e, "%.*s * (%.*s - 1) / 2 + %.*s", STR_ARG(vf), STR_ARG(vf), STR_ARG(vh));
  loops_open(e, &env, nafter, after, true);
  Str value = expr(e, &env, n->in[0]);
  assign(e, &env, n, value);
  loops_close(e, count + nafter + 2);
}

static void print_structure(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  declare_local(e, n);
  if (n->op == OP_CONCAT) {
    print_concat(e, s);
  } else if (n->op == OP_PAD) {
    print_zeros(e, s);
    print_piece(e, s, n->in[0], n->axes[0], n->naxes - 1, n->axes + 1, n->offset);
  } else {
    print_triangle(e, s);
  }
  zero_padding(e, s, n);
}

/* ---- what leaves the tile ---- */

/* Row-major over the output's shape, ragged axes at their maximum and padded with 0. */
static void print_output(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *n = s->node;
  short axes[MAX_AXES];
  int count = loop_axes(&env, n->type, axes);
  long size = 1;
  Buf b = {.arena = e->arena};
  for (int i = count - 1; i >= 0; i--) {
    Str v = e->axis_var[axes[i]];
    buf_format(&b, size == 1 ? " + %.*s" : " + %.*s * %ld", STR_ARG(v), size);
    size *= axis_extent(e->g, axes[i]);
  }
  put_open(e, "if (step->out[%d]) {", s->index);
  put_line(e, "rank_real *to = step->out[%d] + (s0 + s) * %ld;", s->index, size);
  if (size > 1) {
    put_line(e, "memset(to, 0, sizeof(rank_real) * %ld);", size);
  }
  loops_open(e, &env, count, axes, false);
  Str value = n->type.kind == KIND_ID ? put_text(e, "(rank_real)%.*s", STR_ARG(id_expr(e, &env, n)))
                                      : expr(e, &env, n);
  put_line(e, "to[0%.*s] = %.*s;", STR_ARG(b.n > 0 ? buf_take(&b) : S("")), STR_ARG(value));
  loops_close(e, count);
  put_close(e, "}");
}

/* Ids and gradient rows of one lookup, in the order of the batch. */
static void print_scatter(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  const Node *ids = s->node->in[2 * s->index], *d = s->node->in[2 * s->index + 1];
  const Param *table = &e->g->params.data[s->node->leaf];
  Str name = name_c(e->arena, table->name);
  Layout l = plan_layout(e->g, ids->type, false);
  Buf b = {.arena = e->arena};
  if (l.ragged < 0) {
    buf_format(&b, "(s0 + s) * %ld", l.width);
  } else {
    Str root = name_c(e->arena, e->g->axes.data[axis_root(e->g, l.ragged)].name);
    e->axis_used[axis_root(e->g, l.ragged)] = true;
    buf_format(
      &b, "(%.*s_off[s] + %.*s) * %ld", STR_ARG(root), STR_ARG(e->axis_var[l.ragged]), l.width);
  }
  for (int i = 0; i < ids->type.n; i++) {
    int axis = ids->type.axis[i];
    if (axis != AXIS_B && axis != l.ragged) {
      buf_format(&b, " + %.*s * %ld", STR_ARG(e->axis_var[axis]), l.stride[i]);
    }
  }
  short axes[MAX_AXES];
  int count = loop_axes(&env, ids->type, axes);
  put_open(e, "{");
  loops_open(e, &env, count, axes, false);
  put_line(
    e, "const long at = step->%.*s_at[%d] + %.*s;", STR_ARG(name), s->index, STR_ARG(buf_take(&b)));
  put_line(e, "step->%.*s_rows.ids[at] = %.*s;", STR_ARG(name), STR_ARG(id_expr(e, &env, ids)));
  Layout row = plan_layout(e->g, table->type, false);
  put_line(e, "rank_real *grad = step->%.*s_rows.d + at * %ld;", STR_ARG(name), row.width);
  int inner = loop_axes(&env, table->type, axes);
  loops_open(e, &env, inner, axes, true);
  Buf at = {.arena = e->arena};
  buf_format(&at, "0");
  for (int i = 0; i < table->type.n; i++) {
    buf_format(&at, " + %.*s * %ld", STR_ARG(env.index[table->type.axis[i]]), row.stride[i]);
  }
  Str value = expr(e, &env, d);
  put_line(e, "grad[%.*s] = %.*s;", STR_ARG(buf_take(&at)), STR_ARG(value));
  loops_close(e, inner + count + 1);
}

void stmt_print(Emit *e, const Stmt *s)
{
  comment_source(e, s->store->loc);
  switch (s->kind) {
  case STMT_ELEMENT:
    print_element(e, s);
    return;
  case STMT_REDUCE:
    print_reduce(e, s);
    return;
  case STMT_STRUCTURE:
    print_structure(e, s);
    return;
  case STMT_CONTRACT:
    contract_print(e, s);
    return;
  case STMT_OUTPUT:
    print_output(e, s);
    return;
  case STMT_SCATTER:
    print_scatter(e, s);
    return;
  }
}
