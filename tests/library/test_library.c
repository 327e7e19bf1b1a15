/* test_library.c: the C interface of a model: predictions of one row and of many, every status, scratch
 * that is exactly as large as asked for, threads that share the weights, and training.
 *
 *   test_library csv                        the rows as the model's data
 *   test_library test WEIGHTS PREDICTED.csv everything; PREDICTED.csv is what the program says
 *   test_library rounded WEIGHTS PREDICTED.csv the same of weights that are only to serve
 *   test_library train WEIGHTS STEPS SAVED  steps on all rows */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rows.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
      exit(1); \
    } \
  } while (0)

enum { WIDTH = 8, THREADS = 8, TIMES = 50, GUARD = 256 };

typedef struct answers {
  float ctr[ROWS], taste[ROWS][WIDTH];
} answers;

static rows r;
static shop *model;

/* --- predictions --- */

/* Scratch of exactly these bytes, at an odd address, with a guard behind it. */
static char *scratch_new(size_t bytes)
{
  char *p = malloc(bytes + 1 + GUARD);
  EXPECT(p);
  memset(p + 1 + bytes, 0x5a, GUARD);
  return p + 1;
}

static void scratch_free(char *scratch, size_t bytes)
{
  for (int i = 0; i < GUARD; i++) {
    EXPECT(scratch[bytes + (size_t)i] == 0x5a);
  }
  free(scratch - 1);
}

static void predict(int first, int n, answers *a)
{
  int32_t offsets[ROWS + 1];
  shop_inputs in = rows_inputs(&r, first, n, offsets);
  shop_outputs out = {a->ctr + first, a->taste[first]};
  size_t bytes = shop_scratch(model, &in);
  EXPECT(bytes <= shop_scratch_for(model, n));
  char *scratch = scratch_new(bytes);
  EXPECT(shop_predict(model, &in, &out, scratch) == SHOP_OK);
  scratch_free(scratch, bytes);
}

static int same(const answers *a, const answers *b)
{
  return memcmp(a, b, sizeof *a) == 0;
}

/* A row's place in the batch may decide its last bit: vectors round differently from what is left over. */
static int near(const answers *a, const answers *b)
{
  for (int i = 0; i < ROWS; i++) {
    for (int k = 0; k <= WIDTH; k++) {
      float x = k == 0 ? a->ctr[i] : a->taste[i][k - 1],
            y = k == 0 ? b->ctr[i] : b->taste[i][k - 1];
      if (!(fabsf(x - y) <= 1e-6f * (1 + fabsf(x)))) {
        return 0;
      }
    }
  }
  return 1;
}

static void test_one_and_many(answers *all)
{
  answers single;
  predict(0, ROWS, all);
  for (int i = 0; i < ROWS; i++) {
    predict(i, 1, &single);
  }
  EXPECT(near(all, &single));
  for (int i = 0; i < ROWS; i += 17) {
    predict(i, i + 17 < ROWS ? 17 : ROWS - i, &single);
  }
  EXPECT(near(all, &single));
}

static void test_some_outputs(const answers *all)
{
  int32_t offsets[ROWS + 1];
  answers a;
  memset(&a, 0, sizeof a);
  shop_inputs in = rows_inputs(&r, 0, ROWS, offsets);
  void *scratch = malloc(shop_scratch_for(model, ROWS));
  EXPECT(shop_predict(model, &in, &(shop_outputs){NULL, a.taste[0]}, scratch) == SHOP_OK);
  EXPECT(memcmp(a.taste, all->taste, sizeof a.taste) == 0 && a.ctr[0] == 0);
  EXPECT(shop_predict(model, &in, &(shop_outputs){NULL, NULL}, scratch) == SHOP_OK);
  in.n = 0;
  EXPECT(shop_predict(model, &in, &(shop_outputs){a.ctr, NULL}, NULL) == SHOP_OK && a.ctr[0] == 0);
  EXPECT(shop_predict(model, &(shop_inputs){0}, &(shop_outputs){NULL, NULL}, NULL) == SHOP_OK);
  free(scratch);
}

