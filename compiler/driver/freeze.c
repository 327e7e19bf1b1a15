/* freeze.c: `rankc freeze`: a model and its weights as one file of C and one library.
 *
 * Everything is made in a temporary folder inside the target folder and moved into place when the compiler
 * has had no complaints. */

#include "freeze.h"

#include "command.h"
#include "files.h"
#include "onefile.h"
#include "pipeline.h"
#include "toolchain.h"

#include "../../runtime/rank_frozen.h"
#include "../../runtime/rank_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weights inside are text to the C compiler: clang reads 13 MB of them a second, gcc 5. */
enum { MOST_INSIDE = 64 << 20 };

typedef struct Freeze {
  Session session;
  Arena *arena;
  const Options *o;
  Frozen frozen;
  FrozenModel out;
  Toolchain tools;
  Str name, folder, objects;
  VEC(Str) added; /* of the runtime */
  Str code;
  char *weights; /* the bytes */
  rank_error e;
} Freeze;

static bool complain(const Freeze *f)
{
  fprintf(stderr, "rankc: error: %s\n", f->e.text);
  return false;
}

/* ---- the weights ---- */

static bool pack(Freeze *f)
{
  f->weights = calloc(1, (size_t)f->out.bytes + FROZEN_ROW);
  if (!f->weights) {
    rank_fail(&f->e, "out of memory: %ld bytes of weights", f->out.bytes);
    return complain(f);
  }
  for (int i = 0; i < f->out.pieces.n; i++) {
    const FrozenPiece *p = &f->out.pieces.data[i];
    if (!p->numbers) {
      memcpy(f->weights + p->at, p->bytes, (size_t)p->count);
      continue;
    }
    float *to = (float *)(void *)(f->weights + p->at);
    for (long k = 0; k < p->count; k++) {
      to[k] = (float)p->numbers[k];
    }
  }
  return true;
}

/* A row of bytes as a literal: shorter than ISO C's longest, and much less work for a compiler than numbers. */
static void put_row(FILE *out, const unsigned char *row)
{
  enum { LINE = 96 };
  fputs("  {\"", out);
  for (int i = 0, column = 0; i < FROZEN_ROW; i++) {
    unsigned char c = row[i], after = i + 1 < FROZEN_ROW ? row[i + 1] : 0;
    if (column >= LINE) {
      fputs("\"\n   \"", out);
      column = 0;
    }
    if (c >= 32 && c < 127 && c != '"' && c != '\\' && c != '?') {
      putc(c, out);
      column++;
    } else {
      bool digit = after >= '0' && after <= '7';
      column += fprintf(out, digit ? "\\%03o" : "\\%o", c);
    }
  }
  fputs("\"},\n", out);
}

static void put_inside(const Freeze *f, FILE *out)
{
  long rows = (f->out.bytes + FROZEN_ROW - 1) / FROZEN_ROW;
  fprintf(out,
    "\n/* ==== the weights ==== */\n\n"
    "_Alignas(64) static const unsigned char packed[%ld][%d] = {\n",
    rows, FROZEN_ROW);
  for (long i = 0; i < rows; i++) {
    put_row(out, (const unsigned char *)f->weights + i * FROZEN_ROW);
  }
  fputs("};\n", out);
}

static bool write_file(Freeze *f, Str name, void (*put)(const Freeze *f, FILE *out))
{
  rank_file file;
  Str path = path_join(f->arena, f->objects, name);
  if (rank_file_create(&file, path.s, &f->e) != 0) {
    return complain(f);
  }
  put(f, file.out);
  return rank_file_commit(&file, &f->e) == 0 || complain(f);
}

static void put_code(const Freeze *f, FILE *out)
{
  fwrite(f->code.s, 1, (size_t)f->code.n, out);
  if (!f->frozen.beside) {
    put_inside(f, out);
  }
}

