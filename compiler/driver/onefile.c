/* onefile.c: see onefile.h. */

#include "onefile.h"

#include "files.h"

#include <ctype.h>
#include <string.h>

/* ---- tokens ---- */

typedef struct Reader {
  Str text;
  int at;
} Reader;

static bool in_word(char c)
{
  return isalnum((unsigned char)c) || c == '_';
}

static char peek(const Reader *r, int ahead)
{
  return r->at + ahead < r->text.n ? r->text.s[r->at + ahead] : '\0';
}

static void skip_to(Reader *r, const char *end)
{
  int n = (int)strlen(end);
  while (r->at < r->text.n &&
         (r->at + n > r->text.n || memcmp(r->text.s + r->at, end, (size_t)n) != 0)) {
    r->at++;
  }
  r->at = r->at + n < r->text.n ? r->at + n : r->text.n;
}

static void skip_literal(Reader *r, char quote)
{
  for (r->at++; r->at < r->text.n && r->text.s[r->at] != quote; r->at++) {
    r->at += r->text.s[r->at] == '\\';
  }
  r->at++;
}

static void skip_directive(Reader *r)
{
  while (r->at < r->text.n && r->text.s[r->at] != '\n') {
    r->at += r->text.s[r->at] == '\\' ? 2 : 1;
  }
}

/* The next word or character of a program; comments, literals, directives and space are passed over. {0} at
 * the end. */
static Str next(Reader *r)
{
  while (r->at < r->text.n) {
    char c = r->text.s[r->at];
    if (c == '/' && peek(r, 1) == '*') {
      skip_to(r, "*/");
    } else if (c == '"' || c == '\'') {
      skip_literal(r, c);
    } else if (c == '#' && (r->at == 0 || r->text.s[r->at - 1] == '\n')) {
      skip_directive(r);
    } else if (isspace((unsigned char)c)) {
      r->at++;
    } else {
      int from = r->at++;
      while (in_word(c) && in_word(peek(r, 0))) {
        r->at++;
      }
      return (Str){r->text.s + from, r->at - from};
    }
  }
  return (Str){0};
}

/* ---- names at file scope ---- */

typedef struct Names {
  VEC(Str) own;   /* no other file sees them */
  VEC(Str) shown; /* functions and objects that are defined here and not static */
} Names;

typedef struct Statement {
  bool is_static, is_typedef, is_enum, is_struct, assigned;
  Str called; /* the name before the first bracket */
  Str last;   /* the last name outside of brackets */
} Statement;

static bool is(Str s, const char *word)
{
  return str_eq(s, str_of(word));
}

static void note_word(Statement *st, Str t, int inside)
{
  st->is_static |= is(t, "static") || is(t, "RANK_INLINE");
  st->is_typedef |= is(t, "typedef");
  st->is_enum |= is(t, "enum");
  st->is_struct |= is(t, "struct") || is(t, "union");
  if (inside == 0 && !st->assigned) {
    st->last = t;
  }
}

static void define(Arena *a, Names *s, const Statement *st, Str name)
{
  if (name.n > 0 && in_word(name.s[0])) {
    if (st->is_static || st->is_typedef) {
      *VEC_PUSH(a, &s->own) = name;
    } else {
      *VEC_PUSH(a, &s->shown) = name;
    }
  }
}

/* What stands between braces: the enumerators; else it is passed over. True when a function's body ended. */
static void braces(Arena *a, Names *s, Reader *r, const Statement *st)
{
  bool enumerator = true;
  for (int depth = 1; depth > 0;) {
    Str t = next(r);
    if (t.n == 0) {
      return;
    }
    depth += is(t, "{") ? 1 : is(t, "}") ? -1 : 0;
    if (st->is_enum && depth == 1 && enumerator && in_word(t.s[0])) {
      *VEC_PUSH(a, &s->own) = t;
      enumerator = false;
    }
    enumerator |= is(t, ",");
  }
}

