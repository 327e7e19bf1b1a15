/* train.c: the loop over epochs and batches.
 *
 * One idea: where training stands is a rank_position, and everything random is a function of it and the
 * seed (order of an epoch, dropout). So stopping is saving state and position, and going on is the same
 * loop entered in the middle: the bits are those of a run that was never stopped. */

#include "rank_guard.h"
#include "rank_runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CHECKPOINT_EVERY = 60; /* seconds, at ends of epochs */

enum {
  TRIALS = 24,
  WARM = 8
}; /* steps until the number of threads is settled, the first of them not timed */

typedef struct loop {
  rank_training *t;
  int threads;     /* of the next step */
  long trials;     /* steps so far, up to TRIALS */
  double least[2]; /* seconds of the fastest trial: with all threads, with one */
  rank_batcher *batcher;
  rank_work work;
  uint32_t *order;
  long batches; /* an epoch's */
  double epoch_start, validation_start, saved;
  long started;  /* steps of this epoch that were done before this run */
  double recent; /* losses since the last log line, */
  long nrecent;  /* and how many */
} loop;

static long batch_size(const loop *l, long index)
{
  long left = l->t->train.n - index * l->t->batch;
  return left < l->t->batch ? left : l->t->batch;
}

/* --- saving --- */

/* Everything needed to go on from here, the best epoch so far included. */
static int save_current(loop *l, rank_error *e)
{
  rank_training *t = l->t;
  if (t->save == NULL) {
    return 0;
  }
  int bad = rank_state_bad(t->s, t->m);
  if (bad >= 0) {
    return rank_fail(e, "parameter %s is not finite after step %llu; nothing was saved",
      t->m->params[bad].name, (unsigned long long)t->s->step);
  }
  int is_best = t->at.best_epoch == t->at.epoch && t->at.batches == 0;
  const rank_state *best = t->best != NULL && t->at.best_epoch > 0 && !is_best ? t->best : NULL;
  l->saved = rank_now();
  return rank_weights_save(t->save, t->m, t->s, best, t->enc, &t->at, e);
}

/* At the end: the best epoch's state where one was kept. */
static int save_final(loop *l, rank_error *e)
{
  rank_training *t = l->t;
  if (t->best != NULL && t->at.best_epoch > 0 && t->at.best_epoch != t->at.epoch) {
    rank_state_copy(t->s, t->best, t->m);
    t->at.epoch = t->at.best_epoch;
    t->at.batches = 0;
    t->at.loss_sum = 0;
    rank_log_line(t->log, "keeping the weights of epoch %ld, the best", t->at.epoch);
  }
  if (t->best != NULL && t->at.best_epoch > 0) {
    rank_plot_mark(t->plot, (double)t->at.epoch);
  }
  return save_current(l, e);
}

/* --- a step --- */

/* "rows 3, 17, 5, ... (128 rows) of clicks.csv", from 1. */
static void list_rows(const loop *l, long first, long n, char *text, size_t room)
{
  size_t at = (size_t)snprintf(text, room, "rows ");
  for (long i = 0; i < n && i < 6; i++) {
    at += (size_t)snprintf(
      text + at, room - at, "%s%lu", i ? ", " : "", (unsigned long)l->order[first + i] + 1);
  }
  snprintf(text + at, room - at, n > 6 ? ", ... (%ld rows) of %.300s" : " (%ld) of %.300s", n,
    l->t->from != NULL ? l->t->from : "the training data");
}

/* The first thing that went bad and, when it is known, the row that it is of. Gives what to try. */
static const char *find_cause(loop *l, long first, long n, char *text, size_t room)
{
  const rank_training *t = l->t;
  char what[512];
  long at = -1;
  const char *advice = "";
  if (!rank_guard_text(what, sizeof what, &at)) {
    advice =
      ". A smaller --lr may help; a program of `rankc build --check` names the value and its "
      "line of the model";
    if (!rank_state_bad_text(t->m, t->s, what, sizeof what)) {
      at = rank_bad_row(t->m, t->s, l->batcher, l->order + first, n, what, sizeof what);
      if (at < 0) {
        snprintf(what, sizeof what, "no row of them makes it so by itself");
      }
    }
  }
  if (at >= 0 && at < n) {
    snprintf(text, room, "row %lu: %s", (unsigned long)l->order[first + at] + 1, what);
  } else {
    snprintf(text, room, "%s", what);
  }
  return advice;
}

