/* Learnt encodings as JSON, for weights files:
 *   {"item":{"vocab":[["a","b"]]},"x":{"mean":[0.5],"sd":[2]}}
 * An array of strings for each vocabulary of an input, in id order from 2. One idea: values are
 * bytes and JSON is text, so a byte that is not part of valid UTF-8 is written as the lone
 * surrogate \udcXX (as Python's surrogateescape does), and all bytes come back as they were. */

#define _GNU_SOURCE
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#define JSMN_STRICT

#include "encode.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jsmn.h>

typedef struct json_text {
  char *at;
  size_t n, room;
  int failed;
} json_text;

static void put(json_text *t, const char *bytes, size_t n)
{
  if (t->n + n + 1 > t->room) {
    size_t room = (t->n + n + 1) * 2;
    char *more = t->failed ? NULL : realloc(t->at, room);
    if (!more) {
      t->failed = 1;
      return;
    }
    t->at = more;
    t->room = room;
  }
  memcpy(t->at + t->n, bytes, n);
  t->n += n;
  t->at[t->n] = 0;
}

__attribute__((format(printf, 2, 3))) static void putf(json_text *t, const char *format, ...)
{
  char text[64];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  put(t, text, (size_t)n);
}

/* How many bytes a valid UTF-8 sequence has here, or 0. */
static unsigned utf8_length(const unsigned char *s, unsigned left)
{
  unsigned n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : (s[0] & 0xf0) == 0xe0       ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
  if (n > left)
    return 0;
  for (unsigned i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)))
    return 0;
  if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))
    return 0;
  return n;
}

static void put_string(json_text *t, const char *at, size_t length)
{
  put(t, "\"", 1);
  for (size_t i = 0; i < length;) {
    const unsigned char *s = (const unsigned char *)at + i;
    unsigned n = utf8_length(s, length - i > 4 ? 4 : (unsigned)(length - i));
    if (!n)
      putf(t, "\\udc%02x", *s);
    else if (*s == '"' || *s == '\\')
      putf(t, "\\%c", *s);
    else if (*s < 32)
      putf(t, "\\u%04x", *s);
    else
      put(t, at + i, n);
    i += n ? n : 1;
  }
  put(t, "\"", 1);
}

static void put_numbers(json_text *t, const char *name, const double *x, long n)
{
  putf(t, "\"%s\":[", name);
  for (long i = 0; i < n; i++)
    putf(t, "%s%.17g", i ? "," : "", x[i]);
  put(t, "]", 1);
}

static void put_vocabs(json_text *t, const vocab *vocabs, int n)
{
  put(t, "\"vocab\":[", 9);
  for (int k = 0; k < n; k++) {
    put(t, k ? ",[" : "[", k ? 2 : 1);
    for (long i = 0; i < vocabs[k].n; i++) {
      text_span s = vocab_at(&vocabs[k], i);
      if (i)
        put(t, ",", 1);
      put_string(t, s.at, s.length);
    }
    put(t, "]", 1);
  }
  put(t, "]", 1);
}

char *rank_encoders_json(const rank_encoders *e)
{
  json_text t = {0};
  int some = 0;
  put(&t, "{", 1);
  for (int i = 0; i < e->model->ninputs && e->fitted; i++) {
    const encode_input *x = &e->inputs[i];
    const rank_input *in = &e->model->inputs[i];
    if (!encode_learns(e, i))
      continue;
    if (some++)
      put(&t, ",", 1);
    put_string(&t, in->name, strlen(in->name));
    put(&t, ":{", 2);
    if (x->vocabs)
      put_vocabs(&t, x->vocabs, in->nvocab);
    if (x->nstats) {
      put_numbers(&t, "mean", x->mean, x->nstats);
      put(&t, ",", 1);
      put_numbers(&t, "sd", x->sd, x->nstats);
    }
    put(&t, "}", 1);
  }
  put(&t, "}", 1);
  if (t.failed)
    free(t.at);
  return t.failed ? NULL : t.at;
}

/* Reading. The tokens lie in the order of the text, so a position among them is all the state. */
typedef struct json_reader {
  const char *text;
  jsmntok_t *tokens;
  int n, at;
  char *bytes; /* room for any one string, unescaped */
  rank_error *error;
} json_reader;

