#ifndef RANKC_IR_H
#define RANKC_IR_H

/* The program: a typed graph with named axes.
 *
 * One idea: a value's type is a kind and a set of named axes, and the batch is an axis like any other
 * (axis 0, `B`), hidden from the user. Operands broadcast by axis name. Nodes are in topological order
 * in Graph.nodes: a node's operands always stand before it. Nodes are never changed by passes: a pass
 * builds a new Graph (ir/build.h) and maps old nodes to new ones. */

#include "../base/diag.h"

enum { MAX_AXES = 8, AXIS_B = 0 };

typedef enum AxisKind {
  AXIS_PLAIN,  /* the same extent in every sample */
  AXIS_RAGGED, /* 0..extent, its own length in each sample */
  AXIS_BATCH   /* the samples: B, and names for it made by `v[B -> C]` */
} AxisKind;

typedef struct Axis {
  Str name;
  AxisKind kind;
  long extent; /* plain: extent; ragged: the maximum; batch: 0 */
  int root;    /* index of the axis whose lengths it shares: itself, or the one it was renamed from
                * (only ragged and batch axes have another) */
  bool number; /* named by its extent (`80`): printed as the number, never declared */
  Loc loc;
} Axis;

typedef enum Kind { KIND_REAL, KIND_ID } Kind;

/* Axes of an operation's result stand in canonical order: batch, then ragged, then plain axes, each in
 * order of first appearance over the operands. A leaf (param, input) keeps the order it was declared in
 * (inputs: B first, then ragged, then plain). A ragged axis without B in the type (a param `f32[L, D]`)
 * has its maximum as extent. */
typedef struct Type {
  Kind kind;
  int n;
  short axis[MAX_AXES];
} Type;

typedef enum Op {
#define OP(name, ...) OP_##name,
#include "ops.def"
#undef OP
  OP_COUNT
} Op;

typedef struct Node Node;
struct Node {
  Op op;
  Type type;
  int id; /* index in Graph.nodes */
  int nin;
  Node **in;
  int naxes;
  short *axes;  /* by op, see ops.def: reduced axes, renamed pairs, ... */
  double value; /* const */
  long offset;  /* slice, pad: where the piece starts */
  int leaf;     /* input, param, gather, scatter: index in that list; random: site; var: which */
  Str name;     /* the user's or a made-up one; unique among named nodes; {0} when it has none */
  Loc loc;
};

/* Where an input's values come from and how text becomes numbers. */
typedef enum SourceKind {
  FROM_NAMES,     /* columns by header name */
  FROM_POSITIONS, /* columns by position, 0 is the first */
  FROM_INDICES,   /* libsvm: the indices of the row, as ids */
  FROM_VALUES,    /* libsvm: the values of the row, aligned with the indices */
  FROM_TARGET,    /* libsvm: the number before the first pair */
  FROM_FIT        /* computed by a fit from other inputs of the row */
} SourceKind;

typedef struct Encoding {
  SourceKind source;
  int ncolumns;
  Str *columns;   /* FROM_NAMES */
  int *positions; /* FROM_POSITIONS */
  bool has_missing;
  double missing; /* what an empty or NaN field stands for */
  bool nan;       /* missing = nan: a NaN, which only fits read; infinities are values too */
  bool log1p;     /* x -> sign(x) log(1 + |x|), before standardize and bucketize */
  bool standardize;
  bool hash;     /* ids: hash of the bytes, into 2.. (0 missing, 1 unused) */
  bool vocab;    /* ids: 0 missing, 1 unknown, 2.. by falling count, then bytes */
  int vocab_min; /* fewer occurrences: unknown */
  int nbuckets;  /* bucketize(b0, b1, ...): id = 1 + number of bounds <= x; missing is 0 */
  double *buckets;
  Str separator;  /* of list elements within one field; empty: not a list */
  bool cut;       /* `keep` was given: a list that is too long is cut, otherwise it is an error */
  bool keep_last; /* with cut: the end that stays */
} Encoding;

typedef struct Input {
  Str name;
  Type type;        /* B first */
  bool label;       /* not needed to predict */
  bool per_request; /* the same for all candidates of a request */
  int nvocab;       /* ids: 1, or one vocabulary per position of the last plain axis */
  long
    *vocab; /* sizes of the vocabularies; [0] = 0: learnt from the data, size known at run time */
  int same_as; /* ids: index of the input whose vocabulary this one shares, or -1 */
  Encoding encoding;
  Loc loc;
} Input;

/* Learnt from the data before gradient training; then its results are inputs (FROM_FIT) of the model,
 * computed from its sources before generated code sees a batch. */
typedef struct Fitted {
  Str name, op;
  int of;        /* the fit whose state it applies to other inputs, or -1: it learns its own */
  bool explains; /* its scores are sums over what they are made by */
  bool folds;    /* result 0: ids, along an axis of their own; 1: a sum over them */
  int at;        /* how many inputs were declared before it */
  int nsources, *sources; /* inputs; -1: one that may be left out was */
  int label;              /* input that it learns from besides, or -1 */
  int nresults, *results; /* inputs, in the op's own order */
  int nsettings;
  double *settings; /* all of the op's, in its order */
  Str file;         /* that it is read from, below the folder of the model's text; or {0} */
  Str text;         /* for dumps: the statement as written */
  Loc loc;
} Fitted;

/* A list of items by falling score, each with what brought its score: the results of a fit, as an output
 * that generated code does not see. */
