/* bench_data.c: batches for a comparison, at random from what the model declares of its inputs.
 *
 * Ids are drawn from the whole vocabulary, alike or by Zipf's law (the first ids are the frequent ones,
 * as in a learnt vocabulary), numbers from a normal distribution, labels are 0 or 1. */

#include "bench.h"
#include "rank_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct dice {
  uint64_t key, next;
} dice;

static double uniform(dice *d)
{
  return ((double)(rank_mix(d->key ^ rank_mix(d->next++)) >> 12) + 0.5) * 0x1p-52;
}

static int root_of(const rank_model *m, int input)
{
  while (m->inputs[input].same_as >= 0) {
    input = m->inputs[input].same_as;
  }
  return input;
}

long bench_vocabulary(const bench *b, int input, long position)
{
  const rank_input *in = &b->m->inputs[root_of(b->m, input)];
  long size = in->nvocab == 0 ? 0 : in->vocab[in->nvocab > 1 ? position % in->nvocab : 0];
  return size > 0 ? size : b->spec->vocab;
}

/* What is added to the ids of a position: the sizes of the vocabularies before its own. */
static long first_id(const bench *b, int input, long position)
{
  const rank_input *in = &b->m->inputs[root_of(b->m, input)];
  long sum = 0;
  for (long i = 0; in->nvocab > 1 && i < position % in->nvocab; i++) {
    sum += bench_vocabulary(b, input, i);
  }
  return sum;
}

int bench_rows(const bench *b, long *rows, rank_error *e)
{
  for (int p = 0; p < b->m->nparams; p++) {
    const rank_param *param = &b->m->params[p];
    rows[p] = !param->table ? 1 : param->rows;
    if (rows[p] == 0) {
      int nvocab = b->m->inputs[root_of(b->m, param->vocab_of)].nvocab;
      rows[p] = first_id(b, param->vocab_of, nvocab > 1 ? nvocab - 1 : 0) +
                bench_vocabulary(b, param->vocab_of, nvocab > 1 ? nvocab - 1 : 0);
    }
    if (rows[p] <= 0 || rows[p] > INT32_MAX) {
      return rank_fail(e, "table %s has %ld rows", param->name, rows[p]);
    }
  }
  return 0;
}

/* --- drawing --- */

static int32_t draw_id(const bench *b, dice *d, int input, long position)
{
  long size = bench_vocabulary(b, input, position);
  double u = uniform(d), a = b->spec->zipf, n = (double)size + 1, x = u * (double)size;
  if (a > 0 && fabs(a - 1) < 1e-9) {
    x = exp(u * log(n)) - 1;
  } else if (a > 0) {
    x = pow(1 + u * (pow(n, 1 - a) - 1), 1 / (1 - a)) - 1;
  }
  long id = (long)x;
  id = id < 0 ? 0 : id >= size ? size - 1 : id;
  return (int32_t)(id + first_id(b, input, position));
}

static void draw_input(const bench *b, dice *d, int input, long rows, void *to)
{
  const rank_input *in = &b->m->inputs[input];
  int32_t *ids = to;
  rank_real *numbers = to;
  for (long k = 0; k < rows * in->width; k++) {
    if (in->is_id) {
      ids[k] = draw_id(b, d, input, k % in->width);
    } else if (in->label) {
      numbers[k] = uniform(d) < 0.5;
    } else {
      numbers[k] = (rank_real)rank_normal_quantile(uniform(d));
    }
  }
}

