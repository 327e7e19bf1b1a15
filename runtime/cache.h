#ifndef RANK_CACHE_H
#define RANK_CACHE_H

/* Encoded rows in a file, written once and mapped afterwards.
 *
 * One idea: rows come in groups of a fixed number of rows; inside a group each input is one column,
 * and each ragged axis a column of offsets into those of its inputs. So writing is sequential in
 * bounded memory, any row is found by a shift and a mask, and a reader checks everything before it
 * believes it. */

#include "rank_error.h"
#include "rank_model.h"

typedef struct cache_key {
  uint64_t word[2];
} cache_key;

/* The path of an entry, "" when it does not fit. */
typedef struct cache_path {
  char text[4096];
} cache_path;
cache_path cache_path_of(const char *dir, cache_key key, const char *suffix);

/* A small file with a checksum, written atomically: NULL when it is not there or damaged. */
char *cache_load(const char *path, size_t *n);
int cache_store(const char *dir, const char *path, const char *bytes, size_t n, rank_error *e);

typedef struct cache_column { /* of one group; a dim's column is uint32_t offsets */
  const void *at;
} cache_column;

typedef struct cache {
  const rank_model *m;
  void *map;
  size_t size;
  int labels;
  uint64_t rows, groups;
  unsigned shift;        /* a group has 1 << shift rows, the last one maybe fewer */
  cache_column *columns; /* [groups][ndims + ninputs] */
} cache;

size_t cache_element(const rank_input *in); /* bytes of a value */
int cache_has(const rank_model *m, int input, int labels);

/* Maps and validates. key: what it must have been made for. full: the checksums of all rows too.
 * NULL: not there, damaged, or another's. Takes fd. */
cache *cache_map(const rank_model *m, int labels, cache_key key, int fd, int full);
void cache_unmap(cache *c);

typedef struct cache_writer cache_writer;

/* dir NULL: an unlinked file. */
cache_writer *cache_create(
  const rank_model *m, int labels, cache_key key, const char *dir, rank_error *e);
/* Room for n values of an input in the row that is being written; NULL: no memory. */
void *cache_room(cache_writer *w, int input, long n);
int cache_row(cache_writer *w, const long *length, rank_error *e); /* ends the row; [ndims] */
/* Ends the file, gives it its name and maps it. NULL on error. The writer is gone either way. */
cache *cache_finish(cache_writer *w, rank_error *e);
void cache_abandon(cache_writer *w);

#endif
