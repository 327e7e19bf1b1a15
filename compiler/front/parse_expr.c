/* parse_expr.c: expressions, by recursive descent.
 *
 * One idea: what stands in square brackets decides itself by the token after its first part: `->`
 * names axes anew, `=` cuts, `>` makes pairs, anything else looks rows up. Only `name[...](` needs
 * a look ahead, to the partner of the bracket. */

#include "parse.h"

static Expr *new_expr(Parser *p, ExprKind kind, int first)
{
  Expr *e = ARENA_NEW(p->a, Expr);
  e->kind = kind;
  e->loc = loc_from(p, first);
  return e;
}

static Expr *error_expr(Parser *p)
{
  return new_expr(p, EXPR_ERROR, p->at);
}

static void deepen(Parser *p, Expr *e, const Expr *part)
{
  if (part && part->depth + 1 > e->depth) {
    e->depth = part->depth + 1;
    if (e->depth > MOST_NESTING) {
      parse_fail(p, e->loc, "the expression is nested more than %d deep; give a part of it a name",
        MOST_NESTING);
    }
  }
}

static void deepen_all(Parser *p, Expr *e, const Exprs *parts)
{
  for (int i = 0; i < parts->n; i++) {
    deepen(p, e, parts->data[i]);
  }
}

void parse_list(Parser *p, Exprs *list, TokenKind end)
{
  while (!p->bad && peek(p) != end && peek(p) != TOK_SEMICOLON) {
    Expr *e = parse_expr(p);
    *VEC_PUSH(p->a, list) = e;
    if (peek(p) == end || peek(p) == TOK_SEMICOLON || peek(p) == TOK_ARROW ||
        !accept(p, TOK_COMMA)) {
      return;
    }
  }
}

/* `name = value` or a value alone. */
static void parse_option(Parser *p, Options *options)
{
  Option o = {.loc = token_loc(p, p->at)};
  if (peek(p) == TOK_NAME && p->tokens[p->at + 1].kind == TOK_ASSIGN) {
    o.name = p->tokens[p->at].text;
    p->at += 2;
  }
  o.value = parse_expr(p);
  *VEC_PUSH(p->a, options) = o;
}

void parse_options(Parser *p, Options *options, TokenKind end)
{
  while (!p->bad && peek(p) != end) {
    parse_option(p, options);
    if (peek(p) == end || !accept(p, TOK_COMMA)) {
      return;
    }
  }
}

/* Arguments: positional ones, `name = value` ones, and after `;` only options. */
static void parse_arguments(Parser *p, Expr *call)
{
  int open = p->at - 1;
  while (!p->bad && peek(p) == TOK_NAME && p->tokens[p->at + 1].kind == TOK_ASSIGN) {
    parse_option(p, &call->options);
    if (!accept(p, TOK_COMMA)) {
      break;
    }
  }
  while (!p->bad && peek(p) != TOK_CLOSE && peek(p) != TOK_SEMICOLON && peek(p) != TOK_ARROW) {
    if (peek(p) == TOK_NAME && p->tokens[p->at + 1].kind == TOK_ASSIGN) {
      parse_options(p, &call->options, TOK_CLOSE);
      break;
    }
    Expr *e = parse_expr(p);
    *VEC_PUSH(p->a, &call->args) = e;
    if (!accept(p, TOK_COMMA)) {
      break;
    }
  }
  if (accept(p, TOK_SEMICOLON)) {
    parse_options(p, &call->options, TOK_CLOSE);
  }
  if (accept(p, TOK_ARROW)) {
    call->into = parse_sum(p);
  }
  expect_close(p, TOK_CLOSE, open);
}

