/* inputs.c: what the runtime knows of a model's ragged axes and inputs: where values stand in the data
 * and how text becomes numbers. */

#include "fields.h"
#include "writer.h"

#include <string.h>

static void dims(Text *t)
{
  const Graph *g = t->g;
  int n = 0;
  for (int i = 0; i < g->axes.n; i++) {
    if (g->axes.data[i].kind == AXIS_RAGGED && axis_root(g, i) == i) {
      buf_format(&t->out, n++ == 0 ? "static const rank_dim dims[] = {\n" : "");
      buf_format(&t->out, "  {%.*s, %ld},\n", STR_ARG(quoted(t, g->axes.data[i].name)),
        g->axes.data[i].extent);
    }
  }
  puts_line(t, n > 0 ? "};\n" : "");
}

static void encoding_arrays(Text *t, int i)
{
  const Input *in = &t->g->inputs.data[i];
  const Encoding *e = &in->encoding;
  int most = e->ncolumns > e->nbuckets ? e->ncolumns : e->nbuckets;
  most = in->nvocab > most ? in->nvocab : most;
  Str *x = ARENA_ARRAY(t->arena, Str, most + 1);
  for (int j = 0; e->source == FROM_NAMES && j < e->ncolumns; j++) {
    x[j] = quoted(t, e->columns[j]);
  }
  if (e->source == FROM_NAMES && e->ncolumns > 0) {
    array(t, "char *const ", str_format(t->arena, "columns_%d", i), e->ncolumns, x);
  }
  for (int j = 0; e->source == FROM_POSITIONS && j < e->ncolumns; j++) {
    x[j] = str_format(t->arena, "%d", e->positions[j]);
  }
  if (e->source == FROM_POSITIONS) {
    array(t, "int ", str_format(t->arena, "positions_%d", i), e->ncolumns, x);
  }
  for (int j = 0; j < e->nbuckets; j++) {
    x[j] = str_format(t->arena, "%.17g", e->buckets[j]);
  }
  if (e->nbuckets > 0) {
    array(t, "double ", str_format(t->arena, "buckets_%d", i), e->nbuckets, x);
  }
  for (int j = 0; j < in->nvocab; j++) {
    x[j] = str_format(t->arena, "%ld", in->vocab[j]);
  }
  if (in->nvocab > 0) {
    array(t, "long ", str_format(t->arena, "vocab_%d", i), in->nvocab, x);
  }
}

static Fields encoding(Text *t, int i)
{
  const Encoding *e = &t->g->inputs.data[i].encoding;
  static const char *const sources[] = {"RANK_FROM_NAMES", "RANK_FROM_POSITIONS",
    "RANK_FROM_INDICES", "RANK_FROM_VALUES", "RANK_FROM_TARGET", "RANK_FROM_FIT"};
  Fields f = {.arena = t->arena};
  field(&f, ".source = %s", sources[e->source]);
  flag(&f, "ncolumns", e->ncolumns);
  if (e->source == FROM_NAMES && e->ncolumns > 0) {
    field(&f, ".columns = columns_%d", i);
  }
  if (e->source == FROM_POSITIONS) {
    field(&f, ".positions = positions_%d", i);
  }
  field(&f, ".separator = %.*s", STR_ARG(quoted(t, e->separator)));
  if (e->nbuckets > 0) {
    field(&f, ".buckets = buckets_%d", i);
    field(&f, ".nbuckets = %d", e->nbuckets);
  }
  flag(&f, "vocab_min", e->vocab_min);
  if (e->missing != 0) {
    field(&f, ".missing = %.17g", e->missing);
  }
  flag(&f, "has_missing", e->has_missing);
  flag(&f, "nan", e->nan);
  flag(&f, "log1p", e->log1p);
  flag(&f, "standardize", e->standardize);
  flag(&f, "hash", e->hash);
  flag(&f, "vocab", e->vocab);
  flag(&f, "cut", e->cut);
  flag(&f, "keep_last", e->keep_last);
  return f;
}

