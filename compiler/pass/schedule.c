/* schedule.c: the order of statements, and what shares a loop over the samples.
 *
 * List scheduling: of the statements whose operands are ready, those that can go on in the current loop
 * over the samples come first, so that loops are few and long; a contraction over all rows of the tile
 * ends it, and so does a sweep over pairs of samples, once nothing else is left. A value that is made and used up within one such loop never reaches memory of the tile. */

#include "fuse.h"

enum { LOCAL_MOST = 4096 }; /* numbers in a local array */

typedef struct Scheduler {
  Arena *arena;
  Plan *p;
  bool *done;
} Scheduler;

typedef VEC(int) Ints;

typedef struct Needs {
  Arena *arena;
  const Plan *p;
  Ints *list;
  int own; /* the statement itself: what it stores first it may read */
} Needs;

static void add_need(void *arg, const Node *n)
{
  Needs *needs = arg;
  int stmt = needs->p->value[n->id].stmt;
  if (stmt >= 0 && stmt != needs->own) {
    *VEC_PUSH(needs->arena, needs->list) = stmt;
  }
}

void stmt_visit(const Plan *p, const Stmt *s, void (*visit)(void *, const Node *), void *arg)
{
  if (s->kind == STMT_OUTPUT) {
    plan_reads(p, s->node, visit, arg);
  } else if (s->kind == STMT_SCATTER) {
    plan_reads(p, s->node->in[2 * s->index], visit, arg);
    plan_reads(p, s->node->in[2 * s->index + 1], visit, arg);
  } else {
    for (int i = 0; i < s->store->nin; i++) {
      plan_reads(p, s->store->in[i], visit, arg);
    }
    for (int i = 0; s->then && i < s->then->nin; i++) {
      plan_reads(p, s->then->in[i], visit, arg);
    }
    for (int i = 0; i < s->nsums; i++) {
      plan_reads(p, s->sums[i]->in[0], visit, arg);
    }
  }
}

static bool ready(const Scheduler *sc, const Ints *needs, int stmt)
{
  const Plan *p = sc->p;
  const Stmt *s = &p->stmts.data[stmt];
  if (sc->done[stmt] || s->scope != SCOPE_SAMPLE) {
    return false;
  }
  for (int i = 0; i < needs[stmt].n; i++) {
    int need = needs[stmt].data[i];
    const Stmt *before = &p->stmts.data[need];
    if (before->scope == SCOPE_SAMPLE && before->phase == s->phase && !sc->done[need]) {
      return false;
    }
  }
  return true;
}

static Block *open_block(Scheduler *sc, int phase, bool flat)
{
  Block *b = VEC_PUSH(sc->arena, &sc->p->blocks);
  *b = (Block){.phase = phase, .flat = flat};
  return b;
}

static void run(Scheduler *sc, Block *b, int stmt)
{
  *VEC_PUSH(sc->arena, &b->stmts) = stmt;
  sc->p->stmts.data[stmt].block = (int)(b - sc->p->blocks.data);
  sc->done[stmt] = true;
}

/* A sweep: the statements of pairs that are next. What they read is done, since nothing else is ready. */
static bool next_sweep(Scheduler *sc, int phase)
{
  Plan *p = sc->p;
  Block *b = NULL;
  int sweep = 0;
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    int own = p->value[s->node->id].sweep;
    if (s->pairs && s->phase == phase && !sc->done[i] && (!b || own < sweep)) {
      b = b ? b : open_block(sc, phase, true);
      sweep = own;
    }
  }
  for (int i = 0; b && i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    if (s->pairs && s->phase == phase && !sc->done[i] && p->value[s->node->id].sweep == sweep) {
      run(sc, b, i);
    }
  }
  if (b) {
    b->pairs = true;
  }
  return b != NULL;
}

/* One block: every statement of the loop over samples that is or becomes ready, else one contraction, else a
 * sweep. */