static void find_names(Arena *a, Str text, Names *s)
{
  Reader r = {text, 0};
  Statement st = {0};
  int inside = 0;
  for (Str t = next(&r); t.n > 0; t = next(&r)) {
    if (in_word(t.s[0])) {
      note_word(&st, t, inside);
    } else if (is(t, "(") || is(t, "[")) {
      if (is(t, "(") && inside == 0 && st.called.n == 0 && !st.assigned) {
        st.called = st.last;
      }
      inside++;
    } else if (is(t, ")") || is(t, "]")) {
      inside--;
    } else if (is(t, "=")) {
      st.assigned = true;
    } else if (is(t, "{")) {
      bool body = st.called.n > 0 && !st.assigned;
      if (!body && !st.assigned && st.is_typedef && !is(st.last, "enum") &&
          !is(st.last, "struct")) {
        Statement tag = {.is_static = true};
        define(a, s, &tag, st.last);
      }
      braces(a, s, &r, &st);
      if (body) {
        define(a, s, &st, st.called);
        st = (Statement){0};
      }
    } else if (is(t, ";")) {
      bool object = st.assigned || st.is_typedef || (st.is_static && st.called.n == 0);
      define(a, s, &st, object ? st.last : st.is_static ? st.called : (Str){0});
      st = (Statement){0};
    }
  }
}

/* ---- putting together ---- */

static bool among(int n, const Str *list, Str s)
{
  for (int i = 0; i < n; i++) {
    if (str_eq(list[i], s)) {
      return true;
    }
  }
  return false;
}

typedef struct Renames {
  VEC(Str) from, to;
} Renames;

/* Takes a file's names; those that are taken get others, when `stem` says how. */
static void take_names(OneFile *f, Str text, Str stem, Renames *renames)
{
  Names s = {0};
  find_names(f->arena, text, &s);
  int before = f->taken.n;
  for (int i = 0; i < s.own.n; i++) {
    Str name = s.own.data[i];
    if (among(before, f->taken.data, name) && stem.n > 0 &&
        !among(renames->from.n, renames->from.data, name)) {
      *VEC_PUSH(f->arena, &renames->from) = name;
      *VEC_PUSH(f->arena, &renames->to) =
        str_format(f->arena, "%.*s_%.*s", STR_ARG(stem), STR_ARG(name));
    } else {
      *VEC_PUSH(f->arena, &f->taken) = name;
    }
  }
  for (int i = 0; i < s.shown.n && stem.n > 0; i++) {
    if (!among(f->shown.n, f->shown.data, s.shown.data[i])) {
      *VEC_PUSH(f->arena, &f->shown) = s.shown.data[i];
    }
  }
}

/* A line, with names changed, but for members: `.name` and `->name`. */
static void put_renamed(OneFile *f, Str line, const Renames *renames)
{
  int from = 0;
  for (int i = 0; i < line.n;) {
    int end = i;
    while (end < line.n && in_word(line.s[end])) {
      end++;
    }
    bool member = i > 0 && (line.s[i - 1] == '.' || (line.s[i - 1] == '>' && line.s[i - 2] == '-'));
    for (int k = 0; k < renames->from.n && end > i && !member; k++) {
      if (str_eq(renames->from.data[k], (Str){line.s + i, end - i})) {
        buf_str(&f->out, (Str){line.s + from, i - from});
        buf_str(&f->out, renames->to.data[k]);
        from = end;
        break;
      }
    }
    i = end > i ? end : i + 1;
  }
  buf_format(&f->out, "%.*s\n", line.n - from, line.s + from);
}

static bool read_header(OneFile *f, Str name, Str *text)
{
  for (int i = 0; i < f->others->list.n; i++) {
    if (str_eq(f->others->list.data[i].name, name)) {
      *text = f->others->list.data[i].text;
      return true;
    }
  }
  return file_read(f->arena, path_join(f->arena, f->headers, name), text);
}

static bool starts(Str line, const char *word)
{
  int n = (int)strlen(word);
  return line.n >= n && memcmp(line.s, word, (size_t)n) == 0;
}

/* Whether all of it stands between an #ifndef and its #endif. */
static bool is_guarded(Str header)
{
  int depth = 0, closed = 0, directives = 0;
  bool first = false;
  for (int at = 0; at < header.n;) {
    const char *end = memchr(header.s + at, '\n', (size_t)(header.n - at));
    Str line = {header.s + at, end ? (int)(end - header.s) - at : header.n - at};
    if (starts(line, "#")) {
      first |= directives == 0 && starts(line, "#ifndef ");
      directives++;
      depth += starts(line, "#if") ? 1 : starts(line, "#endif") ? -1 : 0;
      closed = depth == 0 && closed == 0 ? directives : closed;
    }
    at += line.n + 1;
  }
  return first && closed == directives;
}

