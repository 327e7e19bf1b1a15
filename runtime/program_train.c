/* program_train.c: the command `train`: data, weights and signals around rank_train. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "program.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYNTHETIC_ROWS = 20000 };

typedef struct trainer {
  const rank_model *m;
  program_options o;
  rank_log log;
  program_model model;
  rank_data *data, *valid;
  rank_rows train_rows, valid_rows;
  rank_state best;
  rank_plot *plot; /* NULL: none is wanted */
  char save[512];
  char made_up[64]; /* temporary file, "" when there is none */
} trainer;

/* --- data --- */

static int make_data(trainer *t, rank_error *e)
{
  long rows = t->o.rows > 0 ? t->o.rows : SYNTHETIC_ROWS;
  char count[32];
  rank_log_line(&t->log, "no --data: training on %s rows of made-up data (see `%s synth')",
    rank_count_text((double)rows, count), t->m->name);
  t->o.data = t->made_up;
  t->o.no_cache = 1;
  t->o.valid_split = t->o.valid_split > 0 ? t->o.valid_split : 0.1;
  return program_made_up(t->m, rows, t->made_up, e);
}

static int split_rows(trainer *t, rank_error *e)
{
  long n = rank_data_rows(t->data), held = 0;
  if (t->valid != NULL) {
    t->valid_rows = (rank_rows){t->valid, 0, rank_data_rows(t->valid)};
  } else if (t->o.valid_split > 0) {
    held = (long)((double)n * t->o.valid_split + 0.5);
    t->valid_rows = (rank_rows){t->data, n - held, held};
  }
  t->train_rows = (rank_rows){t->data, 0, n - held};
  if (t->train_rows.n == 0) {
    return rank_fail(e, "%s: no rows to train on", t->o.data);
  }
  return (t->valid != NULL || t->o.valid_split > 0) && t->valid_rows.n == 0
           ? rank_fail(e, "%s: no rows to validate on", t->valid != NULL ? t->o.valid : t->o.data)
           : 0;
}

/* Not when a loaded file has brought it. */
static int learn_fits(trainer *t, rank_error *e)
{
  rank_fits *fits = rank_encoders_fits(t->model.enc);
  if (t->m->nfits == 0 || rank_fits_ready(fits)) {
    return 0;
  }
  return rank_fits_learn(
    fits, t->model.enc, t->train_rows, t->valid_rows, (int)t->o.threads, &t->log, e);
}

/* Only a fit needs the labels of a model without gradients. */
static int needs_labels(const trainer *t)
{
  int needs = t->m->optimizer[0] != '\0' || t->o.valid_split > 0;
  for (int i = 0; i < t->m->nfits; i++) {
    needs |= t->m->fits[i].label >= 0;
  }
  return needs;
}

static int open_data(trainer *t, rank_error *e)
{
  if (t->o.data == NULL && make_data(t, e) != 0) {
    return -1;
  }
  int fit = !rank_encoders_fitted(t->model.enc) || !t->model.loaded;
  t->data = program_data(t->m, &t->o, t->model.enc, t->o.data, needs_labels(t), fit, &t->log, e);
  if (t->data == NULL) {
    return -1;
  }
  if (t->o.valid != NULL) {
    t->valid = program_data(t->m, &t->o, t->model.enc, t->o.valid, 1, 0, &t->log, e);
    if (t->valid == NULL) {
      return -1;
    }
  }
  return split_rows(t, e);
}

/* --- weights --- */

static int fill_model(trainer *t, rank_error *e)
{
  program_model *p = &t->model;
  uint64_t seed = t->o.has_seed ? t->o.seed : (uint64_t)t->m->seed;
  if (program_fill(p, t->m, 1, seed, (int)t->o.threads, e) != 0) {
    return -1;
  }
  if (p->loaded && (t->o.has_seed || st_meta(&p->weights.file, "rank.seed") == NULL)) {
    if (p->at.batches > 0 && p->at.seed != seed) {
      return rank_fail(e,
        "%s stands in the middle of an epoch begun with seed %llu: --seed %llu cannot "
        "go on with it",
        t->o.load, (unsigned long long)p->at.seed, (unsigned long long)seed);
    }
    p->at.seed = seed;
    p->state.seed = seed;
  }
  return 0;
}

