/* wrap.c: breaks a long line where clang-format 14 would.
 *
 * One idea, clang-format's own: a shortest path. A state is the next token, the column, and for every
 * open bracket (those that precedence implies included) how its contents are indented and whether they
 * may still be broken; before each token a line is broken or not, a break costs its penalty, and a
 * column past the limit costs more than any breaks. */

#include "wrap.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  MOST_DEPTH = 120,
  MOST_STATES = 120000,
  TIRED = 50000,
  OVERFULL = 1000000,
  FIRST_BREAK = 15
};

typedef struct Bracket {
  short indent, last_space, question, variable;
  bool no_break, no_break_in_operand;
  bool one_a_line; /* its next parameter or operand starts a line */
  bool broken, operator_wrapped;
} Bracket;

typedef struct State {
  int next, column, line_level, lowest_level, depth;
  Bracket stack[MOST_DEPTH];
} State;

typedef struct Step {
  long cost;
  int order; /* ties go to what was found first */
  const struct Step *from;
  bool newline;      /* before the token that this step adds */
  int token, column; /* and where that stands */
  State state;
} Step;

/* Steps by their states, or by the first numbers of these. */
typedef struct Seen {
  Step **at;
  int n, room;
  bool whole;
} Seen;

typedef struct Wrap {
  Arena arena;
  const Token *t;
  int n, indent;
  int order;
  VEC(Step *) heap;
  Seen seen, seen_heads;
} Wrap;

static short most(int x, int y)
{
  return (short)(x > y ? x : y);
}

static bool is_text(const Token *t, const char *text)
{
  return str_eq(t->text, str_of(text));
}

/* ---- one token more ---- */

static bool must_break(const Wrap *w, const State *s)
{
  const Token *t = &w->t[s->next], *left = t - 1;
  const Bracket *b = &s->stack[s->depth];
  if (!b->one_a_line) {
    return false;
  }
  bool starts_parameter = left->level == LEVEL_COMMA || left->level == LEVEL_SEMI;
  if (!t->close && (starts_parameter || (t->condition && !is_text(left, "?")))) {
    return true;
  }
  bool comparison = left->level == LEVEL_EQUAL || left->level == LEVEL_RELATIONAL;
  return left->binary && left->level != LEVEL_ASSIGN && (!comparison || (left - 1)->ends);
}

static bool can_break(const Wrap *w, const State *s)
{
  const Token *t = &w->t[s->next], *left = t - 1;
  const Bracket *b = &s->stack[s->depth];
  if (!t->breakable ||
      (left->open && s->lowest_level < s->line_level && s->lowest_level < t->nesting)) {
    return false;
  }
  return !b->no_break_in_operand && !b->no_break;
}

static int new_line_column(const Wrap *w, const State *s)
{
  const Token *t = &w->t[s->next], *left = t - 1;
  const Bracket *b = &s->stack[s->depth];
  if (b->question != 0 && t->condition && is_text(t, ":")) {
    return b->question;
  }
  if (left->level == LEVEL_COMMA && b->variable != 0) {
    return b->variable;
  }
  if (is_text(left, "=")) {
    return most(b->last_space, b->indent) + CONTINUATION;
  }
  return b->indent == w->indent ? b->indent + CONTINUATION : b->indent;
}

/* Where a declared variable's name starts, when `=` comes next. */
static void note_variable(const Wrap *w, State *s)
{
  const Token *t = &w->t[s->next];
  Bracket *b = &s->stack[s->depth];
  if (is_text(t, "=") && (is_text(&w->t[0], "for") || t->nesting == 0) && b->variable == 0) {
    int at = s->column;
    for (const Token *x = t - 1; x >= w->t && at >= x->text.n; x--) {
      at -= x->text.n;
      if (x->space) {
        break;
      }
    }
    b->variable = (short)at;
  }
}

static void add_here(const Wrap *w, State *s)
{
  const Token *t = &w->t[s->next], *left = t - 1;
  Bracket *b = &s->stack[s->depth];
  note_variable(w, s);
  bool colon = left->condition && is_text(left, ":");
  if ((left->binary || left->level == LEVEL_COMMA || colon) && left->level != LEVEL_ASSIGN &&
      left->level != LEVEL_RELATIONAL) {
    bool two = left->first_operator && left->last_operator && !left->condition;
    if (colon ? !b->operator_wrapped : !two) {
      b->no_break_in_operand = true;
    }
  }
  s->column += t->space;
  bool head =
    is_text(left, "(") && s->next > 1 && (is_text(left - 1, "for") || is_text(left - 1, "if"));
  if (head || left->level == LEVEL_COMMA ||
      ((left->binary || left->condition) && (left->level != LEVEL_ASSIGN || t->starts))) {
    b->last_space = (short)s->column;
  }
}

