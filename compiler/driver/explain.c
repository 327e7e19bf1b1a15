/* explain.c: `rankc explain`, how a model will run and what that costs.
 *
 * Everything is computed from the graph and the plan. Work is counted in operations (an addition or a
 * multiplication is one, other functions what their row of the op table says) for one sample whose
 * lists are as long as they may be. */

#include "command.h"
#include "pipeline.h"
#include "table.h"

#include "../ir/ops.h"
#include "../pass/pass.h"
#include "../pass/plan.h"

#include <stdio.h>
#include <string.h>

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
static int explain_passes(Session *s)
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
  printf("The program, operations for one sample with lists of the greatest length\n\n");
  table_print(&t, "  ", stdout);
  return EXIT_FINE;
}

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
    return "table rows";
  }
  return "";
}

static const char *place_text(Place place)
{
  switch (place) {
  case PLACE_INLINE:
  case PLACE_FUSED:
    return "";
  case PLACE_LOCAL:
    return "local";
  case PLACE_TILE:
    return "tile";
  case PLACE_BATCH:
    return "whole batch";
  case PLACE_SLOT:
    return "summed";
  case PLACE_TOTAL:
    return "once";
  }
  return "";
}

static bool holds_word(Str text, const char *word)
{
  int n = (int)strlen(word);
  for (int i = 0; i + n <= text.n; i++) {
    bool starts = i == 0 || text.s[i - 1] == ' ', ends = i + n == text.n || text.s[i + n] == ' ';
    if (starts && ends && memcmp(text.s + i, word, (size_t)n) == 0) {
      return true;
    }
  }
  return false;
}

/* The ops between a statement's result and what it reads from memory: what was fused, each once. */
static void fused_words(const Plan *p, const Node *n, Buf *buf, int depth)
{
  for (int i = 0; i < n->nin && depth < 16; i++) {
    const Node *in = n->in[i];
    const char *word = op_rows[in->op].word;
    if (plan_stored(p, in)) {
      continue;
    }
    fused_words(p, in, buf, depth + 1);
    if (word[0] != '\0' && op_rows[in->op].class != CLASS_LEAF &&
        !holds_word(buf_take(buf), word)) {
      buf_format(buf, "%s%s", buf->n > 0 ? " " : "", word);
    }
  }
}

static void stmt_row(const Plan *p, const Stmt *s, Table *t)
{
  Arena *a = t->arena;
  const Graph *g = p->g;
  const Node *node = s->store ? s->store : s->node;
  const Value *v = &p->value[node->id];
  Buf fused = {.arena = a};
  fused_words(p, node, &fused, 0);
  double operations = work(g, s->node) * (s->kind == STMT_CONTRACT ? 2 : 1);
  int line = loc_line(node->loc);
  table_cell(t, str_format(a, "  %s", kind_text(p, s)));
  table_cell(t, node->name.n > 0 ? node->name : v->name);
  table_cell(t, type_print(g, node->type, a));
  table_cell(t, line > 0 ? str_format(a, "line %d", line) : (Str){0});
  table_cell(t, count_text(a, operations));
  table_cell(t, str_of(place_text(v->place)));
  table_cell(t, fused.n > 0 ? buf_take(&fused) : (Str){0});
}

/* Bytes of everything kept in `place`, for one sample. */
static double kept(const Plan *p, Place place)
{
  double sum = 0;
  for (int i = 0; i < p->g->nodes.n; i++) {
    const Node *n = p->g->nodes.data[i];
    sum += p->value[i].place == place ? elements(p->g, n->type) * 4 : 0;
  }
  return sum;
}

static void explain_plan(Arena *a, const Plan *p, const char *role)
{
  Str tile_bytes = count_text(a, kept(p, PLACE_TILE) * p->tile);
  Str batch_bytes = count_text(a, kept(p, PLACE_BATCH));
  printf("\n%s: %d phase%s, tiles of %d samples, %d statements in %d blocks\n", role, p->phases,
    p->phases == 1 ? "" : "s", p->tile, p->stmts.n, p->blocks.n);
  printf("  at most %.*s bytes per tile, %.*s bytes per sample of the batch (f32)\n",
    STR_ARG(tile_bytes), STR_ARG(batch_bytes));
  Table t = {.arena = a,
    .columns = 7,
    .heads = {"statement", "value", "type", "from", "operations", "kept", "fused into it"},
    .right = {[4] = true}};
  for (int i = 0; i < p->blocks.n; i++) {
    const Block *block = &p->blocks.data[i];
    Str place = str_format(
      a, "phase %d, %s", block->phase + 1, block->flat ? "all rows" : "sample by sample");
    table_cell(&t, place);
    for (int j = 1; j < t.columns; j++) {
      table_cell(&t, (Str){0});
    }
    for (int j = 0; j < block->stmts.n; j++) {
      stmt_row(p, &p->stmts.data[block->stmts.data[j]], &t);
    }
  }
  fputs("\n", stdout);
  table_print(&t, "  ", stdout);
}

int command_explain(Options *o)
{
  static const struct {
    const char *name;
    PruneFor what;
  } roles[] = {{"predict", PRUNE_PREDICT}, {"train", PRUNE_TRAIN}};
  Session s = {0};
  int code = session_start(&s, o);
  if (code == EXIT_FINE) {
    printf("%.*s\n\n", STR_ARG(s.graph->model));
    code = explain_passes(&s);
  }
  for (int i = 0; i < 2 && code == EXIT_FINE; i++) {
    if (roles[i].what != PRUNE_TRAIN || s.graph->loss) {
      Graph *g = pass_prune(o->arena, s.graph, roles[i].what);
      explain_plan(o->arena, plan_graph(o->arena, g, o->fuse, o->tile), roles[i].name);
    }
  }
  return code;
}
