/* compare_tensors.c: are two files of tensors the same up to rounding?
 *   compare_tensors WANTED.st GOT.st LIMIT [WANTED.st GOT.st LIMIT...]
 *
 * The error of a tensor is the norm of the difference over the norm of what is wanted. A gradient that
 * is 0 by mathematics (a bias under a softmax) is rounding noise everywhere: gradients are measured
 * against no less than a millionth of the whole gradient, or of one. What such noise does to a
 * parameter through an optimizer that divides by the gradient's size is not an error either.
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
  if (!other || other->count != t->count) {
    return HUGE_VAL;
  }
  double *x = values(wanted, t, e), *y = values(got, other, e);
  double scale = norm(x, NULL, t->count), far = norm(x, y, t->count);
  if (is_gradient(t)) {
    scale = fmax(scale, noise * whole);
  } else if (gradient_of(wanted, t, e) < noise * whole) {
    far = isfinite(far) ? 0 : far;
  }
  free(x);
  free(y);
  return scale > 0 ? far / scale : far;
}

/* Prints what differs; returns how many tensors do, or -1 when a file cannot be read. */
static int compare(const char *wanted_path, const char *got_path, double limit)
{
  st_file wanted = {0}, got = {0};
  rank_error e = {0};
  if (st_open(&wanted, wanted_path, &e) != 0 || st_open(&got, got_path, &e) != 0) {
    fprintf(stderr, "compare_tensors: %s\n", e.text);
    return -1;
  }
  double worst = 0;
  double whole = fmax(whole_gradient(&wanted, &e), 1);
  int wrong = 0;
  for (int i = 0; i < wanted.ntensors; i++) {
    double error = difference(&wanted, &wanted.tensors[i], &got, whole, &e);
    worst = error > worst ? error : worst;
    if (!(error <= limit)) {
      printf("  %s differs by %.2e\n", wanted.tensors[i].name, error);
      wrong++;
    }
  }
  printf(
    "%s: %d tensors, %d wrong, largest difference %.1e\n", got_path, wanted.ntensors, wrong, worst);
  st_close(&wanted);
  st_close(&got);
  return wrong;
}

int main(int argc, char **argv)
{
  if (argc < 4 || argc % 3 != 1) {
    fprintf(stderr, "usage: compare_tensors WANTED.st GOT.st LIMIT [WANTED.st GOT.st LIMIT...]\n");
    return 2;
  }
  int status = 0;
  for (int i = 1; i < argc; i += 3) {
    int wrong = compare(argv[i], argv[i + 1], strtod(argv[i + 2], NULL));
    status = wrong < 0 || status == 2 ? 2 : status | (wrong > 0);
  }
  return status;
}
