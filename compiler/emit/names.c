/* names.c: what values, parameters and axes are called in the generated C.
 *
 * The user's names come first. A value without one is called after what it belongs to: the layer whose
 * parameters it meets (`score_0_sum`, `score_0_out`, `score_1_in`), else its nearest named reader, with
 * a word for what it is (`user_max`). `d_X` is the adjoint of X in one sample, `grad_W` the gradient of
 * the parameter W, summed over the batch. */

#include "writer.h"

#include "../ir/ops.h"

#include <ctype.h>
#include <string.h>

static const char *const reserved[] = {"auto", "break", "case", "char", "const", "continue",
  "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline",
  "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
  "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "step", "tile", "sums",
  "s", "s0", "n", "c0", "c1", "column", "row", "col", "sum", "state", "batch", "loss", "out",
  "work", "main", "exp", "log", "y0", "y1", "yn", "j0", "j1", "jn", "gamma", "index", "signal",
  "linux", "unix", "to", "at", "grad", "b", "slots", "threads", "totals", "prepared", "ready",
  "tiles", "hyper", "random", "most", "each", "i", "j", "k", "g", "id", "rows", "soon", "now",
  "next", "later", "far", "left", "some", "from", "ids", "grads", "TILE", "SLOTS", "COLUMNS",
  "KEPT", "TURNED", "self", "arrays", "of_inputs", "of_batch", "of_request", "of_candidates",
  "inputs_used", "dims_used", "asm", "typeof", "NULL", "NAN", "INFINITY", "memcpy", "memset",
  "malloc", "free", "abort", "sqrt", "tanh", "pow", "fabs", "fmax", "fmin", "erf", "floor", "expm1",
  "log1p", "signbit", "isnan", "isinf", "isfinite", "rank", "st", NULL};

/* How macros of the headers begin that generated C includes, and names that C keeps for itself. */
static const char *const reserved_starts[] = {"rank_", "RANK_", "__", "M_E", "M_L", "M_P", "M_1",
  "M_2", "M_S", "FP_", "FD_", "MB_", "INT", "UINT", "SIZE_MAX", "PTRDIFF_", "SIG_", "WCHAR_",
  "HUGE_VAL", "RAND_", "EXIT_", "MATH_", "KMP_", "BIG_END", "LITTLE_END", "PDP_END", "BYTE_ORDER",
  "WNO", "WCONT", "WEX", "WIF", "WSTOP", "WTERM", "WUNTR", "NFDBITS", "PRI", "SCN", "EOF", "BUFSIZ",
  "SEEK_", "E2BIG", "CLOCK_", NULL};

static bool has_reserved_start(Str s)
{
  for (int i = 0; reserved_starts[i]; i++) {
    Str start = str_of(reserved_starts[i]);
    if (s.n >= start.n && memcmp(s.s, start.s, (size_t)start.n) == 0) {
      return true;
    }
  }
  return s.n >= 2 && s.s[0] == '_' && isupper((unsigned char)s.s[1]); /* _Bool */
}

static bool is_reserved(Str s)
{
  for (int i = 0; reserved[i]; i++) {
    if (str_eq(s, str_of(reserved[i]))) {
      return true;
    }
  }
  bool of_c = s.n > 1 && (s.s[s.n - 1] == 't' && s.s[s.n - 2] == '_'); /* size_t */
  return s.n > 0 && (of_c || s.s[s.n - 1] == '_' || has_reserved_start(s));
}

Str name_c(Arena *a, Str name)
{
  Str s = str_format(
    a, "%s%.*s", name.n > 0 && isdigit((unsigned char)name.s[0]) ? "v" : "", STR_ARG(name));
  char *p = (char *)str_copy(a, s).s;
  for (int i = 0; i < s.n; i++) {
    p[i] = isalnum((unsigned char)s.s[i]) ? s.s[i] : '_';
  }
  Str made = {p, s.n};
  return is_reserved(made) ? str_format(a, "%.*s_0", STR_ARG(made)) : made;
}

/* Where s is, or would be, in the table of names. */
static int name_place(const Str *table, int room, Str s)
{
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (int i = 0; i < s.n; i++) {
    hash = (hash ^ (unsigned char)s.s[i]) * 0x100000001b3u;
  }
  int at = (int)(hash & (uint64_t)(room - 1));
  while (table[at].n > 0 && !str_eq(table[at], s)) {
    at = (at + 1) & (room - 1);
  }
  return at;
}

bool name_taken(const Emit *e, Str s)
{
  return e->taken_room > 0 && e->taken[name_place(e->taken, e->taken_room, s)].n > 0;
}

