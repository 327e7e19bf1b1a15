#ifndef RANKC_EMIT_H
#define RANKC_EMIT_H

/* From a graph with gradients to C files. */

#include "../pass/pass.h"
#include "../pass/plan.h"

#include <stdint.h>

typedef struct EmitOptions {
  FuseLevel level;
  bool rewrite; /* cost-driven rewrites of the graph */
  bool f64;
  int tile;                    /* samples a tile; 0: chosen */
  bool profile;                /* a clock between groups, for measuring: see rank_profile.h */
  bool check;                  /* what is not finite is noticed where it arises: see rank_guard.h */
  const struct Frozen *frozen; /* weights that will not change any more; or NULL */
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

/* ---- frozen.c: a model with its weights, as one file of C ---- */

typedef enum StoredKind { STORED_REALS, STORED_F16, STORED_BF16, STORED_INT8 } StoredKind;

typedef struct FrozenTensor { /* that a fit has learnt */
  int fit, type;              /* type: st_dtype of the runtime */
  const char *key;
  long rows, columns, bytes;
  const void *data;
} FrozenTensor;

typedef struct Frozen {
  Constants constants;    /* those of parameters that are stored as numbers */
  const StoredKind *kind; /* by parameter of the model; STORED_REALS of those that were added */
  int nkinds;
  const void *const *stored; /* tables in fewer bits: [rows][width] */
  const float *const *scale; /* [rows] of STORED_INT8 */
  VEC(FrozenTensor) tensors; /* of fits */
  bool beside;               /* the weights are in a file of their own */
} Frozen;

/* Some of the weights: numbers to be written as rank_real, or bytes. */
typedef struct FrozenPiece {
  long at; /* bytes before it */
  long count;
  const double *numbers; /* [count]; NULL: */
  const void *bytes;     /* [count] */
} FrozenPiece;

typedef struct FrozenModel {
  EmitFiles
    files; /* NAME.h, NAME_parts.h, then what one file is made of, in order; all but the first go into it */
  VEC(FrozenPiece) pieces;
  long bytes;      /* of the weights */
  uint64_t layout; /* of what is where in them */
} FrozenModel;

/* The array of the file that is made of these that holds the weights, unless they are beside it: rows of text. */
enum { FROZEN_ROW = 4064 };

/* `model` as emit_model takes it; `g` is what pass_freeze made of it. */
void emit_frozen(
  Arena *a, const Graph *model, const Graph *g, const EmitOptions *o, FrozenModel *out);

#endif