/* With validation and patience the best epoch is kept apart; a loaded file may have brought it. */
static int fill_best(trainer *t, long patience, rank_error *e)
{
  program_model *p = &t->model;
  if (t->valid_rows.n == 0 || patience == 0) {
    p->at.best_epoch = 0;
    p->at.best = (double)NAN;
    return 0;
  }
  if (rank_state_new(&t->best, t->m, p->state.rows, 1, e) != 0) {
    return -1;
  }
  rank_state_copy(&t->best, &p->state, t->m);
  int found = p->loaded ? rank_weights_read_best(&p->weights, t->m, &t->best, e) : 0;
  int is_best = p->at.best_epoch == p->at.epoch && p->at.batches == 0;
  if (found == 0 && !is_best) {
    p->at.best_epoch = 0;
    p->at.best = (double)NAN;
  }
  return found < 0 ? -1 : 0;
}

/* --- the command --- */

static void say_start(trainer *t, long batch, long epochs)
{
  char rows[32], valid[32], params[32];
  double n = 0;
  for (int p = 0; p < t->m->nparams; p++) {
    n += (double)rank_param_count(t->m, &t->model.state, p);
  }
  rank_count_text((double)t->train_rows.n, rows);
  rank_count_text((double)t->valid_rows.n, valid);
  rank_log_line(&t->log,
    "%s: %s rows%s%s%s, %s parameters, %s, batch %ld, %ld epochs, %ld threads, seed %llu",
    t->m->name, rows, t->valid_rows.n > 0 ? " (validating on " : "",
    t->valid_rows.n > 0 ? valid : "", t->valid_rows.n > 0 ? ")" : "", rank_count_text(n, params),
    t->m->solver != NULL ? t->m->solver : t->m->optimizer, batch, epochs, t->o.threads,
    (unsigned long long)t->model.at.seed);
  if (t->model.loaded) {
    rank_log_line(&t->log, "going on after step %llu, epoch %ld%s",
      (unsigned long long)t->model.state.step, t->model.at.epoch,
      t->model.at.batches > 0 ? " and part of the next" : "");
  }
}

static int report_end(trainer *t, const char *save, int result)
{
  if (result == 0) {
    rank_log_line(&t->log, "saved to %s", save);
    return 0;
  }
  int number = *program_signals();
  char data[300] = "";
  if (t->made_up[0] == '\0') {
    snprintf(data, sizeof data, " --data %.280s", t->o.data);
  }
  int solver = t->m->solver != NULL;
  rank_log_line(&t->log, "stopped by %s after %s %llu; saved to %s",
    number == SIGINT ? "SIGINT" : "SIGTERM", solver ? "iteration" : "step",
    solver ? (unsigned long long)t->model.at.epoch : (unsigned long long)t->model.state.step, save);
  rank_log_line(&t->log, "to go on: the same command with --load %s  (%s train%s --load %s ...)",
    save, t->m->name, data, save);
  return 128 + number;
}

/* Drawn once at the beginning: what cannot be written is better known then. */
static int open_plot(trainer *t, rank_error *e)
{
  if (t->o.plot == NULL) {
    return 0;
  }
  t->plot = rank_plot_new(t->o.plot, t->m->name, t->m->solver != NULL ? "iterations" : "epochs");
  return t->plot == NULL ? rank_fail(e, "out of memory") : rank_plot_write(t->plot, e);
}

