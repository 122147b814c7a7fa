// Singular value decomposition of one strided matrix, by kernels of this library.
#pragma once
#include <cstdint>

#include "core/base/batch.h"
#include "core/base/lapack.h"

namespace fsvd {

// a = U·diag(S)·Vh, row-major: U is m x p, S is p, Vh is p x n, p = min(m, n); U and Vh null: values only. Up to narrow_cols
// columns all of it is in double. The steps are those of ?gesdd (docs/numerics.md, "Dense matrices", has the same numbers):
//   1. X, the tall one of a and its transpose, scaled by a power of two
//   2. X = Q·R where it is much taller than wide (tsqr.h)
//   3. the bidiagonal form of R, or of X: = Q_B·B·P_Bᵀ (reduce.h; up to narrow_cols columns narrow_reflectors.h)
//   4. B = U_B·diag(S)·V_Bᵀ: divide and conquer (divide.h; up to narrow_cols columns, and for values alone, bidiagonal_qr.h)
//   5. the vectors of R, or of X: Q_B·U_B and P_B·V_B (reflectors.h; narrow_reflectors.h)
//   6. the vectors of X: Q times those of R (tsqr.h), into U and Vh or, transposed, Vh and U
// Steps 3 to 5 are BlockedSvd (blocked.h) and NarrowSvd (narrow.h).
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
