#ifndef TREES_JSON_H
#define TREES_JSON_H

/* A JSON text read from front to back, for files too large for a tree of tokens. Whatever is wrong sets
 * `bad` and ends every loop. */

#include "trees_text.h"

typedef struct json_cursor {
  const char *at, *end;
  int bad;
} json_cursor;

typedef struct json_numbers {
  float *at;
  long n, room;
} json_numbers;

int json_open(json_cursor *c, char bracket);  /* '{' or '[' */
int json_key(json_cursor *c, text_span *key); /* 0: the object ends */
int json_more(json_cursor *c);                /* 0: the array ends */
void json_string(json_cursor *c, text_span *s);
void json_skip(json_cursor *c); /* any value */
/* A number, also in quotes, in brackets, or true and false. */
double json_number(json_cursor *c);
void json_numbers_read(
  json_cursor *c, json_numbers *to); /* an array of numbers, rounded to float */

#endif
