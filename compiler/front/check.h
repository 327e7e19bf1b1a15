#ifndef RANKC_CHECK_H
#define RANKC_CHECK_H

/* What the files of the checker share.
 *
 * One idea: checking is running. The checker walks the tree once, top to bottom, and keeps for
 * every name the Value it stands for at that moment: a node of the graph, a number, an axis, a
 * table, a function. A call runs the function's body with its parameters bound, and leaves nodes
 * behind. What failed is VALUE_ERROR, which makes no further noise. */

#include "../ir/build.h"
#include "ast.h"
#include "front.h"

enum {
  NO_AXIS = -1,      /* the axis called 1: a scalar's */
  MOST_AXES = 30000, /* their indices are shorts */
  MOST_CALLS = 64,
  MOST_INSTANCES = 1 << 16, /* of functions: calls that call twice grow without end */
  MOST_LEVELS = 2500        /* of expressions over all calls: keeps the C stack small */
};
#define MOST_EXTENT 2147483647L
#define MOST_NUMBERS (1L << 40) /* in one value or parameter */

typedef enum ValueKind {
  VALUE_ERROR,
  VALUE_NODE,
  VALUE_NUMBER,
  VALUE_AXIS,
  VALUE_INPUT, /* by name only: becomes a node when it is used in an expression */
  VALUE_PARAM, /* likewise when dense; a table is looked up */
  VALUE_FN,
  VALUE_FIT,    /* a fit that is applied by FIT.score(...) */
  VALUE_RANKED, /* what that gives: a ranked output, or -1 */
  VALUE_LIST
} ValueKind;

typedef struct Module { /* a text that functions come from */
  const Program *program;
  const struct Module *base; /* where names that it does not define are looked up */
} Module;

typedef struct Value {
  ValueKind kind;
  Node *node;
  double number;
  int index; /* AXIS, INPUT, PARAM, FIT, RANKED */
  Str fn;
  const Module *module; /* FN */
  int n;                /* LIST */
  struct Value *list;
} Value;

typedef struct Binding {
  Str name;
  Value value;
  Loc loc;
} Binding;

typedef struct Scope {
  struct Scope *parent;
  VEC(Binding) list;
  int *slots; /* hash table over list, when it has grown */
  int nslots;
} Scope;

typedef struct Checker {
  Arena *a;
  Graph *g;
  Diags *d;
  const FrontOptions *o;
  Module user, prelude; /* prelude.program: parsed when first needed */
  Scope base;           /* what every text sees: B */
  Scope globals;        /* the user's */
  Scope taken;          /* every name in the graph */
  Scope *scope;
  const Module *module; /* whose text is being checked */
  Loc site;             /* the outermost call, in the user's text; nowhere when not in a call */
  Str inside;           /* the innermost function */
  Str owner;            /* the statement's value: `score` */
  Str prefix;           /* of what is declared in a call: `score.0` */
  int counter;          /* instantiations with parameters in this statement */
  int loss_counter;     /* the same over all unnamed statements */
  int calls, levels;
  int instances;   /* calls so far, in all */
  int call_errors; /* errors before the outermost call: after a further one the call is given up */
  Node **inputs, **params; /* their nodes, made when first used */
  int ninputs, nparams;
  bool loss_failed;
} Checker;

