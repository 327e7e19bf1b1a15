/* tokens.c: the tokens of one line, the brackets that precedence implies, and where it may be broken. */

#include "wrap.h"

#include <ctype.h>
#include <string.h>

typedef struct Parser {
  Token *t;
  int n, at;
} Parser;

static bool is(const Token *t, const char *text)
{
  return str_eq(t->text, str_of(text));
}

static int operator_length(const char *s, int n)
{
  static const char *const longer[] = {"<<=", ">>=", "...", "->", "++", "--", "<<", ">>",
    "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", NULL};
  for (int i = 0; longer[i]; i++) {
    int k = (int)strlen(longer[i]);
    if (k <= n && memcmp(s, longer[i], (size_t)k) == 0) {
      return k;
    }
  }
  return 1;
}

static int token_length(const char *s, int n)
{
  int k = 1;
  if (*s == '"' || *s == '\'') {
    while (k < n && s[k] != *s) {
      k += s[k] == '\\' ? 2 : 1;
    }
    return k < n ? k + 1 : n;
  }
  if (isalnum((unsigned char)*s) || *s == '_') {
    bool number = isdigit((unsigned char)*s);
    while (k < n && (isalnum((unsigned char)s[k]) || s[k] == '_' || (number && s[k] == '.') ||
                      (number && strchr("+-", s[k]) && strchr("eE", s[k - 1])))) {
      k++;
    }
    return k;
  }
  return operator_length(s, n);
}

static int level_of(const Token *t)
{
  static const struct {
    const char *text;
    int level;
  } levels[] = {{"=", LEVEL_ASSIGN}, {"+=", LEVEL_ASSIGN}, {"-=", LEVEL_ASSIGN},
    {"*=", LEVEL_ASSIGN}, {"/=", LEVEL_ASSIGN}, {"?", LEVEL_CONDITIONAL}, {":", LEVEL_CONDITIONAL},
    {"||", LEVEL_OR}, {"&&", 5}, {"|", 6}, {"^", 7}, {"&", 8}, {"==", LEVEL_EQUAL},
    {"!=", LEVEL_EQUAL}, {"<", LEVEL_RELATIONAL}, {">", LEVEL_RELATIONAL}, {"<=", LEVEL_RELATIONAL},
    {">=", LEVEL_RELATIONAL}, {"<<", 12}, {">>", 12}, {"+", 13}, {"-", 13}, {"*", LEVEL_PRODUCT},
    {"/", LEVEL_PRODUCT}, {"%", LEVEL_PRODUCT}};
  for (int i = 0; i < (int)(sizeof levels / sizeof *levels); i++) {
    if (is(t, levels[i].text)) {
      return levels[i].level;
    }
  }
  return LEVEL_NONE;
}

static void split(Arena *a, Str line, Tokens *out)
{
  bool space = false;
  for (int i = 0; i < line.n;) {
    if (line.s[i] == ' ') {
      space = true;
      i++;
      continue;
    }
    int k = token_length(line.s + i, line.n - i);
    *VEC_PUSH(a, &out->list) =
      (Token){.text = {line.s + i, k}, .space = space, .level = LEVEL_NONE};
    i += k;
    space = false;
  }
}

/* Generated text has spaces on both sides of an infix operator and of no other. */
static void classify(Tokens *tokens)
{
  int nesting = 0, binding = 1;
  for (int i = 0; i < tokens->list.n; i++) {
    Token *t = &tokens->list.data[i];
    bool spaced = t->space && i + 1 < tokens->list.n && tokens->list.data[i + 1].space;
    t->open = is(t, "(") || is(t, "[");
    t->close = is(t, ")") || is(t, "]");
    t->nesting = nesting;
    t->binding = binding;
    int step = t->text.s[0] == '(' || t->text.s[0] == ')' ? 1 : 10;
    nesting += t->open - t->close;
    binding += t->open ? step : t->close ? -step : 0;
    if (is(t, ",")) {
      t->level = LEVEL_COMMA;
    } else if (is(t, ";")) {
      t->level = LEVEL_SEMI;
    } else if (spaced) {
      t->level = level_of(t);
      t->condition = t->level == LEVEL_CONDITIONAL;
      t->binary = t->level != LEVEL_NONE && !t->condition;
    }
  }
}

