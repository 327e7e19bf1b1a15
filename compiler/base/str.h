#ifndef RANKC_STR_H
#define RANKC_STR_H

/* Str: text by pointer and length, not owned, not terminated. {0} is the empty string. Print with
 * printf("%.*s", STR_ARG(s)). */

#include "arena.h"

#include <stdbool.h>

typedef struct Str {
  const char *s;
  int n;
} Str;

#define S(literal) ((Str){(literal), (int)sizeof(literal) - 1})
#define STR_ARG(x) (x).n, (x).s

Str str_of(const char *z);     /* a view of a terminated string; NULL gives {0} */
Str str_copy(Arena *a, Str s); /* terminated copy: .s may be passed to C functions */
bool str_eq(Str x, Str y);
bool str_ends(Str x, Str end);
int str_cmp(Str x, Str y); /* byte order, like strcmp */
Str str_format(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Buf: a growing text, for printers. {0} with an arena is ready. The text is always terminated. */
typedef struct Buf {
  Arena *arena;
  char *data;
  int n, cap;
} Buf;

void buf_str(Buf *b, Str s);
void buf_format(Buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str buf_take(const Buf *b); /* what was written so far */

#endif
