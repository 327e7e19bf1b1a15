/* Reads LightGBM's text. A block of "key=value" lines is a header, every later one a tree; keys may come in
 * any order and unknown ones do not matter. What a tree says is taken only after all of it is checked. */

#include "trees.h"
#include "trees_text.h"

#include <math.h>
#include <string.h>

enum { LISTS = 14, MOST_FEATURES = 1 << 20 };

typedef enum list_key {
  FEATURE,
  THRESHOLD,
  DECISION,
  LEFT,
  RIGHT,
  LEAF_VALUE, /* what a tree cannot do without */
  GAIN,
  VALUE,
  WEIGHT,
  COUNT,
  LEAF_WEIGHT,
  LEAF_COUNT,
  CAT_BOUNDS,
  CAT_WORDS
} list_key;

static const char *const keys[LISTS] = {"split_feature", "threshold", "decision_type", "left_child",
  "right_child", "leaf_value", "split_gain", "internal_value", "internal_weight", "internal_count",
  "leaf_weight", "leaf_count", "cat_boundaries", "cat_threshold"};

typedef struct tree_text { /* a tree's lines, not yet read */
  long number, leaves, cats, linear;
  double shrinkage;
  text_span list[LISTS];
} tree_text;

typedef struct reading {
  rank_forest *f;
  long tree;
  rank_error *e;
} reading;

static int bad(const reading *r, const char *what)
{
  return rank_fail(r->e, "LightGBM model, tree %ld: %s", r->tree, what);
}

/* The numbers of a list, which must be n; NULL after saying why not. */
static double *numbers(const reading *r, const tree_text *t, list_key key, long n)
{
  double *x = malloc(sizeof *x * (size_t)(n + 1));
  text_span rest = t->list[key], word;
  long i = 0;
  int ok = x != NULL && rest.at != NULL;
  while (ok && text_word(&rest, &word)) {
    ok = i < n && text_double(word, x + i++);
  }
  if (!ok || i != n) {
    rank_fail(r->e, "LightGBM model, tree %ld: %s should be %ld numbers", r->tree, keys[key], n);
    free(x);
    return NULL;
  }
  return x;
}

static int whole(double x, double low, double high)
{
  return x >= low && x <= high && x == floor(x);
}

/* Categories of all nodes: words to the forest's, boundaries to bounds[0..cats]. */
static int read_categories(const reading *r, const tree_text *t, uint32_t *at, double **bounds)
{
  *bounds = numbers(r, t, CAT_BOUNDS, t->cats + 1);
  if (!*bounds) {
    return -1;
  }
  const double *b = *bounds;
  for (long i = 0; i <= t->cats; i++) {
    if (!whole(b[i], i ? b[i - 1] : 0, 1e9) || (i == 0 && b[i] != 0)) {
      return bad(r, "cat_boundaries do not ascend from 0");
    }
  }
  long n = (long)b[t->cats];
  if (n > t->list[CAT_WORDS].end - t->list[CAT_WORDS].at) {
    return bad(r, "cat_threshold is shorter than cat_boundaries say");
  }
  double *x = numbers(r, t, CAT_WORDS, n);
  uint32_t *words = malloc(sizeof *words * (size_t)(n + 1));
  int status = x && words ? 0 : -1;
  for (long i = 0; status == 0 && i < n; i++) {
    status = whole(x[i], 0, UINT32_MAX) ? 0 : bad(r, "cat_threshold is no 32-bit word");
    words[i] = status == 0 ? (uint32_t)x[i] : 0;
  }
  status = status == 0 ? rank_forest_words(r->f, words, (size_t)n, at, r->e) : status;
  free(x);
  free(words);
  return status;
}

