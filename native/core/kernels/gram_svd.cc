#include "gram_svd.h"

#include <algorithm>
#include <cmath>

#include "core/base/arithmetic.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/dense/divide.h"
#include "core/dense/reflectors.h"
#include "core/dense/tridiagonal.h"
#include "core/dense/twisted.h"
#include "gram.h"

namespace fsvd {
namespace {

// ‖G‖·‖H‖ / σ²: up to here the digits that the squares cost do not reach float32.
constexpr double largest_loss = 1 << 24;
// Root mean square of the leading columns of X and rows of Y, however many, for factors with columns of length 1: what a
// product in float32 loses.
constexpr double largest_growth = 8;
// Beyond this range of scales a·x could meet subnormal numbers.
constexpr int largest_exponent = 60;

// 1. The Gram matrix of item i with its gauge, both triangles; false where that may meet overflow or underflow. `sum` is
//    memory for it without the gauge.
bool gauged(const GramSvd::Factor& f, std::int64_t i, std::int64_t k, double* scale, double* sum, double* g) {
  const Gauge own = f.gauge.item(i, k);
  for (std::int64_t j = 0; j < k; ++j) {
    const int exponent = own.exponents ? own.exponents[j] : 0;
    if (std::abs(exponent) > largest_exponent) return false;
    scale[j] = std::ldexp(1.0, exponent);
  }
  add_parts(f.gram, i, f.blocks, sum);
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t row = 0; row <= j; ++row) {
      const auto [p, q] = std::minmax(own.perm[row], own.perm[j]);
      g[j * k + row] = g[row * k + j] = sum[q * k + p] * scale[row] * scale[j];
    }
  for (std::int64_t j = 0; j < k; ++j)
    if (!(g[j * (k + 1)] > 0)) return false;  // a column is zero: squares of float do not underflow in double
  return true;
}

// 2. H in `root` becomes R, its Cholesky root, and G in g becomes R·G·Rᵀ; false where H has no root.
bool form_core(std::int64_t k, double* g, double* root) {
  if (lapack::potrf('U', k, root, k) != 0) return false;
  lapack::trmm('L', 'U', 'N', 'N', k, k, 1.0, root, k, g, k);
  lapack::trmm('R', 'U', 'T', 'N', k, k, 1.0, root, k, g, k);
  return true;
}

// 6. Xᵀ and Y, column-major, from the vectors vᵀ.
void form_x_and_y(std::int64_t k, const double* root, const double* sigma, const double* v, double* x, double* y) {
  std::copy_n(v, k * k, x), std::copy_n(v, k * k, y);
  lapack::trmm('R', 'U', 'N', 'N', k, k, 1.0, root, k, x, k);
  lapack::trsm('R', 'U', 'T', 'N', k, k, 1.0, root, k, y, k);
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t c = 0; c < k; ++c) x[j * k + c] /= sigma[c];
}

void diagonal(const double* a, std::int64_t k, double* d) {
  for (std::int64_t j = 0; j < k; ++j) d[j] = a[j * (k + 1)];
}

// B upper bidiagonal with BᵀB = the tridiagonal matrix (d, e), in its place; false where there is none.
bool bidiagonal_root(std::int64_t k, double* d, double* e) {
  for (std::int64_t j = 0; j < k; ++j) {
    const double square = d[j] - (j > 0 ? e[j - 1] * e[j - 1] : 0);
    if (!(square > 0)) return false;
    d[j] = std::sqrt(square);
    if (j + 1 < k) e[j] /= d[j];
  }
  return true;
}

// c = Vᵀ·diag(sigma²)·V for a symmetric positive definite c (destroyed), sigma descending; without vectors v is null.
struct Eigen {
  std::int64_t k;
  double *d, *e, *tau, *work;
  std::int64_t* index;

  static std::int64_t work_size(std::int64_t k) {
    const std::int64_t triangles = Reflectors<double>::t_size(k);
    return std::max({Tridiagonalisation::work_size(k), TwistedSvd::work_size(k), BidiagonalSvd<double>::work_size(k),
                     triangles + reflector_work(k, k)});
  }

  // False when a step fails, as it may where a sigma² is below `least`.
  bool decompose(double* c, double least, double* sigma, double* v) const {
    if (!reduce(c) || !solve(least, sigma, v)) return false;
    if (v) multiply(c, v);
    return true;
  }

