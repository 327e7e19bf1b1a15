/* test_runtime.c: batches good and bad, weights of other programs, evaluation, and a training run that
 * stops, goes on and ends with the same bits. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"
#include "test_folder.h"
#include "tiny_model.h"

/* --- batches --- */

typedef struct small_batch {
  int32_t item[3], hist[4], offset[4];
  rank_real x[9], click[3];
} small_batch;

static rank_status check_small(const small_batch *s, int labels, int *what, long *at)
{
  const void *input[] = {s->item, s->hist, s->x, labels ? s->click : NULL};
  const int32_t *offset[] = {s->offset};
  return rank_check_batch(
    &tiny_model, NULL, &(rank_batch){3, input, offset, NULL}, labels, what, at);
}

static void test_check_batch(void **state)
{
  (void)state;
  const small_batch good = {{0, 5, 23}, {1, 2, 3, 4}, {0, 1, 1, 4}, {0}, {0, 1, 0}};
  int what;
  long at;
  assert_int_equal(check_small(&good, 1, &what, &at), RANK_OK);
  assert_int_equal(check_small(&good, 0, &what, &at), RANK_OK);
  small_batch s = good;
  s.item[2] = 24;
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_ID);
  assert_true(what == 0 && at == 2);
  s = good;
  s.hist[3] = -1;
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_ID);
  assert_true(what == 1 && at == 2);
  s = good;
  s.x[4] = (rank_real)NAN;
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_VALUE);
  assert_true(what == 2 && at == 1);
  s = good;
  s.click[1] = (rank_real)INFINITY;
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_VALUE);
  assert_int_equal(check_small(&s, 0, &what, &at), RANK_OK);
  s = good;
  s.offset[1] = 2; /* falls afterwards */
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_LENGTH);
  assert_true(what == 1 && at == 1);
  s = good;
  s.offset[0] = 1;
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_LENGTH);
  s = good;
  s.offset[3] = 6; /* five in a list of at most four */
  assert_int_equal(check_small(&s, 1, &what, &at), RANK_BAD_LENGTH);
  assert_int_equal(rank_check_batch(&tiny_model, NULL, &(rank_batch){0}, 1, &what, &at), RANK_OK);
}

/* --- training --- */

typedef struct run_options {
  long epochs, patience;
  double split;
  const char *load, *save;
  int threads, fewer;
  rank_plot *plot;
} run_options;

static int run(const run_options *o, rank_error *e)
{
  rank_encoders *enc = rank_encoders_new(&tiny_model);
  rank_weights w = {0};
  rank_state s, best = {0};
  rank_log log;
  long rows[3];
  rank_position at = {.seed = 7, .best = (double)NAN};
  if (o->load != NULL) {
    assert_int_equal(rank_weights_open(&w, &tiny_model, o->load, e), 0);
    assert_int_equal(rank_weights_encoders(&w, enc, e), 0);
  }
  rank_data_options options = {.labels = 1, .fit = o->load == NULL, .threads = 1};
  rank_data *data = rank_data_open(&tiny_model, enc, path_of("data.csv"), &options, e);
  assert_non_null(data);
  assert_int_equal(rank_state_rows(&tiny_model, enc, rows, e), 0);
  assert_int_equal(rank_state_new(&s, &tiny_model, rows, 1, e), 0);
  rank_state_init(&s, &tiny_model, 7, o->threads);
  if (o->patience > 0) {
    assert_int_equal(rank_state_new(&best, &tiny_model, rows, 1, e), 0);
    rank_state_copy(&best, &s, &tiny_model);
  }
  if (o->load != NULL) {
    assert_int_equal(rank_weights_read(&w, &tiny_model, &s, &at, e), 0);
    rank_state_copy(&best, &s, o->patience > 0 ? &tiny_model : &(rank_model){0});
    assert_true(o->patience == 0 || rank_weights_read_best(&w, &tiny_model, &best, e) >= 0);
    rank_weights_close(&w);
  }
  long n = rank_data_rows(data), held = (long)((double)n * o->split);
  assert_int_equal(rank_log_open(&log, 1, NULL, 0, e), 0);
  rank_training t = {.m = &tiny_model,
    .s = &s,
    .best = o->patience > 0 ? &best : NULL,
    .enc = enc,
    .train = {data, 0, n - held},
    .valid = {data, n - held, held},
    .epochs = o->epochs,
    .batch = 64,
    .patience = o->patience,
    .threads = o->threads,
    .fewer = o->fewer,
    .lr = 0.3,
    .save = o->save,
    .from = "tiny.csv",
    .log = &log,
    .plot = o->plot,
    .at = at,
    .stop = &tiny_stopped};
  int result = rank_train(&t, e);
  rank_log_close(&log, e);
  rank_state_free(&s, &tiny_model);
  if (o->patience > 0) {
    rank_state_free(&best, &tiny_model);
  }
  rank_data_close(data);
  rank_encoders_free(enc);
  return result;
}

