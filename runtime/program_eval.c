/* program_eval.c: the commands `eval` and `predict`: a model with its weights on a data file. */

#include "fit.h"
#include "program.h"
#include "rank_guard.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct session {
  const rank_model *m;
  const program_options *o;
  rank_log log;
  program_model model;
  rank_data *data;
  long batch;
  int list; /* that is predicted, or -1: the outputs */
} session;

static int session_open(session *s, int labels, rank_error *e)
{
  if (rank_log_open(&s->log, s->o->quiet, NULL, 0, e) != 0 ||
      program_open(&s->model, s->m, s->o->load, e) != 0) {
    return -1;
  }
  if (!rank_encoders_fitted(s->model.enc)) {
    return rank_fail(e,
      "%s: has no encoders (vocabularies, means) in it, so data cannot be read as in training",
      s->o->load);
  }
  if (s->m->nfits > 0 && !rank_fits_ready(rank_encoders_fits(s->model.enc))) {
    return rank_fail(e, "%s: has not what fit %s learns (fit.%s.*) in it", s->o->load,
      s->m->fits[0].name, s->m->fits[0].name);
  }
  s->batch = s->o->batch > 0 ? s->o->batch : s->m->batch > 0 ? s->m->batch : 128;
  if (program_fill(&s->model, s->m, 0, 0, (int)s->o->threads, e) != 0) {
    return -1;
  }
  s->data = program_data(s->m, s->o, s->model.enc, s->o->data, labels, 0, &s->log, e);
  return s->data != NULL ? 0 : -1;
}

static void session_close(session *s)
{
  rank_log_clear(&s->log);
  rank_data_close(s->data);
  program_close(&s->model, s->m);
}

/* --- eval --- */

void program_print_score(const char *name, double value, const rank_scores *other, double before)
{
  if (isnan(value)) {
    printf("%s n/a\n", name);
  } else if (other == NULL || isnan(before)) {
    printf("%s %.6f\n", name, value);
  } else {
    printf("%s %.6f, against %.6f: %+.6f\n", name, value, before, value - before);
  }
}

/* against: NULL, or the same of other weights */
static void print_scores(const rank_scores *scores, const rank_scores *against)
{
  char count[32];
  printf("%s rows\n", rank_count_text((double)scores->rows, count));
  program_print_score("loss", scores->loss, against, against != NULL ? against->loss : 0);
  for (int i = 0; i < scores->n; i++) {
    program_print_score(scores->score[i].name, scores->score[i].value, against,
      against != NULL ? against->score[i].value : 0);
  }
}

static void print_json_of(const rank_scores *scores)
{
  printf("\"loss\": ");
  rank_json_number(stdout, scores->loss);
  printf(", \"metrics\": ");
  rank_json_scores(stdout, scores);
}

static void print_scores_json(const rank_scores *scores, const rank_scores *against)
{
  printf("{\"rows\": %ld, ", scores->rows);
  print_json_of(scores);
  if (against != NULL) {
    printf(", \"against\": {");
    print_json_of(against);
    putchar('}');
  }
  printf("}\n");
}

static int evaluate_with(
  const rank_model *m, const program_options *o, rank_scores *scores, rank_error *e)
{
  session s = {.m = m, .o = o};
  int failed = session_open(&s, 1, e);
  if (!failed) {
    rank_rows rows = {s.data, 0, rank_data_rows(s.data)};
    failed = rank_evaluate(m, &s.model.state, rows, s.batch, (int)o->threads, NULL, scores, e);
  }
  session_close(&s);
  return failed;
}

int program_eval(const rank_model *m, const program_options *o)
{
  if (o->catalogue != NULL || o->index != NULL) {
    return program_eval_places(m, o);
  }
  rank_error e = {{0}};
  rank_scores scores = {0}, before = {0};
  program_options other = *o;
  other.load = o->against;
  int failed = evaluate_with(m, o, &scores, &e) ||
               (o->against != NULL && evaluate_with(m, &other, &before, &e));
  if (!failed) {
    (o->json ? print_scores_json : print_scores)(&scores, o->against != NULL ? &before : NULL);
  }
  rank_scores_free(&scores);
  rank_scores_free(&before);
  return failed ? program_error(m, &e) : 0;
}

/* --- predict --- */

static void print_name(FILE *out, const char *name, long index)
{
  fputs(name, out);
  if (index >= 0) {
    fprintf(out, ".%ld", index);
  }
}

/* Whether output i is printed: all that are not hidden, or (only >= 0) that one. */
static int is_printed(const rank_model *m, int i, int only)
{
  return only >= 0 ? i == only : !m->outputs[i].hidden;
}

/* "ctr,user.0,user.1" */
static void print_header(const rank_model *m, int only, FILE *out)
{
  const char *comma = "";
  for (int i = 0; i < m->noutputs; i++) {
    const rank_output *output = &m->outputs[i];
    for (long k = 0; is_printed(m, i, only) && k < output->width; k++, comma = ",") {
      fputs(comma, out);
      print_name(out, output->name, output->nshape > 0 ? k : -1);
    }
  }
  fputc('\n', out);
}

