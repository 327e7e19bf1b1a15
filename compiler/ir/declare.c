/* declare.c: the declarations of a graph as text: model, dims, data, inputs, labels, tables, params.
 * What was left to a default in the source is left out here too, except initialisers: their default
 * depends on extents, so they are spelt out. */

#include "print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void print_number(Buf *b, double value)
{
  if (value == floor(value) && fabs(value) < 1e15) {
    buf_format(b, "%.0f", value);
    return;
  }
  char text[40];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) {
      break;
    }
  }
  buf_str(b, str_of(text));
}

static void print_string(Buf *b, Str s)
{
  buf_str(b, S("\""));
  for (int i = 0; i < s.n; i++) {
    char c = s.s[i];
    if (c == '\t' || c == '\n') {
      buf_str(b, c == '\t' ? S("\\t") : S("\\n"));
      continue;
    }
    buf_str(b, c == '"' || c == '\\' ? S("\\") : S(""));
    buf_str(b, (Str){&c, 1});
  }
  buf_str(b, S("\""));
}

/* What stands before an item: ", ", but `open` before the first. */
static void separate(Buf *b, int *count, const char *open)
{
  buf_format(b, "%s", (*count)++ == 0 ? open : ", ");
}

static void print_model(Buf *b, const Graph *g)
{
  buf_format(b, "model %.*s", STR_ARG(g->model));
  if (g->doc.n > 0) {
    buf_str(b, S(" "));
    print_string(b, g->doc);
  }
  buf_str(b, S("\n"));
}

static void print_dims(Buf *b, const Graph *g)
{
  int count = 0;
  for (int i = 0; i < g->axes.n; i++) {
    const Axis *axis = &g->axes.data[i];
    if (i == AXIS_B || axis->number) {
      continue;
    }
    buf_format(b, "%sdim %.*s ", count++ == 0 ? "\n" : "", STR_ARG(axis->name));
    if (axis->kind != AXIS_PLAIN && axis->root != i) {
      buf_format(b, "= %.*s\n", STR_ARG(g->axes.data[axis->root].name));
    } else {
      buf_format(b, "%s %ld\n", axis->kind == AXIS_RAGGED ? "<=" : "=", axis->extent);
    }
  }
}

static void print_data(Buf *b, Data data)
{
  int count = 0;
  if (data.format == DATA_LIBSVM) {
    buf_format(b, "\ndata libsvm(base = %d)\n", data.base);
  } else if (data.separator != ',' || !data.header) {
    buf_str(b, S("\ndata csv"));
    if (data.separator != ',') {
      separate(b, &count, "(");
      buf_str(b, S("separator = "));
      print_string(b, (Str){&data.separator, 1});
    }
    if (!data.header) {
      separate(b, &count, "(");
      buf_str(b, S("header = 0"));
    }
    buf_str(b, S(")\n"));
  }
}

static void print_axes(Buf *b, const Graph *g, Type t, int *count)
{
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != AXIS_B) {
      separate(b, count, "[");
      buf_str(b, g->axes.data[t.axis[i]].name);
    }
  }
}

static void print_input_type(Buf *b, const Graph *g, const Input *input)
{
  if (input->type.kind == KIND_REAL) {
    buf_str(b, S("f32"));
  } else if (input->same_as >= 0) {
    buf_format(b, "id(%.*s)", STR_ARG(g->inputs.data[input->same_as].name));
  } else if (input->nvocab == 0 || input->vocab[0] == 0) {
    buf_str(b, S("id(vocab)"));
  } else {
    int count = 0;
    buf_str(b, S("id"));
    for (int i = 0; i < input->nvocab; i++) {
      separate(b, &count, "(");
      buf_format(b, "%ld", input->vocab[i]);
    }
    buf_str(b, S(")"));
  }
  int count = 0;
  print_axes(b, g, input->type, &count);
  buf_str(b, count > 0 ? S("]") : S(""));
}

