/* model.c: the constant rank_model that tells the runtime about a model, and main. */

#include "fields.h"
#include "wrap.h"
#include "writer.h"

#include "../pass/pass.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool model_trains(const Graph *g)
{
  return g->train.given && g->loss && g->grads.n > 0;
}

/* Every argument of a metric is an output; those that are not already are hidden ones. */
void outputs_with_metrics(Graph *g)
{
  for (int i = 0; i < g->metrics.n; i++) {
    for (int j = 0; j < g->metrics.data[i].nargs; j++) {
      Node *arg = g->metrics.data[i].args[j];
      bool there = false;
      for (int k = 0; k < g->outputs.n; k++) {
        there |= g->outputs.data[k].node == arg;
      }
      if (!there) {
        Str name = arg->name.n > 0 ? arg->name : str_format(g->arena, "metric.%d.%d", i, j);
        *VEC_PUSH(g->arena, &g->outputs) = (Output){.name = name, .node = arg, .type = arg->type};
      }
    }
  }
}

static int output_of(const Graph *g, const Node *n)
{
  int i = 0;
  while (i < g->outputs.n && g->outputs.data[i].node != n) {
    i++;
  }
  return i;
}

static uint64_t hash_text(uint64_t h, Str s)
{
  for (int i = 0; i < s.n; i++) {
    h = (h ^ (unsigned char)s.s[i]) * 1099511628211u;
  }
  return (h ^ 255) * 1099511628211u;
}

static uint64_t hash_number(uint64_t h, long x)
{
  for (int i = 0; i < 8; i++) {
    h = (h ^ (((uint64_t)x >> (8 * i)) & 255)) * 1099511628211u;
  }
  return h;
}

/* FNV-1a over everything that a weights file must agree on. */
uint64_t model_layout(const Graph *g)
{
  uint64_t h = 14695981039346656037u;
  for (int i = 0; i < g->params.n; i++) {
    const Param *p = &g->params.data[i];
    h = hash_text(h, p->name);
    for (int j = 0; j < p->nshape; j++) {
      h = hash_number(h, p->shape[j]);
    }
  }
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *in = &g->inputs.data[i];
    h = hash_number(hash_text(h, in->name), in->nvocab > 0 ? in->vocab[0] : -1);
  }
  return h;
}

int dim_count(const Graph *g)
{
  int n = 0;
  for (int i = 0; i < g->axes.n; i++) {
    n += g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i;
  }
  return n;
}

static void params(Text *t)
{
  static const char *const inits[] = {"RANK_ZEROS", "RANK_CONSTANT", "RANK_NORMAL", "RANK_UNIFORM"};
  const Graph *g = t->g;
  if (g->params.n == 0) {
    return;
  }
  puts_line(t, "static const rank_param params[] = {");
  for (int i = 0; i < g->params.n; i++) {
    const Param *p = &g->params.data[i];
    Fields f = {.arena = t->arena};
    field(&f, ".name = %.*s", STR_ARG(quoted(t, p->name)));
    flag(&f, "table", p->table);
    field(&f, ".rows = %ld", p->table ? p->rows : 1);
    field(&f, ".vocab_of = %d", p->vocab_of);
    field(&f, ".width = %ld", plan_layout(g, p->type, false).width);
    field(&f, ".nshape = %d", p->nshape);
    field(&f, ".shape = %.*s", STR_ARG(shape_text(t, p->nshape, p->shape)));
    field(&f, ".init = %s", inits[p->init]);
    if (p->init != INIT_ZEROS) {
      field(&f, ".init_a = %.17g", p->init_a);
    }
    if (p->init == INIT_NORMAL || p->init == INIT_UNIFORM) {
      field(&f, ".init_b = %.17g", p->init_b);
    }
    flag(&f, "free", p->free);
    flag(&f, "by_rows", p->table && plan_layout(g, p->type, false).width > 1);
    element(t, &f);
  }
  puts_line(t, "};\n");
}

