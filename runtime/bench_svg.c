/* bench_svg.c: the same as a chart: a bar for each level, longer is faster.
 *
 * One panel per pass with a scale of its own. Bars of levels with rewrites are the darker ones; the thin
 * line at a bar's end runs from the quarter of the rounds that was slower to the one that was faster. */

#include "bench.h"

static const int LEFT = 120, BAR = 18, STEP = 26, WIDE = 420, RIGHT = 170, TOP = 58, PANEL = 44;

static const char STYLE[] =
  "<style>text{font:13px sans-serif;fill:#222}.small{font-size:11px;fill:#666}"
  ".title{font-size:15px;font-weight:bold}.plain{fill:#a9c4e0}.rewritten{fill:#2f6fae}"
  "line{stroke:#222;stroke-width:1.2}.axis{stroke:#bbb;stroke-width:1}</style>\n";

static double fastest(const bench *b, int pass)
{
  double most = 0;
  for (int level = 0; level < b->spec->nlevels; level++) {
    const bench_result *r = bench_result_of(b, level, pass);
    most = r->rate_high > most ? r->rate_high : most;
  }
  return most > 0 ? most : 1;
}

static void put_bar(const bench *b, FILE *out, int level, int pass, int y)
{
  const rank_bench_level *l = &b->spec->levels[level];
  const bench_result *r = bench_result_of(b, level, pass);
  double scale = WIDE / fastest(b, pass), middle = y + BAR / 2.0;
  char rate[32];
  fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s%s</text>\n", LEFT - 8, y + 13,
    l->name, l->rewrites ? " + rewrites" : "");
  fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
    l->rewrites ? "rewritten" : "plain", LEFT, y, scale * r->rate, BAR);
  fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
    LEFT + scale * r->rate_low, middle, LEFT + scale * r->rate_high, middle);
  fprintf(out, "<text x=\"%.1f\" y=\"%d\">%s <tspan class=\"small\">%.2fx</tspan></text>\n",
    LEFT + scale * r->rate_high + 8, y + 13, rank_count_text(r->rate, rate), r->ratio);
}

static int put_panel(const bench *b, FILE *out, int pass, int y)
{
  int height = b->spec->nlevels * STEP;
  fprintf(out, "<text x=\"%d\" y=\"%d\">%s, samples per second</text>\n", LEFT, y,
    pass == RANK_FORWARD ? "Forward" : "Training step");
  y += 12;
  fprintf(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", LEFT, y, LEFT,
    y + height);
  for (int level = 0; level < b->spec->nlevels; level++) {
    put_bar(b, out, level, pass, y + level * STEP + (STEP - BAR) / 2);
  }
  return y + height + PANEL - 12;
}

int bench_svg(const bench *b, const char *path, rank_error *e)
{
  rank_file f;
  if (rank_file_create(&f, path, e) != 0) {
    return -1;
  }
  int width = LEFT + WIDE + RIGHT;
  int height = TOP + 14 + b->passes * (b->spec->nlevels * STEP + PANEL);
  fprintf(f.out,
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
    "%s<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
    width, height, width, height, STYLE);
  fprintf(f.out, "<text class=\"title\" x=\"%d\" y=\"24\">", LEFT);
  rank_svg_text(f.out, b->m->name);
  fprintf(f.out, "</text>\n<text class=\"small\" x=\"%d\" y=\"40\">", LEFT);
  fprintf(f.out,
    "batch %ld, %d thread%s, median of %ld rounds; the numbers beside it are ratios to ", b->n,
    b->threads, b->threads == 1 ? "" : "s", b->spec->rounds);
  rank_svg_text(f.out, b->spec->levels[0].name);
  fprintf(f.out, "</text>\n");
  int y = TOP + 14;
  for (int pass = 0; pass < b->passes; pass++) {
    y = put_panel(b, f.out, pass, y);
  }
  fprintf(f.out, "</svg>\n");
  return rank_file_commit(&f, e);
}