static bool next_block(Scheduler *sc, const Ints *needs, int phase)
{
  Plan *p = sc->p;
  Block *b = NULL;
  bool apart = !p->fuses; /* op by op: every statement has a loop of its own */
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    if (s->phase == phase && ready(sc, needs, i) && !s->pairs && (!s->flat || apart)) {
      b = b ? b : open_block(sc, phase, s->flat);
      run(sc, b, i);
      if (apart) {
        return true;
      }
    }
  }
  for (int i = 0; !b && i < p->stmts.n; i++) {
    if (p->stmts.data[i].phase == phase && !p->stmts.data[i].pairs && ready(sc, needs, i)) {
      run(sc, open_block(sc, phase, true), i);
      return true;
    }
  }
  return b != NULL || next_sweep(sc, phase);
}

/* ---- sinking ---- */

typedef struct Size {
  const Plan *p;
  double numbers;
} Size;

static double value_size(const Plan *p, const Node *n)
{
  const Layout *l = &p->value[n->id].layout;
  return (double)l->width * (l->ragged < 0 ? 1 : (double)axis_extent(p->g, l->ragged));
}

/* What a statement reads of the sample's own values, and would keep alive for longer. */
static void add_size(void *arg, const Node *n)
{
  Size *size = arg;
  const Value *v = &size->p->value[n->id];
  size->numbers += v->scope == SCOPE_SAMPLE && v->stmt >= 0 ? value_size(size->p, n) : 0;
}

/* The first block that reads what a statement makes, or -1. */
static int first_reader(const Plan *p, const Ints *needs, int stmt)
{
  int first = -1;
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    for (int k = 0; k < needs[i].n; k++) {
      if (needs[i].data[k] == stmt && s->scope == SCOPE_SAMPLE) {
        if (s->phase != p->stmts.data[stmt].phase) {
          return -1;
        }
        first = first < 0 || s->block < first ? s->block : first;
      }
    }
  }
  return first;
}

static void move_stmt(Arena *a, Plan *p, int stmt, int to)
{
  Block *from = &p->blocks.data[p->stmts.data[stmt].block];
  int n = 0;
  for (int i = 0; i < from->stmts.n; i++) {
    if (from->stmts.data[i] != stmt) {
      from->stmts.data[n++] = from->stmts.data[i];
    }
  }
  from->stmts.n = n;
  Block *b = &p->blocks.data[to];
  int at = b->stmts.n;
  *VEC_PUSH(a, &b->stmts) = stmt;
  for (; at > 0 && b->stmts.data[at - 1] > stmt;
       at--) { /* statements are numbered in a valid order */
    b->stmts.data[at] = b->stmts.data[at - 1];
  }
  b->stmts.data[at] = stmt;
  p->stmts.data[stmt].block = to;
}

/* Large values are made in the loop that first reads them rather than as soon as they can be: a sample's
 * folded weights need not wait in memory for every sample of the tile. */
static void sink(Arena *a, Plan *p, const Ints *needs)
{
  for (int i = p->stmts.n - 1; i >= 0; i--) {
    const Stmt *s = &p->stmts.data[i];
    if (s->scope != SCOPE_SAMPLE || s->flat || s->pairs || s->kind == STMT_OUTPUT ||
        s->kind == STMT_SCATTER || p->value[s->store->id].shared || s->nsums > 0) {
      continue;
    }
    int to = first_reader(p, needs, i);
    Size size = {.p = p};
    stmt_visit(p, s, add_size, &size);
    if (to > s->block && !p->blocks.data[to].flat && value_size(p, s->store) > size.numbers) {
      move_stmt(a, p, i, to);
    }
  }
}

typedef struct Local {
  const Plan *p;
  const Node *node;
  int block;
  bool elsewhere;
} Local;

static void check_block(void *arg, const Node *n)
{
  Local *l = arg;
  l->elsewhere |= n == l->node;
}

