// The product of each matrix of a batch with its transpose, in double.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// c = a * a^T, all of it: the mirror image of every tile is written with it. Tiles of a size that depends on the shape only
// are the units, so one large matrix is as parallel as many small ones. (`Gram` is for tall matrices of few columns.)
template <class T>
struct Outer {
  Batch<const T> a;
  Batch<double> c;

  std::int64_t tiles() const;   // along one side
  std::int64_t blocks() const;  // of one item: the tiles on and below the diagonal
  void operator()(std::int64_t unit) const;
};

}  // namespace fsvd
