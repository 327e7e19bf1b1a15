/* program_step.c: the command `step`: one batch given as tensors, its outputs, loss and gradients, and
 * the parameters after some updates on it. How rankc is compared with other frameworks.
 *
 * One idea: the batch file is what others have, padded lists and a length for each; here it becomes what
 * generated code takes, rows back to back with offsets, after every shape, length and id was checked. */

#include "fit.h"
#include "program.h"
#include "rank_guard.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

typedef struct stepper {
  const rank_model *m;
  st_file file;
  program_model model;
  long n;
  void **input;     /* per input, or NULL: a label that is not there */
  int32_t **offset; /* per ragged axis */
  int all_labels;
  rank_real **out, **grad;
  double loss;
  rank_work work;
  void *derived; /* results of fits that the batch file does not give */
  rank_batch whole;
} stepper;

static void *aligned_array(size_t n, size_t size)
{
  size_t bytes = (n * size + 2 * ALIGN - 1) / ALIGN * ALIGN;
  void *p = n > SIZE_MAX / 4 / size ? NULL : aligned_alloc(ALIGN, bytes);
  return p != NULL ? memset(p, 0, bytes) : NULL;
}

/* --- lengths --- */

static const st_tensor *find_length(const stepper *s, const char *name)
{
  char key[512];
  snprintf(key, sizeof key, "%s.length", name);
  return st_find(&s->file, key);
}

static int set_offsets(stepper *s, int dim, const st_tensor *t, rank_error *e)
{
  char found[200];
  if (t->count != s->n || t->nshape == 0 || t->shape[0] != s->n) {
    return rank_fail(e, "%s: tensor %s is %s, wanted [%ld]", s->file.path, t->name,
      st_shape_text(t->shape, t->nshape, found, sizeof found), s->n);
  }
  int64_t *length = aligned_array((size_t)s->n + 1, sizeof *length);
  int32_t *offset = aligned_array((size_t)s->n + 1, sizeof *offset);
  int failed = length == NULL || offset == NULL ? rank_fail(e, "out of memory")
                                                : st_read_ints(&s->file, t, length, e);
  int64_t sum = 0;
  for (long i = 0; i < s->n && !failed; i++) {
    sum += length[i];
    if (length[i] < 0 || length[i] > s->m->dims[dim].max || sum > INT32_MAX) {
      failed = rank_fail(e, "%s: tensor %s: length %lld at %ld, but axis %s has 0 to %ld",
        s->file.path, t->name, (long long)length[i], i, s->m->dims[dim].name, s->m->dims[dim].max);
    } else {
      offset[i + 1] = (int32_t)sum;
    }
  }
  free(length);
  if (!failed && s->offset[dim] != NULL &&
      memcmp(offset, s->offset[dim], ((size_t)s->n + 1) * sizeof *offset) != 0) {
    failed = rank_fail(e, "%s: tensor %s differs from other lengths of axis %s", s->file.path,
      t->name, s->m->dims[dim].name);
  }
  if (failed || s->offset[dim] != NULL) {
    free(offset);
  } else {
    s->offset[dim] = offset;
  }
  return failed;
}

/* From "DIM.length" and the "NAME.length" of every input that has the axis. */
static int read_offsets(stepper *s, int dim, rank_error *e)
{
  const st_tensor *t = find_length(s, s->m->dims[dim].name);
  int failed = t != NULL ? set_offsets(s, dim, t, e) : 0;
  const char *name = s->m->dims[dim].name;
  int used = 0;
  for (int i = 0; i < s->m->ninputs && !failed; i++) {
    if (s->m->inputs[i].dim == dim) {
      name = s->m->inputs[i].name;
      used |= st_find(&s->file, name) != NULL;
      t = find_length(s, name);
      failed = t != NULL ? set_offsets(s, dim, t, e) : 0;
    }
  }
  if (!failed && s->offset[dim] == NULL && used) {
    failed = rank_fail(e, "%s: no tensor %s.length (nor %s.length) [%ld]", s->file.path, name,
      s->m->dims[dim].name, s->n);
  }
  return failed;
}

/* --- inputs --- */