static int hex4(const char *s, unsigned *x)
{
  *x = 0;
  for (int i = 0; i < 4; i++) {
    unsigned c = (unsigned char)s[i];
    unsigned d = c >= '0' && c <= '9'   ? c - '0'
                 : c >= 'a' && c <= 'f' ? c - 'a' + 10
                 : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                        : 16;
    if (d > 15)
      return -1;
    *x = *x * 16 + d;
  }
  return 0;
}

static size_t put_utf8(char *out, unsigned c)
{
  unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned first[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (unsigned i = n - 1; i > 0; i--, c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)(first[n] | c);
  return n;
}

/* After \u: what it stands for; -1 when it stands for nothing. */
static long unescape_unicode(const char **at, const char *end, char *out)
{
  unsigned c, low;
  if (end - *at < 4 || hex4(*at, &c))
    return -1;
  *at += 4;
  if (c >= 0xdc80 && c <= 0xdcff) {
    *out = (char)(c - 0xdc00);
    return 1;
  }
  if (c >= 0xd800 && c < 0xdc00) {
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' || hex4(*at + 2, &low) ||
        low < 0xdc00 || low > 0xdfff)
      return -1;
    *at += 6;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c >= 0xdc00 && c < 0xe000) {
    return -1;
  }
  return (long)put_utf8(out, c);
}

/* A string token's bytes, in j->bytes; -1 when it is not a string. */
static long take_string(json_reader *j)
{
  static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (j->at >= j->n || j->tokens[j->at].type != JSMN_STRING)
    return -1;
  const jsmntok_t *token = &j->tokens[j->at++];
  const char *s = j->text + token->start, *end = j->text + token->end;
  char *out = j->bytes;
  while (s < end) {
    if (*s != '\\') {
      *out++ = *s++;
      continue;
    }
    if (++s == end)
      return -1;
    const char *known = *s ? strchr(escapes, *s) : NULL;
    if (known) {
      *out++ = meant[known - escapes];
      s++;
      continue;
    }
    long n = *s++ == 'u' ? unescape_unicode(&s, end, out) : -1;
    if (n < 0)
      return -1;
    out += n;
  }
  return out - j->bytes;
}

/* An array's number of elements; -1 when it is not one. */
static int take_array(json_reader *j)
{
  if (j->at >= j->n || j->tokens[j->at].type != JSMN_ARRAY)
    return -1;
  return j->tokens[j->at++].size;
}

static int take_numbers(json_reader *j, const rank_input *in, double *x, long n, int positive)
{
  if (take_array(j) != n)
    return rank_fail(j->error, "input %s: not %ld numbers", in->name, n);
  for (long i = 0; i < n; i++, j->at++) {
    const jsmntok_t *token = j->at < j->n ? &j->tokens[j->at] : NULL;
    if (!token || token->type != JSMN_PRIMITIVE)
      return rank_fail(j->error, "input %s: not a number", in->name);
    char copy[64] = {0};
    int length = token->end - token->start;
    memcpy(copy, j->text + token->start, length < 63 ? (size_t)length : 63);
    text_span s = {.at = copy, .length = (unsigned)strlen(copy)};
    if (length > 63 || number_read(&s, &x[i]) != NUMBER_OK || (positive && x[i] <= 0))
      return rank_fail(j->error, "input %s: %s is no %s", in->name, copy, positive ? "sd" : "mean");
  }
  return 0;
}

static int take_vocab(json_reader *j, const rank_input *in, vocab *v, long declared)
{
  int n = take_array(j);
  if (n < 0 || (declared && n > declared - 2))
    return rank_fail(
      j->error, "input %s: %d values for a vocabulary of %ld ids", in->name, n, declared);
  for (int i = 0; i < n; i++) {
    long length = take_string(j);
    if (length <= 0)
      return rank_fail(j->error, "input %s: value %d is no string", in->name, i);
    if (vocab_add(v, j->bytes, (size_t)length) != i)
      return rank_fail(
        j->error, "input %s: value %d is there twice, or there is no memory", in->name, i);
  }
  return 0;
}

static int take_vocabs(json_reader *j, const rank_input *in, vocab *vocabs)
{
  if (take_array(j) != in->nvocab)
    return rank_fail(j->error, "input %s: not %d vocabularies", in->name, in->nvocab);
  for (int k = 0; k < in->nvocab; k++)
    if (take_vocab(j, in, &vocabs[k], in->vocab && in->vocab[0] ? in->vocab[k] : 0))
      return -1;
  return 0;
}

