/* program_vectors.c: one output of a model over the rows of a file, for `index`, `search` and `eval`.
 *
 * One idea: a model with two sides has rows of two kinds of data, and a file of items has no users. The
 * generated code computes all outputs at once; inputs that the wanted one does not depend on are not read
 * and are given as zeros, id 0 and empty lists, which are in range for every table. */

#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- which output --- */

static int is_vector(const rank_output *output)
{
  return output->nshape == 1 && output->width > 0;
}

/* "user_vector, ad_vector" */
static void list_vectors(const rank_model *m, char *text, size_t room)
{
  text[0] = '\0';
  for (int i = 0; i < m->noutputs; i++) {
    if (is_vector(&m->outputs[i]) && !m->outputs[i].hidden) {
      size_t used = strlen(text);
      snprintf(text + used, room - used, "%s%s", used > 0 ? ", " : "", m->outputs[i].name);
    }
  }
}

int program_vector_output(const rank_model *m, const char *name, int second, rank_error *e)
{
  char vectors[300];
  list_vectors(m, vectors, sizeof vectors);
  for (int i = 0; i < m->noutputs && name != NULL; i++) {
    const rank_output *output = &m->outputs[i];
    if (!output->hidden && strcmp(output->name, name) == 0) {
      return is_vector(output)
               ? i
               : rank_fail(e, "output %s has %d axes, wanted one: %s", name, output->nshape,
                   vectors[0] ? vectors : "the model has no vectors");
    }
  }
  if (name != NULL) {
    return rank_fail(e, "no output %s; the vectors: %s", name, vectors[0] ? vectors : "none");
  }
  for (int i = 0; i < m->nmetrics; i++) {
    if (rank_is_retrieval(&m->metrics[i]) && !m->outputs[m->metrics[i].args[second]].hidden) {
      return m->metrics[i].args[second];
    }
  }
  return rank_fail(e, "which output? --output NAME, one of: %s",
    vectors[0] ? vectors : "(the model has no vectors)");
}

uint64_t program_fingerprint(const rank_model *m, const rank_state *s)
{
  uint64_t h = m->layout;
  for (int p = 0; p < m->nparams; p++) {
    size_t bytes = rank_param_count(m, s, p) * sizeof(rank_real);
    h = XXH3_64bits_withSeed(s->param[p], bytes, h);
  }
  return h;
}

/* --- what is read --- */

/* What is needed of a fit's results is computed from its sources. */
static void mark_sources(program_vectors *v)
{
  for (int i = v->m->nfits - 1; i >= 0; i--) {
    const rank_fit *fit = &v->m->fits[i];
    int needed = 0;
    for (int k = 0; k < fit->nresults; k++) {
      needed |= !v->inputs[fit->results[k]].label;
    }
    for (int k = 0; k < fit->nsources && needed; k++) {
      if (fit->sources[k] >= 0) {
        v->inputs[fit->sources[k]].label = 0;
      }
    }
  }
}

static int mark_inputs(program_vectors *v, const int *also, int nalso, rank_error *e)
{
  const rank_model *m = v->m;
  const rank_output *output = &m->outputs[v->output];
  v->inputs = calloc((size_t)m->ninputs + 1, sizeof *v->inputs);
  v->nothing = calloc((size_t)m->ninputs + 1, sizeof *v->nothing);
  v->input = calloc((size_t)m->ninputs + 1, sizeof *v->input);
  v->out = calloc((size_t)m->noutputs + 1, sizeof *v->out);
  if (v->inputs == NULL || v->nothing == NULL || v->input == NULL || v->out == NULL) {
    return rank_fail(e, "out of memory");
  }
  memcpy(v->inputs, m->inputs, (size_t)m->ninputs * sizeof *v->inputs);
  for (int i = 0; i < m->ninputs; i++) {
    v->inputs[i].label |= output->nneeds > 0;
  }
  for (int i = 0; i < output->nneeds; i++) {
    v->inputs[output->needs[i]].label = 0;
  }
  for (int i = 0; i < nalso; i++) {
    v->inputs[also[i]].label = 0;
  }
  mark_sources(v);
  v->reads = *m;
  v->reads.inputs = v->inputs;
  return 0;
}

/* Values of an input that is not read, at most. Its lists are empty, unless one that is read has the same
 * axis and says how long they are. */
static size_t most_values(const program_vectors *v, int input)
{
  const rank_input *in = &v->inputs[input];
  size_t most = (size_t)v->batch * (size_t)in->width, lists = 0;
  for (int i = 0; i < v->m->ninputs && in->dim >= 0; i++) {
    if (!v->inputs[i].label && v->inputs[i].dim == in->dim) {
      lists = (size_t)v->m->dims[in->dim].max;
    }
  }
  return in->dim < 0 ? most : most * lists;
}