#ifndef SANITIZED
static void test_allocates_nothing(void)
{
  int32_t offsets[ROWS + 1];
  answers a;
  shop_inputs in = rows_inputs(&r, 0, ROWS, offsets);
  shop_outputs out = {a.ctr, a.taste[0]};
  void *scratch = malloc(shop_scratch(model, &in));
  struct mallinfo2 before = mallinfo2();
  EXPECT(shop_predict(model, &in, &out, scratch) == SHOP_OK);
  struct mallinfo2 after = mallinfo2();
  EXPECT(memcmp(&before, &after, sizeof before) == 0);
  free(scratch);
}
#endif

static void test_as_the_program(const answers *all, const char *path)
{
  FILE *f = fopen(path, "r");
  char line[1000];
  EXPECT(f && fgets(line, sizeof line, f) && strncmp(line, "ctr,taste.0,", 12) == 0);
  for (int i = 0; i < ROWS; i++) {
    EXPECT(fgets(line, sizeof line, f));
    char *at = line;
    for (int k = 0; k <= WIDTH; k++, at++) {
      float mine = k == 0 ? all->ctr[i] : all->taste[i][k - 1];
      double said = strtod(at, &at);
      EXPECT(fabs(said - (double)mine) <= 1e-6 * (1 + fabs(said)));
      EXPECT(*at == (k < WIDTH ? ',' : '\n'));
    }
  }
  EXPECT(!fgets(line, sizeof line, f));
  fclose(f);
}

/* --- what is refused --- */

static shop_inputs in;
static int32_t own_offsets[ROWS + 1];

static void refused(int status, const char *words)
{
  char message[200], cut[8];
  float ctr[ROWS] = {-1};
  void *scratch = malloc(shop_scratch(model, &in) + shop_scratch_for(model, ROWS));
  EXPECT(shop_predict(model, &in, &(shop_outputs){ctr, NULL}, scratch) == status);
  EXPECT(ctr[0] == -1); /* nothing was written */
  EXPECT(shop_explain(model, &in, message, sizeof message) == status);
  if (strcmp(message, words) != 0) {
    fprintf(stderr, "said: %s\nwanted: %s\n", message, words);
    exit(1);
  }
  EXPECT(shop_explain(model, &in, cut, sizeof cut) == status && strncmp(cut, words, 7) == 0);
  EXPECT(shop_explain(model, &in, NULL, 0) == status);
  EXPECT(strlen(shop_status(status)) > 5);
  free(scratch);
  in = rows_inputs(&r, 0, ROWS, own_offsets);
}

static void test_ids(void)
{
  int32_t item[ROWS], seen[ROWS * MOST], place[ROWS][3];
  in = rows_inputs(&r, 0, ROWS, own_offsets);
  memcpy(item, r.item, sizeof item);
  memcpy(seen, r.seen, sizeof seen);
  memcpy(place, r.place, sizeof place);
  in.item = item;
  item[5] = 100;
  refused(SHOP_BAD_ID, "input item, row 5: id 100, but ids go from 0 to 99");
  in.seen = seen;
  seen[r.offsets[4] - 1] = -1; /* the last one of row 3 */
  refused(SHOP_BAD_ID, "input seen, row 3: id -1, but ids go from 0 to 99");
  in.place = place[0];
  place[40][1] = 9;
  refused(SHOP_BAD_ID, "input place, row 40: id 9, but at its position they go from 4 to 8");
}

static void test_numbers(void)
{
  float x[ROWS][3], spent[ROWS * MOST];
  memcpy(x, r.x, sizeof x);
  memcpy(spent, r.spent, sizeof spent);
  in.x = x[0];
  x[7][2] = NAN;
  refused(SHOP_BAD_VALUE, "input x, row 7: value 2 is nan");
  in.spent = spent;
  spent[0] = -INFINITY;
  refused(SHOP_BAD_VALUE, "input spent, row 1: value 0 is -inf");
  in.spent = NULL;
  refused(SHOP_BAD_VALUE, "input spent: not given (NULL)");
  in.item = NULL;
  refused(SHOP_BAD_VALUE, "input item: not given (NULL)");
}

