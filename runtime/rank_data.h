#ifndef RANK_DATA_H
#define RANK_DATA_H

/* From text files to batches.
 *
 * One idea: text is read once. A streaming pass encodes every row (ids, numbers, lists) into
 * columns in a file that is memory-mapped afterwards, and a batch is gathered from those columns
 * into arrays that lie contiguously. What the pass has to know beyond the text itself
 * (vocabularies, means) is in rank_encoders: learnt from training data, stored with the weights,
 * and only read afterwards. */

#include "rank_error.h"
#include "rank_model.h"

/* Learnt state: per input its vocabulary (values in id order), mean and sd per column. */
typedef struct rank_encoders rank_encoders;

rank_encoders *rank_encoders_new(const rank_model *m); /* NULL: no memory */
void rank_encoders_free(rank_encoders *e);
/* Whether there is nothing (left) to learn; also true of a model that learns no encoding at all. */
int rank_encoders_fitted(const rank_encoders *e);
/* What the model's fits have learnt: kept with the encoders. */
struct rank_fits *rank_encoders_fits(const rank_encoders *e);
/* How many ids an input has, over all its positions: learnt, or as declared. 0: not learnt yet, or
 * the input is not an id. */
long rank_encoders_size(const rank_encoders *e, int input);
/* An id as the data writes it, where the input has one vocabulary that is learnt; else its number. In room
 * or in the encoders; not terminated. */
enum { RANK_ID_TEXT = 24 };
const char *rank_encoders_text(
  const rank_encoders *e, int input, int32_t id, char room[RANK_ID_TEXT], long *length);
/* JSON for weights files, malloc'd; NULL: no memory. The same state gives the same bytes. */
char *rank_encoders_json(const rank_encoders *e);
/* Replaces the state. Trusts nothing; on error (-1) the state is what it was. */
int rank_encoders_from_json(rank_encoders *e, const char *json, size_t n, rank_error *error);

typedef struct rank_data rank_data; /* encoded rows */

typedef struct rank_data_options {
  int labels; /* labels must be there; else their columns may be missing, and their values
                          * are NULL in batches when any of them is */
  int fit;    /* learn the encoders from this file first (standard input is spooled) */
  const char *cache_dir; /* where encoded files are kept and found again; NULL: none */
  int threads;
  void (*progress)(void *arg, double fraction); /* of the file read, 0..1; may be NULL */
  void *progress_arg;
} rank_data_options;

/* Reads a file (gzip too; "-" is standard input). NULL on error. `enc` must outlive the data
 * when the model has fits, else the call only. */
rank_data *rank_data_open(const rank_model *m, rank_encoders *enc, const char *path,
  const rank_data_options *o, rank_error *e);
void rank_data_close(rank_data *d);
long rank_data_rows(const rank_data *d);
int rank_data_has_labels(const rank_data *d);

typedef struct rank_batcher rank_batcher; /* room for a batch, reused */

/* For batches of at most `most` rows of `d`, which must outlive it. NULL: no memory. */
rank_batcher *rank_batcher_new(const rank_data *d, long most);
void rank_batcher_free(rank_batcher *b);
/* Gathers rows, in this order, into arrays aligned to 64 bytes. The batch is valid until the next
 * call. NULL: more than `most` rows, a row that is not there, or no memory. */
const rank_batch *rank_batch_rows(rank_batcher *b, const uint32_t *rows, long n);
const rank_batch *rank_batch_range(rank_batcher *b, long first, long n);

/* The order of an epoch: order[0..n) becomes a permutation of 0..n-1 which depends on nothing but
 * n, seed and epoch (Fisher-Yates, random numbers by counter). */
void rank_shuffle(uint32_t *order, long n, uint64_t seed, uint64_t epoch);

#endif
