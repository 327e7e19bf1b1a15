/* bench.c: `rankc bench`, what every level of fusion is worth on this machine.
 *
 * Each level is the whole way from the model to a shared object, with options of its own; then a small
 * program is made that loads all of them and measures (runtime/bench.c). Everything stays in the folder,
 * so that the C of a level can be read beside its numbers. */

#include "bench.h"
#include "command.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Emits one level and counts what it costs. */
static int emit_level(Bench *b, BenchLevel *l)
{
  Options *options = ARENA_NEW(b->arena, Options);
  Session *s = ARENA_NEW(b->arena, Session); /* the graph points into its source */
  *options = *b->o;
  options->level = l->emit.level;
  options->rewrite = l->emit.rewrite;
  int code = session_open(s, options);
  if (code != EXIT_FINE) {
    return code;
  }
  l->graph = s->graph;
  b->name = s->graph->model;
  if (s->graph->fits.n > 0) {
    fprintf(stderr,
      "rankc: error: bench has no data for fits; build the model, train it, and use "
      "`%.*s bench --load WEIGHTS'\n",
      STR_ARG(b->name));
    return EXIT_INPUT;
  }
  if (!name_is_plain(b->name)) {
    fprintf(
      stderr, "rankc: error: the model's name '%.*s' cannot be a file's name\n", STR_ARG(b->name));
    return EXIT_INPUT;
  }
  if (b->folder.n == 0) {
    b->folder =
      b->o->out.n > 0 ? b->o->out : str_format(b->arena, "build/%.*s.bench", STR_ARG(b->name));
  }
  l->folder = str_format(b->arena, "%.*s/%s%s%s", STR_ARG(b->folder), l->name,
    l->emit.rewrite ? "" : "-plain", l->emit.profile ? "-profiled" : "");
  l->library = str_format(b->arena, "%.*s/lib%.*s.so", STR_ARG(l->folder), STR_ARG(b->name));
  emit_model(b->arena, s->graph, &l->emit, &l->files);
  bool trains = s->graph->train.given && s->graph->loss && s->graph->grads.n > 0;
  for (int pass = 0; pass < (trains ? BENCH_PASSES : 1); pass++) {
    l->plan[pass] = emit_plan(b->arena, s->graph, &l->emit, pass == 0 ? ROLE_PREDICT : ROLE_TRAIN);
    l->count[pass] = count_plan(b->arena, l->plan[pass], l->emit.f64);
  }
  return EXIT_FINE;
}

static bool write_level(const BenchLevel *l)
{
  if (!folder_make(l->folder)) {
    return false;
  }
  for (int i = 0; i < l->files.list.n; i++) {
    const EmitFile *file = &l->files.list.data[i];
    if (!file_write(l->folder, file->name, file->text, NULL)) {
      return false;
    }
  }
  return true;
}

static void add_level(Bench *b, int level, bool rewrite, bool profile)
{
  static const char *const names[] = {"off", "loops", "tiles", "all"};
  BenchLevel *l = VEC_PUSH(b->arena, &b->levels);
  l->name = names[level];
  l->emit = (EmitOptions){.level = (FuseLevel)level,
    .rewrite = rewrite,
    .f64 = b->o->f64,
    .tile = b->o->tile,
    .profile = profile};
}

/* First without rewrites, from the least fused to the most, then with them. */
static void choose_levels(Bench *b)
{
  for (int rewrite = 0; rewrite < 2; rewrite++) {
    for (int level = FUSE_OFF; level <= FUSE_ALL; level++) {
      if (b->o->bench_levels & 1 << level && b->o->bench_rewrites & 1 << rewrite) {
        add_level(b, level, rewrite, false);
      }
    }
  }
  b->nplain = b->levels.n;
  if (b->o->groups) {
    const BenchLevel *last = &b->levels.data[b->levels.n - 1];
    add_level(b, (int)last->emit.level, last->emit.rewrite, true);
  }
}

/* The libraries as fast as they can be: kernels for this machine, whatever the environment says, and no
 * threads of their own. */
static bool run_program(Bench *b, Str program)
{
  unsetenv("OPENBLAS_CORETYPE");
  unsetenv("OPENBLAS_L2_SIZE");
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  Command c = {0};
  process_add(b->arena, &c, program.s);
  fflush(stdout);
  return process_run(*b->arena, 1, &c, 1);
}

int command_bench(Options *o)
{
  Bench b = {.o = o, .arena = o->arena};
  choose_levels(&b);
  for (int i = 0; i < b.levels.n; i++) {
    int code = emit_level(&b, &b.levels.data[i]);
    if (code != EXIT_FINE) {
      return code;
    }
  }
  if (!toolchain_find(o->arena, o, &b.tools)) {
    return EXIT_USAGE;
  }
  for (int i = 0; i < b.levels.n; i++) {
    if (!write_level(&b.levels.data[i])) {
      return EXIT_USAGE;
    }
  }
  double start = now_ms();
  if (!bench_compile(&b)) {
    return EXIT_INTERNAL;
  }
  if (o->verbose) {
    fprintf(stderr, "  %d levels compiled in %.1f s\n", b.levels.n, (now_ms() - start) * 1e-3);
  }
  Str source = str_format(o->arena, "%.*s_bench.c", STR_ARG(b.name));
  Str program = str_format(o->arena, "%.*s/%.*s_bench", STR_ARG(b.folder), STR_ARG(b.name));
  if (!file_write(b.folder, source, bench_code(&b), NULL)) {
    return EXIT_USAGE;
  }
  if (!bench_link_program(&b, path_join(o->arena, b.folder, source), program)) {
    return EXIT_INTERNAL;
  }
  return run_program(&b, program) ? EXIT_FINE : EXIT_INPUT;
}
