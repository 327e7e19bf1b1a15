/* loops.c: opening and closing loops, and what stands around them.
 *
 * A loop's variable is one letter that is free where the loop stands: that of its axis (`d` for D, `k`
 * for score.0.K), or i, j, k for an axis that is only a number. */

#include "writer.h"

#include <ctype.h>

enum {
  LEAST_SIMD = 4, /* shorter loops are unrolled instead */
  LINE = 16       /* arrays of so many numbers start where a line of the cache does */
};

Env env_fresh(Emit *e, const Stmt *s)
{
  Env env = env_new(e);
  if (s->scope != SCOPE_SAMPLE) {
    env.index[AXIS_B] = (Str){0};
  }
  return env;
}

static bool is_free(const Emit *e, const Env *env, Str v)
{
  for (int i = 0; i < e->g->axes.n; i++) {
    if (str_eq(env->index[i], v)) {
      return false;
    }
  }
  return !name_taken(e, v);
}

/* The first letter of the axis' own name: of K for score.0.K. */
static Str letter_of(const Emit *e, int axis)
{
  const Axis *a = &e->g->axes.data[axis];
  if (a->number || a->name.n == 0) {
    return S("i");
  }
  int at = a->name.n;
  while (at > 0 && a->name.s[at - 1] != '.') {
    at--;
  }
  char c = (char)tolower((unsigned char)a->name.s[at < a->name.n ? at : 0]);
  return isalpha((unsigned char)c) ? str_format(e->arena, "%c", c) : S("i");
}

Str loop_variable(Emit *e, const Env *env, int axis)
{
  static const char *const others[] = {"i", "j", "k", "l", "m", "p", "q", "r", "u", "v"};
  Str wanted = letter_of(e, axis);
  if (!str_eq(wanted, S("s")) && !str_eq(wanted, S("n")) && !str_eq(wanted, S("b")) &&
      is_free(e, env, wanted)) {
    return wanted;
  }
  for (int i = 0; i < (int)(sizeof others / sizeof *others); i++) {
    if (is_free(e, env, str_of(others[i]))) {
      return str_of(others[i]);
    }
  }
  Str made = wanted;
  for (int i = 1; !is_free(e, env, made); i++) {
    made = put_text(e, "%.*s%d", STR_ARG(wanted), i);
  }
  return made;
}

/* Opens a loop over `axis` and records its variable. */
void loop_open(Emit *e, Env *env, int axis, bool simd)
{
  Str v = loop_variable(e, env, axis);
  const Axis *a = &e->g->axes.data[axis];
  bool whole = a->kind == AXIS_RAGGED && env->index[AXIS_B].n == 0;
  bool block = a->kind == AXIS_BATCH && e->sweep;
  Str bound = block   ? S("c1")
              : whole ? put_text(e, "%ld", axis_extent(e->g, axis))
                      : length_of(e, axis);
  if (simd && (a->kind != AXIS_PLAIN || a->extent >= LEAST_SIMD)) {
    put_line(e, "#pragma omp simd");
  }
  const char *type = a->kind == AXIS_BATCH ? "long" : "int";
  put_open(e, "for (%s %.*s = %s; %.*s < %.*s; %.*s++) {", type, STR_ARG(v), block ? "c0" : "0",
    STR_ARG(v), STR_ARG(bound), STR_ARG(v));
  env->index[axis] = v;
}

void loops_close(Emit *e, int n)
{
  for (int i = 0; i < n; i++) {
    put_close(e, "}");
  }
}

int loop_axes(const Env *env, Type t, short *axes)
{
  int n = 0;
  for (int i = 0; i < t.n; i++) {
    if (t.axis[i] != AXIS_B && env->index[t.axis[i]].n == 0) {
      axes[n++] = t.axis[i];
    }
  }
  return n;
}

bool has_random(const Emit *e, const Node *n)
{
  if (n->op == OP_RANDOM) {
    return true;
  }
  for (int i = 0; i < n->nin && !plan_stored(e->p, n); i++) {
    if (has_random(e, n->in[i])) {
      return true;
    }
  }
  return false;
}

/* ---- pointers to rows ---- */

static bool in_scope(const Emit *e, int table, Str id)
{
  for (int i = 0; i < e->pointers.n; i++) {
    if (e->pointers.data[i].table == table && str_eq(e->pointers.data[i].id, id)) {
      return true;
    }
  }
  return false;
}

static Str pointer_name(Emit *e, const Node *n)
{
  Str ids = e->p->value[plan_source(n->in[0])->id].name;
  Str wanted = put_text(e, "%.*s_%.*s", STR_ARG(e->param_name[n->leaf]), STR_ARG(ids));
  Str made = wanted;
  for (int i = 1;; i++) {
    bool used = name_taken(e, made) || name_taken(e, put_text(e, "%.*s_unpacked", STR_ARG(made)));
    for (int j = 0; j < e->pointers.n; j++) {
      used |= str_eq(e->pointers.data[j].name, made);
    }
    if (!used) {
      return made;
    }
    made = put_text(e, "%.*s_%d", STR_ARG(wanted), i);
  }
}

/* Predictions read tables that may be stored in fewer bits, row by row (rank_stored.h). Of one number a row
 * little would be saved, and reading them is a vector's gather. Frozen ones are known. */
