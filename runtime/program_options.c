/* program_options.c: the command line.
 *
 * One idea: one table of options, each marked with the commands that know it; argp gets the rows of the
 * command at hand and prints --help from them. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "program.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  KEY_DATA = 256,
  KEY_VALID,
  KEY_SPLIT,
  KEY_EPOCHS,
  KEY_BATCH,
  KEY_BATCH_FILE,
  KEY_THREADS,
  KEY_SEED,
  KEY_LR,
  KEY_LOAD,
  KEY_SAVE,
  KEY_OUT,
  KEY_LOG,
  KEY_LOG_EVERY,
  KEY_PLOT,
  KEY_CACHE,
  KEY_NO_CACHE,
  KEY_QUIET,
  KEY_JSON,
  KEY_STEPS,
  KEY_ROWS,
  KEY_FUNNEL,
  KEY_CSV,
  KEY_PATIENCE,
  KEY_CHECKPOINT,
  KEY_INDEX,
  KEY_CATALOGUE,
  KEY_OUTPUT,
  KEY_ID,
  KEY_EXCLUDE,
  KEY_K,
  KEY_LIGHTGBM,
  KEY_FIT,
  KEY_FORMAT,
  KEY_APPROXIMATE,
  KEY_TABLES,
  KEY_AGAINST,
  KEY_ONLINE,
  KEY_FOLLOW,
  KEY_ACK,
  KEY_SECONDS,
  KEY_FROM_START,
  KEY_CANDIDATES,
  MOST_OPTIONS = 56
};

enum {
  T = PROGRAM_TRAIN,
  E = PROGRAM_EVAL,
  P = PROGRAM_PREDICT,
  S = PROGRAM_STEP,
  I = PROGRAM_INIT,
  F = PROGRAM_INFO,
  Y = PROGRAM_SYNTH,
  X = PROGRAM_INDEX,
  Q = PROGRAM_SEARCH,
  B = PROGRAM_BENCH,
  O = PROGRAM_EXPORT,
  Z = PROGRAM_QUANTIZE
};

static const struct {
  int commands;
  struct argp_option option;
} table[] = {{T, {"data", KEY_DATA, "FILE", 0,
                   "Training data, - for standard input. Without: made-up data", 0}},
  {E | P | Q, {"data", KEY_DATA, "FILE", 0, "The data, - for standard input", 0}},
  {X, {"data", KEY_DATA, "FILE", 0, "The catalogue: a row for each item", 0}},
  {T, {"valid", KEY_VALID, "FILE", 0, "Data to validate on after each epoch", 0}},
  {T, {"valid-split", KEY_SPLIT, "X", 0, "Validate on this share of --data: its last rows", 0}},
  {T, {"epochs", KEY_EPOCHS, "N", 0, "Epochs in all, those of a loaded file included", 0}},
  {T | E | P | X | Q, {"batch", KEY_BATCH, "N", 0, "Samples in a batch", 0}},
  {S, {"batch", KEY_BATCH_FILE, "FILE", 0, "Inputs and labels, safetensors", 0}},
  {S, {"steps", KEY_STEPS, "N", 0, "Updates, all on this batch (default 1)", 0}},
  {T | S, {"lr", KEY_LR, "X", 0, "Learning rate, before the schedule", 0}},
  {T | I, {"seed", KEY_SEED, "N", 0, "Of the first weights, the order of samples and dropout", 0}},
  {Y, {"seed", KEY_SEED, "N", 0, "Another seed, other data (default 1)", 0}},
  {Z, {"load", KEY_LOAD, "FILE", 0, "The full weights, safetensors", 0}},
  {Z, {"tables", KEY_TABLES, "[NAME=]KIND,...", 0,
        "f16, bf16 or int8 (with a factor for each row), of one table or of all", 0}},
  {E, {"against", KEY_AGAINST, "FILE", 0, "Also evaluate these weights; tell the difference", 0}},
  {T | E | P | S | X | Q, {"load", KEY_LOAD, "FILE", 0, "Weights to start from, safetensors", 0}},
  {O, {"load", KEY_LOAD, "FILE", 0, "The weights that have the forest, safetensors", 0}},
  {O, {"lightgbm", KEY_LIGHTGBM, "FILE", 0, "Where the forest goes, as LightGBM's text", 0}},
  {O, {"fit", KEY_FIT, "NAME", 0, "Which fit's, when several have one", 0}},
  {F, {"load", KEY_LOAD, "FILE", 0, "Also tell of these weights", 0}},
  {T, {"save", KEY_SAVE, "FILE", 0, "Where the weights go (default NAME.safetensors)", 0}},
  {T, {"checkpoint-every", KEY_CHECKPOINT, "N", 0,
        "Also save after every N steps (rows, online): --load FILE goes on to the same bits", 0}},
  {T, {"online", KEY_ONLINE, NULL, 0,
        "Learn row by row as rows come, each scored first; FILE may follow, and is standard input "
        "when nothing is said. Encodings and fits stay as they are in --load",
        0}},
  {T, {"follow", KEY_FOLLOW, NULL, 0, "Online: wait at the end of FILE for it to grow", 0}},
  {T,
    {"ack", KEY_ACK, NULL, 0,
      "Online: after each save, print how many rows are safe; all else goes to standard error", 0}},
  {T, {"checkpoint-seconds", KEY_SECONDS, "S", 0,
        "Online: most time between a row and the save that has it (default 10)", 0}},
  {T, {"from-start", KEY_FROM_START, NULL, 0,
        "Online: FILE is another one than --load stands in, begin at its first row", 0}},
  {I, {"save", KEY_SAVE, "FILE", 0, "Where the weights go", 0}},
  {P | S | Y | Q, {"out", KEY_OUT, "FILE", 0, "Where the result goes", 0}},
  {X, {"out", 'o', "FILE", 0, "Where the index goes", 0}},
  {Z, {"out", 'o', "FILE", 0, "Where the weights to serve from go", 0}},
  {Q, {"index", KEY_INDEX, "FILE", 0, "What `index' made", 0}},
  {E,
    {"catalogue", KEY_CATALOGUE, "FILE", 0,
      "Rank each row's item among all of this file's: recall, ndcg and mrr, and nothing else", 0}},
  {E, {"index", KEY_INDEX, "FILE", 0, "The same, with the items of an index", 0}},
  {P | X | Q, {"output", KEY_OUTPUT, "NAME", 0,
                "Which output; default of index and search: what recall, ndcg or mrr compares", 0}},
  {X, {"id", KEY_ID, "COLUMN", 0, "Column of the items' ids (default: the row's number)", 0}},
  {E, {"id", KEY_ID, "COLUMN", 0,
        "Column that says which item of the catalogue a row's is (default: the model's input)", 0}},
  {E | Q, {"exclude", KEY_EXCLUDE, "INPUT", 0, "Leave out the items with ids of this input", 0}},
  {Q, {"k", KEY_K, "N", 0, "Items for each query (default 10)", 0}},
  {Q,
    {"approximate", KEY_APPROXIMATE, NULL, 0,
      "Through a graph of hnswlib, built first; says what share of the exact result it finds", 0}},
  {P | Q, {"format", KEY_FORMAT, "csv|jsonl", 0, "A line per item, or per row (default csv)", 0}},
  {T, {"log", KEY_LOG, "FILE", 0, "A line of JSON per epoch and per some steps", 0}},
  {T, {"plot", KEY_PLOT, "FILE.svg", 0, "Learning curves, drawn anew after every epoch", 0}},
  {T, {"log-every", KEY_LOG_EVERY, "N", 0,
        "Steps between lines of --log (default 100); online: rows between lines (10000)", 0}},
  {T, {"patience", KEY_PATIENCE, "N", 0,
        "Stop after N epochs without a better one (0: never); the best one's weights are kept", 0}},
  {T | E | P | S | X | Q,
    {"threads", KEY_THREADS, "N", 0, "Threads (default: all, or one if training is faster)", 0}},
  {T | E | P | X | Q | B,
    {"cache", KEY_CACHE, "DIR", 0, "Where encoded data is kept (default ~/.cache/rankc)", 0}},
  {T | E | P | X | Q | B, {"no-cache", KEY_NO_CACHE, NULL, 0, "Keep no encoded data", 0}},
  {T, {"quiet", KEY_QUIET, NULL, 0, "Say nothing unless something is wrong", 0}},
  {T, {"rows", KEY_ROWS, "N", 0, "Rows of made-up data (default 20000)", 0}},
  {Y, {"rows", KEY_ROWS, "N", 0, "How many", 0}},
  {B, {"data", KEY_DATA, "FILE", 0, "Rows to predict. Without: made-up data", 0}},
  {B, {"load", KEY_LOAD, "FILE", 0, "Weights, safetensors. Without: first ones", 0}},
  {B, {"threads", KEY_THREADS, "N", 0, "Threads that predict at once (default 1)", 0}},
  {B, {"rows", KEY_ROWS, "N", 0, "Rows of made-up data (default 8192)", 0}},
  {B, {"candidates", KEY_CANDIDATES, "N", 0, "Requests alone, with N candidates each", 0}},
  {B, {"csv", KEY_CSV, NULL, 0, "As CSV", 0}},
  {Y, {"funnel", KEY_FUNNEL, NULL, 0, "A label can be 1 only where the one before it is", 0}},
  {E | F, {"json", KEY_JSON, NULL, 0, "As JSON", 0}}};

typedef struct parsing {
  program_options *o;
  program_command command;
} parsing;

/* --- values --- */

