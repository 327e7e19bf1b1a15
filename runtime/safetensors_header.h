#ifndef RANK_SAFETENSORS_HEADER_H
#define RANK_SAFETENSORS_HEADER_H

#include "safetensors.h"

/* Fills f's tensors and pairs from the header's n bytes (terminated), all checked against the file:
 * tensors fill it from data_at to size without gap or overlap. On failure f may be half filled; st_close
 * frees it. */
int st_header_parse(
  st_file *f, const char *json, size_t n, uint64_t data_at, uint64_t size, rank_error *e);

size_t st_dtype_size(st_dtype d); /* bytes of an element */

#endif