static void inputs(Text *t)
{
  const Graph *g = t->g;
  for (int i = 0; i < g->inputs.n; i++) {
    encoding_arrays(t, i);
  }
  puts_line(t, "\nstatic const rank_input inputs[] = {");
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *in = &g->inputs.data[i];
    Layout l = plan_layout(g, in->type, false);
    Fields f = {.arena = t->arena};
    field(&f, ".name = %.*s", STR_ARG(quoted(t, in->name)));
    flag(&f, "is_id", in->type.kind == KIND_ID);
    flag(&f, "label", in->label);
    field(&f, ".dim = %d", l.ragged < 0 ? -1 : dim_index(g, l.ragged));
    field(&f, ".width = %ld", l.width);
    if (in->nvocab > 0) {
      field(&f, ".nvocab = %d", in->nvocab);
      field(&f, ".vocab = vocab_%d", i);
    }
    field(&f, ".same_as = %d", in->same_as);
    Fields nested = encoding(t, i);
    Str own_line = fields_text(&nested, 4, 6, 2), text = fields_text(&nested, 4, 16, 2);
    bool breaks =
      memchr(text.s, '\n', (size_t)text.n) && !memchr(own_line.s, '\n', (size_t)own_line.n);
    field(&f, breaks ? ".encoding =\n      %.*s" : ".encoding = %.*s",
      STR_ARG(breaks ? own_line : text));
    element(t, &f);
  }
  puts_line(t, "};\n");
}

static void indices(Text *t, const char *what, int fit, int n, const int *index)
{
  Str *x = ARENA_ARRAY(t->arena, Str, n + 1);
  for (int i = 0; i < n; i++) {
    x[i] = str_format(t->arena, "%d", index[i]);
  }
  array(t, "int ", str_format(t->arena, "fit_%s_%d", what, fit), n, x);
}

static void fits(Text *t)
{
  const Graph *g = t->g;
  for (int i = 0; i < g->fits.n; i++) {
    const Fitted *f = &g->fits.data[i];
    indices(t, "sources", i, f->nsources, f->sources);
    if (f->nresults > 0) {
      indices(t, "results", i, f->nresults, f->results);
    }
    Str *x = ARENA_ARRAY(t->arena, Str, f->nsettings + 1);
    for (int k = 0; k < f->nsettings; k++) {
      x[k] = str_format(t->arena, "%.17g", f->settings[k]);
    }
    if (f->nsettings > 0) {
      array(t, "double ", str_format(t->arena, "fit_settings_%d", i), f->nsettings, x);
    }
  }
  puts_line(t, g->fits.n > 0 ? "\nstatic const rank_fit fits[] = {" : "");
  for (int i = 0; i < g->fits.n; i++) {
    const Fitted *f = &g->fits.data[i];
    Fields x = {.arena = t->arena};
    field(&x, ".name = %.*s", STR_ARG(quoted(t, f->name)));
    field(&x, ".op = %.*s", STR_ARG(quoted(t, f->op)));
    field(&x, ".run = &rank_fit_%.*s", STR_ARG(f->op));
    if (f->of >= 0) {
      field(&x, ".uses = 1");
      field(&x, ".of = %d", f->of);
    }
    field(&x, ".nsources = %d", f->nsources);
    field(&x, ".sources = fit_sources_%d", i);
    field(&x, ".label = %d", f->label);
    field(&x, ".nresults = %d", f->nresults);
    if (f->nresults > 0) {
      field(&x, ".results = fit_results_%d", i);
    }
    if (f->nsettings > 0) {
      field(&x, ".settings = fit_settings_%d", i);
    }
    if (f->file.n > 0) {
      field(&x, ".file = %.*s", STR_ARG(quoted(t, f->file)));
    }
    element(t, &x);
  }
  puts_line(t, g->fits.n > 0 ? "};\n" : "");
}

static void lists(Text *t)
{
  const Graph *g = t->g;
  puts_line(t, "static const rank_list lists[] = {");
  for (int i = 0; i < g->ranked.n; i++) {
    const Ranked *r = &g->ranked.data[i];
    const Fitted *f = &g->fits.data[r->fit];
    Fields x = {.arena = t->arena};
    field(&x, ".name = %.*s", STR_ARG(quoted(t, r->name)));
    flag(&x, "hidden", !r->shown);
    field(&x, ".item = %d", f->results[0]);
    field(&x, ".score = %d", f->results[1]);
    field(&x, ".because = %d", f->nresults > 2 ? f->results[2] : -1);
    field(&x, ".part = %d", f->nresults > 2 ? f->results[3] : -1);
    element(t, &x);
  }
  puts_line(t, "};\n");
}

void describe_inputs(Text *t)
{
  dims(t);
  inputs(t);
  if (t->g->fits.n > 0) {
    fits(t);
  }
  if (t->g->ranked.n > 0) {
    lists(t);
  }
}
