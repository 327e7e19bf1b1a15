/* Numbers in text. One idea: a decimal of at most 53 bits times a power of ten that is itself exact
 * needs a single, correctly rounded multiplication or division (Clinger 1990), which is what nearly
 * all fields are. The same with 64 bits, as printed doubles need, is rounded twice, which is right unless
 * the first result is next to the middle between two doubles. The rest goes to strtod. All give the same
 * double. */

#define _GNU_SOURCE

#include "data_text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

text_span text_trim(text_span s)
{
  while (s.length && is_blank(*s.at))
    s.at++, s.length--;
  while (s.length && is_blank(s.at[s.length - 1]))
    s.length--;
  return s;
}

static unsigned digit(char c)
{
  return (unsigned)(unsigned char)c - '0';
}

/* An exponent after the e: 0 when there is none to read. */
static const char *read_exponent(const char *s, const char *end, int *exponent)
{
  int negative = s < end && *s == '-', x = 0;
  if (s < end && (*s == '-' || *s == '+'))
    s++;
  const char *first = s;
  for (; s < end && digit(*s) < 10 && s - first < 4; s++)
    x = x * 10 + (int)digit(*s);
  *exponent += negative ? -x : x;
  return s == first ? NULL : s;
}

#if LDBL_MANT_DIG == 64
/* mantissa * 10^exponent by the wider registers of x86; 0 where rounding twice might not be rounding once. */
static int read_wide(uint64_t mantissa, int exponent, double *x)
{
  static const long double powers[] = {1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L,
    1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L,
    1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
  if (exponent < -27 || exponent > 27)
    return 0;
  long double wide = (long double)mantissa;
  wide = exponent < 0 ? wide / powers[-exponent] : wide * powers[exponent];
  uint64_t bits;
  memcpy(&bits, &wide, sizeof bits); /* the mantissa; a double keeps its upper 53 bits */
  unsigned rest = (unsigned)(bits & 0x7ff);
  *x = (double)wide;
  return rest < 0x3ff || rest > 0x401;
}
#else
static int read_wide(uint64_t mantissa, int exponent, double *x)
{
  (void)mantissa, (void)exponent, (void)x;
  return 0;
}
#endif

/* Up to eight characters of [s, end), the first in the lowest byte. */
static uint64_t read_eight(const char *s, const char *end)
{
  const size_t n = (size_t)(end - s);
  uint64_t x = 0;
  if (n >= 8) {
    memcpy(&x, s, 8);
  } else if (n >= 4) { /* two halves, which may overlap */
    uint32_t low, high;
    memcpy(&low, s, 4);
    memcpy(&high, end - 4, 4);
    x = low | (uint64_t)high << 8 * (n - 4);
  } else {
    for (size_t i = 0; i < n; i++)
      x |= (uint64_t)(unsigned char)s[i] << 8 * i;
  }
  return x;
}

/* Digits are appended to *mantissa, eight at a time: pairs are made numbers of 0 to 99, pairs of these of 0
 * to 9999, and the two of them one. Returns where the digits end. */
static const char *read_digits(const char *s, const char *end, uint64_t *mantissa)
{
  static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  int n = 8;
  while (n == 8) {
    uint64_t x = read_eight(s, end);
    const uint64_t high = 0xf0f0f0f0f0f0f0f0, threes = 0x3030303030303030;
    const uint64_t other = ((x & high) ^ threes) | (((x + 0x0606060606060606) & high) ^ threes);
    n = other != 0 ? __builtin_ctzll(other) / 8 : 8;
    x = n > 0 ? x << 8 * (8 - n) : 0; /* zeros in front */
    x = (x & 0x0f0f0f0f0f0f0f0f) * (10 << 8 | 1) >> 8;
    x = (x & 0x00ff00ff00ff00ff) * (100 << 16 | 1) >> 16;
    x = (x & 0x0000ffff0000ffff) * (10000ULL << 32 | 1) >> 32;
    *mantissa = *mantissa * tens[n] + x;
    s += n;
  }
  return s;
}

/* 1 when the number was simple enough to be exact, else 0: ask strtod. */
static int read_simple(const char *s, const char *end, double *x)
{
  static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  int negative = *s == '-', exponent = 0;
  s += negative | (*s == '+');
  uint64_t mantissa = 0;
  const char *first = s;
  for (; s < end && digit(*s) < 10; s++)
    mantissa = mantissa * 10 + digit(*s);
  ptrdiff_t digits = s - first;
  if (s < end && *s == '.') {
    const char *point = ++s;
    s = read_digits(s, end, &mantissa);
    digits += s - point;
    exponent = (int)(point - s);
  }
  if (digits == 0 || digits > 19)
    return 0;
  if (s < end && (*s == 'e' || *s == 'E') && !(s = read_exponent(s + 1, end, &exponent)))
    return 0;
  if (s != end)
    return 0;
  double value;
  if (mantissa > (uint64_t)1 << 53 || exponent < -22 || exponent > 22) {
    if (!read_wide(mantissa, exponent, &value))
      return 0;
  } else {
    value = (double)mantissa;
    value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
  }
  *x = negative ? -value : value;
  return 1;
}

/* strtod reads hexadecimal, nan and inf too, and follows the locale; a field may not. */
static number_status read_hard(const char *s, size_t n, double *x)
{
  char copy[1100];
  if (n >= sizeof copy)
    return NUMBER_BAD;
  memcpy(copy, s, n);
  copy[n] = 0;
  const char *word = copy + (*copy == '-' || *copy == '+');
  if (!strcasecmp(word, "nan"))
    return NUMBER_NAN;
  if (!strcasecmp(word, "inf") || !strcasecmp(word, "infinity")) {
    *x = *copy == '-' ? -(double)INFINITY : (double)INFINITY;
    return NUMBER_INFINITE;
  }
  if (strspn(copy, "0123456789+-.eE") != n)
    return NUMBER_BAD;
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  char *stop = copy;
  *x = plain ? strtod_l(copy, &stop, plain) : strtod(copy, &stop);
  if (plain)
    freelocale(plain);
  if (stop != copy + n)
    return NUMBER_BAD;
  return isfinite(*x) ? NUMBER_OK : NUMBER_INFINITE;
}

number_status number_read(const text_span *field, double *x)
{
  if (!field->length)
    return NUMBER_EMPTY;
  if (read_simple(field->at, field->at + field->length, x))
    return NUMBER_OK;
  text_span s = text_trim(*field);
  if (!s.length)
    return NUMBER_EMPTY;
  if (s.length != field->length && read_simple(s.at, s.at + s.length, x))
    return NUMBER_OK;
  return read_hard(s.at, s.length, x);
}

/* After the digits of a whole number: nothing, or a point and zeros. */
static int is_whole_end(const char *s, const char *end)
{
  if (s < end && *s == '.')
    do
      s++;
    while (s < end && *s == '0');
  return s == end;
}

number_status number_whole(const text_span *field, int64_t *x)
{
  text_span s = text_trim(*field);
  if (!s.length)
    return NUMBER_EMPTY;
  const char *p = s.at, *end = s.at + s.length;
  int negative = *p == '-';
  if (*p == '-' || *p == '+')
    p++;
  const char *first = p;
  int64_t value = 0;
  for (; p < end && digit(*p) < 10; p++)
    value = value > (INT64_MAX - 9) / 10 ? INT64_MAX : value * 10 + (int64_t)digit(*p);
  if (p == first || !is_whole_end(p, end))
    return NUMBER_BAD;
  *x = negative ? -value : value;
  return NUMBER_OK;
}
