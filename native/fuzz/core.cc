// Random items, strides and hostile elements through native/core alone, to be run under sanitizers:
//   core SECONDS [SEED]
// Every item must come back with a status that says what is wrong with it, or with finite results.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "core/bdsdc.h"
#include "core/blas_threads.h"
#include "core/cholesky.h"
#include "core/geev.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/gram.h"
#include "core/gram_svd.h"
#include "core/pack.h"
#include "core/qr.h"
#include "core/reflectors.h"
#include "core/scan.h"
#include "core/tridiagonal.h"
#include "core/twisted.h"
#include "core/workspace.h"

using namespace fsvd;

static std::mt19937_64 random_bits;
static unsigned long seed, cases;

static std::int64_t up_to(std::int64_t n) { return static_cast<std::int64_t>(random_bits() % (n + 1)); }

static void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "%s (seed %lu, case %lu)\n", what, seed, cases);
  std::abort();
}

template <class T>
static T element(int kind) {
  const T x = static_cast<T>(random_bits() >> 11) / static_cast<T>(1ull << 53) - T(0.5);
  using limits = std::numeric_limits<T>;
  switch (kind) {
    case 0: return x;
    case 1: return x * limits::max();
    case 2: return x * limits::denorm_min() * 100;
    case 3: return std::ldexp(x, static_cast<int>(up_to(200)) - 100);
    case 4: return up_to(1) ? T(0) : T(1);
    default: return up_to(40) ? x : up_to(1) ? limits::quiet_NaN() : limits::infinity();
  }
}

// A batch of random shape over memory of exactly the size that it reaches, so that a step outside is seen.
template <class T>
struct Random {
  std::vector<T> data;
  std::vector<double> offsets;
  Batch<const T> batch;
  bool finite = true;

  Random(std::int64_t rows, std::int64_t cols, std::int64_t count) : offsets(count) {
    const std::int64_t gap = up_to(3), down = up_to(1) ? cols + gap : 1, across = down == 1 ? rows + gap : 1;
    const bool repeated = up_to(7) == 0;
    const std::int64_t row_stride = repeated ? 0 : down, col_stride = across;
    const std::int64_t reach = rows && cols ? (rows - 1) * row_stride + (cols - 1) * col_stride + 1 : 0;
    data.resize(count * reach);
    const int kind = static_cast<int>(up_to(5));
    for (T& x : data) x = element<T>(kind);
    for (std::int64_t i = 0; i < count; ++i) offsets[i] = static_cast<double>(i * reach);
    batch = {data.data(), rows, cols, row_stride, col_stride, offsets.data(), count};
    for (std::int64_t i = 0; i < count; ++i)  // what lies between the elements does not count
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c)
          finite = finite && std::isfinite(batch.item(i)[r * row_stride + c * col_stride]);
  }
};

template <class T>
static bool all_finite(const std::vector<T>& x) {
  for (const T v : x)
    if (!std::isfinite(v)) return false;
  return true;
}

static bool fine(const std::vector<Status>& status) {
  for (const Status& s : status) {
    check(s.code >= Status::ok && s.code <= Status::too_large, "LAPACK refused its arguments");
    if (s.code != Status::ok) return false;
  }
  return true;
}

template <class T>
static void decompose(std::int64_t least, std::int64_t most) {
  const std::int64_t m = least + up_to(most - least), n = least + up_to(most - least), p = std::min(m, n);
  const std::int64_t count = up_to(3);
  const Random<T> a(m, n, count);
  Gesdd<T> k;
  k.a = a.batch, k.vectors = static_cast<Vectors>(up_to(2)), k.graded = up_to(3) == 0;
  const bool none = k.vectors == Vectors::none, full = k.vectors == Vectors::full;
  std::vector<T> u(none ? 0 : count * m * (full ? m : p)), s(count * p), vh(none ? 0 : count * n * (full ? n : p));
  std::vector<Status> status(count);
  k.u = u.data(), k.s = s.data(), k.vh = vh.data(), k.status = status.data();
  for (std::int64_t i = 0; i < count; ++i) k(i);
  if (fine(status)) check(a.finite && all_finite(u) && all_finite(s) && all_finite(vh), "gesdd: not finite");
}

