/* test_grad.c: gradients against finite differences, op by op and on whole programs; and that
 * simplification and pruning keep what they must. */

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"

static Arena arena;

/* A graph with a batch, a list L and an axis D; x [L], z [D] are inputs, p [D], q [] params. */
typedef struct Small {
  Graph *g;
  int l, d;
  Node *x, *z, *p, *q;
} Small;

static Type type_of(int n, const int *axes)
{
  Type t = {.kind = KIND_REAL, .n = n};
  for (int i = 0; i < n; i++) {
    t.axis[i] = (short)axes[i];
  }
  return t;
}

static Node *add_input(Graph *g, Str name, Type t)
{
  *VEC_PUSH(g->arena, &g->inputs) =
    (Input){.name = name, .type = t, .same_as = -1, .encoding.separator = S(" ")};
  return build_input(g, g->inputs.n - 1);
}

static Node *add_param(Graph *g, Str name, Type t)
{
  Param p = {.name = name, .type = t, .vocab_of = -1, .nshape = t.n};
  for (int i = 0; i < t.n; i++) {
    p.shape[i] = g->axes.data[t.axis[i]].extent;
  }
  *VEC_PUSH(g->arena, &g->params) = p;
  return build_param(g, g->params.n - 1);
}

static Small small_new(void)
{
  Small s = {.g = graph_new(&arena)};
  Graph *g = s.g;
  g->train.given = true;
  g->train.batch = 4;
  g->train.optimizer = (Optimizer){.name = S("sgd"), .lr = 1};
  g->train.optimizer.new_w = build_var(graph_new(&arena), VAR_W);
  s.l = graph_axis(g, (Axis){.name = S("L"), .kind = AXIS_RAGGED, .extent = 3, .root = g->axes.n});
  s.d = graph_axis(g, (Axis){.name = S("D"), .kind = AXIS_PLAIN, .extent = 2, .root = g->axes.n});
  s.x = add_input(g, S("x"), type_of(2, (int[]){AXIS_B, s.l}));
  s.z = add_input(g, S("z"), type_of(2, (int[]){AXIS_B, s.d}));
  s.p = add_param(g, S("p"), type_of(1, (int[]){s.d}));
  s.q = add_param(g, S("q"), type_of(0, NULL));
  return s;
}

/* The mean over the batch of the weighted sum of y over everything else. */
static void small_loss(Small *s, Node *y)
{
  Graph *g = s->g;
  Node *weight = build_op2(g, OP_ADD, s->x, s->z);
  Node *all = build_op2(g, OP_MUL, y, weight);
  g->loss = build_reduce(g, OP_SUM, all, 2, (short[]){(short)s->l, (short)s->d});
  Lab lab = lab_new(&arena, g, 4, 11);
  lab_check(&lab, g, getenv("SHOW") != NULL);
}

/* Operands of all kinds of types: (varies with samples, list and D), (D only), (nothing), ... */
static Node *operand(Small *s, int which)
{
  Graph *g = s->g;
  switch (which % 4) {
  case 0:
    return build_op2(g, OP_ADD, build_op2(g, OP_MUL, s->p, s->x), s->q);
  case 1:
    return build_op2(g, OP_MUL, s->p, s->q);
  case 2:
    return build_op2(g, OP_MUL, s->q, s->x);
  default:
    return s->q;
  }
}

static void test_pointwise(void **state)
{
  (void)state;
  for (int op = 0; op < OP_COUNT; op++) {
    const OpRow *row = &op_rows[op];
    bool any = row->grad[0][0] || row->grad[1][0] || row->grad[2][0];
    for (int shape = 0; op_pointwise((Op)op) && any && shape < 16; shape++) {
      Small s = small_new();
      Node *in[3] = {operand(&s, shape), operand(&s, shape / 4 + 1), operand(&s, shape + 2)};
      if (op == OP_WHERE) {
        in[0] = build_op2(s.g, OP_LT, s.x, build_const(s.g, 0.7));
      }
      small_loss(&s, build_op(s.g, (Op)op, row->arity, in));
    }
  }
}

static void test_ties(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    Small s = small_new();
    Node *in[] = {s.p, s.p};
    small_loss(&s, build_op(s.g, i ? OP_MAXIMUM : OP_MINIMUM, 2, in));
  }
}

/* Programs. */

static Graph *compile(const char *name, Str text, const FrontOptions *o)
{
  Source *source = ARENA_NEW(&arena, Source);
  Diags diags = {.arena = &arena};
  *source = (Source){.name = str_of(name), .text = text};
  Graph *g = front_compile(&arena, source, o, &diags);
  if (!g) {
    diag_print(&diags, stdout);
    fail_msg("%s does not compile", name);
  }
  return g;
}

