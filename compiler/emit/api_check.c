/* api_check.c: the function of a library that looks at a batch before generated code does.
 *
 * One idea: all that the runtime knows of inputs is known here already, so the usual batch is let through by
 * loops with constant bounds; what they do not let through, the runtime looks at again (runtime/check.c). */

#include "api.h"
#include "fields.h"

/* How many ids there are: a number, or the rows of the table that learns them. */
static Str ids_count(Api *a, int i)
{
  const Graph *g = a->g;
  const Input *in = &g->inputs.data[i];
  int root = in->same_as >= 0 ? in->same_as : i;
  if (in->nvocab > 0 && in->vocab[0] > 0) {
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

/* The first id of each position, and how many it has. */
static void fields_arrays(Api *a, int i)
{
  const Input *in = &a->g->inputs.data[i];
  Str *low = ARENA_ARRAY(a->arena, Str, in->nvocab), *size = ARENA_ARRAY(a->arena, Str, in->nvocab);
  long from = 0;
  for (int v = 0; v < in->nvocab; v++) {
    low[v] = str_format(a->arena, "%ld", from);
    size[v] = str_format(a->arena, "%ld", in->vocab[v]);
    from += in->vocab[v];
  }
  Text t = {a->arena, a->out, a->g};
  array(&t, "uint32_t ", str_format(a->arena, "low_%d", i), in->nvocab, low);
  array(&t, "uint32_t ", str_format(a->arena, "size_%d", i), in->nvocab, size);
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

/* A condition more. */
static void odd_input(Api *a, int i)
{
  const Input *in = &a->g->inputs.data[i];
  Layout l = plan_layout(a->g, in->type, false);
  Str rows = l.ragged < 0 ? S("b->n")
                          : str_format(a->arena, "b->offset[%d][b->n]", dim_index(a->g, l.ragged));
  Str values = l.width == 1 ? rows : str_format(a->arena, "%.*s * %ld", STR_ARG(rows), l.width);
  buf_format(&a->out, "  rank_odd |= ");
  if (has_fields(in)) {
    buf_format(&a->out, "rank_odd_fields(b->input[%d], %.*s, %ld, low_%d, size_%d);\n", i,
      STR_ARG(rows), l.width, i, i);
  } else if (in->type.kind == KIND_ID) {
    buf_format(&a->out, "rank_odd_ids(b->input[%d], %.*s, %.*s);\n", i, STR_ARG(values),
      STR_ARG(ids_count(a, i)));
  } else if (in->encoding.nan) { /* any number will do */
    buf_format(&a->out, "(uint32_t)(b->input[%d] == NULL);\n", i);
  } else {
    buf_format(&a->out, "rank_odd_numbers(b->input[%d], %.*s);\n", i, STR_ARG(values));
  }
}

void api_check(Api *a)
{
  const Graph *g = a->g;
  for (int i = 0; i < g->inputs.n; i++) {
    if ((a->inputs[i] & TO_PREDICT) != 0 && has_fields(&g->inputs.data[i])) {
      fields_arrays(a, i);
    }
  }
  buf_format(&a->out, "/* The usual batch, in one pass; the runtime looks again at one that is "
                      "not. (No model is called\n"
                      " * rank_odd.) */\n"
                      "static int is_usual(const rank_state *s, const rank_batch *b)\n{\n"
                      "  (void)s;\n  uint32_t rank_odd = (uint32_t)(b->n <= 0);\n");
  bool lists = false;
  for (int i = 0; i < g->axes.n; i++) {
    if (a->axis_name[i].n > 0 && (a->axes[i] & TO_PREDICT) != 0) {
      lists = true;
      buf_format(&a->out, "  rank_odd |= rank_odd_lists(b->offset[%d], b->n, %ld);\n",
        dim_index(g, i), g->axes.data[i].extent);
    }
  }
  buf_format(&a->out,
    lists ? "  if (rank_odd != 0) { /* and so where lists end is not known */\n    return 0;\n  }\n"
          : "");
  for (int i = 0; i < g->inputs.n; i++) {
    if ((a->inputs[i] & TO_PREDICT) != 0) {
      odd_input(a, i);
    }
  }
  buf_format(&a->out, "  return rank_odd == 0;\n}\n\n");
}
