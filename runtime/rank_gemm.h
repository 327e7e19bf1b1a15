#ifndef RANK_GEMM_H
#define RANK_GEMM_H

/* Contractions: C[m][n] = sum over k of A[m][k] B[k][n], in register blocks of some rows x some vectors.
 *
 * RANK_GEMM is a macro so that what happens before and after the sum is part of the kernel: INIT is the
 * starting value and DONE what is done with `sum`, both vector expressions that may use `row` and `col`,
 * the element where the vector starts. N is a constant; B's rows are padded to whole vectors (RANK_PAD).
 * A is read one number at a time at A[row * a_m + k * a_k], so it may be transposed.
 *
 * Panels of B (K x J vectors) go in the outer loop: a panel stays in the first-level cache while the rows
 * of A stream by. N is cut into as few panels as registers allow, as alike as can be: 13 vectors are
 * 5 + 4 + 4 and not 4 + 4 + 4 + 1, because a narrow panel loads as often as it multiplies. Every element
 * is summed in order of k by one block, so the result does not depend on how rows are grouped. */

#include "rank_vec.h"

/* Most vectors in a panel, and the rows of its blocks: 24 or 25 of 32 vector registers hold sums with
 * AVX-512, 12 of 16 otherwise. tests/peers/kernels.c measures them. */
#if RANK_VECTOR_BYTES == 64
enum { RANK_COLS = 5 };
#define RANK_ROWS(J) ((J) == 5 ? 5 : (J) == 4 ? 6 : (J) == 3 ? 8 : (J) == 2 ? 12 : 16)
#else
enum { RANK_COLS = 2 };
#define RANK_ROWS(J) 6
#endif

/* Multiply-adds take 4 cycles and two begin in each, so 8 sums must be open, or nearly: a single row of one
 * vector would take 4 cycles where it is worth half of one. So rows are not split into full blocks and what
 * is left, but into blocks that all have rows enough; bit n says that n rows can be. */
#define RANK_GOOD(J) \
  (RANK_VECTOR_BYTES < 64 || (J) == 3 || (J) == 4 ? ~0x26ULL \
    : (J) == 1                                    ? ~0xe4feULL \
    : (J) == 2                                    ? ~0x8ceULL \
                                                  : ~0x2ULL)

/* Rows in blocks of R, of M, that leave a number that is good, too. */
RANK_INLINE long rank_full_rows(long m, long r, uint64_t good)
{
  const long tail = m < 2 * r ? m : m % r + r;
  return m - tail + (tail >= r && ((good >> (tail - r)) & 1 || !((good >> tail) & 1)) ? r : 0);
}

/* Is a block of r the one for what is left? (less than two of the largest blocks) */
RANK_INLINE int rank_block_fits(long left, long r, uint64_t good)
{
  return left >= r && ((good >> (left - r)) & 1 || !((good >> left) & 1));
}

/* Sums of A's columns read a line of it in every turn and a narrow panel has one line of B for it, so loads
 * that have to wait for the second-level cache, and are tried again, take the place of others. */
#define RANK_AHEAD(J, a_, a_k) \
  if ((J) <= 2 && (a_k) > 1) \
  __builtin_prefetch((a_) + 4 * (a_k))

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
      RANK_AHEAD(J, a_, a_k); \
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

/* Blocks of R rows, fewer than the most. */
#define RANK_REST(R, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  if (RANK_ROWS(J) > (R)) { \
    for (; rank_block_fits((M)-m_, R, RANK_GOOD(J)); m_ += (R)) \
      RANK_BLOCK(R, J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  }

