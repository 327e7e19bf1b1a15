/* Learning encodings: one pass over the training data. One idea: vocabularies count what they see
 * and are put in order at the end; means and deviations follow Welford (1962), which does not
 * cancel. */

#include "encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void encode_forget(rank_encoders *e)
{
  for (int i = 0; i < e->model->ninputs; i++) {
    encode_input *x = &e->inputs[i];
    for (int k = 0; x->vocabs && k < e->model->inputs[i].nvocab; k++)
      vocab_free(&x->vocabs[k]);
    for (long k = 0; k < x->nstats; k++)
      x->mean[k] = x->sd[k] = 0;
    free(x->square);
    free(x->seen);
    x->square = NULL;
    x->seen = NULL;
    if (encode_learns(e, i))
      e->fitted = 0;
  }
}

static int count_numbers(
  rank_encoders *e, int input, const text_span *cells, long n, long *bad, rank_error *error)
{
  encode_input *x = &e->inputs[input];
  if (!x->square) {
    x->square = calloc((size_t)x->nstats + 1, sizeof *x->square);
    x->seen = calloc((size_t)x->nstats + 1, sizeof *x->seen);
  }
  if (!x->square || !x->seen)
    return rank_fail(error, "out of memory");
  for (long j = 0; j < n; j++) {
    long k = j % x->nstats;
    double value;
    *bad = j;
    if (encode_number(&e->model->inputs[input], &cells[j], &value, error))
      return -1;
    double off = value - x->mean[k];
    x->mean[k] += off / (double)++x->seen[k];
    x->square[k] += off * (value - x->mean[k]);
  }
  return 0;
}

int encode_count(
  rank_encoders *e, int input, const text_span *cells, long n, long *bad, rank_error *error)
{
  *bad = 0;
  if (e->inputs[input].nstats)
    return count_numbers(e, input, cells, n, bad, error);
  int root = e->inputs[input].root;
  int nvocab = e->model->inputs[root].nvocab;
  vocab *vocabs = e->inputs[root].vocabs;
  for (long j = 0; vocabs && j < n; j++) {
    if (!cells[j].length)
      continue;
    vocab *v = &vocabs[nvocab > 1 ? j % nvocab : 0];
    long at = vocab_add(v, cells[j].at, cells[j].length);
    *bad = j;
    if (at < 0)
      return rank_fail(error, "out of memory, with %ld different values", v->n);
    v->count[at]++;
  }
  return 0;
}

static int finish_numbers(const rank_input *in, encode_input *x, rank_error *error)
{
  for (long k = 0; k < x->nstats; k++) {
    double variance = x->seen && x->seen[k] ? x->square[k] / (double)x->seen[k] : 0;
    x->sd[k] = variance > 0 ? sqrt(variance) : 1;
    if (!isfinite(x->mean[k]) || !isfinite(x->sd[k]))
      return rank_fail(error, "input %s: its numbers are too large to standardize", in->name);
  }
  free(x->square);
  free(x->seen);
  x->square = NULL;
  x->seen = NULL;
  return 0;
}

static int finish_vocabs(const rank_input *in, encode_input *x, rank_error *error)
{
  for (int k = 0; k < in->nvocab; k++) {
    long declared = in->vocab && in->vocab[0] ? in->vocab[k] : INT32_MAX;
    long most = declared > 2 ? declared - 2 : 0;
    uint64_t least = in->encoding.vocab_min > 1 ? (uint64_t)in->encoding.vocab_min : 1;
    if (vocab_rank(&x->vocabs[k], least, most))
      return rank_fail(error, "input %s: out of memory for its vocabulary", in->name);
  }
  return 0;
}

int encode_finish(rank_encoders *e, rank_error *error)
{
  for (int i = 0; i < e->model->ninputs; i++) {
    encode_input *x = &e->inputs[i];
    if (x->nstats && finish_numbers(&e->model->inputs[i], x, error))
      return -1;
    if (x->vocabs && finish_vocabs(&e->model->inputs[i], x, error))
      return -1;
  }
  encode_offsets(e);
  if (encode_check(e, error))
    return -1;
  e->fitted = 1;
  return 0;
}
