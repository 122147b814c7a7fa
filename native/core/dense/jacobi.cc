#include "jacobi.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "blocked.h"
#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/threads/task.h"
#include "core/threads/team.h"

namespace fsvd {
namespace {

constexpr int most_sweeps = 40;
constexpr std::int64_t nothing = -(1 << 20);  // exponent of a zero column
// ldexp takes an int, and beyond these a number is 0 or infinite whatever it was.
template <class T>
T times_power(T x, std::int64_t exponent) {
  return std::ldexp(x, static_cast<int>(std::clamp<std::int64_t>(exponent, -10000, 10000)));
}

// fraction * 2^exponent, fraction in [1/2, 1) or 0 with the exponent `nothing`.
template <class T>
struct Scaled {
  T fraction = 0;
  std::int64_t exponent = nothing;

  Scaled() = default;
  Scaled(T x, std::int64_t e) {
    int own = 0;
    fraction = std::frexp(x, &own);
    exponent = x == 0 ? nothing : e + own;
  }
  bool operator<(const Scaled& other) const {
    return exponent != other.exponent ? exponent < other.exponent : fraction < other.fraction;
  }
};

template <class T>
constexpr std::int64_t scaled = sizeof(Scaled<T>) / sizeof(T);

template <class T>
Scaled<T> norm(const T* x, std::int64_t n, std::int64_t exponent) {
  const T square = sum_of_squares(x, n);
  constexpr T safe =
      std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon() / std::numeric_limits<T>::epsilon();
  if (square > safe && square < 1 / safe) return {std::sqrt(square), exponent};
  T largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (largest == 0) return {};
  int shift = 0;
  std::frexp(largest, &shift);
  T sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T y = std::ldexp(x[i], -shift);
    sum += y * y;
  }
  return {std::sqrt(sum), exponent + shift};
}

// Scales x to a largest element in [1/2, 1) and returns its exponent.
template <class T>
std::int64_t normalise(T* x, std::int64_t n, std::int64_t exponent) {
  T largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (largest == 0) return nothing;
  int shift = 0;
  std::frexp(largest, &shift);
  for (std::int64_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], -shift);
  return exponent + shift;
}

// x becomes the vector of the reflection I - tau * x * x^T, x[0] = 1, that leaves of it only the first element, `beta`.
template <class T>
T reflector(T* x, std::int64_t n, T& beta) {
  int shift = 0;
  T largest = 0;
  for (std::int64_t i = 1; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  beta = x[0];
  if (largest == 0) {
    x[0] = 1;
    return 0;
  }
  std::frexp(std::max(largest, std::abs(x[0])), &shift);
  for (std::int64_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], -shift);
  const T alpha = x[0], length = std::copysign(std::sqrt(sum_of_squares(x, n)), alpha);
  for (std::int64_t i = 1; i < n; ++i) x[i] /= alpha + length;
  x[0] = 1;
  beta = -std::ldexp(length, shift);
  return (alpha + length) / length;
}

template <class T>
void reflect(const T* x, T tau, T* y, std::int64_t n) {
  const T along = tau * dot(x, y, n);
  for (std::int64_t i = 0; i < n; ++i) y[i] -= along * x[i];
}

// Householder vectors below the diagonal of a, R above it, its diagonal in `diagonal`.
template <class T>
struct Reflections {
  T* a;
  std::int64_t rows, count;
  T *tau, *diagonal;

  void make(std::int64_t j) const { tau[j] = reflector(a + j * rows + j, rows - j, diagonal[j]); }
  void apply(std::int64_t j, T* y) const { reflect(a + j * rows + j, tau[j], y + j, rows - j); }
  T upper(std::int64_t i, std::int64_t j) const { return i == j ? diagonal[i] : a[j * rows + i]; }
  // Q * y for every column of y.
  void multiply(T* y, std::int64_t cols) const {
    for (std::int64_t c = 0; c < cols; ++c, look_up())
      for (std::int64_t j = count - 1; j >= 0; --j) apply(j, y + c * rows);
  }
};

