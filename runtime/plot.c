/* plot.c: learning curves, as an SVG file that needs nothing else.
 *
 * One idea: a curve never has more than POINTS points. When it is full, neighbours become their means
 * and from then on twice as many values make a point, so that a chart of any training is small, and
 * writing it after every epoch is cheap. One panel for what has one scale, below each other. */

#include "rank_runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 1024, NAME = 120, COLOURS = 6 };
static const int LEFT = 84, WIDE = 560, RIGHT = 24, TOP = 62, HIGH = 170, GAP = 64;

static const char STYLE[] =
  "<style>text{font:12px sans-serif;fill:#444}.title{font-size:15px;font-weight:bold;fill:#222}"
  ".line{fill:none;stroke-width:1.6}.grid{stroke:#e4e4e4}.mark{stroke:#888;stroke-dasharray:4 3}"
  ".name{font-weight:bold}</style>\n";
static const char *const colour[COLOURS] = {
  "#2f6fae", "#d1662b", "#3d8b40", "#8e4ba8", "#b03a48", "#5b6770"};

typedef struct point {
  double x, y;
} point;

typedef struct curve {
  char panel[NAME], name[NAME];
  long n, every, waiting; /* so many values make a point; how many of the next one there are, */
  point sum;              /* and their sums */
  point at[POINTS];
} curve;

typedef struct range {
  double low, high;
} range;

struct rank_plot {
  const char *path;
  char title[NAME], across[NAME];
  int n, failed;
  curve **curves;
  double mark; /* NaN: none */
};

/* ---- points ---- */

static curve *curve_find(rank_plot *p, const char *panel, const char *name)
{
  for (int i = 0; i < p->n; i++) {
    if (strcmp(p->curves[i]->panel, panel) == 0 && strcmp(p->curves[i]->name, name) == 0) {
      return p->curves[i];
    }
  }
  curve **more = realloc(p->curves, ((size_t)p->n + 1) * sizeof *more);
  p->curves = more != NULL ? more : p->curves;
  curve *c = more != NULL ? calloc(1, sizeof *c) : NULL;
  if (c == NULL) {
    p->failed = 1;
    return NULL;
  }
  snprintf(c->panel, sizeof c->panel, "%s", panel);
  snprintf(c->name, sizeof c->name, "%s", name);
  c->every = 1;
  p->curves[p->n++] = c;
  return c;
}

static void curve_halve(curve *c)
{
  for (long i = 0; i < POINTS / 2; i++) {
    const point *two = &c->at[2 * i];
    c->at[i] = (point){(two[0].x + two[1].x) / 2, (two[0].y + two[1].y) / 2};
  }
  c->n = POINTS / 2;
  c->every *= 2;
}

void rank_plot_point(rank_plot *p, const char *panel, const char *name, double x, double y)
{
  static const double most =
    1e100; /* beyond it there is nothing to see, and differences overflow */
  curve *c = p != NULL && fabs(y) < most ? curve_find(p, panel, name) : NULL;
  if (c == NULL) {
    return;
  }
  c->sum.x += x;
  c->sum.y += y;
  if (++c->waiting == c->every) {
    c->at[c->n++] = (point){c->sum.x / (double)c->every, c->sum.y / (double)c->every};
    c->sum = (point){0, 0};
    c->waiting = 0;
    if (c->n == POINTS) {
      curve_halve(c);
    }
  }
}

void rank_plot_scores(rank_plot *p, double x, const rank_scores *scores)
{
  rank_plot_point(p, "loss", "validation", x, scores->loss);
  for (int i = 0; i < scores->n; i++) {
    rank_plot_point(p, scores->score[i].name, "validation", x, scores->score[i].value);
  }
}

void rank_plot_mark(rank_plot *p, double x)
{
  if (p != NULL) {
    p->mark = x;
  }
}

/* ---- scales ---- */

/* Also of what is not a whole point yet. */
static long curve_points(const curve *c)
{
  return c->n + (c->waiting > 0);
}

static point curve_point(const curve *c, long i)
{
  double n = (double)c->waiting;
  return i < c->n ? c->at[i] : (point){c->sum.x / n, c->sum.y / n};
}

/* Of x, or of a panel's y. Never empty. */
static range range_of(const rank_plot *p, const char *panel)
{
  range r = {HUGE_VAL, -HUGE_VAL};
  for (int k = 0; k < p->n; k++) {
    const curve *c = p->curves[k];
    for (long i = 0; i < curve_points(c) && (!panel || strcmp(c->panel, panel) == 0); i++) {
      double v = panel ? curve_point(c, i).y : curve_point(c, i).x;
      r.low = v < r.low ? v : r.low;
      r.high = v > r.high ? v : r.high;
    }
  }
  double size = fabs(r.low) > fabs(r.high) ? fabs(r.low) : fabs(r.high);
  if (!(r.high - r.low > 1e-9 * size)) {
    double room = size > 0 ? size * 0.05 : 1;
    r = (range){r.low - room, r.high + room};
  }
  return r;
}

static double place(range r, double v)
{
  return (v - r.low) / (r.high - r.low);
}

/* 1, 2 or 5 times a power of ten, some n of which fill the range. */
static double tick_step(range r, int n)
{
  double rough = (r.high - r.low) / n, power = pow(10, floor(log10(rough))), x = rough / power;
  return power * (x <= 1 ? 1 : x <= 2 ? 2 : x <= 5 ? 5 : 10);
}

static void put_number(FILE *out, double v, double step)
{
  double digits = -floor(log10(step) + 1e-9);
  if (digits > 6 || digits < -6) {
    fprintf(out, "%.6g", v);
  } else {
    fprintf(out, "%.*f", digits > 0 ? (int)digits : 0, v);
  }
}