static long whole(const char *text, long low, const char *name, struct argp_state *state)
{
  char *end = NULL;
  errno = 0;
  long x = strtol(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || x < low || x > INT_MAX) {
    argp_error(state, "--%s is \"%s\", wanted a whole number of at least %ld", name, text, low);
  }
  return x;
}

static double number(const char *text, double high, const char *name, struct argp_state *state)
{
  char *end = NULL;
  double x = strtod(text, &end);
  if (end == text || *end != '\0' || !isfinite(x) || x <= 0 || x >= high) {
    argp_error(state, "--%s is \"%s\", wanted a number above 0%s", name, text,
      high < 2 ? " and below 1" : "");
  }
  return x;
}

static uint64_t seed_of(const char *text, struct argp_state *state)
{
  char *end = NULL;
  errno = 0;
  unsigned long long x = strtoull(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || text[0] < '0' || text[0] > '9') {
    argp_error(state, "--seed is \"%s\", wanted a whole number of at least 0", text);
  }
  return x;
}

static int parse_text(program_options *o, int key, const char *arg)
{
  const struct {
    int key;
    const char **to;
  } rows[] = {{KEY_DATA, &o->data}, {KEY_VALID, &o->valid}, {KEY_LOAD, &o->load},
    {KEY_SAVE, &o->save}, {KEY_OUT, &o->out}, {KEY_LOG, &o->log}, {KEY_CACHE, &o->cache},
    {KEY_BATCH_FILE, &o->batch_file}, {'o', &o->out}, {KEY_INDEX, &o->index},
    {KEY_CATALOGUE, &o->catalogue}, {KEY_OUTPUT, &o->output}, {KEY_ID, &o->id},
    {KEY_EXCLUDE, &o->exclude}, {KEY_LIGHTGBM, &o->lightgbm}, {KEY_FIT, &o->fit},
    {KEY_TABLES, &o->tables}, {KEY_AGAINST, &o->against}, {KEY_PLOT, &o->plot}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].key == key) {
      *rows[i].to = arg;
      return 1;
    }
  }
  return 0;
}

