/* Reads XGBoost's JSON. XGBoost rounds a value to float and asks x < t; here a double is asked x <= u, where
 * u is the largest double that rounds below t: both say the same of every number. Categories in XGBoost's
 * set go right, so its children are swapped. */

#include "trees.h"
#include "trees_json.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef enum list_key {
  LEFT,
  RIGHT,
  FEATURE,
  CONDITION,
  DEFAULT_LEFT, /* what a tree cannot do without */
  TYPE,
  CATS,
  CAT_NODES,
  CAT_FROM,
  CAT_COUNT,
  LOSS,
  HESSIAN,
  WEIGHT,
  LISTS
} list_key;

enum { MOST_FEATURES = 1 << 20 };

static const char *const keys[LISTS] = {"left_children", "right_children", "split_indices",
  "split_conditions", "default_left", "split_type", "categories", "categories_nodes",
  "categories_segments", "categories_sizes", "loss_changes", "sum_hessian", "base_weights"};

typedef struct reading {
  rank_forest *f;
  json_cursor c;
  json_numbers list[LISTS];
  long features, classes, targets;
  double base;
  int logistic, identity, gbtree;
  int32_t *number; /* of each node reached: its place among nodes or leaves */
  int32_t *stack;
  long room;
  rank_error *e;
} reading;

static int bad(const reading *r, const char *what)
{
  return rank_fail(r->e, "XGBoost model, tree %ld: %s", r->f->ntrees, what);
}

/* The largest double that rounds to a float below t. */
static double threshold_below(float t)
{
  float low = nextafterf(t, -(float)INFINITY);
  double middle = isinf(low) ? -0x1.ffffffp127 : ((double)low + (double)t) / 2;
  float rounded = (float)middle; /* a tie: to the even one */
  return rounded < t ? middle : nextafter(middle, -(double)INFINITY);
}

static long item(const reading *r, list_key key, long i)
{
  double x = (double)r->list[key].at[i];
  return x >= -2147483648.0 && x <= 2147483520.0 ? (long)x : -2147483648L;
}

/* Marks what the root reaches and numbers it by node id; returns how many leaves, or -1. */
static long number_nodes(reading *r, long n)
{
  long top = 0, visits = 0, leaves = 0, inner = 0;
  if (n > r->room) {
    free(r->number);
    free(r->stack);
    r->number = malloc(sizeof *r->number * (size_t)n);
    r->stack = malloc(sizeof *r->stack * (size_t)(n + 2));
    r->room = r->number && r->stack ? n : 0;
    if (r->room == 0) {
      return bad(r, "out of memory");
    }
  }
  for (long i = 0; i < n; i++) {
    r->number[i] = -1;
  }
  r->stack[top++] = 0;
  while (top > 0) {
    int32_t i = r->stack[--top];
    if (r->number[i] >= 0 || ++visits > n) {
      return bad(r, "reaches a node twice");
    }
    r->number[i] = 0;
    long left = item(r, LEFT, i), right = item(r, RIGHT, i);
    if (left == -1) {
      continue;
    }
    if (left < 0 || left >= n || right < 0 || right >= n || top + 2 > n) {
      return bad(r, "a child is out of range");
    }
    r->stack[top++] = (int32_t)left;
    r->stack[top++] = (int32_t)right;
  }
  for (long i = 0; i < n; i++) {
    if (r->number[i] == 0) {
      r->number[i] = (int32_t)(item(r, LEFT, i) == -1 ? leaves++ : inner++);
    }
  }
  return leaves;
}

static int32_t child(const reading *r, long i)
{
  return item(r, LEFT, i) == -1 ? ~r->number[i] : r->number[i];
}

/* Sets of one node's categories. */
static int read_categories(reading *r, long node, rank_node *to)
{
  const json_numbers *nodes = r->list + CAT_NODES;
  long k = 0;
  while (k < nodes->n && item(r, CAT_NODES, k) != node) {
    k++;
  }
  if (k == nodes->n || k >= r->list[CAT_FROM].n || k >= r->list[CAT_COUNT].n) {
    return bad(r, "a split's categories are not there");
  }
  long from = item(r, CAT_FROM, k), count = item(r, CAT_COUNT, k), most = 0;
  if (from < 0 || count < 0 || from > r->list[CATS].n || count > r->list[CATS].n - from) {
    return bad(r, "a split's categories are out of range");
  }
  for (long i = from; i < from + count; i++) {
    long c = item(r, CATS, i);
    if (c < 0 || c >= 1 << 24) {
      return bad(r, "a category is out of range");
    }
    most = c > most ? c : most;
  }
  uint32_t *words = calloc((size_t)most / 32 + 1, sizeof *words);
  if (!words) {
    return bad(r, "out of memory");
  }
  for (long i = from; i < from + count; i++) {
    words[item(r, CATS, i) / 32] |= 1u << item(r, CATS, i) % 32;
  }
  to->nwords = (uint32_t)most / 32 + 1;
  int status = rank_forest_words(r->f, words, to->nwords, &to->word, r->e);
  free(words);
  return status;
}

