#ifndef RANKC_BUILD_H
#define RANKC_BUILD_H

/* Building nodes: the only way a Graph grows. Every function computes the result's type, folds nothing,
 * and returns a node of `g`. They trust their arguments (assert): the front end checks before it builds.
 * Types never contain plain axes named by the number 1: `f32[1]` is a scalar. */

#include "ir.h"

int graph_axis(Graph *g, Axis axis);          /* adds; returns its index */
int graph_number_axis(Graph *g, long extent); /* the axis called by its extent, made once */
Graph *graph_new(Arena *a);                   /* with axis 0 = B */
/* Same axes, inputs, params, settings; no nodes, outputs, metrics, grads, loss. The optimizer's nodes
 * stay where they are: they belong to no graph's values. */
Graph *graph_shell(Arena *a, const Graph *old);

Node *build_const(Graph *g, double value);
Node *build_input(Graph *g, int input);
Node *build_param(Graph *g, int param);
Node *build_index(Graph *g, int axis);   /* [A]; of a ragged axis [B, A] */
Node *build_size(Graph *g, int axis);    /* plain: a const; ragged: [B]; batch: a scalar */
Node *build_random(Graph *g, Type type); /* canonical; a new site */
Node *build_training(Graph *g);
Node *build_var(Graph *g, int var);
Node *build_op(Graph *g, Op op, int nin, Node *const *in); /* pointwise */
Node *build_op1(Graph *g, Op op, Node *x);
Node *build_op2(Graph *g, Op op, Node *x, Node *y);
Node *build_reduce(Graph *g, Op op, Node *x, int naxes, const short *axes);
Node *build_gather(Graph *g, int param, Node *ids);
Node *build_scatter(Graph *g, int param, int nin, Node *const *in);
Node *build_rename(Graph *g, Node *x, int npairs, const short *pairs); /* from, to, from, to */
/* axes: for each operand how many of its axes are joined, and these, outermost first */
Node *build_concat(Graph *g, int out, int nin, Node *const *in, int naxes, const short *axes);
Node *build_slice(Graph *g, Node *x, int from, long offset, int nto, const short *to);
Node *build_pad(Graph *g, Node *x, int to, long offset, int nfrom, const short *from);
Node *build_triangle(Graph *g, Node *x, int f, int h, int p);
Node *build_untriangle(Graph *g, Node *x, int p, int f, int h);
Node *build_order(Graph *g, Node *x, int innermost);
/* The same op with other operands (of the same types, perhaps fewer axes): how passes copy. Keeps name
 * and loc. Axes that an operand no longer has are dropped where they are renamed, sliced or reduced (a
 * sum is multiplied by their size); where nothing is left to do it returns the operand itself. The
 * operands of CONCAT, PAD, TRIANGLE and UNTRIANGLE may lack axes that the node names: they are constant
 * along these. */
Node *build_like(Graph *g, const Node *old, Node *const *in);
/* Reduces x as if it were broadcast to `wide`, which has all of axes[]. Returns x when max has nothing
 * left to reduce. */
Node *build_reduce_wide(Graph *g, Op op, Node *x, Type wide, int naxes, const short *axes);
/* The same op, axes, value, offset, leaf (so: the same random site) with other operands; no name, no
 * loc, no dropping of axes. */
Node *build_copy(Graph *g, const Node *old, Node *const *in);

/* The type that a node of this op, operands, axes and leaf has; false when there is none: an axis would
 * come twice, a reduced axis is missing, or there are more than MAX_AXES. */
bool node_type(const Graph *g, const Node *n, Type *type);

#endif
