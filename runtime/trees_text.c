/* Lines, words and numbers of a text; see trees_text.h. */

#include "trees_text.h"

#include <stdlib.h>
#include <string.h>

int text_line(text_span *rest, text_span *line)
{
  if (rest->at >= rest->end) {
    return 0;
  }
  const char *end = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));
  line->at = rest->at;
  line->end = end ? end : rest->end;
  rest->at = end ? end + 1 : rest->end;
  while (line->end > line->at && line->end[-1] == '\r') {
    line->end--;
  }
  return 1;
}

int text_word(text_span *rest, text_span *word)
{
  while (rest->at < rest->end && *rest->at == ' ') {
    rest->at++;
  }
  word->at = rest->at;
  while (rest->at < rest->end && *rest->at != ' ') {
    rest->at++;
  }
  word->end = rest->at;
  return word->end > word->at;
}

int text_is(text_span s, const char *word)
{
  size_t n = (size_t)(s.end - s.at);
  return n == strlen(word) && memcmp(s.at, word, n) == 0;
}

int text_key(text_span line, const char *key, text_span *value)
{
  size_t n = strlen(key);
  if ((size_t)(line.end - line.at) <= n || memcmp(line.at, key, n) != 0 || line.at[n] != '=') {
    return 0;
  }
  value->at = line.at + n + 1;
  value->end = line.end;
  return 1;
}

char *text_copy(text_span s)
{
  if (memchr(s.at, 0, (size_t)(s.end - s.at))) {
    return NULL;
  }
  return strndup(s.at, (size_t)(s.end - s.at));
}

/* As a string that ends in a zero byte; 0: longer than any number. */
static int terminated(text_span s, char word[64])
{
  size_t n = (size_t)(s.end - s.at);
  if (n == 0 || n >= 64 || memchr(s.at, 0, n)) {
    return 0;
  }
  memcpy(word, s.at, n);
  word[n] = 0;
  return 1;
}

int text_long(text_span s, long low, long high, long *x)
{
  char word[64], *end;
  if (!terminated(s, word)) {
    return 0;
  }
  *x = strtol(word, &end, 10);
  return *end == 0 && *x >= low && *x <= high;
}

int text_double(text_span s, double *x)
{
  char word[64], *end;
  if (!terminated(s, word)) {
    return 0;
  }
  *x = strtod(word, &end);
  return *end == 0;
}