static double known(const reading *r, list_key key, long i)
{
  double x = i < r->list[key].n ? (double)r->list[key].at[i] : 0;
  return isfinite(x) ? x : 0;
}

static int fill_node(reading *r, long i, rank_node *to)
{
  float t = r->list[CONDITION].at[i];
  long feature = item(r, FEATURE, i);
  int default_left = item(r, DEFAULT_LEFT, i) == 1;
  if (feature < 0 || feature >= r->f->features || !isfinite(t)) {
    return bad(r, "a split's feature or condition is out of range");
  }
  to->feature = (int32_t)feature;
  to->left = child(r, item(r, LEFT, i));
  to->right = child(r, item(r, RIGHT, i));
  to->gain = known(r, LOSS, i);
  to->weight = known(r, HESSIAN, i);
  to->value = known(r, WEIGHT, i);
  if (i < r->list[TYPE].n && item(r, TYPE, i) == 1) {
    int32_t swap = to->left;
    to->left = to->right;
    to->right = swap;
    to->decision = RANK_SPLIT_CATEGORY | RANK_SPLIT_NAN | RANK_SPLIT_STRICT;
    to->decision |= default_left ? 0 : RANK_SPLIT_LEFT;
    return read_categories(r, i, to);
  }
  to->threshold = threshold_below(t);
  to->decision = (uint8_t)(RANK_SPLIT_NAN | (default_left ? RANK_SPLIT_LEFT : 0));
  return 0;
}

static int build_tree(reading *r)
{
  long n = r->list[LEFT].n;
  for (int k = 0; k <= DEFAULT_LEFT; k++) {
    if (n < 1 || n > INT32_MAX / 4 || r->list[k].n != n) {
      return rank_fail(
        r->e, "XGBoost model, tree %ld: %s should be %ld numbers", r->f->ntrees, keys[k], n);
    }
  }
  long leaves = number_nodes(r, n);
  rank_tree *t = leaves > 0 ? rank_forest_add(r->f, (int)leaves, r->e) : NULL;
  if (!t) {
    return -1;
  }
  long node = t->node, leaf = t->leaf;
  for (long i = 0; i < n; i++) {
    if (r->number[i] < 0) {
      continue; /* pruned */
    }
    if (item(r, LEFT, i) == -1) {
      rank_leaf *l = r->f->leaves + leaf + r->number[i];
      l->value = (double)r->list[CONDITION].at[i];
      l->weight = known(r, HESSIAN, i);
      l->id = (int32_t)i;
    } else if (fill_node(r, i, r->f->nodes + node + r->number[i]) != 0) {
      return -1;
    }
  }
  return 0;
}

static int read_tree(reading *r)
{
  text_span key;
  for (int k = 0; k < LISTS; k++) {
    r->list[k].n = 0;
  }
  json_open(&r->c, '{');
  while (json_key(&r->c, &key)) {
    int k = 0;
    while (k < LISTS && !text_is(key, keys[k])) {
      k++;
    }
    if (k < LISTS) {
      json_numbers_read(&r->c, r->list + k);
    } else {
      json_skip(&r->c);
    }
  }
  return r->c.bad ? -1 : build_tree(r);
}

/* What a data frame's categories are, column by column. Sets of categories hold their places in this list;
 * so it has to say 0, 1, 2, ..., or a row's numbers would be taken for other categories. */
static int read_encodings(reading *r)
{
  text_span key;
  long column = 0;
  int named = -1; /* the first column that says something else */
  json_numbers values = {0};
  json_open(&r->c, '[');
  for (; json_more(&r->c); column++) {
    int text = 0;
    json_open(&r->c, '{');
    while (json_key(&r->c, &key)) {
      int offsets = text_is(key, "offsets");
      if (!offsets && !text_is(key, "values")) {
        json_skip(&r->c);
        continue;
      }
      json_numbers_read(&r->c, &values);
      text |= offsets && values.n > 0;
      for (long i = 0; i < values.n && !offsets; i++) {
        text |= values.at[i] != (float)i;
      }
    }
    named = named < 0 && text ? (int)column : named;
  }
  free(values.at);
  if (named < 0 || r->c.bad) {
    return 0;
  }
  return rank_fail(r->e,
    "XGBoost model: feature %d has categories that are not the numbers 0, 1, 2, ...; train it on "
    "their numbers (pandas: .cat.codes, with feature_types)",
    named);
}

static int read_cats(reading *r)
{
  text_span key;
  int status = 0;
  json_open(&r->c, '{');
  while (status == 0 && json_key(&r->c, &key)) {
    if (text_is(key, "enc")) {
      status = read_encodings(r);
    } else {
      json_skip(&r->c);
    }
  }
  return status;
}

