/* check_ranked.c: NAME = FIT.score(seen) where not seen, top = 10: the best items of a catalogue by what a
 * fit has learnt; as a value, or with `output` before it.
 *
 * One idea: a ranking is one more fit, which learns nothing and uses the state of another. Its results,
 * NAME.item and NAME.score along the ragged axis NAME.n, are inputs that no file has, like those of any
 * fit; so what comes afterwards may look them up, weigh and add them as it likes. */

#include "check.h"

enum { MOST_TOP = 10000, MOST_REASONS = 100, SHOWN_REASONS = 3 };

static const Str score_word = {".score", 6};

/* What stands before `.score`, or NULL. */
static Binding *scored(Checker *c, const Expr *e)
{
  if (e->kind != EXPR_CALL || !str_ends(e->name, score_word)) {
    return NULL;
  }
  return scope_find(c->scope, (Str){e->name.s, e->name.n - score_word.n});
}

bool is_ranked(Checker *c, const Expr *e)
{
  Binding *b = scored(c, e);
  return b && (b->value.kind == VALUE_FIT || b->value.kind == VALUE_ERROR);
}

/* ---- arguments ---- */

static bool same_ids(const Graph *g, int x, int y)
{
  const Input *a = &g->inputs.data[x], *b = &g->inputs.data[y];
  bool numbers = !a->encoding.vocab && !b->encoding.vocab && !a->encoding.hash &&
                 !b->encoding.hash && a->encoding.nbuckets == 0 && b->encoding.nbuckets == 0;
  return vocabulary_root(g, x) == vocabulary_root(g, y) ||
         (numbers && a->nvocab == 1 && b->nvocab == 1 && a->vocab[0] == b->vocab[0]);
}

/* An input of the fit's ids, a list or one; -1: reported. */
static int items_like(Checker *c, const Expr *e, int like, bool label, const char *what)
{
  const Graph *g = c->g;
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  if (b && b->value.kind == VALUE_ERROR) {
    return -1;
  }
  const Input *in = b && b->value.kind == VALUE_INPUT ? &g->inputs.data[b->value.index] : NULL;
  Str items = g->inputs.data[like].name;
  if (!in || in->type.kind != KIND_ID || in->encoding.source == FROM_FIT || (in->label && !label)) {
    fail(c, e->loc, "wanted %s: the name of an input that holds ids, as '%.*s' does", what,
      STR_ARG(items));
    return -1;
  }
  bool list = in->type.n == 2 && g->axes.data[in->type.axis[1]].kind == AXIS_RAGGED;
  if (in->type.n > (label ? 1 : 2) || (in->type.n == 2 && !list)) {
    fail(c, e->loc, "'%.*s' is %.*s; wanted %s", STR_ARG(in->name),
      STR_ARG(type_print(g, in->type, c->a)), label ? "one id" : "a list of ids, or one");
    note(c, in->loc, "declared here");
    return -1;
  }
  if (!same_ids(g, b->value.index, like)) {
    fail(c, e->loc, "'%.*s' has other ids than '%.*s', which the fit has learnt from: id(%.*s)",
      STR_ARG(in->name), STR_ARG(items), STR_ARG(items));
    note(c, in->loc, "declared here");
    return -1;
  }
  return b->value.index;
}

/* The query, what is left out, the query's weights. */
static bool check_sources(Checker *c, const Stmt *s, const Fitted *of, Fitted *f)
{
  const Expr *e = s->expr;
  if (e->args.n < 1 || e->args.n > 2 || e->has_axes || e->options.n > 0) {
    fail(c, e->loc, "wanted %.*s(seen) or %.*s(seen, weight), and settings behind it: , top = 10",
      STR_ARG(e->name), STR_ARG(e->name));
    return false;
  }
  f->nsources = 3;
  f->sources = ARENA_ARRAY(c->a, int, 3);
  f->sources[0] = items_like(c, e->args.data[0], of->sources[0], false, "what is scored by");
  f->sources[1] =
    s->without ? items_like(c, s->without, of->sources[0], false, "what is left out") : -1;
  f->sources[2] = e->args.n == 2 && f->sources[0] >= 0
                    ? check_list_weight(c, e->args.data[1], f->sources[0])
                    : -1;
  return f->sources[0] >= 0 && (!s->without || f->sources[1] >= 0) &&
         (e->args.n < 2 || f->sources[2] >= 0);
}

/* , top = 10, because = 3 */
static bool check_settings(Checker *c, const Stmt *s, const Fitted *of, long *top, long *because)
{
  for (int i = 0; i < s->options.n; i++) {
    const Option *o = &s->options.data[i];
    bool is_top = str_eq(o->name, S("top"));
    if (!is_top && !str_eq(o->name, S("because"))) {
      fail(c, o->loc, "a ranking has no such setting; there are top and because");
      return false;
    }
    if (!is_top && !of->explains) {
      fail(c, o->loc, "scores of %.*s are no sums over a list, so there are no reasons to show",
        STR_ARG(of->op));
      return false;
    }
    if (!(is_top ? check_whole(c, o->value, 1, MOST_TOP, "top", top)
                 : check_whole(c, o->value, 0, MOST_REASONS, "because", because))) {
      return false;
    }
  }
  if (*top == 0) {
    fail(c, s->expr->loc, "say how many items are wanted: %.*s(...), top = 10",
      STR_ARG(s->expr->name));
    return false;
  }
  return true;
}

