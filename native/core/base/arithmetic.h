// Small arithmetic that every room needs: parts of a range, sums in a fixed order, powers of two.
#pragma once
#include <cmath>
#include <cstdint>

namespace fsvd {

// How many parts of one size n rows or columns are cut into; the last may be smaller.
constexpr std::int64_t parts_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

// The sum of products, with rounding errors that stay small and an order that is fixed. In 16 lanes, which the compiler may
// make vectors of: many equal elements would add up equal errors in one.
template <class T>
inline __attribute__((always_inline)) T dot(const T* x, const T* y, std::int64_t n) {
  constexpr int lanes = 16;
  T lane[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int l = 0; l < lanes; ++l) lane[l] += x[i + l] * y[i + l];
  for (int l = 0; i < n; ++i, ++l) lane[l] += x[i] * y[i];
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0];
}

template <class T>
T sum_of_squares(const T* x, std::int64_t n) {
  return dot(x, x, n);
}

// x * 2^e, exact unless the result is subnormal or overflows; two factors reach every exponent.
template <class T>
struct PowerOfTwo {
  T first, second;
  explicit PowerOfTwo(int e) : first(std::ldexp(T(1), e / 2)), second(std::ldexp(T(1), e - e / 2)) {}
  T operator*(T x) const { return x * first * second; }
};

}  // namespace fsvd
