/* print.c: a graph as text.
 *
 * One idea: a node is written where it is used, unless it has a name, is used twice, or would nest too
 * deeply: then it gets a line of its own, in the graph's order, and a made-up name if it has none. The
 * text must print as itself when it is read again, so everything here depends only on what a reader of
 * the text would see. */

#include "express.h"
#include "ops.h"

enum { MOST_DEPTH = 16 };

static void use(Printer *p, const Node *n)
{
  p->needed[n->id] = true;
  p->uses[n->id]++;
}

/* Nodes of an optimizer's text are no values of the model. */
static bool *find_vars(const Graph *g, Arena *a)
{
  bool *var = ARENA_ARRAY(a, bool, g->nodes.n);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    var[i] = n->op == OP_VAR;
    for (int k = 0; k < n->nin; k++) {
      var[i] |= var[n->in[k]->id];
    }
  }
  return var;
}

static void count_uses(Printer *p, Arena scratch)
{
  const Graph *g = p->g;
  const bool *var = find_vars(g, &scratch);
  for (int i = 0; i < g->nodes.n; i++) {
    p->needed[i] = g->nodes.data[i]->name.n > 0 && !var[i];
  }
  for (int i = 0; i < g->outputs.n; i++) {
    use(p, g->outputs.data[i].node);
  }
  for (int i = 0; i < g->metrics.n; i++) {
    for (int k = 0; k < g->metrics.data[i].nargs; k++) {
      use(p, g->metrics.data[i].args[k]);
    }
  }
  for (int i = 0; i < g->grads.n; i++) {
    use(p, g->grads.data[i].node);
  }
  if (g->loss) {
    use(p, g->loss);
  }
  for (int i = g->nodes.n - 1; i >= 0; i--) {
    for (int k = 0; p->needed[i] && k < g->nodes.data[i]->nin; k++) {
      use(p, g->nodes.data[i]->in[k]);
    }
  }
}

static bool taken(const Printer *p, Str name)
{
  const Graph *g = p->g;
  bool found = false;
  for (int i = 0; i < g->inputs.n && !found; i++) {
    found = str_eq(g->inputs.data[i].name, name);
  }
  for (int i = 0; i < g->params.n && !found; i++) {
    found = str_eq(g->params.data[i].name, name);
  }
  for (int i = 0; i < g->axes.n && !found; i++) {
    found = str_eq(g->axes.data[i].name, name);
  }
  for (int i = 0; i < g->outputs.n && !found; i++) {
    found = str_eq(g->outputs.data[i].name, name);
  }
  for (int i = 0; i < g->nodes.n && !found; i++) {
    found = str_eq(g->nodes.data[i]->name, name) || str_eq(p->name[i], name);
  }
  return found;
}

/* `output NAME = EXPR` names its node, when that has no other name. */
static void name_outputs(Printer *p)
{
  const Graph *g = p->g;
  for (int i = 0; i < g->outputs.n; i++) {
    const Node *n = g->outputs.data[i].node;
    Str name = g->outputs.data[i].name;
    bool clash = n->op == OP_INPUT || n->op == OP_PARAM || n->name.n > 0 || p->name[n->id].n > 0;
    for (int k = 0; k < g->nodes.n && !clash; k++) {
      clash = str_eq(g->nodes.data[k]->name, name);
    }
    if (!clash) {
      p->name[n->id] = name;
    }
  }
}

static Str make_name(const Printer *p, int *made_up, Arena *a)
{
  Str name;
  do {
    name = str_format(a, "v%d", ++*made_up);
  } while (taken(p, name));
  return name;
}

static bool short_leaf(const Node *n)
{
  return op_rows[n->op].class == CLASS_LEAF && n->op != OP_RANDOM;
}

static void name_nodes(Printer *p, Arena *a)
{
  const Graph *g = p->g;
  int made_up = 0;
  name_outputs(p);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    if (!p->needed[i]) {
      continue;
    }
    if (n->op == OP_INPUT) {
      p->name[i] = g->inputs.data[n->leaf].name;
    } else if (n->op == OP_PARAM) {
      p->name[i] = g->params.data[n->leaf].name;
    } else if (n->name.n > 0) {
      p->name[i] = n->name;
    }
    if (p->name[i].n > 0) {
      continue;
    }
    p->depth[i] = print_depth(p, n);
    if (!short_leaf(n) && (p->uses[i] > 1 || p->depth[i] > MOST_DEPTH)) {
      p->depth[i] = 0;
      p->name[i] = make_name(p, &made_up, a);
    }
  }
}

