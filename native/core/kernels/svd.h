// Singular value decomposition of each item of a batch: ?gesdd, and what to do when it fails.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// Which routine answered; in Status::driver. `drivers` in lib/native/kernels.ts mirrors it.
enum class Driver { gesdd = 0, gesvd = 1, gesvd_scaled = 2, gejsv = 3, blocked = 4, jacobi = 5 };

// How many columns of U and rows of Vh are computed: none, min(m, n), all. `vectorsCode` in lib/native/kernels.ts mirrors it.
enum class Vectors { none = 0, thin = 1, full = 2 };

// a = U * diag(S) * Vh, row-major: U is m x p, S is p, Vh is p x n, p = min(m, n) (thin; m x m and n x n for full).
// The input is copied and checked first. Large matrices are decomposed in parts (blocked_svd.h), the others by ?gesdd.
// When that does not converge the item is tried again with ?gesdd, with ?gesvd, with ?gesvd on the matrix scaled to a
// largest element of 1, and with ?gejsv, whose vectors are looked at first; `Status::driver` says which one answered.
// A matrix whose columns have `scales` is a * diag(2^scales): its small singular values are to be accurate relative to
// themselves, so it begins with JacobiSvd (jacobi.h). The others are accurate relative to the largest only.
template <class T>
struct Gesdd {
  Batch<const T> a;
  Vectors vectors = Vectors::thin;
  const std::int32_t* scales = nullptr;
  Batch<T> u, s, vh;  // contiguous items, s of one row; without vectors u and vh mean nothing
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
  double flops() const;  // of one item, roughly
};

}  // namespace fsvd
