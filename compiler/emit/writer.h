#ifndef RANKC_WRITER_H
#define RANKC_WRITER_H

/* What the files of the emitter share: the state while one program is printed, and the pieces of text
 * they print for each other.
 *
 * Names in the generated C: `step` is what a step works on, `tile` one thread's slab, `sums` a slot of
 * sums over the batch, `s` the sample within the tile, `s0` the tile's first sample, `n` its number of
 * samples; `X_off`, `X_row`, `X_len` where the rows of ragged axis X lie. */

#include "../pass/pass.h"
#include "../pass/plan.h"
#include "emit.h"

#include <stdint.h>

/* A pointer to a table's row that a lookup reads, in scope at its depth of braces. */
typedef struct RowPointer {
  int table, depth;
  Str id, name;
} RowPointer;

typedef struct Emit {
  Arena *arena;
  const EmitOptions *o;
  const Graph *g;
  const Plan *p;
  Role role;
  Str prefix;         /* of static functions: "train" */
  bool *param_unused; /* by parameter: no function reads it; NULL: all are at hand */
  int own_params;     /* later ones are values of a request: not the same in every call */
  Buf *out;
  int indent;
  bool *used;                           /* by node: read or written in the function being printed */
  bool *written;                        /* by node: written in it */
  bool *pack_used, *pack_written;       /* by pack */
  bool *prepared;                       /* by node: the same in every call, see totals.c */
  bool *axis_used;                      /* by ragged root axis: its offsets are needed */
  Str *axis_name;                       /* by root axis: X of X_off, X_row, X_len */
  Str *param_name;                      /* by parameter */
  Str own_name, state_name[MAX_STATES]; /* of a parameter and its state while it is updated */
  Str *taken;                           /* names in use: a hash table, empty places {0} */
  int ntaken, taken_room;               /* a power of two, at least twice ntaken */
  VEC(RowPointer) pointers;
  int line;          /* of the model, last quoted in a comment */
  Fold fold;         /* of a graph that predicts */
  bool sweep;        /* inside a loop over blocks of columns */
  Str function;      /* being printed, without its prefix, and the group in it: for guards */
  int group, guards; /* how many guards there are */
  bool guarding;     /* a loop over samples looks at what statements have stored */
} Emit;

/* How axes are indexed at a place in the code. */
typedef struct Env {
  Str *index;      /* by axis; {0}: no loop runs over it here */
  bool absolute;   /* B counts from the batch's first sample, not the tile's */
  bool flat;       /* over all rows of the tile */
  Str flat_row;    /* flat: the row's index; {0}: the first */
  Str column;      /* of a kernel in a sweep: index in the block of columns; {0}: c - c0 */
  int vec;         /* the axis along which vectors run, or -1 */
  const Node *sum; /* the contraction whose value is `sum` here */
  int
    table; /* lookups in it are elements of the row that `table_row` points at; {0}: no such row */
  Str table_row;
} Env;

