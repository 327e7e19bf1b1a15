/* check_fit.c: fit NAME = OP(inputs; settings): what is learnt by passes over the data, or read from a file.
 *
 * One idea: an op is a row of a table: its word, what it reads, its settings with defaults and ranges; and
 * its results are inputs that no file has (FROM_FIT), declared here under the fit's name, so that whatever
 * may be done with an input may be done with them. What the op does is a row in runtime/fit.c. */

#include "check.h"

#include <math.h>

enum { MOST_SETTINGS = 32 };

typedef struct Setting {
  const char *name;
  double value, low, high; /* when nothing is said; its range */
  bool whole;
  const char *words[4]; /* a choice: the words for 0, 1, ... */
} Setting;

typedef struct FitOp FitOp;
struct FitOp {
  const char *word, *usage;
  bool label;   /* a last argument, the label that it learns from */
  bool many;    /* inputs of numbers and of ids, one or more */
  bool file;    /* it is read: file = "..."; the first two settings are 0 for what the file says */
  bool axis;    /* it has a ragged axis of its own: axis = NAME */
  bool missing; /* it knows what to do with NaN */
  bool items;   /* it learns from ids alone, a list of them or one */
  bool lists;   /* it learns from lists of ids, and perhaps their weights */
  bool sums;    /* its scores are sums over a list, which explain them */
  Setting settings[MOST_SETTINGS];
  /* NULL: it has none, and is applied by FIT.score(...) */
  void (*results)(Checker *c, const Stmt *s, const FitOp *op, Fitted *f);
};

/* ---- results ---- */

void add_result(Checker *c, const Stmt *s, Fitted *f, const char *part, Input in, bool named)
{
  in.name = part[0] ? str_format(c->a, "%.*s.%s", STR_ARG(s->name), part) : s->name;
  in.loc = s->name_loc;
  in.encoding.source = FROM_FIT;
  Value v = {.kind = VALUE_INPUT, .index = c->g->inputs.n};
  if (!named || declare(c, in.name, v, s->name_loc)) {
    f->results[f->nresults++] = c->g->inputs.n;
    *VEC_PUSH(c->a, &c->g->inputs) = in;
  }
}

static void standardize_results(Checker *c, const Stmt *s, const FitOp *op, Fitted *f)
{
  (void)op;
  Type type = c->g->inputs.data[f->sources[0]].type;
  add_result(c, s, f, "", (Input){.type = type, .same_as = -1}, true);
}

/* Ids of their own for each position, as id(11, 11)[X] has. */
static void bucketize_results(Checker *c, const Stmt *s, const FitOp *op, Fitted *f)
{
  const Input *x = &c->g->inputs.data[f->sources[0]];
  long each = (long)f->settings[0] + 1,
       n = x->type.n > 1 ? c->g->axes.data[x->type.axis[1]].extent : 1;
  if (x->type.n > 2) {
    fail(c, s->expr->args.data[0]->loc,
      "'%.*s' has %d axes; %s wants one number or one axis of them", STR_ARG(x->name),
      x->type.n - 1, op->word);
    return;
  }
  if (n * each > MOST_EXTENT) {
    fail(c, s->expr->loc, "%ld positions of %ld ids are too many", n, each);
    return;
  }
  Input in = {.type = x->type, .nvocab = (int)n, .same_as = -1};
  in.type.kind = KIND_ID;
  long *vocab = ARENA_ARRAY(c->a, long, n);
  for (long i = 0; i < n; i++) {
    vocab[i] = each;
  }
  in.vocab = vocab;
  add_result(c, s, f, "", in, true);
}

int result_axis(Checker *c, Str name, Loc loc, long most, const char *what)
{
  Binding *b = scope_find(c->scope, name);
  if (!b) {
    Axis axis = {.name = name, .kind = AXIS_RAGGED, .extent = most, .root = c->g->axes.n};
    axis.loc = loc;
    int index = graph_axis(c->g, axis);
    declare(c, name, axis_value(index), loc);
    return index;
  }
  const Axis *axis =
    b->value.kind == VALUE_AXIS && b->value.index >= 0 ? &c->g->axes.data[b->value.index] : NULL;
  if (!axis || axis->kind != AXIS_RAGGED || axis->extent != most) {
    fail(c, loc,
      "'%.*s' is declared already; the axis over the %s is dim %.*s <= %ld, or another "
      "name: axis = NAME",
      STR_ARG(name), what, STR_ARG(name), most);
    return -1;
  }
  return b->value.index;
}

static int tree_axis(Checker *c, const Stmt *s, long most)
{
  Str name = S("T");
  Loc loc = s->name_loc;
  for (int i = 0; i < s->expr->options.n; i++) {
    const Option *o = &s->expr->options.data[i];
    if (str_eq(o->name, S("axis"))) {
      name = o->value->name;
      loc = o->value->loc;
    }
  }
  return result_axis(c, name, loc, most, "trees");
}

