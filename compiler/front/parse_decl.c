/* parse_decl.c: the statements without a body: declarations, results, train.
 *
 * One idea: each takes the tokens behind its keyword and fills in the Stmt; what is wrong was
 * reported by whom it met (see parse.h). */

#include "parse.h"

Str expect_name(Parser *p, Loc *loc, const char *where)
{
  *loc = token_loc(p, p->at);
  return expect(p, TOK_NAME, where) ? p->tokens[p->at - 1].text : (Str){0};
}

void parse_model(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the model");
  if (peek(p) == TOK_STRING) {
    s->doc = p->tokens[p->at++].text;
  }
}

void parse_dim(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the dim");
  s->at_most = accept(p, TOK_LESS_EQUAL);
  if (s->at_most || expect(p, TOK_ASSIGN, "(or '<=', for a ragged axis) and the extent")) {
    s->expr = parse_sum(p);
  }
}

void parse_data(Parser *p, Stmt *s)
{
  s->expr = parse_expr(p);
}

/* f32, f32[axes], id(sizes)[axes] */
static void parse_type(Parser *p, TypeExpr *t)
{
  int first = p->at;
  if (accept_word(p, "id")) {
    t->id = true;
    expect(p, TOK_OPEN, "and how many ids there are: id(2000), or id(vocab)");
    int open = p->at - 1;
    parse_list(p, &t->sizes, TOK_CLOSE);
    expect_close(p, TOK_CLOSE, open);
  } else if (!accept_word(p, "f32")) {
    const Token *found = &p->tokens[p->at];
    bool name = found->kind == TOK_NAME;
    parse_fail(p, token_loc(p, p->at), "found %s%.*s%s, wanted a type: f32 or id(...)",
      name ? "'" : token_name(found->kind), name ? found->n : 0, found->text.s, name ? "'" : "");
  }
  if (accept(p, TOK_OPEN_SQUARE)) {
    int open = p->at - 1;
    parse_list(p, &t->axes, TOK_CLOSE_SQUARE);
    expect_close(p, TOK_CLOSE_SQUARE, open);
  }
  t->loc = loc_from(p, first);
}

static void parse_source_item(Parser *p, SourceExpr *source)
{
  int first = p->at;
  TokenKind kind = peek(p);
  if (kind != TOK_STRING && kind != TOK_NUMBER) {
    parse_fail(p, token_loc(p, first),
      "found %s, wanted a column: \"name\", a position, indices, values or target",
      token_name(kind));
    return;
  }
  const Token *t = &p->tokens[p->at++];
  SourceItem item = {.text = kind == TOK_STRING, .first = t->text, .low = t->number};
  if (accept(p, TOK_RANGE)) {
    item.range = true;
    item.last = p->tokens[p->at].text;
    item.high = p->tokens[p->at].number;
    expect(p, kind, "as the range's other end");
  }
  item.loc = loc_from(p, first);
  *VEC_PUSH(p->a, &source->items) = item;
}

static void parse_from(Parser *p, SourceExpr *source)
{
  int first = p->at;
  if (peek(p) == TOK_NAME) {
    source->word = p->tokens[p->at++].text;
  } else {
    parse_source_item(p, source);
    while (!p->bad && peek(p) == TOK_COMMA &&
           (p->tokens[p->at + 1].kind == TOK_STRING || p->tokens[p->at + 1].kind == TOK_NUMBER)) {
      p->at++;
      parse_source_item(p, source);
    }
  }
  source->loc = loc_from(p, first);
}

void parse_input(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the input");
  if (expect(p, TOK_COLON, "and its type")) {
    parse_type(p, &s->type);
  }
  if (accept_word(p, "per")) {
    s->per_request = accept_word(p, "request");
    if (!s->per_request) {
      parse_fail(p, token_loc(p, p->at), "found %s, wanted 'request', as in: per request",
        token_name(peek(p)));
    }
  }
  if (accept_word(p, "from")) {
    parse_from(p, &s->source);
  }
  if (accept(p, TOK_COMMA)) {
    parse_options(p, &s->options, TOK_END);
  }
}

void parse_param(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, s->kind == STMT_TABLE ? "of the table" : "of the param");
  if (expect(p, TOK_COLON, "and its type")) {
    parse_type(p, &s->type);
  }
  if (accept(p, TOK_TILDE)) {
    s->init = parse_expr(p);
  }
  if (accept(p, TOK_COMMA)) {
    parse_options(p, &s->options, TOK_END);
  }
}

/* FIT.score(...) where not INPUT, top = 10 */
static void parse_ranked(Parser *p, Stmt *s)
{
  static const Str score = {".score", 6};
  const Expr *e = s->expr;
  bool ranked = (s->kind == STMT_LET || s->kind == STMT_OUTPUT) && !p->bad && e->kind == EXPR_CALL;
  if (!ranked || !str_ends(e->name, score)) {
    return;
  }
  if (accept_word(p, "where")) {
    if (!accept_word(p, "not")) {
      parse_fail(p, token_loc(p, p->at), "found %s, wanted 'not', as in: where not seen",
        token_name(peek(p)));
      return;
    }
    s->without = parse_expr(p);
  }
  if (accept(p, TOK_COMMA)) {
    parse_options(p, &s->options, TOK_END);
  }
}

void parse_output(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the output");
  if (accept(p, TOK_COLON)) {
    s->has_type = true;
    parse_type(p, &s->type);
  }
  if (accept(p, TOK_ASSIGN)) {
    s->expr = parse_expr(p);
    parse_ranked(p, s);
  }
}

void parse_metric(Parser *p, Stmt *s)
{
  do {
    if (peek(p) != TOK_NAME || p->tokens[p->at + 1].kind != TOK_OPEN) {
      parse_fail(
        p, token_loc(p, p->at), "found %s, wanted a metric: auc(p, y)", token_name(peek(p)));
      return;
    }
    Expr *call = parse_call_after(p);
    *VEC_PUSH(p->a, &s->list) = call;
  } while (accept(p, TOK_COMMA));
}

void parse_train(Parser *p, Stmt *s)
{
  if (peek(p) != TOK_NAME || p->tokens[p->at + 1].kind != TOK_OPEN) {
    parse_fail(p, token_loc(p, p->at), "found %s, wanted an optimizer: adam(lr = 1e-3)",
      token_name(peek(p)));
    return;
  }
  s->expr = parse_call_after(p);
  if (accept(p, TOK_COMMA)) {
    parse_options(p, &s->options, TOK_END);
  }
}

void parse_let(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of a value");
  expect(p, TOK_ASSIGN, "and the value");
  s->expr = parse_expr(p);
  parse_ranked(p, s);
}

void parse_value(Parser *p, Stmt *s)
{
  s->expr = parse_expr(p);
}
