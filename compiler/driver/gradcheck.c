/* gradcheck.c: `rankc gradcheck`: the gradients that the compiler derived, against finite differences.
 *
 * The loss is that of the program as it was checked, the gradients are those that would be emitted, after
 * every pass; so a mistake of any pass shows. Both are computed by the interpreter, in double precision. */

#include "command.h"
#include "pipeline.h"
#include "probe.h"
#include "table.h"

#include <math.h>
#include <stdio.h>

enum { SAMPLES = 4, SEED = 5 };
static const double STEPS[] = {2e-5, 2e-6, 2e-4};

typedef struct Worst {
  double error, by_rule, by_difference;
  long at, tried;
} Worst;

/* Relative to the larger of the two, and to a hundredth where both are small. */
static double error_between(double x, double y)
{
  double scale = fmax(fmax(fabs(x), fabs(y)), 1e-2);
  return isfinite(x) && isfinite(y) ? fabs(x - y) / scale : x == y ? 0 : (double)INFINITY;
}

/* One element. A kink (of relu, of max) within reach of one step is out of reach of another. */
static void try_element(
  Probe *p, const Graph *plain, int param, long i, double by_rule, double tolerance, Worst *w)
{
  double error = (double)INFINITY, by_difference = 0;
  for (int k = 0; k < 3 && !(error <= tolerance); k++) {
    double d = probe_difference(p, plain, &p->params[param][i], STEPS[k]);
    if (k == 0 || error_between(by_rule, d) < error) {
      by_difference = d;
      error = error_between(by_rule, d);
    }
  }
  if (w->tried++ == 0 || error > w->error) {
    *w = (Worst){error, by_rule, by_difference, i, w->tried};
  }
}

static Worst try_param(
  Probe *p, const Graph *plain, const Graph *derived, int param, const Options *o)
{
  Arena kept = *p->arena;
  const Grad *grad = probe_grad(derived, param);
  if (grad && grad->update) {
    return (Worst){0}; /* a formula moves it, no gradient */
  }
  Interp *ip = probe_interpreter(p, p->arena, derived, true);
  const Tensor *d = grad ? interpret_grad(ip, grad) : NULL;
  long rows = p->rows[param] < PROBE_ROWS ? p->rows[param] : PROBE_ROWS;
  long count = rows * interpret_width(plain, &plain->params.data[param]);
  Worst w = {0};
  for (long k = 0; k < count && k < o->probes; k++) {
    long i = count <= o->probes ? k : (long)(probe_number(p) * (double)count);
    try_element(p, plain, param, i, d ? d->data[i] : 0, o->tolerance, &w);
  }
  *p->arena = kept;
  return w;
}

static void add_row(Arena *a, Table *t, Str name, const Worst *w, double tolerance)
{
  table_cell(t, name);
  table_cell(t, str_format(a, "%ld", w->tried));
  table_cell(t, str_format(a, "%.1e", w->error));
  table_cell(t, str_format(a, "%ld", w->at));
  table_cell(t, str_format(a, "%.9g", w->by_rule));
  table_cell(t, str_format(a, "%.9g", w->by_difference));
  table_cell(t, w->error <= tolerance ? S("") : S("too far"));
}

static int compare(Options *o, const Graph *plain, const Graph *derived)
{
  Arena *a = o->arena;
  Probe p = probe_new(a, plain, SAMPLES, SEED);
  probe_scale(&p, plain, -0.7, 0.7);
  double loss = probe_loss(&p, plain, true);
  Table t = {.arena = a,
    .columns = 7,
    .heads = {"parameter", "tried", "largest error", "at", "gradient", "by differences", ""},
    .right = {[1] = true, [2] = true, [3] = true, [4] = true, [5] = true}};
  int wrong = 0;
  for (int i = 0; i < plain->params.n; i++) {
    Worst w = try_param(&p, plain, derived, i, o);
    wrong += !(w.error <= o->tolerance);
    add_row(a, &t, plain->params.data[i].name, &w, o->tolerance);
  }
  printf("%.*s: loss %.9g on %d random samples\n", STR_ARG(plain->model), loss, SAMPLES);
  table_print(&t, "  ", stdout);
  printf("%d of %d parameters above %g\n", wrong, plain->params.n, o->tolerance);
  return wrong > 0 || !isfinite(loss) ? EXIT_INPUT : EXIT_FINE;
}

int command_gradcheck(Options *o)
{
  Session s = {0};
  int code = session_start(&s, o);
  const Graph *plain = s.graph;
  for (int i = 0; i < npasses && code == EXIT_FINE; i++) {
    code = session_pass(&s, &passes[i]);
  }
  if (code == EXIT_FINE && !plain->loss) {
    fprintf(stderr, "rankc: error: %.*s: no loss, so there are no gradients to check\n",
      STR_ARG(o->model));
    return EXIT_INPUT;
  }
  return code == EXIT_FINE ? compare(o, plain, s.graph) : code;
}
