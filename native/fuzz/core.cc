// Random items, strides and hostile elements through native/core alone, to be run under sanitizers:
//   core SECONDS [SEED]
// Every item must come back with a status that says what is wrong with it, or with finite results.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "core/blas_threads.h"
#include "core/cholesky.h"
#include "core/geev.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/gram.h"
#include "core/gram_svd.h"
#include "core/jacobi.h"
#include "core/pack.h"
#include "core/qr.h"
#include "core/scan.h"
#include "fuzz/bidiagonal.h"
#include "fuzz/random.h"

using namespace fsvd;
using namespace fsvd::fuzz;

template <class T>
static void decompose(std::int64_t least, std::int64_t most) {
  const std::int64_t m = least + up_to(most - least), n = least + up_to(most - least), p = std::min(m, n);
  const std::int64_t count = up_to(3);
  const Random<T> a(m, n, count);
  Gesdd<T> k;
  k.a = a.batch, k.vectors = static_cast<Vectors>(up_to(2));
  std::vector<std::int32_t> scales(count * n);
  for (std::int32_t& scale : scales) scale = static_cast<std::int32_t>(up_to(100) ? up_to(4000) - 3000 : -(1 << 14));
  if (up_to(3) == 0) k.scales = scales.data();
  const bool none = k.vectors == Vectors::none, full = k.vectors == Vectors::full;
  std::vector<T> u(none ? 0 : count * m * (full ? m : p)), s(count * p), vh(none ? 0 : count * n * (full ? n : p));
  std::vector<Status> status(count);
  k.u = u.data(), k.s = s.data(), k.vh = vh.data(), k.status = status.data();
  for (std::int64_t i = 0; i < count; ++i) k(i);
  if (fine(status)) check(a.finite && all_finite(u) && all_finite(s) && all_finite(vh), "gesdd: not finite");
}

// Ĉ·diag(2^e) of low rank too, its exponents anywhere: orthogonal vectors, and U·diag(S)·Vᵀ in the scale of each column.
template <class T>
static void rotate() {
  const std::int64_t most = up_to(3) ? 20 : 60;  // those above 32 begin with the singular vectors of BlockedSvd
  const std::int64_t m = 1 + up_to(most), n = 1 + up_to(most), p = std::min(m, n), rank = up_to(2) ? p : up_to(p);
  const int kind = up_to(1) ? 0 : 4;
  std::vector<T> left(m * rank), right(rank * n), c(m * n), u(m * p), v(n * p), s(p);
  for (T& x : left) x = element<T>(kind);
  for (T& x : right) x = element<T>(kind);
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t q = 0; q < rank; ++q)
      for (std::int64_t i = 0; i < m; ++i) c[i + j * m] += left[i + q * m] * right[q + j * rank];
  std::vector<std::int32_t> exponents(n);
  const std::int64_t span = up_to(1) ? 30 : 5000;
  for (std::int32_t& e : exponents) e = static_cast<std::int32_t>(up_to(span) - span / 2);
  const std::vector<T> c0 = c;
  const std::vector<std::int32_t> e0 = exponents;
  JacobiSvd<T> svd;
  svd.rows = m, svd.cols = n, svd.c = c.data(), svd.exponents = exponents.data(), svd.s = s.data();
  svd.u = u.data(), svd.v = v.data(), svd.u_cols = p, svd.v_cols = p;
  std::vector<T> work(svd.work_size());
  std::vector<std::int64_t> index(svd.index_size());
  svd.work = work.data(), svd.index = index.data();
  if (svd.run() != 0) return;
  const double eps = std::numeric_limits<T>::epsilon(), size = std::sqrt(static_cast<double>(p));
  check(departure(u, m, p) <= 40 * eps * size && departure(v, n, p) <= 40 * eps * size, "jacobi: orthogonal vectors");
  check(std::is_sorted(s.rbegin(), s.rend()) && s[p - 1] >= 0, "jacobi: descending");
  if (span > 30) return;
  double largest = 0, residual = 0;
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = 0; i < m; ++i) {
      const double x = std::ldexp(static_cast<double>(c0[i + j * m]), e0[j]);
      double sum = 0;
      for (std::int64_t q = 0; q < p; ++q) sum += static_cast<double>(u[i + q * m]) * s[q] * v[j + q * n];
      largest += x * x, residual += (x - sum) * (x - sum);
    }
  check(std::sqrt(residual) <= 50 * eps * std::sqrt(largest), "jacobi: U, S and V make up the matrix");
}

