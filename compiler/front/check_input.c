/* check_input.c: inputs and labels: their types, vocabularies and the columns they come from.
 *
 * One idea: an input is [B] and then what one sample holds: at most one ragged axis, and plain
 * ones. A plain axis spreads over columns, a ragged one is a list in one column. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 1 << 20, MOST_VOCABULARIES = 1 << 20 };

/* B, the ragged axis, the plain ones. */
static bool check_type(Checker *c, const Stmt *s, Input *in, long *width, bool *ragged)
{
  short axes[MAX_AXES];
  int n = 0;
  if (!check_axes(c, &s->type.axes, MAX_AXES - 1, axes, &n)) {
    return false;
  }
  in->type.kind = s->type.id ? KIND_ID : KIND_REAL;
  in->type.axis[in->type.n++] = AXIS_B;
  double numbers = 1;
  for (int i = 0; i < n; i++) {
    if (axes[i] == NO_AXIS) {
      continue;
    }
    const Axis *axis = &c->g->axes.data[axes[i]];
    if (type_has(in->type, axes[i]) || axis->kind == AXIS_BATCH) {
      fail(c, s->type.axes.data[i < s->type.axes.n ? i : 0]->loc,
        axis->kind == AXIS_BATCH ? "an input is declared for one sample: no batch axis '%.*s'"
                                 : "axis '%.*s' comes twice",
        STR_ARG(axis->name));
      return false;
    }
    if (axis->kind == AXIS_RAGGED && *ragged) {
      fail(c, s->type.loc, "an input has at most one ragged axis");
      return false;
    }
    *ragged = *ragged || axis->kind == AXIS_RAGGED;
    numbers *= axis->kind == AXIS_PLAIN ? (double)axis->extent : 1;
    in->type.axis[in->type.n++] = axes[i];
  }
  in->type = type_canonical(c->g, in->type);
  if (numbers > (double)MOST_EXTENT) {
    fail(c, s->type.loc, "%.3g numbers for each sample are too many", numbers);
    return false;
  }
  *width = (long)numbers;
  return true;
}

static int share(Checker *c, const Expr *e)
{
  Binding *b = e->kind == EXPR_NAME ? scope_find(c->scope, e->name) : NULL;
  return b && b->value.kind == VALUE_INPUT ? b->value.index : -1;
}

/* How long the last plain axis is; 1 when there is none. */
static long last_plain(const Checker *c, const Input *in)
{
  int last = in->type.axis[in->type.n - 1];
  return c->g->axes.data[last].kind == AXIS_PLAIN ? c->g->axes.data[last].extent : 1;
}

static bool check_shared(Checker *c, const Stmt *s, const Expr *e, Input *in, int other)
{
  const Input *from = &c->g->inputs.data[other];
  if (from->type.kind != KIND_ID) {
    fail(c, e->loc, "'%.*s' holds no ids, so it has no vocabulary to share", STR_ARG(e->name));
    note(c, from->loc, "declared here");
    return false;
  }
  if (from->nvocab > 1 && from->nvocab != last_plain(c, in)) {
    fail(c, s->type.loc,
      "'%.*s' has one vocabulary for each of its %d positions; this input has %ld",
      STR_ARG(e->name), from->nvocab, last_plain(c, in));
    return false;
  }
  in->same_as = other;
  in->nvocab = from->nvocab;
  in->vocab = from->vocab;
  return true;
}

