// Singular values and right vectors of a small bidiagonal matrix whose singular values are apart from each other.
#pragma once
#include <cstdint>

namespace fsvd {

// BᵀB = V·diag(lambda)·Vᵀ for B upper bidiagonal of order n, whose diagonal is in d and what stands above it in e: the
// singular values sigma = √lambda of B, descending, right to a few units in the last place, and vᵀ (n x n, column-major)
// unless null, with ‖VᵀV − I‖_F below 2^-26. The elements must not be far from 1; `work` is aligned as a Workspace is.
//
// Every vector is computed by itself, in a few passes over B: from the factorizations of BᵀB − lambda·I from the top and
// from the bottom, joined where they leave the least. That is much less work than divide and conquer; the price is that
// the vectors know nothing of each other: they are orthogonal only as far as the relative gaps of the lambdas allow.
// (Dhillon and Parlett, "Orthogonal eigenvectors and relative gaps", SIAM J. Matrix Anal. Appl. 25 (2004).)
//
// In place of divide and conquer up to order 128: together with tridiagonal.h, in place of ?sytrd, 16 ms instead of 27
// for 144 matrices of order 64. To be deleted for a ?bdsvdx or ?stemr that is as fast for matrices of this size.
struct TwistedSvd {
  enum class Outcome {
    found,
    below_least,  // there is a lambda less than that
    too_close,  // two lambdas for vectors one by one; or elements out of range, or an iteration that has not converged
  };

  static constexpr double least_gap = 1.0 / (1 << 18);  // of neighbouring lambdas, relative to the larger

  std::int64_t n;
  const double *d, *e;
  double *sigma, *vt;
  double* work;

  static std::int64_t work_size(std::int64_t n);
  Outcome run(double least) const;
};

}  // namespace fsvd
