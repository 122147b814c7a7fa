// Gram matrices of tall blocks, in double for both types: the first half of a Cholesky QR decomposition.
#pragma once
#include "batch.h"
#include "pack.h"

namespace fsvd {

// The rows of a tall matrix are cut into at most 8 blocks, each of at least 1024 rows and 16 times as tall as wide: the
// Gram matrices of all of them then take an eighth of the memory of a float32 matrix. The number depends on the shape
// only, and so does the order in which the parts are added: results are the same for any number of threads.
std::int64_t gram_blocks(std::int64_t rows, std::int64_t cols);
std::int64_t gram_block_rows(std::int64_t rows, std::int64_t cols);

// parts[(i * blocks + b) * k * k ...] = X_b^T * X_b for block b of rows of item i: column-major, upper triangle.
// X is a itself, or the solution of X * root = a-with-its-gauge where `root` (upper triangular, column-major) is given.
template <class T>
class Gram {
 public:
  Batch<const T> a;
  Gauge gauge;              // only with root
  const T* root = nullptr;  // count x k x k, or null
  double* parts = nullptr;
  double* squares = nullptr;  // their diagonals, (i * blocks + b) * k: the squared lengths of the columns

  void operator()(std::int64_t unit) const;  // unit = i * blocks + b

 private:
  void add_rows(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const;
  void add_solved(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const;
};

// The Gram matrix of the whole from those of its blocks.
void add_parts(const double* parts, std::int64_t blocks, std::int64_t k, double* sum);

// Item i of a-with-its-gauge, rows first ... first + rows - 1, row-major in dst, then dst := dst * root^-1.
template <class T>
void solved_rows(const Batch<const T>& a, std::int64_t i, std::int64_t first, std::int64_t rows, const Gauge& gauge,
                 const T* root, T* dst);

}  // namespace fsvd
