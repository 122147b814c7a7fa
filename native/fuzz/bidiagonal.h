// The bidiagonal and tridiagonal matrices that are decomposed without LAPACK: divide and conquer, the reduction of a
// symmetric matrix, and singular vectors one by one.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/workspace.h"
#include "core/dense/bidiagonal_qr.h"
#include "core/dense/divide.h"
#include "core/dense/reduce.h"
#include "core/dense/reflectors.h"
#include "core/dense/tridiagonal.h"
#include "core/dense/twisted.h"
#include "core/dense/two_stage.h"
#include "fuzz/random.h"

namespace fsvd::fuzz {

// ‖xᵀx − I‖ for the n columns of x; that of its rows too where it is square.
template <class T>
double departure(const std::vector<T>& x, std::int64_t rows, std::int64_t n) {
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
void divide() {
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
  check(residual <= 20 * eps * std::sqrt(size) * largest, "U, S and Vt make up the bidiagonal matrix");
  check(departure(u, n, n) <= 40 * eps * std::sqrt(size), "U is orthogonal");
  check(departure(vt, n, n) <= 40 * eps * std::sqrt(size), "Vt is orthogonal");
}

// The bidiagonal form by way of a band: its singular values are those of the form in one stage. Of low rank and with zeros
// too, up to some bands wide.
template <class T>
void reduce_in_two_stages() {
  const std::int64_t cols = 1 + up_to(up_to(7) ? 60 : 400), rows = cols + up_to(40),
                     rank = up_to(2) ? cols : up_to(cols);
  const int kind = up_to(1) ? 0 : 4;
  std::vector<T> a(rows * cols);
  for (std::int64_t j = 0; j < cols; ++j)
    for (std::int64_t i = 0; i < rows; ++i) a[i + j * rows] = j < rank ? element<T>(kind) : a[i + (j - rank) * rows];
  std::vector<T> again = a;
  Team team(true);
  Bidiagonalisation<T> one;
  one.rows = one.ld = rows, one.cols = cols, one.a = again.data();
  std::vector<T> d(cols), e(cols), tau_q(cols), tau_p(cols), one_work(one.work_size());
  one.d = d.data(), one.e = e.data(), one.tau_q = tau_q.data(), one.tau_p = tau_p.data(), one.work = one_work.data();
  one.run(team);
  std::vector<T> d2(cols), e2(cols), work(TwoStageReduction<T>::work_size(rows, cols));
  TwoStageReduction<T>{rows, cols, a.data(), d2.data(), e2.data(), work.data()}.run(team);
  check(all_finite(d2) && all_finite(e2), "two stages: not finite");
  const auto values = [cols](const std::vector<T>& diagonal, const std::vector<T>& above) {
    std::vector<double> s(diagonal.begin(), diagonal.end()), rest(above.begin(), above.end()), own(values_work(cols));
    check(bidiagonal_values(cols, s.data(), rest.data(), own.data()), "two stages: values of the bidiagonal form");
    return s;
  };
  const std::vector<double> expected = values(d, e), s = values(d2, e2);
  const double eps = std::numeric_limits<T>::epsilon(), size = std::sqrt(static_cast<double>(rows));
  for (std::int64_t i = 0; i < cols; ++i)
    check(std::abs(s[i] - expected[i]) <= 8 * eps * size * expected[0], "two stages: the same singular values");
}

// The tridiagonal form of symmetric matrices, of low rank and with zeros too.
inline void tridiagonalise() {
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

inline unsigned long twists, declined;

// Right singular vectors of bidiagonal matrices one by one: as good as those of divide and conquer, or declined for a
// reason. `least` bounds the squares of the singular values.
inline void twist() {
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

}  // namespace fsvd::fuzz
