/* pipeline.c: see pipeline.h. The whole compiler in one list; each pass is one function of pass/. */

#include "pipeline.h"

#include "command.h"
#include "files.h"
#include "process.h"

#include "../front/front.h"
#include "../ir/verify.h"
#include "../pass/pass.h"

static Graph *simplify(Arena *a, const Graph *g, Diags *d)
{
  (void)d;
  return pass_simplify(a, g);
}

static Graph *rewrite(Arena *a, const Graph *g, Diags *d)
{
  (void)d;
  return pass_rewrite(a, g);
}

const Pass passes[] = {
  {"simplify", simplify, "the same values with less work"},
  {"rewrite", rewrite, "with less arithmetic, where that is cheaper"},
  {"grad", pass_grad, "with the gradient of the loss for each parameter"},
  {"tidy", simplify, "gradients simplified too: what is planned and emitted"},
};
const int npasses = sizeof passes / sizeof passes[0];

void session_time(const Session *s, const char *what, double start)
{
  if (s->options->verbose) {
    fprintf(stderr, "  %-12s %9.1f ms\n", what, now_ms() - start);
  }
}

/* Prints what was reported so far; the exit code that follows from it. */
static int report(Session *s)
{
  if (s->diags.list.n > 0) {
    diag_print(&s->diags, stderr);
  }
  return s->diags.errors > 0 ? EXIT_INPUT : EXIT_FINE;
}

/* A graph that breaks the graph's own rules is the compiler's fault, whatever the model says. */
static int verify(Session *s, const char *pass)
{
#ifdef RANKC_VERIFY
  bool wanted = true;
#else
  bool wanted = s->options->verify;
#endif
  if (wanted && !verify_graph(s->graph, *s->options->arena, &s->diags)) {
    fprintf(stderr, "rankc: internal error: the graph is wrong after %s\n", pass);
    report(s);
    return EXIT_INTERNAL;
  }
  return EXIT_FINE;
}

/* Descriptions that nobody wrote: planning takes time and memory that grow with the square. */
static bool is_within_limits(const Session *s)
{
  enum { MOST_BYTES = 4 << 20, MOST_VALUES = 10000 };
  if (s->source.text.n > MOST_BYTES) {
    fprintf(stderr, "%.*s: error: a text of %d bytes; a description has at most %d\n",
      STR_ARG(s->source.name), s->source.text.n, MOST_BYTES);
    return false;
  }
  int values = s->graph ? s->graph->nodes.n + s->graph->inputs.n : 0;
  if (values > MOST_VALUES) {
    fprintf(stderr,
      "%.*s: error: the program has %d values and inputs; at most %d can be compiled\n",
      STR_ARG(s->source.name), values, MOST_VALUES);
    return false;
  }
  return true;
}

int session_start(Session *s, Options *o)
{
  s->options = o;
  s->diags.arena = o->arena;
  s->source.name = o->model;
  double start = now_ms();
  if (!file_read(o->arena, o->model, &s->source.text)) {
    return EXIT_USAGE;
  }
  if (!is_within_limits(s)) {
    return EXIT_INPUT;
  }
  FrontOptions options = {o->dim_names.n, o->dim_names.data, o->dim_extents.data};
  s->graph = front_compile(o->arena, &s->source, &options, &s->diags);
  if (s->graph) {
    s->graph->log = ARENA_NEW(o->arena, RuleLog);
    s->graph->log->most = o->max_rewrites;
    s->graph->log->planned = o->command->run != command_interpret;
  }
  session_time(s, "check", start);
  int code = report(s);
  if (code == EXIT_FINE && !s->graph) {
    fprintf(stderr, "rankc: internal error: no graph, and no reason given\n");
    return EXIT_INTERNAL;
  }
  if (code == EXIT_FINE && !is_within_limits(s)) {
    return EXIT_INPUT;
  }
  return code != EXIT_FINE ? code : verify(s, "check");
}

int session_pass(Session *s, const Pass *pass)
{
  double start = now_ms();
  if (pass->run == rewrite && !s->options->rewrite) {
    return EXIT_FINE;
  }
  s->graph = pass->run(s->options->arena, s->graph, &s->diags);
  session_time(s, pass->name, start);
  int code = report(s);
  return code != EXIT_FINE ? code : verify(s, pass->name);
}

int session_open(Session *s, Options *o)
{
  int code = session_start(s, o);
  for (int i = 0; i < npasses && code == EXIT_FINE; i++) {
    code = session_pass(s, &passes[i]);
  }
  return code;
}