/* After a step that changed no parameter, as its loss is not finite, or in a checked program another value. */
static int bad_step(loop *l, double loss, long first, long n, rank_error *e)
{
  const rank_training *t = l->t;
  char rows[500], cause[600], said[64] = "a value is not finite";
  list_rows(l, first, n, rows, sizeof rows);
  const char *advice = find_cause(l, first, n, cause, sizeof cause);
  if (!isfinite(loss)) {
    snprintf(said, sizeof said, "the loss is %s", rank_not_finite(loss));
  }
  return rank_fail(e, "epoch %ld, step %llu: %s on %s; %s. Stopped; nothing was saved%s%s",
    t->at.epoch + 1, (unsigned long long)t->s->step + 1, said, rows, cause,
    t->save != NULL ? ", what an earlier run left is untouched" : "", advice);
}

/* ---- how many threads ----
 *
 * Threads of a small batch spend their time waiting for each other: there one is faster, twice as fast for
 * factorization machines on batches of 128. They change no bit, so both are tried while training goes on. */

static void begin_trials(loop *l)
{
  l->threads = l->t->threads;
  l->trials = l->t->fewer && l->t->threads > 1 ? 0 : TRIALS;
  l->least[0] = l->least[1] = (double)INFINITY;
}

/* After a step that took so long. */
static void try_threads(loop *l, double seconds)
{
  if (l->trials == TRIALS) {
    return;
  }
  if (l->trials >= WARM) {
    l->least[l->threads == 1] = fmin(l->least[l->threads == 1], seconds);
  }
  l->trials++;
  l->threads = l->trials % 2 == 1 ? 1 : l->t->threads;
  if (l->trials == TRIALS) {
    l->threads = l->least[1] < l->least[0] ? 1 : l->t->threads;
  }
}

static int train_step(loop *l, long index, rank_error *e)
{
  rank_training *t = l->t;
  long n = batch_size(l, index), first = index * t->batch;
  const rank_batch *b = rank_batch_rows(l->batcher, l->order + first, n);
  if (b == NULL) {
    return rank_fail(e, "out of memory: a batch of %ld rows", n);
  }
  if (rank_work_need(&l->work, t->m->workspace(t->s, b, t->threads, 1), e) != 0) {
    return -1;
  }
  rank_step step = {
    .lr = t->lr, .steps = l->batches * t->epochs, .update = 1, .threads = l->threads};
  double loss = 0, start = rank_now();
  uint64_t done = t->s->step;
  rank_guard_bad bad;
  rank_guard_clear();
  rank_status status = t->m->train(t->s, b, &step, &loss, l->work.data);
  try_threads(l, rank_now() - start);
  if (status != RANK_OK) {
    rank_explain_batch(t->m, t->s, b, status, e);
    return -1;
  }
  if (!isfinite(loss) || rank_guard_first(&bad)) {
    t->s->step = done;
    return bad_step(l, loss, first, n, e);
  }
  t->s->step = done + 1;
  t->at.loss_sum += loss * (double)n;
  t->at.batches = index + 1;
  l->recent += loss;
  l->nrecent++;
  return 0;
}

/* --- what is shown --- */

static double speed(const loop *l, double now)
{
  long n = l->t->at.batches - l->started;
  double seconds = now - l->epoch_start;
  return seconds > 0 ? (double)(n * l->t->batch) / seconds : 0;
}

static double mean_loss(const loop *l)
{
  long n = l->t->at.batches * l->t->batch;
  return l->t->at.loss_sum / (double)(n < l->t->train.n ? n : l->t->train.n);
}

