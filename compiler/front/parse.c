/* parse.c: statements. See parse.h for how errors are survived.
 *
 * One idea: a statement's keyword is only a keyword where a statement starts and something other
 * than `=` follows, so that an input may be called `label`. */

#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Loc token_loc(const Parser *p, int index)
{
  return (Loc){p->source, p->tokens[index].at, p->tokens[index].n};
}

Loc loc_from(const Parser *p, int first)
{
  int last = p->at > first ? p->at - 1 : first;
  return loc_join(token_loc(p, first), token_loc(p, last));
}

/* To the end of the statement: of its line, or where its body's brace closes. */
static void skip_statement(Parser *p)
{
  while (peek(p) != TOK_EOF && peek(p) != TOK_END && peek(p) != TOK_CLOSE_BRACE) {
    const Token *t = &p->tokens[p->at];
    p->at = t->kind == TOK_OPEN_BRACE && t->match > p->at ? t->match + 1 : p->at + 1;
  }
}

void parse_fail(Parser *p, Loc loc, const char *format, ...)
{
  if (p->bad) {
    return;
  }
  p->bad = true;
  if (peek(p) != TOK_BAD) { /* the lexer has told */
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diag_error(p->d, loc, "%s", text);
  }
  skip_statement(p);
}

bool accept(Parser *p, TokenKind kind)
{
  if (p->bad || peek(p) != kind) {
    return false;
  }
  p->at++;
  return true;
}

bool expect(Parser *p, TokenKind kind, const char *where)
{
  if (accept(p, kind)) {
    return true;
  }
  parse_fail(
    p, token_loc(p, p->at), "found %s, wanted %s %s", token_name(peek(p)), token_name(kind), where);
  return false;
}

void expect_close(Parser *p, TokenKind kind, int open)
{
  if (p->bad || accept(p, kind)) {
    return;
  }
  bool told = peek(p) == TOK_BAD;
  parse_fail(p, token_loc(p, p->at), "found %s, wanted %s", token_name(peek(p)), token_name(kind));
  if (!told) {
    diag_note(p->d, token_loc(p, open), "this %s is still open", token_name(p->tokens[open].kind));
  }
}

static bool at_word(const Parser *p, const char *word)
{
  return peek(p) == TOK_NAME && str_eq(p->tokens[p->at].text, str_of(word));
}

bool accept_word(Parser *p, const char *word)
{
  if (p->bad || !at_word(p, word)) {
    return false;
  }
  p->at++;
  return true;
}

typedef struct Word {
  const char *word;
  StmtKind kind;
  void (*parse)(Parser *p, Stmt *s);
  bool in_body;
} Word;

static Stmt *parse_statement(Parser *p, bool body);
static const Word *statement_word(const Parser *p, bool body);

/* name = default, ... up to `end` */
static void parse_defaults(Parser *p, Stmt *s)
{
  while (!p->bad && peek(p) != TOK_CLOSE) {
    Option o = {0};
    o.name = expect_name(p, &o.loc, "of an option");
    if (expect(p, TOK_ASSIGN, "and the option's default")) {
      o.value = parse_expr(p);
    }
    *VEC_PUSH(p->a, &s->options) = o;
    if (!accept(p, TOK_COMMA)) {
      return;
    }
  }
}

static bool parse_names(Parser *p, Parameters *list, bool *rest, TokenKind end)
{
  while (!p->bad && peek(p) != end && peek(p) != TOK_SEMICOLON) {
    Parameter x = {0};
    x.name = expect_name(p, &x.loc, "of a parameter");
    *VEC_PUSH(p->a, list) = x;
    if (accept(p, TOK_SPREAD)) {
      *rest = true;
      return true;
    }
    if (!accept(p, TOK_COMMA)) {
      return true;
    }
  }
  return !p->bad;
}

/* In a body whose brace is never closed: does a line at the left start another statement? */
static bool left_body(const Parser *p, int open)
{
  int at = p->tokens[p->at].at;
  bool left = at > 0 && p->source->text.s[at - 1] == '\n';
  return p->tokens[open].match < 0 && left && statement_word(p, false);
}

/* { statements }, or = EXPR */
static void parse_body(Parser *p, Stmt *s)
{
  if (!accept(p, TOK_OPEN_BRACE)) {
    expect(p, TOK_ASSIGN, "or '{', and what the function gives");
    Stmt *result = ARENA_NEW(p->a, Stmt);
    result->kind = STMT_RESULT;
    result->expr = parse_expr(p);
    result->loc = result->expr->loc;
    *VEC_PUSH(p->a, &s->body) = result;
    return;
  }
  int open = p->at - 1;
  bool any_bad = false;
  while (peek(p) != TOK_CLOSE_BRACE && peek(p) != TOK_EOF && !left_body(p, open)) {
    if (accept(p, TOK_END) || accept(p, TOK_SEMICOLON)) {
      continue;
    }
    Stmt *inner = parse_statement(p, true);
    any_bad = any_bad || inner->bad;
    *VEC_PUSH(p->a, &s->body) = inner;
    p->bad = false;
  }
  s->bad = any_bad;
  if (!accept(p, TOK_CLOSE_BRACE)) {
    diag_error(p->d, token_loc(p, open), "this '{' is never closed");
    s->bad = true;
    p->at--; /* to the end of the line before */
  }
}

static void parse_fn(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the function");
  if (accept(p, TOK_OPEN_SQUARE)) {
    parse_names(p, &s->axes, &s->axes_rest, TOK_CLOSE_SQUARE);
    expect(p, TOK_CLOSE_SQUARE, "after the axes");
  }
  expect(p, TOK_OPEN, "and the function's parameters");
  parse_names(p, &s->parameters, &s->rest, TOK_CLOSE);
  if (accept(p, TOK_SEMICOLON)) {
    parse_defaults(p, s);
  }
  expect(p, TOK_CLOSE, "after the parameters");
  if (!p->bad) {
    parse_body(p, s);
  }
}

