#include "qr.h"

#include <algorithm>

#include "lapack.h"
#include "pack.h"
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
  copy(a.item(i), a.row_stride, a.col_stride, x, std::int64_t{1}, m, m, k);
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
  const std::int64_t m = rows, k = c.rows, p = c.cols, lwork = p * block_columns + 65 * 64;
  status[i].set(Status::ok);
  if (p == 0 || m == 0 || !fits(m, lwork, m * p * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  // Row-major is the transpose to LAPACK: (Q * [c; 0])^T = [c^T 0] * Q^T.
  double* x = out + i * m * p;
  copy(c.item(i), c.row_stride, c.col_stride, x, p, std::int64_t{1}, k, p);
  std::fill_n(x + k * p, (m - k) * p, 0.0);
  Workspace ws(Workspace::bytes_for<double>(lwork));
  const lapack_int info =
      lapack::ormqr('R', 'T', static_cast<lapack_int>(p), static_cast<lapack_int>(m), static_cast<lapack_int>(k),
                    q + i * m * q_cols, static_cast<lapack_int>(m), tau + i * k, x, static_cast<lapack_int>(p),
                    ws.take<double>(lwork), static_cast<lapack_int>(lwork));
  if (info != 0) status[i].set(Status::internal, info);
}

}  // namespace fsvd
