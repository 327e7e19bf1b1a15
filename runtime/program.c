/* program.c: the native program: which command, and what commands have in common. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "program.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct command_row {
  const char *name;
  program_command command;
  int (*run)(const rank_model *m, const program_options *o);
  const char *doc;
} command_row;

static const command_row commands[] = {
  {"train", PROGRAM_TRAIN, program_train, "train on a data file (or on made-up data)"},
  {"eval", PROGRAM_EVAL, program_eval, "loss and metrics on a data file"},
  {"predict", PROGRAM_PREDICT, program_predict, "outputs as CSV"},
  {"step", PROGRAM_STEP, program_step, "training steps on given tensors, to compare with others"},
  {"init", PROGRAM_INIT, program_init, "write initial parameters"},
  {"info", PROGRAM_INFO, program_info, "inputs, outputs, parameters"},
  {"synth", PROGRAM_SYNTH, program_synth, "made-up data in the model's format"},
  {"index", PROGRAM_INDEX, program_index,
    "an output's vectors of a catalogue, as a file to search in"},
  {"search", PROGRAM_SEARCH, program_search, "the nearest items in an index, by inner product"},
  {"export", PROGRAM_EXPORT, program_export, "a fitted forest, as a LightGBM model"},
  {"quantize", PROGRAM_QUANTIZE, program_quantize,
    "weights to serve from, their tables in fewer bits"},
  {"bench", PROGRAM_BENCH, program_bench, "how long predictions take on this machine"}};

static const size_t ncommands = sizeof commands / sizeof *commands;

/* --- shared by commands --- */

int program_error(const rank_model *m, const rank_error *e)
{
  fflush(stdout);
  fprintf(stderr, "%s: error: %s\n", m->name, e->text);
  return 1;
}

long program_processors(void)
{
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
    return CPU_COUNT(&set);
  }
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? n : 1;
}

static volatile int stop_signal; /* set by the handler, looked at between steps */

static void on_signal(int number)
{
  stop_signal = number;
}

const volatile int *program_signals(void)
{
  static int caught;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  if (!caught) {
    caught = 1;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
  }
  return &stop_signal;
}

int program_check_writable(const char *path, rank_error *e)
{
  rank_file f;
  if (rank_file_create(&f, path, e) != 0) {
    return -1;
  }
  rank_file_discard(&f);
  return 0;
}

int program_open(program_model *p, const rank_model *m, const char *load, rank_error *e)
{
  *p = (program_model){.enc = rank_encoders_new(m)};
  if (p->enc == NULL) {
    return rank_fail(e, "out of memory");
  }
  int failed = 0;
  if (load != NULL) {
    failed = rank_weights_open(&p->weights, m, load, e);
    p->loaded = !failed;
    failed = failed || rank_weights_encoders(&p->weights, p->enc, e);
  }
  if (failed) {
    program_close(p, m);
  }
  return failed ? -1 : 0;
}

int program_fill(
  program_model *p, const rank_model *m, int training, uint64_t seed, int threads, rank_error *e)
{
  long *rows = calloc((size_t)m->nparams + 1, sizeof *rows);
  if (rows == NULL) {
    return rank_fail(e, "out of memory");
  }
  int known = rank_encoders_fitted(p->enc) || !p->loaded;
  int failed = rank_state_rows(m, known ? p->enc : NULL, rows, e) ||
               (p->loaded && rank_weights_rows(&p->weights, m, rows, e)) ||
               rank_state_new(&p->state, m, rows, training, e);
  free(rows);
  if (failed) {
    return -1;
  }
  if (p->loaded) {
    return rank_weights_read(&p->weights, m, &p->state, &p->at, e);
  }
  rank_state_init(&p->state, m, seed, threads);
  p->at = (rank_position){.seed = seed, .best = (double)__builtin_nanf("")};
  return 0;
}

void program_close(program_model *p, const rank_model *m)
{
  if (p->loaded) {
    rank_weights_close(&p->weights);
  }
  if (p->state.param != NULL) {
    rank_state_free(&p->state, m);
  }
  rank_encoders_free(p->enc);
  *p = (program_model){0};
}

/* The usual place for caches, or NULL when it cannot be written. malloc'd. */
static char *usual_cache(void)
{
  const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char *path = NULL;
  int n = -1;
  if (base != NULL && base[0] == '/' && access(base, W_OK) == 0) {
    n = asprintf(&path, "%s/rankc", base);
  } else if (home != NULL && home[0] == '/' && access(home, W_OK) == 0) {
    n = asprintf(&path, "%s/.cache/rankc", home);
  }
  return n < 0 ? NULL : path;
}

