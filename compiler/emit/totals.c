/* totals.c: what does not depend on the sample: values of the parameters alone, weights packed for the
 * kernels, and what follows from sums over the batch.
 *
 * One idea: to predict, most of these are the same in every call. They are `prepared`: a struct of their
 * own, filled once by whoever opens the weights; without it every call fills one itself. */

#include "writer.h"

/* Whether a node has the same value in every call, given the parameters. */
static bool is_fixed(const Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  if (n->op == OP_CONST || n->op == OP_PARAM) {
    return n->op == OP_CONST || n->leaf < e->own_params;
  }
  if (v->scope != SCOPE_TOTAL || v->phase != 0 || n->op == OP_SIZE || n->op == OP_RANDOM ||
      n->op == OP_INPUT || (v->stmt >= 0 && v->place != PLACE_TOTAL)) {
    return false;
  }
  for (int i = 0; i < n->nin; i++) {
    if (!e->prepared[n->in[i]->id]) {
      return false;
    }
  }
  return true;
}

void totals_find(Emit *e)
{
  e->prepared = ARENA_ARRAY(e->arena, bool, e->g->nodes.n + 1);
  for (int i = 0; e->role == ROLE_PREDICT && i < e->g->nodes.n; i++) {
    e->prepared[i] = is_fixed(e, e->g->nodes.data[i]);
  }
}

bool totals_any(const Emit *e, bool prepared)
{
  for (int i = 0; i < e->g->nodes.n; i++) {
    const Node *n = e->g->nodes.data[i];
    if (e->p->value[i].place == PLACE_TOTAL && n->op != OP_PARAM && n->op != OP_INPUT &&
        e->prepared[i] == prepared) {
      return true;
    }
  }
  for (int i = 0; i < e->p->packs.n; i++) {
    if (e->prepared[e->p->packs.data[i].node->id] == prepared) {
      return true;
    }
  }
  return false;
}

const char *totals_of(const Emit *e, const Node *n)
{
  return e->prepared[n->id] ? "prepared" : "totals";
}

static void statements(Emit *e, int phase, bool prepared)
{
  for (int i = 0; i < e->p->stmts.n; i++) {
    const Stmt *s = &e->p->stmts.data[i];
    if (s->scope == SCOPE_TOTAL && s->phase == phase && e->prepared[s->node->id] == prepared) {
      put_line(e, "#pragma omp single");
      put_open(e, "{");
      stmt_print(e, s);
      guard_stmt(e, s);
      put_close(e, "}");
    }
  }
}

static void packs(Emit *e, int phase, bool prepared)
{
  bool any = false;
  for (int i = 0; i < e->p->packs.n; i++) {
    const Pack *k = &e->p->packs.data[i];
    if (e->p->value[k->node->id].phase == phase && e->prepared[k->node->id] == prepared) {
      e->pack_used[i] = true;
      pack_print(e, k);
      any = true;
    }
  }
  if (any) {
    put_line(e, "#pragma omp barrier");
  }
}

static void function(Emit *e, int phase, bool prepared)
{
  Buf *outer = e->out;
  Str name = prepared ? S("prepare") : put_text(e, "totals_%d", phase);
  e->function = name;
  e->group = 0;
  function_begin(e);
  statements(e, phase, prepared);
  packs(e, phase, prepared);
  function_end(e, outer,
    put_text(e, "static void %.*s_%.*s(const struct %.*s_step *step)", STR_ARG(e->prefix),
      STR_ARG(name), STR_ARG(e->prefix))
      .s,
    -1);
}

void totals_function(Emit *e, int phase)
{
  if (phase == 0 && totals_any(e, true) && !e->o->frozen) {
    function(e, phase, true);
  }
  function(e, phase, false);
}
