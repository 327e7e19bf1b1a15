/* state.c: memory for parameters and optimizer state, and their first values.
 *
 * One idea: page faults are dear, so memory is mapped once, with huge pages where the system has them,
 * and touched once by the initialiser: each table has its own mapping, all dense parameters share one.
 * A first value depends on the seed, the parameter's name and the element's index alone. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"
#include "rank_random.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, SLACK = 64, HUGE_PAGE = 2 << 20 };

/* Bytes of `copies` arrays like parameter p, with room for vector loads past their end. 0: too many. */
static size_t array_bytes(const rank_model *m, const long *rows, int p, int copies)
{
  size_t n, all;
  if (__builtin_mul_overflow((size_t)rows[p], (size_t)m->params[p].width, &n) ||
      __builtin_mul_overflow(n, (size_t)copies, &all) || all > SIZE_MAX / 4 / sizeof(rank_real)) {
    return 0;
  }
  if (m->params[p].table) {
    return (all * sizeof(rank_real) + SLACK + ALIGN - 1) / ALIGN * ALIGN;
  }
  return (n * sizeof(rank_real) + SLACK + ALIGN - 1) / ALIGN * ALIGN * (size_t)copies;
}

static size_t dense_bytes(const rank_model *m, const long *rows, int copies)
{
  size_t sum = 0;
  for (int p = 0; p < m->nparams; p++) {
    sum += m->params[p].table ? 0 : array_bytes(m, rows, p, copies);
  }
  return sum;
}

static void *map_memory(size_t bytes)
{
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) {
    return NULL;
  }
  if (bytes >= HUGE_PAGE) {
    madvise(p, bytes, MADV_HUGEPAGE); /* only advice */
  }
  return p;
}

/* array[p]: `copies` arrays for every parameter p. */
static int map_arrays(const rank_model *m, const long *rows, int copies, rank_real **array)
{
  size_t dense = dense_bytes(m, rows, copies);
  char *at = dense > 0 ? map_memory(dense) : NULL;
  int failed = dense > 0 && at == NULL;
  for (int p = 0; p < m->nparams && !failed; p++) {
    size_t bytes = array_bytes(m, rows, p, copies);
    if (m->params[p].table) {
      array[p] = bytes > 0 ? map_memory(bytes) : NULL;
      failed = array[p] == NULL;
    } else {
      array[p] = (rank_real *)(void *)at;
      at += bytes;
    }
  }
  return failed ? -1 : 0;
}

static void unmap_arrays(const rank_model *m, const long *rows, int copies, rank_real *const *array)
{
  int dense = 0;
  for (int p = 0; p < m->nparams; p++) {
    if (array[p] == NULL) {
      continue;
    }
    if (m->params[p].table) {
      munmap(array[p], array_bytes(m, rows, p, copies));
    } else if (!dense) { /* the first one is where their mapping starts */
      munmap(array[p], dense_bytes(m, rows, copies));
      dense = 1;
    }
  }
}

long rank_state_stride(const rank_model *m, int param)
{
  return m->params[param].table && m->nstates > 1 ? m->params[param].width * m->nstates : 0;
}

/* Where every state of every parameter stands in what was mapped for it. */
static void place_states(rank_state *s, const rank_model *m, rank_real *const *array)
{
  for (int p = 0; p < m->nparams; p++) {
    size_t step = m->params[p].table ? (size_t)m->params[p].width
                                     : array_bytes(m, s->rows, p, 1) / sizeof(rank_real);
    for (int k = 0; k < m->nstates && array[p] != NULL; k++) {
      s->state[p][k] = array[p] + (size_t)k * step;
    }
  }
}

int rank_state_new(
  rank_state *s, const rank_model *m, const long *rows, int training, rank_error *e)
{
  size_t n = (size_t)m->nparams + 1;
  *s = (rank_state){0};
  s->param = calloc(n, sizeof *s->param);
  s->rows = calloc(n, sizeof *s->rows);
  s->state = training ? calloc(n, sizeof *s->state) : NULL;
  rank_real **array = calloc(n, sizeof *array);
  int failed = s->param == NULL || s->rows == NULL || array == NULL || (training && !s->state);
  if (!failed) {
    memcpy(s->rows, rows, (size_t)m->nparams * sizeof *rows);
    failed = map_arrays(m, rows, 1, s->param);
  }
  if (training && m->nstates > 0 && !failed) {
    failed = map_arrays(m, rows, m->nstates, array);
    place_states(s, m, array);
  }
  free(array);
  if (failed) {
    rank_state_free(s, m);
    return rank_fail(e, "out of memory: the model's parameters do not fit");
  }
  return 0;
}

void rank_state_free(rank_state *s, const rank_model *m)
{
  rank_real **array = calloc((size_t)m->nparams + 1, sizeof *array);
  if (s->state != NULL && array != NULL && m->nstates > 0) {
    for (int p = 0; p < m->nparams; p++) {
      array[p] = s->state[p][0];
    }
    unmap_arrays(m, s->rows, m->nstates, array);
  }
  if (s->param != NULL && s->rows != NULL) {
    unmap_arrays(m, s->rows, 1, s->param);
  }
  free(array);
  free(s->param);
  free(s->state);
  free(s->rows);
  *s = (rank_state){0};
}

size_t rank_param_count(const rank_model *m, const rank_state *s, int param)
{
  return (size_t)s->rows[param] * (size_t)m->params[param].width;
}

