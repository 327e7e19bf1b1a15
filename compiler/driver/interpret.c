/* interpret.c: `rankc interpret`, the reference interpreter on the files that `NAME step` takes.
 *
 * The batch file has each input by its name: [n, ...] with lists padded to any width that holds the
 * longest, and their lengths as NAME.length or, by the axis, DIM.length. */

#include "command.h"
#include "pipeline.h"
#include "process.h"

#include "../../runtime/safetensors.h"
#include "../ir/interpret.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Task {
  Arena *a;
  const Graph *g;
  st_file load, batch;
  long n;
  const double **input; /* see InterpretBatch */
  const long **length;
  double **params, **states;
  long *rows;
  uint64_t seed, step, jitter;
  VEC(st_entry) out;
  rank_error e;
} Task;

static const char *name_of(Task *t, Str name)
{
  return str_copy(t->a, name).s;
}

/* Values per row of what follows the batch and, if it has one, the ragged axis. */
static long row_width(const Graph *g, Type type)
{
  long width = 1;
  for (int i = 0; i < type.n; i++) {
    const Axis *axis = &g->axes.data[type.axis[i]];
    width *= axis->kind == AXIS_PLAIN ? axis->extent : 1;
  }
  return width;
}

static int ragged_axis(const Graph *g, Type type)
{
  for (int i = 0; i < type.n; i++) {
    if (g->axes.data[type.axis[i]].kind == AXIS_RAGGED) {
      return type.axis[i];
    }
  }
  return -1;
}

/* The lengths of an input's lists; checked against what the same axis has from another input. */
static int read_lengths(Task *t, const Input *in, int axis)
{
  const Axis *ragged = &t->g->axes.data[axis];
  const char *name = str_format(t->a, "%.*s.length", STR_ARG(in->name)).s;
  const st_tensor *tensor = st_find(&t->batch, name);
  if (!tensor) {
    name = str_format(t->a, "%.*s.length", STR_ARG(ragged->name)).s;
    tensor = st_find(&t->batch, name);
  }
  if (!tensor || tensor->count != t->n) {
    return rank_fail(&t->e, "%s: %s: %ld lengths are needed", t->batch.path, name, t->n);
  }
  int64_t *found = ARENA_ARRAY(t->a, int64_t, t->n);
  if (st_read_ints(&t->batch, tensor, found, &t->e) != 0) {
    return -1;
  }
  const long *before = t->length[axis];
  long *length = ARENA_ARRAY(t->a, long, t->n);
  for (long i = 0; i < t->n; i++) {
    if (found[i] < 0 || found[i] > ragged->extent) {
      return rank_fail(&t->e, "%s: %s: sample %ld has length %lld, but %.*s <= %ld", t->batch.path,
        name, i, (long long)found[i], STR_ARG(ragged->name), ragged->extent);
    }
    length[i] = (long)found[i];
    if (before && before[i] != length[i]) {
      return rank_fail(&t->e, "%s: %s: sample %ld has length %ld, and %ld elsewhere on %.*s",
        t->batch.path, name, i, length[i], before[i], STR_ARG(ragged->name));
    }
  }
  t->length[axis] = length;
  return 0;
}

/* Adds to each id the sizes of the vocabularies before its position's. */
static int place_ids(Task *t, const Input *in, double *row, long width, long sample)
{
  for (long j = 0; j < width; j++) {
    long before = 0;
    int which = in->nvocab > 1 ? (int)(j % in->nvocab) : 0;
    for (int k = 0; k < which; k++) {
      before += in->vocab[k];
    }
    double id = row[j];
    if (id < 0 || (in->vocab[which] > 0 && id >= (double)in->vocab[which])) {
      return rank_fail(&t->e, "%s: %.*s: sample %ld has id %.0f, but its ids end at %ld",
        t->batch.path, STR_ARG(in->name), sample, id, in->vocab[which] - 1);
    }
    row[j] = id + (double)before;
  }
  return 0;
}

