/* page.c: see page.h.
 *
 * One idea: everything that comes from a line of the model has the class LN, be it a node of the graph, a
 * line of C or that line itself; pointing at one lights all of the same class. Which line C comes from
 * is what its own comments say: one holds until the next, or the end of the function. */

#include "page.h"
#include "files.h"
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HEAD[] =
  "<style>body{font:14px sans-serif;margin:16px;color:#222}pre,.code{font:12px monospace}"
  ".row{display:flex;gap:12px}.box{flex:1;min-width:0;height:85vh;overflow:auto;"
  "border:1px solid #ccc}.code{white-space:pre}.code div{padding:0 6px}"
  ".code i{color:#999;font-style:normal;display:inline-block;width:4em}"
  ".lit{background:#ffe9a8}g.lit path,g.lit polygon{fill:#ffd866}[class*=L]{cursor:pointer}"
  "h2{font-size:16px}h3{font-size:13px;margin:6px}</style>\n";

/* Pointing lights; a click keeps it lit and brings the others into view. */
static const char SCRIPT[] =
  "<script>\n"
  "var kept = null;\n"
  "function line(e) {\n"
  "  for (; e && e.getAttribute; e = e.parentNode) {\n"
  "    var m = /(?:^| )(L[1-9][0-9]*)(?: |$)/.exec(e.getAttribute('class') || '');\n"
  "    if (m) { return m[1]; }\n"
  "  }\n"
  "  return null;\n"
  "}\n"
  "function light(l) {\n"
  "  document.querySelectorAll('.lit').forEach(function (e) { e.classList.remove('lit'); });\n"
  "  if (l) { document.querySelectorAll('.' + l).forEach(function (e) {\n"
  "    e.classList.add('lit'); }); }\n"
  "}\n"
  "document.addEventListener('mouseover', function (v) { light(line(v.target) || kept); });\n"
  "document.addEventListener('click', function (v) {\n"
  "  kept = line(v.target);\n"
  "  light(kept);\n"
  "  var from = v.target.closest('.box');\n"
  "  document.querySelectorAll('.box').forEach(function (b) {\n"
  "    var e = kept && b !== from && b.querySelector('.' + kept);\n"
  "    if (e) { e.scrollIntoView({block: 'nearest', inline: 'nearest'}); }\n"
  "  });\n"
  "});\n"
  "</script>\n";

static void put_escaped(Buf *out, Str text)
{
  for (int i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.s[i];
    if (c == '<' || c == '>' || c == '&' || c == '"') {
      buf_format(out, "&#%d;", c);
    } else if (c >= ' ' || c == '\n' || c == '\t') {
      buf_str(out, (Str){text.s + i, 1});
    }
  }
}

/* Line of the model that a comment names: "  NAME.rank:12  ...", or 0. */
static int named_line(Str text, Str model)
{
  int at = 0;
  while (at < text.n && text.s[at] == ' ') {
    at++;
  }
  Str rest = {text.s + at, text.n - at};
  if (rest.n < model.n + 5 || memcmp(rest.s, "/* ", 3) != 0 ||
      memcmp(rest.s + 3, model.s, (size_t)model.n) != 0 || rest.s[3 + model.n] != ':') {
    return 0;
  }
  return (int)strtol(rest.s + 4 + model.n, NULL, 10);
}

/* The group, counted from 0, whose part of a tile's function begins with this line of C: "group N:",
 * or what it was; -1 at the end of a function. */
static int named_group(Str text, int was)
{
  static const char start[] = "  /* group ";
  int n = (int)sizeof start - 1;
  if (text.n > n && memcmp(text.s, start, (size_t)n) == 0) {
    return (int)strtol(text.s + n, NULL, 10) - 1;
  }
  return text.n > 0 && text.s[0] == '}' ? -1 : was;
}

/* Beside lines of C of a group whose time was measured. */
static void put_heat(Buf *out, const PageRole *role, int group)
{
  if (role && role->ns && group >= 0 && group < role->count->groups.n) {
    Str colour = page_heat(out->arena, role, group), time = page_time(out->arena, role, group);
    buf_format(
      out, " style=\"border-left:5px solid %.*s\" title=\"%.*s\"", STR_ARG(colour), STR_ARG(time));
  }
}

