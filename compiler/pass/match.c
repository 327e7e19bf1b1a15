/* match.c: rules that are text.
 *
 * Pattern and result are expressions of the language, parsed by its parser; the same tree that would be
 * checked and built for a user is compared with nodes here, or built with the pattern's variables bound
 * to what they met. Operands of ops that commute are tried both ways. */

#include "../front/ast.h"
#include "rules.h"

#include <assert.h>
#include <string.h>

enum { MOST_VARIABLES = 8 };

struct Pattern {
  const Expr *from, *to;
  bool once;
  int op;
};

typedef struct Bindings {
  const Rewriter *once; /* not NULL: inner nodes must have one use */
  int n;
  Str name[MOST_VARIABLES];
  Node *node[MOST_VARIABLES];
} Bindings;

/* token_name gives a token in quotes: '+'. */
static int op_of_token(TokenKind token, int arity)
{
  const char *quoted = token_name(token);
  for (int op = 0; op < OP_COUNT; op++) {
    const OpRow *row = &op_rows[op];
    if (row->class == CLASS_OPERATOR && row->arity == arity &&
        strlen(quoted) == strlen(row->word) + 2 &&
        memcmp(quoted + 1, row->word, strlen(row->word)) == 0) {
      return op;
    }
  }
  return -1;
}

/* The op at the top of a tree; -1: a number or a variable. */
static int op_of(const Expr *e)
{
  if (e->kind == EXPR_NEGATE) {
    return e->x->kind == EXPR_NUMBER ? -1 : OP_NEG;
  }
  if (e->kind == EXPR_BINARY) {
    return op_of_token(e->op, 2);
  }
  return e->kind == EXPR_CALL ? op_by_word(e->name, e->args.n) : -1;
}

static bool is_number(const Expr *e, double *value)
{
  bool negative = e->kind == EXPR_NEGATE;
  const Expr *number = negative ? e->x : e;
  *value = negative ? -number->number : number->number;
  return number->kind == EXPR_NUMBER;
}

static const Expr *operand(const Expr *e, int i)
{
  return e->kind == EXPR_CALL ? e->args.data[i] : i == 0 ? e->x : e->y;
}

static const Expr *parse(Arena *a, const char *text)
{
  Source *source = ARENA_NEW(a, Source);
  Diags diags = {.arena = a};
  *source = (Source){.name = S("rules.def"), .text = str_of(text)};
  const Expr *e = parse_one_expression(a, source, &diags);
  assert(diags.errors == 0);
  return e;
}

Pattern *pattern_new(Arena *a, const Rule *rule)
{
  Pattern *p = ARENA_NEW(a, Pattern);
  p->from = parse(a, rule->pattern);
  p->to = parse(a, rule->result);
  p->once = rule->once;
  p->op = op_of(p->from);
  assert(p->op >= 0);
  return p;
}

int pattern_op(const Pattern *p)
{
  return p->op;
}

static bool commutes(Op op)
{
  return op == OP_ADD || op == OP_MUL || op == OP_EQ || op == OP_NE || op == OP_MAXIMUM ||
         op == OP_MINIMUM;
}

static bool fits_variable(Str name, const Node *n)
{
  switch (name.s[0]) {
  case 'k':
    return n->op == OP_CONST;
  case 'n':
    return n->op == OP_SIZE && n->type.n == 0;
  default:
    return true;
  }
}

static bool bind(Bindings *b, Str name, Node *n)
{
  for (int i = 0; i < b->n; i++) {
    if (str_eq(b->name[i], name)) {
      return b->node[i] == n;
    }
  }
  if (!fits_variable(name, n)) {
    return false;
  }
  assert(b->n < MOST_VARIABLES);
  b->name[b->n] = name;
  b->node[b->n++] = n;
  return true;
}

static bool match(const Expr *e, Node *n, Bindings *b);

static bool match_operands(const Expr *e, const Node *n, bool swapped, Bindings *b)
{
  for (int i = 0; i < n->nin; i++) {
    const Expr *inner = operand(e, i);
    Node *x = n->in[swapped ? 1 - i : i];
    bool apart = b->once && op_of(inner) >= 0;
    if ((apart && !rule_single_use(b->once, x)) || !match(inner, x, b)) {
      return false;
    }
  }
  return true;
}

static bool match(const Expr *e, Node *n, Bindings *b)
{
  double number;
  if (e->kind == EXPR_NAME) {
    return bind(b, e->name, n);
  }
  if (is_number(e, &number)) {
    return n->op == OP_CONST && n->value == number;
  }
  if (op_of(e) != (int)n->op) {
    return false;
  }
  Bindings before = *b;
  if (match_operands(e, n, false, b)) {
    return true;
  }
  *b = before;
  if (commutes(n->op) && match_operands(e, n, true, b)) {
    return true;
  }
  *b = before;
  return false;
}

static Node *build(Graph *g, const Expr *e, const Bindings *b)
{
  double number;
  for (int i = 0; e->kind == EXPR_NAME && i < b->n; i++) {
    if (str_eq(b->name[i], e->name)) {
      return b->node[i];
    }
  }
  if (is_number(e, &number)) {
    return build_const(g, number);
  }
  int op = op_of(e);
  assert(op >= 0);
  Node *in[3] = {NULL};
  for (int i = 0; i < op_rows[op].arity; i++) {
    in[i] = build(g, operand(e, i), b);
  }
  return build_op(g, (Op)op, op_rows[op].arity, in);
}

Node *pattern_apply(const Rewriter *w, const Pattern *p, Node *n)
{
  Bindings b = {.once = p->once ? w : NULL};
  return match(p->from, n, &b) ? build(w->g, p->to, &b) : NULL;
}
