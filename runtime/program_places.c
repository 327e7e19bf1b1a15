/* program_places.c: `eval` of retrieval: at which place of the whole catalogue each row's own item comes.
 *
 * One idea: a metric that compares two vectors says which output asks and which answers. The catalogue is
 * embedded with the second (or was, into an index), each row asks with the first, and the row's own item
 * is found in the catalogue by its id; its place gives recall, ndcg and mrr as in metrics.h. Items that
 * the row has in --exclude are no competitors, but the row's own item always is. */

#include "index.h"
#include "program.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct ranking {
  const rank_model *m;
  const program_options *o;
  const rank_metric *metric; /* the first of those that are evaluated together */
  program_vectors v;         /* the rows */
  rank_index *x;
  program_exclusion exclusion;
  program_codes codes;
  int item;         /* the input that says which item a row's is, or -1 */
  int64_t *target;  /* [rows] its position; -1: not in the catalogue */
  long *place;      /* [rows] */
  long rows, count; /* count: of items */
  long missing;     /* rows whose item is not in the catalogue */
} ranking;

/* --- the catalogue --- */

static int embed_catalogue(ranking *r, rank_error *e)
{
  program_options o = *r->o;
  program_vectors v;
  index_draft d = {0};
  o.data = o.catalogue;
  int failed = program_vectors_open(&v, r->m, &o, r->metric->args[1], NULL, 0, e) != 0 ||
               program_catalogue(&v, o.id, &d, e) != 0;
  if (!failed) {
    r->x = index_draft_open(&d, e);
    failed = r->x == NULL;
  }
  program_vectors_close(&v);
  index_draft_free(&d);
  return failed ? -1 : 0;
}

static int open_catalogue(ranking *r, rank_error *e)
{
  if (r->o->catalogue != NULL) {
    return embed_catalogue(r, e);
  }
  if (program_open_index(&r->x, r->o->index, &r->v, e) != 0) {
    return -1;
  }
  const char *output = r->m->outputs[r->metric->args[1]].name;
  rank_index_facts f = rank_index_about(r->x);
  return strncmp(f.output, output, INDEX_NAME - 1) == 0
           ? 0
           : rank_fail(e, "%s: vectors of output %s, but %s compares with %s", r->o->index,
               f.output, r->metric->text, output);
}

/* --- which item is a row's own --- */

/* By a column of text, or by the row's number. */
static int targets_by_id(ranking *r, rank_error *e)
{
  index_item_ids ids = {0};
  char text[RANK_INDEX_ID];
  if (r->o->id != NULL && program_read_ids(r->m, r->o->data, r->o->id, &ids, e) != 0) {
    program_free_ids(&ids);
    return -1;
  }
  if (r->o->id != NULL && ids.count != r->rows) {
    program_free_ids(&ids);
    return rank_fail(
      e, "%s: %ld rows, but not as many ids in column %s", r->o->data, r->rows, r->o->id);
  }
  for (long i = 0; i < r->rows; i++) {
    int n = snprintf(text, sizeof text, "%ld", i);
    r->target[i] = ids.texts != NULL ? rank_index_find(r->x, ids.texts[i], (long)ids.lengths[i])
                                     : rank_index_find(r->x, text, n);
  }
  program_free_ids(&ids);
  return 0;
}

static void targets_by_code(ranking *r, const rank_batch *b, long first)
{
  const int32_t *code = b->input[r->item];
  for (long i = 0; i < b->n; i++) {
    long at = program_codes_find(&r->codes, code[i]);
    r->target[first + i] = at >= 0 ? (int64_t)r->codes.sorted[at].at : -1;
  }
}

/* --- ranking --- */

static int rank_batch_of(ranking *r, long first, long n, float *vectors, rank_error *e)
{
  const rank_batch *b = program_vectors_next(&r->v, first, n, vectors, e);
  if (b == NULL || program_exclude(&r->exclusion, b, e) != 0) {
    return -1;
  }
  if (r->item >= 0) {
    targets_by_code(r, b, first);
  }
  rank_index_query q = {.vectors = vectors,
    .n = n,
    .threads = (int)r->o->threads,
    .skip_from = r->exclusion.from,
    .skip = r->exclusion.skip};
  if (rank_index_places(r->x, &q, r->target + first, r->place + first) != 0) {
    return rank_fail(e, "out of memory");
  }
  for (long i = first; i < first + n; i++) {
    r->missing += r->target[i] < 0; /* its place is 0, which no k reaches */
  }
  program_vectors_progress(&r->v, first + n, "ranking");
  return 0;
}