static void put_beside(const Freeze *f, FILE *out)
{
  rank_frozen_head head = {.magic = RANK_FROZEN_MAGIC,
    .layout = f->out.layout,
    .bytes = (uint64_t)f->out.bytes,
    .check = rank_frozen_check(f->weights, f->out.bytes)};
  fwrite(&head, sizeof head, 1, out);
  fwrite(f->weights, 1, (size_t)f->out.bytes, out);
}

/* ---- the code ---- */

/* What of the runtime a frozen library is made of, and what the ops of fits need besides. */
static const char *const runtime[] = {
  "library.c", "library_rank.c", "library_frozen.c", "check.c", "lists.c", "fit.c", "error.c"};

static const struct {
  const char *op;
  const char *file[9];
} fitted[] = {
  {"standardize", {"fit_standardize.c"}},
  {"bucketize", {"fit_bucketize.c"}},
  {"gbdt", {"fit_gbdt.c", "fit_trees.c", "fit_columns.c", "trees_forest.c", "trees_tables.c",
             "trees_score.c", "trees_packed.c"}},
  {"forest", {"fit_forest.c", "fit_trees.c", "fit_columns.c", "trees_forest.c", "trees_tables.c",
               "trees_score.c", "trees_packed.c"}},
  {"item_cosine", {"fit_item_cosine.c", "fit_ranked.c", "cosine_rank.c"}},
  {"popularity", {"fit_popularity.c", "fit_ranked.c", "cosine_rank.c"}},
};

static bool add_runtime(Freeze *f, OneFile *one, const char *file)
{
  Str name = str_of(file), text;
  for (int i = 0; i < f->added.n; i++) {
    if (str_eq(f->added.data[i], name)) {
      return true;
    }
  }
  *VEC_PUSH(f->arena, &f->added) = name;
  return file_read(f->arena, path_join(f->arena, f->tools.headers, name), &text) &&
         onefile_add(one, name, text, false);
}

static bool add_fits(Freeze *f, OneFile *one)
{
  const Graph *g = f->session.graph;
  for (int i = 0; i < g->fits.n; i++) {
    for (size_t k = 0; k < sizeof fitted / sizeof *fitted; k++) {
      bool here = g->fits.data[i].of < 0 && str_eq(g->fits.data[i].op, str_of(fitted[k].op));
      for (int j = 0; here && fitted[k].file[j]; j++) {
        if (!add_runtime(f, one, fitted[k].file[j])) {
          return false;
        }
      }
    }
  }
  return true;
}

static bool make_code(Freeze *f)
{
  OneFile one = {
    .arena = f->arena, .headers = f->tools.headers, .others = &f->out.files, .prefix = f->name};
  for (int i = 2; i < f->out.files.list.n; i++) {
    const EmitFile *file = &f->out.files.list.data[i];
    if (!onefile_add(&one, file->name, file->text, true)) {
      return false;
    }
  }
  for (size_t i = 0; i < sizeof runtime / sizeof *runtime; i++) {
    if (!add_runtime(f, &one, runtime[i])) {
      return false;
    }
  }
  if (!add_fits(f, &one)) {
    return false;
  }
  Str head = str_format(f->arena,
    "/* %.*s, frozen: a model that only predicts, with its weights %s.\n"
    " * Generated by rankc freeze; edit the model, not this file.\n *\n"
    " *   cc -O2 -march=native -fopenmp-simd -ffp-contract=fast -fPIC -shared %.*s.c -o lib%.*s.so "
    "-lm "
    "*/\n",
    STR_ARG(f->name), f->frozen.beside ? "in a file beside it" : "in it", STR_ARG(f->name),
    STR_ARG(f->name));
  f->code = onefile_take(&one, head);
  return true;
}

