/* safetensors_header.c: the JSON header of a safetensors file, believed only as far as it can be checked.
 *
 * One idea: jsmn splits the text into tokens but forgives much, so every token's kind and place is looked
 * at again here, and at the end the tensors, sorted by offset, must tile the rest of the file. */

#include "safetensors_header.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

typedef struct header {
  st_file *f;
  const char *json;
  const jsmntok_t *tok;
  int ntok;
  uint64_t data_at, size;
  rank_error *e;
} header;

static int bad_header(const header *h, const char *what)
{
  return rank_fail(h->e, "%s: damaged or not a safetensors file: %s", h->f->path, what);
}

/* --- strings --- */

static unsigned hex4(const char *s)
{
  unsigned x = 0;
  for (int i = 0; i < 4; i++) {
    unsigned c = (unsigned char)s[i];
    x = x << 4 | (c <= '9' ? c - '0' : (c | 32u) - 'a' + 10);
  }
  return x;
}

static char *put_utf8(char *out, unsigned c)
{
  if (c < 0x80) {
    *out++ = (char)c;
    return out;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *out++ = (char)((more == 1 ? 0xc0u : more == 2 ? 0xe0u : 0xf0u) | c >> (6 * more));
  while (more-- > 0) {
    *out++ = (char)(0x80u | (c >> (6 * more) & 0x3fu));
  }
  return out;
}

/* One escape at s (after the backslash, which jsmn has checked); *s moves past it. NULL: refused. */
static char *put_escape(char *out, const char **s, const char *end)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char c = *(*s)++;
  if (c != 'u') {
    const char *which = strchr(from, c);
    if (which == NULL || c == '\0') {
      return NULL;
    }
    *out++ = to[which - from];
    return out;
  }
  unsigned code = hex4(*s);
  *s += 4;
  if (code >= 0xd800 && code < 0xdc00 && end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u') {
    unsigned low = hex4(*s + 2);
    if (low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      *s += 6;
    }
  }
  if (code == 0 || (code >= 0xd800 && code < 0xe000)) {
    return NULL; /* no name holds a NUL or half a surrogate pair */
  }
  return put_utf8(out, code);
}

/* malloc'd and terminated; NULL with a message. Unescaping never makes text longer. */
static char *token_string(const header *h, const jsmntok_t *t)
{
  const char *s = h->json + t->start, *end = h->json + t->end;
  char *text = malloc((size_t)(end - s) + 1), *out = text;
  if (text == NULL) {
    rank_fail(h->e, "%s: out of memory", h->f->path);
    return NULL;
  }
  while (s < end && out != NULL) {
    if (*s == '\\') {
      s++;
      out = put_escape(out, &s, end);
    } else if ((unsigned char)*s < 0x20) {
      out = NULL;
    } else {
      *out++ = *s++;
    }
  }
  if (out == NULL) {
    free(text);
    bad_header(h, "a string in the header is not valid JSON");
    return NULL;
  }
  *out = '\0';
  return text;
}

static int token_is(const header *h, const jsmntok_t *t, const char *text)
{
  size_t n = strlen(text);
  return t->type == JSMN_STRING && (size_t)(t->end - t->start) == n &&
         memcmp(h->json + t->start, text, n) == 0;
}

/* Whole numbers below 2^62. */
static int token_number(const header *h, const jsmntok_t *t, uint64_t *x)
{
  if (t->type != JSMN_PRIMITIVE || t->end == t->start || t->end - t->start > 19) {
    return 0;
  }
  *x = 0;
  for (int i = t->start; i < t->end; i++) {
    if (h->json[i] < '0' || h->json[i] > '9') {
      return 0;
    }
    *x = *x * 10 + (uint64_t)(h->json[i] - '0');
  }
  return *x < (uint64_t)1 << 62;
}

/* --- tensors --- */

