/* index_scan_avx512.c: the kernel once more, compiled for AVX-512 (see CMakeLists.txt); elsewhere it is the one
 * for every machine, which is then not called through this name. */

#include "index_scan.h"

INDEX_SCAN(index_scan_avx512)
