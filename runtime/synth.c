/* synth.c: made-up data in the format that the model declares.
 *
 * One idea: first a table of columns, each owned by the first input that reads it; then rows drawn by
 * synth_rows.c are printed column by column. */

#include "synth.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { U_MISSING = 20, U_CLASS = 21 };

static const double MISSING = 0.01; /* share of empty fields where they are allowed */

typedef struct column {
  const char *name; /* NULL: has none */
  int input;        /* -1: nobody reads it */
  long position;    /* of a plain input; -1: the field is a list */
} column;

typedef struct table {
  column *columns;
  int n, most;
} table;

/* --- columns --- */

static int is_list(const rank_input *in)
{
  return in->dim >= 0 || (in->encoding.separator != NULL && in->encoding.separator[0] != '\0');
}

static int find_name(const table *t, const char *name)
{
  for (int i = 0; i < t->n; i++) {
    if (t->columns[i].name != NULL && strcmp(t->columns[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

/* Where a named column stands, a new one after all others. */
static int place_name(table *t, const char *name)
{
  int at = find_name(t, name);
  if (at < 0) {
    at = t->n++;
    t->columns[at] = (column){name, -1, 0};
  }
  return at;
}

static void claim(synth *s, table *t, int input, int at, long position)
{
  if (t->columns[at].input >= 0) {
    s->unseen[input] = 1;
    return;
  }
  t->columns[at].input = input;
  t->columns[at].position = position;
}

static void claim_columns(synth *s, table *t, int input)
{
  const rank_input *in = &s->m->inputs[input];
  const rank_encoding *enc = &in->encoding;
  for (int i = 0; i < enc->ncolumns; i++) {
    int at =
      enc->source == RANK_FROM_POSITIONS ? enc->positions[i] : place_name(t, enc->columns[i]);
    claim(s, t, input, at, is_list(in) ? -1 : i);
  }
}

static int make_table(synth *s, table *t, rank_error *e)
{
  int most = 0, last = -1;
  for (int i = 0; i < s->m->ninputs; i++) {
    const rank_encoding *enc = &s->m->inputs[i].encoding;
    most += enc->ncolumns;
    for (int k = 0; enc->source == RANK_FROM_POSITIONS && k < enc->ncolumns; k++) {
      last = enc->positions[k] > last ? enc->positions[k] : last;
    }
  }
  t->most = most + last + 2;
  t->columns = calloc((size_t)t->most, sizeof *t->columns);
  if (t->columns == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (t->n = 0; t->n <= last; t->n++) { /* positions first: names follow them */
    t->columns[t->n] = (column){NULL, -1, 0};
  }
  for (int i = 0; i < s->m->ninputs; i++) {
    rank_source source = s->m->inputs[i].encoding.source;
    s->unseen[i] |= source == RANK_FROM_FIT;
    if (source == RANK_FROM_NAMES || source == RANK_FROM_POSITIONS) {
      claim_columns(s, t, i);
    }
  }
  return 0;
}

/* --- values --- */

/* Which label value an input's position is. */
static int label_index(const synth *s, int input, long position)
{
  int at = 0;
  for (int i = 0; i < input; i++) {
    at += s->m->inputs[i].label ? (int)s->m->inputs[i].width : 0;
  }
  return at + (int)position;
}

/* A label of many classes: the higher its standing, the higher the class. */
static int64_t label_class(const synth *s, int input, int label)
{
  long classes = synth_universe(s->m, input, 0);
  if (classes <= 2) {
    return s->label[label] < classes ? s->label[label] : 0;
  }
  double noise = rank_normal_quantile(synth_uniform(s, U_CLASS, s->row, input, label));
  double x = 0.8 * s->level[label] + 0.6 * noise;
  int64_t class = (int64_t)((double)classes * 0.5 * erfc(-x / 1.4142135623730951));
  return class < classes ? class : classes - 1;
}

static void print_id(const rank_encoding *enc, FILE *out, int64_t id)
{
  int word = (enc->hash || enc->vocab) && enc->source != RANK_FROM_INDICES;
  fprintf(out, word ? "v%lld" : "%lld", (long long)id);
}

static void print_element(const synth *s, FILE *out, int input, long element)
{
  const rank_input *in = &s->m->inputs[input];
  const rank_encoding *enc = &in->encoding;
  if (in->label) {
    int label = label_index(s, input, element % in->width);
    in->is_id ? print_id(enc, out, label_class(s, input, label))
              : (void)fprintf(out, "%d", s->label[label]);
  } else if (in->is_id && enc->nbuckets == 0) {
    print_id(enc, out, s->id[input][element]);
  } else {
    double x = s->number[input][element];
    fprintf(out, "%.6g", enc->log1p ? exp(x) : x);
  }
}

static int is_missing(const synth *s, int input, long position)
{
  const rank_input *in = &s->m->inputs[input];
  int allowed =
    in->encoding.has_missing || (in->is_id && (in->encoding.hash || in->encoding.vocab));
  return allowed && !in->label && synth_uniform(s, U_MISSING, s->row, input, position) < MISSING;
}

/* Quoted when a separator or a quote is in it. */
static void print_text(FILE *out, const char *text, char separator)
{
  const char special[] = {separator, '"', '\n', '\r', '\0'};
  if (strpbrk(text, special) == NULL) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text != '\0'; text++) {
    fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
  }
  fputc('"', out);
}

static void print_list(const synth *s, FILE *out, int input)
{
  const char *separator = s->m->inputs[input].encoding.separator;
  separator = separator != NULL && separator[0] != '\0' ? separator : " ";
  int quote = strchr(separator, s->m->separator) != NULL;
  long n = synth_elements(s, input);
  fputs(quote ? "\"" : "", out);
  for (long k = 0; k < n; k++) {
    fputs(k > 0 ? separator : "", out);
    print_element(s, out, input, k);
  }
  fputs(quote ? "\"" : "", out);
}

static void print_field(const synth *s, FILE *out, const column *c)
{
  if (c->input < 0) {
    fputc('0', out);
  } else if (c->position < 0) {
    print_list(s, out, c->input);
  } else if (!is_missing(s, c->input, c->position)) {
    print_element(s, out, c->input, c->position);
  }
}

/* --- files --- */

static void write_csv(synth *s, const table *t, FILE *out)
{
  char separator = s->m->separator != '\0' ? s->m->separator : ',';
  for (int i = 0; s->m->header && i < t->n; i++) {
    char name[16];
    snprintf(name, sizeof name, "c%d", i);
    print_text(out, t->columns[i].name != NULL ? t->columns[i].name : name, separator);
    fputc(i + 1 < t->n ? separator : '\n', out);
  }
  for (long row = 0; row < s->o->rows && !ferror(out); row++) {
    synth_draw(s, row);
    for (int i = 0; i < t->n; i++) {
      print_field(s, out, &t->columns[i]);
      fputc(i + 1 < t->n ? separator : '\n', out);
    }
  }
}

static int source_input(const rank_model *m, rank_source source)
{
  for (int i = 0; i < m->ninputs; i++) {
    if (m->inputs[i].encoding.source == source) {
      return i;
    }
  }
  return -1;
}

static void write_libsvm(synth *s, FILE *out)
{
  int target = source_input(s->m, RANK_FROM_TARGET),
      indices = source_input(s->m, RANK_FROM_INDICES);
  int values = source_input(s->m, RANK_FROM_VALUES), pairs = indices >= 0 ? indices : values;
  for (long row = 0; row < s->o->rows && !ferror(out); row++) {
    synth_draw(s, row);
    if (target >= 0) {
      print_element(s, out, target, 0);
    } else {
      fputc('0', out);
    }
    long n = pairs >= 0 ? synth_elements(s, pairs) : 0;
    for (long k = 0; k < n; k++) {
      long long index = indices >= 0 ? (long long)s->id[indices][k] : k;
      fprintf(out, " %lld:", index + s->m->libsvm_base);
      if (values >= 0) {
        print_element(s, out, values, k);
      } else {
        fputc('1', out);
      }
    }
    fputc('\n', out);
  }
}

int rank_synth_write(const rank_model *m, const rank_synth *o, FILE *out, rank_error *e)
{
  synth s;
  table t = {0};
  if (synth_new(&s, m, o, e) != 0) {
    return -1;
  }
  int failed = make_table(&s, &t, e);
  if (!failed) {
    errno = 0;
    m->libsvm ? write_libsvm(&s, out) : write_csv(&s, &t, out);
    failed =
      fflush(out) != 0 || ferror(out) ? rank_fail(e, "cannot write: %s", strerror(errno)) : 0;
  }
  free(t.columns);
  synth_free(&s);
  return failed;
}