/* A ragged axis is read with the inputs that have it; the first will do when none is needed itself. */
static void need_axis(const Graph *g, int axis, bool *needed)
{
  int first = -1;
  axis = axis_root(g, axis);
  for (int i = g->inputs.n - 1; i >= 0 && g->axes.data[axis].kind == AXIS_RAGGED; i--) {
    const Type *type = &g->inputs.data[i].type;
    for (int j = 0; j < type->n; j++) {
      if (axis_root(g, type->axis[j]) == axis) {
        first = first >= 0 && needed[first] ? first : i;
      }
    }
  }
  if (first >= 0) {
    needed[first] = true;
  }
}

/* The inputs that a node is computed from, as indices: how many. */
static int needs_of(Text *t, const Graph *g, const Node *root, Str *index)
{
  bool *reached = ARENA_ARRAY(t->arena, bool, g->nodes.n + 1);
  bool *needed = ARENA_ARRAY(t->arena, bool, g->inputs.n + 1);
  reached[root->id] = true;
  for (int i = root->id; i >= 0; i--) { /* operands stand before what is made of them */
    const Node *n = g->nodes.data[i];
    for (int k = 0; reached[i] && k < n->nin; k++) {
      reached[n->in[k]->id] = true;
    }
    if (reached[i] && n->op == OP_INPUT) {
      needed[n->leaf] = true;
    }
  }
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; reached[i] && k < n->type.n; k++) {
      need_axis(g, n->type.axis[k], needed);
    }
    for (int k = 0; reached[i] && n->op == OP_SIZE && k < n->naxes; k++) {
      need_axis(g, n->axes[k], needed);
    }
  }
  int count = 0;
  for (int i = 0; i < g->inputs.n; i++) {
    if (needed[i]) {
      index[count++] = str_format(t->arena, "%d", i);
    }
  }
  return count;
}

static void outputs(Text *t, const Graph *g, int visible)
{
  if (g->outputs.n == 0) {
    return;
  }
  Str *index = ARENA_ARRAY(t->arena, Str, g->inputs.n + 1);
  int *nneeds = ARENA_ARRAY(t->arena, int, g->outputs.n);
  for (int i = 0; i < g->outputs.n; i++) {
    nneeds[i] = needs_of(t, g, g->outputs.data[i].node, index);
    if (nneeds[i] > 0) {
      array(t, "int ", str_format(t->arena, "needs_%d", i), nneeds[i], index);
    }
  }
  puts_line(t, "static const rank_output outputs[] = {");
  for (int i = 0; i < g->outputs.n; i++) {
    const Output *o = &g->outputs.data[i];
    long shape[MAX_AXES], width = 1;
    int n = 0;
    for (int j = 0; j < o->type.n; j++) {
      if (o->type.axis[j] != AXIS_B) {
        shape[n] = axis_extent(g, o->type.axis[j]);
        width *= shape[n++];
      }
    }
    Fields f = {.arena = t->arena};
    field(&f, ".name = %.*s", STR_ARG(quoted(t, o->name)));
    flag(&f, "hidden", i >= visible);
    field(&f, ".width = %ld", width);
    field(&f, ".nshape = %d", n);
    field(&f, ".shape = %.*s", STR_ARG(shape_text(t, n, shape)));
    if (nneeds[i] > 0) {
      field(&f, ".nneeds = %d", nneeds[i]);
      field(&f, ".needs = needs_%d", i);
    }
    element(t, &f);
  }
  puts_line(t, "};\n");
}

static Str metric_text(Text *t, const Metric *m)
{
  return m->loc.source ? (Str){m->loc.source->text.s + m->loc.at, m->loc.n}
                       : str_copy(t->arena, m->name);
}

