/* verify_node.c: the rules of one node, given that the declarations and its operands keep theirs. */

#include "verify.h"
#include "build.h"
#include "ops.h"

static bool valid_axis(const Graph *g, int axis)
{
  return axis >= 0 && axis < g->axes.n;
}

static bool plain_axis(const Graph *g, int axis)
{
  return valid_axis(g, axis) && g->axes.data[axis].kind == AXIS_PLAIN;
}

bool verify_type(const Graph *g, Type t)
{
  if (t.n < 0 || t.n > MAX_AXES) {
    return false;
  }
  for (int i = 0; i < t.n; i++) {
    for (int k = 0; k < i; k++) {
      if (t.axis[k] == t.axis[i]) {
        return false;
      }
    }
    if (!valid_axis(g, t.axis[i])) {
      return false;
    }
  }
  return true;
}

static long joined_extent(const Graph *g, const short *axes, int n)
{
  long extent = 1;
  for (int i = 0; i < n; i++) {
    if (!plain_axis(g, axes[i])) {
      return -1;
    }
    extent *= g->axes.data[axes[i]].extent;
  }
  return extent;
}

static const char *check_rename(const Graph *g, const Node *n)
{
  if (n->naxes < 2 || n->naxes % 2 != 0) {
    return "pairs";
  }
  bool ragged = false;
  bool batch = false;
  for (int i = 0; i < n->in[0]->type.n; i++) {
    ragged |= g->axes.data[n->in[0]->type.axis[i]].kind == AXIS_RAGGED;
  }
  for (int i = 0; i < n->naxes; i += 2) {
    const Axis *from = &g->axes.data[n->axes[i]];
    const Axis *to = &g->axes.data[n->axes[i + 1]];
    if (!type_has(n->in[0]->type, n->axes[i])) {
      return "renames an axis that is not there";
    }
    if (from->kind != to->kind || from->extent != to->extent ||
        (from->kind != AXIS_PLAIN && from->root != to->root)) {
      return "renames to an unlike axis";
    }
    batch |= from->kind == AXIS_BATCH;
  }
  return batch && ragged ? "renames the batch of a ragged value" : NULL;
}

static const char *check_concat(const Graph *g, const Node *n)
{
  if (n->nin < 1 || n->naxes < 1 || !plain_axis(g, n->axes[0])) {
    return "operands or result axis";
  }
  long total = 0;
  int at = 1;
  for (int i = 0; i < n->nin; i++) {
    if (at >= n->naxes || n->axes[at] < 0 || at + n->axes[at] >= n->naxes) {
      return "list of joined axes";
    }
    for (int k = at + 1; k <= at + n->axes[at]; k++) {
      if (n->axes[k] != n->axes[0] && type_has(n->type, n->axes[k])) {
        return "an axis is joined and kept";
      }
    }
    long extent = joined_extent(g, n->axes + at + 1, n->axes[at]);
    if (extent < 0) {
      return "joins an axis that is not plain";
    }
    total += extent;
    at += 1 + n->axes[at];
  }
  return total != g->axes.data[n->axes[0]].extent ? "extent of the result axis" : NULL;
}

/* SLICE and PAD: the part [offset, offset + product) of one axis is some other axes. */
static const char *check_part(const Graph *g, const Node *n)
{
  if (n->naxes < 1 || !plain_axis(g, n->axes[0])) {
    return "axis";
  }
  long extent = joined_extent(g, n->axes + 1, n->naxes - 1);
  bool fits = extent > 0 && n->offset >= 0 && n->offset + extent <= g->axes.data[n->axes[0]].extent;
  return fits ? NULL : "the part does not fit";
}

static const char *check_triangle(const Graph *g, int f, int h, int p)
{
  if (!plain_axis(g, f) || !plain_axis(g, h) || !plain_axis(g, p)) {
    return "axes";
  }
  long n = g->axes.data[f].extent;
  bool fits = n == g->axes.data[h].extent && g->axes.data[p].extent == n * (n - 1) / 2;
  return fits ? NULL : "extents";
}

