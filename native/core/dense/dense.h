// Singular value decomposition of one strided matrix, by kernels of this library.
#pragma once
#include <cstdint>

#include "core/base/batch.h"
#include "core/base/lapack.h"

namespace fsvd {

// a = U·diag(S)·Vh, row-major: U is m x p, S is p, Vh is p x n, p = min(m, n); U and Vh null: values only. The steps are
// those of ?gesdd on the tall one of a and its transpose: QR where it is much taller than wide (tsqr.h), and the SVD of
// what is left (narrow_svd.h, blocked_svd.h). Up to narrow_cols columns all of it is in double.
template <class T>
struct DenseSvd {
  Batch<const T> a;
  std::int64_t item = 0;
  T *u = nullptr, *s = nullptr, *vh = nullptr;
  Status* status = nullptr;

  // LAPACK's info; the status says it where an element is not finite.
  lapack_int run() const;
};

}  // namespace fsvd
