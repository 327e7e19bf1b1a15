/* safetensors_write.c: writing; see safetensors.h.
 *
 * A tensor whose rows are apart in memory is collected chunk by chunk, for its checksum and for the file. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"
#include "safetensors_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK = 1 << 16, ALIGN_HEADER = 64 };

static const char *const dtype_names[] = {"F64", "F32", "I64", "I32", "F16", "BF16", "I8"};

static uint64_t entry_bytes(const st_entry *t)
{
  uint64_t n = st_dtype_size(t->dtype);
  for (int i = 0; i < t->nshape; i++) {
    n *= (uint64_t)t->shape[i];
  }
  return n;
}

/* Bytes [at, at + n) of a tensor whose rows are apart, collected in `room`. */
static const char *entry_part(const st_entry *t, uint64_t at, size_t n, char *room)
{
  const rank_real *data = t->data;
  if (t->row == 0) {
    return (const char *)t->data + at;
  }
  for (size_t k = 0; k < n / sizeof *data; k++) {
    uint64_t i = at / sizeof *data + k, row = (uint64_t)t->row;
    memcpy(room + k * sizeof *data, data + i / row * (uint64_t)t->stride + i % row, sizeof *data);
  }
  return room;
}

static uint64_t entry_sum(const st_entry *t)
{
  char room[CHUNK];
  const uint64_t bytes = entry_bytes(t);
  XXH64_state_t hash;
  XXH64_reset(&hash, 0);
  for (uint64_t at = 0; at < bytes; at += CHUNK) {
    size_t n = bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK;
    XXH64_update(&hash, entry_part(t, at, n, room), n);
  }
  return XXH64_digest(&hash);
}

static int write_entry(const st_entry *t, FILE *out)
{
  char room[CHUNK];
  const uint64_t bytes = entry_bytes(t);
  for (uint64_t at = 0; at < bytes; at += CHUNK) {
    size_t n = bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK;
    if (fwrite(entry_part(t, at, n, room), 1, n, out) != n) {
      return -1;
    }
  }
  return 0;
}

static void print_metadata(
  FILE *out, const st_entry *entries, int nentries, const st_pair *pairs, int npairs)
{
  const char *comma = "";
  fputs("{\"__metadata__\":{", out);
  for (int i = 0; i < npairs; i++, comma = ",") {
    fputs(comma, out);
    rank_json_string(out, pairs[i].key);
    fputc(':', out);
    rank_json_string(out, pairs[i].value);
  }
  for (int i = 0; i < nentries; i++, comma = ",") {
    char key[512];
    snprintf(key, sizeof key, "sum.%s", entries[i].name);
    fputs(comma, out);
    rank_json_string(out, key);
    fprintf(out, ":\"%016llx\"", (unsigned long long)entry_sum(&entries[i]));
  }
  fputc('}', out);
}

/* malloc'd text, padded so that the tensors start at a multiple of ALIGN_HEADER bytes. */
static char *make_header(
  const st_entry *entries, int nentries, const st_pair *pairs, int npairs, size_t *length)
{
  char *text = NULL;
  FILE *out = open_memstream(&text, length);
  if (out == NULL) {
    return NULL;
  }
  print_metadata(out, entries, nentries, pairs, npairs);
  uint64_t at = 0;
  for (int i = 0; i < nentries; i++) {
    const st_entry *t = &entries[i];
    fputc(',', out);
    rank_json_string(out, t->name);
    fprintf(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype_names[t->dtype]);
    for (int k = 0; k < t->nshape; k++) {
      fprintf(out, "%s%lld", k ? "," : "", (long long)t->shape[k]);
    }
    uint64_t end = at + entry_bytes(t);
    fprintf(
      out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)end);
    at = end;
  }
  fputc('}', out);
  fflush(out);
  for (size_t n = *length; (8 + n) % ALIGN_HEADER != 0; n++) {
    fputc(' ', out);
  }
  if (fclose(out) != 0) {
    free(text);
    return NULL;
  }
  return text;
}

int st_write(const char *path, const st_entry *entries, int nentries, const st_pair *pairs,
  int npairs, rank_error *e)
{
  rank_file f;
  size_t n = 0;
  char *header = make_header(entries, nentries, pairs, npairs, &n);
  if (header == NULL) {
    return rank_fail(e, "%s: out of memory", path);
  }
  if (rank_file_create(&f, path, e) != 0) {
    free(header);
    return -1;
  }
  unsigned char prefix[8];
  for (int i = 0; i < 8; i++) {
    prefix[i] = (unsigned char)((uint64_t)n >> (8 * i));
  }
  errno = 0;
  int failed = fwrite(prefix, 1, 8, f.out) != 8 || fwrite(header, 1, n, f.out) != n;
  free(header);
  for (int i = 0; i < nentries && !failed; i++) {
    failed = write_entry(&entries[i], f.out);
  }
  if (failed) {
    rank_fail(e, "%s: cannot write: %s", path, strerror(errno));
    rank_file_discard(&f);
    return -1;
  }
  return rank_file_commit(&f, e);
}