static int add_on_new_line(const Wrap *w, State *s)
{
  const Token *t = &w->t[s->next], *left = t - 1;
  Bracket *b = &s->stack[s->depth];
  int penalty = t->penalty + (b->broken ? 0 : FIRST_BREAK);
  b->broken = true;
  s->column = new_line_column(w, s);
  bool separator = left->level == LEVEL_COMMA || left->level == LEVEL_SEMI;
  if (separator || left->binary) {
    b->one_a_line = false;
  }
  if (is_text(t, "?") || is_text(left, "?")) {
    b->one_a_line = true;
  }
  b->last_space = (short)s->column;
  s->line_level = s->lowest_level = t->nesting;
  for (int i = 0; i < s->depth; i++) {
    s->stack[i].one_a_line = true;
  }
  if (!separator && !left->binary && !is_text(left, ":") && !left->open) {
    b->one_a_line = true;
  }
  return penalty;
}

static void push(State *s, Bracket b)
{
  if (s->depth + 1 < MOST_DEPTH) {
    s->stack[++s->depth] = b;
  }
}

static void enter_fake(const Wrap *w, State *s)
{
  const Token *t = &w->t[s->next], *left = s->next > 0 ? t - 1 : NULL;
  bool is_return = left && is_text(left, "return");
  bool skip =
    left && (left->open || left->level == LEVEL_SEMI || is_return || left->level == LEVEL_ASSIGN);
  for (int i = t->nfake_open - 1; i >= 0; i--) {
    int level = t->fake_open[i];
    const Bracket *outer = &s->stack[s->depth];
    Bracket b = *outer;
    b.broken = false;
    b.operator_wrapped = true;
    b.no_break |= outer->no_break_in_operand;
    if ((!is_return || level > 0) && (level != LEVEL_COMMA || t->nesting == 0)) {
      b.indent = most(most(s->column, b.indent), outer->last_space);
    }
    if (level > 0) {
      b.last_space = most(b.last_space, s->column);
    }
    if (level == LEVEL_CONDITIONAL || (!skip && level > LEVEL_ASSIGN)) {
      b.indent = (short)(b.indent + CONTINUATION);
    }
    if ((left && !left->open) || level != LEVEL_COMMA) {
      b.one_a_line = false;
    }
    push(s, b);
    skip = false;
  }
}

static long move(const Wrap *w, State *s, bool newline)
{
  const Token *t = &w->t[s->next];
  Bracket *b = &s->stack[s->depth];
  if (t->binary || t->level == LEVEL_COMMA) {
    b->no_break_in_operand = false;
  }
  if (t->binary || (t->condition && !(t - 1)->condition)) {
    b->operator_wrapped = newline;
  }
  if (is_text(t, "?")) {
    b->question = (short)s->column;
  }
  if (!t->open && !t->close && t->nesting < s->lowest_level) {
    s->lowest_level = t->nesting;
  }
  enter_fake(w, s);
  if (t->close && s->depth > 0) {
    s->depth--;
  }
  if (t->open) {
    const Bracket *outer = &s->stack[s->depth];
    push(s, (Bracket){.indent = (short)(outer->last_space + CONTINUATION),
              .last_space = outer->last_space,
              .no_break = outer->no_break || outer->no_break_in_operand});
  }
  for (int i = 0; i < t->fake_close && s->depth > 0; i++) {
    short variable = s->stack[s->depth].variable;
    s->stack[--s->depth].variable = variable;
  }
  s->column += t->text.n;
  s->next++;
  return s->column > COLUMNS ? (long)OVERFULL * (s->column - COLUMNS) : 0;
}

/* ---- shortest path ---- */

static bool before(const Step *x, const Step *y)
{
  return x->cost != y->cost ? x->cost < y->cost : x->order < y->order;
}

static void heap_push(Wrap *w, Step *step)
{
  *VEC_PUSH(&w->arena, &w->heap) = step;
  Step **h = w->heap.data;
  for (int i = w->heap.n - 1; i > 0 && before(h[i], h[(i - 1) / 2]); i = (i - 1) / 2) {
    Step *swap = h[i];
    h[i] = h[(i - 1) / 2];
    h[(i - 1) / 2] = swap;
  }
}

static Step *heap_pop(Wrap *w)
{
  Step **h = w->heap.data;
  Step *least = h[0];
  h[0] = h[--w->heap.n];
  for (int i = 0;;) {
    int child = 2 * i + 1;
    if (child >= w->heap.n) {
      return least;
    }
    child += child + 1 < w->heap.n && before(h[child + 1], h[child]);
    if (!before(h[child], h[i])) {
      return least;
    }
    Step *swap = h[i];
    h[i] = h[child];
    h[child] = swap;
    i = child;
  }
}