static int parse_count(program_options *o, int key, const char *arg, struct argp_state *state)
{
  const struct {
    int key;
    long *to, low;
    const char *name;
  } rows[] = {{KEY_EPOCHS, &o->epochs, 1, "epochs"}, {KEY_BATCH, &o->batch, 1, "batch"},
    {KEY_THREADS, &o->threads, 1, "threads"}, {KEY_STEPS, &o->steps, 0, "steps"},
    {KEY_ROWS, &o->rows, 1, "rows"}, {KEY_PATIENCE, &o->patience, 0, "patience"},
    {KEY_LOG_EVERY, &o->log_every, 1, "log-every"},
    {KEY_CHECKPOINT, &o->checkpoint, 1, "checkpoint-every"}, {KEY_K, &o->k, 1, "k"},
    {KEY_CANDIDATES, &o->candidates, 1, "candidates"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].key == key) {
      *rows[i].to = whole(arg, rows[i].low, rows[i].name, state);
      return 1;
    }
  }
  return 0;
}

static int parse_flag(program_options *o, int key)
{
  const struct {
    int key, *to;
  } rows[] = {{KEY_NO_CACHE, &o->no_cache}, {KEY_QUIET, &o->quiet}, {KEY_JSON, &o->json},
    {KEY_FUNNEL, &o->funnel}, {KEY_CSV, &o->csv}, {KEY_APPROXIMATE, &o->approximate},
    {KEY_ONLINE, &o->online}, {KEY_FOLLOW, &o->follow}, {KEY_ACK, &o->ack},
    {KEY_FROM_START, &o->from_start}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].key == key) {
      *rows[i].to = 1;
      return 1;
    }
  }
  return 0;
}