static int find_dtype(const header *h, const jsmntok_t *t, st_tensor *x, uint64_t *size)
{
  static const struct {
    const char *name;
    st_dtype dtype;
    uint64_t size;
  } known[] = {{"F64", ST_F64, 8}, {"F32", ST_F32, 4}, {"I64", ST_I64, 8}, {"I32", ST_I32, 4},
    {"F16", ST_F16, 2}, {"BF16", ST_BF16, 2}, {"I16", ST_OTHER, 2}, {"U16", ST_OTHER, 2},
    {"I8", ST_I8, 1}, {"U8", ST_OTHER, 1}, {"BOOL", ST_OTHER, 1}, {"U32", ST_OTHER, 4},
    {"U64", ST_OTHER, 8}, {"F8_E4M3", ST_OTHER, 1}, {"F8_E5M2", ST_OTHER, 1}, {"C64", ST_OTHER, 8}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (token_is(h, t, known[i].name)) {
      x->dtype = known[i].dtype;
      *size = known[i].size;
      strcpy(x->dtype_name, known[i].name);
      return 1;
    }
  }
  return 0;
}

static int parse_shape(const header *h, const jsmntok_t *t, st_tensor *x)
{
  if (t->type != JSMN_ARRAY || t->size > ST_MAX_RANK || t + t->size >= h->tok + h->ntok) {
    return 0;
  }
  x->nshape = t->size;
  x->count = 1;
  for (int i = 0; i < t->size; i++) {
    uint64_t n;
    if (!token_number(h, t + 1 + i, &n)) {
      return 0;
    }
    x->shape[i] = (int64_t)n;
    if (__builtin_mul_overflow(x->count, x->shape[i], &x->count)) {
      return 0;
    }
  }
  return 1;
}

/* The object at token t: {"dtype": .., "shape": [..], "data_offsets": [begin, end]} in any order. The
 * number of tokens it takes, or -1. */
static int parse_tensor(const header *h, const jsmntok_t *t, st_tensor *x)
{
  uint64_t size = 0, begin = 1, end = 0;
  int seen = 0, at = 1;
  if (t->type != JSMN_OBJECT || t->size != 3 || t + 6 >= h->tok + h->ntok) {
    return bad_header(h, "a tensor is not described by dtype, shape and data_offsets");
  }
  for (int field = 0; field < 3; field++) {
    const jsmntok_t *key = t + at, *value = t + at + 1;
    if (value >= h->tok + h->ntok || key->size != 1) {
      return bad_header(h, "a field of a tensor has no value");
    }
    if (token_is(h, key, "dtype") && find_dtype(h, value, x, &size)) {
      seen |= 1;
    } else if (token_is(h, key, "shape") && parse_shape(h, value, x)) {
      seen |= 2;
    } else if (token_is(h, key, "data_offsets") && value->type == JSMN_ARRAY && value->size == 2 &&
               value + 2 < h->tok + h->ntok && token_number(h, value + 1, &begin) &&
               token_number(h, value + 2, &end)) {
      seen |= 4;
    } else {
      return bad_header(h, "a tensor's dtype, shape or data_offsets make no sense");
    }
    at += 2 + (value->type == JSMN_ARRAY ? value->size : 0);
  }
  uint64_t bytes;
  if (seen != 7 || begin > end || __builtin_mul_overflow((uint64_t)x->count, size, &bytes) ||
      bytes != end - begin || end > h->size - h->data_at) {
    return bad_header(h, "a tensor's shape does not match its bytes, or it ends after the file");
  }
  x->at = h->data_at + begin;
  x->bytes = bytes;
  return at;
}

static int parse_metadata(const header *h, const jsmntok_t *t)
{
  st_file *f = h->f;
  if (t->type != JSMN_OBJECT || f->pairs != NULL || t + 2 * t->size >= h->tok + h->ntok) {
    return bad_header(h, "its __metadata__ is not a table of strings");
  }
  f->pairs = calloc((size_t)t->size + 1, sizeof *f->pairs);
  if (f->pairs == NULL) {
    return rank_fail(h->e, "%s: out of memory", f->path);
  }
  for (int i = 0; i < t->size; i++) {
    const jsmntok_t *key = t + 1 + 2 * i, *value = key + 1;
    if (key->type != JSMN_STRING || key->size != 1 || value->type != JSMN_STRING) {
      return bad_header(h, "its __metadata__ is not a table of strings");
    }
    st_pair *p = &f->pairs[f->npairs++];
    if ((p->key = token_string(h, key)) == NULL || (p->value = token_string(h, value)) == NULL) {
      return -1;
    }
  }
  return 1 + 2 * t->size;
}

