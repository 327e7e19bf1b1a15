/* make_batch.c: parameters and a batch for any model, at random, as safetensors.
 *   make_batch MODEL.rank SAMPLES SEED PARAMETERS.st BATCH.st
 *
 * Made to be awkward: the first sample's lists are empty and the second's as long as they may be; half
 * of all ids are drawn from a few, so that rows of tables repeat within a batch; no parameter is 0. */

#include "../../runtime/safetensors.h"
#include "front/front.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEARNT_ROWS = 23, FEW_IDS = 7 };

static Arena arena;
static uint64_t seed;

/* Splitmix64, as a number in [0, 1). */
static double uniform(void)
{
  seed += 0x9e3779b97f4a7c15u;
  uint64_t x = seed;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

static double normal(void)
{
  double u = uniform();
  return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * uniform());
}

typedef VEC(st_entry) Entries;

static st_entry *add(Entries *entries, Str name, st_dtype dtype, const void *data)
{
  st_entry *entry = VEC_PUSH(&arena, entries);
  *entry = (st_entry){.name = str_copy(&arena, name).s, .dtype = dtype, .data = data};
  return entry;
}

static double start_value(const Param *p)
{
  double noise = 0.05 * normal();
  switch (p->init) {
  case INIT_ZEROS:
    return noise;
  case INIT_CONSTANT:
    return p->init_a + noise;
  case INIT_NORMAL:
    return p->init_a + p->init_b * normal() + noise;
  case INIT_UNIFORM:
    return p->init_a + (p->init_b - p->init_a) * uniform() + noise;
  }
  return noise;
}

static void add_param(Entries *entries, const Param *p)
{
  st_entry entry = {.dtype = ST_F64, .nshape = p->nshape};
  long count = 1;
  for (int i = 0; i < p->nshape; i++) {
    entry.shape[i] = p->table && i == 0 && p->rows == 0 ? LEARNT_ROWS : p->shape[i];
    count *= entry.shape[i];
  }
  double *data = ARENA_ARRAY(&arena, double, count);
  for (long i = 0; i < count; i++) {
    data[i] = start_value(p);
  }
  entry.data = data;
  entry.name = str_copy(&arena, p->name).s;
  *VEC_PUSH(&arena, entries) = entry;
}

static int64_t *lengths_of(int64_t **lengths, const Graph *g, int axis, long n)
{
  if (!lengths[axis]) {
    long most = g->axes.data[axis].extent;
    lengths[axis] = ARENA_ARRAY(&arena, int64_t, n);
    for (long i = 0; i < n; i++) {
      int64_t drawn = (int64_t)(uniform() * (double)(most + 1));
      lengths[axis][i] = i == 0 ? 0 : i == 1 ? most : drawn;
    }
  }
  return lengths[axis];
}

static int64_t draw_id(const Input *in, long position)
{
  long size = in->vocab[in->nvocab > 1 ? position % in->nvocab : 0];
  long rows = size > 0 ? size : LEARNT_ROWS;
  int64_t id = (int64_t)(uniform() * (double)rows);
  return uniform() < 0.5 ? id % FEW_IDS : id;
}

static double draw_real(const Input *in)
{
  return in->label ? uniform() < 0.3 : normal();
}

static void add_input(Entries *entries, const Graph *g, const Input *in, long n, int64_t **lengths)
{
  st_entry entry = {.name = str_copy(&arena, in->name).s, .nshape = in->type.n};
  long per_sample = 1, most = 1;
  const int64_t *length = NULL;
  for (int i = 0; i < in->type.n; i++) {
    const Axis *axis = &g->axes.data[in->type.axis[i]];
    entry.shape[i] = axis->kind == AXIS_BATCH ? n : axis->extent;
    per_sample *= axis->kind == AXIS_BATCH ? 1 : axis->extent;
    if (axis->kind == AXIS_RAGGED) {
      length = lengths_of(lengths, g, in->type.axis[i], n);
      most = axis->extent;
    }
  }
  long width = per_sample / most;
  int64_t *ids = ARENA_ARRAY(&arena, int64_t, n * per_sample);
  double *reals = ARENA_ARRAY(&arena, double, n *per_sample);
  for (long i = 0; i < n * per_sample; i++) {
    if (length && i % per_sample / width >= length[i / per_sample]) {
      continue;
    }
    if (in->type.kind == KIND_ID) {
      ids[i] = draw_id(in, i % width);
    } else {
      reals[i] = draw_real(in);
    }
  }
  entry.dtype = in->type.kind == KIND_ID ? ST_I64 : ST_F64;
  entry.data = in->type.kind == KIND_ID ? (const void *)ids : reals;
  *VEC_PUSH(&arena, entries) = entry;
  if (length) {
    st_entry *e = add(entries, str_format(&arena, "%s.length", entry.name), ST_I64, length);
    e->nshape = 1;
    e->shape[0] = n;
  }
}

static Graph *read_model(const char *path)
{
  FILE *file = fopen(path, "rb");
  char *text = ARENA_ARRAY(&arena, char, 1 << 20);
  if (!file) {
    return NULL;
  }
  size_t n = fread(text, 1, 1 << 20, file);
  fclose(file);
  Source *source = ARENA_NEW(&arena, Source);
  *source = (Source){str_of(path), {text, (int)n}};
  Diags diags = {.arena = &arena};
  Graph *g = front_compile(&arena, source, NULL, &diags);
  diag_print(&diags, stderr);
  return g;
}

int main(int argc, char **argv)
{
  if (argc != 6) {
    fprintf(stderr, "usage: make_batch MODEL.rank SAMPLES SEED PARAMETERS.st BATCH.st\n");
    return 2;
  }
  arena = arena_new((size_t)1 << 34);
  seed = strtoull(argv[3], NULL, 10);
  long n = strtol(argv[2], NULL, 10);
  const Graph *g = read_model(argv[1]);
  if (!g) {
    return 1;
  }
  Entries params = {0}, inputs = {0};
  for (int i = 0; i < g->params.n; i++) {
    add_param(&params, &g->params.data[i]);
  }
  int64_t **lengths = ARENA_ARRAY(&arena, int64_t *, g->axes.n);
  for (int i = 0; i < g->inputs.n; i++) {
    add_input(&inputs, g, &g->inputs.data[i], n, lengths);
  }
  rank_error e;
  if (st_write(argv[4], params.data, params.n, NULL, 0, &e) != 0 ||
      st_write(argv[5], inputs.data, inputs.n, NULL, 0, &e) != 0) {
    fprintf(stderr, "make_batch: %s\n", e.text);
    return 1;
  }
  return 0;
}
