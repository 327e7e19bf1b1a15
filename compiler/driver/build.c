/* build.c: `rankc emit`, `build` and `run`: from the graph to C, from C to a program and a library.
 *
 * Objects and results are made in a temporary folder inside the target folder, and moved into place when
 * everything succeeded. NAME.built remembers what they were made from: when neither the C nor the
 * compiler's flags nor the runtime changed, nothing is compiled. */

#include "command.h"
#include "files.h"
#include "pipeline.h"
#include "toolchain.h"

#include "../emit/emit.h"

#include <stdio.h>
#include <string.h>

typedef struct Build {
  Session session;
  Arena *arena;
  const Options *o;
  Str folder, name;
  EmitFiles files;
  Toolchain tools;
  Str objects;    /* temporary folder */
  bool libraries; /* wanted too */
} Build;

/* A path up to its last '/', "" when there is none. */
static Str folder_of(Str path)
{
  while (path.n > 0 && path.s[path.n - 1] != '/') {
    path.n--;
  }
  return path;
}

/* What fits read lies beside the model's text, and is looked for beside the program. */
static bool copy_fit_files(const Build *b)
{
  const Graph *g = b->session.graph;
  Str beside = folder_of(g->source->name);
  for (int i = 0; i < g->fits.n; i++) {
    Str file = g->fits.data[i].file, inner = folder_of(file), text;
    if (file.n == 0) {
      continue;
    }
    Str into =
      inner.n > 0 ? path_join(b->arena, b->folder, (Str){inner.s, inner.n - 1}) : b->folder;
    if (!file_read_inside(b->arena, beside, file, &text) || !folder_make(into) ||
        !file_write(into, (Str){file.s + inner.n, file.n - inner.n}, text, NULL)) {
      return false;
    }
  }
  return true;
}

/* The library of approximate search lies beside a program that has vectors to search, if there is one. */
static bool copy_graphs(const Build *b)
{
  const Graph *g = b->session.graph;
  bool vectors = false;
  for (int i = 0; i < g->outputs.n; i++) {
    const Type *t = &g->outputs.data[i].type;
    vectors |= t->n == 2 && t->axis[0] == AXIS_B;
  }
  Str path = b->tools.graphs, folder = folder_of(path), text;
  return !vectors || !file_exists(path) ||
         (file_read(b->arena, path, &text) &&
           file_write(b->folder, (Str){path.s + folder.n, path.n - folder.n}, text, NULL));
}

/* With -v: how many rules fired, and the last: what --max-rewrites and a search by halves end at. */
static void tell_rewrites(const Session *s)
{
  const RuleLog *log = s->graph->log;
  if (s->options->verbose && log->fired.n > 0) {
    const Fired *last = &log->fired.data[log->fired.n - 1];
    fprintf(stderr, "  %d rewrites and simplifications; the last rewrite, line %d: %s\n",
      log->fired.n, loc_line(last->loc), last->why);
  }
}

/* The C of the model, into the folder. */
static int emit_files(Build *b, Options *o)
{
  b->o = o;
  b->arena = o->arena;
  int code = session_open(&b->session, o);
  if (code != EXIT_FINE) {
    return code;
  }
  b->name = b->session.graph->model;
  if (!name_is_plain(b->name) || (b->name.n > 4 && memcmp(b->name.s, "rank_", 5) == 0)) {
    fprintf(stderr,
      "rankc: error: the model's name '%.*s' cannot be a file's name: at most 64 letters, digits "
      "and _, "
      "and not rank_..., as the runtime's headers are called\n",
      STR_ARG(b->name));
    return EXIT_INPUT;
  }
  b->folder = o->out.n > 0 ? o->out : str_format(o->arena, "build/%.*s", STR_ARG(b->name));
  double start = now_ms();
  EmitOptions options = {
    .level = o->level, .rewrite = o->rewrite, .f64 = o->f64, .tile = o->tile, .check = o->check};
  emit_model(o->arena, b->session.graph, &options, &b->files);
  session_time(&b->session, "emit", start);
  tell_rewrites(&b->session);
  if (!folder_make(b->folder)) {
    return EXIT_USAGE;
  }
  for (int i = 0; i < b->files.list.n; i++) {
    const EmitFile *file = &b->files.list.data[i];
    bool changed;
    if (!file_write(b->folder, file->name, file->text, &changed)) {
      return EXIT_USAGE;
    }
    if (o->verbose) {
      fprintf(stderr, "  %.*s/%.*s%s\n", STR_ARG(b->folder), STR_ARG(file->name),
        changed ? "" : " (unchanged)");
    }
  }
  return copy_fit_files(b) ? EXIT_FINE : EXIT_INPUT;
}

static bool ends_with(Str text, const char *end)
{
  int n = (int)strlen(end);
  return text.n >= n && memcmp(text.s + text.n - n, end, (size_t)n) == 0;
}

