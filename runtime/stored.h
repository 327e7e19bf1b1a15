#ifndef RANK_STORED_FILES_H
#define RANK_STORED_FILES_H

/* Tables in fewer bits, in files: see rank_stored in rank_model.h and rank_stored.h, which reads their rows.
 *
 * One idea: what a table is stored as is its tensor's dtype, F16, BF16 or I8, and nothing else; the factors
 * of an I8 table NAME are the tensor NAME#scale, F32 [rows]. So any file with such tensors serves. */

#include "rank_runtime.h"

/* "f16", "bf16" or "int8" as a kind; -1: none of them. And back. */
int rank_stored_kind(const char *word);
const char *rank_stored_word(rank_kind kind);
st_dtype rank_stored_dtype(rank_kind kind);
size_t rank_stored_bytes(rank_kind kind); /* of one element */

/* What a tensor of a file is: RANK_REALS when it is converted in reading. */
rank_kind rank_stored_of_tensor(const st_tensor *t);

/* Rounds a table, to the nearest and to even: to [rows][width], scale [rows] (RANK_INT8, else unused). Returns
 * -1, or the number of the first row that holds a number which `kind` cannot be near to. */
long rank_stored_pack(
  const rank_real *from, long rows, long width, rank_kind kind, void *to, float *scale);
/* The numbers that predictions compute with: to [rows][width]. */
void rank_stored_unpack(const rank_stored *t, long rows, long width, rank_real *to);

/* The factors of table `param` in a file: [rows] into scale. */
int rank_stored_scale(
  const rank_weights *w, const rank_model *m, int param, long rows, float *scale, rank_error *e);
/* The tensor of those, or NULL with a message. */
const st_tensor *rank_stored_find_scale(
  const rank_weights *w, const rank_model *m, int param, long rows, rank_error *e);
/* Refuses a rounded tensor to training. */
int rank_stored_refuse(const rank_weights *w, const st_tensor *t, rank_error *e);
/* Orders entries to write, for qsort: so that tensors lie at multiples of 64 bytes, rows of tables then being read
 * with as few lines of the cache as they have room in; and all at multiples of their elements' size. */
int rank_stored_order(const void *a, const void *b);
/* A table of I8 as numbers. */
int rank_stored_read(const rank_weights *w, const rank_model *m, int param, const st_tensor *t,
  rank_real *to, rank_error *e);

#endif