static int is_key(const json_reader *j, long length, const char *key)
{
  return length == (long)strlen(key) && !memcmp(j->bytes, key, (size_t)length);
}

/* The value of one input: exactly the keys it learns. */
static int take_input(json_reader *j, const rank_input *in, encode_input *x)
{
  int want = (x->vocabs ? 1 : 0) + (x->nstats ? 2 : 0), had_mean = 0, had_sd = 0, had_vocab = 0;
  if (j->at >= j->n || j->tokens[j->at].type != JSMN_OBJECT || j->tokens[j->at].size != want)
    return rank_fail(j->error, "input %s: not what it learns", in->name);
  j->at++;
  for (int i = 0; i < want; i++) {
    int bad = j->tokens[j->at].size != 1;
    long length = take_string(j);
    int failed;
    if (!bad && is_key(j, length, "mean") && x->nstats && !had_mean++)
      failed = take_numbers(j, in, x->mean, x->nstats, 0);
    else if (!bad && is_key(j, length, "sd") && x->nstats && !had_sd++)
      failed = take_numbers(j, in, x->sd, x->nstats, 1);
    else if (!bad && is_key(j, length, "vocab") && x->vocabs && !had_vocab++)
      failed = take_vocabs(j, in, x->vocabs);
    else
      failed = rank_fail(j->error, "input %s: not what it learns", in->name);
    if (failed)
      return -1;
  }
  return 0;
}

static int take_all(json_reader *j, rank_encoders *fresh)
{
  const rank_model *m = fresh->model;
  int left = 0;
  for (int i = 0; i < m->ninputs; i++)
    left += encode_learns(fresh, i);
  if (j->n < 1 || j->tokens[0].type != JSMN_OBJECT || j->tokens[0].size != left)
    return rank_fail(
      j->error, "it has %d inputs, the model learns %d", j->n < 1 ? 0 : j->tokens[0].size, left);
  unsigned char *had = calloc((size_t)m->ninputs + 1, 1);
  int failed = !had;
  j->at = 1;
  for (; left > 0 && !failed; left--) {
    int bad = j->at >= j->n || j->tokens[j->at].size != 1, input = 0;
    long length = take_string(j);
    while (input < m->ninputs && (bad || !is_key(j, length, m->inputs[input].name)))
      input++;
    if (input == m->ninputs || !encode_learns(fresh, input) || had[input]++)
      failed = rank_fail(j->error, "an input that the model does not have, or does not learn");
    else
      failed = take_input(j, &m->inputs[input], &fresh->inputs[input]);
  }
  free(had);
  if (!failed && j->at != j->n)
    failed = rank_fail(j->error, "more than there should be");
  return failed ? -1 : 0;
}

static int tokenize(json_reader *j, size_t n)
{
  jsmn_parser parser;
  jsmn_init(&parser);
  int count = n < INT32_MAX ? jsmn_parse(&parser, j->text, n, NULL, 0) : -1;
  if (count < 1)
    return rank_fail(j->error, "not JSON");
  j->tokens = malloc((size_t)count * sizeof *j->tokens);
  j->bytes = malloc(n + 8);
  if (!j->tokens || !j->bytes)
    return rank_fail(j->error, "out of memory");
  jsmn_init(&parser);
  j->n = jsmn_parse(&parser, j->text, n, j->tokens, (unsigned)count);
  return j->n < 1 ? rank_fail(j->error, "not JSON") : 0;
}

int rank_encoders_from_json(rank_encoders *e, const char *json, size_t n, rank_error *error)
{
  rank_error why = {{0}};
  json_reader j = {.text = json, .error = &why};
  rank_encoders *fresh = rank_encoders_new(e->model);
  int failed = !fresh ? rank_fail(&why, "out of memory") : 0;
  if (!failed)
    failed = tokenize(&j, n) || take_all(&j, fresh);
  if (!failed) {
    encode_offsets(fresh);
    failed = encode_check(fresh, &why);
  }
  if (!failed) {
    rank_encoders swap = *e;
    *e = *fresh;
    e->fitted = 1;
    *fresh = swap;
    fresh->fits = e->fits; /* what was fitted is not in the text */
    e->fits = swap.fits;
  }
  rank_encoders_free(fresh);
  free(j.tokens);
  free(j.bytes);
  return failed ? rank_fail(error, "encodings: %s", why.text) : 0;
}