static void forest_results(Checker *c, const Stmt *s, const FitOp *op, Fitted *f)
{
  double rounds = f->settings[0], leaves = f->settings[1];
  if (rounds * leaves > (double)MOST_EXTENT) {
    fail(c, s->expr->loc, "%s * leaves is %.0f; ids end at %ld", op->settings[0].name,
      rounds * leaves, MOST_EXTENT);
    return;
  }
  int axis = tree_axis(c, s, (long)rounds);
  if (axis < 0) {
    return;
  }
  long *vocab = ARENA_ARRAY(c->a, long, 1);
  vocab[0] = (long)(rounds * leaves);
  Type ids = {.kind = KIND_ID, .n = 2, .axis = {AXIS_B, (short)axis}};
  Type number = {.kind = KIND_REAL, .n = 1, .axis = {AXIS_B}};
  add_result(
    c, s, f, "leaf", (Input){.type = ids, .nvocab = 1, .vocab = vocab, .same_as = -1}, true);
  add_result(c, s, f, "score", (Input){.type = number, .same_as = -1}, true);
}

/* ---- the ops ---- */

static const FitOp ops[] = {
  {.word = "standardize", .usage = "standardize(x)", .results = standardize_results},
  {.word = "bucketize",
    .usage = "bucketize(x; buckets = 10)",
    .missing = true,
    .settings = {{"buckets", 10, 2, 4096, true, {0}}},
    .results = bucketize_results},
  {.word = "gbdt",
    .usage = "gbdt(x, ..., y; rounds = 100, leaves = 31, ...)",
    .label = true,
    .axis = true,
    .missing = true,
    .many = true,
    .settings = {{"rounds", 100, 1, 100000, true, {0}}, {"leaves", 31, 2, 32767, true, {0}},
      {"learning_rate", 0.1, 1e-9, 1, false, {0}}, {"min_data_in_leaf", 20, 0, 1e9, true, {0}},
      {"min_sum_hessian", 1e-3, 0, 1e9, false, {0}}, {"lambda_l1", 0, 0, 1e9, false, {0}},
      {"lambda_l2", 0, 0, 1e9, false, {0}}, {"feature_fraction", 1, 1e-9, 1, false, {0}},
      {"bagging_fraction", 1, 1e-9, 1, false, {0}}, {"bagging_freq", 0, 0, 1e6, true, {0}},
      {"max_bin", 255, 2, 255, true, {0}}, {"early_stopping", 0, 0, 1e6, true, {0}},
      {"objective", 0, 0, 1, true, {"binary", "l2"}}, {"seed", 1, 0, 9e15, true, {0}},
      {"max_depth", 0, 0, 1e6, true, {0}}, {"min_gain_to_split", 0, 0, 1e18, false, {0}},
      {"min_data_in_bin", 3, 1, 1e9, true, {0}}, {"cat_smooth", 10, 0, 1e9, false, {0}},
      {"cat_l2", 10, 0, 1e9, false, {0}}, {"max_cat_threshold", 32, 1, 255, true, {0}},
      {"max_cat_to_onehot", 4, 1, 255, true, {0}}, {"min_data_per_group", 100, 1, 1e9, true, {0}}},
    .results = forest_results},
  {.word = "forest",
    .usage = "forest(x; file = \"model.txt\", ...)",
    .file = true,
    .axis = true,
    .missing = true,
    .settings = {{"trees", 0, 1, 100000, true, {0}}, {"leaves", 0, 1, 32767, true, {0}}},
    .results = forest_results},
  {.word = "item_cosine",
    .usage = "item_cosine(seen; neighbors = 100, ...)",
    .items = true,
    .lists = true,
    .sums = true,
    .settings = {{"neighbors", 100, 1, 1000000, true, {0}},
      {"weighting", 0, 0, 3, true, {"binary", "count", "idf", "bm25"}},
      {"shrinkage", 0, 0, 1e9, false, {0}}}},
  {.word = "popularity", .usage = "popularity(item)", .items = true},
};

static const FitOp *find_op(Checker *c, const Expr *e)
{
  for (size_t i = 0; e->kind == EXPR_CALL && i < sizeof ops / sizeof *ops; i++) {
    if (str_eq(e->name, str_of(ops[i].word))) {
      return &ops[i];
    }
  }
  Buf b = {.arena = c->a};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    const char *between = i == 0 ? "" : i + 1 < sizeof ops / sizeof *ops ? ", " : " and ";
    buf_format(&b, "%s%s", between, ops[i].usage);
  }
  fail(c, e->loc, "found no operator that is fitted; there are %.*s", STR_ARG(buf_take(&b)));
  return NULL;
}

/* ---- arguments ---- */

