/* program_exclude.c: which items of an index a query does not get: those whose ids stand in one of its
 * inputs, as a user's history does.
 *
 * One idea: an index keeps for each item the id that the model's input has for it; sorted once, they turn
 * the ids of a list into positions by bisection. */

#include "index.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

int program_exclude_input(const rank_model *m, const char *name, rank_error *e)
{
  for (int i = 0; i < m->ninputs; i++) {
    if (strcmp(m->inputs[i].name, name) == 0) {
      return m->inputs[i].is_id && m->inputs[i].width == 1
               ? i
               : rank_fail(e, "--exclude %s: the input has to hold ids, one or a list", name);
    }
  }
  return rank_fail(e, "--exclude %s: the model has no such input", name);
}

static int compare_codes(const void *a, const void *b)
{
  const program_code *x = a, *y = b;
  return x->code != y->code ? (x->code > y->code) - (x->code < y->code)
                            : (x->at > y->at) - (x->at < y->at);
}

int program_codes_new(program_codes *c, const rank_index *x, const char *name, rank_error *e)
{
  const int32_t *codes = rank_index_codes(x);
  long count = rank_index_about(x).count;
  *c = (program_codes){.count = count};
  if (codes == NULL) {
    return rank_fail(e,
      "%s: its items have no id that the model knows: the output is computed from no "
      "input that is a single id",
      name);
  }
  c->sorted = calloc((size_t)count + 1, sizeof *c->sorted);
  if (c->sorted == NULL) {
    return rank_fail(e, "out of memory: %ld items", count);
  }
  for (long i = 0; i < count; i++) {
    c->sorted[i] = (program_code){codes[i], (uint32_t)i};
  }
  qsort(c->sorted, (size_t)count, sizeof *c->sorted, compare_codes);
  return 0;
}

void program_codes_free(program_codes *c)
{
  free(c->sorted);
  *c = (program_codes){0};
}

long program_codes_find(const program_codes *c, int32_t code)
{
  long low = 0, high = c->count;
  while (low < high) {
    long middle = low + (high - low) / 2;
    if (c->sorted[middle].code < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < c->count && c->sorted[low].code == code ? low : -1;
}

int program_exclusion_new(program_exclusion *x, const rank_model *m, const rank_index *index,
  const char *name, int input, long batch, rank_error *e)
{
  *x = (program_exclusion){.m = m, .input = input};
  if (input < 0) {
    return 0;
  }
  x->from = calloc((size_t)batch + 1, sizeof *x->from);
  if (x->from == NULL) {
    return rank_fail(e, "out of memory");
  }
  return program_codes_new(&x->codes, index, name, e);
}

void program_exclusion_free(program_exclusion *x)
{
  program_codes_free(&x->codes);
  free(x->from);
  free(x->skip);
  *x = (program_exclusion){0};
}

static int compare_positions(const void *a, const void *b)
{
  const uint32_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* Every item that has this id, after those there already. */
static int add_code(program_exclusion *x, int32_t code, int64_t *n, rank_error *e)
{
  long i = program_codes_find(&x->codes, code);
  for (; i >= 0 && i < x->codes.count && x->codes.sorted[i].code == code; i++) {
    if (*n >= x->room) {
      int64_t room = x->room * 2 + 1024;
      uint32_t *skip = realloc(x->skip, (size_t)room * sizeof *skip);
      if (skip == NULL) {
        return rank_fail(e, "out of memory: items to leave out");
      }
      x->skip = skip;
      x->room = room;
    }
    x->skip[(*n)++] = x->codes.sorted[i].at;
  }
  return 0;
}

int program_exclude(program_exclusion *x, const rank_batch *b, rank_error *e)
{
  if (x->input < 0) {
    return 0;
  }
  const int32_t *id = b->input[x->input];
  int dim = x->m->inputs[x->input].dim;
  int64_t n = 0;
  for (long i = 0; i < b->n; i++) {
    long first = dim >= 0 ? b->offset[dim][i] : i, last = dim >= 0 ? b->offset[dim][i + 1] : i + 1;
    x->from[i] = n;
    for (long k = first; k < last; k++) {
      if (add_code(x, id[k], &n, e) != 0) {
        return -1;
      }
    }
    if (n > x->from[i]) {
      qsort(x->skip + x->from[i], (size_t)(n - x->from[i]), sizeof *x->skip, compare_positions);
    }
  }
  x->from[b->n] = n;
  return 0;
}
