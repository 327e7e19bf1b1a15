#ifndef TWO_TOWER_H
#define TWO_TOWER_H

/* two_tower: Two-tower retrieval, trained with in-batch negatives in both directions. Generated
 * by rankc; edit the model, not this file. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The model with weights. Predicting only reads it: any number of threads may share it. */
typedef struct two_tower two_tower;

/* Rows to predict. Lists lie back to back, those of all rows in one array. */
typedef struct two_tower_inputs {
  long n; /* rows */
  /* [n][16] numbers */
  const float *user;
  /* [n][12] numbers */
  const float *ad;
} two_tower_inputs;

/* Where to write each row's outputs; NULL: not wanted. */
typedef struct two_tower_outputs {
  /* [n][128] */
  float *user_vector;
  /* [n][128] */
  float *ad_vector;
} two_tower_outputs;

/* What functions return. */
enum {
  TWO_TOWER_OK,
  TWO_TOWER_BAD_ID,     /* an id outside its vocabulary */
  TWO_TOWER_BAD_LENGTH, /* a list longer than its axis, offsets that fall, a negative n */
  TWO_TOWER_BAD_VALUE,  /* a number that is NaN or infinite, an input that is NULL */
  TWO_TOWER_NO_MEMORY,  /* or no scratch */
  TWO_TOWER_BAD_FILE    /* weights that are missing, damaged, or another model's */
};

/* In words. */
const char *two_tower_status(int status);

/* Changes with the model's inputs, outputs and parameters: when the header's is not the
 * library's, they do not belong together. */
#define TWO_TOWER_VERSION UINT64_C(0x29cf67f9a78a51d0)
uint64_t two_tower_version(void);

/* Changes with how functions are called and structs are laid out, in all models alike. */
#define TWO_TOWER_ABI_VERSION 1
int two_tower_abi_version(void);

/* Opens weights to predict with. Tables stay in the file, which is mapped, so that processes
 * share them: put another file in its place by renaming, never write into it. On error *model
 * is NULL and message (may be NULL), which has room for `size` bytes, says what is wrong with
 * which file. */
int two_tower_open(two_tower **model, const char *weights, char *message, size_t size);
void two_tower_close(two_tower *model);

/* Bytes of scratch to predict these rows; or any rows, so many of them. Threads that predict at
 * once need scratch each; nothing is kept in it between calls. */
size_t two_tower_scratch(const two_tower *model, const two_tower_inputs *inputs);
size_t two_tower_scratch_for(const two_tower *model, long rows);

/* Checks every input, then predicts. Allocates nothing, takes no lock, starts no thread, and
 * works in the memory it is given alone. */
int two_tower_predict(const two_tower *model, const two_tower_inputs *inputs,
  const two_tower_outputs *outputs, void *scratch);

/* Why two_tower_predict refuses inputs: returns what it returns, and the message names the
 * input, the row and the value. */
int two_tower_explain(
  const two_tower *model, const two_tower_inputs *inputs, char *message, size_t size);

/* ---- training: libtwo_tower_train.so, which has all of the above too ---- */

typedef struct two_tower_batch {
  two_tower_inputs inputs;
} two_tower_batch;

/* Opens weights to train, with the optimizer's state; weights NULL: new ones, by `seed`. What
 * trains is changed by every step, so it belongs to one thread. It may predict too, but slower. */
int two_tower_open_training(
  two_tower **model, const char *weights, uint64_t seed, char *message, size_t size);
size_t two_tower_train_scratch(const two_tower *model, const two_tower_batch *batch);

/* One step, on the calling thread: the same bits as the program's with any number of threads.
 * rate 0: the model's own; steps: how many are planned, for its schedule. *loss (may be NULL):
 * the mean over the batch before the update. */
int two_tower_train_step(two_tower *model, const two_tower_batch *batch, double rate, long steps,
  double *loss, void *scratch);
int two_tower_explain_batch(
  const two_tower *model, const two_tower_batch *batch, char *message, size_t size);

/* Writes the weights and the optimizer's state. The file appears whole or not at all. */
int two_tower_save(const two_tower *model, const char *path, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
