#ifndef RANKC_PROCESS_H
#define RANKC_PROCESS_H

/* Other programs: compilers, and the program that was built. They get argument vectors, never a shell's
 * line, so no name in a model or on a path is ever interpreted by anything. */

#include "../base/str.h"

/* One program to run, and what came of it. */
typedef struct Command {
  VEC(const char *) argv; /* the terminating NULL is added by process_run */
  int exit_code;          /* 128 + signal when killed, 127 when it did not start */
  double ms, cpu_ms;      /* how long it took, and how long it computed */
} Command;

void process_add(Arena *a, Command *c, const char *word);
void process_add_words(Arena *a, Command *c, const char *words); /* split at spaces; NULL: none */
Str process_text(Arena *a, const Command *c);                    /* for people to read */

/* Runs all, at most `together` at once. True when every one of them ended with 0. Messages of a
 * program that cannot be started go to stderr. */
/* Whether there is such a program to run, here or on PATH; says so on standard error when not. */
bool process_found(const char *program);

bool process_run(Arena scratch, int n, Command *commands, int together);
/* Becomes that program; returns (false) only when it cannot. */
bool process_exec(Arena scratch, Command *c);

double now_ms(void); /* a clock that only goes forward */

#endif