/* [n, width...] or [n, max, width...]; how the width is split into axes does not matter. */
static int check_shape(const stepper *s, int input, const st_tensor *t, rank_error *e)
{
  const rank_input *in = &s->m->inputs[input];
  int lead = in->dim >= 0 ? 2 : 1;
  int64_t max = in->dim >= 0 ? s->m->dims[in->dim].max : 1, width = 1;
  int fits = t->nshape >= lead && t->shape[0] == s->n && (lead == 1 || t->shape[1] == max);
  for (int i = lead; fits && i < t->nshape; i++) {
    fits = !__builtin_mul_overflow(width, t->shape[i], &width);
  }
  if (fits && width == in->width) {
    return 0;
  }
  char found[200], wanted[200];
  int64_t shape[3] = {s->n, lead == 2 ? max : in->width, in->width};
  int nshape = lead + (in->width != 1);
  return rank_fail(e, "%s: tensor %s is %s, wanted %s", s->file.path, t->name,
    st_shape_text(t->shape, t->nshape, found, sizeof found),
    st_shape_text(shape, nshape, wanted, sizeof wanted));
}

/* What is added to the ids of a position, and how many it has (0: not known here). */
static long vocabulary_at(const rank_input *in, long position, long *base)
{
  *base = 0;
  if (in->nvocab == 0) {
    return 0;
  }
  for (long v = 0; in->nvocab > 1 && v < position; v++) {
    *base += in->vocab[v];
  }
  return in->vocab[in->nvocab > 1 ? position : 0];
}

static int put_ids(const stepper *s, int input, const int64_t *from, long row, long count,
  int32_t *to, rank_error *e)
{
  const rank_input *in = &s->m->inputs[input];
  for (long k = 0; k < count; k++) {
    long base, size = vocabulary_at(in, k % in->width, &base);
    if (from[k] < 0 || from[k] >= (size > 0 ? size : INT32_MAX)) {
      return rank_fail(e, "%s: tensor %s: id %lld in sample %ld, but its ids are 0 to %ld",
        s->file.path, in->name, (long long)from[k], row, size > 0 ? size - 1 : INT32_MAX - 1L);
    }
    to[k] = (int32_t)(from[k] + base);
  }
  return 0;
}

/* Copies the rows that are there out of the padded ones. */
static int compact(stepper *s, int input, const void *padded, rank_error *e)
{
  const rank_input *in = &s->m->inputs[input];
  const int32_t *offset = in->dim >= 0 ? s->offset[in->dim] : NULL;
  long max = in->dim >= 0 ? s->m->dims[in->dim].max : 1;
  for (long i = 0; i < s->n; i++) {
    long first = offset != NULL ? offset[i] : i,
         rows = offset != NULL ? offset[i + 1] - offset[i] : 1;
    size_t from = (size_t)(i * max * in->width), to = (size_t)(first * in->width);
    long count = rows * in->width;
    if (!in->is_id) {
      memcpy((rank_real *)s->input[input] + to, (const rank_real *)padded + from,
        (size_t)count * sizeof(rank_real));
    } else if (put_ids(s, input, (const int64_t *)padded + from, i, count,
                 (int32_t *)s->input[input] + to, e) != 0) {
      return -1;
    }
  }
  return 0;
}

static int read_input(stepper *s, int input, rank_error *e)
{
  const rank_input *in = &s->m->inputs[input];
  const st_tensor *t = st_find(&s->file, in->name);
  if (t == NULL && in->encoding.source == RANK_FROM_FIT) {
    return rank_fits_ready(rank_encoders_fits(s->model.enc))
             ? 0
             : rank_fail(e, "%s: no tensor %s, and --load has no fit to compute it", s->file.path,
                 in->name);
  }
  if (t == NULL) {
    s->all_labels = 0;
    return in->label && s->m->optimizer[0] == '\0'
             ? 0
             : rank_fail(e, "%s: no tensor %s", s->file.path, in->name);
  }
  if (check_shape(s, input, t, e) != 0) {
    return -1;
  }
  void *padded = aligned_array((size_t)t->count + 1, 8);
  /* as a caller's arrays are: nothing is behind the last row, and a sanitizer sees who reads there */
  size_t rows = (size_t)(in->dim >= 0 ? s->offset[in->dim][s->n] : s->n);
  size_t count = rows * (size_t)in->width + (rows == 0);
  s->input[input] = calloc(count, in->is_id ? sizeof(int32_t) : sizeof(rank_real));
  int failed = padded == NULL || s->input[input] == NULL ? rank_fail(e, "out of memory")
               : in->is_id                               ? st_read_ints(&s->file, t, padded, e)
                                                         : st_read_reals(&s->file, t, padded, e);
  failed = failed || compact(s, input, padded, e);
  free(padded);
  return failed ? -1 : 0;
}