static size_t state_bytes(const State *s)
{
  return offsetof(State, stack) + sizeof(Bracket) * (size_t)(s->depth + 1);
}

static size_t key_bytes(const Seen *t, const Step *step)
{
  return t->whole ? state_bytes(&step->state) : offsetof(State, depth);
}

/* Where the table has a step of the same state, or room for it. */
static Step **place_of(const Seen *t, const Step *step)
{
  const unsigned char *p = (const unsigned char *)&step->state;
  size_t n = key_bytes(t, step);
  uint64_t h = n, word;
  for (size_t i = 0; i + sizeof word <= n; i += sizeof word) {
    memcpy(&word, p + i, sizeof word);
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
  }
  memcpy(&word, p + n - sizeof word, sizeof word); /* what is left, and some of it twice */
  h = (h ^ word) * 0x9e3779b97f4a7c15u;
  size_t i = (size_t)(h >> 32) & (size_t)(t->room - 1);
  while (t->at[i] && (key_bytes(t, t->at[i]) != n || memcmp(&t->at[i]->state, p, n) != 0)) {
    i = (i + 1) & (size_t)(t->room - 1);
  }
  return &t->at[i];
}

static bool add_seen(Arena *a, Seen *t, Step *step)
{
  if (t->n * 2 >= t->room) {
    Seen more = {.n = t->n, .room = t->room == 0 ? 256 : t->room * 2, .whole = t->whole};
    more.at = ARENA_ARRAY(a, Step *, more.room);
    for (int i = 0; i < t->room; i++) {
      if (t->at[i]) {
        *place_of(&more, t->at[i]) = t->at[i];
      }
    }
    *t = more;
  }
  Step **place = place_of(t, step);
  bool found = *place != NULL;
  *place = found ? *place : step;
  t->n += !found;
  return !found;
}

/* After too many states only the column still tells them apart. */
static bool first_visit(Wrap *w, Step *step)
{
  bool new_head = add_seen(&w->arena, &w->seen_heads, step);
  return w->order > TIRED ? new_head : add_seen(&w->arena, &w->seen, step);
}

/* With room for the brackets that one token may open, not for all. */
static Step *step_copy(Wrap *w, const Step *from)
{
  size_t used = offsetof(Step, state) + state_bytes(&from->state);
  size_t room = used + sizeof(Bracket) * (MOST_FAKE + 2);
  Step *step = arena_alloc(&w->arena, 1, _Alignof(Step), room < sizeof(Step) ? room : sizeof(Step));
  memcpy(step, from, used);
  return step;
}

static void follow(Wrap *w, const Step *from, bool newline)
{
  if (newline ? !can_break(w, &from->state) : must_break(w, &from->state)) {
    return;
  }
  Step *step = step_copy(w, from);
  step->from = from;
  step->newline = newline;
  step->token = from->state.next;
  step->order = w->order++;
  if (newline) {
    step->cost += add_on_new_line(w, &step->state);
  } else {
    add_here(w, &step->state);
  }
  step->column = step->state.column;
  step->cost += move(w, &step->state, newline);
  heap_push(w, step);
}

static const Step *shortest(Wrap *w)
{
  Step *first = ARENA_NEW(&w->arena, Step);
  first->token = -1;
  first->state.column = w->indent;
  first->state.stack[0].indent = first->state.stack[0].last_space = (short)w->indent;
  move(w, &first->state, false);
  heap_push(w, first);
  while (w->heap.n > 0 && w->order < MOST_STATES) {
    Step *step = heap_pop(w);
    if (step->state.next == w->n) {
      return step;
    }
    if (first_visit(w, step)) {
      follow(w, step, false);
      follow(w, step, true);
    }
  }
  return NULL;
}

void wrap_line(Arena scratch, Buf *out, int indent, Str line)
{
  Wrap w = {.arena = scratch, .indent = indent};
  Tokens tokens = {0};
  const Step *end = NULL;
  if (indent + line.n > COLUMNS) {
    tokens_read(&w.arena, line, &tokens);
    w.t = tokens.list.data;
    w.n = tokens.list.n;
    w.seen.whole = true;
    end = shortest(&w);
  }
  buf_format(out, "%*s", indent, "");
  if (!end) {
    buf_str(out, line);
    return;
  }
  int *column = ARENA_ARRAY(&w.arena, int, w.n);
  for (const Step *s = end; s && s->token >= 0; s = s->from) {
    column[s->token] = s->newline ? 1 + s->column : 0;
  }
  for (int i = 0; i < w.n; i++) {
    if (column[i] > 0) {
      buf_format(out, "\n%*s", column[i] - 1, "");
    } else if (i > 0 && w.t[i].space) {
      buf_str(out, S(" "));
    }
    buf_str(out, w.t[i].text);
  }
}