/* The input of the data that an argument names, without a ragged axis; -1: reported. */
static int check_argument(Checker *c, const Expr *e, const FitOp *op, bool label)
{
  bool ids = op->many && !label;
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  if (b && b->value.kind == VALUE_ERROR) {
    return -1;
  }
  if (!b || b->value.kind != VALUE_INPUT) {
    fail(c, e->loc, "a fit reads the data: wanted the name of %s",
      label ? "a label"
      : ids ? "an input"
            : "an input of numbers");
    return -1;
  }
  const Input *in = &c->g->inputs.data[b->value.index];
  bool ragged = in->type.n > 1 && c->g->axes.data[in->type.axis[1]].kind == AXIS_RAGGED;
  const char *wrong = in->encoding.source == FROM_FIT                ? "is the result of a fit"
                      : label && !in->label                          ? "is no label"
                      : !label && in->label                          ? "is a label"
                      : in->type.kind != KIND_REAL && !ids           ? "holds ids, not numbers"
                      : ragged                                       ? "has a ragged axis"
                      : label && in->type.n > 1                      ? "is more than one number"
                      : in->encoding.nan && !(op->missing && !label) ? "may be NaN (missing = nan)"
                                                                     : NULL;
  if (wrong) {
    fail(c, e->loc, "'%.*s' %s; wanted %s", STR_ARG(e->name), wrong,
      label ? "a label of one number"
      : ids ? "an input of numbers or ids: f32, f32[X], id(N) or id(N)[X]"
            : "an input of numbers: f32 or f32[X]");
    note(c, in->loc, "declared here");
    return -1;
  }
  return b->value.index;
}

static bool check_count(Checker *c, const Expr *e, const FitOp *op)
{
  int least = 1 + op->label;
  if (e->has_axes || e->args.n < least || (e->args.n > least && !op->many)) {
    fail(c, e->loc, "%s takes %d argument%s%s, not %d: %s", op->word, least, least > 1 ? "s" : "",
      op->many ? " or more" : "", e->args.n, op->usage);
    return false;
  }
  return true;
}

/* Inputs, then the label; the first wrong one is reported. */
static bool check_arguments(Checker *c, const Expr *e, const FitOp *op, Fitted *f)
{
  if (op->items) {
    return check_fit_items(c, e, op->usage, op->lists, f);
  }
  if (!check_count(c, e, op)) {
    return false;
  }
  int n = e->args.n - op->label;
  f->sources = ARENA_ARRAY(c->a, int, n);
  for (int i = 0; i < n; i++) {
    int input = check_argument(c, e->args.data[i], op, false);
    for (int k = 0; k < i && input >= 0; k++) {
      if (f->sources[k] == input) {
        fail(c, e->args.data[i]->loc, "'%.*s' is given twice", STR_ARG(e->args.data[i]->name));
        return false;
      }
    }
    if (input < 0) {
      return false;
    }
    f->sources[f->nsources++] = input;
  }
  f->label = op->label ? check_argument(c, e->args.data[n], op, true) : -1;
  return !op->label || f->label >= 0;
}

/* ---- settings ---- */

static bool check_choice(Checker *c, const Setting *t, const Expr *e, double *out)
{
  Buf b = {.arena = c->a};
  for (int k = 0; k < 4 && t->words[k]; k++) {
    if (e->kind == EXPR_NAME && str_eq(e->name, str_of(t->words[k]))) {
      *out = k;
      return true;
    }
    bool last = k == 3 || !t->words[k + 1];
    buf_format(&b, "%s%s", k == 0 ? "" : last ? " or " : ", ", t->words[k]);
  }
  fail(c, e->loc, "%s is %.*s", t->name, STR_ARG(buf_take(&b)));
  return false;
}

static bool check_setting(Checker *c, const FitOp *op, const Option *o, Fitted *f)
{
  for (int i = 0; i < f->nsettings; i++) {
    const Setting *t = &op->settings[i];
    double *x = &f->settings[i];
    if (!str_eq(o->name, str_of(t->name))) {
      continue;
    }
    if (t->words[0]) {
      return check_choice(c, t, o->value, x);
    }
    if (!check_number(c, o->value, t->name, x)) {
      return false;
    }
    if (!(*x >= t->low && *x <= t->high) || (t->whole && *x != floor(*x))) {
      fail(c, o->value->loc, "%s is %.15g, wanted a %snumber from %.15g to %.15g", t->name, *x,
        t->whole ? "whole " : "", t->low, t->high);
      return false;
    }
    return true;
  }
  if (op->axis && str_eq(o->name, S("axis")) && o->value->kind == EXPR_NAME) {
    return true;
  }
  if (op->file && str_eq(o->name, S("file"))) {
    return check_fit_file(c, o->value, &f->file);
  }
  Buf b = {.arena = c->a};
  for (int i = 0; i < f->nsettings; i++) {
    buf_format(&b, "%s%s", i > 0 ? " " : "; there are ", op->settings[i].name);
  }
  if (f->nsettings == 0 && !op->axis) {
    fail(c, o->loc, "%s has no settings", op->word);
    return false;
  }
  fail(c, o->loc, "%s has no such setting%.*s%s%s", op->word, STR_ARG(buf_take(&b)),
    op->file ? " file = \"...\"" : "", op->axis ? " and axis = NAME" : "");
  return false;
}