static int read_batch(stepper *s, rank_error *e)
{
  int found = 0;
  for (int i = 0; i < s->m->ninputs && !found; i++) {
    const st_tensor *t = st_find(&s->file, s->m->inputs[i].name);
    found = t != NULL && t->nshape > 0 && t->shape[0] <= INT32_MAX;
    s->n = found ? (long)t->shape[0] : 0;
  }
  if (!found && s->m->ninputs > 0) {
    return rank_fail(
      e, "%s: no tensor %s, or it has no batch axis", s->file.path, s->m->inputs[0].name);
  }
  s->all_labels = 1;
  for (int d = 0; d < s->m->ndims; d++) {
    if (read_offsets(s, d, e) != 0) {
      return -1;
    }
  }
  for (int i = 0; i < s->m->ninputs; i++) {
    if (read_input(s, i, e) != 0) {
      return -1;
    }
  }
  return 0;
}

/* --- running --- */

static int fail_status(const stepper *s, const rank_batch *b, rank_status status, rank_error *e)
{
  rank_explain_batch(s->m, &s->model.state, b, status, e);
  return -1;
}

static int allocate_results(stepper *s, rank_error *e)
{
  int failed = 0;
  for (int i = 0; i < s->m->noutputs; i++) {
    if (!s->m->outputs[i].hidden) {
      s->out[i] = aligned_array((size_t)(s->n * s->m->outputs[i].width), sizeof(rank_real));
      failed |= s->out[i] == NULL;
    }
  }
  for (int p = 0; p < s->m->nparams; p++) {
    s->grad[p] = aligned_array(rank_param_count(s->m, &s->model.state, p), sizeof(rank_real));
    failed |= s->grad[p] == NULL;
  }
  return failed ? rank_fail(e, "out of memory: the gradients do not fit") : 0;
}

static int run_forward(stepper *s, const rank_batch *b, int threads, rank_error *e)
{
  const rank_model *m = s->m;
  if (rank_work_need(&s->work, m->workspace(&s->model.state, b, threads, 0), e) != 0) {
    return -1;
  }
  rank_guard_clear();
  rank_status status = s->all_labels && m->optimizer[0] == '\0'
                         ? m->evaluate(&s->model.state, b, s->out, &s->loss, s->work.data, threads)
                         : m->predict(&s->model.state, b, s->out, s->work.data, threads);
  return status != RANK_OK ? fail_status(s, b, status, e) : rank_guard_check(0, e);
}

static int run_updates(stepper *s, const rank_batch *b, const program_options *o, rank_error *e)
{
  rank_state *state = &s->model.state;
  long updates = o->steps >= 0 ? o->steps : 1;
  rank_step step = {.lr = o->lr > 0 ? o->lr : s->m->lr,
    .steps = (long)state->step + (updates > 0 ? updates : 1),
    .grad = s->grad,
    .threads = (int)o->threads};
  if (rank_work_need(&s->work, s->m->workspace(state, b, step.threads, 1), e) != 0) {
    return -1;
  }
  uint64_t done = state->step;
  rank_guard_clear();
  rank_status status = s->m->train(state, b, &step, &s->loss, s->work.data);
  state->step = done;
  step.grad = NULL;
  step.update = 1;
  for (long i = 0; i < updates && status == RANK_OK; i++) {
    double loss;
    done = state->step;
    status = s->m->train(state, b, &step, &loss, s->work.data);
    state->step = done + 1;
  }
  return status != RANK_OK ? fail_status(s, b, status, e) : rank_guard_check(0, e);
}

/* Results of fits, unless the batch file gives them. */
static int compute_results(stepper *s, rank_batch *b, rank_error *e)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    if (s->m->inputs[i].encoding.source != RANK_FROM_FIT || s->input[i] != NULL) {
      continue;
    }
    s->derived = aligned_array(rank_fits_room(rank_encoders_fits(s->model.enc), s->n), 1);
    if (s->derived == NULL ||
        rank_fits_apply(rank_encoders_fits(s->model.enc), b, s->derived, &s->whole) != 0) {
      return rank_fail(e, "out of memory: the results of fits");
    }
    *b = s->whole;
    return 0;
  }
  return 0;
}

static int run(stepper *s, const program_options *o, rank_error *e)
{
  rank_batch b = {
    s->n, (const void *const *)s->input, (const int32_t *const *)(const void *)s->offset, NULL};
  int what = 0, trains = s->m->optimizer[0] != '\0';
  long at = 0;
  if (compute_results(s, &b, e) != 0) {
    return -1;
  }
  rank_status status = rank_check_batch(s->m, &s->model.state, &b, s->all_labels, &what, &at);
  if (status != RANK_OK) {
    return rank_fail(e, "%s: input %s, sample %ld: %s", s->file.path, s->m->inputs[what].name, at,
      rank_status_text(status));
  }
  if (allocate_results(s, e) != 0 || run_forward(s, &b, (int)o->threads, e) != 0) {
    return -1;
  }
  return trains ? run_updates(s, &b, o, e) : 0;
}