/* A tensor of the batch as numbers; ids must be whole. */
static int read_values(Task *t, const Input *in, const st_tensor *tensor, double *values)
{
  if (in->type.kind != KIND_ID) {
    return st_read_reals(&t->batch, tensor, values, &t->e);
  }
  int64_t *ids = ARENA_ARRAY(t->a, int64_t, tensor->count);
  if (st_read_ints(&t->batch, tensor, ids, &t->e) != 0) {
    return -1;
  }
  for (int64_t i = 0; i < tensor->count; i++) {
    values[i] = (double)ids[i];
  }
  return 0;
}

static int read_input(Task *t, int index)
{
  const Input *in = &t->g->inputs.data[index];
  const st_tensor *tensor = st_find(&t->batch, name_of(t, in->name));
  if (!tensor) {
    return in->label
             ? 0
             : rank_fail(&t->e, "%s: input %.*s is missing", t->batch.path, STR_ARG(in->name));
  }
  int axis = ragged_axis(t->g, in->type);
  long width = row_width(t->g, in->type);
  long most = axis < 0 ? 1 : t->g->axes.data[axis].extent;
  long found = tensor->nshape < 1 ? 0 : axis < 0 ? 1 : tensor->nshape < 2 ? 0 : tensor->shape[1];
  if (found > most || tensor->nshape < 1 || tensor->shape[0] != t->n ||
      tensor->count != t->n * found * width) {
    char text[200];
    return rank_fail(&t->e, "%s: %.*s has shape %s, which does not fit %.*s for %ld samples",
      t->batch.path, STR_ARG(in->name),
      st_shape_text(tensor->shape, tensor->nshape, text, sizeof text),
      STR_ARG(type_print(t->g, in->type, t->a)), t->n);
  }
  if (axis >= 0 && read_lengths(t, in, axis) != 0) {
    return -1;
  }
  double *read = ARENA_ARRAY(t->a, double, tensor->count);
  double *values = ARENA_ARRAY(t->a, double, t->n *most *width);
  if (read_values(t, in, tensor, read) != 0) {
    return -1;
  }
  for (long i = 0; i < t->n; i++) {
    long rows = axis < 0 ? 1 : t->length[axis][i];
    if (rows > found) {
      return rank_fail(&t->e, "%s: %.*s: sample %ld has length %ld, but there are %ld positions",
        t->batch.path, STR_ARG(in->name), i, rows, found);
    }
    double *to = values + i * most * width;
    memcpy(to, read + i * found * width, (size_t)(rows * width) * sizeof *to);
    if (in->type.kind == KIND_ID && place_ids(t, in, to, rows * width, i) != 0) {
      return -1;
    }
  }
  t->input[index] = values;
  return 0;
}

/* How many samples the batch has: what the first input says. */
static int count_samples(Task *t)
{
  for (int i = 0; i < t->g->inputs.n; i++) {
    const st_tensor *tensor = st_find(&t->batch, name_of(t, t->g->inputs.data[i].name));
    if (tensor && tensor->nshape > 0) {
      t->n = (long)tensor->shape[0];
      return 0;
    }
  }
  return t->g->inputs.n == 0 ? 0 : rank_fail(&t->e, "%s: no input is there", t->batch.path);
}

static int read_batch(Task *t, Str path)
{
  if (st_open(&t->batch, name_of(t, path), &t->e) != 0 || count_samples(t) != 0) {
    return -1;
  }
  t->input = ARENA_ARRAY(t->a, const double *, t->g->inputs.n);
  t->length = ARENA_ARRAY(t->a, const long *, t->g->axes.n);
  for (int i = 0; i < t->g->inputs.n; i++) {
    if (read_input(t, i) != 0) {
      return -1;
    }
  }
  return 0;
}