/* id(2000), id(1000, 500, 200)[F], id(vocab), id(OTHER) */
static bool check_vocab(Checker *c, const Stmt *s, Input *in)
{
  const Exprs *sizes = &s->type.sizes;
  if (sizes->n == 0) {
    fail(c, s->type.loc, "how many ids are there? id(2000), or id(vocab) to learn them");
    return false;
  }
  const Expr *only = sizes->data[0];
  if (sizes->n == 1 && share(c, only) >= 0) {
    return check_shared(c, s, only, in, share(c, only));
  }
  bool learnt = sizes->n == 1 && only->kind == EXPR_NAME && str_eq(only->name, S("vocab"));
  long each = last_plain(c, in);
  if (sizes->n > 1 && (each != sizes->n || in->type.n > 2)) {
    fail(c, s->type.loc, "%d sizes need one plain axis of %d positions, like id(...)[%d]", sizes->n,
      sizes->n, sizes->n);
    return false;
  }
  if (learnt && each > MOST_VOCABULARIES) {
    fail(c, s->type.loc, "%ld vocabularies are too many", each);
    return false;
  }
  in->nvocab = learnt ? (int)each : sizes->n;
  in->vocab = ARENA_ARRAY(c->a, long, in->nvocab);
  in->encoding.vocab = learnt;
  in->encoding.vocab_min = learnt;
  long sum = 0;
  for (int i = 0; i < sizes->n && !learnt; i++) {
    if (!check_whole(c, sizes->data[i], 1, MOST_EXTENT, "the number of ids", &in->vocab[i])) {
      return false;
    }
    sum += in->vocab[i];
  }
  if (sum > MOST_EXTENT) {
    fail(c, s->type.loc, "%ld ids together are too many; ids end at %ld", sum, MOST_EXTENT);
    return false;
  }
  return true;
}

static int ragged_root(const Graph *g, const Input *in)
{
  for (int i = 0; i < in->type.n; i++) {
    if (g->axes.data[in->type.axis[i]].kind == AXIS_RAGGED) {
      return axis_root(g, in->type.axis[i]);
    }
  }
  return -1;
}

/* Lists of one axis have one length: the request's, or each candidate's. */
static bool check_request(Checker *c, const Stmt *s, const Input *in)
{
  if (in->per_request && in->label) {
    fail(c, s->name_loc, "a label is not known when a request is ranked: no 'per request'");
    return false;
  }
  int root = ragged_root(c->g, in);
  for (int i = 0; i < c->g->inputs.n && root >= 0 && !in->label; i++) {
    const Input *other = &c->g->inputs.data[i];
    if (!other->label && other->per_request != in->per_request &&
        ragged_root(c->g, other) == root) {
      fail(c, s->name_loc, "'%.*s' is %sper request, but another input of axis '%.*s' is%s",
        STR_ARG(in->name), in->per_request ? "" : "not ", STR_ARG(c->g->axes.data[root].name),
        in->per_request ? " not" : "");
      note(c, other->loc, "declared here");
      return false;
    }
  }
  return true;
}

void check_input(Checker *c, const Stmt *s)
{
  Input in = {.name = s->name,
    .label = s->kind == STMT_LABEL,
    .per_request = s->per_request,
    .same_as = -1,
    .loc = s->name_loc};
  long width = 1;
  bool ragged = false;
  bool good = check_type(c, s, &in, &width, &ragged);
  good = good && (!s->type.id || check_vocab(c, s, &in));
  good = good && check_request(c, s, &in);
  if (good && ragged) {
    in.encoding.separator = S(" ");
  }
  good = good && check_options(c, s, &in);
  good = good && check_source(c, s, &in, width, in.encoding.separator.n > 0);
  Value v = good ? (Value){.kind = VALUE_INPUT, .index = c->g->inputs.n} : error_value;
  if (declare(c, s->name, v, s->name_loc) && good) {
    *VEC_PUSH(c->a, &c->g->inputs) = in;
  }
}

/* Where the digits at the end of a column's name start. */
static int suffix(Str s)
{
  int at = s.n;
  while (at > 0 && s.s[at - 1] >= '0' && s.s[at - 1] <= '9') {
    at--;
  }
  return at;
}

typedef struct Columns {
  VEC(Str) names;
  VEC(int) positions;
} Columns;

/* "C1".."C26"; digits are padded with zeros when the first one's are: "f01".."f26" */
static bool add_range(Checker *c, const SourceItem *item, Columns *to)
{
  int at = suffix(item->first);
  int at_last = suffix(item->last);
  bool same = at == at_last && at < item->first.n && at < item->last.n && item->first.n - at < 10 &&
              item->last.n - at < 10 && str_eq((Str){item->first.s, at}, (Str){item->last.s, at});
  long low = same ? strtol(str_copy(c->a, item->first).s + at, NULL, 10) : 1;
  long high = same ? strtol(str_copy(c->a, item->last).s + at, NULL, 10) : 0;
  if (high < low) {
    fail(c, item->loc,
      "a range of columns needs two names that differ in the number at their end, "
      "which rises: \"C1\"..\"C26\"");
    return false;
  }
  if (high - low >= MOST_COLUMNS) {
    fail(c, item->loc, "%ld columns are too many", high - low + 1);
    return false;
  }
  bool padded = item->first.s[at] == '0' && item->first.n > at + 1;
  for (long i = low; i <= high; i++) {
    *VEC_PUSH(c->a, &to->names) =
      str_format(c->a, "%.*s%0*ld", at, item->first.s, padded ? item->first.n - at : 1, i);
  }
  return true;
}

