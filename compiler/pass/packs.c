/* packs.c: how kernels find what they read.
 *
 * A kernel multiplies by whole vectors of numbers side by side. Weights that lie otherwise are copied once per
 * step (packs). What other statements store in rows of some columns and a rest of a vector is multiplied with
 * that rest, though nobody wants the result: whatever stands there would do, were it not that denormal
 * numbers, such as ids are when they are taken for floats, take a processor a hundred cycles each. */

#include "fuse.h"
#include "late.h"

#include <string.h>

/* A kernel that takes two k at once in its last vector (RANK_GEMM_HALF), so that no half of it is wasted. */
static bool ends_in_half(const Plan *p, const Contract *c, const Node *sum)
{
  enum { VECTOR = 16, MOST = 3 * VECTOR + VECTOR / 2 };
  long n = axis_extent(p->g, c->n), stride = 0;
  plan_affine(p, c->a, c->k[c->nk - 1], &stride);
  return p->epilogues && !samples_meet(p->g, sum) && c->nn == 1 && c->nk == 1 && stride == 1 &&
         axis_extent(p->g, c->k[0]) % 2 == 0 && n > VECTOR && n <= MOST && n % VECTOR > 0 &&
         n % VECTOR <= VECTOR / 2;
}

/* [k...][n...], the n axes laid out as the result has them. */
static Pack pack_for(const Plan *p, const Stmt *s)
{
  const Contract *c = &s->contract;
  const Node *sum = s->node;
  const Layout *out = &p->value[sum->id].layout;
  Pack k = {.node = c->b, .nk = c->nk};
  for (int i = 0; i < c->nk; i++) {
    k.axis[k.naxes++] = c->k[i];
  }
  for (int i = sum->type.n - c->nn; i < sum->type.n; i++) {
    k.stride[k.naxes] = out->stride[i];
    k.axis[k.naxes++] = sum->type.axis[i];
  }
  long size = k.stride[c->nk] * axis_extent(p->g, k.axis[c->nk]);
  size = (size + 15) / 16 * 16;
  for (int i = c->nk - 1; i >= 0; i--) {
    k.stride[i] = size;
    size *= axis_extent(p->g, k.axis[i]);
  }
  k.size = size;
  k.half = ends_in_half(p, c, sum);
  return k;
}

/* b can be read where it lies: vectors side by side, and rows that start where lines of the cache do. Of
 * other rows nearly every vector is in two lines; a copy takes less than that. */
static bool lies_well(const Plan *p, const Contract *c)
{
  enum { LINE = 16 };
  long along = 0, down = 0;
  plan_affine(p, c->b, c->n, &along);
  if (along != 1 || c->nk != 1 || c->nn != 1) {
    return false;
  }
  plan_affine(p, c->b, c->k[0], &down);
  return !p->epilogues || down % LINE == 0 || axis_extent(p->g, c->n) <= LINE;
}

void plan_packs(Arena *a, Plan *p)
{
  for (int i = 0; i < p->stmts.n; i++) {
    Stmt *s = &p->stmts.data[i];
    Contract *c = &s->contract;
    if (s->kind != STMT_CONTRACT || p->value[c->b->id].scope != SCOPE_TOTAL || !c->rows_m ||
        lies_well(p, c)) {
      continue;
    }
    Pack k = pack_for(p, s);
    for (c->pack = 0; c->pack < p->packs.n; c->pack++) {
      const Pack *other = &p->packs.data[c->pack];
      if (other->node == k.node && other->naxes == k.naxes && other->half == k.half &&
          memcmp(other->axis, k.axis, sizeof(short) * (size_t)k.naxes) == 0) {
        break;
      }
    }
    if (c->pack == p->packs.n) {
      *VEC_PUSH(a, &p->packs) = k;
    }
  }
}

/* ---- padding ---- */

/* What the kernel's last argument reads: `sum` is the kernel's own. */
static void reads_in_kernel(const Plan *p, const Node *n, const Node *sum)
{
  if (n == sum) {
    return;
  }
  if (plan_stored(p, n)) {
    p->value[n->id].in_kernels = true;
    return;
  }
  for (int i = 0; i < n->nin; i++) {
    reads_in_kernel(p, n->in[i], sum);
  }
}

void plan_padding(Plan *p)
{
  for (int i = 0; i < p->stmts.n; i++) {
    const Stmt *s = &p->stmts.data[i];
    if (s->kind != STMT_CONTRACT) {
      continue;
    }
    p->value[plan_source(s->contract.b)->id].in_kernels |= s->contract.pack < 0;
    reads_in_kernel(p, s->store, s->node);
    if (s->then) {
      reads_in_kernel(p, s->then, s->node);
    }
    for (int j = 0; j < s->nsums; j++) {
      reads_in_kernel(p, s->sums[j]->in[0], s->node);
    }
  }
}

long layout_padding(const Graph *g, Type t, const Layout *l)
{
  int last = t.n > 0 ? t.axis[t.n - 1] : -1;
  if (last < 0 || g->axes.data[last].kind != AXIS_PLAIN || l->across > 0) {
    return 0;
  }
  long row = l->width;
  for (int i = 0; i < t.n - 1; i++) {
    bool place = t.axis[i] == AXIS_B || t.axis[i] == l->ragged;
    row /= place ? 1 : axis_extent(g, t.axis[i]);
  }
  return row - axis_extent(g, last);
}
