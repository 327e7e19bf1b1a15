/* check.c: `rankc check`, what a model is made of, in tables. */

#include "command.h"
#include "pipeline.h"
#include "table.h"

#include <stdio.h>

/* "id(2000)[L]": the declared kind with its vocabulary, then the axes. */
static Str input_type(Arena *a, const Graph *g, const Input *in)
{
  Str type = type_print(g, in->type, a);
  if (in->type.kind != KIND_ID) {
    return type;
  }
  Buf buf = {.arena = a};
  buf_format(&buf, "id(");
  for (int i = 0; i < in->nvocab && i < 4; i++) {
    if (in->same_as >= 0) {
      buf_str(&buf, g->inputs.data[in->same_as].name);
      break;
    }
    buf_str(&buf, i > 0 ? S(", ") : S(""));
    if (i == 3 && in->nvocab > 4) {
      buf_format(&buf, "... %d", in->nvocab);
    } else if (in->vocab[i] > 0) {
      buf_format(&buf, "%ld", in->vocab[i]);
    } else {
      buf_format(&buf, "vocab");
    }
  }
  buf_format(&buf, ")");
  int skip = type.n < 2 ? type.n : 2; /* the word id */
  buf_str(&buf, (Str){type.s + skip, type.n - skip});
  return buf_take(&buf);
}

static Str position_text(Arena *a, const int *positions, int n)
{
  return n == 1 ? str_format(a, "column %d", positions[0])
                : str_format(a, "columns %d to %d (%d)", positions[0], positions[n - 1], n);
}

static Str column_text(Arena *a, const Str *columns, int n)
{
  return n == 1 ? str_format(a, "column %.*s", STR_ARG(columns[0]))
                : str_format(a, "columns %.*s to %.*s (%d)", STR_ARG(columns[0]),
                    STR_ARG(columns[n - 1]), n);
}

static Str source_text(Arena *a, const Encoding *e)
{
  switch (e->source) {
  case FROM_NAMES:
    return column_text(a, e->columns, e->ncolumns);
  case FROM_POSITIONS:
    return position_text(a, e->positions, e->ncolumns);
  case FROM_INDICES:
    return S("indices");
  case FROM_VALUES:
    return S("values");
  case FROM_TARGET:
    return S("target");
  case FROM_FIT:
    return S("a fit");
  }
  return (Str){0};
}

static void print_separator(Buf *buf, Str separator)
{
  buf_format(buf, ", separated by \"");
  for (int i = 0; i < separator.n; i++) {
    char c = separator.s[i];
    buf_format(buf, c == '\t' ? "\\t" : "%c", c);
  }
  buf_format(buf, "\"");
}

/* Where an input comes from and how it becomes numbers. */
static Str encoding_text(Arena *a, const Encoding *e)
{
  Buf buf = {.arena = a};
  buf_str(&buf, source_text(a, e));
  if (e->separator.n > 0 && (e->source == FROM_NAMES || e->source == FROM_POSITIONS)) {
    print_separator(&buf, e->separator);
  }
  if (e->nan) {
    buf_format(&buf, ", missing is NaN");
  } else if (e->has_missing) {
    buf_format(&buf, ", missing is %g", e->missing);
  }
  if (e->hash) {
    buf_format(&buf, ", hashed");
  }
  if (e->vocab) {
    buf_format(&buf, ", vocabulary");
    if (e->vocab_min > 1) {
      buf_format(&buf, " of what occurs %d times", e->vocab_min);
    }
  }
  buf_format(&buf, "%s%s", e->log1p ? ", log1p" : "", e->standardize ? ", standardized" : "");
  if (e->nbuckets > 0) {
    buf_format(&buf, ", in %d buckets", e->nbuckets + 1);
  }
  return buf_take(&buf);
}

static void print_inputs(Arena *a, const Graph *g)
{
  Table t = {.arena = a, .columns = 4, .heads = {"input", "type", "", "from"}};
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *in = &g->inputs.data[i];
    table_cell(&t, in->name);
    table_cell(&t, input_type(a, g, in));
    table_cell(&t, in->label ? S("label") : (Str){0});
    table_cell(&t, encoding_text(a, &in->encoding));
  }
  table_print(&t, "  ", stdout);
}

