/* lex.c: text to tokens.
 *
 * One idea: a line is a statement, so the end of a line is a token, but only where a statement can
 * end: not inside ( or [, and not after an operator or a comma. Inside { lines count again (the
 * body of a function). When a bracket is never closed, the text is cut up a second time with the
 * rule that a statement's keyword at the very left ends it, so that the lines behind it are still
 * understood. */

#include "token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BRACKETS = 256, MOST_DIGITS = 63 };

typedef struct Lexer {
  Arena *a;
  Diags *d;
  Tokens *out;
  Str text;
  int at;
  int open[MOST_BRACKETS]; /* token indices */
  int nopen;
  bool recover; /* second try: keywords at the left close brackets */
  bool unclosed;
  bool quiet;
} Lexer;

static const char *const names[] = {
  [TOK_EOF] = "the end of the text",
  [TOK_END] = "the end of the line",
  [TOK_NAME] = "a name",
  [TOK_NUMBER] = "a number",
  [TOK_STRING] = "a string",
  [TOK_PLUS] = "'+'",
  [TOK_MINUS] = "'-'",
  [TOK_STAR] = "'*'",
  [TOK_SLASH] = "'/'",
  [TOK_CARET] = "'^'",
  [TOK_LESS] = "'<'",
  [TOK_LESS_EQUAL] = "'<='",
  [TOK_GREATER] = "'>'",
  [TOK_GREATER_EQUAL] = "'>='",
  [TOK_EQUAL] = "'=='",
  [TOK_NOT_EQUAL] = "'!='",
  [TOK_ASSIGN] = "'='",
  [TOK_TILDE] = "'~'",
  [TOK_COLON] = "':'",
  [TOK_COMMA] = "','",
  [TOK_ARROW] = "'->'",
  [TOK_RANGE] = "'..'",
  [TOK_SPREAD] = "'...'",
  [TOK_SEMICOLON] = "';'",
  [TOK_OPEN] = "'('",
  [TOK_CLOSE] = "')'",
  [TOK_OPEN_SQUARE] = "'['",
  [TOK_CLOSE_SQUARE] = "']'",
  [TOK_OPEN_BRACE] = "'{'",
  [TOK_CLOSE_BRACE] = "'}'",
  [TOK_BAD] = "an error",
};

const char *token_name(TokenKind kind)
{
  return names[kind];
}

static Loc at_bytes(const Lexer *x, int at, int n)
{
  return (Loc){x->out->source, at, n};
}

/* How many bytes the UTF-8 character at s takes; 0: it is none. */
static int utf8_length(const unsigned char *s, int room)
{
  int n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
  if (n > room || (n == 4 && (s[0] & 0xf8) != 0xf0)) {
    return 0;
  }
  unsigned code = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
  for (int i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) {
      return 0;
    }
    code = code << 6 | (s[i] & 0x3f);
  }
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

static bool check_text(const Lexer *x)
{
  for (int i = 0, n; i < x->text.n; i += n) {
    n = utf8_length((const unsigned char *)x->text.s + i, x->text.n - i);
    if (n == 0) {
      diag_error(x->d, at_bytes(x, i, 1), "the text is not UTF-8");
      return false;
    }
    const unsigned char *c = (const unsigned char *)x->text.s + i;
    bool blank = c[0] == '\t' || c[0] == '\n' || c[0] == '\r';
    if ((c[0] < ' ' && !blank) || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0)) {
      diag_error(x->d, at_bytes(x, i, n), "the text has the control character 0x%02x", c[n - 1]);
      return false;
    }
  }
  return true;
}

static char look(const Lexer *x, int ahead)
{
  return x->at + ahead < x->text.n ? x->text.s[x->at + ahead] : '\0';
}

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static Token *push(Lexer *x, TokenKind kind, int n)
{
  Token *t = VEC_PUSH(x->a, &x->out->list);
  *t = (Token){kind, x->at, n, -1, 0, {x->text.s + x->at, n}};
  x->at += n;
  return t;
}

static void lex_name(Lexer *x)
{
  int n = 1;
  for (;;) {
    char c = look(x, n);
    char next = look(x, n + 1);
    if (is_letter(c) || is_digit(c)) {
      n++;
    } else if (c == '.' && (is_letter(next) || is_digit(next))) {
      n += 2;
    } else {
      break;
    }
  }
  push(x, TOK_NAME, n);
}

