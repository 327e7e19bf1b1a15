/* program_search.c: the command `search`: the nearest items in an index for each row of a file.
 *
 * One idea: rows are embedded and searched in groups, so that a batch of queries shares each pass over
 * the index; what is printed is in the order of the rows. */

#include "index.h"
#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct searching {
  const program_options *o;
  program_vectors v;
  rank_index *x;
  program_exclusion exclusion;
  program_graph *graph; /* NULL: exact */
  long k;
  float *vectors;
  rank_index_hit *hits;
} searching;

/* --- printing --- */

void program_print_field(FILE *out, const char *text, long length)
{
  int plain = 1;
  for (long i = 0; i < length; i++) {
    plain &= text[i] != ',' && text[i] != '"' && text[i] != '\n' && text[i] != '\r';
  }
  if (plain) {
    fwrite(text, 1, (size_t)length, out);
    return;
  }
  fputc('"', out);
  for (long i = 0; i < length; i++) {
    fputs(text[i] == '"' ? "\"" : "", out);
    fputc(text[i], out);
  }
  fputc('"', out);
}

static void print_csv(const searching *s, long query, const rank_index_hit *hits, FILE *out)
{
  char room[RANK_INDEX_ID];
  for (long i = 0; i < s->k && hits[i].position >= 0; i++) {
    long length;
    const char *id = rank_index_id(s->x, hits[i].position, room, &length);
    fprintf(out, "%ld,%ld,", query, i + 1);
    program_print_field(out, id, length);
    fprintf(out, ",%.9g\n", (double)hits[i].score);
  }
}

static void print_json_id(const searching *s, long position, FILE *out)
{
  char room[RANK_INDEX_ID];
  long length;
  const char *id = rank_index_id(s->x, position, room, &length);
  char *text = id != room ? strndup(id, (size_t)length) : NULL;
  if (text != NULL) {
    rank_json_string(out, text);
  } else {
    fwrite(id, 1, (size_t)length, out);
  }
  free(text);
}

static void print_jsonl(const searching *s, long query, const rank_index_hit *hits, FILE *out)
{
  fprintf(out, "{\"query\": %ld, \"ids\": [", query);
  for (long i = 0; i < s->k && hits[i].position >= 0; i++) {
    fputs(i > 0 ? ", " : "", out);
    print_json_id(s, hits[i].position, out);
  }
  fputs("], \"scores\": [", out);
  for (long i = 0; i < s->k && hits[i].position >= 0; i++) {
    fprintf(out, "%s%.9g", i > 0 ? ", " : "", (double)hits[i].score);
  }
  fputs("]}\n", out);
}

/* --- searching --- */

static int search_rows(searching *s, FILE *out, rank_error *e)
{
  long rows = rank_data_rows(s->v.data);
  if (!s->o->jsonl) {
    fputs("query,rank,id,score\n", out);
  }
  for (long done = 0; done < rows; done += s->v.batch) {
    long n = rows - done < s->v.batch ? rows - done : s->v.batch;
    const rank_batch *b = program_vectors_next(&s->v, done, n, s->vectors, e);
    if (b == NULL || program_exclude(&s->exclusion, b, e) != 0) {
      return -1;
    }
    rank_index_query q = {.vectors = s->vectors,
      .n = n,
      .k = s->k,
      .threads = (int)s->o->threads,
      .skip_from = s->exclusion.from,
      .skip = s->exclusion.skip};
    if (s->graph != NULL) {
      if (program_graph_search(s->graph, &q, s->hits, e) != 0) {
        return -1;
      }
    } else if (rank_index_search(s->x, &q, s->hits) != 0) {
      return rank_fail(e, "out of memory: the %ld best for %ld queries", s->k, n);
    }
    for (long i = 0; i < n; i++) {
      (s->o->jsonl ? print_jsonl : print_csv)(s, done + i, s->hits + i * s->k, out);
    }
    if (ferror(out)) {
      return rank_fail(e, "cannot write the result: %s", strerror(errno));
    }
    program_vectors_progress(&s->v, done + n, "searching");
  }
  return 0;
}

int program_open_index(rank_index **x, const char *path, const program_vectors *v, rank_error *e)
{
  rank_error why = {{0}};
  if (rank_index_open(x, path, why.text, sizeof why.text) != 0) {
    return rank_fail(e, "%s", why.text);
  }
  if (rank_index_verify(*x, why.text, sizeof why.text) != 0) {
    return rank_fail(e, "%s: %.900s", path, why.text);
  }
  rank_index_facts f = rank_index_about(*x);
  if (f.layout != v->m->layout) {
    return rank_fail(e, "%s: an index of another model (%s)", path, f.model);
  }
  if (f.width != v->width) {
    return rank_fail(e, "%s: vectors of %ld numbers (output %s), but output %s has %ld", path,
      f.width, f.output, v->m->outputs[v->output].name, v->width);
  }
  if (f.weights != program_fingerprint(v->m, &v->model.state)) {
    return rank_fail(e, "%s: made with other weights than %s; index again", path, v->o->load);
  }
  return 0;
}

static int open_all(searching *s, const rank_model *m, rank_error *e)
{
  int output = program_vector_output(m, s->o->output, 0, e), also = -1;
  if (output < 0 ||
      (s->o->exclude != NULL && (also = program_exclude_input(m, s->o->exclude, e)) < 0)) {
    return -1;
  }
  if (program_vectors_open(&s->v, m, s->o, output, &also, also >= 0, e) != 0 ||
      program_open_index(&s->x, s->o->index, &s->v, e) != 0 ||
      program_exclusion_new(&s->exclusion, m, s->x, s->o->index, also, s->v.batch, e) != 0) {
    return -1;
  }
  long count = rank_index_about(s->x).count;
  s->k = s->o->k > 0 ? s->o->k : 10;
  s->k = s->k < count ? s->k : count;
  s->vectors = calloc((size_t)s->v.batch, (size_t)s->v.width * sizeof *s->vectors);
  s->hits = calloc((size_t)s->v.batch, (size_t)s->k * sizeof *s->hits + 1);
  if (s->vectors == NULL || s->hits == NULL) {
    return rank_fail(e, "out of memory");
  }
  s->graph = s->o->approximate ? program_graph_new(s->x, &s->v.log, e) : NULL;
  return s->o->approximate && s->graph == NULL ? -1 : 0;
}

int program_search(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  searching s = {.o = o};
  rank_file file = {0};
  int failed = open_all(&s, m, &e);
  if (!failed && o->out != NULL) {
    failed = rank_file_create(&file, o->out, &e);
  }
  if (!failed) {
    s.v.log.bar &= o->out != NULL; /* the result may go to the same terminal */
    failed = search_rows(&s, o->out != NULL ? file.out : stdout, &e);
    rank_log_clear(&s.v.log);
    if (!failed && s.graph != NULL) {
      program_graph_report(s.graph, s.k);
    }
  }
  if (file.out != NULL && !failed) {
    failed = rank_file_commit(&file, &e);
  } else if (file.path != NULL) {
    rank_file_discard(&file);
  }
  program_graph_free(s.graph);
  program_exclusion_free(&s.exclusion);
  program_vectors_close(&s.v);
  rank_index_close(s.x);
  free(s.vectors);
  free(s.hits);
  return failed ? program_error(m, &e) : 0;
}
