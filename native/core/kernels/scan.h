// One pass over a matrix: is it finite, and how long are its columns.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// For item i and column j: ||a_j|| = fraction[i * cols + j] * 2^exponent[i * cols + j] with a fraction in [1/2, 1) (or
// both 0), which neither overflows nor underflows whatever the elements are.
template <class T>
struct Scan {
  Batch<const T> a;
  double* fraction = nullptr;
  std::int32_t* exponent = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