static void print_row(const rank_model *m, int only, rank_real *const *value, long row, FILE *out)
{
  static const int digits = sizeof(rank_real) == 4 ? 9 : 17; /* enough to read back the same bits */
  const char *comma = "";
  for (int i = 0; i < m->noutputs; i++) {
    const rank_output *output = &m->outputs[i];
    for (long k = 0; is_printed(m, i, only) && k < output->width; k++, comma = ",") {
      fprintf(out, "%s%.*g", comma, digits, (double)value[i][row * output->width + k]);
    }
  }
  fputc('\n', out);
}

static int predict_batches(
  session *s, rank_batcher *batcher, rank_real **value, FILE *out, rank_error *e)
{
  rank_work work = {0};
  long rows = rank_data_rows(s->data);
  int threads = (int)s->o->threads, failed = 0;
  program_list list = {s->m, s->model.enc, s->list, s->o->jsonl, 0};
  if (list.list >= 0) {
    int because = s->m->lists[list.list].because;
    list.reasons = because >= 0 ? s->m->inputs[because].width : 0;
    program_list_header(&list, out);
  }
  for (long done = 0; done < rows && !failed; done += s->batch) {
    long n = rows - done < s->batch ? rows - done : s->batch;
    const rank_batch *b = rank_batch_range(batcher, done, n);
    failed = b == NULL ? rank_fail(e, "out of memory: a batch of %ld rows", n)
                       : rank_work_need(&work, s->m->workspace(&s->model.state, b, threads, 0), e);
    rank_guard_clear();
    rank_status status =
      failed ? RANK_OK : s->m->predict(&s->model.state, b, value, work.data, threads);
    if (status != RANK_OK) {
      rank_explain_batch(s->m, &s->model.state, b, status, e);
      failed = -1;
    }
    failed = failed || rank_guard_check(done, e) != 0;
    if (!failed && list.list >= 0) {
      program_list_rows(&list, b, done, out);
    }
    for (long i = 0; i < n && !failed && list.list < 0; i++) {
      print_row(s->m, -1, value, i, out);
    }
    if (!failed && ferror(out)) {
      failed = rank_fail(e, "cannot write the predictions: %s", strerror(errno));
    }
    rank_log_progress(&s->log, (double)(done + n) / (double)rows, "predicting");
  }
  rank_log_clear(&s->log);
  rank_work_free(&work);
  return failed;
}

static int predict_to(session *s, FILE *out, rank_error *e)
{
  rank_batcher *batcher = rank_batcher_new(s->data, s->batch);
  rank_real **value = program_outputs_new(s->m, s->batch);
  int failed = batcher == NULL || value == NULL ? rank_fail(e, "out of memory") : 0;
  if (!failed) {
    if (s->list < 0) {
      print_header(s->m, -1, out);
    }
    failed = predict_batches(s, batcher, value, out, e);
  }
  program_outputs_free(s->m, value);
  rank_batcher_free(batcher);
  return failed;
}

/* The ordinary output of this name; -1: there is none. */
static int output_called(const rank_model *m, const char *name)
{
  for (int i = 0; i < m->noutputs && name != NULL; i++) {
    if (!m->outputs[i].hidden && strcmp(m->outputs[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

/* One output, from a file that may lack what it is not computed from. */
static int predict_one(program_vectors *v, FILE *out, rank_error *e)
{
  long rows = rank_data_rows(v->data);
  float *vectors = calloc((size_t)v->batch, (size_t)v->width * sizeof *vectors + 1);
  int failed = vectors == NULL ? rank_fail(e, "out of memory") : 0;
  print_header(v->m, v->output, out);
  for (long done = 0; done < rows && !failed; done += v->batch) {
    long n = rows - done < v->batch ? rows - done : v->batch;
    failed = program_vectors_next(v, done, n, vectors, e) == NULL;
    for (long i = 0; i < n && !failed; i++) {
      print_row(v->m, v->output, v->out, i, out);
    }
    if (!failed && ferror(out)) {
      failed = rank_fail(e, "cannot write the predictions: %s", strerror(errno));
    }
    program_vectors_progress(v, done + n, "predicting");
  }
  rank_log_clear(&v->log);
  free(vectors);
  return failed;
}

int program_predict(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  session s = {.m = m, .o = o};
  program_vectors v = {0};
  rank_file file = {0};
  int one = output_called(m, o->output);
  s.list = one >= 0 ? -1 : program_list_output(m, o->output, &e);
  int failed = one >= 0 ? program_vectors_open(&v, m, o, one, NULL, 0, &e)
                        : s.list < -1 || session_open(&s, 0, &e);
  if (!failed && o->out != NULL) {
    failed = rank_file_create(&file, o->out, &e);
  }
  if (!failed) {
    FILE *out = o->out != NULL ? file.out : stdout;
    s.log.bar &= o->out != NULL; /* the result may go to the same terminal */
    v.log.bar &= o->out != NULL;
    failed = one >= 0 ? predict_one(&v, out, &e) : predict_to(&s, out, &e);
  }
  if (file.out != NULL && !failed) {
    failed = rank_file_commit(&file, &e);
  } else if (file.path != NULL) {
    rank_file_discard(&file);
  }
  session_close(&s);
  program_vectors_close(&v);
  return failed ? program_error(m, &e) : 0;
}