/* ---- precedence ---- */

static Token *current(Parser *p)
{
  return p->at < p->n ? &p->t[p->at] : NULL;
}

static void enclose(Parser *p, int start, int level)
{
  Token *first = &p->t[start];
  if (first->nfake_open < MOST_FAKE) {
    first->fake_open[first->nfake_open++] = level;
    p->t[p->at - 1].fake_close++;
    first->starts |= level > 0;
    p->t[p->at - 1].ends |= level > 0;
  }
}

static void parse(Parser *p, int level);

static void parse_scope(Parser *p)
{
  while (current(p) && !current(p)->close) {
    p->at++;
    parse(p, 0);
  }
  p->at++;
}

static void parse_operand(Parser *p)
{
  while (current(p) && !current(p)->close && current(p)->level == LEVEL_NONE) {
    if (current(p)->open) {
      parse_scope(p);
    } else {
      p->at++;
    }
  }
}

static void parse_conditional(Parser *p)
{
  int start = p->at;
  parse(p, LEVEL_OR);
  if (!current(p) || !is(current(p), "?")) {
    return;
  }
  p->at++;
  parse(p, LEVEL_ASSIGN);
  if (current(p) && current(p)->condition) {
    p->at++;
    parse(p, LEVEL_ASSIGN);
    enclose(p, start, LEVEL_CONDITIONAL);
  }
}

static void parse(Parser *p, int level)
{
  while (current(p) && is(current(p), "return")) {
    p->at++;
  }
  if (level > LEVEL_PRODUCT) {
    parse_operand(p);
    return;
  }
  if (level == LEVEL_CONDITIONAL) {
    parse_conditional(p);
    return;
  }
  int start = p->at;
  Token *last = NULL;
  while (current(p)) {
    parse(p, level + 1);
    Token *t = current(p);
    if (!t || t->close || (t->level != LEVEL_NONE && t->level < level) ||
        (t->condition && level == LEVEL_ASSIGN && is(t, ":"))) {
      break;
    }
    if (t->level == level) {
      t->first_operator = !last;
      t->last_operator = true;
      if (last) {
        last->last_operator = false;
      }
      last = t;
    }
    p->at++;
  }
  if (last && (current(p) || level > 0)) {
    enclose(p, start, level);
  }
}

/* ---- breaks ---- */

static int split_penalty(const Token *first, const Token *before, const Token *left, const Token *t)
{
  if (left->level == LEVEL_SEMI) {
    return 0;
  }
  if (is(first, "for") && is(left, "=")) {
    return 4;
  }
  if (is(left, "(")) {
    return before && (is(before, "for") || is(before, "if")) ? 1000 : 0;
  }
  return left->level >= 0 ? left->level : t->condition ? LEVEL_CONDITIONAL : 3;
}

void tokens_read(Arena *a, Str line, Tokens *out)
{
  split(a, line, out);
  classify(out);
  Parser p = {out->list.data, out->list.n, 0};
  parse(&p, 0);
  int braces = 0; /* what stands in braces stays together */
  for (int i = 1; i < out->list.n; i++) {
    Token *t = &out->list.data[i], *left = t - 1;
    braces += is(left, "{") - is(t, "}");
    t->breakable = braces == 0 && ((is(left, "(") && !t->close) || left->level == LEVEL_COMMA ||
                                    left->level == LEVEL_SEMI || left->binary || t->condition);
    t->penalty = 20 * t->binding + split_penalty(out->list.data, i > 1 ? left - 1 : NULL, left, t);
  }
}
