// The Cholesky root of a Gram matrix, and the products with the Q that it stands for.
#pragma once
#include "batch.h"
#include "gram.h"
#include "pack.h"

namespace fsvd {

// What a Cholesky root is good for; in Status::driver.
enum class Root { once = 0, twice = 1, none = 2 };

// The R of `a with its gauge = Q * R` from the Gram matrix of a as it is. The columns are equilibrated by powers of two
// before ?potrf: equilibrated = 2^unit[j] * a[:, perm[j]] has columns of length about 1, and its root is root_d / root.
//   once   Q = a * R^-1 formed in one product is orthogonal to working accuracy (sigma_min(equilibrated) is large)
//   twice  the decomposition must be repeated on Q (CholeskyQR2)
//   none   the Gram matrix has lost too much: Householder
template <class T>
struct Cholesky {
  const double* parts = nullptr;         // as Gram leaves them: blocks x k x k for each matrix
  const std::int32_t* source = nullptr;  // which of them item i has (a broadcast factor has one); null: i
  std::int64_t count = 0, blocks = 0, k = 0;
  Gauge gauge;
  std::int32_t* unit = nullptr;  // count x k
  double* root_d = nullptr;      // count x k x k, column-major, upper
  T* root = nullptr;             // the same in T
  double* r = nullptr;           // count x k x k, row-major, upper: R in the given gauge
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// The second round: from the Gram matrix of Q1 = equilibrated * root^-1, near the identity. Replaces root_d by that of
// this second Gram matrix, and r by the product of both. `none` when it is further than 0.1 from the identity.
template <class T>
struct CholeskyAgain {
  const double* parts = nullptr;
  const std::int32_t* source = nullptr;
  std::int64_t count = 0, blocks = 0, k = 0;
  Gauge gauge;
  const std::int32_t* unit = nullptr;
  T* root = nullptr;  // of the first round; only read
  double* root_d = nullptr;
  double* r = nullptr;
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

// x = root_d^-1 * c, its row j then taken to row perm[j] and scaled by 2^unit[j] where these are given: k x p, row-major
// or, transposed, column-major. Then Q * c = a * x (once), or Q1 * x (twice).
template <class T, class C>
struct SolveRoot {
  const double* root_d = nullptr;
  Gauge gauge;  // perm and unit
  Batch<const C> c;
  bool transposed = false;
  T* x = nullptr;

  std::int64_t blocks() const;               // of the columns of one item
  void operator()(std::int64_t unit) const;  // unit = i * blocks() + block
};

// Item positions[i] of out = (equilibrated * root^-1) * x: rows x p row-major, or its transpose.
template <class T>
struct MultiplySolved {
  Batch<const T> a;
  Gauge gauge;  // perm and unit
  const T* root = nullptr;
  const T* x = nullptr;  // count x k x p, row-major
  std::int64_t p = 0;
  bool transposed = false;
  const std::int32_t* positions = nullptr;
  T* out = nullptr;

  void operator()(std::int64_t unit) const;  // unit = i * gram_blocks(rows) + block
};

}  // namespace fsvd