static bool put_text(OneFile *f, Str text, const Renames *renames);

/* `line` includes something; *done when there is nothing left to be printed of it. */
static bool put_include(OneFile *f, Str line, int conditions, bool *done)
{
  const char *quote = memchr(line.s, '"', (size_t)line.n);
  const char *end = quote ? memchr(quote + 1, '"', (size_t)(line.s + line.n - quote - 1)) : NULL;
  *done = true;
  if (!end) { /* of the system: on top, for all, unless it is not for all machines */
    *done = conditions <= 1;
    if (*done && !among(f->system.n, f->system.data, line)) {
      *VEC_PUSH(f->arena, &f->system) = line;
    }
    return true;
  }
  Str name = {quote + 1, (int)(end - quote) - 1}, text;
  if (among(f->included.n, f->included.data, name)) {
    return true;
  }
  if (!read_header(f, name, &text)) {
    return false;
  }
  if (is_guarded(text)) { /* others are meant to be there more than once */
    *VEC_PUSH(f->arena, &f->included) = name;
  }
  Renames none = {0};
  take_names(f, text, (Str){0}, &none);
  buf_format(&f->out, "/* ---- %.*s ---- */\n\n", STR_ARG(name));
  return put_text(f, text, &none);
}

static bool put_text(OneFile *f, Str text, const Renames *renames)
{
  int conditions = 0;
  for (int at = 0; at < text.n;) {
    const char *end = memchr(text.s + at, '\n', (size_t)(text.n - at));
    Str line = {text.s + at, end ? (int)(end - text.s) - at : text.n - at};
    bool done = false;
    conditions += starts(line, "#if") ? 1 : starts(line, "#endif") ? -1 : 0;
    if (starts(line, "#include") && !put_include(f, line, conditions, &done)) {
      return false;
    }
    if (!done) {
      put_renamed(f, line, renames);
    }
    at += line.n + 1;
  }
  return true;
}

bool onefile_add(OneFile *f, Str name, Str text, bool own)
{
  Renames renames = {0};
  int shown = f->shown.n;
  Str stem = {name.s, name.n - 2};
  f->out.arena = f->arena;
  /* headers come first: their names are taken when the file's own are looked at */
  Str body = {0};
  Buf before = f->out;
  f->out = (Buf){.arena = f->arena};
  if (!put_text(f, text, &renames)) {
    return false;
  }
  take_names(f, text, stem, &renames);
  f->shown.n = own ? shown : f->shown.n;
  body = buf_take(&f->out);
  f->out = before;
  buf_format(&f->out, "\n/* ==== %.*s ==== */\n\n", STR_ARG(name));
  if (renames.from.n == 0) {
    buf_str(&f->out, body);
    return true;
  }
  return put_text(f, body, &renames);
}

Str onefile_take(OneFile *f, Str head)
{
  Buf b = {.arena = f->arena};
  buf_format(&b,
    "%.*s\n#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n\n#define RANK_LIBRARY\n"
    "#define RANK_SERVING\n#define RANK_FROZEN\n\n",
    STR_ARG(head));
  for (int i = 0; i < f->system.n; i++) {
    buf_format(&b, "%.*s\n", STR_ARG(f->system.data[i]));
  }
  buf_format(&b, "\n/* Loops that -fopenmp-simd makes vectors of are right without it. */\n"
                 "#pragma GCC diagnostic ignored \"-Wunknown-pragmas\"\n"
                 "#pragma GCC diagnostic ignored \"-Wunused-function\"\n\n"
                 "/* What follows is this file's own: only NAME.h can be seen from outside. */\n"
                 "#pragma GCC visibility push(hidden)\n\n");
  for (int i = 0; i < f->shown.n; i++) {
    buf_format(&b, "#define %.*s %.*s_%.*s\n", STR_ARG(f->shown.data[i]), STR_ARG(f->prefix),
      STR_ARG(f->shown.data[i]));
  }
  buf_str(&b, buf_take(&f->out));
  return buf_take(&b);
}
