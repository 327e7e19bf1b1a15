#ifndef RANK_METRICS_H
#define RANK_METRICS_H

/* Metrics over predictions p and labels y, exact and in double precision. A label of at least 0.5 is
 * positive. NaN: the metric is not defined on these numbers (nothing to compare, one class only). */

#include "rank_model.h"

#include <stddef.h>

/* Bytes of scratch that rank_auc and rank_gauc need for n pairs. */
size_t rank_auc_scratch(long n);

/* Area under the ROC curve: the chance that a positive scores above a negative, ties half. */
double rank_auc(const rank_real *p, const rank_real *y, long n, void *scratch);
/* AUC within each group, averaged by the groups' sizes; groups of one class do not count. Entry i
 * belongs to group[i / per]. */
double rank_gauc(
  const rank_real *p, const rank_real *y, const int32_t *group, long per, long n, void *scratch);

/* Mean of -log of the probability given to what happened, p clipped to [eps, 1 - eps] with eps the
 * spacing of rank_real at 1. */
double rank_logloss(const rank_real *p, const rank_real *y, long n);
/* Log loss over that of always predicting the base rate. */
double rank_ne(const rank_real *p, const rank_real *y, long n);
/* Sum predicted over sum observed. */
double rank_calibration(const rank_real *p, const rank_real *y, long n);
double rank_mse(const rank_real *p, const rank_real *y, long n);
double rank_mae(const rank_real *p, const rank_real *y, long n);
/* Share of p >= 0.5 exactly where y is positive. */
double rank_accuracy(const rank_real *p, const rank_real *y, long n);

/* Retrieval over n pairs of vectors [n][width]: place[i] is a[i]'s place, from 1, when all a are
 * ordered by falling dot product with u[i], equal ones by index. scratch: rank_place_scratch bytes. */
size_t rank_place_scratch(long n, long width);
void rank_places(
  const rank_real *u, const rank_real *a, long n, long width, long *place, void *scratch);
/* A place of 0: it is not among them. */
double rank_recall(const long *place, long n, long k); /* k <= 0: no limit, as below */
double rank_ndcg(const long *place, long n, long k);
double rank_mrr(const long *place, long n, long k);

#endif