static void print_outputs(Arena *a, const Graph *g)
{
  if (g->outputs.n == 0) {
    return;
  }
  Table t = {.arena = a, .columns = 2, .heads = {"output", "type"}};
  for (int i = 0; i < g->outputs.n; i++) {
    table_cell(&t, g->outputs.data[i].name);
    table_cell(&t, type_print(g, g->outputs.data[i].node->type, a));
  }
  fputs("\n", stdout);
  table_print(&t, "  ", stdout);
}

static Str shape_text(Arena *a, const Param *p)
{
  Buf buf = {.arena = a};
  buf_format(&buf, "[");
  for (int i = 0; i < p->nshape; i++) {
    buf_str(&buf, i > 0 ? S(", ") : S(""));
    if (p->table && i == 0 && p->rows == 0) {
      buf_format(&buf, "vocab");
    } else {
      buf_format(&buf, "%ld", p->shape[i]);
    }
  }
  buf_format(&buf, "]");
  return buf_take(&buf);
}

static Str init_text(Arena *a, const Param *p)
{
  switch (p->init) {
  case INIT_ZEROS:
    return S("zeros");
  case INIT_CONSTANT:
    return str_format(a, "constant(%g)", p->init_a);
  case INIT_NORMAL:
    return str_format(a, "normal(%g, %g)", p->init_a, p->init_b);
  case INIT_UNIFORM:
    return str_format(a, "uniform(%.4g, %.4g)", p->init_a, p->init_b);
  }
  return (Str){0};
}

static double param_count(const Param *p)
{
  double count = 1;
  for (int i = 0; i < p->nshape; i++) {
    count *= (double)p->shape[i];
  }
  return count;
}

static void print_params(Arena *a, const Graph *g)
{
  if (g->params.n == 0) {
    return;
  }
  Table t = {.arena = a,
    .columns = 5,
    .heads = {"parameter", "", "shape", "values", "starts as"},
    .right = {false, false, false, true}};
  for (int i = 0; i < g->params.n; i++) {
    const Param *p = &g->params.data[i];
    table_cell(&t, p->name);
    table_cell(&t, p->table ? S("table") : (Str){0});
    table_cell(&t, shape_text(a, p));
    table_cell(&t, p->table && p->rows == 0 ? S("learnt") : count_text(a, param_count(p)));
    table_cell(&t, init_text(a, p));
  }
  fputs("\n", stdout);
  table_print(&t, "  ", stdout);
}

static void print_total(Arena *a, const Graph *g)
{
  double dense = 0, table = 0;
  bool learnt = false;
  for (int i = 0; i < g->params.n; i++) {
    const Param *p = &g->params.data[i];
    *(p->table ? &table : &dense) += param_count(p);
    learnt = learnt || (p->table && p->rows == 0);
  }
  Str bytes = count_text(a, (dense + table) * 4);
  Str dense_text = count_text(a, dense), table_text = count_text(a, table);
  printf("\n  %.*s values in dense parameters, %.*s in tables%s: %.*s bytes as f32\n",
    STR_ARG(dense_text), STR_ARG(table_text),
    learnt ? " besides those whose size the data decides" : "", STR_ARG(bytes));
  const Train *train = &g->train;
  if (train->solver.given) {
    printf("  trains with lbfgs, memory %d, tolerance %g, l2 %g, batch %ld, epochs %ld; online "
           "with %.*s, "
           "learning rate %g\n",
      train->solver.memory, train->solver.tolerance, train->solver.l2, train->batch, train->epochs,
      STR_ARG(train->optimizer.name), train->optimizer.lr);
  } else if (train->given) {
    printf("  trains with %.*s, learning rate %g, batch %ld, epochs %ld, tables %s\n",
      STR_ARG(train->optimizer.name), train->optimizer.lr, train->batch, train->epochs,
      train->optimizer.dense_tables ? "dense" : "lazy");
  }
}

int command_check(Options *o)
{
  Session s = {0};
  int code = session_start(&s, o);
  if (code != EXIT_FINE) {
    return code;
  }
  const Graph *g = s.graph;
  printf("model %.*s%s%.*s\n\n", STR_ARG(g->model), g->doc.n > 0 ? ": " : "", STR_ARG(g->doc));
  print_inputs(o->arena, g);
  print_outputs(o->arena, g);
  print_params(o->arena, g);
  print_total(o->arena, g);
  return EXIT_FINE;
}
