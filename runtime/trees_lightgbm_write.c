/* Writes a forest as LightGBM's text, version 4. The header says how many bytes each tree takes, so that a
 * tree is written to memory first. */

#include "trees.h"

#include <math.h>
#include <string.h>

typedef double (*number_of)(const rank_forest *f, const rank_tree *t, int i);

static const rank_node *node(const rank_forest *f, const rank_tree *t, int i)
{
  return f->nodes + t->node + i;
}

static double feature(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->feature;
}

static double gain(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->gain;
}

/* Of a split by categories: which of the tree's category sets is its own. */
static double threshold(const rank_forest *f, const rank_tree *t, int i)
{
  int sets = 0;
  if (!(node(f, t, i)->decision & RANK_SPLIT_CATEGORY)) {
    return node(f, t, i)->threshold;
  }
  for (int k = 0; k < i; k++) {
    sets += node(f, t, k)->decision & RANK_SPLIT_CATEGORY;
  }
  return sets;
}

static double decision(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->decision & 15;
}

static double left(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->left;
}

static double right(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->right;
}

static double leaf_value(const rank_forest *f, const rank_tree *t, int i)
{
  double base = t == f->trees ? f->base * (f->average ? (double)f->ntrees : 1) : 0;
  return f->leaves[t->leaf + i].value + base;
}

static double leaf_weight(const rank_forest *f, const rank_tree *t, int i)
{
  return f->leaves[t->leaf + i].weight;
}

static double leaf_count(const rank_forest *f, const rank_tree *t, int i)
{
  return (double)f->leaves[t->leaf + i].count;
}

static double value(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->value;
}

static double weight(const rank_forest *f, const rank_tree *t, int i)
{
  return node(f, t, i)->weight;
}

static double count(const rank_forest *f, const rank_tree *t, int i)
{
  return (double)node(f, t, i)->count;
}

static void list(
  FILE *out, const char *key, const rank_forest *f, const rank_tree *t, number_of x, int n)
{
  fprintf(out, "%s=", key);
  for (int i = 0; i < n; i++) {
    fprintf(out, "%s%.17g", i ? " " : "", x(f, t, i));
  }
  fputc('\n', out);
}

static void write_categories(FILE *out, const rank_forest *f, const rank_tree *t)
{
  unsigned long end = 0;
  fputs("cat_boundaries=0", out);
  for (int i = 0; i < t->leaves - 1; i++) {
    if (node(f, t, i)->decision & RANK_SPLIT_CATEGORY) {
      end += node(f, t, i)->nwords;
      fprintf(out, " %lu", end);
    }
  }
  fputs("\ncat_threshold=", out);
  const char *space = "";
  for (int i = 0; i < t->leaves - 1; i++) {
    const rank_node *n = node(f, t, i);
    for (uint32_t k = 0; (n->decision & RANK_SPLIT_CATEGORY) && k < n->nwords; k++) {
      fprintf(out, "%s%lu", space, (unsigned long)f->words[n->word + k]);
      space = " ";
    }
  }
  fputc('\n', out);
}

static void write_tree(FILE *out, const rank_forest *f, long number)
{
  const rank_tree *t = f->trees + number;
  int n = t->leaves - 1, sets = 0;
  for (int i = 0; i < n; i++) {
    sets += node(f, t, i)->decision & RANK_SPLIT_CATEGORY;
  }
  fprintf(out, "Tree=%ld\nnum_leaves=%d\nnum_cat=%d\n", number, t->leaves, sets);
  list(out, "split_feature", f, t, feature, n);
  list(out, "split_gain", f, t, gain, n);
  list(out, "threshold", f, t, threshold, n);
  list(out, "decision_type", f, t, decision, n);
  list(out, "left_child", f, t, left, n);
  list(out, "right_child", f, t, right, n);
  list(out, "leaf_value", f, t, leaf_value, n + 1);
  list(out, "leaf_weight", f, t, leaf_weight, n + 1);
  list(out, "leaf_count", f, t, leaf_count, n + 1);
  list(out, "internal_value", f, t, value, n);
  list(out, "internal_weight", f, t, weight, n);
  list(out, "internal_count", f, t, count, n);
  if (sets > 0) {
    write_categories(out, f, t);
  }
  fprintf(out, "is_linear=0\nshrinkage=%.17g\n\n\n", t->shrinkage);
}

/* LightGBM's categories send a NaN right and take (-1, 0) for 0. */
static int writable(const rank_forest *f, rank_error *e)
{
  for (long i = 0; i < f->nnodes; i++) {
    if ((f->nodes[i].decision & RANK_SPLIT_CATEGORY) &&
        (f->nodes[i].decision & RANK_SPLIT_STRICT)) {
      return rank_fail(e, "LightGBM has no such splits by category as this forest (from XGBoost)");
    }
  }
  for (int i = 0; i < f->features; i++) {
    if (!f->names[i][0] || strpbrk(f->names[i], " \t\r\n")) {
      return rank_fail(e, "LightGBM names no feature \"%s\"", f->names[i]);
    }
  }
  return f->ntrees > 0 ? 0 : rank_fail(e, "a LightGBM model has a tree at least");
}

static void write_importances(const rank_forest *f, FILE *out, long *splits)
{
  rank_forest_importance(f, NULL, splits);
  fputs("end of trees\n\nfeature_importances:\n", out);
  for (;;) {
    int best = 0;
    for (int i = 1; i < f->features; i++) {
      best = splits[i] > splits[best] ? i : best;
    }
    if (splits[best] <= 0) {
      break;
    }
    fprintf(out, "%s=%ld\n", f->names[best], splits[best]);
    splits[best] = 0;
  }
  fprintf(out, "\nparameters:\n[boosting: gbdt]\n[objective: %s]\nend of parameters\n",
    f->objective == RANK_TREES_BINARY ? "binary" : "regression");
}

static void write_header(const rank_forest *f, FILE *out)
{
  fprintf(out, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n");
  fprintf(out, "max_feature_idx=%d\n", f->features - 1);
  if (f->objective == RANK_TREES_BINARY) {
    fprintf(out, "objective=binary sigmoid:%.17g\n", f->sigmoid);
  } else {
    fputs("objective=regression\n", out);
  }
  fputs(f->average ? "average_output\n" : "", out);
  fputs("feature_names=", out);
  for (int i = 0; i < f->features; i++) {
    fprintf(out, "%s%s", i ? " " : "", f->names[i]);
  }
  fputs("\nfeature_infos=", out);
  for (int i = 0; i < f->features; i++) {
    fprintf(out, "%s%s", i ? " " : "", f->infos[i]);
  }
  fputs("\ntree_sizes=", out);
}

int rank_forest_write_lightgbm(const rank_forest *f, FILE *out, rank_error *e)
{
  if (writable(f, e) != 0) {
    return -1;
  }
  char *text = NULL;
  size_t size = 0, last = 0;
  FILE *trees = open_memstream(&text, &size);
  long *splits = malloc(sizeof *splits * (size_t)(f->features + 1));
  int ok = trees && splits;
  if (ok) {
    write_header(f, out);
  }
  for (long t = 0; ok && t < f->ntrees; t++) {
    write_tree(trees, f, t);
    ok = fflush(trees) == 0;
    fprintf(out, "%s%zu", t ? " " : "", size - last);
    last = size;
  }
  ok = trees && fclose(trees) == 0 && ok;
  if (ok) {
    fputs("\n\n", out);
    fwrite(text, 1, size, out);
    write_importances(f, out, splits);
  }
  free(splits);
  free(text);
  return ok && !ferror(out) ? 0 : rank_fail(e, "cannot write the forest");
}
