/* pieces.c: values that are put together from pieces: concat, pad, triangle and its undoing. */

#include "writer.h"

static void assign(Emit *e, Env *env, const Node *n, Str value)
{
  put_line(e, "%.*s = %.*s;", STR_ARG(target_of(e, env, n)), STR_ARG(value));
}

/* offset + ((i * J) + j) ... of the joined axes */
static Str joined_index(Emit *e, const Env *env, int n, const short *axes, long offset)
{
  Buf b = {.arena = e->arena};
  long k = 1;
  for (int i = n - 1; i >= 0; i--) {
    put_term(e, &b, env->index[axes[i]], k);
    k *= axis_extent(e->g, axes[i]);
  }
  if (offset != 0 || b.n == 0) {
    buf_format(&b, b.n > 0 ? " + %ld" : "%ld", offset);
  }
  return buf_take(&b);
}

/* The axes that all pieces of s have: neither B nor the joined one. */
static int kept_axes(const Stmt *s, int out, short *axes)
{
  int count = 0;
  for (int i = 0; i < s->node->type.n; i++) {
    int axis = s->node->type.axis[i];
    if (axis != AXIS_B && axis != out) {
      axes[count++] = (short)axis;
    }
  }
  return count;
}

/* Writes `piece`, whose axes `joined` lie in [offset, ...) of axis `out` of s, inside the loops over the
 * others that env has. */
static void print_piece(Emit *e, const Stmt *s, const Env *outer, const Node *piece, int out, int n,
  const short *joined, long offset)
{
  Env env = env_copy(e, outer);
  loops_open(e, &env, n, joined, piece);
  env.index[out] = joined_index(e, &env, n, joined, offset);
  Str value = expr(e, &env, piece);
  assign(e, &env, s->node, value);
  loops_close(e, n);
}

/* Opens the loops that the pieces share; the last may run in vectors when no piece has a loop inside. */
static int shared_open(Emit *e, const Stmt *s, Env *env, bool inner)
{
  short axes[MAX_AXES];
  int count = kept_axes(s, s->node->axes[0], axes);
  bool simd = !inner;
  for (int i = 0; i < s->node->nin; i++) {
    simd &= !has_random(e, s->node->in[i]);
  }
  for (int i = 0; i < count; i++) {
    loop_open(e, env, axes[i], simd && i == count - 1);
  }
  return count;
}

/* Whether the axis that pieces are joined along comes before those that they share, and these are worth
 * vectors: each piece then has loops of its own, from the outer to the inner, and is written side by side. */
static bool joins_outside(const Emit *e, const Stmt *s)
{
  const Type t = s->node->type;
  int first = t.n > 0 && t.axis[0] == AXIS_B;
  return first + 1 < t.n && t.axis[first] == s->node->axes[0] &&
         axis_extent(e->g, t.axis[t.n - 1]) >= 8;
}

static void print_pieces_outside(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  const short *axes = n->axes + 1;
  short kept[MAX_AXES];
  int nkept = kept_axes(s, n->axes[0], kept);
  long offset = 0;
  for (int i = 0; i < n->nin; i++) {
    Env env = env_fresh(e, s);
    int joined = *axes++;
    long size = 1;
    for (int j = 0; j < joined; j++) {
      loop_open(e, &env, axes[j], false);
      size *= axis_extent(e->g, axes[j]);
    }
    env.index[n->axes[0]] = joined_index(e, &env, joined, axes, offset);
    loops_open(e, &env, nkept, kept, n->in[i]);
    Str value = expr(e, &env, n->in[i]);
    assign(e, &env, n, value);
    loops_close(e, joined + nkept);
    offset += size;
    axes += joined;
  }
}

static void print_concat(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  Env env = env_fresh(e, s);
  bool inner = false;
  const short *axes = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    inner |= axes[0] > 0;
    axes += axes[0] + 1;
  }
  if (inner && joins_outside(e, s)) {
    print_pieces_outside(e, s);
    return;
  }
  int count = shared_open(e, s, &env, inner);
  long offset = 0;
  axes = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    int joined = *axes++;
    print_piece(e, s, &env, n->in[i], n->axes[0], joined, axes, offset);
    long size = 1;
    for (int j = 0; j < joined; j++) {
      size *= axis_extent(e->g, axes[j]);
    }
    offset += size;
    axes += joined;
  }
  loops_close(e, count);
}

static void print_pad(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  Env env = env_fresh(e, s);
  int count = shared_open(e, s, &env, n->naxes > 1);
  print_piece(e, s, &env, n->in[0], n->axes[0], n->naxes - 1, n->axes + 1, n->offset);
  loops_close(e, count);
}

static void print_zeros(Emit *e, const Stmt *s)
{
  Env env = env_fresh(e, s);
  short axes[MAX_AXES];
  int count = loop_axes(&env, s->node->type, axes);
  loops_open(e, &env, count, axes, NULL);
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
  Env env = env_fresh(e, s);
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
  for (int i = 0; i < count; i++) {
    loop_open(e, &env, axes[i], false);
  }
  Str vf = env.index[f] = loop_variable(e, &env, f);
  Str vh = env.index[h] = loop_variable(e, &env, h);
  put_open(e, "for (int %.*s = 1; %.*s < %ld; %.*s++) {", STR_ARG(vf), STR_ARG(vf),
    axis_extent(e->g, f), STR_ARG(vf));
  put_open(e, "for (int %.*s = 0; %.*s < %.*s; %.*s++) {", STR_ARG(vh), STR_ARG(vh), STR_ARG(vf),
    STR_ARG(vh));
  env.index[p] = put_text(e, "%.*s * (%.*s - 1) / 2 + %.*s", STR_ARG(vf), STR_ARG(vf), STR_ARG(vh));
  loops_open(e, &env, nafter, after, n->in[0]);
  Str value = expr(e, &env, n->in[0]);
  assign(e, &env, n, value);
  loops_close(e, count + nafter + 2);
}

void structure_print(Emit *e, const Stmt *s)
{
  const Node *n = s->node;
  declare_local(e, n);
  if (n->op == OP_CONCAT) {
    print_concat(e, s);
  } else if (n->op == OP_PAD) {
    print_zeros(e, s);
    print_pad(e, s);
  } else {
    print_triangle(e, s);
  }
  zero_padding(e, s, n);
}
