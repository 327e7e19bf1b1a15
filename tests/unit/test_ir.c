/* Types, building, copying and verifying graphs made by hand. */

#include "small_graph.h"
#include "ir/ops.h"
#include "ir/print.h"

#include <math.h>

static void expect_type(Small *s, const Node *n, const char *text)
{
  assert_string_equal(type_print(s->g, n->type, &s->a).s, text);
}

static void types_are_sets_of_axes(void **state)
{
  Small *s = *state;
  Type x = {.n = 2, .axis = {s->d, s->l}};
  Type y = {.n = 2, .axis = {s->l, s->d}};
  assert_true(type_same(x, y));
  y.kind = KIND_ID;
  assert_false(type_same(x, y));
  assert_false(type_same(x, type_without(x, s->d)));
  assert_int_equal(type_position(x, s->l), 1);
  assert_int_equal(type_position(x, s->e), -1);
  assert_string_equal(type_print(s->g, type_canonical(s->g, x), &s->a).s, "f32[L, D]");
  bool fits;
  Type all = type_union(s->g, x, (Type){.n = 3, .axis = {s->e, AXIS_B, s->d}}, &fits);
  assert_true(fits);
  assert_int_equal(all.n, 4);
  assert_int_equal(all.axis[0], AXIS_B);
  assert_int_equal(all.axis[1], s->l);
  assert_int_equal(all.axis[2], s->d);
  assert_int_equal(all.axis[3], s->e);
  Type many = {.n = MAX_AXES, .axis = {10, 11, 12, 13, 14, 15, 16, 17}};
  for (int i = 0; i < MAX_AXES; i++) {
    many.axis[i] = (short)graph_number_axis(s->g, 100 + i);
  }
  type_union(s->g, many, x, &fits);
  assert_false(fits);
  assert_int_equal(axis_root(s->g, s->m), s->l);
  assert_int_equal(axis_root(s->g, s->c), AXIS_B);
}

static void operands_broadcast_by_name(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *t = build_gather(g, ADS, build_input(g, ITEM));
  Node *h = build_gather(g, ADS, build_input(g, HIST));
  expect_type(s, t, "f32[D]");
  expect_type(s, h, "f32[L, D]");
  Node *te = build_rename(g, t, 1, (short[]){s->d, s->e});
  expect_type(s, build_op2(g, OP_MUL, te, h), "f32[L, E, D]");
  expect_type(s, build_op2(g, OP_ADD, build_param(g, PLACE), h), "f32[L, D]");
  Node *others = build_rename(g, t, 1, (short[]){AXIS_B, s->c});
  expect_type(s, others, "f32[C, D]");
  expect_type(s, build_op2(g, OP_MUL, t, others), "f32[C, D]");
  expect_type(s, build_reduce(g, OP_SUM, h, 2, (short[]){s->l, s->d}), "f32");
  expect_type(s, build_index(g, s->l), "f32[L]");
  assert_true(type_has(build_index(g, s->l)->type, AXIS_B));
  expect_type(s, build_rename(g, build_input(g, HIST), 1, (short[]){s->l, s->m}), "id[M]");
  assert_int_equal(build_size(g, s->f)->op, OP_CONST);
  assert_true(build_size(g, s->f)->value == 3);
  assert_int_equal(build_size(g, AXIS_B)->type.n, 0);
  expect_valid(s);
}

static void parts_take_the_place_of_the_whole(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *h = build_gather(g, ADS, build_input(g, HIST));
  Node *x = build_input(g, X);
  short five = (short)graph_number_axis(g, 5);
  Node *joined = build_concat(g, five, 2, (Node *[]){h, x}, 4, (short[]){1, s->d, 1, s->f});
  expect_type(s, joined, "f32[L, 5]");
  short two = (short)graph_number_axis(g, 2);
  assert_int_equal(graph_number_axis(g, 2), two);
  expect_type(s, build_slice(g, joined, five, 1, 1, &two), "f32[L, 2]");
  expect_type(s, build_slice(g, joined, five, 1, 0, NULL), "f32[L]");
  Node *pairs = build_op2(g, OP_MUL, x, build_rename(g, x, 1, (short[]){s->f, five}));
  expect_type(s, pairs, "f32[F, 5]");
  short g3 = axis(g, "G", AXIS_PLAIN, 3, -1);
  short p = axis(g, "P", AXIS_PLAIN, 3, -1);
  Node *square = build_op2(g, OP_MUL, x, build_rename(g, x, 1, (short[]){s->f, g3}));
  Node *flat = build_triangle(g, square, s->f, g3, p);
  expect_type(s, flat, "f32[P]");
  expect_type(s, build_untriangle(g, flat, p, s->f, g3), "f32[F, G]");
  expect_type(s, build_pad(g, x, five, 2, 1, &s->f), "f32[5]");
}

