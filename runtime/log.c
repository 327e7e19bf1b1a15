/* log.c: what a running program shows: lines, a progress bar on a terminal, JSON.
 *
 * One idea: the bar lives on standard error and is wiped before anything else is printed, so that
 * standard output stays clean when it goes to a file. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double BAR_EVERY = 0.1, LINE_EVERY = 30; /* seconds */

double rank_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int rank_log_open(rank_log *l, int quiet, const char *json_path, int append, rank_error *e)
{
  *l = (rank_log){
    .quiet = quiet, .out = stdout, .bar = !quiet && isatty(STDERR_FILENO), .last = rank_now()};
  if (json_path != NULL) {
    l->json = fopen(json_path, append ? "a" : "w");
    if (l->json == NULL) {
      return rank_fail(e, "%s: cannot write: %s", json_path, strerror(errno));
    }
    setvbuf(l->json, NULL, _IOLBF, 0); /* a line is there as soon as it is written */
  }
  return 0;
}

int rank_log_close(rank_log *l, rank_error *e)
{
  rank_log_clear(l);
  int lost = l->json != NULL && ferror(l->json); /* a line before this: its reason is gone */
  errno = 0;
  int failed = l->json != NULL && (fclose(l->json) != 0 || lost);
  l->json = NULL;
  return failed ? rank_fail(e, "the log could not be written: %s",
                    errno != 0 ? strerror(errno) : "lines are missing, the disk may be full")
                : 0;
}

void rank_log_clear(rank_log *l)
{
  if (l->shown) {
    fputs("\r\033[K", stderr);
    fflush(stderr);
    l->shown = 0;
  }
}

void rank_log_line(rank_log *l, const char *format, ...)
{
  if (l->quiet) {
    return;
  }
  rank_log_clear(l);
  va_list args;
  va_start(args, format);
  vfprintf(l->out, format, args);
  va_end(args);
  fputc('\n', l->out);
  fflush(l->out);
}

static void draw_bar(rank_log *l, double fraction, const char *text)
{
  static const int CELLS = 24;
  static const char full[] = "########################", empty[] = "........................";
  struct winsize size = {0};
  int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  int done = (int)(fraction * CELLS), room = columns - CELLS - 9;
  done = done < 0 ? 0 : done > CELLS ? CELLS : done;
  fprintf(stderr, "\r\033[K[%.*s%.*s] %3d%% %.*s", done, full, CELLS - done, empty,
    (int)(fraction * 100), room > 0 ? room : 0, text);
  fflush(stderr);
  l->shown = 1;
}

void rank_log_progress(rank_log *l, double fraction, const char *text)
{
  double now = rank_now();
  if (l->quiet || now - l->last < (l->bar ? BAR_EVERY : LINE_EVERY)) {
    return;
  }
  l->last = now;
  if (l->bar) {
    draw_bar(l, fraction, text);
  } else {
    fprintf(stderr, "%3d%%  %s\n", (int)(fraction * 100), text);
  }
}

/* --- text and JSON --- */

const char *rank_count_text(double x, char text[32])
{
  char digits[32];
  int n = snprintf(digits, sizeof digits, "%.0f", x < 0 || x > 1e15 ? 0 : x);
  int to = 0;
  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0) {
      text[to++] = ',';
    }
    text[to++] = digits[i];
  }
  text[to] = '\0';
  return text;
}

void rank_json_string(FILE *out, const char *text)
{
  rank_json_bytes(out, text, (long)strlen(text));
}

void rank_json_bytes(FILE *out, const char *text, long length)
{
  fputc('"', out);
  for (const char *end = text + length; text < end; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      fputc('\\', out);
      fputc(c, out);
    } else if (c < 0x20) {
      fprintf(out, "\\u%04x", c);
    } else {
      fputc(c, out);
    }
  }
  fputc('"', out);
}

void rank_json_number(FILE *out, double x)
{
  if (isfinite(x)) {
    fprintf(out, "%.10g", x);
  } else {
    fputs("null", out);
  }
}

void rank_json_scores(FILE *out, const rank_scores *scores)
{
  fputc('{', out);
  for (int i = 0; i < scores->n; i++) {
    fputs(i ? ", " : "", out);
    rank_json_string(out, scores->score[i].name);
    fputs(": ", out);
    rank_json_number(out, scores->score[i].value);
  }
  fputc('}', out);
}