// Columns p and q times a plane rotation: p - sine * (q + half * p) and q + sine * (p - half * q), `half` being the tangent of
// half the angle. So rounding errors are as small as the angle, where those of a cosine would stretch both columns a little
// every time. `shift` is the exponent of q beside p.
template <class T>
void rotate(T* p, T* q, std::int64_t n, T sine, T half, std::int64_t shift) {
  const T into_p = times_power(sine, shift), into_q = times_power(sine, -shift), stay = sine * half;
  for (std::int64_t i = 0; i < n; ++i) {
    const T x = p[i], y = q[i];
    p[i] = x - (into_p * y + stay * x);
    q[i] = y + (into_q * x - stay * y);
  }
}

template <class T>
struct Rotations {
  T *y, *w;  // r x r each, column-major; w may be null
  std::int64_t r;
  std::int64_t* exponent;
  Scaled<T>* length;  // of the columns

  // Largest cosine of two columns. It falls as r grows, because ||U^T U - I||_F is promised to be 40 * epsilon * sqrt(r).
  T tolerance = std::numeric_limits<T>::epsilon() * std::clamp(30 / std::sqrt(static_cast<T>(r)), T(1.5), T(4));

  void measure(std::int64_t j) const { length[j] = norm(y + j * r, r, exponent[j]); }

  void exchange(std::int64_t p, std::int64_t q) const {
    std::swap_ranges(y + p * r, y + (p + 1) * r, y + q * r);
    if (w) std::swap_ranges(w + p * r, w + (p + 1) * r, w + q * r);
    std::swap(exponent[p], exponent[q]), std::swap(length[p], length[q]);
  }

  // Whether there was anything to rotate; p is to be the longer of both.
  bool pair(std::int64_t p, std::int64_t q) const {
    if (length[p] < length[q]) exchange(p, q);
    if (length[q].fraction == 0) return false;
    T *yp = y + p * r, *yq = y + q * r;
    const T a = times_power(length[p].fraction, length[p].exponent - exponent[p]);
    const T b = times_power(length[q].fraction, length[q].exponent - exponent[q]);
    const T cosine_between = dot(yp, yq, r) / a / b;
    if (!(std::abs(cosine_between) > tolerance)) return false;
    const std::int64_t shift = exponent[q] - exponent[p];
    const T ratio = times_power(b / a, shift);                   // |q| / |p|, at most 1
    constexpr T small = std::numeric_limits<T>::epsilon() / 16;  // its square is nothing beside 1
    if (ratio * ratio < small) {
      const T along = -cosine_between * (b / a);
      for (std::int64_t i = 0; i < r; ++i) yq[i] += along * yp[i];
      if (w) rotate(w + p * r, w + q * r, r, -cosine_between * ratio, T(0), 0);
    } else {
      const T zeta = (ratio - 1 / ratio) / (2 * cosine_between);
      const T tangent = (zeta < 0 ? T(-1) : T(1)) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
      const T cosine = 1 / std::sqrt(1 + tangent * tangent), sine = cosine * tangent, half = sine / (1 + cosine);
      rotate(yp, yq, r, sine, half, shift);
      if (w) rotate(w + p * r, w + q * r, r, sine, half, 0);
      measure(p);
    }
    measure(q);
    if (length[q].exponent < exponent[q] - 20) exponent[q] = normalise(yq, r, exponent[q]);
    return true;
  }

  bool sweep() const {
    bool rotated = false;
    for (std::int64_t j = 0; j < r; ++j) measure(j);
    for (std::int64_t p = 0; p < r; ++p) {
      look_up();
      const std::int64_t longest = std::max_element(length + p, length + r) - length;  // de Rijk's order
      if (length[p] < length[longest]) exchange(p, longest);
      for (std::int64_t q = p + 1; q < r; ++q) rotated = pair(p, q) || rotated;
    }
    return rotated;
  }
};