/* A listing with line numbers; of the model when `model` is empty, else of a role's C. */
static void put_listing(Buf *out, Str title, Str text, Str model, const PageRole *role)
{
  int number = 0, from = 0, group = -1;
  buf_format(out, "<div class=\"box\"><h3>");
  put_escaped(out, title);
  buf_format(out, "</h3><div class=\"code\">");
  while (text.n > 0) {
    const char *end = memchr(text.s, '\n', (size_t)text.n);
    Str line = {text.s, end ? (int)(end - text.s) : text.n};
    int named = model.n > 0 ? named_line(line, model) : ++from;
    from = named > 0 ? named : line.n > 0 && line.s[0] == '}' ? 0 : from;
    group = named_group(line, group);
    buf_format(out, "<div class=\"L%d\"", from);
    put_heat(out, role, group);
    buf_format(out, "><i>%d</i>", ++number);
    put_escaped(out, line);
    buf_format(out, "</div\n>"); /* the page has lines, and the listing no empty ones */
    text = (Str){text.s + line.n + (end != NULL), text.n - line.n - (end != NULL)};
  }
  buf_format(out, "</div></div>\n");
}

/* The graph as SVG, by graphviz, in a folder of its own that is gone afterwards. */
static bool draw(Arena *a, const PageRole *role, Str *svg)
{
  Str folder;
  if (!folder_temporary(a, S("/tmp"), &folder)) {
    return false;
  }
  Command c = {0};
  process_add(a, &c, "dot");
  process_add(a, &c, "-Tsvg");
  process_add(a, &c, path_join(a, folder, S("graph.dot")).s);
  process_add(a, &c, "-o");
  Str drawn = path_join(a, folder, S("graph.svg"));
  process_add(a, &c, drawn.s);
  bool fine = file_write(folder, S("graph.dot"), page_dot(a, role), NULL) &&
              process_run(*a, 1, &c, 1) && file_read(a, drawn, svg);
  if (!fine) {
    fprintf(stderr, "rankc: error: graphviz could not draw the graph\n");
  }
  const char *start = fine ? memmem(svg->s, (size_t)svg->n, "<svg", 4) : NULL;
  if (start) {
    *svg = (Str){start, svg->n - (int)(start - svg->s)};
  }
  return folder_remove(folder) && start != NULL;
}

static const EmitFile *file_of(Arena *a, const EmitFiles *files, Str model, const char *role)
{
  Str name = str_format(a, "%.*s_%s.c", STR_ARG(model), role);
  for (int i = 0; i < files->list.n; i++) {
    if (str_eq(files->list.data[i].name, name)) {
      return &files->list.data[i];
    }
  }
  return NULL;
}

/* The last part of a path, and what is before it: "." when that is nothing. */
static Str path_name(Str path, Str *folder)
{
  int at = path.n;
  while (at > 0 && path.s[at - 1] != '/') {
    at--;
  }
  *folder = at == 0 ? S(".") : (Str){path.s, at > 1 ? at - 1 : 1};
  return (Str){path.s + at, path.n - at};
}

bool page_write(const Session *s, const PageRole *roles, int n, const EmitFiles *files, Str text)
{
  Arena *a = s->options->arena;
  const Graph *g = s->graph;
  Buf out = {.arena = a};
  Str folder, model = path_name(g->source->name, &folder);
  if (!process_found("dot")) {
    fprintf(stderr, "rankc: the graph of --html is drawn by graphviz: install it\n");
    return false;
  }
  buf_format(&out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
  put_escaped(&out, g->model);
  buf_format(&out, "</title>\n%s</head><body>\n", HEAD);
  for (int i = 0; i < n; i++) {
    Str svg;
    const EmitFile *file = file_of(a, files, g->model, roles[i].name);
    if (!draw(a, &roles[i], &svg)) {
      return false;
    }
    buf_format(&out, "<h2>%s</h2>\n", roles[i].name);
    if (roles[i].ns) {
      buf_format(&out, "<p class=\"measured\">%.*s</p>\n", STR_ARG(roles[i].measured));
    }
    buf_format(&out, "<div class=\"row\"><div class=\"box\">");
    buf_str(&out, svg);
    buf_format(&out, "</div>\n");
    put_listing(&out, model, g->source->text, (Str){0}, NULL);
    if (file) {
      put_listing(&out, file->name, file->text, model, &roles[i]);
    }
    buf_format(&out, "</div>\n");
  }
  buf_format(&out, "<h2>Sizes and costs</h2>\n<pre>");
  put_escaped(&out, text);
  buf_format(&out, "</pre>\n%s</body></html>\n", SCRIPT);
  Str name = path_name(s->options->html, &folder);
  return file_write(str_copy(a, folder), name, buf_take(&out), NULL);
}
