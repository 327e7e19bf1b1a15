/* The reference interpreter on graphs made by hand, against numbers worked out by hand. */

#include "small_graph.h"
#include "ir/interpret.h"
#include "../runtime/rank_random.h"

#include <math.h>

/* Three samples; hist is ragged with lengths 2, 0, 3 (what is beyond is poison); x has axis F = 3. */
enum { SAMPLES = 3 };
static const double item[] = {1, 3, 1};
static const double hist[] = {1, 2, 99, 99, 99, 99, 3, 3, 0};
static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const long lengths[] = {2, 0, 3};
static double ads[] = {0, 0, 1, 10, 2, 20, 3, 30, 4, 40};
static double k[] = {1, -1, 2};
static double place[] = {0.5, 0.25, 5, 7, 11, 13};

static InterpretBatch batch;

static int start_batch(void **state)
{
  start(state);
  Small *s = *state;
  const double **inputs = ARENA_ARRAY(&s->a, const double *, s->g->inputs.n);
  inputs[ITEM] = item;
  inputs[HIST] = hist;
  inputs[X] = x;
  const long **length = ARENA_ARRAY(&s->a, const long *, s->g->axes.n);
  length[s->l] = lengths;
  batch = (InterpretBatch){.n = SAMPLES, .input = inputs, .length = length};
  return 0;
}

static const double *const params[] = {ads, k, place};
static const long rows[] = {5, 1, 1};

static Interp *interp(Small *s)
{
  expect_valid(s);
  return interpret_new(&s->a, s->g, &batch, params, rows, 7, 0, true);
}

static void expect(Small *s, const Node *n, int count, const double *wanted)
{
  const Tensor *t = interpret_node(interp(s), n);
  assert_int_equal(t->count, count);
  for (int i = 0; i < count; i++) {
    if (!(fabs(t->data[i] - wanted[i]) <= 1e-12) && t->data[i] != wanted[i]) {
      fail_msg("[%d] is %.17g, not %.17g", i, t->data[i], wanted[i]);
    }
  }
}

