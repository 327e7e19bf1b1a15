/* A fitted forest as C. The tables of trees_tables.c as constants, around the kernels of
 * rank_trees_kernel.h, which the compiler then knows all sizes of; and, for a forest of few nodes, each tree
 * as nested conditions for a row that comes alone. Tables are data: a forest of a quarter of a million nodes
 * compiles in seconds, and conditions are written only up to a number of nodes. */

#include "trees_scorer.h"

#include <math.h>
#include <string.h>

enum { STRAIGHT_NODES = 512 };

typedef struct emission {
  FILE *out;
  const rank_forest *f;
  const trees_tables *t;
  const char *name, *real, *suffix;
  int straight;
} emission;

/* A number exactly, as the compiler reads it. */
static void put_number(FILE *out, double x, const char *suffix)
{
  if (isinf(x)) {
    fprintf(out, "%s__builtin_inf%s()", x < 0 ? "-" : "", suffix);
  } else if (x == floor(x) && fabs(x) < 1e6) {
    fprintf(out, "%d%s%s", (int)x, *suffix ? ".0" : "", suffix);
  } else {
    fprintf(out, "%.*g%s", *suffix ? 9 : 17, x, suffix);
  }
}

static void begin(const emission *w, const char *type, const char *what, long n)
{
  fprintf(w->out, "\nstatic const %s %s_%s[%ld] = {", type, w->name, what, n > 0 ? n : 1);
}

static void line(const emission *w, long i, int each)
{
  fputs(i % each == 0 ? "\n  " : " ", w->out);
}

static void end(const emission *w, long n, const char *empty)
{
  fprintf(w->out, "%s\n};\n", n > 0 ? "" : empty);
}

static void put_trees(const emission *w)
{
  const trees_tables *t = w->t;
  begin(w, "rank_trees_column", "column", t->columns);
  for (int i = 0; i < t->columns; i++) {
    line(w, i, 8);
    fprintf(w->out, "{%d, %d},", t->column[i].feature, t->column[i].fill);
  }
  end(w, t->columns, "{0, 0}");
  begin(w, "rank_trees_entry", "tree", t->ntrees);
  for (long i = 0; i < t->ntrees; i++) {
    const rank_trees_entry *e = t->tree + i;
    line(w, i, 4);
    fprintf(w->out, "{%u, %u, %u, %u, %u, %u, %u},", e->node, e->mask, e->leaf, e->plain, e->leaves,
      e->depth, e->kind);
  }
  end(w, t->ntrees, "{0, 0, 0, 0, 0, 0, 0}");
}

static void put_nodes(const emission *w)
{
  const trees_tables *t = w->t;
  char type[160];
  snprintf(type, sizeof type, "%s_node", w->name);
  begin(w, type, "nodes", t->nnodes);
  for (long i = 0; i < t->nnodes; i++) {
    line(w, i, 4);
    fputc('{', w->out);
    put_number(w->out, t->f64 ? t->node[i].threshold : (double)t->node32[i].threshold, w->suffix);
    fprintf(w->out, ", %u, %u},", t->node[i].column, t->node[i].step);
  }
  end(w, t->nnodes, "{0, 0, 0}");
  begin(w, w->real, "threshold", t->nmasks);
  for (long i = 0; i < t->nmasks; i++) {
    line(w, i, 8);
    put_number(w->out, t->f64 ? t->threshold[i] : (double)t->threshold32[i], w->suffix);
    fputc(',', w->out);
  }
  end(w, t->nmasks, "0");
  begin(w, "rank_trees_mask", "mask", t->nmasks);
  for (long i = 0; i < t->nmasks; i++) {
    line(w, i, 6);
    fprintf(w->out, "{0x%x, %u},", t->mask[i].clear, t->mask[i].column);
  }
  end(w, t->nmasks, "{0, 0}");
}