static void print_statements(Printer *p)
{
  const Graph *g = p->g;
  int count = 0;
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    if (p->needed[i] && p->name[i].n > 0 && n->op != OP_INPUT && n->op != OP_PARAM) {
      buf_format(&p->b, "%s%.*s = ", count++ == 0 ? "\n" : "", STR_ARG(p->name[i]));
      print_text(p, n);
      buf_str(&p->b, S("\n"));
    }
  }
}

static void print_grads(Printer *p)
{
  const Graph *g = p->g;
  for (int i = 0; i < g->grads.n; i++) {
    Str name = g->params.data[g->grads.data[i].param].name;
    buf_format(&p->b, "%s%s %.*s = ", i == 0 ? "\n" : "",
      g->grads.data[i].update ? "update" : "grad", STR_ARG(name));
    print_value(p, g->grads.data[i].node);
    buf_str(&p->b, S("\n"));
  }
}

static void print_outputs(Printer *p)
{
  const Graph *g = p->g;
  if (g->loss) {
    buf_str(&p->b, S("\nloss "));
    print_value(p, g->loss);
    buf_str(&p->b, S("\n"));
  }
  for (int i = 0; i < g->outputs.n; i++) {
    const Output *output = &g->outputs.data[i];
    bool gap = i == 0 && !g->loss;
    buf_format(&p->b, "%soutput %.*s", gap ? "\n" : "", STR_ARG(output->name));
    if (output->node->type.n < output->type.n) { /* the same along the axes that are gone */
      buf_format(&p->b, " : %.*s", STR_ARG(type_print(g, output->type, p->b.arena)));
    }
    if (!str_eq(p->name[output->node->id], output->name)) {
      buf_str(&p->b, S(" = "));
      print_value(p, output->node);
    }
    buf_str(&p->b, S("\n"));
  }
  for (int i = 0; i < g->ranked.n; i++) {
    if (g->ranked.data[i].shown && !g->ranked.data[i].here) {
      buf_format(&p->b, "output %.*s\n", STR_ARG(g->ranked.data[i].name));
    }
  }
}

static void print_metric(Printer *p, const Metric *m)
{
  buf_format(&p->b, "metric %.*s(", STR_ARG(m->name));
  for (int i = 0; i < m->nargs; i++) {
    buf_str(&p->b, i > 0 ? S(", ") : S(""));
    print_value(p, m->args[i]);
  }
  if (m->ranked >= 0) {
    buf_format(&p->b, "%.*s, %.*s", STR_ARG(p->g->ranked.data[m->ranked].name),
      STR_ARG(p->g->inputs.data[m->target].name));
  }
  if (m->by >= 0) {
    buf_format(&p->b, "; by = %.*s", STR_ARG(p->g->inputs.data[m->by].name));
  }
  for (int i = 0; i < m->nk; i++) {
    const char *first = m->by >= 0 ? ", k = " : "; k = ";
    buf_format(&p->b, "%s%ld", i == 0 ? first : ", ", m->k[i]);
  }
  buf_str(&p->b, S(")\n"));
}

/* The train statement as the user wrote it. */
static void print_train(Printer *p)
{
  const Train *train = &p->g->train;
  if (!train->given) {
    return;
  }
  if (train->definitions.n > 0) {
    buf_format(&p->b, "\n%.*s\n", STR_ARG(train->definitions));
  }
  if (train->text.n > 0) {
    buf_format(&p->b, "train %.*s\n", STR_ARG(train->text));
  } else if (train->loc.source) {
    Str text = {train->loc.source->text.s + train->loc.at, train->loc.n};
    buf_format(&p->b, "%.*s\n", STR_ARG(text));
  }
}

Str print_graph(const Graph *g, Arena *a)
{
  Printer p = {.g = g, .b = {.arena = a}};
  p.needed = ARENA_ARRAY(a, bool, g->nodes.n);
  p.uses = ARENA_ARRAY(a, int, g->nodes.n);
  p.depth = ARENA_ARRAY(a, int, g->nodes.n);
  p.name = ARENA_ARRAY(a, Str, g->nodes.n);
  count_uses(&p, *a);
  name_nodes(&p, a);
  print_declarations(&p.b, g);
  print_statements(&p);
  print_grads(&p);
  print_outputs(&p);
  for (int i = 0; i < g->metrics.n; i++) {
    print_metric(&p, &g->metrics.data[i]);
  }
  print_train(&p);
  return buf_take(&p.b);
}
