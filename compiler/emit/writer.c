/* writer.c: lines, names and literals of the generated C. */

#include "writer.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void put(Emit *e, const char *format, va_list args)
{
  char small[2048];
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(small, sizeof small, format, args);
  char *text = small;
  if (n >= (int)sizeof small) {
    text = ARENA_ARRAY(e->arena, char, n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
  }
  va_end(again);
  buf_format(e->out, "%*s", 2 * e->indent, "");
  buf_str(e->out, (Str){text, n});
  buf_str(e->out, S("\n"));
}

void put_line(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  put(e, format, args);
  va_end(args);
}

void put_open(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  put(e, format, args);
  va_end(args);
  e->indent++;
}

void put_close(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  e->indent--;
  put(e, format, args);
  va_end(args);
}

void put_blank(Emit *e)
{
  buf_str(e->out, S("\n"));
}

Str put_text(Emit *e, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *s = ARENA_ARRAY(e->arena, char, n + 1);
  vsnprintf(s, (size_t)n + 1, format, again);
  va_end(again);
  return (Str){s, n};
}

static const char *const reserved[] = {"auto", "break", "case", "char", "const", "continue",
  "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline",
  "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
  "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "step", "tile", "sums",
  "s", "s0", "n", "row", "col", "sum", "state", "batch", "loss", "out", "work", "main", "exp",
  "log", "y0", "y1", "yn", "j0", "j1", "jn", "gamma", "index", "signal", "linux", "unix", "to",
  "at", "grad", "b", NULL};

static bool is_reserved(Str s)
{
  for (int i = 0; reserved[i]; i++) {
    if (str_eq(s, str_of(reserved[i]))) {
      return true;
    }
  }
  return false;
}

Str name_c(Arena *a, Str name)
{
  Str s = str_format(
    a, "%s%.*s", name.n > 0 && isdigit((unsigned char)name.s[0]) ? "v" : "", STR_ARG(name));
  char *p = ARENA_ARRAY(a, char, s.n + 2);
  for (int i = 0; i < s.n; i++) {
    p[i] = isalnum((unsigned char)s.s[i]) ? s.s[i] : '_';
  }
  Str made = {p, s.n};
  if (is_reserved(made) || (made.n >= 5 && memcmp(made.s, "rank_", 5) == 0)) {
    p[made.n++] = '_';
    made.s = p;
  }
  return made;
}

typedef struct Names {
  VEC(Str) taken;
} Names;

static bool taken(const Names *names, Str s)
{
  for (int i = 0; i < names->taken.n; i++) {
    if (str_eq(names->taken.data[i], s)) {
      return true;
    }
  }
  return false;
}

static Str claim(Emit *e, Names *names, Str wanted)
{
  Str s = wanted;
  for (int i = 1; taken(names, s); i++) {
    s = str_format(e->arena, "%.*s_%d", STR_ARG(wanted), i);
  }
  *VEC_PUSH(e->arena, &names->taken) = s;
  return s;
}

static Str axis_letter(Emit *e, const Axis *axis)
{
  if (axis->number) {
    return S("i");
  }
  Str s = name_c(e->arena, axis->name);
  char *p = (char *)str_copy(e->arena, s).s;
  for (int i = 0; i < s.n; i++) {
    p[i] = (char)tolower((unsigned char)p[i]);
  }
  return name_c(e->arena, (Str){p, s.n});
}

void names_make(Emit *e, Plan *p)
{
  Names names = {0};
  const Graph *g = e->g;
  for (int i = 0; i < g->axes.n; i++) { /* ragged axes own NAME_off, NAME_row and NAME_len */
    Str c = name_c(e->arena, g->axes.data[i].name);
    *VEC_PUSH(e->arena, &names.taken) = str_format(e->arena, "%.*s_off", STR_ARG(c));
    *VEC_PUSH(e->arena, &names.taken) = str_format(e->arena, "%.*s_row", STR_ARG(c));
    *VEC_PUSH(e->arena, &names.taken) = str_format(e->arena, "%.*s_len", STR_ARG(c));
  }
  for (int pass = 0; pass < 2; pass++) { /* the user's names first */
    for (int i = 0; i < g->nodes.n; i++) {
      const Node *n = g->nodes.data[i];
      Value *v = &p->value[i];
      Str own = n->op == OP_INPUT   ? g->inputs.data[n->leaf].name
                : n->op == OP_PARAM ? g->params.data[n->leaf].name
                                    : n->name;
      if (pass == 0 && own.n > 0) {
        v->name = claim(e, &names, name_c(e->arena, own));
      } else if (pass == 1 && v->name.n == 0) {
        v->name = claim(e, &names, str_format(e->arena, "v%d", i));
      }
    }
  }
  for (int i = 0; i < p->packs.n; i++) {
    Str of = p->value[p->packs.data[i].node->id].name;
    p->packs.data[i].name = claim(e, &names, str_format(e->arena, "%.*s_packed", STR_ARG(of)));
  }
  for (int i = 0; i < g->axes.n; i++) {
    e->axis_var[i] = claim(e, &names, axis_letter(e, &g->axes.data[i]));
  }
}

Str string_c(Arena *a, Str s)
{
  Buf b = {.arena = a};
  buf_str(&b, S("\""));
  for (int i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.s[i];
    if (c == '"' || c == '\\') {
      buf_format(&b, "\\%c", c);
    } else if (c < 32 || c == 127 || c == '?') {
      buf_format(&b, "\\%03o", c);
    } else {
      buf_format(&b, "%c", c);
    }
  }
  buf_str(&b, S("\""));
  return buf_take(&b);
}

Str number_c(const Emit *e, double x)
{
  const char *suffix = e->o->f64 ? "" : "f";
  if (isnan(x) || isinf(x)) {
    return str_of(isnan(x) ? "(rank_real)NAN"
                  : x > 0  ? "(rank_real)INFINITY"
                           : "(rank_real)-INFINITY");
  }
  char s[64];
  for (int digits = 1; digits <= 17; digits++) { /* the shortest text that reads back the same */
    snprintf(s, sizeof s, "%.*g", digits, x);
    double back = strtod(s, NULL);
    if (e->o->f64 ? back == x : (float)back == (float)x) {
      break;
    }
  }
  bool whole = strpbrk(s, ".e") == NULL;
  return str_format(e->arena, "%s%s%s", s, whole ? ".0" : "", suffix);
}

void comment_source(Emit *e, Loc loc)
{
  if (!loc.source || loc_line(loc) == e->line) {
    return;
  }
  e->line = loc_line(loc);
  Str t = loc.source->text;
  int from = loc.at, to = loc.at;
  while (from > 0 && t.s[from - 1] != '\n') {
    from--;
  }
  while (to < t.n && t.s[to] != '\n' && t.s[to] != '#') {
    to++;
  }
  while (to > from && isspace((unsigned char)t.s[to - 1])) {
    to--;
  }
  Str quoted = str_copy(e->arena, (Str){t.s + from, to - from});
  for (char *p = (char *)quoted.s; *p; p++) { /* nothing may end the comment */
    *p = p[0] == '*' && p[1] == '/' ? ' ' : *p;
  }
  const char *slash = strrchr(str_copy(e->arena, loc.source->name).s, '/');
  put_line(e, "/* %s:%d  %s */", slash ? slash + 1 : str_copy(e->arena, loc.source->name).s,
    e->line, quoted.s);
}
