#include "narrow.h"

#include <algorithm>

#include "bidiagonal_qr.h"

namespace fsvd {

std::int64_t NarrowSvd::work_size() const { return rows + cols * (2 * cols + 3) + values_work(cols); }

bool NarrowSvd::run() const {
  const std::int64_t n = cols;
  double *e = work, *tau_q = e + n, *tau_p = tau_q + n, *p = tau_p + n, *u = p + n * n;
  double *rest = u + n * n, *spare = rest + values_work(n);
  const NarrowBidiagonal b{rows, n, a, p, s, e, tau_q, tau_p, spare};
  b.run();                                             // 3
  if (!left) return bidiagonal_values(n, s, e, rest);  // 4
  const auto identity = [n](double* x) {
    std::fill_n(x, n * n, 0.0);
    for (std::int64_t j = 0; j < n; ++j) x[j * (n + 1)] = 1;
  };
  identity(u), identity(right);
  // 4
  if (!BidiagonalQr{n, 0, s, e, u, right, n, n, rest}.run()) return false;
  // 5
  for (std::int64_t j = 0; j < n; ++j) {
    std::copy_n(u + j * n, n, left + j * rows);
    std::fill_n(left + j * rows + n, rows - n, 0.0);
  }
  multiply(b.left(), left, n);
  multiply(b.right(), right, n);
  return true;
}

}  // namespace fsvd
