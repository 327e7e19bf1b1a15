#ifndef RANK_CACHE_FORMAT_H
#define RANK_CACHE_FORMAT_H

/* What cache.c and cache_write.c agree on. */

#include "cache.h"

#define CACHE_MAGIC "RANKROWS" /* 8 bytes, without the 0 */

enum { CACHE_VERSION = 1, CACHE_ENDIAN = 0x01020304, CACHE_ALIGN = 64 };

typedef struct cache_header {
  char magic[8];
  uint32_t version, endian, real, shift;
  uint64_t key[2];
  uint64_t rows, groups;
  uint64_t size, directory; /* of the file; where its directory begins */
  uint64_t directory_checksum;
  uint64_t spare[5];
  uint64_t checksum; /* of all before it */
} cache_header;

static inline uint64_t cache_align(uint64_t at)
{
  return (at + CACHE_ALIGN - 1) / CACHE_ALIGN * CACHE_ALIGN;
}

unsigned cache_shift(const rank_model *m, int labels); /* rows of a group, from the layout alone */
uint64_t cache_hash(const cache_header *h);

#endif
