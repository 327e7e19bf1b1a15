/* update.c: the optimizer in C.
 *
 * Its text in the language says what happens to one number; parts that are the same for all numbers
 * (bias corrections, the scheduled rate) are computed once per step, in double precision, and kept in
 * `struct hyper`. */

#include "writer.h"

#include "../ir/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CONSTANTS = 32 };

typedef struct Shared {
  const Node *node;
  int uses;
  Str name; /* once it stands in a variable */
} Shared;

typedef struct Update {
  Emit *e;
  const Optimizer *o;
  bool once; /* printing what is computed once per step, in double */
  int n;
  const Node *constant[MOST_CONSTANTS];
  bool inverse[MOST_CONSTANTS]; /* 1 / it: dividing by what does not vary is multiplying */
  VEC(Shared) shared;           /* what is computed once per step, node by node */
} Update;

static bool varies(const Node *n)
{
  if (n->op == OP_VAR) {
    return n->leaf == VAR_W || n->leaf == VAR_G || n->leaf >= VAR_STATE;
  }
  for (int i = 0; i < n->nin; i++) {
    if (varies(n->in[i])) {
      return true;
    }
  }
  return false;
}

static Str state_name(Update *u, int k)
{
  return name_c(u->e->arena, u->o->state_name[k]);
}

static Str constant_name(Update *u, const Node *n, bool inverse)
{
  int i = 0;
  while (i < u->n && (u->constant[i] != n || u->inverse[i] != inverse)) {
    i++;
  }
  if (i == u->n && u->n < MOST_CONSTANTS) {
    u->inverse[i] = inverse;
    u->constant[u->n++] = n;
  }
  return put_text(u->e, "h->c%d", i);
}

static Str print_var(Update *u, int var)
{
  switch (var) {
  case VAR_W:
    return S("w0");
  case VAR_G:
    return S("g");
  case VAR_T:
    return u->once ? S("t") : S("h->t");
  case VAR_LR:
    return u->once ? S("lr") : S("h->lr");
  case VAR_STEPS:
    return u->once ? S("steps") : S("h->steps");
  default:
    return put_text(u->e, "%.*s0", STR_ARG(state_name(u, var - VAR_STATE)));
  }
}

/* ---- expressions ---- */

static Str print(Update *u, const Node *n, int outer);

/* As C's operators bind: 0 anything, 1 sums, 2 products, 3 operands. */
static int strength(Op op)
{
  return op == OP_ADD || op == OP_SUB ? 1 : op == OP_MUL || op == OP_DIV ? 2 : op == OP_NEG ? 3 : 4;
}

static Str bracketed(Update *u, Str text, int own, int outer)
{
  return own < outer ? put_text(u->e, "(%.*s)", STR_ARG(text)) : text;
}

static Str print_op(Update *u, const Node *n, int outer)
{
  int own = strength(n->op);
  if (!u->once && n->op == OP_DIV && !varies(n->in[1])) {
    Str text = put_text(u->e, "%.*s * %.*s", STR_ARG(print(u, n->in[0], 2)),
      STR_ARG(constant_name(u, n->in[1], true)));
    return bracketed(u, text, own, outer);
  }
  Buf b = {.arena = u->e->arena};
  for (const char *p = op_rows[n->op].c; *p; p++) {
    if (*p == '%') {
      int k = *++p - '0';
      buf_str(&b, print(u, n->in[k], own == 4 ? 0 : own + (k == 1 || own == 3)));
    } else if (u->once && strncmp(p, "rank_", 5) == 0) {
      buf_str(&b, S("rank_d_"));
      p += 4;
    } else {
      buf_str(&b, (Str){p, 1});
    }
  }
  return bracketed(u, buf_take(&b), own, outer);
}

/* The shortest text that reads back as the same double. */
static Str double_text(Arena *a, double x)
{
  Str s = {0};
  if (fabs(x) < 1e9 && x == floor(x)) {
    return str_format(a, "%.0f", x);
  }
  for (int digits = 1; digits <= 17; digits++) {
    s = str_format(a, "%.*g", digits, x);
    if (strtod(s.s, NULL) == x) {
      break;
    }
  }
  return s;
}

static Str print(Update *u, const Node *n, int outer)
{
  for (int k = 0; k < u->o->nstates && !u->once; k++) {
    if (n == u->o->new_state[k] && n->op != OP_VAR) {
      return put_text(u->e, "%.*s1", STR_ARG(state_name(u, k)));
    }
  }
  for (int i = 0; i < u->shared.n && u->once; i++) {
    if (u->shared.data[i].node == n && u->shared.data[i].name.n > 0) {
      return u->shared.data[i].name;
    }
  }
  if (n->op == OP_CONST) {
    Str text = u->once ? double_text(u->e->arena, n->value) : number_c(u->e, n->value);
    return bracketed(u, text, n->value < 0 ? 3 : 4, outer);
  }
  if (n->op == OP_VAR) {
    return print_var(u, n->leaf);
  }
  return !u->once && !varies(n) ? constant_name(u, n, false) : print_op(u, n, outer);
}

/* Without the name for itself: what a new state is. */
static Str print_state(Update *u, int k)
{
  const Node *n = u->o->new_state[k];
  return n->op == OP_CONST || n->op == OP_VAR ? print(u, n, 0)
         : varies(n)                          ? print_op(u, n, 0)
                                              : constant_name(u, n, false);
}

static bool reads(const Node *n, const Node *wanted)
{
  if (n == wanted) {
    return true;
  }
  for (int i = 0; i < n->nin; i++) {
    if (reads(n->in[i], wanted)) {
      return true;
    }
  }
  return false;
}