static bool add_positions(Checker *c, const SourceItem *item, Columns *to)
{
  double low = item->low;
  double high = item->range ? item->high : item->low;
  bool whole = low == (double)(long)low && high == (double)(long)high;
  if (!whole || high < low || high >= (double)MOST_COLUMNS) {
    fail(c, item->loc, "positions are whole numbers from 0 to %d, and a range rises",
      MOST_COLUMNS - 1);
    return false;
  }
  for (long i = (long)low; i <= (long)high; i++) {
    *VEC_PUSH(c->a, &to->positions) = (int)i;
  }
  return true;
}

/* The pairs of a libsvm line are along one axis: ragged, or plain when every line has so many. */
static bool check_libsvm(Checker *c, const Stmt *s, Input *in)
{
  Str word = s->source.word;
  bool target = str_eq(word, S("target"));
  bool values = str_eq(word, S("values"));
  if (!target && !values && !str_eq(word, S("indices"))) {
    fail(c, s->source.loc,
      "a source is \"column\", a position, indices, values or target, not '%.*s'", STR_ARG(word));
    return false;
  }
  bool id = in->type.kind == KIND_ID;
  if (target ? in->type.n != 1 : in->type.n != 2 || id == values) {
    fail(c, s->source.loc, "%.*s is %s", STR_ARG(word),
      target   ? "one number: f32, or id(...)"
      : values ? "numbers along one axis: f32[L], with dim L <= N (or = N: always so many)"
               : "ids along one axis: id(...)[L], with dim L <= N (or = N: always so many)");
    return false;
  }
  in->encoding.source = target ? FROM_TARGET : values ? FROM_VALUES : FROM_INDICES;
  return true;
}

/* Without `from`: the column that has the input's name; a plain axis: NAME1, NAME2, ... */
static void default_columns(Checker *c, const Input *in, long needed, Columns *to)
{
  for (long i = 0; i < needed; i++) {
    *VEC_PUSH(c->a, &to->names) =
      needed == 1 ? in->name : str_format(c->a, "%.*s%ld", STR_ARG(in->name), i + 1);
  }
}

bool check_source(Checker *c, const Stmt *s, Input *in, long width, bool list)
{
  if (s->source.word.n > 0) {
    return check_libsvm(c, s, in);
  }
  long needed = list ? 1 : width;
  if (needed > MOST_COLUMNS) {
    fail(
      c, s->type.loc, "%ld columns are too many; with sep = \" \" one column holds a list", needed);
    return false;
  }
  Columns columns = {0};
  const SourceItem *items = s->source.items.data;
  for (int i = 0; i < s->source.items.n; i++) {
    if (items[i].text != items[0].text) {
      fail(c, items[i].loc, "columns come by name or by position, not both");
      return false;
    }
    bool good = !items[i].text   ? add_positions(c, &items[i], &columns)
                : items[i].range ? add_range(c, &items[i], &columns)
                                 : true;
    if (items[i].text && !items[i].range) {
      *VEC_PUSH(c->a, &columns.names) = items[i].first;
    }
    if (!good) {
      return false;
    }
  }
  if (s->source.items.n == 0) {
    default_columns(c, in, needed, &columns);
  }
  int n = columns.names.n + columns.positions.n;
  if (n != needed) {
    fail(c, s->source.loc, "'%.*s' needs %ld column%s, but %d %s named", STR_ARG(in->name), needed,
      needed == 1 ? "" : "s", n, n == 1 ? "is" : "are");
    note(
      c, s->type.loc, list ? "a list comes from one column" : "one for each position of its type");
    return false;
  }
  in->encoding.source = columns.positions.n > 0 ? FROM_POSITIONS : FROM_NAMES;
  in->encoding.ncolumns = n;
  in->encoding.columns = columns.names.data;
  in->encoding.positions = columns.positions.data;
  return true;
}
