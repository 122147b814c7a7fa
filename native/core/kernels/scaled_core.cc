#include "scaled_core.h"

#include <algorithm>
#include <cmath>

#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"

namespace fsvd {

void ScaledCore::operator()(std::int64_t i) const {
  const std::int64_t l = a.rows, r = b.rows, k = a.cols;
  if (l == 0 || r == 0) return;
  const std::int32_t* e = exponents + i * k;
  std::copy_n(e, r, scales + i * r);
  // diag(2^e) * b^T * diag(2^-e) is lower triangular, and no larger than b^T.
  Workspace ws(Workspace::bytes_for<double>(l * k) + Workspace::bytes_for<double>(k * r));
  double *left = ws.take<double>(l * k), *right = ws.take<double>(k * r);
  copy(a.item(i), a.row_stride, a.col_stride, left, k, std::int64_t{1}, l, k);
  const double* src = b.item(i);
  for (std::int64_t q = 0; q < k; ++q)
    for (std::int64_t j = 0; j < r; ++j)
      right[q * r + j] = q < j ? 0 : std::ldexp(src[j * b.row_stride + q * b.col_stride], e[q] - e[j]);
  // Row-major is the transpose to BLAS: c^T = right^T * left^T.
  lapack::gemm('N', 'N', r, l, k, 1.0, right, r, left, k, 0.0, c + i * l * r, r);
}

}  // namespace fsvd