static const char *check_scatter(const Graph *g, const Node *n)
{
  if (n->nin < 2 || n->nin % 2 != 0) {
    return "operands";
  }
  for (int i = 0; i < n->nin; i += 2) {
    Type d = n->in[i + 1]->type;
    for (int k = 0; k < d.n; k++) {
      if (!type_has(n->in[i]->type, d.axis[k]) &&
          !type_has(g->params.data[n->leaf].type, d.axis[k])) {
        return "an axis is in neither the ids nor the row";
      }
    }
    if (n->in[i]->type.kind != KIND_ID) {
      return "the ids are no ids";
    }
  }
  return NULL;
}

static const char *check_structure(const Graph *g, const Node *n)
{
  switch ((int)n->op) {
  case OP_GATHER:
    return n->in[0]->type.kind == KIND_ID ? NULL : "the ids are no ids";
  case OP_SCATTER:
    return check_scatter(g, n);
  case OP_RENAME:
    return check_rename(g, n);
  case OP_CONCAT:
    return check_concat(g, n);
  case OP_SLICE:
  case OP_PAD:
    return check_part(g, n);
  case OP_TRIANGLE:
    return n->naxes == 3 ? check_triangle(g, n->axes[0], n->axes[1], n->axes[2]) : "axes";
  case OP_UNTRIANGLE:
    return n->naxes == 3 ? check_triangle(g, n->axes[1], n->axes[2], n->axes[0]) : "axes";
  default:
    return NULL;
  }
}

static const char *check_leaf(const Graph *g, const Node *n)
{
  bool table = n->op == OP_GATHER || n->op == OP_SCATTER;
  if (n->op == OP_INPUT && (n->leaf < 0 || n->leaf >= g->inputs.n)) {
    return "no such input";
  }
  if (n->op == OP_PARAM || table) {
    bool found = n->leaf >= 0 && n->leaf < g->params.n;
    return found && g->params.data[n->leaf].table == table ? NULL : "no such param or table";
  }
  if (n->op == OP_RANDOM) {
    Type t = n->type;
    bool one_batch = t.n < 2 || g->axes.data[t.axis[1]].kind != AXIS_BATCH;
    return n->leaf >= 0 && n->leaf < g->randoms && one_batch ? NULL : "site or type";
  }
  if (n->op == OP_VAR && (n->leaf < 0 || n->leaf >= VAR_STATE + MAX_STATES)) {
    return "no such variable";
  }
  if ((n->op == OP_INDEX || n->op == OP_SIZE) && n->naxes != 1) {
    return "axes";
  }
  return n->op == OP_SIZE && plain_axis(g, n->axes[0]) ? "size of a plain axis" : NULL;
}

const char *verify_node(const Graph *g, const Node *n)
{
  if (op_rows[n->op].arity >= 0 && n->nin != op_rows[n->op].arity) {
    return "number of operands";
  }
  for (int i = 0; i < n->nin; i++) {
    int at = n->in[i]->id;
    if (at < 0 || at >= n->id || g->nodes.data[at] != n->in[i]) {
      return "an operand is not before it in this graph";
    }
  }
  for (int i = 0; i < n->naxes && n->op != OP_CONCAT; i++) {
    if (!valid_axis(g, n->axes[i])) {
      return "no such axis";
    }
  }
  const char *what = verify_type(g, n->type) ? check_leaf(g, n) : "axes of its type";
  what = what ? what : check_structure(g, n);
  Type type;
  if (!what && !node_type(g, n, &type)) {
    return "has no type";
  }
  bool same = what || (type_same(type, n->type) && type.n == n->type.n);
  for (int i = 0; !what && same && i < type.n; i++) {
    same = type.axis[i] == n->type.axis[i];
  }
  return same ? what : "type is not what its operands give";
}
