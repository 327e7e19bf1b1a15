/* evaluate.c: loss and metrics over rows of data.
 *
 * One idea: batches write straight into arrays over all rows, one for each output that a metric looks
 * at; only vectors for retrieval metrics, which compare every pair, are kept for a sample of the rows. */

#include "lists.h"
#include "rank_guard.h"
#include "rank_runtime.h"
#include "rank_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAIR_ROWS = 5000 }; /* most rows compared with each other */
enum { HUGE_PAGE = 2 << 20 };

/* --- working memory --- */

int rank_work_need(rank_work *w, size_t bytes, rank_error *e)
{
  if (bytes <= w->bytes) {
    return 0;
  }
  size_t unit = bytes < HUGE_PAGE ? 4096 : HUGE_PAGE;
  size_t room = (bytes + bytes / 4 + unit - 1) / unit * unit;
  free(w->data);
  w->bytes = 0;
  w->data = aligned_alloc(unit, room);
  if (w->data == NULL) {
    return rank_fail(e, "out of memory: a batch needs %zu MB of working memory", room >> 20);
  }
  if (unit == HUGE_PAGE) {
    madvise(w->data, room, MADV_HUGEPAGE); /* only advice */
  }
  memset(w->data, 0, room); /* pages are touched here, not while being timed */
  w->bytes = room;
  return 0;
}

void rank_work_free(rank_work *w)
{
  free(w->data);
  *w = (rank_work){0};
}

/* --- what is gathered --- */

typedef struct gather {
  const rank_model *m;
  long rows;
  uint32_t *sample; /* rows kept for retrieval metrics, ascending */
  long nsample;
  char *full, *sampled; /* per output: wanted for all rows, for the sample */
  rank_real **values;   /* per output: [rows][width] when full, else [nsample][width] */
  rank_real **room;     /* per output: [batch][width], for those only sampled */
  rank_real **out;      /* what evaluate gets */
  int32_t **groups;     /* per input: [rows] */
  long **place;         /* per metric of a list: [rows] */
  void *scratch;
} gather;

int rank_is_retrieval(const rank_metric *metric)
{
  return strcmp(metric->name, "recall") == 0 || strcmp(metric->name, "ndcg") == 0 ||
         strcmp(metric->name, "mrr") == 0;
}

/* Knuth's selection sampling: each set of nsample rows is as likely. */
static void choose_sample(gather *g)
{
  uint64_t key = rank_random_key(1, 0, 0x73616d70u);
  for (long i = 0, have = 0; have < g->nsample; i++) {
    double left = (double)(g->rows - i), wanted = (double)(g->nsample - have);
    if (left * rank_random_at(key, (uint64_t)i, 0) < wanted) {
      g->sample[have++] = (uint32_t)i;
    }
  }
}

static size_t scratch_bytes(const gather *g)
{
  size_t most = 0;
  for (int i = 0; i < g->m->noutputs; i++) {
    long width = g->m->outputs[i].width;
    size_t a = g->full[i] ? rank_auc_scratch(g->rows * width) : 0;
    size_t b = g->sampled[i] ? rank_place_scratch(g->nsample, width) : 0;
    size_t pairs = g->sampled[i] ? 2 * (size_t)(g->nsample * width) * sizeof(rank_real) : 0;
    b += pairs + (size_t)g->nsample * sizeof(long) + 64;
    most = a > most ? a : most;
    most = b > most ? b : most;
  }
  return most + 64;
}

static void mark_wanted(gather *g)
{
  for (int i = 0; i < g->m->nmetrics; i++) {
    const rank_metric *metric = &g->m->metrics[i];
    for (int a = 0; a < metric->nargs; a++) {
      (rank_is_retrieval(metric) ? g->sampled : g->full)[metric->args[a]] = 1;
    }
  }
}

static void *array_of(long n, long width, size_t size)
{
  return calloc((size_t)(n > 0 ? n : 1), (size_t)width * size);
}

