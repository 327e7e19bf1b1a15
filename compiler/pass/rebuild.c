/* rebuild.c: see rebuild.h. */

#include "rebuild.h"

int *rebuild_uses(Arena *a, const Graph *g)
{
  int *uses = ARENA_ARRAY(a, int, g->nodes.n);
  for (int i = 0; i < g->outputs.n; i++) {
    uses[g->outputs.data[i].node->id]++;
  }
  for (int i = 0; i < g->metrics.n; i++) {
    for (int k = 0; k < g->metrics.data[i].nargs; k++) {
      uses[g->metrics.data[i].args[k]->id]++;
    }
  }
  for (int i = 0; i < g->grads.n; i++) {
    uses[g->grads.data[i].node->id]++;
  }
  if (g->loss) {
    uses[g->loss->id]++;
  }
  for (int i = g->nodes.n - 1; i >= 0; i--) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; uses[i] > 0 && k < n->nin; k++) {
      uses[n->in[k]->id]++;
    }
  }
  return uses;
}

void rebuild_roots(Graph *g, const Graph *old, Node *const *map)
{
  for (int i = 0; i < old->outputs.n; i++) {
    Output *output = VEC_PUSH(g->arena, &g->outputs);
    *output = old->outputs.data[i];
    output->node = map[output->node->id];
  }
  for (int i = 0; i < old->metrics.n; i++) {
    Metric *metric = VEC_PUSH(g->arena, &g->metrics);
    *metric = old->metrics.data[i];
    metric->args = ARENA_ARRAY(g->arena, Node *, metric->nargs);
    for (int k = 0; k < metric->nargs; k++) {
      metric->args[k] = map[old->metrics.data[i].args[k]->id];
    }
  }
  for (int i = 0; i < old->grads.n; i++) {
    Grad *grad = VEC_PUSH(g->arena, &g->grads);
    *grad = old->grads.data[i];
    grad->node = map[grad->node->id];
  }
  g->loss = old->loss ? map[old->loss->id] : NULL;
}

void rebuild_sweep(Graph *g)
{
  const int *uses = rebuild_uses(g->arena, g);
  int n = 0;
  for (int i = 0; i < g->nodes.n; i++) {
    if (uses[i] > 0) {
      g->nodes.data[n] = g->nodes.data[i];
      g->nodes.data[n]->id = n;
      n++;
    }
  }
  g->nodes.n = n;
}

static bool taken(const Graph *g, Str name)
{
  for (int i = 0; i < g->nodes.n; i++) {
    if (str_eq(g->nodes.data[i]->name, name)) {
      return true;
    }
  }
  for (int i = 0; i < g->inputs.n; i++) {
    if (str_eq(g->inputs.data[i].name, name)) {
      return true;
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    if (str_eq(g->params.data[i].name, name)) {
      return true;
    }
  }
  for (int i = 0; i < g->outputs.n; i++) {
    if (str_eq(g->outputs.data[i].name, name)) {
      return true;
    }
  }
  return false;
}

Str rebuild_name(Graph *g, Str wish)
{
  Str name = wish;
  for (int i = 2; taken(g, name); i++) {
    name = str_format(g->arena, "%.*s_%d", STR_ARG(wish), i);
  }
  return name;
}
