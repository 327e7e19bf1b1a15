/* index_scan.c: which kernel this machine can run, and the one that every machine can. */

#include "index_scan.h"

INDEX_SCAN(index_scan_base)

index_scan *index_scan_here(void)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return index_scan_avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return index_scan_avx2;
  }
#endif
  return index_scan_base;
}
