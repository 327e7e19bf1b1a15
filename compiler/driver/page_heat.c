/* page_heat.c: how long groups took, from the CSV of `rankc bench --groups`, and as colours.
 *
 * One idea: a group is known by what it computes, in the words that bench and explain both have for it. Times
 * of another model, or measured with other options, have other words and are refused, not drawn. */

#include "page.h"

#include "files.h"
#include "table.h"

#include "../pass/reason.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 100, MOST_FIELDS = 64 }; /* the first as bench_code.c has it */

typedef struct Csv {
  Arena *a;
  Str path, text;
  int nheads, line;
  Str head[MOST_FIELDS], field[MOST_FIELDS];
} Csv;

/* The next line into fields; quotes around a field go, within it there are none. False: no more. */
static bool next_line(Csv *c, Str *fields, int *n)
{
  *n = 0;
  if (c->text.n == 0) {
    return false;
  }
  bool more = true;
  while (more && *n < MOST_FIELDS) {
    const char *s = c->text.s;
    bool quoted = c->text.n > 0 && s[0] == '"';
    int from = quoted, at = from;
    while (at < c->text.n && (quoted ? s[at] != '"' : s[at] != ',' && s[at] != '\n')) {
      at++;
    }
    fields[(*n)++] = (Str){s + from, at - from};
    at += quoted && at < c->text.n;
    more = at < c->text.n && s[at] == ',';
    at += at < c->text.n;
    c->text = (Str){s + at, c->text.n - at};
  }
  c->line++;
  return true;
}

/* The line's field under a heading; {0} when there is none. */
static Str field(const Csv *c, const char *head)
{
  for (int i = 0; i < c->nheads; i++) {
    if (str_eq(c->head[i], str_of(head))) {
      return c->field[i];
    }
  }
  return (Str){0};
}

static double number(const Csv *c, const char *head)
{
  Str text = field(c, head);
  return text.n > 0 ? strtod(str_copy(c->a, text).s, NULL) : -1;
}

static bool refuse(const Csv *c, PageRole *role, int group)
{
  const Count *count = role->count;
  Str here = group < count->groups.n
               ? group_text(c->a, role->plan, &count->groups.data[group], NAME_ROOM)
               : S("not there");
  fprintf(stderr,
    "rankc: error: %.*s:%d: group %.*s computes \"%.*s\", here it is \"%.*s\": it was measured on "
    "another model, or with other options\n",
    STR_ARG(c->path), c->line, STR_ARG(field(c, "group")), STR_ARG(field(c, "computes")),
    STR_ARG(here));
  return false;
}

static bool take_group(const Csv *c, PageRole *role, double *ns)
{
  const Count *count = role->count;
  double index = number(c, "group"), time = number(c, "ns_per_sample");
  int group = index >= 1 && index <= count->groups.n ? (int)index - 1 : count->groups.n;
  if (group == count->groups.n || !isfinite(time) || time < 0 ||
      !str_eq(field(c, "computes"),
        group_text(c->a, role->plan, &count->groups.data[group], NAME_ROOM))) {
    return refuse(c, role, group);
  }
  ns[group] = time;
  role->all += time;
  role->most = time > role->most ? time : role->most;
  role->measured = str_format(c->a, "measured with %.*s threads in batches of %.*s",
    STR_ARG(field(c, "threads")), STR_ARG(field(c, "batch")));
  return true;
}

static PageRole *role_of(const Csv *c, PageRole *roles, int n)
{
  Str pass = field(c, "pass");
  for (int i = 0; i < n; i++) {
    const char *name = strcmp(roles[i].name, "predict") == 0 ? "forward" : roles[i].name;
    if (str_eq(pass, str_of(name))) {
      return &roles[i];
    }
  }
  return NULL;
}

static Str nanoseconds(Arena *a, double ns)
{
  return ns < 100 ? str_format(a, "%.3g ns", ns)
                  : str_format(a, "%.*s ns", STR_ARG(count_text(a, ns)));
}

/* What is not drawn, because it is once and not for every sample, is said in words. */
static void tell(Arena *a, PageRole *role)
{
  double once = 0;
  for (int i = 0; i < role->count->groups.n; i++) {
    once += role->count->groups.data[i].block < 0 ? role->ns[i] : 0;
  }
  role->measured = str_format(a,
    "%.*s: %.*s of a thread for a sample, of which %.*s are once for the batch; the darker a "
    "group, "
    "the longer it took",
    STR_ARG(role->measured), STR_ARG(nanoseconds(a, role->all)), STR_ARG(nanoseconds(a, once)));
}

bool page_times(const Session *s, Str path, PageRole *roles, int n)
{
  Csv c = {.a = s->options->arena, .path = path};
  double *ns[2] = {0};
  if (!file_read(c.a, path, &c.text)) {
    return false;
  }
  int nfields, taken = 0;
  next_line(&c, c.head, &c.nheads);
  while (next_line(&c, c.field, &nfields)) {
    PageRole *role = nfields == c.nheads && field(&c, "group").n > 0 ? role_of(&c, roles, n) : NULL;
    if (!role) {
      continue;
    }
    int which = (int)(role - roles);
    ns[which] = ns[which] ? ns[which] : ARENA_ARRAY(c.a, double, role->count->groups.n + 1);
    if (!take_group(&c, role, ns[which])) {
      return false;
    }
    taken++;
  }
  for (int i = 0; i < n; i++) {
    roles[i].ns = ns[i];
    if (ns[i]) {
      tell(c.a, &roles[i]);
    }
  }
  if (taken == 0) {
    fprintf(stderr,
      "rankc: error: %.*s has no times of groups: rankc bench --groups --csv writes them\n",
      STR_ARG(path));
  }
  return taken > 0;
}

/* ---- to look at ---- */

/* From nearly white over orange to red, by the share of the longest. */
Str page_heat(Arena *a, const PageRole *role, int group)
{
  static const double stops[3][3] = {{255, 247, 236}, {253, 187, 132}, {239, 101, 72}};
  if (!role->ns) {
    return S("#eef3f8");
  }
  double at = role->most > 0 ? 2 * role->ns[group] / role->most : 0;
  int low = at < 1 ? 0 : 1, colour[3];
  for (int i = 0; i < 3; i++) {
    colour[i] = (int)(stops[low][i] + (at - low) * (stops[low + 1][i] - stops[low][i]) + 0.5);
  }
  return str_format(a, "#%02x%02x%02x", colour[0], colour[1], colour[2]);
}

Str page_time(Arena *a, const PageRole *role, int group)
{
  double share = role->all > 0 ? 100 * role->ns[group] / role->all : 0;
  return str_format(a, "%.*s a sample, %.1f%%", STR_ARG(nanoseconds(a, role->ns[group])), share);
}
