// Orthogonal-triangular decomposition of each item of a batch of tall matrices, and the product with its Q.
#pragma once
#include "batch.h"
#include "pack.h"

namespace fsvd {

// a, with its gauge applied, = Q * R: Householder vectors in q (column-major, as ?geqrf leaves them) and tau, R in r
// (row-major, cols x cols, zero below the diagonal). rows >= cols.
template <class T>
struct Qr {
  Batch<const T> a;
  Gauge gauge;
  T *q = nullptr, *tau = nullptr, *r = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// out = Q * c (rows x p, row-major), or its transpose (p x rows, row-major); Q as Qr left it, c is k x p.
template <class T>
struct ApplyQ {
  const T *q = nullptr, *tau = nullptr;
  std::int64_t rows = 0;
  Batch<const T> c;
  bool transposed = false;
  T* out = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
