/* reduce.c: sums and maxima.
 *
 * Sums run over the reduced axes in order. When the innermost axis stays, partial sums stand in an
 * array, so that the loop over it vectorises; otherwise each result has an accumulator. It has one
 * too when nothing that is read has the axis that stays innermost in memory, as the weights of a
 * layer. The array is one of the sample's turn where it can be, which the compiler keeps in
 * registers: sums in memory would wait for each other's stores. */

#include "writer.h"

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

/* Does something that x reads from memory have this axis last? */
static bool read_along(const Emit *e, const Node *x, int axis)
{
  if (op_pointwise(x->op) && e->p->value[x->id].place == PLACE_INLINE) {
    for (int i = 0; i < x->nin; i++) {
      if (read_along(e, x->in[i], axis)) {
        return true;
      }
    }
    return false;
  }
  return x->type.n > 0 && x->type.axis[x->type.n - 1] == axis;
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

/* Added to what stands there: samples, or blocks of columns, came before. */
static bool goes_on(const Emit *e, const Node *n)
{
  bool columns = false;
  for (int i = 0; i < n->naxes; i++) {
    columns |= e->g->axes.data[n->axes[i]].kind == AXIS_BATCH;
  }
  return e->p->value[n->id].place == PLACE_SLOT || (columns && e->sweep);
}

static void reduction_pragma(Emit *e, Op op, Str acc)
{
  put_line(e, "#pragma omp simd reduction(%s : %.*s)", op == OP_MAX ? "max" : "+", STR_ARG(acc));
}

/* The loops over what goes, into acc, which they declare. A maximum is one of whole numbers. */
static void reduce_loops(Emit *e, const Node *n, Env *env, const Split *p, Str acc)
{
  bool most = n->op == OP_MAX;
  Str into = most ? put_text(e, "%.*s_height", STR_ARG(acc)) : acc;
  if (most) {
    put_line(e, "rank_height %.*s = rank_height_of(-(rank_real)INFINITY);", STR_ARG(into));
  } else {
    put_line(e, "rank_real %.*s = %s;", STR_ARG(acc),
      n == e->fold.sum ? "step->folded ? step->folded[s0 + s] : 0" : "0");
  }
  for (int i = 0; i < p->ngone; i++) {
    if (i == p->ngone - 1) {
      rows_point(e, env, n->in[0]);
      if (!has_random(e, n->in[0])) {
        reduction_pragma(e, n->op, into);
      }
    }
    loop_open(e, env, p->gone[i], false);
  }
  Str value = expr(e, env, n->in[0]);
  if (most) {
    put_line(e, "const rank_height each = rank_height_of(%.*s);", STR_ARG(value));
    put_line(e, "%.*s = each > %.*s ? each : %.*s;", STR_ARG(into), STR_ARG(into), STR_ARG(into));
  } else {
    accumulate(e, n->op, acc, value);
  }
  loops_close(e, p->ngone);
  if (most) {
    put_line(e, "const rank_real %.*s = rank_at_height(%.*s);", STR_ARG(acc), STR_ARG(into));
  }
}

/* Each kept element by itself: a scalar accumulator, a reduction loop inside. */
static void reduce_scalar(Emit *e, const Stmt *s, Env *env, const Split *p)
{
  const Node *n = s->node;
  bool slot = goes_on(e, n);
  for (int i = 0; i < p->nkept; i++) {
    loop_open(e, env, p->kept[i], false);
  }
  bool direct = local_scalar(e, n) && p->nkept == 0;
  Str name = e->p->value[n->id].name;
  Str acc = direct            ? name
            : p->nkept == 0   ? put_text(e, "%.*s_here", STR_ARG(name))
            : n->op == OP_MAX ? S("most")
                              : S("sum");
  if (slot && p->ngone == 0) {
    accumulate(e, n->op, target_of(e, env, n), expr(e, env, n->in[0]));
    loops_close(e, p->nkept);
    return;
  }
  reduce_loops(e, n, env, p, acc);
  if (!direct) {
    if (slot) {
      accumulate(e, n->op, target_of(e, env, n), acc);
    } else if (local_scalar(e, n)) {
      put_line(e, "const rank_real %.*s = %.*s;", STR_ARG(e->p->value[n->id].name), STR_ARG(acc));
    } else {
      put_line(e, "%.*s = %.*s;", STR_ARG(target_of(e, env, n)), STR_ARG(acc));
    }
  }
  loops_close(e, p->nkept);
}

/* ---- sums that may share a nest with other statements ---- */

/* Summed over all but the last axis, or over samples alone. */
static bool is_rows(const Split *p)
{
  return p->innermost_stays && p->nkept == 1 && p->ngone > 0;
}

bool reduce_in_nest(Emit *e, const Stmt *s, int *count, short *axes)
{
  Env env = env_fresh(e, s);
  Split p = split_axes(&env, s->node);
  bool samples = p.ngone == 0 && p.nkept > 0 && goes_on(e, s->node);
  if (s->node->op != OP_SUM || !p.innermost_stays || e->sweep || !(samples || is_rows(&p)) ||
      !read_along(e, s->node->in[0], p.kept[p.nkept - 1])) {
    return false;
  }
  *count = 0;
  for (int i = 0; i < p.ngone; i++) {
    axes[(*count)++] = p.gone[i];
  }
  for (int i = 0; i < p.nkept; i++) {
    axes[(*count)++] = p.kept[i];
  }
  return true;
}

/* The array of partial sums: the value's own when it is one of this turn. */
static Str partial_sums(Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  return v->place == PLACE_LOCAL ? v->name : put_text(e, "%.*s_here", STR_ARG(v->name));
}

void reduce_begin(Emit *e, const Stmt *s, const short *axes, int count)
{
  Env env = env_fresh(e, s);
  Split p = split_axes(&env, s->node);
  if (is_rows(&p)) {
    long size = axis_extent(e->g, axes[count - 1]);
    put_line(e, "%srank_real %.*s[%ld] = {0};", size < 16 ? "" : "_Alignas(64) ",
      STR_ARG(partial_sums(e, s->node)), size);
  }
}

void reduce_inside(Emit *e, const Stmt *s, const Env *env)
{
  Env outside = env_fresh(e, s);
  Split p = split_axes(&outside, s->node);
  Str value = expr(e, env, s->node->in[0]);
  Str to = is_rows(&p) ? put_text(e, "%.*s[%.*s]", STR_ARG(partial_sums(e, s->node)),
                           STR_ARG(env->index[p.kept[0]]))
                       : target_of(e, env, s->node);
  put_line(e, "%.*s += %.*s;", STR_ARG(to), STR_ARG(value));
}

void reduce_end(Emit *e, int n, const Stmt *const *s)
{
  bool open = false;
  Str index = {0};
  Env env = env_fresh(e, s[0]);
  for (int i = 0; i < n; i++) {
    const Node *node = s[i]->node;
    if (s[i]->kind != STMT_REDUCE || e->p->value[node->id].place == PLACE_LOCAL) {
      continue;
    }
    Env outside = env_fresh(e, s[i]);
    Split p = split_axes(&outside, node);
    if (!is_rows(&p)) {
      continue;
    }
    if (!open) {
      loop_open(e, &env, p.kept[0], true);
      index = env.index[p.kept[0]];
      open = true;
    }
    env.index[p.kept[0]] = index; /* another axis, perhaps, of the same extent */
    put_line(e, "%.*s %s %.*s[%.*s];", STR_ARG(target_of(e, &env, node)),
      goes_on(e, node) ? "+=" : "=", STR_ARG(partial_sums(e, node)), STR_ARG(index));
  }
  loops_close(e, open);
}

/* The innermost axis stays: sums stand in the result's array. */
static void reduce_array(Emit *e, const Stmt *s, Env *env, const Split *p)
{
  const Node *n = s->node;
  declare_local(e, n);
  if (!goes_on(e, n)) {
    Env zero = *env;
    zero.index = ARENA_ARRAY(e->arena, Str, e->g->axes.n);
    for (int i = 0; i < e->g->axes.n; i++) {
      zero.index[i] = env->index[i];
    }
    loops_open(e, &zero, p->nkept, p->kept, NULL);
    put_line(e, "%.*s = %s;", STR_ARG(target_of(e, &zero, n)),
      n->op == OP_MAX ? "-(rank_real)INFINITY" : "0");
    loops_close(e, p->nkept);
  }
  for (int i = 0; i < p->nkept - 1; i++) {
    loop_open(e, env, p->kept[i], false);
  }
  for (int i = 0; i < p->ngone; i++) {
    loop_open(e, env, p->gone[i], false);
  }
  rows_point(e, env, n->in[0]);
  loop_open(e, env, p->kept[p->nkept - 1], !has_random(e, n->in[0]));
  Str value = expr(e, env, n->in[0]);
  accumulate(e, n->op, target_of(e, env, n), value);
  loops_close(e, p->nkept + p->ngone);
}

void reduce_print(Emit *e, const Stmt *s)
{
  Env env = env_fresh(e, s);
  const Node *n = s->node;
  Split p = split_axes(&env, n);
  bool array = p.innermost_stays && p.nkept > 0 && read_along(e, n->in[0], p.kept[p.nkept - 1]);
  if (array && (p.ngone > 0 || goes_on(e, n))) {
    reduce_array(e, s, &env, &p);
  } else {
    if (p.nkept > 0) {
      declare_local(e, n);
    }
    reduce_scalar(e, s, &env, &p);
  }
  zero_padding(e, s, n);
}

void reduce_clear(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  const Value *v = &e->p->value[n->id];
  if (v->place == PLACE_SLOT || v->layout.across > 0) {
    return;
  }
  e->used[n->id] = e->written[n->id] = true;
  if (n->op == OP_SUM) {
    put_line(e, "memset(%.*s, 0, sizeof(rank_real) * (size_t)(%.*s));", STR_ARG(v->name),
      STR_ARG(times_text(e, S("n"), v->layout.width)));
    return;
  }
  put_open(e, "for (long i = 0; i < %.*s; i++) {", STR_ARG(times_text(e, S("n"), v->layout.width)));
  put_line(e, "%.*s[i] = -(rank_real)INFINITY;", STR_ARG(v->name));
  put_close(e, "}");
}
