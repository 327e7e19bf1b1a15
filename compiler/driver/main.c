/* main.c: rankc's command line. `rankc COMMAND ...`: the command's row below says which options it
 * takes (groups of options.c) and which function does it. */

#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int command_version(Options *o)
{
  (void)o;
  puts("rankc " RANKC_VERSION);
  return EXIT_FINE;
}

static const Subcommand commands[] = {
  {"check", "m", command_check, "Diagnose a model; print its inputs, outputs, parameters, sizes",
    "The exit code is 1 when the model has errors."},
  {"dump", "md", command_dump, "Print the program after each pass, or after one of them",
    "What is printed after one pass is a program again: it can be read, changed and compiled."},
  {"emit", "mlwef", command_emit, "Write the C of a model",
    "Files whose text did not change are left alone."},
  {"build", "mlwefc", command_build, "Compile a model: program, library, header and the C",
    "DIR/NAME is a program (NAME --help), DIR/libNAME.so with DIR/NAME.h a library."},
  {"run", "mlwefcr", command_run, "Build into a folder, then run `NAME train ARGUMENTS`",
    "Options of rankc come before the model, what follows it goes to the program; when that begins "
    "with a word (eval, predict, ...), this word replaces train."},
  {"freeze", "mwfcz", command_freeze,
    "Compile a model with its weights: one file of C, one library",
    "DIR/NAME.c is the model and its weights and needs nothing else, DIR/libNAME.so is made of it, "
    "DIR/NAME.h is "
    "as `rankc build` makes it, without training. NAME_open then takes no file (NULL); with "
    "--beside it takes "
    "DIR/NAME.weights."},
  {"explain", "mlwefh", command_explain, "Say how a model will run, and what that costs",
    "Sizes and costs are computed from the program; nothing is compiled or run."},
  {"bench", "mefcb", command_bench, "Measure fused against unfused, level by level",
    "Builds the levels into a folder (default build/NAME.bench), checks that they agree, and runs "
    "them "
    "in turn on the same made-up data."},
  {"interpret", "miw", command_interpret, "Evaluate a model plainly, in double precision",
    "The reference for `NAME step`, on the same files. With --max-rewrites=0 what is evaluated is "
    "the "
    "model as written and its gradients as they were taken."},
  {"gradcheck", "mwg", command_gradcheck, "Compare gradients with finite differences of the loss",
    "In double precision, on random parameters and a random batch; the exit code is 1 when an "
    "error is "
    "above the tolerance. Give large lists a smaller maximum with --dim."},
  {"ops", "o", command_ops, "Print the table of primitive operations", ""},
  {"version", "", command_version, "Print the version", ""},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int usage(FILE *out)
{
  fputs("Usage: rankc COMMAND [OPTION...] [MODEL.rank]\n"
        "Compiles ad-ranking models to C, and that to programs and libraries.\n\n",
    out);
  for (int i = 0; i < COMMANDS; i++) {
    fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].doc);
  }
  fputs("\n`rankc COMMAND --help` lists a command's options.\n", out);
  return out == stdout ? EXIT_FINE : EXIT_USAGE;
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    return usage(stderr);
  }
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    return usage(stdout);
  }
  if (strcmp(word, "--version") == 0) {
    return command_version(NULL);
  }
  for (int i = 0; i < COMMANDS; i++) {
    if (strcmp(word, commands[i].name) == 0) {
      Arena arena = arena_new((size_t)1 << 36);
      Options o = {.arena = &arena};
      options_parse(&commands[i], argc - 1, argv + 1, &o);
      int code = commands[i].run(&o);
      if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "rankc: error: cannot write to standard output\n");
        return code == EXIT_FINE ? EXIT_INTERNAL : code;
      }
      return code;
    }
  }
  fprintf(stderr, "rankc: error: there is no command '%s'\n", word);
  return usage(stderr);
}