static void test_lengths(void)
{
  in.n = -1;
  refused(SHOP_BAD_LENGTH, "-1 rows");
  in.L_offsets = NULL;
  refused(SHOP_BAD_LENGTH, "axis L: no offsets");
  own_offsets[0] = 1;
  refused(SHOP_BAD_LENGTH, "axis L: the first offset is 1, wanted 0");
  own_offsets[1] = 7;
  refused(SHOP_BAD_LENGTH, "axis L, row 0: a list of 7, but the longest may be 6");
  own_offsets[3] = 0;
  refused(SHOP_BAD_LENGTH, "axis L, row 2: the list ends before it begins (0 after 1)");
  own_offsets[ROWS] = INT32_MIN;
  refused(
    SHOP_BAD_LENGTH, "axis L, row 40: the list ends before it begins (-2147483648 after 115)");
}

static void test_files(const char *weights)
{
  shop *none = model;
  char message[300];
  EXPECT(shop_open(&none, "no such file", message, sizeof message) == SHOP_BAD_FILE && !none);
  EXPECT(strncmp(message, "no such file: ", 14) == 0);
  EXPECT(shop_open(&none, NULL, message, sizeof message) == SHOP_BAD_FILE && !none);
  EXPECT(shop_open(&none, "/dev/null", NULL, 0) == SHOP_BAD_FILE && !none);
  char bytes[100000], path[] = "/tmp/library-XXXXXX";
  FILE *from = fopen(weights, "rb");
  EXPECT(from);
  size_t n = fread(bytes, 1, sizeof bytes, from);
  fclose(from);
  for (int damage = 0; damage < 2; damage++) { /* cut short; one bit of the last tensor */
    int fd = mkstemp(path);
    FILE *to = fdopen(fd, "wb");
    bytes[n - 10] = (char)(bytes[n - 10] ^ 4);
    EXPECT(to && fwrite(bytes, 1, damage == 0 ? n - 100 : n, to) && fclose(to) == 0);
    EXPECT(shop_open(&none, path, message, sizeof message) == SHOP_BAD_FILE && !none);
    EXPECT(strncmp(message, path, strlen(path)) == 0);
    bytes[n - 10] = (char)(bytes[n - 10] ^ 4);
    unlink(path);
    memcpy(path, "/tmp/library-XXXXXX", sizeof path);
  }
  shop_close(NULL);
}

static void test_statuses(void)
{
  EXPECT(shop_version() == SHOP_VERSION);
  EXPECT(strcmp(shop_status(SHOP_OK), "ok") == 0);
  EXPECT(strcmp(shop_status(99), "unknown status") == 0);
  EXPECT(strcmp(shop_status(-1), "unknown status") == 0);
  in = rows_inputs(&r, 0, ROWS, own_offsets);
  EXPECT(shop_predict(model, &in, &(shop_outputs){NULL, NULL}, NULL) == SHOP_NO_MEMORY);
}

/* --- threads --- */

static void *many_times(void *expected)
{
  for (int i = 0; i < TIMES; i++) {
    answers a;
    predict(0, ROWS, &a);
    EXPECT(same(&a, expected));
  }
  return NULL;
}

static void test_threads(answers *all)
{
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++) {
    EXPECT(pthread_create(&thread[i], NULL, many_times, all) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
  }
}

/* --- training --- */

static double train(shop *m, int steps)
{
  int32_t offsets[ROWS + 1];
  shop_batch b = {.inputs = rows_inputs(&r, 0, ROWS, offsets), .click = r.click};
  size_t bytes = shop_train_scratch(m, &b);
  char *scratch = scratch_new(bytes), message[200];
  double loss = 0;
  for (int i = 0; i < steps; i++) {
    EXPECT(shop_train_step(m, &b, 0, steps, &loss, scratch) == SHOP_OK);
  }
  b.click = NULL;
  EXPECT(shop_train_step(m, &b, 0, 0, NULL, scratch) == SHOP_BAD_VALUE);
  EXPECT(shop_explain_batch(m, &b, message, sizeof message) == SHOP_BAD_VALUE);
  EXPECT(strcmp(message, "input click: not given (NULL)") == 0);
  b.click = r.click;
  EXPECT(shop_train_step(model, &b, 0, 0, NULL, scratch) == SHOP_NO_MEMORY); /* only to predict */
  scratch_free(scratch, bytes);
  return loss;
}

