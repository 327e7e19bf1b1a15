#ifndef RANKC_COMMAND_H
#define RANKC_COMMAND_H

/* The subcommands: one function each, which gives the exit code. */

#include "options.h"

int command_check(Options *o);
int command_dump(Options *o);
int command_emit(Options *o);
int command_build(Options *o);
int command_run(Options *o);
int command_freeze(Options *o);
int command_explain(Options *o);
int command_bench(Options *o);
int command_interpret(Options *o);
int command_gradcheck(Options *o);
int command_ops(Options *o);

#endif
