/* str.c: see str.h. */

#include "str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Str str_of(const char *z)
{
  return z ? (Str){z, (int)strlen(z)} : (Str){0};
}

Str str_copy(Arena *a, Str s)
{
  char *p = ARENA_ARRAY(a, char, s.n + 1);
  if (s.n > 0) {
    memcpy(p, s.s, (size_t)s.n);
  }
  return (Str){p, s.n};
}

bool str_eq(Str x, Str y)
{
  return x.n == y.n && (x.n == 0 || memcmp(x.s, y.s, (size_t)x.n) == 0);
}

bool str_ends(Str x, Str end)
{
  return x.n >= end.n && str_eq((Str){x.s + x.n - end.n, end.n}, end);
}

int str_cmp(Str x, Str y)
{
  int n = x.n < y.n ? x.n : y.n;
  int order = n == 0 ? 0 : memcmp(x.s, y.s, (size_t)n);
  return order != 0 ? order : (x.n > y.n) - (x.n < y.n);
}

static void reserve(Buf *b, int more)
{
  if (b->n + more + 1 <= b->cap) {
    return;
  }
  int cap = b->cap == 0 ? 256 : b->cap;
  while (cap < b->n + more + 1) {
    cap *= 2;
  }
  char *moved = ARENA_ARRAY(b->arena, char, cap);
  if (b->n > 0) {
    memcpy(moved, b->data, (size_t)b->n);
  }
  b->data = moved;
  b->cap = cap;
}

void buf_str(Buf *b, Str s)
{
  reserve(b, s.n);
  if (s.n > 0) {
    memcpy(b->data + b->n, s.s, (size_t)s.n);
  }
  b->n += s.n;
  b->data[b->n] = '\0';
}

__attribute__((format(printf, 2, 0))) static void format_into(
  Buf *b, const char *format, va_list args)
{
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  reserve(b, n);
  vsnprintf(b->data + b->n, (size_t)n + 1, format, again);
  va_end(again);
  b->n += n;
}

void buf_format(Buf *b, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  format_into(b, format, args);
  va_end(args);
}

Str buf_take(const Buf *b)
{
  return (Str){b->data ? b->data : "", b->n};
}

Str str_format(Arena *a, const char *format, ...)
{
  Buf b = {.arena = a};
  va_list args;
  va_start(args, format);
  format_into(&b, format, args);
  va_end(args);
  return buf_take(&b);
}
