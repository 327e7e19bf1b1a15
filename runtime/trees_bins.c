/* Bins of one column, found as LightGBM finds them: zero has a bin of its own, values below and above it
 * share the rest by how many rows they have, and each bin gets about the same number of rows unless one
 * value alone has more. Bounds are LightGBM's to the last bit, so that the same data gives the same
 * thresholds. */

#include "trees.h"

#include <math.h>
#include <string.h>

enum { DIGIT = 11, DIGITS = 6 };

typedef uint32_t digit_counts[DIGITS][1 << DIGIT];

size_t trees_bins_scratch(long n)
{
  return ((size_t)n + 2) * (2 * sizeof(double) + sizeof(int)) + sizeof(digit_counts) + 64;
}

/* Doubles in an order of unsigned integers. */
static uint64_t key_of(double x)
{
  uint64_t u;
  memcpy(&u, &x, 8);
  return u ^ ((uint64_t)((int64_t)u >> 63) | 0x8000000000000000u);
}

static double of_key(uint64_t u)
{
  double x;
  u ^= u >> 63 ? 0x8000000000000000u : ~(uint64_t)0;
  memcpy(&x, &u, 8);
  return x;
}

/* Sorts by 6 digits of 11 bits, skipping digits that all values share. */
static void sort_values(double *x, long n, uint64_t *a, uint64_t *b, digit_counts count)
{
  static const unsigned mask = (1u << DIGIT) - 1;
  memset(count, 0, sizeof(digit_counts));
  for (long i = 0; i < n; i++) {
    a[i] = key_of(x[i]);
  }
  for (long i = 0; i < n; i++) {
    for (int d = 0; d < DIGITS; d++) {
      count[d][a[i] >> d * DIGIT & mask]++;
    }
  }
  for (int d = 0; d < DIGITS && n > 0; d++) {
    if (count[d][a[0] >> d * DIGIT & mask] == (uint32_t)n) {
      continue;
    }
    uint32_t sum = 0;
    for (unsigned k = 0; k <= mask; k++) {
      uint32_t c = count[d][k];
      count[d][k] = sum;
      sum += c;
    }
    for (long i = 0; i < n; i++) {
      b[count[d][a[i] >> d * DIGIT & mask]++] = a[i];
    }
    uint64_t *swap = a;
    a = b;
    b = swap;
  }
  for (long i = 0; i < n; i++) {
    x[i] = of_key(a[i]);
  }
}

static int same(double a, double b)
{
  return b <= nextafter(a, (double)INFINITY);
}

typedef struct bounds {
  double *at;
  int n;
} bounds;

static void push_between(bounds *u, int first, double a, double b)
{
  double cut = nextafter((a + b) / 2, (double)INFINITY);
  if (u->n == first || !same(u->at[u->n - 1], cut)) {
    u->at[u->n++] = cut;
  }
}

/* More distinct values than bins: equal shares, except for values that fill a share alone. */
static void cut_shares(
  bounds *u, const double *value, const int *count, int n, int most, long total)
{
  int first = u->n, bins = 0, rest_bins = most;
  long rest = total, current = 0;
  double mean = (double)total / most, big = mean;
  for (int i = 0; i < n; i++) {
    if (count[i] >= big) {
      rest_bins--;
      rest -= count[i];
    }
  }
  mean = (double)rest / rest_bins;
  for (int i = 0; i < n - 1 && bins < most - 1; i++) {
    int is_big = count[i] >= big;
    rest -= is_big ? 0 : count[i];
    current += count[i];
    double half = mean * 0.5 > 1 ? mean * 0.5 : 1;
    if (is_big || (double)current >= mean || (count[i + 1] >= big && (double)current >= half)) {
      push_between(u, first, value[i], value[i + 1]);
      bins++;
      current = 0;
      if (!is_big) {
        rest_bins--;
        mean = (double)rest / rest_bins;
      }
    }
  }
}

