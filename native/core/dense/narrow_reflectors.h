// Householder reflectors of narrow matrices, one by one: whatever they pass over stays in the first caches.
#pragma once
#include <cstdint>

namespace fsvd {

// The widest matrix that is reduced reflector by reflector; beyond it blocks of them (reflectors.h) are faster.
constexpr std::int64_t narrow_cols = 32;

// Reflectors H_0·H_1 …: v_j in column j of a matrix from row j + first on, where it holds a 1; tau_j.
struct NarrowReflectors {
  const double *v = nullptr, *tau = nullptr;
  std::int64_t ld = 0, rows = 0, count = 0, first = 0;
};

// a = Q·R (rows x cols, rows >= cols, column-major without gaps). R is left above the diagonal of a, and its diagonal in
// `diagonal`; Q below, with ones on the diagonal, and in tau.
NarrowReflectors narrow_qr(double* a, std::int64_t rows, std::int64_t cols, double* diagonal, double* tau);

// a = Q·B·Pᵀ with B upper bidiagonal, d and e. Q is left below the diagonal of a and in tau_q; P, of order cols, in p
// and tau_p.
struct NarrowBidiagonal {
  std::int64_t rows = 0, cols = 0;
  double *a = nullptr, *p = nullptr;  // without gaps
  double *d = nullptr, *e = nullptr, *tau_q = nullptr, *tau_p = nullptr;
  double* work = nullptr;  // rows

  void run() const;
  NarrowReflectors left() const { return {a, tau_q, rows, rows, cols, 0}; }
  NarrowReflectors right() const { return {p, tau_p, cols, cols, cols - 1, 1}; }
};

// c = Q·c, of `others` columns without gaps.
void multiply(const NarrowReflectors& q, double* c, std::int64_t others);

}  // namespace fsvd