static void put_leaves(const emission *w)
{
  const trees_tables *t = w->t;
  begin(w, "int32_t", "order", t->nleaves);
  for (long i = 0; i < t->nleaves; i++) {
    line(w, i, 16);
    fprintf(w->out, "%d,", t->order[i]);
  }
  end(w, t->nleaves, "0");
  for (int ordered = 0; ordered < 2; ordered++) {
    const double *value = ordered ? t->order_value : t->value;
    begin(w, "double", ordered ? "order_value" : "value", t->nleaves);
    for (long i = 0; i < t->nleaves; i++) {
      line(w, i, 4);
      put_number(w->out, value[i], "");
      fputc(',', w->out);
    }
    end(w, t->nleaves, "0");
  }
}

static void put_plain(const emission *w)
{
  const trees_tables *t = w->t;
  begin(w, "rank_trees_plain", "plain", t->nplain);
  for (long i = 0; i < t->nplain; i++) {
    const rank_trees_plain *n = t->plain + i;
    line(w, i, 3);
    fputc('{', w->out);
    put_number(w->out, n->threshold, "");
    fprintf(w->out, ", %d, %d, %d, %u, %u, %u},", n->feature, n->left, n->right, n->word, n->nwords,
      n->decision);
  }
  end(w, t->nplain, "{0, 0, 0, 0, 0, 0, 0}");
  begin(w, "uint32_t", "words", t->nwords);
  for (long i = 0; i < t->nwords; i++) {
    line(w, i, 10);
    fprintf(w->out, "0x%x,", t->words[i]);
  }
  end(w, t->nwords, "0");
}

/* The condition under which a row goes left. */
static void put_condition(const emission *w, const rank_node *n)
{
  FILE *out = w->out;
  int left = (n->decision & RANK_SPLIT_LEFT) != 0, f = n->feature;
  if (n->decision & RANK_SPLIT_CATEGORY) {
    fprintf(out, "rank_trees_category(%s_words, &(rank_trees_plain){0, %d, 0, 0, %u, %u, %u}, ",
      w->name, f, n->word, n->nwords, n->decision);
    fprintf(out, "(double)x[%d])", f);
    return;
  }
  const char *missing = n->decision & RANK_SPLIT_ZERO ? "IS_ZERO" : "IS_NAN";
  if (!(n->decision & (RANK_SPLIT_NAN | RANK_SPLIT_ZERO))) {
    fprintf(out, "%s_filled(x[%d], RANK_FILL_ZERO) <= ", w->name, f);
  } else {
    fprintf(
      out, "%s_filled(x[%d], RANK_FILL_%s) > 0 ? %d : x[%d] <= ", w->name, f, missing, left, f);
  }
  put_number(out, w->t->f64 ? n->threshold : (double)trees_below(n->threshold), w->suffix);
}

static void put_branch(const emission *w, const rank_tree *t, int32_t at, int depth)
{
  const rank_node *n = w->f->nodes + t->node + at;
  for (int side = 0; side < 2; side++) {
    int32_t child = side ? n->right : n->left;
    if (side == 0) {
      fprintf(w->out, "%*sif (", 2 * depth, "");
      put_condition(w, n);
      fputs(") {\n", w->out);
    }
    if (child < 0) {
      fprintf(w->out, "%*sreturn %d;\n", 2 * depth + 2 * (side == 0), "", ~child);
    } else {
      put_branch(w, t, child, depth + (side == 0));
    }
    if (side == 0) {
      fprintf(w->out, "%*s}\n", 2 * depth, "");
    }
  }
}

