#include "scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

constexpr std::int64_t rows_between_looks = 1024;

// sums[j] = sum of the squares of column j, in double.
template <class T>
void column_squares(const Batch<const T>& a, const T* x, double* sums) {
  if (!a.read_by_columns()) {
    std::fill_n(sums, a.cols, 0.0);
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const T* row = x + r * a.row_stride;
      if (r % rows_between_looks == 0) look_up();
      if (a.col_stride == 1) {
        for (std::int64_t j = 0; j < a.cols; ++j) sums[j] += static_cast<double>(row[j]) * row[j];
      } else {
        for (std::int64_t j = 0; j < a.cols; ++j)
          sums[j] += static_cast<double>(row[j * a.col_stride]) * row[j * a.col_stride];
      }
    }
    return;
  }
  for (std::int64_t j = 0; j < a.cols; ++j) {
    const T* column = x + j * a.col_stride;
    look_up();
    constexpr int lanes = 8;  // a fixed tree, so that the compiler may use vectors and the bits stay the same
    double lane[lanes] = {};
    std::int64_t r = 0;
    for (; r + lanes <= a.rows; r += lanes)
      for (int q = 0; q < lanes; ++q) {
        const double v = column[(r + q) * a.row_stride];
        lane[q] += v * v;
      }
    for (; r < a.rows; ++r) lane[0] += static_cast<double>(column[r * a.row_stride]) * column[r * a.row_stride];
    sums[j] = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
  }
}

// Squares of float fit a double; those of double may not: then once more, scaled by the largest element.
template <class T>
bool squares_are_safe(double sum) {
  return std::is_same_v<T, float> ? std::isfinite(sum) : sum == 0 ? false : sum > 1e-280 && sum < 1e300;
}

}  // namespace

template <class T>
void Scan<T>::operator()(std::int64_t i) const {
  const T* x = a.item(i);
  status[i].set(Status::ok);
  if (a.size() == 0) {
    std::fill_n(fraction + i * a.cols, a.cols, 0.0), std::fill_n(exponent + i * a.cols, a.cols, 0);
    return;
  }
  Workspace ws(Workspace::bytes_for<double>(a.cols));
  double* sums = ws.take<double>(a.cols);
  column_squares(a, x, sums);
  std::int64_t first_bad = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t j = 0; j < a.cols; ++j) {
    double sum = sums[j];
    int scale = 0;
    if (!squares_are_safe<T>(sum)) {
      const T* column = x + j * a.col_stride;
      double largest = 0;
      for (std::int64_t r = 0; r < a.rows; ++r) {
        const double v = std::abs(static_cast<double>(column[r * a.row_stride]));
        if (!std::isfinite(v)) {
          first_bad = std::min(first_bad, r * a.cols + j);
          break;
        }
        largest = std::max(largest, v);
      }
      std::frexp(largest, &scale);
      sum = 0;
      for (std::int64_t r = 0; r < a.rows; ++r) {
        const double v = std::ldexp(static_cast<double>(column[r * a.row_stride]), -scale);
        sum += v * v;
      }
    }
    int e = 0;
    fraction[i * a.cols + j] = std::frexp(std::sqrt(sum), &e);
    exponent[i * a.cols + j] = sum == 0 ? 0 : e + scale;
  }
  if (first_bad != std::numeric_limits<std::int64_t>::max()) {
    status[i].set(Status::non_finite, static_cast<double>(first_bad));
  }
}

template struct Scan<float>;
template struct Scan<double>;

}  // namespace fsvd
