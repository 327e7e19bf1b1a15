#ifndef RANKC_TOKEN_H
#define RANKC_TOKEN_H

/* Tokens of the language. The whole text is cut up before parsing, so that the parser may look at
 * any token and jump from a bracket to its partner. */

#include "../base/diag.h"

typedef enum TokenKind {
  TOK_EOF,
  TOK_END, /* the end of a statement: of a line, where the line is complete */
  TOK_NAME,
  TOK_NUMBER,
  TOK_STRING,
  TOK_PLUS,
  TOK_MINUS,
  TOK_STAR,
  TOK_SLASH,
  TOK_CARET,
  TOK_LESS,
  TOK_LESS_EQUAL,
  TOK_GREATER,
  TOK_GREATER_EQUAL,
  TOK_EQUAL,
  TOK_NOT_EQUAL,
  TOK_ASSIGN,
  TOK_TILDE,
  TOK_COLON,
  TOK_COMMA,
  TOK_ARROW,
  TOK_RANGE,  /* .. */
  TOK_SPREAD, /* ... */
  TOK_SEMICOLON,
  TOK_OPEN,
  TOK_CLOSE,
  TOK_OPEN_SQUARE,
  TOK_CLOSE_SQUARE,
  TOK_OPEN_BRACE,
  TOK_CLOSE_BRACE,
  TOK_BAD /* already reported */
} TokenKind;

typedef struct Token {
  TokenKind kind;
  int at, n;
  int match;     /* brackets: index of the partner, or -1 */
  double number; /* TOK_NUMBER */
  Str text;      /* names as written, strings with escapes undone */
} Token;

typedef struct Tokens {
  const Source *source;
  VEC(Token) list; /* ends with TOK_EOF */
} Tokens;

/* Reports what is no token; false only when the text as a whole cannot be read (not UTF-8, NUL). */
bool lex_source(Arena *a, const Source *source, Diags *d, Tokens *tokens);
const char *token_name(TokenKind kind); /* "'+'", "a name", for messages */

#endif