static int read_param(Task *t, int index)
{
  const Param *p = &t->g->params.data[index];
  const st_tensor *tensor = st_find(&t->load, name_of(t, p->name));
  if (!tensor) {
    return rank_fail(&t->e, "%s: parameter %.*s is missing", t->load.path, STR_ARG(p->name));
  }
  bool learnt = p->table && p->rows == 0;
  t->rows[index] = !p->table ? 1 : !learnt ? p->rows : tensor->nshape ? (long)tensor->shape[0] : 0;
  if (tensor->count != t->rows[index] * interpret_width(t->g, p)) {
    return rank_fail(&t->e, "%s: parameter %.*s has %lld values, not %ld", t->load.path,
      STR_ARG(p->name), (long long)tensor->count, t->rows[index] * interpret_width(t->g, p));
  }
  t->params[index] = ARENA_ARRAY(t->a, double, tensor->count);
  return st_read_reals(&t->load, tensor, t->params[index], &t->e);
}

/* Optimizer state where the file has it; else it starts as the optimizer says. */
static int read_states(Task *t)
{
  const Optimizer *o = &t->g->train.optimizer;
  t->states = interpret_states_new(t->a, t->g, t->rows);
  for (int i = 0; i < t->g->params.n; i++) {
    const Param *p = &t->g->params.data[i];
    for (int k = 0; k < o->nstates; k++) {
      Str name = str_format(t->a, "%.*s#%.*s", STR_ARG(p->name), STR_ARG(o->state_name[k]));
      const st_tensor *tensor = st_find(&t->load, name.s);
      if (tensor && tensor->count == t->rows[i] * interpret_width(t->g, p) &&
          st_read_reals(&t->load, tensor, t->states[i * MAX_STATES + k], &t->e) != 0) {
        return -1;
      }
    }
  }
  return 0;
}

static uint64_t whole(const char *text, uint64_t otherwise)
{
  return text ? strtoull(text, NULL, 10) : otherwise;
}

static int read_load(Task *t, Str path)
{
  if (st_open(&t->load, name_of(t, path), &t->e) != 0) {
    return -1;
  }
  t->seed = whole(st_meta(&t->load, "rank.seed"), 0);
  t->step = whole(st_meta(&t->load, "rank.step"), 0);
  t->params = ARENA_ARRAY(t->a, double *, t->g->params.n);
  t->rows = ARENA_ARRAY(t->a, long, t->g->params.n);
  for (int i = 0; i < t->g->params.n; i++) {
    if (read_param(t, i) != 0) {
      return -1;
    }
  }
  return read_states(t);
}

static st_entry *add_entry(Task *t, Str name, const double *data)
{
  st_entry *entry = VEC_PUSH(t->a, &t->out);
  *entry = (st_entry){.name = name_of(t, name), .dtype = ST_F64, .data = data};
  return entry;
}

/* Where in `value`, which may lack axes of t or have them in another order, position p of t is. */
static long position_in(const Task *t, const Tensor *value, Type own, Type type, long p)
{
  long at[MAX_AXES], offset = 0;
  for (int i = type.n - 1; i >= 0; i--) {
    long extent = type.axis[i] == AXIS_B ? t->n : t->g->axes.data[type.axis[i]].extent;
    at[i] = p % extent;
    p /= extent;
  }
  for (int i = 0; i < own.n; i++) {
    offset = offset * value->shape[i] + at[type_position(type, own.axis[i])];
  }
  return offset;
}

/* An output as the model says it is, [n, ...], also one that is the same for all samples. */
static void add_output(Task *t, Interp *ip, const Output *output)
{
  const Tensor *value = interpret_node(ip, output->node);
  long count = t->n;
  for (int i = 1; i < output->type.n; i++) {
    count *= t->g->axes.data[output->type.axis[i]].extent;
  }
  double *data = ARENA_ARRAY(t->a, double, count);
  for (long i = 0; i < count; i++) {
    data[i] = value->data[position_in(t, value, output->node->type, output->type, i)];
  }
  st_entry *entry = add_entry(t, output->name, data);
  entry->shape[entry->nshape++] = t->n;
  for (int i = 1; i < output->type.n; i++) {
    entry->shape[entry->nshape++] = t->g->axes.data[output->type.axis[i]].extent;
  }
}