template <class T>
static void measure() {
  const std::int64_t rows = up_to(60), cols = up_to(12), count = up_to(3);
  const Random<T> a(rows, cols, count);
  std::vector<double> fraction(count * cols), parts(count * gram_blocks(rows, cols) * cols * cols),
      squares(count * gram_blocks(rows, cols) * cols);
  std::vector<std::int32_t> exponent(count * cols);
  std::vector<Status> status(count);
  Scan<T> scan{a.batch, fraction.data(), exponent.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) scan(i);
  if (fine(status)) check(a.finite && all_finite(fraction), "scan: not finite");
  Gram<T> gram;
  gram.a = a.batch, gram.parts = parts.data(), gram.squares = squares.data();
  for (std::int64_t unit = 0; unit < count * gram_blocks(rows, cols); ++unit) gram(unit);
  Pack<T, double> pack;
  std::vector<double> out(count * rows * cols);
  pack.a = a.batch, pack.column_major = up_to(1), pack.out = out.data(), pack.stride = rows * cols;
  for (std::int64_t unit = 0; unit < count * pack.blocks(); ++unit) pack(unit);
}

// c = alpha·a·b + beta·c within the error of sums in any order, each item in its place and nothing beside it. One in 64
// may be large enough to be computed in pieces.
template <class T>
static void multiply() {
  const bool large = up_to(63) == 0;
  const std::int64_t m = up_to(large ? 150 : 20), k = up_to(large ? 150 : 20), n = up_to(large ? 700 : 20);
  const std::int64_t count = up_to(2), size = m * n;
  const Random<T> a(m, k, count), b(k, n, count);
  const T alpha = up_to(1) ? 1 : -3, beta = static_cast<T>(up_to(2)), unset = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> c((count + 1) * size);
  for (T& x : c) x = beta == 0 ? unset : element<T>(0);
  std::vector<std::int32_t> positions(count);
  const std::int64_t free = up_to(count);
  for (std::int64_t i = 0; i < count; ++i) positions[i] = static_cast<std::int32_t>(i < free ? i : i + 1);
  const std::vector<T> before = c;
  std::vector<Status> status(count);
  Gemm<T> gemm;
  gemm.a = a.batch, gemm.b = b.batch, gemm.c = c.data(), gemm.status = status.data();
  gemm.alpha = alpha, gemm.beta = beta, gemm.positions = positions.data();
  for (std::int64_t unit = 0; unit < count * gemm.blocks(); ++unit) gemm(unit);
  if (!fine(status)) return;
  std::vector<bool> written(c.size());
  const long double eps = std::numeric_limits<T>::epsilon(), tiny = std::numeric_limits<T>::denorm_min();
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t at = 0; at < size; ++at) {
      const std::int64_t r = at / n, col = at % n, place = positions[i] * size + at;
      const T *left = a.batch.item(i) + r * a.batch.row_stride, *right = b.batch.item(i) + col * b.batch.col_stride;
      const long double old = beta == 0 ? 0 : static_cast<long double>(beta) * before[place];
      long double sum = old, terms = std::abs(old);
      for (std::int64_t e = 0; e < k; ++e) {
        const long double x = static_cast<long double>(left[e * a.batch.col_stride]) * right[e * b.batch.row_stride];
        sum += alpha * x, terms += std::abs(alpha * x);
      }
      const long double error = static_cast<long double>(k + 4) * (eps * terms + 4 * tiny);
      check(std::abs(c[place] - sum) <= error, "gemm: the product");
      written[place] = true;
    }
  for (std::size_t place = 0; place < c.size(); ++place)
    check(written[place] || (beta == 0 ? std::isnan(c[place]) : c[place] == before[place]),
          "gemm: writes nothing else");
}