static void copies_lose_axes(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *h = build_gather(g, ADS, build_input(g, HIST));
  Node *sum = build_reduce(g, OP_SUM, h, 2, (short[]){s->l, s->d});
  sum->name = S("total");
  Node *t = build_gather(g, ADS, build_input(g, ITEM));
  output(s, "a", build_like(g, sum, &t));
  Node *one = build_const(g, 1);
  Node *none = build_like(g, sum, &one);
  assert_true(str_eq(none->name, S("total")));
  none->name = S("b");
  output(s, "b", none);
  Node *most = build_reduce(g, OP_MAX, h, 1, &s->l);
  assert_ptr_equal(build_like(g, most, &t), t);
  Node *place = build_param(g, PLACE);
  Node *within = build_like(g, most, &place);
  output(s, "c", within);
  Node *renamed = build_rename(g, h, 2, (short[]){s->l, s->m, s->d, s->e});
  Node *less = build_like(g, renamed, &t);
  assert_int_equal(less->naxes, 2);
  assert_ptr_equal(build_like(g, renamed, &one), one);
  g->nodes.data[g->nodes.n - 1]->name = (Str){0};
  sum->name = (Str){0};
  g->outputs.data[0].node->name = (Str){0};
  expect_valid(s);
  assert_non_null(strstr(print_graph(g, &s->a).s, "\na = sum[D](ads[item] * size[L])\n"
                                                  "b = 1 * size[L] * 2\n"
                                                  "c = max[L](place * (0 <= index[L]))\n"));
}

static void ops_are_stable(void **state)
{
  (void)state;
  double big = 800, small_number = -800, x[3] = {0.5, 2, 3};
  assert_true(op_apply(OP_SIGMOID, &big) == 1);
  assert_true(op_apply(OP_SIGMOID, &small_number) > 0 || exp(-800) == 0);
  assert_true(op_apply(OP_SOFTPLUS, &big) == 800);
  assert_true(op_apply(OP_SOFTPLUS, &small_number) == exp(-800));
  double tiny = 1e-20;
  assert_true(op_apply(OP_LOG1P, &tiny) == 1e-20);
  assert_true(op_apply(OP_WHERE, x) == 2);
  assert_true(op_apply(OP_POW, x) == 0.25);
  assert_true(op_apply(OP_MAXIMUM, x) == 2 && op_apply(OP_MINIMUM, x) == 0.5);
  assert_int_equal(op_by_word(S("max"), 2), OP_MAXIMUM);
  assert_int_equal(op_by_word(S("max"), 1), OP_MAX);
  assert_int_equal(op_by_word(S("concat"), 3), OP_CONCAT);
  assert_int_equal(op_by_word(S("+"), 2), -1);
  assert_int_equal(op_by_word(S("exp"), 2), -1);
  assert_true(op_pointwise(OP_ADD) && op_pointwise(OP_WHERE) && !op_pointwise(OP_SUM));
  for (int i = 0; i < OP_COUNT; i++) {
    double all[3] = {0.25, 0.5, 0.75};
    assert_true(!op_pointwise((Op)i) || isfinite(op_apply((Op)i, all)));
  }
}

static void expect_wrong(Small *s, const char *part)
{
  Diags d = {.arena = &s->a};
  assert_false(verify_graph(s->g, s->a, &d));
  bool said = false;
  for (int i = 0; i < d.list.n; i++) {
    said |= strstr(d.list.data[i].message.s, part) != NULL;
  }
  if (!said) {
    fail_msg("%.*s", STR_ARG(d.list.data[0].message));
  }
}

static void verify_finds_broken_rules(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *x = build_input(g, X);
  Node *sum = build_reduce(g, OP_SUM, x, 1, &s->f);
  sum->name = S("total");
  expect_valid(s);
  sum->axes[0] = s->d;
  expect_wrong(s, "node 1 SUM 'total': has no type");
  sum->axes[0] = s->f;
  sum->type.kind = KIND_ID;
  expect_wrong(s, "type is not what its operands give");
  sum->type.kind = KIND_REAL;
  sum->in[0] = sum;
  expect_wrong(s, "not before it");
  sum->in[0] = x;
  x->leaf = 17;
  expect_wrong(s, "no such input");
  x->leaf = X;
  g->loss = x;
  expect_wrong(s, "the loss is not one number");
  g->loss = sum;
  Node *again = build_op1(g, OP_EXP, sum);
  again->name = S("total");
  expect_wrong(s, "two values are called total");
  again->name = S("exp");
  *VEC_PUSH(&s->a, &g->grads) = (Grad){ADS, again, false};
  expect_wrong(s, "gradient or update of ads");
  g->grads.n = 0;
  g->axes.data[s->m].root = s->d;
  expect_wrong(s, "axis M is unlike its root");
}

