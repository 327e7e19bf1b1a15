#ifndef RANKC_RULES_H
#define RANKC_RULES_H

/* Rewriting by rules: the engine behind simplification, for any table of rules.
 *
 * A rule is text, `x + 0` becomes `x`, or a function that looks at one node and gives another, or NULL.
 * The engine rebuilds the graph from the leaves up; a node's operands have been rewritten when a rule
 * sees it, and what a rule gives is rewritten in turn. Rules build with the plain functions of
 * ir/build.h (and broad.h) and leave sharing, names, locations and dead nodes to the engine. A result may
 * lack axes of the node it stands for, where it is constant along them. */

#include "rebuild.h"

typedef struct Engine Engine;

typedef struct Rewriter {
  const Engine *engine;
  Graph *g;         /* being built: rules add their nodes here */
  const int *uses;  /* by node id in g: by how many it was used before the rewrite; 0: new */
  int nuses;        /* nodes that uses[] knows */
  bool grads_taken; /* gradients are there, or will never be */
} Rewriter;

typedef Node *RuleFunction(const Rewriter *w, Node *n);

typedef struct Rule {
  const char *pattern, *result; /* text over variables: k... stands for a number only, n... for the
                                 * number of samples, all else for anything */
  bool once;                    /* text: what the pattern takes apart must have no other use */
  RuleFunction *function;       /* NULL: a text rule */
  int op;                       /* functions: of which op; OP_COUNT: of any */
  const char *why;
  bool needed; /* planning wants what it makes: it fires however many have */
} Rule;

/* Until nothing changes, or the graph's log says that it is enough. `saves`: for the log, whether
 * the rules are those that save arithmetic. */
Graph *rules_apply(Arena *a, const Graph *g, const Rule *rules, int nrules, bool saves);

/* Whether nothing else needs x: it may be taken apart without being computed twice. */
bool rule_single_use(const Rewriter *w, const Node *x);
/* The final form of a node that does what `probe`, a fresh node, would; NULL: there is none yet. */
Node *rule_existing(const Rewriter *w, const Node *probe);

/* Text rules, match.c. */
typedef struct Pattern Pattern;
Pattern *pattern_new(Arena *a, const Rule *rule);
int pattern_op(const Pattern *p);
Node *pattern_apply(const Rewriter *w, const Pattern *p, Node *n); /* NULL: does not match */

/* Rules of the table that are functions. */
RuleFunction rule_scale_smaller, rule_sign_outwards, rule_sign_inwards, rule_reuse_quotient,
  rule_sum_factor_inside;
RuleFunction rule_fold, rule_stop, rule_size_of_root, rule_scatter_same_ids,
  rule_divide_by_power_of_two;
RuleFunction rule_sum_of_sum, rule_sum_of_rename, rule_sum_of_pad, rule_sum_factor, rule_max_of_max;
RuleFunction rule_rename_of_rename, rule_rename_pushed, rule_rename_pulled, rule_rename_of_product;
RuleFunction rule_slice_whole, rule_slice_of_slice, rule_slice_of_concat, rule_slice_of_pad;
RuleFunction rule_pad_whole, rule_concat_one, rule_concat_of_concat, rule_triangle_of_untriangle;
RuleFunction rule_add_pads;

#endif
