/* Graphs made by hand as text. */

#include "small_graph.h"
#include "ir/print.h"

#include <math.h>

/* The statements of the program: what is printed after the declarations. */
static void expect_print(Small *s, const char *text)
{
  expect_valid(s);
  Str all = print_graph(s->g, &s->a);
  const char *body = strstr(all.s, "place : ");
  assert_non_null(body);
  body = strchr(body, '\n');
  assert_string_equal(body + 1, text);
}

static void numbers_print_shortest(void **state)
{
  Small *s = *state;
  const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"}, {3, "3"}, {-2, "-2"}, {0.1, "0.1"}, {1e-3, "0.001"}, {1e-10, "1e-10"},
    {1.0 / 3, "0.3333333333333333"}, {100000, "100000"}, {1e20, "1e+20"},
    {0.1 + 0.2, "0.30000000000000004"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Buf b = {.arena = &s->a};
    print_number(&b, cases[i].value);
    assert_string_equal(buf_take(&b).s, cases[i].text);
  }
}

static void declarations_print_as_written(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  g->doc = S("says \"hi\"\\");
  g->data.separator = '\t';
  g->data.header = false;
  Encoding *e = &g->inputs.data[X].encoding;
  e->source = FROM_POSITIONS;
  e->ncolumns = 3;
  e->positions = (int[]){1, 2, 7};
  e->has_missing = true;
  e->log1p = true;
  e = &g->inputs.data[HIST].encoding;
  e->separator = S(" ");
  e->cut = e->keep_last = true;
  g->inputs.data[HIST].same_as = ITEM;
  g->inputs.data[ITEM].vocab[0] = 0;
  e = &g->inputs.data[ITEM].encoding;
  e->vocab = true;
  e->vocab_min = 5;
  e->ncolumns = 1;
  e->columns = (Str[]){S("the item")};
  e = &g->inputs.data[Y].encoding;
  e->ncolumns = 7;
  e->columns = (Str[]){S("c08"), S("c09"), S("c10"), S("c12"), S("7"), S("8"), S("9")};
  g->params.data[ADS].vocab_of = ITEM;
  g->params.data[ADS].rows = g->params.data[ADS].shape[0] = 0;
  Param *p = param(g, "score.0.weight", 0, 1, &s->f);
  p->nshape = 2;
  p->shape[0] = 1;
  p->shape[1] = 3;
  p->init = INIT_UNIFORM;
  p->init_a = -0.5;
  p->init_b = 0.5;
  expect_valid(s);
  assert_string_equal(print_graph(g, &s->a).s,
    "model small \"says \\\"hi\\\"\\\\\"\n"
    "\ndim D = 2\ndim E = 2\ndim L <= 3\ndim M = L\ndim C = B\ndim F = 3\n"
    "\ndata csv(separator = \"\\t\", header = 0)\n"
    "\ninput item : id(vocab) from \"the item\", vocab(min = 5)\n"
    "input hist : id(item)[L], keep = last\n"
    "input x : f32[F] from 1..2, 7, missing = 0, log1p\n"
    "label y : f32 from \"c08\"..\"c10\", \"c12\", \"7\", \"8\", \"9\"\n"
    "\ntable ads : f32[item, D] ~ normal(0, 0.1)\n"
    "param k : f32[F] ~ zeros\n"
    "param place : f32[L, D] ~ zeros\n"
    "param score.0.weight : f32[1, F] ~ uniform(-0.5, 0.5)\n");
}

static void expressions_take_few_parentheses(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *y = build_input(g, Y);
  Node *two = build_const(g, -2);
  Node *sum = build_op2(g, OP_ADD, y, build_op2(g, OP_ADD, y, two));
  Node *product = build_op2(g, OP_MUL, sum, build_op2(g, OP_MUL, two, y));
  output(s, "a", build_op2(g, OP_SUB, product, build_op2(g, OP_LT, y, build_const(g, 0.5))));
  Node *power = build_op2(g, OP_POW, build_op1(g, OP_NEG, y), two);
  output(s, "b", build_op1(g, OP_NEG, build_op2(g, OP_DIV, power, build_const(g, HUGE_VAL))));
  Node *x = build_input(g, X);
  Node *three = build_const(g, 3);
  Node *all = build_op(g, OP_WHERE, 3, (Node *[]){y, build_op2(g, OP_MAXIMUM, x, three), x});
  output(s, "c", build_reduce(g, OP_SUM, build_op1(g, OP_EXP, all), 1, &s->f));
  expect_print(s, "\na = (y + (y + -2)) * (-2 * y) - (y < 0.5)\n"
                  "b = -((-y)^(-2) / (1 / 0))\n"
                  "c = sum[F](exp(where(y, max(x, 3), x)))\n"
                  "\noutput a\noutput b\noutput c\n");
}

