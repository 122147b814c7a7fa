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

// Squares that are added up one after the other: many equal ones would add up equal errors. Beyond, what is lost is added
// in the end (Neumaier 1974).
constexpr std::int64_t terms = 64;

// sum + rest is the sum of what was added, all of it >= 0.
void add(double x, double& sum, double& rest) {
  const double next = sum + x;
  rest += sum >= x ? (sum - next) + x : (x - next) + sum;
  sum = next;
}

// sums[j] = sum of the squares of column j, in double. `work`: 2 · a.cols.
template <class T>
void column_squares(const Batch<const T>& a, const T* x, double* sums, double* work) {
  if (!a.read_by_columns()) {
    double *part = work, *rest = work + a.cols;
    std::fill_n(sums, a.cols, 0.0), std::fill_n(rest, a.cols, 0.0);
    for (std::int64_t from = 0; from < a.rows; from += terms) {
      double* to = from == 0 ? sums : part;
      if (from > 0) std::fill_n(part, a.cols, 0.0);
      if (from % rows_between_looks == 0) look_up();
      for (std::int64_t r = from; r < std::min(a.rows, from + terms); ++r) {
        const T* row = x + r * a.row_stride;
        if (a.col_stride == 1) {
          for (std::int64_t j = 0; j < a.cols; ++j) to[j] += static_cast<double>(row[j]) * row[j];
        } else {
          for (std::int64_t j = 0; j < a.cols; ++j)
            to[j] += static_cast<double>(row[j * a.col_stride]) * row[j * a.col_stride];
        }
      }
      if (from > 0)
        for (std::int64_t j = 0; j < a.cols; ++j) add(part[j], sums[j], rest[j]);
    }
    for (std::int64_t j = 0; j < a.cols; ++j)
      if (std::isfinite(sums[j])) sums[j] += rest[j];
    return;
  }
  for (std::int64_t j = 0; j < a.cols; ++j) {
    const T* column = x + j * a.col_stride;
    look_up();
    constexpr int lanes = 8;  // a fixed tree, so that the compiler may use vectors and the bits stay the same
    double sum = 0, rest = 0;
    for (std::int64_t from = 0; from < a.rows; from += lanes * terms) {
      const std::int64_t end = std::min(a.rows, from + lanes * terms);
      double lane[lanes] = {};
      std::int64_t r = from;
      for (; r + lanes <= end; r += lanes)
        for (int q = 0; q < lanes; ++q) {
          const double v = column[(r + q) * a.row_stride];
          lane[q] += v * v;
        }
      for (; r < end; ++r) lane[0] += static_cast<double>(column[r * a.row_stride]) * column[r * a.row_stride];
      add(((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7])), sum, rest);
    }
    sums[j] = std::isfinite(sum) ? sum + rest : sum;
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
  Workspace ws(Workspace::bytes_for<double>(3 * a.cols));
  double* sums = ws.take<double>(3 * a.cols);
  column_squares(a, x, sums, sums + a.cols);
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
      double rest = 0;
      for (std::int64_t r = 0; r < a.rows; ++r) {
        const double v = std::ldexp(static_cast<double>(column[r * a.row_stride]), -scale);
        add(v * v, sum, rest);
      }
      sum += rest;
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
