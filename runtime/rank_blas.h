#ifndef RANK_BLAS_H
#define RANK_BLAS_H

/* Contractions of op-by-op code through OpenBLAS. The caller's threads each work on a chunk of the batch,
 * so OpenBLAS itself must run on one thread. */

#include "rank_vec.h"

#include <cblas.h>
#undef I /* of complex.h: a model may call something I */
#undef complex

/* C[m][n] = (add ? C : 0) + sum over k of A[m * a_m + k * a_k] B[k * ldb + n] */
static inline void rank_blas(long m, long n, long k, const rank_real *a, long a_m, long a_k,
  const rank_real *b, long ldb, rank_real *c, long ldc, int add)
{
  if (m == 0 || n == 0) {
    return;
  }
  const int in_rows = a_k == 1 || k == 1;
  if (!in_rows && a_m != 1 &&
      m > 1) { /* every so manieth number of a row: OpenBLAS has no such matrix */
    for (long i = 0; i < m; i++) {
      rank_blas(1, n, k, a + i * a_m, a_m, a_k, b, ldb, c + i * ldc, ldc, add);
    }
    return;
  }
  const enum CBLAS_TRANSPOSE trans = in_rows ? CblasNoTrans : CblasTrans;
  const long ld = in_rows ? (m == 1 ? k : a_m) : a_k; /* one row has no distance */
  const int lda = (int)(ld < 1 ? 1 : ld);
  ldb = ldb < n ? n : ldb; /* of one row */
  const rank_real beta = add ? 1 : 0;
#ifdef RANK_F64
  cblas_dgemm(CblasRowMajor, trans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, lda, b, (int)ldb,
    beta, c, (int)ldc);
#else
  cblas_sgemm(CblasRowMajor, trans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, lda, b, (int)ldb,
    beta, c, (int)ldc);
#endif
}

/* C[m][n] = sum over k of A[m][k] B[n][k]; rows of C one behind the other */
static inline void rank_blas_turned(
  long m, long n, long k, const rank_real *a, long lda, const rank_real *b, long ldb, rank_real *c)
{
  if (m == 0 || n == 0) {
    return;
  }
#ifdef RANK_F64
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b,
    (int)ldb, 0, c, (int)n);
#else
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b,
    (int)ldb, 0, c, (int)n);
#endif
}

#endif