static int digits(const Lexer *x, int n)
{
  while (is_digit(look(x, n))) {
    n++;
  }
  return n;
}

static void lex_number(Lexer *x)
{
  int n = digits(x, 0);
  if (look(x, n) == '.' && look(x, n + 1) != '.') { /* `1..13` is a range of whole numbers */
    n = digits(x, n + 1);
  }
  if (look(x, n) == 'e' || look(x, n) == 'E') {
    int sign = look(x, n + 1) == '-' || look(x, n + 1) == '+';
    if (is_digit(look(x, n + 1 + sign))) {
      n = digits(x, n + 1 + sign);
    }
  }
  int bad = n;
  while (is_letter(look(x, bad)) || is_digit(look(x, bad))) {
    bad++;
  }
  Token *t = push(x, TOK_NUMBER, bad);
  char digit[MOST_DIGITS + 1] = {0};
  memcpy(digit, t->text.s, (size_t)(n < MOST_DIGITS ? n : MOST_DIGITS));
  t->number = strtod(digit, NULL);
  if (bad > n || n > MOST_DIGITS || !isfinite(t->number)) {
    t->kind = TOK_BAD;
    if (!x->quiet) {
      diag_error(x->d, at_bytes(x, t->at, t->n), "'%.*s' is not a number", STR_ARG(t->text));
    }
  }
}

static char unescape(char c)
{
  return c == 't' ? '\t' : c == 'n' ? '\n' : c == '"' || c == '\\' ? c : '\0';
}

static void lex_string(Lexer *x)
{
  Buf b = {.arena = x->a};
  int n = 1;
  while (look(x, n) != '"') {
    char c = look(x, n);
    if (c == '\n' || c == '\0') {
      if (!x->quiet) {
        diag_error(x->d, at_bytes(x, x->at, n), "the string is not closed on its line");
      }
      push(x, TOK_BAD, n);
      return;
    }
    if (c == '\\') {
      c = unescape(look(x, ++n));
      if (c == '\0' && !x->quiet) {
        diag_error(
          x->d, at_bytes(x, x->at + n - 1, 2), "unknown escape; there are \\t \\n \\\" \\\\");
      }
    }
    buf_str(&b, (Str){&c, 1});
    n++;
  }
  push(x, TOK_STRING, n + 1)->text = buf_take(&b);
}

/* May the statement go on in the next line, whatever stands there? */
static bool goes_on(const Lexer *x)
{
  int n = x->out->list.n;
  if (n == 0) {
    return false;
  }
  TokenKind last = x->out->list.data[n - 1].kind;
  return last >= TOK_PLUS && last <= TOK_RANGE;
}

static bool statement_word(Str word)
{
  static const char *const words[] = {"dim", "input", "label", "table", "param", "loss", "output",
    "metric", "train", "fn", "data", "model", "optimizer", "schedule", "grad", "update"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (str_eq(word, str_of(words[i]))) {
      return true;
    }
  }
  return false;
}

/* Does a statement (or nothing more) start at the left of the next line that is not empty? */
static bool statement_ahead(const Lexer *at_line)
{
  Lexer next = *at_line;
  const Lexer *x = &next;
  while (look(x, 0) == '\n') {
    next.at++;
  }
  int n = 0;
  while (is_letter(look(x, n)) || is_digit(look(x, n)) || look(x, n) == '.') {
    n++;
  }
  if (n == 0) {
    return x->at >= x->text.n;
  }
  int after = n;
  while (look(x, after) == ' ') {
    after++;
  }
  return (after > n && statement_word((Str){x->text.s + x->at, n}) && is_letter(look(x, after))) ||
         (look(x, after) == '=' && look(x, after + 1) != '=');
}

static void lex_newline(Lexer *x)
{
  int at = x->at++;
  if (x->nopen > 0 && x->recover && statement_ahead(x)) {
    x->nopen = 0;
  }
  bool inside = x->nopen > 0 && x->out->list.data[x->open[x->nopen - 1]].kind != TOK_OPEN_BRACE;
  if (!inside && (!goes_on(x) || statement_ahead(x))) {
    x->at = at;
    push(x, TOK_END, 1);
  }
}