static void metrics(Text *t, const Graph *g)
{
  if (g->metrics.n == 0) {
    return;
  }
  for (int i = 0; i < g->metrics.n; i++) {
    const Metric *m = &g->metrics.data[i];
    if (m->nk > 0) {
      Str *x = ARENA_ARRAY(t->arena, Str, m->nk);
      for (int j = 0; j < m->nk; j++) {
        x[j] = str_format(t->arena, "%ld", m->k[j]);
      }
      array(t, "long ", str_format(t->arena, "k_%d", i), m->nk, x);
    }
  }
  puts_line(t, "static const rank_metric metrics[] = {");
  for (int i = 0; i < g->metrics.n; i++) {
    const Metric *m = &g->metrics.data[i];
    Fields f = {.arena = t->arena}, args = {.arena = t->arena};
    for (int j = 0; j < m->nargs; j++) {
      field(&args, "%d", output_of(g, m->args[j]));
    }
    field(&f, ".name = %.*s", STR_ARG(quoted(t, m->name)));
    field(&f, ".text = %.*s", STR_ARG(quoted(t, metric_text(t, m))));
    field(&f, ".nargs = %d", m->nargs);
    if (m->nargs > 0) {
      field(&f, ".args = %.*s", STR_ARG(fields_text(&args, 0, 0, 0)));
    }
    field(&f, ".by = %d", m->by);
    if (m->ranked >= 0) {
      field(&f, ".ranked = 1");
      field(&f, ".list = %d", m->ranked);
      field(&f, ".target = %d", m->target);
    }
    if (m->nk > 0) {
      field(&f, ".nk = %d", m->nk);
      field(&f, ".k = k_%d", i);
    }
    element(t, &f);
  }
  puts_line(t, "};\n");
}

static void states(Text *t)
{
  const Optimizer *o = &t->g->train.optimizer;
  Str x[MAX_STATES];
  if (o->nstates == 0) {
    return;
  }
  for (int k = 0; k < o->nstates; k++) {
    x[k] = quoted(t, o->state_name[k]);
  }
  array(t, "char *const ", S("state_names"), o->nstates, x);
  for (int k = 0; k < o->nstates; k++) {
    x[k] = str_format(t->arena, "%.17g", o->state_init[k]);
  }
  array(t, "double ", S("state_init"), o->nstates, x);
  puts_line(t, "");
}

/* In a library there is nothing that evaluates, and what trains is apart. */
static void workspace(Text *t, Str model, bool frozen)
{
  if (frozen) {
    buf_format(&t->out,
      "static size_t workspace(const rank_state *s, const rank_batch *b, int threads, int "
      "training)\n"
      "{\n  (void)training;\n  return %.*s_predict_bytes(s, b, threads);\n}\n\n",
      STR_ARG(model));
    return;
  }
  buf_format(&t->out,
    "/* Bytes of working memory; predict and evaluate share theirs. */\n"
    "static size_t workspace(const rank_state *s, const rank_batch *b, int threads, int training)\n"
    "{\n  (void)training;\n  const size_t predict = %.*s_predict_bytes(s, b, threads);\n"
    "#ifdef RANK_LIBRARY\n  return predict;\n#else\n",
    STR_ARG(model));
  if (model_trains(t->g)) {
    buf_format(&t->out, "  if (training) {\n    return %.*s_train_bytes(s, b, threads);\n  }\n",
      STR_ARG(model));
  }
  buf_format(&t->out,
    "  const size_t evaluate = %.*s_evaluate_bytes(s, b, threads);\n"
    "  return predict > evaluate ? predict : evaluate;\n#endif\n}\n\n",
    STR_ARG(model));
}

static void line(Text *t, const char *name, long value)
{
  if (value != 0) {
    buf_format(&t->out, "  .%s = %ld,\n", name, value);
  }
}

static void fold(Text *t, const EmitOptions *o)
{
  Fold f = t->g->fits.n > 0 ? emitter_predict(t->arena, t->g, o)->fold : (Fold){0};
  if (f.sum) {
    buf_format(&t->out, "  .fold = &(const rank_fold){%d, %d},\n", f.fit, f.param);
  }
}

