/* ops.c: `rankc ops`, the op table from its rows. */

#include "command.h"
#include "table.h"

#include "../ir/ops.h"

#include <string.h>

/* How an op is written: an operator between its operands, a function before them. */
static Str usage(Arena *a, const OpRow *row)
{
  const char *names[] = {"a", "b", "c"};
  if (row->class == CLASS_OPERATOR) {
    return row->arity == 2 ? str_format(a, "a %s b", row->word) : str_format(a, "%sa", row->word);
  }
  bool pointwise =
    row->class == CLASS_UNARY || row->class == CLASS_BINARY || row->class == CLASS_TERNARY;
  if (!pointwise) {
    /* These rows' text begins with how the op is written: "sum[A, ...](x); of nothing: 0" */
    size_t n = strcspn(row->doc, ":;");
    size_t bracket = strcspn(row->doc, "[(");
    return bracket < n ? (Str){row->doc, (int)n} : (Str){0};
  }
  Buf buf = {.arena = a};
  buf_format(&buf, "%s(", row->word);
  for (int i = 0; i < row->arity; i++) {
    buf_format(&buf, "%s%s", i ? ", " : "", names[i]);
  }
  buf_format(&buf, ")");
  return buf_take(&buf);
}

static Str gradient(Arena *a, const OpRow *row)
{
  Buf buf = {.arena = a};
  for (int i = 0; i < 3; i++) {
    const char *text = row->grad[i];
    if (strcmp(text, "*") == 0) {
      return S("(in the gradient pass)");
    }
    if (text[0] != '\0') {
      buf_format(&buf, "%sd%c = %s", buf.n > 0 ? "; " : "", "abc"[i], text);
    }
  }
  return buf_take(&buf);
}

int command_ops(Options *o)
{
  Table t = {.arena = o->arena,
    .columns = 5,
    .heads = {"op", "written", "cost", "what it is", "gradient"},
    .right = {false, false, true}};
  for (int i = 0; i < OP_COUNT; i++) {
    const OpRow *row = &op_rows[i];
    table_cell(&t, str_of(row->name));
    table_cell(&t, usage(o->arena, row));
    table_cell(&t, str_format(o->arena, "%d", row->cost));
    table_cell(&t, str_of(row->doc));
    table_cell(&t, gradient(o->arena, row));
  }
  if (o->markdown) {
    table_markdown(&t, stdout);
  } else {
    table_print(&t, "", stdout);
  }
  return EXIT_FINE;
}
