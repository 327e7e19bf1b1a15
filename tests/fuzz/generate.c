/* generate.c: a random program, well typed, from a seed.
 *   generate SEED > PROGRAM.rank
 *
 * One idea: values are drawn from a pool that grows. Each step picks a form of expression and operands
 * out of the pool, asks the compiler's own typing whether it has a type (and has it built if so), and
 * puts the result back. Nothing here knows what is well typed, only what is sensible: numbers stay of
 * moderate size and away from the places where a function jumps, so that programs that compute the same
 * in another order agree. In the end what was not used becomes losses and outputs. The graph is printed
 * as text, so each program also goes through the front end. */

#include "front/front.h"
#include "ir/build.h"
#include "ir/ops.h"
#include "ir/print.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIMS = 12, MOST_ELEMENTS = 4000, MOST_PARAM = 700, TRIES = 40 };

typedef struct Fuzz {
  Arena *a;
  Graph *g;
  uint64_t seed;
  VEC(Node *) pool; /* real values */
  VEC(int) uses;    /* of each in the pool */
  Buf text;         /* declarations before the first value */
  int plain[MOST_DIMS], nplain, ragged[3], nragged;
  int made;      /* axes made for results so far */
  int looked_at; /* nodes of g that sees_two_others() knows */
} Fuzz;

/* ---- randomness */

