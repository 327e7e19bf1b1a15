/* split.c: what a request has in common for all its candidates, and the rest.
 *
 * One idea: to the candidates, what follows from the request alone is a parameter: it has no batch axis.
 * So the program is cut where such values are read: one part computes them, from one sample; the other
 * has a parameter for each, appended to the model's own. The passes then do with it what they do with
 * parameters, and compute what follows from parameters alone once: a first layer over a user beside an
 * ad is taken apart, and its user's part is no candidate's work any more. */

#include "freeze.h"
#include "pass.h"
#include "rebuild.h"

typedef enum Owner { OWNER_NONE, OWNER_REQUEST, OWNER_CANDIDATE } Owner;

/* Whether lists along a ragged axis are the request's: inputs of one axis agree on it. */
static bool is_request_axis(const Graph *g, int axis)
{
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *in = &g->inputs.data[i];
    for (int k = 0; k < in->type.n && in->per_request; k++) {
      if (g->axes.data[axis].kind == AXIS_RAGGED &&
          g->axes.data[in->type.axis[k]].kind == AXIS_RAGGED &&
          axis_root(g, in->type.axis[k]) == axis_root(g, axis)) {
        return true;
      }
    }
  }
  return false;
}

static bool names_batch(const Graph *g, const Node *n)
{
  for (int i = 0; i < n->naxes; i++) {
    bool axes = n->op == OP_RENAME || n->op == OP_SUM || n->op == OP_MAX;
    if (axes && g->axes.data[n->axes[i]].kind == AXIS_BATCH) {
      return true;
    }
  }
  return false;
}

static Owner owner_of(const Graph *g, const Node *n, const Owner *owner)
{
  if (n->op == OP_INPUT) {
    return g->inputs.data[n->leaf].per_request ? OWNER_REQUEST : OWNER_CANDIDATE;
  }
  if (n->op == OP_SIZE || n->op == OP_INDEX) {
    const Axis *axis = &g->axes.data[n->axes[0]];
    return axis->kind == AXIS_PLAIN         ? OWNER_NONE
           : is_request_axis(g, n->axes[0]) ? OWNER_REQUEST
                                            : OWNER_CANDIDATE;
  }
  if (n->op == OP_RANDOM || names_batch(g, n)) {
    return OWNER_CANDIDATE;
  }
  Owner most = OWNER_NONE;
  for (int i = 0; i < n->nin; i++) {
    most = owner[n->in[i]->id] > most ? owner[n->in[i]->id] : most;
  }
  return most;
}

/* Values of the request that a candidate's value or an output reads. */
static void find_shared(const Graph *g, const Owner *owner, bool *shared)
{
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; k < n->nin && owner[i] == OWNER_CANDIDATE; k++) {
      shared[n->in[k]->id] |= owner[n->in[k]->id] == OWNER_REQUEST;
    }
  }
  for (int i = 0; i < g->outputs.n; i++) {
    const Node *n = g->outputs.data[i].node;
    shared[n->id] |= owner[n->id] == OWNER_REQUEST;
  }
}

static Node *value_param(Graph *g, const Node *n)
{
  Str wish = n->name.n > 0 ? n->name : S("request_value");
  Param param = {.name = rebuild_name(g, wish),
    .type = type_without(n->type, AXIS_B),
    .rows = 1,
    .vocab_of = -1,
    .init = INIT_ZEROS,
    .loc = n->loc};
  param.type.kind = KIND_REAL;
  param.nshape = param.type.n;
  for (int i = 0; i < param.type.n; i++) {
    param.shape[i] = g->axes.data[param.type.axis[i]].extent;
  }
  *VEC_PUSH(g->arena, &g->params) = param;
  return build_param(g, g->params.n - 1);
}

static Node *copy(Graph *g, const Node *n, Node *const *map)
{
  Node **in = ARENA_ARRAY(g->arena, Node *, n->nin);
  for (int k = 0; k < n->nin; k++) {
    in[k] = map[n->in[k]->id];
  }
  return build_like(g, n, in);
}

/* ---- a contraction of pieces, some of which are the request's ---- */

Node *concat_in(const Node *n, int *side)
{
  Node *product = n->in[0];
  if (n->op != OP_SUM || n->naxes != 1 || product->op != OP_MUL) {
    return NULL;
  }
  for (*side = 0; *side < 2; ++*side) {
    Node *x = product->in[*side];
    Node *concat = x->op == OP_RENAME && x->naxes == 2 ? x->in[0] : x;
    int axis = concat == x ? n->axes[0] : x->axes[1] == n->axes[0] ? x->axes[0] : -1;
    if (concat->op == OP_CONCAT && concat->axes[0] == axis &&
        !type_has(product->in[1 - *side]->type, AXIS_B)) {
      return concat;
    }
  }
  return NULL;
}

bool piece_is_whole(const Node *piece, const Node *weight, int n, const short *axes)
{
  for (int j = 0; j < n; j++) {
    if (!type_has(piece->type, axes[j]) || type_has(weight->type, axes[j])) {
      return false;
    }
  }
  return true;
}

