/* index_scan.h: the kernel of the search, for the instruction set that the file which includes it is
 * compiled for. Vectors of an index are floats also where the model's are doubles. */

#undef RANK_F64
#include "index.h"
#include "rank_gemm.h"

#define INDEX_SCAN(NAME) \
  void NAME(const float *block, long width, const float *queries, long n, const float *limit, \
    float *scores, unsigned char *above) \
  { \
    RANK_GEMM(n, INDEX_BLOCK, width, queries, width, 1, block, INDEX_BLOCK, (rank_vec){0}, \
      rank_store(scores + row * INDEX_BLOCK + col, sum)); \
    for (long i = 0; i < n; i++) { \
      const float *s = scores + i * INDEX_BLOCK, most = limit[i]; \
      int any = 0; \
      for (int j = 0; j < INDEX_BLOCK; j++) { \
        any |= s[j] > most; \
      } \
      above[i] = (unsigned char)any; \
    } \
  }