static void check_program(const char *name, Str text, const FrontOptions *o, int probes)
{
  Arena kept = arena;
  bool shows = getenv("SHOW") && strcmp(getenv("SHOW"), name) == 0;
  Graph *g = compile(name, text, o);
  Lab lab = lab_new(&arena, g, probes > 3 ? 4 : 3, 5);
  lab.probes = probes;
  lab_scale(&lab, g, -0.7, 0.7);
  printf("%s\n", name);
  lab.thorough = probes > 3;
  lab_check(&lab, g, shows);
  arena = kept;
}

static const char head[] =
  "model m\n"
  "dim D = 3\ndim E = 3\ndim F = 4\ndim G = 4\ndim P = 6\ndim L <= 5\ndim M = L\ndim C = B\n"
  "input item : id(6)\n"
  "input hist : id(6)[L], sep = \" \"\n"
  "input field : id(3, 2, 4, 3)[F] from \"f1\"..\"f4\"\n"
  "input u : f32[D] from \"u1\"..\"u3\"\n"
  "input v : f32[F] from \"v1\"..\"v4\"\n"
  "label y : f32\n"
  "table ads : f32[6, D]\n"
  "table w : f32[6]\n"
  "table cross : f32[field, E, D]\n"
  "param p : f32[D]\n"
  "param q : f32[D, F]\n"
  "param r : f32[F]\n"
  "param place : f32[L, D]\n"
  "param far : f32[L]\n"
  "param s : f32\n"
  "h = ads[hist]\n"
  "t = ads[item]\n"
  "train sgd(lr = 0.1), batch = 4\n";

/* Each is a loss; NAME: text. */
static const char *const programs[][2] = {
  {"lookups", "loss sum[D](t * p) + sum[L, D](h * u) + w[item] * sum[L](w[hist] * w[hist])"},
  {"a table twice", "loss sum[L, D](h * t)"},
  {"positions", "loss sum[D](sum[L](h * place + far) * p) + sum[L](far)"},
  {"positions of no sample", "loss sum[L](far * far) * s + sum[L, D](place * place * far)"},
  {"a sum over the batch of positions",
    "loss sum[L](sum[B](sum[D](h * p)) * far) + sum[L](sum[B](sum[D](u)) * far)"},
  {"a scalar of the batch", "loss sum[B, D](u * p) / size[B] + s * s"},
  {"regularised", "loss sum[D](u * p) + 0.01 * sum[D](p * p) + s ^ 2"},
  {"pairs of positions",
    "loss sum[L, M, D](h * h[L -> M] * where(index[M] <= index[L], 1, 0.5) * place[L -> M])"},
  {"attention", "near = sum[D](h * t) * s\n"
                "a = exp(near - max[L](near))\n"
                "loss sum[D](sum[L](a / sum[L](a) * h) * p)"},
  {"a mean of lists",
    "loss sum[D](sum[L](h) / max(size[L], 1) * p) + sum[L](far - s) / max(size[L], 1)"},
  {"a maximum", "loss sum[D](where(size[L] > 0, max[L](h), 0) * p) + max[D, F](q * u)"},
  {"ties",
    "loss max[D](0 * p + s) + max[F](where(index[F] < 2, s, r - 9)) + max(s, s) * min(s, s)"},
  {"joined", "c = concat(h, t, h * t, s)\nloss sum[L, 10](c * c * index[10])"},
  {"joined along one axis",
    "c = concat[F](q, p * r, u -> X9)\nloss sum[X9, D](c * c * (index[X9] + 1))"},
  {"flattened",
    "c = concat(q * u -> X12)\nloss sum[X12](c * c * index[X12]) + sum[F](c[X12 = 4:8 -> F])"},
  {"parts", "c = concat(h, u)\n"
            "loss sum[L, D](c[6 = 0:3 -> D] * c[6 = 3:6 -> D] * p) + sum[L](c[6 = 2] * c[6 = 4])"},
  {"parts that fill an axis",
    "loss sum[D, E](q[F = 0:3 -> E] * p * (index[E] + 1)) + sum[D](q[F = 3] * u)"},
  {"unflattened",
    "c = concat(q * u -> X12)\n"
    "loss sum[D, F](c[X12 = 0:12 -> D, F] * r) + sum[D, F](c[X12 = 0:12 -> F, D] * q)"},
  {"padded", "loss sum[F](pad[F, D; 1](p * u) * r) + sum[F](pad[F; 2](s) * r * r)"},
  {"triangles",
    "e = sum[D](q * q[F -> G] * u)\n"
    "k = e[F > G -> P]\n"
    "loss sum[P](k * k * index[P]) + sum[F, G](untriangle[P, F, G](k) * e) + sum[P](k)"},
  {"field-aware", "e = cross[field]\nloss sum[D, E, F](e * e[D -> E, E -> D] * r)"},
  {"renamed", "loss sum[E, F](q[D -> E] * u[D -> E] * r) + sum[D, E](p * u[D -> E])"},
  {"renamed at once", "k = q[D -> E] * sum[F](q * r)\n"
                      "near = sum[E](k * p[D -> E])[D -> E, F -> G]\n"
                      "loss sum[E, G](near * near * u[D -> E] * v[F -> G])"},
  {"signs", "loss -(-s * 3) / -(2 - s) + abs(s - 2) + where(y > 0.5, -s, s) - -sum[D](-(p * u))"},
  {"powers",
    "loss s ^ 2 + (s + 2) ^ 3 + (s + 2) ^ 0.5 + (s + 2) ^ -1 + (s + 3) ^ (s + 2) + (s ^ 1) ^ 0"},
  {"numbers", "loss 2 * (3 * s) + 1 + (s + 4) - (5 - s) + (2 - (3 - s)) + (s * 6) / 4 + 3 * (s / "
              "7) + s / 8 / 3"},
  {"dropout", "x = u * p\nloss sum[D](where(training(), x * (random[D] >= 0.5) / 0.5, x) * x)"},
  {"normalised over the batch", "m = sum[B](t) / size[B]\nz = t - m\nvar = sum[B](z * z) / "
                                "size[B]\nloss sum[D](z / (var + 0.1) ^ 0.5 * u)"},
  {"other samples", "near = sum[D](t * p * u[B -> C]) / 0.3\n"
                    "best = max[C](near)\n"
                    "loss best + log(sum[C](exp(near - best))) - sum[D](t * p * u)"},
  {"both directions", "a = t * p\nb = sum[F](q * v)\n"
                      "near = sum[D](a * b[B -> C])\n"
                      "back = near[B -> C, C -> B]\n"
                      "loss sum[C](tanh(near) * near) + log(sum[C](exp(back))) + "
                      "sum[C](where(index[B] == index[C], near, back))"},
  {"values of other samples only", "o = tanh(t[B -> C] * p)\nn = sum[D](o * u[B -> C])\nloss "
                                   "sum[D](sum[C](o * n) * u) + sum[C](n * s)"},
};