#define RANK_PANEL(J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    long m_ = 0; \
    for (const long f_ = rank_full_rows(M, RANK_ROWS(J), RANK_GOOD(J)); m_ < f_; \
         m_ += RANK_ROWS(J)) \
      RANK_BLOCK(RANK_ROWS(J), J, m_, n0, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    if ((J) == 1) { \
      RANK_REST(12, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
      RANK_REST(11, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
      RANK_REST(9, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    } \
    if ((J) <= 2) \
      RANK_REST(8, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    if ((J) == 2) \
      RANK_REST(5, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    RANK_REST(4, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    RANK_REST(3, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    RANK_REST(2, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
    RANK_REST(1, J, M, n0, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  } while (0)

#define RANK_VECTORS(N) (((N) + RANK_VL - 1) / RANK_VL)
#define RANK_PANELS(N) ((RANK_VECTORS(N) + RANK_COLS - 1) / RANK_COLS)

/* `wide_` panels of one vector more than the others, and then those. */
#define RANK_GEMM(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    enum { all_ = RANK_PANELS(N), narrow_ = RANK_VECTORS(N) / all_ }; \
    enum { wide_ = RANK_VECTORS(N) % all_, more_ = narrow_ + (wide_ > 0) }; \
    for (int p_ = 0; p_ < wide_; p_++) \
      RANK_PANEL(more_, M, p_ *more_ *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    for (int p_ = wide_; p_ < all_; p_++) \
      RANK_PANEL( \
        narrow_, M, (p_ * narrow_ + wide_) * RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  } while (0)

/* The first columns alone, `some` of N, and what a panel has beside them. */
#define RANK_GEMM_SOME(M, N, some, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    enum { all_ = RANK_PANELS(N), narrow_ = RANK_VECTORS(N) / all_ }; \
    enum { wide_ = RANK_VECTORS(N) % all_, more_ = narrow_ + (wide_ > 0) }; \
    const long some_ = (some); \
    for (long p_ = 0; p_ < wide_ && p_ * more_ * RANK_VL < some_; p_++) \
      RANK_PANEL(more_, M, p_ *more_ *RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
    for (long p_ = wide_; p_ < all_ && (p_ * narrow_ + wide_) * RANK_VL < some_; p_++) \
      RANK_PANEL( \
        narrow_, M, (p_ * narrow_ + wide_) * RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  } while (0)

/* ---- columns that end in half a vector ---- */

/* Of 40 columns, the last 8 would take a whole vector of 16. Instead, a vector holds them for two k at once,
 * number by number: b[k][32], b[k + 1][32], b[k][33], ...; it is multiplied by pairs of A's numbers, which one
 * load spreads, and the sums of even and of odd k are added in the end. The pairs come last in a turn, so that the
 * compiler does not take them apart for single numbers. K is even, A's numbers of a row lie
 * side by side, and B is packed so, with RANK_HALF_AT. Where the machine's vectors leave no half over,
 * the layout and the kernel are the plain ones. */
#define RANK_HALF(N) (RANK_HALVES && (N) % RANK_VL > 0 && (N) % RANK_VL <= RANK_VL / 2)
#define RANK_FULL(N) ((N) / RANK_VL * RANK_VL) /* columns in whole vectors */

/* Where b[k][n] stands, of N columns in rows of ldb. */
#define RANK_HALF_AT(k, n, N, ldb) \
  (!RANK_HALF(N) || (n) < RANK_FULL(N) \
      ? (k) * (ldb) + (n) \
      : (k) / 2 * 2 * (ldb) + RANK_FULL(N) + 2 * ((n)-RANK_FULL(N)) + (k) % 2)

#define RANK_HALF_BLOCK(R, J, m0, K, A, a_m, B, ldb, DONE) \
  do { \
    rank_vec sum_[R][(J) + 1]; \
    RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) RANK_UNROLL for (int j_ = 0; j_ <= (J); j_++) \
      sum_[r_][j_] = (rank_vec){0}; \
    const rank_real *b_ = (B), *a_ = (A) + (m0) * (a_m); \
    for (long k_ = 0; k_ < (K); k_ += 2, b_ += 2 * (ldb), a_ += 2) { \
      RANK_UNROLL for (int i_ = 0; i_ < 2; i_++) \
      { \
        rank_vec v_[J]; \
        RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) v_[j_] = \
          rank_load(b_ + i_ * (ldb) + j_ * RANK_VL); \
        RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) \
        { \
          const rank_vec x_ = rank_splat(a_[r_ * (a_m) + i_]); \
          RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) sum_[r_][j_] += x_ * v_[j_]; \
        } \
      } \
      const rank_vec half_ = rank_load(b_ + (J)*RANK_VL); \
      RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) sum_[r_][J] += \
        rank_splat_pair(a_ + r_ * (a_m)) * half_; \
    } \
    RANK_UNROLL for (int r_ = 0; r_ < (R); r_++) \
    { \
      RANK_UNROLL for (int j_ = 0; j_ <= (J); j_++) \
      { \
        const long row = (m0) + r_, col = j_ * RANK_VL; \
        const rank_vec sum = j_ < (J) ? sum_[r_][j_] : rank_add_pairs(sum_[r_][j_]); \
        (void)row; \
        (void)col; \
        DONE; \
      } \
    } \
  } while (0)

#define RANK_HALF_ROWS(J) ((J) == 1 ? 12 : (J) == 2 ? 9 : 6)
#define RANK_HALF_REST(R, J, M, K, A, a_m, B, ldb, DONE) \
  if (RANK_HALF_ROWS(J) > (R)) { \
    for (; rank_block_fits((M)-m_, R, RANK_GOOD((J) + 1)); m_ += (R)) \
      RANK_HALF_BLOCK(R, J, m_, K, A, a_m, B, ldb, DONE); \
  }

/* J whole vectors and a half. */
#define RANK_HALF_PANEL(J, M, K, A, a_m, B, ldb, DONE) \
  do { \
    long m_ = 0; \
    for (const long f_ = rank_full_rows(M, RANK_HALF_ROWS(J), RANK_GOOD((J) + 1)); m_ < f_; \
         m_ += RANK_HALF_ROWS(J)) \
      RANK_HALF_BLOCK(RANK_HALF_ROWS(J), J, m_, K, A, a_m, B, ldb, DONE); \
    RANK_HALF_REST(8, J, M, K, A, a_m, B, ldb, DONE) \
    if ((J) == 1) \
      RANK_HALF_REST(5, J, M, K, A, a_m, B, ldb, DONE) \
    RANK_HALF_REST(4, J, M, K, A, a_m, B, ldb, DONE) \
    RANK_HALF_REST(3, J, M, K, A, a_m, B, ldb, DONE) \
    RANK_HALF_REST(2, J, M, K, A, a_m, B, ldb, DONE) \
    RANK_HALF_REST(1, J, M, K, A, a_m, B, ldb, DONE) \
  } while (0)

/* RANK_GEMM from 0, for few columns: whole vectors and the half are one panel. */
#define RANK_GEMM_HALF(M, N, K, A, a_m, B, ldb, DONE) \
  do { \
    if (RANK_HALF(N)) \
      RANK_HALF_PANEL((RANK_HALF(N) ? (N) / RANK_VL : 1), M, K, A, a_m, B, ldb, DONE); \
    else \
      RANK_GEMM(M, N, K, A, a_m, 1, B, ldb, (rank_vec){0}, DONE); \
  } while (0)

/* ---- sums over many rows ---- */

/* Of half a vector, here two rows of C share one: b[k][32], b[k][32], b[k][33], b[k][33], ... is multiplied by
 * pairs of A's numbers that lie side by side (a_m is 1). Every element is still summed in order of k. P pairs
 * of rows x J vectors and a half. */
#define RANK_TWIN_BLOCK(P, J, m0, n0, K, A, a_k, B, ldb, INIT, DONE) \
  do { \
    rank_vec sum_[2 * (P)][J], twin_[P]; \
    RANK_UNROLL for (int p_ = 0; p_ < (P); p_++) \
    { \
      rank_vec half_[2]; \
      RANK_UNROLL for (int i_ = 0; i_ < 2; i_++) RANK_UNROLL for (int j_ = 0; j_ <= (J); j_++) \
      { \
        const long row = (m0) + 2 * p_ + i_, col = (n0) + j_ * RANK_VL; \
        const rank_vec init_ = (INIT); \
        if (j_ < (J)) \
          sum_[2 * p_ + i_][j_] = init_; \
        else \
          half_[i_] = init_; \
      } \
      twin_[p_] = rank_twins(half_[0], half_[1]); \
    } \
    const rank_real *b_ = (B) + (n0), *a_ = (A) + (m0); \
    for (long k_ = 0; k_ < (K); k_++, b_ += (ldb), a_ += (a_k)) { \
      rank_vec v_[J]; \
      RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) v_[j_] = rank_load(b_ + j_ * RANK_VL); \
      const rank_vec half_ = rank_load(b_ + (J)*RANK_VL), w_ = rank_twins(half_, half_); \
      RANK_UNROLL for (int r_ = 0; r_ < 2 * (P); r_++) \
      { \
        const rank_vec x_ = rank_splat(a_[r_]); \
        RANK_UNROLL for (int j_ = 0; j_ < (J); j_++) sum_[r_][j_] += x_ * v_[j_]; \
      } \
      RANK_UNROLL for (int p_ = 0; p_ < (P); p_++) twin_[p_] += rank_splat_pair(a_ + 2 * p_) * w_; \
    } \
    RANK_UNROLL for (int r_ = 0; r_ < 2 * (P); r_++) RANK_UNROLL for (int j_ = 0; j_ <= (J); j_++) \
    { \
      const long row = (m0) + r_, col = (n0) + j_ * RANK_VL; \
      const rank_vec sum = j_ < (J) ? sum_[r_][j_] : rank_twin(twin_[r_ / 2], r_ % 2); \
      DONE; \
    } \
  } while (0)

#define RANK_TWINS(J) ((J) == 1 ? 8 : (J) == 2 ? 5 : 3)
#define RANK_TWIN_PANEL(J, M, n0, K, A, a_k, B, ldb, INIT, DONE) \
  do { \
    long m_ = 0; \
    for (; m_ + 2 * RANK_TWINS(J) <= (M); m_ += 2 * RANK_TWINS(J)) \
      RANK_TWIN_BLOCK(RANK_TWINS(J), J, m_, n0, K, A, a_k, B, ldb, INIT, DONE); \
    for (; m_ + 4 <= (M); m_ += 4) \
      RANK_TWIN_BLOCK(2, J, m_, n0, K, A, a_k, B, ldb, INIT, DONE); \
    for (; m_ < (M); m_++) \
      RANK_BLOCK(1, (J) + 1, m_, n0, K, A, 1, a_k, B, ldb, INIT, DONE); \
  } while (0)

/* RANK_GEMM whose last panel has a half of a vector, if that is worth it. */
#define RANK_GEMM_TWINS(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    enum { last_ = RANK_VECTORS(N) / RANK_PANELS(N) - 1, whole_ = RANK_VECTORS(N) - last_ - 1 }; \
    if (RANK_HALF(N) && (a_m) == 1 && last_ > 0 && last_ < 4) { \
      if (whole_ > 0) \
        RANK_GEMM(M, (whole_ > 0 ? whole_ : 1) * RANK_VL, K, A, a_m, a_k, B, ldb, INIT, DONE); \
      RANK_TWIN_PANEL( \
        (last_ > 0 && last_ < 4 ? last_ : 1), M, whole_ *RANK_VL, K, A, a_k, B, ldb, INIT, DONE); \
    } else \
      RANK_GEMM(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE); \
  } while (0)

/* Sums over many rows (K), as weight gradients are: in chunks, as long as each other. A longer one reads and
 * writes C less often, a shorter one keeps more of B in the first-level cache. INIT must read what DONE wrote;
 * chunks change no bit. */
enum { RANK_ROW_CHUNK = 96 };
#define RANK_GEMM_ROWS(M, N, K, A, a_m, a_k, B, ldb, INIT, DONE) \
  do { \
    const long rows_ = (K), chunks_ = (rows_ + RANK_ROW_CHUNK - 1) / RANK_ROW_CHUNK; \
    for (long chunk_ = 0; chunk_ < chunks_; chunk_++) { \
      const long first_ = rows_ * chunk_ / chunks_; \
      const long some_ = rows_ * (chunk_ + 1) / chunks_ - first_; \
      RANK_GEMM_TWINS( \
        M, N, some_, (A) + first_ * (a_k), a_m, a_k, (B) + first_ * (ldb), ldb, INIT, DONE); \
    } \
  } while (0)

#endif