static void make_data(void)
{
  FILE *out = fopen(path_of("data.csv"), "w");
  rank_error e;
  assert_non_null(out);
  assert_int_equal(
    rank_synth_write(&tiny_model, &(rank_synth){.rows = 1500, .seed = 3}, out, &e), 0);
  fclose(out);
}

static void test_resume(void **state)
{
  (void)state;
  const char *whole = path_of("whole.safetensors"), *part = path_of("part.safetensors");
  rank_error e = {{0}};
  assert_int_equal(run(&(run_options){.epochs = 4, .save = whole, .threads = 1}, &e), 0);
  assert_int_equal(run(&(run_options){.epochs = 2, .save = part, .threads = 2}, &e), 0);
  assert_int_equal(
    run(&(run_options){.epochs = 4, .load = part, .save = part, .threads = 2, .fewer = 1}, &e), 0);
  assert_same_files(whole, part);
  for (tiny_stop_at = 0; tiny_stop_at < 96; tiny_stop_at += 7) { /* in the middle of epochs */
    tiny_stopped = 0;
    assert_int_equal(run(&(run_options){.epochs = 4, .save = part, .threads = 1}, &e), 1);
    tiny_stopped = 0;
    int stop_at = tiny_stop_at;
    tiny_stop_at = -1;
    assert_int_equal(
      run(&(run_options){.epochs = 4, .load = part, .save = part, .threads = 1}, &e), 0);
    tiny_stop_at = stop_at;
    assert_same_files(whole, part);
  }
  tiny_stop_at = -1;
}

/* Curves of a training: a point of each for each epoch, and what was kept. */
static void test_plot(void **state)
{
  (void)state;
  const char *path = path_of("curves.svg"), *save = path_of("plotted.safetensors");
  rank_error e = {{0}};
  run_options o = {.epochs = 3, .patience = 3, .split = 0.2, .save = save, .threads = 1};
  o.plot = rank_plot_new(path, "tiny", "epochs");
  assert_int_equal(run(&o, &e), 0);
  rank_plot_free(o.plot);
  size_t n;
  char *text = read_file(path, &n);
  text[n] = '\0';
  for (int epoch = 1; epoch <= 3; epoch++) {
    char end[32];
    snprintf(end, sizeof end, " at %d</title>", epoch);
    assert_non_null(strstr(text, end));
  }
  assert_non_null(strstr(text, "training, by epoch"));
  assert_non_null(strstr(text, "validation"));
  assert_non_null(strstr(text, "the weights that were kept"));
  free(text);
  o.plot = rank_plot_new("/nowhere/curves.svg", "tiny", "epochs");
  assert_int_equal(run(&o, &e), -1); /* after the first epoch */
  assert_non_null(strstr(e.text, "/nowhere/curves.svg: cannot write"));
  rank_plot_free(o.plot);
}

/* Stopped and gone on, the best epoch is still the same. */
static void test_resume_keeps_best(void **state)
{
  (void)state;
  const char *whole = path_of("whole.safetensors"), *part = path_of("part.safetensors");
  run_options o = {.epochs = 9, .patience = 3, .split = 0.2, .save = whole, .threads = 1};
  rank_error e = {{0}};
  assert_int_equal(run(&o, &e), 0);
  o.save = part;
  for (int stop = 5; stop < 80; stop += 13) {
    tiny_stop_at = stop;
    o.load = NULL;
    int result = run(&o, &e);
    tiny_stop_at = -1;
    tiny_stopped = 0;
    o.load = part;
    assert_int_equal(result == 1 ? run(&o, &e) : result, 0);
    assert_same_files(whole, part);
  }
}

