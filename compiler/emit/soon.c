/* soon.c: rows that a later sample of the tile looks up are fetched while this one is computed.
 *
 * A lookup in a large table waits for memory longer than a sample takes, and the ids of all samples are
 * known beforehand. Small tables stay in the cache by themselves. */

#include "writer.h"

enum {
  LOOKUPS_AHEAD = 32,     /* about so many: what a core keeps under way, and some more */
  SAMPLES_AHEAD = 8,      /* and not further */
  CACHED_BYTES = 1 << 18, /* a table that stays in the cache */
  MOST_TABLES = 16
};

typedef struct Soon {
  const Emit *e;
  int n;
  const Node *gather[MOST_TABLES];
} Soon;

/* Does its table not stay in the cache by itself? */
bool table_is_large(const Emit *e, int param)
{
  const Param *table = &e->g->params.data[param];
  long width = plan_layout(e->g, table->type, false).width;
  long rows = table->rows;
  return rows == 0 || rows * width * 4 > CACHED_BYTES;
}

/* Lookups by an input, as it is, in order of first use. */
static void find(Soon *s, const Node *n, bool top)
{
  if (!top && plan_stored(s->e->p, n)) {
    return;
  }
  if (n->op == OP_GATHER && n->in[0]->op == OP_INPUT && table_is_large(s->e, n->leaf)) {
    for (int i = 0; i < s->n; i++) {
      if (s->gather[i]->leaf == n->leaf && s->gather[i]->in[0] == n->in[0]) {
        return;
      }
    }
    if (s->n < MOST_TABLES) {
      s->gather[s->n++] = n;
    }
    return;
  }
  for (int i = 0; i < n->nin; i++) {
    find(s, n->in[i], false);
  }
}

static void fetch(Emit *e, const Soon *s, const Node *ids, const char *index)
{
  Str name = e->p->value[ids->id].name;
  e->used[ids->id] = true;
  put_line(e, "const long soon = %.*s[%s];", STR_ARG(name), index);
  for (int i = 0; i < s->n; i++) {
    if (s->gather[i]->in[0] != ids) {
      continue;
    }
    int param = s->gather[i]->leaf;
    long width = plan_layout(e->g, e->g->params.data[param].type, false).width;
    if (param_stored(e, param)) {
      put_line(e, "rank_fetch_row(&step->%.*s, soon, %ld);", STR_ARG(e->param_name[param]), width);
      continue;
    }
    put_line(e, "rank_fetch(step->%.*s + %.*s, %ld);", STR_ARG(e->param_name[param]),
      STR_ARG(times_text(e, S("soon"), width)), width);
  }
}

/* The rows of one input's ids, some samples ahead. */
static void fetch_ids(Emit *e, const Soon *s, const Node *ids)
{
  Layout l = plan_layout(e->g, ids->type, false);
  int ahead = l.ragged >= 0 ? 1 : (int)(LOOKUPS_AHEAD / l.width);
  ahead = ahead < 1 ? 1 : ahead > SAMPLES_AHEAD ? SAMPLES_AHEAD : ahead;
  put_open(e, "if (s + %d < n) { /* what a later sample looks up */", ahead);
  if (l.ragged >= 0) {
    int root = axis_root(e->g, l.ragged);
    Str x = e->axis_name[root];
    e->axis_used[root] = true;
    Str from = put_text(e, "%.*s_off[s + %d] - %.*s_off[0]", STR_ARG(x), ahead, STR_ARG(x));
    Str to = put_text(e, "%.*s_off[s + %d] - %.*s_off[0]", STR_ARG(x), ahead + 1, STR_ARG(x));
    put_open(e, "for (long i = %.*s; i < %.*s; i++) {", STR_ARG(times_text(e, from, l.width)),
      STR_ARG(times_text(e, to, l.width)));
    fetch(e, s, ids, "i");
    put_close(e, "}");
  } else if (l.width == 1) {
    fetch(e, s, ids, put_text(e, "s + %d", ahead).s);
  } else {
    put_open(e, "for (int i = 0; i < %ld; i++) {", l.width);
    fetch(e, s, ids, put_text(e, "(s + %d) * %ld + i", ahead, l.width).s);
    put_close(e, "}");
  }
  put_close(e, "}");
}

/* The first block that looks up fetches; in the others the rows are there already. */
static bool fetched_before(const Emit *e, const Block *b, const Node *gather)
{
  for (const Block *x = e->p->blocks.data; x < b; x++) {
    Soon s = {.e = e};
    for (int i = 0; i < x->stmts.n && x->phase == b->phase; i++) {
      find(&s, e->p->stmts.data[x->stmts.data[i]].node, true);
    }
    for (int i = 0; i < s.n; i++) {
      if (s.gather[i]->leaf == gather->leaf && s.gather[i]->in[0] == gather->in[0]) {
        return true;
      }
    }
  }
  return false;
}

void rows_fetch(Emit *e, const Block *b)
{
  Soon all = {.e = e}, s = {.e = e};
  for (int i = 0; i < b->stmts.n; i++) {
    find(&all, e->p->stmts.data[b->stmts.data[i]].node, true);
  }
  for (int i = 0; i < all.n; i++) {
    if (!fetched_before(e, b, all.gather[i])) {
      s.gather[s.n++] = all.gather[i];
    }
  }
  for (int i = 0; i < s.n; i++) {
    bool first = true;
    for (int k = 0; k < i; k++) {
      first &= s.gather[k]->in[0] != s.gather[i]->in[0];
    }
    if (first) {
      fetch_ids(e, &s, s.gather[i]->in[0]);
    }
  }
}
