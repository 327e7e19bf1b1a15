#ifndef RANK_SAFETENSORS_H
#define RANK_SAFETENSORS_H

/* The safetensors format: 8 bytes of header length (little endian), a JSON header that says of each
 * tensor its dtype, shape and place, and the tensors' bytes back to back.
 *
 * One idea: a file is believed only after everything the header claims was checked against the file's
 * real size, so reading a tensor afterwards needs no checks but the read's own. Tensors may carry a
 * checksum (metadata "sum.NAME", written by st_write), verified whenever one is read. */

#include "rank_error.h"
#include "rank_model.h"

enum { ST_MAX_RANK = 16 };

typedef enum st_dtype {
  ST_F64,
  ST_F32,
  ST_I64,
  ST_I32,
  ST_F16,
  ST_BF16,
  ST_I8,
  ST_OTHER /* known to the format, of no use here; may stand in a file unread */
} st_dtype;

#ifdef RANK_F64
#define ST_REAL ST_F64
#else
#define ST_REAL ST_F32
#endif

typedef struct st_tensor {
  char *name;
  st_dtype dtype;
  char dtype_name[12];
  int nshape;
  int64_t shape[ST_MAX_RANK];
  int64_t count;      /* elements */
  uint64_t at, bytes; /* in the file */
} st_tensor;

typedef struct st_pair { /* of __metadata__ */
  char *key, *value;
} st_pair;

typedef struct st_file {
  int fd;
  char *path;
  st_tensor *tensors; /* by offset */
  st_pair *pairs;
  int ntensors, npairs;
} st_file;

/* All return 0, or -1 with a message that names the file. A closed or zeroed file may be closed. */
int st_open(st_file *f, const char *path, rank_error *e);
void st_close(st_file *f);

const st_tensor *st_find(const st_file *f, const char *name); /* NULL: not there */
const char *st_meta(const st_file *f, const char *key);       /* NULL: not there */

/* The whole tensor as numbers of the wanted kind, t->count of them; from any dtype but ST_OTHER. Whole
 * numbers must be whole, and reals in range. */
int st_read_reals(const st_file *f, const st_tensor *t, rank_real *out, rank_error *e);
/* The same to rows of `row` numbers that are `stride` numbers apart. */
int st_read_rows(
  const st_file *f, const st_tensor *t, rank_real *out, long row, long stride, rank_error *e);
/* A tensor of F64, every bit. */
int st_read_doubles(const st_file *f, const st_tensor *t, double *out, rank_error *e);
int st_read_floats(const st_file *f, const st_tensor *t, float *out, rank_error *e); /* of F32 */
/* Of any dtype, as its bytes lie in the file: t->bytes of them. */
int st_read_bytes(const st_file *f, const st_tensor *t, void *out, rank_error *e);
int st_read_ints(const st_file *f, const st_tensor *t, int64_t *out, rank_error *e);

/* Whether `bytes`, the tensor's as someone else read or mapped them, are what was written. */
int st_verify(const st_file *f, const st_tensor *t, const void *bytes, rank_error *e);

/* Whether two shapes are the same but for axes of extent 1 ([1, 80] is [80]; [1] is a scalar). */
int st_shape_fits(const int64_t *a, int na, const int64_t *b, int nb);
/* "[2000, 32]" into text (cut at `room`); returns text. */
const char *st_shape_text(const int64_t *shape, int n, char *text, size_t room);

typedef struct st_entry { /* what to write */
  const char *name;
  st_dtype dtype;
  int nshape;
  int64_t shape[ST_MAX_RANK];
  const void *data;
  long row, stride; /* not 0: reals in rows of so many numbers, so many numbers apart */
} st_entry;

/* Atomic: the path holds either what it held before, or the whole new file. */
int st_write(const char *path, const st_entry *entries, int nentries, const st_pair *pairs,
  int npairs, rank_error *e);

#endif
