/* frozen.c: a model with weights that will not change any more, as pieces of one file of C.
 *
 * One idea: what opening a library's weights would make of them (what follows from parameters alone, matrices
 * packed for the kernels) is made here, by the interpreter, and written as it will lie in memory. Code that
 * makes it is left out, and so are parameters that nothing else reads. All of it is one run of bytes, which
 * is an array of the C or a file that is mapped. */

#include "wrap.h"
#include "writer.h"

#include "../ir/interpret.h"

#include <string.h>

enum { ALIGN = 64, SLACK = 64 };

typedef struct Freezer {
  Arena *arena;
  const Graph *g;
  const EmitOptions *o;
  FrozenModel *out;
  bool *needed; /* by parameter */
} Freezer;

static long real_bytes(const Freezer *f)
{
  return f->o->f64 ? 8 : 4;
}

/* Where it will be. */
static long add_piece(Freezer *f, long count, const double *numbers, const void *bytes)
{
  long at = f->out->bytes;
  *VEC_PUSH(f->arena, &f->out->pieces) = (FrozenPiece){at, count, numbers, bytes};
  at += count * (numbers ? real_bytes(f) : 1);
  f->out->bytes = (at + ALIGN - 1) / ALIGN * ALIGN;
  return f->out->pieces.data[f->out->pieces.n - 1].at;
}

/* ---- what follows from the weights ---- */

/* t, whose axes are those of `type`, at places that these strides say. */
static void place(
  const Tensor *t, Type type, int n, const short *axis, const long *stride, double *to)
{
  for (long i = 0; i < t->count; i++) {
    long at = 0, rest = i;
    for (int k = t->n - 1; k >= 0; k--) {
      long index = rest % t->shape[k];
      rest /= t->shape[k];
      for (int j = 0; j < n; j++) {
        at += axis[j] == type.axis[k] ? index * stride[j] : 0;
      }
    }
    to[at] = t->data[i];
  }
}

static long room_of(const Emit *e, const Node *n)
{
  return (e->p->value[n->id].layout.width + 15) / 16 * 16;
}

/* The struct P_prepared, member by member as structs.c prints it; -1: there is none. */
static long add_prepared(Freezer *f, Emit *e)
{
  if (!totals_any(e, true)) {
    return -1;
  }
  const Graph *g = e->g;
  InterpretBatch none = {0};
  const double **value = ARENA_ARRAY(f->arena, const double *, g->params.n + 1);
  memcpy(value, f->o->frozen->constants.value, sizeof *value * (size_t)f->g->params.n);
  Interp *ip = interpret_new(f->arena, g, &none, value, f->o->frozen->constants.rows, 0, 0, false);
  long size = 0, at = 0;
  for (int i = 0; i < g->nodes.n; i++) {
    bool here = e->prepared[i] && has_memory(e, g->nodes.data[i], PLACE_TOTAL);
    size += here ? room_of(e, g->nodes.data[i]) : 0;
  }
  for (int i = 0; i < e->p->packs.n; i++) {
    size += e->prepared[e->p->packs.data[i].node->id] ? e->p->packs.data[i].size : 0;
  }
  double *to = ARENA_ARRAY(f->arena, double, size + 1);
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    if (e->prepared[i] && has_memory(e, n, PLACE_TOTAL)) {
      place(interpret_node(ip, n), n->type, n->type.n, n->type.axis, e->p->value[i].layout.stride,
        to + at);
      at += room_of(e, n);
    }
  }
  for (int i = 0; i < e->p->packs.n; i++) {
    const Pack *k = &e->p->packs.data[i];
    if (e->prepared[k->node->id]) {
      place(interpret_node(ip, k->node), k->node->type, k->naxes, k->axis, k->stride, to + at);
      at += k->size;
    }
  }
  return add_piece(f, size, to, NULL);
}

/* A role's text; *prepared is where what it prepares will be. */
static Str role(Freezer *f, Emit *e, const char *what, long *prepared)
{
  Str text = emit_predictor(e, what, NULL);
  for (int i = 0; i < f->g->params.n; i++) {
    f->needed[i] |= !e->param_unused[i];
  }
  *prepared = add_prepared(f, e);
  return text;
}

/* ---- the weights as the library knows them ---- */

static const char *const kinds[] = {"RANK_REALS", "RANK_F16", "RANK_BF16", "RANK_INT8"};

static StoredKind kind_of(const Frozen *z, int param)
{
  return param < z->nkinds ? z->kind[param] : STORED_REALS;
}

