/* A small graph made by hand, and what its tests have in common. */

#ifndef TEST_SMALL_GRAPH_H
#define TEST_SMALL_GRAPH_H

#include "ir/build.h"
#include "ir/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static Arena whole;

/* A small model: axes, inputs and params that most tests use. */
enum { ITEM, HIST, X, Y };
enum { ADS, K, PLACE };
typedef struct Small {
  Arena a;
  Graph *g;
  short d, e, l, m, c, f;
} Small;

static inline short axis(Graph *g, const char *name, AxisKind kind, long extent, int root)
{
  Axis axis = {.name = str_of(name), .kind = kind, .extent = extent};
  axis.root = root < 0 ? g->axes.n : root;
  return (short)graph_axis(g, axis);
}

static inline void input(Graph *g, const char *name, Kind kind, int naxes, const short *axes)
{
  Input *in = VEC_PUSH(g->arena, &g->inputs);
  in->name = str_of(name);
  in->type = (Type){.kind = kind, .n = 1 + naxes};
  for (int i = 0; i < naxes; i++) {
    in->type.axis[i + 1] = axes[i];
  }
  in->same_as = -1;
  if (kind == KIND_ID) {
    in->nvocab = 1;
    in->vocab = ARENA_NEW(g->arena, long);
    in->vocab[0] = 5;
  }
}

static inline Param *param(Graph *g, const char *name, long rows, int naxes, const short *axes)
{
  Param *p = VEC_PUSH(g->arena, &g->params);
  *p = (Param){.name = str_of(name), .table = rows > 0, .rows = rows, .vocab_of = -1};
  if (rows > 0) {
    p->shape[p->nshape++] = rows;
  }
  for (int i = 0; i < naxes; i++) {
    p->type.axis[p->type.n++] = axes[i];
    p->shape[p->nshape++] = g->axes.data[axes[i]].extent;
  }
  return p;
}

static inline Small *small_new(Small *s)
{
  s->a = whole;
  Graph *g = s->g = graph_new(&s->a);
  g->model = S("small");
  s->d = axis(g, "D", AXIS_PLAIN, 2, -1);
  s->e = axis(g, "E", AXIS_PLAIN, 2, -1);
  s->l = axis(g, "L", AXIS_RAGGED, 3, -1);
  s->m = axis(g, "M", AXIS_RAGGED, 3, s->l);
  s->c = axis(g, "C", AXIS_BATCH, 0, AXIS_B);
  s->f = axis(g, "F", AXIS_PLAIN, 3, -1);
  input(g, "item", KIND_ID, 0, NULL);
  input(g, "hist", KIND_ID, 1, &s->l);
  input(g, "x", KIND_REAL, 1, &s->f);
  input(g, "y", KIND_REAL, 0, NULL);
  g->inputs.data[Y].label = true;
  Param *ads = param(g, "ads", 5, 1, &s->d);
  ads->init = INIT_NORMAL;
  ads->init_b = 0.1;
  param(g, "k", 0, 1, &s->f);
  param(g, "place", 0, 2, (short[]){s->l, s->d});
  return s;
}

static Small small;

static inline int start(void **state)
{
  *state = small_new(&small);
  return 0;
}

static inline void expect_valid(Small *s)
{
  Diags d = {.arena = &s->a};
  if (!verify_graph(s->g, s->a, &d)) {
    fail_msg("%.*s", STR_ARG(d.list.data[0].message));
  }
}

static inline void output(Small *s, const char *name, Node *n)
{
  *VEC_PUSH(&s->a, &s->g->outputs) = (Output){.name = str_of(name), .node = n};
}

#define SMALL_TEST(f) cmocka_unit_test_setup(f, start)

#endif
