#ifndef RANK_ENCODE_H
#define RANK_ENCODE_H

/* From fields to numbers and ids. One idea: everything that depends on data rather than on the
 * model is in rank_encoders, so that the same fields always give the same values, in training and
 * in serving. */

#include "data_text.h"
#include "rank_data.h"

/* Strings with numbers: 0, 1, ... in the order they were added in. */
typedef struct vocab_slot {
  uint32_t tag, value; /* value: index + 1, 0 when free */
} vocab_slot;

typedef struct vocab {
  char *bytes;
  size_t nbytes, room_bytes;
  size_t *end; /* of string i in bytes; it begins where the one before ends */
  uint64_t *count;
  long n, room;
  vocab_slot *slots;
  size_t nslots; /* a power of two, or 0 */
} vocab;

void vocab_free(vocab *v);
long vocab_find(const vocab *v, const char *at, size_t length); /* -1: not there */
long vocab_add(vocab *v, const char *at, size_t length);        /* found or new; -1: no memory */
text_span vocab_at(const vocab *v, long i);
/* Order by falling count, then bytes; less frequent than `least`, or past `most`, are dropped. */
int vocab_rank(vocab *v, uint64_t least, long most);

typedef enum encode_kind {
  ENCODE_NUMBER,
  ENCODE_ID,
  ENCODE_HASH,
  ENCODE_VOCAB,
  ENCODE_BUCKET
} encode_kind;

typedef struct encode_input {
  encode_kind kind;
  int root;      /* the input whose vocabulary it uses: itself, or same_as */
  vocab *vocabs; /* [nvocab]; of a root that learns a vocabulary, else NULL */
  long *offset;  /* [nvocab + 1]: where each position's ids begin, and the total */
  long nstats;   /* columns to standardize, or 0 */
  double *mean, *sd;
  double *square; /* while learning: sums of squares, and in `seen` how many values */
  uint64_t *seen;
} encode_input;

struct rank_encoders {
  const rank_model *model;
  encode_input *inputs;
  int fitted;
  struct rank_fits *fits;
};

int encode_learns(const rank_encoders *e, int input); /* anything at all */
void encode_offsets(rank_encoders *e);                /* from the vocabularies as they are */
/* Why the model's encodings cannot be; 0 when they can. */
int encode_check(const rank_encoders *e, rank_error *error);

/* Learns from n values of one row of an input. On error *bad is the value's index. */
int encode_count(
  rank_encoders *e, int input, const text_span *cells, long n, long *bad, rank_error *error);
int encode_finish(rank_encoders *e, rank_error *error); /* after the last row: fitted */
void encode_forget(rank_encoders *e);                   /* before the first */

/* n values of one row: int32_t ids or rank_real numbers. The error says what, not where. */
int encode_cells(const rank_encoders *e, int input, const text_span *cells, long n, void *out,
  long *bad, rank_error *error);
/* The number of a field before standardizing. */
int encode_number(const rank_input *in, const text_span *cell, double *x, rank_error *error);

#endif