/* name(...), name[axes](...), name[axes; extra](...) */
Expr *parse_call_after(Parser *p)
{
  int first = p->at++;
  Expr *e = new_expr(p, EXPR_CALL, first);
  e->name = p->tokens[first].text;
  e->name_loc = token_loc(p, first);
  if (accept(p, TOK_OPEN_SQUARE)) {
    e->has_axes = true;
    parse_list(p, &e->axes, TOK_CLOSE_SQUARE);
    if (accept(p, TOK_SEMICOLON)) {
      e->extra = parse_expr(p);
    }
    expect_close(p, TOK_CLOSE_SQUARE, first + 1);
  }
  if (accept(p, TOK_OPEN)) {
    parse_arguments(p, e);
  }
  e->loc = loc_from(p, first);
  deepen_all(p, e, &e->axes);
  deepen_all(p, e, &e->args);
  deepen(p, e, e->extra);
  for (int i = 0; i < e->options.n; i++) {
    deepen(p, e, e->options.data[i].value);
  }
  return e;
}

/* index[A], size[A] and random[A] are calls without arguments. */
static bool leaf_word(Str name)
{
  return str_eq(name, S("index")) || str_eq(name, S("size")) || str_eq(name, S("random"));
}

static bool call_ahead(const Parser *p)
{
  const Token *next = &p->tokens[p->at + 1];
  if (next->kind == TOK_OPEN) {
    return true;
  }
  if (next->kind != TOK_OPEN_SQUARE) {
    return false;
  }
  return leaf_word(p->tokens[p->at].text) ||
         (next->match >= 0 && p->tokens[next->match + 1].kind == TOK_OPEN);
}

static Expr *parse_primary(Parser *p)
{
  int first = p->at;
  const Token *t = &p->tokens[first];
  switch ((int)t->kind) {
  case TOK_NUMBER:
    p->at++;
    Expr *number = new_expr(p, EXPR_NUMBER, first);
    number->number = t->number;
    return number;
  case TOK_STRING:
  case TOK_NAME:
    if (t->kind == TOK_NAME && call_ahead(p)) {
      return parse_call_after(p);
    }
    p->at++;
    bool spread = t->kind == TOK_NAME && accept(p, TOK_SPREAD);
    Expr *name = new_expr(p,
      t->kind == TOK_STRING ? EXPR_STRING
      : spread              ? EXPR_SPREAD
                            : EXPR_NAME,
      first);
    name->name = t->text;
    name->name_loc = token_loc(p, first);
    return name;
  case TOK_OPEN:
    p->at++;
    Expr *inner = parse_expr(p);
    expect_close(p, TOK_CLOSE, first);
    inner->loc = loc_from(p, first);
    return inner;
  default:
    parse_fail(p, token_loc(p, first), "found %s, wanted an expression", token_name(t->kind));
    return error_expr(p);
  }
}

static void parse_rename(Parser *p, Expr *e)
{
  e->kind = EXPR_RENAME;
  for (;;) {
    Expr *to = parse_sum(p);
    *VEC_PUSH(p->a, &e->axes) = to;
    if (!accept(p, TOK_COMMA)) {
      return;
    }
    Expr *from = parse_sum(p);
    *VEC_PUSH(p->a, &e->axes) = from;
    if (!expect(p, TOK_ARROW, "and the axis' new name")) {
      return;
    }
  }
}

static void parse_slice(Parser *p, Expr *e)
{
  e->kind = EXPR_SLICE;
  e->y = parse_sum(p);
  if (!accept(p, TOK_COLON)) {
    return;
  }
  e->high = parse_sum(p);
  if (accept(p, TOK_ARROW)) {
    parse_list(p, &e->axes, TOK_CLOSE_SQUARE);
  }
}

/* x [ ... ] */
static Expr *parse_bracket(Parser *p, Expr *x, int first)
{
  int open = p->at++;
  Expr *e = new_expr(p, EXPR_INDEX, first);
  e->x = x;
  Expr *inner = parse_sum(p);
  if (peek(p) == TOK_ARROW || peek(p) == TOK_ASSIGN || peek(p) == TOK_GREATER) {
    *VEC_PUSH(p->a, &e->axes) = inner;
    if (accept(p, TOK_ARROW)) {
      parse_rename(p, e);
    } else if (accept(p, TOK_ASSIGN)) {
      parse_slice(p, e);
    } else {
      p->at++;
      e->kind = EXPR_TRIANGLE;
      *VEC_PUSH(p->a, &e->axes) = parse_sum(p);
      expect(p, TOK_ARROW, "and a name for the axis of pairs");
      *VEC_PUSH(p->a, &e->axes) = parse_sum(p);
    }
  } else {
    e->y = inner;
  }
  expect_close(p, TOK_CLOSE_SQUARE, open);
  e->loc = loc_from(p, first);
  deepen(p, e, x);
  deepen(p, e, e->y);
  deepen_all(p, e, &e->axes);
  return e;
}

