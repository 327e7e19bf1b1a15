/* A forest from a file, of whichever kind it is. */

#include "trees.h"

#include <errno.h>
#include <string.h>

static char *read_file(const char *path, size_t *n, rank_error *e)
{
  FILE *in = fopen(path, "rb");
  char *text = NULL;
  size_t room = 0, got = 1;
  *n = 0;
  while (in && got > 0) {
    if (*n + 1 >= room) {
      room = room ? 2 * room : 1 << 16;
      char *more = realloc(text, room);
      if (!more) {
        errno = ENOMEM;
        break;
      }
      text = more;
    }
    got = fread(text + *n, 1, room - *n - 1, in);
    *n += got;
  }
  if (!in || got > 0 || ferror(in)) {
    rank_fail(e, "%s: cannot read: %s", path, strerror(errno));
    free(text);
    text = NULL;
  }
  if (in) {
    fclose(in);
  }
  return text;
}

rank_forest *rank_forest_load(const char *path, rank_error *e)
{
  size_t n;
  char *text = read_file(path, &n, e);
  rank_forest *f = NULL;
  if (!text) {
    return NULL;
  }
  size_t at = 0;
  while (at < n && strchr(" \t\r\n", text[at])) {
    at++;
  }
  if (at < n && text[at] == '{') {
    f = rank_forest_read_xgboost(text, n, e);
  } else if (n >= 4 && memcmp(text, "tree", 4) == 0) {
    f = rank_forest_read_lightgbm(text, n, e);
  } else {
    rank_fail(e, "%s: neither LightGBM's text nor XGBoost's JSON", path);
  }
  free(text);
  return f;
}
