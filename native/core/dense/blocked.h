// Singular value decomposition of one dense matrix, on several threads where it is large.
#pragma once
#include <cstdint>

#include "core/base/lapack.h"
#include "core/threads/team.h"

namespace fsvd {

// a (rows x cols, rows >= cols, column-major; overwritten) = left·diag(s)·right_t. The steps are those of ?gesdd:
// bidiagonal form, divide and conquer, and the orthogonal factors on its vectors. Each is cut into parts of a size that
// depends on the shape only, so that neither the number of threads nor what else they do changes a bit. The elements of
// a must not be far from 1.
template <class T>
struct BlockedSvd {
  std::int64_t rows = 0, cols = 0;
  T* a = nullptr;  // leading dimension rows
  T* s = nullptr;
  T *left = nullptr, *right_t = nullptr;  // rows x cols with leading dimension rows, cols x cols; null: values only
  T* work = nullptr;
  std::int64_t* index = nullptr;

  std::int64_t work_size(bool vectors) const;
  std::int64_t index_size() const;
  // LAPACK's info.
  lapack_int run(Team& team) const;
};

}  // namespace fsvd
