#ifndef YOUTUBE_DNN_H
#define YOUTUBE_DNN_H

/* youtube_dnn: Next item from the history, trained against the batch's other items. Generated
 * by rankc; edit the model, not this file. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The model with weights. Predicting only reads it: any number of threads may share it. */
typedef struct youtube_dnn youtube_dnn;

/* Rows to predict. Lists lie back to back, those of all rows in one array. */
typedef struct youtube_dnn_inputs {
  long n; /* rows */
  /* [n + 1] where the lists along L start: that of row i is from [i] to before [i + 1]. [0] is
   * 0; none is longer than 1000 */
  const int32_t *L_offsets;
  /* what came next: [n] ids from 0 to 1682 */
  const int32_t *item;
  /* [L_offsets[n]] ids from 0 to 1682 */
  const int32_t *hist;
} youtube_dnn_inputs;

/* Where to write each row's outputs; NULL: not wanted. */
typedef struct youtube_dnn_outputs {
  /* [n][65] */
  float *user_vector;
  /* [n][65] */
  float *item_vector;
} youtube_dnn_outputs;

/* What functions return. */
enum {
  YOUTUBE_DNN_OK,
  YOUTUBE_DNN_BAD_ID,     /* an id outside its vocabulary */
  YOUTUBE_DNN_BAD_LENGTH, /* a list longer than its axis, offsets that fall, a negative n */
  YOUTUBE_DNN_BAD_VALUE,  /* a number that is NaN or infinite, an input that is NULL */
  YOUTUBE_DNN_NO_MEMORY,  /* or no scratch */
  YOUTUBE_DNN_BAD_FILE    /* weights that are missing, damaged, or another model's */
};

/* In words. */
const char *youtube_dnn_status(int status);

/* Changes with the model's inputs, outputs and parameters: when the header's is not the
 * library's, they do not belong together. */
#define YOUTUBE_DNN_VERSION UINT64_C(0x25e264aec34a16bf)
uint64_t youtube_dnn_version(void);

/* Changes with how functions are called and structs are laid out, in all models alike. */
#define YOUTUBE_DNN_ABI_VERSION 1
int youtube_dnn_abi_version(void);

/* Opens weights to predict with. Tables stay in the file, which is mapped, so that processes
 * share them: put another file in its place by renaming, never write into it. On error *model
 * is NULL and message (may be NULL), which has room for `size` bytes, says what is wrong with
 * which file. */
int youtube_dnn_open(youtube_dnn **model, const char *weights, char *message, size_t size);
void youtube_dnn_close(youtube_dnn *model);

/* Bytes of scratch to predict these rows; or any rows, so many of them. Threads that predict at
 * once need scratch each; nothing is kept in it between calls. */
size_t youtube_dnn_scratch(const youtube_dnn *model, const youtube_dnn_inputs *inputs);
size_t youtube_dnn_scratch_for(const youtube_dnn *model, long rows);

/* Checks every input, then predicts. Allocates nothing, takes no lock, starts no thread, and
 * works in the memory it is given alone. */
int youtube_dnn_predict(const youtube_dnn *model, const youtube_dnn_inputs *inputs,
  const youtube_dnn_outputs *outputs, void *scratch);

/* Why youtube_dnn_predict refuses inputs: returns what it returns, and the message names the
 * input, the row and the value. */
int youtube_dnn_explain(
  const youtube_dnn *model, const youtube_dnn_inputs *inputs, char *message, size_t size);

/* ---- training: libyoutube_dnn_train.so, which has all of the above too ---- */

typedef struct youtube_dnn_batch {
  youtube_dnn_inputs inputs;
  /* of all that was taken, how much was this item: [n] numbers */
  const float *share;
} youtube_dnn_batch;

/* Opens weights to train, with the optimizer's state; weights NULL: new ones, by `seed`. What
 * trains is changed by every step, so it belongs to one thread. It may predict too, but slower. */
int youtube_dnn_open_training(
  youtube_dnn **model, const char *weights, uint64_t seed, char *message, size_t size);
size_t youtube_dnn_train_scratch(const youtube_dnn *model, const youtube_dnn_batch *batch);

/* One step, on the calling thread: the same bits as the program's with any number of threads.
 * rate 0: the model's own; steps: how many are planned, for its schedule. *loss (may be NULL):
 * the mean over the batch before the update. */
int youtube_dnn_train_step(youtube_dnn *model, const youtube_dnn_batch *batch, double rate,
  long steps, double *loss, void *scratch);
int youtube_dnn_explain_batch(
  const youtube_dnn *model, const youtube_dnn_batch *batch, char *message, size_t size);

/* Writes the weights and the optimizer's state. The file appears whole or not at all. */
int youtube_dnn_save(const youtube_dnn *model, const char *path, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
