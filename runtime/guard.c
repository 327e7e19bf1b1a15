/* guard.c: the first value that went bad: as guards in generated code met it, and what can be said
 * afterwards without them. See rank_guard.h. */

#include "rank_guard.h"
#include "rank_runtime.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rank_guard_bad first;
static atomic_int found; /* so that asking costs nothing when there is nothing */

void rank_guard_found(const rank_guard_place *place, double value, long sample)
{
  pthread_mutex_lock(&lock);
  int earlier = first.place == NULL || place->order < first.place->order ||
                (place->order == first.place->order && sample < first.sample);
  if (earlier) {
    first = (rank_guard_bad){place, value, sample};
  }
  atomic_store(&found, 1);
  pthread_mutex_unlock(&lock);
}

void rank_guard_clear(void)
{
  if (atomic_load(&found)) {
    pthread_mutex_lock(&lock);
    first.place = NULL;
    atomic_store(&found, 0);
    pthread_mutex_unlock(&lock);
  }
}

int rank_guard_first(rank_guard_bad *bad)
{
  if (!atomic_load(&found)) {
    return 0;
  }
  pthread_mutex_lock(&lock);
  *bad = first;
  pthread_mutex_unlock(&lock);
  return bad->place != NULL;
}

const char *rank_not_finite(double x)
{
  return isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
}

int rank_guard_text(char *text, size_t room, long *sample)
{
  rank_guard_bad bad;
  if (!rank_guard_first(&bad)) {
    return 0;
  }
  const rank_guard_place *p = bad.place;
  int n = snprintf(text, room, "%s is %s, the first value that is not finite: %s", p->value,
    rank_not_finite(bad.value), p->function);
  if (p->group > 0 && n >= 0 && (size_t)n < room) {
    n += snprintf(text + n, room - (size_t)n, ", group %d", p->group);
  }
  if (p->file[0] != '\0' && n >= 0 && (size_t)n < room) {
    snprintf(text + n, room - (size_t)n, ", from %s:%d  %.200s", p->file, p->line, p->text);
  }
  *sample = bad.sample;
  return 1;
}

int rank_guard_check(long first_row, rank_error *e)
{
  char text[600];
  long sample = -1;
  if (!rank_guard_text(text, sizeof text, &sample)) {
    return 0;
  }
  return sample < 0 ? rank_fail(e, "%s", text)
                    : rank_fail(e, "row %ld: %s", first_row + sample + 1, text);
}

/* --- without guards --- */

int rank_state_bad_text(const rank_model *m, const rank_state *s, char *text, size_t room)
{
  int p = rank_state_bad(s, m);
  if (p < 0) {
    return 0;
  }
  size_t n = rank_param_count(m, s, p), at = 0;
  while (at < n && isfinite(s->param[p][at])) {
    at++;
  }
  snprintf(text, room, "parameter %s is %s at element %zu", m->params[p].name,
    rank_not_finite((double)s->param[p][at < n ? at : 0]), at);
  return 1;
}

/* The first output of one sample that is not finite: its index, or -1. */
static int bad_output(const rank_model *m, rank_real *const *out, double *value)
{
  for (int i = 0; i < m->noutputs; i++) {
    for (long k = 0; k < m->outputs[i].width; k++) {
      if (!isfinite(out[i][k])) {
        *value = (double)out[i][k];
        return i;
      }
    }
  }
  return -1;
}

/* Room for one sample's outputs, hidden ones too, in one allocation. */
static rank_real **new_outputs(const rank_model *m)
{
  size_t n = (size_t)m->noutputs + 1, values = 0;
  for (int i = 0; i < m->noutputs; i++) {
    values += (size_t)m->outputs[i].width;
  }
  rank_real **out = calloc(1, n * sizeof *out + values * sizeof **out);
  rank_real *next = out != NULL ? (rank_real *)(void *)(out + n) : NULL;
  for (int i = 0; out != NULL && i < m->noutputs; i++) {
    out[i] = next;
    next += m->outputs[i].width;
  }
  return out;
}

long rank_bad_row(const rank_model *m, const rank_state *s, rank_batcher *batcher,
  const uint32_t *rows, long n, char *text, size_t room)
{
  rank_work work = {0};
  rank_real **out = new_outputs(m);
  long bad = -1;
  for (long i = 0; out != NULL && bad < 0 && i < n; i++) {
    const rank_batch *b = rank_batch_rows(batcher, rows + i, 1);
    double loss = 0, value = 0;
    if (b == NULL || rank_work_need(&work, m->workspace(s, b, 1, 0), NULL) != 0 ||
        m->evaluate(s, b, out, &loss, work.data, 1) != RANK_OK) {
      break;
    }
    int which = bad_output(m, out, &value);
    if (which >= 0 && !m->outputs[which].hidden) {
      snprintf(text, room, "output %s is %s", m->outputs[which].name, rank_not_finite(value));
      bad = i;
    } else if (which >= 0 || !isfinite(loss)) {
      snprintf(text, room, "its loss is %s", rank_not_finite(isfinite(loss) ? value : loss));
      bad = i;
    }
  }
  free(out);
  rank_work_free(&work);
  return bad;
}