/* Nodes from the lists, five of which must be there. */
static int read_nodes(
  const reading *r, const tree_text *t, rank_node *nodes, uint32_t at, const double *bounds)
{
  long n = t->leaves - 1;
  double *x[LEAF_VALUE] = {0};
  int status = 0;
  for (int k = 0; status == 0 && k < LEAF_VALUE; k++) {
    x[k] = numbers(r, t, (list_key)k, n);
    status = x[k] ? 0 : -1;
  }
  for (long i = 0; status == 0 && i < n; i++) {
    rank_node *to = nodes + i;
    if (!whole(x[FEATURE][i], 0, INT32_MAX) || !whole(x[DECISION][i], 0, 15) ||
        ((int)x[DECISION][i] >> 2) == 3 || !whole(x[LEFT][i], -(double)t->leaves, (double)n) ||
        !whole(x[RIGHT][i], -(double)t->leaves, (double)n)) {
      status = bad(r, "a split's feature, decision or child is out of range");
      break;
    }
    to->feature = (int32_t)x[FEATURE][i];
    to->decision = (uint8_t)x[DECISION][i];
    int category = to->decision & RANK_SPLIT_CATEGORY;
    to->threshold = category ? x[THRESHOLD][i] : trees_threshold(x[THRESHOLD][i]);
    to->left = (int32_t)x[LEFT][i];
    to->right = (int32_t)x[RIGHT][i];
    if (category) {
      if (!bounds || !whole(to->threshold, 0, (double)(t->cats - 1))) {
        status = bad(r, "a split's categories are not there");
        break;
      }
      long c = (long)to->threshold;
      to->word = at + (uint32_t)bounds[c];
      to->nwords = (uint32_t)(bounds[c + 1] - bounds[c]);
    }
  }
  for (int k = 0; k < LEAF_VALUE; k++) {
    free(x[k]);
  }
  return status;
}

/* What is known of the fit, where it is written down. */
static int read_statistics(
  const reading *r, const tree_text *t, rank_node *nodes, rank_leaf *leaves)
{
  for (int k = GAIN; k <= LEAF_COUNT; k++) {
    int of_leaves = k >= LEAF_WEIGHT;
    long n = of_leaves ? t->leaves : t->leaves - 1;
    text_span s = t->list[k], word;
    if (n == 0 || !s.at || !text_word(&s, &word)) {
      continue;
    }
    double *x = numbers(r, t, (list_key)k, n);
    if (!x) {
      return -1;
    }
    for (long i = 0; i < n; i++) {
      double v = isfinite(x[i]) ? x[i] : 0;
      long count = fabs(v) < 1e18 ? (long)v : 0;
      switch (k) {
      case GAIN:
        nodes[i].gain = v;
        break;
      case VALUE:
        nodes[i].value = v;
        break;
      case WEIGHT:
        nodes[i].weight = v;
        break;
      case COUNT:
        nodes[i].count = count;
        break;
      case LEAF_WEIGHT:
        leaves[i].weight = v;
        break;
      default:
        leaves[i].count = count;
      }
    }
    free(x);
  }
  return 0;
}

static int read_tree(const reading *r, const tree_text *t)
{
  text_span value = t->list[LEAF_VALUE];
  if (t->leaves < 1 || !value.at || t->leaves > value.end - value.at) {
    return bad(r, "num_leaves and leaf_value do not go together");
  }
  if (t->linear) {
    return bad(r, "trees with linear leaves are not known here");
  }
  double *values = numbers(r, t, LEAF_VALUE, t->leaves), *bounds = NULL;
  uint32_t at = 0;
  int status = values ? 0 : -1;
  if (status == 0 && t->cats > 0) {
    status = read_categories(r, t, &at, &bounds);
  }
  rank_tree *tree = status == 0 ? rank_forest_add(r->f, (int)t->leaves, r->e) : NULL;
  status = tree ? 0 : -1;
  if (tree) {
    rank_leaf *leaves = r->f->leaves + tree->leaf;
    rank_node *nodes = r->f->nodes ? r->f->nodes + tree->node : NULL;
    tree->shrinkage = t->shrinkage;
    for (long i = 0; i < t->leaves; i++) {
      leaves[i].value = values[i];
    }
    if (t->leaves > 1) {
      status = read_nodes(r, t, nodes, at, bounds);
    }
    status = status == 0 ? read_statistics(r, t, nodes, leaves) : status;
  }
  free(values);
  free(bounds);
  return status;
}

/* The lines of one tree, up to an empty one. */
static int scan_tree(reading *r, text_span *rest)
{
  tree_text t = {.shrinkage = 1};
  text_span line, value;
  while (text_line(rest, &line) && line.end > line.at) {
    int ok = 1;
    if (text_key(line, "num_leaves", &value)) {
      ok = text_long(value, 1, INT32_MAX / 4, &t.leaves);
    } else if (text_key(line, "num_cat", &value)) {
      ok = text_long(value, 0, INT32_MAX / 4, &t.cats);
    } else if (text_key(line, "is_linear", &value)) {
      ok = text_long(value, 0, 1, &t.linear);
    } else if (text_key(line, "shrinkage", &value)) {
      ok = text_double(value, &t.shrinkage);
    }
    for (int k = 0; k < LISTS; k++) {
      if (text_key(line, keys[k], &value)) {
        t.list[k] = value;
      }
    }
    if (!ok) {
      return bad(r, "a number of its header is wrong");
    }
  }
  if (t.cats > (t.list[CAT_BOUNDS].at ? t.list[CAT_BOUNDS].end - t.list[CAT_BOUNDS].at : 0)) {
    return bad(r, "num_cat and cat_boundaries do not go together");
  }
  return read_tree(r, &t);
}

