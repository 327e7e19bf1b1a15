/* compare_tensors.c: are two files of tensors the same up to rounding?
 *   compare_tensors WANTED.st GOT.st LIMIT [WANTED.st GOT.st LIMIT...]
 *   compare_tensors WANTED.st GOT.st LIMIT rounded ROUNDED.st...
 *
 * The error of a tensor is the norm of the difference over the norm of what is wanted. A gradient that
 * is 0 by mathematics (a bias under a softmax) is rounding noise everywhere: gradients are measured
 * against no less than a millionth of the whole gradient, or of one. What such noise does to a
 * parameter through an optimizer that divides by the gradient's size is not an error either.
 *
 * `rounded`: what is wanted, computed several times with other roundings. A tensor of GOT may be LIMIT off, or a
 * hundred times as far as these are, each tensor by itself: cancellation and steps (a < b, where both are the
 * same but for rounding) move some and not others.
 *
 * A gradient that GOT lacks is one of zeros: what the loss does not depend on is not learnt.
 *
 * Where no number is wanted, anything will do, and where infinity is, also no number: 0 * infinity, which a
 * simplification knows to be 0, says nothing about the arithmetic that is compared. */

#include "../../runtime/safetensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double noise = 1e-6;

static double *values(const st_file *f, const st_tensor *t, rank_error *e)
{
  double *x = calloc((size_t)t->count + 1, sizeof *x);
  if (!x || st_read_reals(f, t, x, e) != 0) {
    fprintf(stderr, "compare_tensors: %s: %s\n", f->path, x ? e->text : "no memory");
    exit(2);
  }
  return x;
}

static double norm(const double *x, const double *y, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = y ? x[i] - y[i] : x[i];
    bool agree = x[i] == (y ? y[i] : 0) || isnan(x[i]) || (y && isinf(x[i]) && isnan(y[i]));
    sum += agree ? 0 : d * d;
  }
  return sqrt(sum);
}

static int is_gradient(const st_tensor *t)
{
  return strncmp(t->name, "grad.", 5) == 0;
}

/* Norm over all gradients of a file. */
static double whole_gradient(const st_file *f, rank_error *e)
{
  double sum = 0;
  for (int i = 0; i < f->ntensors; i++) {
    if (is_gradient(&f->tensors[i])) {
      double *x = values(f, &f->tensors[i], e);
      sum += pow(norm(x, NULL, f->tensors[i].count), 2);
      free(x);
    }
  }
  return sqrt(sum);
}

/* Norm of a parameter's gradient; infinite for what is no parameter. */
static double gradient_of(const st_file *f, const st_tensor *t, rank_error *e)
{
  char name[512];
  snprintf(name, sizeof name, "grad.%s", t->name);
  const st_tensor *grad = st_find(f, name);
  if (!grad) {
    return HUGE_VAL;
  }
  double *x = values(f, grad, e);
  double size = norm(x, NULL, grad->count);
  free(x);
  return size;
}

static double difference(
  const st_file *wanted, const st_tensor *t, const st_file *got, double whole, rank_error *e)
{
  const st_tensor *other = st_find(got, t->name);
  double *x = values(wanted, t, e);
  double scale = norm(x, NULL, t->count);
  if (!other || other->count != t->count) {
    free(x);
    return !other && is_gradient(t) && scale == 0 ? 0 : HUGE_VAL;
  }
  double *y = values(got, other, e);
  double far = norm(x, y, t->count);
  if (is_gradient(t)) {
    scale = fmax(scale, noise * whole);
  } else if (gradient_of(wanted, t, e) < noise * whole) {
    far = isfinite(far) ? 0 : far;
  }
  free(x);
  free(y);
  return scale > 0 ? far / scale : far;
}

/* What is wanted, and that again with other roundings. */
typedef struct reference {
  st_file file, *rounded;
  int nrounded;
  double whole; /* norm of all gradients, or 1 */
} reference;

static void open_file(st_file *f, const char *path)
{
  rank_error e = {0};
  if (st_open(f, path, &e) != 0) {
    fprintf(stderr, "compare_tensors: %s\n", e.text);
    exit(2);
  }
}

static void reference_open(reference *r, const char *path, int nrounded, char **rounded)
{
  rank_error e = {0};
  open_file(&r->file, path);
  r->whole = fmax(whole_gradient(&r->file, &e), 1);
  r->nrounded = nrounded;
  r->rounded = calloc((size_t)nrounded + 1, sizeof *r->rounded);
  for (int i = 0; i < nrounded; i++) {
    open_file(&r->rounded[i], rounded[i]);
  }
}

static void reference_close(reference *r)
{
  for (int i = 0; i < r->nrounded; i++) {
    st_close(&r->rounded[i]);
  }
  free(r->rounded);
  st_close(&r->file);
}

static double allowed(const reference *r, const st_tensor *t, double limit, rank_error *e)
{
  for (int i = 0; i < r->nrounded; i++) {
    limit = fmax(limit, 100 * difference(&r->file, t, &r->rounded[i], r->whole, e));
  }
  return limit;
}

/* Prints what differs; returns how many tensors do. */
static int compare(const reference *wanted, const char *got_path, double limit)
{
  st_file got = {0};
  rank_error e = {0};
  open_file(&got, got_path);
  double worst = 0;
  int wrong = 0, ntensors = wanted->file.ntensors;
  for (int i = 0; i < ntensors; i++) {
    const st_tensor *t = &wanted->file.tensors[i];
    double error = difference(&wanted->file, t, &got, wanted->whole, &e);
    worst = error > worst ? error : worst;
    if (!(error <= limit) && !(error <= allowed(wanted, t, limit, &e))) {
      printf("  %s differs by %.2e\n", t->name, error);
      wrong++;
    }
  }
  printf("%s: %d tensors, %d wrong, largest difference %.1e\n", got_path, ntensors, wrong, worst);
  st_close(&got);
  return wrong;
}

int main(int argc, char **argv)
{
  int nrounded = argc > 4 && strcmp(argv[4], "rounded") == 0 ? argc - 5 : 0;
  int last = nrounded ? 4 : argc;
  if (argc < 4 || last % 3 != 1) {
    fprintf(stderr, "usage: compare_tensors WANTED.st GOT.st LIMIT [WANTED.st GOT.st LIMIT...]\n"
                    "       compare_tensors WANTED.st GOT.st LIMIT rounded ROUNDED.st...\n");
    return 2;
  }
  int wrong = 0;
  for (int i = 1; i < last; i += 3) {
    reference wanted = {0};
    reference_open(&wanted, argv[i], nrounded, argv + 5);
    wrong += compare(&wanted, argv[i + 1], strtod(argv[i + 2], NULL));
    reference_close(&wanted);
  }
  return wrong > 0;
}