/* ---- the file ---- */

void rank_svg_text(FILE *out, const char *text)
{
  for (; *text != '\0'; text++) {
    *text == '<' ? fputs("&lt;", out) : *text == '&' ? fputs("&amp;", out) : fputc(*text, out);
  }
}

static void put_grid(FILE *out, range r, int vertical, int top)
{
  double step = tick_step(r, vertical ? 4 : 8), first = ceil(r.low / step - 1e-9);
  double at = 0;
  for (int i = 0; i < 16 && (at = place(r, (first + i) * step)) <= 1 + 1e-9; i++) {
    double x = LEFT + WIDE * at, y = top + HIGH * (1 - at);
    if (vertical) {
      fprintf(out,
        "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
        "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
        LEFT, y, LEFT + WIDE, y, LEFT - 8, y + 4);
    } else {
      fprintf(out,
        "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
        "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
        x, top, x, top + HIGH, x, top + HIGH + 16);
    }
    put_number(out, (first + i) * step, step);
    fputs("</text>\n", out);
  }
}

static void put_curve(FILE *out, const curve *c, range across, range up, int top, int which)
{
  static const long most_dots = 64;
  long n = curve_points(c);
  fprintf(out, "<polyline class=\"line\" stroke=\"%s\" points=\"", colour[which]);
  for (long i = 0; i < n; i++) {
    point v = curve_point(c, i);
    fprintf(out, "%s%.1f,%.1f", i ? " " : "", LEFT + WIDE * place(across, v.x),
      top + HIGH * (1 - place(up, v.y)));
  }
  fputs("\"/>\n", out);
  for (long i = 0; i < n && n <= most_dots; i++) {
    point v = curve_point(c, i);
    fprintf(out, "<circle fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>", colour[which],
      LEFT + WIDE * place(across, v.x), top + HIGH * (1 - place(up, v.y)));
    rank_svg_text(out, c->name);
    fprintf(out, " %.6g at %.6g</title></circle>\n", v.y, v.x);
  }
}

static void put_panel(const rank_plot *p, FILE *out, const char *panel, range across, int top)
{
  range up = range_of(p, panel);
  int which = 0;
  put_grid(out, up, 1, top);
  put_grid(out, across, 0, top);
  if (isfinite(p->mark)) {
    double x = LEFT + WIDE * place(across, p->mark);
    fprintf(out, "<line class=\"mark\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", x, top, x,
      top + HIGH);
  }
  fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">", LEFT, top - 8);
  rank_svg_text(out, panel);
  for (int i = 0; i < p->n; i++) {
    if (strcmp(p->curves[i]->panel, panel) == 0) {
      fprintf(out, "<tspan dx=\"14\" style=\"fill:%s\">\xe2\x80\x94 ", colour[which++ % COLOURS]);
      rank_svg_text(out, p->curves[i]->name);
      fputs("</tspan>", out);
    }
  }
  fputs("</text>\n", out);
  which = 0;
  for (int i = 0; i < p->n; i++) {
    if (strcmp(p->curves[i]->panel, panel) == 0) {
      put_curve(out, p->curves[i], across, up, top, which++ % COLOURS);
    }
  }
}

/* Whether no curve before it is of its panel. */
static int opens_panel(const rank_plot *p, int index)
{
  for (int i = 0; i < index; i++) {
    if (strcmp(p->curves[i]->panel, p->curves[index]->panel) == 0) {
      return 0;
    }
  }
  return 1;
}

static void put_chart(const rank_plot *p, FILE *out)
{
  int panels = 0, width = LEFT + WIDE + RIGHT;
  for (int i = 0; i < p->n; i++) {
    panels += opens_panel(p, i);
  }
  int height = TOP + (panels > 0 ? panels : 1) * (HIGH + GAP);
  fprintf(out,
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
    "%s<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
    "<text class=\"title\" x=\"%d\" y=\"26\">",
    width, height, width, height, STYLE, LEFT);
  rank_svg_text(out, p->title);
  fputs("</text>\n", out);
  range across = range_of(p, NULL);
  for (int i = 0, done = 0; i < p->n; i++) {
    if (opens_panel(p, i)) {
      put_panel(p, out, p->curves[i]->panel, across, TOP + done++ * (HIGH + GAP));
    }
  }
  fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT + WIDE, height - 26);
  rank_svg_text(out, p->n > 0 ? p->across : "nothing yet");
  if (isfinite(p->mark)) {
    fputs(" (dashed: the weights that were kept)", out);
  }
  fputs("</text>\n</svg>\n", out);
}

int rank_plot_write(const rank_plot *p, rank_error *e)
{
  rank_file f;
  if (p == NULL) {
    return 0;
  }
  if (p->failed) {
    return rank_fail(e, "%s: out of memory", p->path);
  }
  if (rank_file_create(&f, p->path, e) != 0) {
    return -1;
  }
  put_chart(p, f.out);
  return rank_file_commit(&f, e);
}

rank_plot *rank_plot_new(const char *path, const char *title, const char *across)
{
  rank_plot *p = calloc(1, sizeof *p);
  if (p != NULL) {
    p->path = path;
    p->mark = (double)NAN;
    snprintf(p->title, sizeof p->title, "%s", title);
    snprintf(p->across, sizeof p->across, "%s", across);
  }
  return p;
}

void rank_plot_free(rank_plot *p)
{
  for (int i = 0; p != NULL && i < p->n; i++) {
    free(p->curves[i]);
  }
  if (p != NULL) {
    free(p->curves);
  }
  free(p);
}