static int allocate_values(gather *g, long batch)
{
  int failed = 0;
  for (int i = 0; i < g->m->noutputs; i++) {
    long width = g->m->outputs[i].width;
    if (g->full[i] || g->sampled[i]) {
      g->values[i] = array_of(g->full[i] ? g->rows : g->nsample, width, sizeof(rank_real));
      failed |= g->values[i] == NULL;
    }
    if (g->sampled[i] && !g->full[i]) {
      g->room[i] = array_of(batch, width, sizeof(rank_real));
      failed |= g->room[i] == NULL;
    }
  }
  for (int i = 0; i < g->m->nmetrics; i++) {
    int by = g->m->metrics[i].by;
    if (by >= 0 && g->groups[by] == NULL) {
      g->groups[by] = array_of(g->rows, 1, sizeof(int32_t));
      failed |= g->groups[by] == NULL;
    }
    if (g->m->metrics[i].ranked) {
      g->place[i] = array_of(g->rows, 1, sizeof(long));
      failed |= g->place[i] == NULL;
    }
  }
  g->scratch = malloc(scratch_bytes(g));
  return failed || g->scratch == NULL;
}

static void gather_free(gather *g)
{
  for (int i = 0; g->values != NULL && i < g->m->noutputs; i++) {
    free(g->values[i]);
  }
  for (int i = 0; g->room != NULL && i < g->m->noutputs; i++) {
    free(g->room[i]);
  }
  for (int i = 0; g->groups != NULL && i < g->m->ninputs; i++) {
    free(g->groups[i]);
  }
  for (int i = 0; g->place != NULL && i < g->m->nmetrics; i++) {
    free(g->place[i]);
  }
  free(g->place);
  free(g->sample);
  free(g->full);
  free(g->sampled);
  free(g->values);
  free(g->room);
  free(g->out);
  free(g->groups);
  free(g->scratch);
}

static int gather_new(gather *g, const rank_model *m, long rows, long batch, rank_error *e)
{
  size_t n = (size_t)m->noutputs + 1;
  *g = (gather){.m = m, .rows = rows, .nsample = rows < PAIR_ROWS ? rows : PAIR_ROWS};
  g->sample = calloc((size_t)g->nsample + 1, sizeof *g->sample);
  g->full = calloc(n, 1);
  g->sampled = calloc(n, 1);
  g->values = calloc(n, sizeof *g->values);
  g->room = calloc(n, sizeof *g->room);
  g->out = calloc(n, sizeof *g->out);
  g->groups = calloc((size_t)m->ninputs + 1, sizeof *g->groups);
  g->place = calloc((size_t)m->nmetrics + 1, sizeof *g->place);
  int failed = !g->sample || !g->full || !g->sampled || !g->values || !g->room || !g->out ||
               !g->groups || !g->place;
  if (!failed) {
    choose_sample(g);
    mark_wanted(g);
    failed = allocate_values(g, batch);
  }
  if (failed) {
    gather_free(g);
    return rank_fail(e, "out of memory: the outputs of %ld rows do not fit", rows);
  }
  return 0;
}

/* Before a batch: where its outputs go. */
static void aim_outputs(gather *g, long done)
{
  for (int i = 0; i < g->m->noutputs; i++) {
    g->out[i] = g->full[i] ? g->values[i] + done * g->m->outputs[i].width : g->room[i];
  }
}

/* After it: the sampled rows and the groups. *next: the first sampled row not met yet. */
static void keep_batch(gather *g, const rank_batch *b, long done, long *next)
{
  for (; *next < g->nsample && (long)g->sample[*next] < done + b->n; ++*next) {
    long row = (long)g->sample[*next] - done;
    for (int i = 0; i < g->m->noutputs; i++) {
      size_t width = (size_t)g->m->outputs[i].width;
      if (g->room[i] != NULL) {
        memcpy(g->values[i] + (size_t)*next * width, g->room[i] + (size_t)row * width,
          width * sizeof(rank_real));
      }
    }
  }
  for (int i = 0; i < g->m->ninputs; i++) {
    if (g->groups[i] != NULL) {
      memcpy(g->groups[i] + done, b->input[i], (size_t)b->n * sizeof(int32_t));
    }
  }
  for (int i = 0; i < g->m->nmetrics; i++) {
    if (g->place[i] != NULL) {
      rank_list_places(g->m, &g->m->metrics[i], b, g->place[i] + done);
    }
  }
}

