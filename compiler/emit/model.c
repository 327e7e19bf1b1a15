/* model.c: the constant rank_model that tells the runtime about a model, and main. */

#include "writer.h"

#include "../pass/pass.h"

#include <stdint.h>

typedef struct Text {
  Arena *arena;
  Buf out;
  const Graph *g;
} Text;

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
        *VEC_PUSH(g->arena, &g->outputs) = (Output){.name = name, .node = arg};
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

static void puts_line(Text *t, const char *text)
{
  buf_format(&t->out, "%s\n", text);
}

static Str quoted(Text *t, Str s)
{
  return string_c(t->arena, s);
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
static uint64_t layout_hash(const Graph *g)
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

static void dims(Text *t)
{
  const Graph *g = t->g;
  int n = 0;
  for (int i = 0; i < g->axes.n; i++) {
    if (g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i) {
      buf_format(&t->out, n++ == 0 ? "static const rank_dim dims[] = {\n" : "");
      buf_format(&t->out, "  {%.*s, %ld},\n", STR_ARG(quoted(t, g->axes.data[i].name)),
        g->axes.data[i].extent);
    }
  }
  puts_line(t, n > 0 ? "};\n" : "");
}

static int dim_count(const Graph *g)
{
  int n = 0;
  for (int i = 0; i < g->axes.n; i++) {
    n += g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i;
  }
  return n;
}

static void encoding_arrays(Text *t, int i)
{
  const Input *in = &t->g->inputs.data[i];
  const Encoding *e = &in->encoding;
  if (e->source == FROM_NAMES && e->ncolumns > 0) {
    buf_format(&t->out, "static const char *const columns_%d[] = {", i);
    for (int j = 0; j < e->ncolumns; j++) {
      buf_format(&t->out, "%s%.*s", j > 0 ? ", " : "", STR_ARG(quoted(t, e->columns[j])));
    }
    puts_line(t, "};");
  }
  if (e->source == FROM_POSITIONS) {
    buf_format(&t->out, "static const int positions_%d[] = {", i);
    for (int j = 0; j < e->ncolumns; j++) {
      buf_format(&t->out, "%s%d", j > 0 ? ", " : "", e->positions[j]);
    }
    puts_line(t, "};");
  }
  if (e->nbuckets > 0) {
    buf_format(&t->out, "static const double buckets_%d[] = {", i);
    for (int j = 0; j < e->nbuckets; j++) {
      buf_format(&t->out, "%s%.17g", j > 0 ? ", " : "", e->buckets[j]);
    }
    puts_line(t, "};");
  }
  if (in->nvocab > 0) {
    buf_format(&t->out, "static const long vocab_%d[] = {", i);
    for (int j = 0; j < in->nvocab; j++) {
      buf_format(&t->out, "%s%ld", j > 0 ? ", " : "", in->vocab[j]);
    }
    puts_line(t, "};");
  }
}

static void encoding(Text *t, int i)
{
  const Encoding *e = &t->g->inputs.data[i].encoding;
  static const char *const sources[] = {"RANK_FROM_NAMES", "RANK_FROM_POSITIONS",
    "RANK_FROM_INDICES", "RANK_FROM_VALUES", "RANK_FROM_TARGET"};
  Buf *b = &t->out;
  buf_format(b, "   .encoding = {.source = %s, .ncolumns = %d", sources[e->source], e->ncolumns);
  if (e->source == FROM_NAMES && e->ncolumns > 0) {
    buf_format(b, ", .columns = columns_%d", i);
  }
  if (e->source == FROM_POSITIONS) {
    buf_format(b, ", .positions = positions_%d", i);
  }
  buf_format(b, ", .separator = %.*s", STR_ARG(quoted(t, e->separator)));
  if (e->nbuckets > 0) {
    buf_format(b, ", .buckets = buckets_%d, .nbuckets = %d", i, e->nbuckets);
  }
  buf_format(b, ", .vocab_min = %d, .missing = %.17g,\n", e->vocab_min, e->missing);
  buf_format(b,
    "     .has_missing = %d, .log1p = %d, .standardize = %d, .hash = %d, .vocab = %d, .cut = %d, "
    ".keep_last = %d}},\n",
    e->has_missing, e->log1p, e->standardize, e->hash, e->vocab, e->cut, e->keep_last);
}

static void inputs(Text *t)
{
  const Graph *g = t->g;
  for (int i = 0; i < g->inputs.n; i++) {
    encoding_arrays(t, i);
  }
  puts_line(t, "static const rank_input inputs[] = {");
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *in = &g->inputs.data[i];
    Layout l = plan_layout(g, in->type, false);
    buf_format(&t->out,
      "  {.name = %.*s, .is_id = %d, .label = %d, .dim = %d, .width = %ld, .nvocab = %d,\n",
      STR_ARG(quoted(t, in->name)), in->type.kind == KIND_ID, in->label,
      l.ragged < 0 ? -1 : dim_index(g, l.ragged), l.width, in->nvocab);
    if (in->nvocab > 0) {
      buf_format(&t->out, "   .vocab = vocab_%d,\n", i);
    }
    buf_format(&t->out, "   .same_as = %d,\n", in->same_as);
    encoding(t, i);
  }
  puts_line(t, "};\n");
}