static void orthogonalise() {
  const std::int64_t rows = 1 + up_to(30), cols = 1 + up_to(30), count = up_to(2), r = std::min(rows, cols);
  Random<double> a(rows, cols, count);
  if (!a.finite) return;  // the caller has looked
  std::vector<double> q(count * rows * cols), t(count * r * r), upper(count * r * cols), out(count * rows * r);
  std::vector<Status> status(count);
  Qr qr{a.batch, q.data(), t.data(), upper.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) qr(i);
  if (!fine(status)) return;
  std::vector<double> offsets(count), identity(r * r);
  for (std::int64_t j = 0; j < r; ++j) identity[j * r + j] = 1;
  ApplyQ apply;
  apply.q = q.data(), apply.t = t.data(), apply.rows = rows, apply.q_cols = cols;
  apply.c = {identity.data(), r, r, r, 1, offsets.data(), count};
  apply.out = out.data(), apply.status = status.data();
  for (std::int64_t i = 0; i < count; ++i) apply(i);
  check(all_finite(out), "applyQ: not finite");
}

// Cholesky QR, once or twice, of a tall matrix: Q = Q * I is finite whichever way the roots say.
template <class T>
static void orthogonalise_tall() {
  const std::int64_t k = 1 + up_to(9), rows = k + (up_to(4) ? up_to(50) : up_to(2500)), count = 1 + up_to(1);
  const Random<T> a(rows, k, count);
  if (!a.finite) return;  // the caller has looked
  const std::int64_t blocks = gram_blocks(rows, k);
  std::vector<double> parts(count * blocks * k * k), squares(count * blocks * k), root_d(count * k * k),
      r(count * k * k);
  std::vector<double> offsets(count), identity(k * k);
  std::vector<std::int32_t> perm(count * k), exponents(count * k), unit(count * k);
  std::vector<T> root(count * k * k), x(count * k * k), q(count * rows * k);
  std::vector<Status> status(count);
  for (std::int64_t j = 0; j < count * k; ++j) perm[j] = static_cast<std::int32_t>(k - 1 - j % k);
  for (std::int64_t j = 0; j < k; ++j) identity[j * k + j] = 1;
  const Gauge gauge{perm.data(), exponents.data()}, unit_gauge{perm.data(), unit.data()};
  Gram<T> gram;
  gram.a = a.batch, gram.parts = parts.data(), gram.squares = squares.data();
  for (std::int64_t u = 0; u < count * blocks; ++u) gram(u);
  Cholesky<T> first{parts.data(),  nullptr,     count,    blocks,       k, gauge, unit.data(),
                    root_d.data(), root.data(), r.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) first(i);
  for (const Status& s : status)
    if (static_cast<Root>(s.driver) == Root::none) return;  // then Householder serves
  gram.gauge = unit_gauge, gram.root = root.data();
  for (std::int64_t u = 0; u < count * blocks; ++u) gram(u);
  CholeskyAgain<T> again{parts.data(), nullptr,       count,    blocks,       k, gauge, unit.data(),
                         root.data(),  root_d.data(), r.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) again(i);
  for (const Status& s : status)
    if (static_cast<Root>(s.driver) == Root::none) return;
  const Batch<const double> unit_vectors{identity.data(), k, k, k, 1, offsets.data(), count};
  std::vector<T> transposed(count * k * k);
  for (const bool transpose : {false, true}) {
    std::vector<T>& out = transpose ? transposed : x;
    const SolveRoot<T, double> solve{root_d.data(), {}, unit_vectors, transpose, out.data()};
    for (std::int64_t u = 0; u < count * solve.blocks(); ++u) solve(u);
  }
  for (std::int64_t i = 0; i < count * k * k; ++i) {
    const std::int64_t item = i / (k * k) * k * k, row = i / k % k, col = i % k;
    check(x[i] == transposed[item + col * k + row], "solveRoot: the transpose is the same");
  }
  MultiplySolved<T> multiply{a.batch, unit_gauge, root.data(), x.data(), k, up_to(1) == 1, nullptr, q.data()};
  for (std::int64_t u = 0; u < count * blocks; ++u) multiply(u);
  check(all_finite(r) && all_finite(q), "Cholesky QR: not finite");
  double columns = 0;
  for (const T v : q) columns += static_cast<double>(v) * v;
  check(std::abs(columns - static_cast<double>(count * k)) < 0.5, "Cholesky QR: the columns of Q have length 1");
}