static bool compile(Freeze *f)
{
  Command c = {0};
  toolchain_freeze(f->arena, f->o, &c);
  Str name = str_format(f->arena, "lib%.*s.so", STR_ARG(f->name));
  process_add(f->arena, &c,
    path_join(f->arena, f->objects, str_format(f->arena, "%.*s.c", STR_ARG(f->name))).s);
  process_add(f->arena, &c, "-o");
  process_add(f->arena, &c, path_join(f->arena, f->objects, name).s);
  process_add(f->arena, &c, str_format(f->arena, "-Wl,-soname,%.*s", STR_ARG(name)).s);
  process_add(f->arena, &c, "-lm");
  double start = now_ms();
  if (f->o->verbose > 1) {
    fprintf(stderr, "  %.*s\n", STR_ARG(process_text(f->arena, &c)));
  }
  bool fine = process_run(*f->arena, 1, &c, 1);
  session_time(&f->session, "compile", start);
  return fine;
}

/* ---- the command ---- */

static bool make(Freeze *f)
{
  const char *const endings[] = {".c", ".h", ".weights"};
  Str name[4];
  for (int i = 0; i < 3; i++) {
    name[i] = str_format(f->arena, "%.*s%s", STR_ARG(f->name), endings[i]);
  }
  name[3] = str_format(f->arena, "lib%.*s.so", STR_ARG(f->name));
  if (!write_file(f, name[0], put_code) ||
      !file_write(f->objects, name[1], f->out.files.list.data[0].text, NULL) ||
      (f->frozen.beside && !write_file(f, name[2], put_beside)) || !compile(f)) {
    return false;
  }
  for (int i = 0; i < 4; i++) {
    Str from = path_join(f->arena, f->objects, name[i]),
        to = path_join(f->arena, f->folder, name[i]);
    if (i == 2 && !f->frozen.beside) {
      remove(to.s); /* of another time */
    } else if (rename(from.s, to.s) != 0) {
      fprintf(stderr, "rankc: error: cannot write %s\n", to.s);
      return false;
    }
  }
  return true;
}

static int freeze(Freeze *f, Options *o)
{
  int code = session_open(&f->session, o);
  if (code != EXIT_FINE) {
    return code;
  }
  const Graph *g = f->session.graph;
  f->name = str_copy(f->arena, g->model);
  f->folder = o->out.n > 0 ? o->out : str_format(f->arena, "build/%.*s.frozen", STR_ARG(f->name));
  if (!name_is_plain(f->name)) {
    fprintf(
      stderr, "rankc: error: the model's name '%.*s' cannot be a file's name\n", STR_ARG(f->name));
    return EXIT_INPUT;
  }
  if (!freeze_read(f->arena, g, o->weights, &f->frozen)) {
    return EXIT_INPUT;
  }
  if (!toolchain_find(f->arena, o, &f->tools)) {
    return EXIT_USAGE;
  }
  double start = now_ms();
  Graph *frozen = pass_freeze(f->arena, g, o->rewrite, &f->frozen.constants);
  EmitOptions options = {.level = FUSE_ALL, .rewrite = o->rewrite, .frozen = &f->frozen};
  emit_frozen(f->arena, g, frozen, &options, &f->out);
  session_time(&f->session, "freeze", start);
  if (!f->frozen.beside && f->out.bytes > MOST_INSIDE) {
    fprintf(stderr,
      "rankc: error: %.*s has %ld MiB of weights; inside the C there is room for %d: --beside puts "
      "them into a file of their own\n",
      STR_ARG(f->name), f->out.bytes >> 20, MOST_INSIDE >> 20);
    return EXIT_INPUT;
  }
  if (!pack(f) || !make_code(f) || !folder_make(f->folder) ||
      !folder_temporary(f->arena, f->folder, &f->objects)) {
    return EXIT_USAGE;
  }
  bool fine = make(f);
  fine = folder_remove(f->objects) && fine;
  return fine ? EXIT_FINE : EXIT_INTERNAL;
}

int command_freeze(Options *o)
{
  Freeze f = {.arena = o->arena, .o = o, .frozen = {.beside = o->beside}};
  int code = freeze(&f, o);
  free(f.weights);
  return code;
}
