#include "qr.h"

#include <algorithm>

#include "lapack.h"
#include "workspace.h"

namespace fsvd {
namespace {

constexpr std::int64_t block_columns = 64;

// Dimensions and workspace that 32-bit LAPACK can count; else the item is marked.
bool fits(std::int64_t rows, std::int64_t lwork, std::int64_t bytes, Status& status) {
  if (rows <= lapack_int_max && lwork <= lapack_int_max) return true;
  status.set(Status::too_large, static_cast<double>(bytes));
  return false;
}

}  // namespace

void Qr::operator()(std::int64_t i) const {
  const std::int64_t m = a.rows, k = a.cols, lwork = std::max<std::int64_t>(1, k * block_columns);
  status[i].set(Status::ok);
  double* x = q + i * m * k;
  const std::int64_t reflectors = std::min(m, k);
  double* upper = r + i * reflectors * k;
  if (m == 0 || k == 0 || !fits(m, lwork, m * k * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  gather_gauged(a.item(i), a.row_stride, a.col_stride, m, k, gauge.item(i, k), x);
  Workspace ws(Workspace::bytes_for<double>(lwork));
  const lapack_int info =
      lapack::geqrf(static_cast<lapack_int>(m), static_cast<lapack_int>(k), x, static_cast<lapack_int>(m),
                    tau + i * reflectors, ws.take<double>(lwork), static_cast<lapack_int>(lwork));
  if (info != 0) return status[i].set(Status::internal, info);
  for (std::int64_t row = 0; row < reflectors; ++row)
    for (std::int64_t col = 0; col < k; ++col) upper[row * k + col] = col < row ? 0.0 : x[col * m + row];
  if (!all_finite(x, m * k) || !all_finite(tau + i * reflectors, reflectors)) status[i].set(Status::overflow);
}

void ApplyQ::operator()(std::int64_t i) const {
  using W = Workspace;
  const std::int64_t m = rows, k = c.rows, p = c.cols, lwork = p * block_columns + 65 * 64;
  status[i].set(Status::ok);
  if (p == 0 || m == 0 || !fits(m, lwork, m * p * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  double* dst = out + i * m * p;
  W ws(W::bytes_for<double>(transposed ? 0 : m * p) + W::bytes_for<double>(lwork));
  double* x = transposed ? dst : ws.take<double>(m * p);  // m x p, column-major: row-major p x m as it lies
  const std::int64_t one = 1;
  copy(c.item(i), c.row_stride, c.col_stride, x, one, m, k, p);
  for (std::int64_t col = 0; col < p; ++col) std::fill_n(x + col * m + k, m - k, 0.0);
  const lapack_int info =
      lapack::ormqr('L', 'N', static_cast<lapack_int>(m), static_cast<lapack_int>(p), static_cast<lapack_int>(k),
                    q + i * m * q_cols, static_cast<lapack_int>(m), tau + i * k, x, static_cast<lapack_int>(m),
                    ws.take<double>(lwork), static_cast<lapack_int>(lwork));
  if (info != 0) return status[i].set(Status::internal, info);
  if (!transposed) copy(x, one, m, dst, p, one, m, p);
}

}  // namespace fsvd
