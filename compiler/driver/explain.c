/* explain.c: `rankc explain`, how a model will run and what that costs.
 *
 * Everything is computed from the graph and the plan. Work is counted in operations (an addition or a
 * multiplication is one, other functions what their row of the op table says) for one sample whose lists
 * are as long as they may be; bytes are those that go through memory beyond a tile's slab. */

#include "bench.h"
#include "command.h"
#include "page.h"
#include "pipeline.h"
#include "table.h"

#include "../emit/emit.h"
#include "../ir/ops.h"
#include "../pass/reason.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Explain {
  Arena *a;
  FILE *out;
  const Options *o;
  const Plan *p;
  const Count *count;
} Explain;

/* ---- passes ---- */

/* How many values of that type one sample has; a batch axis counts as the batch that trains. */
static double elements(const Graph *g, Type t)
{
  double n = 1;
  for (int i = 0; i < t.n; i++) {
    const Axis *axis = &g->axes.data[t.axis[i]];
    if (t.axis[i] != AXIS_B) {
      n *= axis->kind == AXIS_BATCH ? (double)g->train.batch : (double)axis->extent;
    }
  }
  return n;
}

static double work(const Graph *g, const Node *n)
{
  const OpRow *row = &op_rows[n->op];
  return row->class == CLASS_REDUCE ? elements(g, n->in[0]->type)
                                    : elements(g, n->type) * row->cost;
}

static double total_work(const Graph *g)
{
  double sum = 0;
  for (int i = 0; i < g->nodes.n; i++) {
    sum += work(g, g->nodes.data[i]);
  }
  return sum;
}

/* What each pass did to the size of the program. */
static int explain_passes(Session *s, FILE *out)
{
  Arena *a = s->options->arena;
  Table t = {.arena = a,
    .columns = 4,
    .heads = {"pass", "nodes", "operations", ""},
    .right = {false, true, true}};
  for (int i = -1; i < npasses; i++) {
    int code = i < 0 ? EXIT_FINE : session_pass(s, &passes[i]);
    if (code != EXIT_FINE) {
      return code;
    }
    table_cell(&t, i < 0 ? S("check") : str_of(passes[i].name));
    table_cell(&t, count_text(a, s->graph->nodes.n));
    table_cell(&t, count_text(a, total_work(s->graph)));
    table_cell(&t, i < 0 ? S("the model as written") : str_of(passes[i].doc));
  }
  fprintf(out, "The program, operations for one sample with lists of the greatest length\n\n");
  table_print(&t, "  ", out);
  return EXIT_FINE;
}

/* The rewrites that save arithmetic, where they fired. */
static void explain_rewrites(const Session *s, FILE *out)
{
  Arena *a = s->options->arena;
  const RuleLog *log = s->graph->log;
  Table t = {.arena = a, .columns = 2, .heads = {"from", "why"}};
  long simple = 0;
  for (int i = 0; i < log->fired.n; i++) {
    const Fired *f = &log->fired.data[i];
    int line = loc_line(f->loc);
    simple += !f->saves;
    if (f->saves) {
      table_cell(&t, line > 0 ? str_format(a, "line %d", line) : (Str){0});
      table_cell(&t, str_of(f->why));
    }
  }
  fprintf(out, "\nRewritten to save arithmetic%s; and %ld simplifications\n",
    t.cells.n > 0 ? "" : ": nothing", simple);
  if (t.cells.n > 0) {
    fputs("\n", out);
    table_print(&t, "  ", out);
  }
}

/* ---- groups ---- */

static const char *kind_text(const Plan *p, const Stmt *s)
{
  switch (s->kind) {
  case STMT_ELEMENT:
    return op_rows[s->node->op].class == CLASS_STRUCTURE ? "rows" : "pointwise";
  case STMT_REDUCE:
    return "reduce";
  case STMT_STRUCTURE:
    return "arrange";
  case STMT_CONTRACT:
    return s->contract.pack >= 0 && s->contract.pack < p->packs.n ? "product, packed" : "product";
  case STMT_OUTPUT:
    return "output";
  case STMT_SCATTER:
    return s->late ? "gradient rows, in the update" : "gradient rows";
  }
  return "";
}

static long batch_of(const Plan *p)
{
  return p->g->train.batch > 0 ? p->g->train.batch : 1;
}

static double per_sample(const Explain *x, const Amount *amount)
{
  return amount_per_sample(x->p, amount, 1, batch_of(x->p));
}