static int make_room(program_vectors *v, rank_error *e)
{
  const rank_model *m = v->m;
  int failed = 0;
  for (int i = 0; i < m->ninputs && !failed; i++) {
    size_t bytes = (most_values(v, i) * sizeof(rank_real) + 127) / 64 * 64;
    v->nothing[i] = v->inputs[i].label ? aligned_alloc(64, bytes) : NULL;
    failed = v->inputs[i].label && v->nothing[i] == NULL;
    if (v->nothing[i] != NULL) {
      memset(v->nothing[i], 0, bytes);
    }
  }
  size_t bytes = (size_t)v->width * sizeof(rank_real);
  v->out[v->output] = failed ? NULL : calloc((size_t)v->batch, bytes + 1);
  v->batcher = failed ? NULL : rank_batcher_new(v->data, v->batch);
  return v->out[v->output] == NULL || v->batcher == NULL ? rank_fail(e, "out of memory") : 0;
}

int program_vectors_open(program_vectors *v, const rank_model *m, const program_options *o,
  int output, const int *also, int nalso, rank_error *e)
{
  *v = (program_vectors){.m = m, .o = o, .output = output, .width = m->outputs[output].width};
  v->batch = o->batch > 0 ? o->batch : 1024;
  if (rank_log_open(&v->log, o->quiet, NULL, 0, e) != 0 || mark_inputs(v, also, nalso, e) != 0 ||
      program_open(&v->model, m, o->load, e) != 0) {
    return -1;
  }
  if (!rank_encoders_fitted(v->model.enc)) {
    return rank_fail(e,
      "%s: has no encoders (vocabularies, means) in it, so data cannot be read as in training",
      o->load);
  }
  if (program_fill(&v->model, m, 0, 0, (int)o->threads, e) != 0) {
    return -1;
  }
  v->data = program_data(&v->reads, o, v->model.enc, o->data, 0, 0, &v->log, e);
  return v->data != NULL ? make_room(v, e) : -1;
}

void program_vectors_progress(program_vectors *v, long done, const char *text)
{
  rank_log_progress(&v->log, (double)done / (double)rank_data_rows(v->data), text);
}

void program_vectors_close(program_vectors *v)
{
  if (v->m == NULL) {
    return;
  }
  rank_log_clear(&v->log);
  for (int i = 0; v->nothing != NULL && i < v->m->ninputs; i++) {
    free(v->nothing[i]);
  }
  if (v->out != NULL) {
    free(v->out[v->output]);
  }
  rank_batcher_free(v->batcher);
  rank_work_free(&v->work);
  rank_data_close(v->data);
  program_close(&v->model, v->m);
  free(v->inputs);
  free(v->nothing);
  free(v->input);
  free(v->out);
}

/* --- computing --- */

static int check_numbers(const program_vectors *v, long first, long n, rank_error *e)
{
  const rank_real *x = v->out[v->output];
  for (long i = 0; i < n * v->width; i++) {
    if (!isfinite(x[i])) {
      return rank_fail(e, "%s: row %ld (the first is 0): its %s has a number that is not finite",
        v->o->data, first + i / v->width, v->m->outputs[v->output].name);
    }
  }
  return 0;
}

const rank_batch *program_vectors_next(
  program_vectors *v, long first, long n, float *vectors, rank_error *e)
{
  const rank_batch *read = rank_batch_range(v->batcher, first, n);
  if (read == NULL) {
    rank_fail(e, "out of memory: a batch of %ld rows", n);
    return NULL;
  }
  for (int i = 0; i < v->m->ninputs; i++) {
    v->input[i] = v->nothing[i] != NULL ? v->nothing[i] : read->input[i];
  }
  rank_batch b = {n, v->input, read->offset, NULL};
  int threads = (int)v->o->threads;
  if (rank_work_need(&v->work, v->m->workspace(&v->model.state, &b, threads, 0), e) != 0) {
    return NULL;
  }
  rank_status status = v->m->predict(&v->model.state, &b, v->out, v->work.data, threads);
  if (status != RANK_OK) {
    rank_explain_batch(v->m, &v->model.state, &b, status, e);
    return NULL;
  }
  for (long i = 0; i < n * v->width; i++) {
    vectors[i] = (float)v->out[v->output][i];
  }
  return check_numbers(v, first, n, e) == 0 ? read : NULL;
}
