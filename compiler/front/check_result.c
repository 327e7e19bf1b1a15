/* check_result.c: what a model is for: loss, outputs, metrics; and what only the whole program
 * shows.
 *
 * One idea: a prediction is made without labels, so whatever an output needs is traced back. */

#include "check.h"

/* B alone, or nothing. */
static bool per_sample(Type t)
{
  return t.n == 0 || (t.n == 1 && t.axis[0] == AXIS_B);
}

void check_loss(Checker *c, const Stmt *s)
{
  Node *n = check_node(c, s->expr);
  if (!n) {
    c->loss_failed = true;
    return;
  }
  if (!per_sample(n->type)) {
    c->loss_failed = true;
    fail(c, s->expr->loc, "a loss is one number for each sample; this is %.*s: sum or average it",
      STR_ARG(type_print(c->g, n->type, c->a)));
    return;
  }
  Node *sum = c->g->loss ? place(c, build_op2(c->g, OP_ADD, c->g->loss, n), s->loc) : n;
  c->g->loss = sum;
}

static bool output_type(Checker *c, Type t, Loc loc)
{
  for (int i = 0; i < t.n; i++) {
    const Axis *axis = &c->g->axes.data[t.axis[i]];
    if (t.axis[i] != AXIS_B && axis->kind != AXIS_PLAIN) {
      fail(c, loc, "an output has plain axes only; '%.*s' is %s", STR_ARG(axis->name),
        axis->kind == AXIS_RAGGED ? "ragged" : "the batch");
      return false;
    }
  }
  return true;
}

/* `output y : f32[D] = x`: every sample's, and with axes that x lacks it is the same along them. */
static bool given_type(Checker *c, const Stmt *s, Type x, Type *out)
{
  short axes[MAX_AXES];
  int n = 0;
  if (!check_axes(c, &s->type.axes, MAX_AXES - 1, axes, &n)) {
    return false;
  }
  *out = (Type){.n = 1, .axis = {AXIS_B}};
  for (int i = 0; i < n; i++) {
    if (axes[i] != NO_AXIS && type_has(*out, axes[i])) {
      fail(c, s->type.loc, "axis '%.*s' comes twice", STR_ARG(c->g->axes.data[axes[i]].name));
      return false;
    }
    if (axes[i] != NO_AXIS) {
      out->axis[out->n++] = axes[i];
    }
  }
  for (int i = 0; i < x.n; i++) {
    if (!type_has(*out, x.axis[i]) || s->type.id) {
      fail(c, s->type.loc, "the output is %.*s, its value %.*s",
        STR_ARG(s->type.id ? S("id") : type_print(c->g, *out, c->a)),
        STR_ARG(type_print(c->g, x, c->a)));
      return false;
    }
  }
  return output_type(c, *out, s->type.loc);
}

static bool find_type(Checker *c, const Stmt *s, Type x, Loc loc, Type *out)
{
  if (!output_type(c, x, loc)) {
    return false;
  }
  if (s->has_type) {
    return given_type(c, s, x, out);
  }
  *out = x;
  if (!type_has(x, AXIS_B)) {
    Str type = type_print(c->g, x, c->a);
    fail(c, loc,
      "an output is a value of each sample; this one is the same for all, %.*s (if that is meant: "
      "output %.*s : %.*s)",
      STR_ARG(type), STR_ARG(s->name), STR_ARG(type));
    return false;
  }
  return true;
}

/* output NAME = EXPR, or output NAME for a value that has a name already */
void check_output(Checker *c, const Stmt *s)
{
  if (s->expr && is_ranked(c, s->expr)) {
    check_ranked(c, s);
    return;
  }
  Value v = error_value;
  if (s->expr) {
    v = check_expr(c, s->expr);
  } else {
    Binding *b = scope_find(c->scope, s->name);
    if (!b) {
      fail_unknown(c, s->name_loc, s->name, "value");
      return;
    }
    v = b->value;
    if (v.kind == VALUE_RANKED && !s->has_type) {
      check_ranked_output(c, s, v.index);
      return;
    }
  }
  Loc loc = s->expr ? s->expr->loc : s->name_loc;
  Node *n = v.kind == VALUE_ERROR ? NULL : to_node(c, v, loc);
  Type type;
  bool good = n && find_type(c, s, n->type, loc, &type);
  if (s->expr && !declare(c, s->name, good ? node_value(n) : error_value, s->name_loc)) {
    return;
  }
  for (int i = 0; !s->expr && i < c->g->outputs.n; i++) {
    if (str_eq(c->g->outputs.data[i].name, s->name)) {
      fail(c, s->name_loc, "'%.*s' is an output twice", STR_ARG(s->name));
      note(c, c->g->outputs.data[i].loc, "first here");
      return;
    }
  }
  if (!good) {
    return;
  }
  if (s->expr) {
    adopt_name(c, n, s->name);
  }
  *VEC_PUSH(c->a, &c->g->outputs) = (Output){s->name, n, type, s->name_loc};
}

