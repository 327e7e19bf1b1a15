/* What a plan costs, against amounts worked out by hand; and that the log of a plan says why. */

#include "emit/emit.h"
#include "front/front.h"
#include "pass/pass.h"
#include "pass/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static Arena arena;

static const Plan *plan(const char *text, FuseLevel level, Role role)
{
  Source *source = ARENA_NEW(&arena, Source);
  *source = (Source){S("test.rank"), str_of(text)};
  FrontOptions options = {0};
  Diags diags = {.arena = &arena};
  Graph *g = front_compile(&arena, source, &options, &diags);
  diag_print(&diags, stderr);
  assert_int_equal(diags.errors, 0);
  g = pass_grad(&arena, pass_simplify(&arena, g), &diags);
  g = pass_simplify(&arena, g);
  EmitOptions o = {.level = level};
  return emit_plan(&arena, g, &o, role);
}

enum { FLOPS, BYTES };

/* For one sample of a batch of n, lists as long as `share` of the maximum; of all groups but `except`. */
static double amount(const Plan *p, int what, double share, long n, int except)
{
  const Count *count = count_plan(&arena, p, false);
  double sum = 0;
  for (int i = 0; i < count->groups.n; i++) {
    const CountGroup *group = &count->groups.data[i];
    if (group->block != except) {
      sum += amount_per_sample(p, what == FLOPS ? &group->flops : &group->bytes, share, n);
    }
  }
  return sum;
}

static const char dense[] = "model dense\n"
                            "input x : f32[8]\n"
                            "param w : f32[16, 8]\n"
                            "output y = sum[8](w * x)\n";

static void a_product_is_two_operations_per_step(void **state)
{
  (void)state;
  for (int level = FUSE_OFF; level <= FUSE_ALL; level++) {
    const Plan *p = plan(dense, (FuseLevel)level, ROLE_PREDICT);
    assert_true(amount(p, FLOPS, 1, 1, -3) == 2 * 8 * 16);
    assert_true(amount(p, FLOPS, 1, 100, -3) == 2 * 8 * 16);
  }
}

static void bytes_are_inputs_weights_and_outputs(void **state)
{
  (void)state;
  const Plan *p = plan(dense, FUSE_ALL, ROLE_PREDICT);
  /* Weights are read, and written and read packed, once for the batch. */
  double once = 4.0 * 8 * 16 * (p->packs.n > 0 ? 3 : 1);
  double wanted = 4 * 8 + 4 * 16 + once / 64;
  double found = amount(p, BYTES, 1, 64, -3);
  assert_true(found > 0.6 * wanted && found < 1.2 * wanted);
  /* Op by op the result is also kept for the whole batch. */
  double whole = amount(plan(dense, FUSE_OFF, ROLE_PREDICT), BYTES, 1, 64, -3);
  assert_true(whole >= 4 * 8 + 2 * 4 * 16);
}

static const char lists[] = "model lists\n"
                            "dim D = 4\n"
                            "dim L <= 10\n"
                            "input hist : id(100)[L]\n"
                            "table v : f32[100, D] ~ normal(0, 1)\n"
                            "output y = sum[L](v[hist] * 2)\n";

static void lists_count_with_the_lengths_they_have(void **state)
{
  (void)state;
  const Plan *p = plan(lists, FUSE_ALL, ROLE_PREDICT);
  double full = amount(p, FLOPS, 1, 32, -3), half = amount(p, FLOPS, 0.5, 32, -3);
  assert_true(full > 0 && full >= 10 * 4);
  /* What is done per element halves; what is done per sample stays. */
  assert_true(half >= full / 2 && half <= full / 2 + 4);
  double bytes = amount(p, BYTES, 1, 32, -3);
  assert_true(bytes == 10 * 4 + 10 * 4 * 4 + 4 * 4); /* ids, rows, outputs */
}

static const char meeting[] = "model meeting\n"
                              "dim D = 4\n"
                              "input u : f32[D]\n"
                              "input a : f32[D]\n"
                              "output y = sum[C](sum[D](u * a[B -> C]))\n";

static void samples_that_meet_count_by_pairs(void **state)
{
  (void)state;
  const Plan *p = plan(meeting, FUSE_OFF, ROLE_PREDICT);
  double few = amount(p, FLOPS, 1, 10, -3), many = amount(p, FLOPS, 1, 1000, -3);
  assert_true(few >= 2 * 4 * 10 * 0.9);
  assert_true(many > 50 * few);
}

static const char trained[] = "model trained\n"
                              "dim D = 4\n"
                              "input item : id(1000)\n"
                              "label y : f32\n"
                              "table v : f32[1000, D] ~ normal(0, 1)\n"
                              "param w : f32[D]\n"
                              "z = sum[D](w * v[item])\n"
                              "loss (z - y) * (z - y)\n"
                              "output p = z\n"
                              "train adam(lr = 0.001), batch = 8\n";

static void only_rows_that_occur_are_updated(void **state)
{
  (void)state;
  const Plan *p = plan(trained, FUSE_ALL, ROLE_TRAIN);
  const Count *count = count_plan(&arena, p, false);
  const CountGroup *update = &count->groups.data[count->groups.n - 1];
  assert_int_equal(update->block, -2);
  double touched = 0, all = 0;
  for (int i = 0; i < update->bytes.terms.n; i++) {
    const Term *t = &update->bytes.terms.data[i];
    touched += t->touched >= 0 ? t->factor : 0;
    all += t->rows >= 0 ? t->factor : 0;
  }
  assert_true(touched == 4 * 4 * 2 * 3); /* a row of w, m and v, read and written */
  assert_true(all == 0);
}

static void levels_cost_less_and_less_memory(void **state)
{
  (void)state;
  double before = 1e18;
  for (int level = FUSE_OFF; level <= FUSE_ALL; level++) {
    double bytes = amount(plan(trained, (FuseLevel)level, ROLE_TRAIN), BYTES, 1, 8, -3);
    assert_true(bytes > 0 && bytes <= before);
    before = bytes;
  }
}

static void the_log_says_why(void **state)
{
  (void)state;
  const Plan *p = plan(trained, FUSE_ALL, ROLE_TRAIN);
  Lines log = {0};
  plan_log(&arena, p, false, 80, &log);
  assert_true(log.n > p->blocks.n);
  assert_non_null(strstr(log.data[0].s, "tiles of"));
  bool meets = false;
  for (int i = 0; i < log.n; i++) {
    assert_true(log.data[i].n <= 80);
    meets |= strstr(log.data[i].s, "samples meet") != NULL;
  }
  assert_true(meets);
}

int main(void)
{
  arena = arena_new((size_t)1 << 32);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_product_is_two_operations_per_step),
    cmocka_unit_test(bytes_are_inputs_weights_and_outputs),
    cmocka_unit_test(lists_count_with_the_lengths_they_have),
    cmocka_unit_test(samples_that_meet_count_by_pairs),
    cmocka_unit_test(only_rows_that_occur_are_updated),
    cmocka_unit_test(levels_cost_less_and_less_memory),
    cmocka_unit_test(the_log_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