static void test_nan_loss(void **state)
{
  (void)state;
  const char *path = path_of("kept.safetensors"), *copy = path_of("copy.safetensors");
  rank_error e = {{0}};
  assert_int_equal(run(&(run_options){.epochs = 1, .save = path, .threads = 1}, &e), 0);
  assert_int_equal(run(&(run_options){.epochs = 1, .save = copy, .threads = 1}, &e), 0);
  tiny_nan_at = 30;
  assert_int_equal(run(&(run_options){.epochs = 3, .save = path, .threads = 1}, &e), -1);
  tiny_nan_at = -1;
  assert_non_null(strstr(e.text, "step 31: the loss is nan"));
  assert_same_files(path, copy);
}

static void test_weights_of_others(void **state)
{
  (void)state;
  const char *path = path_of("whole.safetensors");
  rank_model other = tiny_model;
  rank_weights w;
  rank_error e;
  assert_int_equal(run(&(run_options){.epochs = 1, .save = path, .threads = 1}, &e), 0);
  other.layout++;
  assert_int_equal(rank_weights_open(&w, &other, path, &e), -1);
  other = tiny_model;
  other.name = "other";
  assert_int_equal(rank_weights_open(&w, &other, path, &e), -1);
  /* another program's: [1, 3] for [3], doubles, no metadata */
  double emb[TINY_ITEMS] = {0}, wide[3] = {1, 2, 3}, b[1] = {4};
  st_entry entries[] = {{"emb", ST_F64, 2, {TINY_ITEMS, 1}, emb, 0, 0},
    {"w", ST_F64, 2, {1, 3}, wide, 0, 0}, {"b", ST_F64, 1, {1}, b, 0, 0}};
  long rows[] = {TINY_ITEMS, 1, 1};
  rank_state s;
  assert_int_equal(rank_state_new(&s, &tiny_model, rows, 1, &e), 0);
  assert_int_equal(st_write(path, entries, 3, NULL, 0, &e), 0);
  assert_int_equal(rank_weights_open(&w, &tiny_model, path, &e), 0);
  assert_int_equal(rank_weights_read(&w, &tiny_model, &s, NULL, &e), 0);
  assert_true(s.param[1][2] == 3 && s.param[2][0] == 4 && s.step == 0);
  rank_weights_close(&w);
  entries[1].shape[1] = 2;
  assert_int_equal(st_write(path, entries, 3, NULL, 0, &e), 0);
  assert_int_equal(rank_weights_open(&w, &tiny_model, path, &e), 0);
  assert_int_equal(rank_weights_read(&w, &tiny_model, &s, NULL, &e), -1);
  assert_non_null(strstr(e.text, "tensor w is [1, 2], wanted [3]"));
  rank_weights_close(&w);
  rank_state_free(&s, &tiny_model);
}

static void test_first_values(void **state)
{
  (void)state;
  long rows[] = {TINY_ITEMS, 1, 1};
  rank_state a, b;
  rank_error e;
  assert_int_equal(rank_state_new(&a, &tiny_model, rows, 0, &e), 0);
  assert_int_equal(rank_state_new(&b, &tiny_model, rows, 1, &e), 0);
  rank_state_init(&a, &tiny_model, 1, 1);
  rank_state_init(&b, &tiny_model, 1, 4);
  assert_memory_equal(a.param[0], b.param[0], sizeof(rank_real) * TINY_ITEMS);
  rank_state_init(&b, &tiny_model, 2, 4);
  assert_true(a.param[0][0] != b.param[0][0] && a.param[2][0] == 0);
  for (int i = 0; i < TINY_X; i++) {
    assert_true(fabs((double)a.param[1][i]) <= 0.5);
  }
  assert_int_equal(rank_state_bad(&a, &tiny_model), -1);
  a.param[1][1] = (rank_real)NAN;
  assert_int_equal(rank_state_bad(&a, &tiny_model), 1);
  rank_state_free(&a, &tiny_model);
  rank_state_free(&b, &tiny_model);
}

