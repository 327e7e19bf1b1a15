/* reason.c: see reason.h. Reasons are found in the finished plan, by asking again what the planner asked:
 * who reads a value, from which group and phase, and in what shape. */

#include "reason.h"

#include "fuse.h"

#include "../ir/ops.h"

#include <math.h>
#include <string.h>

enum { DEEPEST = 16 };

const char *place_text(Place place)
{
  switch (place) {
  case PLACE_INLINE:
  case PLACE_FUSED:
    return "";
  case PLACE_LOCAL:
    return "local";
  case PLACE_TILE:
    return "tile";
  case PLACE_BATCH:
    return "whole batch";
  case PLACE_SLOT:
    return "summed";
  case PLACE_TOTAL:
    return "once";
  }
  return "";
}

Str value_text(Arena *a, const Plan *p, const Node *n)
{
  int line = loc_line(n->loc);
  if (n->op == OP_SCATTER || n->op == OP_PARAM) {
    return p->g->params.data[n->leaf].name;
  }
  if (n->op == OP_INPUT) {
    return p->g->inputs.data[n->leaf].name;
  }
  if (n->name.n > 0 || p->value[n->id].name.n > 0) {
    return p->value[n->id].name.n > 0 ? p->value[n->id].name : n->name;
  }
  return line > 0 ? str_format(a, "line %d", line) : str_of(op_rows[n->op].name);
}

static Str type_text(Arena *a, const Plan *p, const Node *n)
{
  Str text = type_print(p->g, n->type, a);
  const char *axes = memchr(text.s, '[', (size_t)text.n);
  return axes ? str_format(a, " %.*s", (int)(text.s + text.n - axes), axes) : (Str){0};
}

/* ---- groups ---- */

static const char *kind_text(const Stmt *s)
{
  switch (s->kind) {
  case STMT_CONTRACT:
    return " (product)";
  case STMT_REDUCE:
    return s->node->op == OP_MAX ? " (max)" : " (sum)";
  case STMT_OUTPUT:
    return " (output)";
  case STMT_SCATTER:
    return s->late ? " (gradient rows, made in the update)" : " (gradient rows)";
  case STMT_ELEMENT:
  case STMT_STRUCTURE:
    break;
  }
  return "";
}

Str group_text(Arena *a, const Plan *p, const CountGroup *group, int room)
{
  if (group->block < 0) {
    return group->block == -1   ? S("once: what does not depend on samples, packed weights")
           : p->g->grads.n == 0 ? S("once: sums over the batch")
                                : S("once: sums over the batch, update of parameters");
  }
  const Block *block = &p->blocks.data[group->block];
  Buf buf = {.arena = a};
  buf_format(&buf, "%s", block->pairs ? "sweep: " : block->flat ? "all rows: " : "by sample: ");
  int first = buf.n;
  for (int i = 0; i < block->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[block->stmts.data[i]];
    Str name = value_text(a, p, s->store);
    const char *kind = kind_text(s);
    if (buf.n > first && buf.n + name.n + (int)strlen(kind) + 12 > room) {
      buf_format(&buf, "; %d more", block->stmts.n - i);
      break;
    }
    buf_format(&buf, "%s%.*s%s", buf.n > first ? ", " : "", STR_ARG(name), kind);
    for (int k = 0; k < s->nsums; k++) {
      buf_format(&buf, ", %.*s (sum)", STR_ARG(value_text(a, p, s->sums[k])));
    }
  }
  return buf_take(&buf);
}

/* ---- what was fused ---- */

static bool holds_word(Str text, const char *word)
{
  int n = (int)strlen(word);
  for (int i = 0; i + n <= text.n; i++) {
    bool starts = i == 0 || text.s[i - 1] == ' ', ends = i + n == text.n || text.s[i + n] == ' ';
    if (starts && ends && memcmp(text.s + i, word, (size_t)n) == 0) {
      return true;
    }
  }
  return false;
}

/* Down to what is in memory, and to `end`: a product, whose own operands are. */
static void fused_words(const Plan *p, const Node *n, const Node *end, Buf *buf, int depth)
{
  for (int i = 0; i < n->nin && depth < DEEPEST && n != end; i++) {
    const Node *in = n->in[i];
    const char *word = in->op == OP_GATHER ? "gather" : op_rows[in->op].word;
    if (plan_stored(p, in) || in == end) {
      continue;
    }
    fused_words(p, in, end, buf, depth + 1);
    if (word[0] != '\0' && op_rows[in->op].class != CLASS_LEAF &&
        !holds_word(buf_take(buf), word)) {
      buf_format(buf, "%s%s", buf->n > 0 ? " " : "", word);
    }
  }
}

