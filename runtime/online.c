/* online.c: see online.h.
 *
 * One idea: a save holds the weights, the optimizer's state and the place behind the last row that they have
 * learnt, in one file that is replaced at once. So what is saved is what is acknowledged, a row is learnt
 * never twice and never not, and going on gives the bits of a run that was not stopped. What comes between
 * two saves is lost when the program is killed, and was not acknowledged. */

#include "online.h"
#include "rank_guard.h"

#include <math.h>
#include <stdlib.h>

typedef struct learning {
  rank_online *o;
  rank_status (*train)(
    rank_state *s, const rank_batch *b, const rank_step *step, double *loss, void *work);
  rank_step step;
  rank_work work;
  long saved_rows, first_rows; /* of at.online.rows */
  double saved, shown, started;
} learning;

static const double ENDLESS = 1e9; /* steps, for schedules: the stream has no end that is known */

/* --- what is said --- */

static void show(learning *l)
{
  rank_online *o = l->o;
  const rank_online_place *p = &o->at.online;
  if (p->window_rows == 0) {
    return;
  }
  double now = rank_now(), rate = (double)p->window_rows / (now - l->shown);
  double loss = p->loss / (double)p->rows, window = p->window_loss / (double)p->window_rows;
  char rows[32], count[32];
  rank_log_line(o->log, "row %s  loss %.5f  last %ld %.5f  %s rows/s",
    rank_count_text((double)p->rows, rows), loss, p->window_rows, window,
    rank_count_text(rate, count));
  if (o->log->json != NULL) {
    fprintf(o->log->json, "{\"event\": \"online\", \"row\": %ld, \"loss\": ", p->rows);
    rank_json_number(o->log->json, loss);
    fprintf(o->log->json, ", \"window\": %ld, \"window_loss\": ", p->window_rows);
    rank_json_number(o->log->json, window);
    fprintf(o->log->json, ", \"rows_per_s\": %.1f}\n", rate);
  }
  l->shown = now;
}

static void acknowledge(const rank_online *o)
{
  if (o->ack) {
    printf("%ld\n", o->at.online.rows);
    fflush(stdout);
  }
}

/* --- saving --- */

static int save(learning *l, rank_error *e)
{
  rank_online *o = l->o;
  int bad = rank_state_bad(o->s, o->m);
  if (bad >= 0) {
    return rank_fail(e,
      "parameter %s is not finite after row %ld; the file of row %ld is untouched. A smaller --lr "
      "may help",
      o->m->params[bad].name, o->at.online.rows, l->saved_rows);
  }
  stream_where(o->stream, &o->at.online.place);
  if (rank_weights_save(o->save, o->m, o->s, NULL, o->enc, &o->at, e) != 0) {
    return -1;
  }
  l->saved = rank_now();
  l->saved_rows = o->at.online.rows;
  acknowledge(o);
  return 0;
}

/* Time is asked for once in a block. */
static int save_if_due(learning *l, rank_error *e)
{
  const rank_online *o = l->o;
  long rows = o->at.online.rows - l->saved_rows;
  if (rows == 0) {
    l->saved = rank_now(); /* the clock starts with the first row */
    return 0;
  }
  int due = (o->checkpoint > 0 && rows >= o->checkpoint) || rank_now() - l->saved >= o->seconds;
  return due ? save(l, e) : 0;
}

/* --- learning --- */

/* The step changed no parameter. */
static int bad_step(const rank_online *o, double loss, long saved, rank_error *e)
{
  char what[512] = "";
  long sample = 0, row = o->at.online.rows + 1;
  if (rank_guard_text(what, sizeof what, &sample)) {
    return rank_fail(e, "row %ld: %s. Stopped; the file of row %ld is untouched",
      row + (sample > 0 ? sample : 0), what, saved);
  }
  if (!rank_state_bad_text(o->m, o->s, what, sizeof what)) {
    snprintf(what, sizeof what, "all parameters are finite");
  }
  return rank_fail(e,
    "row %ld: the loss is %s, %s. Stopped; the file of row %ld is untouched. A smaller --lr may "
    "help; a "
    "program of `rankc build --check` names the value and its line of the model",
    row, rank_not_finite(loss), what, saved);
}