/* --- writing --- */

static void param_entry(
  const stepper *s, int p, const char *name, const rank_real *data, st_entry *entry)
{
  const rank_param *param = &s->m->params[p];
  *entry = (st_entry){.name = name, .dtype = ST_REAL, .nshape = param->nshape, .data = data};
  for (int i = 0; i < param->nshape; i++) {
    entry->shape[i] =
      i == 0 && param->table && param->shape[0] == 0 ? s->model.state.rows[p] : param->shape[i];
  }
}

static void output_entry(const stepper *s, int i, st_entry *entry)
{
  const rank_output *output = &s->m->outputs[i];
  *entry = (st_entry){
    .name = output->name, .dtype = ST_REAL, .nshape = output->nshape + 1, .data = s->out[i]};
  entry->shape[0] = s->n;
  for (int k = 0; k < output->nshape; k++) {
    entry->shape[k + 1] = output->shape[k];
  }
}

static int write_results(const stepper *s, const char *path, rank_error *e)
{
  const rank_model *m = s->m;
  int n = 0, trains = m->optimizer[0] != '\0';
  size_t most = (size_t)m->noutputs + 2 * (size_t)m->nparams + 1;
  st_entry *entries = calloc(most, sizeof *entries);
  char(*names)[512] = calloc((size_t)m->nparams + 1, sizeof *names);
  rank_real loss = (rank_real)s->loss;
  if (entries == NULL || names == NULL) {
    free(entries);
    free(names);
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < m->noutputs; i++) {
    if (!m->outputs[i].hidden) {
      output_entry(s, i, &entries[n++]);
    }
  }
  if (trains || s->all_labels) {
    entries[n++] = (st_entry){.name = "loss", .dtype = ST_REAL, .data = &loss};
  }
  for (int p = 0; trains && p < m->nparams; p++) {
    snprintf(names[p], sizeof names[p], "grad.%s", m->params[p].name);
    param_entry(s, p, names[p], s->grad[p], &entries[n++]);
  }
  for (int p = 0; p < m->nparams; p++) {
    param_entry(s, p, m->params[p].name, s->model.state.param[p], &entries[n++]);
  }
  int failed = st_write(path, entries, n, NULL, 0, e);
  free(entries);
  free(names);
  return failed;
}

/* --- the command --- */

static int stepper_new(stepper *s, rank_error *e)
{
  s->input = calloc((size_t)s->m->ninputs + 1, sizeof *s->input);
  s->offset = calloc((size_t)s->m->ndims + 1, sizeof *s->offset);
  s->out = calloc((size_t)s->m->noutputs + 1, sizeof *s->out);
  s->grad = calloc((size_t)s->m->nparams + 1, sizeof *s->grad);
  return s->input && s->offset && s->out && s->grad ? 0 : rank_fail(e, "out of memory");
}

static void stepper_free(stepper *s)
{
  for (int i = 0; s->input != NULL && i < s->m->ninputs; i++) {
    free(s->input[i]);
  }
  for (int i = 0; s->offset != NULL && i < s->m->ndims; i++) {
    free(s->offset[i]);
  }
  for (int i = 0; s->out != NULL && i < s->m->noutputs; i++) {
    free(s->out[i]);
  }
  for (int i = 0; s->grad != NULL && i < s->m->nparams; i++) {
    free(s->grad[i]);
  }
  free(s->input);
  free(s->offset);
  free(s->out);
  free(s->grad);
  free(s->derived);
  rank_work_free(&s->work);
  st_close(&s->file);
  program_close(&s->model, s->m);
}

int program_step(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  stepper s = {.m = m, .file = {.fd = -1}};
  int training = m->optimizer[0] != '\0';
  int failed = stepper_new(&s, &e) || program_open(&s.model, m, o->load, &e) ||
               program_fill(&s.model, m, training, 0, (int)o->threads, &e) ||
               st_open(&s.file, o->batch_file, &e) || read_batch(&s, &e) || run(&s, o, &e) ||
               write_results(&s, o->out, &e);
  stepper_free(&s);
  return failed ? program_error(m, &e) : 0;
}
