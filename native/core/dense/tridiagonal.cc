#include "tridiagonal.h"

#include <algorithm>
#include <utility>

#include "core/base/arithmetic.h"
#include "core/base/wide_vectors.h"
#include "reflectors.h"

namespace fsvd {
namespace {

// c −= v·wᵀ + w·vᵀ and y += c·x, for c of order n.
FSVD_WIDE_VECTORS void update_and_multiply(std::int64_t n, double* c, std::int64_t ld, const double* __restrict v,
                                           const double* __restrict w, const double* x, double* __restrict y) {
  std::int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    double* __restrict c0 = c + j * ld;
    double* __restrict c1 = c0 + ld;
    double* __restrict c2 = c1 + ld;
    double* __restrict c3 = c2 + ld;
    const double v0 = v[j], v1 = v[j + 1], v2 = v[j + 2], v3 = v[j + 3];
    const double w0 = w[j], w1 = w[j + 1], w2 = w[j + 2], w3 = w[j + 3];
    const double x0 = x[j], x1 = x[j + 1], x2 = x[j + 2], x3 = x[j + 3];
    for (std::int64_t r = 0; r < n; ++r) {
      const double a0 = c0[r] - (v[r] * w0 + w[r] * v0), a1 = c1[r] - (v[r] * w1 + w[r] * v1);
      const double a2 = c2[r] - (v[r] * w2 + w[r] * v2), a3 = c3[r] - (v[r] * w3 + w[r] * v3);
      c0[r] = a0, c1[r] = a1, c2[r] = a2, c3[r] = a3;
      y[r] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3);
    }
  }
  for (; j < n; ++j) {
    double* __restrict c0 = c + j * ld;
    const double v0 = v[j], w0 = w[j], x0 = x[j];
    for (std::int64_t r = 0; r < n; ++r) {
      c0[r] -= v[r] * w0 + w[r] * v0;
      y[r] += c0[r] * x0;
    }
  }
}

}  // namespace

void Tridiagonalisation::run() const {
  // The rest of the matrix is c − v·wᵀ − w·vᵀ.
  double *v = work, *w = v + n, *next = w + n, *y = next + n;
  std::fill_n(v, n, 0.0), std::fill_n(w, n, 0.0);
  for (std::int64_t j = 0; j < n; ++j) {
    double* x = c + j * n;
    for (std::int64_t r = j; r < n; ++r) x[r] -= v[r] * w[j] + w[r] * v[j];
    d[j] = x[j];
    if (j + 1 == n) return;
    const std::int64_t first = j + 1, rest = n - first;
    const Reflector<double> h(x[first], sum_of_squares(x + first + 1, rest - 1));
    e[j] = h.beta, tau[j] = h.tau;
    next[first] = 1;
    for (std::int64_t r = first + 1; r < n; ++r) next[r] = x[r] *= h.scale;
    std::fill_n(y + first, rest, 0.0);
    update_and_multiply(rest, c + first * (n + 1), n, v + first, w + first, next + first, y + first);
    const double half = h.tau / 2 * dot(y + first, next + first, rest);
    for (std::int64_t r = first; r < n; ++r) y[r] = h.tau * (y[r] - half * next[r]);
    std::swap(v, next), std::swap(w, y);
  }
}

}  // namespace fsvd
