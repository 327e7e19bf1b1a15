/* express.c: a node as an expression: its operator, function or brackets, its operands' names or their
 * own text inside, and no more parentheses than it takes to read it back. */

#include "express.h"
#include "ops.h"

#include <math.h>

static void print_node(Printer *p, const Node *n, int level);

static Str axis_name(const Printer *p, int axis)
{
  return p->g->axes.data[axis].name;
}

static void print_axes(Printer *p, const short *axes, int n)
{
  for (int i = 0; i < n; i++) {
    buf_str(&p->b, i > 0 ? S(", ") : S(""));
    buf_str(&p->b, axis_name(p, axes[i]));
  }
}

static int const_level(double value)
{
  return !isfinite(value) ? LEVEL_MUL : signbit(value) ? LEVEL_NEG : LEVEL_POSTFIX;
}

static int node_level(const Node *n)
{
  switch ((int)n->op) {
  case OP_CONST:
    return const_level(n->value);
  case OP_LT:
  case OP_LE:
  case OP_EQ:
  case OP_NE:
    return LEVEL_COMPARE;
  case OP_ADD:
  case OP_SUB:
    return LEVEL_ADD;
  case OP_MUL:
  case OP_DIV:
    return LEVEL_MUL;
  case OP_NEG:
    return LEVEL_NEG;
  case OP_POW:
    return LEVEL_POW;
  default:
    return LEVEL_POSTFIX;
  }
}

static void print_const(Printer *p, double value)
{
  if (isnan(value)) {
    buf_str(&p->b, S("0 / 0"));
  } else if (isinf(value)) {
    buf_str(&p->b, value < 0 ? S("-1 / 0") : S("1 / 0"));
  } else {
    print_number(&p->b, value);
  }
}

static void print_operator(Printer *p, const Node *n)
{
  int level = node_level(n);
  int left = n->op == OP_POW || level == LEVEL_COMPARE ? level + 1 : level;
  int right = n->op == OP_POW ? level : level + 1;
  if (n->nin == 1) {
    buf_str(&p->b, S("-"));
    print_node(p, n->in[0], level + 1);
    return;
  }
  print_node(p, n->in[0], left);
  buf_format(&p->b, n->op == OP_POW ? "%s" : " %s ", op_rows[n->op].word);
  print_node(p, n->in[1], right);
}

static void print_arguments(Printer *p, const Node *n)
{
  buf_str(&p->b, S("("));
  for (int i = 0; i < n->nin; i++) {
    buf_str(&p->b, i > 0 ? S(", ") : S(""));
    print_node(p, n->in[i], LEVEL_ANY);
  }
  buf_str(&p->b, S(")"));
}

/* An operand may lack axes that the op names. There is no op to give it these, but text that does. */
static void print_spread(Printer *p, const Node *x, const short *axes, int n, bool all, int level)
{
  int count = 0;
  const char *open = level > LEVEL_ADD ? "(" : "";
  for (int i = 0; i < n; i++) {
    if (all || !type_has(x->type, axes[i])) {
      buf_format(
        &p->b, "%s0 * index[%.*s]", count++ == 0 ? open : " + ", STR_ARG(axis_name(p, axes[i])));
    }
  }
  if (count > 0) {
    buf_str(&p->b, S(" + "));
    print_node(p, x, LEVEL_MUL);
    buf_str(&p->b, level > LEVEL_ADD ? S(")") : S(""));
  } else {
    print_node(p, x, level);
  }
}

/* concat reads an operand's joined axes in the order of its type: other orders, and axes it lacks, need
 * print_spread. */
static bool joins_in_order(const Node *x, const short *axes, int n)
{
  int before = -1;
  for (int i = 0; i < n; i++) {
    int at = type_position(x->type, axes[i]);
    if (at <= before) {
      return false;
    }
    before = at;
  }
  return true;
}

static bool keeps_plain(const Printer *p, const Node *x, const short *axes, int n)
{
  for (int i = 0; i < x->type.n; i++) {
    bool joined = false;
    for (int k = 0; k < n; k++) {
      joined |= axes[k] == x->type.axis[i];
    }
    if (!joined && p->g->axes.data[x->type.axis[i]].kind == AXIS_PLAIN) {
      return true;
    }
  }
  return false;
}