static uint64_t draw(Fuzz *f)
{
  f->seed += 0x9e3779b97f4a7c15u;
  uint64_t x = f->seed;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static int below(Fuzz *f, int n)
{
  return n > 0 ? (int)(draw(f) % (uint64_t)n) : 0;
}

static bool chance(Fuzz *f, int percent)
{
  return below(f, 100) < percent;
}

/* ---- declarations, as text */

static const int extents[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 33};

static void declare_axes(Fuzz *f)
{
  f->nplain = 2 + below(f, 3);
  for (int i = 0; i < f->nplain; i++) {
    buf_format(&f->text, "dim D%d = %d\n", i, extents[below(f, i == 0 ? 10 : 7)]);
  }
  f->nragged = below(f, 3);
  for (int i = 0; i < f->nragged; i++) {
    buf_format(&f->text, "dim L%d <= %d\n", i, 1 + below(f, 7));
  }
}

/* Plain axes in brackets, at most `most`; `lists`: perhaps a ragged one before them. */
static void write_axes(Fuzz *f, int most, bool lists)
{
  int first = below(f, f->nplain), n = below(f, most + 1), written = 0;
  if (lists && f->nragged > 0 && chance(f, 50)) {
    buf_format(&f->text, "[L%d", below(f, f->nragged));
    written++;
  }
  for (int i = 0; i < n; i++) {
    buf_format(&f->text, "%sD%d", written++ ? ", " : "[", (first + i) % f->nplain);
  }
  buf_str(&f->text, written ? S("]") : S(""));
}

static void declare_inputs(Fuzz *f)
{
  static const int sizes[] = {3, 11, 40};
  int nreal = 1 + below(f, 3), nid = below(f, 4);
  for (int i = 0; i < nreal; i++) {
    buf_format(&f->text, "input x%d : f32", i);
    write_axes(f, 1, true);
    buf_str(&f->text, S("\n"));
  }
  for (int i = 0; i < f->nragged; i++) {
    buf_format(&f->text, "input list%d : id(11)[L%d]\n", i, i);
  }
  for (int i = 0; i < nid; i++) {
    buf_format(&f->text, "input id%d : id(%d)", i, sizes[below(f, 3)]);
    write_axes(f, 1, true);
    buf_str(&f->text, S("\n"));
  }
  buf_str(&f->text, S("label y : f32\n"));
  if (chance(f, 20)) {
    buf_str(&f->text, S("label kind : id(3)\n"));
  }
}

static void declare_params(Fuzz *f)
{
  int ntables = below(f, 3), nparams = 1 + below(f, 4);
  for (int i = 0; i < ntables; i++) {
    buf_format(&f->text, "table t%d : f32[40", i);
    if (chance(f, 75)) {
      buf_format(&f->text, ", D%d", below(f, f->nplain));
    }
    buf_str(&f->text, S("] ~ normal(0, 0.5)\n"));
  }
  for (int i = 0; i < nparams; i++) {
    buf_format(&f->text, "param p%d : f32", i);
    write_axes(f, 2, chance(f, 15));
    buf_str(&f->text, S(" ~ uniform(-0.6, 0.6)\n"));
  }
}

static void declare_training(Fuzz *f)
{
  static const char *const optimizers[] = {"sgd(lr = 0.05)", "sgd(lr = 0.05, momentum = 0.9)",
    "sgd(lr = 0.02, momentum = 0.5, nesterov = 1, weight_decay = 0.01)",
    "adagrad(lr = 0.05, initial = 0.1)", "adam(lr = 0.01, eps = 0.01)",
    "adamw(lr = 0.01, eps = 0.01, weight_decay = 0.1)", "ftrl(lr = 0.1, l2 = 0.1)"};
  static const char *const settings[] = {"tables = dense", "l2 = 0.01",
    "l2 = 0.01, l2_mode = dense", "clip_norm = 0.5", "clip_value = 0.05",
    "schedule = cosine(warmup = 2)", "schedule = step(every = 1, gamma = 0.5)", "seed = 3"};
  buf_format(&f->text, "train %s", optimizers[below(f, sizeof optimizers / sizeof *optimizers)]);
  int n = below(f, 3), first = below(f, sizeof settings / sizeof *settings);
  for (int i = 0; i < n; i++) {
    int which = (first + 3 * i) % (int)(sizeof settings / sizeof *settings);
    buf_format(&f->text, ", %s", settings[which]);
  }
  buf_str(&f->text, S("\n"));
}

/* A program of declarations only; the values are built into its graph. */
static bool declare(Fuzz *f)
{
  f->text.arena = f->a;
  buf_format(&f->text, "model random%llu\n", (unsigned long long)f->seed);
  declare_axes(f);
  declare_inputs(f);
  declare_params(f);
  buf_str(&f->text, S("loss y * y\n"));
  declare_training(f);
  Source *source = ARENA_NEW(f->a, Source);
  *source = (Source){S("generate"), buf_take(&f->text)};
  Diags d = {.arena = f->a};
  f->g = front_compile(f->a, source, NULL, &d);
  diag_print(&d, stderr);
  return f->g != NULL;
}

/* ---- the pool */

static long elements(const Graph *g, Type t)
{
  long n = 1;
  for (int i = 0; i < t.n; i++) {
    const Axis *axis = &g->axes.data[t.axis[i]];
    n *= axis->kind == AXIS_BATCH ? (i > 0 ? 20 : 1) : axis->extent;
  }
  return n;
}

/* Lists of other samples alone: the language refuses them. */
static bool lists_of_others(const Graph *g, Type t)
{
  bool lists = false, others = false;
  for (int i = 0; i < t.n; i++) {
    lists |= g->axes.data[t.axis[i]].kind == AXIS_RAGGED;
    others |= g->axes.data[t.axis[i]].kind == AXIS_BATCH;
  }
  return lists && others && !type_has(t, AXIS_B);
}

/* Two samples besides its own, in anything that was made since the last time: refused too. */
static bool sees_two_others(Fuzz *f)
{
  bool found = false;
  for (; f->looked_at < f->g->nodes.n; f->looked_at++) {
    Type t = f->g->nodes.data[f->looked_at]->type;
    int others = 0;
    for (int i = 0; i < t.n; i++) {
      others += t.axis[i] != AXIS_B && f->g->axes.data[t.axis[i]].kind == AXIS_BATCH;
    }
    found |= others > 1;
  }
  return found;
}

static bool add(Fuzz *f, Node *n)
{
  if (!n || sees_two_others(f) || lists_of_others(f->g, n->type) || n->type.kind != KIND_REAL ||
      elements(f->g, n->type) > MOST_ELEMENTS) {
    return false;
  }
  *VEC_PUSH(f->a, &f->pool) = n;
  *VEC_PUSH(f->a, &f->uses) = 0;
  return true;
}

/* Rather one that is not used yet, or a late one. */
static Node *pick(Fuzz *f)
{
  int best = below(f, f->pool.n);
  for (int i = 0; i < 2; i++) {
    int other = below(f, f->pool.n);
    best =
      f->uses.data[other] < f->uses.data[best] || (chance(f, 30) && other > best) ? other : best;
  }
  f->uses.data[best]++;
  return f->pool.data[best];
}

static int pick_axis(Fuzz *f, Type t)
{
  return t.n > 0 ? t.axis[below(f, t.n)] : -1;
}

static int pick_plain(Fuzz *f, Type t)
{
  int n = 0, found[MAX_AXES];
  for (int i = 0; i < t.n; i++) {
    if (f->g->axes.data[t.axis[i]].kind == AXIS_PLAIN && f->g->axes.data[t.axis[i]].extent > 0) {
      found[n++] = t.axis[i];
    }
  }
  return n > 0 ? found[below(f, n)] : -1;
}

/* Another axis like this one, or a plain one of an extent. */
static int another(Fuzz *f, int axis, long extent)
{
  Axis made = {.name = str_format(f->a, "A%d", f->made++), .extent = extent, .root = f->g->axes.n};
  if (axis >= 0) {
    made.kind = f->g->axes.data[axis].kind;
    made.extent = f->g->axes.data[axis].extent;
    made.root = made.kind == AXIS_PLAIN ? f->g->axes.n : axis_root(f->g, axis);
  }
  return graph_axis(f->g, made);
}

/* ---- forms of expression */

/* Text over a, b, c, and an axis A. */
static const char *const forms[] = {"a + b", "a - b", "a * b", "a * b + c", "a / (1 + b * b)", "-a",
  "a * 0.5", "tanh(a)", "sigmoid(a)", "exp(tanh(a))", "log(1 + a * a)", "sqrt(1 + a * a)",
  "softplus(a)", "erf(a)", "expm1(0.1 * tanh(a))", "log1p(abs(a))", "abs(a)", "max(a, b)",
  "min(a, b)", "where(a > 0, b, c)", "relu(a)", "gelu(a)", "silu(a)", "elu(a)", "leaky_relu(a)",
  "stop_gradient(a)", "where(a < b, a, 0.5 * b)", "a ^ 2", "(1 + a * a) ^ 0.5", "(a >= b) * c",
  "dropout(a; p = 0.3)", "where(training(), a, b)", "a * random[]"};
static const char *const axis_forms[] = {"mean[A](a)", "sum[A](a)", "sum[A](a * b)",
  "softmax[A](a)", "variance[A](a)", "a - mean[A](a)", "a * index[A] * 0.2",
  "sum[A](softmax[A](a) * b)", "a / sqrt(1 + sum[A](a * a))", "logsumexp[A](a - 0)",
  "where(index[A] > 0, a, b)", "a / (size[A] + 1)", "where(size[A] > 0, max[A](a), 0)",
  "sum[A](a * b + c)", "l2_normalize[A](a + 2)", "log_softmax[A](a)"};

static Node *expression(Fuzz *f, const char *text, int axis)
{
  Node *a = axis < 0 ? pick(f) : NULL;
  for (int i = 0; i < TRIES && !a; i++) {
    Node *n = pick(f);
    a = type_has(n->type, axis) ? n : NULL;
  }
  if (!a) {
    return NULL;
  }
  Diags d = {.arena = f->a};
  const char *names[] = {"a", "b", "c", "A"};
  Node *values[] = {a, pick(f), pick(f), NULL};
  short axes[] = {-1, -1, -1, (short)axis};
  return front_expression(f->g, str_of(text), axis < 0 ? 3 : 4, names, values, axes, &d);
}

static Node *pointwise(Fuzz *f)
{
  return expression(f, forms[below(f, sizeof forms / sizeof *forms)], -1);
}

static Node *along_axis(Fuzz *f)
{
  int axis = pick_axis(f, pick(f)->type);
  return axis < 0
           ? NULL
           : expression(f, axis_forms[below(f, sizeof axis_forms / sizeof *axis_forms)], axis);
}

static bool bounded_ids(const Graph *g, const Node *ids, long rows)
{
  const Input *in = &g->inputs.data[ids->leaf];
  long all = 0;
  for (int i = 0; i < in->nvocab; i++) {
    all += in->vocab[i];
  }
  return all <= rows;
}

static Node *lookup(Fuzz *f)
{
  int param = below(f, f->g->params.n), input = below(f, f->g->inputs.n);
  const Param *p = &f->g->params.data[param];
  const Input *in = &f->g->inputs.data[input];
  if (!p->table || in->type.kind != KIND_ID || in->label) {
    return NULL;
  }
  Node *ids = build_input(f->g, input);
  for (int i = 0; i < p->type.n; i++) {
    if (type_has(in->type, p->type.axis[i])) {
      return NULL;
    }
  }
  return bounded_ids(f->g, ids, p->rows) ? build_gather(f->g, param, ids) : NULL;
}

/* Reduced over several axes at once. */
static Node *reduced(Fuzz *f)
{
  Node *x = pick(f);
  short axes[MAX_AXES];
  int n = 0;
  for (int i = 0; i < x->type.n; i++) {
    if (f->g->axes.data[x->type.axis[i]].kind == AXIS_PLAIN ? chance(f, 60) : chance(f, 50)) {
      axes[n++] = x->type.axis[i];
    }
  }
  bool lists = false;
  for (int i = 0; i < n; i++) {
    lists |= f->g->axes.data[axes[i]].kind != AXIS_PLAIN;
  }
  if (n == 0) {
    return NULL;
  }
  Node *s = build_reduce(f->g, !lists && chance(f, 25) ? OP_MAX : OP_SUM, x, n, axes);
  return build_op2(f->g, OP_MUL, s, build_const(f->g, 0.3));
}

/* A layer: own weights over a plain axis. */
static Node *layer(Fuzz *f)
{
  Node *x = pick(f);
  int from = pick_plain(f, x->type);
  if (from < 0) {
    return NULL;
  }
  long in = f->g->axes.data[from].extent, out = extents[below(f, 10)];
  if (in * out > MOST_PARAM) {
    return NULL;
  }
  int to = another(f, -1, out);
  Param *p = VEC_PUSH(f->a, &f->g->params);
  *p = (Param){.name = str_format(f->a, "w%d", f->g->params.n),
    .vocab_of = -1,
    .nshape = 2,
    .init = INIT_UNIFORM,
    .init_a = -0.5,
    .init_b = 0.5};
  bool turned = chance(f, 30); /* [in, out] */
  p->type = (Type){.n = 2, .axis = {(short)(turned ? from : to), (short)(turned ? to : from)}};
  p->shape[turned ? 1 : 0] = out;
  p->shape[turned ? 0 : 1] = in;
  Node *w = build_param(f->g, f->g->params.n - 1);
  return x->type.n < MAX_AXES
           ? build_reduce(f->g, OP_SUM, build_op2(f->g, OP_MUL, w, x), 1, (short[]){(short)from})
           : NULL;
}

/* Values of one axis met with themselves under another name: of a list, of fields, of the batch. */
static Node *paired(Fuzz *f)
{
  Node *x = pick(f);
  int axis = pick_axis(f, x->type), ragged = 0;
  for (int i = 0; i < x->type.n; i++) {
    ragged += f->g->axes.data[x->type.axis[i]].kind == AXIS_RAGGED;
  }
  if (axis < 0 || (f->g->axes.data[axis].kind == AXIS_BATCH && (ragged > 0 || axis != AXIS_B))) {
    return NULL;
  }
  int to = another(f, axis, 0);
  Node *y = build_rename(f->g, x, 1, (short[]){(short)axis, (short)to});
  Node like = {.op = OP_MUL, .nin = 2, .in = (Node *[]){x, y}, .leaf = -1};
  Type t;
  if (!node_type(f->g, &like, &t) || elements(f->g, t) > MOST_ELEMENTS) {
    return NULL;
  }
  Node *xy = build_op2(f->g, OP_MUL, x, y);
  int inner = pick_plain(f, x->type);
  if (inner >= 0 && inner != axis) {
    xy = build_reduce(f->g, OP_SUM, xy, 1, (short[]){(short)inner});
  }
  Axis kind = f->g->axes.data[axis];
  if (kind.kind == AXIS_PLAIN && kind.extent > 1 && chance(f, 50)) {
    return build_triangle(f->g, xy, axis, to, another(f, -1, kind.extent * (kind.extent - 1) / 2));
  }
  if (kind.kind != AXIS_PLAIN && chance(f, 70)) { /* most often one of the two goes again */
    Node *before = build_op2(f->g, OP_LT, build_index(f->g, axis), build_index(f->g, to));
    xy = kind.kind == AXIS_RAGGED && chance(f, 50) ? build_op2(f->g, OP_MUL, xy, before) : xy;
    return build_reduce(
      f->g, OP_SUM, build_op1(f->g, OP_TANH, xy), 1, (short[]){(short)(chance(f, 50) ? axis : to)});
  }
  return xy;
}

static Node *sliced(Fuzz *f)
{
  Node *x = pick(f);
  int axis = pick_plain(f, x->type);
  long extent = axis < 0 ? 0 : f->g->axes.data[axis].extent;
  if (extent < 2) {
    return NULL;
  }
  long first = below(f, (int)extent), n = 1 + below(f, (int)(extent - first));
  if (chance(f, 30)) {
    return build_slice(f->g, x, axis, first, 0, NULL);
  }
  if (n % 2 == 0 && chance(f, 40)) {
    short two[] = {(short)another(f, -1, n / 2), (short)another(f, -1, 2)};
    return build_slice(f->g, x, axis, first, 2, two);
  }
  Node *part = build_slice(f->g, x, axis, first, 1, (short[]){(short)another(f, -1, n)});
  if (chance(f, 30)) {
    short from = part->type.axis[type_position(part->type, part->type.axis[part->type.n - 1])];
    bool plain = f->g->axes.data[from].kind == AXIS_PLAIN;
    long wide = f->g->axes.data[from].extent + below(f, 4);
    return plain ? build_pad(f->g, part, another(f, -1, wide),
                     below(f, (int)(wide - f->g->axes.data[from].extent + 1)), 1, &from)
                 : part;
  }
  return part;
}

/* Two or three values joined along all their plain axes, or along one that both have. */
static Node *joined(Fuzz *f)
{
  Node *in[3];
  int n = 2 + below(f, 2), naxes = 0;
  short axes[3 * (MAX_AXES + 1)];
  long total = 0;
  bool all = chance(f, 60);
  int along = pick_plain(f, pick(f)->type);
  for (int i = 0; i < n; i++) {
    in[i] = pick(f);
    int count = naxes++;
    long size = 1;
    axes[count] = 0;
    for (int k = 0; k < in[i]->type.n; k++) {
      int axis = in[i]->type.axis[k];
      if (f->g->axes.data[axis].kind == AXIS_PLAIN && (all || axis == along)) {
        axes[naxes++] = (short)axis;
        axes[count]++;
        size *= f->g->axes.data[axis].extent;
      }
    }
    total += size;
  }
  if (total > 120) {
    return NULL;
  }
  int out = another(f, -1, total);
  Node like = {.op = OP_CONCAT, .nin = n, .in = in, .leaf = -1};
  like.axes = ARENA_ARRAY(f->a, short, naxes + 1);
  like.naxes = naxes + 1;
  like.axes[0] = (short)out;
  memcpy(like.axes + 1, axes, (size_t)naxes * sizeof *axes);
  Type t;
  return node_type(f->g, &like, &t) ? build_concat(f->g, out, n, in, naxes, axes) : NULL;
}

static Node *step(Fuzz *f)
{
  int which = below(f, 100);
  return which < 32   ? pointwise(f)
         : which < 52 ? along_axis(f)
         : which < 62 ? lookup(f)
         : which < 70 ? reduced(f)
         : which < 80 ? layer(f)
         : which < 86 ? paired(f)
         : which < 92 ? sliced(f)
                      : joined(f);
}

/* ---- the end of a program */

/* x summed over everything but B (or over B too), of moderate size. */
static Node *scalar(Fuzz *f, Node *x, bool batch)
{
  short axes[MAX_AXES];
  int n = 0;
  for (int i = 0; i < x->type.n; i++) {
    if (x->type.axis[i] != AXIS_B || batch) {
      axes[n++] = x->type.axis[i];
    }
  }
  Node *bounded = build_op1(f->g, OP_TANH, x);
  Node *sum = n > 0 ? build_reduce(f->g, OP_SUM, bounded, n, axes) : bounded;
  return build_op2(f->g, OP_MUL, sum, build_const(f->g, 0.1));
}

static bool reads(const Node *n, const Graph *g, bool labels)
{
  if (n->op == OP_INPUT) {
    return g->inputs.data[n->leaf].label == labels;
  }
  bool any = false;
  for (int i = 0; i < n->nin && !any; i++) {
    any = reads(n->in[i], g, labels);
  }
  return any;
}

static bool predicts(const Graph *g, const Node *n)
{
  if (!type_has(n->type, AXIS_B) || n->op == OP_INPUT || reads(n, g, true)) {
    return false;
  }
  for (int i = 0; i < n->type.n; i++) {
    if (n->type.axis[i] != AXIS_B && g->axes.data[n->type.axis[i]].kind != AXIS_PLAIN) {
      return false;
    }
  }
  return true;
}

/* The label against the sum of what is left over, and perhaps the square of another part by itself. */
static void finish(Fuzz *f)
{
  Graph *g = f->g;
  Node *y = g->loss->in[0], *logit = NULL, *rest = NULL;
  int outputs = 1 + below(f, 3);
  for (int i = 0; i < f->pool.n; i++) {
    Node *n = f->pool.data[i];
    if (f->uses.data[i] > 0 && !chance(f, 5)) {
      continue;
    }
    bool batch = !type_has(n->type, AXIS_B) || chance(f, 10);
    Node *s = scalar(f, n, batch);
    Node **sum = batch ? &rest : &logit;
    *sum = *sum ? build_op2(g, OP_ADD, *sum, s) : s;
    if (outputs > 0 && predicts(g, n)) {
      *VEC_PUSH(f->a, &g->outputs) =
        (Output){.name = str_format(f->a, "out%d", outputs--), .node = n};
    }
  }
  Diags d = {.arena = f->a};
  const char *names[] = {"z", "y", "r"};
  Node *values[] = {logit ? logit : build_const(g, 0), y, rest ? rest : build_const(g, 0)};
  static const char *const losses[] = {
    "bce_logits(z, y) + 0.1 * r", "mse(z, y) + r", "bce(sigmoid(z + r), y)", "huber(z - r, y)"};
  g->loss = front_expression(g, str_of(losses[below(f, 4)]), 3, names, values, NULL, &d);
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: generate SEED\n");
    return 2;
  }
  Arena arena = arena_new((size_t)1 << 34);
  Fuzz f = {.a = &arena, .seed = strtoull(argv[1], NULL, 10)};
  if (!declare(&f)) {
    return 1;
  }
  for (int i = 0; i < f.g->inputs.n; i++) {
    if (!f.g->inputs.data[i].label && f.g->inputs.data[i].type.kind == KIND_REAL) {
      add(&f, build_input(f.g, i));
    }
  }
  for (int i = 0; i < f.g->params.n; i++) {
    if (!f.g->params.data[i].table) {
      add(&f, build_param(f.g, i));
    }
  }
  int steps = 6 + below(&f, 26);
  for (int i = 0; i < steps; i++) {
    for (int k = 0; k < TRIES && !add(&f, step(&f)); k++) {
    }
  }
  finish(&f);
  Str text = print_graph(f.g, &arena);
  fwrite(text.s, 1, (size_t)text.n, stdout);
  return 0;
}
