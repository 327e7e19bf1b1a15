#ifndef RANKC_ARENA_H
#define RANKC_ARENA_H

/* Arena: memory that is given back all at once.
 *
 * Every structure of the compiler lives in an arena and is never freed on its own. A function that
 * returns something takes `Arena *a`, where the result will live; a function that only needs room for
 * temporaries takes `Arena scratch` by value: whatever it allocates is gone when it returns, because
 * only its own copy of the bounds moved. An allocation that does not fit ends the program with a
 * message and exit code 3 (out of memory): nothing in rankc can go on without it. */

#include <stddef.h>

typedef struct Arena {
  char *at;  /* next free byte */
  char *end; /* one past the last */
} Arena;

/* Reserves `bytes` of address space (touched only when used). */
Arena arena_new(size_t bytes);

/* Zeroed room for `count` objects of `size` bytes aligned to `align`. count 0 gives a valid pointer. */
void *arena_alloc(Arena *a, size_t size, size_t align, size_t count);

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T), _Alignof(T), 1))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T), _Alignof(T), (size_t)(n)))

/* Vectors: any struct with members `T *data; int n, cap;`, zero-initialised. VEC_PUSH gives the address
 * of the new, zeroed last element; data moves when it grows, so keep indices, not pointers. */
#define VEC(T) \
  struct { \
    T *data; \
    int n, cap; \
  }
#define VEC_PUSH(a, v) \
  (((v)->n < (v)->cap \
       ? (void)0 \
       : arena_grow((a), &(v)->data, &(v)->cap, sizeof *(v)->data, _Alignof(max_align_t))), \
    (v)->data + (v)->n++)

void arena_grow(Arena *a, void *data, int *cap, size_t size, size_t align);

#endif