static void print_positions(Buf *b, const Encoding *e)
{
  int count = 0;
  for (int i = 0; i < e->ncolumns;) {
    int run = 1;
    while (i + run < e->ncolumns && e->positions[i + run] == e->positions[i] + run) {
      run++;
    }
    separate(b, &count, "");
    buf_format(b, "%d", e->positions[i]);
    if (run > 1) {
      buf_format(b, "..%d", e->positions[i] + run - 1);
    }
    i += run;
  }
}

/* How many digits name ends in. */
static int digits(Str name)
{
  int n = 0;
  while (n < name.n && name.s[name.n - 1 - n] >= '0' && name.s[name.n - 1 - n] <= '9') {
    n++;
  }
  return n;
}

/* Whether `name` is `first` with `by` added to the number at its end; a number that starts with 0 keeps
 * its width. */
static bool counts_on(Str first, Str name, int by, Arena scratch)
{
  int n = digits(first);
  if (n == 0 || n > 9 || n == first.n) {
    return false;
  }
  Str number = {first.s + first.n - n, n};
  int width = number.s[0] == '0' ? n : 1;
  long value = strtol(str_copy(&scratch, number).s, NULL, 10) + by;
  return str_eq(name, str_format(&scratch, "%.*s%0*ld", first.n - n, first.s, width, value));
}

static void print_names(Buf *b, const Encoding *e)
{
  int count = 0;
  for (int i = 0; i < e->ncolumns;) {
    int run = 1;
    while (i + run < e->ncolumns && counts_on(e->columns[i], e->columns[i + run], run, *b->arena)) {
      run++;
    }
    separate(b, &count, " from ");
    print_string(b, e->columns[i]);
    if (run > 2) {
      buf_str(b, S(".."));
      print_string(b, e->columns[i + run - 1]);
    }
    i += run > 2 ? run : 1;
  }
}

/* The columns an input has when it names none: its own name, or NAME1, NAME2, ... */
static bool own_names(const Input *input, Arena scratch)
{
  const Encoding *e = &input->encoding;
  bool own = e->ncolumns != 1 || str_eq(e->columns[0], input->name);
  for (int i = 0; e->ncolumns > 1 && own && i < e->ncolumns; i++) {
    own = str_eq(e->columns[i], str_format(&scratch, "%.*s%d", STR_ARG(input->name), i + 1));
  }
  return own;
}

static void print_source(Buf *b, const Input *input)
{
  const Encoding *e = &input->encoding;
  if (e->source == FROM_NAMES) {
    if (!own_names(input, *b->arena)) {
      print_names(b, e);
    }
  } else if (e->source == FROM_POSITIONS) {
    buf_str(b, S(" from "));
    print_positions(b, e);
  } else {
    static const char *const words[] = {[FROM_INDICES] = "indices",
      [FROM_VALUES] = "values",
      [FROM_TARGET] = "target",
      [FROM_FIT] = "fit"};
    buf_format(b, " from %s", words[e->source]);
  }
}

/* How text becomes ids. An input that shares another's vocabulary takes this over from it. */
static void print_id_options(Buf *b, const Input *input)
{
  const Encoding *e = &input->encoding;
  buf_str(b, e->hash ? S(", hash") : S(""));
  bool implied = input->nvocab == 0 || input->vocab[0] == 0;
  if (e->vocab && e->vocab_min > 1) {
    buf_format(b, ", vocab(min = %d)", e->vocab_min);
  } else if (e->vocab && !implied) {
    buf_str(b, S(", vocab"));
  }
  int count = 0;
  for (int i = 0; i < e->nbuckets; i++) {
    separate(b, &count, ", bucketize(");
    print_number(b, e->buckets[i]);
  }
  buf_str(b, count > 0 ? S(")") : S(""));
}

