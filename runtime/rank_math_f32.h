/* rank_math_f32.h: the single-precision functions, once for scalars and once for vectors.
 *
 * Included twice by rank_math.h, with
 *   RANK_T       float, or a vector of them          RANK_I   integers of the same shape
 *   RANK_F(name) the function's full name            RANK_K(x) the constant x as RANK_T
 *   RANK_SEL(c, x, y) x where c is true, else y      RANK_BITS(x), RANK_FLOAT(i) reinterpretation
 *   RANK_ROOT(x) square root                         RANK_WHOLE(i) integers to numbers
 * No branch depends on a value, so loops over the scalar ones vectorise. Bounds in ulp are measured over
 * all floats by the tests. Sources: Cephes (Moshier) for exp and log, Goldberg's trick for log1p, the
 * rational approximation of XLA and Eigen for erf. */

/* 2 ulp. 0 below -103.97 (subnormal results are rounded to 0 below -87.33), inf above 88.72. */
RANK_INLINE RANK_T RANK_F(exp)(RANK_T x)
{
  const RANK_T magic = RANK_K(12582912.0f);
  RANK_T low = RANK_SEL(x < -87.33654f, RANK_K(-87.33654f), x);
  RANK_T y = RANK_SEL(low > 88.72283f, RANK_K(88.72283f), low);
  RANK_T t = y * 1.44269504f + magic; /* the integer part in the low bits */
  RANK_T n = t - magic;
  RANK_T r = y - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  RANK_T p = RANK_K(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  RANK_I i = RANK_BITS(t) - RANK_BITS(magic);
  RANK_I half = i >> 1; /* in two factors: 2^128 is not a float */
  RANK_T scaled = p * RANK_FLOAT((half + 127) << 23) * RANK_FLOAT((i - half + 127) << 23);
  scaled = RANK_SEL(x < -87.33654f, RANK_K(0.0f), scaled);
  return RANK_SEL(x > 88.72283f, RANK_K(__builtin_inff()), scaled);
}

/* 2 ulp. log(0) = -inf, of negatives NaN. */
RANK_INLINE RANK_T RANK_F(log)(RANK_T x)
{
  RANK_T tiny = RANK_SEL(x < 1.17549435e-38f, x * 8388608.0f, x); /* subnormals */
  RANK_I bits = RANK_BITS(tiny);
  RANK_I e = ((bits - 0x3f3504f3) >> 23); /* mantissa in [sqrt(1/2), sqrt(2)) */
  RANK_T m = RANK_FLOAT(bits - e * 0x800000);
  RANK_T n = RANK_WHOLE(e);
  n = RANK_SEL(x < 1.17549435e-38f, n - 23.0f, n);
  RANK_T r = m - 1.0f;
  RANK_T z = r * r;
  RANK_T p = RANK_K(7.0376836292e-2f);
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  RANK_T y = p * r * z + n * -2.12194440e-4f - 0.5f * z;
  y = r + y + n * 0.693359375f;
  y = RANK_SEL(x == 0.0f, RANK_K(-__builtin_inff()), y);
  y = RANK_SEL(x < 0.0f, RANK_K(__builtin_nanf("")), y);
  return RANK_SEL(x < RANK_K(__builtin_inff()), y, RANK_SEL(x == x, x, x));
}

/* 4 ulp: log(u) x / (u - 1) with u = 1 + x as rounded. */
RANK_INLINE RANK_T RANK_F(log1p)(RANK_T x)
{
  RANK_T u = x + 1.0f;
  RANK_T d = u - 1.0f;
  RANK_T safe = RANK_SEL(d == 0.0f, RANK_K(1.0f), d);
  RANK_T y = RANK_F(log)(u) * (x / safe);
  y = RANK_SEL(u < RANK_K(__builtin_inff()), y, u);
  y = RANK_SEL(x == -1.0f, RANK_K(-__builtin_inff()), y);
  return RANK_SEL(d == 0.0f, x, y);
}

/* 4 ulp: a Taylor polynomial near 0, exp(x) - 1 elsewhere. */
RANK_INLINE RANK_T RANK_F(expm1)(RANK_T x)
{
  RANK_T p = RANK_K(2.4801587e-5f);
  p = p * x + 1.9841270e-4f;
  p = p * x + 1.3888889e-3f;
  p = p * x + 8.3333333e-3f;
  p = p * x + 4.1666667e-2f;
  p = p * x + 1.6666667e-1f;
  p = p * x + 0.5f;
  p = p * (x * x) + x;
  RANK_T size = RANK_SEL(x < 0.0f, -x, x);
  return RANK_SEL(size < 0.5f, p, RANK_F(exp)(x) - 1.0f);
}

/* 6 ulp: e / (e + 2) with e = expm1(2 |x|). */
RANK_INLINE RANK_T RANK_F(tanh)(RANK_T x)
{
  RANK_T size = RANK_SEL(x < 0.0f, -x, x);
  RANK_T capped = RANK_SEL(size > 10.0f, RANK_K(10.0f), size);
  RANK_T e = RANK_F(expm1)(capped * 2.0f);
  RANK_T y = e / (e + 2.0f);
  return RANK_SEL(x < 0.0f, -y, y);
}

/* 4 ulp; keeps its relative precision far below 0. */
RANK_INLINE RANK_T RANK_F(sigmoid)(RANK_T x)
{
  RANK_T size = RANK_SEL(x < 0.0f, -x, x);
  RANK_T e = RANK_F(exp)(-size);
  return RANK_SEL(x < 0.0f, e, RANK_K(1.0f)) / (e + 1.0f);
}

/* 4 ulp: max(x, 0) + log1p(exp(-|x|)). */
RANK_INLINE RANK_T RANK_F(softplus)(RANK_T x)
{
  RANK_T size = RANK_SEL(x < 0.0f, -x, x);
  return RANK_SEL(x > 0.0f, x, RANK_K(0.0f)) + RANK_F(log1p)(RANK_F(exp)(-size));
}

/* 5 ulp: x P(x^2) / Q(x^2), 1 beyond 4. */
RANK_INLINE RANK_T RANK_F(erf)(RANK_T x)
{
  RANK_T low = RANK_SEL(x < -4.0f, RANK_K(-4.0f), x);
  RANK_T y = RANK_SEL(low > 4.0f, RANK_K(4.0f), low);
  RANK_T z = y * y;
  RANK_T p = RANK_K(-2.72614225801306e-10f);
  p = p * z + 2.77068142495902e-08f;
  p = p * z - 2.10102402082508e-06f;
  p = p * z - 5.69250639462346e-05f;
  p = p * z - 7.34990630326855e-04f;
  p = p * z - 2.95459980854025e-03f;
  p = p * z - 1.60960333262415e-02f;
  RANK_T q = RANK_K(-1.45660718464996e-05f);
  q = q * z - 2.13374055278905e-04f;
  q = q * z - 1.68282697438203e-03f;
  q = q * z - 7.37332916720468e-03f;
  q = q * z - 1.42647390514189e-02f;
  return y * (p / q);
}

RANK_INLINE RANK_T RANK_F(sqrt)(RANK_T x)
{
  return RANK_ROOT(x);
}
RANK_INLINE RANK_T RANK_F(max)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x > y, x, RANK_SEL(x == x, y, x)); /* NaN stays */
}
RANK_INLINE RANK_T RANK_F(min)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x < y, x, RANK_SEL(x == x, y, x));
}
RANK_INLINE RANK_T RANK_F(abs)(RANK_T x)
{
  return RANK_SEL(x < 0.0f, -x, x);
}
RANK_INLINE RANK_T RANK_F(sign)(RANK_T x)
{
  return RANK_SEL(x > 0.0f, RANK_K(1.0f), RANK_SEL(x < 0.0f, RANK_K(-1.0f), RANK_K(0.0f)));
}
RANK_INLINE RANK_T RANK_F(lt)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x < y, RANK_K(1.0f), RANK_K(0.0f));
}
RANK_INLINE RANK_T RANK_F(le)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x <= y, RANK_K(1.0f), RANK_K(0.0f));
}
RANK_INLINE RANK_T RANK_F(eq)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x == y, RANK_K(1.0f), RANK_K(0.0f));
}
RANK_INLINE RANK_T RANK_F(ne)(RANK_T x, RANK_T y)
{
  return RANK_SEL(x != y, RANK_K(1.0f), RANK_K(0.0f));
}
RANK_INLINE RANK_T RANK_F(where)(RANK_T c, RANK_T x, RANK_T y)
{
  return RANK_SEL(c != 0.0f, x, y);
}

#undef RANK_T
#undef RANK_I
#undef RANK_F
#undef RANK_K
#undef RANK_SEL
#undef RANK_BITS
#undef RANK_FLOAT
#undef RANK_ROOT
#undef RANK_WHOLE
