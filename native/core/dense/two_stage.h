// Reduction of a large dense matrix to bidiagonal form for its singular values alone, by way of a band matrix.
#pragma once
#include <cstdint>

#include "core/threads/team.h"

namespace fsvd {

// a (rows x cols, rows >= cols, column-major with leading dimension rows; overwritten) = Q·B·Pᵀ with B upper bidiagonal, its
// diagonal in d and what stands above in e; Q and P are not kept. First blocks of columns and rows are reduced in turn to an
// upper band, in matrix products throughout; then the band, row after row, each of which leaves a bulge that is chased
// to the end, in blocks that stay in a cache. Rows whose bulges are far enough apart are reduced at the same time.
// (Großer and Lang, "Efficient parallel reduction to bidiagonal form", Parallel Computing 25 (1999); Haidar, Kurzak and
// Luszczek, "An improved parallel singular value algorithm and its implementation for multicore hardware", SC 2013.)
//
// In place of Bidiagonalisation, whose requirements it has, from least_two_stage columns on. Time of the singular values
// that way over this one, on two threads: 1.2 at order 1024; 1.3 (float) and 2.2 at 2048; 3.0 and 4.1 at 4096. To be
// deleted when LAPACK's ?gesvd goes this way.
template <class T>
class TwoStageReduction {
 public:
  std::int64_t rows = 0, cols = 0;
  T* a = nullptr;
  T *d = nullptr, *e = nullptr;
  T* work = nullptr;

  static std::int64_t work_size(std::int64_t rows, std::int64_t cols);
  void run(Team& team) const;
};

constexpr std::int64_t least_two_stage = 640;

}  // namespace fsvd
