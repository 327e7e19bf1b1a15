/* check_fit_file.c: the file of a fit that is read, not learnt: `file = "model.txt"`.
 *
 * One idea: a type needs two numbers of a forest, how many trees it has and how many leaves the largest of
 * them; they are counted here, by looking for words, and what is in the file is none of the compiler's
 * business: the program reads and checks it when it trains. */

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_NAME = 200 };

/* The file is copied beside the generated C: it must not be a header, a source or a program there. */
static bool has_plain_end(Str name)
{
  return (name.n > 4 && !memcmp(name.s + name.n - 4, ".txt", 4)) ||
         (name.n > 5 && !memcmp(name.s + name.n - 5, ".json", 5));
}

/* A path below the model's folder: no way up, nothing absolute, nothing that a shell or a terminal would take
 * for something else. */
static bool is_inside(Str name)
{
  for (int i = 0, start = 0; i <= name.n; i++) {
    if (i < name.n && name.s[i] != '/') {
      unsigned char c = (unsigned char)name.s[i];
      if (c < ' ' || c == 127 || c == '\\') {
        return false;
      }
      continue;
    }
    Str part = {name.s + start, i - start};
    if (part.n == 0 || str_eq(part, S(".")) || str_eq(part, S("..")) || part.s[0] == '-' ||
        part.s[0] == '@') {
      return false;
    }
    start = i + 1;
  }
  return name.n <= MOST_NAME && has_plain_end(name);
}

bool check_fit_file(Checker *c, const Expr *e, Str *out)
{
  if (e->kind != EXPR_STRING || !is_inside(e->name)) {
    fail(c, e->loc,
      "wanted a file in the model's folder or below it: file = \"model.txt\", or .json, without "
      "'..', and at most %d bytes",
      MOST_NAME);
    return false;
  }
  *out = e->name;
  return true;
}

/* Beside the model's text. */
static const char *path_of(Checker *c, Str file)
{
  Str model = c->g->source->name;
  int folder = model.n;
  while (folder > 0 && model.s[folder - 1] != '/') {
    folder--;
  }
  return str_format(c->a, "%.*s%.*s", folder, model.s, STR_ARG(file)).s;
}

/* The whole file and a zero behind it, malloc'd; NULL: it cannot be read. */
static char *read_whole(const char *path, size_t *n)
{
  struct stat st;
  bool plain = stat(path, &st) == 0 && S_ISREG(st.st_mode); /* else it may have no end */
  FILE *in = plain ? fopen(path, "rb") : NULL;
  char *text = NULL;
  size_t room = 0, got = in ? 1 : 0;
  bool failed = !in;
  for (*n = 0; got > 0 && !failed; *n += got) {
    if (*n + 1 >= room) {
      room = room ? 2 * room : 1 << 16;
      char *more = realloc(text, room);
      failed = !more;
      text = more ? more : text;
    }
    got = failed ? 0 : fread(text + *n, 1, room - *n - 1, in);
  }
  failed = failed || ferror(in);
  if (in) {
    fclose(in);
  }
  if (failed) {
    free(text);
    return NULL;
  }
  text[*n] = 0;
  return text;
}

/* Lines of LightGBM's text: "Tree=0", "num_leaves=31". */
static void count_lines(const char *text, const char *end, double *trees, double *leaves)
{
  for (const char *line = text; line < end;) {
    if (!strncmp(line, "Tree=", 5)) {
      ++*trees;
    } else if (!strncmp(line, "num_leaves=", 11)) {
      double n = strtod(line + 11, NULL);
      *leaves = n > *leaves ? n : *leaves;
    }
    const char *next = memchr(line, '\n', (size_t)(end - line));
    line = next ? next + 1 : end;
  }
}

/* XGBoost's JSON: "left_children":[1,-1,...], where -1 marks a leaf. */
static void count_lists(const char *text, const char *end, double *trees, double *leaves)
{
  static const char key[] = "\"left_children\"";
  const size_t length = sizeof key - 1;
  for (const char *at = text; (at = memmem(at, (size_t)(end - at), key, length)) != NULL;) {
    double n = 0;
    for (at += length; at < end && *at != ']'; at++) {
      n += *at == '-';
    }
    *leaves = n > *leaves ? n : *leaves;
    ++*trees;
  }
}

bool check_fit_sizes(Checker *c, const Expr *e, Str file, double *trees, double *leaves)
{
  const char *path = path_of(c, file);
  size_t n;
  char *text = read_whole(path, &n);
  double t = 0, l = 0;
  if (!text) {
    fail(c, e->loc, "cannot read %s to see how large the forest is; or say trees = N, leaves = N",
      path);
    return false;
  }
  const char *first = text + strspn(text, " \t\r\n");
  (*first == '{' ? count_lists : count_lines)(text, text + n, &t, &l);
  free(text);
  if (t < 1 || l < 1) {
    fail(c, e->loc, "%s is neither LightGBM's text nor XGBoost's JSON: no tree in it", path);
    return false;
  }
  *trees = *trees > 0 ? *trees : t;
  *leaves = *leaves > 0 ? *leaves : l;
  return true;
}