static void model_struct(
  Text *t, const Graph *evaluated, Str model, bool splits, const EmitOptions *o)
{
  const Graph *g = t->g;
  const bool frozen = o->frozen != NULL;
  const Train *r = &g->train;
  const Optimizer *p = &r->optimizer;
  Buf *b = &t->out;
  buf_format(b, "const rank_model %.*s_model = {\n", STR_ARG(model));
  text_member(t, "name", g->model);
  text_member(t, "doc", g->doc);
  buf_format(
    b, "  .rankc = \"0.1.0\",\n  .layout = 0x%016llxu,\n", (unsigned long long)model_layout(g));
  line(t, "ndims", dim_count(g));
  line(t, "ninputs", g->inputs.n);
  line(t, "nfits", g->fits.n);
  line(t, "nparams", g->params.n);
  line(t, "noutputs", evaluated->outputs.n);
  line(t, "nlists", g->ranked.n);
  line(t, "nmetrics", evaluated->metrics.n);
  line(t, "nstates", p->nstates);
  buf_format(b, "%s  .inputs = inputs,\n%s%s%s%s%s%s", dim_count(g) > 0 ? "  .dims = dims,\n" : "",
    g->fits.n > 0 ? "  .fits = fits,\n" : "", g->params.n > 0 ? "  .params = params,\n" : "",
    evaluated->outputs.n > 0 ? "  .outputs = outputs,\n" : "",
    g->ranked.n > 0 ? "  .lists = lists,\n" : "",
    evaluated->metrics.n > 0 ? "  .metrics = metrics,\n" : "",
    p->nstates > 0 ? "  .state_names = state_names,\n  .state_init = state_init,\n" : "");
  text_member(t, "optimizer", model_trains(g) ? p->name : (Str){0});
  if (r->solver.given) {
    buf_format(b,
      "  .solver = \"lbfgs\",\n  .memory = %d,\n  .tolerance = %.17g,\n  .l2 = %.17g,\n",
      r->solver.memory, r->solver.tolerance, r->solver.l2);
  }
  line(t, "libsvm", g->data.format == DATA_LIBSVM);
  line(t, "libsvm_base", g->data.base);
  line(t, "header", g->data.header);
  buf_format(
    b, "  .separator = '\\%03o',\n  .lr = %.17g,\n", (unsigned char)g->data.separator, p->lr);
  line(t, "batch", r->batch);
  line(t, "epochs", r->epochs);
  line(t, "seed", r->seed);
  line(t, "early_stopping", r->early_stopping);
  line(t, "drop_last", r->drop_last);
  line(t, "no_loss", g->loss == NULL);
  buf_format(b, splits ? "  .split = &split,\n" : "");
  buf_format(b, "  .workspace = workspace,\n  .predict = %.*s_predict_batch,\n", STR_ARG(model));
  if (frozen) {
    buf_format(b, "};\n");
    return;
  }
  fold(t, o);
  buf_format(b,
    "  .prepare = %.*s_prepare,\n#ifndef RANK_LIBRARY\n  .evaluate = %.*s_evaluate_batch,\n",
    STR_ARG(model), STR_ARG(model));
  if (model_trains(g)) {
    buf_format(b, "  .train = %.*s_train_batch,\n  .train_serial = %.*s_train_serial,\n",
      STR_ARG(model), STR_ARG(model));
  }
  buf_format(b, "#endif\n");
  buf_format(b, "};\n");
}

Str emit_descriptor(Arena *a, const Graph *g, const EmitOptions *o, const RequestSplit *split)
{
  Text t = {a, {.arena = a}, g};
  Graph *evaluated = pass_prune(a, g, PRUNE_EVALUATE);
  int visible = evaluated->outputs.n;
  outputs_with_metrics(evaluated);
  Str model = name_c(a, g->model);
  buf_format(&t.out,
    "/* %.*s: what the runtime knows of the model.\n * Generated by rankc; edit the model, not "
    "this file. */\n\n#include \"%.*s_parts.h\"\n\n",
    STR_ARG(g->model), STR_ARG(g->model));
  describe_inputs(&t);
  params(&t);
  outputs(&t, evaluated, visible);
  metrics(&t, evaluated);
  states(&t);
  workspace(&t, model, o->frozen != NULL);
  if (split) {
    buf_str(&t.out, emit_split(a, g, o, split));
  }
  model_struct(&t, evaluated, model, split != NULL, o);
  return buf_take(&t.out);
}
