/* verify.c: the rules of a graph, checked after every pass in debug builds.
 *
 * First the declarations that nodes refer to by index; only when these hold, the nodes in order, each
 * against operands that were found right before it; then what hangs on the nodes. */

#include "verify.h"
#include "ops.h"

#include <stdarg.h>
#include <stdlib.h>

typedef struct Verifier {
  const Graph *g;
  Diags *d;
} Verifier;

static void wrong(Verifier *v, Loc loc, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
static void wrong(Verifier *v, Loc loc, const char *format, ...)
{
  char text[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  diag_error(v->d, loc, "internal error: %s", text);
}

static void wrong_node(Verifier *v, const Node *n, const char *what)
{
  wrong(v, n->loc, "node %d %s '%.*s': %s", n->id, op_rows[n->op].name, STR_ARG(n->name), what);
}

static void verify_axis(Verifier *v, int i)
{
  const Graph *g = v->g;
  const Axis *axis = &g->axes.data[i];
  Str name = axis->name;
  if (axis->root < 0 || axis->root > i || g->axes.data[axis->root].root != axis->root) {
    wrong(v, axis->loc, "axis %.*s has no proper root", STR_ARG(name));
  } else if (g->axes.data[axis->root].kind != axis->kind ||
             g->axes.data[axis->root].extent != axis->extent) {
    wrong(v, axis->loc, "axis %.*s is unlike its root", STR_ARG(name));
  }
  if (axis->kind == AXIS_PLAIN && axis->root != i) {
    wrong(v, axis->loc, "plain axis %.*s has a root", STR_ARG(name));
  }
  if (axis->kind == AXIS_BATCH ? axis->extent != 0 : axis->extent < 1) {
    wrong(v, axis->loc, "axis %.*s has extent %ld", STR_ARG(name), axis->extent);
  }
  if (axis->number && (axis->kind != AXIS_PLAIN || axis->extent == 1)) {
    wrong(v, axis->loc, "axis %.*s is not for a number", STR_ARG(name));
  }
}

static void verify_input(Verifier *v, int i)
{
  const Graph *g = v->g;
  const Input *input = &g->inputs.data[i];
  if (!verify_type(g, input->type) || input->type.n == 0 || input->type.axis[0] != AXIS_B) {
    wrong(v, input->loc, "type of input %.*s", STR_ARG(input->name));
    return;
  }
  for (int k = 1; k < input->type.n; k++) {
    const Axis *axis = &g->axes.data[input->type.axis[k]];
    bool bad = axis->kind == AXIS_BATCH || (axis->kind == AXIS_RAGGED && k != 1);
    if (bad) {
      wrong(v, input->loc, "axis %.*s of input %.*s", STR_ARG(axis->name), STR_ARG(input->name));
    }
  }
  if (input->type.kind == KIND_ID && (input->nvocab < 1 || !input->vocab)) {
    wrong(v, input->loc, "input %.*s has no vocabulary", STR_ARG(input->name));
  }
  if (input->same_as >= i) {
    wrong(v, input->loc, "whose vocabulary input %.*s shares", STR_ARG(input->name));
  }
}

static void verify_param(Verifier *v, const Param *param)
{
  const Graph *g = v->g;
  if (!verify_type(g, param->type) || param->type.kind != KIND_REAL) {
    wrong(v, param->loc, "type of param %.*s", STR_ARG(param->name));
    return;
  }
  double width = 1, shape = 1;
  for (int i = 0; i < param->type.n; i++) {
    const Axis *axis = &g->axes.data[param->type.axis[i]];
    width *= (double)axis->extent;
    if (axis->kind == AXIS_BATCH || (axis->kind == AXIS_RAGGED && param->table)) {
      wrong(v, param->loc, "axis %.*s of param %.*s", STR_ARG(axis->name), STR_ARG(param->name));
    }
  }
  for (int i = param->table ? 1 : 0; i < param->nshape; i++) {
    shape *= (double)param->shape[i];
  }
  if (width != shape || param->nshape > MAX_AXES + 2 || (param->table && param->nshape < 1)) {
    wrong(v, param->loc, "shape of param %.*s", STR_ARG(param->name));
  }
  if (param->table && (param->rows != param->shape[0] || param->vocab_of >= g->inputs.n ||
                        (param->rows < 1 && param->vocab_of < 0))) {
    wrong(v, param->loc, "rows of table %.*s", STR_ARG(param->name));
  }
}

static int compare_names(const void *x, const void *y)
{
  return str_cmp(*(const Str *)x, *(const Str *)y);
}

/* Stops at the first: what it reports may lie in the memory that `names` lies in. */
static bool verify_unique(Verifier *v, Str *names, int n, const char *what)
{
  qsort(names, (size_t)n, sizeof *names, compare_names);
  for (int i = 1; i < n; i++) {
    if (str_eq(names[i - 1], names[i])) {
      wrong(v, (Loc){0}, "two %s are called %.*s", what, STR_ARG(names[i]));
      return false;
    }
  }
  return true;
}

static int value_names(const Graph *g, Str *names)
{
  int n = 0;
  for (int i = 0; i < g->inputs.n; i++) {
    names[n++] = g->inputs.data[i].name;
  }
  for (int i = 0; i < g->params.n; i++) {
    names[n++] = g->params.data[i].name;
  }
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *node = g->nodes.data[i];
    if (node->name.n > 0 && node->op != OP_INPUT && node->op != OP_PARAM) {
      names[n++] = node->name;
    }
  }
  return n;
}

static void verify_names(Verifier *v, Arena scratch)
{
  const Graph *g = v->g;
  int most = g->axes.n + g->inputs.n + g->params.n + g->nodes.n + g->outputs.n;
  Str *names = ARENA_ARRAY(&scratch, Str, most);
  for (int i = 0; i < g->axes.n; i++) {
    names[i] = g->axes.data[i].name;
  }
  if (!verify_unique(v, names, g->axes.n, "axes") ||
      !verify_unique(v, names, value_names(g, names), "values")) {
    return;
  }
  for (int i = 0; i < g->outputs.n; i++) {
    names[i] = g->outputs.data[i].name;
  }
  verify_unique(v, names, g->outputs.n, "outputs");
}

static bool in_graph(const Graph *g, const Node *n)
{
  return n && n->id >= 0 && n->id < g->nodes.n && g->nodes.data[n->id] == n;
}

static void verify_grad(Verifier *v, const Grad *grad)
{
  const Graph *g = v->g;
  if (grad->param < 0 || grad->param >= g->params.n || !in_graph(g, grad->node)) {
    wrong(v, (Loc){0}, "a gradient of nothing");
    return;
  }
  const Param *param = &g->params.data[grad->param];
  const Node *n = grad->node;
  bool fits = !param->table || (n->op == OP_SCATTER && n->leaf == grad->param);
  for (int i = 0; i < n->type.n; i++) {
    fits &= type_has(param->type, n->type.axis[i]);
  }
  if (!fits) {
    wrong(v, n->loc, "gradient or update of %.*s has another type", STR_ARG(param->name));
  }
}

static void verify_loss(Verifier *v)
{
  const Node *n = v->g->loss;
  if (n && !in_graph(v->g, n)) {
    wrong(v, (Loc){0}, "the loss is not in the graph");
  } else if (n && (n->type.kind != KIND_REAL || n->type.n > 1 ||
                    (n->type.n == 1 && n->type.axis[0] != AXIS_B))) {
    wrong_node(v, n, "the loss is not one number per sample or batch");
  }
}

static bool scalar_text(const Node *n)
{
  if (n->op == OP_CONST || n->op == OP_VAR) {
    return true;
  }
  bool fine = op_pointwise(n->op);
  for (int i = 0; i < n->nin && fine; i++) {
    fine = scalar_text(n->in[i]);
  }
  return fine;
}

static void verify_train(Verifier *v)
{
  const Train *train = &v->g->train;
  const Optimizer *o = &train->optimizer;
  if (!train->given) {
    return;
  }
  bool fine = o->new_w && scalar_text(o->new_w) && o->nstates >= 0 && o->nstates <= MAX_STATES &&
              (!o->schedule || scalar_text(o->schedule)) && train->batch > 0;
  for (int i = 0; fine && i < o->nstates; i++) {
    fine = o->new_state[i] && scalar_text(o->new_state[i]);
  }
  if (!fine) {
    wrong(v, train->loc, "optimizer or schedule of the train statement");
  }
}

static void verify_uses(Verifier *v)
{
  const Graph *g = v->g;
  for (int i = 0; i < g->outputs.n; i++) {
    const Output *output = &g->outputs.data[i];
    if (!in_graph(g, output->node)) {
      wrong(v, output->loc, "output %.*s is not in the graph", STR_ARG(output->name));
    }
  }
  for (int i = 0; i < g->metrics.n; i++) {
    const Metric *m = &g->metrics.data[i];
    for (int k = 0; k < m->nargs; k++) {
      if (!in_graph(g, m->args[k])) {
        wrong(v, m->loc, "argument %d of metric %.*s", k, STR_ARG(m->name));
      }
    }
    if (m->by >= g->inputs.n) {
      wrong(v, m->loc, "metric %.*s groups by nothing", STR_ARG(m->name));
    }
  }
  for (int i = 0; i < g->grads.n; i++) {
    verify_grad(v, &g->grads.data[i]);
  }
  verify_loss(v);
  verify_train(v);
}

static void verify_declarations(Verifier *v)
{
  const Graph *g = v->g;
  if (g->axes.n == 0 || g->axes.data[AXIS_B].kind != AXIS_BATCH) {
    wrong(v, (Loc){0}, "axis 0 is not the batch");
    return;
  }
  for (int i = 0; i < g->axes.n; i++) {
    verify_axis(v, i);
  }
  for (int i = 0; i < g->inputs.n; i++) {
    verify_input(v, i);
  }
  for (int i = 0; i < g->params.n; i++) {
    verify_param(v, &g->params.data[i]);
  }
}

bool verify_graph(const Graph *g, Arena scratch, Diags *d)
{
  int before = d->errors;
  Verifier v = {.g = g, .d = d};
  verify_declarations(&v);
  for (int i = 0; i < g->nodes.n && d->errors == before; i++) {
    const Node *n = g->nodes.data[i];
    const char *what = n->id == i ? verify_node(g, n) : "id is not its index";
    if (what) {
      wrong_node(&v, n, what);
    }
  }
  if (d->errors == before) {
    verify_uses(&v);
  }
  if (d->errors == before) {
    verify_names(&v, scratch);
  }
  return d->errors == before;
}