static bool check_settings(Checker *c, const Expr *e, const FitOp *op, Fitted *f)
{
  while (f->nsettings < MOST_SETTINGS && op->settings[f->nsettings].name) {
    f->nsettings++;
  }
  f->settings = ARENA_ARRAY(c->a, double, f->nsettings + 1);
  for (int i = 0; i < f->nsettings; i++) {
    f->settings[i] = op->settings[i].value;
  }
  for (int i = 0; i < e->options.n; i++) {
    for (int k = 0; k < i; k++) {
      if (str_eq(e->options.data[i].name, e->options.data[k].name)) {
        fail(c, e->options.data[i].loc, "the setting is given twice");
        return false;
      }
    }
    if (!check_setting(c, op, &e->options.data[i], f)) {
      return false;
    }
  }
  return true;
}

/* A file that is named, and sizes that are known. */
static bool check_file(Checker *c, const Expr *e, const FitOp *op, Fitted *f)
{
  if (!op->file) {
    return true;
  }
  if (f->file.n == 0) {
    fail(c, e->loc, "%s is read from a file: %s", op->word, op->usage);
    return false;
  }
  bool known = f->settings[0] > 0 && f->settings[1] > 0;
  return known || check_fit_sizes(c, e, f->file, &f->settings[0], &f->settings[1]);
}

/* The statement as written; a dump may be read where the file is not, so it says the sizes. */
static Str dumped(Checker *c, const Stmt *s, const FitOp *op, const Fitted *f)
{
  Str text = {s->loc.source->text.s + s->loc.at, s->loc.n};
  Buf b = {.arena = c->a};
  if (!op->file) {
    return text;
  }
  buf_format(&b, "fit %.*s = %s(%.*s; file = \"%.*s\"", STR_ARG(f->name), op->word,
    STR_ARG(c->g->inputs.data[f->sources[0]].name), STR_ARG(f->file));
  for (int i = 0; i < f->nsettings; i++) {
    buf_format(&b, ", %s = %.15g", op->settings[i].name, f->settings[i]);
  }
  for (int i = 0; i < s->expr->options.n; i++) {
    const Option *o = &s->expr->options.data[i];
    if (str_eq(o->name, S("axis"))) {
      buf_format(&b, ", axis = %.*s", STR_ARG(o->value->name));
    }
  }
  buf_str(&b, S(")"));
  return buf_take(&b);
}

/* Weights that nothing looks at are a mistake. */
static bool check_weighted(Checker *c, const Expr *e, const FitOp *op, const Fitted *f)
{
  for (int i = 0; op->lists && f->nsources > 1 && i < f->nsettings; i++) {
    const Setting *t = &op->settings[i];
    if (t->words[0] && f->settings[i] == 0) {
      fail(c, e->args.data[1]->loc, "%s = %s looks at no weights; say %s = %s", t->name,
        t->words[0], t->name, t->words[1]);
      return false;
    }
  }
  return true;
}

/* What has no results is applied to a list by name. */
static void declare_fit(Checker *c, const Stmt *s, const FitOp *op, Fitted *f)
{
  if (op->results) {
    op->results(c, s, op, f);
  } else {
    declare(c, s->name, (Value){.kind = VALUE_FIT, .index = c->g->fits.n}, s->name_loc);
  }
}

void check_fitted(Checker *c, const Stmt *s)
{
  const FitOp *op = find_op(c, s->expr);
  Fitted f = {.name = s->name, .of = -1, .at = c->g->inputs.n, .label = -1, .loc = s->name_loc};
  f.results = ARENA_ARRAY(c->a, int, 2);
  f.explains = op && op->sums;
  f.folds = op && op->axis;
  int errors = c->d->errors;
  if (op && check_arguments(c, s->expr, op, &f) && check_settings(c, s->expr, op, &f) &&
      check_file(c, s->expr, op, &f) && check_weighted(c, s->expr, op, &f)) {
    f.op = str_of(op->word);
    f.text = dumped(c, s, op, &f);
    declare_fit(c, s, op, &f);
  }
  if (c->d->errors == errors) {
    *VEC_PUSH(c->a, &c->g->fits) = f;
  } else if (!scope_find_here(&c->globals, s->name)) {
    declare(c, s->name, error_value, s->name_loc);
  }
}
