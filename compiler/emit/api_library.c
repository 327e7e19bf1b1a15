/* api_library.c: NAME_library.c and NAME_training.c: the functions of NAME.h, each a few lines that number
 * what the header names and hand it to the runtime. */

#include "api.h"

#include <string.h>

static void uses(Api *a, const char *what, int n, const int *use)
{
  static const char *const text[] = {
    "0", "RANK_TO_PREDICT", "RANK_TO_TRAIN", "RANK_TO_PREDICT | RANK_TO_TRAIN"};
  buf_format(&a->out, "static const unsigned char %s[] = {\n", what);
  for (int i = 0; i < n; i++) {
    buf_format(&a->out, "  %s,\n", text[use[i] & (TO_PREDICT | TO_TRAIN)]);
  }
  buf_format(&a->out, n > 0 ? "};\n" : "  0,\n};\n");
}

/* A function that fills arrays by number from the members that are needed to predict, or from those that
 * only training needs. */
static void fill(Api *a, bool predict)
{
  const char *from = predict ? "inputs" : "batch";
  for (int i = 0; i < a->g->inputs.n; i++) {
    bool here = a->inputs[i] != 0 && ((a->inputs[i] & TO_PREDICT) != 0) == predict;
    if (here) {
      buf_format(&a->out, "  a->input[%d] = %s->%.*s;\n", i, from, STR_ARG(a->input_name[i]));
    }
  }
  for (int i = 0; i < a->g->axes.n; i++) {
    bool here =
      a->axis_name[i].n > 0 && a->axes[i] != 0 && ((a->axes[i] & TO_PREDICT) != 0) == predict;
    if (here) {
      buf_format(&a->out, "  a->offset[%d] = %s->%.*s;\n", dim_index(a->g, i), from,
        STR_ARG(a->axis_name[i]));
    }
  }
}

static int dims_used(const Api *a, int *use)
{
  int n = 0;
  for (int i = 0; i < a->g->axes.n; i++) {
    if (a->axis_name[i].n > 0) {
      use[n++] = a->axes[i];
    }
  }
  return n;
}

/* Fills arrays from the members of a request, or of its candidates. */
static void fill_split(Api *a, bool request)
{
  const char *from = request ? "request" : "candidates";
  for (int i = 0; i < a->g->inputs.n; i++) {
    if ((a->inputs[i] & TO_PREDICT) != 0 && request == ((a->inputs[i] & OF_REQUEST) != 0)) {
      buf_format(&a->out, "  a->input[%d] = %s->%.*s;\n", i, from, STR_ARG(a->input_name[i]));
    }
  }
  for (int i = 0; i < a->g->axes.n; i++) {
    bool here = a->axis_name[i].n > 0 && (a->axes[i] & TO_PREDICT) != 0 &&
                request == ((a->axes[i] & OF_REQUEST) != 0);
    int dim = here ? dim_index(a->g, i) : 0;
    if (here && request) {
      buf_format(&a->out, "  a->length[%d][1] = request->%.*s_length;\n", dim,
        STR_ARG(name_c(a->arena, a->g->axes.data[i].name)));
      buf_format(&a->out, "  a->offset[%d] = a->length[%d];\n", dim, dim);
    } else if (here) {
      buf_format(&a->out, "  a->offset[%d] = candidates->%.*s;\n", dim, STR_ARG(a->axis_name[i]));
    }
  }
}

static void library_parts(Api *a)
{
  api_put(a, "static rank_batch of_request(const NAME_request *request, arrays *a)\n{\n"
             "  *a = (arrays){{0}, {0}, {{0}}};\n");
  fill_split(a, true);
  api_put(a, "  return (rank_batch){1, a->input, a->offset, NULL};\n}\n\n"
             "static rank_batch of_candidates(const NAME_candidates *candidates, arrays *a)\n{\n"
             "  *a = (arrays){{0}, {0}, {{0}}};\n");
  fill_split(a, false);
  api_put(a, "  return (rank_batch){candidates->n, a->input, a->offset, NULL};\n}\n\n");
}