/* The mean over the steps since the last time, to the log and to the curves. */
static void note_steps(loop *l)
{
  rank_training *t = l->t;
  double loss = l->recent / (double)l->nrecent;
  if (t->log->json != NULL) {
    fprintf(t->log->json,
      "{\"event\": \"step\", \"epoch\": %ld, \"step\": %llu, \"loss\": ", t->at.epoch + 1,
      (unsigned long long)t->s->step);
    rank_json_number(t->log->json, loss);
    fputs("}\n", t->log->json);
  }
  double x = (double)t->at.epoch + (double)t->at.batches / (double)l->batches;
  rank_plot_point(t->plot, "loss", "training, by step", x, loss);
  l->recent = 0;
  l->nrecent = 0;
}

static void show_step(loop *l)
{
  rank_training *t = l->t;
  char text[160], count[32];
  if (t->log_every > 0 && l->nrecent >= t->log_every) {
    note_steps(l);
  }
  double now = rank_now(), rate = speed(l, now);
  double left = (double)(l->batches - t->at.batches) * (double)t->batch / (rate > 0 ? rate : 1);
  snprintf(text, sizeof text, "epoch %ld/%ld  loss %.4f  %s samples/s  %.0f s left",
    t->at.epoch + 1, t->epochs, mean_loss(l), rank_count_text(rate, count), left);
  rank_log_progress(t->log, (double)t->at.batches / (double)l->batches, text);
}

static void show_epoch(loop *l, const rank_scores *scores)
{
  rank_training *t = l->t;
  double rate = speed(l, l->validation_start), seconds = rank_now() - l->epoch_start;
  char text[1500], count[32];
  size_t at = (size_t)snprintf(
    text, sizeof text, "epoch %ld/%ld  loss %.5f", t->at.epoch + 1, t->epochs, mean_loss(l));
  if (t->valid.n > 0) {
    at += (size_t)snprintf(text + at, sizeof text - at, "  valid loss %.5f", scores->loss);
  }
  for (int i = 0; i < scores->n && at < sizeof text; i++) {
    const rank_score *s = &scores->score[i];
    at += (size_t)(isnan(s->value)
                     ? snprintf(text + at, sizeof text - at, "  %s n/a", s->name)
                     : snprintf(text + at, sizeof text - at, "  %s %.5f", s->name, s->value));
  }
  rank_log_line(t->log, "%s  %s samples/s  %.1f s", text, rank_count_text(rate, count), seconds);
  FILE *json = t->log->json;
  if (json == NULL) {
    return;
  }
  fprintf(json,
    "{\"event\": \"epoch\", \"epoch\": %ld, \"step\": %llu, \"loss\": ", t->at.epoch + 1,
    (unsigned long long)t->s->step);
  rank_json_number(json, mean_loss(l));
  if (t->valid.n > 0) {
    fputs(", \"valid_loss\": ", json);
    rank_json_number(json, scores->loss);
    fputs(", \"metrics\": ", json);
    rank_json_scores(json, scores);
  }
  fprintf(json, ", \"samples_per_s\": %.1f, \"seconds\": %.3f}\n", rate, seconds);
}

/* --- an epoch --- */

static int train_epoch(loop *l, rank_error *e)
{
  rank_training *t = l->t;
  rank_shuffle(l->order, t->train.n, t->at.seed, (uint64_t)t->at.epoch);
  for (long i = 0; i < t->train.n && t->train.first != 0; i++) {
    l->order[i] += (uint32_t)t->train.first;
  }
  l->epoch_start = rank_now();
  l->started = t->at.batches;
  for (long i = t->at.batches; i < l->batches; i++) {
    if (*t->stop != 0) {
      return 1;
    }
    if (train_step(l, i, e) != 0) {
      return -1;
    }
    show_step(l);
    if (t->checkpoint > 0 && t->s->step % (uint64_t)t->checkpoint == 0 && save_current(l, e) != 0) {
      return -1;
    }
  }
  return *t->stop != 0 ? 1 : 0;
}

