/* options.c: see options.h. One argp parser per group of options; a subcommand's parser is put together
 * from those its letters name, so that `--help` of each shows what it accepts and nothing else. */

#include "options.h"

#include "files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RANKC_CC
#define RANKC_CC "cc"
#endif

enum { MAX_GROUPS = 8, MAX_TILE = 4096, MAX_JOBS = 256, MAX_THREADS = 1024 };

enum {
  KEY_DIM = 256,
  KEY_VERIFY,
  KEY_AFTER,
  KEY_PASSES,
  KEY_FUSE,
  KEY_NO_REWRITE,
  KEY_MAX_REWRITES,
  KEY_DTYPE,
  KEY_TILE,
  KEY_CHECK,
  KEY_CC,
  KEY_MARCH,
  KEY_KEEP,
  KEY_WERROR,
  KEY_THREADS
};

/* A whole number within bounds, or bad usage. */
long option_number(
  const struct argp_state *state, const char *what, const char *text, long low, long high)
{
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
    argp_error(state, "%s: '%s' is not a whole number from %ld to %ld", what, text, low, high);
  }
  return value;
}

/* The index of `text` among n words; anything else is a usage error. */
int option_word(const struct argp_state *state, const char *what, const char *text, int n,
  const char *const *words)
{
  for (int i = 0; i < n; i++) {
    if (strcmp(text, words[i]) == 0) {
      return i;
    }
  }
  char all[256] = "";
  for (int i = 0, at = 0; i < n && at < (int)sizeof all; i++) {
    at += snprintf(all + at, sizeof all - (size_t)at, "%s%s", i > 0 ? ", " : "", words[i]);
  }
  argp_error(state, "%s: '%s' is none of %s", what, text, all);
  return 0;
}

/* One of the words, by its index, or bad usage. */
static int choice(const struct argp_state *state, const char *what, const char *text,
  const char *first, const char *second)
{
  if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
    argp_error(state, "%s: '%s' is neither %s nor %s", what, text, first, second);
  }
  return strcmp(text, second) == 0;
}

static const struct argp_option model_options[] = {
  {"dim", KEY_DIM, "NAME=N", 0, "Another extent, or maximum, for a declared dim", 0},
  {"verbose", 'v', NULL, 0,
    "Say what was done and how long it took; twice: with the C compiler's command lines", 0},
  {"verify", KEY_VERIFY, NULL, 0, "Check the program's own rules after every pass", 0},
  {0},
};

static void set_dim(Options *o, char *arg, struct argp_state *state)
{
  char *equals = strchr(arg, '=');
  if (!equals || equals == arg) {
    argp_error(state, "--dim: '%s' is not NAME=N", arg);
    return;
  }
  long extent = option_number(state, "--dim", equals + 1, 1, INT_MAX);
  *VEC_PUSH(o->arena, &o->dim_names) = (Str){arg, (int)(equals - arg)};
  *VEC_PUSH(o->arena, &o->dim_extents) = extent;
}

