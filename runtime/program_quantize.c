/* program_quantize.c: the command `quantize`: weights to serve from, with tables in fewer bits.
 *
 * One idea: a table that is read row by row is most of a model and of what a server waits for, and its numbers
 * need not be known to seven digits. Which tables, and how, is the user's choice; what it does to the numbers is
 * said here, what it does to the metrics by `eval --against`. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fit.h"
#include "program.h"
#include "stored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rounding {        /* what was done to one table */
  rank_stored stored;            /* its memory is owned */
  double largest, square, whole; /* error, the sum of its squares, that of the numbers' */
} rounding;

static size_t count_of(const program_model *p, const rank_model *m, int param)
{
  return rank_param_count(m, &p->state, param);
}

/* --- which tables --- */

static int find_table(const rank_model *m, const char *name, size_t n)
{
  for (int p = 0; p < m->nparams; p++) {
    if (strlen(m->params[p].name) == n && memcmp(m->params[p].name, name, n) == 0) {
      return p;
    }
  }
  return -1;
}

/* One table's name, or the tables there are, for a message. */
static const char *names_of(const rank_model *m, char *text, size_t room)
{
  size_t at = 0;
  text[0] = '\0';
  for (int p = 0; p < m->nparams && at < room; p++) {
    if (m->params[p].by_rows) {
      at += (size_t)snprintf(text + at, room - at, "%s%s", at ? ", " : "", m->params[p].name);
    }
  }
  return at ? text : "none";
}

/* "int8", or "ads=f16". */
static int choose(const rank_model *m, const char *item, rounding *r, rank_error *e)
{
  char names[400];
  const char *equals = strchr(item, '=');
  int kind = rank_stored_kind(equals != NULL ? equals + 1 : item);
  if (kind < 0) {
    return rank_fail(e, "--tables: \"%.100s\": wanted f16, bf16 or int8, or TABLE= and one of them",
      equals != NULL ? equals + 1 : item);
  }
  for (int p = 0; p < m->nparams && equals == NULL; p++) {
    if (m->params[p].by_rows) {
      r[p].stored.kind = (rank_kind)kind;
    }
  }
  if (equals == NULL) {
    return 0;
  }
  int n = (int)(equals - item), p = find_table(m, item, (size_t)n);
  if (p < 0 || !m->params[p].table) {
    return rank_fail(e, "--tables: %s has no table \"%.*s\"; there is %s", m->name,
      n < 100 ? n : 100, item, names_of(m, names, sizeof names));
  }
  if (!m->params[p].by_rows) {
    return rank_fail(
      e, "--tables: table %s has one number a row, and is kept as it is", m->params[p].name);
  }
  if (r[p].stored.kind != RANK_REALS) {
    return rank_fail(e, "--tables: table %s is named twice", m->params[p].name);
  }
  r[p].stored.kind = (rank_kind)kind;
  return 0;
}

static int choose_all(const rank_model *m, const char *text, rounding *r, rank_error *e)
{
  char *copy = strdup(text), *rest = copy, *item;
  int failed = copy == NULL ? rank_fail(e, "out of memory") : 0;
  while (!failed && (item = strsep(&rest, ",")) != NULL) {
    failed = choose(m, item, r, e);
  }
  free(copy);
  int chosen = 0;
  for (int p = 0; p < m->nparams; p++) {
    chosen += r[p].stored.kind != RANK_REALS;
  }
  return failed || chosen > 0
           ? failed
           : rank_fail(e, "model %s has no table with more than one number a row", m->name);
}

/* --- rounding --- */

static void compare(const rank_real *before, const rank_real *after, size_t n, rounding *r)
{
  for (size_t i = 0; i < n; i++) {
    double error = fabs((double)after[i] - (double)before[i]);
    r->largest = fmax(r->largest, error);
    r->square += error * error;
    r->whole += (double)before[i] * (double)before[i];
  }
}

