/* lab.c: see lab.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <cmocka.h>

#include "lab.h"
#include "../../compiler/ir/print.h"
#include "../../compiler/ir/verify.h"

Lab lab_new(Arena *a, const Graph *g, long n, uint64_t seed)
{
  Lab lab = {.arena = a,
    .diags = {.arena = a},
    .probe = probe_new(a, g, n, seed),
    .probes = 24,
    .thorough = true};
  lab.scratch = arena_new((size_t)1 << 28);
  return lab;
}

void lab_scale(Lab *lab, const Graph *g, double low, double high)
{
  probe_scale(&lab->probe, g, low, high);
}

/* The probe's arena is the lab's, as it is now. */
static Interp *interpreter(const Lab *lab, Arena *a, const Graph *g, bool training)
{
  return probe_interpreter(&lab->probe, a, g, training);
}

static bool close_to(double x, double y, double tolerance)
{
  double scale = fmax(fmax(fabs(x), fabs(y)), 1e-2);
  return (isnan(x) && isnan(y)) || x == y || fabs(x - y) <= tolerance * scale;
}

static void show(const Lab *lab, const char *what, const Graph *g)
{
  Arena scratch = *lab->arena;
  Str text = print_graph(g, &scratch);
  printf("---- %s\n%.*s\n", what, STR_ARG(text));
}

static void check_verified(Lab *lab, const Graph *g)
{
  if (!verify_graph(g, lab->scratch, &lab->diags)) {
    diag_print(&lab->diags, stdout);
    show(lab, "does not verify", g);
    fail();
  }
}

static void check_param(Lab *lab, const Graph *g, int p)
{
  const Grad *grad = probe_grad(g, p);
  if (grad && grad->update) {
    return; /* a formula moves it, no gradient */
  }
  Arena scratch = *lab->arena;
  Interp *ip = interpreter(lab, &scratch, g, true);
  const Tensor *d = grad ? interpret_grad(ip, grad) : NULL;
  long rows = lab->probe.rows[p] < 12 ? lab->probe.rows[p] : 12; /* ids are small */
  long count = rows * interpret_width(g, &g->params.data[p]);
  Arena kept = *lab->arena;
  *lab->arena = scratch;
  for (long k = 0; k < count && k < lab->probes; k++) {
    long i = count <= lab->probes ? k : (long)(probe_number(&lab->probe) * (double)count);
    double by_rule = d ? d->data[i] : 0;
    double by_difference = probe_difference(&lab->probe, g, &lab->probe.params[p][i], 2e-5);
    if (!close_to(by_rule, by_difference, 1e-6)) {
      show(lab, "wrong gradient", g);
      fail_msg("d_%.*s[%ld] is %.12g, by differences %.12g", STR_ARG(g->params.data[p].name), i,
        by_rule, by_difference);
    }
  }
  *lab->arena = kept;
}

static void check_same(Lab *lab, const char *what, const Tensor *x, const Tensor *y, long at)
{
  (void)lab;
  if (!close_to(x->data[at], y->data[at], 1e-9)) {
    fail_msg("%s[%ld] is %.12g, was %.12g", what, at, y->data[at], x->data[at]);
  }
}

/* y's value may lack axes that x's has. Compares where both are stored alike, else only the first. */
static void check_values(
  Lab *lab, const char *what, const Node *a, const Tensor *x, const Node *b, const Tensor *y)
{
  if (x->count == y->count && a->type.n == b->type.n) {
    for (long i = 0; i < x->count; i++) {
      check_same(lab, what, x, y, i);
    }
  } else if (x->count > 0 && y->count > 0) {
    check_same(lab, what, x, y, 0);
  }
}

static void check_grads_kept(Lab *lab, const Graph *g, const Graph *h)
{
  Arena scratch = *lab->arena;
  Interp *x = interpreter(lab, &scratch, g, true), *y = interpreter(lab, &scratch, h, true);
  assert_int_equal(g->grads.n, h->grads.n);
  for (int i = 0; i < g->grads.n; i++) {
    const Grad *a = &g->grads.data[i], *b = &h->grads.data[i];
    assert_int_equal(a->param, b->param);
    const Tensor *dx = interpret_grad(x, a), *dy = interpret_grad(y, b);
    assert_int_equal(dx->count, dy->count);
    for (long k = 0; k < dx->count; k++) {
      check_same(lab, g->params.data[a->param].name.s, dx, dy, k);
    }
  }
}