/* `[D, E]`: the axes that concat joins, when an operand keeps another plain axis. */
static void print_joined(Printer *p, const Node *n)
{
  bool some = false;
  Type all = {.kind = KIND_REAL};
  const short *joined = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    some |= keeps_plain(p, n->in[i], joined + 1, joined[0]);
    for (int k = 1; k <= joined[0]; k++) {
      if (!type_has(all, joined[k]) && all.n < MAX_AXES) {
        all.axis[all.n++] = joined[k];
      }
    }
    joined += 1 + joined[0];
  }
  if (some) {
    buf_str(&p->b, S("["));
    print_axes(p, all.axis, all.n);
    buf_str(&p->b, S("]"));
  }
}

static void print_concat(Printer *p, const Node *n)
{
  buf_str(&p->b, S("concat"));
  print_joined(p, n);
  const short *joined = n->axes + 1;
  for (int i = 0; i < n->nin; i++) {
    buf_str(&p->b, i > 0 ? S(", ") : S("("));
    if (joins_in_order(n->in[i], joined + 1, joined[0])) {
      print_node(p, n->in[i], LEVEL_ANY);
    } else {
      print_spread(p, n->in[i], joined + 1, joined[0], true, LEVEL_ANY);
    }
    joined += 1 + joined[0];
  }
  if (!p->g->axes.data[n->axes[0]].number) {
    buf_format(&p->b, " -> %.*s", STR_ARG(axis_name(p, n->axes[0])));
  }
  buf_str(&p->b, S(")"));
}

static void print_slice(Printer *p, const Node *n)
{
  print_node(p, n->in[0], LEVEL_POSTFIX);
  buf_format(&p->b, "[%.*s = %ld", STR_ARG(axis_name(p, n->axes[0])), n->offset);
  long extent = 1;
  for (int i = 1; i < n->naxes; i++) {
    extent *= p->g->axes.data[n->axes[i]].extent;
  }
  if (n->naxes > 1) {
    buf_format(&p->b, ":%ld", n->offset + extent);
  }
  if (n->naxes > 2 || (n->naxes == 2 && !p->g->axes.data[n->axes[1]].number)) {
    buf_str(&p->b, S(" -> "));
    print_axes(p, n->axes + 1, n->naxes - 1);
  }
  buf_str(&p->b, S("]"));
}

static void print_rename(Printer *p, const Node *n)
{
  print_node(p, n->in[0], LEVEL_POSTFIX);
  for (int i = 0; i + 1 < n->naxes; i += 2) {
    buf_format(&p->b, "%s%.*s -> %.*s", i == 0 ? "[" : ", ", STR_ARG(axis_name(p, n->axes[i])),
      STR_ARG(axis_name(p, n->axes[i + 1])));
  }
  buf_str(&p->b, S("]"));
}

static void print_scatter(Printer *p, const Node *n)
{
  buf_format(&p->b, "scatter(%.*s", STR_ARG(p->g->params.data[n->leaf].name));
  for (int i = 0; i < n->nin; i++) {
    buf_str(&p->b, S(", "));
    print_node(p, n->in[i], LEVEL_ANY);
  }
  buf_str(&p->b, S(")"));
}

static void print_pad(Printer *p, const Node *n)
{
  buf_str(&p->b, S("pad["));
  print_axes(p, n->axes, n->naxes);
  buf_format(&p->b, "; %ld](", n->offset);
  print_spread(p, n->in[0], n->axes + 1, n->naxes - 1, false, LEVEL_ANY);
  buf_str(&p->b, S(")"));
}

static void print_structure(Printer *p, const Node *n)
{
  switch ((int)n->op) {
  case OP_GATHER:
    buf_format(&p->b, "%.*s[", STR_ARG(p->g->params.data[n->leaf].name));
    print_node(p, n->in[0], LEVEL_ANY);
    buf_str(&p->b, S("]"));
    return;
  case OP_SCATTER:
    print_scatter(p, n);
    return;
  case OP_RENAME:
    print_rename(p, n);
    return;
  case OP_CONCAT:
    print_concat(p, n);
    return;
  case OP_SLICE:
    print_slice(p, n);
    return;
  case OP_PAD:
    print_pad(p, n);
    return;
  case OP_TRIANGLE:
    print_spread(p, n->in[0], n->axes, 2, false, LEVEL_POSTFIX);
    buf_format(&p->b, "[%.*s > %.*s -> %.*s]", STR_ARG(axis_name(p, n->axes[0])),
      STR_ARG(axis_name(p, n->axes[1])), STR_ARG(axis_name(p, n->axes[2])));
    return;
  default: /* UNTRIANGLE */
    buf_format(&p->b, "%s[", op_rows[n->op].word);
    print_axes(p, n->axes, n->naxes);
    buf_str(&p->b, S("]("));
    print_spread(p, n->in[0], n->axes, 1, false, LEVEL_ANY);
    buf_str(&p->b, S(")"));
  }
}

