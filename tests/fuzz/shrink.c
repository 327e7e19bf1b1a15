/* shrink.c: the smallest program that still goes wrong.
 *   shrink IN.rank OUT.rank COMMAND [ARGUMENT...]
 *
 * COMMAND is called with the path of a smaller program behind its arguments, and exits with 0 when that
 * one is still wrong in the way that is looked for. One idea: a program is made smaller by one edit at a
 * time, of the graph (a value becomes 1, or its own operand; an axis gets shorter) or of its text (a
 * line goes), and the compiler itself says which edits leave a program; only a shorter text counts. Each
 * edit is made in a process of its own, since an edited graph may break what the builders trust in. */

#include "pass/pass.h"
#include "pass/rebuild.h"
#include "ir/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_TEXT = 1 << 20, TOO_FAR = 9, NO_PROGRAM = 10 };

static Arena arena;
static const char *tried; /* path of the program that is being tried */

static Str read_text(const char *path)
{
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "shrink: cannot read %s\n", path);
    exit(2);
  }
  char *text = ARENA_ARRAY(&arena, char, MOST_TEXT);
  size_t n = fread(text, 1, MOST_TEXT, file);
  fclose(file);
  return (Str){text, (int)n};
}

static bool write_text(const char *path, Str text)
{
  FILE *file = fopen(path, "wb");
  if (!file) {
    return false;
  }
  bool fine = fwrite(text.s, 1, (size_t)text.n, file) == (size_t)text.n;
  return fclose(file) == 0 && fine;
}

static Graph *compile(Str text)
{
  Source *source = ARENA_NEW(&arena, Source);
  *source = (Source){S("shrink"), text};
  Diags diags = {.arena = &arena};
  return front_compile(&arena, source, NULL, &diags);
}

/* ---- edits of the graph */

static Graph *drop_output(const Graph *old, int which)
{
  if (which >= old->outputs.n) {
    return NULL;
  }
  Graph *g = graph_shell(&arena, old);
  *g = *old;
  for (int i = which; i + 1 < g->outputs.n; i++) {
    g->outputs.data[i] = g->outputs.data[i + 1];
  }
  g->outputs.n--;
  return g;
}

static Graph *drop_metric(const Graph *old, int which)
{
  if (which >= old->metrics.n) {
    return NULL;
  }
  Graph *g = graph_shell(&arena, old);
  *g = *old;
  for (int i = which; i + 1 < g->metrics.n; i++) {
    g->metrics.data[i] = g->metrics.data[i + 1];
  }
  g->metrics.n--;
  return g;
}

static bool within(Type inner, Type outer)
{
  bool all = inner.kind == KIND_REAL;
  for (int i = 0; i < inner.n; i++) {
    all = all && type_has(outer, inner.axis[i]);
  }
  return all;
}

/* A copy in which node `which` is its operand `operand`, or 1 where that is negative. */
static Graph *replace(const Graph *old, int which, int operand)
{
  const Node *from = old->nodes.data[which];
  if (from->type.kind != KIND_REAL || from->op == OP_CONST ||
      (operand >= 0 && !within(from->in[operand]->type, from->type))) {
    return NULL;
  }
  Graph *g = graph_shell(&arena, old);
  Node **map = ARENA_ARRAY(&arena, Node *, old->nodes.n);
  for (int i = 0; i < old->nodes.n; i++) {
    const Node *n = old->nodes.data[i];
    Node **in = ARENA_ARRAY(&arena, Node *, n->nin);
    for (int k = 0; k < n->nin; k++) {
      in[k] = map[n->in[k]->id];
    }
    map[i] = i != which ? build_like(g, n, in) : operand < 0 ? build_const(g, 1) : in[operand];
  }
  rebuild_roots(g, old, map);
  rebuild_sweep(g);
  return g;
}

static Graph *shorten(Graph *g, int which, long extent)
{
  long was = g->axes.data[which].extent;
  if (g->axes.data[which].kind == AXIS_BATCH || g->axes.data[which].number || was <= extent) {
    return NULL;
  }
  for (int i = 0; i < g->axes.n; i++) {
    Axis *axis = &g->axes.data[i];
    if (axis->extent == was && !axis->number) {
      axis->extent = extent;
    }
  }
  return g;
}