// ‖xᵀx − I‖ for the n columns of x; that of its rows too where it is square.
template <class T>
static double departure(const std::vector<T>& x, std::int64_t rows, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double product = i == j ? -1 : 0;
      for (std::int64_t e = 0; e < rows; ++e) product += static_cast<double>(x[e + i * rows]) * x[e + j * rows];
      sum += product * product;
    }
  return std::sqrt(sum);
}

// Divide and conquer of bidiagonal matrices with zeros, repetitions, and elements of very different sizes.
template <class T>
static void divide() {
  const std::int64_t n = 1 + up_to(60);
  const int kind = static_cast<int>(up_to(5)), range = sizeof(T) == 4 ? 30 : 300;
  const auto next = [&]() -> T {
    const T x = element<T>(0);
    if (kind == 1) return up_to(2) ? T(0) : x;
    if (kind == 2) return up_to(1) ? T(0.5) : T(1);
    if (kind == 3) return std::ldexp(x, -static_cast<int>(up_to(range)));
    if (kind == 4) return up_to(3) ? T(0.25) : std::ldexp(x, -20);
    return x;
  };
  std::vector<T> d(n), e(n), u(n * n), vt(n * n), work(BidiagonalSvd<T>::work_size(n));
  std::vector<std::int64_t> index(BidiagonalSvd<T>::index_size(n));
  for (std::int64_t i = 0; i < n; ++i) d[i] = next(), e[i] = i + 1 < n ? next() : 0;
  const std::vector<T> d0 = d, e0 = e;
  Team team(true);
  check((BidiagonalSvd<T>{n, d.data(), e.data(), u.data(), vt.data(), n, n, work.data(), index.data()}.run(team)) == 0,
        "divide and conquer converges");
  check(all_finite(d) && all_finite(u) && all_finite(vt), "divide and conquer: not finite");
  double largest = 0, residual = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    check(d[i] >= 0 && (i == 0 || d[i] <= d[i - 1]), "singular values are sorted and not negative");
    largest = std::max({largest, std::abs(static_cast<double>(d0[i])), std::abs(static_cast<double>(e0[i]))});
    for (std::int64_t j = 0; j < n; ++j) {
      double x = j == i ? -static_cast<double>(d0[i]) : j == i + 1 ? -static_cast<double>(e0[i]) : 0;
      for (std::int64_t k = 0; k < n; ++k) x += static_cast<double>(u[i + k * n]) * d[k] * vt[k + j * n];
      residual = std::max(residual, std::abs(x));
    }
  }
  const double eps = std::numeric_limits<T>::epsilon(), size = static_cast<double>(n);
  // The QR iteration of the leaves takes for zero what is below some 45 eps.
  check(residual <= 100 * eps * std::sqrt(size) * largest, "U, S and Vt make up the bidiagonal matrix");
  check(departure(u, n, n) <= 40 * eps * std::sqrt(size), "U is orthogonal");
  check(departure(vt, n, n) <= 40 * eps * std::sqrt(size), "Vt is orthogonal");
}

