#include "qr.h"

#include <algorithm>

#include "lapack.h"
#include "pack.h"
#include "task.h"
#include "workspace.h"

namespace fsvd {
namespace {

// Reflectors that are applied together, and columns (or rows) that they are applied to at once: ?geqrf and ?ormqr in
// pieces of some hundredths of a second, between which the thread looks up.
constexpr std::int64_t panel = 32, slice = 384;

struct Block {
  lapack_int first, size, length;

  Block(std::int64_t first, std::int64_t reflectors, std::int64_t rows)
      : first(narrow(first)), size(narrow(std::min(panel, reflectors - first))), length(narrow(rows - first)) {}
};

// Dimensions that 32-bit LAPACK can count; else the item is marked.
bool fits(std::int64_t largest, std::int64_t bytes, Status& status) {
  if (largest <= lapack_int_max) return true;
  status.set(Status::too_large, static_cast<double>(bytes));
  return false;
}

}  // namespace

void Qr::operator()(std::int64_t i) const {
  const std::int64_t m = a.rows, k = a.cols, work_size = slice * panel;
  status[i].set(Status::ok);
  double* x = q + i * m * k;
  const std::int64_t reflectors = std::min(m, k);
  double* upper = r + i * reflectors * k;
  if (m == 0 || k == 0 || !fits(std::max(m, k), m * k * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  copy(a.item(i), a.row_stride, a.col_stride, x, std::int64_t{1}, m, m, k);
  Workspace ws(Workspace::bytes_for<double>(work_size) + Workspace::bytes_for<double>(panel * panel));
  double *work = ws.take<double>(work_size), *t = ws.take<double>(panel * panel);
  const lapack_int ld = narrow(m), ldt = panel;
  for (std::int64_t first = 0; first < reflectors; first += panel) {
    look_up();
    const Block b(first, reflectors, m);
    double *v = x + first * (m + 1), *scalars = tau + i * reflectors + first;
    const lapack_int info = lapack::geqrf(b.length, b.size, v, ld, scalars, work, narrow(work_size));
    if (info != 0) return status[i].set(Status::internal, info);
    if (first + b.size == k) break;
    lapack::larft('C', b.length, b.size, v, ld, scalars, t, ldt);
    for (std::int64_t c = first + b.size; c < k; c += slice) {
      look_up();
      const lapack_int n = narrow(std::min(slice, k - c));
      lapack::larfb('L', 'T', 'C', b.length, n, b.size, v, ld, t, ldt, x + c * m + first, ld, work, n);
    }
  }
  for (std::int64_t row = 0; row < reflectors; ++row)
    for (std::int64_t col = 0; col < k; ++col) upper[row * k + col] = col < row ? 0.0 : x[col * m + row];
  if (!all_finite(x, m * k) || !all_finite(tau + i * reflectors, reflectors)) status[i].set(Status::overflow);
}

void ApplyQ::operator()(std::int64_t i) const {
  const std::int64_t m = rows, k = c.rows, p = c.cols, work_size = slice * panel;
  status[i].set(Status::ok);
  if (p == 0 || m == 0 || !fits(std::max(m, p), m * p * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  // Row-major is the transpose to LAPACK: (Q * [c; 0])^T = [c^T 0] * Q^T.
  double* x = out + i * m * p;
  copy(c.item(i), c.row_stride, c.col_stride, x, p, std::int64_t{1}, k, p);
  std::fill_n(x + k * p, (m - k) * p, 0.0);
  Workspace ws(Workspace::bytes_for<double>(work_size) + Workspace::bytes_for<double>(panel * panel));
  double *work = ws.take<double>(work_size), *t = ws.take<double>(panel * panel);
  const lapack_int ld = narrow(m), ldt = panel;
  for (std::int64_t first = (k - 1) / panel * panel; k > 0 && first >= 0; first -= panel) {
    const Block b(first, k, m);
    const double* v = q + i * m * q_cols + first * (m + 1);
    lapack::larft('C', b.length, b.size, v, ld, tau + i * k + first, t, ldt);
    for (std::int64_t r = 0; r < p; r += slice) {
      look_up();
      const lapack_int n = narrow(std::min(slice, p - r));
      lapack::larfb('R', 'T', 'C', n, b.length, b.size, v, ld, t, ldt, x + first * p + r, narrow(p), work, n);
    }
  }
}

}  // namespace fsvd
