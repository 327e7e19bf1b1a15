/* arena.c: see arena.h. One idea: address space is cheap, so an arena is one large reservation whose
 * pages the system hands out as they are touched. */

#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { EXIT_MEMORY = 3 };

static _Noreturn void out_of_memory(void)
{
  fputs("rankc: error: out of memory\n", stderr);
  exit(EXIT_MEMORY);
}

Arena arena_new(size_t bytes)
{
  void *p =
    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    out_of_memory();
  }
  return (Arena){p, (char *)p + bytes};
}

void *arena_alloc(Arena *a, size_t size, size_t align, size_t count)
{
  size_t pad = (size_t)(-(uintptr_t)a->at & (align - 1));
  size_t room = (size_t)(a->end - a->at);
  if (pad > room || (size != 0 && count > (room - pad) / size)) {
    out_of_memory();
  }
  char *p = a->at + pad;
  a->at = p + size * count;
  return memset(p, 0, size * count); /* a scratch copy may have used these bytes before */
}

void arena_grow(Arena *a, void *data, int *cap, size_t size, size_t align)
{
  int wanted = *cap == 0 ? 8 : *cap * 2;
  void *old;
  memcpy(&old, data, sizeof old);
  char *moved = arena_alloc(a, size, align, (size_t)wanted);
  if (*cap != 0) {
    memcpy(moved, old, size * (size_t)*cap);
  }
  memcpy(data, &moved, sizeof moved);
  *cap = wanted;
}