static bool has_ragged(const Graph *g, Type t)
{
  for (int i = 0; i < t.n; i++) {
    if (g->axes.data[t.axis[i]].kind == AXIS_RAGGED) {
      return true;
    }
  }
  return false;
}

static void print_input(Buf *b, const Graph *g, const Input *input)
{
  const Encoding *e = &input->encoding;
  buf_format(b, "%s %.*s : ", input->label ? "label" : "input", STR_ARG(input->name));
  print_input_type(b, g, input);
  buf_str(b, input->per_request ? S(" per request") : S(""));
  print_source(b, input);
  if (e->has_missing) {
    buf_str(b, S(", missing = "));
    e->nan ? buf_str(b, S("nan")) : print_number(b, e->missing);
  }
  buf_str(b, e->log1p ? S(", log1p") : S(""));
  buf_str(b, e->standardize ? S(", standardize") : S(""));
  if (input->same_as < 0) {
    print_id_options(b, input);
  }
  bool usual = has_ragged(g, input->type) && str_eq(e->separator, S(" "));
  if (e->separator.n > 0 && !usual) {
    buf_str(b, S(", sep = "));
    print_string(b, e->separator);
  }
  if (e->cut || e->keep_last) {
    buf_str(b, e->keep_last ? S(", keep = last") : S(", keep = first"));
  }
  buf_str(b, S("\n"));
}

static void print_init(Buf *b, const Param *param)
{
  static const char *const words[] = {[INIT_ZEROS] = "zeros",
    [INIT_CONSTANT] = "constant",
    [INIT_NORMAL] = "normal",
    [INIT_UNIFORM] = "uniform"};
  buf_format(b, " ~ %s", words[param->init]);
  if (param->init != INIT_ZEROS) {
    buf_str(b, S("("));
    print_number(b, param->init_a);
    if (param->init != INIT_CONSTANT) {
      buf_str(b, S(", "));
      print_number(b, param->init_b);
    }
    buf_str(b, S(")"));
  }
  buf_str(b, param->free ? S(", l2 = 0\n") : S("\n"));
}

static void print_param(Buf *b, const Graph *g, const Param *param)
{
  int count = 0;
  buf_format(b, "%s %.*s : f32", param->table ? "table" : "param", STR_ARG(param->name));
  if (param->table) {
    separate(b, &count, "[");
    if (param->vocab_of >= 0) {
      buf_str(b, g->inputs.data[param->vocab_of].name);
    } else {
      buf_format(b, "%ld", param->rows);
    }
  }
  /* The shape as declared: its 1s are no axes, the others are the type's axes in order. */
  int at = 0;
  for (int i = param->table ? 1 : 0; i < param->nshape; i++) {
    const Axis *axis = at < param->type.n ? &g->axes.data[param->type.axis[at]] : NULL;
    separate(b, &count, "[");
    if (axis && (param->shape[i] != 1 || axis->extent == 1)) {
      buf_str(b, axis->name);
      at++;
    } else {
      buf_format(b, "%ld", param->shape[i]);
    }
  }
  buf_str(b, count > 0 ? S("]") : S(""));
  print_init(b, param);
}

void print_declarations(Buf *b, const Graph *g)
{
  print_model(b, g);
  print_dims(b, g);
  print_data(b, g->data);
  for (int i = 0; i <= g->inputs.n; i++) {
    buf_str(b, i == 0 && g->inputs.n > 0 ? S("\n") : S(""));
    for (int k = 0; k < g->fits.n; k++) { /* where it stood */
      if (g->fits.data[k].at == i) {
        buf_format(b, "%.*s\n", STR_ARG(g->fits.data[k].text));
      }
    }
    if (i < g->inputs.n && g->inputs.data[i].encoding.source != FROM_FIT) {
      print_input(b, g, &g->inputs.data[i]);
    }
  }
  for (int i = 0; i < g->params.n; i++) {
    buf_str(b, i == 0 ? S("\n") : S(""));
    print_param(b, g, &g->params.data[i]);
  }
}
