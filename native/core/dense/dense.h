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
//
// In place of ?gesdd, at every size. Its time over this one's, for square matrices of float64 on one thread (OpenBLAS
// 0.3.21, SkylakeX): 2.6 at order 4, 2.2 at 8, 2.1 at 16, 1.4 at 32, 1.3 at 64, 1.4 at 128, 1.3 at 256; of values alone
// 1.7, 1.6, 1.4, 1.4, 1.2, 1.3 and 1.2. To be deleted when ?gesdd is as fast, shares one matrix among threads with the
// same bits for any number of them, can be stopped, and keeps the bound of docs/numerics.md, which its iteration
// (bidiagonal_qr.h) does not.
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