/* Each tree as a function, and one row by all of them. */
static void put_straight(const emission *w)
{
  FILE *out = w->out;
  for (long i = 0; i < w->f->ntrees; i++) {
    const rank_tree *t = w->f->trees + i;
    fprintf(out, "\nstatic int32_t %s_tree%ld(const %s *x)\n{\n", w->name, i, w->real);
    if (t->leaves > 1) {
      put_branch(w, t, 0, 1);
    } else {
      fputs("  (void)x;\n  return 0;\n", out);
    }
    fputs("}\n", out);
  }
  fprintf(out,
    "\nstatic double %s_alone(const %s *x, int32_t *leaf)\n{\n  double sum = 0;\n  int32_t id;\n",
    w->name, w->real);
  for (long i = 0; i < w->f->ntrees; i++) {
    fprintf(out, "  id = %s_tree%ld(x);\n  sum += %s_value[%ld + id];\n", w->name, i, w->name,
      w->f->trees[i].leaf);
    fprintf(out, "  if (leaf) {\n    leaf[%ld] = id;\n  }\n", i);
  }
  fprintf(out, "  return sum / %s_table_.divide + %s_table_.base;\n}\n", w->name, w->name);
}

static void put_table(const emission *w)
{
  FILE *out = w->out;
  const trees_tables *t = w->t;
  const char *n = w->name;
  fprintf(out, "\nstatic const %s_table %s_table_ = {%d, %d, %d, %ld, ", n, n, t->columns,
    w->f->features, t->block, t->ntrees);
  put_number(out, w->f->base, "");
  fprintf(out,
    ", %ld, %s_column, %s_tree,\n  %s_nodes, %s_threshold, %s_mask, %s_order, %s_order_value,",
    w->f->average && t->ntrees > 0 ? t->ntrees : 1, n, n, n, n, n, n, n);
  fprintf(out, "\n  %s_value, %s_plain, %s_words};\n", n, n, n);
}

static void put_function(const emission *w)
{
  FILE *out = w->out;
  const trees_tables *t = w->t;
  fprintf(out, "\nvoid %s(const %s *x, long stride, long n, double *score, int32_t *leaf);\n",
    w->name, w->real);
  fprintf(out, "\nvoid %s(const %s *x, long stride, long n, double *score, int32_t *leaf)\n{\n",
    w->name, w->real);
  if (w->straight) {
    fprintf(out, "  if (n == 1) {\n    double s = %s_alone(x, leaf);\n", w->name);
    fputs("    if (score) {\n      score[0] = s;\n    }\n    return;\n  }\n", out);
  }
  fprintf(out, "  %s work[%ld];\n  double sum[%d];\n", w->real, (long)t->block * (t->columns + 1),
    t->block);
  fprintf(
    out, "  %s_score(&%s_table_, x, stride, n, score, leaf, work, sum);\n}\n", w->name, w->name);
}

static int check_request(const rank_forest *f, const rank_trees_emit *o, rank_error *e)
{
  size_t n = strspn(o->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  if (n == 0 || o->name[n] || (o->name[0] >= '0' && o->name[0] <= '9') || n > 100) {
    return rank_fail(e, "\"%s\" is no name for a function", o->name);
  }
  return f->ntrees > 0 ? 0 : rank_fail(e, "a forest without trees has no code");
}

int trees_emit_c(const rank_forest *f, const rank_trees_emit *o, FILE *out, rank_error *e)
{
  trees_tables t;
  if (check_request(f, o, e) != 0 || trees_tables_make(&t, f, o->f64, e) != 0) {
    return -1;
  }
  long most = o->straight_nodes > 0 ? o->straight_nodes : STRAIGHT_NODES;
  emission w = {
    out, f, &t, o->name, o->f64 ? "double" : "float", o->f64 ? "" : "f", f->nnodes <= most};
  fprintf(out, "/* %ld trees, %ld leaves, %d features. */\n\n", f->ntrees, f->nleaves, f->features);
  fprintf(out, "#define RANK_TREES_REAL %s\n#define RANK_TREES(name) %s_##name\n", w.real, w.name);
  fputs("#include \"rank_trees_kernel.h\"\n#undef RANK_TREES_REAL\n#undef RANK_TREES\n", out);
  put_trees(&w);
  put_nodes(&w);
  put_leaves(&w);
  put_plain(&w);
  put_table(&w);
  if (w.straight) {
    put_straight(&w);
  }
  put_function(&w);
  trees_tables_free(&t);
  return ferror(out) ? rank_fail(e, "cannot write the forest's code") : 0;
}