static void cut_greedy(
  bounds *u, const double *value, const int *count, int n, int most, long total, long min_data)
{
  int first = u->n;
  if (n <= most) {
    long current = 0;
    for (int i = 0; i < n - 1; i++) {
      current += count[i];
      if (current >= min_data) {
        int before = u->n;
        push_between(u, first, value[i], value[i + 1]);
        current = u->n > before ? 0 : current;
      }
    }
  } else {
    if (min_data > 0 && total / min_data < most) {
      most = total / min_data > 1 ? (int)(total / min_data) : 1;
    }
    cut_shares(u, value, count, n, most, total);
  }
  u->at[u->n++] = (double)INFINITY;
}

/* Bounds of the bins of distinct values (ascending), zero in one of its own. */
static void cut_around_zero(
  bounds *u, const double *value, const int *count, int n, int most, long total, long min_data)
{
  long below = 0, zeros = 0, above = 0;
  int left = n, right = -1;
  for (int i = 0; i < n; i++) {
    if (value[i] <= -RANK_TREES_ZERO) {
      below += count[i];
    } else if (value[i] > RANK_TREES_ZERO) {
      above += count[i];
    } else {
      zeros += count[i];
    }
    if (value[i] > -RANK_TREES_ZERO && left == n) {
      left = i;
    }
    if (value[i] > RANK_TREES_ZERO && right < 0) {
      right = i;
    }
  }
  if (left > 0 && most > 1) {
    int bins = (int)((double)below / (double)(total - zeros) * (most - 1));
    cut_greedy(u, value, count, left, bins > 1 ? bins : 1, below, min_data);
    u->at[u->n - 1] = trees_threshold(-RANK_TREES_ZERO);
  }
  int bins = most - 1 - u->n;
  if (right >= 0 && bins > 0) {
    u->at[u->n++] = RANK_TREES_ZERO;
    cut_greedy(u, value + right, count + right, n - right, bins, above, min_data);
  } else {
    u->at[u->n++] = (double)INFINITY;
  }
}

static void find_numbers(trees_bins *b, const double *value, const int *count, int n, long present,
  long nans, const rank_trees_options *o)
{
  int most = o->bins < 255 ? o->bins : 255;
  bounds u = {b->upper, 0};
  b->missing = o->zero_as_missing ? RANK_SPLIT_ZERO : nans > 0 ? RANK_SPLIT_NAN : 0;
  cut_around_zero(
    &u, value, count, n, most - (b->missing == RANK_SPLIT_NAN), present, o->min_data_in_bin);
  if (b->missing == RANK_SPLIT_ZERO && u.n == 2) {
    b->missing = 0;
  }
  b->n = u.n;
  if (b->missing == RANK_SPLIT_NAN) {
    b->upper[b->n++] = (double)NAN;
  }
}

typedef struct category {
  int32_t code;
  int count;
} category;

static int by_count(const void *a, const void *b)
{
  const category *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1)
                              : (x->code > y->code) - (x->code < y->code);
}

