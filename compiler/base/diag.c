/* diag.c: see diag.h. */

#include "diag.h"

#include <stdarg.h>
#include <unistd.h>

enum { MOST_ERRORS = 20, LONGEST_LINE = 300 };

__attribute__((format(printf, 4, 0))) static void add(
  Diags *d, Loc loc, bool note, const char *format, va_list args)
{
  char text[1024];
  vsnprintf(text, sizeof text, format, args);
  Diag *diag = VEC_PUSH(d->arena, &d->list);
  *diag = (Diag){loc, str_copy(d->arena, str_of(text)), note};
  d->errors += !note;
}

void diag_error(Diags *d, Loc loc, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  add(d, loc, false, format, args);
  va_end(args);
}

void diag_note(Diags *d, Loc loc, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  add(d, loc, true, format, args);
  va_end(args);
}

/* What a terminal would obey rather than show (also two bytes that are one such character) is shown as '?'. */
static void print_text(Str text, FILE *out)
{
  for (int i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.s[i],
                  next = i + 1 < text.n ? (unsigned char)text.s[i + 1] : 0;
    bool long_control = c == 0xc2 && next >= 0x80 && next < 0xa0;
    bool control = (c < ' ' && c != '\t') || c == 0x7f || long_control;
    fputc(control ? '?' : c, out);
    i += long_control;
  }
}

static int line_start(Loc loc)
{
  int at = loc.at < loc.source->text.n ? loc.at : loc.source->text.n;
  while (at > 0 && loc.source->text.s[at - 1] != '\n') {
    at--;
  }
  return at;
}

int loc_line(Loc loc)
{
  if (!loc.source) {
    return 0;
  }
  int line = 1;
  for (int i = 0; i < loc.at && i < loc.source->text.n; i++) {
    line += loc.source->text.s[i] == '\n';
  }
  return line;
}

int loc_column(Loc loc)
{
  return loc.source ? loc.at - line_start(loc) + 1 : 0;
}

Loc loc_join(Loc from, Loc to)
{
  if (from.source == to.source && to.at + to.n > from.at) {
    from.n = to.at + to.n - from.at;
  }
  return from;
}

/* The line that holds loc, and under it a caret and as many tildes as fit on that line. Of a line that
 * nobody would read in full, what is around loc. */
static void print_line(Loc loc, const char *colour, const char *plain, FILE *out)
{
  Str text = loc.source->text;
  int start = line_start(loc);
  int end = start;
  start = loc.at - start > LONGEST_LINE ? loc.at - LONGEST_LINE : start;
  while (end < text.n && text.s[end] != '\n' && end - loc.at < LONGEST_LINE) {
    end++;
  }
  int shown = end > start && text.s[end - 1] == '\r' ? end - 1 : end;
  fprintf(out, "%5d | ", loc_line(loc));
  print_text((Str){text.s + start, shown - start}, out);
  fputs("\n      | ", out);
  for (int i = start; i < loc.at && i < end; i++) {
    fputc(text.s[i] == '\t' ? '\t' : ' ', out);
  }
  fprintf(out, "%s^", colour);
  for (int i = loc.at + 1; i < loc.at + loc.n && i < end; i++) {
    fputc('~', out);
  }
  fprintf(out, "%s\n", plain);
}

void diag_print(const Diags *d, FILE *out)
{
  bool colours = isatty(fileno(out)) != 0;
  const char *plain = colours ? "\033[0m" : "";
  const char *bold = colours ? "\033[1m" : "";
  int errors = 0;
  for (int i = 0; i < d->list.n; i++) {
    const Diag *diag = &d->list.data[i];
    errors += !diag->note;
    if (errors > MOST_ERRORS) {
      fprintf(out, "and %d more errors\n", d->errors - MOST_ERRORS);
      return;
    }
    const char *colour = !colours ? "" : diag->note ? "\033[1;36m" : "\033[1;31m";
    if (diag->loc.source) {
      fputs(bold, out);
      print_text(diag->loc.source->name, out);
      fprintf(out, ":%d:%d:%s ", loc_line(diag->loc), loc_column(diag->loc), plain);
    }
    fprintf(out, "%s%s:%s ", colour, diag->note ? "note" : "error", plain);
    print_text(diag->message, out);
    fputc('\n', out);
    if (diag->loc.source) {
      print_line(diag->loc, colour, plain, out);
    }
  }
}
