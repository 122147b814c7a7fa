#include "cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

// One product Q = a * R^-1 with the root of a Gram matrix G that is off by E has Q^T * Q - I = R^-T * E * R^-1. For columns
// of length 1 the elements of E are about epsilon, so that Q loses some epsilon / sigma_min^2; in float, whose Gram matrix
// is exact beside it, only the product loses, epsilon / sigma_min. Up to here both stay well inside 40 * epsilon * sqrt(p),
// for every number p of columns that `Q * c` may have.
template <class T>
constexpr double largest_inverse = sizeof(T) == 4 ? 64 : 6;
// Beyond this range of scales a * x could meet subnormal numbers; the second path scales a itself.
template <class T>
constexpr int largest_unit_exponent = sizeof(T) == 4 ? 60 : 480;
// The squares of these still have all their digits in double.
constexpr double least_square = 1e-280, largest_square = 1e290;
constexpr double largest_deviation = 0.1;
constexpr std::int64_t solved_columns = 192;  // that one thread solves for at a time

// Whether 1 / sigma_min^2 of k columns is at most `largest` once they have length 1: then their Gram matrix G minus
// 1 / largest is positive definite, and has a Cholesky root. In float, whose rounding errors count as k * epsilon. `g` is
// D * G * D, its upper triangle; `work` is k x k.
bool inverse_within(double largest, const double* g, std::int64_t k, float* work) {
  const double taken = 1 / largest + static_cast<double>(k) * std::numeric_limits<float>::epsilon();
  for (std::int64_t j = 0; j < k; ++j) {
    std::copy_n(g + j * k, j, work + j * k);
    work[j * (k + 1)] = static_cast<float>((1 - taken) * g[j * (k + 1)]);
  }
  return lapack::potrf('U', k, work, k) == 0;
}

// R in its gauge, row-major, from the root of the equilibrated columns, column-major.
void write_r(const double* root, std::int64_t k, const Gauge& gauge, const std::int32_t* unit, double* r) {
  copy(root, std::int64_t{1}, k, r, k, std::int64_t{1}, k, k);
  Workspace ws(Workspace::bytes_for<PowerOfTwo<double>>(k));
  auto* scale = ws.take<PowerOfTwo<double>>(k);
  for (std::int64_t j = 0; j < k; ++j)
    scale[j] = PowerOfTwo<double>((gauge.exponents ? gauge.exponents[j] : 0) - unit[j]);
  for (std::int64_t row = 0; row < k; ++row)
    for (std::int64_t j = row; j < k; ++j) r[row * k + j] = scale[j] * r[row * k + j];
}

}  // namespace

template <class T>
void Cholesky<T>::operator()(std::int64_t i) const {
  const std::int64_t k = gram.cols;
  status[i].set(Status::ok);
  const auto verdict = [&](Root root) { status[i].driver = static_cast<double>(root); };
  if (k == 0) return verdict(Root::once);  // LAPACK is not asked about empty matrices
  verdict(Root::none);
  double* g = root_d.item(i);
  std::int32_t* e = unit + i * k;
  const Gauge own = gauge.item(i, k);
  Workspace ws(Workspace::bytes_for<double>(k * k) + Workspace::bytes_for<double>(k) +
               Workspace::bytes_for<float>(k * k));
  double* sum = ws.take<double>(k * k);
  float* shifted = ws.take<float>(k * k);
  double* scale = ws.take<double>(k);  // 2^e
  add_parts(gram, i, blocks, sum);
  bool small_range = true;
  for (std::int64_t j = 0; j < k; ++j) {
    const double square = sum[own.perm[j] * (k + 1)];
    if (!(square > least_square && square < largest_square)) return;
    int exponent = 0;
    std::frexp(square, &exponent);
    e[j] = -(exponent >> 1);
    scale[j] = std::ldexp(1.0, e[j]);
    small_range = small_range && std::abs(e[j]) <= largest_unit_exponent<T>;
  }
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t row = 0; row <= j; ++row) {
      const auto [p, q] = std::minmax(own.perm[row], own.perm[j]);
      g[j * k + row] = sum[q * k + p] * scale[row] * scale[j];
    }
  const bool once = small_range && inverse_within(largest_inverse<T>, g, k, shifted);
  if (lapack::potrf('U', k, g, k) != 0) return;
  for (std::int64_t j = 0; j < k; ++j) std::fill_n(g + j * k + j + 1, k - j - 1, 0.0);
  verdict(once ? Root::once : Root::twice);
  std::copy_n(g, k * k, root.item(i));
  write_r(g, k, own, e, r.item(i));
}