/* That h computes what g does, as far as it computes it. */
static void check_kept(Lab *lab, const Graph *g, const Graph *h, bool training)
{
  Arena scratch = *lab->arena;
  Interp *x = interpreter(lab, &scratch, g, training), *y = interpreter(lab, &scratch, h, training);
  for (int i = 0; i < h->outputs.n; i++) {
    const Node *a = g->outputs.data[i].node, *b = h->outputs.data[i].node;
    check_values(lab, "output", a, interpret_node(x, a), b, interpret_node(y, b));
  }
  for (int i = 0; i < h->metrics.n; i++) {
    for (int k = 0; k < h->metrics.data[i].nargs; k++) {
      const Node *a = g->metrics.data[i].args[k], *b = h->metrics.data[i].args[k];
      check_values(lab, "argument of a metric", a, interpret_node(x, a), b, interpret_node(y, b));
    }
  }
  if (h->loss && !close_to(interpret_loss(x), interpret_loss(y), 1e-9)) {
    fail_msg("loss is %.12g, was %.12g", interpret_loss(y), interpret_loss(x));
  }
  if (h->grads.n > 0) {
    check_grads_kept(lab, g, h);
  }
}

static Graph *simplified(Lab *lab, const Graph *g, bool shows)
{
  Graph *h = pass_simplify(lab->arena, g);
  check_verified(lab, h);
  Str once = print_graph(h, lab->arena);
  Str twice = print_graph(pass_simplify(lab->arena, h), lab->arena);
  if (shows || !str_eq(once, twice)) {
    show(lab, "simplified", h);
  }
  if (!str_eq(once, twice)) {
    fail_msg("not a fixed point:\n%.*s", STR_ARG(twice));
  }
  return h;
}

static void check_prune(Lab *lab, const Graph *g)
{
  static const PruneFor roles[] = {PRUNE_PREDICT, PRUNE_EVALUATE, PRUNE_TRAIN};
  for (int i = 0; i < 3; i++) {
    Graph *h = pass_prune(lab->arena, g, roles[i]);
    check_verified(lab, h);
    assert_true((h->grads.n > 0) == (roles[i] == PRUNE_TRAIN && g->grads.n > 0));
    check_kept(lab, g, h, roles[i] == PRUNE_TRAIN);
    for (int k = 0; k < h->nodes.n; k++) {
      Op op = h->nodes.data[k]->op;
      assert_true(op != OP_TRAINING && op != OP_STOP);
      assert_true(op != OP_RANDOM || roles[i] == PRUNE_TRAIN);
    }
  }
}

/* The graph with its gradients, simplified before and after; also checks the simpler ways there. */
static void check_detour(Lab *lab, const Graph *g, const Graph *d)
{
  Graph *before = simplified(lab, g, false);
  check_kept(lab, g, before, true);
  check_kept(lab, g, before, false);
  for (int p = 0; p < g->params.n; p++) {
    check_param(lab, d, p);
  }
  check_kept(lab, d, simplified(lab, d, false), true);
  check_prune(lab, d);
}

void lab_check(Lab *lab, const Graph *g, bool shows)
{
  Arena kept = *lab->arena;
  check_verified(lab, g);
  Graph *d = pass_grad(lab->arena, g, &lab->diags);
  check_verified(lab, d);
  if (shows) {
    show(lab, "with gradients", d);
  }
  if (lab->thorough) {
    check_detour(lab, g, d);
  }
  Graph *before = simplified(lab, g, false);
  Graph *both = simplified(lab, pass_grad(lab->arena, before, &lab->diags), shows);
  for (int p = 0; p < g->params.n && !lab->thorough; p++) {
    check_param(lab, both, p);
  }
  check_kept(lab, d, both, true);
  check_prune(lab, both);
  assert_int_equal(lab->diags.errors, 0);
  *lab->arena = kept;
}

static int find_param(const Graph *g, Str name)
{
  int p = 0;
  while (!str_eq(g->params.data[p].name, name)) {
    p++;
  }
  return p;
}

void lab_copy(Lab *lab, const Graph *g, Str from, Str to)
{
  int p = find_param(g, from), q = find_param(g, to);
  long count = lab->probe.rows[p] * interpret_width(g, &g->params.data[p]);
  for (long i = 0; i < count; i++) {
    lab->probe.params[q][i] = lab->probe.params[p][i];
  }
}

const Tensor *lab_gradient(Lab *lab, const Graph *g, Str param)
{
  Graph *d = pass_simplify(lab->arena, pass_grad(lab->arena, g, &lab->diags));
  const Grad *grad = probe_grad(d, find_param(d, param));
  return interpret_grad(interpreter(lab, lab->arena, d, true), grad);
}
