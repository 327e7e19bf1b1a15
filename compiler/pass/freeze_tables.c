/* freeze_tables.c: a table whose rows meet a constant matrix is multiplied by it once.
 *
 * One idea: sum[D](table[ids] * W) is a lookup in table x W, which is known when both are. Where ids have a
 * vocabulary for each position, a row belongs to one of them, so W may differ from position to position. A first
 * layer over pieces side by side is taken apart for that: pieces that are lookups by themselves, the rest as one
 * contraction. It is done where counting says that it makes a sample cheaper, and as far as tables do not
 * outgrow the caches: a wide first layer reads more of a folded table than it saves. */

#include "freeze.h"
#include "rebuild.h"

#include "../ir/interpret.h"

/* Nanoseconds, roughly, as they were measured at batch 4096, where a contraction is at its best; only their ratios
 * matter: for an operation of it, for a byte of a row, for a row to begin with, and for a number that the
 * contraction would have added up in a register and that is stored and read again. */
static const double per_flop = 0.01, per_byte = 0.1, per_row = 20, per_number = 0.2;
static const double size = 4,
                    most_bytes = 4
                                 << 20; /* of a folded table, unless it is smaller than the other */

typedef struct Folding {
  Graph *g; /* new */
  const Graph *old;
  const int *uses; /* by old node */
  Node **map;      /* old to new */
  Constants *c;
} Folding;

/* sum over `summed` of table[ids] * weight */
typedef struct Site {
  Node *gather, *weight;
  int n;
  const short *summed;
  Type row, out; /* axes of the table's rows; what is left of the weight's */
  int
    position; /* the axis along which ids have vocabularies of their own, and the weight differs; -1: none */
  double D, N, P; /* numbers of a row, before and after; lookups of a sample */
  double Q;       /* how often a sample multiplies: P, or less where rows are added up before */
} Site;

static bool is_summed(const Site *s, int axis)
{
  for (int i = 0; i < s->n; i++) {
    if (s->summed[i] == axis) {
      return true;
    }
  }
  return false;
}

static double extent_of(const Graph *g, Type t)
{
  double count = 1;
  for (int i = 0; i < t.n; i++) {
    count *= t.axis[i] == AXIS_B ? 1 : (double)g->axes.data[t.axis[i]].extent;
  }
  return count;
}

/* The axis along which each position of an input has a vocabulary of its own, all of them in this table; -1. */
static int position_axis(const Graph *g, const Node *gather)
{
  const Node *ids = gather->in[0];
  const Param *table = &g->params.data[gather->leaf];
  if (ids->op != OP_INPUT || ids->type.n == 0) {
    return -1;
  }
  const Input *in = &g->inputs.data[ids->leaf];
  int last = ids->type.axis[ids->type.n - 1];
  long sum = 0;
  for (int i = 0; i < in->nvocab; i++) {
    sum += in->vocab[i];
    if (in->vocab[i] <= 0) {
      return -1;
    }
  }
  bool each = in->nvocab > 1 && g->axes.data[last].kind == AXIS_PLAIN &&
              g->axes.data[last].extent == in->nvocab && sum == table->rows;
  return each ? last : -1;
}

/* Fills what follows from the operands; false: it is no lookup in something that could be known. */
static bool describe(const Folding *f, Site *s)
{
  const Graph *g = f->g;
  const Node *source = s->weight;
  while (source->op == OP_RENAME || source->op == OP_SLICE) {
    source = source->in[0];
  }
  if (source->op != OP_PARAM || g->params.data[source->leaf].table || !f->c->value[source->leaf] ||
      !f->c->value[s->gather->leaf]) {
    return false;
  }
  s->row = g->params.data[s->gather->leaf].type;
  s->position = -1;
  s->out = (Type){.kind = KIND_REAL};
  Type ids = s->gather->in[0]->type;
  for (int i = 0; i < s->row.n; i++) {
    if (!is_summed(s, s->row.axis[i])) {
      return false;
    }
  }
  for (int i = 0; i < s->weight->type.n; i++) {
    int axis = s->weight->type.axis[i];
    if (type_has(s->row, axis)) {
      continue;
    }
    if (type_has(ids, axis)) {
      s->position = axis;
      if (axis != position_axis(g, s->gather)) {
        return false;
      }
    } else if (g->axes.data[axis].kind != AXIS_PLAIN || is_summed(s, axis)) {
      return false;
    } else {
      s->out.axis[s->out.n++] = (short)axis;
    }
  }
  s->D = extent_of(g, s->row);
  s->N = extent_of(g, s->out);
  s->P = extent_of(g, ids);
  return true;
}