static int parse_entry(const header *h, int i)
{
  const jsmntok_t *key = h->tok + i;
  if (i + 1 >= h->ntok || key->type != JSMN_STRING || key->size != 1) {
    return bad_header(h, "its header is not a table of tensors");
  }
  if (token_is(h, key, "__metadata__")) {
    return parse_metadata(h, key + 1);
  }
  st_tensor x = {0};
  int used = parse_tensor(h, key + 1, &x);
  if (used > 0) {
    x.name = token_string(h, key);
    if (x.name == NULL) {
      return -1;
    }
    h->f->tensors[h->f->ntensors++] = x;
  }
  return used;
}

static int by_name(const void *a, const void *b)
{
  return strcmp(((const st_tensor *)a)->name, ((const st_tensor *)b)->name);
}

static int by_offset(const void *a, const void *b)
{
  const st_tensor *x = a, *y = b;
  if (x->at != y->at) {
    return x->at < y->at ? -1 : 1;
  }
  return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1) : strcmp(x->name, y->name);
}

static int check_tiling(const header *h)
{
  st_file *f = h->f;
  size_t n = (size_t)f->ntensors;
  qsort(f->tensors, n, sizeof *f->tensors, by_name);
  for (size_t i = 1; i < n; i++) {
    if (strcmp(f->tensors[i - 1].name, f->tensors[i].name) == 0) {
      return rank_fail(h->e, "%s: damaged: two tensors %s", f->path, f->tensors[i].name);
    }
  }
  qsort(f->tensors, n, sizeof *f->tensors, by_offset);
  uint64_t at = h->data_at;
  for (size_t i = 0; i < n; i++) {
    if (f->tensors[i].at != at) {
      return bad_header(h, "its tensors overlap or leave gaps");
    }
    at += f->tensors[i].bytes;
  }
  return at == h->size ? 0 : bad_header(h, "its size is not what its header says");
}

static int walk_header(header *h)
{
  const jsmntok_t *root = h->tok;
  if (root->type != JSMN_OBJECT) {
    return bad_header(h, "its header is not a JSON object");
  }
  for (const char *c = h->json + root->end; *c != '\0'; c++) {
    if (*c != ' ') {
      return bad_header(h, "text after its header");
    }
  }
  h->f->tensors = calloc((size_t)root->size + 1, sizeof *h->f->tensors);
  if (h->f->tensors == NULL) {
    return rank_fail(h->e, "%s: out of memory", h->f->path);
  }
  for (int i = 1, entry = 0; entry < root->size; entry++) {
    int used = parse_entry(h, i);
    if (used < 0) {
      return -1;
    }
    i += 1 + used;
  }
  return check_tiling(h);
}

int st_header_parse(
  st_file *f, const char *json, size_t n, uint64_t data_at, uint64_t size, rank_error *e)
{
  header h = {f, json, NULL, 0, data_at, size, e};
  jsmn_parser parser;
  jsmn_init(&parser);
  int count = strlen(json) == n ? jsmn_parse(&parser, json, n, NULL, 0) : -1;
  if (count <= 0 || count > INT_MAX / 64) {
    return bad_header(&h, "its header is not JSON");
  }
  jsmntok_t *tok = calloc((size_t)count, sizeof *tok);
  if (tok == NULL) {
    return rank_fail(e, "%s: out of memory", f->path);
  }
  jsmn_init(&parser);
  h.tok = tok;
  h.ntok = jsmn_parse(&parser, json, n, tok, (unsigned)count);
  int failed = h.ntok <= 0 ? bad_header(&h, "its header is not JSON") : walk_header(&h);
  free(tok);
  return failed;
}