typedef struct MetricRow {
  const char *name;
  const char *usage;
  bool vectors; /* arguments have one axis, the same */
  bool by, k;   /* wants these options */
} MetricRow;

static const MetricRow metrics[] = {
  {"auc", "auc(p, y)", false, false, false},
  {"logloss", "logloss(p, y)", false, false, false},
  {"gauc", "gauc(p, y; by = INPUT)", false, true, false},
  {"ne", "ne(p, y)", false, false, false},
  {"calibration", "calibration(p, y)", false, false, false},
  {"mse", "mse(p, y)", false, false, false},
  {"rmse", "rmse(p, y)", false, false, false},
  {"mae", "mae(p, y)", false, false, false},
  {"accuracy", "accuracy(p, y)", false, false, false},
  {"recall", "recall(u, a; k = 10, 100)", true, false, true},
  {"ndcg", "ndcg(u, a; k = 10, 100)", true, false, true},
  {"mrr", "mrr(u, a)", true, false, false},
};

static const MetricRow *find_metric(Checker *c, const Expr *e)
{
  Buf names = {.arena = c->a};
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
    if (str_eq(e->name, str_of(metrics[i].name))) {
      return &metrics[i];
    }
    buf_format(&names, "%s%s", i > 0 ? ", " : "", metrics[i].name);
  }
  fail(c, e->name_loc, "no metric is called '%.*s'; there are %.*s", STR_ARG(e->name),
    STR_ARG(buf_take(&names)));
  return NULL;
}

static bool metric_by(Checker *c, const Expr *e, Metric *m)
{
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  bool good = b && b->value.kind == VALUE_INPUT;
  good = good && c->g->inputs.data[b->value.index].type.kind == KIND_ID &&
         c->g->inputs.data[b->value.index].type.n == 1;
  if (!good) {
    fail(c, e->loc, "by must be an input that holds one id for each sample");
    return false;
  }
  m->by = b->value.index;
  return true;
}

/* ; by = user and ; k = 10, 100: more values without a name continue the list */
static bool metric_options(Checker *c, const Expr *e, const MetricRow *row, Metric *m)
{
  Str last = {0};
  m->k = ARENA_ARRAY(c->a, long, e->options.n);
  for (int i = 0; i < e->options.n; i++) {
    const Option *o = &e->options.data[i];
    last = o->name.n > 0 ? o->name : last;
    if (row->by && str_eq(last, S("by")) && m->by < 0) {
      if (!metric_by(c, o->value, m)) {
        return false;
      }
    } else if (row->k && str_eq(last, S("k"))) {
      if (!check_whole(c, o->value, 1, MOST_EXTENT, "k", &m->k[m->nk++])) {
        return false;
      }
    } else {
      fail(c, o->loc, "wanted %s", row->usage);
      return false;
    }
  }
  if ((row->by && m->by < 0) || (row->k && m->nk == 0)) {
    fail(c, e->loc, "wanted %s", row->usage);
    return false;
  }
  return true;
}

static bool metric_arg(Checker *c, const Expr *e, const MetricRow *row, Node **out)
{
  Node *n = check_node(c, e);
  if (!n) {
    return false;
  }
  *out = n;
  bool good = type_has(n->type, AXIS_B) && n->type.n == (row->vectors ? 2 : 1);
  good = good && (n->type.n == 1 || c->g->axes.data[n->type.axis[1]].kind == AXIS_PLAIN);
  if (!good) {
    fail(c, e->loc,
      row->vectors ? "%s takes one vector for each sample, f32[E]; this is %.*s"
                   : "%s takes one number for each sample; this is %.*s",
      row->name, STR_ARG(type_print(c->g, n->type, c->a)));
  }
  return good;
}

