/* writer.c: lines, literals and comments of the generated C. */

#include "writer.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void put(Emit *e, const char *format, va_list args)
{
  char small[2048];
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(small, sizeof small, format, args);
  char *text = small;
  if (n >= (int)sizeof small) {
    text = ARENA_ARRAY(e->arena, char, n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
  }
  va_end(again);
  buf_format(e->out, "%*s", 2 * e->indent, "");
  buf_str(e->out, (Str){text, n});
  buf_str(e->out, S("\n"));
}

void put_line(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  put(e, format, args);
  va_end(args);
}

void put_open(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  put(e, format, args);
  va_end(args);
  e->indent++;
}

void put_close(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  e->indent--;
  while (e->pointers.n > 0 && e->pointers.data[e->pointers.n - 1].depth > e->indent) {
    e->pointers.n--;
  }
  put(e, format, args);
  va_end(args);
}

void put_blank(Emit *e)
{
  buf_str(e->out, S("\n"));
}

Str put_text(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *s = ARENA_ARRAY(e->arena, char, n + 1);
  vsnprintf(s, (size_t)n + 1, format, again);
  va_end(again);
  return (Str){s, n};
}

Str string_c(Arena *a, Str s)
{
  Buf b = {.arena = a};
  buf_str(&b, S("\""));
  for (int i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.s[i];
    if (c == '"' || c == '\\') {
      buf_format(&b, "\\%c", c);
    } else if (c < 32 || c == 127 || c == '?') {
      buf_format(&b, "\\%03o", c);
    } else {
      buf_format(&b, "%c", c);
    }
  }
  buf_str(&b, S("\""));
  return buf_take(&b);
}

Str number_c(const Emit *e, double x)
{
  const char *suffix = e->o->f64 ? "" : "f";
  if (isnan(x) || isinf(x)) {
    return str_of(isnan(x) ? "(rank_real)NAN"
                  : x > 0  ? "(rank_real)INFINITY"
                           : "(rank_real)-INFINITY");
  }
  char s[64];
  if (fabs(x) < 1e6 && x == floor(x)) {
    return str_format(e->arena, "%.1f%s", x, suffix);
  }
  for (int digits = 1; digits <= 17; digits++) { /* the shortest text that reads back the same */
    snprintf(s, sizeof s, "%.*g", digits, x);
    double back = strtod(s, NULL);
    if (e->o->f64 ? back == x : (float)back == (float)x) {
      break;
    }
  }
  bool whole = strpbrk(s, ".e") == NULL;
  return str_format(e->arena, "%s%s%s", s, whole ? ".0" : "", suffix);
}

Str source_line(Emit *e, Loc loc, Str *file)
{
  if (!loc.source) {
    *file = S("");
    return S("");
  }
  Str t = loc.source->text;
  int from = loc.at, to = loc.at;
  while (from > 0 && t.s[from - 1] != '\n') {
    from--;
  }
  while (to < t.n && t.s[to] != '\n' && t.s[to] != '#') {
    to++;
  }
  while (to > from && isspace((unsigned char)t.s[to - 1])) {
    to--;
  }
  const char *name = str_copy(e->arena, loc.source->name).s, *slash = strrchr(name, '/');
  *file = str_of(slash ? slash + 1 : name);
  return str_copy(e->arena, (Str){t.s + from, to - from});
}

Str comment_text(Arena *a, Str text)
{
  Str copy = str_copy(a, text);
  char *s = (char *)copy.s;
  for (int i = 0; i < copy.n; i++) {
    bool edge = s[i] == '*' && ((i > 0 && s[i - 1] == '/') || s[i + 1] == '/');
    s[i] = edge || iscntrl((unsigned char)s[i]) ? ' ' : s[i];
  }
  return copy;
}

void comment_source(Emit *e, Loc loc)
{
  if (!loc.source || loc_line(loc) == e->line) {
    return;
  }
  e->line = loc_line(loc);
  Str file, quoted = comment_text(e->arena, source_line(e, loc, &file));
  file = comment_text(e->arena, file);
  put_line(e, "/* %.*s:%d  %.*s */", STR_ARG(file), e->line, STR_ARG(quoted));
}

bool text_has_space(Str x)
{
  for (int i = 0; i < x.n; i++) {
    if (x.s[i] == ' ') {
      return true;
    }
  }
  return false;
}

Str times_text(Emit *e, Str x, long k)
{
  return k == 1 ? x : put_text(e, text_has_space(x) ? "(%.*s) * %ld" : "%.*s * %ld", STR_ARG(x), k);
}

/* nothing for a zero */
void put_term(Emit *e, Buf *b, Str x, long k)
{
  if (x.n > 0 && !str_eq(x, S("0"))) {
    buf_format(b, "%s%.*s", b->n > 0 ? " + " : "", STR_ARG(times_text(e, x, k)));
  }
}

Str times_batch(Emit *e, const char *n, int power)
{
  n = e->p->columns > 0 ? "COLUMNS" : n;
  Str t = S("");
  for (int i = 0; i < power; i++) {
    t = put_text(e, "%.*s * %s", STR_ARG(t), n);
  }
  return t;
}

/* index * n^power */
Str across_text(Emit *e, Str index, int power)
{
  if (index.n == 0 || power == 0) {
    return index;
  }
  Str times = times_batch(e, "step->n", power);
  return put_text(
    e, text_has_space(index) ? "(%.*s)%.*s" : "%.*s%.*s", STR_ARG(index), STR_ARG(times));
}
