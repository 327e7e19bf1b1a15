#ifndef RANKC_OPS_H
#define RANKC_OPS_H

/* The op rows of ops.def as data. */

#include "ir.h"

typedef enum OpClass {
  CLASS_LEAF,
  CLASS_UNARY,
  CLASS_BINARY,
  CLASS_TERNARY,
  CLASS_OPERATOR,
  CLASS_REDUCE,
  CLASS_STRUCTURE
} OpClass;

typedef struct OpRow {
  const char *name; /* ADD */
  const char *word; /* + */
  int arity;
  OpClass class;
  const char *c;
  int cost;
  const char *doc;
  const char *grad[3];
} OpRow;

extern const OpRow op_rows[OP_COUNT];

bool op_pointwise(Op op);
int op_by_word(Str word, int arity); /* functions only (not operators); -1: none */
/* What a pointwise op gives, in double precision: the one definition that constant folding, the
 * interpreter and the tests share. */
double op_apply(Op op, const double *x);
bool op_rounds(Op op); /* computes a number that may lie between two, rather than choosing one */

#endif
