// Sums of products whose rounding errors stay small and whose order is fixed.
#pragma once
#include <cstdint>

namespace fsvd {

// In 16 lanes, which the compiler may make vectors of: many equal elements would add up equal errors in one.
template <class T>
T dot(const T* x, const T* y, std::int64_t n) {
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

}  // namespace fsvd
