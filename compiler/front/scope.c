/* scope.c: names and what they stand for; and the name that was meant where one is unknown. */

#include "check.h"

#include <string.h>

enum { FEW = 12 };

static unsigned hash(Str s)
{
  unsigned h = 2166136261u;
  for (int i = 0; i < s.n; i++) {
    h = (h ^ (unsigned char)s.s[i]) * 16777619u;
  }
  return h;
}

Binding *scope_find_here(Scope *s, Str name)
{
  if (s->nslots == 0) {
    for (int i = s->list.n - 1; i >= 0; i--) {
      if (str_eq(s->list.data[i].name, name)) {
        return &s->list.data[i];
      }
    }
    return NULL;
  }
  unsigned mask = (unsigned)s->nslots - 1;
  for (unsigned at = hash(name) & mask; s->slots[at] != 0; at = (at + 1) & mask) {
    Binding *b = &s->list.data[s->slots[at] - 1];
    if (str_eq(b->name, name)) {
      return b;
    }
  }
  return NULL;
}

Binding *scope_find(Scope *s, Str name)
{
  for (; s; s = s->parent) {
    Binding *b = scope_find_here(s, name);
    if (b) {
      return b;
    }
  }
  return NULL;
}

static void insert(Scope *s, int index)
{
  unsigned mask = (unsigned)s->nslots - 1;
  unsigned at = hash(s->list.data[index].name) & mask;
  while (s->slots[at] != 0) {
    at = (at + 1) & mask;
  }
  s->slots[at] = index + 1;
}

/* A name is bound once in a scope, except in an optimizer's text, where the value is exchanged. */
Binding *scope_bind(Arena *a, Scope *s, Str name, Value value, Loc loc)
{
  *VEC_PUSH(a, &s->list) = (Binding){name, value, loc};
  if (s->list.n > FEW && 2 * s->list.n > s->nslots) {
    s->nslots = s->nslots == 0 ? 8 * FEW : 2 * s->nslots;
    while ((s->nslots & (s->nslots - 1)) != 0) {
      s->nslots &= s->nslots - 1;
    }
    s->slots = ARENA_ARRAY(a, int, s->nslots);
    for (int i = 0; i < s->list.n; i++) {
      insert(s, i);
    }
  } else if (s->nslots != 0) {
    insert(s, s->list.n - 1);
  }
  return &s->list.data[s->list.n - 1];
}

bool declare(Checker *c, Str name, Value value, Loc loc)
{
  Binding *old = scope_find_here(c->scope, name);
  if (!old && c->scope == &c->globals) {
    old = scope_find_here(&c->base, name);
    old = old ? old : scope_find_here(&c->taken, name);
  }
  if (!old) {
    if (c->scope == &c->globals) {
      scope_bind(c->a, &c->taken, name, error_value, loc);
    }
    scope_bind(c->a, c->scope, name, value, loc);
    return true;
  }
  if (str_eq(name, S("B")) && !old->loc.source) {
    fail(c, loc, "'B' is the batch; give this another name");
  } else {
    fail(c, loc, "'%.*s' is declared twice", STR_ARG(name));
    note(c, old->loc, "first here");
  }
  return false;
}

/* A lone expression is checked without a program around it: then the graph alone knows its
 * names. */
static bool is_taken(Checker *c, Str name)
{
  for (int i = 0; !c->user.program && i < c->g->axes.n; i++) {
    if (str_eq(c->g->axes.data[i].name, name)) {
      return true;
    }
  }
  return scope_find_here(&c->taken, name) != NULL;
}

Str unique_name(Checker *c, Str name)
{
  Str tried = str_copy(c->a, name);
  for (int i = 1; is_taken(c, tried); i++) {
    tried = str_format(c->a, "%.*s.%d", STR_ARG(name), i);
  }
  scope_bind(c->a, &c->taken, tried, error_value, (Loc){0});
  return tried;
}

static int least(int x, int y)
{
  return x < y ? x : y;
}

/* How many letters to change, add, leave out or swap with the next, at most `limit` + 1. */
static int distance(Str x, Str y, int limit)
{
  enum { LONGEST = 40 };
  if (x.n > LONGEST || y.n > LONGEST || x.n - y.n > limit || y.n - x.n > limit) {
    return limit + 1;
  }
  int row[3][LONGEST + 1];
  for (int k = 0; k <= y.n; k++) {
    row[0][k] = k;
  }
  for (int i = 1; i <= x.n; i++) {
    int *now = row[i % 3];
    const int *before = row[(i + 2) % 3];
    const int *before2 = row[(i + 1) % 3];
    now[0] = i;
    for (int k = 1; k <= y.n; k++) {
      int change = before[k - 1] + (x.s[i - 1] != y.s[k - 1]);
      now[k] = least(change, least(before[k], now[k - 1]) + 1);
      if (i > 1 && k > 1 && x.s[i - 1] == y.s[k - 2] && x.s[i - 2] == y.s[k - 1]) {
        now[k] = least(now[k], before2[k - 2] + 1);
      }
    }
  }
  return row[x.n % 3][y.n];
}

typedef struct Best {
  Str name;
  int distance;
} Best;

static void consider(Best *best, Str name, Str candidate)
{
  int d = distance(name, candidate, best->distance - 1);
  if (d < best->distance) {
    *best = (Best){candidate, d};
  }
}

static void consider_functions(Best *best, Str name, const Module *m)
{
  for (; m; m = m->base) {
    for (int i = 0; m->program && i < m->program->statements.n; i++) {
      const Stmt *s = m->program->statements.data[i];
      if (s->kind == STMT_FN) {
        consider(best, name, s->name);
      }
    }
  }
}

Str suggest(Checker *c, Str name)
{
  Best best = {{0}, name.n <= 2 ? 1 : name.n <= 5 ? 2 : 3};
  for (Scope *s = c->scope; s; s = s->parent) {
    for (int i = 0; i < s->list.n; i++) {
      consider(&best, name, s->list.data[i].name);
    }
  }
  prelude_module(c);
  consider_functions(&best, name, c->module);
  return best.name;
}

/* Is it a global that stands further down? */
static const Stmt *later(const Checker *c, Str name)
{
  const Program *p = c->module == &c->user ? c->user.program : NULL;
  for (int i = 0; p && i < p->statements.n; i++) {
    const Stmt *s = p->statements.data[i];
    bool names = s->kind == STMT_LET || s->kind == STMT_DIM || s->kind == STMT_INPUT ||
                 s->kind == STMT_LABEL || s->kind == STMT_TABLE || s->kind == STMT_PARAM ||
                 (s->kind == STMT_OUTPUT && s->expr);
    if (names && str_eq(s->name, name)) {
      return s;
    }
  }
  return NULL;
}

void fail_unknown(Checker *c, Loc loc, Str name, const char *what)
{
  const Stmt *s = later(c, name);
  if (s) {
    fail(c, loc, "'%.*s' is used before it is defined", STR_ARG(name));
    note(c, s->name_loc, "it is defined here");
    return;
  }
  Str meant = suggest(c, name);
  if (meant.n > 0) {
    fail(
      c, loc, "no %s is called '%.*s'; did you mean '%.*s'?", what, STR_ARG(name), STR_ARG(meant));
  } else {
    fail(c, loc, "no %s is called '%.*s'", what, STR_ARG(name));
  }
}