/* --- metrics --- */

/* The sampled rows of an output, copied out when all rows are there. */
static const rank_real *sampled_values(const gather *g, int output, rank_real *copy)
{
  if (!g->full[output]) {
    return g->values[output];
  }
  size_t width = (size_t)g->m->outputs[output].width;
  for (long i = 0; i < g->nsample; i++) {
    memcpy(copy + (size_t)i * width, g->values[output] + g->sample[i] * width,
      width * sizeof(rank_real));
  }
  return copy;
}

/* "recall(u, a; k = 10, 100)" for k = 10: "recall(u, a; k = 10)". */
static void name_scores(const rank_metric *metric, rank_score *score)
{
  int n = metric->nk > 0 ? metric->nk : 1;
  for (int i = 0; i < n; i++) {
    size_t base = strcspn(metric->text, ";)");
    if (metric->nk > 1) {
      snprintf(score[i].name, sizeof score[i].name, "%.*s; k = %ld)", (int)base, metric->text,
        metric->k[i]);
    } else {
      snprintf(score[i].name, sizeof score[i].name, "%s", metric->text);
    }
  }
}

int rank_retrieval_scores(
  const rank_metric *metric, const long *place, long rows, rank_score *score)
{
  int n = metric->nk > 0 ? metric->nk : 1;
  name_scores(metric, score);
  for (int i = 0; i < n; i++) {
    long k = metric->nk > 0 ? metric->k[i] : 0;
    score[i].value = metric->name[0] == 'r'   ? rank_recall(place, rows, k)
                     : metric->name[0] == 'n' ? rank_ndcg(place, rows, k)
                                              : rank_mrr(place, rows, k);
  }
  return n;
}

static int retrieval(const gather *g, const rank_metric *metric, rank_score *score)
{
  int u = metric->args[0], a = metric->args[1];
  long width = g->m->outputs[u].width;
  long *place = g->scratch;
  char *at = (char *)g->scratch + (size_t)g->nsample * sizeof(long);
  rank_real *copy = (rank_real *)(void *)at;
  at += 2 * (size_t)(g->nsample * width) * sizeof(rank_real);
  at += -(uintptr_t)at & 63;
  rank_places(sampled_values(g, u, copy), sampled_values(g, a, copy + g->nsample * width),
    g->nsample, width, place, at);
  return rank_retrieval_scores(metric, place, g->nsample, score);
}

static double pointwise(const gather *g, const rank_metric *metric)
{
  static const struct {
    const char *name;
    double (*value)(const rank_real *p, const rank_real *y, long n);
  } table[] = {{"logloss", rank_logloss}, {"ne", rank_ne}, {"calibration", rank_calibration},
    {"mse", rank_mse}, {"mae", rank_mae}, {"accuracy", rank_accuracy}};
  const rank_real *p = g->values[metric->args[0]], *y = g->values[metric->args[1]];
  long width = g->m->outputs[metric->args[0]].width, n = g->rows * width;
  if (g->m->outputs[metric->args[1]].width != width) {
    return (double)NAN;
  }
  if (strcmp(metric->name, "auc") == 0) {
    return rank_auc(p, y, n, g->scratch);
  }
  if (strcmp(metric->name, "gauc") == 0 && metric->by >= 0) {
    return rank_gauc(p, y, g->groups[metric->by], width, n, g->scratch);
  }
  if (strcmp(metric->name, "rmse") == 0) {
    return sqrt(rank_mse(p, y, n));
  }
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (strcmp(metric->name, table[i].name) == 0) {
      return table[i].value(p, y, n);
    }
  }
  return (double)NAN;
}

