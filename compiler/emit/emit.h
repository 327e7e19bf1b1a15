#ifndef RANKC_EMIT_H
#define RANKC_EMIT_H

/* From a graph with gradients to C files. */

#include "../ir/ir.h"

typedef struct EmitOptions {
  bool fuse; /* false: op by op, the baseline */
  bool f64;
  int tile; /* samples a tile; 0: chosen */
} EmitOptions;

typedef struct EmitFile {
  Str name; /* din_train.c */
  Str text;
} EmitFile;

typedef struct EmitFiles {
  VEC(EmitFile) list;
} EmitFiles;

/* NAME.h, NAME_predict.c, NAME_train.c (when the model trains), NAME_model.c, NAME_main.c. `g` is
 * complete: checked, with gradients, simplified. */
void emit_model(Arena *a, const Graph *g, const EmitOptions *o, EmitFiles *out);

#endif