static void library_arrays(Api *a, bool training)
{
  int *use = ARENA_ARRAY(a->arena, int, a->g->axes.n + 1);
  int ndims = dims_used(a, use);
  uses(a, "inputs_used", a->g->inputs.n, a->inputs);
  uses(a, "dims_used", ndims, use);
  bool splits = a->split && !training;
  buf_format(&a->out, "\n");
  api_check(a, training ? ROWS_TRAIN : ROWS_PREDICT);
  if (splits) {
    api_check(a, ROWS_REQUEST);
    api_check(a, ROWS_CANDIDATES);
  }
  api_put(a, "static const rank_library self = {\n  .model = &NAME_model,\n"
             "  .inputs = inputs_used,\n  .dims = dims_used,\n");
  api_put(a, training ? "  .train_bytes = NAME_train_bytes,\n  .train = NAME_train_batch,\n" : "");
  api_put(a, "};\n");
  buf_str(&a->out, a->weights);
  api_put(a, "\n/* The runtime knows inputs and axes by number. */\ntypedef struct arrays {\n");
  buf_format(&a->out, "  const void *input[%d];\n  const int32_t *offset[%d];\n",
    a->g->inputs.n + 1, ndims + 1);
  if (splits) {
    buf_format(
      &a->out, "  int32_t length[%d][2]; /* offsets of the request's lists */\n", ndims + 1);
  }
  api_put(a, "} arrays;\n\nstatic rank_batch of_inputs(const NAME_inputs *inputs, arrays *a)\n{\n");
  api_put(a, splits ? "  *a = (arrays){{0}, {0}, {{0}}};\n" : "  *a = (arrays){{0}, {0}};\n");
  fill(a, true);
  api_put(a, "  return (rank_batch){inputs->n, a->input, a->offset, NULL};\n}\n\n");
  if (splits) {
    library_parts(a);
  }
  if (training) {
    api_put(a, "static rank_batch of_batch(const NAME_batch *batch, arrays *a)\n{\n"
               "  rank_batch b = of_inputs(&batch->inputs, a);\n");
    fill(a, false);
    api_put(a, "  return b;\n}\n\n");
  }
}

static void define(Api *a, ApiHead head, const char *body)
{
  api_head(a, head, "");
  buf_format(&a->out, "{\n");
  api_put(a, body);
  buf_format(&a->out, "}\n\n");
}

static void library_open(Api *a)
{
  define(a, HEAD_STATUS, "  return rank_library_status(status);\n");
  define(a, HEAD_VERSION, "  return MODEL_VERSION;\n");
  define(a, HEAD_ABI, "  return MODEL_ABI_VERSION;\n");
  define(a, HEAD_OPEN,
    str_format(a->arena,
      "  rank_opened *o;\n"
      "  rank_status status = %s, weights, &o, message, size);\n"
      "  *model = (void *)o;\n  return (int)status;\n",
      a->frozen ? "rank_frozen_open(&frozen" : "rank_library_open(&self")
      .s);
  define(a, HEAD_CLOSE,
    a->frozen ? "  rank_frozen_close((void *)model);\n" : "  rank_library_close((void *)model);\n");
}

/* Fills an array with where outputs go, between two pieces of a body. */
static const char *with_outputs(Api *a, const char *before, const char *after)
{
  Buf body = {.arena = a->arena};
  buf_format(&body, "%s  rank_real *const out[] = {\n", before);
  for (int i = 0; i < a->predict->outputs.n; i++) {
    buf_format(&body, "    outputs->%.*s,\n", STR_ARG(a->output_name[i]));
  }
  const char *none = a->g->ranked.n > 0 ? "    0,\n" : "    outputs->none,\n";
  buf_format(&body, "%s  };\n%s", a->predict->outputs.n > 0 ? "" : none, after);
  return buf_take(&body).s;
}

/* The same for lists, those that are no outputs too; none has a fifth part. */
static const char *with_lists(Api *a, const char *before)
{
  Buf body = {.arena = a->arena};
  buf_format(&body, "%s", before);
  if (a->g->ranked.n > 0) {
    buf_format(&body, "  const rank_list_out lists[] = {\n");
  }
  for (int i = 0; i < LIST_PARTS * a->g->ranked.n; i++) {
    Str name = a->list_name[i];
    buf_format(&body, i % LIST_PARTS == 0 ? "    {" : ", ");
    if (name.n > 0) {
      buf_format(&body, "outputs->%.*s", STR_ARG(name));
    } else {
      buf_format(&body, "0");
    }
    buf_format(&body, i % LIST_PARTS == LIST_PART ? "},\n" : "");
  }
  buf_format(&body, a->g->ranked.n > 0 ? "  };\n" : "");
  return buf_take(&body).s;
}

