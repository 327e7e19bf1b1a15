/* program_online.c: `train --online`: weights, signals and words around rank_online_learn. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "online.h"
#include "program.h"

#include <math.h>
#include <signal.h>
#include <string.h>

typedef struct online {
  const rank_model *m;
  const program_options *o;
  rank_log log;
  program_model model;
  rank_stream *stream;
  const char *data, *save;
} online;

/* What is learnt from all the data at once must be there: a stream has no second pass. */
static int check_learnt(const online *t, rank_error *e)
{
  const rank_encoders *enc = t->model.enc;
  if (rank_encoders_fitted(enc) && (t->m->nfits == 0 || rank_fits_ready(rank_encoders_fits(enc)))) {
    return 0;
  }
  return rank_fail(e,
    "%s has encodings or fits that are learnt from a file, and %s%s: `%s train --data FILE` first, "
    "then --online "
    "--load ITS-WEIGHTS",
    t->m->name, t->o->load != NULL ? "they are not in " : "there is no --load",
    t->o->load != NULL ? t->o->load : "", t->m->name);
}

static int fill(online *t, rank_error *e)
{
  program_model *p = &t->model;
  uint64_t seed = t->o->has_seed ? t->o->seed : (uint64_t)t->m->seed;
  if (check_learnt(t, e) != 0 || program_fill(p, t->m, 1, seed, 1, e) != 0) {
    return -1;
  }
  /* Epochs of a training that stopped inside one cannot be gone on with from weights that others moved. */
  p->at.batches = 0;
  p->at.loss_sum = 0;
  p->at.best_epoch = 0;
  p->at.best = (double)NAN;
  return 0;
}

static int open_stream(online *t, long batch, rank_error *e)
{
  t->stream = stream_open(t->m, t->model.enc, t->data, batch > 1 ? batch : RANK_ONLINE_BLOCK, e);
  if (t->stream == NULL) {
    return -1;
  }
  rank_place *at = &t->model.at.online.place;
  if (at->offset == 0 || !stream_is_file(t->stream) || t->o->from_start) {
    return 0;
  }
  return stream_seek(t->stream, at, e);
}

static void say_start(online *t, long batch)
{
  const rank_online_place *at = &t->model.at.online;
  char rows[32];
  rank_log_line(&t->log, "%s: learning from %s row by row%s, %s, seed %llu", t->m->name,
    stream_name(t->stream), batch > 1 ? " (steps of several)" : "", t->m->optimizer,
    (unsigned long long)t->model.at.seed);
  if (at->rows > 0) {
    rank_log_line(&t->log, "going on after row %s%s", rank_count_text((double)at->rows, rows),
      stream_is_file(t->stream) ? "" : ": the next row that comes is the one behind it");
  }
}

static int say_end(online *t, int result)
{
  const rank_online_place *at = &t->model.at.online;
  char rows[32];
  rank_count_text((double)at->rows, rows);
  if (stream_unread(t->stream) > 0 && result == 0) {
    rank_log_line(&t->log, "%s ends with %ld bytes and no newline: that is no row yet",
      stream_name(t->stream), stream_unread(t->stream));
  }
  if (result == 0) {
    rank_log_line(&t->log, "%s rows learnt, loss %.5f; saved to %s", rows,
      at->rows > 0 ? at->loss / (double)at->rows : 0, t->save);
    return 0;
  }
  int number = *program_signals();
  rank_log_line(&t->log, "stopped by %s after row %s; saved to %s",
    number == SIGINT ? "SIGINT" : "SIGTERM", rows, t->save);
  rank_log_line(&t->log, "to go on: the same command with --load %s%s", t->save,
    stream_is_file(t->stream) ? "" : ", and the rows behind that one");
  return 128 + number;
}

static int run(online *t, rank_error *e)
{
  const program_options *o = t->o;
  rank_online learning = {.m = t->m,
    .s = &t->model.state,
    .enc = t->model.enc,
    .lr = o->lr > 0 ? o->lr : t->m->lr,
    .batch = o->batch > 0 ? o->batch : 1,
    .log_every = o->log_every > 0 ? o->log_every : 10000,
    .checkpoint = o->checkpoint,
    .seconds = o->seconds > 0 ? o->seconds : 10,
    .follow = o->follow,
    .ack = o->ack,
    .save = t->save,
    .log = &t->log,
    .stop = program_signals()};
  if (program_check_writable(t->save, e) != 0 || fill(t, e) != 0 ||
      open_stream(t, learning.batch, e) != 0) {
    return -1;
  }
  learning.stream = t->stream;
  learning.at = t->model.at;
  say_start(t, learning.batch);
  int result = rank_online_learn(&learning, e);
  t->model.at = learning.at;
  return result < 0 ? -1 : say_end(t, result);
}

int program_online(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  char save[512];
  online t = {.m = m, .o = o, .data = o->data != NULL ? o->data : "-", .save = o->save};
  int code = -1;
  if (t.save == NULL) {
    snprintf(save, sizeof save, "%.480s.safetensors", m->name);
    t.save = save;
  }
  if (rank_log_open(&t.log, o->quiet, o->log, o->load != NULL, &e) == 0) {
    t.log.out = o->ack ? stderr : stdout;
    if (program_open(&t.model, m, o->load, &e) == 0) {
      code = run(&t, &e);
    }
    if (rank_log_close(&t.log, code < 0 ? NULL : &e) != 0 && code == 0) {
      code = -1;
    }
  }
  stream_close(t.stream);
  program_close(&t.model, m);
  return code < 0 ? program_error(m, &e) : code;
}