Str fused_text(Arena *a, const Plan *p, const Stmt *s)
{
  Buf buf = {.arena = a};
  fused_words(p, s->store, s->kind == STMT_CONTRACT ? s->node : NULL, &buf, 0);
  if (s->store != s->node && !holds_word(buf_take(&buf), op_rows[s->store->op].word)) {
    buf_format(&buf, "%s%s", buf.n > 0 ? " " : "", op_rows[s->store->op].word);
  }
  return buf.n > 0 ? buf_take(&buf) : (Str){0};
}

/* ---- why a value is kept ---- */

typedef struct Readers {
  const Plan *p;
  const Node *node;
  const Stmt *reader; /* being looked at */
  bool found;
  int count, groups, block; /* groups that read it, and the last of them */
  const Stmt *product, *only;
} Readers;

static void see_read(void *arg, const Node *n)
{
  Readers *r = arg;
  r->found |= n == r->node;
}

static Readers find_readers(const Plan *p, const Node *n)
{
  Readers r = {.p = p, .node = n, .block = -1};
  for (int i = 0; i < p->stmts.n; i++) {
    r.found = false;
    r.reader = &p->stmts.data[i];
    stmt_visit(p, r.reader, see_read, &r);
    if (!r.found) {
      continue;
    }
    r.count++;
    r.only = r.count == 1 ? r.reader : NULL;
    r.groups += r.reader->block != r.block;
    r.block = r.reader->block;
    const Contract *c = &r.reader->contract;
    if (r.reader->kind == STMT_CONTRACT && (plan_source(c->a) == n || plan_source(c->b) == n)) {
      r.product = r.reader;
    }
  }
  return r;
}

static Str kept_reason(Arena *a, const Plan *p, const Stmt *s)
{
  const Value *v = &p->value[s->store->id];
  Readers r = find_readers(p, s->store);
  switch (v->place) {
  case PLACE_SLOT:
    return S("samples meet");
  case PLACE_TOTAL:
    return S("it does not depend on the sample");
  case PLACE_LOCAL:
    return S("used up in the same turn");
  case PLACE_INLINE:
  case PLACE_FUSED:
    return (Str){0};
  case PLACE_TILE:
  case PLACE_BATCH:
    break;
  }
  if (v->shared) {
    return S("a later phase, another sample or the update reads it");
  }
  if (r.product) {
    Str name = value_text(a, p, r.product->store);
    return str_format(a, "an operand of the product %.*s", STR_ARG(name));
  }
  if (!p->fuses) {
    return S("op by op");
  }
  if (r.only) {
    return str_format(a, "%.*s reads it in another loop", STR_ARG(value_text(a, p, r.only->store)));
  }
  return r.groups == 1 ? S("another group reads it, more than once")
                       : str_format(a, "%d groups read it", r.groups);
}

/* Why nothing follows within the kernel of a product. */
static const char *product_reason(const Plan *p, const Stmt *s)
{
  if (s->store != s->node || s->scope != SCOPE_SAMPLE) {
    return "";
  }
  if (s->contract.rows_k) {
    return "a sum over the batch, finished only when that is";
  }
  if (!p->epilogues) {
    return "this level fuses nothing into products";
  }
  Readers r = find_readers(p, s->node);
  if (!r.only) {
    return "nothing fused after it: several statements read it";
  }
  if (r.only->phase != s->phase) {
    return "nothing fused after it: its reader is of another phase";
  }
  if (r.only->kind != STMT_ELEMENT) {
    return "nothing fused after it: its reader is not pointwise";
  }
  if (!type_same(r.only->node->type, s->node->type)) {
    return "nothing fused after it: its reader has another shape";
  }
  return "nothing fused after it: an operand of its reader does not lie like it";
}

Str reason_text(Arena *a, const Plan *p, const Stmt *s)
{
  if (s->kind == STMT_OUTPUT || s->kind == STMT_SCATTER) {
    return (Str){0};
  }
  if (!plan_stored(p, s->store) && s->nsums > 0) {
    return S("nothing but sums in its kernel reads it");
  }
  Str kept = kept_reason(a, p, s);
  const char *product = s->kind == STMT_CONTRACT ? product_reason(p, s) : "";
  return product[0] == '\0' ? kept
         : kept.n == 0      ? str_of(product)
                            : str_format(a, "%.*s; %s", STR_ARG(kept), product);
}

/* ---- memory ---- */

static double kept_bytes(const Plan *p, Place place, bool f64)
{
  double sum = 0;
  for (int i = 0; i < p->g->nodes.n; i++) {
    const Node *n = p->g->nodes.data[i];
    const Layout *l = &p->value[i].layout;
    if (p->value[i].same) {
      continue;
    }
    if (p->value[i].place == place && n->op != OP_PARAM && n->op != OP_INPUT) {
      double rows = l->ragged < 0 ? 1 : (double)axis_extent(p->g, l->ragged);
      double across = p->columns > 0 ? 1 : pow((double)p->g->train.batch, l->across);
      sum += rows * across * (double)plan_width(p, &p->value[i]);
    }
  }
  return sum * (f64 ? 8 : 4);
}