static void take_name(Emit *e, Str s)
{
  if (2 * (e->ntaken + 1) > e->taken_room) {
    int room = e->taken_room > 0 ? 2 * e->taken_room : 64;
    Str *table = ARENA_ARRAY(e->arena, Str, room);
    for (int i = 0; i < e->taken_room; i++) {
      if (e->taken[i].n > 0) {
        table[name_place(table, room, e->taken[i])] = e->taken[i];
      }
    }
    e->taken = table;
    e->taken_room = room;
  }
  e->taken[name_place(e->taken, e->taken_room, s)] = s;
  e->ntaken++;
}

static Str claim(Emit *e, Str wanted)
{
  Str s = wanted;
  for (int i = 1; name_taken(e, s); i++) {
    s = str_format(e->arena, "%.*s_%d", STR_ARG(wanted), i);
  }
  take_name(e, s);
  return s;
}

/* ---- whom a value belongs to ---- */

typedef struct Naming {
  Emit *e;
  Plan *p;
  bool *forward; /* by node: the loss or an output needs it */
  Str *own;      /* the user's, or made by a pass */
  Str *base;     /* of the nearest named reader */
  int *far;      /* how many steps away that is */
  Str *into;     /* the layer whose weights it is multiplied with */
  int *grad;     /* 1 + the parameter of whose gradient it is a part; 0: none */
} Naming;

/* "score.0" of the parameter score.0.weight; empty when the name has no dot. */
static Str layer_of(const Graph *g, const Node *param)
{
  Str s = g->params.data[param->leaf].name;
  int n = s.n;
  while (n > 0 && s.s[n - 1] != '.') {
    n--;
  }
  return (Str){s.s, n > 0 ? n - 1 : 0};
}

static bool is_product_sum(const Node *n)
{
  return n->op == OP_SUM && n->in[0]->op == OP_MUL;
}

/* The parameter that is one of two factors, which of them does not matter. */
static const Node *param_factor(const Node *product)
{
  const Node *x = plan_source(product->in[0]), *y = plan_source(product->in[1]);
  return x->op == OP_PARAM ? x : y->op == OP_PARAM ? y : NULL;
}

/* The parameter that the statement of n reads: not through other stored or named values, except those
 * that follow from parameters alone. */
static const Node *param_read(const Naming *m, const Node *n, bool top)
{
  const Node *source = plan_source(n);
  if (source->op == OP_PARAM) {
    return source;
  }
  bool through = m->p->value[n->id].scope == SCOPE_TOTAL && m->p->value[n->id].place != PLACE_SLOT;
  const Node *found = NULL;
  if (top || through || (!plan_stored(m->p, n) && n->name.n == 0)) {
    for (int i = 0; i < n->nin && !found; i++) {
      found = param_read(m, n->in[i], false);
    }
  }
  return found;
}

/* Is n what follows such a sum, rather than something made of weights alone? */
static bool ends_sum(const Naming *m, const Node *n)
{
  for (int i = 0; i < n->nin; i++) {
    const Node *x = n->in[i];
    if (is_product_sum(x) || (!plan_stored(m->p, x) && x->name.n == 0 && ends_sum(m, x))) {
      return true;
    }
  }
  return false;
}

static void mark_forward(Naming *m)
{
  const Graph *g = m->e->g;
  for (int i = 0; i < g->outputs.n; i++) {
    m->forward[g->outputs.data[i].node->id] = true;
  }
  if (m->p->loss) {
    m->forward[m->p->loss->id] = true;
  }
  for (int i = g->nodes.n - 1; i >= 0; i--) {
    for (int j = 0; j < g->nodes.data[i]->nin; j++) {
      m->forward[g->nodes.data[i]->in[j]->id] |= m->forward[i];
    }
  }
}

static void find_own(Naming *m)
{
  const Graph *g = m->e->g;
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    m->own[i] = n->op == OP_INPUT ? g->inputs.data[n->leaf].name : n->name;
    m->base[i] = m->own[i];
  }
  for (int i = 0; i < g->outputs.n; i++) {
    int id = g->outputs.data[i].node->id;
    if (m->own[id].n == 0 && g->outputs.data[i].node->op != OP_PARAM) {
      m->own[id] = m->base[id] = g->outputs.data[i].name;
    }
  }
  if (m->p->loss && m->own[m->p->loss->id].n == 0) {
    m->own[m->p->loss->id] = m->base[m->p->loss->id] = S("loss_sum");
  }
  for (int i = 0; i < g->grads.n; i++) {
    const Node *n = g->grads.data[i].node;
    Str param = g->params.data[g->grads.data[i].param].name;
    if (n->op != OP_PARAM && n->op != OP_SCATTER && !m->forward[n->id]) {
      m->own[n->id] =
        str_format(m->e->arena, g->grads.data[i].update ? "new.%.*s" : "grad.%.*s", STR_ARG(param));
    }
    m->grad[n->id] = n->op != OP_SCATTER ? 1 + g->grads.data[i].param : 0;
    Str layer = layer_of(g, &(Node){.leaf = g->grads.data[i].param});
    m->base[n->id] = str_format(m->e->arena, "d_%.*s", STR_ARG(layer.n > 0 ? layer : param));
  }
}