static int words_to(char **to, int n, text_span value)
{
  text_span word;
  int i = 0;
  while (text_word(&value, &word)) {
    char *copy = i < n ? text_copy(word) : NULL;
    if (!copy) {
      return -1;
    }
    free(to[i]);
    to[i++] = copy;
  }
  return i == n ? 0 : -1;
}

static int read_objective(rank_forest *f, text_span value, rank_error *e)
{
  text_span word, option;
  if (!text_word(&value, &word)) {
    return 0;
  }
  if (text_is(word, "binary") || text_is(word, "cross_entropy") || text_is(word, "xentropy")) {
    f->objective = RANK_TREES_BINARY;
    while (text_word(&value, &option)) {
      if (option.end - option.at > 8 && memcmp(option.at, "sigmoid:", 8) == 0) {
        option.at += 8;
        if (!text_double(option, &f->sigmoid) || !(f->sigmoid > 0)) {
          return rank_fail(e, "LightGBM model: its sigmoid is no number");
        }
      }
    }
  }
  return 0;
}

typedef struct header {
  long features, classes, per_round;
  int average;
  text_span objective, names, infos;
} header;

/* Up to the first empty line after max_feature_idx. */
static int read_header(header *h, text_span *rest, rank_error *e)
{
  text_span line, value;
  *h = (header){.features = -1, .classes = 1, .per_round = 1};
  while (text_line(rest, &line) && (line.end > line.at || h->features < 0)) {
    int ok = 1;
    if (text_key(line, "max_feature_idx", &value)) {
      ok = text_long(value, 0, MOST_FEATURES - 1, &h->features);
    } else if (text_key(line, "num_class", &value)) {
      ok = text_long(value, 1, 1, &h->classes);
    } else if (text_key(line, "num_tree_per_iteration", &value)) {
      ok = text_long(value, 1, 1, &h->per_round);
    } else if (text_key(line, "objective", &value)) {
      h->objective = value;
    } else if (text_key(line, "feature_names", &value)) {
      h->names = value;
    } else if (text_key(line, "feature_infos", &value)) {
      h->infos = value;
    } else if (text_is(line, "average_output")) {
      h->average = 1;
    }
    if (!ok) {
      return rank_fail(e, "LightGBM model: one class and a number of features are expected");
    }
  }
  return h->features < 0 ? rank_fail(e, "LightGBM model: max_feature_idx is missing") : 0;
}

static int read_all(rank_forest *f, const header *h, text_span *rest, rank_error *e)
{
  text_span line, value;
  reading r = {f, 0, e};
  f->objective = RANK_TREES_SQUARED;
  f->average = (unsigned char)h->average;
  if ((h->names.at && words_to(f->names, f->features, h->names) != 0) ||
      (h->infos.at && words_to(f->infos, f->features, h->infos) != 0)) {
    return rank_fail(e, "LightGBM model: names or infos of another number of features");
  }
  if (h->objective.at && read_objective(f, h->objective, e) != 0) {
    return -1;
  }
  int ended = 0;
  while (!ended && text_line(rest, &line)) {
    if (text_key(line, "Tree", &value)) {
      if (scan_tree(&r, rest) != 0) {
        return -1;
      }
      r.tree++;
    }
    ended = text_is(line, "end of trees");
  }
  return ended ? rank_forest_check(f, e) : rank_fail(e, "LightGBM model: it ends too early");
}

rank_forest *rank_forest_read_lightgbm(const char *text, size_t n, rank_error *e)
{
  text_span rest = {text, text + n}, line;
  header h;
  if (!text_line(&rest, &line) || !text_is(line, "tree")) {
    rank_fail(e, "no LightGBM model: it does not begin with \"tree\"");
    return NULL;
  }
  if (read_header(&h, &rest, e) != 0) {
    return NULL;
  }
  rank_forest *f = rank_forest_new((int)h.features + 1, e);
  if (f && read_all(f, &h, &rest, e) != 0) {
    rank_forest_free(f);
    f = NULL;
  }
  return f;
}
