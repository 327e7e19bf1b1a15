/* The JSON cursor; see trees_json.h. */

#include "trees_json.h"

#include <stdlib.h>
#include <string.h>

static void space(json_cursor *c)
{
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) {
    c->at++;
  }
  c->bad |= c->at >= c->end;
}

static char peek(json_cursor *c)
{
  space(c);
  return c->bad ? 0 : *c->at;
}

int json_open(json_cursor *c, char bracket)
{
  c->bad |= peek(c) != bracket;
  c->at += !c->bad;
  return !c->bad;
}

/* Past a comma, if there is one; 0: the bracket closes, or something is wrong. */
int json_more(json_cursor *c)
{
  char next = peek(c);
  if (next == ']' || next == '}') {
    c->at++;
    return 0;
  }
  if (next == ',') {
    c->at++;
    next = peek(c);
    c->bad |= next == ']' || next == '}' || next == ',';
  }
  return !c->bad;
}

void json_string(json_cursor *c, text_span *s)
{
  *s = (text_span){c->at, c->at};
  if (!json_open(c, '"')) {
    return;
  }
  s->at = c->at;
  while (c->at < c->end && *c->at != '"') {
    c->at += *c->at == '\\' ? 2 : 1;
  }
  if (c->at >= c->end) {
    c->bad = 1;
    c->at = c->end;
    s->end = s->at;
    return;
  }
  s->end = c->at++;
}

int json_key(json_cursor *c, text_span *key)
{
  if (!json_more(c)) {
    return 0;
  }
  json_string(c, key);
  return json_open(c, ':');
}

/* The characters of a bare word. */
static text_span bare(json_cursor *c)
{
  text_span s = {c->at, c->at};
  while (c->at < c->end && *c->at && !strchr(",]}:\" \n\r\t", *c->at)) {
    c->at++;
  }
  s.end = c->at;
  return s;
}

void json_skip(json_cursor *c)
{
  long depth = 0;
  do {
    char next = peek(c);
    text_span s;
    if (c->bad) {
      return;
    }
    if (next == '"') {
      json_string(c, &s);
    } else if (next == '{' || next == '[') {
      depth++;
      c->at++;
    } else if (next == '}' || next == ']') {
      depth--;
      c->at++;
      c->bad |= depth < 0;
    } else if (next == ',' || next == ':') {
      c->bad |= depth == 0;
      c->at++;
    } else {
      text_span word = bare(c);
      c->bad |= word.end == word.at;
    }
  } while (depth > 0 && !c->bad);
}

double json_number(json_cursor *c)
{
  double x = 0;
  char first = peek(c);
  text_span s;
  if (first == '"') {
    json_string(c, &s);
    if (s.end - s.at > 2 && *s.at == '[' && s.end[-1] == ']') {
      s.at++;
      s.end--;
    }
  } else {
    s = bare(c);
  }
  if (text_is(s, "true") || text_is(s, "false")) {
    return *s.at == 't';
  }
  c->bad |= !text_double(s, &x);
  return x;
}

static float number32(json_cursor *c)
{
  char word[64], *end = word;
  char first = peek(c);
  if (first != '-' && (first < '0' || first > '9')) {
    return (float)json_number(c);
  }
  text_span s = bare(c);
  size_t n = (size_t)(s.end - s.at);
  if (n == 0 || n >= sizeof word) {
    c->bad = 1;
    return 0;
  }
  memcpy(word, s.at, n);
  word[n] = 0;
  float x = strtof(word, &end);
  c->bad |= *end != 0;
  return x;
}

void json_numbers_read(json_cursor *c, json_numbers *to)
{
  to->n = 0;
  json_open(c, '[');
  while (json_more(c)) {
    if (to->n == to->room) {
      long room = to->room ? 2 * to->room : 64;
      float *more = realloc(to->at, sizeof *more * (size_t)room);
      if (!more) {
        c->bad = 1;
        return;
      }
      to->at = more;
      to->room = room;
    }
    to->at[to->n++] = number32(c);
  }
}
