/* update.c: the optimizer in C.
 *
 * Its text in the language says what happens to one number; parts that are the same for all numbers
 * (bias corrections, the scheduled rate) are computed once per step, in double precision, and kept in
 * `struct hyper`. */

#include "writer.h"

#include "../ir/ops.h"

#include <string.h>

enum { MOST_CONSTANTS = 32 };

typedef struct Update {
  Emit *e;
  const Optimizer *o;
  bool once; /* printing what is computed once per step, in double */
  int n;
  const Node *constant[MOST_CONSTANTS];
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

static Str constant_name(Update *u, const Node *n)
{
  int i = 0;
  while (i < u->n && u->constant[i] != n) {
    i++;
  }
  if (i == u->n && u->n < MOST_CONSTANTS) {
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

static Str print(Update *u, const Node *n);

static Str print_op(Update *u, const Node *n)
{
  Buf b = {.arena = u->e->arena};
  for (const char *p = op_rows[n->op].c; *p; p++) {
    if (*p == '%') {
      buf_str(&b, print(u, n->in[*++p - '0']));
    } else if (u->once && strncmp(p, "rank_", 5) == 0) {
      buf_str(&b, S("rank_d_"));
      p += 4;
    } else {
      buf_str(&b, (Str){p, 1});
    }
  }
  return put_text(u->e, op_rows[n->op].c[0] == 'r' ? "%.*s" : "(%.*s)", STR_ARG(buf_take(&b)));
}

static Str print(Update *u, const Node *n)
{
  for (int k = 0; k < u->o->nstates && !u->once; k++) {
    if (n == u->o->new_state[k] && n->op != OP_VAR) {
      return put_text(u->e, "%.*s1", STR_ARG(state_name(u, k)));
    }
  }
  if (n->op == OP_CONST) {
    return u->once ? str_format(u->e->arena, "%.17g", n->value) : number_c(u->e, n->value);
  }
  if (n->op == OP_VAR) {
    return print_var(u, n->leaf);
  }
  if (!u->once && !varies(n)) {
    return constant_name(u, n);
  }
  return print_op(u, n);
}

/* Without the name for itself: what a new state is. */
static Str print_state(Update *u, int k)
{
  const Node *n = u->o->new_state[k];
  return n->op == OP_CONST || n->op == OP_VAR ? print(u, n)
         : varies(n)                          ? print_op(u, n)
                                              : constant_name(u, n);
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
  put_line(e, "*w = %.*s;", STR_ARG(print(u, o->new_w)));
  for (int k = 0; k < o->nstates; k++) {
    put_line(e, "*%.*s = %.*s1;", STR_ARG(state_name(u, k)), STR_ARG(state_name(u, k)));
  }
  put_line(e, "(void)h;");
  put_close(e, "}");
  put_blank(e);
}

static void hyper_fill(Update *u)
{
  Emit *e = u->e;
  u->once = true;
  put_line(e, "static struct hyper hyper_at(const rank_state *s, const rank_step *o)");
  put_open(e, "{");
  put_line(e, "const double t = (double)(s->step + 1), steps = (double)o->steps;");
  put_line(e, "const double lr = o->lr%.*s;",
    STR_ARG(u->o->schedule ? put_text(e, " * (%.*s)", STR_ARG(print(u, u->o->schedule))) : S("")));
  put_line(
    e, "struct hyper h = {.lr = (rank_real)lr, .t = (rank_real)t, .steps = (rank_real)steps};");
  for (int i = 0; i < u->n; i++) {
    put_line(e, "h.c%d = (rank_real)%.*s;", i, STR_ARG(print(u, u->constant[i])));
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
    put_line(e, "rank_real c%d;", i);
  }
  put_close(e, "};");
  put_blank(e);
  buf_str(e->out, buf_take(&body));
}
