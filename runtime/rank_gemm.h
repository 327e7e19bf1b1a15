#ifndef RANK_GEMM_H
#define RANK_GEMM_H

/* Contractions: C[m][n] = sum over k of A[m][k] B[k][n], in register blocks of RANK_ROWS x RANK_COLS
 * vectors.
 *
 * RANK_GEMM is a macro so that what happens before and after the sum is part of the kernel: INIT is the
 * starting value and DONE what is done with `sum`, both vector expressions that may use `row` and `col`,
 * the element where the vector starts. N is a constant; B's rows are padded to whole vectors (RANK_PAD).
 * A is read one number at a time at A[row * a_m + k * a_k], so it may be transposed.
 *
 * Panels of B (K x RANK_COLS vectors) go in the outer loop: a panel stays in the first-level cache while
 * the rows of A stream by. Every element is summed in order of k by one block, so the result does not
 * depend on how rows are grouped. */

#include "rank_vec.h"

/* 12 of 16 vector registers hold sums with AVX2, 24 of 32 with AVX-512. */
#if RANK_VECTOR_BYTES == 64
enum { RANK_ROWS = 6, RANK_COLS = 4 };
#else
enum { RANK_ROWS = 6, RANK_COLS = 2 };
#endif

#define RANK_BLOCK(R, J, m0, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    rank_vec sum_[R][J]; \
    RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) \
    { \
      RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) \
      { \
        const long row = (m0) + r_, col = (n0) + j_ * RANK_VL; \
        (void)row; \
        (void)col; \
        sum_[r_][j_] = (INIT); \
      } \
    } \
    const rank_real *b_ = (B) + (n0); \
    const rank_real *a_ = (A) + (m0) * (a_m); \
    for (long k_ = 0; k_ < (K); k_++, b_ += (ldb), a_ += (a_k)) { \
      rank_vec v_[J]; \
      RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) v_[j_] = rank_load(b_ + j_ * RANK_VL); \
      RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) \
      { \
        const rank_vec x_ = rank_splat(a_[r_ * (a_m)]); \
        RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) sum_[r_][j_] += x_ * v_[j_]; \
      } \
    } \
    RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) \
    { \
      RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) \
      { \
        const long row = (m0) + r_, col = (n0) + j_ * RANK_VL; \
        const rank_vec sum = sum_[r_][j_]; \
        (void)row; \
        (void)col; \
        DONE; \
      } \
    } \
  } while (0)

#define RANK_PANEL(J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    long m_ = 0; \
    for (; m_ + RANK_ROWS <= (M); m_ += RANK_ROWS) \
      RANK_BLOCK(RANK_ROWS, J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    if ((M)-m_ >= 4) { \
      RANK_BLOCK(4, J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
      m_ += 4; \
    } \
    if ((M)-m_ >= 2) { \
      RANK_BLOCK(2, J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
      m_ += 2; \
    } \
    if ((M)-m_ >= 1) \
      RANK_BLOCK(1, J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  } while (0)

#define RANK_VECTORS(N) (((N) + RANK_VL - 1) / RANK_VL)

#define RANK_GEMM(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    enum { panels_ = RANK_VECTORS(N) / RANK_COLS, rest_ = RANK_VECTORS(N) % RANK_COLS }; \
    for (int p_ = 0; p_ < panels_; p_++) \
      RANK_PANEL(RANK_COLS, M, p_ *RANK_COLS *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    if (rest_ == 1) \
      RANK_PANEL(1, M, panels_ *RANK_COLS *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    if (rest_ == 2 && RANK_COLS > 2) \
      RANK_PANEL(2, M, panels_ *RANK_COLS *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    if (rest_ == 3 && RANK_COLS > 3) \
      RANK_PANEL(3, M, panels_ *RANK_COLS *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  } while (0)

/* Sums over many rows (K), as weight gradients are: in chunks that stay in the first-level cache. INIT must
 * read what DONE wrote. */
enum { RANK_ROW_CHUNK = 96 };
#define RANK_GEMM_ROWS(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    const long rows_ = (K); \
    for (long first_ = 0; first_ < rows_; first_ += RANK_ROW_CHUNK) { \
      const long some_ = rows_ - first_ < RANK_ROW_CHUNK ? rows_ - first_ : RANK_ROW_CHUNK; \
      RANK_GEMM( \
        M, N, some_, (A) + first_ * (a_k), a_m, a_k, (B) + first_ * (ldb), ldb, INIT, DONE); \
    } \
  } while (0)

#endif
