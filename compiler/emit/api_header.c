/* api_header.c: NAME.h: plain C that stands alone, in the model's words. */

#include "api.h"

#include <ctype.h>
#include <string.h>

enum { COLUMNS = 98, API = 1 };

/* ---- comments ---- */

/* A comment, broken into lines. */
static void comment(Api *a, int indent, Str text)
{
  int column = indent + 3;
  buf_format(&a->out, "%*s/* ", indent, "");
  for (int i = 0; i < text.n;) {
    int end = i;
    while (end < text.n && text.s[end] != ' ') {
      end++;
    }
    if (column + end - i + 3 > COLUMNS && column > indent + 3) {
      buf_format(&a->out, "\n%*s * ", indent, "");
      column = indent + 3;
    }
    buf_format(&a->out, "%s%.*s", column > indent + 3 ? " " : "", end - i, text.s + i);
    column += end - i + (column > indent + 3);
    i = end < text.n ? end + 1 : end;
  }
  buf_format(&a->out, " */\n");
}

/* What the model's line says after `#`, or {0}. */
static Str remark(Api *a, Loc loc)
{
  if (!loc.source) {
    return (Str){0};
  }
  Str t = loc.source->text;
  bool quoted = false;
  int at = loc.at;
  while (at < t.n && t.s[at] != '\n' && (quoted || t.s[at] != '#')) {
    quoted ^= t.s[at] == '"';
    at++;
  }
  int end = at;
  while (end < t.n && t.s[end] != '\n') {
    end++;
  }
  while (at < end && (t.s[at] == '#' || isspace((unsigned char)t.s[at]))) {
    at++;
  }
  return comment_text(a->arena, (Str){t.s + at, end - at});
}

static Str ids_text(Api *a, const Input *in)
{
  bool learnt = in->nvocab == 0;
  for (int v = 0; v < in->nvocab; v++) {
    learnt |= in->vocab[v] == 0;
  }
  const Encoding *c = &in->encoding;
  const char *coded = c->vocab || learnt ? ": 0 missing, 1 unknown, then the vocabulary's"
                      : c->hash          ? ": 0 missing, the others by hash"
                      : c->nbuckets > 0  ? ": 0 missing, then the buckets"
                                         : "";
  if (learnt) {
    return str_format(a->arena, "ids of the vocabulary in the weights%s", coded);
  }
  if (in->nvocab == 1) {
    return str_format(a->arena, "ids from 0 to %ld%s", in->vocab[0] - 1, coded);
  }
  Buf b = {.arena = a->arena};
  buf_format(&b, "ids, those of each position after the one before:");
  long from = 0;
  for (int v = 0; v < in->nvocab; v++) {
    buf_format(&b, " %ld..%ld", from, from + in->vocab[v] - 1);
    from += in->vocab[v];
  }
  return buf_take(&b);
}

static void declare(Api *a, const char *about, ApiHead which)
{
  if (about) {
    buf_format(&a->out, "\n");
    comment(a, 0, api_named(a, about));
  }
  api_head(a, which, ";");
}

/* ---- structs ---- */

static void member_input(Api *a, int i, bool request)
{
  const Input *in = &a->g->inputs.data[i];
  Layout l = plan_layout(a->g, in->type, false);
  bool id = in->type.kind == KIND_ID;
  Str rows = request
               ? l.ragged < 0
                   ? S("1")
                   : str_format(a->arena, "%.*s_length",
                       STR_ARG(name_c(a->arena, a->g->axes.data[axis_root(a->g, l.ragged)].name)))
             : l.ragged < 0
               ? S("n")
               : str_format(a->arena, "%.*s[n]", STR_ARG(a->axis_name[axis_root(a->g, l.ragged)]));
  Str width = l.width > 1 ? str_format(a->arena, "[%ld]", l.width) : (Str){0};
  Str said = remark(a, in->loc);
  comment(a, 2,
    str_format(a->arena, "%.*s%s[%.*s]%.*s %.*s", STR_ARG(said), said.n > 0 ? ": " : "",
      STR_ARG(rows), STR_ARG(width),
      STR_ARG(id                 ? ids_text(a, in)
              : in->encoding.nan ? S("numbers; NaN: missing")
                                 : S("numbers"))));
  buf_format(&a->out, "  const %s *%.*s;\n", id ? "int32_t" : a->real, STR_ARG(a->input_name[i]));
}

