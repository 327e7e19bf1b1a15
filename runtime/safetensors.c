/* safetensors.c: reading; see safetensors.h. Parsing the header is safetensors_header.c, writing
 * safetensors_write.c. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"
#include "rank_stored.h"
#include "safetensors_header.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK = 1 << 16 };

/* --- reading --- */

/* Exactly n bytes. */
static int read_at(const st_file *f, void *out, uint64_t n, uint64_t at, rank_error *e)
{
  char *to = out;
  while (n > 0) {
    size_t want = n < (1u << 30) ? (size_t)n : (size_t)1 << 30;
    ssize_t got = pread(f->fd, to, want, (off_t)at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return rank_fail(
        e, "%s: cannot read: %s", f->path, got < 0 ? strerror(errno) : "the file ends too early");
    }
    to += got;
    at += (uint64_t)got;
    n -= (uint64_t)got;
  }
  return 0;
}

static int read_header(st_file *f, uint64_t size, rank_error *e)
{
  unsigned char prefix[8];
  if (size < 8) {
    return rank_fail(
      e, "%s: not a safetensors file: %llu bytes", f->path, (unsigned long long)size);
  }
  if (read_at(f, prefix, 8, 0, e) != 0) {
    return -1;
  }
  uint64_t n = 0;
  for (int i = 7; i >= 0; i--) {
    n = n << 8 | prefix[i];
  }
  if (n < 2 || n > size - 8 || n > (1u << 30)) {
    return rank_fail(e,
      "%s: not a safetensors file, or cut short: a header of %llu bytes in a file of %llu", f->path,
      (unsigned long long)n, (unsigned long long)size);
  }
  char *json = malloc((size_t)n + 1);
  if (json == NULL) {
    return rank_fail(e, "%s: out of memory", f->path);
  }
  int failed = read_at(f, json, n, 8, e);
  if (!failed) {
    json[n] = '\0';
    failed = st_header_parse(f, json, (size_t)n, 8 + n, size, e);
  }
  free(json);
  return failed;
}