 private:
  // 3. B in d and e, and the reflectors of the tridiagonal form in c and tau.
  bool reduce(double* c) const {
    Tridiagonalisation{k, c, d, e, tau, work}.run();
    return bidiagonal_root(k, d, e);
  }

  // 4.
  bool solve(double least, double* sigma, double* v) const {
    switch (TwistedSvd{k, d, e, sigma, v, work}.run(least)) {
      case TwistedSvd::Outcome::found: return true;
      case TwistedSvd::Outcome::below_least: return false;
      case TwistedSvd::Outcome::too_close: break;
    }
    std::copy_n(d, k, sigma);
    Team alone(true);
    if (v) return BidiagonalSvd<double>{k, sigma, e, nullptr, v, k, k, work, index}.run(alone) == 0;
    double none = 0;
    if (lapack::lasdq(0, k, 0, 0, sigma, e, &none, k, &none, k, work) != 0) return false;
    std::reverse(sigma, sigma + k);
    return true;
  }

  // 5.
  void multiply(double* c, double* v) const {
    Team alone(true);
    const Reflectors<double> q{c + 1, k, k - 1, k - 1, false, work};
    form_t(alone, q, tau);
    multiply_right(alone, q, v + k, k, k, work + Reflectors<double>::t_size(k));
  }
};

// Whether the leading columns of X, as many as one may ask for, are short beside their number; x holds Xᵀ. The rows of X
// count as long as the columns of the factor are.
bool grows_little(const double* x, std::int64_t k, const double* squares, double* columns) {
  std::fill_n(columns, k, 0.0);
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t c = 0; c < k; ++c) columns[c] += x[j * k + c] * x[j * k + c] * squares[j];
  double sum = 0, most = 0;
  for (std::int64_t c = 0; c < k; ++c) {
    sum += columns[c], most += largest_growth * largest_growth;
    if (!(sum <= most)) return false;
  }
  return true;
}

}  // namespace

void GramSvd::operator()(std::int64_t i) const {
  status[i].set(Status::ok);
  status[i].driver = 0;
  const bool vectors = left.x.data != nullptr;
  const std::int64_t square = k * k, work = Eigen::work_size(k), indices = BidiagonalSvd<double>::index_size(k);
  Workspace ws(5 * Workspace::bytes_for<double>(square) + 6 * Workspace::bytes_for<double>(k) +
               Workspace::bytes_for<double>(work) + Workspace::bytes_for<std::int64_t>(indices));
  double *g = ws.take<double>(square), *root = ws.take<double>(square), *v = ws.take<double>(square);
  double *x = ws.take<double>(square), *y = ws.take<double>(square);  // Xᵀ and Y, column-major
  double *squares_left = ws.take<double>(k), *squares_right = ws.take<double>(k), *scale = ws.take<double>(k);
  double *d = ws.take<double>(k), *e = ws.take<double>(k), *tau = ws.take<double>(k), *scratch = ws.take<double>(work);
  const Eigen eigen{k, d, e, tau, scratch, ws.take<std::int64_t>(indices)};

  // 1
  if (!gauged(left, i, k, scale, x, g) || !gauged(right, i, k, scale, x, root)) return;
  diagonal(g, k, squares_left), diagonal(root, k, squares_right);
  const double norms = std::sqrt(sum_of_squares(g, square)) * std::sqrt(sum_of_squares(root, square));
  // 2
  if (!form_core(k, g, root)) return;
  // 3 to 5
  double* sigma = s + i * k;
  const double least = norms / largest_loss;
  if (!eigen.decompose(g, least, sigma, vectors ? v : nullptr) || !(sigma[k - 1] * sigma[k - 1] >= least)) return;
  // 6
  if (vectors) {
    form_x_and_y(k, root, sigma, v, x, y);
    if (!grows_little(x, k, squares_left, scale) || !grows_little(y, k, squares_right, scale)) return;
    take_to_factor(left.gauge.item(i, k), k, p, x, k, 1, left.x.item(i), p, 1, scale);
    take_to_factor(right.gauge.item(i, k), k, p, y, k, 1, right.x.item(i), 1, k, scale);
  }
  status[i].driver = 1;
}

}  // namespace fsvd
