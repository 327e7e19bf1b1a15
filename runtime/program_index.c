/* program_index.c: the command `index`: one output's vectors of a catalogue, in a file.
 *
 * One idea: rows are embedded in batches, each vector goes where its id belongs, and the file appears
 * whole at the end or not at all. */

#include "index.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

/* --- which item a row is --- */

static int is_item(const rank_input *in)
{
  return in->is_id && in->dim < 0 && in->width == 1;
}

/* Whether a list of the model has ids of this input's vocabulary. */
static int has_list(const rank_model *m, int input)
{
  for (int i = 0; i < m->ninputs; i++) {
    if (m->inputs[i].is_id && m->inputs[i].dim >= 0 && m->inputs[i].same_as == input) {
      return 1;
    }
  }
  return 0;
}

int program_item_input(const rank_model *m, int output)
{
  const rank_output *of = &m->outputs[output];
  int only = -1, listed = -1, n = 0;
  for (int i = 0; i < of->nneeds; i++) {
    int input = of->needs[i];
    if (is_item(&m->inputs[input])) {
      only = input;
      n++;
      listed = listed < 0 && has_list(m, input) ? input : listed;
    }
  }
  return n == 1 ? only : listed;
}

/* --- the draft --- */

static int start_draft(
  program_vectors *v, const char *column, index_draft *d, uint32_t *position, rank_error *e)
{
  long rows = rank_data_rows(v->data);
  index_item_ids ids = {.count = rows};
  int failed = 0;
  if (column != NULL) {
    failed = program_read_ids(v->m, v->o->data, column, &ids, e);
  } else {
    ids.numbers = calloc((size_t)rows + 1, sizeof *ids.numbers);
    failed = ids.numbers == NULL ? rank_fail(e, "out of memory: %ld ids", rows) : 0;
    for (long i = 0; i < rows && !failed; i++) {
      ids.numbers[i] = i;
    }
  }
  if (!failed && ids.count != rows) {
    failed =
      rank_fail(e, "%s: %ld rows, but %ld ids in column %s", v->o->data, rows, ids.count, column);
  }
  rank_error why = {{0}};
  if (!failed && index_draft_new(d, &ids, v->width, program_item_input(v->m, v->output) >= 0,
                   position, &why) != 0) {
    failed = rank_fail(e, "%s: %.900s", v->o->data, why.text);
  }
  program_free_ids(&ids);
  return failed;
}

static int embed_rows(program_vectors *v, index_draft *d, const uint32_t *position, rank_error *e)
{
  long rows = rank_data_rows(v->data), width = v->width;
  int item = program_item_input(v->m, v->output);
  int32_t *codes = index_draft_codes(d);
  float *vectors = calloc((size_t)v->batch, (size_t)width * sizeof *vectors);
  int failed = vectors == NULL ? rank_fail(e, "out of memory") : 0;
  for (long done = 0; done < rows && !failed; done += v->batch) {
    long n = rows - done < v->batch ? rows - done : v->batch;
    const rank_batch *b = program_vectors_next(v, done, n, vectors, e);
    failed = b == NULL;
    for (long i = 0; i < n && !failed; i++) {
      index_draft_vector(d, position[done + i], vectors + i * width);
      if (codes != NULL) {
        codes[position[done + i]] = ((const int32_t *)b->input[item])[i];
      }
    }
    program_vectors_progress(v, done + n, "embedding");
  }
  free(vectors);
  rank_log_clear(&v->log);
  return failed ? -1 : 0;
}

static void copy_name(char to[INDEX_NAME], const char *from)
{
  snprintf(to, INDEX_NAME, "%s", from);
}

int program_catalogue(program_vectors *v, const char *column, struct index_draft *d, rank_error *e)
{
  long rows = rank_data_rows(v->data);
  uint32_t *position = calloc((size_t)rows + 1, sizeof *position);
  int failed =
    position == NULL ? rank_fail(e, "out of memory") : start_draft(v, column, d, position, e);
  failed = failed || embed_rows(v, d, position, e) != 0;
  free(position);
  if (failed) {
    return -1;
  }
  d->h.layout = v->m->layout;
  d->h.weights = program_fingerprint(v->m, &v->model.state);
  copy_name(d->h.model, v->m->name);
  copy_name(d->h.output, v->m->outputs[v->output].name);
  index_draft_sign(d);
  return 0;
}

/* --- the command --- */

static int write_index(const index_draft *d, const char *path, rank_error *e)
{
  rank_file file;
  if (rank_file_create(&file, path, e) != 0) {
    return -1;
  }
  size_t bytes = (size_t)d->h.file_bytes;
  if (fwrite(d->bytes, 1, bytes, file.out) != bytes) {
    rank_fail(e, "%s: cannot write", path);
    rank_file_discard(&file);
    return -1;
  }
  return rank_file_commit(&file, e);
}

int program_index(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  program_vectors v = {0};
  index_draft d = {0};
  int output = program_vector_output(m, o->output, 1, &e);
  int failed = output < 0 || program_vectors_open(&v, m, o, output, NULL, 0, &e) != 0 ||
               program_catalogue(&v, o->id, &d, &e) != 0 || write_index(&d, o->out, &e) != 0;
  if (!failed) {
    char count[32];
    printf("%s items, %s of %ld numbers, in %s\n", rank_count_text((double)d.h.count, count),
      m->outputs[output].name, v.width, o->out);
  }
  program_vectors_close(&v);
  index_draft_free(&d);
  return failed ? program_error(m, &e) : 0;
}