/* rounded: weights to serve from, which are not trained. */
static void test_train(const char *weights, int rounded)
{
  shop *m, *again, *kept = model;
  char message[300], path[] = "/tmp/library-XXXXXX";
  EXPECT(shop_open_training(&m, NULL, 1, message, sizeof message) == SHOP_OK);
  double first = train(m, 1), later = train(m, 40);
  EXPECT(isfinite(first) && later < first);
  close(mkstemp(path));
  EXPECT(shop_save(m, path, message, sizeof message) == SHOP_OK);
  EXPECT(shop_open(&again, path, message, sizeof message) == SHOP_OK);
  answers a, b;
  model = m;
  predict(0, ROWS, &a);
  model = again;
  predict(0, ROWS, &b);
  EXPECT(same(&a, &b));
  model = kept;
  EXPECT(shop_save(m, "/no/such/folder/w", message, sizeof message) == SHOP_BAD_FILE);
  shop_close(m);
  shop_close(again);
  int status = shop_open_training(&m, weights, 0, message, sizeof message);
  EXPECT(rounded ? status == SHOP_BAD_FILE && strstr(message, "rounded to serve") && m == NULL
                 : status == SHOP_OK);
  shop_close(m);
  unlink(path);
}

static void train_and_save(const char *weights, int steps, const char *saved)
{
  char message[300];
  shop *m;
  EXPECT(shop_open(&model, weights, message, sizeof message) == SHOP_OK);
  EXPECT(shop_open_training(&m, weights, 0, message, sizeof message) == SHOP_OK);
  train(m, steps);
  EXPECT(shop_save(m, saved, message, sizeof message) == SHOP_OK);
  shop_close(m);
  shop_close(model);
}

/* --- */

static void print_csv(void)
{
  printf("user,item,seen,spent,x1,x2,x3,p1,p2,p3,click\n");
  for (int i = 0; i < ROWS; i++) {
    printf("%d,%d,", i % 40, (int)r.item[i]);
    for (int32_t k = r.offsets[i]; k < r.offsets[i + 1]; k++) {
      printf("%s%d", k > r.offsets[i] ? " " : "", (int)r.seen[k]);
    }
    printf(",");
    for (int32_t k = r.offsets[i]; k < r.offsets[i + 1]; k++) {
      printf("%s%.9g", k > r.offsets[i] ? " " : "", (double)r.spent[k]);
    }
    for (int k = 0; k < 3; k++) {
      printf(",%.9g", (double)r.x[i][k]);
    }
    printf(",%d,%d,%d,%d\n", (int)r.place[i][0], (int)r.place[i][1] - 4, (int)r.place[i][2] - 9,
      (int)r.click[i]);
  }
}

int main(int argc, char **argv)
{
  rows_make(&r);
  if (argc == 2 && strcmp(argv[1], "csv") == 0) {
    print_csv();
    return 0;
  }
  if (argc == 5 && strcmp(argv[1], "train") == 0) {
    train_and_save(argv[2], atoi(argv[3]), argv[4]);
    return 0;
  }
  int rounded = argc == 4 && strcmp(argv[1], "rounded") == 0;
  EXPECT(rounded || (argc == 4 && strcmp(argv[1], "test") == 0));
  char message[300];
  if (shop_open(&model, argv[2], message, sizeof message) != SHOP_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  EXPECT(shop_version() == SHOP_VERSION && shop_abi_version() == SHOP_ABI_VERSION);
  answers all;
  test_one_and_many(&all);
  test_some_outputs(&all);
#ifndef SANITIZED
  test_allocates_nothing();
#endif
  test_as_the_program(&all, argv[3]);
  test_statuses();
  test_ids();
  test_numbers();
  test_lengths();
  test_files(argv[2]);
  test_threads(&all);
  test_train(argv[2], rounded);
  shop_close(model);
  return 0;
}