static void member_axis(Api *a, int axis)
{
  const Axis *x = &a->g->axes.data[axis];
  comment(a, 2,
    str_format(a->arena,
      "[n + 1] where the lists along %.*s start: that of row i is from [i] to before [i + 1]. "
      "[0] is 0; none is longer than %ld",
      STR_ARG(x->name), x->extent));
  buf_format(&a->out, "  const int32_t *%.*s;\n", STR_ARG(a->axis_name[axis]));
}

/* Inputs and axes that are needed to predict, or those that only training needs. */
static int members(Api *a, bool predict)
{
  int count = 0;
  for (int i = 0; i < a->g->axes.n; i++) {
    if (a->axis_name[i].n > 0 && ((a->axes[i] & TO_PREDICT) != 0) == predict && a->axes[i] != 0) {
      member_axis(a, i);
      count++;
    }
  }
  for (int i = 0; i < a->g->inputs.n; i++) {
    if (((a->inputs[i] & TO_PREDICT) != 0) == predict && a->inputs[i] != 0) {
      member_input(a, i, false);
      count++;
    }
  }
  return count;
}

static void list_members(Api *a)
{
  for (int i = 0; i < LIST_PARTS * a->g->ranked.n; i++) {
    const Ranked *r = &a->g->ranked.data[i / LIST_PARTS];
    const Fitted *f = &a->g->fits.data[r->fit];
    int part = i % LIST_PARTS;
    if (a->list_name[i].n == 0) {
      continue;
    }
    const char *what = part == LIST_ITEM    ? "the best items' ids, -1 where there are no more"
                       : part == LIST_SCORE ? "their scores"
                       : part == LIST_BECAUSE
                         ? "which ids of the list brought most of the score, -1: no more"
                         : "how much each of them brought";
    Str said = part == LIST_ITEM ? remark(a, r->loc) : (Str){0};
    Str shape = part < LIST_BECAUSE
                  ? str_format(a->arena, "[n][%.0f]", f->settings[0])
                  : str_format(a->arena, "[n][%.0f][%.0f]", f->settings[0], f->settings[1]);
    comment(a, 2,
      str_format(
        a->arena, "%.*s%s%.*s %s", STR_ARG(said), said.n > 0 ? ": " : "", STR_ARG(shape), what));
    bool ids = part == LIST_ITEM || part == LIST_BECAUSE;
    buf_format(&a->out, "  %s *%.*s;\n", ids ? "int32_t" : a->real, STR_ARG(a->list_name[i]));
  }
}

static void outputs_struct(Api *a)
{
  Buf *b = &a->out;
  buf_format(b, "/* Where to write each row's outputs; NULL: not wanted. */\n");
  buf_format(b, "typedef struct %.*s_outputs {\n", STR_ARG(a->m));
  for (int i = 0; i < a->predict->outputs.n; i++) {
    const Output *o = &a->predict->outputs.data[i];
    Buf shape = {.arena = a->arena};
    Type t = o->type;
    for (int k = 0; k < t.n; k++) {
      if (t.axis[k] != AXIS_B) {
        buf_format(&shape, "[%ld]", axis_extent(a->predict, t.axis[k]));
      }
    }
    Str said = remark(a, o->loc);
    comment(a, 2,
      str_format(a->arena, "%.*s%s[n]%.*s", STR_ARG(said), said.n > 0 ? ": " : "",
        STR_ARG(buf_take(&shape))));
    buf_format(b, "  %s *%.*s;\n", a->real, STR_ARG(a->output_name[i]));
  }
  list_members(a);
  if (a->predict->outputs.n == 0 && a->g->ranked.n == 0) {
    buf_format(b, "  %s *none;\n", a->real);
  }
  buf_format(b, "} %.*s_outputs;\n\n", STR_ARG(a->m));
}