/* What is built. The libraries neither start nor evaluate, and have objects of their own, compiled without
 * threads; one only predicts, so that nobody serves code that trains. */
typedef enum Result { PROGRAM, LIBRARY, TRAINING_LIBRARY, RESULTS } Result;

static bool is_part(const EmitFile *file, Result of)
{
  if (!ends_with(file->name, ".c")) {
    return false;
  }
  bool trains = ends_with(file->name, "_training.c");
  if (of == PROGRAM) {
    return !trains && !ends_with(file->name, "_library.c");
  }
  return !ends_with(file->name, "_main.c") && !ends_with(file->name, "_evaluate.c") &&
         (of == TRAINING_LIBRARY || !(trains || ends_with(file->name, "_train.c")));
}

/* With threads, or without? A program has both kinds of training step: that of a few rows starts no team. */
static bool is_compiled(const Build *b, const EmitFile *file, bool shared)
{
  if (!shared) {
    return is_part(file, PROGRAM);
  }
  return ends_with(file->name, "_train.c") || (b->libraries && is_part(file, TRAINING_LIBRARY));
}

static Str object_name(const Build *b, const EmitFile *file, bool shared)
{
  return str_format(b->arena, "%.*s%s.o", file->name.n - 2, file->name.s, shared ? ".shared" : "");
}

/* {0}: there is none, or the libraries are not wanted. */
static Str result_name(const Build *b, Result r, bool libraries)
{
  bool trains = false;
  for (int i = 0; i < b->files.list.n; i++) {
    trains |= ends_with(b->files.list.data[i].name, "_training.c");
  }
  if (r == PROGRAM) {
    return b->name;
  }
  if (!libraries || (r == TRAINING_LIBRARY && !trains)) {
    return (Str){0};
  }
  return str_format(b->arena, "lib%.*s%s.so", STR_ARG(b->name), r == LIBRARY ? "" : "_train");
}

/* What the results depend on, as text. */
static Str built_from(const Build *b)
{
  Buf buf = {.arena = b->arena};
  buf_str(&buf, toolchain_stamp(b->arena, b->o, &b->tools));
  for (int i = 0; i < b->files.list.n; i++) {
    const EmitFile *file = &b->files.list.data[i];
    buf_format(
      &buf, "%.*s %016llx\n", STR_ARG(file->name), (unsigned long long)text_hash(file->text));
  }
  return buf_take(&buf);
}

/* Runs the commands; with -v says how long each took. */
static bool run_all(Build *b, int n, Command *commands, const char *const *what)
{
  double start = now_ms();
  bool fine = process_run(*b->arena, n, commands, b->o->jobs);
  for (int i = 0; i < n && b->o->verbose; i++) {
    Str line = b->o->verbose > 1 ? process_text(b->arena, &commands[i]) : (Str){0};
    fprintf(stderr, "    %-20s %9.1f ms%s%.*s\n", what[i], commands[i].ms, line.n ? "  " : "",
      STR_ARG(line));
  }
  session_time(&b->session, what[n], start);
  return fine;
}

static bool compile(Build *b)
{
  int n = 0, most = 2 * b->files.list.n;
  Command *commands = ARENA_ARRAY(b->arena, Command, most);
  const char **what = ARENA_ARRAY(b->arena, const char *, most + 1);
  for (int i = 0; i < most; i++) {
    const EmitFile *file = &b->files.list.data[i / 2];
    bool shared = i % 2;
    if (is_compiled(b, file, shared)) {
      Command *c = &commands[n];
      Str object = object_name(b, file, shared);
      toolchain_compile(b->arena, b->o, &b->tools, shared, c);
      process_add(b->arena, c, path_join(b->arena, b->folder, file->name).s);
      process_add(b->arena, c, "-o");
      process_add(b->arena, c, path_join(b->arena, b->objects, object).s);
      what[n++] = object.s;
    }
  }
  what[n] = "compile";
  return run_all(b, n, commands, what);
}

static void link_result(Build *b, Result r, Str name, Command *c)
{
  bool shared = r != PROGRAM;
  toolchain_start(b->arena, b->o, c);
  process_add(b->arena, c, "-o");
  process_add(b->arena, c, path_join(b->arena, b->objects, name).s);
  for (int i = 0; i < b->files.list.n; i++) {
    const EmitFile *file = &b->files.list.data[i];
    if (is_part(file, r)) {
      process_add(b->arena, c, path_join(b->arena, b->objects, object_name(b, file, shared)).s);
    }
    if (r == PROGRAM && ends_with(file->name, "_train.c")) {
      process_add(b->arena, c, path_join(b->arena, b->objects, object_name(b, file, true)).s);
    }
  }
  toolchain_link(b->arena, b->o, &b->tools, shared, c);
  if (shared) {
    process_add(b->arena, c, str_format(b->arena, "-Wl,-soname,%.*s", STR_ARG(name)).s);
  }
}

