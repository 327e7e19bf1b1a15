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
  put_line(e, "RANK_INLINE void update(rank_real *w%.*s, rank_real g, const struct hyper *h)",
    STR_ARG(buf_take(&args)));
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
    put_line(e, "g += %.*s * w0;", STR_ARG(number_c(e, o->l2)));
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

/* ---- all parameters ---- */

/* Opens loops over a parameter's axes; *at gets the element's index. */
static int param_loops(Emit *e, Env *env, const Param *q, const char *pragma, Str *at)
{
  Layout l = plan_layout(e->g, q->type, false);
  Buf b = {.arena = e->arena};
  for (int i = 0; i < q->type.n; i++) {
    if (i == 0 && pragma) {
      put_line(e, "%s", pragma);
    }
    loop_open(e, env, q->type.axis[i], i > 0 && i == q->type.n - 1);
    buf_format(&b, l.stride[i] == 1 ? "%s%.*s" : "%s%.*s * %ld", i > 0 ? " + " : "",
      STR_ARG(env->index[q->type.axis[i]]), l.stride[i]);
  }
  *at = b.n > 0 ? buf_take(&b) : S("0");
  return q->type.n;
}

static Str update_call(Emit *e, Str at)
{
  const Optimizer *o = &e->g->train.optimizer;
  Buf b = {.arena = e->arena};
  buf_format(&b, "update(&w[%.*s]", STR_ARG(at));
  for (int k = 0; k < o->nstates; k++) {
    buf_format(&b, ", &state_%d[%.*s]", k, STR_ARG(at));
  }
  return buf_take(&b);
}

static void param_pointers(Emit *e, int param, const char *offset)
{
  Str name = name_c(e->arena, e->g->params.data[param].name);
  put_line(e, "rank_real *restrict w = step->%.*s%s;", STR_ARG(name), offset);
  for (int k = 0; k < e->g->train.optimizer.nstates; k++) {
    put_line(
      e, "rank_real *restrict state_%d = step->state->state[%d][%d]%s;", k, param, k, offset);
  }
}

static Env no_sample(Emit *e)
{
  Env env = env_new(e);
  env.index[AXIS_B] = (Str){0};
  return env;
}

static void update_dense(Emit *e, const Grad *grad)
{
  const Param *q = &e->g->params.data[grad->param];
  put_line(e, "/* %.*s */", STR_ARG(q->name));
  put_open(e, "{");
  param_pointers(e, grad->param, "");
  Env env = no_sample(e);
  Str at;
  bool scalar = q->type.n == 0;
  if (scalar) {
    put_line(e, "#pragma omp single nowait");
  }
  int loops = param_loops(e, &env, q, "#pragma omp for nowait", &at);
  Str g = expr(e, &env, grad->node);
  put_line(e, "%.*s, %.*s, &step->hyper);", STR_ARG(update_call(e, at)), STR_ARG(g));
  for (int i = 0; i < loops; i++) {
    put_close(e, "}");
  }
  put_close(e, "}");
}

static bool whole_tables(const Optimizer *o)
{
  return o->dense_tables || (o->l2 > 0 && o->l2_dense);
}

static void row_update(Emit *e, long width)
{
  put_line(e, "#pragma omp simd");
  put_open(e, "for (int i = 0; i < %ld; i++) {", width);
  put_line(e, "%.*s, g[i], &step->hyper);", STR_ARG(update_call(e, S("i"))));
  put_close(e, "}");
}

static void update_table(Emit *e, const Grad *grad)
{
  const Param *q = &e->g->params.data[grad->param];
  long width = plan_layout(e->g, q->type, false).width;
  Str name = name_c(e->arena, q->name);
  put_open(e, "{");
  put_line(e, "const rank_lookups *rows = &step->%.*s_rows;", STR_ARG(name));
  put_line(e, "rank_real g[%ld];", width);
  Str offset = put_text(e, " + id * %ld", width);
  if (whole_tables(&e->g->train.optimizer)) {
    put_line(e, "/* %.*s: every row moves, with a gradient or without */", STR_ARG(q->name));
    put_open(e, "for (long id = 0; id < step->state->rows[%d]; id++) {", grad->param);
    put_line(e, "const int32_t at = rank_lookups_find(rows, part, parts, id);");
    put_open(e, "if (at == -2) {");
    put_line(e, "continue;");
    put_close(e, "}");
    put_open(e, "if (at >= 0) {");
    put_line(e, "rank_lookups_sum(rows, at, %ld, g);", width);
    e->indent--;
    put_open(e, "} else {");
    put_line(e, "memset(g, 0, sizeof g);");
    put_close(e, "}");
  } else {
    put_line(e, "/* %.*s: the rows that were looked up */", STR_ARG(q->name));
    put_open(e, "for (long k = 0; k < count_%d; k++) {", grad->param);
    put_line(e, "const int32_t at = first_%d[k];", grad->param);
    put_line(e, "const long id = rows->ids[at];");
    put_line(e, "rank_lookups_sum(rows, at, %ld, g);", width);
  }
  param_pointers(e, grad->param, offset.s);
  row_update(e, width);
  put_close(e, "}");
  put_close(e, "}");
}