/* What a request brings, or what each of its candidates does. */
static void split_members(Api *a, bool request)
{
  for (int i = 0; i < a->g->axes.n; i++) {
    bool here = a->axis_name[i].n > 0 && (a->axes[i] & TO_PREDICT) != 0;
    if (here && request && (a->axes[i] & OF_REQUEST) != 0) {
      const Axis *x = &a->g->axes.data[i];
      comment(a, 2,
        str_format(
          a->arena, "how long the list along %.*s is: at most %ld", STR_ARG(x->name), x->extent));
      buf_format(&a->out, "  int32_t %.*s_length;\n", STR_ARG(name_c(a->arena, x->name)));
    } else if (here && !request && (a->axes[i] & OF_REQUEST) == 0) {
      member_axis(a, i);
    }
  }
  for (int i = 0; i < a->g->inputs.n; i++) {
    bool here = (a->inputs[i] & TO_PREDICT) != 0;
    if (here && request == ((a->inputs[i] & OF_REQUEST) != 0)) {
      member_input(a, i, request);
    }
  }
}

static void split_structs(Api *a)
{
  api_put(a, "/* What all candidates of a request share. */\ntypedef struct NAME_request {\n");
  split_members(a, true);
  api_put(a, "} NAME_request;\n\n/* The candidates; lists lie back to back. */\n"
             "typedef struct NAME_candidates {\n  long n;\n");
  split_members(a, false);
  api_put(a, "} NAME_candidates;\n\n");
}

static void structs(Api *a)
{
  Buf *b = &a->out;
  api_put(a, "/* The model with weights. Predicting only reads it: any number of threads may share "
             "it. */\n"
             "typedef struct NAME NAME;\n\n"
             "/* Rows to predict. Lists lie back to back, those of all rows in one array. */\n"
             "typedef struct NAME_inputs {\n  long n; /* rows */\n");
  members(a, true);
  buf_format(b, "} %.*s_inputs;\n\n", STR_ARG(a->m));
  outputs_struct(a);
  if (a->split) {
    split_structs(a);
  }
}

/* ---- functions ---- */

static uint64_t version(const Api *a)
{
  uint64_t h = (model_layout(a->g) ^ API) * 1099511628211u;
  for (int i = 0; i < a->predict->outputs.n; i++) {
    const Output *o = &a->predict->outputs.data[i];
    for (int k = 0; k < o->name.n; k++) {
      h = (h ^ (unsigned char)o->name.s[k]) * 1099511628211u;
    }
    h = (h ^ (uint64_t)plan_layout(a->predict, o->type, false).width) * 1099511628211u;
  }
  for (int i = 0; i < LIST_PARTS * a->g->ranked.n; i++) {
    Str name = a->list_name[i];
    const double *settings = a->g->fits.data[a->g->ranked.data[i / LIST_PARTS].fit].settings;
    for (int k = 0; k < name.n; k++) {
      h = (h ^ (unsigned char)name.s[k]) * 1099511628211u;
    }
    h = (h ^ (uint64_t)(settings[0] * 1000 + settings[1])) * 1099511628211u;
  }
  return (h ^ (a->real[0] == 'd')) * 1099511628211u;
}