static int32_t *draw_offsets(const bench *b, dice *d, int dim, rank_error *e)
{
  long max = b->m->dims[dim].max;
  long low = b->spec->length_high > 0 ? b->spec->length_low : 1;
  long high = b->spec->length_high > 0 && b->spec->length_high < max ? b->spec->length_high : max;
  low = low < high ? low : high;
  int32_t *offset = calloc((size_t)b->n + 1, sizeof *offset);
  int64_t sum = 0;
  for (long i = 0; offset != NULL && i < b->n; i++) {
    sum += low + (long)(uniform(d) * (double)(high - low + 1));
    if (sum > INT32_MAX) {
      free(offset);
      rank_fail(e, "lists of %ld samples are too long together: use a smaller --batch", b->n);
      return NULL;
    }
    offset[i + 1] = (int32_t)sum;
  }
  if (offset == NULL) {
    rank_fail(e, "out of memory");
  }
  return offset;
}

/* --- what occurs --- */

static int count_touched(const bench *b, bench_batch *x, rank_error *e)
{
  for (int t = 0; t < b->spec->ntables; t++) {
    const rank_bench_table *table = &b->spec->tables[t];
    unsigned char *seen = calloc((size_t)b->state.rows[table->param], 1);
    if (seen == NULL) {
      return rank_fail(e, "out of memory");
    }
    long found = 0;
    for (int k = 0; k < table->ninputs; k++) {
      const rank_input *in = &b->m->inputs[table->inputs[k]];
      long rows = in->dim >= 0 ? x->offset[in->dim][b->n] : b->n;
      const int32_t *ids = x->input[table->inputs[k]];
      for (long i = 0; i < rows * in->width; i++) {
        found += !seen[ids[i]];
        seen[ids[i]] = 1;
      }
    }
    free(seen);
    x->touched[table->param] = found;
  }
  return 0;
}

static int make_batch(bench *b, bench_batch *x, dice *d, rank_error *e)
{
  const rank_model *m = b->m;
  x->input = calloc((size_t)m->ninputs + 1, sizeof *x->input);
  x->offset = calloc((size_t)m->ndims + 1, sizeof *x->offset);
  x->touched = calloc((size_t)m->nparams + 1, sizeof *x->touched);
  if (x->input == NULL || x->offset == NULL || x->touched == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int i = 0; i < m->ndims; i++) {
    if ((x->offset[i] = draw_offsets(b, d, i, e)) == NULL) {
      return -1;
    }
  }
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    long rows = in->dim >= 0 ? x->offset[in->dim][b->n] : b->n;
    size_t bytes = (size_t)(rows * in->width) * (in->is_id ? sizeof(int32_t) : sizeof(rank_real));
    x->input[i] = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (x->input[i] == NULL) {
      return rank_fail(e, "out of memory");
    }
    draw_input(b, d, i, rows, x->input[i]);
  }
  x->b = (rank_batch){
    b->n, (const void *const *)x->input, (const int32_t *const *)(const void *)x->offset, NULL};
  int what = 0;
  long at = 0;
  rank_status status = rank_check_batch(m, &b->state, &x->b, 1, &what, &at);
  return status == RANK_OK ? count_touched(b, x, e)
                           : rank_fail(e, "input %s, row %ld of made-up data: %s",
                               m->inputs[what].name, at, rank_status_text(status));
}

int bench_data_new(bench *b, rank_error *e)
{
  b->batches = calloc((size_t)b->nbatches, sizeof *b->batches);
  if (b->batches == NULL) {
    return rank_fail(e, "out of memory");
  }
  dice d = {.key = rank_random_key(b->spec->seed, 0, 0x62656e63u)};
  for (long i = 0; i < b->nbatches; i++) {
    if (make_batch(b, &b->batches[i], &d, e) != 0) {
      return -1;
    }
  }
  return 0;
}

void bench_data_free(bench *b)
{
  for (long i = 0; b->batches != NULL && i < b->nbatches; i++) {
    bench_batch *x = &b->batches[i];
    for (int k = 0; x->input != NULL && k < b->m->ninputs; k++) {
      free(x->input[k]);
    }
    for (int k = 0; x->offset != NULL && k < b->m->ndims; k++) {
      free(x->offset[k]);
    }
    free(x->input);
    free(x->offset);
    free(x->touched);
  }
  free(b->batches);
}
