// The Cholesky root of a Gram matrix, and the products with the Q that it stands for.
#pragma once
#include "core/base/batch.h"
#include "gauge.h"
#include "gram.h"

namespace fsvd {

// What a Cholesky root is good for; in Status::driver. `paths` in lib/algorithms/qr.ts mirrors it.
enum class Root { once = 0, twice = 1, none = 2 };

// The R of `a with its gauge = Q * R` from the Gram matrix of a as it is. The columns are equilibrated by powers of two
// before ?potrf: equilibrated = 2^unit[j] * a[:, perm[j]] has columns of length about 1, and its root is root_d / root.
//   once   Q = a * R^-1 formed in one product is orthogonal to working accuracy (sigma_min(equilibrated) is large)
//   twice  the decomposition must be repeated on Q (CholeskyQR2)
//   none   the Gram matrix has lost too much: Householder
template <class T>
struct Cholesky {
  Batch<const double> gram;  // as Gram leaves it: k x k matrices below each other
  std::int64_t blocks = 1;   // so many
  Gauge gauge;
  std::int32_t* unit = nullptr;  // k for each item
  Batch<double> root_d;          // k x k, column-major, upper
  Batch<T> root;                 // the same in T
  Batch<double> r;               // k x k, row-major, upper: R in the given gauge
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// The second round: from the Gram matrix of Q1 = equilibrated * root^-1, near the identity. Replaces root_d by that of
// this second Gram matrix, and r by the product of both. `none` when it is further than 0.1 from the identity.
template <class T>
struct CholeskyAgain {
  Batch<const double> gram;
  std::int64_t blocks = 1;
  Gauge gauge;
  const std::int32_t* unit = nullptr;
  Batch<const T> root;  // of the first round
  Batch<double> root_d, r;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// x = root_d^-1 * c, its row j then taken to row perm[j] and scaled by 2^unit[j] where these are given: k x p. Then
// Q * c = a * x (once), or Q1 * x (twice).
template <class T, class C>
struct SolveRoot {
  Batch<const double> root_d;
  Gauge gauge;  // perm and unit
  Batch<const C> c;
  Batch<T> x;

  std::int64_t blocks() const;               // of the columns of one item
  void operator()(std::int64_t unit) const;  // unit = i * blocks() + block
};

// out = (equilibrated * root^-1) * x: rows x p.
template <class T>
struct MultiplySolved {
  Batch<const T> a;
  Gauge gauge;  // perm and unit
  Batch<const T> root;
  Batch<const T> x;         // k x p, row-major
  std::int64_t blocks = 1;  // of the rows of one item
  Batch<T> out;

  void operator()(std::int64_t unit) const;  // unit = i * blocks + block
};

}  // namespace fsvd
