/* check_encoding.c: how an input's text becomes numbers: `missing = 0, log1p, vocab(min = 5)`.
 *
 * One idea: every option says what it needs (numbers or ids, a list), and at most one option makes
 * ids of text. */

#include "check.h"

#include <math.h>

static bool is_id(const Input *in)
{
  return in->type.kind == KIND_ID;
}

static bool wants(Checker *c, const Input *in, const Option *o, Str word, Kind kind)
{
  if (in->type.kind == kind) {
    return true;
  }
  fail(c, o->loc, "'%.*s' is for %s; '%.*s' holds %s", STR_ARG(word),
    kind == KIND_ID ? "ids" : "numbers", STR_ARG(in->name), kind == KIND_ID ? "numbers" : "ids");
  note(c, in->loc, "declared here");
  return false;
}

static bool option_missing(Checker *c, const Option *o, Input *in)
{
  double x;
  if (o->value->kind == EXPR_NAME && str_eq(o->value->name, S("nan"))) {
    in->encoding.has_missing = in->encoding.nan = true;
    return wants(c, in, o, S("missing = nan"), KIND_REAL);
  }
  if (!check_number(c, o->value, "what stands for a missing value", &x)) {
    return false;
  }
  bool wrong = is_id(in) && (x < 0 || x != floor(x));
  for (int i = 0; i < in->nvocab && is_id(in); i++) {
    wrong = wrong || (in->vocab[i] > 0 && x >= (double)in->vocab[i]);
  }
  if (wrong) {
    fail(c, o->value->loc, "%g is no id of '%.*s'", x, STR_ARG(in->name));
    return false;
  }
  in->encoding.has_missing = true;
  in->encoding.missing = x;
  return true;
}

static bool option_sep(Checker *c, const Option *o, Input *in)
{
  const Expr *e = o->value;
  if (e->kind != EXPR_STRING || e->name.n == 0) {
    fail(c, e->loc, "sep must be a string: sep = \"|\"");
    return false;
  }
  if (in->type.n == 1) {
    fail(c, o->loc, "'%.*s' is one value, not a list: it needs no sep", STR_ARG(in->name));
    return false;
  }
  in->encoding.separator = e->name;
  return true;
}

static bool option_keep(Checker *c, const Option *o, Input *in)
{
  const Expr *e = o->value;
  bool last = str_eq(e->name, S("last"));
  if (e->kind != EXPR_NAME || (!last && !str_eq(e->name, S("first")))) {
    fail(c, e->loc, "keep is first or last: which end of a list that is too long stays");
    return false;
  }
  if (in->type.n == 1 || c->g->axes.data[in->type.axis[1]].kind != AXIS_RAGGED) {
    fail(c, o->loc, "keep is for a ragged axis; '%.*s' has none", STR_ARG(in->name));
    return false;
  }
  in->encoding.keep_last = last;
  in->encoding.cut = true;
  return true;
}

/* Says no when ids are made in two ways, or when they already are numbers or shared. */
static bool makes_ids(Checker *c, const Option *o, const Input *in, Str word)
{
  const Encoding *e = &in->encoding;
  if (!wants(c, in, o, word, KIND_ID)) {
    return false;
  }
  if (in->same_as >= 0) {
    Str other = c->g->inputs.data[in->same_as].name;
    fail(c, o->loc, "'%.*s' shares the vocabulary of '%.*s', and how it is made", STR_ARG(in->name),
      STR_ARG(other));
    return false;
  }
  if (e->hash || e->nbuckets > 0 || (e->vocab && !str_eq(word, S("vocab")))) {
    fail(c, o->loc, "ids are made in one way: hash, vocab or bucketize");
    return false;
  }
  return true;
}

/* Every vocabulary must have room for so many ids. */
static bool has_room(Checker *c, const Option *o, const Input *in, long least, const char *why)
{
  for (int i = 0; i < in->nvocab; i++) {
    if (in->vocab[i] != 0 && in->vocab[i] < least) {
      fail(c, o->loc, "%s needs id(%ld) or more; this is id(%ld)", why, least, in->vocab[i]);
      return false;
    }
  }
  return true;
}

static bool option_vocab(Checker *c, const Option *o, Input *in)
{
  const Expr *e = o->value;
  long least = 1;
  if (!makes_ids(c, o, in, S("vocab")) || !has_room(c, o, in, 3, "a vocabulary")) {
    return false;
  }
  bool one = e->kind == EXPR_NAME ||
             (e->args.n == 0 && e->options.n == 1 && str_eq(e->options.data[0].name, S("min")));
  if (!one) {
    fail(c, e->loc, "wanted vocab, or vocab(min = 5): rarer ones are unknown");
    return false;
  }
  if (e->kind == EXPR_CALL &&
      !check_whole(c, e->options.data[0].value, 1, MOST_EXTENT, "min", &least)) {
    return false;
  }
  in->encoding.vocab = true;
  in->encoding.vocab_min = (int)least;
  return true;
}