/* --- evaluation --- */

enum { PAIRS = 6000 };

/* Outputs: the three numbers as a vector, twice, and the label. */
static rank_status pair_evaluate(const rank_state *s, const rank_batch *b, rank_real *const *out,
  double *loss, void *work, int threads)
{
  (void)s;
  (void)work;
  (void)threads;
  for (int i = 0; i < 2; i++) {
    if (out[i] != NULL) {
      memcpy(out[i], b->input[2], (size_t)(b->n * TINY_X) * sizeof(rank_real));
    }
  }
  *loss = (double)b->n;
  return RANK_OK;
}

/* More rows than are compared with each other: places are those among the sampled ones. */
static void test_evaluate_pairs(void **state)
{
  (void)state;
  static const rank_output outputs[] = {
    {"u", 0, TINY_X, 1, {TINY_X}, 0, NULL}, {"a", 0, TINY_X, 1, {TINY_X}, 0, NULL}};
  static const long k[] = {1, PAIRS};
  rank_metric metrics[] = {
    {"recall", "recall(u, a; k = 1, 6000)", 2, {0, 1, 0, 0}, -1, 2, k, 0, 0, 0},
    {"mrr", "mrr(u, a)", 2, {0, 1, 0, 0}, -1, 0, NULL, 0, 0, 0},
    {"mse", "mse(u, u)", 2, {0, 0, 0, 0}, -1, 0, NULL, 0, 0, 0}};
  rank_model m = tiny_model;
  rank_scores scores[2];
  rank_error e = {{0}};
  m.evaluate = pair_evaluate;
  m.outputs = outputs;
  m.metrics = metrics;
  const char *path = path_of("pairs.csv");
  FILE *out = fopen(path, "w");
  assert_non_null(out);
  assert_int_equal(rank_synth_write(&m, &(rank_synth){.rows = PAIRS, .seed = 3}, out, &e), 0);
  fclose(out);
  rank_encoders *enc = rank_encoders_new(&m);
  rank_data *data = rank_data_open(&m, enc, path, &(rank_data_options){.labels = 1, .fit = 1}, &e);
  assert_non_null(data);
  for (int i = 0; i < 2; i++) { /* without and with the vectors of all rows at hand */
    m.nmetrics = 2 + i;
    assert_int_equal(
      rank_evaluate(&m, NULL, (rank_rows){data, 0, PAIRS}, 64, 1, NULL, &scores[i], &e), 0);
  }
  assert_int_equal(scores[0].n, 3);
  assert_string_equal(scores[0].score[0].name, "recall(u, a; k = 1)");
  assert_string_equal(scores[0].score[1].name, "recall(u, a; k = 6000)");
  assert_true(scores[0].score[0].value > 0 && scores[0].score[0].value < 0.1);
  assert_true(scores[0].score[1].value == 1 && scores[1].score[3].value == 0);
  for (int i = 0; i < 3; i++) {
    assert_true(scores[0].score[i].value == scores[1].score[i].value);
  }
  assert_true(scores[0].loss > 63 && scores[0].loss < 64); /* weighted by the batches' sizes */
  for (int i = 0; i < 2; i++) {
    rank_scores_free(&scores[i]);
  }
  rank_data_close(data);
  rank_encoders_free(enc);
}

static int set_up(void **state)
{
  if (set_up_folder(state) != 0) {
    return -1;
  }
  make_data();
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_check_batch),
    cmocka_unit_test(test_first_values),
    cmocka_unit_test(test_resume),
    cmocka_unit_test(test_plot),
    cmocka_unit_test(test_resume_keeps_best),
    cmocka_unit_test(test_nan_loss),
    cmocka_unit_test(test_weights_of_others),
    cmocka_unit_test(test_evaluate_pairs),
  };
  return cmocka_run_group_tests_name("runtime", tests, set_up, tear_down_folder);
}