static void parse_optimizer(Parser *p, Stmt *s)
{
  s->name = expect_name(p, &s->name_loc, "of the optimizer or schedule");
  expect(p, TOK_OPEN, "and the options");
  parse_defaults(p, s);
  expect(p, TOK_CLOSE, "after the options");
  if (!p->bad) {
    parse_body(p, s);
  }
}

static const Word words[] = {
  {"model", STMT_MODEL, parse_model, false},
  {"dim", STMT_DIM, parse_dim, true},
  {"data", STMT_DATA, parse_data, false},
  {"input", STMT_INPUT, parse_input, false},
  {"label", STMT_LABEL, parse_input, false},
  {"fit", STMT_FIT, parse_let, false},
  {"table", STMT_TABLE, parse_param, false},
  {"param", STMT_PARAM, parse_param, true},
  {"fn", STMT_FN, parse_fn, false},
  {"loss", STMT_LOSS, parse_value, false},
  {"output", STMT_OUTPUT, parse_output, false},
  {"metric", STMT_METRIC, parse_metric, false},
  {"train", STMT_TRAIN, parse_train, false},
  {"optimizer", STMT_OPTIMIZER, parse_optimizer, false},
  {"schedule", STMT_SCHEDULE, parse_optimizer, false},
  {"state", STMT_STATE, parse_let, true},
  {"grad", STMT_GRAD, parse_let, false},
  {"update", STMT_UPDATE, parse_let, true},
};

static const Word *statement_word(const Parser *p, bool body)
{
  TokenKind next = p->tokens[p->at + 1].kind;
  bool value =
    next == TOK_OPEN || next == TOK_OPEN_SQUARE || (next >= TOK_PLUS && next <= TOK_RANGE);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (at_word(p, words[i].word) && (words[i].in_body || !body)) {
      /* `loss (a + b) / 2` and `loss -x` are losses, `dim - 1` in a body is a value */
      bool unary = words[i].kind == STMT_LOSS && next != TOK_ASSIGN;
      return value && !unary ? NULL : &words[i];
    }
  }
  return NULL;
}

static void parse_plain(Parser *p, Stmt *s, bool body)
{
  if (peek(p) == TOK_NAME && p->tokens[p->at + 1].kind == TOK_ASSIGN) {
    if (!body && (at_word(p, "loss") || at_word(p, "train") || at_word(p, "metric"))) {
      parse_fail(p, token_loc(p, p->at + 1), "'%.*s' is a statement; write it without '='",
        STR_ARG(p->tokens[p->at].text));
    }
    s->kind = STMT_LET;
    parse_let(p, s);
  } else if (body) {
    s->kind = STMT_RESULT;
    parse_value(p, s);
  } else {
    Loc here = token_loc(p, p->at);
    if (peek(p) == TOK_NAME && p->tokens[p->at + 1].kind == TOK_NAME) {
      parse_fail(p, here,
        "'%.*s' starts no statement; there are model dim data input label fit table "
        "param fn loss output metric train, and NAME = EXPR",
        STR_ARG(p->tokens[p->at].text));
    } else {
      parse_fail(
        p, here, "found %s, wanted a statement: a keyword, or NAME = EXPR", token_name(peek(p)));
    }
  }
}

static Stmt *parse_statement(Parser *p, bool body)
{
  int first = p->at;
  Stmt *s = ARENA_NEW(p->a, Stmt);
  const Word *word = statement_word(p, body);
  if (word) {
    s->kind = word->kind;
    p->at++;
    word->parse(p, s);
  } else {
    parse_plain(p, s, body);
  }
  s->loc = loc_from(p, first);
  bool ends = peek(p) == TOK_END || peek(p) == TOK_EOF || (body && peek(p) == TOK_CLOSE_BRACE) ||
              peek(p) == TOK_SEMICOLON;
  if (!ends) {
    if (p->bad) {
      skip_statement(p);
    }
    parse_fail(
      p, token_loc(p, p->at), "found %s, wanted the end of the statement", token_name(peek(p)));
  }
  s->bad = s->bad || p->bad;
  return s;
}

Program *parse_source(Arena *a, const Source *source, Diags *d)
{
  Tokens tokens;
  if (!lex_source(a, source, d, &tokens)) {
    return NULL;
  }
  Program *program = ARENA_NEW(a, Program);
  program->source = source;
  Parser p = {.a = a, .d = d, .tokens = tokens.list.data, .source = source};
  while (peek(&p) != TOK_EOF) {
    if (accept(&p, TOK_END) || accept(&p, TOK_SEMICOLON)) {
      continue;
    }
    int before = p.at;
    Stmt *s = parse_statement(&p, false);
    *VEC_PUSH(a, &program->statements) = s;
    p.bad = false;
    p.at += p.at == before || peek(&p) == TOK_CLOSE_BRACE; /* a stray '}' */
  }
  return program;
}

Expr *parse_one_expression(Arena *a, const Source *source, Diags *d)
{
  Tokens tokens;
  if (!lex_source(a, source, d, &tokens)) {
    return NULL;
  }
  Parser p = {.a = a, .d = d, .tokens = tokens.list.data, .source = source};
  Expr *e = parse_expr(&p);
  if (!p.bad && peek(&p) != TOK_END) {
    parse_fail(
      &p, token_loc(&p, p.at), "found %s, wanted the end of the expression", token_name(peek(&p)));
  }
  return p.bad ? NULL : e;
}
