/* program_graph.c: `search --approximate`: a graph over the index instead of all of it.
 *
 * One idea: the graph comes from a library that is loaded only here, and is never believed to be right: its
 * answers are scored again with the index's own vectors, and for the first queries the exact search runs
 * too and says how much was found. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "graph_hnsw.h"
#include "program.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHECKED = 100 }; /* queries that are also answered exactly */

struct program_graph {
  void *library;
  rank_graph *graph;
  const rank_index *x;
  void (*free_graph)(rank_graph *g);
  long (*search)(rank_graph *g, const float *query, long k, uint32_t *positions);
  long checked, wanted, found;
};

static const char name[] = "librank_hnsw.so";

/* Beside the program, where rankc puts it, where rankc is installed, or where the system looks. */
static void *load_library(void)
{
  char path[4096], here[4096];
  ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
  here[n > 0 ? n : 0] = '\0';
  char *slash = strrchr(here, '/');
  const char *const folders[] = {slash != NULL ? here : NULL, RANK_LIB_INSTALLED};
  if (slash != NULL) {
    *slash = '\0';
  }
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    int length = folders[i] != NULL ? snprintf(path, sizeof path, "%s/%s", folders[i], name) : -1;
    void *library = length > 0 && (size_t)length < sizeof path ? dlopen(path, RTLD_NOW) : NULL;
    if (library != NULL) {
      return library;
    }
  }
  return dlopen(name, RTLD_NOW);
}

/* A function of the library; a pointer to data is not one in C, but it is in POSIX. */
static int find_function(program_graph *g, const char *symbol, void *to)
{
  void *at = dlsym(g->library, symbol);
  memcpy(to, &at, sizeof at);
  return at == NULL;
}

static int fill_graph(program_graph *g, rank_log *log, rank_error *e)
{
  rank_graph *(*make)(long, long, char *, size_t);
  int (*add)(rank_graph *, const float *, uint32_t);
  char why[200] = "";
  rank_index_facts f = rank_index_about(g->x);
  if (find_function(g, "rank_graph_new", &make) || find_function(g, "rank_graph_add", &add) ||
      find_function(g, "rank_graph_free", &g->free_graph) ||
      find_function(g, "rank_graph_search", &g->search)) {
    return rank_fail(e, "--approximate: %s is not the library of this rankc", name);
  }
  float *vector = calloc((size_t)f.width, sizeof *vector);
  g->graph = vector != NULL ? make(f.width, f.count, why, sizeof why) : NULL;
  int failed = g->graph == NULL;
  for (long i = 0; i < f.count && !failed; i++) {
    failed = rank_index_vector(g->x, i, vector) != 0 || add(g->graph, vector, (uint32_t)i) != 0;
    if (i % 1024 == 0) {
      rank_log_progress(log, (double)i / (double)f.count, "building the graph");
    }
  }
  free(vector);
  rank_log_clear(log);
  return failed ? rank_fail(e, "--approximate: no graph of %ld vectors: %s", f.count,
                    why[0] != '\0' ? why : "out of memory")
                : 0;
}

program_graph *program_graph_new(const rank_index *x, rank_log *log, rank_error *e)
{
  program_graph *g = calloc(1, sizeof *g);
  if (g == NULL) {
    rank_fail(e, "out of memory");
    return NULL;
  }
  g->x = x;
  g->library = load_library();
  if (g->library == NULL) {
    rank_fail(e,
      "--approximate: %s is not there; install libhnswlib-dev and a C++ compiler and build rankc "
      "again",
      name);
  } else if (fill_graph(g, log, e) == 0) {
    return g;
  }
  program_graph_free(g);
  return NULL;
}

void program_graph_free(program_graph *g)
{
  if (g != NULL && g->graph != NULL) {
    g->free_graph(g->graph);
  }
  if (g != NULL && g->library != NULL) {
    dlclose(g->library);
  }
  free(g);
}

/* --- searching --- */

static int compare_hits(const void *a, const void *b)
{
  const rank_index_hit *x = a, *y = b;
  return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                              : (x->position > y->position) - (x->position < y->position);
}

static int is_skipped(const rank_index_query *q, long query, uint32_t at)
{
  for (int64_t i = q->skip_from != NULL ? q->skip_from[query] : 0;
       q->skip_from != NULL && i < q->skip_from[query + 1]; i++) {
    if (q->skip[i] == at) {
      return 1;
    }
  }
  return 0;
}

/* One query: more are asked for than wanted, by as many as are left out. */
static int search_one(program_graph *g, const rank_index_query *q, long query, float *vector,
  uint32_t *at, rank_index_hit *hits)
{
  rank_index_facts f = rank_index_about(g->x);
  const float *u = q->vectors + query * f.width;
  long more = q->skip_from != NULL ? (long)(q->skip_from[query + 1] - q->skip_from[query]) : 0;
  long n = g->search(g->graph, u, q->k + more < f.count ? q->k + more : f.count, at), kept = 0;
  for (long i = 0; i < n && kept < q->k; i++) {
    if (!is_skipped(q, query, at[i]) && rank_index_vector(g->x, at[i], vector) == 0) {
      float score = 0;
      for (long d = 0; d < f.width; d++) {
        score += u[d] * vector[d];
      }
      hits[kept++] = (rank_index_hit){at[i], score};
    }
  }
  qsort(hits, (size_t)kept, sizeof *hits, compare_hits);
  for (long i = kept; i < q->k; i++) {
    hits[i] = (rank_index_hit){-1, 0};
  }
  return n < 0 ? -1 : 0;
}

/* How many of the exact result are in it. */
static void compare_exact(
  program_graph *g, const rank_index_hit *exact, const rank_index_hit *hits, long k)
{
  for (long i = 0; i < k && exact[i].position >= 0; i++) {
    g->wanted++;
    for (long j = 0; j < k; j++) {
      g->found += hits[j].position == exact[i].position;
    }
  }
  g->checked++;
}

int program_graph_search(
  program_graph *g, const rank_index_query *q, rank_index_hit *hits, rank_error *e)
{
  rank_index_facts f = rank_index_about(g->x);
  float *vector = calloc((size_t)f.width, sizeof *vector);
  uint32_t *at = calloc((size_t)f.count, sizeof *at);
  rank_index_hit *exact = calloc((size_t)(CHECKED * q->k), sizeof *exact);
  rank_index_query some = *q;
  long left = CHECKED - g->checked;
  some.n = q->n < left ? q->n : left;
  int failed = vector == NULL || at == NULL || exact == NULL;
  for (long i = 0; i < q->n && !failed; i++) {
    failed = search_one(g, q, i, vector, at, hits + i * q->k);
  }
  failed = failed || (some.n > 0 && rank_index_search(g->x, &some, exact) != 0);
  for (long i = 0; i < some.n && !failed; i++) {
    compare_exact(g, exact + i * q->k, hits + i * q->k, q->k);
  }
  free(vector);
  free(at);
  free(exact);
  return failed ? rank_fail(e, "out of memory: searching in the graph") : 0;
}

void program_graph_report(const program_graph *g, long k)
{
  if (g->wanted == 0) {
    fputs("approximate: there was nothing to compare with the exact search\n", stderr);
    return;
  }
  fprintf(stderr,
    "approximate: recall@%ld %.4f against the exact search, on the first %ld queries\n", k,
    (double)g->found / (double)g->wanted, g->checked);
}
