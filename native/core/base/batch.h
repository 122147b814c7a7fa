// A batch of strided matrices and what became of each item. Plain data: nothing here owns memory.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace fsvd {

// `count` matrices of `rows` x `cols` elements that share their strides (in elements, any sign, 0 allowed).
template <class T>
struct Batch {
  T* data = nullptr;
  std::int64_t rows = 0, cols = 0;
  std::int64_t row_stride = 0, col_stride = 0;
  std::int64_t count = 0;
  // Element (0, 0) of item i is first + i * step; or, where the items do not lie evenly, offsets[i]: doubles hold these
  // exactly up to 2^53.
  std::int64_t first = 0, step = 0;
  const double* offsets = nullptr;

  T* item(std::int64_t i) const { return data + (offsets ? static_cast<std::int64_t>(offsets[i]) : first + i * step); }
  std::int64_t size() const { return rows * cols; }
  // Whether the elements of a column lie closer together than those of a row.
  bool by_columns() const { return std::abs(row_stride) < std::abs(col_stride); }
  // The same of matrices to read, where a single row or column counts as rows however it lies, so that a result does not
  // depend on that: copies of it lie otherwise. (isColumnMajor in lib/native/batch.ts.)
  bool read_by_columns() const { return rows > 1 && cols > 1 && by_columns(); }
};

// Row-major items, one behind the other.
template <class T>
Batch<T> packed(T* data, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  return {data, rows, cols, cols, 1, count, 0, rows * cols};
}

// What one kernel call did with one item; three doubles, so that JavaScript reads them as a Float64Array.
struct Status {
  // `codes` in lib/native/status.ts mirrors it.
  enum Code { ok = 0, non_finite = 1, no_convergence = 2, overflow = 3, too_large = 4, internal = 5 };
  double code;
  double detail;  // index of the first bad element (row * cols + col); LAPACK's info; or bytes needed
  double driver;  // which routine gave the result

  void set(Code c, double d = 0) { code = c, detail = d; }
};

}  // namespace fsvd
