#ifndef RANKC_OPTIONS_H
#define RANKC_OPTIONS_H

/* The command line, parsed: one struct for all subcommands, each of which accepts only the groups of
 * options that mean something to it. */

#include "../pass/plan.h"

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
  Str after;        /* dump: only after this pass; empty: after every one */
  bool list_passes; /* dump: which there are, without a model */
  Str out;          /* -o: a folder (emit, build, run), or a file (interpret) */
  FuseLevel level;  /* of the C that is emitted, as are the next three */
  bool rewrite, f64;
  long max_rewrites; /* rules that may fire, simplifications too; to find the one that goes wrong */
  bool check;        /* guards against values that are not finite */
  int tile;          /* samples per tile; 0: the compiler chooses */
  const char *cc;    /* the C compiler */
  const char *march; /* what machine to compile for */
  int optimize;      /* -O */
  int jobs;          /* C compilers at a time */
  bool keep, werror;
  int threads;      /* run, bench: of the program; 0: its own choice */
  Str load, batch;  /* interpret */
  long steps;       /* interpret */
  long jitter;      /* interpret: see interpret_jitter; 0: not */
  bool markdown;    /* ops */
  double tolerance; /* gradcheck, as is the next: elements per parameter */
  long probes;
  /* bench, see runtime/rank_bench.h */
  unsigned bench_levels, bench_rewrites; /* bits, by FuseLevel and by whether */
  long samples, batches, vocab, rounds, seed, length_low, length_high;
  double seconds, zipf;
  bool groups;
  Str csv, svg;
  Str weights; /* freeze: the second argument */
  bool beside; /* the weights go into a file of their own */
  Str html;    /* explain: a page instead of text */
  Str bench;   /* explain: what bench --groups --csv wrote */
  int nrest;   /* run: what follows the model on the command line */
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

/* Between options.c, options_bench.c and options_tools.c: a whole number within bounds, or bad usage; the
 * index of one of n words; the options of single subcommands. */
long option_number(
  const struct argp_state *state, const char *what, const char *text, long low, long high);
int option_word(const struct argp_state *state, const char *what, const char *text, int n,
  const char *const *words);
extern const char *const fuse_words[]; /* by FuseLevel */
extern const struct argp_option bench_options[];
error_t bench_parse(int key, char *arg, struct argp_state *state);
extern const struct argp_option interpret_options[], ops_options[], gradcheck_options[],
  explain_options[], freeze_options[];
error_t interpret_parse(int key, char *arg, struct argp_state *state);
error_t freeze_parse(int key, char *arg, struct argp_state *state);
error_t explain_parse(int key, char *arg, struct argp_state *state);
error_t ops_parse(int key, char *arg, struct argp_state *state);
error_t gradcheck_parse(int key, char *arg, struct argp_state *state);
void bench_defaults(Options *o);

/* Parses what follows the subcommand's name; ends the program with 2 on bad usage. */
void options_parse(const Subcommand *command, int argc, char **argv, Options *o);

#endif
