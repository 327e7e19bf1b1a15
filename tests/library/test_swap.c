/* test_swap.c: weights are swapped while threads predict with them: how a server does that, and that no
 * score is any but those of one of the two models, whole.
 *
 *   test_swap WEIGHTS OTHER_WEIGHTS
 *
 * The pattern: readers say in a slot of their own which model they use, and look again whether it is
 * still the current one; the writer exchanges the pointer, waits until no slot has the old one, and
 * closes it. Readers never wait. */

#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
      exit(1); \
    } \
  } while (0)

enum { READERS = 8, SWAPS = 1000 };

static _Atomic(shop *) current;
static _Atomic(shop *) in_use[READERS];
static atomic_int finished;
static rows r;
static float expected[2][ROWS];

/* --- what a server has --- */

static shop *acquire(int reader)
{
  shop *m;
  do {
    m = atomic_load(&current);
    atomic_store(&in_use[reader], m);
  } while (m != atomic_load(&current)); /* closed, perhaps, before the slot was seen */
  return m;
}

static void release(int reader)
{
  atomic_store(&in_use[reader], NULL);
}

static void swap(shop *next)
{
  shop *old = atomic_exchange(&current, next);
  for (int i = 0; i < READERS; i++) {
    while (atomic_load(&in_use[i]) == old) {
      sched_yield();
    }
  }
  shop_close(old);
}

/* --- the test --- */

static void predict(const shop *m, float *ctr, void *scratch)
{
  int32_t offsets[ROWS + 1];
  shop_inputs in = rows_inputs(&r, 0, ROWS, offsets);
  shop_outputs out = {ctr, NULL};
  EXPECT(shop_predict(m, &in, &out, scratch) == SHOP_OK);
}

static void *read_on(void *arg)
{
  int reader = *(int *)arg;
  long served = 0;
  void *scratch = NULL;
  while (!atomic_load(&finished) || served == 0) {
    float ctr[ROWS];
    shop *m = acquire(reader);
    scratch = scratch ? scratch : malloc(shop_scratch_for(m, ROWS));
    predict(m, ctr, scratch);
    release(reader);
    EXPECT(memcmp(ctr, expected[0], sizeof ctr) == 0 || memcmp(ctr, expected[1], sizeof ctr) == 0);
    served++;
  }
  free(scratch);
  return NULL;
}

static shop *open_weights(const char *path)
{
  char message[300] = "";
  shop *m;
  if (shop_open(&m, path, message, sizeof message) != SHOP_OK) {
    fprintf(stderr, "%s\n", message);
    exit(1);
  }
  return m;
}

int main(int argc, char **argv)
{
  pthread_t thread[READERS];
  int number[READERS];
  EXPECT(argc == 3);
  rows_make(&r);
  for (int i = 0; i < 2; i++) {
    shop *m = open_weights(argv[1 + i]);
    void *scratch = malloc(shop_scratch_for(m, ROWS));
    predict(m, expected[i], scratch);
    free(scratch);
    shop_close(m);
  }
  EXPECT(memcmp(expected[0], expected[1], sizeof expected[0]) != 0);
  atomic_store(&current, open_weights(argv[1]));
  for (int i = 0; i < READERS; i++) {
    number[i] = i;
    EXPECT(pthread_create(&thread[i], NULL, read_on, &number[i]) == 0);
  }
  for (int i = 1; i <= SWAPS; i++) {
    swap(open_weights(argv[1 + i % 2]));
  }
  atomic_store(&finished, 1);
  for (int i = 0; i < READERS; i++) {
    pthread_join(thread[i], NULL);
  }
  shop_close(atomic_load(&current));
  return 0;
}