static void library_rank(Api *a)
{
  const char *both = "  arrays ra, ca;\n  rank_batch r = of_request(request, &ra);\n"
                     "  rank_batch c = of_candidates(candidates, &ca);\n";
  define(a, HEAD_RANK,
    with_outputs(a, both,
      "  int usual = rank_usual_request(model, &r) && rank_usual_candidates(model, &c);\n"
      "  return (int)rank_library_rank((const void *)model, &r, &c, usual, out, scratch);\n"));
  define(a, HEAD_RANK_SCRATCH, "  return rank_library_rank_scratch((const void *)model, n);\n");
  define(a, HEAD_RANK_EXPLAIN,
    str_format(a->arena,
      "%s  return (int)rank_library_rank_explain((const void *)model, &r, &c, message, size);\n",
      both)
      .s);
}

static void library_predict(Api *a)
{
  define(a, HEAD_SCRATCH,
    "  arrays a;\n  rank_batch b = of_inputs(inputs, &a);\n"
    "  return rank_library_scratch((const void *)model, &b, RANK_TO_PREDICT);\n");
  define(a, HEAD_SCRATCH_FOR,
    "  rank_batch b = {.n = rows};\n"
    "  return rank_library_scratch((const void *)model, &b, RANK_TO_PREDICT);\n");
  bool lists = a->g->ranked.n > 0;
  const char *usual =
    lists || a->g->fits.n > 0
      ? ""
      : "  if (usual && scratch != NULL) { /* nothing else is to be done */\n"
        "    return (int)NAME_predict_batch(rank_library_state((const void *)model), &b, out,\n"
        "      rank_library_aligned(scratch), 1);\n"
        "  }\n";
  define(a, HEAD_PREDICT,
    with_outputs(a,
      with_lists(a, "  arrays a;\n  rank_batch b = of_inputs(inputs, &a);\n"
                    "  int usual = rank_usual_rows(model, &b);\n"),
      str_format(a->arena,
        "%s"
        "  return (int)rank_library_predict((const void *)model, &b, usual, out, %s, scratch);\n",
        usual, lists ? "lists" : "NULL")
        .s));
  define(a, HEAD_EXPLAIN,
    "  arrays a;\n  rank_batch b = of_inputs(inputs, &a);\n  const int use = RANK_TO_PREDICT;\n"
    "  return (int)rank_library_explain((const void *)model, &b, use, message, size);\n");
}

static void library_train(Api *a)
{
  define(a, HEAD_OPEN_TRAINING,
    "  rank_opened *o;\n"
    "  rank_status status = rank_library_train_open(&self, weights, seed, &o, message, size);\n"
    "  *model = (void *)o;\n  return (int)status;\n");
  define(a, HEAD_TRAIN_SCRATCH,
    "  arrays a;\n  rank_batch b = of_batch(batch, &a);\n"
    "  return rank_library_scratch((const void *)model, &b, RANK_TO_TRAIN);\n");
  define(a, HEAD_TRAIN_STEP,
    "  arrays a;\n  rank_batch b = of_batch(batch, &a);\n"
    "  rank_step step = {.lr = rate, .steps = steps};\n"
    "  int usual = rank_usual_batch(model, &b);\n"
    "  return (int)rank_library_train((void *)model, &b, usual, &step, loss, scratch);\n");
  define(a, HEAD_EXPLAIN_BATCH,
    "  arrays a;\n  rank_batch b = of_batch(batch, &a);\n  const int use = RANK_TO_TRAIN;\n"
    "  return (int)rank_library_explain((const void *)model, &b, use, message, size);\n");
  define(
    a, HEAD_SAVE, "  return (int)rank_library_save((const void *)model, path, message, size);\n");
}

Str api_library(Api *a, bool training)
{
  a->out = (Buf){.arena = a->arena};
  buf_format(&a->out,
    "/* %.*s: the C interface of %.*s.h%s.\n"
    " * Generated by rankc; edit the model, not this file. */\n\n"
    "#include \"%.*s_parts.h\"\n#include \"%s\"\n#include \"rank_usual.h\"\n\n"
    "#pragma GCC visibility push(default) /* the library shows nothing but these */\n"
    "#include \"%.*s.h\"\n#pragma GCC visibility pop\n\n",
    STR_ARG(a->g->model), STR_ARG(a->g->model), training ? ", its part that trains" : "",
    STR_ARG(a->g->model), a->frozen ? "rank_frozen.h" : "rank_library.h", STR_ARG(a->g->model));
  library_arrays(a, training);
  if (training) {
    library_train(a);
  } else {
    library_open(a);
    library_predict(a);
    if (a->split) {
      library_rank(a);
    }
  }
  a->out.n--; /* the last blank line */
  return buf_take(&a->out);
}