static void shape_text(Text *t, int n, const long *shape)
{
  buf_format(&t->out, ".nshape = %d, .shape = {", n);
  for (int j = 0; j < n; j++) {
    buf_format(&t->out, "%s%ld", j > 0 ? ", " : "", shape[j]);
  }
  buf_format(&t->out, n == 0 ? "0}" : "}");
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
    long width = plan_layout(g, p->type, false).width;
    buf_format(&t->out, "  {.name = %.*s, .table = %d, .rows = %ld, .vocab_of = %d, .width = %ld, ",
      STR_ARG(quoted(t, p->name)), p->table, p->table ? p->rows : 1, p->vocab_of, width);
    shape_text(t, p->nshape, p->shape);
    buf_format(&t->out, ",\n   .init = %s, .init_a = %.17g, .init_b = %.17g},\n", inits[p->init],
      p->init_a, p->init_b);
  }
  puts_line(t, "};\n");
}

static void outputs(Text *t, const Graph *g, int visible)
{
  if (g->outputs.n == 0) {
    return;
  }
  puts_line(t, "static const rank_output outputs[] = {");
  for (int i = 0; i < g->outputs.n; i++) {
    const Output *o = &g->outputs.data[i];
    long shape[MAX_AXES], width = 1;
    int n = 0;
    for (int j = 0; j < o->node->type.n; j++) {
      if (o->node->type.axis[j] != AXIS_B) {
        shape[n] = axis_extent(g, o->node->type.axis[j]);
        width *= shape[n++];
      }
    }
    buf_format(&t->out, "  {.name = %.*s, .hidden = %d, .width = %ld, ",
      STR_ARG(quoted(t, o->name)), i >= visible, width);
    shape_text(t, n, shape);
    puts_line(t, "},");
  }
  puts_line(t, "};\n");
}

static Str metric_text(Text *t, const Graph *g, const Metric *m)
{
  if (m->loc.source) {
    return (Str){m->loc.source->text.s + m->loc.at, m->loc.n};
  }
  (void)g;
  return str_copy(t->arena, m->name);
}

