// Gram matrices of tall blocks, in double for both types: the first half of a Cholesky QR decomposition.
#pragma once
#include "core/base/batch.h"
#include "gauge.h"

namespace fsvd {

// Rows b * k ... (b + 1) * k - 1 of item i of `gram` = X_b^T * X_b for block b of rows: column-major, upper triangle. X is
// a itself, or the solution of X * root = a-with-its-gauge where `root` (upper triangular, column-major) is given.
template <class T>
class Gram {
 public:
  Batch<const T> a;
  Gauge gauge;          // only with root
  Batch<const T> root;  // without data where there is none
  Batch<double> gram;
  std::int64_t blocks = 1;

  void operator()(std::int64_t unit) const;  // unit = i * blocks + b

 private:
  void add_rows(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const;
  void add_solved(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const;
};

// The Gram matrix of the whole of item i from those of its blocks.
void add_parts(const Batch<const double>& gram, std::int64_t i, std::int64_t blocks, double* sum);

// Item i of a-with-its-gauge, rows first ... first + rows - 1, row-major in dst, then dst := dst * root^-1.
template <class T>
void solved_rows(const Batch<const T>& a, std::int64_t i, std::int64_t first, std::int64_t rows, const Gauge& gauge,
                 const T* root, T* dst);

}  // namespace fsvd
