// Matrix product of each item of a batch, over strided operands.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

// c = alpha * a * b + beta * c, whose rows lie one behind the other. The rows and columns of c are
// cut into even blocks of a size that depends on the shape only, so one large product is as parallel as many small ones.
template <class T>
struct Gemm {
  Batch<const T> a, b;
  T alpha = 1, beta = 0;
  Batch<T> c;
  Status* status = nullptr;  // per item: overflow when an element of c is not finite

  std::int64_t row_blocks() const;
  std::int64_t col_blocks() const;
  std::int64_t blocks() const;  // of one item, rows and columns
  void operator()(std::int64_t unit) const;
};

}  // namespace fsvd
