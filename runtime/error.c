/* The one way an error text is made: one line, whatever the names and data in it, and nothing that a terminal
 * would obey rather than show. */

#include "rank_error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

int rank_fail(rank_error *e, const char *format, ...)
{
  if (e) {
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    for (unsigned char *s = (unsigned char *)e->text; *s != '\0'; s++) {
      bool wide = s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0; /* one such character in two bytes */
      *s = *s < ' ' || *s == 0x7f || wide ? '?' : *s;
      s[wide] = wide ? '?' : s[wide];
    }
  }
  return -1;
}
