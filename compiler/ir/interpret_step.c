/* interpret_step.c: the loss and what one optimizer step does to the parameters, for the reference interpreter.
 *
 * The order is part of the language's meaning: clip each value, clip the norm over all parameters, add
 * l2 times the weight, then the optimizer's text, for every weight on its own. */

#include "interpret.h"
#include "ops.h"

#include <math.h>

typedef struct Step {
  const Optimizer *o;
  double var[VAR_STATE + MAX_STATES];
  double scale;
} Step;

long interpret_width(const Graph *g, const Param *param)
{
  long width = 1;
  for (int i = 0; i < param->type.n; i++) {
    width *= g->axes.data[param->type.axis[i]].extent;
  }
  return width;
}

double interpret_loss(Interp *ip)
{
  const Tensor *loss = interpret_node(ip, ip->g->loss);
  double sum = 0;
  for (long i = 0; i < loss->count; i++) {
    sum = interpret_add(ip, sum, loss->data[i]);
  }
  return ip->batch.n == 0 ? 0 : sum / (double)loss->count;
}

double **interpret_states_new(Arena *a, const Graph *g, const long *rows)
{
  const Optimizer *o = &g->train.optimizer;
  double **states = ARENA_ARRAY(a, double *, g->params.n *MAX_STATES);
  for (int i = 0; i < g->params.n; i++) {
    long count = rows[i] * interpret_width(g, &g->params.data[i]);
    for (int k = 0; k < o->nstates; k++) {
      double *state = ARENA_ARRAY(a, double, count);
      for (long j = 0; j < count; j++) {
        state[j] = o->state_init[k];
      }
      states[i * MAX_STATES + k] = state;
    }
  }
  return states;
}

static double text_value(const Node *n, const double *var)
{
  double x[3] = {0};
  for (int i = 0; i < n->nin; i++) {
    x[i] = text_value(n->in[i], var);
  }
  if (n->op == OP_CONST) {
    return n->value;
  }
  return n->op == OP_VAR ? var[n->leaf] : op_apply(n->op, x);
}

static double clipped(const Optimizer *o, double g)
{
  double most = o->clip_value > 0 ? o->clip_value : (double)INFINITY;
  return g > most ? most : g < -most ? -most : g; /* what is no number stays none */
}

static double norm_scale(Interp *ip)
{
  const Optimizer *o = &ip->g->train.optimizer;
  double squares = 0;
  for (int i = 0; o->clip_norm > 0 && i < ip->g->grads.n; i++) {
    const Tensor *grad = interpret_grad(ip, &ip->g->grads.data[i]);
    for (long j = 0; j < grad->count && !ip->g->grads.data[i].update; j++) {
      double g = clipped(o, grad->data[j]);
      squares += g * g;
    }
  }
  return squares > 0 ? fmin(1, o->clip_norm / sqrt(squares)) : 1;
}

/* The rows of a table that occur in the batch. */
static bool *touched_rows(Interp *ip, const Node *scatter, Arena *a)
{
  const Graph *g = ip->g;
  bool *touched = ARENA_ARRAY(a, bool, ip->rows[scatter->leaf]);
  for (int i = 0; i < scatter->nin; i += 2) {
    const Node *ids = scatter->in[i];
    const Tensor *value = interpret_node(ip, ids);
    for (long j = 0; j < value->count; j++) {
      long rest = j, at[MAX_AXES] = {0};
      for (int k = ids->type.n - 1; k >= 0; k--) {
        at[k] = rest % value->shape[k];
        rest /= value->shape[k];
      }
      bool there = value->data[j] >= 0 && value->data[j] < (double)ip->rows[scatter->leaf];
      for (int k = 1; k < ids->type.n; k++) {
        if (g->axes.data[ids->type.axis[k]].kind == AXIS_RAGGED) {
          there &= at[k] < ip->batch.length[axis_root(g, ids->type.axis[k])][at[0]];
        }
      }
      if (there) {
        touched[(long)value->data[j]] = true;
      }
    }
  }
  return touched;
}

static void update(Step *s, double *w, double g, double l2, double *const *states, long at)
{
  s->var[VAR_W] = *w;
  s->var[VAR_G] = clipped(s->o, g) * s->scale + l2 * *w;
  for (int k = 0; k < s->o->nstates; k++) {
    s->var[VAR_STATE + k] = states[k][at];
  }
  *w = text_value(s->o->new_w, s->var);
  for (int k = 0; k < s->o->nstates; k++) {
    states[k][at] = text_value(s->o->new_state[k], s->var);
  }
}

void interpret_optimizer_step(Interp *ip, double *const *params, double *const *states, long steps)
{
  const Graph *g = ip->g;
  const Optimizer *o = &g->train.optimizer;
  Step s = {.o = o, .scale = norm_scale(ip)};
  s.var[VAR_T] = (double)(ip->step + 1);
  s.var[VAR_STEPS] = (double)steps;
  s.var[VAR_LR] = o->lr * (o->schedule ? text_value(o->schedule, s.var) : 1);
  const Tensor **grads = ARENA_ARRAY(ip->arena, const Tensor *, g->grads.n);
  bool **touched = ARENA_ARRAY(ip->arena, bool *, g->grads.n);
  for (int i = 0; i < g->grads.n; i++) { /* all of them before any weight moves */
    grads[i] = interpret_grad(ip, &g->grads.data[i]);
    const Node *n = g->grads.data[i].node;
    touched[i] = n->op == OP_SCATTER ? touched_rows(ip, n, ip->arena) : NULL;
  }
  for (int i = 0; i < g->grads.n; i++) {
    int param = g->grads.data[i].param;
    long width = interpret_width(g, &g->params.data[param]);
    for (long j = 0; j < ip->rows[param] * width; j++) {
      if (g->grads.data[i].update) {
        params[param][j] = grads[i]->data[j];
        continue;
      }
      bool here = !touched[i] || touched[i][j / width];
      if (here || o->dense_tables || (o->l2_dense && o->l2 > 0)) {
        double l2 = (here || o->l2_dense) && !g->params.data[param].free ? o->l2 : 0;
        update(&s, &params[param][j], grads[i]->data[j], l2, states + param * MAX_STATES, j);
      }
    }
  }
}
