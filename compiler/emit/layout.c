/* layout.c: a generated file as clang-format 14 lays it out with the repository's style.
 *
 * Emitters print one statement a line, however long, or broken inside brackets; here lines are joined
 * and broken again, comments behind lines are aligned, pragmas go to the margin, and blank lines stand
 * only between things. */

#include "wrap.h"

#include <stddef.h>
#include <string.h>

typedef struct Sheet {
  Arena *arena;
  Str text;
  int at;
  Buf out;
  bool comment;          /* inside one of several lines */
  VEC(Str) code, behind; /* lines whose comments are aligned with each other */
  Str pending;           /* blank line to come */
  bool opened;           /* the last line opened a block */
} Sheet;

static Str next_line(Sheet *s)
{
  const char *from = s->text.s + s->at;
  const char *end = memchr(from, '\n', (size_t)(s->text.n - s->at));
  int n = end ? (int)(end - from) : s->text.n - s->at;
  s->at += n + 1;
  while (n > 0 && from[n - 1] == ' ') {
    n--;
  }
  return (Str){from, n};
}

static int indent_of(Str line)
{
  int n = 0;
  while (n < line.n && line.s[n] == ' ') {
    n++;
  }
  return n;
}

static bool starts_with(Str s, const char *text)
{
  int n = (int)strlen(text);
  return s.n >= n && memcmp(s.s, text, (size_t)n) == 0;
}

static bool ends_with(Str s, const char *text)
{
  int n = (int)strlen(text);
  return s.n >= n && memcmp(s.s + s.n - n, text, (size_t)n) == 0;
}

/* Where the comment behind a line starts, or -1; *depth: brackets left open. */
static int scan(Str s, int *depth)
{
  char quote = 0;
  for (int i = 0; i < s.n; i++) {
    char c = s.s[i];
    if (quote) {
      i += c == '\\';
      quote = c == quote ? 0 : quote;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '/' && i + 1 < s.n && s.s[i + 1] == '*') {
      return i;
    } else {
      *depth += c == '(' || c == '[';
      *depth -= c == ')' || c == ']';
    }
  }
  return -1;
}

/* A blank line before `line` is kept between statements, not at the edges of blocks. */
static void start(Sheet *s, Str line)
{
  if (s->pending.n > 0 && !s->opened && !starts_with(line, "}") && s->out.n > 0) {
    buf_str(&s->out, S("\n"));
  }
  s->pending = (Str){0};
  s->opened = ends_with(line, "{");
}

/* Writes the lines that wait, their comments in one column if all fit. */
static void flush(Sheet *s)
{
  for (int from = 0; from < s->code.n;) {
    int least = 0, limit = COLUMNS, to = from;
    for (; to < s->code.n; to++) {
      int own = s->code.data[to].n + 1, room = COLUMNS - s->behind.data[to].n;
      room = room < own ? own : room;
      if (to > from && (own > limit || room < least)) {
        break;
      }
      least = own > least ? own : least;
      limit = room < limit ? room : limit;
    }
    for (; from < to; from++) {
      buf_format(&s->out, "%.*s%*s%.*s\n", STR_ARG(s->code.data[from]),
        least - s->code.data[from].n, "", STR_ARG(s->behind.data[from]));
    }
  }
  s->code.n = s->behind.n = 0;
}

static void write_code(Sheet *s, int indent, Str line, Str behind)
{
  start(s, line);
  Buf wrapped = {.arena = s->arena};
  wrap_line(*s->arena, &wrapped, indent, line);
  if (behind.n == 0) {
    flush(s);
    buf_format(&s->out, "%.*s\n", STR_ARG(buf_take(&wrapped)));
  } else if (indent + line.n + 1 + behind.n > COLUMNS) {
    flush(s);
    buf_format(
      &s->out, "%*s%.*s\n%.*s\n", indent, "", STR_ARG(behind), STR_ARG(buf_take(&wrapped)));
  } else {
    *VEC_PUSH(s->arena, &s->code) = buf_take(&wrapped);
    *VEC_PUSH(s->arena, &s->behind) = behind;
  }
}

/* Joins lines until no bracket is open. */
static void statement(Sheet *s, Str line)
{
  int indent = indent_of(line);
  Buf joined = {.arena = s->arena};
  Str behind = {0};
  int depth = 0;
  for (;;) {
    int own = indent_of(line);
    Str part = {line.s + own, line.n - own};
    int comment = scan(part, &depth);
    if (comment > 0) {
      behind = (Str){part.s + comment, part.n - comment};
      part.n = comment;
    }
    while (part.n > 0 && part.s[part.n - 1] == ' ') {
      part.n--;
    }
    bool tight = joined.n == 0 || joined.data[joined.n - 1] == '(';
    buf_format(&joined, "%s%.*s", tight ? "" : " ", STR_ARG(part));
    if (depth <= 0 || s->at >= s->text.n) {
      break;
    }
    line = next_line(s);
  }
  write_code(s, indent, buf_take(&joined), behind);
}

static void verbatim(Sheet *s, Str line)
{
  start(s, line);
  flush(s);
  buf_format(&s->out, "%.*s\n", STR_ARG(line));
}

Str layout_c(Arena *a, Str text)
{
  Sheet s = {.arena = a, .text = text, .out = {.arena = a}};
  while (s.at < text.n) {
    Str line = next_line(&s);
    int indent = indent_of(line);
    Str bare = {line.s + indent, line.n - indent};
    if (s.comment) {
      verbatim(&s, line);
      s.comment = !ends_with(line, "*/");
    } else if (bare.n == 0) {
      flush(&s);
      s.pending = S("\n");
    } else if (bare.s[0] == '#') {
      verbatim(&s, bare);
      while (ends_with(line, "\\") && s.at < text.n) {
        line = next_line(&s);
        verbatim(&s, line);
      }
    } else if (starts_with(bare, "/*")) {
      verbatim(&s, line);
      s.comment = !ends_with(line, "*/");
    } else {
      statement(&s, line);
    }
  }
  flush(&s);
  return buf_take(&s.out);
}