static void describe_param(Freezer *f, Buf *b, int i)
{
  const Frozen *z = f->o->frozen;
  const Param *p = &f->g->params.data[i];
  StoredKind kind = kind_of(z, i);
  long count = z->constants.rows[i] * plan_layout(f->g, p->type, false).width, at = -1, scale = -1;
  if (f->needed[i] && kind == STORED_REALS) {
    at = add_piece(f, count, z->constants.value[i], NULL);
  } else if (f->needed[i]) {
    at = add_piece(f, count * (kind == STORED_INT8 ? 1 : 2), NULL, z->stored[i]);
    scale = kind == STORED_INT8 ? add_piece(f, z->constants.rows[i] * 4, NULL, z->scale[i]) : -1;
  }
  buf_format(b, "  {%ld, %ld, %ld, %s}, /* %.*s */\n", z->constants.rows[i], at, scale, kinds[kind],
    STR_ARG(p->name));
}

static void describe_tensors(Freezer *f, Buf *b)
{
  const Frozen *z = f->o->frozen;
  if (z->tensors.n > 0) {
    buf_format(b, "\n/* what fits have learnt */\nstatic const rank_frozen_tensor learnt[] = {\n");
  }
  for (int i = 0; i < z->tensors.n; i++) {
    const FrozenTensor *t = &z->tensors.data[i];
    buf_format(b, "  {%d, \"%s\", %d, %ld, %ld, %ld},\n", t->fit, t->key, t->type, t->rows,
      t->columns, add_piece(f, t->bytes, NULL, t->data));
  }
  if (z->tensors.n > 0) {
    buf_format(b, "};\n");
  }
}

static uint64_t hash_text(uint64_t h, Str s)
{
  for (int i = 0; i < s.n; i++) {
    h = (h ^ (unsigned char)s.s[i]) * 1099511628211u;
  }
  return h;
}

static Str describe(Freezer *f, const long prepared[3])
{
  Buf b = {.arena = f->arena};
  buf_format(&b,
    "\n/* rows, where it lies in the weights, where the factors of its rows do, what it is */\n"
    "static const rank_frozen_param params_at[] = {\n");
  for (int i = 0; i < f->g->params.n; i++) {
    describe_param(f, &b, i);
  }
  buf_format(&b, f->g->params.n > 0 ? "};\n" : "  {0, -1, -1, RANK_REALS},\n};\n");
  describe_tensors(f, &b);
  f->out->bytes += SLACK; /* vectors are loaded past the end */
  f->out->layout = hash_text(hash_text(14695981039346656037u, f->g->model), buf_take(&b));
  f->out->layout = (f->out->layout ^ (uint64_t)f->out->bytes) * 1099511628211u;
  bool beside = f->o->frozen->beside;
  if (!beside) {
    buf_format(&b,
      "\n/* At the end of this file. */\nstatic const unsigned char packed[%ld][%d];\n",
      (f->out->bytes + FROZEN_ROW - 1) / FROZEN_ROW, FROZEN_ROW);
  }
  buf_format(&b,
    "\nstatic const rank_frozen frozen = {\n  .library = &self,\n  .params = params_at,\n"
    "  .prepared = %ld,\n  .request_prepared = %ld,\n  .rank_prepared = %ld,\n  .bytes = %ld,\n"
    "%s%s  .layout = 0x%016llxu,\n};\n",
    prepared[0], prepared[1], prepared[2], f->out->bytes, beside ? "" : "  .inside = packed,\n",
    f->o->frozen->tensors.n > 0
      ? str_format(f->arena, "  .tensors = learnt,\n  .ntensors = %d,\n", f->o->frozen->tensors.n).s
      : "",
    (unsigned long long)f->out->layout);
  return buf_take(&b);
}

static void add(Freezer *f, const char *ending, Str text)
{
  *VEC_PUSH(f->arena, &f->out->files.list) = (EmitFile){
    str_format(f->arena, "%.*s%s", STR_ARG(f->g->model), ending), layout_c(f->arena, text)};
}

void emit_frozen(
  Arena *a, const Graph *model, const Graph *g, const EmitOptions *o, FrozenModel *out)
{
  Freezer f = {a, g, o, out, ARENA_ARRAY(a, bool, g->params.n + 1)};
  long prepared[3] = {-1, -1, -1};
  Str predict = role(&f, emitter_predict(a, g, o), "outputs for given inputs.", &prepared[0]);
  RequestSplit split;
  bool splits = pass_split(a, g, o->rewrite, &split);
  Str request = {0}, candidates = {0};
  if (splits) {
    request = role(&f, emitter_part(a, split.request, o, "request", split.own),
      "values that all candidates of a request share, from its inputs.", &prepared[1]);
    candidates = role(&f, emitter_part(a, split.rank, o, "candidates", split.own),
      "outputs for the candidates of a request, from the values that they share.", &prepared[2]);
  }
  ApiFiles api = {.frozen = describe(&f, prepared)};
  emit_api(a, model, o, splits ? &split : NULL, &api);
  add(&f, ".h", api.header);
  add(&f, "_parts.h", emit_parts(a, g, o));
  add(&f, "_predict.c", predict);
  if (splits) {
    add(&f, "_request.c", request);
    add(&f, "_candidates.c", candidates);
  }
  add(&f, "_model.c", emit_descriptor(a, g, o, splits ? &split : NULL));
  add(&f, "_library.c", api.library);
}
