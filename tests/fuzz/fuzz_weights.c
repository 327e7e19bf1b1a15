/* fuzz_weights.c: the reader of safetensors files on any bytes (libFuzzer). A file is right or refused. */

#include "../../runtime/safetensors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const st_file *f)
{
  rank_error e;
  for (int i = 0; i < f->ntensors; i++) {
    const st_tensor *t = &f->tensors[i];
    double *reals = calloc((size_t)t->count + 1, sizeof *reals);
    int64_t *ints = calloc((size_t)t->count + 1, sizeof *ints);
    if (reals && ints) {
      (void)st_read_reals(f, t, reals, &e);
      (void)st_read_ints(f, t, ints, &e);
      (void)st_find(f, t->name);
    }
    free(reals);
    free(ints);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char path[64];
  snprintf(path, sizeof path, "/dev/shm/fuzz_weights.%d", (int)getpid());
  FILE *file = fopen(path, "wb");
  if (!file) {
    return 0;
  }
  fwrite(data, 1, size, file);
  fclose(file);
  st_file f = {0};
  rank_error e;
  if (st_open(&f, path, &e) == 0) {
    read_all(&f);
    st_close(&f);
  }
  unlink(path);
  return 0;
}