static error_t parse_model(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_DIM:
    set_dim(o, arg, state);
    return 0;
  case 'v':
    o->verbose++;
    return 0;
  case KEY_VERIFY:
    o->verify = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option dump_options[] = {
  {"after", KEY_AFTER, "PASS", 0, "Only the program after this pass, without headings", 0},
  {"passes", KEY_PASSES, NULL, 0, "List the passes", 0},
  {0},
};

static error_t parse_dump(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_AFTER:
    o->after = str_of(arg);
    return 0;
  case KEY_PASSES:
    o->list_passes = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option level_options[] = {
  {"fuse", KEY_FUSE, "LEVEL", 0,
    "How much is fused: off (op by op over the whole batch, through OpenBLAS), loops (pointwise "
    "and "
    "reduction nests), tiles (tile by tile through everything), all (default: and what follows a "
    "contraction inside its kernel)",
    0},
  {0},
};

const char *const fuse_words[] = {"off", "loops", "tiles", "all"};

static error_t parse_level(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_FUSE:
    o->level = (FuseLevel)option_word(state, "--fuse", arg, 4, fuse_words);
    o->rewrite &= o->level != FUSE_OFF; /* the baseline computes what the model says */
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option rewrite_options[] = {
  {"no-rewrite", KEY_NO_REWRITE, NULL, 0,
    "Leave out the rewrites that save arithmetic (contractions distributed over concat, ...)", 0},
  {"max-rewrites", KEY_MAX_REWRITES, "N", 0,
    "Apply the first N rewrites and simplifications only, and those that C cannot be made without: "
    "to "
    "find the one that goes wrong",
    0},
  {0},
};

static error_t parse_rewrite(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_NO_REWRITE:
    o->rewrite = false;
    return 0;
  case KEY_MAX_REWRITES:
    o->max_rewrites = option_number(state, "--max-rewrites", arg, 0, LONG_MAX);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option emit_options[] = {
  {"dtype", KEY_DTYPE, "f32|f64", 0, "Arithmetic of the generated C (default f32)", 0},
  {"tile", KEY_TILE, "N", 0, "Samples per tile (default: chosen from the sizes)", 0},
  {"check", KEY_CHECK, NULL, 0,
    "Look at every value: the first that is NaN or infinite stops the program, which names it and "
    "its line of the model. Slow; no libraries",
    0},
  {0},
};

static error_t parse_emit(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_DTYPE:
    o->f64 = choice(state, "--dtype", arg, "f32", "f64");
    return 0;
  case KEY_TILE:
    o->tile = (int)option_number(state, "--tile", arg, 1, MAX_TILE);
    return 0;
  case KEY_CHECK:
    o->check = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option out_options[] = {
  {"output", 'o', "PATH", 0, "Where the result goes: a folder, made when it is missing", 0},
  {0},
};

static error_t parse_out(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  if (key != 'o') {
    return ARGP_ERR_UNKNOWN;
  }
  o->out = path_plain(o->arena, str_of(arg));
  return 0;
}

static const struct argp_option cc_options[] = {
  {"cc", KEY_CC, "PROGRAM", 0, "The C compiler: clang-19, gcc, ... (default " RANKC_CC ")", 0},
  {"march", KEY_MARCH, "NAME", 0, "The machine to compile for (default native)", 0},
  {NULL, 'O', "0..3", 0, "How much the C compiler optimizes (default 2)", 0},
  {"jobs", 'j', "N", 0, "C compilers at a time (default 2)", 0},
  {"keep", KEY_KEEP, NULL, 0, "Keep the object files", 0},
  {"werror", KEY_WERROR, NULL, 0, "Warnings of the C compiler are errors", 0},
  {0},
};

static error_t parse_cc(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_CC:
    if (arg[0] == '-' || arg[0] == '\0') {
      argp_error(state, "--cc: '%s' is not a program", arg);
    }
    o->cc = arg;
    return 0;
  case KEY_MARCH:
    o->march = arg;
    return 0;
  case 'O':
    o->optimize = (int)option_number(state, "-O", arg, 0, 3);
    return 0;
  case 'j':
    o->jobs = (int)option_number(state, "-j", arg, 1, MAX_JOBS);
    return 0;
  case KEY_KEEP:
    o->keep = true;
    return 0;
  case KEY_WERROR:
    o->werror = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option run_options[] = {
  {"threads", KEY_THREADS, "N", 0, "Threads of the program", 0},
  {0},
};

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  if (key != KEY_THREADS) {
    return ARGP_ERR_UNKNOWN;
  }
  o->threads = (int)option_number(state, "--threads", arg, 1, MAX_THREADS);
  return 0;
}

static const struct Group {
  char letter;
  struct argp argp;
} groups[] = {
  {'m', {.options = model_options, .parser = parse_model}},
  {'d', {.options = dump_options, .parser = parse_dump}},
  {'l', {.options = level_options, .parser = parse_level}},
  {'w', {.options = rewrite_options, .parser = parse_rewrite}},
  {'e', {.options = emit_options, .parser = parse_emit}},
  {'f', {.options = out_options, .parser = parse_out}},
  {'c', {.options = cc_options, .parser = parse_cc}},
  {'r', {.options = run_options, .parser = parse_run}},
  {'b', {.options = bench_options, .parser = bench_parse}},
  {'i', {.options = interpret_options, .parser = interpret_parse}},
  {'g', {.options = gradcheck_options, .parser = gradcheck_parse}},
  {'h', {.options = explain_options, .parser = explain_parse}},
  {'z', {.options = freeze_options, .parser = freeze_parse}},
  {'o', {.options = ops_options, .parser = ops_parse}},
};

/* The parsers of a command's groups; their number. */
static int find_groups(const Subcommand *command, struct argp_child *children)
{
  int n = 0;
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
    if (strchr(command->groups, groups[i].letter)) {
      children[n++].argp = &groups[i].argp;
    }
  }
  return n;
}

static bool takes_model(const Options *o)
{
  return strchr(o->command->groups, 'm') != NULL;
}

static void take_argument(Options *o, char *arg, struct argp_state *state)
{
  if (strchr(o->command->groups, 'z') && o->model.n > 0 && o->weights.n == 0) {
    o->weights = str_of(arg);
    return;
  }
  if (!takes_model(o) || o->model.n > 0) {
    argp_error(state, "too many arguments: '%s'", arg);
  }
  o->model = str_of(arg);
  if (strchr(o->command->groups, 'r')) { /* the rest belongs to the program */
    o->nrest = state->argc - state->next;
    o->rest = state->argv + state->next;
    state->next = state->argc;
  }
}

/* The parser that stands above the groups: the model's path, and its absence. */
static error_t parse_command(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  struct argp_child children[MAX_GROUPS + 1];
  switch (key) {
  case ARGP_KEY_INIT:
    for (int i = find_groups(o->command, children); i > 0; i--) {
      state->child_inputs[i - 1] = o;
    }
    return 0;
  case ARGP_KEY_ARG:
    take_argument(o, arg, state);
    return 0;
  case ARGP_KEY_END:
    if (takes_model(o) && o->model.n == 0 && !o->list_passes) {
      argp_error(state, "which model? A .rank file is needed");
    }
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

void options_parse(const Subcommand *command, int argc, char **argv, Options *o)
{
  struct argp_child children[MAX_GROUPS + 1] = {0};
  o->command = command;
  find_groups(command, children);
  bool runs = strchr(command->groups, 'r') != NULL;
  struct argp argp = {
    .parser = parse_command,
    .args_doc = runs                           ? "MODEL.rank [ARGUMENTS]"
                : strchr(command->groups, 'z') ? "MODEL.rank WEIGHTS"
                : takes_model(o)               ? "MODEL.rank"
                                               : NULL,
    .doc = str_format(o->arena, "%s\v%s", command->doc, command->more).s,
    .children = children,
  };
  o->cc = RANKC_CC;
  o->march = "native";
  o->optimize = 2; /* kernels are unrolled by their own pragmas; more only takes longer */
  o->jobs = 2;
  o->level = FUSE_ALL;
  o->rewrite = true;
  o->max_rewrites = LONG_MAX;
  o->steps = 1;
  o->tolerance = 1e-5;
  o->probes = 24;
  bench_defaults(o);
  argp_err_exit_status = EXIT_USAGE;
  argv[0] = (char *)str_format(o->arena, "rankc %s", command->name).s;
  argp_parse(&argp, argc, argv, runs ? ARGP_IN_ORDER : 0, NULL, o);
}