static void metrics(Text *t, const Graph *g)
{
  if (g->metrics.n == 0) {
    return;
  }
  for (int i = 0; i < g->metrics.n; i++) {
    const Metric *m = &g->metrics.data[i];
    if (m->nk > 0) {
      buf_format(&t->out, "static const long k_%d[] = {", i);
      for (int j = 0; j < m->nk; j++) {
        buf_format(&t->out, "%s%ld", j > 0 ? ", " : "", m->k[j]);
      }
      puts_line(t, "};");
    }
  }
  puts_line(t, "static const rank_metric metrics[] = {");
  for (int i = 0; i < g->metrics.n; i++) {
    const Metric *m = &g->metrics.data[i];
    buf_format(&t->out, "  {.name = %.*s, .text = %.*s, .nargs = %d, .args = {",
      STR_ARG(quoted(t, m->name)), STR_ARG(quoted(t, metric_text(t, g, m))), m->nargs);
    for (int j = 0; j < m->nargs; j++) {
      buf_format(&t->out, "%s%d", j > 0 ? ", " : "", output_of(g, m->args[j]));
    }
    buf_format(&t->out, "}, .by = %d, .nk = %d", m->by, m->nk);
    buf_format(&t->out, m->nk > 0 ? ", .k = k_%d},\n" : "},\n", i);
  }
  puts_line(t, "};\n");
}

static void states(Text *t)
{
  const Optimizer *o = &t->g->train.optimizer;
  if (o->nstates == 0) {
    return;
  }
  buf_format(&t->out, "static const char *const state_names[] = {");
  for (int k = 0; k < o->nstates; k++) {
    buf_format(&t->out, "%s%.*s", k > 0 ? ", " : "", STR_ARG(quoted(t, o->state_name[k])));
  }
  buf_format(&t->out, "};\nstatic const double state_init[] = {");
  for (int k = 0; k < o->nstates; k++) {
    buf_format(&t->out, "%s%.17g", k > 0 ? ", " : "", o->state_init[k]);
  }
  puts_line(t, "};\n");
}

static void workspace(Text *t, Str model)
{
  buf_format(&t->out, "/* Bytes of working memory; predict and evaluate share theirs. */\n"
                      "static size_t workspace(const rank_state *s, const rank_batch *b, int "
                      "threads, int training)\n{\n");
  if (model_trains(t->g)) {
    buf_format(&t->out, "  if (training) {\n    return %.*s_train_bytes(s, b, threads);\n  }\n",
      STR_ARG(model));
  } else {
    puts_line(t, "  (void)training;");
  }
  buf_format(&t->out,
    "  const size_t predict = %.*s_predict_bytes(s, b, threads);\n"
    "  const size_t evaluate = %.*s_evaluate_bytes(s, b, threads);\n"
    "  return predict > evaluate ? predict : evaluate;\n}\n\n",
    STR_ARG(model), STR_ARG(model));
}

