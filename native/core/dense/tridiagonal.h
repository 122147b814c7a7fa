// Reduction of a small symmetric matrix to tridiagonal form.
#pragma once
#include <cstdint>

namespace fsvd {

// c (order n, column-major, both triangles) = Q·T·Qᵀ with T tridiagonal: its diagonal in d, what stands beside it in e.
// Q as ?sytrd with 'L' leaves it: reflectors below the first subdiagonal of c, their scalars in tau (n − 1).
//
// Every step passes over the rest of the matrix once: with the update that is due the product is formed that the next
// one needs. The elements must not be far from 1 (reflectors.h).
//
// In place of ?sytrd up to order 128, while the matrix stays in a cache. Its time over this one's (measured as in
// dense.h): 2.0 at order 16, 2.1 at 32, 1.6 at 64, 1.2 at 128. To be deleted when ?sytrd passes over the matrix once
// for a column.
struct Tridiagonalisation {
  std::int64_t n;
  double *c, *d, *e, *tau;
  double* work;

  static std::int64_t work_size(std::int64_t n) { return 4 * n; }
  void run() const;
};

}  // namespace fsvd