Node *sum_pieces(Graph *g, const Node *n, Node *concat, Node *weight, const bool *take)
{
  Node **piece = ARENA_ARRAY(g->arena, Node *, concat->nin + 1);
  Node **part = ARENA_ARRAY(g->arena, Node *, concat->nin + 1);
  short *joined = ARENA_ARRAY(g->arena, short, concat->naxes + 1);
  int count = 0, naxes = 0;
  long total = 0;
  for (int i = 0; i < concat->nin; i++) {
    const short *axes;
    long offset, size = 1;
    int k = concat_piece(g, concat, i, &axes, &offset);
    if (!take[i]) {
      continue;
    }
    if (!piece_is_whole(concat->in[i], weight, k, axes)) {
      return NULL;
    }
    piece[count] = concat->in[i];
    part[count++] = build_slice(g, weight, n->axes[0], offset, k, axes);
    joined[naxes++] = (short)k;
    for (int j = 0; j < k; j++) {
      size *= g->axes.data[axes[j]].extent;
      joined[naxes++] = axes[j];
    }
    total += size;
  }
  short own = (short)graph_axis(g, (Axis){.name = str_format(g->arena, "K%d", g->axes.n),
                                     .kind = AXIS_PLAIN,
                                     .extent = total,
                                     .root = g->axes.n,
                                     .loc = n->loc});
  Node *x = build_concat(g, own, count, piece, naxes, joined);
  Node *w = build_concat(g, own, count, part, naxes, joined);
  return build_reduce(g, OP_SUM, build_op2(g, OP_MUL, w, x), 1, &own);
}

/* A first layer over a user beside an ad: the ad's part, plus the user's, which lacks B. */
static Node *separate(Graph *g, Node *n)
{
  int side = 0, mine = 0;
  Node *concat = concat_in(n, &side);
  bool *candidate = ARENA_ARRAY(g->arena, bool, concat ? concat->nin + 1 : 1);
  bool *request = ARENA_ARRAY(g->arena, bool, concat ? concat->nin + 1 : 1);
  for (int i = 0; concat && i < concat->nin; i++) {
    candidate[i] = type_has(concat->in[i]->type, AXIS_B);
    request[i] = !candidate[i];
    mine += request[i];
  }
  if (!concat || mine == 0 || mine == concat->nin) {
    return n;
  }
  Node *weight = n->in[0]->in[1 - side];
  Node *each = sum_pieces(g, n, concat, weight, candidate);
  Node *once = each ? sum_pieces(g, n, concat, weight, request) : NULL;
  return once ? build_op2(g, OP_ADD, each, once) : n;
}

/* With an output for each shared value, as the parameters of the other part stand. */
static Graph *request_part(Arena *a, const Graph *old, const Owner *owner, const bool *shared)
{
  Graph *g = graph_shell(a, old);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    if (owner[i] == OWNER_CANDIDATE) {
      continue;
    }
    map[i] = copy(g, n, map);
    if (shared[i]) {
      Str name = n->name.n > 0 ? n->name : str_format(a, "value_%d", g->outputs.n);
      *VEC_PUSH(a, &g->outputs) = (Output){name, map[i], n->type, n->loc};
    }
  }
  rebuild_sweep(g);
  return g;
}

static Graph *candidate_part(
  Arena *a, const Graph *old, const Owner *owner, const bool *shared, bool rewrite)
{
  Graph *g = graph_shell(a, old);
  Node **map = ARENA_ARRAY(a, Node *, old->nodes.n + 1);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    if (shared[i]) {
      map[i] = value_param(g, n);
    } else if (owner[i] != OWNER_REQUEST) {
      int before = g->nodes.n;
      map[i] = copy(g, n, map);
      map[i] = rewrite && map[i]->op == OP_SUM ? separate(g, map[i]) : map[i];
      for (int k = before; k < g->nodes.n; k++) {
        g->nodes.data[k]->loc = n->loc;
      }
    }
  }
  for (int i = 0; i < old->outputs.n; i++) {
    Output *output = VEC_PUSH(a, &g->outputs);
    *output = old->outputs.data[i];
    output->node = map[output->node->id];
  }
  rebuild_sweep(g);
  return g;
}

bool pass_split(Arena *a, const Graph *g, bool rewrite, RequestSplit *out)
{
  Graph *predict = pass_prune(a, g, PRUNE_PREDICT);
  Owner *owner = ARENA_ARRAY(a, Owner, predict->nodes.n + 1);
  bool *shared = ARENA_ARRAY(a, bool, predict->nodes.n + 1), any = false;
  for (int i = 0; i < predict->nodes.n; i++) {
    owner[i] = owner_of(predict, predict->nodes.data[i], owner);
    any |= owner[i] == OWNER_REQUEST;
  }
  find_shared(predict, owner, shared);
  *out = (RequestSplit){.own = predict->params.n};
  if (!any) {
    return false;
  }
  out->request = request_part(a, predict, owner, shared);
  out->rank = candidate_part(a, predict, owner, shared, rewrite);
  out->rank = rewrite ? pass_rewrite(a, out->rank) : out->rank;
  out->rank = pass_simplify(a, out->rank);
  return true;
}