int st_open(st_file *f, const char *path, rank_error *e)
{
  *f = (st_file){.fd = -1};
  struct stat info;
  f->path = strdup(path);
  if (f->path == NULL) {
    return rank_fail(e, "%s: out of memory", path);
  }
  f->fd = open(path, O_RDONLY | O_CLOEXEC);
  int failed;
  if (f->fd < 0 || fstat(f->fd, &info) != 0) {
    failed = rank_fail(e, "%s: cannot open: %s", path, strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    failed = rank_fail(e, "%s: not a file", path);
  } else {
    failed = read_header(f, (uint64_t)info.st_size, e);
  }
  if (failed) {
    st_close(f);
  }
  return failed;
}

void st_close(st_file *f)
{
  if (f->path != NULL && f->fd >= 0) {
    close(f->fd);
  }
  for (int i = 0; i < f->ntensors; i++) {
    free(f->tensors[i].name);
  }
  for (int i = 0; i < f->npairs; i++) {
    free(f->pairs[i].key);
    free(f->pairs[i].value);
  }
  free(f->tensors);
  free(f->pairs);
  free(f->path);
  *f = (st_file){.fd = -1};
}

const st_tensor *st_find(const st_file *f, const char *name)
{
  for (int i = 0; i < f->ntensors; i++) {
    if (strcmp(f->tensors[i].name, name) == 0) {
      return &f->tensors[i];
    }
  }
  return NULL;
}

const char *st_meta(const st_file *f, const char *key)
{
  for (int i = 0; i < f->npairs; i++) {
    if (strcmp(f->pairs[i].key, key) == 0) {
      return f->pairs[i].value;
    }
  }
  return NULL;
}

/* --- converting --- */

typedef struct sink { /* where a tensor's elements go */
  rank_real *reals;
  int64_t *ints;
  long row, stride; /* not 0: rows of reals that are apart */
} sink;

static rank_real *real_at(const sink *s, int64_t i)
{
  return s->reals + (s->row > 0 ? i / s->row * s->stride + i % s->row : i);
}

static int put_real(const sink *s, int64_t i, double x)
{
  rank_real *to = real_at(s, i);
  *to = (rank_real)x;
  return isfinite(x) ? isfinite(*to) : 1;
}

static int put_number(const sink *s, int64_t i, double x)
{
  if (s->reals != NULL) {
    return put_real(s, i, x);
  }
  if (!(x >= -0x1p62 && x <= 0x1p62) || x != floor(x)) { /* false for NaN too */
    return 0;
  }
  s->ints[i] = (int64_t)x;
  return 1;
}

static int put_int(const sink *s, int64_t i, int64_t x)
{
  if (s->reals != NULL) {
    *real_at(s, i) = (rank_real)x;
  } else {
    s->ints[i] = x;
  }
  return 1;
}

static int put_element(st_dtype dtype, const char *bytes, const sink *s, int64_t at)
{
  double d;
  float x;
  int64_t l;
  int32_t k;
  uint16_t h;
  switch (dtype) {
  case ST_F64:
    memcpy(&d, bytes, sizeof d);
    return put_number(s, at, d);
  case ST_F32:
    memcpy(&x, bytes, sizeof x);
    return put_number(s, at, (double)x);
  case ST_I64:
    memcpy(&l, bytes, sizeof l);
    return put_int(s, at, l);
  case ST_I32:
    memcpy(&k, bytes, sizeof k);
    return put_int(s, at, k);
  case ST_F16:
    memcpy(&h, bytes, sizeof h);
    return put_number(s, at, (double)rank_half(h));
  case ST_BF16:
    memcpy(&h, bytes, sizeof h);
    return put_number(s, at, (double)rank_float_of((uint32_t)h << 16));
  case ST_I8:
    return put_int(s, at, (signed char)bytes[0]);
  case ST_OTHER:
    break;
  }
  return 0;
}

size_t st_dtype_size(st_dtype d)
{
  return d == ST_F64 || d == ST_I64 ? 8 : d == ST_F16 || d == ST_BF16 ? 2 : d == ST_I8 ? 1 : 4;
}

static int check_sum(const st_file *f, const st_tensor *t, uint64_t sum, rank_error *e)
{
  char *key = malloc(strlen(t->name) + 5), text[17];
  if (key == NULL) {
    return rank_fail(e, "%s: out of memory", f->path);
  }
  strcpy(key, "sum.");
  strcat(key, t->name);
  const char *wanted = st_meta(f, key);
  free(key);
  snprintf(text, sizeof text, "%016llx", (unsigned long long)sum);
  if (wanted != NULL && strcmp(wanted, text) != 0) {
    return rank_fail(e, "%s: tensor %s is damaged: checksum %s, but its bytes give %s", f->path,
      t->name, wanted, text);
  }
  return 0;
}

static int read_tensor(const st_file *f, const st_tensor *t, const sink *s, rank_error *e)
{
  if (t->dtype == ST_OTHER) {
    return rank_fail(e, "%s: tensor %s is %s, wanted F64, F32, F16, BF16, I64, I32 or I8", f->path,
      t->name, t->dtype_name);
  }
  XXH64_state_t *hash = XXH64_createState();
  char *chunk = malloc(CHUNK);
  int failed = hash == NULL || chunk == NULL ? rank_fail(e, "%s: out of memory", f->path) : 0;
  if (!failed) {
    XXH64_reset(hash, 0);
  }
  size_t size = st_dtype_size(t->dtype);
  for (uint64_t at = 0; at < t->bytes && !failed; at += CHUNK) {
    size_t n = t->bytes - at < CHUNK ? (size_t)(t->bytes - at) : CHUNK;
    failed = read_at(f, chunk, n, t->at + at, e);
    if (failed) {
      break;
    }
    XXH64_update(hash, chunk, n);
    for (size_t i = 0; i < n / size && !failed; i++) {
      int64_t to = (int64_t)(at / size + i);
      if (!put_element(t->dtype, chunk + i * size, s, to)) {
        failed =
          rank_fail(e, "%s: tensor %s (%s): element %lld is %s", f->path, t->name, t->dtype_name,
            (long long)to, s->ints != NULL ? "not a whole number" : "too large for this program");
      }
    }
  }
  if (!failed) {
    failed = check_sum(f, t, XXH64_digest(hash), e);
  }
  XXH64_freeState(hash);
  free(chunk);
  return failed;
}

int st_verify(const st_file *f, const st_tensor *t, const void *bytes, rank_error *e)
{
  return check_sum(f, t, XXH64(bytes, (size_t)t->bytes, 0), e);
}

/* The usual case has nothing to convert. */
static int read_straight(const st_file *f, const st_tensor *t, void *out, rank_error *e)
{
  return read_at(f, out, t->bytes, t->at, e) != 0 ? -1 : st_verify(f, t, out, e);
}

int st_read_reals(const st_file *f, const st_tensor *t, rank_real *out, rank_error *e)
{
  if (t->dtype == ST_REAL) {
    return read_straight(f, t, out, e);
  }
  return read_tensor(f, t, &(sink){.reals = out}, e);
}

int st_read_rows(
  const st_file *f, const st_tensor *t, rank_real *out, long row, long stride, rank_error *e)
{
  return read_tensor(f, t, &(sink){.reals = out, .row = row, .stride = stride}, e);
}

int st_read_bytes(const st_file *f, const st_tensor *t, void *out, rank_error *e)
{
  return read_straight(f, t, out, e);
}

int st_read_floats(const st_file *f, const st_tensor *t, float *out, rank_error *e)
{
  return read_straight(f, t, out, e);
}

int st_read_doubles(const st_file *f, const st_tensor *t, double *out, rank_error *e)
{
  return read_straight(f, t, out, e);
}

int st_read_ints(const st_file *f, const st_tensor *t, int64_t *out, rank_error *e)
{
  return read_tensor(f, t, &(sink){.ints = out}, e);
}

/* --- shapes --- */

int st_shape_fits(const int64_t *a, int na, const int64_t *b, int nb)
{
  int i = 0, j = 0;
  for (;;) {
    while (i < na && a[i] == 1) {
      i++;
    }
    while (j < nb && b[j] == 1) {
      j++;
    }
    if (i == na || j == nb) {
      return i == na && j == nb;
    }
    if (a[i++] != b[j++]) {
      return 0;
    }
  }
}

const char *st_shape_text(const int64_t *shape, int n, char *text, size_t room)
{
  size_t at = (size_t)snprintf(text, room, "[");
  for (int i = 0; i < n && at < room; i++) {
    at += (size_t)snprintf(text + at, room - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
  }
  if (at < room) {
    snprintf(text + at, room - at, "]");
  }
  return text;
}
