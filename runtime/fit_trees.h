#ifndef RANK_FIT_TREES_H
#define RANK_FIT_TREES_H

/* fit_trees.c: a forest as a fit: its tensors, and its leaves and scores for every batch. Ops that have one
 * have as many trees at most as their first setting says, of as many leaves at most as the second one. */

#include "fit.h"
#include "rank_trees.h"

enum { FIT_TREES_MOST, FIT_TREES_LEAVES };

static inline rank_matrix fit_trees_matrix(const rank_real *at, long rows, long columns)
{
  return (rank_matrix){at, rows, (int)columns, columns, sizeof(rank_real) == 8};
}

/* Its tensors, without categories unless fit_columns_save has been called; -1: no memory. */
int fit_trees_save(const rank_forest *f, fit_state *s);

/* The functions of such an op. */
int fit_trees_ready(const rank_model *m, const rank_fit *fit, fit_state *s, rank_error *e);
int fit_trees_fold(const rank_fit *fit, fit_state *s, const rank_real *table, rank_error *e);
void fit_trees_forget(void *made);
int fit_trees_apply(const rank_model *m, const rank_fit *fit, const fit_state *s,
  const rank_batch *b, void *const *out, int32_t *const *offset, void *room);
size_t fit_trees_room(const rank_model *m, const rank_fit *fit, const fit_state *s);
int fit_trees_write_lightgbm(const fit_state *s, FILE *out, rank_error *e);
void fit_trees_info(
  const rank_model *m, const rank_fit *fit, const fit_state *s, FILE *out, int json);

/* Of an op's row: its tensors and these functions. How it learns is its own. */
#define FIT_TREES_OP \
  .keys = {"codes", "head", "trees", "leaves", "nodes", "words"}, .ready = fit_trees_ready, \
  .forget = fit_trees_forget, .fold = fit_trees_fold, .apply = fit_trees_apply, \
  .room = fit_trees_room, .info = FIT_INFO(fit_trees_info), \
  .write_lightgbm = FIT_WRITE(fit_trees_write_lightgbm)

#endif
