// Singular value decomposition of a small bidiagonal matrix, or of the values of a large one, by implicit QR.
#pragma once
#include <cstdint>

namespace fsvd {

// B = U·diag(d)·Vᵀ for B upper bidiagonal, n x (n + extra): its diagonal in d, what stands above in e (n − 1 + extra
// elements, overwritten). Values come out in d, descending. The columns of u and v are multiplied with the vectors
// (n and n + extra columns, contiguous, of u_rows and v_rows elements; null: not wanted).
//
// In place of ?lasdq (?bdsqr), whose iteration drops elements up to 49·2⁻⁵² times their neighbours: more than the whole
// error of a small decomposition. Here it is 2⁻⁵², for float too, and each value is accurate relative to itself.
// Rotations pass over the vectors once for a sweep. The time of ?bdsqr over this one's (measured as in dense.h): 1.6 at
// orders 4 and 8, 1.7 at 16, 2.1 at 32. To be deleted when ?bdsqr drops no more.
// (Demmel and Kahan, "Accurate singular values of bidiagonal matrices", SIAM J. Sci. Stat. Comput. 11 (1990).)
struct BidiagonalQr {
  std::int64_t n = 0, extra = 0;
  double *d = nullptr, *e = nullptr;
  double *u = nullptr, *v = nullptr;
  std::int64_t u_rows = 0, v_rows = 0;
  double* work = nullptr;  // work_size(n)

  static constexpr std::int64_t work_size(std::int64_t n) { return 4 * n; }
  // False where it does not converge.
  bool run() const;

 private:
  void drop_extra() const;
  void sort() const;
};

// Values alone of an upper bidiagonal matrix of order n into d, descending: by ?lasq1, the fastest, whose iteration
// drops elements up to 100·2⁻⁵² times their neighbours. That shows where values are that close: then by BidiagonalQr.
// `work` is of values_work(n) elements.
bool bidiagonal_values(std::int64_t n, double* d, double* e, double* work);
constexpr std::int64_t values_work(std::int64_t n) { return 6 * n; }

}  // namespace fsvd
