#ifndef RANKC_FUSE_H
#define RANKC_FUSE_H

/* Between the files that make a plan. */

#include "plan.h"

/* The stored nodes a statement reads. */
void stmt_visit(const Plan *p, const Stmt *s, void (*visit)(void *, const Node *), void *arg);
/* Merges pointwise statements into the contraction before them. */
void plan_epilogues(Plan *p);

/* Decides how many columns a block of pairs has, if there are pairs. */
void plan_columns(Plan *p);
/* Products of samples with columns: what they read is turned, and later sweeps may find them done. */
void plan_turned(Arena *a, Plan *p);
/* Contract.pack, and the copies. */
void plan_packs(Arena *a, Plan *p);
/* Value.in_kernels */
void plan_padding(Plan *p);

#endif