/* A reader numbers sites in the order of the text: one that would get another number shows its own. */
static void print_random(Printer *p, const Node *n)
{
  Type t = n->type.n > 1 ? type_without(n->type, AXIS_B) : n->type;
  buf_str(&p->b, S("random["));
  print_axes(p, t.axis, t.n);
  if (n->leaf != p->randoms) {
    buf_format(&p->b, "; %d", n->leaf);
  }
  p->randoms = n->leaf < p->randoms ? p->randoms : n->leaf + 1;
  buf_str(&p->b, S("]"));
}

static void print_leaf(Printer *p, const Node *n)
{
  if (n->op == OP_CONST) {
    print_const(p, n->value);
  } else if (n->op == OP_RANDOM) {
    print_random(p, n);
  } else if (n->op == OP_TRAINING) {
    buf_str(&p->b, S("training()"));
  } else { /* INDEX, SIZE */
    buf_format(&p->b, "%s[%.*s]", op_rows[n->op].word, STR_ARG(axis_name(p, n->axes[0])));
  }
}

void print_text(Printer *p, const Node *n)
{
  switch (op_rows[n->op].class) {
  case CLASS_LEAF:
    print_leaf(p, n);
    return;
  case CLASS_OPERATOR:
    print_operator(p, n);
    return;
  case CLASS_UNARY:
  case CLASS_BINARY:
  case CLASS_TERNARY:
    buf_str(&p->b, str_of(op_rows[n->op].word));
    print_arguments(p, n);
    return;
  case CLASS_REDUCE:
    buf_format(&p->b, "%s[", op_rows[n->op].word);
    print_axes(p, n->axes, n->naxes);
    buf_str(&p->b, S("]"));
    print_arguments(p, n);
    return;
  case CLASS_STRUCTURE:
    print_structure(p, n);
    return;
  }
}

static void print_node(Printer *p, const Node *n, int level)
{
  if (p->name[n->id].n > 0) {
    buf_str(&p->b, p->name[n->id]);
    return;
  }
  bool parentheses = node_level(n) < level;
  buf_str(&p->b, parentheses ? S("(") : S(""));
  print_text(p, n);
  buf_str(&p->b, parentheses ? S(")") : S(""));
}

void print_value(Printer *p, const Node *n)
{
  print_node(p, n, LEVEL_ANY);
}

/* The levels that print_spread adds around an operand. */
static int spread_depth(const Node *x, int depth, const short *axes, int n, bool all)
{
  int count = 0;
  for (int i = 0; i < n; i++) {
    count += all || !type_has(x->type, axes[i]);
  }
  return count == 0 ? depth : 1 + (depth > count ? depth : count);
}

static int operand_depth(const Printer *p, const Node *n, int i)
{
  const Node *x = n->in[i];
  int depth = p->depth[x->id];
  if (n->op == OP_PAD) {
    return spread_depth(x, depth, n->axes + 1, n->naxes - 1, false);
  }
  if (n->op == OP_TRIANGLE || n->op == OP_UNTRIANGLE) {
    return spread_depth(x, depth, n->axes, n->op == OP_TRIANGLE ? 2 : 1, false);
  }
  if (n->op == OP_CONCAT) {
    const short *joined = n->axes + 1;
    for (int k = 0; k < i; k++) {
      joined += 1 + joined[0];
    }
    return joins_in_order(x, joined + 1, joined[0])
             ? depth
             : spread_depth(x, depth, joined + 1, joined[0], true);
  }
  return depth;
}

int print_depth(const Printer *p, const Node *n)
{
  if (n->nin == 0) {
    return n->op == OP_CONST && !isfinite(n->value);
  }
  int deepest = 0;
  for (int i = 0; i < n->nin; i++) {
    int depth = operand_depth(p, n, i);
    deepest = depth > deepest ? depth : deepest;
  }
  const Node *x = n->in[0]; /* a negated number reads like a negative constant */
  bool number = n->op == OP_NEG && x->op == OP_CONST && const_level(x->value) == LEVEL_POSTFIX;
  return number ? deepest : deepest + 1;
}