void rank_state_copy(rank_state *to, const rank_state *from, const rank_model *m)
{
  for (int p = 0; p < m->nparams; p++) {
    size_t bytes = rank_param_count(m, from, p) * sizeof(rank_real);
    memcpy(to->param[p], from->param[p], bytes);
    int pieces = to->state == NULL || from->state == NULL ? 0 : m->nstates;
    if (pieces > 0 && rank_state_stride(m, p) > 0) { /* all states are one */
      bytes *= (size_t)pieces;
      pieces = 1;
    }
    for (int k = 0; k < pieces; k++) {
      memcpy(to->state[p][k], from->state[p][k], bytes);
    }
  }
  to->step = from->step;
  to->seed = from->seed;
}

int rank_state_bad(const rank_state *s, const rank_model *m)
{
  for (int p = 0; p < m->nparams; p++) {
    size_t n = rank_param_count(m, s, p);
    const rank_real *w = s->param[p];
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
      bad |= !(w[i] - w[i] == 0);
    }
    if (bad) {
      return p;
    }
  }
  return -1;
}

int rank_state_rows(const rank_model *m, const rank_encoders *enc, long *rows, rank_error *e)
{
  for (int p = 0; p < m->nparams; p++) {
    const rank_param *param = &m->params[p];
    rows[p] = !param->table ? 1 : param->rows;
    if (param->table && param->rows == 0 && enc != NULL) {
      rows[p] = rank_encoders_size(enc, param->vocab_of);
      if (rows[p] <= 0) {
        return rank_fail(e, "table %s: the vocabulary of input %s is not known yet", param->name,
          m->inputs[param->vocab_of].name);
      }
    }
  }
  return 0;
}

/* --- first values --- */

static double polynomial(const double *c, int n, double x)
{
  double sum = c[n - 1];
  for (int i = n - 2; i >= 0; i--) {
    sum = sum * x + c[i];
  }
  return sum;
}

/* Wichura's AS 241 (1988), good to 16 digits. */
double rank_normal_quantile(double u)
{
  static const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e+2,
    1.9715909503065514427e+3, 1.3731693765509461125e+4, 4.5921953931549871457e+4,
    6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static const double b[] = {1, 4.2313330701600911252e+1, 6.8718700749205790830e+2,
    5.3941960214247511077e+3, 2.1213794301586595867e+4, 3.9307895800092710610e+4,
    2.8729085735721942674e+4, 5.2264952788528545610e+3};
  static const double c[] = {1.42343711074968357734e0, 4.63033784615654529590e0,
    5.76949722146069140550e0, 3.64784832476320460504e0, 1.27045825245236838258e0,
    2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static const double d[] = {1, 2.05319162663775882187e0, 1.67638483018380384940e0,
    6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
    5.47593808499534494600e-4, 1.05075007164441684324e-9};
  static const double f[] = {6.65790464350110377720e0, 5.46378491116411436990e0,
    1.78482653991729133580e0, 2.96560571828504891230e-1, 2.65321895265761230930e-2,
    1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static const double g[] = {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
    1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
    1.42151175831644588870e-7, 2.04426310338993978564e-15};
  double q = u - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * polynomial(a, 8, r) / polynomial(b, 8, r);
  }
  double r = sqrt(-log(q < 0 ? u : 1 - u)), x;
  if (r <= 5) {
    x = polynomial(c, 8, r - 1.6) / polynomial(d, 8, r - 1.6);
  } else {
    x = polynomial(f, 8, r - 5) / polynomial(g, 8, r - 5);
  }
  return q < 0 ? -x : x;
}

static uint64_t hash_name(const char *name)
{
  uint64_t h = 14695981039346656037u;
  for (; *name != '\0'; name++) {
    h = (h ^ (unsigned char)*name) * 1099511628211u;
  }
  return h;
}

static double first_value(const rank_param *p, uint64_t key, uint64_t element)
{
  double u = ((double)(rank_mix(key ^ rank_mix(element)) >> 12) + 0.5) * 0x1p-52; /* in (0, 1) */
  switch (p->init) {
  case RANK_ZEROS:
    break;
  case RANK_CONSTANT:
    return p->init_a;
  case RANK_NORMAL:
    return p->init_a + p->init_b * rank_normal_quantile(u);
  case RANK_UNIFORM:
    return p->init_a + (p->init_b - p->init_a) * u;
  }
  return 0;
}

static void fill(rank_real *w, size_t n, rank_real x)
{
  for (size_t i = 0; i < n; i++) {
    w[i] = x;
  }
}

void rank_state_reset(rank_state *s, const rank_model *m)
{
  for (int p = 0; s->state != NULL && p < m->nparams; p++) {
    long stride = rank_state_stride(m, p), rows = stride > 0 ? s->rows[p] : 1;
    size_t n = rank_param_count(m, s, p) / (size_t)(rows > 0 ? rows : 1);
    for (long r = 0; r < rows; r++) { /* row by row: memory is touched once, in order */
      for (int k = 0; k < m->nstates; k++) {
        fill(s->state[p][k] + r * stride, n, (rank_real)m->state_init[k]);
      }
    }
  }
}

void rank_state_init(rank_state *s, const rank_model *m, uint64_t seed, int threads)
{
  (void)threads; /* without OpenMP */
  for (int p = 0; p < m->nparams; p++) {
    uint64_t key = rank_random_key(seed, hash_name(m->params[p].name), 0x696e6974u);
    long n = (long)rank_param_count(m, s, p);
    rank_real *w = s->param[p];
    const rank_param *param = &m->params[p];
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (n > 100000)
#endif
    for (long i = 0; i < n; i++) {
      w[i] = (rank_real)first_value(param, key, (uint64_t)i);
    }
  }
  rank_state_reset(s, m);
  s->step = 0;
  s->seed = seed;
}