/* Hands names on to operands, from the last node to the first. */
static void find_bases(Naming *m)
{
  const Graph *g = m->e->g;
  for (int i = g->nodes.n - 1; i >= 0; i--) {
    const Node *n = g->nodes.data[i];
    for (int j = 0; j < n->nin && m->base[i].n > 0; j++) {
      int in = n->in[j]->id;
      m->grad[in] = m->grad[in] == 0 ? m->grad[i] : m->grad[in];
      int far = (m->own[i].n > 0 ? 0 : m->far[i]) + 1;
      far += m->forward[in] && !m->forward[i] ? 1000 : 0; /* not after an adjoint */
      if (m->own[in].n == 0 && (m->base[in].n == 0 || far <= m->far[in])) {
        m->base[in] = m->base[i];
        m->far[in] = far;
      }
    }
    if (is_product_sum(n) && m->forward[i]) {
      const Node *x = plan_source(n->in[0]->in[0]), *y = plan_source(n->in[0]->in[1]);
      const Node *w = param_factor(n->in[0]);
      if (w) {
        m->into[(w == x ? y : x)->id] = layer_of(g, w);
      }
    }
  }
}

/* ---- what it is ---- */

static bool is_zero(const Node *n)
{
  return n->op == OP_CONST && n->value == 0;
}

bool node_is_relu(const Node *n)
{
  return n->op == OP_WHERE && is_zero(n->in[2]) && n->in[0]->op == OP_LT &&
         is_zero(n->in[0]->in[0]) && n->in[0]->in[1] == n->in[1];
}

static const char *word_of(const Node *n)
{
  static const struct {
    Op op;
    const char *word;
  } words[] = {{OP_ADD, "plus"}, {OP_SUB, "minus"}, {OP_MUL, "times"}, {OP_DIV, "ratio"},
    {OP_NEG, "neg"}, {OP_POW, "power"}, {OP_LT, "less"}, {OP_LE, "less"}, {OP_EQ, "equal"},
    {OP_NE, "unequal"}, {OP_GATHER, "rows"}, {OP_CONCAT, "joined"}, {OP_TRIANGLE, "pairs"},
    {OP_UNTRIANGLE, "square"}, {OP_ORDER, "turned"}, {OP_STOP, "value"}, {OP_WHERE, "kept"},
    {OP_RENAME, "value"}, {OP_SLICE, "part"}};
  if (node_is_relu(n)) {
    return "relu";
  }
  if (n->op == OP_DIV && n->in[1]->op == OP_SIZE && n->in[1]->type.n == 0) {
    return "share";
  }
  for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
    if (words[i].op == n->op) {
      return words[i].word;
    }
  }
  return op_rows[n->op].word;
}

static Str worded(Naming *m, Str base, const Node *n)
{
  return str_format(m->e->arena, "%.*s.%s", STR_ARG(base), word_of(n));
}

static Str invent(Naming *m, const Node *n)
{
  Arena *a = m->e->arena;
  const Graph *g = m->e->g;
  const Value *v = &m->p->value[n->id];
  const Node *factor = is_product_sum(n) ? param_factor(n->in[0]) : NULL;
  const Node *param = factor ? factor : param_read(m, n, true);
  Str layer = param ? layer_of(g, param) : (Str){0};
  if (v->place == PLACE_SLOT && m->grad[n->id] > 0) {
    return str_format(a, "grad.%.*s.part", STR_ARG(g->params.data[m->grad[n->id] - 1].name));
  }
  bool weights = v->place == PLACE_TOTAL || n->op == OP_ADD || n->op == OP_SUB;
  if (param && weights && v->place != PLACE_SLOT && !is_product_sum(n) && !ends_sum(m, n)) {
    return worded(m, g->params.data[param->leaf].name, n);
  }
  if (layer.n > 0 && is_product_sum(n)) {
    return str_format(a, m->forward[n->id] ? "%.*s.sum" : "d_%.*s.in", STR_ARG(layer));
  }
  if (layer.n > 0 && m->forward[n->id] && op_pointwise(n->op) && ends_sum(m, n)) {
    return str_format(a, "%.*s.out", STR_ARG(layer));
  }
  if (m->into[n->id].n > 0) {
    return str_format(a, "%.*s.in", STR_ARG(m->into[n->id]));
  }
  Str base = m->base[n->id];
  bool adjoint = m->far[n->id] <= 2 && base.n > 2 && memcmp(base.s, "d_", 2) == 0;
  if (adjoint && !name_taken(m->e, name_c(a, base))) {
    return base;
  }
  return worded(m, base.n > 0 ? base : S("value"), n);
}

