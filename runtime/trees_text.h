#ifndef TREES_TEXT_H
#define TREES_TEXT_H

/* Text of other programs' forests, read with care: spans of a text that does not end in a zero byte, and
 * numbers that must be where they are expected. */

#include "rank_trees.h"

typedef struct text_span {
  const char *at, *end;
} text_span;

/* One line, without its end; 0: no more. */
int text_line(text_span *rest, text_span *line);
/* The next word between spaces; 0: no more. */
int text_word(text_span *rest, text_span *word);
int text_is(text_span s, const char *word);
/* "key=..." : what follows it. */
int text_key(text_span line, const char *key, text_span *value);
char *text_copy(text_span s); /* malloc'd; NULL: no memory, or a zero byte in it */
/* The whole span as a number; 0: it is none (or out of range). */
int text_long(text_span s, long low, long high, long *x);
int text_double(text_span s, double *x);

#endif
