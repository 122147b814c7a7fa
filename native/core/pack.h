// Strided elements to and from contiguous memory.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "batch.h"
#include "half.h"
#include "task.h"

namespace fsvd {

template <class T>
void read_ahead(const T* x, std::int64_t n) {
  constexpr std::int64_t cache_line = 64 / sizeof(T);
  for (std::int64_t i = 0; i < n; i += cache_line) __builtin_prefetch(x + i);
}

// Copies a strided rows x cols matrix to dst with strides (dst_row, dst_col): along memory, where what a processor reads
// ahead by itself ends with a page and with a line that the next does not follow at once; else in tiles, so that neither
// side strides through memory element by element for long.
template <class In, class Out>
void copy(const In* src, std::int64_t src_row, std::int64_t src_col, Out* dst, std::int64_t dst_row,
          std::int64_t dst_col, std::int64_t rows, std::int64_t cols) {
  if (dst_col != 1 && (dst_row == 1 || src_row == 1)) {  // make the inner loop run along memory
    std::swap(src_row, src_col), std::swap(dst_row, dst_col), std::swap(rows, cols);
  }
  if (src_col == 1 && dst_col == 1) {
    constexpr std::int64_t distance = 4096 / sizeof(In);
    const std::int64_t ahead = 1 + distance / std::max<std::int64_t>(cols, 1);
    for (std::int64_t i = 0; i < rows; ++i) {
      if (i + ahead < rows) read_ahead(src + (i + ahead) * src_row, cols);
      std::copy_n(src + i * src_row, cols, dst + i * dst_row);
    }
    return;
  }
  constexpr std::int64_t tile = 32;
  for (std::int64_t i0 = 0; i0 < rows; i0 += tile)
    for (std::int64_t j0 = 0; j0 < cols; j0 += tile)
      for (std::int64_t i = i0, i1 = std::min(rows, i0 + tile); i < i1; ++i)
        for (std::int64_t j = j0, j1 = std::min(cols, j0 + tile); j < j1; ++j)
          dst[i * dst_row + j * dst_col] = static_cast<Out>(src[i * src_row + j * src_col]);
}

// Whether all elements of `lines` lines, each `stride` behind the last, are finite: x − x is 0 for those, NaN for any
// other. In lanes, which become vectors.
template <class T>
bool all_finite(const T* x, std::int64_t stride, std::int64_t lines, std::int64_t length) {
  constexpr int lanes = 32;
  T sum[lanes] = {};
  if (stride == length) length *= lines, lines = 1;
  for (std::int64_t l = 0; l < lines; ++l, x += stride) {
    std::int64_t i = 0;
    for (; i + lanes <= length; i += lanes)
      for (int j = 0; j < lanes; ++j) sum[j] += x[i + j] - x[i + j];
    for (; i < length; ++i) sum[0] += x[i] - x[i];
  }
  return std::all_of(sum, sum + lanes, [](T zero) { return zero == 0; });
}

template <class T>
bool all_finite(const T* x, std::int64_t n) {
  return all_finite(x, n, 1, n);
}

// Copies item `i` row-major and contiguous, and checks it: false, with the status set, when an element is not finite.
template <class T>
bool gather_finite(const Batch<const T>& a, std::int64_t i, T* dst, Status& status) {
  const std::int64_t some = std::max<std::int64_t>(32, (1 << 22) / std::max<std::int64_t>(a.cols, 1));
  for (std::int64_t r = 0; r < a.rows; r += some, look_up())
    copy(a.item(i) + r * a.row_stride, a.row_stride, a.col_stride, dst + r * a.cols, a.cols, std::int64_t{1},
         std::min(some, a.rows - r), a.cols);
  if (all_finite(dst, a.size())) return true;
  const T* bad = std::find_if(dst, dst + a.size(), [](T x) { return !std::isfinite(x); });
  status.set(Status::non_finite, static_cast<double>(bad - dst));
  return false;
}

// The gauge of a factor: its columns are taken in the order `perm` and column j of the result is scaled by
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

// x * 2^e, exact unless the result is subnormal or overflows; two factors reach every exponent.
template <class T>
struct PowerOfTwo {
  T first, second;
  explicit PowerOfTwo(int e) : first(std::ldexp(T(1), e / 2)), second(std::ldexp(T(1), e - e / 2)) {}
  T operator*(T x) const { return x * first * second; }
};

// The same elements with their bits.
template <class T>
struct Copy {
  Batch<const T> a;
  Batch<T> out;

  void operator()(std::int64_t i) const {
    copy(a.item(i), a.row_stride, a.col_stride, out.item(i), out.row_stride, out.col_stride, a.rows, a.cols);
  }
};

// Item i of `out` = (accumulate ? out : 0) + alpha * (a with its gauge), computed in the wider of both types; one of 16
// bits is widened first.
template <class In, class Out>
struct Pack {
  Batch<const In> a;
  Gauge gauge;
  double alpha = 1;
  bool accumulate = false;
  Batch<Out> out;

  std::int64_t blocks() const;  // of one item: of rows, or of columns where those of out lie one behind the other
  void operator()(std::int64_t unit) const;
};

}  // namespace fsvd