static void stmt_row(const Explain *x, const Stmt *s, Table *t)
{
  Arena *a = x->a;
  const Value *v = &x->p->value[s->store->id];
  bool kept = s->kind != STMT_OUTPUT && s->kind != STMT_SCATTER;
  int line = loc_line(s->store->loc);
  table_cell(t, str_format(a, "  %s", kind_text(x->p, s)));
  table_cell(t, value_text(a, x->p, s->store));
  table_cell(t, s->kind == STMT_SCATTER ? (Str){0} : type_print(x->p->g, s->store->type, a));
  table_cell(t, line > 0 ? str_format(a, "line %d", line) : (Str){0});
  table_cell(t, (Str){0});
  table_cell(t, kept ? str_of(place_text(v->place)) : (Str){0});
  table_cell(t, fused_text(a, x->p, s));
  table_cell(t, reason_text(a, x->p, s));
  for (int i = 0; i < s->nsums; i++) { /* added to by the same kernel */
    const Node *n = s->sums[i];
    table_cell(t, S("    reduce"));
    table_cell(t, value_text(a, x->p, n));
    table_cell(t, type_print(x->p->g, n->type, a));
    table_cell(t, loc_line(n->loc) > 0 ? str_format(a, "line %d", loc_line(n->loc)) : (Str){0});
    table_cell(t, (Str){0});
    table_cell(t, str_of(place_text(x->p->value[n->id].place)));
    table_cell(t, (Str){0});
    table_cell(t, S("in the kernel of this product"));
  }
}

static void group_rows(const Explain *x, int index, Table *t)
{
  Arena *a = x->a;
  const CountGroup *group = &x->count->groups.data[index];
  const Block *b = group->block >= 0 ? &x->p->blocks.data[group->block] : NULL;
  table_cell(t, b                    ? str_format(a, "group %d", index + 1)
                : group->block == -1 ? S("once")
                                     : S("end"));
  table_cell(t, b ? str_format(a, "phase %d", b->phase + 1) : (Str){0});
  table_cell(t, b ? str_of(b->pairs ? "sweep" : b->flat ? "all rows" : "by sample") : (Str){0});
  table_cell(t, (Str){0});
  table_cell(t, count_text(a, per_sample(x, &group->flops)));
  table_cell(t, str_format(a, "%.*s B", STR_ARG(count_text(a, per_sample(x, &group->bytes)))));
  table_cell(t, b ? (Str){0} : group_text(a, x->p, group, 100));
  table_cell(t, (Str){0});
  for (int j = 0; b && j < b->stmts.n; j++) {
    stmt_row(x, &x->p->stmts.data[b->stmts.data[j]], t);
  }
  for (int j = 0; group->block == -1 && j < x->p->stmts.n; j++) {
    if (x->p->stmts.data[j].scope != SCOPE_SAMPLE) {
      stmt_row(x, &x->p->stmts.data[j], t);
    }
  }
}

/* ---- memory ---- */

/* Where the values of a tile lie in its slab. */
static void slab_map(const Explain *x)
{
  Arena *a = x->a;
  const Plan *p = x->p;
  Table t = {.arena = a,
    .columns = 5,
    .heads = {"in the slab", "type", "from byte", "bytes", "made in group"},
    .right = {false, false, true, true, true}};
  double at = 0, real = x->o->f64 ? 8 : 4;
  for (int i = 0; i < p->g->nodes.n; i++) {
    const Node *n = p->g->nodes.data[i];
    const Value *v = &p->value[i];
    if (v->place != PLACE_TILE || v->layout.across > 0) {
      continue;
    }
    double rows = v->layout.ragged < 0 ? 1 : (double)axis_extent(p->g, v->layout.ragged);
    double bytes = real * p->tile * rows * (double)v->layout.width;
    table_cell(&t, value_text(a, p, n));
    table_cell(&t, type_print(p->g, n->type, a));
    table_cell(&t, count_text(a, at));
    table_cell(&t, count_text(a, bytes));
    table_cell(&t, v->stmt >= 0 ? str_format(a, "%d", p->stmts.data[v->stmt].block + 1) : (Str){0});
    at += bytes;
  }
  if (t.cells.n > 0) {
    fputs("\n", x->out);
    table_print(&t, "  ", x->out);
  }
}

/* As `rankc bench` counts them, in the same C. */
static int barriers_of(Arena *a, const EmitFiles *files, const char *role)
{
  Str end = str_format(a, "_%s.c", role);
  for (int i = 0; i < files->list.n; i++) {
    Str name = files->list.data[i].name;
    if (name.n > end.n && str_eq((Str){name.s + name.n - end.n, end.n}, end)) {
      return bench_barriers(files->list.data[i].text);
    }
  }
  return 0;
}

