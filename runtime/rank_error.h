#ifndef RANK_ERROR_H
#define RANK_ERROR_H

/* How the runtime says what went wrong: one line of text, written where it was noticed and handed
 * up to whoever talks to the user. Nothing here prints or exits. */

typedef struct rank_error {
  char text[1024];
} rank_error;

/* Writes the message, cut to the room there is, over whatever was there. `e` may be NULL. Always
 * -1, so that a function can end in `return rank_fail(...)`. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
int rank_fail(rank_error *e, const char *format, ...);

#endif
