/* lists.c: outputs that are lists of items, as they stand in a batch: back to back along a ragged axis. */

#include "lists.h"

void rank_list_places(
  const rank_model *m, const rank_metric *metric, const rank_batch *b, long *place)
{
  int input = m->lists[metric->list].item;
  const int32_t *item = b->input[input], *target = b->input[metric->target];
  const int32_t *offset = b->offset[m->inputs[input].dim];
  for (long i = 0; i < b->n; i++) {
    place[i] = 0;
    for (int32_t k = offset[i]; k < offset[i + 1] && place[i] == 0; k++) {
      place[i] = item[k] == target[i] ? k - offset[i] + 1 : 0;
    }
  }
}

/* Positions first to end of one row, to where it has `most`. */
static void copy_ids(const int32_t *from, int32_t n, long most, int32_t *to)
{
  for (long k = 0; to != NULL && k < most; k++) {
    to[k] = k < n ? from[k] : -1;
  }
}

static void copy_numbers(const rank_real *from, int32_t n, long most, rank_real *to)
{
  for (long k = 0; to != NULL && k < most; k++) {
    to[k] = k < n ? from[k] : 0;
  }
}

void rank_list_rows(
  const rank_model *m, const rank_list *l, const rank_batch *b, const rank_list_out *out)
{
  int dim = m->inputs[l->item].dim;
  const int32_t *offset = b->offset[dim];
  long most = m->dims[dim].max;
  int32_t reasons = l->because < 0 ? 0 : (int32_t)m->inputs[l->because].width;
  for (long i = 0; i < b->n; i++) {
    int32_t first = offset[i], n = offset[i + 1] - first;
    long at = i * most;
    copy_ids(
      (const int32_t *)b->input[l->item] + first, n, most, out->item ? out->item + at : NULL);
    copy_numbers(
      (const rank_real *)b->input[l->score] + first, n, most, out->score ? out->score + at : NULL);
    if (reasons > 0) {
      copy_ids((const int32_t *)b->input[l->because] + first * reasons, n * reasons, most * reasons,
        out->because ? out->because + at * reasons : NULL);
      copy_numbers((const rank_real *)b->input[l->part] + first * reasons, n * reasons,
        most * reasons, out->part ? out->part + at * reasons : NULL);
    }
  }
}
