/* api.c: a model's C interface: NAME.h, and NAME_library.c and NAME_training.c, which put it on
 * top of the runtime.
 *
 * One idea: the runtime knows inputs, axes and outputs by number; here every one of them becomes a member
 * of a struct with the name it has in the model, and nothing else of the model shows. */

#include "api.h"

#include "../pass/pass.h"

#include <ctype.h>
#include <string.h>

/* ---- what is needed for what ---- */

/* The fit that gives an input, or NULL. */
static const Fitted *fit_of(const Graph *g, int input)
{
  for (int i = 0; i < g->fits.n; i++) {
    for (int k = 0; k < g->fits.data[i].nresults; k++) {
      if (g->fits.data[i].results[k] == input) {
        return &g->fits.data[i];
      }
    }
  }
  return NULL;
}

static bool is_made(const Graph *g, int axis)
{
  for (int i = 0; i < g->inputs.n; i++) {
    if (g->inputs.data[i].encoding.source == FROM_FIT && type_has(g->inputs.data[i].type, axis)) {
      return true;
    }
  }
  return false;
}

static void need_axis(Api *a, int axis, int use)
{
  if (a->g->axes.data[axis].kind == AXIS_RAGGED && !is_made(a->g, axis_root(a->g, axis))) {
    a->axes[axis_root(a->g, axis)] |= use;
  }
}

static void need_fit(Api *a, const Fitted *fit, int use)
{
  for (int k = 0; k < fit->nsources; k++) {
    if (fit->sources[k] < 0) {
      continue;
    }
    Type t = a->g->inputs.data[fit->sources[k]].type;
    a->inputs[fit->sources[k]] |= use;
    for (int i = 0; i < t.n; i++) {
      need_axis(a, t.axis[i], use);
    }
  }
}

/* Passes keep the numbers of inputs and of the axes that were declared. */
static void need(Api *a, const Graph *part, int use)
{
  for (int i = 0; i < part->nodes.n; i++) {
    const Node *n = part->nodes.data[i];
    const Fitted *fit = n->op == OP_INPUT ? fit_of(a->g, n->leaf) : NULL;
    if (fit) { /* its results are the library's business */
      need_fit(a, fit, use);
    }
    if (n->op == OP_INPUT && !fit) {
      a->inputs[n->leaf] |= use;
    }
    for (int k = 0; k < n->type.n; k++) {
      need_axis(a, axis_root(part, n->type.axis[k]), use);
    }
    for (int k = 0; n->op == OP_SIZE && k < n->naxes; k++) {
      need_axis(a, axis_root(part, n->axes[k]), use);
    }
  }
}

/* Inputs and lists that all candidates of a request share. */
static void own_requests(Api *a)
{
  for (int i = 0; i < a->g->inputs.n && a->split; i++) {
    const Input *in = &a->g->inputs.data[i];
    a->inputs[i] |= in->per_request ? OF_REQUEST : 0;
    Layout l = plan_layout(a->g, in->type, false);
    if (in->per_request && l.ragged >= 0) {
      a->axes[axis_root(a->g, l.ragged)] |= OF_REQUEST;
    }
  }
}

/* ---- names ---- */

static bool is_cpp_word(Str s)
{
  static const char *const words[] = {"alignas", "alignof", "and", "asm", "bool", "catch", "class",
    "compl", "concept", "constexpr", "decltype", "delete", "explicit", "export", "false", "friend",
    "mutable", "namespace", "new", "noexcept", "not", "nullptr", "operator", "or", "private",
    "protected", "public", "requires", "template", "this", "throw", "true", "try", "typeid",
    "typename", "using", "virtual", "xor", "inputs", "errno", "NULL"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (str_eq(s, str_of(words[i]))) {
      return true;
    }
  }
  return false;
}