static void shared_values_get_names(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *y = build_input(g, Y);
  Node *v1 = build_op1(g, OP_EXP, y);
  v1->name = S("v1");
  Node *twice = build_op2(g, OP_ADD, v1, y);
  Node *square = build_op2(g, OP_MUL, twice, twice);
  Node *deep = square;
  for (int i = 0; i < 20; i++) {
    deep = build_op1(g, OP_TANH, deep);
  }
  output(s, "a", deep);
  output(s, "same", deep);
  output(s, "x", v1);
  g->loss = square;
  Node *random = build_random(g, (Type){.n = 2, .axis = {AXIS_B, s->f}});
  Node *late = build_random(g, (Type){.n = 1, .axis = {AXIS_B}});
  output(s, "r", build_op2(g, OP_LT, random, late));
  Node *third = build_random(g, late->type);
  output(s, "q", build_op2(g, OP_LT, third, build_random(g, late->type)));
  random->leaf = 1;
  late->leaf = 0;
  Node *d = build_op2(g, OP_DIV, build_const(g, 1), build_size(g, AXIS_B));
  *VEC_PUSH(&s->a, &g->grads) = (Grad){K, d, false};
  *VEC_PUSH(&s->a, &g->grads) =
    (Grad){ADS, build_scatter(g, ADS, 2, (Node *[]){build_input(g, ITEM), d}), false};
  *VEC_PUSH(&s->a, &g->metrics) = (Metric){.ranked = -1,
    .name = S("gauc"),
    .nargs = 2,
    .args = (Node *[]){v1, y},
    .by = ITEM,
    .nk = 2,
    .k = (long[]){1, 10}};
  g->train = (Train){.given = true, .batch = 8, .text = S("mine(), batch = 8")};
  g->train.definitions = S("optimizer mine() {}");
  g->train.optimizer.new_w = build_var(g, VAR_W);
  expect_print(s, "\nv1 = exp(y)\nv2 = v1 + y\nv3 = v2 * v2\n"
                  "v4 = tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh(tanh("
                  "tanh(tanh(v3)))))))))))))))))\n"
                  "a = tanh(tanh(tanh(v4)))\n"
                  "r = random[F; 1] < random[B; 0]\nq = random[B] < random[B]\nv5 = 1 / size[B]\n"
                  "\ngrad k = v5\ngrad ads = scatter(ads, item, v5)\n"
                  "\nloss v3\noutput a\noutput same = a\noutput x = v1\noutput r\noutput q\n"
                  "metric gauc(v1, y; by = item, k = 1, 10)\n"
                  "\noptimizer mine() {}\ntrain mine(), batch = 8\n");
}

static void structure_prints_in_brackets(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *h = build_gather(g, ADS, build_input(g, HIST));
  h->name = S("h");
  Node *x = build_input(g, X);
  Node *y = build_input(g, Y);
  short five = (short)graph_number_axis(g, 5), two = (short)graph_number_axis(g, 2);
  short v = axis(g, "V", AXIS_PLAIN, 4, -1);
  short g3 = axis(g, "G", AXIS_PLAIN, 3, -1);
  short p = axis(g, "P", AXIS_PLAIN, 3, -1);
  Node *z = build_concat(g, five, 2, (Node *[]){h, x}, 4, (short[]){1, s->d, 1, s->f});
  output(s, "a", build_slice(g, z, five, 1, 1, &two));
  output(s, "b", build_slice(g, x, s->f, 2, 0, NULL));
  output(s, "c", build_slice(g, build_op1(g, OP_NEG, x), s->f, 0, 1, &s->d));
  Node *xd = build_op2(g, OP_MUL, x, build_gather(g, ADS, build_input(g, ITEM)));
  Node *rows = build_concat(g, v, 2, (Node *[]){xd, y}, 3, (short[]){1, s->f, 0});
  output(s, "d", rows);
  Node *other = build_rename(g, x, 1, (short[]){s->f, g3});
  Node *flat = build_triangle(g, build_op2(g, OP_MUL, x, other), s->f, g3, p);
  output(s, "e", build_untriangle(g, flat, p, s->f, g3));
  output(s, "f", build_pad(g, y, five, 2, 1, &s->f));
  short six = (short)graph_number_axis(g, 6);
  output(s, "g", build_concat(g, six, 1, (Node *[]){xd}, 3, (short[]){2, s->d, s->f}));
  expect_print(s, "\nh = ads[hist]\n"
                  "a = concat(h, x)[5 = 1:3]\n"
                  "b = x[F = 2]\n"
                  "c = (-x)[F = 0:2 -> D]\n"
                  "v1 = x * ads[item]\n"
                  "d = concat[F](v1, y -> V)\n"
                  "e = untriangle[P, F, G]((x * x[F -> G])[F > G -> P])\n"
                  "f = pad[5, F; 2](0 * index[F] + y)\n"
                  "g = concat(0 * index[D] + 0 * index[F] + v1)\n"
                  "\noutput a\noutput b\noutput c\noutput d\noutput e\noutput f\noutput g\n");
}

int main(void)
{
  whole = arena_new((size_t)1 << 26);
  const struct CMUnitTest tests[] = {
    SMALL_TEST(numbers_print_shortest),
    SMALL_TEST(declarations_print_as_written),
    SMALL_TEST(expressions_take_few_parentheses),
    SMALL_TEST(shared_values_get_names),
    SMALL_TEST(structure_prints_in_brackets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
