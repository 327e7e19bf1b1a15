/* page_graph.c: a plan as text for graphviz: a node for each statement, an edge for each value that one
 * reads of another, a box for each group, and around these one for each phase. */

#include "page.h"
#include "table.h"

#include "../ir/ops.h"
#include "../pass/reason.h"

typedef struct Drawing {
  Arena *a;
  const PageRole *role;
  const Plan *p;
  Buf out;
  int stmt; /* whose edges are drawn */
} Drawing;

/* Within the quotes of the dot language, where a backslash starts an escape. */
static void put_quoted(Buf *out, Str text)
{
  for (int i = 0; i < text.n; i++) {
    char c = text.s[i];
    buf_format(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c < ' ' && c >= 0 ? ' ' : c);
  }
}

static void put_node(Drawing *d, int index)
{
  const Stmt *s = &d->p->stmts.data[index];
  int line = loc_line(s->store->loc);
  Buf *out = &d->out;
  buf_format(out, "s%d [id=\"%s_s%d\" class=\"L%d\" label=\"", index, d->role->name, index, line);
  put_quoted(out, s->kind == STMT_OUTPUT ? d->p->g->outputs.data[s->index].name
                                         : value_text(d->a, d->p, s->store));
  buf_format(out, "%s\\n", s->kind == STMT_OUTPUT ? " (output)" : "");
  if (s->kind != STMT_SCATTER) {
    put_quoted(out, type_print(d->p->g, s->store->type, d->a));
  }
  buf_format(out, "%s", line > 0 ? "  " : "");
  put_quoted(out, line > 0 ? str_format(d->a, "line %d", line) : (Str){0});
  buf_format(out, "\" tooltip=\"");
  put_quoted(out, fused_text(d->a, d->p, s));
  buf_format(out, " \"];\n");
}

static void put_edge(void *arg, const Node *from)
{
  Drawing *d = arg;
  int made = d->p->value[from->id].stmt;
  if (made >= 0 && made != d->stmt) {
    buf_format(&d->out, "s%d -> s%d [id=\"%s_e%d_%d_%d\"];\n", made, d->stmt, d->role->name, made,
      d->stmt, d->out.n);
  }
}

static void put_edges(Drawing *d, int index)
{
  const Stmt *s = &d->p->stmts.data[index];
  d->stmt = index;
  if (s->kind == STMT_OUTPUT) {
    plan_reads(d->p, s->node, put_edge, d);
    return;
  }
  for (int i = 0; i < s->store->nin; i++) {
    plan_reads(d->p, s->store->in[i], put_edge, d);
  }
  for (int i = 0; i < s->nsums; i++) {
    plan_reads(d->p, s->sums[i]->in[0], put_edge, d);
  }
}

static Str cost_text(const Drawing *d, int group)
{
  const CountGroup *g = &d->role->count->groups.data[group];
  long batch = d->p->g->train.batch > 0 ? d->p->g->train.batch : 1;
  Str flops = count_text(d->a, amount_per_sample(d->p, &g->flops, 1, batch));
  Str bytes = count_text(d->a, amount_per_sample(d->p, &g->bytes, 1, batch));
  return str_format(d->a, "%.*s operations, %.*s B", STR_ARG(flops), STR_ARG(bytes));
}

static void put_group(Drawing *d, int index)
{
  const CountGroup *g = &d->role->count->groups.data[index];
  if (g->block < 0) {
    return;
  }
  const Block *b = &d->p->blocks.data[g->block];
  const char *how = b->pairs ? "sweep" : b->flat ? "all rows" : "by sample";
  buf_format(&d->out,
    "subgraph cluster_g%d { id=\"%s_g%d\"; style=filled; fillcolor=\"%.*s\"; label=\"group %d, "
    "%s\\n%.*s",
    index, d->role->name, index, STR_ARG(page_heat(d->a, d->role, index)), index + 1, how,
    STR_ARG(cost_text(d, index)));
  if (d->role->ns) {
    buf_format(&d->out, "\\n%.*s", STR_ARG(page_time(d->a, d->role, index)));
  }
  buf_format(&d->out, "\";\n");
  for (int i = 0; i < b->stmts.n; i++) {
    put_node(d, b->stmts.data[i]);
  }
  buf_format(&d->out, "}\n");
}

Str page_dot(Arena *a, const PageRole *role)
{
  Drawing d = {.a = a, .role = role, .p = role->plan, .out = {.arena = a}};
  buf_format(&d.out,
    "strict digraph g { id=\"%s\"; rankdir=TB; fontname=Helvetica; fontsize=11;\n"
    "node [shape=box style=\"filled,rounded\" fillcolor=white fontname=Helvetica fontsize=11];\n",
    role->name);
  for (int phase = 0; phase < d.p->phases; phase++) {
    buf_format(&d.out, "subgraph cluster_p%d { id=\"%s_p%d\"; label=\"phase %d\";\n", phase,
      role->name, phase, phase + 1);
    for (int i = 0; i < role->count->groups.n; i++) {
      int block = role->count->groups.data[i].block;
      if (block >= 0 && d.p->blocks.data[block].phase == phase) {
        put_group(&d, i);
      }
    }
    buf_format(&d.out, "}\n");
  }
  for (int i = 0; i < d.p->stmts.n; i++) {
    if (d.p->stmts.data[i].scope != SCOPE_SAMPLE) {
      put_node(&d, i); /* once, outside of the phases */
    }
  }
  for (int i = 0; i < d.p->stmts.n; i++) {
    put_edges(&d, i);
  }
  buf_format(&d.out, "}\n");
  return buf_take(&d.out);
}
