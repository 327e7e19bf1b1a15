#ifndef RANKC_WRAP_H
#define RANKC_WRAP_H

/* A line of C as tokens that know where it may be broken and at what price, as clang-format 14 sees it
 * with the repository's style. */

#include "../base/str.h"

#include <stdbool.h>

enum { COLUMNS = 100, CONTINUATION = 2, MOST_FAKE = 8 };

/* clang's precedence levels */
enum {
  LEVEL_NONE = -1,
  LEVEL_SEMI = 0,
  LEVEL_COMMA = 1,
  LEVEL_ASSIGN = 2,
  LEVEL_CONDITIONAL = 3,
  LEVEL_OR = 4,
  LEVEL_EQUAL = 9,
  LEVEL_RELATIONAL = 10,
  LEVEL_PRODUCT = 14
};

typedef struct Token {
  Str text;
  bool space; /* before it */
  bool open, close;
  bool binary;    /* an infix operator, assignments included */
  bool condition; /* ? or its : */
  int level;      /* precedence of an operator, comma or semicolon; else LEVEL_NONE */
  int nesting, binding;
  int nfake_open, fake_close; /* brackets that precedence puts around operands */
  int fake_open[MOST_FAKE];   /* their levels, innermost first */
  bool starts, ends;          /* a binary expression */
  bool first_operator, last_operator;
  bool breakable; /* a line may be broken before it */
  int penalty;
} Token;

typedef struct Tokens {
  VEC(Token) list;
} Tokens;

void tokens_read(Arena *a, Str line, Tokens *out);
/* Writes `line` behind `indent` spaces, over several lines when it is too long. */
void wrap_line(Arena scratch, Buf *out, int indent, Str line);
/* The whole text of a generated file, laid out. */
Str layout_c(Arena *a, Str text);

#endif