// The tridiagonal form of symmetric matrices, of low rank and with zeros too.
static void tridiagonalise() {
  const std::int64_t n = 1 + up_to(40), rank = up_to(3) ? n : up_to(n);
  const int kind = up_to(1) ? 0 : 4;
  std::vector<double> c(n * n), d(n), e(n), tau(n), q(n * n), t(Reflectors<double>::t_size(n));
  std::vector<double> work(Tridiagonalisation::work_size(n) + reflector_work(n, n));
  for (std::int64_t r = 0; r < rank; ++r) {
    std::vector<double> x(n);
    for (double& element_of_x : x) element_of_x = element<double>(kind);
    const double sign = up_to(1) ? 1 : -1;
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < n; ++i) c[i + j * n] += sign * x[i] * x[j];
  }
  const std::vector<double> c0 = c;
  Tridiagonalisation{n, c.data(), d.data(), e.data(), tau.data(), work.data()}.run();
  for (std::int64_t i = 0; i < n; ++i) q[i * (n + 1)] = 1;  // transposed
  Team team(true);
  const Reflectors<double> reflectors{c.data() + 1, n, n - 1, n - 1, false, t.data()};
  if (n > 1) form_t(team, reflectors, tau.data());
  if (n > 1) multiply_right(team, reflectors, q.data() + n, n, n, work.data());
  const double eps = std::numeric_limits<double>::epsilon(), size = static_cast<double>(n);
  double residual = 0, largest = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double x = -c0[i + j * n];
      for (std::int64_t k = 0; k < n; ++k) {
        const double below = k + 1 < n ? e[k] * q[k + 1 + j * n] : 0, above = k > 0 ? e[k - 1] * q[k - 1 + j * n] : 0;
        x += q[k + i * n] * (d[k] * q[k + j * n] + below + above);
      }
      residual = std::max(residual, std::abs(x)), largest = std::max(largest, std::abs(c0[i + j * n]));
    }
  check(residual <= 100 * eps * size * largest, "Q, T and Qt make up the symmetric matrix");
  check(departure(q, n, n) <= 40 * eps * size, "Q of the tridiagonal form is orthogonal");
}

// Bidiagonal matrices with elements near 1.
struct Bidiagonal {
  std::vector<double> d, e;

  explicit Bidiagonal(std::int64_t n) : d(n), e(n) {
    const int kind = static_cast<int>(up_to(5));
    if (kind == 5) clusters(n);
    for (std::int64_t i = 0; kind < 5 && i < n; ++i) {
      d[i] = kind == 1 ? 1 : 0.75 + element<double>(0);
      e[i] = kind == 2 && up_to(2) ? 0 : element<double>(kind == 3 ? 3 : 0);
      if (std::abs(e[i]) > 2) e[i] = 1 / e[i];
      if (kind == 4) d[i] = fraction(), e[i] = up_to(3) ? fraction() : 0;  // where pivots are zero
    }
  }

 private:
  static double fraction() { return 0.25 * static_cast<double>(1 + up_to(5)); }

  // Singular values whose squares are hardly further apart than it takes to compute vectors one by one.
  void clusters(std::int64_t n) {
    std::vector<double> c(n * n), v(n), tau(n), work(Tridiagonalisation::work_size(n));
    double squares = 0;
    for (double& x : v) x = element<double>(0), squares += x * x;
    const auto h = [&](std::int64_t i, std::int64_t j) { return (i == j) - 2 * v[i] * v[j] / squares; };
    double lambda = 1;
    for (std::int64_t k = 0; k < n; ++k, lambda *= up_to(3) ? 1 - 1.001 * TwistedSvd::least_gap : 0.9)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i < n; ++i) c[i + j * n] += lambda * h(i, k) * h(j, k);
    Tridiagonalisation{n, c.data(), d.data(), e.data(), tau.data(), work.data()}.run();
    for (std::int64_t i = 0; i < n; ++i) {
      d[i] = std::sqrt(d[i] - (i > 0 ? e[i - 1] * e[i - 1] : 0));
      e[i] = i + 1 < n ? e[i] / d[i] : 0;
    }
  }
};

static unsigned long twists, declined;

