#ifndef RANKC_WRITER_H
#define RANKC_WRITER_H

/* What the files of the emitter share: the state while one program is printed, and the pieces of text
 * they print for each other.
 *
 * Names in the generated C: `step` is what a step works on, `tile` one thread's slab, `sums` a slot of
 * sums over the batch, `s` the sample within the tile, `s0` the tile's first sample, `n` its number of
 * samples; `X_off`, `X_row`, `X_len` where the rows of ragged axis X lie. */

#include "../pass/plan.h"
#include "emit.h"

typedef enum Role { ROLE_PREDICT, ROLE_EVALUATE, ROLE_TRAIN } Role;

typedef struct Emit {
  Arena *arena;
  const EmitOptions *o;
  const Graph *g;
  const Plan *p;
  Role role;
  Str prefix; /* of static functions: "train" */
  Buf *out;
  int indent;
  bool *used;      /* by node: read or written in the function being printed */
  bool *pack_used; /* by pack */
  bool *axis_used; /* by ragged root axis: its offsets are needed */
  Str *axis_var;   /* by axis: its loop variable */
  int line;        /* of the model, last quoted in a comment */
} Emit;

/* How axes are indexed at a place in the code. */
typedef struct Env {
  Str *index;      /* by axis; {0}: no loop runs over it here */
  bool absolute;   /* B counts from the batch's first sample, not the tile's */
  bool flat;       /* over all rows of the tile */
  Str flat_row;    /* flat: the row's index; {0}: the first */
  int vec;         /* the axis along which vectors run, or -1 */
  const Node *sum; /* the contraction whose value is `sum` here */
} Env;

/* writer.c */
void put_line(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_open(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_close(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_blank(Emit *e);
Str put_text(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void names_make(Emit *e, Plan *p);     /* Value.name, Pack.name and axis_var */
Str name_c(Arena *a, Str name);        /* as a C identifier */
Str string_c(Arena *a, Str s);         /* as a C string literal with quotes */
Str number_c(const Emit *e, double x); /* as a literal of type rank_real */
void comment_source(Emit *e, Loc loc); /* the model line, unless it was quoted last */

/* expr.c */
Env env_new(Emit *e);
Str expr(Emit *e, const Env *env, const Node *n);
Str id_expr(Emit *e, const Env *env, const Node *n);  /* the same for ids: an int32_t */
Str place_of(Emit *e, const Env *env, const Node *n); /* lvalue of a stored value: h[s * 32 + d] */
Str pointer_to(
  Emit *e, const Env *env, const Node *n, Str more); /* &...: element of a view or value */
Str row_count(Emit *e, int ragged); /* rows of the tile: n, or X_off[n] - X_off[0] */
Str length_of(Emit *e, int axis);   /* loop bound of an axis */

/* stmt.c */
void stmt_print(Emit *e, const Stmt *s);
void stmt_total(Emit *e, const Stmt *s);
void loop_open(Emit *e, Env *env, int axis, bool simd);

/* gemm.c */
void contract_print(Emit *e, const Stmt *s);
void pack_print(Emit *e, const Pack *k);

/* tile.c */
void tile_structs(Emit *e);
void tile_functions(Emit *e);
void phases_function(Emit *e); /* totals, tiles and sums of every phase, in a parallel region */
void bind_function(Emit *e);   /* fills a struct step from state, batch and working memory */
void function_begin(Emit *e);  /* from here to function_end the body is collected */
void function_end(Emit *e, Buf *outer, const char *head, int phase);

int dim_index(const Graph *g, int axis); /* of a ragged axis in the model's list of dims */

/* update.c */
void hyper_struct(Emit *e); /* and the functions that fill it and update one number */
void update_function(Emit *e);
void export_function(Emit *e);
/* model.c */
bool model_trains(const Graph *g);
void outputs_with_metrics(Graph *g);
Str emit_descriptor(Arena *a, const Graph *g, const EmitOptions *o);
Str emit_parts(Arena *a, const Graph *g);
Str emit_main(Arena *a, const Graph *g);

#endif