/* ---- all of them ---- */

static void claim_axes(Emit *e)
{
  for (int i = 0; i < e->g->axes.n; i++) { /* ragged axes own NAME_off, NAME_row and NAME_len */
    Str c = name_c(e->arena, e->g->axes.data[i].name);
    for (int j = 1; axis_root(e->g, i) == i && j <= 3; j++) {
      static const char *const members[] = {"", "_off", "_row", "_len"};
      Str s = str_format(e->arena, "%.*s%s", STR_ARG(c), members[j]);
      if (name_taken(e, s)) {
        c = str_format(e->arena, "%.*s_axis", STR_ARG(c));
        j = 0;
      }
    }
    e->axis_name[i] = c;
    if (e->g->axes.data[i].kind == AXIS_RAGGED && axis_root(e->g, i) == i) {
      claim(e, str_format(e->arena, "%.*s_off", STR_ARG(c)));
      claim(e, str_format(e->arena, "%.*s_row", STR_ARG(c)));
      claim(e, str_format(e->arena, "%.*s_len", STR_ARG(c)));
    }
  }
}

static void claim_params(Emit *e)
{
  for (int i = 0; i < e->g->params.n; i++) {
    Str c = claim(e, name_c(e->arena, e->g->params.data[i].name));
    e->param_name[i] = c;
    if (e->g->params.data[i].table) {
      claim(e, str_format(e->arena, "%.*s_rows", STR_ARG(c)));
      claim(e, str_format(e->arena, "%.*s_at", STR_ARG(c)));
    }
  }
}

void names_make(Emit *e, Plan *p)
{
  const Graph *g = e->g;
  size_t n = (size_t)g->nodes.n + 1;
  Naming m = {e, p, ARENA_ARRAY(e->arena, bool, n), ARENA_ARRAY(e->arena, Str, n),
    ARENA_ARRAY(e->arena, Str, n), ARENA_ARRAY(e->arena, int, n), ARENA_ARRAY(e->arena, Str, n),
    ARENA_ARRAY(e->arena, int, n)};
  e->axis_name = ARENA_ARRAY(e->arena, Str, g->axes.n + 1);
  e->param_name = ARENA_ARRAY(e->arena, Str, g->params.n + 1);
  claim_axes(e);
  claim_params(e);
  mark_forward(&m);
  find_own(&m);
  find_bases(&m);
  for (int i = 0; i < g->nodes.n; i++) {
    if (g->nodes.data[i]->op == OP_PARAM) {
      p->value[i].name = e->param_name[g->nodes.data[i]->leaf];
    } else if (m.own[i].n > 0) {
      p->value[i].name = claim(e, name_c(e->arena, m.own[i]));
    }
  }
  for (int i = 0; i < g->nodes.n; i++) {
    Value *v = &p->value[i];
    if (v->name.n == 0 && plan_stored(p, g->nodes.data[i])) {
      v->name = claim(e, name_c(e->arena, invent(&m, g->nodes.data[i])));
    }
  }
  for (int k = 0; e->role == ROLE_TRAIN && k <= g->train.optimizer.nstates; k++) {
    if (k == 0) {
      e->own_name = claim(e, S("w"));
    } else {
      e->state_name[k - 1] = claim(e, name_c(e->arena, g->train.optimizer.state_name[k - 1]));
    }
  }
  for (int i = 0; i < p->packs.n; i++) {
    Str of = p->value[plan_source(p->packs.data[i].node)->id].name;
    p->packs.data[i].name = claim(e, str_format(e->arena, "%.*s_packed", STR_ARG(of)));
  }
  for (int i = 0; i < p->turned.n; i++) {
    Str of = p->value[plan_source(p->turned.data[i].node)->id].name;
    p->turned.data[i].name = claim(e, str_format(e->arena, "%.*s_turned", STR_ARG(of)));
  }
}
