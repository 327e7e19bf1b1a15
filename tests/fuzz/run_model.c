/* run_model.c: a generated model as a shared object, run without linking it.
 *   run_model MODEL.so NAME COMMAND [OPTION...]
 *
 * What NAME COMMAND OPTION... would do. The runtime is in this program, so that a test of many models
 * links it once. */

#include "../../runtime/rank_model.h"

#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
  if (argc < 4) {
    fprintf(stderr, "usage: run_model MODEL.so NAME COMMAND [OPTION...]\n");
    return 2;
  }
  char symbol[512];
  snprintf(symbol, sizeof symbol, "%s_model", argv[2]);
  void *object = dlopen(argv[1], RTLD_NOW);
  const rank_model *model = object ? dlsym(object, symbol) : NULL;
  if (!model) {
    fprintf(stderr, "run_model: %s\n", dlerror());
    return 2;
  }
  return rank_program(model, argc - 2, argv + 2);
}
