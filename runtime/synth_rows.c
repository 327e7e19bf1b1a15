/* synth_rows.c: rows that a model can learn something from, drawn from its declarations alone.
 *
 * One idea: a planted teacher. Each id has a hidden effect and a hidden group, each number a hidden
 * weight; a label is likelier where effects and numbers add up and where the groups of two id inputs (or
 * lists) meet. Everything is a hash of (seed, what, row, input, element), so rows need no memory of each
 * other; what is hidden is the same for every seed, so that what is learnt on the rows of one holds for those
 * of another. Scale and shift are set on the first rows so that a quarter is positive and the best possible
 * AUC is about 0.85. A model without labels gets inputs that go together instead: ids by taste, and numbers
 * that are a mixture of those of the first input, with a little noise. */

#include "synth.h"
#include "rank_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_ROWS = 2000, HIDDEN = 1 /* seed of what is hidden */ };
enum { U_LENGTH, U_TASTE, U_ID, U_MOVE, U_NUMBER, U_UNUSED, U_WEIGHT, U_EFFECT, U_PAIR, U_LABEL };

static const double BASE_RATE = 0.25, BAYES_AUC = 0.85;
static const double MIX = 0.8, NOISE = 0.1;
static const double part_weight[SYNTH_PARTS] = {0.7, 1, 1}; /* effects, numbers, meetings */

/* --- randomness --- */

double synth_uniform(const synth *s, int what, long row, int input, long element)
{
  int hidden = what == U_WEIGHT || what == U_EFFECT || what == U_PAIR;
  uint64_t seed = hidden ? HIDDEN : s->o->seed;
  uint64_t key = rank_random_key(seed, (uint64_t)row, (uint32_t)(input * 64 + what));
  return ((double)(rank_mix(key ^ rank_mix((uint64_t)element)) >> 12) + 0.5) * 0x1p-52;
}

static double synth_normal(const synth *s, int what, long row, int input, long element)
{
  return rank_normal_quantile(synth_uniform(s, what, row, input, element));
}

/* --- sizes --- */

static int root_of(const rank_model *m, int input)
{
  return m->inputs[input].same_as >= 0 ? m->inputs[input].same_as : input;
}

long synth_universe(const rank_model *m, int input, long position)
{
  const rank_input *in = &m->inputs[root_of(m, input)];
  long size = in->nvocab == 0 ? 0 : in->vocab[in->nvocab > 1 ? position : 0];
  if (in->encoding.hash || in->encoding.vocab) {
    return size == 0 ? SYNTH_LEARNT : size > 2 ? size - 2 : 1;
  }
  return size > 0 ? size : SYNTH_LEARNT;
}

long synth_elements(const synth *s, int input)
{
  const rank_input *in = &s->m->inputs[input];
  return (in->dim < 0 ? 1 : s->length[in->dim]) * in->width;
}

static int is_feature(const synth *s, int input)
{
  return !s->m->inputs[input].label && !s->unseen[input];
}

/* --- drawing inputs --- */

/* Skewed like words: the chance of the i-th falls as 1 / i. */
static int64_t skewed(double u, long size)
{
  int64_t id = (int64_t)exp(u * log((double)size + 1)) - 1;
  return id < 0 ? 0 : id >= size ? size - 1 : id;
}

static int64_t draw_id(const synth *s, int input, long element, int64_t taste)
{
  const rank_input *in = &s->m->inputs[input];
  long size = synth_universe(s->m, input, element % in->width);
  int64_t id = skewed(synth_uniform(s, U_ID, s->row, input, element), size);
  double follow = !s->has_labels ? 0.7 : in->dim >= 0 ? 0.5 : 0; /* how often taste decides */
  if (synth_uniform(s, U_MOVE, s->row, input, element) < follow) {
    int64_t moved = id - id % SYNTH_GROUPS + taste;
    id = moved < size ? moved : id;
  }
  return id;
}

