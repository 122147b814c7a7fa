// Singular value decomposition of one small matrix.
#pragma once
#include <cstdint>

#include "narrow_reflectors.h"

namespace fsvd {

// a (rows x cols, rows >= cols, at most narrow_cols, column-major without gaps; overwritten) = left·diag(s)·rightᵀ: the
// steps of ?gesdd at that size, bidiagonal form and implicit QR. left is rows x cols, right cols x cols, both without
// gaps; null: values only. The elements of a must not be far from 1.
//
// In place of ?gesdd up to narrow_cols columns, for the tolerance of its iteration (bidiagonal_qr.h) and because it is
// faster: no call that takes longer to prepare than to do. dense.h says by how much, and when both may go. In double
// alone: for float the result is then the exact one, rounded.
struct NarrowSvd {
  std::int64_t rows = 0, cols = 0;
  double *a = nullptr, *s = nullptr, *left = nullptr, *right = nullptr;
  double* work = nullptr;

  std::int64_t work_size() const;
  bool run() const;  // false where it does not converge
};

}  // namespace fsvd
