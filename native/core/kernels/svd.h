// Singular value decomposition of each item of a batch: the fastest way, and what to do when it fails.
#pragma once
#include <optional>

#include "core/base/batch.h"

namespace fsvd {

// Which routine answered; in Status::driver. `drivers` in lib/native/kernels.ts mirrors it.
enum class Driver { gesdd = 0, gesvd = 1, gesvd_scaled = 2, gejsv = 3, blocked = 4, jacobi = 5 };

// How many columns of U and rows of Vh are computed: none, min(m, n), all. `vectorsCode` in lib/native/kernels.ts mirrors it.
enum class Vectors { none = 0, thin = 1, full = 2 };

// a = U * diag(S) * Vh, row-major: U is m x p, S is p, Vh is p x n, p = min(m, n) (thin; m x m and n x n for full).
// A ladder of routines, of which the first that converges answers; `Status::driver` says which. Each begins with a copy of
// a, which is checked:
//   1. jacobi        JacobiSvd (dense/jacobi.h), only of a matrix whose columns have `scales`, a * diag(2^scales): its small
//                    singular values are to be accurate relative to themselves; those of all below, relative to the largest
//   2. blocked       DenseSvd (dense/dense.h), unless full factors of a matrix that is not square are wanted
//   3. gesdd         LAPACK's
//   4. gesvd         LAPACK's: implicit QR where divide and conquer failed
//   5. gesvd_scaled  the same of the matrix scaled to a largest element of 1
//   6. gejsv         LAPACK's, whose vectors are looked at first
// Where `only` names one of LAPACK's, that one alone is called, whatever the size.
template <class T>
struct SvdLadder {
  Batch<const T> a;
  Vectors vectors = Vectors::thin;
  const std::int32_t* scales = nullptr;
  std::optional<Driver> only;
  Batch<T> u, s, vh;  // contiguous items, s of one row; without vectors u and vh mean nothing
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
  double flops() const;  // of one item, roughly
};

}  // namespace fsvd