static int rank_rows_of(ranking *r, rank_error *e)
{
  float *vectors = calloc((size_t)r->v.batch, (size_t)r->v.width * sizeof *vectors);
  int failed = vectors == NULL ? rank_fail(e, "out of memory") : 0;
  for (long done = 0; done < r->rows && !failed; done += r->v.batch) {
    long n = r->rows - done < r->v.batch ? r->rows - done : r->v.batch;
    failed = rank_batch_of(r, done, n, vectors, e);
  }
  free(vectors);
  rank_log_clear(&r->v.log);
  return failed;
}

/* --- preparing --- */

static int find_metric(ranking *r, rank_error *e)
{
  for (int i = 0; i < r->m->nmetrics && r->metric == NULL; i++) {
    r->metric = rank_is_retrieval(&r->m->metrics[i]) ? &r->m->metrics[i] : NULL;
  }
  if (r->metric == NULL) {
    return rank_fail(e, "the model has no metric recall, ndcg or mrr to rank a catalogue by");
  }
  for (int k = 0; k < 2; k++) {
    const rank_output *output = &r->m->outputs[r->metric->args[k]];
    if (output->hidden) {
      return rank_fail(e, "%s: %s is no output of the model; a catalogue is ranked by outputs",
        r->metric->text, output->name);
    }
  }
  return 0;
}

static int open_ranking(ranking *r, rank_error *e)
{
  const program_options *o = r->o;
  int also[2], n = 0, seen = -1;
  if (find_metric(r, e) != 0 ||
      (o->exclude != NULL && (seen = program_exclude_input(r->m, o->exclude, e)) < 0)) {
    return -1;
  }
  r->item = o->id == NULL ? program_item_input(r->m, r->metric->args[1]) : -1;
  if (r->item >= 0) {
    also[n++] = r->item;
  }
  if (seen >= 0) {
    also[n++] = seen;
  }
  const char *name = o->index != NULL ? o->index : o->catalogue;
  if (program_vectors_open(&r->v, r->m, o, r->metric->args[0], also, n, e) != 0 ||
      open_catalogue(r, e) != 0 ||
      program_exclusion_new(&r->exclusion, r->m, r->x, name, seen, r->v.batch, e) != 0 ||
      (r->item >= 0 && program_codes_new(&r->codes, r->x, name, e) != 0)) {
    return -1;
  }
  r->rows = rank_data_rows(r->v.data);
  r->count = rank_index_about(r->x).count;
  r->target = calloc((size_t)r->rows + 1, sizeof *r->target);
  r->place = calloc((size_t)r->rows + 1, sizeof *r->place);
  if (r->target == NULL || r->place == NULL) {
    return rank_fail(e, "out of memory");
  }
  return r->item >= 0 ? 0 : targets_by_id(r, e);
}

static void close_ranking(ranking *r)
{
  program_exclusion_free(&r->exclusion);
  program_codes_free(&r->codes);
  program_vectors_close(&r->v);
  rank_index_close(r->x);
  free(r->target);
  free(r->place);
}

/* --- what is printed --- */

/* The metrics that compare the same two outputs. */
static int score_places(const ranking *r, rank_scores *scores, rank_error *e)
{
  int n = 0;
  for (int i = 0; i < r->m->nmetrics; i++) {
    n += r->m->metrics[i].nk > 0 ? r->m->metrics[i].nk : 1;
  }
  *scores = (rank_scores){.rows = r->rows, .score = calloc((size_t)n + 1, sizeof *scores->score)};
  if (scores->score == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < r->m->nmetrics; i++) {
    const rank_metric *metric = &r->m->metrics[i];
    if (rank_is_retrieval(metric) && metric->args[0] == r->metric->args[0] &&
        metric->args[1] == r->metric->args[1]) {
      scores->n += rank_retrieval_scores(metric, r->place, r->rows, scores->score + scores->n);
    }
  }
  return 0;
}

static void print_places(const ranking *r, const rank_scores *scores)
{
  char rows[32], count[32];
  if (r->o->json) {
    printf("{\"rows\": %ld, \"items\": %ld, \"missing\": %ld, \"metrics\": ", r->rows, r->count,
      r->missing);
    rank_json_scores(stdout, scores);
    printf("}\n");
    return;
  }
  printf("%s rows, %s items\n", rank_count_text((double)r->rows, rows),
    rank_count_text((double)r->count, count));
  if (r->missing > 0) {
    printf(
      "%ld rows have an item that the catalogue does not; none of them is found\n", r->missing);
  }
  for (int i = 0; i < scores->n; i++) {
    program_print_score(scores->score[i].name, scores->score[i].value, NULL, 0);
  }
}

int program_eval_places(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  ranking r = {.m = m, .o = o};
  rank_scores scores = {0};
  int failed =
    open_ranking(&r, &e) != 0 || rank_rows_of(&r, &e) != 0 || score_places(&r, &scores, &e) != 0;
  if (!failed) {
    print_places(&r, &scores);
  }
  close_ranking(&r);
  rank_scores_free(&scores);
  return failed ? program_error(m, &e) : 0;
}
