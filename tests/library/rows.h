#ifndef ROWS_H
#define ROWS_H

/* Rows for the model of shop.rank, the same in every program of this folder: made by a fixed rule, lists of
 * all lengths among them. */

#include "shop.h"

#include <stdio.h>

enum { ROWS = 41, MOST = 6 };

typedef struct rows {
  int32_t offsets[ROWS + 1], item[ROWS], seen[ROWS * MOST], place[ROWS][3];
  float spent[ROWS * MOST], x[ROWS][3], click[ROWS];
} rows;

static int32_t rows_next(unsigned *state, int32_t below)
{
  *state = *state * 1664525u + 1013904223u;
  return (int32_t)(*state >> 8) % below;
}

static void rows_make(rows *r)
{
  static const int32_t start[] = {0, 4, 9}, size[] = {4, 5, 6}; /* place: three vocabularies */
  unsigned state = 7;
  r->offsets[0] = 0;
  for (int i = 0; i < ROWS; i++) {
    r->item[i] = rows_next(&state, 100);
    r->offsets[i + 1] = r->offsets[i] + i % (MOST + 1);
    for (int32_t k = r->offsets[i]; k < r->offsets[i + 1]; k++) {
      r->seen[k] = rows_next(&state, 100);
      r->spent[k] = (float)rows_next(&state, 64) / 16;
    }
    for (int k = 0; k < 3; k++) {
      r->x[i][k] = (float)(rows_next(&state, 64) - 32) / 32;
      r->place[i][k] = start[k] + rows_next(&state, size[k]);
    }
    r->click[i] = (float)(i % 3 == 0);
  }
}

/* Rows first .. first + n - 1, and the offsets of their lists counted from their own start. */
static shop_inputs rows_inputs(const rows *r, int first, int n, int32_t *offsets)
{
  for (int i = 0; i <= n; i++) {
    offsets[i] = r->offsets[first + i] - r->offsets[first];
  }
  shop_inputs in;
  in.n = n;
  in.L_offsets = offsets;
  in.item = r->item + first;
  in.seen = r->seen + r->offsets[first];
  in.spent = r->spent + r->offsets[first];
  in.x = r->x[first];
  in.place = r->place[first];
  return in;
}

#endif
