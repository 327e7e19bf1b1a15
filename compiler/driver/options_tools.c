/* options_tools.c: the options of the tools beside the compiler: interpret, explain, ops, gradcheck, freeze. */

#include "options.h"

#include <limits.h>
#include <stdlib.h>

enum {
  KEY_LOAD = 768,
  KEY_BATCH,
  KEY_STEPS,
  KEY_JITTER,
  KEY_MARKDOWN,
  KEY_TOLERANCE,
  KEY_PROBES,
  KEY_HTML,
  KEY_BENCH,
  KEY_BESIDE
};

const struct argp_option interpret_options[] = {
  {"load", KEY_LOAD, "FILE", 0, "Parameters (safetensors)", 0},
  {"batch", KEY_BATCH, "FILE", 0, "Inputs and labels (safetensors)", 0},
  {"steps", KEY_STEPS, "N", 0, "Training steps on that batch (default 1; 0: outputs only)", 0},
  {"jitter", KEY_JITTER, "SEED", 0,
    "Every result that is rounded is moved to a neighbouring number or not, at random: what "
    "differs between "
    "seeds is what rounding may do",
    0},
  {"out", 'o', "FILE", 0, "Where outputs, loss, gradients and new parameters go", 0},
  {0},
};

error_t interpret_parse(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_LOAD:
    o->load = str_of(arg);
    return 0;
  case KEY_BATCH:
    o->batch = str_of(arg);
    return 0;
  case KEY_STEPS:
    o->steps = option_number(state, "--steps", arg, 0, INT_MAX);
    return 0;
  case KEY_JITTER:
    o->jitter = option_number(state, "--jitter", arg, 0, LONG_MAX);
    return 0;
  case 'o':
    o->out = str_of(arg);
    return 0;
  case ARGP_KEY_END:
    if (o->load.n == 0 || o->batch.n == 0 || o->out.n == 0) {
      argp_error(state, "--load, --batch and --out are needed");
    }
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

const struct argp_option ops_options[] = {
  {"markdown", KEY_MARKDOWN, NULL, 0, "As a Markdown table", 0},
  {0},
};

error_t ops_parse(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  (void)arg;
  if (key != KEY_MARKDOWN) {
    return ARGP_ERR_UNKNOWN;
  }
  o->markdown = true;
  return 0;
}

const struct argp_option explain_options[] = {
  {"html", KEY_HTML, "FILE", 0,
    "A page instead of text: the graph (drawn by graphviz) beside the model and the C", 0},
  {"bench", KEY_BENCH, "FILE.csv", 0,
    "On the page also the time of each group: what `rankc bench --groups --csv' wrote", 0},
  {0},
};

error_t explain_parse(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  switch (key) {
  case KEY_HTML:
    o->html = str_of(arg);
    return 0;
  case KEY_BENCH:
    o->bench = str_of(arg);
    return 0;
  case ARGP_KEY_END:
    if (o->bench.n > 0 && o->html.n == 0) {
      argp_error(state, "--bench needs --html");
    }
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

const struct argp_option freeze_options[] = {
  {"beside", KEY_BESIDE, NULL, 0,
    "The weights in a file of their own, which processes share, instead of inside the C", 0},
  {0},
};

error_t freeze_parse(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  (void)arg;
  switch (key) {
  case KEY_BESIDE:
    o->beside = true;
    return 0;
  case ARGP_KEY_END:
    if (o->weights.n == 0) {
      argp_error(state, "which weights? A file that `NAME train` has saved is needed");
    }
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

const struct argp_option gradcheck_options[] = {
  {"tolerance", KEY_TOLERANCE, "X", 0, "The largest relative error (default 1e-5)", 0},
  {"probes", KEY_PROBES, "N", 0, "Elements of each parameter that are tried (default 24)", 0},
  {0},
};

error_t gradcheck_parse(int key, char *arg, struct argp_state *state)
{
  Options *o = state->input;
  char *end = NULL;
  switch (key) {
  case KEY_TOLERANCE:
    o->tolerance = strtod(arg, &end);
    if (end == arg || *end != '\0' || !(o->tolerance > 0 && o->tolerance < 1)) {
      argp_error(state, "--tolerance: '%s' is not a number between 0 and 1", arg);
    }
    return 0;
  case KEY_PROBES:
    o->probes = option_number(state, "--probes", arg, 1, INT_MAX);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}