/* writer.c */
void put_line(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_open(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_close(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_blank(Emit *e);
Str put_text(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str string_c(Arena *a, Str s);         /* as a C string literal with quotes */
Str number_c(const Emit *e, double x); /* as a literal of type rank_real */
/* Text of the model's for the inside of a comment: nothing in it begins or ends one. */
Str comment_text(Arena *a, Str text);
void comment_source(Emit *e, Loc loc);        /* the model line, unless it was quoted last */
Str source_line(Emit *e, Loc loc, Str *file); /* its text and the file's name, without folders */

/* emit.c: emitters of what predicts: all of it, or one of the parts that rank candidates, which have own_params
 * of the model's. prepare: the function that fills what follows from the weights, or NULL. */
Emit *emitter_predict(Arena *a, const Graph *g, const EmitOptions *o);
Emit *emitter_part(Arena *a, Graph *g, const EmitOptions *o, const char *prefix, int own_params);
Str emit_predictor(Emit *e, const char *what, const char *prepare);

/* names.c */
void names_make(Emit *e, Plan *p); /* Value.name, Pack.name, axis_name and param_name */
Str name_c(Arena *a, Str name);    /* as a C identifier */
bool name_taken(const Emit *e, Str s);
bool node_is_relu(const Node *n); /* where(0 < x, x, 0) */

/* expr.c */
Env env_new(Emit *e);
Env env_copy(Emit *e, const Env *env);
Str expr(Emit *e, const Env *env, const Node *n);
Str id_expr(Emit *e, const Env *env, const Node *n);         /* the same for ids: an int32_t */
Str place_of(Emit *e, const Env *env, const Node *n);        /* of a stored value: h[s * 32 + d] */
Str target_of(Emit *e, const Env *env, const Node *n);       /* the same, to be written */
Env through_view(Emit *e, const Env *env, const Node *view); /* as the view's operand needs it */
void put_term(Emit *e, Buf *b, Str x, long k);               /* adds x * k to a sum */
bool text_has_space(Str x);
Str random_text(Emit *e, const Env *env, const Node *n);
Str across_text(Emit *e, Str index, int power); /* index times so many samples as `power` batches */
Str times_text(Emit *e, Str x, long k);         /* x * k */
Str times_batch(Emit *e, const char *n, int power); /* " * n", power times; in sweeps, of a block */
Str pointer_to(
  Emit *e, const Env *env, const Node *n, Str more); /* &...: element of a view or value */
Str row_count(Emit *e, int ragged); /* rows of the tile: n, or X_off[n] - X_off[0] */
Str length_of(Emit *e, int axis);   /* loop bound of an axis */

/* loops.c */
Str loop_variable(Emit *e, const Env *env, int axis); /* one that is free */
void loop_open(Emit *e, Env *env, int axis, bool simd);
void loops_close(Emit *e, int n);
int loop_axes(const Env *env, Type t, short *axes); /* those that need loops: neither B nor open */
/* Opens loops, outermost first. `n` (or NULL) is evaluated inside: pointers to the rows that it looks up
 * are declared before the last loop. */
void loops_open(Emit *e, Env *env, int count, const short *axes, const Node *n);
void rows_point(Emit *e, const Env *env, const Node *n); /* declares those pointers */
bool param_stored(const Emit *e, int param);             /* it is a rank_stored, not an array */
Str stored_cell(Emit *e, int param, Str id, Str cell);   /* a number of a row of it */
bool has_random(const Emit *e, const Node *n);
Env env_fresh(Emit *e, const Stmt *s);
void declare_local(Emit *e, const Node *n); /* the array of a value within one sample's turn */
bool local_scalar(const Emit *e, const Node *n);
void zero_padding(Emit *e, const Stmt *s, const Node *n);

/* stmt.c */
void stmts_print(Emit *e, int count, const int *stmts);
void stmt_print(Emit *e, const Stmt *s);

/* soon.c */
void rows_fetch(Emit *e, const Block *b); /* rows that a later sample looks up, into the cache */
bool table_is_large(const Emit *e, int param);

/* reduce.c, pieces.c, leave.c */
void reduce_print(Emit *e, const Stmt *s);
/* Sums that may stand in a nest with other statements, and over which axes that is; what stands before the
 * nest, in it, and, for all of its statements, behind it. */
bool reduce_in_nest(Emit *e, const Stmt *s, int *count, short *axes);
void reduce_begin(Emit *e, const Stmt *s, const short *axes, int count);
void reduce_inside(Emit *e, const Stmt *s, const Env *env);
void reduce_end(Emit *e, int n, const Stmt *const *s);
void reduce_clear(Emit *e, const Stmt *s); /* where a sweep's sums and maxima start from */
void structure_print(Emit *e, const Stmt *s);
void output_print(Emit *e, const Stmt *s);
void scatter_print(Emit *e, const Stmt *s);
void late_row_print(Emit *e, const Grad *grad, const char *to, const char *row);

/* columns.c: values of pairs of samples */
void columns_constants(Emit *e);
Str column_of(
  Emit *e, const Env *env, int axis); /* its index within the block that a sweep is at */
void sweep_print(Emit *e, const Block *b);
void columns_contract(Emit *e, const Stmt *s);
void turned_members(Emit *e);         /* of the step */
void turned_bind(Emit *e);            /* carves them */
void turned_fill(Emit *e, int phase); /* by the tile that has made what they copy */

/* guard.c: only with EmitOptions.check, else they print nothing */
void guard_stmt(Emit *e, const Stmt *s);                 /* looks at what it has stored */
bool guard_by_sample(const Stmt *s);                     /* that is done within one sample's turn */
void guards_print(Emit *e, int count, const int *stmts); /* of those: for a loop over samples */
void guard_open(Emit *e, Str value, Loc loc);            /* the same by hand, around loops */
void guard_value(Emit *e, Str value, bool sample, bool may_be_empty);
void guard_close(Emit *e);

/* gemm.c */
void contract_print(Emit *e, const Stmt *s);
void pack_print(Emit *e, const Pack *k);

/* totals.c */
void totals_find(Emit *e);                           /* fills e->prepared */
bool totals_any(const Emit *e, bool prepared);       /* whether a step has such totals or packs */
const char *totals_of(const Emit *e, const Node *n); /* the struct that a total is in */
void totals_function(Emit *e, int phase);

/* structs.c */
bool has_memory(const Emit *e, const Node *n, Place place); /* of its own, at that place */
/* Of those in PLACE_SLOT: one for each sample of the batch, or for each pair, not one number alone. */
bool sum_of_each(const Emit *e, const Node *n);
bool any_in(const Emit *e, Place place);
bool is_list_axis(const Graph *g, int axis); /* a root ragged axis, with its lists' offsets */
void tile_structs(Emit *e);

/* tile.c */
/* A function's head promises more than every body needs: `(void)x` for what is left. */
bool text_mentions(Str text, Str word); /* as a name of its own, comments left out */
void mention_unused(Emit *e, const char *head, Str body);
void tile_functions(Emit *e);
/* Some statements of a block, sample by sample. */
void sample_loop(Emit *e, const Block *b, int count, const int *stmts);
void profile_start(Emit *e); /* with a clock between groups: reads it, and adds to a group */
void profile_group(Emit *e, int group);
const char *tile_size(const Emit *e); /* of a step, in C */
void phases_function(Emit *e); /* totals, tiles and sums of every phase, in a parallel region */
void bind_function(Emit *e);   /* fills a struct step from state, batch and working memory */
void function_begin(Emit *e);  /* from here to function_end the body is collected */
void function_end(Emit *e, Buf *outer, const char *head, int phase);

int dim_index(const Graph *g, int axis); /* of a ragged axis in the model's list of dims */
int dim_count(const Graph *g);           /* how long that list is */

/* update.c */
void hyper_struct(Emit *e); /* and the functions that fill it and update one number */
void update_function(Emit *e);
void export_function(Emit *e);
Str update_call(Emit *e, Str at);         /* update(&w[at], states, without the gradient */
Str l2_argument(Emit *e, const Param *q); /* the weight of the penalty, when there is one */

/* rows.c */
int lookups_leader(const Emit *e, int param); /* the table whose grouping of lookups param shares */
bool whole_tables(const Optimizer *o);        /* every row moves, with a gradient or without */
void tables_group(Emit *e);
void tables_update(Emit *e);

/* model.c */
bool model_trains(const Graph *g);
void outputs_with_metrics(Graph *g);
/* split: NULL when no input is per request */
Str emit_descriptor(Arena *a, const Graph *g, const EmitOptions *o, const RequestSplit *split);
uint64_t model_layout(const Graph *g); /* what a weights file must agree on */

/* parts.c */
Str emit_parts(Arena *a, const Graph *g, const EmitOptions *o);
Str emit_main(Arena *a, const Graph *g);
Str emit_split(Arena *a, const Graph *g, const EmitOptions *o, const RequestSplit *split);

/* api.c: the C interface: NAME.h, and what is behind it */
typedef struct ApiFiles {
  Str header, library, training; /* training: {0} when the model does not train */
  Str frozen;                    /* to be given: what the library says of its weights */
} ApiFiles;
/* split: NULL when no input is per request */
void emit_api(
  Arena *a, const Graph *g, const EmitOptions *o, const RequestSplit *split, ApiFiles *out);

#endif