static int run_training(trainer *t, rank_error *e)
{
  const rank_model *m = t->m;
  const program_options *o = &t->o;
  long patience = o->patience >= 0 ? o->patience : m->early_stopping;
  const char *save = o->save != NULL ? o->save : t->save;
  if (program_check_writable(save, e) != 0 || open_plot(t, e) != 0 || fill_model(t, e) != 0 ||
      fill_best(t, patience, e) != 0) {
    return -1;
  }
  rank_training training = {.m = m,
    .s = &t->model.state,
    .best = t->best.param != NULL ? &t->best : NULL,
    .enc = t->model.enc,
    .train = t->train_rows,
    .valid = t->valid_rows,
    .epochs = o->epochs > 0   ? o->epochs
              : m->epochs > 0 ? m->epochs
                              : 1,
    .batch = o->batch > 0   ? o->batch
             : m->batch > 0 ? m->batch
                            : 128,
    .patience = patience,
    .log_every = o->log_every > 0 ? o->log_every : 100,
    .checkpoint = o->checkpoint,
    .threads = (int)o->threads,
    .fewer = o->fewer_threads,
    .drop_last = m->drop_last,
    .lr = o->lr > 0 ? o->lr : m->lr,
    .save = save,
    .from = t->made_up[0] != '\0' ? "the made-up data" : o->data,
    .log = &t->log,
    .plot = t->plot,
    .at = t->model.at,
    .stop = program_signals()};
  say_start(t, training.batch, training.epochs);
  if (training.at.epoch >= training.epochs) {
    rank_log_line(&t->log,
      "it has been trained for %ld epochs already; --epochs is their number in all",
      training.at.epoch);
  }
  int result = m->solver != NULL
                 ? rank_solve(&training, t->model.loaded ? &t->model.weights : NULL, e)
                 : rank_train(&training, e);
  t->model.at = training.at;
  return result < 0 ? -1 : report_end(t, save, result);
}

/* On the validation data, when there are any. */
static int show_scores(trainer *t, rank_error *e)
{
  const rank_model *m = t->m;
  rank_scores scores = {0};
  long batch = t->o.batch > 0 ? t->o.batch : m->batch > 0 ? m->batch : 128;
  int failed = 0;
  if (t->valid_rows.n > 0) {
    failed =
      rank_evaluate(m, &t->model.state, t->valid_rows, batch, (int)t->o.threads, NULL, &scores, e);
  }
  for (int i = 0; i < scores.n && !failed; i++) {
    rank_log_line(&t->log, "%s %.6f", scores.score[i].name, scores.score[i].value);
  }
  rank_scores_free(&scores);
  return failed;
}

/* A model without parameters to train is what its fits are. */
static int keep_fits(trainer *t, rank_error *e)
{
  const char *save = t->o.save != NULL ? t->o.save : t->save;
  if (fill_model(t, e) != 0 ||
      rank_weights_save(save, t->m, &t->model.state, NULL, t->model.enc, &t->model.at, e) != 0 ||
      show_scores(t, e) != 0) {
    return -1;
  }
  rank_log_line(&t->log, "saved to %s", save);
  return 0;
}

static int run(trainer *t, rank_error *e)
{
  const rank_model *m = t->m;
  int trains = m->optimizer[0] != '\0';
  if (program_open(&t->model, m, t->o.load, e) != 0) {
    return -1;
  }
  int rows = trains || rank_fits_need_rows(m) || !rank_encoders_fitted(t->model.enc);
  if ((rows && open_data(t, e) != 0) || learn_fits(t, e) != 0) {
    return -1;
  }
  return trains ? run_training(t, e) : keep_fits(t, e);
}

int program_train(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  trainer t = {.m = m, .o = *o};
  int code = -1;
  snprintf(t.save, sizeof t.save, "%.480s.safetensors", m->name);
  if (m->optimizer[0] == '\0' && m->nfits == 0) {
    rank_fail(&e, "this model has no `train' line: it only predicts");
  } else if (m->optimizer[0] == '\0' && o->plot != NULL) {
    rank_fail(&e, "this model is not trained step by step: there are no curves to --plot");
  } else if (o->online) {
    return program_online(m, o);
  } else if (m->solver != NULL && (o->lr > 0 || o->patience >= 0)) {
    rank_fail(&e, "this model is trained by %s, which has no %s", m->solver,
      o->lr > 0 ? "learning rate (--lr)" : "patience (--patience)");
  } else if (rank_log_open(&t.log, o->quiet, o->log, o->load != NULL, &e) == 0) {
    code = run(&t, &e);
    if (rank_log_close(&t.log, code < 0 ? NULL : &e) != 0 && code == 0) {
      code = -1;
    }
  }
  if (t.made_up[0] != '\0') {
    unlink(t.made_up);
  }
  rank_data_close(t.data);
  rank_data_close(t.valid);
  if (t.best.param != NULL) {
    rank_state_free(&t.best, m);
  }
  rank_plot_free(t.plot);
  program_close(&t.model, m);
  return code < 0 ? program_error(m, &e) : code;
}
