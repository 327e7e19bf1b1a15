/* test_rank.c: a request with its candidates gives what plain predictions give whose rows repeat the
 * request's inputs, to rounding; what is wrong is refused; and, on a model with one list, how much faster.
 *
 *   test_rank WEIGHTS */

#include "page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(x) \
  do { \
    if (!(x)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
      exit(1); \
    } \
  } while (0)

enum { MOST = 131, LONGEST = 9, WIDTH = 16, GUARD = 256 };

typedef struct rows {
  int32_t user[MOST], offsets[MOST + 1], seen[MOST * LONGEST], ad[MOST];
  float age[MOST][3], ago[MOST * LONGEST], bid[MOST];
} rows;

typedef struct answers {
  float ctr[MOST], who[MOST], taste[MOST][WIDTH];
} answers;

static rows r;
static page *model;

/* n candidates of one request whose list has `length` elements. */
static void rows_make(int n, int length, unsigned state)
{
  for (int i = 0; i < n; i++) {
    state = state * 1664525u + 1013904223u;
    r.ad[i] = (int32_t)(state >> 8) % 80;
    r.bid[i] = (float)((state >> 12) % 64) / 32;
    r.user[i] = 17;
    r.offsets[i + 1] = (i + 1) * length;
    for (int k = 0; k < 3; k++) {
      r.age[i][k] = (float)k - 0.5f;
    }
    for (int k = 0; k < length; k++) {
      r.seen[i * length + k] = (k * 7 + 3) % 80;
      r.ago[i * length + k] = (float)k / 4;
    }
  }
}

static page_request request_of(int length)
{
  page_request q = {.L_length = length, .user = r.user, .age = r.age[0], .seen = r.seen};
  q.long_0 = r.ago;
  return q;
}

static int rank(int n, int length, answers *a)
{
  page_request request = request_of(length);
  page_candidates candidates = {.n = n, .ad = r.ad, .bid = r.bid};
  page_outputs out = {a->ctr, a->who, a->taste[0]};
  size_t bytes = page_rank_scratch(model, n);
  char *scratch = malloc(bytes + 1 + GUARD); /* at an odd address, with a guard behind it */
  EXPECT(scratch);
  memset(scratch + 1 + bytes, 0x5a, GUARD);
  int status = page_rank(model, &request, &candidates, &out, scratch + 1);
  for (int i = 0; i < GUARD; i++) {
    EXPECT(scratch[1 + bytes + (size_t)i] == 0x5a);
  }
  free(scratch);
  return status;
}

static void predict(int n, answers *a)
{
  page_inputs in = {.n = n, .L_offsets = r.offsets, .user = r.user, .age = r.age[0]};
  in.seen = r.seen;
  in.long_0 = r.ago;
  in.ad = r.ad;
  in.bid = r.bid;
  page_outputs out = {a->ctr, a->who, a->taste[0]};
  void *scratch = malloc(page_scratch(model, &in));
  EXPECT(page_predict(model, &in, &out, scratch) == PAGE_OK);
  free(scratch);
}

static int near(float x, float y)
{
  return fabsf(x - y) <= 2e-6f * (1 + fabsf(x));
}

static void test_same(int n, int length)
{
  static answers plain, split;
  memset(&split, 0x7f, sizeof split);
  rows_make(n, length, (unsigned)(n + length));
  predict(n, &plain);
  EXPECT(rank(n, length, &split) == PAGE_OK);
  for (int i = 0; i < n; i++) {
    EXPECT(near(plain.ctr[i], split.ctr[i]) && near(plain.who[i], split.who[i]));
    for (int k = 0; k < WIDTH; k++) {
      EXPECT(near(plain.taste[i][k], split.taste[i][k]));
    }
  }
}

static void test_refusals(void)
{
  static answers a;
  char message[200];
  rows_make(4, 5, 1);
  page_candidates candidates = {.n = 4, .ad = r.ad, .bid = r.bid};
  r.user[0] = 50;
  page_request request = request_of(5);
  EXPECT(rank(4, 5, &a) == PAGE_BAD_ID);
  EXPECT(page_rank_explain(model, &request, &candidates, message, sizeof message) == PAGE_BAD_ID);
  EXPECT(strstr(message, "input user") && strstr(message, "50"));
  r.user[0] = 0;
  r.ad[3] = -1;
  EXPECT(rank(4, 5, &a) == PAGE_BAD_ID);
  EXPECT(page_rank_explain(model, &request, &candidates, message, sizeof message) == PAGE_BAD_ID);
  EXPECT(strstr(message, "input ad, row 3"));
  r.ad[3] = 0;
  r.bid[2] = NAN;
  EXPECT(rank(4, 5, &a) == PAGE_BAD_VALUE);
  r.bid[2] = 0;
  EXPECT(rank(4, LONGEST + 1, &a) == PAGE_BAD_LENGTH);
  EXPECT(rank(4, -1, &a) == PAGE_BAD_LENGTH);
  EXPECT(rank(0, 5, &a) == PAGE_OK && rank(4, 5, &a) == PAGE_OK);
}

int main(int argc, char **argv)
{
  char message[300];
  EXPECT(argc == 2);
  if (page_open(&model, argv[1], message, sizeof message) != PAGE_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  static const int counts[] = {1, 2, 7, 16, 33, 64, 65, MOST};
  for (int length = 0; length <= LONGEST; length += 3) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
      test_same(counts[i], length);
    }
  }
  test_refusals();
  page_close(model);
  return 0;
}
