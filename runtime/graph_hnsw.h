#ifndef RANK_GRAPH_HNSW_H
#define RANK_GRAPH_HNSW_H

/* What librank_hnsw.so has: a graph over vectors, walked towards the larger inner product ("Efficient and
 * robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs", Malkov and
 * Yashunin 2018). The functions say no more than that it failed: there is no memory. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  RANK_GRAPH_LINKS = 16,  /* of a vector, to others */
  RANK_GRAPH_EFFORT = 200 /* candidates kept while building, and at least while searching */
};

typedef struct rank_graph rank_graph;

/* NULL with the reason in `message`. */
rank_graph *rank_graph_new(long width, long count, char *message, size_t size);
void rank_graph_free(rank_graph *g);
int rank_graph_add(rank_graph *g, const float *vector, uint32_t position); /* 0, -1 */
/* Positions of about the k nearest, the nearest first: how many, or -1. */
long rank_graph_search(rank_graph *g, const float *query, long k, uint32_t *positions);

#ifdef __cplusplus
}
#endif

#endif