static void check_one_metric(Checker *c, const Expr *e)
{
  const MetricRow *row = find_metric(c, e);
  if (!row) {
    return;
  }
  Metric m = {.name = e->name, .by = -1, .ranked = -1, .target = -1, .loc = e->loc};
  bool good = true;
  if (row->vectors && check_ranked_metric(c, e, &m, &good)) {
    if (good && metric_options(c, e, row, &m) && ranked_deep_enough(c, e, &m)) {
      *VEC_PUSH(c->a, &c->g->metrics) = m;
    }
    return;
  }
  m.nargs = 2;
  if (e->args.n != 2 || e->has_axes) {
    fail(c, e->loc, "wanted %s", row->usage);
    return;
  }
  m.args = ARENA_ARRAY(c->a, Node *, 2);
  good = metric_arg(c, e->args.data[0], row, &m.args[0]);
  good = metric_arg(c, e->args.data[1], row, &m.args[1]) && good;
  if (!good || !metric_options(c, e, row, &m)) {
    return;
  }
  if (row->vectors && m.args[0]->type.axis[1] != m.args[1]->type.axis[1]) {
    fail(c, e->loc, "%s compares vectors of the same axis, not %.*s and %.*s", row->name,
      STR_ARG(type_print(c->g, m.args[0]->type, c->a)),
      STR_ARG(type_print(c->g, m.args[1]->type, c->a)));
    return;
  }
  *VEC_PUSH(c->a, &c->g->metrics) = m;
}

void check_metric(Checker *c, const Stmt *s)
{
  for (int i = 0; i < s->list.n; i++) {
    check_one_metric(c, s->list.data[i]);
  }
}

/* For each node, a label that it needs, or -1. */
static int *needed_labels(const Checker *c)
{
  const Graph *g = c->g;
  int *label = ARENA_ARRAY(c->a, int, g->nodes.n);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    label[i] = n->op == OP_INPUT && g->inputs.data[n->leaf].label ? n->leaf : -1;
    for (int k = 0; k < n->nin && label[i] < 0; k++) {
      label[i] = label[n->in[k]->id];
    }
  }
  return label;
}

static void check_labels(Checker *c)
{
  int *label = needed_labels(c);
  for (int i = 0; i < c->g->outputs.n; i++) {
    const Output *o = &c->g->outputs.data[i];
    int needs = label[o->node->id];
    if (needs >= 0) {
      fail(c, o->loc, "output '%.*s' needs label '%.*s', which a prediction does not have",
        STR_ARG(o->name), STR_ARG(c->g->inputs.data[needs].name));
      note(c, c->g->inputs.data[needs].loc, "the label is declared here");
    }
  }
}

static void check_sources(Checker *c)
{
  bool libsvm = c->g->data.format == DATA_LIBSVM;
  for (int i = 0; i < c->g->inputs.n; i++) {
    const Input *in = &c->g->inputs.data[i];
    bool pairs = in->encoding.source == FROM_INDICES || in->encoding.source == FROM_VALUES ||
                 in->encoding.source == FROM_TARGET;
    if (libsvm && !pairs) {
      fail(c, in->loc,
        "libsvm data has no columns: '%.*s' must come from indices, values or target",
        STR_ARG(in->name));
    } else if (!libsvm && pairs) {
      fail(c, in->loc, "'%.*s' comes from libsvm data; say so: data libsvm(base = 0)",
        STR_ARG(in->name));
    } else if (in->encoding.source == FROM_NAMES && !c->g->data.header) {
      fail(c, in->loc,
        "the data has no header (header = 0), so '%.*s' must come from a position: from 3",
        STR_ARG(in->name));
    }
  }
}

/* What can be said when everything has been read. */
void check_finish(Checker *c)
{
  Graph *g = c->g;
  if (g->model.n == 0) {
    fail(c, (Loc){g->source, 0, 0}, "the model has no name; begin with: model NAME");
  }
  if (g->train.given && !g->loss && !c->loss_failed) {
    fail(c, g->train.loc, "there is nothing to train: the model has no loss");
  }
  if (g->model.n > 0 && !g->loss && g->outputs.n == 0 && g->ranked.n == 0) {
    fail(c, (Loc){g->source, 0, 0}, "the model computes nothing: it has neither output nor loss");
  }
  if (g->train.early_stopping > 0 && g->metrics.n == 0) {
    fail(c, g->train.loc, "early_stopping watches the first metric, and the model has none");
  }
  check_labels(c);
  check_sources(c);
}
