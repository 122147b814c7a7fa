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

#include "core/dense/jacobi.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/definite.h"
#include "core/kernels/geev.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gram.h"
#include "core/kernels/gram_svd.h"
#include "core/kernels/outer.h"
#include "core/kernels/pack.h"
#include "core/kernels/qr.h"
#include "core/kernels/scan.h"
#include "core/kernels/svd.h"
#include "core/threads/blas_threads.h"
#include "fuzz/bidiagonal.h"
#include "fuzz/random.h"

using namespace fsvd;
using namespace fsvd::fuzz;

template <class T>
static void decompose(std::int64_t least, std::int64_t most) {
  const std::int64_t m = least + up_to(most - least), n = least + up_to(most - least), p = std::min(m, n);
  const std::int64_t count = up_to(3);
  const Random<T> a(m, n, count);
  SvdLadder<T> k;
  k.a = a.batch, k.vectors = static_cast<Vectors>(up_to(2));
  if (up_to(3) == 0) k.only = static_cast<Driver>(up_to(3));
  std::vector<std::int32_t> scales(count * n);
  for (std::int32_t& scale : scales) scale = static_cast<std::int32_t>(up_to(100) ? up_to(4000) - 3000 : -(1 << 14));
  if (up_to(3) == 0) k.scales = scales.data();
  const bool none = k.vectors == Vectors::none, full = k.vectors == Vectors::full;
  Room<T> u(none ? 0 : m, none ? 0 : full ? m : p, count), s(1, p, count);
  Room<T> vh(none ? 0 : full ? n : p, none ? 0 : n, count);
  std::vector<Status> status(count);
  k.u = u.out(), k.s = s.out(), k.vh = vh.out(), k.status = status.data();
  for (std::int64_t i = 0; i < count; ++i) k(i);
  for (const Room<T>* x : {&u, &s, &vh}) x->check_rest("svdLadder: writes nothing else");
  if (!fine(status)) return;
  check(a.finite, "svdLadder: finite");
  for (const Room<T>* x : {&u, &s, &vh}) check(all_finite(x->elements()), "svdLadder: finite results");
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

// The Gram matrices of `blocks` blocks of rows.
template <class T>
static Room<double> gram_of(const Batch<const T>& a, std::int64_t blocks, const Gauge& gauge = {},
                            const Batch<const T>& root = {}) {
  Room<double> out(blocks * a.cols, a.cols, a.count);
  Gram<T> gram;
  gram.a = a, gram.gauge = gauge, gram.root = root, gram.gram = out.out(), gram.blocks = blocks;
  for (std::int64_t unit = 0; unit < a.count * blocks; ++unit) gram(unit);
  out.check_rest("gram: writes nothing else");
  return out;
}

template <class T>
static void measure() {
  const std::int64_t rows = up_to(60), cols = up_to(12), count = up_to(3);
  const Random<T> a(rows, cols, count);
  std::vector<double> fraction(count * cols);
  std::vector<std::int32_t> exponent(count * cols);
  std::vector<Status> status(count);
  Scan<T> scan{a.batch, fraction.data(), exponent.data(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) scan(i);
  if (fine(status)) check(a.finite && all_finite(fraction), "scan: not finite");
  gram_of(a.batch, 1 + up_to(3));
}

// Copied, with a gauge or without: each element in its place, whichever order they are written in.
template <class T>
static void repack() {
  const std::int64_t rows = up_to(40), cols = up_to(12), count = up_to(3);
  const Random<T> a(rows, cols, count);
  Room<T> copied(rows, cols, count, Order::output);
  const Copy<T> copy{a.batch, copied.out()};
  for (std::int64_t i = 0; i < count; ++i) copy(i);
  copied.check_rest("copy: writes nothing else");
  std::vector<T> elements;
  a.layout.each([&](std::int64_t at) { elements.push_back(a.data[at]); });
  check(same(copied.elements(), elements), "copy: the same elements");

  std::vector<std::int32_t> perm(count * cols), exponents(count * cols);
  for (std::int64_t j = 0; j < count * cols; ++j) {
    perm[j] = static_cast<std::int32_t>(cols - 1 - j % cols);
    exponents[j] = static_cast<std::int32_t>(up_to(60) - 30);
  }
  Pack<T, double> pack;
  pack.a = a.batch, pack.alpha = up_to(1) ? 1 : -1;
  if (up_to(1)) pack.gauge = {perm.data(), exponents.data()};
  std::vector<double> first;
  for (const Order order : {Order::rows, Order::output, Order::output}) {
    Room<double> out(rows, cols, count, order);
    pack.out = out.out();
    for (std::int64_t unit = 0; unit < count * pack.blocks(); ++unit) pack(unit);
    out.check_rest("pack: writes nothing else");
    if (order == Order::rows) first = out.elements();
    check(same(out.elements(), first), "pack: the order changes nothing");
  }
  if (!pack.gauge.perm)
    for (std::size_t e = 0; e < first.size(); ++e)
      check(std::isnan(elements[e]) || first[e] == pack.alpha * elements[e], "pack: alpha times the elements");
}

// c = alpha·a·b + beta·c within the error of sums in any order, each item in its place and nothing beside it. One in 64
// may be large enough to be computed in pieces.
template <class T>
static void multiply() {
  const bool large = up_to(63) == 0;
  const std::int64_t m = up_to(large ? 150 : 20), k = up_to(large ? 150 : 20), n = up_to(large ? 700 : 20);
  const std::int64_t count = up_to(2);
  const Random<T> a(m, k, count), b(k, n, count);
  Room<T> c(m, n, count, Order::rows);
  std::vector<Status> status(count);
  Gemm<T> gemm;
  gemm.a = a.batch, gemm.b = b.batch, gemm.c = c.out(), gemm.status = status.data();
  gemm.alpha = up_to(1) ? 1 : -3, gemm.beta = static_cast<T>(up_to(2));
  if (gemm.beta != 0) c.layout.each([&](std::int64_t at) { c.data[at] = element<T>(0); });
  c.before = c.data;
  for (std::int64_t unit = 0; unit < count * gemm.blocks(); ++unit) gemm(unit);
  c.check_rest("gemm: writes nothing else");
  if (!fine(status)) return;
  const long double eps = std::numeric_limits<T>::epsilon(), tiny = std::numeric_limits<T>::denorm_min();
  std::int64_t e = 0;
  c.layout.each([&](std::int64_t at) {
    const std::int64_t i = e / (m * n), row = e / n % m, col = e % n;
    ++e;
    const T *left = a.batch.item(i), *right = b.batch.item(i);
    const long double old = gemm.beta == 0 ? 0 : static_cast<long double>(gemm.beta) * c.before[at];
    long double sum = old, terms = std::abs(old);
    for (std::int64_t q = 0; q < k; ++q) {
      const long double x = static_cast<long double>(left[row * a.batch.row_stride + q * a.batch.col_stride]) *
                            right[q * b.batch.row_stride + col * b.batch.col_stride];
      sum += gemm.alpha * x, terms += std::abs(gemm.alpha * x);
    }
    check(std::abs(c.data[at] - sum) <= static_cast<long double>(k + 4) * (eps * terms + 4 * tiny),
          "gemm: the product");
  });
}

static std::vector<double> identity_of(std::int64_t n) {
  std::vector<double> x(n * n);
  for (std::int64_t j = 0; j < n; ++j) x[j * n + j] = 1;
  return x;
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
  const std::vector<double> identity = identity_of(r);
  ApplyQ apply;
  apply.q = q.data(), apply.t = t.data(), apply.rows = rows, apply.q_cols = cols;
  apply.c = {identity.data(), r, r, r, 1, count};
  apply.out = out.data(), apply.status = status.data();
  for (std::int64_t i = 0; i < count; ++i) apply(i);
  check(all_finite(out), "applyQ: not finite");
}

// x = root^-1 * c into rows, or into rows or columns: the same numbers.
template <class T>
static Room<T> solve(const Room<double>& root, const Batch<const double>& c) {
  const auto into = [&](Order order) {
    Room<T> x(c.rows, c.cols, c.count, order);
    const SolveRoot<T, double> solve{root.in(), {}, c, x.out()};
    for (std::int64_t unit = 0; unit < c.count * solve.blocks(); ++unit) solve(unit);
    x.check_rest("solveRoot: writes nothing else");
    return x;
  };
  Room<T> x = into(Order::contiguous);
  check(same(x.elements(), into(Order::output).elements()), "solveRoot: the order changes nothing");
  return x;
}

// Cholesky QR, twice, of a tall matrix: Q = Q * I has columns of length 1 whichever way it is written.
template <class T>
static void orthogonalise_tall() {
  const std::int64_t k = 1 + up_to(9), rows = k + (up_to(4) ? up_to(50) : up_to(2500)), count = 1 + up_to(1);
  const Random<T> a(rows, k, count);
  if (!a.finite) return;  // the caller has looked
  const std::int64_t blocks = 1 + up_to(std::min<std::int64_t>(7, rows - 1));
  std::vector<std::int32_t> perm(count * k), exponents(count * k), unit(count * k);
  std::vector<Status> status(count);
  for (std::int64_t j = 0; j < count * k; ++j) perm[j] = static_cast<std::int32_t>(k - 1 - j % k);
  const Gauge gauge{perm.data(), exponents.data()}, unit_gauge{perm.data(), unit.data()};
  Room<double> root_d(k, k, count), r(k, k, count);
  Room<T> root(k, k, count);
  const auto failed = [&] {
    for (const Room<double>* x : {&root_d, &r}) x->check_rest("cholesky: writes nothing else");
    root.check_rest("cholesky: writes nothing else");
    return std::any_of(status.begin(), status.end(),
                       [](const Status& s) { return static_cast<Root>(s.driver) == Root::none; });
  };
  const Room<double> gram = gram_of(a.batch, blocks);
  const Cholesky<T> first{gram.in(), blocks, gauge, unit.data(), root_d.out(), root.out(), r.out(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) first(i);
  if (failed()) return;  // then Householder serves
  const Room<double> second = gram_of(a.batch, blocks, unit_gauge, root.in());
  const CholeskyAgain<T> again{second.in(), blocks,       gauge,   unit.data(),
                               root.in(),   root_d.out(), r.out(), status.data()};
  for (std::int64_t i = 0; i < count; ++i) again(i);
  if (failed()) return;
  const std::vector<double> identity = identity_of(k);
  const Room<T> x = solve<T>(root_d, {identity.data(), k, k, k, 1, count});
  check(all_finite(r.elements()), "Cholesky QR: not finite");
  std::vector<T> by_rows;
  for (const Order order : {Order::rows, Order::output}) {
    Room<T> q(rows, k, count, order);
    const MultiplySolved<T> multiply{a.batch, unit_gauge, root.in(), x.in(), blocks, q.out()};
    for (std::int64_t u = 0; u < count * blocks; ++u) multiply(u);
    q.check_rest("multiplySolved: writes nothing else");
    const std::vector<T> elements = q.elements();
    double columns = 0;
    for (const T v : elements) columns += static_cast<double>(v) * v;
    check(std::abs(columns - static_cast<double>(count * k)) < 0.5, "Cholesky QR: the columns of Q have length 1");
    if (order == Order::rows) by_rows = elements;
    const double most = static_cast<double>(8 * k) * std::numeric_limits<T>::epsilon();
    for (std::size_t e = 0; e < elements.size(); ++e)
      check(std::abs(elements[e] - by_rows[e]) <= most, "multiplySolved: the order changes nothing");
  }
}

// The same for the p columns of a·x, where x is k x p.
static double departure(const Batch<const float>& a, const Batch<const float>& x) {
  std::vector<double> u(a.rows * x.cols);
  for (std::int64_t r = 0; r < a.rows; ++r)
    for (std::int64_t c = 0; c < a.cols; ++c)
      for (std::int64_t j = 0; j < x.cols; ++j)
        u[r + j * a.rows] += static_cast<double>(a.item(0)[r * a.row_stride + c * a.col_stride]) *
                             x.item(0)[c * x.row_stride + j * x.col_stride];
  return departure(u, a.rows, x.cols);
}

// The SVD of a product from the Gram matrices of both factors: finite, or declined.
static void decompose_from_gram() {
  const std::int64_t k = 1 + up_to(40), rows = k + 1 + up_to(60), p = up_to(k);
  const Random<float> a(rows, k, 1), b(rows, k, 1);
  if (!a.finite || !b.finite) return;  // the caller has looked
  std::vector<double> s(k);
  std::vector<std::int32_t> perm(k), exponents(k);
  std::vector<Status> status(1);
  const std::int64_t range = up_to(3) ? 2 : 70;
  for (std::int64_t j = 0; j < k; ++j) {
    perm[j] = static_cast<std::int32_t>(k - 1 - j);
    exponents[j] = static_cast<std::int32_t>(up_to(2 * range) - range);
  }
  const Gauge gauge{perm.data(), exponents.data()};
  const std::int64_t blocks_left = 1 + up_to(7), blocks_right = 1 + up_to(7);
  const Room<double> left = gram_of(a.batch, blocks_left), right = gram_of(b.batch, blocks_right);
  Room<float> x(k, p, 1), y(p, k, 1);
  GramSvd svd{
      1, k, p, {left.in(), blocks_left, gauge, {}}, {right.in(), blocks_right, gauge, {}}, s.data(), status.data()};
  if (p > 0) svd.left.x = x.out(), svd.right.x = y.out();
  svd(0);
  x.check_rest("gramSvd: writes nothing else"), y.check_rest("gramSvd: writes nothing else");
  if (status[0].driver != 1) return;
  check(all_finite(s) && all_finite(x.elements()) && all_finite(y.elements()), "gramSvd: not finite");
  Batch<const float> columns = y.in();
  std::swap(columns.rows, columns.cols), std::swap(columns.row_stride, columns.col_stride);
  const double largest = 64 * std::numeric_limits<float>::epsilon() * std::sqrt(static_cast<double>(p));
  const bool orthogonal = departure(a.batch, x.in()) <= largest && departure(b.batch, columns) <= largest;
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

// a·aᵀ within the error of sums in any order, symmetric to the last bit; and whether it is definite once something has been
// added to its diagonal, or taken away. One in 64 has several tiles.
template <class T>
static void square() {
  const std::int64_t m = up_to(up_to(63) == 0 ? 800 : 30), n = up_to(20), count = up_to(2);
  const Random<T> a(m, n, count);
  Room<double> c(m, m, count);
  Outer<T> outer;
  outer.a = a.batch, outer.c = c.out();
  for (std::int64_t unit = 0; unit < count * outer.blocks(); ++unit) outer(unit);
  c.check_rest("outer: writes nothing else");
  const std::vector<double> elements = c.elements();
  if (!a.finite || !all_finite(elements)) return;
  const double eps = std::numeric_limits<double>::epsilon(), tiny = std::numeric_limits<double>::denorm_min();
  for (std::int64_t e = 0; e < count * m * m; ++e) {
    const std::int64_t i = e / (m * m), row = e / m % m, col = e % m;
    const auto at = [&](std::int64_t r, std::int64_t q) {
      return static_cast<long double>(a.batch.item(i)[r * a.batch.row_stride + q * a.batch.col_stride]);
    };
    long double sum = 0, terms = 0;
    for (std::int64_t q = 0; q < n; ++q) sum += at(row, q) * at(col, q), terms += std::abs(at(row, q) * at(col, q));
    check(std::abs(elements[e] - sum) <= static_cast<long double>(n + 4) * (eps * terms + 4 * tiny),
          "outer: the product");
    check(elements[e] == elements[i * m * m + col * m + row], "outer: symmetric");
  }
  double largest = 0;
  for (const double x : elements) largest = std::max(largest, std::abs(x));
  if (m == 0 || !(largest > 1e-100 && largest < 1e100)) return;
  const double sign = up_to(1) ? 1 : -1;
  std::vector<double> shifted = elements;
  std::vector<Status> status(count);
  for (std::int64_t j = 0; j < count * m; ++j) shifted[j * m + j % m] += sign * 2 * static_cast<double>(m) * largest;
  Definite definite{packed(shifted.data(), count, m, m), status.data()};
  for (std::int64_t i = 0; i < count; ++i) definite(i);
  for (const Status& s : status) check(s.driver == (sign > 0 ? 1 : 0), "definite: what it is");
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
    if (cases % 8 == 0) reduce_in_two_stages<double>(), reduce_in_two_stages<float>();
    tridiagonalise();
    twist();
    measure<double>(), measure<float>();
    repack<double>(), repack<float>();
    multiply<double>(), multiply<float>();
    orthogonalise();
    orthogonalise_tall<double>(), orthogonalise_tall<float>();
    decompose_from_gram();
    eigenvalues<double>(), eigenvalues<float>();
    square<double>(), square<float>();
  }
  std::printf("%lu rounds over native/core (seed %lu); %lu of %lu declined by twisted factorizations\n", cases, seed,
              declined, twists);
}
