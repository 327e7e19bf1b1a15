/* fields.c: constant data in C. */

#include "fields.h"
#include "wrap.h"
#include "writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void puts_line(Text *t, const char *text)
{
  buf_format(&t->out, "%s\n", text);
}

Str quoted(Text *t, Str s)
{
  return string_c(t->arena, s);
}

void field(Fields *f, const char *format, ...)
{
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *s = ARENA_ARRAY(f->arena, char, n + 1);
  vsnprintf(s, (size_t)n + 1, format, again);
  va_end(again);
  *VEC_PUSH(f->arena, &f->list) = (Str){s, n};
}

void flag(Fields *f, const char *name, long value)
{
  if (value != 0) {
    field(f, ".%s = %ld", name, value);
  }
}

Str fields_text(const Fields *f, int indent, int column, int tail)
{
  Buf one = {.arena = f->arena}, many = {.arena = f->arena};
  for (int i = 0; i < f->list.n; i++) {
    buf_format(&one, "%s%.*s", i > 0 ? ", " : "{", STR_ARG(f->list.data[i]));
    if (i > 0) {
      buf_format(&many, ",\n%*s%.*s", indent + 2, "", STR_ARG(f->list.data[i]));
    } else {
      buf_format(&many, "{%.*s", STR_ARG(f->list.data[i]));
    }
  }
  bool fits = column + one.n + 1 + tail <= COLUMNS && !memchr(one.data, '\n', (size_t)one.n);
  return str_format(f->arena, "%.*s}", STR_ARG(buf_take(fits ? &one : &many)));
}

/* static TYPE NAME[] = {...}; on one line or one element a line. */
void array(Text *t, const char *type, Str name, int n, const Str *element)
{
  Buf one = {.arena = t->arena};
  for (int i = 0; i < n; i++) {
    buf_format(&one, "%s%.*s", i > 0 ? ", " : "", STR_ARG(element[i]));
  }
  Str head = str_format(t->arena, "static const %s%.*s[] = {", type, STR_ARG(name));
  if (head.n + one.n + 2 <= COLUMNS) {
    buf_format(&t->out, "%.*s%.*s};\n", STR_ARG(head), STR_ARG(buf_take(&one)));
    return;
  }
  buf_format(&t->out, "%.*s\n", STR_ARG(head));
  for (int i = 0; i < n; i++) {
    buf_format(&t->out, "  %.*s,\n", STR_ARG(element[i]));
  }
  puts_line(t, "};");
}

Str shape_text(Text *t, int n, const long *shape)
{
  Buf b = {.arena = t->arena};
  for (int j = 0; j < n; j++) {
    buf_format(&b, "%s%ld", j > 0 ? ", " : "", shape[j]);
  }
  return n == 0 ? S("{0}") : str_format(t->arena, "{%.*s}", STR_ARG(buf_take(&b)));
}

void element(Text *t, const Fields *f)
{
  buf_format(&t->out, "  %.*s,\n", STR_ARG(fields_text(f, 2, 2, 1)));
}

/* A string broken after spaces, as clang-format breaks it. */
void text_member(Text *t, const char *name, Str value)
{
  Str s = quoted(t, value);
  int from = (int)strlen(name) + 6; /* two spaces, a point, ` = ` */
  buf_format(&t->out, "  .%s = ", name);
  for (int i = 0; i < s.n;) {
    int room = COLUMNS - from - (i > 0), n = s.n - i;
    if (n + 1 > room) { /* the comma too */
      int cut = room - 1;
      while (cut > 1 && s.s[i + cut - 1] != ' ') {
        cut--;
      }
      n = cut > 1 ? cut : n;
    }
    buf_format(&t->out, "%s%.*s%s\n%*s", i > 0 ? "\"" : "", n, s.s + i, i + n < s.n ? "\"" : ",",
      i + n < s.n ? from : 0, "");
    i += n;
  }
}