/* New states in an order in which each finds those it reads: one may follow from another. */
static void print_states(Update *u)
{
  const Optimizer *o = u->o;
  bool done[MAX_STATES] = {0};
  for (int left = o->nstates; left > 0;) {
    for (int k = 0; k < o->nstates; k++) {
      bool ready = !done[k];
      for (int j = 0; j < o->nstates; j++) {
        ready &= j == k || done[j] || o->new_state[j]->op == OP_VAR ||
                 !reads(o->new_state[k], o->new_state[j]);
      }
      if (ready) {
        put_line(u->e, "const rank_real %.*s1 = %.*s;", STR_ARG(state_name(u, k)),
          STR_ARG(print_state(u, k)));
        done[k] = true;
        left--;
      }
    }
  }
}

static void update_one(Update *u)
{
  Emit *e = u->e;
  const Optimizer *o = u->o;
  Buf args = {.arena = e->arena};
  for (int k = 0; k < o->nstates; k++) {
    buf_format(&args, ", rank_real *%.*s", STR_ARG(state_name(u, k)));
  }
  put_line(e, "/* %.*s: one parameter. */", STR_ARG(o->name));
  put_line(e, "RANK_INLINE void update(rank_real *w%.*s, rank_real g, %sconst struct hyper *h)",
    STR_ARG(buf_take(&args)), o->l2 > 0 ? "rank_real l2, " : "");
  put_open(e, "{");
  put_line(e, "const rank_real w0 = *w;");
  for (int k = 0; k < o->nstates; k++) {
    put_line(
      e, "const rank_real %.*s0 = *%.*s;", STR_ARG(state_name(u, k)), STR_ARG(state_name(u, k)));
  }
  if (o->clip_value > 0) {
    put_line(e, "g = rank_max(rank_min(g, %.*s), %.*s);", STR_ARG(number_c(e, o->clip_value)),
      STR_ARG(number_c(e, -o->clip_value)));
  }
  if (o->clip_norm > 0) {
    put_line(e, "g *= h->clip;");
  }
  if (o->l2 > 0) {
    put_line(e, "g += l2 * w0;");
  }
  print_states(u);
  put_line(e, "*w = %.*s;", STR_ARG(print(u, o->new_w, 0)));
  for (int k = 0; k < o->nstates; k++) {
    put_line(e, "*%.*s = %.*s1;", STR_ARG(state_name(u, k)), STR_ARG(state_name(u, k)));
  }
  if (u->n == 0 && o->clip_norm <= 0) {
    put_line(e, "(void)h;");
  }
  put_close(e, "}");
  put_blank(e);
}

/* ---- once per step ---- */

static void count_uses(Update *u, const Node *n)
{
  for (int i = 0; i < u->shared.n; i++) {
    if (u->shared.data[i].node == n) {
      u->shared.data[i].uses++;
      return;
    }
  }
  for (int i = 0; i < n->nin; i++) {
    count_uses(u, n->in[i]);
  }
  *VEC_PUSH(u->e->arena, &u->shared) = (Shared){.node = n, .uses = 1}; /* behind its operands */
}

/* Variables for what is used more than once, from `from` on: operands stand before their users. */
static void declare_shared(Update *u, int from)
{
  for (int i = from; i < u->shared.n; i++) {
    Shared *x = &u->shared.data[i];
    if (x->uses > 1 && x->node->nin > 0) {
      Str text = print(u, x->node, 0);
      x->name = put_text(u->e, "x%d", i);
      put_line(u->e, "const double %.*s = %.*s;", STR_ARG(x->name), STR_ARG(text));
    }
  }
}

static void hyper_fill(Update *u)
{
  Emit *e = u->e;
  u->once = true;
  put_line(e, "static struct hyper hyper_at(const rank_state *s, const rank_step *o)");
  put_open(e, "{");
  put_line(e, "const double t = (double)(s->step + 1), steps = (double)o->steps;");
  if (u->o->schedule) {
    count_uses(u, u->o->schedule);
    declare_shared(u, 0);
    put_line(e, "const double lr = o->lr * %.*s;", STR_ARG(print(u, u->o->schedule, 3)));
  } else {
    put_line(e, "const double lr = o->lr;");
  }
  int from = u->shared.n;
  for (int i = 0; i < u->n; i++) {
    count_uses(u, u->constant[i]);
  }
  declare_shared(u, from);
  put_line(
    e, "struct hyper h = {.lr = (rank_real)lr, .t = (rank_real)t, .steps = (rank_real)steps};");
  for (int i = 0; i < u->n; i++) {
    Str text = print(u, u->constant[i], u->inverse[i] ? 3 : 0);
    put_line(e,
      u->inverse[i] ? "h.c%d = (rank_real)(1 / (double)%.*s);" : "h.c%d = (rank_real)(%.*s);", i,
      STR_ARG(text));
  }
  put_line(e, "h.clip = 1;");
  put_line(e, "return h;");
  put_close(e, "}");
  put_blank(e);
}

void hyper_struct(Emit *e)
{
  Update u = {.e = e, .o = &e->g->train.optimizer};
  Buf *outer = e->out;
  Buf body = {.arena = e->arena};
  e->out = &body;
  update_one(&u);
  hyper_fill(&u);
  e->out = outer;
  put_line(
    e, "/* What an update needs beside the parameter: the same for all of them in a step. */");
  put_open(e, "struct hyper {");
  put_line(e, "rank_real lr, t, steps, clip;");
  for (int i = 0; i < u.n; i++) {
    put_line(e, "rank_real c%d; /* %s%.*s */", i, u.inverse[i] ? "1 / " : "",
      STR_ARG(print(&u, u.constant[i], u.inverse[i] ? 3 : 0)));
  }
  put_close(e, "};");
  put_blank(e);
  buf_str(e->out, buf_take(&body));
}