double slab_bytes(const Plan *p, bool f64)
{
  return kept_bytes(p, PLACE_TILE, f64) * p->tile;
}

double batch_bytes(const Plan *p, bool f64)
{
  double turned = 0;
  for (int i = 0; i < p->turned.n; i++) {
    turned += (double)p->turned.data[i].size * (f64 ? 8 : 4);
  }
  long batch = p->g->train.batch;
  for (int i = 0; i < p->g->nodes.n && batch <= p->kept; i++) {
    long row = p->value[i].keeps ? (batch + p->columns - 1) / p->columns * p->columns : 0;
    turned += (double)row * (f64 ? 8 : 4);
  }
  return kept_bytes(p, PLACE_BATCH, f64) + turned;
}

/* ---- the log ---- */

/* A line, wrapped at spaces; what follows the first is set in. */
static void add_line(Arena *a, Lines *out, int room, const char *indent, Str text)
{
  for (int at = 0, part = 0; at < text.n; part++) {
    int lead = (int)strlen(indent) + (part > 0 ? 4 : 0), n = text.n - at;
    if (lead + n > room) {
      for (n = room - lead; n > 20 && text.s[at + n] != ' '; n--) {
      }
    }
    *VEC_PUSH(a, out) = str_format(a, "%s%s%.*s", indent, part > 0 ? "    " : "", n, text.s + at);
    at += n + (at + n < text.n && text.s[at + n] == ' ');
  }
}

static void log_stmt(Arena *a, const Plan *p, const Stmt *s, int room, Lines *out)
{
  Str name = value_text(a, p, s->store), type = type_text(a, p, s->store);
  Str fused = fused_text(a, p, s), reason = reason_text(a, p, s);
  const char *place = s->kind == STMT_OUTPUT || s->kind == STMT_SCATTER
                        ? ""
                        : place_text(p->value[s->store->id].place);
  Buf buf = {.arena = a};
  buf_format(&buf, "%.*s%.*s%s", STR_ARG(name), STR_ARG(type), kind_text(s));
  if (fused.n > 0) {
    buf_format(&buf, ", with %.*s", STR_ARG(fused));
  }
  if (place[0] != '\0') {
    buf_format(&buf, "; kept: %s", place);
  }
  if (reason.n > 0) {
    buf_format(&buf, " (%.*s)", STR_ARG(reason));
  }
  add_line(a, out, room, "  ", buf_take(&buf));
  for (int i = 0; i < s->nsums; i++) {
    const Node *n = s->sums[i];
    add_line(a, out, room, "  ",
      str_format(a, "%.*s%.*s (sum), in the kernel of this product; kept: %s",
        STR_ARG(value_text(a, p, n)), STR_ARG(type_text(a, p, n)),
        place_text(p->value[n->id].place)));
  }
}

/* What was rewritten to save arithmetic, and where; the same line is told once. */
static void log_rewrites(Arena *a, const RuleLog *log, int room, Lines *out)
{
  for (int i = 0; log && i < log->fired.n; i++) {
    const Fired *f = &log->fired.data[i];
    bool told = !f->saves || loc_line(f->loc) == 0;
    for (int j = 0; j < i && !told; j++) {
      const Fired *g = &log->fired.data[j];
      told = g->saves && g->why == f->why && loc_line(g->loc) == loc_line(f->loc);
    }
    if (!told) {
      add_line(a, out, room, "",
        str_format(a, "rewritten, line %d of the model: %s", loc_line(f->loc), f->why));
    }
  }
}

Str fold_text(Arena *a, const Graph *g, const Fold *f)
{
  Str fit = g->fits.data[f->fit].name, table = g->params.data[f->param].name;
  return str_format(a, "libraries: %.*s has %.*s in its leaves and sums it; no ids, no lookups",
    STR_ARG(fit), STR_ARG(table));
}

void plan_log(Arena *a, const Plan *p, bool f64, int room, Lines *out)
{
  Str head = p->tiles ? str_format(a, "%d phase%s; tiles of %d samples, %.0f bytes of slab each",
                          p->phases, p->phases == 1 ? "" : "s", p->tile, slab_bytes(p, f64))
                      : str_format(a, "%d phase%s over the whole batch", p->phases,
                          p->phases == 1 ? "" : "s");
  add_line(a, out, room, "", head);
  log_rewrites(a, p->g->log, room, out);
  for (int i = 0; i < p->blocks.n; i++) {
    const Block *b = &p->blocks.data[i];
    add_line(a, out, room, "",
      str_format(a, "group %d, phase %d, %s:", i + 1, b->phase + 1,
        b->pairs  ? "a sweep over blocks of columns"
        : b->flat ? "all rows of the tile"
                  : "sample by sample"));
    for (int j = 0; j < b->stmts.n; j++) {
      log_stmt(a, p, &p->stmts.data[b->stmts.data[j]], room, out);
    }
  }
}
