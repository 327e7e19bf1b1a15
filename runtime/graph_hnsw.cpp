// graph_hnsw.cpp: approximate search through hnswlib, behind four C functions. The only C++ here, and a
// library of its own, librank_hnsw.so, that programs load when they are asked for --approximate; they are
// built and run without it. Built in one thread, so the same index gives the same graph.

#include "graph_hnsw.h"

#include <hnswlib/hnswlib.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

struct rank_graph {
  hnswlib::InnerProductSpace space;
  hnswlib::HierarchicalNSW<float> graph;
  rank_graph(size_t width, size_t count)
      : space(width), graph(&space, count, RANK_GRAPH_LINKS, RANK_GRAPH_EFFORT, 100)
  {
  }
};

extern "C" rank_graph *rank_graph_new(long width, long count, char *message, size_t size)
{
  try {
    return new rank_graph(static_cast<size_t>(width), static_cast<size_t>(count));
  } catch (const std::exception &e) {
    std::snprintf(message, size, "%s", e.what());
    return nullptr;
  }
}

extern "C" void rank_graph_free(rank_graph *g)
{
  delete g;
}

extern "C" int rank_graph_add(rank_graph *g, const float *vector, uint32_t position)
{
  try {
    g->graph.addPoint(vector, position);
    return 0;
  } catch (const std::exception &) {
    return -1;
  }
}

extern "C" long rank_graph_search(rank_graph *g, const float *query, long k, uint32_t *positions)
{
  try {
    g->graph.setEf(static_cast<size_t>(k > RANK_GRAPH_EFFORT ? k : RANK_GRAPH_EFFORT));
    auto found = g->graph.searchKnn(query, static_cast<size_t>(k));
    long n = static_cast<long>(found.size());
    for (long i = n; i-- > 0; found.pop()) {
      positions[i] = static_cast<uint32_t>(found.top().second);
    }
    return n;
  } catch (const std::exception &) {
    return -1;
  }
}