static int64_t draw_bucket(const synth *s, int input, long element)
{
  const rank_encoding *enc = &s->m->inputs[input].encoding;
  double low = enc->buckets[0], high = enc->buckets[enc->nbuckets - 1];
  double room = enc->nbuckets > 1 ? (high - low) / (enc->nbuckets - 1) : 1;
  double u = synth_uniform(s, U_ID, s->row, input, element);
  double x = low - room + u * (high - low + 2 * room);
  int64_t id = 1;
  for (int i = 0; i < enc->nbuckets; i++) {
    id += enc->buckets[i] <= x;
  }
  s->number[input][element] = x;
  return id;
}

/* The first input of plain numbers; -1: none. */
static int first_numbers(const synth *s)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    if (!s->m->inputs[i].is_id && s->m->inputs[i].dim < 0 && is_feature(s, i)) {
      return i;
    }
  }
  return -1;
}

static double draw_number(const synth *s, int input, long element)
{
  double x = synth_normal(s, U_NUMBER, s->row, input, element);
  int first = s->has_labels ? -1 : first_numbers(s);
  if (first < 0 || input <= first) {
    return x;
  }
  double mixed = 0;
  for (long k = 0; k < s->m->inputs[first].width; k++) {
    double weight = synth_normal(s, U_WEIGHT, k, input, element % s->m->inputs[input].width);
    mixed += MIX * weight * s->number[first][k];
  }
  return mixed + NOISE * x;
}

static int by_value(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Indices of a libsvm row rise and differ. */
static void order_indices(synth *s, int input)
{
  const rank_input *in = &s->m->inputs[input];
  int64_t *id = s->id[input];
  long n = synth_elements(s, input);
  if (in->dim < 0) { /* as many as there are places: each from its own part of the range */
    long size = synth_universe(s->m, input, 0);
    for (long i = 0; i < n; i++) {
      long low = size * i / n, high = size * (i + 1) / n;
      id[i] = low + (high > low ? id[i] % (high - low) : 0);
    }
    return;
  }
  long kept = 0;
  qsort(id, (size_t)n, sizeof *id, by_value);
  for (long i = 0; i < n; i++) {
    if (kept == 0 || id[kept - 1] != id[i]) {
      id[kept++] = id[i];
    }
  }
  s->length[in->dim] = kept;
}

static void draw_inputs(synth *s)
{
  int64_t taste = (int64_t)(synth_uniform(s, U_TASTE, s->row, 0, 0) * (double)SYNTH_GROUPS);
  for (int d = 0; d < s->m->ndims; d++) {
    double u = synth_uniform(s, U_LENGTH, s->row, d, 0);
    s->length[d] = (long)(u * (double)(s->m->dims[d].max + 1));
  }
  for (int i = 0; i < s->m->ninputs; i++) {
    const rank_input *in = &s->m->inputs[i];
    long n = in->label ? 0 : synth_elements(s, i);
    for (long k = 0; k < n; k++) {
      if (!in->is_id) {
        s->number[i][k] = draw_number(s, i, k);
      } else if (in->encoding.nbuckets > 0) {
        s->id[i][k] = draw_bucket(s, i, k);
      } else {
        s->id[i][k] = draw_id(s, i, k, taste);
      }
    }
    if (n > 0 && in->is_id && in->encoding.source == RANK_FROM_INDICES) {
      order_indices(s, i);
    }
  }
}

/* --- the teacher --- */

/* Mean effect of an input's elements: effects belong to the vocabulary, the label and the position. */
static double effect_of(const synth *s, int label, int input)
{
  const rank_input *in = &s->m->inputs[input];
  long n = synth_elements(s, input);
  double sum = 0;
  for (long k = 0; k < n; k++) {
    long place = root_of(s->m, input) * 997L + k % in->width;
    sum += synth_normal(s, U_EFFECT, label, (int)(place % 1000003), s->id[input][k]);
  }
  return in->dim < 0 || n == 0 ? sum : sum / (double)n;
}

static double weighted_numbers(const synth *s, int label, int input)
{
  const rank_input *in = &s->m->inputs[input];
  long n = synth_elements(s, input);
  double sum = 0;
  for (long k = 0; k < n; k++) {
    sum += s->number[input][k] * synth_normal(s, U_WEIGHT, label, input, k % in->width);
  }
  return in->dim < 0 || n == 0 ? sum : sum / (double)n;
}

typedef struct shares { /* of the groups among the ids of a list, or of one position */
  double of[SYNTH_GROUPS];
} shares;

static shares shares_of(const synth *s, int input, long first, long step)
{
  shares h = {{0}};
  long n = synth_elements(s, input), count = 0;
  for (long k = first; k < n; k += step, count++) {
    h.of[s->id[input][k] % SYNTH_GROUPS] += 1;
  }
  for (int g = 0; g < SYNTH_GROUPS && count > 0; g++) {
    h.of[g] /= (double)count;
  }
  return h;
}

/* How much the groups of every two units (a list, or one position of a plain input) agree. */
static double meetings(const synth *s, int label)
{
  enum { UNITS = 64 };
  shares unit[UNITS];
  int n = 0;
  for (int i = 0; i < s->m->ninputs; i++) {
    const rank_input *in = &s->m->inputs[i];
    for (long k = 0; in->is_id && is_feature(s, i) && k < in->width && n < UNITS; k++) {
      unit[n++] = shares_of(s, i, k, in->width);
    }
  }
  double sum = 0;
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) {
      double same = 0;
      for (int g = 0; g < SYNTH_GROUPS; g++) {
        same += unit[i].of[g] * unit[j].of[g];
      }
      sum += same * (0.5 + synth_uniform(s, U_PAIR, label, i, j));
    }
  }
  return sum;
}