static void show_reading(void *log, double fraction)
{
  rank_log_progress(log, fraction, "reading data");
}

rank_data *program_data(const rank_model *m, const program_options *o, rank_encoders *enc,
  const char *path, int labels, int fit, rank_log *log, rank_error *e)
{
  char *usual = o->cache == NULL && !o->no_cache ? usual_cache() : NULL;
  rank_data_options options = {.labels = labels,
    .fit = fit,
    .cache_dir = o->no_cache        ? NULL
                 : o->cache != NULL ? o->cache
                                    : usual,
    .threads = (int)o->threads,
    .progress = show_reading,
    .progress_arg = log};
  rank_data *data = rank_data_open(m, enc, path, &options, e);
  rank_log_clear(log);
  free(usual);
  return data;
}

int program_made_up(const rank_model *m, long rows, char path[64], rank_error *e)
{
  const char *folder = getenv("TMPDIR");
  snprintf(path, 64, "%.40s/rank-XXXXXX",
    folder != NULL && folder[0] != '\0' && strlen(folder) <= 40 ? folder : "/tmp");
  int fd = mkstemp(path);
  FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
  if (out == NULL) {
    int failed = rank_fail(e, "%s: cannot write made-up data: %s", path, strerror(errno));
    path[0] = '\0';
    return failed;
  }
  rank_synth synth = {.rows = rows, .seed = 1};
  rank_error why;
  int failed =
    rank_synth_write(m, &synth, out, &why) ? rank_fail(e, "%s: %.900s", path, why.text) : 0;
  if (fclose(out) != 0 && !failed) {
    failed = rank_fail(e, "%s: cannot write: %s", path, strerror(errno));
  }
  return failed;
}

void program_outputs_free(const rank_model *m, rank_real **value)
{
  for (int i = 0; value != NULL && i < m->noutputs; i++) {
    free(value[i]);
  }
  free(value);
}

rank_real **program_outputs_new(const rank_model *m, long rows)
{
  rank_real **value = calloc((size_t)m->noutputs + 1, sizeof *value);
  for (int i = 0; value != NULL && i < m->noutputs; i++) {
    size_t width = (size_t)m->outputs[i].width;
    if (!m->outputs[i].hidden) {
      value[i] = calloc((size_t)rows, width * sizeof **value + 1);
      if (value[i] == NULL) {
        program_outputs_free(m, value);
        return NULL;
      }
    }
  }
  return value;
}

/* --- choosing the command --- */

static int usage(const rank_model *m, FILE *out)
{
  fprintf(out, "Usage: %s COMMAND [OPTION...]\n", m->name);
  if (m->doc != NULL && m->doc[0] != '\0') {
    fprintf(out, "%s\n", m->doc);
  }
  fputc('\n', out);
  for (size_t i = 0; i < ncommands; i++) {
    fprintf(out, "  %-9s%s\n", commands[i].name, commands[i].doc);
  }
  fprintf(out, "\n`%s COMMAND --help' lists a command's options.\n", m->name);
  return out == stdout ? 0 : 2;
}

static int finish(const rank_model *m, int code)
{
  if (code == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
    fprintf(stderr, "%s: error: cannot write to standard output: %s\n", m->name, strerror(errno));
    return 1;
  }
  return code;
}

int rank_program(const rank_model *m, int argc, char **argv)
{
  signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error like a full disk, not a death */
  const char *word = argc > 1 ? argv[1] : "";
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "-?") == 0 ||
      strcmp(word, "help") == 0) {
    return finish(m, usage(m, stdout));
  }
  if (strcmp(word, "--version") == 0) {
    printf("%s, made by rankc %s\n", m->name, m->rankc);
    return finish(m, 0);
  }
  for (size_t i = 0; i < ncommands; i++) {
    if (strcmp(word, commands[i].name) == 0) {
      program_options o;
      program_parse(m, commands[i].command, commands[i].name, argc - 1, argv + 1, &o);
      return finish(m, commands[i].run(m, &o));
    }
  }
  if (argc > 1) {
    fprintf(stderr, "%s: error: no command \"%s\"\n", m->name, word);
  }
  return usage(m, stderr);
}
