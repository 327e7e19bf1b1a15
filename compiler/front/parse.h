#ifndef RANKC_PARSE_H
#define RANKC_PARSE_H

/* What parse.c (statements) and parse_expr.c (expressions) share.
 *
 * One idea: the first error of a statement moves the parser to that statement's end and marks it
 * bad; from then on every expectation fails silently, so nobody has to unwind. */

#include "ast.h"

typedef struct Parser {
  Arena *a;
  Diags *d;
  const Token *tokens;
  const Source *source;
  int at;
  int nesting;
  bool bad;
} Parser;

static inline TokenKind peek(const Parser *p)
{
  return p->tokens[p->at].kind;
}

Loc token_loc(const Parser *p, int index);
Loc loc_from(const Parser *p, int first); /* from that token to the last one eaten */
bool accept(Parser *p, TokenKind kind);
bool expect(Parser *p, TokenKind kind, const char *where); /* reports */
/* A closing bracket; when it is missing, a note says which one is still open. */
void expect_close(Parser *p, TokenKind kind, int open);
bool accept_word(Parser *p, const char *word);
void parse_fail(Parser *p, Loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));

Expr *parse_expr(Parser *p);
Expr *parse_sum(Parser *p); /* without comparisons */
void parse_list(Parser *p, Exprs *list, TokenKind end);
void parse_options(Parser *p, Options *options, TokenKind end);
Expr *parse_call_after(Parser *p); /* NAME(...): the name is the current token */

/* parse_decl.c */
Str expect_name(Parser *p, Loc *loc, const char *where);
void parse_model(Parser *p, Stmt *s);
void parse_dim(Parser *p, Stmt *s);
void parse_data(Parser *p, Stmt *s);
void parse_input(Parser *p, Stmt *s);
void parse_param(Parser *p, Stmt *s); /* and tables */
void parse_output(Parser *p, Stmt *s);
void parse_metric(Parser *p, Stmt *s);
void parse_train(Parser *p, Stmt *s);
void parse_let(Parser *p, Stmt *s); /* NAME = EXPR */
void parse_value(Parser *p, Stmt *s);

#endif