static void parts_of(const synth *s, int label, double part[SYNTH_PARTS])
{
  memset(part, 0, SYNTH_PARTS * sizeof *part);
  for (int i = 0; i < s->m->ninputs; i++) {
    if (is_feature(s, i)) {
      if (s->m->inputs[i].is_id) {
        part[0] += effect_of(s, label, i);
      } else {
        part[1] += weighted_numbers(s, label, i);
      }
    }
  }
  part[2] = meetings(s, label);
}

/* A row's standing with a teacher, before scale and shift. */
static double standing(const synth_teacher *t, const double part[SYNTH_PARTS])
{
  double sum = 0;
  for (int k = 0; k < SYNTH_PARTS; k++) {
    sum += t->sd[k] > 0 ? part_weight[k] * (part[k] - t->mean[k]) / t->sd[k] : 0;
  }
  return sum;
}

/* --- setting scale and shift --- */

static int by_double(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double sigmoid(double x)
{
  return 1 / (1 + exp(-x));
}

static double bias_for(const double *z, int n, double scale)
{
  double low = -50, high = 50;
  for (int k = 0; k < 40; k++) {
    double bias = (low + high) / 2, sum = 0;
    for (int i = 0; i < n; i++) {
      sum += sigmoid(scale * z[i] + bias);
    }
    sum > BASE_RATE *n ? (high = bias) : (low = bias);
  }
  return (low + high) / 2;
}

/* AUC that the standing itself reaches when labels are drawn from it; z ascending. */
static double expected_auc(const double *z, int n, double scale, double bias)
{
  double below = 0, wins = 0, positive = 0;
  for (int i = 0; i < n; i++) {
    double p = sigmoid(scale * z[i] + bias);
    wins += p * (below + (1 - p) / 2);
    below += 1 - p;
    positive += p;
  }
  return wins / (positive * below);
}

static void calibrate(synth_teacher *t, double *z, int n)
{
  qsort(z, (size_t)n, sizeof *z, by_double);
  double low = 0, high = 20;
  for (int k = 0; k < 30; k++) {
    t->scale = (low + high) / 2;
    t->bias = bias_for(z, n, t->scale);
    expected_auc(z, n, t->scale, t->bias) > BAYES_AUC ? (high = t->scale) : (low = t->scale);
  }
}

static void learn_teacher(synth *s, int label, double (*part)[SYNTH_PARTS], double *z)
{
  synth_teacher *t = &s->teacher[label];
  for (int i = 0; i < PROBE_ROWS; i++) {
    s->row = i;
    draw_inputs(s);
    parts_of(s, label, part[i]);
  }
  for (int k = 0; k < SYNTH_PARTS; k++) {
    double sum = 0, squares = 0;
    for (int i = 0; i < PROBE_ROWS; i++) {
      sum += part[i][k];
    }
    t->mean[k] = sum / (double)PROBE_ROWS;
    for (int i = 0; i < PROBE_ROWS; i++) {
      squares += (part[i][k] - t->mean[k]) * (part[i][k] - t->mean[k]);
    }
    t->sd[k] = sqrt(squares / (double)PROBE_ROWS);
    t->sd[k] = t->sd[k] > 1e-9 ? t->sd[k] : 0;
  }
  for (int i = 0; i < PROBE_ROWS; i++) {
    z[i] = standing(t, part[i]);
  }
  calibrate(t, z, PROBE_ROWS);
}

void synth_draw(synth *s, long row)
{
  double part[SYNTH_PARTS];
  s->row = row;
  draw_inputs(s);
  for (int label = 0; label < s->nlabels; label++) {
    const synth_teacher *t = &s->teacher[label];
    parts_of(s, label, part);
    double z = standing(t, part);
    s->level[label] = z / 1.6;
    s->label[label] = synth_uniform(s, U_LABEL, row, 0, label) < sigmoid(t->scale * z + t->bias);
    if (s->o->funnel && label > 0 && !s->label[label - 1]) {
      s->label[label] = 0;
    }
  }
}

/* --- memory --- */

static int allocate_rows(synth *s)
{
  int failed = 0;
  for (int i = 0; i < s->m->ninputs; i++) {
    const rank_input *in = &s->m->inputs[i];
    size_t n = (size_t)((in->dim < 0 ? 1 : s->m->dims[in->dim].max) * in->width) + 1;
    s->id[i] = calloc(n, sizeof *s->id[i]);
    s->number[i] = calloc(n, sizeof *s->number[i]);
    failed |= s->id[i] == NULL || s->number[i] == NULL;
    s->nlabels += in->label ? (int)in->width : 0;
    s->has_labels |= in->label;
  }
  s->label = calloc((size_t)s->nlabels + 1, 1);
  s->level = calloc((size_t)s->nlabels + 1, sizeof *s->level);
  s->teacher = calloc((size_t)s->nlabels + 1, sizeof *s->teacher);
  return failed || !s->label || !s->level || !s->teacher;
}

int synth_new(synth *s, const rank_model *m, const rank_synth *o, rank_error *e)
{
  *s = (synth){.m = m, .o = o};
  size_t n = (size_t)m->ninputs + 1;
  s->unseen = calloc(n, 1);
  s->length = calloc((size_t)m->ndims + 1, sizeof *s->length);
  s->id = calloc(n, sizeof *s->id);
  s->number = calloc(n, sizeof *s->number);
  double(*part)[SYNTH_PARTS] = calloc(PROBE_ROWS, sizeof *part), *z = calloc(PROBE_ROWS, sizeof *z);
  int failed = !s->unseen || !s->length || !s->id || !s->number || !part || !z || allocate_rows(s);
  for (int label = 0; !failed && label < s->nlabels; label++) {
    learn_teacher(s, label, part, z);
  }
  free(part);
  free(z);
  if (failed) {
    synth_free(s);
    return rank_fail(e, "out of memory");
  }
  return 0;
}

void synth_free(synth *s)
{
  for (int i = 0; i < s->m->ninputs; i++) {
    free(s->id != NULL ? s->id[i] : NULL);
    free(s->number != NULL ? s->number[i] : NULL);
  }
  free(s->unseen);
  free(s->length);
  free(s->id);
  free(s->number);
  free(s->label);
  free(s->level);
  free(s->teacher);
}
