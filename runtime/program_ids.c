/* program_ids.c: the ids of a catalogue's items, which the model itself may know nothing of.
 *
 * One idea: they are a column of text like any other, read in a pass of their own; when every one is a
 * whole number as a program would print it, they are kept and ordered as numbers. */

#include "data_text.h"
#include "index.h"
#include "program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
  const rank_model *m;
  text_reader text;
  long field; /* which holds the id; -1: not known yet */
  size_t used, room, room_ids;
  size_t *at; /* of each id in bytes */
} reading;

static int find_field(reading *r, const char *column, rank_error *e)
{
  if (!r->m->header) {
    char *end;
    errno = 0;
    r->field = strtol(column, &end, 10);
    if (end == column || *end != '\0' || errno != 0 || r->field < 0) {
      return rank_fail(
        e, "%s: there is no header, so --id is a number from 0, not \"%s\"", r->text.name, column);
    }
    return 0;
  }
  int got = text_csv(&r->text, e);
  for (long i = 0; got > 0 && i < r->text.nfields; i++) {
    text_span s = text_trim(r->text.fields[i]);
    if (s.length == strlen(column) && memcmp(s.at, column, s.length) == 0) {
      r->field = i;
      return 0;
    }
  }
  return got < 0 ? -1 : rank_fail(e, "%s:1: no column %s for --id", r->text.name, column);
}

static int grow(reading *r, index_item_ids *ids, size_t more, rank_error *e)
{
  if (r->used + more > r->room) {
    r->room = (r->used + more) * 2 + 4096;
    char *bytes = realloc(ids->bytes, r->room);
    if (bytes == NULL) {
      return rank_fail(e, "out of memory: the ids of %ld rows", ids->count);
    }
    ids->bytes = bytes;
  }
  if ((size_t)ids->count + 1 >= r->room_ids) {
    r->room_ids = r->room_ids * 2 + 1024;
    size_t *at = realloc(r->at, r->room_ids * sizeof *at);
    r->at = at != NULL ? at : r->at;
    uint32_t *lengths = realloc(ids->lengths, r->room_ids * sizeof *lengths);
    ids->lengths = lengths != NULL ? lengths : ids->lengths;
    if (at == NULL || lengths == NULL) {
      return rank_fail(e, "out of memory: the ids of %ld rows", ids->count);
    }
  }
  return 0;
}

static int add_id(reading *r, index_item_ids *ids, rank_error *e)
{
  text_span s = text_trim(r->text.fields[r->field]);
  if (s.length == 0) {
    return rank_fail(e, "%s:%ld: the id is empty", r->text.name, r->text.line);
  }
  if (ids->count >= INT32_MAX) {
    return rank_fail(e, "%s:%ld: more rows than an index can have", r->text.name, r->text.line);
  }
  if (grow(r, ids, s.length, e) != 0) {
    return -1;
  }
  r->at[ids->count] = r->used;
  for (unsigned i = 0; i < s.length; i++) {
    i += s.doubled && s.at[i] == '"' && i + 1 < s.length && s.at[i + 1] == '"';
    ids->bytes[r->used++] = s.at[i];
  }
  ids->lengths[ids->count] = (uint32_t)(r->used - r->at[ids->count]);
  ids->count++;
  return 0;
}

static int read_all(reading *r, const char *column, index_item_ids *ids, rank_error *e)
{
  if (find_field(r, column, e) != 0) {
    return -1;
  }
  int got, failed = 0;
  while (!failed && (got = text_csv(&r->text, e)) > 0) {
    const text_span *f = r->text.fields;
    if (r->text.nfields == 1 && f->length == 0 && !f->quoted && r->field > 0) {
      continue; /* an empty line, which is no row */
    }
    failed = r->field >= r->text.nfields
               ? rank_fail(e, "%s:%ld: %ld fields, but --id asks for field %ld (the first is 0)",
                   r->text.name, r->text.line, r->text.nfields, r->field)
               : add_id(r, ids, e);
  }
  return failed || got < 0 ? -1 : 0;
}

/* The texts as numbers, when all are. */
static int to_numbers(index_item_ids *ids, const size_t *at, rank_error *e)
{
  ids->numbers = calloc((size_t)ids->count + 1, sizeof *ids->numbers);
  ids->texts = calloc((size_t)ids->count + 1, sizeof *ids->texts);
  if (ids->numbers == NULL || ids->texts == NULL) {
    return rank_fail(e, "out of memory: %ld ids", ids->count);
  }
  int all = 1;
  for (long i = 0; i < ids->count; i++) {
    ids->texts[i] = ids->bytes + at[i];
    all = all && index_number(ids->texts[i], ids->lengths[i], &ids->numbers[i]);
  }
  if (!all) {
    free(ids->numbers);
    ids->numbers = NULL;
  }
  return 0;
}

int program_read_ids(const rank_model *m, const char *path, const char *column,
  struct index_item_ids *ids, rank_error *e)
{
  reading r = {.m = m, .field = -1};
  text_file file;
  *ids = (index_item_ids){0};
  if (m->libsvm || strcmp(path, "-") == 0) {
    return rank_fail(e, "--id reads a column of a CSV file, which %s is not",
      m->libsvm ? "libsvm data" : "standard input");
  }
  if (text_file_open(&file, path, 0, e) != 0) {
    return -1;
  }
  int failed = text_start(&r.text, &file, m->separator, e);
  if (!failed) {
    failed = read_all(&r, column, ids, e) != 0 || to_numbers(ids, r.at, e) != 0;
    text_stop(&r.text);
  }
  text_file_close(&file);
  free(r.at);
  return failed ? -1 : 0;
}

void program_free_ids(struct index_item_ids *ids)
{
  free(ids->numbers);
  free(ids->texts);
  free(ids->lengths);
  free(ids->bytes);
  *ids = (index_item_ids){0};
}