static int compute_scores(const gather *g, rank_scores *scores, rank_error *e)
{
  int n = 0;
  for (int i = 0; i < g->m->nmetrics; i++) {
    n += g->m->metrics[i].nk > 0 ? g->m->metrics[i].nk : 1;
  }
  scores->score = calloc((size_t)n + 1, sizeof *scores->score);
  if (scores->score == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < g->m->nmetrics; i++) {
    rank_score *score = scores->score + scores->n;
    if (g->m->metrics[i].ranked) {
      scores->n += rank_retrieval_scores(&g->m->metrics[i], g->place[i], g->rows, score);
    } else if (rank_is_retrieval(&g->m->metrics[i])) {
      scores->n += retrieval(g, &g->m->metrics[i], score);
    } else {
      name_scores(&g->m->metrics[i], score);
      score->value = pointwise(g, &g->m->metrics[i]);
      scores->n++;
    }
  }
  return 0;
}

/* --- evaluation --- */

typedef struct pass {
  const rank_model *m;
  const rank_state *s;
  rank_rows rows;
  long batch;
  int threads;
  const volatile int *stop;
  rank_batcher *batcher;
  rank_work work;
  double sum; /* of the loss over samples */
} pass;

static int run_batches(pass *p, gather *g, rank_error *e)
{
  for (long done = 0, next = 0; done < p->rows.n; done += p->batch) {
    if (p->stop != NULL && *p->stop != 0) {
      return 1;
    }
    long n = p->rows.n - done < p->batch ? p->rows.n - done : p->batch;
    const rank_batch *b = rank_batch_range(p->batcher, p->rows.first + done, n);
    if (b == NULL || rank_work_need(&p->work, p->m->workspace(p->s, b, p->threads, 0), e) != 0) {
      return b == NULL ? rank_fail(e, "out of memory: a batch of %ld rows", n) : -1;
    }
    double loss = 0;
    aim_outputs(g, done);
    rank_guard_clear();
    rank_status status = p->m->evaluate(p->s, b, g->out, &loss, p->work.data, p->threads);
    if (status != RANK_OK) {
      rank_explain_batch(p->m, p->s, b, status, e);
      return -1;
    }
    if (rank_guard_check(p->rows.first + done, e) != 0) {
      return -1;
    }
    p->sum += loss * (double)n;
    keep_batch(g, b, done, &next);
  }
  return 0;
}

int rank_evaluate(const rank_model *m, const rank_state *s, rank_rows rows, long batch, int threads,
  const volatile int *stop, rank_scores *scores, rank_error *e)
{
  gather g;
  *scores = (rank_scores){.rows = rows.n};
  if (gather_new(&g, m, rows.n, batch, e) != 0) {
    return -1;
  }
  pass p = {m, s, rows, batch, threads, stop, rank_batcher_new(rows.data, batch), {0}, 0};
  int failed = p.batcher == NULL ? rank_fail(e, "out of memory: a batch of %ld rows", batch)
                                 : run_batches(&p, &g, e);
  scores->loss = rows.n > 0 && !m->no_loss ? p.sum / (double)rows.n : (double)NAN;
  if (failed == 0) {
    failed = compute_scores(&g, scores, e);
  }
  rank_batcher_free(p.batcher);
  rank_work_free(&p.work);
  gather_free(&g);
  return failed;
}

void rank_scores_free(rank_scores *scores)
{
  free(scores->score);
  *scores = (rank_scores){0};
}

double rank_scores_rank(const rank_model *m, const rank_scores *scores)
{
  static const char *const falling[] = {"logloss", "ne", "mse", "rmse", "mae"};
  if (m->nmetrics == 0 || scores->n == 0) {
    return -scores->loss;
  }
  double value = scores->score[0].value;
  if (strcmp(m->metrics[0].name, "calibration") == 0) {
    return -fabs(value - 1);
  }
  for (size_t i = 0; i < sizeof falling / sizeof *falling; i++) {
    if (strcmp(m->metrics[0].name, falling[i]) == 0) {
      return -value;
    }
  }
  return value;
}
