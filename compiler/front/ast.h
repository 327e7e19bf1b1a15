#ifndef RANKC_AST_H
#define RANKC_AST_H

/* The tree of a text, as the parser leaves it: nothing is looked up yet. Axes and sizes are
 * expressions like any other; what a name stands for is the checker's business. */

#include "token.h"

typedef struct Expr Expr;
typedef VEC(Expr *) Exprs;

typedef enum ExprKind {
  EXPR_ERROR, /* reported */
  EXPR_NUMBER,
  EXPR_STRING,
  EXPR_NAME,
  EXPR_SPREAD,  /* name... */
  EXPR_NEGATE,  /* -x */
  EXPR_BINARY,  /* x op y */
  EXPR_CALL,    /* name[axes; extra](args; options -> into) */
  EXPR_INDEX,   /* x[y] */
  EXPR_RENAME,  /* x[axes0 -> axes1, axes2 -> axes3, ...] */
  EXPR_SLICE,   /* x[axes0 = low], x[axes0 = low:high -> axes1, ...] */
  EXPR_TRIANGLE /* x[axes0 > axes1 -> axes2] */
} ExprKind;

typedef struct Option { /* name = value; only a value: the name is empty */
  Str name;
  Loc loc;
  Expr *value;
} Option;
typedef VEC(Option) Options;

struct Expr {
  ExprKind kind;
  Loc loc;
  int depth; /* levels below; the left side of a chain `a + b + c` does not count */
  double number;
  Str name; /* NAME, STRING, SPREAD, CALL */
  Loc name_loc;
  TokenKind op;
  Expr *x, *y; /* SLICE: y is low */
  Expr *high;  /* SLICE */
  Exprs axes;
  bool has_axes; /* CALL */
  Expr *extra, *into;
  Exprs args;
  Options options;
};

typedef struct TypeExpr {
  Loc loc;
  bool id;
  Exprs sizes; /* id(...) */
  Exprs axes;
} TypeExpr;

typedef struct SourceItem { /* "C1", "C1".."C26", 3, 1..13 */
  Loc loc;
  bool text, range;
  Str first, last;
  double low, high;
} SourceItem;

typedef struct SourceExpr {
  Str word; /* indices, values, target */
  Loc loc;
  VEC(SourceItem) items;
} SourceExpr;

typedef enum StmtKind {
  STMT_LET, /* name = expr; also an assignment in an optimizer */
  STMT_MODEL,
  STMT_DIM, /* name = expr, name <= expr (at_most) */
  STMT_DATA,
  STMT_INPUT,
  STMT_LABEL,
  STMT_FIT, /* name = op(args; settings) */
  STMT_TABLE,
  STMT_PARAM,
  STMT_FN,
  STMT_LOSS,
  STMT_OUTPUT,
  STMT_METRIC,
  STMT_TRAIN,
  STMT_OPTIMIZER,
  STMT_SCHEDULE,
  STMT_STATE, /* in an optimizer */
  STMT_GRAD,
  STMT_UPDATE,
  STMT_RESULT /* the last line of a body */
} StmtKind;

typedef struct Parameter {
  Str name;
  Loc loc;
} Parameter;
typedef VEC(Parameter) Parameters;

typedef struct Stmt Stmt;
struct Stmt {
  StmtKind kind;
  Loc loc;  /* all of it */
  bool bad; /* a part was reported: only the name is of use */
  Str name;
  Loc name_loc;
  Expr *expr;
  bool at_most;      /* DIM */
  Str doc;           /* MODEL */
  TypeExpr type;     /* INPUT, LABEL, TABLE, PARAM; OUTPUT: if has_type */
  bool has_type;     /* OUTPUT */
  Expr *init;        /* TABLE, PARAM; NULL: default */
  SourceExpr source; /* INPUT, LABEL */
  bool per_request;  /* INPUT */
  Expr *without;     /* LET, OUTPUT of a fit's score: where not ...; NULL: nothing is left out */
  Options
    options; /* INPUT, LABEL, TRAIN; LET, OUTPUT of a fit's score; FN, OPTIMIZER, SCHEDULE: with defaults */
  Exprs list;                  /* METRIC: the calls */
  Parameters axes, parameters; /* FN */
  bool axes_rest, rest;        /* the last of them takes all that is left */
  VEC(Stmt *) body;            /* FN, OPTIMIZER */
};

typedef struct Program {
  const Source *source;
  VEC(Stmt *) statements;
} Program;

enum { MOST_NESTING = 200 };

Program *parse_source(Arena *a, const Source *source, Diags *d); /* NULL: not a text */
Expr *parse_one_expression(Arena *a, const Source *source, Diags *d);

#endif
