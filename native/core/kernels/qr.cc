#include "qr.h"

#include <algorithm>
#include <cmath>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

// Rows whose products are summed one after the other, and rows of which there is one sum. Where a column has many equal
// elements all rounding errors go one way: with ?geqrf, which sums over all rows, ||Q^T * Q - I|| exceeds its bound from 300
// rows on.
constexpr std::int64_t few_rows = 32, stretch = 512;
constexpr std::int64_t few_products = 8;  // for which a call of ?gemm would cost more than it computes
constexpr std::int64_t slice = 384;       // columns that are multiplied at once, between which the thread looks up

// A = Q * R with Q = I - V * T * V^T: the recursive QR decomposition of ?geqrt3 (Elmroth and Gustavson, IBM J. Res. Dev. 44
// (2000)), with short sums. V is unit lower trapezoidal and takes the place of A below the diagonal of R; T is upper
// triangular.
struct RecursiveQr {
  std::int64_t rows;
  double* a;  // leading dimension rows
  double* t;  // leading dimension ldt
  std::int64_t ldt;
  double* work;  // 2 * work_size

  static std::int64_t work_size(std::int64_t count, std::int64_t cols) {
    return std::max(count / 2 * ((count + 1) / 2), count * (cols - count));
  }

  // Columns first … first + n - 1, from row `first` on.
  void run(std::int64_t first, std::int64_t n) const {
    if (n == 1) return reflect(first);
    const std::int64_t left = n / 2, middle = first + left, right = n - left;
    run(first, left);
    reduce(first, left, middle, right);
    run(middle, right);
    join(first, left, middle, right);
  }

  // Q^T of `left` reflectors from `first` on, times the n columns from `other` on.
  void reduce(std::int64_t first, std::int64_t left, std::int64_t other, std::int64_t n) const {
    for (std::int64_t j = 0; j < n; j += slice) reduce_slice(first, left, other + j, std::min(slice, n - j));
  }

 private:
  void reduce_slice(std::int64_t first, std::int64_t left, std::int64_t other, std::int64_t n) const {
    const double* v = at(first, first);
    double* top = at(first, other);
    const std::int64_t below = rows - first - left, one = 1;
    copy(top, one, rows, work, one, left, left, n);
    lapack::trmm('L', 'L', 'T', 'U', left, n, 1.0, v, rows, work, left);
    add_products(below, left, n, v + left, top + left, work, left, work + left * n);
    lapack::trmm('L', 'U', 'T', 'N', left, n, 1.0, t + first * (ldt + 1), ldt, work, left);
    for (std::int64_t r = left; r < left + below; r += stretch) {
      look_up();
      lapack::gemm('N', 'N', std::min(stretch, left + below - r), n, left, -1.0, v + r, rows, work, left, 1.0, top + r,
                   rows);
    }
    lapack::trmm('L', 'L', 'N', 'U', left, n, 1.0, v, rows, work, left);
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t r = 0; r < left; ++r) top[j * rows + r] -= work[j * left + r];
  }

  double* at(std::int64_t row, std::int64_t col) const { return a + col * rows + row; }

  // c += x^T * y for `depth` rows of x (k columns) and y (n columns); `part` has k x n elements.
  void add_products(std::int64_t depth, std::int64_t k, std::int64_t n, const double* x, const double* y, double* c,
                    std::int64_t ldc, double* part) const {
    for (std::int64_t first = 0; first < depth; first += stretch) {
      const std::int64_t end = std::min(depth, first + stretch);
      look_up();
      if (k * n <= few_products) {
        for (std::int64_t j = 0; j < n; ++j)
          for (std::int64_t i = 0; i < k; ++i)
            c[j * ldc + i] += dot(x + i * rows + first, y + j * rows + first, end - first);
        continue;
      }
      for (std::int64_t r = first; r < end; r += few_rows)
        lapack::gemm('T', 'N', k, n, std::min(few_rows, end - r), 1.0, x + r, rows, y + r, rows, r == first ? 0.0 : 1.0,
                     part, k);
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i < k; ++i) c[j * ldc + i] += part[j * k + i];
    }
  }

  // T of both halves: its block above the diagonal is -T1 * (V1^T * V2) * T2.
  void join(std::int64_t first, std::int64_t left, std::int64_t middle, std::int64_t right) const {
    double* block = t + middle * ldt + first;
    const std::int64_t one = 1;
    copy(at(middle, first), rows, one, block, one, ldt, left, right);
    lapack::trmm('R', 'L', 'N', 'U', left, right, 1.0, at(middle, middle), rows, block, ldt);
    add_products(rows - middle - right, left, right, at(middle + right, first), at(middle + right, middle), block, ldt,
                 work);
    lapack::trmm('L', 'U', 'N', 'N', left, right, -1.0, t + first * (ldt + 1), ldt, block, ldt);
    lapack::trmm('R', 'U', 'N', 'N', left, right, 1.0, t + middle * (ldt + 1), ldt, block, ldt);
  }

  // One reflector, as ?larfg; the column is scaled by a power of two, so that no square leaves the range of double.
  void reflect(std::int64_t j) const {
    double *x = at(j, j), *tail = x + 1, &tau = t[j * (ldt + 1)];
    const std::int64_t n = rows - j - 1;
    double largest = std::abs(x[0]);
    for (std::int64_t r = 0; r < n; ++r) largest = std::max(largest, std::abs(tail[r]));
    tau = 0;
    if (!(largest > 0) || !std::isfinite(largest)) return;
    int exponent = 0;
    std::frexp(largest, &exponent);
    const PowerOfTwo<double> down(-exponent), up(exponent);
    for (std::int64_t r = 0; r <= n; ++r) x[r] = down * x[r];
    double squares = 0;
    for (std::int64_t r = 0; r < n; r += stretch) squares += sum_of_squares(tail + r, std::min(stretch, n - r));
    if (squares > 0) {
      const double beta = -std::copysign(std::sqrt(x[0] * x[0] + squares), x[0]);
      const double divisor = x[0] - beta;
      tau = -divisor / beta;
      for (std::int64_t r = 0; r < n; ++r) tail[r] /= divisor;
      x[0] = beta;
    }
    x[0] = up * x[0];
  }
};

