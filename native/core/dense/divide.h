// Singular value decomposition of a bidiagonal matrix by divide and conquer, on several threads.
#pragma once
#include <cstdint>

#include "core/base/lapack.h"
#include "core/threads/team.h"

namespace fsvd {

// B = U·diag(d)·Vᵀ for B upper bidiagonal of order n: its diagonal in d, what stands above in e (overwritten). Singular
// values come out in d, descending; vectors in u and vt (n x n, column-major), right ones alone where u is null. What
// ?bdsdc does, with every step of a large merge cut into parts. Returns 0, or LAPACK's info where something did not
// converge.
//
// (Gu and Eisenstat, "A divide-and-conquer algorithm for the bidiagonal SVD", SIAM J. Matrix Anal. Appl. 16 (1995).)
//
// In place of ?bdsdc from narrow_cols columns on. Its time over this one's (measured as in dense.h): 1.5 at orders 64
// to 256, 1.6 at 512. To be deleted when ?bdsdc shares a merge among threads with the same bits for any number of them,
// can be stopped, and takes only values for equal that are 4·eps·σ₁/√n apart (merge_deflate.cc).
template <class T>
struct BidiagonalSvd {
  std::int64_t n = 0;
  T *d = nullptr, *e = nullptr;
  T *u = nullptr, *vt = nullptr;
  std::int64_t ldu = 0, ldvt = 0;
  T* work = nullptr;
  std::int64_t* index = nullptr;

  static std::int64_t work_size(std::int64_t n);
  static std::int64_t index_size(std::int64_t n);
  lapack_int run(Team& team) const;
};

}  // namespace fsvd