/* --- rules --- */

static void require(const char *value, const char *name, struct argp_state *state)
{
  if (value == NULL) {
    argp_error(state, "--%s is missing", name);
  }
}

/* Of learning row by row. */
static void check_online(const program_options *o, struct argp_state *state)
{
  const struct {
    int online, given;
    const char *name;
  } rows[] = {{0, o->follow, "follow"}, {0, o->ack, "ack"}, {0, o->from_start, "from-start"},
    {0, o->seconds > 0, "checkpoint-seconds"}, {1, o->valid != NULL, "valid"},
    {1, o->valid_split > 0, "valid-split"}, {1, o->epochs > 0, "epochs"}, {1, o->rows > 0, "rows"},
    {1, o->patience >= 0, "patience"}, {1, o->plot != NULL, "plot"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].given && rows[i].online == o->online) {
      argp_error(state, o->online ? "--online and --%s exclude each other" : "--%s needs --online",
        rows[i].name);
    }
  }
  if (o->follow && (o->data == NULL || strcmp(o->data, "-") == 0)) {
    argp_error(state, "--follow needs a file");
  }
}

static void check_options(const parsing *p, struct argp_state *state)
{
  const program_options *o = p->o;
  if (p->command & T) {
    check_online(o, state);
  }
  if (p->command & (E | P | X | Q)) {
    require(o->data, "data FILE", state);
  }
  if (p->command & O) {
    require(o->lightgbm, "lightgbm FILE", state);
  }
  if (p->command & (E | P | S | X | Q | O | Z)) {
    require(o->load, "load FILE", state);
  }
  if (p->command & Z) {
    require(o->tables, "tables KIND", state);
  }
  if (p->command & (X | Z)) {
    require(o->out, "out FILE", state);
  }
  if (p->command & Q) {
    require(o->index, "index FILE", state);
  }
  if (p->command & S) {
    require(o->batch_file, "batch FILE", state);
    require(o->out, "out FILE", state);
  }
  if (p->command & I) {
    require(o->save, "save FILE", state);
  }
  if ((p->command & Y) && o->rows == 0) {
    argp_error(state, "--rows N is missing");
  }
  if (o->index != NULL && o->catalogue != NULL) {
    argp_error(state, "--index and --catalogue exclude each other");
  }
  if ((p->command & E) && (o->id || o->exclude) && !o->index && !o->catalogue) {
    argp_error(state, "--%s needs --catalogue or --index", o->id ? "id" : "exclude");
  }
  if (o->against != NULL && (o->index != NULL || o->catalogue != NULL)) {
    argp_error(state, "--against does not go with --catalogue or --index");
  }
  if (o->against != NULL && o->data != NULL && strcmp(o->data, "-") == 0) {
    argp_error(state, "--against reads the data twice, which standard input is not");
  }
  if (o->valid != NULL && o->valid_split > 0) {
    argp_error(state, "--valid and --valid-split exclude each other");
  }
  if (o->data == NULL && o->valid != NULL) {
    argp_error(state, "--valid needs --data");
  }
  if (o->cache != NULL && o->no_cache) {
    argp_error(state, "--cache and --no-cache exclude each other");
  }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  const parsing *p = state->input;
  program_options *o = p->o;
  if (parse_text(o, key, arg) || parse_count(o, key, arg, state) || parse_flag(o, key)) {
    return 0;
  }
  switch (key) {
  case KEY_SPLIT:
    o->valid_split = number(arg, 1, "valid-split", state);
    return 0;
  case KEY_LR:
    o->lr = number(arg, HUGE_VAL, "lr", state);
    return 0;
  case KEY_SEED:
    o->seed = seed_of(arg, state);
    o->has_seed = 1;
    return 0;
  case KEY_SECONDS:
    o->seconds = number(arg, HUGE_VAL, "checkpoint-seconds", state);
    return 0;
  case KEY_FORMAT:
    o->jsonl = strcmp(arg, "jsonl") == 0;
    if (!o->jsonl && strcmp(arg, "csv") != 0) {
      argp_error(state, "--format is \"%s\", wanted csv or jsonl", arg);
    }
    return 0;
  case ARGP_KEY_ARG:
    if (o->online && o->data == NULL) { /* --online FILE */
      o->data = arg;
      return 0;
    }
    argp_error(state, "\"%s\" belongs to no option", arg);
    return 0;
  case ARGP_KEY_END:
    check_options(p, state);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const char *command_doc(program_command command)
{
  switch (command) {
  case PROGRAM_TRAIN:
    return "Trains on a data file and saves the weights. Ctrl-C finishes the step and saves.";
  case PROGRAM_EVAL:
    return "Prints loss and metrics on a data file.";
  case PROGRAM_PREDICT:
    return "Writes the outputs for each row of a data file as CSV.";
  case PROGRAM_STEP:
    return "Reads inputs and labels as tensors; writes outputs, loss and gradients (grad.NAME) "
           "before the first update, and parameters after the updates.";
  case PROGRAM_INIT:
    return "Writes the model's first parameters.";
  case PROGRAM_INFO:
    return "Tells of inputs, outputs, parameters, optimizer and data format.";
  case PROGRAM_SYNTH:
    return "Writes made-up data that the model can learn from, in its own format.";
  case PROGRAM_BENCH:
    return "Measures predictions as a server makes them: the time of a call at batch 1, 16 and 128 "
           "(median, 99 and 99.9 of 100), rows a second at 4096, for a second each. With inputs "
           "per "
           "request also requests, in turn with plain calls whose rows repeat the request.";
  case PROGRAM_EXPORT:
    return "Writes the forest of a fit (gbdt, forest) as a model that LightGBM loads.";
  case PROGRAM_QUANTIZE:
    return "Writes weights to serve from, with tables of halves, of the upper halves of floats, or "
           "of bytes. All that predicts reads them; they cannot be trained further.";
  case PROGRAM_INDEX:
    return "Writes the vectors of a catalogue's items to a file that `search' maps into memory.";
  case PROGRAM_SEARCH:
    return "For each row of the data, the items of an index with the largest inner product: CSV "
           "with "
           "query (the row's number, from 0), rank (from 1), id and score; equal scores by id.";
  }
  return "";
}

void program_parse(const rank_model *m, program_command command, const char *name, int argc,
  char **argv, program_options *o)
{
  static char title[256]; /* argp keeps pointing at it */
  struct argp_option options[MOST_OPTIONS] = {{0}};
  int n = 0;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (table[i].commands & (int)command) {
      options[n++] = table[i].option;
    }
  }
  snprintf(title, sizeof title, "%s %s", m->name, name);
  argv[0] = title;
  argp_err_exit_status = 2;
  *o = (program_options){.patience = -1, .steps = -1};
  parsing p = {o, command};
  struct argp argp = {.options = options, .parser = parse_option, .doc = command_doc(command)};
  argp_parse(&argp, argc, argv, 0, NULL, &p);
  o->fewer_threads = o->threads == 0;
  o->threads = o->threads > 0 ? o->threads : command == PROGRAM_BENCH ? 1 : program_processors();
}
