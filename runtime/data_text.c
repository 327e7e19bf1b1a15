/* Records out of a byte stream. One idea: a record is split where it lies in the buffer, in one
 * pass over its bytes; when the buffer ends first, more is read behind it and the record is split
 * again, so nothing is changed before a record is whole.
 *
 * Not libcsv: it copies every byte through a callback, drops the blanks around fields and cannot
 * say on which line a record began, which every error message here needs. */

#define _GNU_SOURCE

#include "data_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { TEXT_BLOCK = 1 << 20, TEXT_LONGEST = 1 << 29, BEHIND = 16 };

static void begin(text_reader *r, const char *name, char separator)
{
  memset(r, 0, sizeof *r);
  r->name = name;
  r->separator = separator;
  r->next_line = 1;
}

/* Newlines behind what there is, which end every search. */
static void end_buffer(text_reader *r)
{
  memset(r->buffer + r->end, '\n', BEHIND);
}

int text_start(text_reader *r, const text_file *f, char separator, rank_error *e)
{
  begin(r, f->name, separator);
  r->size = f->size;
  int fd = dup(f->fd);
  if (fd < 0)
    return rank_fail(e, "%s: cannot be read", f->name);
  lseek(fd, 0, SEEK_SET); /* a pipe stays where it is */
  r->gz = gzdopen(fd, "rb");
  r->room = TEXT_BLOCK;
  r->buffer = malloc(r->room + BEHIND);
  if (!r->gz)
    close(fd);
  if (!r->gz || !r->buffer) {
    text_stop(r);
    return rank_fail(e, "%s: out of memory", f->name);
  }
  gzbuffer(r->gz, 1 << 17);
  end_buffer(r);
  return 0;
}

int text_start_live(text_reader *r, const char *name, int fd, char separator, rank_error *e)
{
  begin(r, name, separator);
  r->fd = fd;
  r->room = TEXT_BLOCK;
  r->buffer = malloc(r->room + BEHIND);
  if (!r->buffer)
    return rank_fail(e, "%s: out of memory", name);
  end_buffer(r);
  return 0;
}

void text_stop(text_reader *r)
{
  if (r->gz)
    gzclose(r->gz);
  free(r->buffer);
  free(r->fields);
  free(r->values);
  r->gz = NULL;
  r->buffer = NULL;
  r->fields = r->values = NULL;
}

double text_fraction(const text_reader *r)
{
  z_off_t at = gzoffset(r->gz);
  if (!r->size || at <= 0)
    return 0;
  double fraction = (double)at / (double)r->size;
  return fraction < 1 ? fraction : 1;
}

static void skip_mark(text_reader *r)
{
  r->begun = 1;
  if (r->end >= 3 && !memcmp(r->buffer, "\xef\xbb\xbf", 3))
    r->start = 3;
}

/* Room for at least half a buffer behind what is not consumed. */
static int make_space(text_reader *r, rank_error *e)
{
  memmove(r->buffer, r->buffer + r->start, r->end - r->start);
  r->base += r->start;
  r->end -= r->start;
  r->start = 0;
  if (r->end > r->room / 2) {
    char *more = r->room < TEXT_LONGEST ? realloc(r->buffer, r->room * 2 + BEHIND) : NULL;
    if (!more)
      return rank_fail(e, "%s:%ld: a record of more than %zu bytes (is a quote not closed?)",
        r->name, r->next_line, r->end);
    r->buffer = more;
    r->room *= 2;
  }
  return 0;
}

/* More bytes. At the end of the file its last line gets the newline that it may lack. */
static int fill(text_reader *r, rank_error *e)
{
  if (make_space(r, e))
    return -1;
  unsigned want = (unsigned)(r->room - r->end - 2);
  int got = gzread(r->gz, r->buffer + r->end, want);
  int status = Z_OK;
  const char *why = gzerror(r->gz, &status);
  if (got < 0 || (status != Z_OK && status != Z_STREAM_END))
    return rank_fail(e, "%s: cannot be read to its end: %s", r->name, why);
  r->end += (size_t)got;
  r->fills++;
  if (!r->begun)
    skip_mark(r);
  if ((unsigned)got < want) {
    r->ended = 1;
    if (r->end > r->start && r->buffer[r->end - 1] != '\n')
      r->buffer[r->end++] = '\n';
  }
  end_buffer(r);
  return 0;
}

