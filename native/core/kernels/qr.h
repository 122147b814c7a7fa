// Orthogonal-triangular decomposition of each item of a batch, and the product with its Q. In double only: it is the
// path for factors that Cholesky QR cannot serve, and those need every digit.
//
// In place of ?geqrf and ?ormqr, for every size, not for speed: with their sums over all rows ||Q^T * Q - I|| exceeds
// its bound from 300 rows on, where columns have many equal elements. To be deleted when they add up short sums.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// a = Q * R with Q = I - V * T * V^T, a product of min(rows, cols) Householder reflections: V in q (column-major, as ?geqrf
// leaves it), T in t (upper triangular, column-major, zero below), R in r (row-major, min(rows, cols) x cols, zero below the
// diagonal).
struct Qr {
  Batch<const double> a;
  double *q = nullptr, *t = nullptr, *r = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// out = Q * c (rows x p, row-major); Q as Qr left it, c is k x p.
struct ApplyQ {
  const double *q = nullptr, *t = nullptr;
  std::int64_t rows = 0, q_cols = 0;  // of the matrix that Qr was given; k = min(rows, q_cols)
  Batch<const double> c;
  double* out = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