static void test_programs(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    Str text = str_format(&arena, "%s%s\noutput o1 = sum[D](t * p)\n", head, programs[i][1]);
    check_program(programs[i][0], text, NULL, 24);
  }
}

/* stop_gradient(p) is another param that happens to have the same value. */
static void test_stopped(void **state)
{
  (void)state;
  Str start = str_format(
    &arena, "%sparam p2 : f32[D]\nparam s2 : f32\noutput o1 = sum[D](t * p * p2) * s2\n", head);
  Graph *g[3];
  for (int i = 0; i < 2; i++) {
    Str loss = i == 0 ? S("loss sum[D](t * p * p2) + s2 * s - s\n")
                      : S("loss sum[D](t * p * stop_gradient(p)) + stop_gradient(s) * s - s\n");
    g[i] = compile("stopped", str_format(&arena, "%.*s%.*s", STR_ARG(start), STR_ARG(loss)), NULL);
  }
  g[2] = pass_simplify(&arena, g[1]);
  Lab lab = lab_new(&arena, g[0], 4, 5);
  lab_copy(&lab, g[0], S("p"), S("p2"));
  lab_copy(&lab, g[0], S("s"), S("s2"));
  const Str names[] = {S("p"), S("s"), S("ads")};
  for (int i = 0; i < 6; i++) {
    const Tensor *x = lab_gradient(&lab, g[0], names[i % 3]);
    const Tensor *y = lab_gradient(&lab, g[1 + i / 3], names[i % 3]);
    assert_int_equal(x->count, y->count);
    assert_memory_equal(x->data, y->data, sizeof *x->data * (size_t)x->count);
  }
}

/* The models of this repository, with small dims. */
static void test_models(void **state)
{
  (void)state;
  const Str dims[] = {S("L")};
  static const long extents[] = {4};
  glob_t found;
  assert_int_equal(glob("../models/*.rank", 0, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    FILE *f = fopen(found.gl_pathv[i], "rb");
    char text[1 << 16];
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    FrontOptions o = {
      .ndims = strstr(text, "dim L") != NULL, .dim_name = dims, .dim_extent = extents};
    check_program(
      strrchr(found.gl_pathv[i], '/') + 1, str_copy(&arena, (Str){text, (int)n}), &o, 2);
  }
  globfree(&found);
}

/* test_grad [PATTERN | --not PATTERN]: the tests whose names match, or those whose names do not. */
int main(int argc, char **argv)
{
  if (argc > 2 && strcmp(argv[1], "--not") == 0) {
    cmocka_set_skip_filter(argv[2]);
  } else {
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
  }
  arena = arena_new((size_t)1 << 36);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_pointwise),
    cmocka_unit_test(test_ties),
    cmocka_unit_test(test_programs),
    cmocka_unit_test(test_stopped),
    cmocka_unit_test(test_models),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