/* A member's name that none of the n before it has. */
static Str member(Api *a, Str wanted, int n, const Str *taken, const Str *others, int nothers)
{
  Str s = name_c(a->arena, wanted);
  s = is_cpp_word(s) ? str_format(a->arena, "%.*s_", STR_ARG(s)) : s;
  Str first = s;
  for (int i = 0, again = 1; i < n + nothers; i++) {
    Str other = i < n ? taken[i] : others[i - n];
    if (other.n > 0 && str_eq(other, s)) {
      s = str_format(a->arena, "%.*s_%d", STR_ARG(first), again++);
      i = -1;
    }
  }
  return s;
}

static void names(Api *a)
{
  const Graph *g = a->g;
  a->input_name = ARENA_ARRAY(a->arena, Str, g->inputs.n + 1);
  a->axis_name = ARENA_ARRAY(a->arena, Str, g->axes.n + 1);
  a->output_name = ARENA_ARRAY(a->arena, Str, a->predict->outputs.n + 1);
  for (int i = 0; i < g->inputs.n; i++) {
    a->input_name[i] = member(a, g->inputs.data[i].name, i, a->input_name, NULL, 0);
  }
  for (int i = 0; i < g->axes.n; i++) {
    if (g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i) {
      Str wanted = str_format(a->arena, "%.*s_offsets", STR_ARG(g->axes.data[i].name));
      a->axis_name[i] = member(a, wanted, i, a->axis_name, a->input_name, g->inputs.n);
    }
  }
  for (int i = 0; i < a->predict->outputs.n; i++) {
    a->output_name[i] = member(a, a->predict->outputs.data[i].name, i, a->output_name, NULL, 0);
  }
  static const char *const parts[] = {"item", "score", "because", "part"};
  a->list_name = ARENA_ARRAY(a->arena, Str, LIST_PARTS * g->ranked.n + 1);
  for (int i = 0; i < LIST_PARTS * g->ranked.n; i++) {
    const Ranked *r = &g->ranked.data[i / LIST_PARTS];
    Str wanted = str_format(a->arena, "%.*s_%s", STR_ARG(r->name), parts[i % LIST_PARTS]);
    if (r->shown && i % LIST_PARTS < g->fits.data[r->fit].nresults) { /* others have no name */
      a->list_name[i] = member(a, wanted, i, a->list_name, a->output_name, a->predict->outputs.n);
    }
  }
}

/* ---- text ---- */

static const char *const heads[] = {
  [HEAD_STATUS] = "const char *NAME_status(int status)",
  [HEAD_VERSION] = "uint64_t NAME_version(void)",
  [HEAD_ABI] = "int NAME_abi_version(void)",
  [HEAD_OPEN] = "int NAME_open(NAME **model, const char *weights, char *message, size_t size)",
  [HEAD_CLOSE] = "void NAME_close(NAME *model)",
  [HEAD_SCRATCH] = "size_t NAME_scratch(const NAME *model, const NAME_inputs *inputs)",
  [HEAD_SCRATCH_FOR] = "size_t NAME_scratch_for(const NAME *model, long rows)",
  [HEAD_PREDICT] = "int NAME_predict(const NAME *model, const NAME_inputs *inputs, const "
                   "NAME_outputs *outputs, void *scratch)",
  [HEAD_EXPLAIN] =
    "int NAME_explain(const NAME *model, const NAME_inputs *inputs, char *message, size_t size)",
  [HEAD_RANK] = "int NAME_rank(const NAME *model, const NAME_request *request, const "
                "NAME_candidates *candidates, const NAME_outputs *outputs, void *scratch)",
  [HEAD_RANK_SCRATCH] = "size_t NAME_rank_scratch(const NAME *model, long n)",
  [HEAD_RANK_EXPLAIN] = "int NAME_rank_explain(const NAME *model, const NAME_request *request, "
                        "const NAME_candidates *candidates, char *message, size_t size)",
  [HEAD_OPEN_TRAINING] =
    "int NAME_open_training(NAME **model, const char *weights, uint64_t seed, char *message, "
    "size_t size)",
  [HEAD_TRAIN_SCRATCH] = "size_t NAME_train_scratch(const NAME *model, const NAME_batch *batch)",
  [HEAD_TRAIN_STEP] = "int NAME_train_step(NAME *model, const NAME_batch *batch, double rate, "
                      "long steps, double *loss, void *scratch)",
  [HEAD_EXPLAIN_BATCH] = "int NAME_explain_batch(const NAME *model, const NAME_batch *batch, "
                         "char *message, size_t size)",
  [HEAD_SAVE] = "int NAME_save(const NAME *model, const char *path, char *message, size_t size)",
};

