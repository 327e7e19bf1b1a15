/* api_check.c: the functions of a library that look at a batch before generated code does.
 *
 * One idea: all that the runtime knows of inputs is known here already, so the usual batch is let through by
 * loops with constant bounds, and a single row without any; what they do not let through, the runtime looks
 * at again (runtime/check.c). They stand in the functions of NAME.h, where the compiler still knows the
 * arrays' addresses, and call nothing. */

#include "api.h"
#include "fields.h"

enum { LANES = 16 }; /* RANK_PAD */

/* How many ids there are: a number, or the rows of the table that learns them. */
static Str ids_count(Api *a, int i)
{
  const Graph *g = a->g;
  const Input *in = &g->inputs.data[i];
  int root = in->same_as >= 0 ? in->same_as : i;
  if (in->nvocab == 1 && in->vocab[0] > 0) {
    return str_format(a->arena, "%ld", in->vocab[0]);
  }
  for (int p = 0; p < g->params.n; p++) {
    const Param *q = &g->params.data[p];
    if (q->table && (q->vocab_of == i || q->vocab_of == root)) {
      return str_format(a->arena, "(uint32_t)s->rows[%d]", p);
    }
  }
  return S("INT32_MAX");
}

/* The first id of each position, and how many it has; to the width of a vector. */
static void fields_arrays(Api *a, int i)
{
  const Input *in = &a->g->inputs.data[i];
  int n = (in->nvocab + LANES - 1) / LANES * LANES;
  Str *low = ARENA_ARRAY(a->arena, Str, n), *size = ARENA_ARRAY(a->arena, Str, n);
  long from = 0;
  for (int v = 0; v < n; v++) {
    bool there = v < in->nvocab;
    low[v] = str_format(a->arena, "%ld", there ? from : 0);
    size[v] = str_format(a->arena, "%ld", there ? in->vocab[v] : 1);
    from += there ? in->vocab[v] : 0;
  }
  Text t = {a->arena, a->out, a->g};
  array(&t, "uint32_t ", str_format(a->arena, "rank_low_%d", i), n, low);
  array(&t, "uint32_t ", str_format(a->arena, "rank_size_%d", i), n, size);
  a->out = t.out;
}

static bool has_fields(const Input *in)
{
  bool fields = in->type.kind == KIND_ID && in->nvocab > 1;
  for (int v = 0; v < in->nvocab; v++) {
    fields = fields && in->vocab[v] > 0;
  }
  return fields;
}

/* Whether an input, or an axis, stands in such a batch. */
static bool stands(int what, ApiRows rows)
{
  switch (rows) {
  case ROWS_PREDICT:
    return (what & TO_PREDICT) != 0;
  case ROWS_TRAIN:
    return (what & TO_TRAIN) != 0;
  case ROWS_REQUEST:
    return (what & TO_PREDICT) != 0 && (what & OF_REQUEST) != 0;
  case ROWS_CANDIDATES:
    return (what & TO_PREDICT) != 0 && (what & OF_REQUEST) == 0;
  }
  return false;
}

/* A condition more. */
static void odd_input(Api *a, int i)
{
  const Input *in = &a->g->inputs.data[i];
  Layout l = plan_layout(a->g, in->type, false);
  Str rows =
    l.ragged < 0 ? S("n") : str_format(a->arena, "b->offset[%d][n]", dim_index(a->g, l.ragged));
  Str values = l.width == 1 ? rows : str_format(a->arena, "%.*s * %ld", STR_ARG(rows), l.width);
  buf_format(&a->out, "  rank_odd |= ");
  if (has_fields(in)) {
    buf_format(&a->out, "rank_odd_fields(b->input[%d], %.*s, %ld, rank_low_%d, rank_size_%d);\n", i,
      STR_ARG(rows), l.width, i, i);
  } else if (in->type.kind == KIND_ID) {
    buf_format(&a->out, "rank_odd_ids(b->input[%d], %.*s, %.*s);\n", i, STR_ARG(values),
      STR_ARG(ids_count(a, i)));
  } else if (in->encoding.nan) { /* any number will do */
    buf_format(&a->out, "(uint32_t)(%.*s > 0 && b->input[%d] == NULL);\n", STR_ARG(rows), i);
  } else {
    buf_format(&a->out, "rank_odd_numbers(b->input[%d], %.*s);\n", i, STR_ARG(values));
  }
}

static bool odd_lists(Api *a, ApiRows rows)
{
  bool lists = false;
  for (int i = 0; i < a->g->axes.n; i++) {
    if (a->axis_name[i].n > 0 && stands(a->axes[i], rows)) {
      lists = true;
      buf_format(&a->out, "  rank_odd |= rank_odd_lists(b->offset[%d], n, %ld);\n",
        dim_index(a->g, i), a->g->axes.data[i].extent);
    }
  }
  return lists;
}

void api_check(Api *a, ApiRows rows)
{
  static const char *const what[] = {"rows", "batch", "request", "candidates"};
  const Graph *g = a->g;
  for (int i = 0; i < g->inputs.n; i++) { /* once in a file */
    if (rows <= ROWS_TRAIN && stands(a->inputs[i], rows) && has_fields(&g->inputs.data[i])) {
      fields_arrays(a, i);
    }
  }
  buf_format(&a->out,
    "RANK_INLINE uint32_t rank_odd_in_%s(const rank_state *s, const rank_batch *b, long n)\n"
    "{\n  (void)s, (void)b, (void)n;\n  uint32_t rank_odd = 0;\n",
    what[rows]);
  if (odd_lists(a, rows)) {
    buf_format(&a->out, "  if (rank_odd != 0) { /* and so where lists end is not known */\n"
                        "    return 1;\n  }\n");
  }
  for (int i = 0; i < g->inputs.n; i++) {
    if (stands(a->inputs[i], rows) && plan_layout(g, g->inputs.data[i].type, false).ragged < 0) {
      buf_format(&a->out, "  if (b->input[%d] == NULL) {\n    return 1;\n  }\n", i);
    }
  }
  for (int i = 0; i < g->inputs.n; i++) {
    if (stands(a->inputs[i], rows)) {
      odd_input(a, i);
    }
  }
  buf_format(&a->out,
    "  return rank_odd;\n}\n\n"
    "RANK_APART int rank_usual_many_%s(const rank_state *s, const rank_batch *b)\n{\n"
    "  return b->n > 0 && rank_odd_in_%s(s, b, b->n) == 0;\n}\n\n"
    "/* Whether the runtime need not look at it. */\n"
    "RANK_INLINE int rank_usual_%s(const void *model, const rank_batch *b)\n{\n"
    "  const rank_state *s = rank_library_state(model);\n"
    "  return b->n == 1 ? rank_odd_in_%s(s, b, 1) == 0 : rank_usual_many_%s(s, b);\n}\n\n",
    what[rows], what[rows], what[rows], what[rows], what[rows]);
}