static void open_bracket(Lexer *x)
{
  if (x->nopen == MOST_BRACKETS) {
    if (!x->quiet) {
      diag_error(
        x->d, at_bytes(x, x->at - 1, 1), "brackets are nested more than %d deep", MOST_BRACKETS);
    }
    x->nopen = 0;
  }
  x->open[x->nopen++] = x->out->list.n - 1;
}

static void close_bracket(Lexer *x)
{
  Tokens *t = x->out;
  int here = t->list.n - 1;
  TokenKind kind = t->list.data[here].kind;
  if (x->nopen == 0) {
    return; /* the parser stumbles over it */
  }
  int partner = x->open[--x->nopen];
  if ((int)kind == (int)t->list.data[partner].kind + 1) {
    t->list.data[here].match = partner;
    t->list.data[partner].match = here;
  } else {
    x->unclosed = true;
  }
}

typedef struct Mark {
  const char *text;
  TokenKind kind;
} Mark;

static void lex_mark(Lexer *x)
{
  static const Mark marks[] = {{"...", TOK_SPREAD}, {"..", TOK_RANGE}, {"->", TOK_ARROW},
    {"<=", TOK_LESS_EQUAL}, {">=", TOK_GREATER_EQUAL}, {"==", TOK_EQUAL}, {"!=", TOK_NOT_EQUAL},
    {"+", TOK_PLUS}, {"-", TOK_MINUS}, {"*", TOK_STAR}, {"/", TOK_SLASH}, {"^", TOK_CARET},
    {"<", TOK_LESS}, {">", TOK_GREATER}, {"=", TOK_ASSIGN}, {"~", TOK_TILDE}, {":", TOK_COLON},
    {",", TOK_COMMA}, {";", TOK_SEMICOLON}, {"(", TOK_OPEN}, {")", TOK_CLOSE},
    {"[", TOK_OPEN_SQUARE}, {"]", TOK_CLOSE_SQUARE}, {"{", TOK_OPEN_BRACE}, {"}", TOK_CLOSE_BRACE}};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    int n = (int)strlen(marks[i].text);
    if (x->at + n > x->text.n || memcmp(x->text.s + x->at, marks[i].text, (size_t)n) != 0) {
      continue;
    }
    TokenKind kind = push(x, marks[i].kind, n)->kind;
    if (kind == TOK_OPEN || kind == TOK_OPEN_SQUARE || kind == TOK_OPEN_BRACE) {
      open_bracket(x);
    } else if (kind == TOK_CLOSE || kind == TOK_CLOSE_SQUARE || kind == TOK_CLOSE_BRACE) {
      close_bracket(x);
    }
    return;
  }
  int n = utf8_length((const unsigned char *)x->text.s + x->at, x->text.n - x->at);
  if (!x->quiet) {
    diag_error(x->d, at_bytes(x, x->at, n), "'%.*s' means nothing here", n, x->text.s + x->at);
  }
  push(x, TOK_BAD, n);
}

static void lex_all(Lexer *x)
{
  while (x->at < x->text.n) {
    char c = x->text.s[x->at];
    if (c == '\n') {
      lex_newline(x);
    } else if (c == ' ' || c == '\t' || c == '\r') {
      x->at++;
    } else if (c == '#') {
      while (x->at < x->text.n && look(x, 0) != '\n') {
        x->at++;
      }
    } else if (is_letter(c)) {
      lex_name(x);
    } else if (is_digit(c) || (c == '.' && is_digit(look(x, 1)))) {
      lex_number(x);
    } else if (c == '"') {
      lex_string(x);
    } else {
      lex_mark(x);
    }
  }
  x->unclosed = x->unclosed || x->nopen > 0;
  int n = x->out->list.n;
  if (n > 0) { /* the end is where the text ends, not behind the last empty line */
    x->at = x->out->list.data[n - 1].at + x->out->list.data[n - 1].n;
  }
  push(x, TOK_END, 0);
  push(x, TOK_EOF, 0);
}

bool lex_source(Arena *a, const Source *source, Diags *d, Tokens *tokens)
{
  *tokens = (Tokens){.source = source};
  Lexer x = {.a = a, .d = d, .out = tokens, .text = source->text};
  if (!check_text(&x)) {
    return false;
  }
  lex_all(&x);
  if (x.unclosed) {
    tokens->list.n = 0;
    Lexer again = {
      .a = a, .d = d, .out = tokens, .text = source->text, .recover = true, .quiet = true};
    lex_all(&again);
  }
  return true;
}