/* Text with NAME and MODEL for the model's name as it is in C and in capitals. */
Str api_named(Api *a, const char *text)
{
  Buf b = {.arena = a->arena};
  for (const char *p = text; *p;) {
    if (strncmp(p, "NAME", 4) == 0) {
      buf_str(&b, a->m);
      p += 4;
    } else if (strncmp(p, "MODEL", 5) == 0) {
      buf_str(&b, a->upper);
      p += 5;
    } else {
      buf_str(&b, (Str){p++, 1});
    }
  }
  return buf_take(&b);
}

void api_put(Api *a, const char *text)
{
  buf_str(&a->out, api_named(a, text));
}

/* One line if it fits; else the parameters on a line of
 * their own, or on as many as they need. */
void api_head(Api *a, ApiHead which, const char *end)
{
  Str head = api_named(a, heads[which]);
  int open = (int)(strchr(head.s, '(') - head.s) + 1;
  int last = (int)strlen(end);
  if (head.n + last <= 100) {
    buf_format(&a->out, "%s%s\n", head.s, end);
  } else if (head.n - open + 2 + last <= 100) {
    buf_format(&a->out, "%.*s\n  %s%s\n", open, head.s, head.s + open, end);
  } else {
    int column = 0;
    for (int i = 0; i < head.n;) {
      int next = i;
      while (next < head.n && head.s[next] != ',') {
        next++;
      }
      next += next < head.n;
      if (column + next - i > 100) {
        buf_format(&a->out, "\n  ");
        column = 2;
        i += head.s[i] == ' ';
      }
      buf_format(&a->out, "%.*s", next - i, head.s + i);
      column += next - i;
      i = next;
    }
    buf_format(&a->out, "%s\n", end);
  }
}

/* ---- both files ---- */

void emit_api(
  Arena *arena, const Graph *g, const EmitOptions *o, const RequestSplit *split, ApiFiles *out)
{
  Api a = {.arena = arena,
    .g = g,
    .split = split,
    .out = {.arena = arena},
    .frozen = o->frozen,
    .weights = out->frozen};
  a.trains = model_trains(g) && !o->frozen;
  a.m = name_c(arena, g->model);
  Str upper = str_copy(arena, a.m);
  for (char *p = (char *)upper.s; *p; p++) {
    *p = (char)toupper((unsigned char)*p);
  }
  a.upper = upper;
  a.real = o->f64 ? "double" : "float";
  a.inputs = ARENA_ARRAY(arena, int, g->inputs.n + 1);
  a.axes = ARENA_ARRAY(arena, int, g->axes.n + 1);
  a.predict = pass_prune(arena, g, PRUNE_PREDICT);
  need(&a, a.predict, TO_PREDICT);
  for (int i = 0; i < g->ranked.n; i++) {
    if (g->ranked.data[i].shown) {
      need_fit(&a, &g->fits.data[g->ranked.data[i].fit], TO_PREDICT);
    }
  }
  own_requests(&a);
  if (a.trains) {
    need(&a, pass_masks(arena, pass_prune(arena, g, PRUNE_TRAIN)), TO_TRAIN);
  }
  names(&a);
  out->header = api_header(&a);
  out->library = api_library(&a, false);
  if (a.trains) {
    out->training = api_library(&a, true);
  }
}
