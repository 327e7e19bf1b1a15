/* probe.c: see probe.h. */

#include "probe.h"

#include "../../runtime/rank_random.h"

#include <math.h>

double probe_number(Probe *p)
{
  return rank_random_at(p->seed++, 1, 2);
}

static long largest_id(const Input *in)
{
  long rows = 0;
  for (int i = 0; i < in->nvocab; i++) {
    rows += in->vocab[i] ? in->vocab[i] : 5;
  }
  return rows;
}

static double *random_input(Probe *p, const Graph *g, const Input *in)
{
  long count = p->batch.n, width = 1;
  for (int i = 0; i < in->type.n; i++) {
    const Axis *axis = &g->axes.data[in->type.axis[i]];
    count *= axis->kind == AXIS_BATCH ? 1 : axis->extent;
    width = axis->extent;
  }
  double *x = ARENA_ARRAY(p->arena, double, count + 1);
  for (long i = 0; i < count; i++) {
    x[i] = in->label ? floor(2 * probe_number(p)) : 0.2 + probe_number(p);
    if (in->type.kind == KIND_ID) {
      long v = in->nvocab > 1 ? i % width : 0, base = 0;
      for (long k = 0; k < v; k++) {
        base += in->vocab[k];
      }
      long size = in->nvocab > 1 ? in->vocab[v] : largest_id(in);
      x[i] = (double)(base + (long)(probe_number(p) * (double)(size < 6 ? size : 6)));
    }
  }
  return x;
}

static void random_batch(Probe *p, const Graph *g)
{
  const double **input = ARENA_ARRAY(p->arena, const double *, g->inputs.n + 1);
  const long **length = ARENA_ARRAY(p->arena, const long *, g->axes.n);
  for (int i = 0; i < g->inputs.n; i++) {
    input[i] = random_input(p, g, &g->inputs.data[i]);
  }
  for (int i = 0; i < g->axes.n; i++) {
    const Axis *axis = &g->axes.data[i];
    if (axis->kind == AXIS_RAGGED && axis->root == i) {
      long *lengths = ARENA_ARRAY(p->arena, long, p->batch.n + 1);
      for (long k = 0; k < p->batch.n; k++) { /* the second is empty, the third is full */
        long any = (long)(probe_number(p) * (double)(axis->extent + 1));
        lengths[k] = k == 1 ? 0 : k == 2 ? axis->extent : any;
      }
      length[i] = lengths;
    }
  }
  p->batch.input = input;
  p->batch.length = length;
}

Probe probe_new(Arena *a, const Graph *g, long n, uint64_t seed)
{
  Probe probe = {.arena = a, .batch = {.n = n}, .seed = seed};
  probe.params = ARENA_ARRAY(a, double *, g->params.n + 1);
  probe.rows = ARENA_ARRAY(a, long, g->params.n + 1);
  for (int i = 0; i < g->params.n; i++) {
    const Param *param = &g->params.data[i];
    probe.rows[i] = !param->table ? 1 : param->rows ? param->rows : 5;
    probe.params[i] = ARENA_ARRAY(a, double, probe.rows[i] * interpret_width(g, param));
  }
  probe_scale(&probe, g, 0.2, 1.2);
  random_batch(&probe, g);
  return probe;
}

void probe_scale(Probe *p, const Graph *g, double low, double high)
{
  for (int i = 0; i < g->params.n; i++) {
    long count = p->rows[i] * interpret_width(g, &g->params.data[i]);
    for (long k = 0; k < count; k++) {
      p->params[i][k] = low + (high - low) * probe_number(p);
    }
  }
}

Interp *probe_interpreter(const Probe *p, Arena *a, const Graph *g, bool training)
{
  return interpret_new(a, g, &p->batch, (const double *const *)p->params, p->rows, 7, 3, training);
}

double probe_loss(const Probe *p, const Graph *g, bool training)
{
  Arena scratch = *p->arena;
  return interpret_loss(probe_interpreter(p, &scratch, g, training));
}

double probe_difference(Probe *p, const Graph *g, double *x, double h)
{
  static const double at[] = {-2, -1, 1, 2}, weight[] = {1, -8, 8, -1};
  double kept = *x, sum = 0;
  for (int i = 0; i < 4; i++) {
    *x = kept + at[i] * h;
    sum += weight[i] * probe_loss(p, g, true);
  }
  *x = kept;
  return sum / (12 * h);
}

const Grad *probe_grad(const Graph *g, int param)
{
  for (int i = 0; i < g->grads.n; i++) {
    if (g->grads.data[i].param == param) {
      return &g->grads.data[i];
    }
  }
  return NULL;
}