Str emit_descriptor(Arena *a, const Graph *g, const EmitOptions *o)
{
  (void)o;
  Text t = {a, {.arena = a}, g};
  Graph *evaluated = pass_prune(a, g, PRUNE_EVALUATE);
  int visible = evaluated->outputs.n;
  outputs_with_metrics(evaluated);
  Str model = name_c(a, g->model);
  buf_format(&t.out,
    "/* %.*s: what the runtime knows of the model.\n * Generated by rankc; edit the model, not "
    "this file. */\n\n#include \"%.*s_parts.h\"\n\n",
    STR_ARG(g->model), STR_ARG(g->model));
  dims(&t);
  inputs(&t);
  params(&t);
  outputs(&t, evaluated, visible);
  metrics(&t, evaluated);
  states(&t);
  workspace(&t, model);
  const Train *r = &g->train;
  const Optimizer *p = &r->optimizer;
  Buf *b = &t.out;
  buf_format(b,
    "const rank_model %.*s_model = {\n  .name = %.*s,\n  .doc = %.*s,\n  .rankc = \"0.1.0\",\n",
    STR_ARG(model), STR_ARG(quoted(&t, g->model)), STR_ARG(quoted(&t, g->doc)));
  buf_format(b, "  .layout = 0x%016llxu,\n", (unsigned long long)layout_hash(g));
  buf_format(b,
    "  .ndims = %d, .ninputs = %d, .nparams = %d, .noutputs = %d, .nmetrics = %d, .nstates = %d,\n",
    dim_count(g), g->inputs.n, g->params.n, evaluated->outputs.n, evaluated->metrics.n, p->nstates);
  if (dim_count(g) > 0) {
    buf_format(b, "  .dims = dims,\n");
  }
  buf_format(b, "  .inputs = inputs,\n");
  if (g->params.n > 0) {
    buf_format(b, "  .params = params,\n");
  }
  if (evaluated->outputs.n > 0) {
    buf_format(b, "  .outputs = outputs,\n");
  }
  if (evaluated->metrics.n > 0) {
    buf_format(b, "  .metrics = metrics,\n");
  }
  if (p->nstates > 0) {
    buf_format(b, "  .state_names = state_names,\n  .state_init = state_init,\n");
  }
  buf_format(
    b, "  .optimizer = %.*s,\n", STR_ARG(quoted(&t, model_trains(g) ? p->name : (Str){0})));
  buf_format(b, "  .libsvm = %d, .libsvm_base = %d, .header = %d, .separator = '\\%03o',\n",
    g->data.format == DATA_LIBSVM, g->data.base, g->data.header, (unsigned char)g->data.separator);
  buf_format(b,
    "  .lr = %.17g, .batch = %ld, .epochs = %ld, .seed = %ld, .early_stopping = %ld, .drop_last = "
    "%d,\n",
    p->lr, r->batch, r->epochs, r->seed, r->early_stopping, r->drop_last);
  buf_format(b,
    "  .workspace = workspace,\n  .predict = %.*s_predict,\n  .evaluate = %.*s_evaluate,\n",
    STR_ARG(model), STR_ARG(model));
  if (model_trains(g)) {
    buf_format(b, "  .train = %.*s_train,\n", STR_ARG(model));
  }
  buf_format(b, "};\n");
  return buf_take(b);
}

/* What the files of one model know of each other. */
Str emit_parts(Arena *a, const Graph *g)
{
  Buf b = {.arena = a};
  Str m = name_c(a, g->model);
  buf_format(&b,
    "#ifndef RANK_PARTS_%.*s\n#define RANK_PARTS_%.*s\n\n"
    "/* %.*s: what the files of the model know of each other.\n"
    " * Generated by rankc; edit the model, not this file. */\n\n#include \"rank_model.h\"\n\n",
    STR_ARG(m), STR_ARG(m), STR_ARG(g->model));
  buf_format(&b,
    "rank_status %.*s_predict(const rank_state *s, const rank_batch *b, rank_real *const *out,\n"
    "  void *work, int threads);\n"
    "size_t %.*s_predict_bytes(const rank_state *s, const rank_batch *b, int threads);\n"
    "rank_status %.*s_evaluate(const rank_state *s, const rank_batch *b, rank_real *const *out,\n"
    "  double *loss, void *work, int threads);\n"
    "size_t %.*s_evaluate_bytes(const rank_state *s, const rank_batch *b, int threads);\n",
    STR_ARG(m), STR_ARG(m), STR_ARG(m), STR_ARG(m));
  if (model_trains(g)) {
    buf_format(&b,
      "rank_status %.*s_train(rank_state *s, const rank_batch *b, const rank_step *o, double "
      "*loss,\n"
      "  void *work);\n"
      "size_t %.*s_train_bytes(const rank_state *s, const rank_batch *b, int threads);\n",
      STR_ARG(m), STR_ARG(m));
  }
  buf_format(&b, "extern const rank_model %.*s_model;\n\n#endif\n", STR_ARG(m));
  return buf_take(&b);
}

Str emit_main(Arena *a, const Graph *g)
{
  Str m = name_c(a, g->model);
  return str_format(a,
    "/* %.*s: the program.\n * Generated by rankc; edit the model, not this file. */\n\n"
    "#include \"%.*s_parts.h\"\n\n"
    "int main(int argc, char **argv)\n{\n  return rank_program(&%.*s_model, argc, argv);\n}\n",
    STR_ARG(g->model), STR_ARG(g->model), STR_ARG(m));
}
