#ifndef RANKC_PIPELINE_H
#define RANKC_PIPELINE_H

/* The way of a program through rankc, as a flat list of passes. */

#include "options.h"

#include "../ir/ir.h"

typedef struct Pass {
  const char *name;
  Graph *(*run)(Arena *a, const Graph *g, Diags *d);
  const char *doc;
} Pass;

extern const Pass passes[];
extern const int npasses;

/* A model on its way. */
typedef struct Session {
  Options *options;
  Source source;
  Diags diags;
  Graph *graph;
} Session;

/* Reads and checks the model: the graph before the first pass. Errors are printed. Exit code. */
int session_start(Session *s, Options *o);
/* The next pass; verifies its result when asked to. Exit code. */
int session_pass(Session *s, const Pass *pass);
/* session_start and all passes. */
int session_open(Session *s, Options *o);
/* With -v: a line saying that `what` took from `start` until now. */
void session_time(const Session *s, const char *what, double start);

#endif