/* In the shape the parameter has in files. */
static void add_param(Task *t, Str name, int index, const double *data)
{
  const Param *p = &t->g->params.data[index];
  long count = t->rows[index] * interpret_width(t->g, p);
  double *copy = ARENA_ARRAY(t->a, double, count);
  if (data) {
    memcpy(copy, data, (size_t)count * sizeof *copy);
  }
  st_entry *entry = add_entry(t, name, copy);
  for (int i = 0; i < p->nshape; i++) {
    entry->shape[entry->nshape++] = p->table && i == 0 ? t->rows[index] : p->shape[i];
  }
}

static Interp *interp(Task *t, bool training, uint64_t step)
{
  InterpretBatch *batch = ARENA_NEW(t->a, InterpretBatch);
  *batch = (InterpretBatch){t->n, t->input, t->length};
  Interp *ip = interpret_new(
    t->a, t->g, batch, (const double *const *)t->params, t->rows, t->seed, step, training);
  interpret_jitter(ip, t->jitter ? t->jitter + step : 0);
  return ip;
}

static bool has_labels(const Task *t)
{
  for (int i = 0; i < t->g->inputs.n; i++) {
    if (!t->input[i]) {
      return false;
    }
  }
  return true;
}

/* Outputs as prediction has them, then loss and gradients of the first training step. */
static int compute(Task *t, long steps)
{
  Interp *ip = interp(t, false, t->step);
  for (int i = 0; i < t->g->outputs.n; i++) {
    add_output(t, ip, &t->g->outputs.data[i]);
  }
  /* a model that learns nothing has no training step: its loss is an evaluation's */
  bool trains = steps > 0 && t->g->loss && t->g->train.given && t->g->grads.n > 0;
  if (!t->g->loss || (!trains && !has_labels(t))) {
    return 0;
  }
  if (!has_labels(t)) {
    return rank_fail(&t->e, "%s: a label is missing", t->batch.path);
  }
  for (long step = 0; step < (trains ? steps : 1); step++) {
    Arena mark = *t->a; /* each step's values go, the entries stay: they were made before */
    ip = interp(t, trains, t->step + (uint64_t)step);
    double *loss = ARENA_NEW(t->a, double);
    *loss = interpret_loss(ip);
    if (step == 0) {
      add_entry(t, S("loss"), loss);
      for (int i = 0; i < t->g->grads.n && trains; i++) {
        const Grad *grad = &t->g->grads.data[i];
        if (grad->update) {
          continue;
        }
        Str name = t->g->params.data[grad->param].name;
        add_param(t, str_format(t->a, "grad.%.*s", STR_ARG(name)), grad->param,
          interpret_grad(ip, grad)->data);
      }
      mark = *t->a;
    }
    if (trains && t->n > 0 &&
        isfinite(*loss)) { /* else there is nothing to learn, or nothing to be trusted */
      interpret_optimizer_step(ip, t->params, t->states, (long)t->step + steps);
    }
    *t->a = mark;
  }
  return 0;
}

int command_interpret(Options *o)
{
  Session s = {0};
  int code = session_open(&s, o);
  if (code != EXIT_FINE) {
    return code;
  }
  Task t = {
    .a = o->arena, .g = s.graph, .jitter = (uint64_t)o->jitter, .load.fd = -1, .batch.fd = -1};
  double start = now_ms();
  bool fine =
    read_load(&t, o->load) == 0 && read_batch(&t, o->batch) == 0 && compute(&t, o->steps) == 0;
  session_time(&s, "interpret", start);
  for (int i = 0; i < t.g->params.n && fine; i++) {
    add_param(&t, t.g->params.data[i].name, i, t.params[i]);
  }
  fine = fine && st_write(name_of(&t, o->out), t.out.data, t.out.n, NULL, 0, &t.e) == 0;
  st_close(&t.load);
  st_close(&t.batch);
  if (!fine) {
    fprintf(stderr, "rankc: error: %s\n", t.e.text);
  }
  return fine ? EXIT_FINE : EXIT_INPUT;
}
