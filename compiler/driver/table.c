/* table.c: see table.h. */

#include "table.h"

void table_cell(Table *t, Str text)
{
  *VEC_PUSH(t->arena, &t->cells) = text;
}

static void print_row(
  const Table *t, const Str *row, const int *widths, const char *indent, FILE *out)
{
  int last = t->columns - 1;
  while (last > 0 && row[last].n == 0) {
    last--;
  }
  fputs(indent, out);
  for (int i = 0; i <= last; i++) {
    int pad = widths[i] - row[i].n;
    if (t->right[i]) {
      fprintf(out, "%*s%.*s", pad, "", STR_ARG(row[i]));
    } else {
      fprintf(out, "%.*s%*s", STR_ARG(row[i]), i < last ? pad : 0, "");
    }
    fputs(i < last ? "  " : "\n", out);
  }
}

void table_print(const Table *t, const char *indent, FILE *out)
{
  Str heads[TABLE_COLUMNS] = {0};
  int widths[TABLE_COLUMNS] = {0};
  for (int i = 0; i < t->columns; i++) {
    heads[i] = str_of(t->heads[i]);
    widths[i] = heads[i].n;
  }
  for (int i = 0; i < t->cells.n; i++) {
    int n = t->cells.data[i].n;
    int *width = &widths[i % t->columns];
    *width = *width < n ? n : *width;
  }
  if (t->heads[0]) {
    print_row(t, heads, widths, indent, out);
  }
  for (int i = 0; i + t->columns <= t->cells.n; i += t->columns) {
    print_row(t, t->cells.data + i, widths, indent, out);
  }
}

static void markdown_cell(Str text, FILE *out)
{
  fputs(" ", out);
  for (int i = 0; i < text.n; i++) {
    if (text.s[i] == '|') {
      fputc('\\', out);
    }
    fputc(text.s[i], out);
  }
  fputs(" |", out);
}

void table_markdown(const Table *t, FILE *out)
{
  fputs("|", out);
  for (int i = 0; i < t->columns; i++) {
    markdown_cell(str_of(t->heads[i]), out);
  }
  fputs("\n|", out);
  for (int i = 0; i < t->columns; i++) {
    fputs(t->right[i] ? "---:|" : "---|", out);
  }
  for (int i = 0; i < t->cells.n; i++) {
    fputs(i % t->columns == 0 ? "\n|" : "", out);
    markdown_cell(t->cells.data[i], out);
  }
  fputs("\n", out);
}

Str count_text(Arena *a, double n)
{
  Str plain = str_format(a, "%.0f", n);
  Buf buf = {.arena = a};
  for (int i = 0; i < plain.n; i++) {
    buf_format(&buf, "%s%c", i > 0 && (plain.n - i) % 3 == 0 ? "," : "", plain.s[i]);
  }
  return buf_take(&buf);
}
