// The SVD of a product of two tall float32 factors, from their Gram matrices alone.
#pragma once
#include "core/base/batch.h"
#include "gauge.h"

namespace fsvd {

// M = A * B, both with their gauge, from G = A^T * A and H = B * B^T = R^T * R in double: the eigenvalues of R * G * R^T
// are the squares of the singular values, with its eigenvectors V
//     U = A * X, X = R^T * V / S,     Vh = Y * B, Y = V^T * R^-T,
// where X and Y are k x k. The steps (docs/numerics.md, "The Gram route", has the same numbers):
//   1. G and H, both with their gauge
//   2. H = R^T * R by Cholesky, and C = R * G * R^T
//   3. the tridiagonal form of C (tridiagonal.h), and its Cholesky root, a bidiagonal B: S are its singular values
//   4. S and the right vectors of B: one by one (twisted.h), or together where some are close (divide.h)
//   5. V, the vectors of C, from those of B (reflectors.h)
//   6. X and Y
// Half the work of a QR decomposition of each factor and an SVD of the core. The squares cost
// digits that double has and float32 has not, as long as S does not span too much: what is computed here is exact to
// float32 or declined; S, X and Y of what is declined mean nothing.
//
// (Error of an eigenvalue: a few epsilon * ||G|| * ||H||, for instance Higham, "Accuracy and stability of numerical
// algorithms", 2nd ed., sections 3.5 and 10.1; docs/numerics.md.)
struct GramSvd {
  struct Factor {
    Batch<const double> gram;  // as Gram leaves it: k x k matrices below each other
    std::int64_t blocks = 1;   // so many
    Gauge gauge;
    Batch<float> x;  // for the factor without its gauge, row-major: X (k x p), or Y (p x k); without data: values only
  };

  std::int64_t count = 0, k = 0, p = 0;  // p: how many singular vectors
  Factor left, right;
  double* s = nullptr;       // count x k
  Status* status = nullptr;  // its driver: 1 where the item was decomposed, 0 where it was declined

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