/* 1: the epochs after the best one have used up the patience. */
static int judge_epoch(loop *l, const rank_scores *scores)
{
  rank_training *t = l->t;
  if (t->best == NULL) {
    return 0;
  }
  double score = rank_scores_rank(t->m, scores);
  if (t->at.best_epoch == 0 || isnan(t->at.best) || score > t->at.best) {
    t->at.best = score;
    t->at.best_epoch = t->at.epoch;
    rank_state_copy(t->best, t->s, t->m);
  }
  return t->patience > 0 && t->at.epoch - t->at.best_epoch >= t->patience;
}

/* 0: go on; 1: stopped by a signal; 2: early; -1. */
static int run_epoch(loop *l, rank_error *e)
{
  rank_training *t = l->t;
  rank_scores scores = {0};
  int result = train_epoch(l, e);
  if (result != 0) {
    return result;
  }
  l->validation_start = rank_now();
  if (t->valid.n > 0) {
    rank_log_progress(t->log, 1, "validating");
    result = rank_evaluate(t->m, t->s, t->valid, t->batch, t->threads, t->stop, &scores, e);
    if (result != 0) {
      return result;
    }
  }
  show_epoch(l, &scores);
  rank_plot_point(t->plot, "loss", "training, by epoch", (double)t->at.epoch + 1, mean_loss(l));
  if (t->valid.n > 0) {
    rank_plot_scores(t->plot, (double)t->at.epoch + 1, &scores);
  }
  t->at.epoch++;
  t->at.batches = 0;
  t->at.loss_sum = 0;
  int early = judge_epoch(l, &scores);
  rank_scores_free(&scores);
  if (rank_plot_write(t->plot, e) != 0) {
    return -1;
  }
  if (early) {
    rank_log_line(t->log, "stopping early: no better epoch in %ld", t->patience);
    return 2;
  }
  if (rank_now() - l->saved > CHECKPOINT_EVERY && t->at.epoch < t->epochs) {
    return save_current(l, e);
  }
  return 0;
}

static int check_position(const loop *l, rank_error *e)
{
  const rank_training *t = l->t;
  if (l->batches == 0) {
    return rank_fail(e, "%ld rows to train on are fewer than a batch of %ld", t->train.n, t->batch);
  }
  if (t->at.batches > 0 && (t->at.batch != t->batch || t->at.rows != t->train.n)) {
    return rank_fail(e,
      "the loaded file stands in the middle of an epoch of %ld rows in batches of %ld; it cannot "
      "go "
      "on with %ld rows in batches of %ld",
      t->at.rows, t->at.batch, t->train.n, t->batch);
  }
  return t->at.batches > l->batches
           ? rank_fail(e, "the loaded file's place in its epoch is damaged")
           : 0;
}

int rank_train(rank_training *t, rank_error *e)
{
  loop l = {.t = t, .saved = rank_now()};
  l.batches = t->drop_last ? t->train.n / t->batch : (t->train.n + t->batch - 1) / t->batch;
  begin_trials(&l);
  if (check_position(&l, e) != 0) {
    return -1;
  }
  t->at.batch = t->batch;
  t->at.rows = t->train.n;
  l.order = malloc((size_t)t->train.n * sizeof *l.order);
  l.batcher = rank_batcher_new(t->train.data, t->batch);
  int result = l.order == NULL || l.batcher == NULL ? rank_fail(e, "out of memory") : 0;
  while (result == 0 && t->at.epoch < t->epochs) {
    result = run_epoch(&l, e);
  }
  if (result == 1) {
    result = save_current(&l, e) != 0 ? -1 : 1;
  } else if (result >= 0) {
    result = save_final(&l, e);
  }
  if (rank_plot_write(t->plot, result < 0 ? NULL : e) != 0) { /* also what led to a failure */
    result = -1;
  }
  rank_log_clear(t->log);
  free(l.order);
  rank_batcher_free(l.batcher);
  rank_work_free(&l.work);
  return result;
}