// The same for the p columns of a·x, whose elements lie `next_row` and `next_col` apart.
static double departure(const Random<float>& a, const std::vector<float>& x, std::int64_t p, std::int64_t next_row,
                        std::int64_t next_col) {
  const auto [data, rows, k, down, across, offsets, count] = a.batch;
  std::vector<double> u(rows * p);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < k; ++c)
      for (std::int64_t j = 0; j < p; ++j)
        u[r + j * rows] += static_cast<double>(data[r * down + c * across]) * x[c * next_row + j * next_col];
  return departure(u, rows, p);
}

// The SVD of a product from the Gram matrices of both factors: finite, or declined.
static void decompose_from_gram() {
  const std::int64_t k = 1 + up_to(40), rows = k + 1 + up_to(60), p = up_to(k);
  const Random<float> a(rows, k, 1), b(rows, k, 1);
  if (!a.finite || !b.finite) return;  // the caller has looked
  const std::int64_t blocks = gram_blocks(rows, k);
  std::vector<double> left(blocks * k * k), right(blocks * k * k), squares(blocks * k), s(k);
  std::vector<std::int32_t> perm(k), exponents(k);
  std::vector<float> x(k * p), y(k * p);
  std::vector<Status> status(1);
  const std::int64_t range = up_to(3) ? 2 : 70;
  for (std::int64_t j = 0; j < k; ++j) {
    perm[j] = static_cast<std::int32_t>(k - 1 - j);
    exponents[j] = static_cast<std::int32_t>(up_to(2 * range) - range);
  }
  for (const auto& [factor, parts] : {std::pair{&a, &left}, std::pair{&b, &right}}) {
    Gram<float> gram;
    gram.a = factor->batch, gram.parts = parts->data(), gram.squares = squares.data();
    for (std::int64_t u = 0; u < blocks; ++u) gram(u);
  }
  const auto factor = [&](const std::vector<double>& parts, std::vector<float>& out) {
    const Gauge gauge{perm.data(), exponents.data()};
    return GramSvd::Factor{parts.data(), nullptr, blocks, gauge, p > 0 ? out.data() : nullptr};
  };
  const GramSvd svd{1, k, p, factor(left, x), factor(right, y), s.data(), status.data()};
  svd(0);
  if (status[0].driver != 1) return;
  check(all_finite(s) && all_finite(x) && all_finite(y), "gramSvd: not finite");
  const double largest = 64 * std::numeric_limits<float>::epsilon() * std::sqrt(static_cast<double>(p));
  const bool orthogonal = departure(a, x, p, p, 1) <= largest && departure(b, y, p, 1, k) <= largest;
  check(orthogonal, "gramSvd: singular vectors are orthogonal");
}

template <class T>
static void eigenvalues() {
  const std::int64_t n = up_to(15), count = up_to(2);
  const Random<T> a(n, n, count);
  std::vector<T> real(count * n), imag(count * n);
  std::vector<Status> status(count);
  Geev<T> k{a.batch, real.data(), imag.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) k(i);
  if (fine(status)) check(all_finite(real) && all_finite(imag), "geev: not finite");
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : std::random_device{}();
  random_bits.seed(seed);
  blas::initialise();
  const auto start = std::chrono::steady_clock::now();
  for (; std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds; ++cases) {
    decompose<double>(0, 30), decompose<float>(0, 30);
    if (cases % 8 == 0) decompose<double>(30, 90), decompose<float>(30, 90);
    rotate<double>(), rotate<float>();
    divide<double>(), divide<float>();
    tridiagonalise();
    twist();
    measure<double>(), measure<float>();
    multiply<double>(), multiply<float>();
    orthogonalise();
    orthogonalise_tall<double>(), orthogonalise_tall<float>();
    decompose_from_gram();
    eigenvalues<double>(), eigenvalues<float>();
  }
  std::printf("%lu rounds over native/core (seed %lu); %lu of %lu declined by twisted factorizations\n", cases, seed,
              declined, twists);
}