static int read_model(reading *r)
{
  text_span key;
  int status = 0;
  json_open(&r->c, '{');
  while (status == 0 && json_key(&r->c, &key)) {
    if (text_is(key, "cats")) {
      status = read_cats(r);
      continue;
    }
    if (!text_is(key, "trees")) {
      json_skip(&r->c);
      continue;
    }
    json_open(&r->c, '[');
    while (status == 0 && json_more(&r->c)) {
      status = read_tree(r);
    }
  }
  return status;
}

static int read_booster(reading *r)
{
  text_span key, name;
  int status = 0;
  json_open(&r->c, '{');
  while (status == 0 && json_key(&r->c, &key)) {
    if (text_is(key, "name")) {
      json_string(&r->c, &name);
      r->gbtree = text_is(name, "gbtree");
    } else if (text_is(key, "model")) {
      status = read_model(r);
    } else {
      json_skip(&r->c);
    }
  }
  return status;
}

/* A number of things; -1: it is none. */
static long count(json_cursor *c)
{
  double n = json_number(c);
  return n >= 0 && n <= (double)MOST_FEATURES ? (long)n : -1;
}

static void read_parameters(reading *r)
{
  text_span key;
  json_open(&r->c, '{');
  while (json_key(&r->c, &key)) {
    if (text_is(key, "base_score")) {
      r->base = json_number(&r->c);
    } else if (text_is(key, "num_class")) {
      r->classes = count(&r->c);
    } else if (text_is(key, "num_target")) {
      r->targets = count(&r->c);
    } else if (text_is(key, "num_feature")) {
      r->features = count(&r->c);
    } else {
      json_skip(&r->c);
    }
  }
}

static void read_objective(reading *r)
{
  text_span key, name;
  json_open(&r->c, '{');
  while (json_key(&r->c, &key)) {
    if (!text_is(key, "name")) {
      json_skip(&r->c);
      continue;
    }
    json_string(&r->c, &name);
    r->logistic = text_is(name, "binary:logistic") || text_is(name, "reg:logistic") ||
                  text_is(name, "binary:logitraw");
    r->identity = text_is(name, "reg:squarederror") || text_is(name, "reg:linear") ||
                  text_is(name, "rank:pairwise") || text_is(name, "rank:ndcg") ||
                  text_is(name, "reg:absoluteerror") || text_is(name, "rank:map");
  }
}

/* The trees cannot be read before the number of features is known; XGBoost writes it after them. */
static int read_learner(reading *r, int trees)
{
  text_span key;
  int status = 0;
  json_open(&r->c, '{');
  while (status == 0 && json_key(&r->c, &key)) {
    if (!text_is(key, "learner")) {
      json_skip(&r->c);
      continue;
    }
    json_open(&r->c, '{');
    while (status == 0 && json_key(&r->c, &key)) {
      if (text_is(key, "gradient_booster") && trees) {
        status = read_booster(r);
      } else if (text_is(key, "learner_model_param")) {
        read_parameters(r);
      } else if (text_is(key, "objective")) {
        read_objective(r);
      } else {
        json_skip(&r->c);
      }
    }
  }
  return status == 0 && r->c.bad ? rank_fail(r->e, "XGBoost model: not the JSON it should be")
                                 : status;
}

static int read_all(reading *r, const char *text, size_t n)
{
  r->c = (json_cursor){text, text + n, 0};
  if (read_learner(r, 0) != 0) {
    return -1;
  }
  if (r->features < 1 || r->classes < 0 || r->classes > 1 || r->targets < 0 || r->targets > 1 ||
      !(r->logistic || r->identity)) {
    return rank_fail(
      r->e, "XGBoost model: one output of a logistic or squared objective is expected");
  }
  if (!isfinite(r->base) || (r->logistic && !(r->base > 0 && r->base < 1))) {
    return rank_fail(r->e, "XGBoost model: its base_score is %g", r->base);
  }
  r->f = rank_forest_new((int)r->features, r->e);
  if (!r->f) {
    return -1;
  }
  r->f->objective = r->logistic ? RANK_TREES_BINARY : RANK_TREES_SQUARED;
  r->f->base = r->logistic ? log(r->base / (1 - r->base)) : r->base;
  r->c = (json_cursor){text, text + n, 0};
  int status = read_learner(r, 1);
  if (status == 0 && !r->gbtree) {
    status = rank_fail(r->e, "XGBoost model: only gbtree boosters are known here");
  }
  if (status != 0 && r->c.bad) {
    rank_fail(r->e, "XGBoost model: not the JSON it should be");
  }
  return status == 0 ? rank_forest_check(r->f, r->e) : status;
}

rank_forest *rank_forest_read_xgboost(const char *text, size_t n, rank_error *e)
{
  reading r = {.e = e, .base = 0.5};
  int status = read_all(&r, text, n);
  for (int k = 0; k < LISTS; k++) {
    free(r.list[k].at);
  }
  free(r.number);
  free(r.stack);
  if (status != 0) {
    rank_forest_free(r.f);
    return NULL;
  }
  return r.f;
}
