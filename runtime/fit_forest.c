/* fit_forest.c: trees = forest(x; file = "model.txt"): a forest that another program has fitted, LightGBM's
 * text or XGBoost's JSON. What becomes of it is fit_trees.c's.
 *
 * One idea: the file is read once, by `train`, and from then on the forest is in the weights; so what is
 * served is one file, and nothing looks for another one. */

#include "fit_trees.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RANK_SERVING

/* Where `rankc build` puts the model's files: beside the program. */
static int find_file(const char *name, char path[PATH_MAX], rank_error *e)
{
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
  char *end = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
  size_t room = end != NULL ? (size_t)(PATH_MAX - (end - path) - 1) : 0;
  if (end == NULL || strlen(name) >= room) {
    return rank_fail(e, "%s: cannot say where this program lies, to find it beside it", name);
  }
  memcpy(end + 1, name, strlen(name) + 1);
  return 0;
}

static int check_forest(const fit_call *c, const rank_forest *f, rank_error *e)
{
  const rank_input *in = &c->m->inputs[c->fit->sources[0]];
  double most = c->fit->settings[FIT_TREES_MOST], leaves = c->fit->settings[FIT_TREES_LEAVES];
  int largest = 0;
  for (long i = 0; i < f->ntrees; i++) {
    largest = f->trees[i].leaves > largest ? f->trees[i].leaves : largest;
  }
  if (f->features != in->width) {
    return rank_fail(e, "a forest over %d features, but input %s has %ld number%s", f->features,
      in->name, in->width, in->width == 1 ? "" : "s");
  }
  if ((double)f->ntrees > most || largest > leaves) {
    return rank_fail(e,
      "%ld trees of at most %d leaves, but the program was made for %g of %g; build it anew, or "
      "say "
      "trees = %ld, leaves = %d in the model",
      f->ntrees, largest, most, leaves, f->ntrees, largest);
  }
  return 0;
}

static int learn(const fit_call *c, fit_state *s, rank_error *e)
{
  char path[PATH_MAX];
  rank_error why = {{0}};
  if (find_file(c->fit->file, path, e) != 0) {
    return -1;
  }
  rank_forest *f = rank_forest_load(path, &why);
  if (f == NULL || check_forest(c, f, &why) != 0) {
    rank_forest_free(f);
    return rank_fail(e, "fit %s: %s: %.800s", c->fit->name, c->fit->file, why.text);
  }
  rank_log_line(c->log, "fit %s: %ld trees, %ld leaves from %s", c->fit->name, f->ntrees,
    f->nleaves, c->fit->file);
  int failed = fit_trees_save(f, s) != 0 ? rank_fail(e, "out of memory") : 0;
  rank_forest_free(f);
  return failed;
}

#endif

const rank_fit_op rank_fit_forest = {FIT_TREES_OP, .learn = FIT_LEARN(learn), .no_rows = 1};
