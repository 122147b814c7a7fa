// The gauge of a factor: the order and the powers of two that its columns are taken with.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace fsvd {

// The columns of the factor are taken in the order `perm` and column j of the result is scaled by
// 2^exponents[j]. Either may be null.
struct Gauge {
  const std::int32_t* perm = nullptr;
  const std::int32_t* exponents = nullptr;

  Gauge item(std::int64_t i, std::int64_t cols) const {
    return {perm ? perm + i * cols : nullptr, exponents ? exponents + i * cols : nullptr};
  }
};

// dst(perm[j], c) = 2^exponents[j] * src(j, c), rows x cols each: coefficients of the columns of a factor with its gauge
// become those of the factor without. `scale` is memory for `rows` elements.
template <class T>
void take_to_factor(const Gauge& gauge, std::int64_t rows, std::int64_t cols, const double* src, std::int64_t src_row,
                    std::int64_t src_col, T* dst, std::int64_t dst_row, std::int64_t dst_col, double* scale) {
  constexpr std::int64_t tile = 8;  // one side or the other strides through memory
  for (std::int64_t j = 0; j < rows; ++j) scale[j] = gauge.exponents ? std::ldexp(1.0, gauge.exponents[j]) : 1;
  for (std::int64_t c0 = 0; c0 < cols; c0 += tile)
    for (std::int64_t j = 0; j < rows; ++j) {
      T* row = dst + (gauge.perm ? gauge.perm[j] : j) * dst_row;
      for (std::int64_t c = c0, c1 = std::min(cols, c0 + tile); c < c1; ++c)
        row[c * dst_col] = static_cast<T>(scale[j] * src[j * src_row + c * src_col]);
    }
}

}  // namespace fsvd