static Expr *parse_postfix(Parser *p)
{
  int first = p->at;
  Expr *e = parse_primary(p);
  while (!p->bad && peek(p) == TOK_OPEN_SQUARE) {
    e = parse_bracket(p, e, first);
  }
  return e;
}

static Expr *binary(Parser *p, TokenKind op, Loc op_loc, Expr *x, Expr *y, int first)
{
  Expr *e = new_expr(p, EXPR_BINARY, first);
  e->op = op;
  e->name_loc = op_loc;
  e->x = x;
  e->y = y;
  e->depth = x->depth; /* the checker walks down the left side of a chain in a loop */
  deepen(p, e, y);
  return e;
}

static Expr *parse_power(Parser *p);

/* Levels are counted on the way in, so that no text makes the parser itself too deep. */
static bool enter(Parser *p)
{
  if (p->nesting >= 2 * MOST_NESTING) {
    parse_fail(p, token_loc(p, p->at),
      "the expression is nested more than %d deep; give a part of "
      "it a name",
      MOST_NESTING);
    return false;
  }
  p->nesting++;
  return true;
}

static Expr *parse_unary(Parser *p)
{
  int first = p->at;
  if (!accept(p, TOK_MINUS)) {
    return parse_power(p);
  }
  if (!enter(p)) {
    return error_expr(p);
  }
  Expr *x = parse_unary(p);
  p->nesting--;
  Expr *e = new_expr(p, EXPR_NEGATE, first);
  e->x = x;
  deepen(p, e, x);
  return e;
}

/* a ^ b ^ c is a ^ (b ^ c); -a ^ b is -(a ^ b); a ^ -b is allowed. */
static Expr *parse_power(Parser *p)
{
  int first = p->at;
  Expr *x = parse_postfix(p);
  Loc op = token_loc(p, p->at);
  if (!p->bad && accept(p, TOK_CARET)) {
    if (!enter(p)) {
      return error_expr(p);
    }
    Expr *y = parse_unary(p);
    p->nesting--;
    return binary(p, TOK_CARET, op, x, y, first);
  }
  return x;
}

static Expr *parse_product(Parser *p)
{
  int first = p->at;
  Expr *x = parse_unary(p);
  while (!p->bad && (peek(p) == TOK_STAR || peek(p) == TOK_SLASH)) {
    TokenKind op = peek(p);
    Loc loc = token_loc(p, p->at++);
    Expr *y = parse_unary(p);
    x = binary(p, op, loc, x, y, first);
  }
  return x;
}

Expr *parse_sum(Parser *p)
{
  int first = p->at;
  if (!enter(p)) {
    return error_expr(p);
  }
  Expr *x = parse_product(p);
  while (!p->bad && (peek(p) == TOK_PLUS || peek(p) == TOK_MINUS)) {
    TokenKind op = peek(p);
    Loc loc = token_loc(p, p->at++);
    Expr *y = parse_product(p);
    x = binary(p, op, loc, x, y, first);
  }
  p->nesting--;
  return x;
}

static bool comparison(TokenKind kind)
{
  return kind >= TOK_LESS && kind <= TOK_NOT_EQUAL;
}

Expr *parse_expr(Parser *p)
{
  int first = p->at;
  Expr *x = parse_sum(p);
  if (p->bad || !comparison(peek(p))) {
    return x;
  }
  TokenKind op = peek(p);
  Loc loc = token_loc(p, p->at++);
  Expr *y = parse_sum(p);
  if (comparison(peek(p))) {
    parse_fail(
      p, token_loc(p, p->at), "comparisons do not chain; write (a < b) * (b < c) for both");
  }
  return binary(p, op, loc, x, y, first);
}
