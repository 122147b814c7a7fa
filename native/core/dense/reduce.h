// Reduction of a dense matrix to bidiagonal form, on several threads.
#pragma once
#include <cstdint>

#include "core/threads/team.h"

namespace fsvd {

// a (rows x cols, rows >= cols, column-major) = Q·B·Pᵀ with B upper bidiagonal, its diagonal in d and what stands above
// in e. Q and P as ?gebrd leaves them: reflectors below the diagonal of a, and to the right of its superdiagonal, with
// their scalars in tau_q and tau_p (tau_p[cols − 1] = 0).
//
// As in ?gebrd half of the work is matrix products and half must pass over the rest of the matrix once for every column;
// here once, not twice, because both products of a step are taken from a block of columns while it is in a cache.
// (Howell, Demmel, Fulton, Hammarling, Marmol, "Cache efficient bidiagonalization using BLAS 2.5 operators", ACM TOMS 34
// (2008).) The elements must not be far from 1: nothing is rescaled, and what is below 1e-140 (1e-15 in float) counts
// as zero.
//
// In place of ?gebrd from narrow_cols columns on. Its time over this one's (measured as in dense.h): 1.3 at order 64,
// 1.4 at 128, 1.2 at 256, 1.1 at 512. To be deleted when ?gebrd passes over the matrix once for a column, shares it
// among threads with the same bits for any number of them, and adds up short sums.
template <class T>
class Bidiagonalisation {
 public:
  std::int64_t rows = 0, cols = 0, ld = 0;
  T* a = nullptr;
  T *d = nullptr, *e = nullptr, *tau_q = nullptr, *tau_p = nullptr;
  T* work = nullptr;

  std::int64_t work_size() const;
  void run(Team& team) const;
};

}  // namespace fsvd