#define EXPECT(s, n, ...) \
  expect(s, n, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

static Node *history(Small *s)
{
  return build_gather(s->g, ADS, build_input(s->g, HIST));
}

static void operands_broadcast(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *xk = build_op2(g, OP_MUL, build_input(g, X), build_param(g, K));
  EXPECT(s, xk, 1, -2, 6, 4, -5, 12, 7, -8, 18);
  EXPECT(s, build_reduce(g, OP_SUM, xk, 1, &s->f), 5, 11, 17);
  EXPECT(s, build_reduce(g, OP_MAX, xk, 2, (short[]){AXIS_B, s->f}), 18);
  EXPECT(s, build_reduce(g, OP_SUM, xk, 1, (short[]){AXIS_B}), 12, -15, 36);
  Node *product = build_op2(g, OP_MUL, build_input(g, ITEM), build_param(g, K));
  EXPECT(s, product, 1, -1, 2, 3, -3, 6, 1, -1, 2);
  EXPECT(s, build_gather(g, ADS, build_input(g, ITEM)), 1, 10, 3, 30, 1, 10);
}

static void ragged_positions_beyond_do_not_exist(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  double none = -HUGE_VAL;
  Node *h = history(s);
  EXPECT(s, h, 1, 10, 2, 20, 0, 0, /**/ 0, 0, 0, 0, 0, 0, /**/ 3, 30, 3, 30, 0, 0);
  EXPECT(s, build_reduce(g, OP_SUM, h, 1, &s->l), 3, 30, 0, 0, 6, 60);
  EXPECT(s, build_reduce(g, OP_MAX, h, 1, &s->l), 2, 20, none, none, 3, 30);
  EXPECT(s, build_size(g, s->l), 2, 0, 3);
  EXPECT(s, build_size(g, AXIS_B), 3);
  Node *index = build_index(g, s->l);
  EXPECT(s, build_reduce(g, OP_SUM, index, 1, &s->l), 1, 0, 3);
  Node *placed = build_op2(g, OP_ADD, h, build_param(g, PLACE));
  EXPECT(s, build_reduce(g, OP_SUM, placed, 2, (short[]){s->l, s->d}), 33 + 12.75, 0, 66 + 36.75);
  EXPECT(s, build_reduce(g, OP_SUM, placed, 2, (short[]){AXIS_B, s->l}), 9 + 5.5 + 16.5,
    90 + 7.25 + 20.25);
  EXPECT(s, build_reduce(g, OP_SUM, placed, 1, (short[]){AXIS_B}), 5, 40.5, 15, 64, 11, 13);
  Node *other = build_rename(g, index, 1, (short[]){s->l, s->m});
  Node *later = build_op2(g, OP_LT, index, other);
  EXPECT(s, build_reduce(g, OP_SUM, later, 2, (short[]){s->l, s->m}), 1, 0, 3);
}

static void samples_see_each_other(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *own = build_input(g, ITEM);
  Node *others = build_rename(g, own, 1, (short[]){AXIS_B, s->c});
  EXPECT(s, others, 1, 3, 1);
  Node *both = build_op2(g, OP_SUB, own, others);
  EXPECT(s, both, 0, -2, 0, 2, 0, 2, 0, -2, 0);
  EXPECT(s, build_reduce(g, OP_SUM, both, 1, &s->c), -2, 4, -2);
  EXPECT(s, build_reduce(g, OP_SUM, both, 1, (short[]){AXIS_B}), 2, -4, 2);
  Node *turned = build_rename(g, both, 2, (short[]){AXIS_B, s->c, s->c, AXIS_B});
  EXPECT(s, turned, 0, -2, 0, 2, 0, 2, 0, -2, 0);
  assert_int_equal(turned->type.axis[0], s->c);
  Node *h = build_op2(g, OP_MUL, build_reduce(g, OP_SUM, history(s), 1, &s->d), others);
  EXPECT(s, build_reduce(g, OP_SUM, h, 2, (short[]){s->l, s->c}), 165, 0, 330);
}

static void pieces_are_joined_and_cut(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  short five = (short)graph_number_axis(g, 5);
  Node *t = build_gather(g, ADS, build_input(g, ITEM));
  Node *in[] = {t, build_param(g, K)};
  Node *z = build_concat(g, five, 2, in, 4, (short[]){1, s->d, 1, s->f});
  EXPECT(s, z, 1, 10, 1, -1, 2, /**/ 3, 30, 1, -1, 2, /**/ 1, 10, 1, -1, 2);
  EXPECT(s, build_slice(g, z, five, 1, 1, &s->d), 10, 1, 30, 1, 10, 1);
  EXPECT(s, build_slice(g, z, five, 4, 0, NULL), 2, 2, 2);
  EXPECT(s, build_pad(g, t, five, 1, 1, &s->d), 0, 1, 10, 0, 0, 0, 3, 30, 0, 0, 0, 1, 10, 0, 0);
  Node *one = build_const(g, 1);
  EXPECT(s, build_pad(g, one, five, 2, 1, &s->d), 0, 0, 1, 1, 0);
  Node *flags[] = {one, in[1]};
  EXPECT(s, build_concat(g, five, 2, flags, 4, (short[]){1, s->d, 1, s->f}), 1, 1, 1, -1, 2);
  short six = (short)graph_number_axis(g, 6);
  Node *outer =
    build_op2(g, OP_MUL, build_param(g, K), build_reduce(g, OP_SUM, t, 1, (short[]){AXIS_B}));
  EXPECT(s, outer, 5, 50, -5, -50, 10, 100);
  Node *flat = build_concat(g, six, 1, &outer, 3, (short[]){2, s->d, s->f});
  EXPECT(s, flat, 5, -5, 10, 50, -50, 100);
  EXPECT(s, build_slice(g, flat, six, 0, 2, (short[]){s->f, s->d}), 5, -5, 10, 50, -50, 100);
}

static void pairs_become_one_axis(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  short e = axis(g, "G", AXIS_PLAIN, 3, -1);
  short p = axis(g, "P", AXIS_PLAIN, 3, -1);
  Node *f = build_index(g, s->f);
  Node *square = build_op2(g, OP_ADD, build_op2(g, OP_MUL, f, build_const(g, 10)),
    build_rename(g, f, 1, (short[]){s->f, e}));
  Node *flat = build_triangle(g, square, s->f, e, p);
  EXPECT(s, flat, 10, 20, 21);
  EXPECT(s, build_untriangle(g, flat, p, s->f, e), 0, 0, 0, 10, 0, 0, 20, 21, 0);
  EXPECT(s, build_triangle(g, build_param(g, K), s->f, e, p), -1, 2, 2);
  EXPECT(s, build_untriangle(g, build_const(g, 1), p, s->f, e), 0, 0, 0, 1, 0, 0, 1, 1, 0);
}

static void random_numbers_count(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *plain = build_random(g, (Type){.n = 2, .axis = {AXIS_B, s->f}});
  Node *ragged = build_random(g, (Type){.n = 3, .axis = {AXIS_B, s->l, s->d}});
  const Tensor *t = interpret_node(interp(s), plain);
  assert_true(t->data[5] == rank_random(7, 0, 0, 1, 2));
  t = interpret_node(interp(s), ragged);
  assert_true(t->data[2 * 6 + 3] == rank_random(7, 0, 1, 2, 3));
  assert_true(t->data[6] == 0);
  EXPECT(s, build_training(g), 1);
}

static void empty_batches_have_no_loss(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  g->loss = build_reduce(g, OP_SUM, build_input(g, X), 1, &s->f);
  assert_true(interpret_loss(interp(s)) == 15);
  batch.n = 0;
  assert_true(interpret_loss(interp(s)) == 0);
  EXPECT(s, build_reduce(g, OP_SUM, g->loss, 1, (short[]){AXIS_B}), 0);
}

static void gradients_sum_rows(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *d = build_const(g, 0.5);
  Node *ids[] = {build_input(g, ITEM), build_input(g, ITEM), build_input(g, HIST), d};
  Grad table = {ADS, build_scatter(g, ADS, 4, ids), false};
  const Tensor *t = interpret_grad(interp(s), &table);
  const double wanted[] = {0.5, 0.5, 2.5, 2.5, 0.5, 0.5, 4, 4, 0, 0};
  assert_int_equal(t->n, 2);
  assert_int_equal(t->shape[0], 5);
  assert_int_equal(t->shape[1], 2);
  assert_memory_equal(t->data, wanted, sizeof wanted);
  Grad dense = {K, d, false};
  t = interpret_grad(interp(s), &dense);
  assert_int_equal(t->count, 3);
  assert_true(t->data[2] == 0.5);
}

/* Momentum: m = 0.5 m + g ; w = w - lr (m + t) */
static void momentum(Graph *g)
{
  Optimizer *o = &g->train.optimizer;
  o->name = S("momentum");
  o->lr = 0.5;
  o->nstates = 1;
  o->state_init[0] = 2;
  Node *half = build_op2(g, OP_MUL, build_const(g, 0.5), build_var(g, VAR_STATE));
  o->new_state[0] = build_op2(g, OP_ADD, half, build_var(g, VAR_G));
  Node *move = build_op2(
    g, OP_MUL, build_var(g, VAR_LR), build_op2(g, OP_ADD, o->new_state[0], build_var(g, VAR_T)));
  o->new_w = build_op2(g, OP_SUB, build_var(g, VAR_W), move);
  o->schedule = build_op2(g, OP_DIV, build_var(g, VAR_T), build_var(g, VAR_STEPS));
  g->train.given = true;
  g->train.batch = SAMPLES;
}

static void optimizers_move_touched_rows(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  Node *in[] = {build_input(g, ITEM), build_const(g, 1)};
  *VEC_PUSH(&s->a, &g->grads) = (Grad){ADS, build_scatter(g, ADS, 2, in), false};
  *VEC_PUSH(&s->a, &g->grads) = (Grad){K, build_const(g, 1), false};
  momentum(g);
  for (int dense = 0; dense < 2; dense++) {
    double w_ads[] = {0, 0, 1, 10, 2, 20, 3, 30, 9, 9}, w_k[] = {1, -1, 2}, w_place[] = {9};
    double *const w[] = {w_ads, w_k, w_place};
    g->train.optimizer.dense_tables = dense;
    double **states = interpret_states_new(&s->a, g, rows);
    interpret_optimizer_step(interp(s), w, states, 2);
    /* lr = 0.5 * 1/2; m = 1 + g; w -= 0.25 (m + 1): row 1 has g = 2, row 3 and k have 1 */
    const double wanted[] = {dense ? -0.5 : 0, dense ? -0.5 : 0, 0, 9, dense ? 1.5 : 2,
      dense ? 19.5 : 20, 2.25, 29.25, dense ? 8.5 : 9, dense ? 8.5 : 9};
    const double wanted_k[] = {0.25, -1.75, 1.25};
    assert_memory_equal(w_ads, wanted, sizeof wanted);
    assert_memory_equal(w_k, wanted_k, sizeof wanted_k);
    assert_true(w_place[0] == 9);
    assert_true(states[ADS * MAX_STATES][2] == 3 && states[K * MAX_STATES][0] == 2);
    assert_true(states[ADS * MAX_STATES][0] == (dense ? 1 : 2));
  }
}

static void gradients_are_clipped_then_regularised(void **state)
{
  Small *s = *state;
  Graph *g = s->g;
  *VEC_PUSH(&s->a, &g->grads) =
    (Grad){K, build_op2(g, OP_MUL, build_param(g, K), build_const(g, 3)), false};
  momentum(g);
  Optimizer *o = &g->train.optimizer;
  o->nstates = 0;
  o->schedule = NULL;
  o->new_w = build_var(g, VAR_G);
  o->clip_value = 4;
  o->clip_norm = 1;
  o->l2 = 10;
  double w_k[] = {1, -1, 2};
  double *const w[] = {NULL, w_k, NULL};
  interpret_optimizer_step(interp(s), w, interpret_states_new(&s->a, g, rows), 1);
  double norm = sqrt(3 * 3 + 3 * 3 + 4 * 4);
  const double wanted[] = {3 / norm + 10, -3 / norm - 10, 4 / norm + 20};
  for (int i = 0; i < 3; i++) {
    assert_true(fabs(w_k[i] - wanted[i]) < 1e-12);
  }
}

#define TEST(f) cmocka_unit_test_setup(f, start_batch)

int main(void)
{
  whole = arena_new((size_t)1 << 26);
  const struct CMUnitTest tests[] = {
    TEST(operands_broadcast),
    TEST(ragged_positions_beyond_do_not_exist),
    TEST(samples_see_each_other),
    TEST(pieces_are_joined_and_cut),
    TEST(pairs_become_one_axis),
    TEST(random_numbers_count),
    TEST(empty_batches_have_no_loss),
    TEST(gradients_sum_rows),
    TEST(optimizers_move_touched_rows),
    TEST(gradients_are_clipped_then_regularised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
