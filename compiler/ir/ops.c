/* ops.c: the op rows as data, and what the pointwise ones compute.
 *
 * op_apply is the one definition, in double precision: where the textbook formula overflows or cancels
 * (sigmoid, softplus) it takes the stable one. */

#include "ops.h"

#include <assert.h>
#include <math.h>

const OpRow op_rows[OP_COUNT] = {
#define OP(name, word, arity, class, c, cost, doc, grad0, grad1, grad2) \
  [OP_##name] = {#name, word, arity, CLASS_##class, c, cost, doc, {grad0, grad1, grad2}},
#include "ops.def"
#undef OP
};

bool op_pointwise(Op op)
{
  OpClass class = op_rows[op].class;
  return class == CLASS_UNARY || class == CLASS_BINARY || class == CLASS_TERNARY ||
         class == CLASS_OPERATOR;
}

bool op_rounds(Op op)
{
  bool chooses = op == OP_NEG || op == OP_LT || op == OP_LE || op == OP_EQ || op == OP_NE ||
                 op == OP_ABS || op == OP_SIGN || op == OP_FLOOR || op == OP_STOP ||
                 op == OP_MAXIMUM || op == OP_MINIMUM || op == OP_WHERE;
  return op_pointwise(op) && !chooses;
}

int op_by_word(Str word, int arity)
{
  for (int op = 0; op < OP_COUNT; op++) {
    const OpRow *row = &op_rows[op];
    bool function = row->class != CLASS_OPERATOR && row->word[0] != '\0';
    if (function && (row->arity == arity || row->arity < 0) && str_eq(word, str_of(row->word))) {
      return op;
    }
  }
  return -1;
}

static double sigmoid(double x)
{
  if (x >= 0) {
    return 1 / (1 + exp(-x));
  }
  double e = exp(x);
  return e / (1 + e);
}

static double softplus(double x)
{
  return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double sign(double x)
{
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

static double apply_function(Op op, double x)
{
  switch ((int)op) {
  case OP_EXP:
    return exp(x);
  case OP_EXPM1:
    return expm1(x);
  case OP_LOG:
    return log(x);
  case OP_LOG1P:
    return log1p(x);
  case OP_SQRT:
    return sqrt(x);
  case OP_TANH:
    return tanh(x);
  case OP_SIGMOID:
    return sigmoid(x);
  case OP_SOFTPLUS:
    return isnan(x) ? x : softplus(x);
  case OP_ERF:
    return erf(x);
  case OP_ABS:
    return fabs(x);
  case OP_SIGN:
    return sign(x);
  case OP_FLOOR:
    return floor(x);
  case OP_STOP:
    return x;
  default:
    assert(0 && "a pointwise op that op_apply does not know");
    return (double)NAN;
  }
}

double op_apply(Op op, const double *x)
{
  switch ((int)op) {
  case OP_ADD:
    return x[0] + x[1];
  case OP_SUB:
    return x[0] - x[1];
  case OP_MUL:
    return x[0] * x[1];
  case OP_DIV:
    return x[0] / x[1];
  case OP_NEG:
    return -x[0];
  case OP_POW:
    return pow(x[0], x[1]);
  case OP_LT:
    return x[0] < x[1];
  case OP_LE:
    return x[0] <= x[1];
  case OP_EQ:
    return x[0] == x[1];
  case OP_NE:
    return x[0] != x[1];
  case OP_MAXIMUM:
    return x[0] < x[1] ? x[1] : x[0];
  case OP_MINIMUM:
    return x[1] < x[0] ? x[1] : x[0];
  case OP_WHERE:
    return x[0] != 0 ? x[1] : x[2];
  default:
    return apply_function(op, x[0]);
  }
}
