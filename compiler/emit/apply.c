/* apply.c: gradients reach the parameters: loops over every dense parameter; rows of tables are rows.c.
 *
 * Dense gradients are elements of the sums, finished when all samples have met. */

#include "writer.h"

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
    put_term(e, &b, env->index[q->type.axis[i]], l.stride[i]);
  }
  *at = b.n > 0 ? buf_take(&b) : S("0");
  return q->type.n;
}

Str update_call(Emit *e, Str at)
{
  const Optimizer *o = &e->g->train.optimizer;
  Buf b = {.arena = e->arena};
  buf_format(&b, "update(&%.*s[%.*s]", STR_ARG(e->own_name), STR_ARG(at));
  for (int k = 0; k < o->nstates; k++) {
    buf_format(&b, ", &%.*s[%.*s]", STR_ARG(e->state_name[k]), STR_ARG(at));
  }
  return buf_take(&b);
}

/* The weight of the penalty, when there is one. */
Str l2_argument(Emit *e, const Param *q)
{
  const Optimizer *o = &e->g->train.optimizer;
  return o->l2 > 0 ? put_text(e, ", %.*s", STR_ARG(number_c(e, q->free ? 0 : o->l2))) : (Str){0};
}

static void param_pointers(Emit *e, int param)
{
  Str name = e->param_name[param];
  put_line(e, "rank_real *restrict %.*s = step->%.*s;", STR_ARG(e->own_name), STR_ARG(name));
  for (int k = 0; k < e->g->train.optimizer.nstates; k++) {
    put_line(e, "rank_real *restrict %.*s = step->state->state[%d][%d];", STR_ARG(e->state_name[k]),
      param, k);
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
  if (grad->update) {
    put_line(e, "rank_real *restrict %.*s = step->%.*s;", STR_ARG(e->own_name),
      STR_ARG(e->param_name[grad->param]));
  } else {
    param_pointers(e, grad->param);
  }
  Env env = no_sample(e);
  Str at;
  bool scalar = q->type.n == 0;
  if (scalar) {
    put_line(e, "#pragma omp single nowait");
  }
  /* chunks of one size, so that what an element's neighbours in a vector are, and with them its last
   * bit, does not depend on how many threads there are */
  const char *split =
    q->type.n == 1 ? "#pragma omp for nowait schedule(static, 64)" : "#pragma omp for nowait";
  int loops = param_loops(e, &env, q, split, &at);
  Str g = expr(e, &env, grad->node);
  if (grad->update) {
    put_line(e, "%.*s[%.*s] = %.*s;", STR_ARG(e->own_name), STR_ARG(at), STR_ARG(g));
  } else {
    put_line(e, "%.*s, %.*s%.*s, &step->hyper);", STR_ARG(update_call(e, at)), STR_ARG(g),
      STR_ARG(l2_argument(e, q)));
  }
  for (int i = 0; i < loops; i++) {
    put_close(e, "}");
  }
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
    if (grad->update) {
      continue;
    }
    if (grad->node->op == OP_SCATTER) {
      Str name = e->param_name[grad->param];
      put_open(e, "for (long i = 0; i < step->%.*s_rows.n; i++) {", STR_ARG(name));
      put_line(e, "square += step->%.*s_rows.norm[i];", STR_ARG(name));
      put_close(e, "}");
      continue;
    }
    Env env = no_sample(e);
    int loops = 0;
    for (int j = 0; j < q->type.n; j++, loops++) {
      loop_open(e, &env, q->type.axis[j], false);
    }
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
  tables_group(e);
  if (o->clip_norm > 0) {
    put_line(e, "#pragma omp barrier");
    put_line(e, "#pragma omp single");
    put_line(e, "clip(step);");
  }
  tables_update(e);
  for (int i = 0; i < e->g->grads.n; i++) {
    if (e->g->grads.data[i].node->op != OP_SCATTER) {
      update_dense(e, &e->g->grads.data[i]);
    }
  }
  function_end(e, outer,
    "/* Applies the gradients; part: which of the team's threads this is. */\n"
    "static void train_update(struct train_step *step, int part, int parts)",
    -1);
}

/* Rows that are made where they are summed. */
static void export_late(Emit *e, const Grad *grad)
{
  long width = plan_layout(e->g, e->g->params.data[grad->param].type, false).width;
  put_open(e, "for (long at = 0; at < rows->n; at++) {");
  put_line(e, "const rank_real *row = step->%.*s + rows->ids[at] * %ldL;",
    STR_ARG(e->param_name[grad->param]), width);
  put_line(e, "rank_real *sum = to[%d] + rows->ids[at] * %ldL;", grad->param, width);
  late_row_print(e, grad, "sum", "row");
  put_line(e, "(void)row;");
  put_close(e, "}");
}

/* The gradients as whole arrays, for whoever asks to see them. */
void export_function(Emit *e)
{
  Buf *outer = e->out;
  function_begin(e);
  for (int i = 0; i < e->g->grads.n; i++) {
    const Grad *grad = &e->g->grads.data[i];
    const Param *q = &e->g->params.data[grad->param];
    Str name = e->param_name[grad->param];
    if (grad->update) {
      continue;
    }
    put_open(e, "if (to[%d]) {", grad->param);
    if (grad->node->op == OP_SCATTER) {
      put_line(e, "const rank_lookups *rows = &step->%.*s_rows;", STR_ARG(name));
      if (plan_is_late(e->p, grad->node)) {
        export_late(e, grad);
        put_close(e, "}");
        continue;
      }
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
  function_end(
    e, outer, "static void train_export(const struct train_step *step, rank_real *const *to)", -1);
}