/* ---- results ---- */

static void add_results(Checker *c, const Stmt *s, Fitted *f, long top, long because)
{
  Str name = str_format(c->a, "%.*s.n", STR_ARG(s->name));
  int axis = result_axis(c, name, s->name_loc, top, "best items");
  bool ok = axis >= 0;
  int reasons = ok && because > 0 ? number_axis(c, because, s->name_loc, &ok) : NO_AXIS;
  if (!ok) {
    return;
  }
  Input ids = c->g->inputs.data[f->sources[0]];
  Input item = {.nvocab = ids.nvocab, .vocab = ids.vocab};
  item.same_as = vocabulary_root(c->g, f->sources[0]);
  item.type = (Type){.kind = KIND_ID, .n = 2, .axis = {AXIS_B, (short)axis}};
  Input score = {.same_as = -1};
  score.type = (Type){.kind = KIND_REAL, .n = 2, .axis = {AXIS_B, (short)axis}};
  f->results = ARENA_ARRAY(c->a, int, 4);
  add_result(c, s, f, "item", item, true);
  add_result(c, s, f, "score", score, true);
  if (because > 0) { /* they may be fewer than there is room for, so no name reaches them */
    if (reasons != NO_AXIS) {
      item.type.axis[item.type.n++] = score.type.axis[score.type.n++] = (short)reasons;
    }
    add_result(c, s, f, "because", item, false);
    add_result(c, s, f, "part", score, false);
  }
}

void check_ranked(Checker *c, const Stmt *s)
{
  Binding *b = scored(c, s->expr);
  int errors = c->d->errors;
  Fitted f = {.name = s->name, .label = -1, .at = c->g->inputs.n, .loc = s->name_loc};
  bool good = b->value.kind == VALUE_FIT;
  const Fitted *of = good ? &c->g->fits.data[b->value.index] : NULL;
  long top = 0, because = s->kind == STMT_OUTPUT && good && of->explains ? SHOWN_REASONS : 0;
  good = good && check_sources(c, s, of, &f) && check_settings(c, s, of, &top, &because);
  if (good && s->has_type) {
    fail(c, s->type.loc, "a ranked output has no type of its own");
  }
  Value v = {.kind = VALUE_RANKED, .index = c->g->ranked.n};
  if (!declare(c, s->name, good ? v : error_value, s->name_loc) || !good) {
    return;
  }
  f.of = b->value.index;
  f.op = str_format(c->a, "%.*s_score", STR_ARG(of->op));
  f.text = (Str){s->loc.source->text.s + s->loc.at, s->loc.n};
  f.nsettings = 2;
  f.settings = ARENA_ARRAY(c->a, double, 2);
  f.settings[0] = (double)top;
  f.settings[1] = (double)because;
  add_results(c, s, &f, top, because);
  if (c->d->errors == errors) {
    bool output = s->kind == STMT_OUTPUT;
    Ranked ranked = {s->name, c->g->fits.n, output, output, s->name_loc};
    *VEC_PUSH(c->a, &c->g->ranked) = ranked;
    *VEC_PUSH(c->a, &c->g->fits) = f;
  }
}

void check_ranked_output(Checker *c, const Stmt *s, int ranked)
{
  Ranked *r = &c->g->ranked.data[ranked];
  if (r->shown) {
    fail(c, s->name_loc, "'%.*s' is an output twice", STR_ARG(s->name));
    note(c, r->loc, "first here");
    return;
  }
  r->shown = true;
}

/* ---- metrics ---- */

bool check_ranked_metric(Checker *c, const Expr *e, Metric *m, bool *good)
{
  const Expr *first = e->args.n > 0 ? e->args.data[0] : NULL;
  Binding *b = first && first->kind == EXPR_NAME ? scope_find(c->scope, first->name) : NULL;
  if (!b || b->value.kind != VALUE_RANKED || e->has_axes) {
    return false;
  }
  *good = e->args.n == 2;
  if (!*good) {
    fail(c, e->loc, "wanted %.*s(%.*s, NEXT): the ranking, and the id that it should have",
      STR_ARG(e->name), STR_ARG(first->name));
    return true;
  }
  m->ranked = b->value.index;
  int query = c->g->fits.data[c->g->ranked.data[m->ranked].fit].sources[0];
  m->target = items_like(c, e->args.data[1], query, true, "the id that the ranking should have");
  *good = m->target >= 0;
  return true;
}

bool ranked_deep_enough(Checker *c, const Expr *e, const Metric *m)
{
  const Ranked *r = &c->g->ranked.data[m->ranked];
  double top = c->g->fits.data[r->fit].settings[0];
  for (int i = 0; i < m->nk; i++) {
    if ((double)m->k[i] > top) {
      fail(c, e->loc, "k is %ld, but '%.*s' has %.0f items: top = %ld", m->k[i], STR_ARG(r->name),
        top, m->k[i]);
      note(c, r->loc, "declared here");
      return false;
    }
  }
  return true;
}