/* Values whose readers all stand in the block that makes them, and which a sample's turn can hold. */
static void keep_local(Plan *p)
{
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    Value *v = &p->value[s->store->id];
    if (s->scope != SCOPE_SAMPLE || (v->place != PLACE_TILE && v->place != PLACE_BATCH) ||
        v->shared || s->flat || s->pairs || s->kind == STMT_OUTPUT || s->kind == STMT_SCATTER ||
        v->layout.across > 0) {
      continue;
    }
    long rows = v->layout.ragged < 0 ? 1 : axis_extent(p->g, v->layout.ragged);
    Local l = {p, s->store, s->block, rows * v->layout.width > LOCAL_MOST};
    for (int j = 0; j < p->stmts.n && !l.elsewhere; j++) {
      const Stmt *reader = &p->stmts.data[j];
      if (reader->block != s->block || reader->scope != SCOPE_SAMPLE) {
        stmt_visit(p, reader, check_block, &l);
      }
    }
    if (!l.elsewhere) {
      v->place = PLACE_LOCAL;
    }
  }
}

/* What every tile reads or adds to again: matrices, and sums over the batch. */
static long shared_bytes(const Plan *p)
{
  long bytes = 0;
  for (int i = 0; i < p->g->nodes.n; i++) {
    bytes += p->value[i].place == PLACE_SLOT ? 4 * p->value[i].layout.width : 0;
  }
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    if (s->kind != STMT_CONTRACT || p->value[plan_source(s->contract.b)->id].scope != SCOPE_TOTAL) {
      continue;
    }
    long size = 4;
    for (int k = 0; k < s->contract.b->type.n; k++) {
      size *= axis_extent(p->g, s->contract.b->type.axis[k]);
    }
    bytes += size;
  }
  return bytes;
}

/* A slab that stays in the second-level cache (of 2 MB, say) beside what all tiles share. Where that alone
 * is too much, it comes from further away for every tile: tiles are larger then, to come less often. */
static void choose_tile(Plan *p)
{
  enum { CACHE = 1 << 20, LEAST = 8, MOST = 64, FURTHER = 4 };
  if (p->tile > 0) {
    return;
  }
  long bytes = 0;
  bool across = false;
  for (int i = 0; i < p->g->nodes.n; i++) {
    const Value *v = &p->value[i];
    if (v->place == PLACE_TILE) {
      long rows = v->layout.ragged < 0 ? 1 : axis_extent(p->g, v->layout.ragged);
      bytes += 4 * rows * v->layout.width;
      across |= v->layout.across > 0;
    }
  }
  const long times = !across && shared_bytes(p) > CACHE ? FURTHER : 1;
  p->tile = LEAST;
  while (p->tile < MOST * times && 2 * p->tile * bytes <= CACHE * times) {
    p->tile *= 2;
  }
}

void plan_schedule(Arena *a, Plan *p)
{
  if (p->epilogues) {
    plan_epilogues(p);
  }
  for (int i = 0; i < p->stmts.n; i++) {
    p->stmts.data[i].block = -1;
    if (p->stmts.data[i].kind != STMT_OUTPUT && p->stmts.data[i].kind != STMT_SCATTER) {
      p->value[p->stmts.data[i].store->id].stmt = i;
      if (p->stmts.data[i].then) {
        p->value[p->stmts.data[i].then->id].stmt = i;
      }
      for (int k = 0; k < p->stmts.data[i].nsums; k++) {
        p->value[p->stmts.data[i].sums[k]->id].stmt = i;
      }
    }
  }
  Ints *needs = ARENA_ARRAY(a, Ints, p->stmts.n + 1);
  for (int i = 0; i < p->stmts.n; i++) {
    Needs n = {a, p, &needs[i], i};
    stmt_visit(p, &p->stmts.data[i], add_need, &n);
  }
  Scheduler sc = {.arena = a, .p = p, .done = ARENA_ARRAY(a, bool, p->stmts.n + 1)};
  for (int phase = 0; phase < p->phases; phase++) {
    while (next_block(&sc, needs, phase)) {
    }
  }
  if (p->fuses) {
    sink(a, p, needs);
    keep_local(p);
    choose_tile(p);
  }
}