long text_more(text_reader *r, rank_error *e)
{
  if (make_space(r, e))
    return -1;
  ssize_t got = read(r->fd, r->buffer + r->end, r->room - r->end - 2);
  r->ended = got == 0;
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return 0;
  if (got < 0)
    return rank_fail(e, "%s: cannot be read: %s", r->name, strerror(errno));
  r->end += (size_t)got;
  if (!r->begun && r->end >= 2 && !memcmp(r->buffer, "\x1f\x8b", 2))
    return rank_fail(
      e, "%s: is gzipped, and is read as it grows: zcat it into standard input", r->name);
  if (!r->begun && r->end >= 3)
    skip_mark(r);
  end_buffer(r);
  return (long)got;
}

void text_seek(text_reader *r, uint64_t at, long line)
{
  lseek(r->fd, (off_t)at, SEEK_SET);
  r->base = at;
  r->start = r->end = 0;
  r->begun = 1;
  r->next_line = line;
  end_buffer(r);
}

uint64_t text_place(const text_reader *r)
{
  return r->base + r->start;
}

static int make_room(text_reader *r, int pairs, rank_error *e)
{
  long room = r->room_fields ? r->room_fields * 2 : 64;
  text_span *fields = realloc(r->fields, (size_t)room * sizeof *fields);
  if (fields)
    r->fields = fields;
  text_span *values = pairs && fields ? realloc(r->values, (size_t)room * sizeof *values) : NULL;
  if (values)
    r->values = values;
  if (!fields || (pairs && !values))
    return rank_fail(e, "%s:%ld: out of memory", r->name, r->line);
  r->room_fields = room;
  return 0;
}

static int fail_nul(const text_reader *r, rank_error *e)
{
  return rank_fail(e, "%s:%ld: a byte 0: not a text file, or one in UTF-16", r->name, r->next_line);
}

/* p is after the opening quote. Returns what follows the closing quote, `end` when the buffer ends
 * before that is known, NULL on error. */
static char *split_quoted(
  text_reader *r, char *p, char *end, text_span *f, long *lines, rank_error *e)
{
  f->at = p;
  for (;; p++) {
    while (p < end && *p != '"' && *p != '\n' && *p)
      p++;
    if (p == end)
      return end;
    if (!*p)
      return fail_nul(r, e), NULL;
    if (*p == '\n') {
      ++*lines;
    } else if (p[1] == '"' && p + 1 < end) {
      f->doubled = 1;
      p++;
    } else {
      break;
    }
  }
  f->length = (unsigned)(p - f->at);
  f->quoted = 1;
  p++;
  if (*p == '\r' && p < end && p[1] == '\n')
    p++;
  if (p < end && *p != '\n' && *p != r->separator)
    return rank_fail(e, "%s:%ld: field %ld: something follows its closing quote", r->name,
             r->next_line, r->nfields + 1),
           NULL;
  return p;
}

static void undouble(text_span *f)
{
  unsigned n = 0;
  for (unsigned i = 0; i < f->length; i++) {
    f->at[n++] = f->at[i];
    i += f->at[i] == '"';
  }
  f->length = n;
  f->doubled = 0;
}

/* The separator, newline or byte 0 that comes first; BEHIND bytes at a time. */
static char *find_stop(const text_reader *r, char *p)
{
#ifdef __SSE2__
  const __m128i separator = _mm_set1_epi8(r->separator), newline = _mm_set1_epi8('\n');
  for (;; p += BEHIND) {
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i stop =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, separator), _mm_cmpeq_epi8(x, newline)),
        _mm_cmpeq_epi8(x, _mm_setzero_si128()));
    const unsigned found = (unsigned)_mm_movemask_epi8(stop);
    if (found != 0)
      return p + __builtin_ctz(found);
  }
#else
  while (*p != r->separator && *p != '\n' && *p)
    p++;
  return p;
#endif
}