static bool link_results(Build *b)
{
  const char *what[RESULTS + 1];
  Command commands[RESULTS] = {0};
  int n = 0;
  for (int r = 0; r < RESULTS; r++) {
    Str name = result_name(b, (Result)r, b->libraries);
    if (name.n > 0) {
      link_result(b, (Result)r, name, &commands[n]);
      what[n++] = str_copy(b->arena, name).s;
    }
  }
  what[n] = "link";
  return run_all(b, n, commands, what);
}

static bool move_up(Build *b, Str name)
{
  Str from = path_join(b->arena, b->objects, name), to = path_join(b->arena, b->folder, name);
  if (rename(from.s, to.s) != 0) {
    fprintf(stderr, "rankc: error: cannot write %s\n", to.s);
    return false;
  }
  return true;
}

/* --keep: the objects stay beside the C. */
static bool keep_objects(Build *b)
{
  for (int i = 0; i < 2 * b->files.list.n; i++) {
    const EmitFile *file = &b->files.list.data[i / 2];
    bool shared = i % 2;
    if (is_compiled(b, file, shared) && !move_up(b, object_name(b, file, shared))) {
      return false;
    }
  }
  return true;
}

/* Only C that was emitted op by op calls OpenBLAS, through this header. */
static bool uses_blas(const EmitFiles *files)
{
  static const char blas_header[] = "\"rank_blas.h\"";
  for (int i = 0; i < files->list.n; i++) {
    Str text = files->list.data[i].text;
    if (memmem(text.s, (size_t)text.n, blas_header, strlen(blas_header))) {
      return true;
    }
  }
  return false;
}

/* Whether everything wanted is there, made from the same. */
static bool up_to_date(const Build *b, Str stamp_path, Str stamp)
{
  Str old;
  for (int r = 0; r < RESULTS; r++) {
    Str name = result_name(b, (Result)r, b->libraries);
    if (name.n > 0 && !file_exists(path_join(b->arena, b->folder, name))) {
      return false;
    }
  }
  return file_exists(stamp_path) && file_read(b->arena, stamp_path, &old) && str_eq(old, stamp);
}

/* Libraries that were there, but are not wanted this time, go: they would be another model's. */
static bool move_results(Build *b)
{
  for (int r = 0; r < RESULTS; r++) {
    Str name = result_name(b, (Result)r, true);
    if (r == PROGRAM || (name.n > 0 && b->libraries)) {
      if (!move_up(b, name)) {
        return false;
      }
    } else if (name.n > 0) {
      remove(path_join(b->arena, b->folder, name).s);
    }
  }
  return true;
}

static int build(Build *b, Options *o)
{
  int code = emit_files(b, o);
  if (code != EXIT_FINE) {
    return code;
  }
  b->tools.blas = uses_blas(&b->files);
  if (!toolchain_find(o->arena, o, &b->tools)) {
    return EXIT_USAGE;
  }
  if (!copy_graphs(b)) {
    return EXIT_INPUT;
  }
  Str stamp_name = str_format(o->arena, "%.*s.built", STR_ARG(b->name));
  Str stamp = built_from(b);
  if (!o->keep && up_to_date(b, path_join(o->arena, b->folder, stamp_name), stamp)) {
    if (o->verbose) {
      fprintf(stderr, "  program and library are up to date\n");
    }
    return EXIT_FINE;
  }
  if (!folder_temporary(o->arena, b->folder, &b->objects)) {
    return EXIT_USAGE;
  }
  bool fine = compile(b) && link_results(b) && move_results(b) && (!o->keep || keep_objects(b)) &&
              file_write(b->folder, stamp_name, stamp, NULL);
  fine = folder_remove(b->objects) && fine;
  return fine ? EXIT_FINE : EXIT_INTERNAL;
}

int command_emit(Options *o)
{
  Build b = {0};
  return emit_files(&b, o);
}

int command_build(Options *o)
{
  Build b = {.libraries = !o->check}; /* what guards find, the program says */
  return build(&b, o);
}

int command_run(Options *o)
{
  Build b = {0};
  int code = build(&b, o);
  if (code != EXIT_FINE) {
    return code;
  }
  Arena *a = o->arena;
  Command c = {0};
  int first = 0;
  process_add(a, &c, path_join(a, b.folder, b.name).s);
  bool has_word = o->nrest > 0 && o->rest[0][0] != '-';
  process_add(a, &c, has_word ? o->rest[first++] : "train");
  for (int i = first; i < o->nrest; i++) {
    process_add(a, &c, o->rest[i]);
  }
  if (o->threads > 0) {
    process_add(a, &c, "--threads");
    process_add(a, &c, str_format(a, "%d", o->threads).s);
  }
  process_exec(*a, &c);
  return EXIT_INTERNAL;
}
