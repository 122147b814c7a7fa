// Whether symmetric matrices are positive definite, by their Cholesky decompositions.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// `driver` of the status is 1 where the decomposition of an item comes to its end with pivots that are positive and finite:
// the item is then positive definite but for rounding errors (Higham, "Accuracy and Stability of Numerical Algorithms",
// theorem 10.3), else 0. Only what lies on and below the diagonal is read, and overwritten.
struct Definite {
  Batch<double> a;  // packed
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