// Dimensions that 32-bit LAPACK can count; else the item is marked.
bool fits(std::int64_t largest, std::int64_t bytes, Status& status) {
  if (largest <= lapack_int_max) return true;
  status.set(Status::too_large, static_cast<double>(bytes));
  return false;
}

}  // namespace

void Qr::operator()(std::int64_t i) const {
  const std::int64_t m = a.rows, k = a.cols, count = std::min(m, k);
  status[i].set(Status::ok);
  double *x = q + i * m * k, *triangle = t + i * count * count, *upper = r + i * count * k;
  if (m == 0 || k == 0 || !fits(std::max(m, k), m * k * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  copy(a.item(i), a.row_stride, a.col_stride, x, std::int64_t{1}, m, m, k);
  std::fill_n(triangle, count * count, 0.0);
  const std::int64_t size = 2 * RecursiveQr::work_size(count, k);
  Workspace ws(Workspace::bytes_for<double>(size));
  const RecursiveQr decomposition{m, x, triangle, count, ws.take<double>(size)};
  decomposition.run(0, count);
  decomposition.reduce(0, count, count, k - count);
  for (std::int64_t row = 0; row < count; ++row)
    for (std::int64_t col = 0; col < k; ++col) upper[row * k + col] = col < row ? 0.0 : x[col * m + row];
  if (!all_finite(x, m * k) || !all_finite(triangle, count * count)) status[i].set(Status::overflow);
}

void ApplyQ::operator()(std::int64_t i) const {
  const std::int64_t m = rows, k = c.rows, p = c.cols, one = 1;
  status[i].set(Status::ok);
  if (p == 0 || m == 0 || !fits(std::max(m, p), m * p * static_cast<std::int64_t>(sizeof(double)), status[i])) return;
  // Row-major is the transpose to LAPACK: (Q * [c; 0])^T = [c^T 0] - (c^T * V1 * T^T) * V^T, where V1 are the k first rows of
  // V: no sum is longer than k.
  double* x = out + i * m * p;
  if (k == 0) {
    std::fill_n(x, m * p, 0.0);
    return;
  }
  const double *v = q + i * m * q_cols, *triangle = t + i * k * k;
  Workspace ws(Workspace::bytes_for<double>(k * p));
  double* y = ws.take<double>(k * p);
  copy(c.item(i), c.row_stride, c.col_stride, x, p, one, k, p);
  std::copy_n(x, k * p, y);
  lapack::trmm('R', 'L', 'N', 'U', p, k, 1.0, v, m, y, p);
  lapack::trmm('R', 'U', 'T', 'N', p, k, 1.0, triangle, k, y, p);
  for (std::int64_t r = k; r < m; r += stretch) {
    look_up();
    lapack::gemm('N', 'T', p, std::min(stretch, m - r), k, -1.0, y, p, v + r, m, 0.0, x + r * p, p);
  }
  lapack::trmm('R', 'L', 'T', 'U', p, k, 1.0, v, m, y, p);
  for (std::int64_t e = 0; e < k * p; ++e) x[e] -= y[e];
}

}  // namespace fsvd