/* only: nothing else looks these rows up. */
static bool is_worth(const Folding *f, const Site *s, bool only)
{
  double before = 2 * s->Q * s->D * s->N * per_flop;
  double after = s->P * (s->N * (size * per_byte + per_number) + per_row);
  before += only ? s->P * (s->D * size * per_byte + per_row) : 0;
  double rows = (double)f->c->rows[s->gather->leaf], room = size * rows * s->N;
  return s->row.n > 0 && after < before &&
         (room <= most_bytes || (only && room <= size * rows * s->D));
}

/* ---- table x W ---- */

/* Offsets in a tensor of type t of all positions of `part`, in its order; `fixed` (or -1) at `at`. */
static long offset_of(const Graph *g, Type t, Type part, long p, int fixed, long at)
{
  long index[MAX_AXES] = {0}, offset = 0;
  for (int i = part.n - 1; i >= 0; i--) {
    index[i] = p % g->axes.data[part.axis[i]].extent;
    p /= g->axes.data[part.axis[i]].extent;
  }
  for (int i = 0; i < t.n; i++) {
    int k = type_position(part, t.axis[i]);
    offset = offset * g->axes.data[t.axis[i]].extent + (k >= 0                ? index[k]
                                                         : t.axis[i] == fixed ? at
                                                                              : 0);
  }
  return offset;
}

/* W of one position as [D][N]. */
static void matrix_of(const Folding *f, const Site *s, const Tensor *w, long position, double *to)
{
  long D = (long)s->D, N = (long)s->N;
  Type t = s->weight->type;
  for (long d = 0; d < D; d++) {
    long row = offset_of(f->g, t, s->row, d, s->position, position);
    for (long n = 0; n < N; n++) {
      to[d * N + n] = w->data[row + offset_of(f->g, t, s->out, n, -1, 0)];
    }
  }
}

static double *multiply(const Folding *f, const Site *s)
{
  Graph *g = f->g;
  InterpretBatch none = {0};
  Interp *ip = interpret_new(g->arena, g, &none, f->c->value, f->c->rows, 0, 0, false);
  const Tensor *w = interpret_node(ip, s->weight);
  long D = (long)s->D, N = (long)s->N, rows = f->c->rows[s->gather->leaf], end = 0;
  const double *table = f->c->value[s->gather->leaf];
  double *matrix = ARENA_ARRAY(g->arena, double, D *N),
         *to = ARENA_ARRAY(g->arena, double, rows *N);
  const Input *in = &g->inputs.data[s->position >= 0 ? s->gather->in[0]->leaf : 0];
  for (long r = 0, position = 0; r < rows; r++) {
    if (r == end) { /* the first row of a position's vocabulary */
      matrix_of(f, s, w, position, matrix);
      end = s->position >= 0 ? end + in->vocab[position++] : rows;
    }
    for (long d = 0; d < D; d++) {
      for (long n = 0; n < N; n++) {
        to[r * N + n] += table[r * D + d] * matrix[d * N + n];
      }
    }
  }
  return to;
}

static Node *look_up(Folding *f, const Site *s, Loc loc)
{
  Graph *g = f->g;
  const Param *table = &g->params.data[s->gather->leaf];
  Param param = {.name = rebuild_name(g, str_format(g->arena, "%.*s.folded", STR_ARG(table->name))),
    .type = s->out,
    .table = true,
    .rows = f->c->rows[s->gather->leaf],
    .vocab_of = table->vocab_of,
    .init = INIT_ZEROS,
    .nshape = 1 + s->out.n,
    .loc = loc};
  param.shape[0] = param.rows;
  for (int i = 0; i < s->out.n; i++) {
    param.shape[i + 1] = g->axes.data[s->out.axis[i]].extent;
  }
  short rest[MAX_AXES];
  int n = 0;
  for (int i = 0; i < s->n; i++) {
    if (!type_has(s->row, s->summed[i])) {
      rest[n++] = s->summed[i];
    }
  }
  Node *x = build_gather(g, constants_add(f->c, g, param, multiply(f, s)), s->gather->in[0]);
  return n > 0 ? build_reduce(g, OP_SUM, x, n, rest) : x;
}

