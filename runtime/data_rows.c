/* Rows of a file. One idea: columns are matched once, when the header is known; a row then is a
 * look-up of positions, and every error names the line and the column. */

#define _GNU_SOURCE

#include "data_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_list(const rank_input *in)
{
  return in->encoding.separator && in->encoding.separator[0];
}

static int is_used(const data_rows *r, int input)
{
  return (r->labels || !r->m->inputs[input].label) &&
         r->m->inputs[input].encoding.source != RANK_FROM_FIT;
}

/* How errors call the column of a value. */
static void name_column(const rank_input *in, long cell, char *out, size_t room)
{
  const rank_encoding *c = &in->encoding;
  long i = cell < c->ncolumns ? cell : 0;
  switch (c->source) {
  case RANK_FROM_NAMES:
    snprintf(out, room, "column %s", c->columns && i < c->ncolumns ? c->columns[i] : in->name);
    break;
  case RANK_FROM_POSITIONS:
    snprintf(out, room, "column %d", c->positions && i < c->ncolumns ? c->positions[i] : 0);
    break;
  case RANK_FROM_INDICES:
    snprintf(out, room, "indices (input %s)", in->name);
    break;
  case RANK_FROM_VALUES:
    snprintf(out, room, "values (input %s)", in->name);
    break;
  case RANK_FROM_TARGET:
    snprintf(out, room, "target (input %s)", in->name);
    break;
  case RANK_FROM_FIT:
    snprintf(out, room, "input %s", in->name);
    break;
  }
}

int rows_fail(const data_rows *r, int input, long cell, const rank_error *why, rank_error *e)
{
  char column[256];
  name_column(&r->m->inputs[input], cell, column, sizeof column);
  return rank_fail(e, "%s:%ld: %s: %.600s", r->text.name, r->text.line, column, why->text);
}

/* Levenshtein's distance, of the first 63 bytes. */
static int distance(const char *a, size_t n, const text_span *b)
{
  int row[64];
  size_t m = b->length < 63 ? b->length : 63;
  n = n < 63 ? n : 63;
  for (size_t k = 0; k <= m; k++)
    row[k] = (int)k;
  for (size_t i = 1; i <= n; i++) {
    int corner = row[0];
    row[0] = (int)i;
    for (size_t k = 1; k <= m; k++) {
      int change = corner + (a[i - 1] != b->at[k - 1]);
      int shorter = row[k] < row[k - 1] ? row[k] + 1 : row[k - 1] + 1;
      corner = row[k];
      row[k] = change < shorter ? change : shorter;
    }
  }
  return row[m];
}

static int fail_missing(const data_rows *r, const rank_input *in, const char *name, rank_error *e)
{
  char names[256] = "";
  long last = -1;
  int least = 0;
  for (int found = 0; found < 3; found++) { /* by rising distance, then position */
    long best = -1;
    int best_distance = 0;
    for (long i = 0; i < r->text.nfields; i++) {
      int d = distance(name, strlen(name), &r->text.fields[i]);
      if ((found && (d < least || (d == least && i <= last))) || (best >= 0 && d >= best_distance))
        continue;
      best = i;
      best_distance = d;
    }
    if (best < 0)
      break;
    const text_span *s = &r->text.fields[best];
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%.*s", found ? ", " : "",
      (int)(s->length < 60 ? s->length : 60), s->at);
    last = best;
    least = best_distance;
  }
  return rank_fail(e, "%s:%ld: no column %s, which input %s reads; the nearest: %s", r->text.name,
    r->text.line, name, in->name, names);
}

static int find_column(
  const data_rows *r, const rank_input *in, const char *name, long *field, rank_error *e)
{
  size_t length = strlen(name);
  *field = -1;
  for (long i = 0; i < r->text.nfields; i++) {
    text_span s = text_trim(r->text.fields[i]);
    if (s.length != length || memcmp(s.at, name, length))
      continue;
    if (*field >= 0)
      return rank_fail(e, "%s:%ld: column %s is there twice, as fields %ld and %ld", r->text.name,
        r->text.line, name, *field + 1, i + 1);
    *field = i;
  }
  return *field < 0 ? fail_missing(r, in, name, e) : 0;
}

static int match_input(data_rows *r, int input, rank_error *e)
{
  const rank_input *in = &r->m->inputs[input];
  const rank_encoding *c = &in->encoding;
  for (int k = 0; k < c->ncolumns; k++) {
    if (c->source == RANK_FROM_NAMES && !r->m->header)
      return rank_fail(
        e, "%s: input %s reads a column by name, but there is no header", r->text.name, in->name);
    if (c->source == RANK_FROM_NAMES &&
        find_column(r, in, c->columns[k], &r->columns[input].field[k], e))
      return -1;
    if (c->source == RANK_FROM_POSITIONS && (c->positions[k] < 0 || c->positions[k] >= r->nfields))
      return rank_fail(e,
        "%s:%ld: input %s reads column %d (the first is 0), but there are %ld fields", r->text.name,
        r->text.line, in->name, c->positions[k], r->nfields);
    if (c->source == RANK_FROM_POSITIONS)
      r->columns[input].field[k] = c->positions[k];
  }
  return 0;
}