static bool option_hash(Checker *c, const Option *o, Input *in)
{
  if (!makes_ids(c, o, in, S("hash")) || !has_room(c, o, in, 3, "hash (0 is missing, 1 unused)")) {
    return false;
  }
  in->encoding.hash = true;
  return true;
}

static bool option_bucketize(Checker *c, const Option *o, Input *in)
{
  const Expr *e = o->value;
  if (!makes_ids(c, o, in, S("bucketize"))) {
    return false;
  }
  if (e->kind != EXPR_CALL || e->args.n == 0 || e->options.n > 0) {
    fail(c, e->loc, "wanted bucketize(10, 20, 50): the bounds between the buckets");
    return false;
  }
  double *bounds = ARENA_ARRAY(c->a, double, e->args.n);
  for (int i = 0; i < e->args.n; i++) {
    if (!check_number(c, e->args.data[i], "a bound", &bounds[i])) {
      return false;
    }
    if (i > 0 && bounds[i] <= bounds[i - 1]) {
      fail(c, e->args.data[i]->loc, "bounds rise: %g does not come after %g", bounds[i],
        bounds[i - 1]);
      return false;
    }
  }
  if (!has_room(c, o, in, e->args.n + 2, "so many buckets (0 is missing)")) {
    return false;
  }
  in->encoding.nbuckets = e->args.n;
  in->encoding.buckets = bounds;
  return true;
}

static bool option_word(Checker *c, const Option *o, Input *in)
{
  const Expr *e = o->value;
  Str word = e->kind == EXPR_NAME || e->kind == EXPR_CALL ? e->name : (Str){0};
  bool plain = e->kind == EXPR_NAME;
  if (plain && str_eq(word, S("log1p"))) {
    in->encoding.log1p = true;
    return true; /* for ids: before bucketize; checked at the end */
  }
  if (plain && str_eq(word, S("standardize"))) {
    in->encoding.standardize = true;
    return wants(c, in, o, word, KIND_REAL);
  }
  if (plain && str_eq(word, S("hash"))) {
    return option_hash(c, o, in);
  }
  if (str_eq(word, S("vocab"))) {
    return option_vocab(c, o, in);
  }
  if (str_eq(word, S("bucketize"))) {
    return option_bucketize(c, o, in);
  }
  fail(c, o->loc,
    "no option of an input; there are missing = X, log1p, standardize, hash, vocab, "
    "vocab(min = N), bucketize(...), sep = \"|\", keep = first, keep = last");
  return false;
}

static bool check_option(Checker *c, const Option *o, Input *in)
{
  if (str_eq(o->name, S("missing"))) {
    return option_missing(c, o, in);
  }
  if (str_eq(o->name, S("sep"))) {
    return option_sep(c, o, in);
  }
  if (str_eq(o->name, S("keep"))) {
    return option_keep(c, o, in);
  }
  if (o->name.n > 0) {
    fail(c, o->loc, "no input has a setting '%.*s'; there are missing, sep and keep",
      STR_ARG(o->name));
    return false;
  }
  return option_word(c, o, in);
}

static bool same_option(const Option *x, const Option *y)
{
  return str_eq(x->name, y->name) && (x->name.n > 0 || str_eq(x->value->name, y->value->name));
}

bool check_options(Checker *c, const Stmt *s, Input *in)
{
  for (int i = 0; i < s->options.n; i++) {
    const Option *o = &s->options.data[i];
    for (int k = 0; k < i; k++) {
      if (same_option(o, &s->options.data[k])) {
        fail(c, o->loc, "the option is given twice");
        note(c, s->options.data[k].loc, "first here");
        return false;
      }
    }
    if (!check_option(c, o, in)) {
      return false;
    }
  }
  Encoding *e = &in->encoding;
  if (is_id(in) && e->log1p && e->nbuckets == 0) {
    fail(c, s->name_loc, "log1p of ids is only for bucketize");
    return false;
  }
  if (e->nan && (e->standardize || in->label)) {
    fail(c, s->name_loc, "missing = nan is not for %s", in->label ? "labels" : "standardize");
    return false;
  }
  if (in->same_as >= 0) {
    const Encoding *from = &c->g->inputs.data[in->same_as].encoding;
    e->vocab = from->vocab;
    e->vocab_min = from->vocab_min;
    e->hash = from->hash;
    e->nbuckets = from->nbuckets;
    e->buckets = from->buckets;
  }
  return true;
}
