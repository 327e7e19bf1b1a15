/* The one way an error text is made. */

#include "rank_error.h"

#include <stdarg.h>
#include <stdio.h>

int rank_fail(rank_error *e, const char *format, ...)
{
  if (e) {
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
  }
  return -1;
}
