/* stored.c: tables in fewer bits, rounded and read; see stored.h. */

#include "stored.h"

#include "rank_stored.h"
#include "safetensors_header.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 }; /* bytes of a line of the cache */

static const struct {
  const char *word;
  st_dtype dtype;
  size_t bytes;
} kinds[] = {[RANK_REALS] = {"full", ST_REAL, sizeof(rank_real)},
  [RANK_F16] = {"f16", ST_F16, 2},
  [RANK_BF16] = {"bf16", ST_BF16, 2},
  [RANK_INT8] = {"int8", ST_I8, 1}};

int rank_stored_kind(const char *word)
{
  for (int k = RANK_F16; k <= RANK_INT8; k++) {
    if (strcmp(word, kinds[k].word) == 0) {
      return k;
    }
  }
  return -1;
}

const char *rank_stored_word(rank_kind kind)
{
  return kinds[kind].word;
}

st_dtype rank_stored_dtype(rank_kind kind)
{
  return kinds[kind].dtype;
}

size_t rank_stored_bytes(rank_kind kind)
{
  return kinds[kind].bytes;
}

rank_kind rank_stored_of_tensor(const st_tensor *t)
{
  for (int k = RANK_F16; k <= RANK_INT8; k++) {
    if (t->dtype == kinds[k].dtype) {
      return (rank_kind)k;
    }
  }
  return RANK_REALS;
}

/* --- rounding --- */

static uint32_t bits_of(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* Below 2^-14 a half counts in steps of 2^-24; the step after the last of these is 2^-14 itself. */
static uint16_t half_of(float x)
{
  uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000;
  float size = fabsf(x);
  if (size < 0x1p-14f) {
    return (uint16_t)(sign | (uint32_t)lrintf(size * 0x1p24f));
  }
  bits = (bits & 0x7fffffff) + 0xfff + (bits >> 13 & 1);
  return (uint16_t)(sign | ((bits >> 13) - (112u << 10)));
}

static uint16_t upper_half_of(float x)
{
  uint32_t bits = bits_of(x);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void pack_int8(const rank_real *from, long width, int8_t *to, float *scale)
{
  float most = 0;
  for (long j = 0; j < width; j++) {
    most = fmaxf(most, fabsf((float)from[j]));
  }
  *scale = most / 127;
  for (long j = 0; j < width; j++) {
    float x = *scale > 0 ? roundf((float)from[j] / *scale) : 0;
    to[j] = (int8_t)fmaxf(-127, fminf(127, x));
  }
}

static int fits(const rank_real *row, long width, rank_kind kind)
{
  float limit = kind == RANK_F16 ? 65520.0f : kind == RANK_BF16 ? 0x1.ffp127f : INFINITY;
  for (long j = 0; j < width; j++) {
    if (!(fabsf((float)row[j]) < limit)) { /* NaN too */
      return 0;
    }
  }
  return 1;
}

long rank_stored_pack(
  const rank_real *from, long rows, long width, rank_kind kind, void *to, float *scale)
{
  for (long i = 0; i < rows; i++) {
    const rank_real *row = from + i * width;
    if (!fits(row, width, kind)) {
      return i;
    }
    if (kind == RANK_INT8) {
      pack_int8(row, width, (int8_t *)to + i * width, &scale[i]);
      continue;
    }
    uint16_t *half = (uint16_t *)to + i * width;
    for (long j = 0; j < width; j++) {
      half[j] = kind == RANK_F16 ? half_of((float)row[j]) : upper_half_of((float)row[j]);
    }
  }
  return -1;
}

void rank_stored_unpack(const rank_stored *t, long rows, long width, rank_real *to)
{
  for (long i = 0; i < rows; i++) {
    rank_unpack(t, i, (int)width, to + i * width);
  }
}

/* --- reading --- */

const st_tensor *rank_stored_find_scale(
  const rank_weights *w, const rank_model *m, int param, long rows, rank_error *e)
{
  char name[512];
  snprintf(name, sizeof name, "%s#scale", m->params[param].name);
  const st_tensor *t = st_find(&w->file, name);
  if (t == NULL || t->dtype != ST_F32 || t->nshape != 1 || t->shape[0] != rows) {
    rank_fail(e,
      "%s: tensor %s is I8, which needs the factor of each row: no tensor %s F32 [%ld] in it",
      w->file.path, m->params[param].name, name, rows);
    return NULL;
  }
  return t;
}

int rank_stored_scale(
  const rank_weights *w, const rank_model *m, int param, long rows, float *scale, rank_error *e)
{
  const st_tensor *t = rank_stored_find_scale(w, m, param, rows, e);
  return t == NULL ? -1 : st_read_floats(&w->file, t, scale, e);
}

int rank_stored_read(const rank_weights *w, const rank_model *m, int param, const st_tensor *t,
  rank_real *to, rank_error *e)
{
  long rows = (long)t->shape[0], width = m->params[param].width;
  float *scale = calloc((size_t)rows + 1, sizeof *scale);
  int failed = scale == NULL ? rank_fail(e, "%s: out of memory", w->file.path) : 0;
  failed = failed || rank_stored_scale(w, m, param, rows, scale, e) || /* to: the whole numbers */
           st_read_reals(&w->file, t, to, e);
  for (long i = 0; i < rows && !failed; i++) {
    for (long j = 0; j < width; j++) {
      to[i * width + j] = (rank_real)((float)to[i * width + j] * scale[i]);
    }
  }
  free(scale);
  return failed;
}

/* Steps smaller than what was rounded away would be lost, and what training leaves would be full again. */
int rank_stored_refuse(const rank_weights *w, const st_tensor *t, rank_error *e)
{
  return rank_stored_of_tensor(t) == RANK_REALS
           ? 0
           : rank_fail(e,
               "%s: tensor %s is %s, rounded to serve: train from the weights it was made from",
               w->file.path, t->name, t->dtype_name);
}

/* The power of two, up to a cache line, that its length is a multiple of. */
static uint64_t step_of(const st_entry *x)
{
  uint64_t bytes = st_dtype_size(x->dtype);
  for (int i = 0; i < x->nshape; i++) {
    bytes *= (uint64_t)x->shape[i];
  }
  uint64_t step = bytes & (0 - bytes);
  return step == 0 || step > LINE ? LINE : step;
}

int rank_stored_order(const void *a, const void *b)
{
  const st_entry *x = a, *y = b;
  uint64_t mine = step_of(x), other = step_of(y);
  return mine != other ? (mine > other ? -1 : 1) : strcmp(x->name, y->name);
}