static int round_table(
  const program_model *model, const rank_model *m, int p, rounding *r, rank_error *e)
{
  const rank_state *s = &model->state;
  long rows = s->rows[p], width = m->params[p].width;
  void *packed = calloc(count_of(model, m, p) + 1, rank_stored_bytes(r->stored.kind));
  float *scale = calloc((size_t)rows + 1, sizeof *scale);
  rank_real *again = calloc((size_t)width + 1, sizeof *again);
  r->stored.rows = packed;
  r->stored.scale = scale;
  if (packed == NULL || scale == NULL || again == NULL) {
    free(again);
    return rank_fail(e, "out of memory: table %s", m->params[p].name);
  }
  long wrong = rank_stored_pack(s->param[p], rows, width, r->stored.kind, packed, scale);
  for (long i = 0; i < rows && wrong < 0; i++) {
    rank_stored row = r->stored;
    row.rows = (const char *)packed + (size_t)(i * width) * rank_stored_bytes(row.kind);
    row.scale = scale + i;
    rank_stored_unpack(&row, 1, width, again);
    compare(s->param[p] + i * width, again, (size_t)width, r);
  }
  free(again);
  return wrong < 0
           ? 0
           : rank_fail(e, "table %s, row %ld: a number that is not finite or too large for %s",
               m->params[p].name, wrong, rank_stored_word(r->stored.kind));
}

static double bytes_of(const program_model *model, const rank_model *m, int p, rank_kind kind)
{
  double scales = kind == RANK_INT8 ? 4.0 * (double)model->state.rows[p] : 0;
  return (double)count_of(model, m, p) * (double)rank_stored_bytes(kind) + scales;
}

static void report(const program_model *model, const rank_model *m, const rounding *r)
{
  char before[32], after[32];
  for (int p = 0; p < m->nparams; p++) {
    if (r[p].stored.kind != RANK_REALS) {
      printf("%s: %s, %s -> %s bytes, largest error %.3g, %.3g of the rows' size\n",
        m->params[p].name, rank_stored_word(r[p].stored.kind),
        rank_count_text(bytes_of(model, m, p, RANK_REALS), before),
        rank_count_text(bytes_of(model, m, p, r[p].stored.kind), after), r[p].largest,
        r[p].whole > 0 ? sqrt(r[p].square / r[p].whole) : 0);
    }
  }
}

/* --- the command --- */

static int full_tables(const program_model *model, const rank_model *m, rank_error *e)
{
  for (int p = 0; p < m->nparams; p++) {
    const st_tensor *t = rank_weights_find(&model->weights, m, p, model->state.rows[p], e);
    if (t == NULL) {
      return -1;
    }
    if (m->params[p].by_rows && rank_stored_of_tensor(t) != RANK_REALS) {
      return rank_fail(e, "%s: table %s is %s: rounding twice loses more; take the full weights",
        model->weights.file.path, t->name, t->dtype_name);
    }
  }
  return 0;
}

static int save(program_model *model, const rank_model *m, const program_options *o,
  const rounding *r, rank_error *e)
{
  rank_stored *stored = calloc((size_t)m->nparams + 1, sizeof *stored);
  if (stored == NULL) {
    return rank_fail(e, "out of memory");
  }
  for (int p = 0; p < m->nparams; p++) {
    stored[p] = r[p].stored;
  }
  int encoded = rank_encoders_fitted(model->enc) ||
                (m->nfits > 0 && rank_fits_ready(rank_encoders_fits(model->enc)));
  model->state.stored = stored;
  int failed =
    rank_weights_save(o->out, m, &model->state, NULL, encoded ? model->enc : NULL, NULL, e);
  model->state.stored = NULL;
  free(stored);
  return failed;
}

int program_quantize(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  program_model model = {0};
  rounding *r = calloc((size_t)m->nparams + 1, sizeof *r);
  int failed = r == NULL ? rank_fail(&e, "out of memory") : 0;
  failed = failed || choose_all(m, o->tables, r, &e) || program_open(&model, m, o->load, &e) ||
           program_fill(&model, m, 0, 0, (int)o->threads, &e) || full_tables(&model, m, &e);
  for (int p = 0; p < m->nparams && !failed; p++) {
    failed = r[p].stored.kind != RANK_REALS ? round_table(&model, m, p, &r[p], &e) : 0;
  }
  failed = failed || save(&model, m, o, r, &e);
  if (!failed) {
    report(&model, m, r);
    printf("saved to %s\n", o->out);
  }
  for (int p = 0; r != NULL && p < m->nparams; p++) {
    free((void *)(uintptr_t)r[p].stored.rows);
    free((void *)(uintptr_t)r[p].stored.scale);
  }
  free(r);
  program_close(&model, m);
  return failed ? program_error(m, &e) : 0;
}