/* Whether this use of a new node, which is the copy of an old one, is its only one. */
static bool is_only_use(const Folding *f, const Node *x)
{
  for (int i = 0; i < f->old->nodes.n; i++) {
    if (f->map[i] == x) {
      return f->uses[i] == 1;
    }
  }
  return false;
}

/* ---- sums ---- */

/* Everything that is summed must be an axis of the lookup: an axis of the weight alone would multiply it. */
static bool has_summed(const Site *s)
{
  for (int i = 0; i < s->n; i++) {
    if (!type_has(s->gather->type, s->summed[i])) {
      return false;
    }
  }
  return true;
}

/* sum over `summed` of x * weight, x being a lookup or the sum of one along some of its ids' axes, which is then
 * taken afterwards. only: it is x's only use. */
static Node *fold_product(
  Folding *f, Node *x, Node *weight, int n, const short *summed, bool only, Loc loc)
{
  short all[2 * MAX_AXES];
  bool added = x->op == OP_SUM && x->in[0]->op == OP_GATHER;
  Site s = {.gather = added ? x->in[0] : x, .weight = weight, .summed = all};
  double together = 1;
  for (int i = 0; i < n; i++) {
    all[s.n++] = summed[i];
  }
  for (int i = 0; added && i < x->naxes; i++) {
    if (type_has(weight->type, x->axes[i])) {
      return NULL;
    }
    all[s.n++] = x->axes[i];
    together *= (double)f->g->axes.data[x->axes[i]].extent;
  }
  only = only && (!added || is_only_use(f, s.gather));
  if (s.gather->op != OP_GATHER || !has_summed(&s) || !describe(f, &s)) {
    return NULL;
  }
  s.Q = s.P / together;
  return is_worth(f, &s, only) ? look_up(f, &s, loc) : NULL;
}

/* A contraction of pieces side by side: those that can be looked up, and the others. */
static Node *fold_pieces(Folding *f, const Node *n, Node *concat, Node *weight)
{
  Graph *g = f->g;
  bool *rest = ARENA_ARRAY(g->arena, bool, concat->nin + 1);
  bool only = is_only_use(f, concat);
  Node *sum = NULL;
  int left = 0;
  for (int i = 0; i < concat->nin; i++) {
    const short *axes;
    long offset;
    int k = concat_piece(g, concat, i, &axes, &offset);
    Node *x = concat->in[i], *part = NULL;
    if (piece_is_whole(x, weight, k, axes)) {
      part = fold_product(f, x, build_slice(g, weight, n->axes[0], offset, k, axes), k, axes,
        only && is_only_use(f, x), n->loc);
    }
    rest[i] = part == NULL;
    left += rest[i];
    sum = !part ? sum : sum ? build_op2(g, OP_ADD, sum, part) : part;
  }
  if (!sum || left == 0) {
    return sum;
  }
  Node *others = sum_pieces(g, n, concat, weight, rest);
  return others ? build_op2(g, OP_ADD, sum, others) : NULL;
}

static Node *fold(Folding *f, Node *n)
{
  int side = 0;
  if (n->op != OP_SUM || n->in[0]->op != OP_MUL) {
    return n;
  }
  Node *concat = concat_in(n, &side);
  if (concat) {
    Node *better = fold_pieces(f, n, concat, n->in[0]->in[1 - side]);
    return better ? better : n;
  }
  for (side = 0; side < 2; side++) {
    Node *x = n->in[0]->in[side], *weight = n->in[0]->in[1 - side];
    Node *better = fold_product(f, x, weight, n->naxes, n->axes, is_only_use(f, x), n->loc);
    if (better) {
      return better;
    }
  }
  return n;
}

Graph *freeze_tables(Arena *a, const Graph *old, Constants *c)
{
  Folding f = {.g = graph_shell(a, old),
    .old = old,
    .uses = rebuild_uses(a, old),
    .map = ARENA_ARRAY(a, Node *, old->nodes.n + 1),
    .c = c};
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *x = old->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, x->nin);
    for (int k = 0; k < x->nin; k++) {
      in[k] = f.map[x->in[k]->id];
    }
    int before = f.g->nodes.n;
    Node *copy = build_copy(f.g, x, in);
    f.map[i] = fold(&f, copy);
    for (int k = before; k < f.g->nodes.n; k++) {
      f.g->nodes.data[k]->loc = x->loc;
    }
    f.map[i]->name = x->name;
  }
  rebuild_roots(f.g, old, f.map);
  rebuild_sweep(f.g);
  return pass_simplify(a, f.g);
}
