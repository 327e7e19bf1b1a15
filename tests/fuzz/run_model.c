/* run_model.c: a generated model as a shared object, run without linking it.
 *   run_model MODEL.so NAME COMMAND [OPTION...]
 *   run_model - <FILE
 *
 * What NAME COMMAND OPTION... would do. The runtime is in this program, so that a test of many models
 * links it once. With -, every line of standard input is such a list of arguments, and what comes of
 * it is a line on standard output: "status N: the arguments". One process then does the work of a
 * hundred, and a crash is the line that is missing. */

#include "../../runtime/rank_model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 64 };

static int run(int argc, char **argv)
{
  char symbol[512];
  snprintf(symbol, sizeof symbol, "%s_model", argv[1]);
  void *object = dlopen(argv[0], RTLD_NOW);
  const rank_model *model = object ? dlsym(object, symbol) : NULL;
  if (!model) {
    fprintf(stderr, "run_model: %s\n", dlerror());
    return 2;
  }
  return rank_program(model, argc - 1, argv + 1);
}

static void run_line(const char *line)
{
  char *words = strdup(line), *rest = words, *argv[MOST_ARGUMENTS + 1] = {0};
  int argc = 0;
  while (words && argc < MOST_ARGUMENTS && (argv[argc] = strtok_r(rest, " \n", &rest)) != NULL) {
    argc++;
  }
  printf("status %d: %s", argc > 2 ? run(argc, argv) : 2, line);
  fflush(stdout);
  free(words);
}

int main(int argc, char **argv)
{
  char line[8192];
  if (argc == 2 && strcmp(argv[1], "-") == 0) {
    while (fgets(line, sizeof line, stdin)) {
      run_line(line);
    }
    return 0;
  }
  if (argc < 4) {
    fprintf(stderr, "usage: run_model MODEL.so NAME COMMAND [OPTION...]\n");
    return 2;
  }
  return run(argc - 1, argv + 1);
}
