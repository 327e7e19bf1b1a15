/* dump.c: `rankc dump`, the program after each pass. */

#include "command.h"
#include "pipeline.h"
#include "table.h"

#include "../ir/print.h"

#include <stdio.h>

/* The passes, one a line: `rankc dump --passes`, and the answer to an unknown one. */
static void list_passes(Arena *a, FILE *out)
{
  Table t = {.arena = a, .columns = 2};
  table_cell(&t, S("check"));
  table_cell(&t, S("the model with its functions put in, before any pass"));
  for (int i = 0; i < npasses; i++) {
    table_cell(&t, str_of(passes[i].name));
    table_cell(&t, str_of(passes[i].doc));
  }
  table_print(&t, "", out);
}

/* Number of passes to run for --after=NAME; -1: there is no such pass. */
static int passes_until(Str name)
{
  if (str_eq(name, S("check"))) {
    return 0;
  }
  for (int i = 0; i < npasses; i++) {
    if (str_eq(name, str_of(passes[i].name))) {
      return i + 1;
    }
  }
  return -1;
}

static int dump_after(Session *s, int count)
{
  for (int i = 0; i < count; i++) {
    int code = session_pass(s, &passes[i]);
    if (code != EXIT_FINE) {
      return code;
    }
  }
  Str text = print_graph(s->graph, s->options->arena);
  fwrite(text.s, 1, (size_t)text.n, stdout);
  return EXIT_FINE;
}

static int dump_all(Session *s)
{
  Arena *a = s->options->arena;
  Str before = print_graph(s->graph, a);
  printf("# after check: the model with its functions put in\n\n%.*s", STR_ARG(before));
  for (int i = 0; i < npasses; i++) {
    int code = session_pass(s, &passes[i]);
    if (code != EXIT_FINE) {
      return code;
    }
    Str text = print_graph(s->graph, a);
    bool same = str_eq(text, before);
    printf("\n\n# after %s: %s\n\n", passes[i].name, passes[i].doc);
    printf("%.*s", STR_ARG(same ? S("# (unchanged)\n") : text));
    before = text;
  }
  return EXIT_FINE;
}

int command_dump(Options *o)
{
  if (o->list_passes) {
    list_passes(o->arena, stdout);
    return EXIT_FINE;
  }
  int count = o->after.n > 0 ? passes_until(o->after) : npasses;
  if (count < 0) {
    fprintf(stderr, "rankc: error: there is no pass '%.*s'. The passes:\n", STR_ARG(o->after));
    list_passes(o->arena, stderr);
    return EXIT_USAGE;
  }
  Session s = {0};
  int code = session_start(&s, o);
  if (code != EXIT_FINE) {
    return code;
  }
  return o->after.n > 0 ? dump_after(&s, count) : dump_all(&s);
}
