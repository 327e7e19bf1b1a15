#ifndef RANK_LIBRARY_H
#define RANK_LIBRARY_H

/* What a model's library is made of, between its own C interface, which names every input and output, and
 * the runtime, which knows them by number.
 *
 * One idea: all that a prediction needs is made when the weights are opened. Afterwards they are only
 * read, and a call works in its caller's memory alone, so that any number of threads may predict at once
 * without a lock. Nothing here prints, exits or starts a thread. */

#include "rank_model.h"

/* What an input or a ragged axis is needed for. */
enum { RANK_TO_PREDICT = 1, RANK_TO_TRAIN = 2 };

typedef struct rank_library { /* a model's */
  const rank_model *model;
  const unsigned char *inputs, *dims; /* what each is needed for */
  size_t (*train_bytes)(const rank_state *s, const rank_batch *b, int threads);
  rank_status (*train)(rank_state *s, const rank_batch *b, const rank_step *step, double *loss,
    void *work); /* both NULL in a library that only predicts */
} rank_library;

typedef struct rank_opened rank_opened; /* a library with weights; its rank_state comes first */

static inline const rank_state *rank_library_state(const rank_opened *o)
{
  return (const void *)o;
}

enum { RANK_ALIGN = 64 }; /* of what generated code works in */

static inline void *rank_library_aligned(void *scratch)
{
  return (char *)scratch + (-(uintptr_t)scratch & (RANK_ALIGN - 1));
}

/* Messages go into message[size], cut to fit; message may be NULL. */
rank_status rank_library_open(
  const rank_library *l, const char *weights, rank_opened **opened, char *message, size_t size);
/* With optimizer state, to be changed. weights NULL: first values, by `seed`. */
rank_status rank_library_train_open(const rank_library *l, const char *weights, uint64_t seed,
  rank_opened **opened, char *message, size_t size);
void rank_library_close(rank_opened *o); /* may be NULL */
rank_status rank_library_save(const rank_opened *o, const char *path, char *message, size_t size);

/* Bytes of scratch: of a batch without arrays, the most that one of n rows can need. */
size_t rank_library_scratch(const rank_opened *o, const rank_batch *b, int use);
/* Where the lists of every row go, with room for the longest: [n][most] ids (-1: no more) and scores, and
 * [n][most][reasons] of reasons and their parts; each may be NULL. */
typedef struct rank_list_out {
  int32_t *item;
  rank_real *score;
  int32_t *because;
  rank_real *part;
} rank_list_out;
/* lists: one for each of the model's, or NULL. usual, here and below: the caller has looked at every length, id
 * and number (rank_usual.h) and found nothing, and there are rows; 0: they are looked at here. */
rank_status rank_library_predict(const rank_opened *o, const rank_batch *b, int usual,
  rank_real *const *out, const rank_list_out *lists, void *scratch);
/* request: one row, of inputs per request; candidates: rows, of the others. */
rank_status rank_library_rank(const rank_opened *o, const rank_batch *request,
  const rank_batch *candidates, int usual, rank_real *const *out, void *scratch);
size_t rank_library_rank_scratch(const rank_opened *o, long n);
rank_status rank_library_rank_explain(const rank_opened *o, const rank_batch *request,
  const rank_batch *candidates, char *message, size_t size);
rank_status rank_library_train(rank_opened *o, const rank_batch *b, int usual,
  const rank_step *step, double *loss, void *scratch);
/* Checks a batch and says what is wrong with it. */
rank_status rank_library_explain(
  const rank_opened *o, const rank_batch *b, int use, char *message, size_t size);
const char *rank_library_status(int status);

#endif