/* 1: a record; 0: the buffer ends before it does; -1: error. */
static int split(text_reader *r, rank_error *e)
{
  char *p = r->buffer + r->start, *end = r->buffer + r->end;
  long lines = 1;
  int doubled = 0;
  r->nfields = 0;
  for (;;) {
    text_span f = {0};
    if (*p == '"') {
      p = split_quoted(r, p + 1, end, &f, &lines, e);
      if (!p)
        return -1;
      doubled |= f.doubled;
    } else {
      f.at = p;
      p = find_stop(r, p);
      f.length = (unsigned)(p - f.at);
    }
    if (p == end)
      return 0;
    if (r->nfields == r->room_fields && make_room(r, 0, e))
      return -1;
    r->fields[r->nfields++] = f;
    if (*p == '\n')
      break;
    if (!*p)
      return fail_nul(r, e);
    p++;
  }
  text_span *last = &r->fields[r->nfields - 1];
  if (!last->quoted && last->length && last->at[last->length - 1] == '\r')
    last->length--;
  for (long i = 0; doubled && i < r->nfields; i++)
    if (r->fields[i].doubled)
      undouble(&r->fields[i]);
  r->start = (size_t)(p + 1 - r->buffer);
  r->line = r->next_line;
  r->next_line += lines;
  return 1;
}

int text_csv(text_reader *r, rank_error *e)
{
  for (;;) {
    int got = r->start < r->end ? split(r, e) : 0;
    if (got)
      return got;
    if (!r->gz)
      return TEXT_WAIT;
    if (r->ended && r->start == r->end)
      return 0;
    if (r->ended)
      return rank_fail(e, "%s:%ld: a quote that is not closed", r->name, r->next_line);
    if (fill(r, e))
      return -1;
  }
}

/* One token of a line: INDEX:VALUE, or the target, which has no colon and stands first. */
static int take_token(text_reader *r, char *at, char *end, rank_error *e)
{
  text_span token = {.at = at, .length = (unsigned)(end - at)};
  char *colon = memrchr(at, ':', token.length);
  if (!colon && r->nfields == 0 && !r->target.at) {
    r->target = token;
    return 0;
  }
  if (!colon || colon == at || colon + 1 == end) {
    text_shown shown = text_show(&token);
    return rank_fail(e, "%s:%ld: %s is not index:value", r->name, r->line, shown.text);
  }
  if ((r->nfields == r->room_fields || !r->values) && make_room(r, 1, e))
    return -1;
  r->fields[r->nfields] = (text_span){.at = at, .length = (unsigned)(colon - at)};
  r->values[r->nfields++] = (text_span){.at = colon + 1, .length = (unsigned)(end - colon - 1)};
  return 0;
}

static int split_line(text_reader *r, char *p, char *end, rank_error *e)
{
  r->nfields = 0;
  r->target = (text_span){0};
  if (memchr(p, 0, (size_t)(end - p)))
    return fail_nul(r, e);
  char *comment = memchr(p, '#', (size_t)(end - p));
  if (comment)
    end = comment;
  for (;;) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
      p++;
    if (p == end)
      return 0;
    char *token = p;
    while (p < end && *p != ' ' && *p != '\t' && *p != '\r')
      p++;
    if (take_token(r, token, p, e))
      return -1;
  }
}

int text_libsvm(text_reader *r, rank_error *e)
{
  for (;;) {
    char *p = r->buffer + r->start;
    char *newline = memchr(p, '\n', r->end - r->start);
    if (!newline && !r->gz)
      return TEXT_WAIT;
    if (!newline && r->ended)
      return 0;
    if (!newline) {
      if (fill(r, e))
        return -1;
      continue;
    }
    r->line = r->next_line;
    if (split_line(r, p, newline, e))
      return -1;
    r->next_line++;
    r->start = (size_t)(newline + 1 - r->buffer);
    if (r->nfields || r->target.at) /* else a blank line, or a comment */
      return 1;
  }
}

text_shown text_show(const text_span *s)
{
  text_shown out;
  size_t n = 0;
  out.text[n++] = '"';
  for (unsigned i = 0; i < s->length; i++) {
    if (n > sizeof out.text - 12) {
      memcpy(out.text + n, "...", 3);
      n += 3;
      break;
    }
    unsigned char c = (unsigned char)s->at[i];
    if (c < 32 || c == 127)
      n += (size_t)snprintf(out.text + n, 5, "\\x%02x", c);
    else
      out.text[n++] = (char)c;
  }
  out.text[n++] = '"';
  out.text[n] = 0;
  return out;
}
