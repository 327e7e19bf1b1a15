#ifndef FWFM_H
#define FWFM_H

/* fwfm: Field-weighted factorization machine: one strength for each pair of fields. Generated
 * by rankc; edit the model, not this file. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The model with weights. Predicting only reads it: any number of threads may share it. */
typedef struct fwfm fwfm;

/* Rows to predict. Lists lie back to back, those of all rows in one array. */
typedef struct fwfm_inputs {
  long n; /* rows */
  /* [n][3] ids, those of each position after the one before: 0..999 1000..1499 1500..1699 */
  const int32_t *field;
  /* [n][3] numbers */
  const float *dense;
} fwfm_inputs;

/* Where to write each row's outputs; NULL: not wanted. */
typedef struct fwfm_outputs {
  /* [n] */
  float *ctr;
} fwfm_outputs;

/* What functions return. */
enum {
  FWFM_OK,
  FWFM_BAD_ID,     /* an id outside its vocabulary */
  FWFM_BAD_LENGTH, /* a list longer than its axis, offsets that fall, a negative n */
  FWFM_BAD_VALUE,  /* a number that is NaN or infinite, an input that is NULL */
  FWFM_NO_MEMORY,  /* or no scratch */
  FWFM_BAD_FILE    /* weights that are missing, damaged, or another model's */
};

/* In words. */
const char *fwfm_status(int status);

/* Changes with the model's inputs, outputs and parameters: when the header's is not the
 * library's, they do not belong together. */
#define FWFM_VERSION UINT64_C(0x6c39a1fe8a9cf1d4)
uint64_t fwfm_version(void);

/* Changes with how functions are called and structs are laid out, in all models alike. */
#define FWFM_ABI_VERSION 1
int fwfm_abi_version(void);

/* Opens weights to predict with. Tables stay in the file, which is mapped, so that processes
 * share them: put another file in its place by renaming, never write into it. On error *model
 * is NULL and message (may be NULL), which has room for `size` bytes, says what is wrong with
 * which file. */
int fwfm_open(fwfm **model, const char *weights, char *message, size_t size);
void fwfm_close(fwfm *model);

/* Bytes of scratch to predict these rows; or any rows, so many of them. Threads that predict at
 * once need scratch each; nothing is kept in it between calls. */
size_t fwfm_scratch(const fwfm *model, const fwfm_inputs *inputs);
size_t fwfm_scratch_for(const fwfm *model, long rows);

/* Checks every input, then predicts. Allocates nothing, takes no lock, starts no thread, and
 * works in the memory it is given alone. */
int fwfm_predict(
  const fwfm *model, const fwfm_inputs *inputs, const fwfm_outputs *outputs, void *scratch);

/* Why fwfm_predict refuses inputs: returns what it returns, and the message names the input,
 * the row and the value. */
int fwfm_explain(const fwfm *model, const fwfm_inputs *inputs, char *message, size_t size);

/* ---- training: libfwfm_train.so, which has all of the above too ---- */

typedef struct fwfm_batch {
  fwfm_inputs inputs;
  /* [n] numbers */
  const float *click;
} fwfm_batch;

/* Opens weights to train, with the optimizer's state; weights NULL: new ones, by `seed`. What
 * trains is changed by every step, so it belongs to one thread. It may predict too, but slower. */
int fwfm_open_training(
  fwfm **model, const char *weights, uint64_t seed, char *message, size_t size);
size_t fwfm_train_scratch(const fwfm *model, const fwfm_batch *batch);

/* One step, on the calling thread: the same bits as the program's with any number of threads.
 * rate 0: the model's own; steps: how many are planned, for its schedule. *loss (may be NULL):
 * the mean over the batch before the update. */
int fwfm_train_step(
  fwfm *model, const fwfm_batch *batch, double rate, long steps, double *loss, void *scratch);
int fwfm_explain_batch(const fwfm *model, const fwfm_batch *batch, char *message, size_t size);

/* Writes the weights and the optimizer's state. The file appears whole or not at all. */
int fwfm_save(const fwfm *model, const char *path, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
