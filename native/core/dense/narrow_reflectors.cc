#include "narrow_reflectors.h"

#include <algorithm>

#include "core/base/wide_vectors.h"
#include "reflectors.h"

namespace fsvd {
namespace {

#define FSVD_INLINE inline __attribute__((always_inline))

// x_c·v for `columns` columns: in 16 sums, each of some dozens of terms at the most. Many equal elements would add up
// equal errors in one.
template <int columns>
FSVD_INLINE void inner(const double* v, const double* x, std::int64_t ld, std::int64_t n, double* sums) {
  Four lane[4][columns] = {};
  double rest[columns] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 4; ++l) {
      Four y, z;
      load(v + i + 4 * l, y);
      for (int c = 0; c < columns; ++c) load(x + c * ld + i + 4 * l, z), lane[l][c] += y * z;
    }
  for (int l = 0; l < 3; ++l) {
    if (i + 4 > n) break;
    Four y, z;
    load(v + i, y);
    for (int c = 0; c < columns; ++c) load(x + c * ld + i, z), lane[l][c] += y * z;
    i += 4;
  }
  for (; i < n; ++i)
    for (int c = 0; c < columns; ++c) rest[c] += v[i] * x[c * ld + i];
  for (int c = 0; c < columns; ++c) {
    const Four sum = (lane[0][c] + lane[1][c]) + (lane[2][c] + lane[3][c]);
    sums[c] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest[c];
  }
}

// x_c −= factor_c·v
template <int columns>
FSVD_INLINE void subtract(const double* factor, const double* v, double* x, std::int64_t ld, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    Four y, z;
    load(v + i, y);
    for (int c = 0; c < columns; ++c) {
      load(x + c * ld + i, z);
      store(z - factor[c] * y, x + c * ld + i);
    }
  }
  for (; i < n; ++i)
    for (int c = 0; c < columns; ++c) x[c * ld + i] -= factor[c] * v[i];
}

// columns = (I − tau·v·vᵀ)·columns. Two at a time read v once.
template <int columns>
FSVD_INLINE void reflect_some(const double* v, double tau, std::int64_t n, double* x, std::int64_t ld) {
  double w[columns];
  inner<columns>(v, x, ld, n, w);
  for (double& factor : w) factor *= tau;
  subtract<columns>(w, v, x, ld, n);
}

FSVD_INLINE void reflect(const double* v, double tau, std::int64_t n, double* columns, std::int64_t ld,
                         std::int64_t count) {
  std::int64_t c = 0;
  for (; c + 2 <= count; c += 2) reflect_some<2>(v, tau, n, columns + c * ld, ld);
  if (c < count) reflect_some<1>(v, tau, n, columns + c * ld, ld);
}

// Reduces x to its first element, which is returned; v takes its place.
FSVD_INLINE double reduce(double* x, std::int64_t n, double& tau) {
  double squares;
  inner<1>(x + 1, x + 1, 0, n - 1, &squares);
  const Reflector<double> h(x[0], squares);
  for (std::int64_t i = 1; i < n; ++i) x[i] *= h.scale;
  x[0] = 1, tau = h.tau;
  return h.beta;
}

FSVD_WIDE_VECTORS void qr(double* a, std::int64_t rows, std::int64_t cols, double* diagonal, double* tau) {
  for (std::int64_t j = 0; j < cols; ++j) {
    double* v = a + j * (rows + 1);
    diagonal[j] = reduce(v, rows - j, tau[j]);
    if (tau[j] != 0) reflect(v, tau[j], rows - j, v + rows, rows, cols - j - 1);
  }
}

FSVD_WIDE_VECTORS void bidiagonalise(const NarrowBidiagonal& b) {
  double* x = b.work;
  for (std::int64_t i = 0; i < b.cols; ++i) {
    const std::int64_t tall = b.rows - i, wide = b.cols - i - 1;
    double *v = b.a + i * (b.rows + 1), *right = v + b.rows;
    b.d[i] = reduce(v, tall, b.tau_q[i]);
    if (b.tau_q[i] != 0) reflect(v, b.tau_q[i], tall, right, b.rows, wide);
    if (wide == 0) break;
    double* u = b.p + i * (b.cols + 1) + 1;
    for (std::int64_t c = 0; c < wide; ++c) u[c] = right[c * b.rows];
    b.e[i] = reduce(u, wide, b.tau_p[i]);
    if (b.tau_p[i] == 0) continue;
    std::fill_n(x, tall - 1, 0.0);
    for (std::int64_t c = 0; c < wide; ++c) {
      const double factor = -b.tau_p[i] * u[c];
      subtract<1>(&factor, right + c * b.rows + 1, x, 0, tall - 1);
    }
    for (std::int64_t c = 0; c < wide; ++c) subtract<1>(u + c, x, right + c * b.rows + 1, 0, tall - 1);
  }
}

FSVD_WIDE_VECTORS void multiply_each(const NarrowReflectors& q, double* c, std::int64_t others) {
  for (std::int64_t j = q.count - 1; j >= 0; --j) {
    const std::int64_t at = j + q.first;
    if (q.tau[j] != 0) reflect(q.v + at + j * q.ld, q.tau[j], q.rows - at, c + at, q.rows, others);
  }
}

}  // namespace

NarrowReflectors narrow_qr(double* a, std::int64_t rows, std::int64_t cols, double* diagonal, double* tau) {
  qr(a, rows, cols, diagonal, tau);
  return {a, tau, rows, rows, cols, 0};
}

void NarrowBidiagonal::run() const { bidiagonalise(*this); }

void multiply(const NarrowReflectors& q, double* c, std::int64_t others) { multiply_each(q, c, others); }

}  // namespace fsvd
