// Singular value decomposition by one-sided Jacobi rotations of a matrix whose columns have exponents of their own.
#pragma once
#include <cstdint>

namespace fsvd {

// C = c * diag(2^exponents) = U * diag(S) * V^T, where the columns of c are of any length and the exponents of any size:
// each singular value comes out relative to itself where the columns of c, scaled to length 1, are well conditioned.
//
//   1. C * P = Q * R, Householder, the longest remaining column first. A column keeps its exponent.
//   2. R^T = Q2 * R2, the same without pivoting; the columns of R^T, rows of R, have exponents of their own.
//   3. Y = R2^T, whose columns again have their own, is rotated until they are orthogonal: Y * W = U2 * diag(S).
//      One that is larger and not steep is first multiplied by its right singular vectors as BlockedSvd computes them, whose
//      errors are relative to the largest singular value: two or three sweeps then do what took eight.
//   4. U = Q * U2, V = P * Q2 * W. What C lacks in rank Q and Q2 complete.
//
// Where a column is much shorter than another, the rotation of the two is a projection in the scale of the shorter one, so
// that nothing overflows or underflows.
//
// This is the algorithm of ?gejsv (Drmac, Veselic, "New fast and accurate Jacobi SVD algorithm", SIAM J. Matrix Anal. Appl.
// 29 (2008)), which stands in LAPACK for numbers within the range of one exponent and whose vectors, of graded matrices
// without full rank, were up to 1.7e-2 off orthonormal. For its range, not its speed: to be deleted when ?gejsv takes
// exponents.
template <class T>
struct JacobiSvd {
  std::int64_t rows = 0, cols = 0;    // both positive
  T* c = nullptr;                     // column-major; destroyed
  std::int32_t* exponents = nullptr;  // one for every column; destroyed
  T* s = nullptr;                     // min(rows, cols), descending; infinite or 0 where T cannot hold it
  T* u = nullptr;                     // column-major, rows x u_cols; null where no vectors are wanted
  T* v = nullptr;                     // column-major, cols x v_cols
  std::int64_t u_cols = 0, v_cols = 0;
  T* work = nullptr;              // work_size() elements
  std::int64_t* index = nullptr;  // index_size() elements

  std::int64_t work_size() const;
  std::int64_t index_size() const;
  // Not 0: the rotations did not converge.
  int run() const;
};

}  // namespace fsvd