/* With the first record: its number of fields is every record's. */
static int match(data_rows *r, rank_error *e)
{
  r->nfields = r->text.nfields;
  for (int i = 0; i < r->m->ninputs; i++)
    if (is_used(r, i) && match_input(r, i, e))
      return -1;
  return 0;
}

static int check_input(const data_rows *r, int input, rank_error *e)
{
  const rank_input *in = &r->m->inputs[input];
  rank_source source = in->encoding.source;
  int columns = source == RANK_FROM_NAMES || source == RANK_FROM_POSITIONS;
  if (!is_used(r, input))
    return 0;
  if (columns == !!r->m->libsvm)
    return rank_fail(e, "%s: input %s does not read from %s data", r->text.name, in->name,
      r->m->libsvm ? "libsvm" : "csv");
  if (in->width < 1 || (columns && in->encoding.ncolumns != (is_list(in) ? 1 : in->width)) ||
      (columns && in->dim >= 0 && !is_list(in)))
    return rank_fail(e, "%s: input %s: %d columns for %ld values", r->text.name, in->name,
      in->encoding.ncolumns, in->width);
  return 0;
}

static int skip_blank(data_rows *r, rank_error *e)
{
  for (;;) {
    int got = text_csv(&r->text, e);
    const text_span *f = r->text.fields;
    if (got != 1 || r->nfields == 1 || r->text.nfields != 1 || f->length || f->quoted)
      return got;
  }
}

int rows_header(data_rows *r, rank_error *e)
{
  if (!r->m->header || r->m->libsvm)
    return 1;
  int got = skip_blank(r, e);
  if (got == 0)
    return rank_fail(e, "%s: the file is empty", r->text.name);
  return got == 1 && match(r, e) ? -1 : got;
}

/* Behind text_start. */
static int prepare(data_rows *r, rank_error *e)
{
  const rank_model *m = r->m;
  size_t ndims = (size_t)m->ndims + 1;
  r->columns = calloc((size_t)m->ninputs + 1, sizeof *r->columns);
  r->length = calloc(ndims, sizeof *r->length);
  r->raw = calloc(ndims, sizeof *r->raw);
  r->raw_of = calloc(ndims, sizeof *r->raw_of);
  int failed = !r->columns || !r->length || !r->raw || !r->raw_of;
  for (int i = 0; i < m->ninputs && !failed; i++) {
    size_t n = m->inputs[i].encoding.ncolumns > 0 ? (size_t)m->inputs[i].encoding.ncolumns : 0;
    r->columns[i].field = calloc(n + 1, sizeof *r->columns[i].field);
    failed = !r->columns[i].field;
  }
  if (failed)
    rank_fail(e, "%s: out of memory", r->text.name);
  for (int i = 0; i < m->ninputs && !failed; i++)
    failed = check_input(r, i, e);
  return failed ? -1 : 0;
}

int rows_open(data_rows *r, const rank_model *m, const text_file *f, int labels, rank_error *e)
{
  *r = (data_rows){.m = m, .labels = labels};
  if (text_start(&r->text, f, m->separator, e))
    return -1;
  if (prepare(r, e) || rows_header(r, e) < 0) {
    rows_close(r);
    return -1;
  }
  return 0;
}

int rows_open_live(
  data_rows *r, const rank_model *m, const char *name, int fd, int labels, rank_error *e)
{
  *r = (data_rows){.m = m, .labels = labels};
  if (text_start_live(&r->text, name, fd, m->separator, e))
    return -1;
  if (prepare(r, e)) {
    rows_close(r);
    return -1;
  }
  return 0;
}

void rows_close(data_rows *r)
{
  text_stop(&r->text);
  for (int i = 0; r->columns && i < r->m->ninputs; i++)
    free(r->columns[i].field);
  free(r->columns);
  free(r->length);
  free(r->raw);
  free(r->raw_of);
  free(r->cells);
  memset(r, 0, sizeof *r);
}

int rows_next(data_rows *r, rank_error *e)
{
  int got = r->m->libsvm ? text_libsvm(&r->text, e) : skip_blank(r, e);
  if (got == 0 && r->rows == 0 && (r->m->libsvm || !r->m->header))
    return rank_fail(e, "%s: the file is empty", r->text.name);
  if (got != 1)
    return got;
  if (!r->m->libsvm && !r->nfields && match(r, e))
    return -1;
  if (!r->m->libsvm && r->text.nfields != r->nfields)
    return rank_fail(e, "%s:%ld: %ld fields, but %s has %ld", r->text.name, r->text.line,
      r->text.nfields, r->m->header ? "the header" : "the first row", r->nfields);
  for (int d = 0; d < r->m->ndims; d++)
    r->length[d] = r->raw[d] = -1;
  r->rows++;
  return 1;
}