static int most_operands(const Graph *g)
{
  int most = 0;
  for (int i = 0; i < g->nodes.n; i++) {
    most = g->nodes.data[i]->nin > most ? g->nodes.data[i]->nin : most;
  }
  return most;
}

/* The edit of this number; NULL: it does not apply. *past: there are no more. */
static Graph *edit_graph(Graph *g, int number, bool *past)
{
  if (number < g->outputs.n) {
    return drop_output(g, number);
  }
  number -= g->outputs.n;
  if (number < g->metrics.n) {
    return drop_metric(g, number);
  }
  number -= g->metrics.n;
  int ways = most_operands(g) + 1;
  if (number < g->nodes.n * ways) {
    const Node *n = g->nodes.data[g->nodes.n - 1 - number / ways];
    int operand = number % ways - 1;
    return operand < n->nin ? replace(g, n->id, operand) : NULL;
  }
  number -= g->nodes.n * ways;
  static const long extents[] = {1, 2, 3, 4, 8};
  enum { EXTENTS = sizeof extents / sizeof *extents };
  *past = number >= g->axes.n * EXTENTS;
  return *past ? NULL : shorten(g, number / EXTENTS, extents[number % EXTENTS]);
}

/* ---- edits of the text */

static Str edit_text(Str text, int number, bool *past)
{
  int at = 0;
  for (int line = 0; line < number && at < text.n; at++) {
    line += text.s[at] == '\n';
  }
  *past = at >= text.n;
  int end = at;
  while (end < text.n && text.s[end] != '\n') {
    end++;
  }
  end += end < text.n;
  return str_format(&arena, "%.*s%.*s", at, text.s, text.n - end, text.s + end);
}

/* ---- trying */

/* In a process of its own: writes the edited program to `tried`. */
static int make(Str text, int number, bool lines)
{
  bool past = false;
  Str edited;
  if (lines) {
    edited = edit_text(text, number, &past);
  } else {
    Graph *g = edit_graph(compile(text), number, &past);
    if (!g) {
      return past ? TOO_FAR : NO_PROGRAM;
    }
    edited = print_graph(g, &arena);
  }
  if (past) {
    return TOO_FAR;
  }
  bool fine = edited.n < text.n && compile(edited) && write_text(tried, edited);
  return fine ? 0 : NO_PROGRAM;
}

static int status_of(pid_t child)
{
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                  : NO_PROGRAM;
}

static int make_apart(Str text, int number, bool lines)
{
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) {
      _exit(NO_PROGRAM);
    }
    _exit(make(text, number, lines));
  }
  return child < 0 ? TOO_FAR : status_of(child);
}

static bool still_wrong(char **command)
{
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  return child > 0 && status_of(child) == 0;
}

/* Every edit once; true when one of them left a smaller program. */
static bool sweep(Str *text, bool lines, char **command, const char *out)
{
  bool smaller = false;
  for (int number = 0;;) {
    Arena kept = arena;
    int made = make_apart(*text, number, lines);
    if (made == TOO_FAR) {
      return smaller;
    }
    if (made != 0 || !still_wrong(command)) {
      arena = kept;
      number++;
      continue;
    }
    *text = read_text(tried);
    write_text(out, *text);
    smaller = true;
    fprintf(stderr, "%d bytes\n", text->n);
  }
}

int main(int argc, char **argv)
{
  if (argc < 4) {
    fprintf(stderr, "usage: shrink IN.rank OUT.rank COMMAND [ARGUMENT...]\n");
    return 2;
  }
  arena = arena_new((size_t)1 << 36);
  Str text = read_text(argv[1]);
  tried = str_format(&arena, "%s.try.rank", argv[2]).s;
  char **command = ARENA_ARRAY(&arena, char *, argc);
  memcpy(command, argv + 3, (size_t)(argc - 3) * sizeof *command);
  command[argc - 3] = strdup(tried);
  if (!compile(text) || !write_text(tried, text) || !still_wrong(command)) {
    fprintf(stderr, "shrink: %s is not wrong\n", argv[1]);
    return 1;
  }
  write_text(argv[2], text);
  for (bool smaller = true; smaller;) {
    smaller = sweep(&text, true, command, argv[2]);
    smaller = sweep(&text, false, command, argv[2]) || smaller;
  }
  unlink(tried);
  return 0;
}
