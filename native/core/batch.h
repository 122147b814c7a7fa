// A batch of strided matrices and what became of each item. Plain data: nothing here owns memory.
#pragma once
#include <cstdint>

namespace fsvd {

// `count` matrices of `rows` x `cols` elements that share their strides (in elements, any sign, 0 allowed).
template <class T>
struct Batch {
  T* data = nullptr;
  std::int64_t rows = 0, cols = 0;
  std::int64_t row_stride = 0, col_stride = 0;
  const double* offsets = nullptr;  // of element (0, 0) of each item; doubles hold them exactly up to 2^53
  std::int64_t count = 0;

  T* item(std::int64_t i) const { return data + static_cast<std::int64_t>(offsets[i]); }
  std::int64_t size() const { return rows * cols; }
};

// What one kernel call did with one item; three doubles, so that JavaScript reads them as a Float64Array.
struct Status {
  enum Code { ok = 0, non_finite = 1, no_convergence = 2, overflow = 3, too_large = 4, internal = 5 };
  double code;
  double detail;  // index of the first bad element (row * cols + col); LAPACK's info; or bytes needed
  double driver;  // which routine gave the result

  void set(Code c, double d = 0) { code = c, detail = d; }
};

}  // namespace fsvd