static int learn_rows(learning *l, long first, long n, rank_error *e)
{
  rank_online *o = l->o;
  rank_online_place *p = &o->at.online;
  double loss = 0;
  uint64_t done = o->s->step;
  rank_guard_bad bad;
  rank_guard_clear();
  rank_status status =
    l->train(o->s, stream_batch(o->stream, first, n), &l->step, &loss, l->work.data);
  if (status != RANK_OK) {
    return rank_fail(e, "row %ld: %s", p->rows + 1, rank_status_text(status));
  }
  if (!isfinite(loss) || rank_guard_first(&bad)) {
    o->s->step = done;
    return bad_step(o, loss, l->saved_rows, e);
  }
  o->s->step = done + 1;
  p->rows += n;
  p->loss += loss * (double)n;
  p->window_rows += n;
  p->window_loss += loss * (double)n;
  return 0;
}

/* The whole block, step by step. */
static int learn_block(learning *l, rank_error *e)
{
  rank_online *o = l->o;
  long rows = stream_rows(o->stream);
  if (rows == 0) {
    return 0;
  }
  if (stream_ready(o->stream, e) != 0) {
    return -1;
  }
  for (long i = 0; i < rows; i += o->batch) {
    if (learn_rows(l, i, rows - i < o->batch ? rows - i : o->batch, e) != 0) {
      return -1;
    }
  }
  stream_clear(o->stream);
  if (o->at.online.window_rows >= o->log_every) {
    show(l);
    o->at.online.window_rows = 0;
    o->at.online.window_loss = 0;
  }
  return save_if_due(l, e);
}

static long at_most(long a, long b)
{
  return a < b ? a : b;
}

/* As many rows as may join the block, so that lines and saves come behind the rows that they should. */
static long wanted(const learning *l)
{
  const rank_online *o = l->o;
  if (o->batch > 1) {
    return o->batch;
  }
  long n = at_most(RANK_ONLINE_BLOCK, o->log_every - o->at.online.window_rows);
  long until = o->checkpoint > 0 ? o->checkpoint - (o->at.online.rows - l->saved_rows) : n;
  n = at_most(n, until);
  return n > 0 ? n : 1;
}

/* Learns and saves what came before a bad row, and says so. */
static int stop_at_bad_row(learning *l, rank_error *e)
{
  rank_error why = *e;
  if (learn_block(l, e) != 0 || (l->o->at.online.rows > l->saved_rows && save(l, e) != 0)) {
    return -1;
  }
  return rank_fail(e, "%.800s (the %ld rows before it are learnt, and saved to %.150s)", why.text,
    l->o->at.online.rows, l->o->save);
}

/* 0: there is more; 1: the end; 2: stopped; -1. */
static int advance(learning *l, rank_error *e)
{
  rank_online *o = l->o;
  long want = wanted(l);
  if (*o->stop != 0) {
    return 2;
  }
  if (stream_take(o->stream, want, e) != 0) {
    return stop_at_bad_row(l, e);
  }
  long rows = stream_rows(o->stream);
  int ended = stream_ended(o->stream) && rows < want;
  if (rows >= want || (o->batch == 1 && rows > 0) || ended) {
    return learn_block(l, e) != 0 ? -1 : ended;
  }
  double left = l->saved + o->seconds - rank_now();
  if (stream_wait(o->stream, left < 0.01 ? 0.01 : left < 0.2 ? left : 0.2, o->follow, e) < 0) {
    return stop_at_bad_row(l, e);
  }
  return save_if_due(l, e);
}

int rank_online_learn(rank_online *o, rank_error *e)
{
  double now = rank_now();
  learning l = {.o = o,
    .train = o->m->train_serial != NULL ? o->m->train_serial : o->m->train,
    .step = {.lr = o->lr, .steps = (long)ENDLESS, .update = 1, .threads = 1},
    .saved_rows = o->at.online.rows,
    .first_rows = o->at.online.rows,
    .saved = now,
    .shown = now,
    .started = now};
  rank_batch largest = {.n = o->batch};
  int result = rank_work_need(&l.work, o->m->workspace(o->s, &largest, 1, 1), e);
  if (result == 0) {
    acknowledge(o);
  }
  while (result == 0) {
    result = advance(&l, e);
  }
  rank_log_clear(o->log);
  if (result > 0 && (o->at.online.rows > l.saved_rows || l.saved_rows == l.first_rows)) {
    show(&l);
    result = save(&l, e) != 0 ? -1 : result;
  }
  rank_work_free(&l.work);
  return result < 0 ? -1 : result - 1;
}