static void header_predict(Api *a)
{
  api_put(a,
    "/* What functions return. */\n"
    "enum {\n"
    "  MODEL_OK,\n"
    "  MODEL_BAD_ID,     /* an id outside its vocabulary */\n"
    "  MODEL_BAD_LENGTH, /* a list longer than its axis, offsets that fall, a negative n */\n"
    "  MODEL_BAD_VALUE,  /* a number that is NaN or infinite, an input that is NULL */\n"
    "  MODEL_NO_MEMORY,  /* or no scratch */\n"
    "  MODEL_BAD_FILE    /* weights that are missing, damaged, or another model's */\n"
    "};\n");
  declare(a, "In words.", HEAD_STATUS);
  buf_format(&a->out, "\n");
  comment(a, 0,
    S("Changes with the model's inputs, outputs and parameters: when the header's is not the "
      "library's, they do not belong together."));
  api_put(a, "#define MODEL_VERSION ");
  buf_format(&a->out, "UINT64_C(0x%016llx)\n", (unsigned long long)version(a));
  declare(a, NULL, HEAD_VERSION);
  buf_format(&a->out, "\n");
  comment(a, 0,
    S("Changes with how functions are called and structs are laid out, in all models alike."));
  api_put(a, "#define MODEL_ABI_VERSION ");
  buf_format(&a->out, "%d\n", API);
  declare(a, NULL, HEAD_ABI);
  declare(a,
    !a->frozen
      ? "Opens weights to predict with. Tables stay in the file, which is mapped, so that "
        "processes "
        "share them: put another file in its place by renaming, never write into it. On error "
        "*model is NULL and message (may be NULL), which has room for `size` bytes, says what is "
        "wrong with which file."
    : a->frozen->beside ? "Opens the weights that `rankc freeze --beside` has put into a file, "
                          "which is mapped. On error *model is "
                          "NULL and message (may be NULL), which has room for `size` bytes, says "
                          "what is wrong with it."
                        : "The weights are in the library: `weights` is NULL. On error *model is "
                          "NULL and message (may be NULL), "
                          "which has room for `size` bytes, says why.",
    HEAD_OPEN);
  declare(a, NULL, HEAD_CLOSE);
  declare(a,
    "Bytes of scratch to predict these rows; or any rows, so many of them. Threads that predict "
    "at once need scratch each; nothing is kept in it between calls.",
    HEAD_SCRATCH);
  declare(a, NULL, HEAD_SCRATCH_FOR);
  declare(a,
    "Checks every input, then predicts. Allocates nothing, takes no lock, starts no thread, and "
    "works in the memory it is given alone.",
    HEAD_PREDICT);
  declare(a,
    "Why NAME_predict refuses inputs: returns what it returns, and the message names the input, "
    "the row and the value.",
    HEAD_EXPLAIN);
}

static void header_rank(Api *a)
{
  if (!a->split) {
    return;
  }
  buf_format(&a->out, "\n/* ---- one request, many candidates ---- */\n");
  declare(a,
    "The same outputs, to rounding, as NAME_predict gives when every row brings the request's "
    "inputs; what follows from these alone is computed once. Checks, allocates and locks as "
    "NAME_predict does.",
    HEAD_RANK);
  declare(a, "Bytes of scratch to rank n candidates of any request.", HEAD_RANK_SCRATCH);
  declare(a, "Why NAME_rank refuses inputs.", HEAD_RANK_EXPLAIN);
}

static void header_train(Api *a)
{
  if (!a->trains) {
    return;
  }
  api_put(a, "\n/* ---- training: libNAME_train.so, which has all of the above too ---- "
             "*/\n\ntypedef struct NAME_batch {\n  NAME_inputs inputs;\n");
  members(a, false);
  api_put(a, "} NAME_batch;\n");
  declare(a,
    "Opens weights to train, with the optimizer's state; weights NULL: new ones, by `seed`. "
    "What trains is changed by every step, so it belongs to one thread. It may predict too, but "
    "slower.",
    HEAD_OPEN_TRAINING);
  declare(a, NULL, HEAD_TRAIN_SCRATCH);
  declare(a,
    "One step, on the calling thread: the same bits as the program's with any number of "
    "threads. rate 0: the model's own; steps: how many are planned, for its schedule. *loss "
    "(may be NULL): the mean over the batch before the update.",
    HEAD_TRAIN_STEP);
  declare(a, NULL, HEAD_EXPLAIN_BATCH);
  declare(a, "Writes the weights and the optimizer's state. The file appears whole or not at all.",
    HEAD_SAVE);
}

Str api_header(Api *a)
{
  Buf *b = &a->out;
  api_put(a, "#ifndef MODEL_H\n#define MODEL_H\n\n");
  Str doc = comment_text(a->arena, a->g->doc);
  comment(a, 0,
    str_format(a->arena, "%.*s%s%.*s. Generated by rankc; edit the model, not this file.",
      STR_ARG(a->g->model), doc.n > 0 ? ": " : "", STR_ARG(doc)));
  buf_format(b, "\n#include <stddef.h>\n#include <stdint.h>\n\n"
                "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  structs(a);
  header_predict(a);
  header_rank(a);
  header_train(a);
  buf_format(b, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
  return buf_take(b);
}