static int by_code(const void *a, const void *b)
{
  const int32_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* The most frequent categories get bins from 1; the rest share bin 0 with what is missing. */
static void find_categories(trees_bins *b, const double *value, const int *count, int n,
  long present, long nans, const rank_trees_options *o, category *cats)
{
  int distinct = 0;
  for (int i = 0; i < n; i++) {
    if (value[i] <= -1 || !(value[i] < 2147483648.0)) {
      nans += count[i];
      present -= count[i];
    } else if (distinct > 0 && cats[distinct - 1].code == (int32_t)value[i]) {
      cats[distinct - 1].count += count[i];
    } else {
      cats[distinct++] = (category){(int32_t)value[i], count[i]};
    }
  }
  qsort(cats, (size_t)distinct, sizeof *cats, by_count);
  long enough = (long)((double)present * (double)0.99F + 0.5), used = 0;
  int most = distinct + (nans > 0) < o->bins ? distinct + (nans > 0) : o->bins, kept = 0;
  b->category = 1;
  b->n = 1;
  b->code[0] = -1;
  for (; kept < distinct && b->n < 255 && (used < enough || b->n < most); kept++) {
    if (cats[kept].count < o->min_data_in_bin && kept > 1) {
      break;
    }
    b->code[b->n++] = cats[kept].code;
    used += cats[kept].count;
  }
  b->missing = kept == distinct && nans == 0 ? 0 : RANK_SPLIT_NAN;
  b->ncodes = b->n - 1;
  memcpy(b->sorted, b->code + 1, sizeof *b->sorted * (size_t)b->ncodes);
  qsort(b->sorted, (size_t)b->ncodes, sizeof *b->sorted, by_code);
  for (int i = 1; i < b->n; i++) {
    const int32_t *at =
      bsearch(b->code + i, b->sorted, (size_t)b->ncodes, sizeof *b->sorted, by_code);
    b->sorted_bin[at - b->sorted] = (uint8_t)i;
  }
}

/* Distinct values and how many rows have each; the larger stands for two that are next to each other. */
static int distinct_values(double *x, long n, double *value, int *count)
{
  int distinct = 0;
  for (long i = 0; i < n; i++) {
    if (i == 0 || !same(x[i - 1], x[i])) {
      if (i > 0 && x[i - 1] < 0 && x[i] > 0) { /* as LightGBM: zero, though no row has it */
        value[distinct] = 0;
        count[distinct++] = 0;
      }
      value[distinct] = x[i];
      count[distinct++] = 1;
    } else {
      value[distinct - 1] = x[i];
      count[distinct - 1]++;
    }
  }
  return distinct;
}

void trees_bins_find(trees_bins *b, double *values, long n, const rank_trees_options *o,
  int categorical, void *scratch)
{
  uint32_t(*digits)[1 << DIGIT] = scratch;
  uint64_t *one = (uint64_t *)(digits + DIGITS), *two = one + n + 2;
  int *count = (int *)(two + n + 2);
  long present = 0;
  memset(b, 0, sizeof *b);
  b->n = 1;
  for (long i = 0; i < n; i++) {
    if (!isnan(values[i])) {
      values[present++] = values[i] == 0 ? 0 : values[i];
    }
  }
  if (present == 0) {
    return;
  }
  sort_values(values, present, one, two, digits);
  b->low = values[0];
  b->high = values[present - 1];
  double *value = (double *)one;
  int distinct = distinct_values(values, present, value, count);
  if (categorical) {
    find_categories(b, value, count, distinct, present, n - present, o, (category *)two);
  } else {
    find_numbers(b, value, count, distinct, present, n - present, o);
  }
  b->zero = trees_bin(b, 0);
}

uint8_t trees_bin(const trees_bins *b, double x)
{
  if (b->category) {
    if (!(x > -1 && x < 2147483648.0)) {
      return 0;
    }
    int32_t code = (int32_t)x;
    const int32_t *at = bsearch(&code, b->sorted, (size_t)b->ncodes, sizeof code, by_code);
    return at ? b->sorted_bin[at - b->sorted] : 0;
  }
  int last = b->n - 1;
  if (isnan(x)) {
    if (b->missing == RANK_SPLIT_NAN) {
      return (uint8_t)last;
    }
    x = 0;
  }
  last -= b->missing == RANK_SPLIT_NAN;
  int bin = 0;
  for (int step = 128; step > 0; step >>= 1) {
    int at = bin + step - 1;
    bin += at < last && b->upper[at] < x ? step : 0;
  }
  return (uint8_t)bin;
}

char *trees_bins_info(const trees_bins *b)
{
  if (b->n <= 1) {
    return strdup("none");
  }
  size_t room = b->category ? 13 * (size_t)b->ncodes + 1 : 80, at = 0;
  char *text = malloc(room);
  if (text && !b->category) {
    snprintf(text, room, "[%.17g:%.17g]", b->low, b->high);
  }
  for (int i = 1; text && b->category && i < b->n; i++) {
    at += (size_t)snprintf(text + at, room - at, "%s%d", i > 1 ? ":" : "", b->code[i]);
  }
  return text;
}