bool param_stored(const Emit *e, int param)
{
  const Param *p = &e->g->params.data[param];
  bool known = e->o->frozen && p->table &&
               (param >= e->o->frozen->nkinds || e->o->frozen->kind[param] == STORED_REALS);
  return e->role == ROLE_PREDICT && p->table && !known &&
         plan_layout(e->g, p->type, false).width > 1;
}

Str stored_cell(Emit *e, int param, Str id, Str cell)
{
  return put_text(e, "rank_cell(&step->%.*s, %.*s, %ld, %.*s)", STR_ARG(e->param_name[param]),
    STR_ARG(id), plan_layout(e->g, e->g->params.data[param].type, false).width, STR_ARG(cell));
}

/* Declares a pointer to the row that gather n reads, when it is known at this place. */
static void point(Emit *e, const Env *env, const Node *n)
{
  const Node *ids = n->in[0];
  for (int i = 0; i < ids->type.n; i++) {
    if (env->index[ids->type.axis[i]].n == 0) {
      return;
    }
  }
  Str id = id_expr(e, env, ids);
  Layout row = plan_layout(e->g, e->g->params.data[n->leaf].type, false);
  if (row.width > 1 && !in_scope(e, n->leaf, id)) {
    Str name = pointer_name(e, n);
    Str table = e->param_name[n->leaf];
    if (param_stored(e, n->leaf)) {
      put_line(e, "rank_real %.*s_unpacked[%ld];", STR_ARG(name), row.width);
      put_line(e, "const rank_real *%.*s = rank_row(&step->%.*s, %.*s, %ld, %.*s_unpacked);",
        STR_ARG(name), STR_ARG(table), STR_ARG(id), row.width, STR_ARG(name));
    } else {
      put_line(e, "const rank_real *%.*s = step->%.*s + (long)%.*s * %ld;", STR_ARG(name),
        STR_ARG(table), STR_ARG(id), row.width);
    }
    *VEC_PUSH(e->arena, &e->pointers) = (RowPointer){n->leaf, e->indent, id, name};
  }
}

void rows_point(Emit *e, const Env *env, const Node *n)
{
  if (op_is_view(n->op)) {
    Env in = through_view(e, env, n);
    rows_point(e, &in, n->in[0]);
  } else if (plan_stored(e->p, n)) {
    return;
  } else if (n->op == OP_GATHER) {
    point(e, env, n);
  } else {
    for (int i = 0; i < n->nin; i++) {
      rows_point(e, env, n->in[i]);
    }
  }
}

void loops_open(Emit *e, Env *env, int count, const short *axes, const Node *n)
{
  for (int i = 0; i < count; i++) {
    if (i == count - 1 && n) {
      rows_point(e, env, n);
    }
    loop_open(e, env, axes[i], i == count - 1 && (!n || !has_random(e, n)));
  }
}

/* ---- locals and padding ---- */

/* A C variable: not an array, though it be of one element along an axis. */
bool local_scalar(const Emit *e, const Node *n)
{
  return e->p->value[n->id].place == PLACE_LOCAL &&
         n->type.n == (type_has(n->type, AXIS_B) ? 1 : 0);
}

void declare_local(Emit *e, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  if (v->place != PLACE_LOCAL || local_scalar(e, n)) {
    return;
  }
  long rows = v->layout.ragged < 0 ? 1 : axis_extent(e->g, v->layout.ragged);
  long size = rows * v->layout.width;
  put_line(e, "%srank_real %.*s[%ld];", size < LINE ? "" : "_Alignas(64) ", STR_ARG(v->name), size);
}

/* What stands behind rows that kernels read in vectors. */
static void zero_behind_rows(Emit *e, const Stmt *s, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  long padding = layout_padding(e->g, n->type, &v->layout);
  if (!v->in_kernels || padding == 0 || v->place == PLACE_SLOT || s->kind == STMT_CONTRACT) {
    return;
  }
  Env env = env_fresh(e, s);
  short axes[MAX_AXES];
  int count = loop_axes(&env, n->type, axes);
  for (int i = 0; i < count - 1; i++) {
    loop_open(e, &env, axes[i], false);
  }
  int last = axes[count - 1];
  env.index[last] = put_text(e, "%ld", axis_extent(e->g, last));
  put_line(e, "memset(&%.*s, 0, %ld * sizeof(rank_real)); /* padding */",
    STR_ARG(target_of(e, &env, n)), padding);
  loops_close(e, count - 1);
}

/* Padding holds 0: that of rows, and with op-by-op code that of lists, the positions past the length. */
void zero_padding(Emit *e, const Stmt *s, const Node *n)
{
  const Value *v = &e->p->value[n->id];
  if (!e->p->padded) {
    zero_behind_rows(e, s, n);
    return;
  }
  if (s->scope != SCOPE_SAMPLE || v->place != PLACE_BATCH || v->layout.ragged < 0) {
    return;
  }
  int root = axis_root(e->g, v->layout.ragged);
  Str x = e->axis_name[root];
  e->axis_used[root] = true;
  e->used[n->id] = true;
  e->written[n->id] = true;
  Str width =
    put_text(e, "%ld%.*s", v->layout.width, STR_ARG(times_batch(e, "step->n", v->layout.across)));
  put_line(e,
    "memset(%.*s + (%.*s_row + %.*s_len) * %.*s, 0, sizeof(rank_real) * (size_t)((%ld - %.*s_len) "
    "* "
    "%.*s));",
    STR_ARG(v->name), STR_ARG(x), STR_ARG(x), STR_ARG(width), axis_extent(e->g, v->layout.ragged),
    STR_ARG(x), STR_ARG(width));
}
