/* check_solver.c: `train lbfgs(...), settings`: training by passes over all the data at once.
 *
 * One idea: a solver needs nothing of the generated step but its gradients, so a model that has one still has
 * an optimizer, for steps that are asked for one by one: `online = OPT(...)`, else plain sgd. */

#include "check.h"

enum { SOLVER_BATCH = 4096, SOLVER_EPOCHS = 1000 };

static const struct {
  const char *name;
  double normal, low, high;
} options[] = {{"memory", 10, 1, 100}, {"tolerance", 1e-7, 0, 1}};

enum { MEMORY, TOLERANCE, OPTIONS };

bool solver_named(const Expr *call)
{
  return call->kind == EXPR_CALL && str_eq(call->name, S("lbfgs"));
}

static bool solver_options(Checker *c, const Expr *call, double *x)
{
  bool good = call->args.n == 0;
  if (!good) {
    fail(c, call->args.data[0]->loc, "write the option's name: lbfgs(memory = 10)");
  }
  for (int k = 0; k < OPTIONS; k++) {
    x[k] = options[k].normal;
  }
  for (int i = 0; i < call->options.n && good; i++) {
    const Option *o = &call->options.data[i];
    int k = 0;
    while (k < OPTIONS && !str_eq(o->name, str_of(options[k].name))) {
      k++;
    }
    if (k == OPTIONS) {
      fail(c, o->loc, "lbfgs has no option '%.*s'; it has memory, tolerance", STR_ARG(o->name));
      return false;
    }
    good = check_number(c, o->value, "an option", &x[k]);
    if (good && !(x[k] >= options[k].low && x[k] <= options[k].high)) {
      fail(
        c, o->value->loc, "%s is from %g to %g", options[k].name, options[k].low, options[k].high);
      good = false;
    }
  }
  return good;
}

/* The optimizer of single steps. */
static const Expr *step_call(Checker *c, const Stmt *s)
{
  for (int i = 0; i < s->options.n; i++) {
    const Option *o = &s->options.data[i];
    if (str_eq(o->name, S("online"))) {
      return o->value;
    }
  }
  Expr *plain = ARENA_NEW(c->a, Expr);
  *plain = (Expr){.kind = EXPR_CALL, .name = S("sgd"), .loc = s->expr->loc};
  return plain;
}

void check_solver(Checker *c, const Stmt *s)
{
  Train *t = &c->g->train;
  double x[OPTIONS];
  if (solver_options(c, s->expr, x)) {
    t->solver = (Solver){.given = true, .memory = (int)x[MEMORY], .tolerance = x[TOLERANCE]};
  }
  t->batch = SOLVER_BATCH;
  t->epochs = SOLVER_EPOCHS;
  const Expr *call = step_call(c, s);
  if (call->kind != EXPR_CALL || solver_named(call)) {
    fail(c, call->loc, "wanted an optimizer that takes steps: online = ftrl(lr = 0.1)");
    return;
  }
  check_optimizer(c, call, &t->optimizer);
}

bool check_solver_setting(Checker *c, const Option *o, bool solver)
{
  static const char *const allowed[] = {"batch", "epochs", "seed", "l2", "online"};
  bool online = str_eq(o->name, S("online"));
  if (!solver) {
    if (online) {
      fail(c, o->loc,
        "'online' goes with lbfgs; an optimizer that takes steps learns online as it is");
    }
    return online;
  }
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    if (str_eq(o->name, str_of(allowed[i]))) {
      return online;
    }
  }
  fail(c, o->loc,
    "lbfgs takes all the data at once and has no setting '%.*s'; it has batch, epochs, seed, l2, "
    "online",
    STR_ARG(o->name));
  return true;
}

/* Its passes over the data must all see the same function. */
void check_solver_updates(Checker *c)
{
  const Graph *g = c->g;
  for (int i = 0; i < g->grads.n && g->train.solver.given; i++) {
    if (g->grads.data[i].update) {
      fail(c, g->train.loc,
        "lbfgs minimises a function that stays the same, but '%.*s' is updated by training steps",
        STR_ARG(g->params.data[g->grads.data[i].param].name));
      return;
    }
  }
}
