// Strided elements to and from contiguous memory.
#pragma once
#include <algorithm>
#include <cstdint>

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

}  // namespace fsvd