// The right singular vectors of y, r x r, by BlockedSvd, whose errors are relative to the largest: y is multiplied by them, and
// w, where it is not null, becomes them. Columns that are not much shorter than the longest then are nearly orthogonal, and little
// is left to rotate. What the multiplication rounds is relative to the rows of y, which is where its grading lies.
template <class T>
struct Turn {
  std::int64_t r;

  // Smaller ones are rotated as fast without, and steeper ones are nearly orthogonal.
  bool serves() const { return r > 32; }
  static constexpr std::int64_t steepest = 60;

  std::int64_t work_size() const { return serves() ? 3 * r * r + r + svd().work_size(true) : 0; }
  std::int64_t index_size() const { return serves() ? svd().index_size() : 0; }

  void operator()(T* y, T* w, std::int64_t* exponent, T* work, std::int64_t* index) const {
    const auto [least, most] = std::minmax_element(exponent, exponent + r);
    if (!serves() || *most - *least > steepest) return;
    const std::int64_t top = *most;
    BlockedSvd<T> y_svd = svd();
    y_svd.left = work, y_svd.right_t = work + r * r, y_svd.a = work + 2 * r * r, y_svd.s = work + 3 * r * r;
    y_svd.work = y_svd.s + r, y_svd.index = index;
    T* product = y_svd.left;
    for (std::int64_t j = 0; j < r; ++j) {
      for (std::int64_t i = j * r; i < (j + 1) * r; ++i) y_svd.a[i] = y[i] = times_power(y[i], exponent[j] - top);
      exponent[j] = top;
    }
    Team team(r < 160);
    {
      const Stage turning(0, 0.5);
      if (y_svd.run(team) != 0) return;  // rotations do without
    }
    team.each(parts_of(r, part), [&](std::int64_t k) {
      const std::int64_t first = k * part, cols = std::min(part, r - first);
      lapack::gemm('N', 'T', r, cols, r, T(1), y, r, y_svd.right_t + first, r, T(0), product + first * r, r);
    });
    std::copy_n(product, r * r, y);
    for (std::int64_t j = 0; j < r; ++j) exponent[j] = normalise(y + j * r, r, top);
    const std::int64_t one = 1;
    if (w) copy(y_svd.right_t, r, one, w, one, r, r, r);
  }

 private:
  static constexpr std::int64_t part = 64;  // columns that are multiplied at once

  BlockedSvd<T> svd() const {
    BlockedSvd<T> svd;
    svd.rows = svd.cols = r;
    return svd;
  }
};

}  // namespace

template <class T>
std::int64_t JacobiSvd<T>::work_size() const {
  const std::int64_t p = std::min(rows, cols);
  return cols * (scaled<T> + p) + 2 * p * p + 4 * p + Turn<T>{p}.work_size();
}

template <class T>
std::int64_t JacobiSvd<T>::index_size() const {
  const std::int64_t p = std::min(rows, cols);
  return 2 * cols + 2 * p + Turn<T>{p}.index_size();
}