/* check.c */
extern const Value error_value;
Value fail(Checker *c, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void note(Checker *c, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void adopt_name(const Checker *c, Node *n, Str name);
Node *place(Checker *c, Node *n, Loc loc); /* gives a fresh node its loc */
Value node_value(Node *n);
Value number_value(double x);
Value axis_value(int axis);
const Module *prelude_module(Checker *c);

/* scope.c */
Binding *scope_find_here(Scope *s, Str name);
Binding *scope_find(Scope *s, Str name);
Binding *scope_bind(Arena *a, Scope *s, Str name, Value value, Loc loc);
bool declare(Checker *c, Str name, Value value, Loc loc); /* reports a duplicate */
Str unique_name(Checker *c, Str name);                    /* takes it */
Str suggest(Checker *c, Str name); /* a name in reach that looks like it, or {0} */
void fail_unknown(Checker *c, Loc loc, Str name, const char *what);

/* check_decl.c */
bool check_whole(Checker *c, const Expr *e, long low, long high, const char *what, long *out);
bool check_number(Checker *c, const Expr *e, const char *what, double *out);
long check_extent(const Checker *c, int axis); /* 1 for NO_AXIS */
int new_axis(Checker *c, Str name, const Axis *like, Loc loc);
void check_dim(Checker *c, const Stmt *s);
void check_param(Checker *c, const Stmt *s);
void check_data(Checker *c, const Stmt *s);

/* check_axis.c */
int number_axis(Checker *c, long extent, Loc loc, bool *ok);
int axis_or_fail(Checker *c, const Value *v, Loc loc, bool *ok);
bool check_axes(Checker *c, const Exprs *list, int most, short *axes, int *n); /* NO_AXIS kept */
Value check_rename(Checker *c, const Expr *e, Node *x);
Value check_slice(Checker *c, const Expr *e, Node *x);
Value check_triangle(Checker *c, const Expr *e, Node *x);
int target_axis(Checker *c, const Expr *e, const Axis *like, bool *ok);

/* check_input.c */
void check_input(Checker *c, const Stmt *s);

/* check_fit.c */
void check_fitted(Checker *c, const Stmt *s);

/* Declares an input that the fit computes, NAME.part, or NAME when part is "". named: it may be used. */
void add_result(Checker *c, const Stmt *s, Fitted *f, const char *part, Input in, bool named);
/* A ragged axis of this name and length for results of a fit: declared already, or new. -1: reported. */
int result_axis(Checker *c, Str name, Loc loc, long most, const char *what);

/* check_fit_items.c */
/* The arguments of OP(seen) or, lists only, OP(seen, weight). */
bool check_fit_items(Checker *c, const Expr *e, const char *usage, bool lists, Fitted *f);
/* An input with a number for each element of a list; -1: reported. */
int check_list_weight(Checker *c, const Expr *e, int list);
int vocabulary_root(const Graph *g, int input); /* the input whose vocabulary it has */

/* check_fit_use.c */
/* At the end: no list of the data along an axis that a fit makes, nothing per request beside fits. */
void check_fits(Checker *c);

/* check_ranked.c */
bool is_ranked(Checker *c, const Expr *e); /* FIT.score(...) */
void check_ranked(Checker *c, const Stmt *s);
void check_ranked_output(Checker *c, const Stmt *s, int ranked); /* output NAME, of a ranking */
/* recall(rec, next; ...): whether the first argument is a ranked output; then *good says the rest. */
bool check_ranked_metric(Checker *c, const Expr *e, Metric *m, bool *good);
bool ranked_deep_enough(Checker *c, const Expr *e, const Metric *m); /* for every k of the metric */

/* check_fit_file.c */
bool check_fit_file(
  Checker *c, const Expr *e, Str *out); /* a name that stays below the model's folder */
/* Those of the two sizes that are 0, from the file itself, which lies beside the model's text. */
bool check_fit_sizes(Checker *c, const Expr *e, Str file, double *trees, double *leaves);

/* check_encoding.c */
bool check_source(Checker *c, const Stmt *s, Input *in, long width, bool list);
bool check_options(Checker *c, const Stmt *s, Input *in);

/* check_expr.c */
Value check_expr(Checker *c, const Expr *e);
Node *check_node(Checker *c, const Expr *e); /* NULL: reported */
Node *to_node(Checker *c, Value v, Loc loc);
Node *param_node(Checker *c, int param);
bool fits(Checker *c, Type t,
  Loc loc); /* a value may be of this type: not too large, its lists have an owner */
bool plain_number(Checker *c, const Value *v, double *x);
Value pointwise(Checker *c, Op op, int n, const Value *args, const Loc *locs, Loc loc);

/* check_call.c */
Value check_call(Checker *c, const Expr *e);

/* check_structure.c */
Value check_leaf(Checker *c, const Expr *e, bool *known);
Value check_structure(Checker *c, const Expr *e, int n, const Value *args, bool *known);

/* check_table.c */
Value check_lookup(Checker *c, const Expr *e);
Value check_scatter(Checker *c, const Expr *e, int n, const Value *args);

/* check_fn.c */
const Stmt *find_fn(Checker *c, const Module *m, Str name, int n, const Module **home);
bool any_fn(Checker *c, const Module *m, Str name);
Value instantiate(
  Checker *c, const Stmt *fn, const Module *home, const Expr *call, int n, const Value *args);
bool check_body_let(Checker *c, const Stmt *s);
void declare_functions(Checker *c);

/* check_train.c */
void check_train(Checker *c, const Stmt *s);
bool check_optimizer(Checker *c, const Expr *call, Optimizer *o); /* OPT(options) */
void check_grad(Checker *c, const Stmt *s);

/* check_solver.c */
bool solver_named(const Expr *call);
void check_solver(Checker *c, const Stmt *s);
/* A setting that needs nothing more: it is only for, or not for, a solver. */
bool check_solver_setting(Checker *c, const Option *o, bool solver);
void check_solver_updates(Checker *c);

/* check_result.c */
void check_loss(Checker *c, const Stmt *s);
void check_output(Checker *c, const Stmt *s);
void check_metric(Checker *c, const Stmt *s);
void check_finish(Checker *c);

#endif