/* What declarations are, each in turn made wrong and right again. */
static void verify_finds_broken_declarations(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Axis *axes = g->axes.data, was = axes[s->e];
  axes[s->e].root = g->axes.n;
  expect_wrong(s, "axis E has no proper root");
  axes[s->e].root = s->d;
  expect_wrong(s, "plain axis E has a root");
  axes[s->e] = was;
  axes[s->e].extent = 0;
  expect_wrong(s, "axis E has extent 0");
  axes[s->e] = was;
  axes[s->l].number = true;
  expect_wrong(s, "axis L is not for a number");
  axes[s->l].number = false;
  Input *x = &g->inputs.data[X], *item = &g->inputs.data[ITEM];
  x->type.axis[0] = s->d;
  expect_wrong(s, "type of input x");
  x->type.axis[0] = AXIS_B;
  x->type.axis[1] = s->c;
  expect_wrong(s, "axis C of input x");
  x->type.axis[1] = s->f;
  item->nvocab = 0;
  expect_wrong(s, "input item has no vocabulary");
  item->nvocab = 1;
  item->same_as = HIST;
  expect_wrong(s, "whose vocabulary input item shares");
  item->same_as = -1;
  Param *k = &g->params.data[K], *ads = &g->params.data[ADS];
  k->type.kind = KIND_ID;
  expect_wrong(s, "type of param k");
  k->type.kind = KIND_REAL;
  k->type.axis[0] = s->c;
  expect_wrong(s, "axis C of param k");
  k->type.axis[0] = s->f;
  k->shape[0] = 7;
  expect_wrong(s, "shape of param k");
  k->shape[0] = 3;
  ads->rows = 6;
  expect_wrong(s, "rows of table ads");
  ads->rows = 5;
  expect_valid(s);
  axes[AXIS_B].kind = AXIS_PLAIN;
  expect_wrong(s, "axis 0 is not the batch");
  axes[AXIS_B].kind = AXIS_BATCH;
}

static void verify_finds_broken_uses(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *x = build_input(g, Y), stray = *x;
  output(s, "o", &stray);
  expect_wrong(s, "output o is not in the graph");
  g->outputs.data[0].node = x;
  Node *args[] = {x, &stray};
  *VEC_PUSH(&s->a, &g->metrics) = (Metric){.name = S("auc"), .nargs = 2, .args = args, .by = -1};
  expect_wrong(s, "argument 1 of metric auc");
  args[1] = x;
  g->metrics.data[0].by = g->inputs.n;
  expect_wrong(s, "metric auc groups by nothing");
  g->metrics.n = 0;
  *VEC_PUSH(&s->a, &g->grads) = (Grad){K, &stray, false};
  expect_wrong(s, "a gradient of nothing");
  g->grads.n = 0;
  g->train.given = true;
  expect_wrong(s, "optimizer or schedule of the train statement");
  g->train.given = false;
  expect_valid(s);
}

static void shells_share_declarations_only(void **state)
{
  Small *s = *state;
  build_random(s->g, (Type){.n = 1, .axis = {AXIS_B}});
  Graph *g = graph_shell(&s->a, s->g);
  assert_int_equal(g->axes.n, s->g->axes.n);
  assert_int_equal(g->inputs.n, s->g->inputs.n);
  assert_int_equal(g->params.n, s->g->params.n);
  assert_int_equal(g->nodes.n, 0);
  assert_int_equal(g->randoms, 1);
  graph_number_axis(g, 77);
  assert_int_equal(g->axes.n, s->g->axes.n + 1);
}

int main(void)
{
  whole = arena_new((size_t)1 << 26);
  const struct CMUnitTest tests[] = {
    SMALL_TEST(types_are_sets_of_axes),
    SMALL_TEST(operands_broadcast_by_name),
    SMALL_TEST(parts_take_the_place_of_the_whole),
    SMALL_TEST(copies_lose_axes),
    SMALL_TEST(ops_are_stable),
    SMALL_TEST(verify_finds_broken_rules),
    SMALL_TEST(verify_finds_broken_declarations),
    SMALL_TEST(verify_finds_broken_uses),
    SMALL_TEST(shells_share_declarations_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
