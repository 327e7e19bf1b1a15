#ifndef RANKC_TABLE_H
#define RANKC_TABLE_H

/* Tables of text with aligned columns, for people; or as Markdown. */

#include "../base/str.h"

#include <stdio.h>

enum { TABLE_COLUMNS = 8 };

typedef struct Table {
  Arena *arena;
  int columns;
  const char *heads[TABLE_COLUMNS]; /* NULL in the first: no heading */
  bool right[TABLE_COLUMNS];        /* aligned to the right: numbers */
  VEC(Str) cells;                   /* row after row */
} Table;

void table_cell(Table *t, Str text);
void table_print(const Table *t, const char *indent, FILE *out);
void table_markdown(const Table *t, FILE *out);
Str count_text(Arena *a, double n); /* 64 000 as "64,000" */

#endif
