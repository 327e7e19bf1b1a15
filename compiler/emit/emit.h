#ifndef RANKC_EMIT_H
#define RANKC_EMIT_H

/* From a graph with gradients to C files. */

#include "../pass/plan.h"

typedef struct EmitOptions {
  FuseLevel level;
  bool rewrite; /* cost-driven rewrites of the graph */
  bool f64;
  int tile;     /* samples a tile; 0: chosen */
  bool profile; /* a clock between groups, for measuring: see rank_profile.h */
  bool check;   /* what is not finite is noticed where it arises: see rank_guard.h */
} EmitOptions;

typedef struct EmitFile {
  Str name; /* din_train.c */
  Str text;
} EmitFile;

typedef struct EmitFiles {
  VEC(EmitFile) list;
} EmitFiles;

typedef enum Role { ROLE_PREDICT, ROLE_EVALUATE, ROLE_TRAIN } Role;

/* What one role of the program needs, planned and named as it will be printed. */
const Plan *emit_plan(Arena *a, const Graph *g, const EmitOptions *o, Role role);

/* NAME_parts.h, NAME_predict.c, NAME_evaluate.c, NAME_train.c (when the model trains), NAME_model.c,
 * NAME_main.c, and the C interface: NAME.h, NAME_library.c, NAME_training.c. `g` is complete: checked, with gradients,
 * simplified. */
void emit_model(Arena *a, const Graph *g, const EmitOptions *o, EmitFiles *out);

#endif