static void explain_plan(const Explain *x, const EmitFiles *files, const char *role)
{
  Arena *a = x->a;
  const Plan *p = x->p;
  double flops = 0, bytes = 0;
  for (int i = 0; i < x->count->groups.n; i++) {
    flops += per_sample(x, &x->count->groups.data[i].flops);
    bytes += per_sample(x, &x->count->groups.data[i].bytes);
  }
  fprintf(x->out, "\n%s: %d phase%s, %d statements in %d groups\n", role, p->phases,
    p->phases == 1 ? "" : "s", p->stmts.n, p->blocks.n);
  fprintf(
    x->out, "  %d barriers: so often threads wait for each other\n", barriers_of(a, files, role));
  fprintf(x->out, "  %.*s operations and %.*s bytes per sample, in batches of %ld\n",
    STR_ARG(count_text(a, flops)), STR_ARG(count_text(a, bytes)), batch_of(p));
  if (p->tiles) {
    fprintf(x->out, "  tiles of %d samples, %.*s bytes of slab for each thread\n", p->tile,
      STR_ARG(count_text(a, slab_bytes(p, x->o->f64))));
  }
  fprintf(x->out, "  %.*s bytes kept for each sample of the batch\n\n",
    STR_ARG(count_text(a, batch_bytes(p, x->o->f64))));
  Table t = {.arena = a,
    .columns = 8,
    .heads = {"statement", "value", "type", "from", "operations", "kept", "fused into it",
      "why it ends there"},
    .right = {[4] = true}};
  for (int i = 0; i < x->count->groups.n; i++) {
    group_rows(x, i, &t);
  }
  table_print(&t, "  ", x->out);
  if (p->tiles) {
    slab_map(x);
  }
}

static int explain(Session *s, FILE *out, PageRole *roles, int *n)
{
  static const struct {
    const char *name;
    Role role;
  } all[] = {{"predict", ROLE_PREDICT}, {"train", ROLE_TRAIN}};
  Options *o = s->options;
  fprintf(out, "%.*s\n\n", STR_ARG(s->graph->model));
  int code = explain_passes(s, out);
  if (code != EXIT_FINE) {
    return code;
  }
  explain_rewrites(s, out);
  EmitOptions options = {.level = o->level, .rewrite = o->rewrite, .f64 = o->f64, .tile = o->tile};
  EmitFiles files = {0};
  emit_model(o->arena, s->graph, &options, &files);
  for (int i = 0; i < 2; i++) {
    if (all[i].role != ROLE_TRAIN || (s->graph->loss && s->graph->grads.n > 0)) {
      const Plan *p = emit_plan(o->arena, s->graph, &options, all[i].role);
      Explain x = {o->arena, out, o, p, count_plan(o->arena, p, o->f64)};
      roles[(*n)++] = (PageRole){.name = all[i].name, .plan = p, .count = x.count};
      explain_plan(&x, &files, all[i].name);
      Fold fold;
      if (all[i].role == ROLE_PREDICT && o->level >= FUSE_TILES && pass_fold(p->g, &fold)) {
        fprintf(out, "  %.*s\n\n", STR_ARG(fold_text(o->arena, p->g, &fold)));
      }
    }
  }
  return EXIT_FINE;
}

/* --html: the same text is a part of the page. */
static int explain_page(Session *s)
{
  Options *o = s->options;
  PageRole roles[2];
  EmitFiles files = {0};
  int n = 0;
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out) {
    fprintf(stderr, "rankc: error: out of memory\n");
    return EXIT_INTERNAL;
  }
  int code = explain(s, out, roles, &n);
  fclose(out);
  if (code == EXIT_FINE) {
    EmitOptions options = {
      .level = o->level, .rewrite = o->rewrite, .f64 = o->f64, .tile = o->tile};
    emit_model(o->arena, s->graph, &options, &files);
    code = o->bench.n > 0 && !page_times(s, o->bench, roles, n) ? EXIT_INPUT : EXIT_FINE;
  }
  if (code == EXIT_FINE) {
    code = page_write(s, roles, n, &files, (Str){text, (int)length}) ? EXIT_FINE : EXIT_USAGE;
  }
  free(text);
  return code;
}

int command_explain(Options *o)
{
  Session s = {0};
  PageRole roles[2];
  int n = 0, code = session_start(&s, o);
  if (code != EXIT_FINE) {
    return code;
  }
  return o->html.n > 0 ? explain_page(&s) : explain(&s, stdout, roles, &n);
}