template <class T>
void CholeskyAgain<T>::operator()(std::int64_t i) const {
  const std::int64_t k = gram.cols;
  status[i].set(Status::ok);
  status[i].driver = static_cast<double>(k == 0 ? Root::twice : Root::none);
  if (k == 0) return;
  double* g = root_d.item(i);
  add_parts(gram, i, blocks, g);
  double deviation = 0;
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t row = 0; row <= j; ++row) {
      const double d = g[j * k + row] - (row == j ? 1 : 0);
      deviation += (row == j ? 1 : 2) * d * d;
    }
  if (!(deviation <= largest_deviation * largest_deviation) || lapack::potrf('U', k, g, k) != 0) return;
  status[i].driver = static_cast<double>(Root::twice);
  for (std::int64_t j = 0; j < k; ++j) std::fill_n(g + j * k + j + 1, k - j - 1, 0.0);
  Workspace ws(Workspace::bytes_for<double>(k * k));
  double* product = ws.take<double>(k * k);
  std::copy_n(root.item(i), k * k, product);
  lapack::trmm('L', 'U', 'N', 'N', k, k, 1.0, g, k, product, k);
  write_r(product, k, gauge.item(i, k), unit + i * k, r.item(i));
}

template <class T, class C>
std::int64_t SolveRoot<T, C>::blocks() const {
  return c.rows == 0 ? 1 : std::max<std::int64_t>(1, parts_of(c.cols, solved_columns));
}

template <class T, class C>
void SolveRoot<T, C>::operator()(std::int64_t unit) const {
  const std::int64_t i = unit / blocks(), k = c.rows, most = parts_of(c.cols, blocks()), one = 1;
  const std::int64_t first = unit % blocks() * most, p = std::min(most, c.cols - first);
  if (p <= 0) return;
  Workspace ws(Workspace::bytes_for<double>(k * p) + Workspace::bytes_for<double>(k));
  double* y = ws.take<double>(k * p);  // column-major
  copy(c.item(i) + first * c.col_stride, c.row_stride, c.col_stride, y, one, k, k, p);
  lapack::trsm('L', 'U', 'N', 'N', k, p, 1.0, root_d.item(i), k, y, k);
  take_to_factor(gauge.item(i, k), k, p, y, one, k, x.item(i) + first * x.col_stride, x.row_stride, x.col_stride,
                 ws.take<double>(k));
}

template <class T>
void MultiplySolved<T>::operator()(std::int64_t unit) const {
  const std::int64_t k = a.cols, p = x.cols, i = unit / blocks, most = parts_of(a.rows, blocks);
  const std::int64_t first = unit % blocks * most, end = std::min(a.rows, first + most);
  constexpr std::int64_t tile_rows = 256;
  if (k == 0 || p == 0) return;
  Workspace ws(Workspace::bytes_for<T>(tile_rows * k));
  T* solved = ws.template take<T>(tile_rows * k);
  for (std::int64_t row = first; row < end; row += tile_rows) {
    const std::int64_t rows = std::min(tile_rows, end - row);
    look_up();
    solved_rows(a, i, row, rows, gauge.item(i, k), root.item(i), solved);
    T* part = out.item(i) + row * out.row_stride;
    if (out.by_columns()) {
      lapack::gemm('T', 'T', rows, p, k, T(1), solved, k, x.item(i), p, T(0), part, out.col_stride);
    } else {
      lapack::gemm('N', 'N', p, rows, k, T(1), x.item(i), p, solved, k, T(0), part, out.row_stride);
    }
  }
}

template struct Cholesky<float>;
template struct Cholesky<double>;
template struct CholeskyAgain<float>;
template struct CholeskyAgain<double>;
template struct SolveRoot<float, float>;
template struct SolveRoot<float, double>;
template struct SolveRoot<double, double>;
template struct MultiplySolved<float>;
template struct MultiplySolved<double>;

}  // namespace fsvd
