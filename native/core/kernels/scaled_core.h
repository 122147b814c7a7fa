// The core of a product whose inner dimension spans more than one exponent can.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// a * diag(2^exponents) * b^T of upper triangular (or trapezoidal) a, l x k, and b, r x k, whose columns are about 1 long:
// c is l x r, row-major, and its column j stands for itself times 2^scales[j]. Where the exponents descend the scale is that
// of pair j, the largest that reaches the column, so that nothing overflows, and what underflows is nothing beside it.
struct ScaledCore {
  Batch<const double> a, b;
  const std::int32_t* exponents = nullptr;
  double* c = nullptr;
  std::int32_t* scales = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