static int cells_room(data_rows *r, long n, rank_error *e)
{
  if (n <= r->room_cells)
    return 0;
  long room = n * 2 + 64;
  text_span *cells = realloc(r->cells, (size_t)room * sizeof *cells);
  if (!cells)
    return rank_fail(e, "%s:%ld: out of memory", r->text.name, r->text.line);
  r->cells = cells;
  r->room_cells = room;
  return 0;
}

/* Elements between separators. Blanks that separate may be several, and around. */
static long split_list(data_rows *r, const text_span *field, const char *separator, rank_error *e)
{
  size_t width = strlen(separator);
  int blank = width == 1 && (*separator == ' ' || *separator == '\t');
  char *p = field->at, *end = field->at + field->length;
  long n = 0;
  if (!field->length)
    return 0;
  for (;;) {
    while (blank && p < end && *p == *separator)
      p++;
    if (blank && p == end)
      return n;
    char *stop = width == 1 ? memchr(p, *separator, (size_t)(end - p))
                            : memmem(p, (size_t)(end - p), separator, width);
    if (cells_room(r, n + 1, e))
      return -1;
    r->cells[n++] = (text_span){.at = p, .length = (unsigned)((stop ? stop : end) - p)};
    if (!stop)
      return n;
    p = stop + width;
  }
}

/* A list of a ragged axis: as long as the others over that axis, and not longer than it may be. */
static long check_ragged(data_rows *r, int input, long n, const text_span **cells, rank_error *e)
{
  const rank_input *in = &r->m->inputs[input];
  const rank_dim *dim = &r->m->dims[in->dim];
  long length = n / in->width, keep = length < dim->max ? length : dim->max;
  rank_error why;
  if (n % in->width) {
    rank_fail(&why, "%ld elements, not a multiple of %ld", n, in->width);
    return rows_fail(r, input, 0, &why, e);
  }
  if (r->raw[in->dim] >= 0 && r->raw[in->dim] != length) {
    rank_fail(&why, "%ld elements over %s, but %s has %ld", length, dim->name,
      r->m->inputs[r->raw_of[in->dim]].name, r->raw[in->dim]);
    return rows_fail(r, input, 0, &why, e);
  }
  if (length > dim->max && !in->encoding.cut) {
    rank_fail(&why, "%ld elements, but %s <= %ld (keep = first or keep = last would cut)", length,
      dim->name, dim->max);
    return rows_fail(r, input, 0, &why, e);
  }
  r->raw[in->dim] = length;
  r->raw_of[in->dim] = input;
  r->length[in->dim] = keep;
  if (in->encoding.keep_last && length > keep)
    *cells += (length - keep) * in->width;
  return keep * in->width;
}

/* An empty field of a list that has a fixed length is all missing, where something can be. */
static long fill_missing(data_rows *r, const rank_input *in, rank_error *e)
{
  const rank_encoding *c = &in->encoding;
  if (!c->has_missing && !c->hash && !c->vocab && !c->nbuckets)
    return 0;
  if (cells_room(r, in->width, e))
    return -1;
  memset(r->cells, 0, (size_t)in->width * sizeof *r->cells);
  return in->width;
}

static long take_cells(data_rows *r, int input, const text_span **cells, rank_error *e)
{
  const rank_input *in = &r->m->inputs[input];
  const long *field = r->columns[input].field;
  long n = in->encoding.ncolumns;
  switch (in->encoding.source) {
  case RANK_FROM_NAMES:
  case RANK_FROM_POSITIONS:
    if (!is_list(in) && n == 1) {
      *cells = &r->text.fields[field[0]];
      return 1;
    }
    if (is_list(in)) {
      n = split_list(r, &r->text.fields[field[0]], in->encoding.separator, e);
      n = n == 0 && in->dim < 0 ? fill_missing(r, in, e) : n;
    } else if (cells_room(r, n, e)) {
      return -1;
    } else {
      for (long k = 0; k < n; k++)
        r->cells[k] = r->text.fields[field[k]];
    }
    *cells = r->cells;
    return n;
  case RANK_FROM_INDICES:
    *cells = r->text.fields;
    return r->text.nfields;
  case RANK_FROM_VALUES:
    *cells = r->text.values;
    return r->text.nfields;
  case RANK_FROM_TARGET:
    *cells = &r->text.target;
    return 1;
  case RANK_FROM_FIT: /* is not used */
    return 0;
  }
  return 0;
}

long rows_cells(data_rows *r, int input, const text_span **cells, rank_error *e)
{
  const rank_input *in = &r->m->inputs[input];
  rank_error why;
  long n = take_cells(r, input, cells, e);
  if (n < 0)
    return -1;
  if (in->encoding.source == RANK_FROM_TARGET && !r->text.target.at && !in->encoding.has_missing) {
    rank_fail(&why, "the row has none");
    return rows_fail(r, input, 0, &why, e);
  }
  if (in->dim >= 0)
    return check_ragged(r, input, n, cells, e);
  if (n != in->width) {
    rank_fail(&why, "%ld elements, but %s has %ld", n, in->name, in->width);
    return rows_fail(r, input, 0, &why, e);
  }
  return n;
}