typedef struct Ranked {
  Str name;
  int fit;          /* its results: items, scores, and perhaps reasons and their parts */
  bool shown, here; /* is an output; was made one where it was declared */
  Loc loc;
} Ranked;

typedef enum InitKind { INIT_ZEROS, INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM } InitKind;

typedef struct Param {
  Str name;
  Type type; /* of the whole (dense) or of one row (table); axes of extent 1 are not in it */
  bool table;
  long rows; /* table: number of rows, sum of vocabularies; 0: as many as input `vocab_of` learns */
  int vocab_of; /* table: index of the input whose vocabulary gives the rows, or -1 */
  int nshape;   /* the shape as declared, 1s included, rows first for a table (0 when learnt): */
  long shape[MAX_AXES + 2]; /* what files hold */
  InitKind init;
  double init_a, init_b; /* normal: mean, sd; uniform: low, high; constant: a */
  bool free;             /* the penalty l2 leaves it out */
  Loc loc;
} Param;

typedef struct Output {
  Str name;
  Node *node;
  Type type; /* as the model says it; passes may find that the node needs fewer axes */
  Loc loc;
} Output;

typedef struct Metric {
  Str name; /* auc, logloss, ...: the runtime knows them by name */
  int nargs;
  Node **args;
  int by; /* gauc: index of the input that groups, or -1 */
  int ranked,
    target; /* places of the ids of input `target` in a ranked output, and no args; or -1 */
  int nk;   /* recall(...; k = 10, 100) */
  long *k;
  Loc loc;
} Metric;

typedef struct Grad {
  int param;
  Node *node;  /* dense: type without B, broadcast to the param's; table: a SCATTER node */
  bool update; /* node is what the param becomes after a training step, not its gradient */
} Grad;

/* One assignment of an optimizer's or a schedule's text: nodes over OP_VAR leaves, real scalars. */
enum { VAR_W, VAR_G, VAR_T, VAR_LR, VAR_STEPS, VAR_STATE }; /* VAR_STATE + i: state i */
enum { MAX_STATES = 4 };
typedef struct Optimizer {
  Str name; /* "" when the model does not train */
  double lr;
  int nstates;
  Str state_name[MAX_STATES];
  double state_init[MAX_STATES];
  Node *new_state[MAX_STATES];
  Node *new_w;
  Node *schedule;    /* factor on lr, over VAR_T (1 at the first step) and VAR_STEPS; NULL: 1 */
  bool dense_tables; /* tables = dense: every row moves at every step; else only touched ones */
  double l2;
  bool l2_dense;
  double clip_norm, clip_value; /* 0: off */
} Optimizer;

typedef struct Solver { /* lbfgs: all the data at once; the optimizer is for single steps */
  bool given;
  int memory;
  double tolerance, l2;
} Solver;

typedef struct Train {
  bool given;
  Optimizer optimizer;
  Solver solver;
  long batch, epochs, seed;
  long early_stopping; /* epochs without improvement of the first metric on --valid; 0: off */
  bool drop_last;
  /* For dumps: the statement as written, after `train `; empty: what loc points to. And the user's own
   * `optimizer` and `schedule` statements that it uses, as written, one after another. */
  Str text, definitions;
  Loc loc;
} Train;

typedef enum DataFormat { DATA_CSV, DATA_LIBSVM } DataFormat;
typedef struct Data {
  DataFormat format;
  char separator; /* ',' unless said */
  bool header;    /* true unless said */
  int base;       /* libsvm: the first index, 0 or 1 */
} Data;

/* What rules did to a program on its way through the compiler, in order. */
typedef struct Fired {
  const char *why;
  Loc loc;    /* of what was rewritten, in the model; {0}: nowhere in it */
  bool saves; /* by a rule that saves arithmetic, not a simplification */
} Fired;

typedef struct RuleLog {
  VEC(Fired) fired;
  long most;    /* no rule fires any more when so many have; to find the one that goes wrong */
  bool planned; /* but for those that planning needs: C is made of it, it is not only interpreted */
} RuleLog;

typedef struct Graph {
  Arena *arena;
  RuleLog *log; /* shared by all the forms of a program; NULL: none is kept */
  Str model, doc;
  const Source *source;
  VEC(Axis) axes;
  VEC(Input) inputs;
  VEC(Fitted) fits;
  VEC(Ranked) ranked;
  VEC(Param) params;
  VEC(Node *) nodes;
  VEC(Output) outputs;
  VEC(Metric) metrics;
  VEC(Grad) grads;
  int randoms; /* number of RANDOM sites */
  Node *loss;  /* per sample (has B): its mean over B is minimised; or without B. NULL: none */
  Train train;
  Data data;
} Graph;

bool graph_has_gradients(const Graph *g); /* gradients, not only updates */

bool type_has(Type t, int axis);
bool type_same(Type x, Type y);      /* same kind and same set of axes, in any order */
int type_position(Type t, int axis); /* index in t.axis, or -1 */
Type type_without(Type t, int axis);
Type type_canonical(const Graph *g, Type t);                 /* batch, ragged, plain */
Type type_union(const Graph *g, Type x, Type y, bool *fits); /* fits: false when over MAX_AXES */
Str type_print(const Graph *g, Type t, Arena *a);            /* "f32[L, D]", B left out, "id[L]" */
int axis_root(const Graph *g, int axis);

#endif
