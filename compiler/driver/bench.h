#ifndef RANKC_BENCH_H
#define RANKC_BENCH_H

/* What the files of `rankc bench` share: the levels, from the model to shared objects. */

#include "pipeline.h"
#include "toolchain.h"

#include "../emit/emit.h"
#include "../pass/count.h"

enum { BENCH_PASSES = 2 }; /* forward, training step */

typedef struct BenchLevel {
  const char *name;
  EmitOptions emit;
  Str folder, library;
  EmitFiles files;
  const Graph *graph;
  const Plan *plan[BENCH_PASSES]; /* NULL: the model does not train */
  Count *count[BENCH_PASSES];
  int barriers[BENCH_PASSES];
  long code[BENCH_PASSES]; /* bytes of instructions */
  double compile_ms[BENCH_PASSES];
} BenchLevel;

typedef struct Bench {
  Options *o;
  Arena *arena;
  Str folder, name;
  Toolchain tools;
  VEC(BenchLevel) levels; /* profiled builds too */
  int nplain;             /* levels before the profiled one */
} Bench;

/* bench_build.c: compiles every level and the program that compares them. */
bool bench_compile(Bench *b);
int bench_barriers(Str text); /* how often all threads wait for each other in a step of this C */
bool bench_link_program(Bench *b, Str source, Str program);

/* bench_code.c */
Str bench_code(Bench *b); /* the C of that program */

#endif
