#ifndef RANKC_OPTIONS_H
#define RANKC_OPTIONS_H

/* The command line, parsed: one struct for all subcommands, each of which accepts only the groups of
 * options that mean something to it. */

#include "../base/str.h"

#include <argp.h>

enum { EXIT_FINE = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

struct Subcommand;

typedef struct Options {
  const struct Subcommand *command;
  Arena *arena;
  Str model;          /* path of the description, as given; "-" is standard input */
  VEC(Str) dim_names; /* --dim NAME=N: another extent (plain) or maximum (ragged) */
  VEC(long) dim_extents;
  int verbose; /* -v: what was done; twice: the C compiler's command lines too */
  bool verify;
  Str after;         /* dump: only after this pass; empty: after every one */
  bool list_passes;  /* dump: which there are, without a model */
  Str out;           /* -o: a folder (emit, build, run), or a file (interpret) */
  bool fuse, f64;    /* of the C that is emitted */
  int tile;          /* samples per tile; 0: the compiler chooses */
  const char *cc;    /* the C compiler */
  const char *march; /* what machine to compile for */
  int optimize;      /* -O */
  int jobs;          /* C compilers at a time */
  bool keep, werror;
  int threads;     /* run: handed to the program; 0: its own choice */
  Str load, batch; /* interpret */
  long steps;      /* interpret */
  bool markdown;   /* ops */
  int nrest;       /* run: what follows the model on the command line */
  char *const *rest;
} Options;

typedef int (*CommandRun)(Options *o);

typedef struct Subcommand {
  const char *name;
  const char *groups; /* letters, see options.c */
  CommandRun run;
  const char *doc; /* one line for `rankc --help` */
  const char *more;
} Subcommand;

/* Parses what follows the subcommand's name; ends the program with 2 on bad usage. */
void options_parse(const Subcommand *command, int argc, char **argv, Options *o);

#endif
