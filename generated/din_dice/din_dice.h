#ifndef DIN_DICE_H
#define DIN_DICE_H

/* din_dice: Deep Interest Network without softmax, with the activation of its paper. Generated
 * by rankc; edit the model, not this file. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The model with weights. Predicting only reads it: any number of threads may share it. */
typedef struct din_dice din_dice;

/* Rows to predict. Lists lie back to back, those of all rows in one array. */
typedef struct din_dice_inputs {
  long n; /* rows */
  /* [n + 1] where the lists along L start: that of row i is from [i] to before [i + 1]. [0] is
   * 0; none is longer than 50 */
  const int32_t *L_offsets;
  /* the candidate ad: [n] ids from 0 to 1999 */
  const int32_t *item;
  /* the ads this user clicked before: [L_offsets[n]] ids from 0 to 1999 */
  const int32_t *hist;
} din_dice_inputs;

/* Where to write each row's outputs; NULL: not wanted. */
typedef struct din_dice_outputs {
  /* [n] */
  float *ctr;
} din_dice_outputs;

/* What functions return. */
enum {
  DIN_DICE_OK,
  DIN_DICE_BAD_ID,     /* an id outside its vocabulary */
  DIN_DICE_BAD_LENGTH, /* a list longer than its axis, offsets that fall, a negative n */
  DIN_DICE_BAD_VALUE,  /* a number that is NaN or infinite, an input that is NULL */
  DIN_DICE_NO_MEMORY,  /* or no scratch */
  DIN_DICE_BAD_FILE    /* weights that are missing, damaged, or another model's */
};

/* In words. */
const char *din_dice_status(int status);

/* Changes with the model's inputs, outputs and parameters: when the header's is not the
 * library's, they do not belong together. */
#define DIN_DICE_VERSION UINT64_C(0x62f059c30efbb7db)
uint64_t din_dice_version(void);

/* Changes with how functions are called and structs are laid out, in all models alike. */
#define DIN_DICE_ABI_VERSION 1
int din_dice_abi_version(void);

/* Opens weights to predict with. Tables stay in the file, which is mapped, so that processes
 * share them: put another file in its place by renaming, never write into it. On error *model
 * is NULL and message (may be NULL), which has room for `size` bytes, says what is wrong with
 * which file. */
int din_dice_open(din_dice **model, const char *weights, char *message, size_t size);
void din_dice_close(din_dice *model);

/* Bytes of scratch to predict these rows; or any rows, so many of them. Threads that predict at
 * once need scratch each; nothing is kept in it between calls. */
size_t din_dice_scratch(const din_dice *model, const din_dice_inputs *inputs);
size_t din_dice_scratch_for(const din_dice *model, long rows);

/* Checks every input, then predicts. Allocates nothing, takes no lock, starts no thread, and
 * works in the memory it is given alone. */
int din_dice_predict(const din_dice *model, const din_dice_inputs *inputs,
  const din_dice_outputs *outputs, void *scratch);

/* Why din_dice_predict refuses inputs: returns what it returns, and the message names the
 * input, the row and the value. */
int din_dice_explain(
  const din_dice *model, const din_dice_inputs *inputs, char *message, size_t size);

/* ---- training: libdin_dice_train.so, which has all of the above too ---- */

typedef struct din_dice_batch {
  din_dice_inputs inputs;
  /* [n] numbers */
  const float *click;
} din_dice_batch;

/* Opens weights to train, with the optimizer's state; weights NULL: new ones, by `seed`. What
 * trains is changed by every step, so it belongs to one thread. It may predict too, but slower. */
int din_dice_open_training(
  din_dice **model, const char *weights, uint64_t seed, char *message, size_t size);
size_t din_dice_train_scratch(const din_dice *model, const din_dice_batch *batch);

/* One step, on the calling thread: the same bits as the program's with any number of threads.
 * rate 0: the model's own; steps: how many are planned, for its schedule. *loss (may be NULL):
 * the mean over the batch before the update. */
int din_dice_train_step(din_dice *model, const din_dice_batch *batch, double rate, long steps,
  double *loss, void *scratch);
int din_dice_explain_batch(
  const din_dice *model, const din_dice_batch *batch, char *message, size_t size);

/* Writes the weights and the optimizer's state. The file appears whole or not at all. */
int din_dice_save(const din_dice *model, const char *path, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
