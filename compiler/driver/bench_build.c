/* bench_build.c: the levels as shared objects, each in a folder of its own, and what their code is like:
 * bytes of instructions, barriers in a step, time of the C compiler. */

#include "bench.h"
#include "files.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

static bool ends_with(Str text, const char *end)
{
  int n = (int)strlen(end);
  return text.n >= n && memcmp(text.s + text.n - n, end, (size_t)n) == 0;
}

static bool is_compiled(const EmitFile *file)
{
  return ends_with(file->name, ".c") && !ends_with(file->name, "_main.c") &&
         !ends_with(file->name, "_library.c") && !ends_with(file->name, "_training.c");
}

static Str object_of(Bench *b, const BenchLevel *l, const EmitFile *file)
{
  return str_format(b->arena, "%.*s/%.*s.o", STR_ARG(l->folder), file->name.n - 2, file->name.s);
}

/* The pass that a file is about, or -1. */
static int pass_of(const EmitFile *file)
{
  return ends_with(file->name, "_predict.c") ? 0 : ends_with(file->name, "_train.c") ? 1 : -1;
}

/* ---- what the code is like ---- */

/* Bytes of instructions in an object file; 0 when it is none that we can read. */
static long code_bytes(Arena scratch, Str path)
{
  Str text;
  Elf64_Ehdr head;
  if (!file_read(&scratch, path, &text) || (size_t)text.n < sizeof head) {
    return 0;
  }
  memcpy(&head, text.s, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64) {
    return 0;
  }
  long sum = 0;
  for (size_t i = 0; i < head.e_shnum; i++) {
    Elf64_Shdr section;
    size_t at = head.e_shoff + i * head.e_shentsize;
    if (at + sizeof section > (size_t)text.n) {
      return 0;
    }
    memcpy(&section, text.s + at, sizeof section);
    sum += section.sh_flags & SHF_EXECINSTR ? (long)section.sh_size : 0;
  }
  return sum;
}

/* Read off the generated text: every function of it is called once, and what only hands out gradients is
 * not called at all. */
int bench_barriers(Str text)
{
  static const char *const waits[] = {"for", "single", "barrier", "parallel"};
  static const char pragma[] = "#pragma omp ";
  int count = 0;
  const char *end = text.s + text.n;
  for (const char *at = text.s; (at = memmem(at, (size_t)(end - at), pragma, sizeof pragma - 1));) {
    at += sizeof pragma - 1;
    const char *line = memchr(at, '\n', (size_t)(end - at));
    line = line ? line : end;
    const char *next = line < end ? memchr(line + 1, '\n', (size_t)(end - line - 1)) : NULL;
    next = next ? next : end;
    bool waiting = false;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
      size_t n = strlen(waits[i]);
      waiting |= (size_t)(line - at) >= n && memcmp(at, waits[i], n) == 0;
    }
    count += waiting && !memmem(at, (size_t)(line - at), "nowait", 6) &&
             !memmem(line, (size_t)(next - line), "_export(", 8);
  }
  return count;
}

static void look_at_files(Bench *b, BenchLevel *l, const Command *commands)
{
  int command = 0;
  for (int i = 0; i < l->files.list.n; i++) {
    const EmitFile *file = &l->files.list.data[i];
    int pass = pass_of(file);
    if (!is_compiled(file)) {
      continue;
    }
    if (pass >= 0) {
      l->code[pass] = code_bytes(*b->arena, object_of(b, l, file));
      l->barriers[pass] = bench_barriers(file->text);
      l->compile_ms[pass] = commands[command].cpu_ms;
    }
    command++;
  }
}

/* ---- compiling ---- */

static int file_count(const BenchLevel *l)
{
  int n = 0;
  for (int i = 0; i < l->files.list.n; i++) {
    n += is_compiled(&l->files.list.data[i]);
  }
  return n;
}

static bool run(Bench *b, int n, Command *commands)
{
  for (int i = 0; i < n && b->o->verbose > 1; i++) {
    Str text = process_text(b->arena, &commands[i]);
    fprintf(stderr, "  %.*s\n", STR_ARG(text));
  }
  return process_run(*b->arena, n, commands, b->o->jobs);
}

static void compile_command(Bench *b, const BenchLevel *l, const EmitFile *file, Command *c)
{
  toolchain_compile(b->arena, b->o, &b->tools, false, c);
  process_add(b->arena, c, path_join(b->arena, l->folder, file->name).s);
  process_add(b->arena, c, "-o");
  process_add(b->arena, c, object_of(b, l, file).s);
}

static bool compile_objects(Bench *b)
{
  int most = 0, n = 0;
  for (int i = 0; i < b->levels.n; i++) {
    most += file_count(&b->levels.data[i]);
  }
  Command *commands = ARENA_ARRAY(b->arena, Command, most);
  for (int i = 0; i < b->levels.n; i++) {
    const BenchLevel *l = &b->levels.data[i];
    for (int k = 0; k < l->files.list.n; k++) {
      if (is_compiled(&l->files.list.data[k])) {
        compile_command(b, l, &l->files.list.data[k], &commands[n++]);
      }
    }
  }
  if (!run(b, n, commands)) {
    return false;
  }
  n = 0;
  for (int i = 0; i < b->levels.n; i++) {
    look_at_files(b, &b->levels.data[i], commands + n);
    n += file_count(&b->levels.data[i]);
  }
  return true;
}

bool bench_compile(Bench *b)
{
  if (!compile_objects(b)) {
    return false;
  }
  Command *commands = ARENA_ARRAY(b->arena, Command, b->levels.n);
  for (int i = 0; i < b->levels.n; i++) {
    const BenchLevel *l = &b->levels.data[i];
    Command *c = &commands[i];
    Toolchain tools = b->tools;
    tools.blas = l->emit.level == FUSE_OFF;
    toolchain_start(b->arena, b->o, c);
    process_add(b->arena, c, "-o");
    process_add(b->arena, c, l->library.s);
    for (int k = 0; k < l->files.list.n; k++) {
      if (is_compiled(&l->files.list.data[k])) {
        process_add(b->arena, c, object_of(b, l, &l->files.list.data[k]).s);
      }
    }
    toolchain_link_part(b->arena, b->o, &tools, c);
  }
  return run(b, b->levels.n, commands);
}

/* The levels find rank_profile_add in the program, so that its symbols must be there to be found. */
bool bench_link_program(Bench *b, Str source, Str program)
{
  Str object = str_format(b->arena, "%.*s.o", STR_ARG(program));
  Command compile = {0}, link = {0};
  toolchain_compile(b->arena, b->o, &b->tools, false, &compile);
  process_add(b->arena, &compile, source.s);
  process_add(b->arena, &compile, "-o");
  process_add(b->arena, &compile, object.s);
  toolchain_start(b->arena, b->o, &link);
  process_add_words(b->arena, &link, "-rdynamic -o");
  process_add(b->arena, &link, program.s);
  process_add(b->arena, &link, object.s);
  toolchain_link(b->arena, b->o, &b->tools, false, &link);
  process_add(b->arena, &link, "-ldl");
  return run(b, 1, &compile) && run(b, 1, &link);
}