/* Squared norm over all gradients, in a fixed order, by one thread: clip_norm. */
static void clip_function(Emit *e)
{
  Buf *outer = e->out;
  function_begin(e);
  put_line(e, "double square = 0;");
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    const Param *q = &e->g->params.data[grad->param];
    if (grad->node->op == OP_SCATTER) {
      Str name = name_c(e->arena, q->name);
      put_open(e, "for (long i = 0; i < step->%.*s_rows.n; i++) {", STR_ARG(name));
      put_line(e, "square += step->%.*s_rows.norm[i];", STR_ARG(name));
      put_close(e, "}");
      continue;
    }
    Env env = no_sample(e);
    Str at;
    int loops = 0;
    for (int j = 0; j < q->type.n; j++, loops++) {
      loop_open(e, &env, q->type.axis[j], false);
    }
    (void)at;
    put_open(e, "{");
    put_line(e, "const double g = (double)(%.*s);", STR_ARG(expr(e, &env, grad->node)));
    put_line(e, "square += g * g;");
    for (int j = 0; j <= loops; j++) {
      put_close(e, "}");
    }
  }
  put_line(e, "const double norm = sqrt(square);");
  put_line(e, "step->hyper.clip = norm > %.17g ? (rank_real)(%.17g / norm) : 1;",
    e->g->train.optimizer.clip_norm, e->g->train.optimizer.clip_norm);
  function_end(e, outer, "static void clip(struct train_step *step)", -1);
}

void update_function(Emit *e)
{
  const Optimizer *o = &e->g->train.optimizer;
  if (o->clip_norm > 0) {
    clip_function(e);
  }
  Buf *outer = e->out;
  function_begin(e);
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    if (grad->node->op == OP_SCATTER) {
      Str name = name_c(e->arena, e->g->params.data[grad->param].name);
      put_line(e, "const int32_t *first_%d;", grad->param);
      put_line(e,
        "const long count_%d = rank_lookups_group(&step->%.*s_rows, part, parts, &first_%d);",
        grad->param, STR_ARG(name), grad->param);
      if (o->clip_norm > 0) {
        put_line(e, "rank_lookups_norms(&step->%.*s_rows, first_%d, count_%d);", STR_ARG(name),
          grad->param, grad->param);
      }
      if (whole_tables(o)) {
        put_line(e, "(void)count_%d;", grad->param);
      }
    }
  }
  if (o->clip_norm > 0) {
    put_line(e, "#pragma omp barrier");
    put_line(e, "#pragma omp single");
    put_line(e, "clip(step);");
  }
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].node->op == OP_SCATTER) {
      update_table(e, &e->g->grads.data[i]);
    } else {
      update_dense(e, &e->g->grads.data[i]);
    }
  }
  put_line(e, "(void)part, (void)parts;");
  function_end(e, outer,
    "/* Applies the gradients; part: which of the team's threads this is. */\n"
    "static void train_update(struct train_step *step, int part, int parts)",
    -1);
}

/* The gradients as whole arrays, for whoever asks to see them. */
void export_function(Emit *e)
{
  Buf *outer = e->out;
  function_begin(e);
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    const Param *q = &e->g->params.data[grad->param];
    Str name = name_c(e->arena, q->name);
    put_open(e, "if (to[%d]) {", grad->param);
    if (grad->node->op == OP_SCATTER) {
      put_line(e, "const rank_lookups *rows = &step->%.*s_rows;", STR_ARG(name));
      put_open(e, "for (long i = 0; i < rows->n; i++) {");
      put_open(e, "for (long j = 0; j < rows->width; j++) {");
      put_line(
        e, "to[%d][rows->ids[i] * rows->width + j] += rows->d[i * rows->width + j];", grad->param);
      put_close(e, "}");
      put_close(e, "}");
    } else {
      Env env = no_sample(e);
      Str at;
      int loops = param_loops(e, &env, q, NULL, &at);
      put_line(
        e, "to[%d][%.*s] = %.*s;", grad->param, STR_ARG(at), STR_ARG(expr(e, &env, grad->node)));
      for (int j = 0; j < loops; j++) {
        put_close(e, "}");
      }
    }
    put_close(e, "}");
  }
  put_line(e, "(void)step;");
  function_end(
    e, outer, "static void train_export(const struct train_step *step, rank_real *const *to)", -1);
}