// Right singular vectors of bidiagonal matrices one by one: as good as those of divide and conquer, or declined for a
// reason. `least` bounds the squares of the singular values.
static void twist() {
  const std::int64_t n = 1 + up_to(up_to(1) ? 60 : 7);
  const std::int64_t size = std::max(TwistedSvd::work_size(n), BidiagonalSvd<double>::work_size(n));
  const double least = std::ldexp(1.0, -static_cast<int>(up_to(24)));
  const auto [d, e] = Bidiagonal(n);
  std::vector<double> sigma(n), vt(n * n), v(n * n);
  std::vector<std::int64_t> index(BidiagonalSvd<double>::index_size(n));
  Workspace ws(Workspace::bytes_for<double>(size));
  double* work = ws.take<double>(size);
  const auto outcome = TwistedSvd{n, d.data(), e.data(), sigma.data(), vt.data(), work}.run(least);
  std::vector<double> exact = d, above = e;
  Team team(true);
  BidiagonalSvd<double>{n, exact.data(), above.data(), nullptr, v.data(), n, n, work, index.data()}.run(team);
  const double eps = std::numeric_limits<double>::epsilon(), error = 100 * eps * std::sqrt(static_cast<double>(n));
  const double norm = exact[0] * exact[0];
  ++twists;
  if (outcome != TwistedSvd::Outcome::found) {
    const bool small = exact[n - 1] * exact[n - 1] < least + 2 * error * norm;
    bool close = false;
    for (std::int64_t i = 1; i < n; ++i) {
      const double gap = (exact[i - 1] - exact[i]) * (exact[i - 1] + exact[i]);
      close = close || gap < TwistedSvd::least_gap * exact[i - 1] * exact[i - 1] + 2 * error * norm;
    }
    const bool reason = outcome == TwistedSvd::Outcome::below_least ? small : close;
    return check(reason, "singular vectors one by one: declined without a reason"), void(++declined);
  }
  check(sigma[n - 1] * sigma[n - 1] > least - error * norm, "singular vectors one by one: not below the least");
  double residual = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    check(std::abs(sigma[i] - exact[i]) <= error * exact[0], "singular values one by one: as by divide and conquer");
    for (std::int64_t j = 0; j < n; ++j) {
      const auto b = [&, &d = d, &e = e](std::int64_t row) {  // (B·v_i)_row
        return d[row] * vt[i + row * n] + (row + 1 < n ? e[row] * vt[i + (row + 1) * n] : 0);
      };
      const double x = d[j] * b(j) + (j > 0 ? e[j - 1] * b(j - 1) : 0) - sigma[i] * sigma[i] * vt[i + j * n];
      residual = std::max(residual, std::abs(x));
    }
  }
  check(residual <= error * norm, "singular vectors one by one: BtB*v = sigma^2*v");
  check(departure(vt, n, n) <= std::ldexp(1.0, -26), "singular vectors one by one: orthogonal");
}

template <class T>
static void measure() {
  const std::int64_t rows = up_to(60), cols = up_to(12), count = up_to(3);
  const Random<T> a(rows, cols, count);
  std::vector<double> fraction(count * cols), parts(count * gram_blocks(rows, cols) * cols * cols), squares(count * gram_blocks(rows, cols) * cols);
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
    check(written[place] || (beta == 0 ? std::isnan(c[place]) : c[place] == before[place]), "gemm: writes nothing else");
}

static void orthogonalise() {
  const std::int64_t rows = 1 + up_to(30), cols = 1 + up_to(30), count = up_to(2), r = std::min(rows, cols);
  Random<double> a(rows, cols, count);
  if (!a.finite) return;  // the caller has looked
  std::vector<double> q(count * rows * cols), tau(count * r), upper(count * r * cols), out(count * rows * r);
  std::vector<Status> status(count);
  Qr qr{a.batch, q.data(), tau.data(), upper.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) qr(i);
  if (!fine(status)) return;
  std::vector<double> offsets(count), identity(r * r);
  for (std::int64_t j = 0; j < r; ++j) identity[j * r + j] = 1;
  ApplyQ apply;
  apply.q = q.data(), apply.tau = tau.data(), apply.rows = rows, apply.q_cols = cols;
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
  std::vector<double> parts(count * blocks * k * k), squares(count * blocks * k), root_d(count * k * k), r(count * k * k);
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
  Cholesky<T> first{parts.data(), nullptr, count, blocks,   k, gauge, unit.data(), root_d.data(),
                    root.data(),  r.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) first(i);
  for (const Status& s : status)
    if (static_cast<Root>(s.driver) == Root::none) return;  // then Householder serves
  gram.gauge = unit_gauge, gram.root = root.data();
  for (std::int64_t u = 0; u < count * blocks; ++u) gram(u);
  CholeskyAgain<T> again{parts.data(), nullptr, count, blocks,   k, gauge, unit.data(), root.data(),
                         root_d.data(), r.data(), status.data()};
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
