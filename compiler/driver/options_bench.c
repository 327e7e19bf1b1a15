/* options_bench.c: the options of `rankc bench`. */

#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 256, MAX_ROUNDS = 100000, MAX_BATCHES = 10000 };

enum {
  KEY_LEVELS = 512,
  KEY_REWRITES,
  KEY_BATCH,
  KEY_BATCHES,
  KEY_THREADS,
  KEY_SECONDS,
  KEY_ROUNDS,
  KEY_ZIPF,
  KEY_LENGTHS,
  KEY_VOCAB,
  KEY_SEED,
  KEY_GROUPS,
  KEY_CSV,
  KEY_SVG
};

const struct argp_option bench_options[] = {
  {"levels", KEY_LEVELS, "LIST", 0,
    "Which of off,loops,tiles,all (default: all of them); the first is what the others are "
    "compared "
    "with",
    0},
  {"rewrites", KEY_REWRITES, "both|on|off", 0, "With or without rewrites (default both)", 0},
  {"batch", KEY_BATCH, "N", 0, "Samples in a batch (default: what the model trains with)", 0},
  {"batches", KEY_BATCHES, "N", 0, "Batches that take turns (default 8)", 0},
  {"threads", KEY_THREADS, "N", 0, "Threads (default: one for each processor)", 0},
  {"seconds", KEY_SECONDS, "X", 0, "Time for each level, forward and training (default 1)", 0},
  {"rounds", KEY_ROUNDS, "N", 0, "Turns that this time is cut into (default 9)", 0},
  {"zipf", KEY_ZIPF, "X", 0, "Ids by Zipf's law with this exponent (default: all alike)", 0},
  {"lengths", KEY_LENGTHS, "N|N..M", 0,
    "Lengths of lists (default: from 1 to the longest the model allows)", 0},
  {"vocab", KEY_VOCAB, "N", 0, "Size of vocabularies that are learnt (default 10000)", 0},
  {"seed", KEY_SEED, "N", 0, "Of data and parameters (default 1)", 0},
  {"groups", KEY_GROUPS, NULL, 0, "Also where the time of the last level goes, by group", 0},
  {"csv", KEY_CSV, "FILE", 0, "What was measured, for programs", 0},
  {"svg", KEY_SVG, "FILE", 0, "A chart", 0},
  {0},
};

void bench_defaults(Options *o)
{
  o->bench_levels = 15;
  o->bench_rewrites = 3;
  o->batches = 8;
  o->vocab = 10000;
  o->rounds = 9;
  o->seed = 1;
  o->seconds = 1;
}

static double real_number(
  const struct argp_state *state, const char *what, const char *text, double low, double high)
{
  char *end;
  errno = 0;
  double x = strtod(text, &end);
  if (errno != 0 || end == text || *end != '\0' || !(x >= low && x <= high)) {
    argp_error(state, "%s: '%s' is not a number from %g to %g", what, text, low, high);
  }
  return x;
}

/* off,all: bits by their order. */
static unsigned level_bits(const Options *o, const struct argp_state *state, const char *text)
{
  unsigned bits = 0;
  for (size_t n; *text != '\0'; text += n + (text[n] == ',')) {
    n = strcspn(text, ",");
    const char *word = str_copy(o->arena, (Str){text, (int)n}).s;
    bits |= 1u << option_word(state, "--levels", word, 4, fuse_words);
  }
  return bits;
}

static void set_lengths(Options *o, const struct argp_state *state, const char *text)
{
  const char *dots = strstr(text, "..");
  const char *low = dots ? str_copy(o->arena, (Str){text, (int)(dots - text)}).s : text;
  o->length_low = option_number(state, "--lengths", low, 0, INT_MAX);
  o->length_high = dots ? option_number(state, "--lengths", dots + 2, 0, INT_MAX) : o->length_low;
  if (o->length_high < o->length_low || o->length_high < 1) {
    argp_error(state, "--lengths: '%s' is no range of lengths", text);
  }
}

/* What data is made, and how it is measured. */
static error_t parse_data(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_BATCH:
    o->samples = option_number(state, "--batch", arg, 1, INT_MAX);
    return 0;
  case KEY_BATCHES:
    o->batches = option_number(state, "--batches", arg, 1, MAX_BATCHES);
    return 0;
  case KEY_ZIPF:
    o->zipf = real_number(state, "--zipf", arg, 0, 10);
    return 0;
  case KEY_LENGTHS:
    set_lengths(o, state, arg);
    return 0;
  case KEY_VOCAB:
    o->vocab = option_number(state, "--vocab", arg, 2, INT_MAX);
    return 0;
  case KEY_SEED:
    o->seed = option_number(state, "--seed", arg, 0, LONG_MAX);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

error_t bench_parse(int key, char *arg, struct argp_state *state)
{
  static const char *const rewrites[] = {"off", "on", "both"};
  Options *o = state->input;
  switch (key) {
  case KEY_LEVELS:
    o->bench_levels = level_bits(o, state, arg);
    return 0;
  case KEY_REWRITES:
    o->bench_rewrites = 1u + (unsigned)option_word(state, "--rewrites", arg, 3, rewrites);
    return 0;
  case KEY_THREADS:
    o->threads = (int)option_number(state, "--threads", arg, 1, MAX_THREADS);
    return 0;
  case KEY_SECONDS:
    o->seconds = real_number(state, "--seconds", arg, 1e-3, 1e5);
    return 0;
  case KEY_ROUNDS:
    o->rounds = option_number(state, "--rounds", arg, 1, MAX_ROUNDS);
    return 0;
  case KEY_GROUPS:
    o->groups = true;
    return 0;
  case KEY_CSV:
    o->csv = str_of(arg);
    return 0;
  case KEY_SVG:
    o->svg = str_of(arg);
    return 0;
  default:
    return parse_data(key, arg, state);
  }
}