template <class T>
int JacobiSvd<T>::run() const {
  const std::int64_t p = std::min(rows, cols);
  auto* length = reinterpret_cast<Scaled<T>*>(work);
  T* next = work + cols * scaled<T>;
  const auto take = [&](std::int64_t n) { return next += n, next - n; };
  const Reflections<T> first{c, rows, 0, take(p), take(p)};
  T* x = take(cols * p);
  std::int64_t *perm = index, *exponent = perm + cols, *row_exponent = exponent + cols, *order = row_exponent + p;

  // 1. C * P = Q * R
  std::iota(perm, perm + cols, std::int64_t{0});
  for (std::int64_t j = 0; j < cols; ++j) exponent[j] = normalise(c + j * rows, rows, exponents[j]);
  std::int64_t r = 0;
  for (; r < p; ++r) {
    look_up();
    for (std::int64_t j = r; j < cols; ++j) length[j] = norm(c + j * rows + r, rows - r, exponent[j]);
    const std::int64_t longest = std::max_element(length + r, length + cols) - length;
    if (length[longest].fraction == 0) break;
    if (longest != r) {
      std::swap_ranges(c + r * rows, c + (r + 1) * rows, c + longest * rows);
      std::swap(perm[r], perm[longest]), std::swap(exponent[r], exponent[longest]);
    }
    first.make(r);
    for (std::int64_t j = r + 1; j < cols; ++j) first.apply(r, c + j * rows);
  }
  const Reflections<T> left{c, rows, r, first.tau, first.diagonal};

  // 2. R^T = Q2 * R2
  for (std::int64_t i = 0; i < r; ++i) {
    std::int64_t top = nothing;
    for (std::int64_t j = i; j < cols; ++j) top = std::max(top, Scaled<T>(left.upper(i, j), exponent[j]).exponent);
    for (std::int64_t j = 0; j < cols; ++j)
      x[i * cols + j] = j < i ? T(0) : times_power(left.upper(i, j), exponent[j] - top);
    row_exponent[i] = top;
  }
  const Reflections<T> right{x, cols, r, take(p), take(p)};
  for (std::int64_t i = 0; i < r; ++i) {
    look_up();
    right.make(i);
    for (std::int64_t j = i + 1; j < r; ++j) right.apply(i, x + j * cols);
  }

  // 3. Y * W = U2 * diag(S)
  T *y = take(r * r), *w = u ? take(r * r) : nullptr;
  for (std::int64_t i = 0; i < r; ++i) {
    T* column = y + i * r;
    std::int64_t top = nothing;
    for (std::int64_t j = i; j < r; ++j) top = std::max(top, Scaled<T>(right.upper(i, j), row_exponent[j]).exponent);
    for (std::int64_t j = 0; j < r; ++j)
      column[j] = j < i ? T(0) : times_power(right.upper(i, j), row_exponent[j] - top);
    order[i] = top;
  }
  if (w)
    for (std::int64_t i = 0; i < r * r; ++i) w[i] = i % (r + 1) == 0 ? 1 : 0;
  std::copy_n(order, r, exponent);
  Turn<T>{r}(y, w, exponent, next, order + p);
  const Rotations<T> rotations{y, w, r, exponent, length};
  int sweeps = 0;
  while (rotations.sweep())
    if (++sweeps == most_sweeps) return 1;
  for (std::int64_t j = 0; j < r; ++j) {
    // Only a column of a matrix without full rank vanishes, and those stand in Q.
    if (length[j].fraction == 0) return 1;
    order[j] = j;
  }
  std::sort(order, order + r, [&](std::int64_t i, std::int64_t j) { return length[j] < length[i]; });
  for (std::int64_t j = 0; j < p; ++j)
    s[j] = j < r ? times_power(length[order[j]].fraction, length[order[j]].exponent) : T(0);
  if (!u) return 0;

  // 4. U = Q * U2, V = P * Q2 * W
  std::fill_n(u, rows * u_cols, T(0)), std::fill_n(v, cols * v_cols, T(0));
  for (std::int64_t j = 0; j < std::max(u_cols, v_cols); ++j) {
    if (j < r) {
      const std::int64_t from = order[j];
      const T scale = times_power(length[from].fraction, length[from].exponent - exponent[from]);
      std::transform(y + from * r, y + (from + 1) * r, u + j * rows, [&](T value) { return value / scale; });
      std::copy_n(w + from * r, r, v + j * cols);
    } else {
      if (j < u_cols) u[j * rows + j] = 1;
      if (j < v_cols) v[j * cols + j] = 1;
    }
  }
  left.multiply(u, u_cols);
  right.multiply(v, v_cols);
  for (std::int64_t j = 0; j < v_cols; ++j) {
    T* column = v + j * cols;
    for (std::int64_t i = 0; i < cols; ++i) x[perm[i]] = column[i];
    std::copy_n(x, cols, column);
  }
  return 0;
}

template struct JacobiSvd<float>;
template struct JacobiSvd<double>;

}  // namespace fsvd
