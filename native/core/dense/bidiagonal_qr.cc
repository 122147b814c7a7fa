#include "bidiagonal_qr.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/lapack.h"
#include "core/base/wide_vectors.h"

namespace fsvd {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon(), least = std::numeric_limits<double>::min();
constexpr std::int64_t most_sweeps = 30;  // for one singular value, in the mean

struct Rotation {
  double c, s, r;  // (c, s; −s, c)·(f, g) = (r, 0)

  Rotation(double f, double g) : c(1), s(0), r(f) {
    if (g == 0) return;
    const double squares = f * f + g * g;
    r = squares > least / eps ? std::sqrt(squares) : std::hypot(f, g);
    c = f / r, s = g / r;
  }
};

// Columns x_0, x_1 … of a matrix, `step` apart: rotation j turns x_j and x_(j + 1). A piece of a column, `count` vectors
// of V, stays in registers from one rotation to the next.
template <class V, int count>
inline __attribute__((always_inline)) void rotate_rows(std::int64_t rotations, const double* c, const double* s,
                                                       double* first, std::int64_t step) {
  constexpr std::int64_t width = sizeof(V) / sizeof(double);  // NOLINT(bugprone-sizeof-expression): V may be double
  V carried[count], y;
  for (int l = 0; l < count; ++l) load(first + l * width, carried[l]);
  for (std::int64_t j = 0; j < rotations; ++j, first += step) {
    const double cosine = c[j], sine = s[j];
    for (int l = 0; l < count; ++l) {
      const V z = carried[l];
      load(first + step + l * width, y);
      store(cosine * z + sine * y, first + l * width);
      carried[l] = cosine * y - sine * z;
    }
  }
  for (int l = 0; l < count; ++l) store(carried[l], first + l * width);
}

FSVD_WIDE_VECTORS void rotate(std::int64_t rows, std::int64_t rotations, const double* c, const double* s, double* x,
                              std::int64_t step) {
  std::int64_t r = 0;
  for (; r + 16 <= rows; r += 16) rotate_rows<Four, 4>(rotations, c, s, x + r, step);
  for (; r + 4 <= rows; r += 4) rotate_rows<Four, 1>(rotations, c, s, x + r, step);
  for (; r < rows; ++r) rotate_rows<double, 1>(rotations, c, s, x + r, step);
}

// The smaller singular value of (f, g; 0, h), as ?las2.
double smaller_of_two(double f, double g, double h) {
  f = std::abs(f), g = std::abs(g), h = std::abs(h);
  const double low = std::min(f, h), high = std::max(f, h);
  if (low == 0) return 0;
  if (g < high) {
    const double as = 1 + low / high, at = (high - low) / high, au = g / high * (g / high);
    return low * (2 / (std::sqrt(as * as + au) + std::sqrt(at * at + au)));
  }
  const double au = high / g;
  if (au == 0) return low * high / g;
  const double as = 1 + low / high, at = (high - low) / high;
  return 2 * (low * (1 / (std::sqrt(1 + as * au * (as * au)) + std::sqrt(1 + at * au * (at * au))))) * au;
}

// Rows first … last of the matrix, which no zero above the diagonal divides; read upwards they are the transpose.
struct Block {
  double *d, *e;
  std::int64_t last, step;

  Block(const BidiagonalQr& b, std::int64_t first, std::int64_t last, bool down)
      : d(b.d + (down ? first : last)), e(b.e + (down ? first : last - 1)), last(last - first), step(down ? 1 : -1) {}
  double& at(std::int64_t i) const { return d[i * step]; }
  double& above(std::int64_t i) const { return e[i * step]; }
};

// Rotations of one sweep, for the vectors of either side.
struct Sweep {
  double *first_c, *first_s, *second_c, *second_s;
  Sweep(double* work, std::int64_t n)
      : first_c(work), first_s(work + n), second_c(work + 2 * n), second_s(work + 3 * n) {}
  void keep(std::int64_t i, const Rotation& first, const Rotation& second) const {
    first_c[i] = first.c, first_s[i] = first.s, second_c[i] = second.c, second_s[i] = second.s;
  }
};

// Without a shift: every element keeps its relative accuracy.
void sweep_unshifted(const Block& b, const Sweep& sweep) {
  double c = 1, old_c = 1, old_s = 0;
  for (std::int64_t i = 0; i < b.last; ++i) {
    const Rotation first(b.at(i) * c, b.above(i));
    if (i > 0) b.above(i - 1) = old_s * first.r;
    const Rotation second(old_c * first.r, b.at(i + 1) * first.s);
    b.at(i) = second.r, c = first.c, old_c = second.c, old_s = second.s;
    sweep.keep(i, first, second);
  }
  const double h = b.at(b.last) * c;
  b.at(b.last) = h * old_c, b.above(b.last - 1) = h * old_s;
}

void sweep_shifted(const Block& b, double shift, const Sweep& sweep) {
  double f = (std::abs(b.at(0)) - shift) * (std::copysign(1.0, b.at(0)) + shift / b.at(0)), g = b.above(0);
  for (std::int64_t i = 0; i < b.last; ++i) {
    const Rotation first(f, g);
    double &d = b.at(i), &e = b.above(i), &below = b.at(i + 1);
    if (i > 0) b.above(i - 1) = first.r;
    f = first.c * d + first.s * e;
    e = first.c * e - first.s * d;
    g = first.s * below;
    below *= first.c;
    const Rotation second(f, g);
    d = second.r;
    f = second.c * e + second.s * below;
    below = second.c * below - second.s * e;
    if (i + 1 < b.last) g = second.s * b.above(i + 1), b.above(i + 1) *= second.c;
    sweep.keep(i, first, second);
  }
  b.above(b.last - 1) = f;
}

// Drops what is negligible beside a lower bound of the singular values, as Demmel and Kahan do; true where anything was.
// `low` becomes a bound of the smallest.
bool drop(const Block& b, double& low) {
  if (std::abs(b.above(b.last - 1)) <= eps * std::abs(b.at(b.last))) {
    b.above(b.last - 1) = 0;
    return true;
  }
  double mu = std::abs(b.at(0));
  low = mu;
  for (std::int64_t i = 0; i < b.last; ++i) {
    const double e = std::abs(b.above(i));
    if (e <= eps * mu) {
      b.above(i) = 0;
      return true;
    }
    mu = std::abs(b.at(i + 1)) * (mu / (mu + e));
    low = std::min(low, mu);
  }
  return false;
}

// What is negligible beside every singular value.
double negligible(const BidiagonalQr& b) {
  double mu = std::abs(b.d[0]), smallest = mu;
  for (std::int64_t i = 1; i < b.n && smallest > 0; ++i) {
    mu = std::abs(b.d[i]) * (mu / (mu + std::abs(b.e[i - 1])));
    smallest = std::min(smallest, mu);
  }
  const double n = static_cast<double>(b.n);
  return std::max(eps * smallest / std::sqrt(n), most_sweeps * n * n * least);
}

// Whether dropping elements as ?lasq1 does may have moved one of these values (descending) by more than eps·σ₁/2. What
// is dropped between σ_i and its neighbour, up to 100·eps·σ_i, moves them by at most that, and by its square over their
// distance.
bool too_close(std::int64_t n, const double* sigma) {
  for (std::int64_t i = 0; i + 1 < n && 200 * sigma[i] > sigma[0]; ++i) {
    const double dropped = 100 * eps * sigma[i];
    if (dropped * dropped > (sigma[i] - sigma[i + 1]) * (eps / 2 * sigma[0])) return true;
  }
  return false;
}

}  // namespace

bool bidiagonal_values(std::int64_t n, double* d, double* e, double* work) {
  double *diagonal = work, *above = diagonal + n, *rest = above + n;
  std::copy_n(d, n, diagonal), std::copy_n(e, n - 1, above);
  if (lapack::lasdq(0, n, 0, 0, d, e, d, 1, d, 1, rest) == 0) {
    std::reverse(d, d + n);
    if (!too_close(n, d)) return true;
  }
  std::copy_n(diagonal, n, d), std::copy_n(above, n - 1, e);
  return BidiagonalQr{n, 0, d, e, nullptr, nullptr, 0, 0, rest}.run();
}

// Turns the extra column away, from the bottom up.
void BidiagonalQr::drop_extra() const {
  double fill = e[n - 1];
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const Rotation r(d[i], fill);
    d[i] = r.r;
    if (i > 0) fill = -r.s * e[i - 1], e[i - 1] *= r.c;
    if (v) rotate(v_rows, 1, &r.c, &r.s, v + i * v_rows, (n - i) * v_rows);
  }
}

void BidiagonalQr::sort() const {
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::signbit(d[i])) continue;
    d[i] = -d[i];
    if (v) std::transform(v + i * v_rows, v + (i + 1) * v_rows, v + i * v_rows, [](double x) { return -x; });
  }
  if (!v && !u) return std::sort(d, d + n, [](double x, double y) { return x > y; });
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    const std::int64_t most = std::max_element(d + i, d + n) - d;
    if (most == i) continue;
    std::swap(d[i], d[most]);
    if (u) std::swap_ranges(u + i * u_rows, u + (i + 1) * u_rows, u + most * u_rows);
    if (v) std::swap_ranges(v + i * v_rows, v + (i + 1) * v_rows, v + most * v_rows);
  }
}

bool BidiagonalQr::run() const {
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(d[i]));
  for (std::int64_t i = 0; i + 1 < n + extra; ++i) largest = std::max(largest, std::abs(e[i]));
  if (largest == 0) {
    sort();
    return true;
  }
  int exponent = 0;
  std::frexp(largest, &exponent);
  if (std::abs(exponent) < 200) exponent = 0;
  const auto scale = [&](double* x, std::int64_t count, int by) {
    if (by != 0) std::transform(x, x + count, x, [&](double y) { return std::ldexp(y, by); });
  };
  scale(d, n, -exponent), scale(e, n - 1 + extra, -exponent);
  if (extra) drop_extra();

  const double threshold = negligible(*this);
  std::int64_t last = n - 1, old_first = -1, old_last = -1, left = most_sweeps * n;
  bool down = true;
  while (last > 0) {
    std::int64_t first = last;
    double most = std::abs(d[last]);
    for (; first > 0 && std::abs(e[first - 1]) > threshold; --first)
      most = std::max({most, std::abs(d[first - 1]), std::abs(e[first - 1])});
    if (first > 0) e[first - 1] = 0;
    if (first == last) {
      --last;
      continue;
    }
    if (last - first == 1) {
      double low, high, sin_r, cos_r, sin_l, cos_l;
      lapack::lasv2(d[first], e[first], d[last], low, high, sin_r, cos_r, sin_l, cos_l);
      d[first] = high, e[first] = 0, d[last] = low;
      if (u) rotate(u_rows, 1, &cos_l, &sin_l, u + first * u_rows, u_rows);
      if (v) rotate(v_rows, 1, &cos_r, &sin_r, v + first * v_rows, v_rows);
      last -= 2;
      continue;
    }
    if (first > old_last || last < old_first) down = std::abs(d[first]) >= std::abs(d[last]);
    old_first = first, old_last = last;
    const Block block(*this, first, last, down);
    double low = 0;
    if (drop(block, low)) continue;
    if (left-- == 0) return false;
    double shift = 0;
    if (100 * static_cast<double>(n) * low > most) {  // else a shift would cost relative accuracy
      shift = smaller_of_two(block.at(block.last - 1), block.above(block.last - 1), block.at(block.last));
      const double start = std::abs(block.at(0));
      if (start > 0 && shift / start * (shift / start) < eps) shift = 0;
    }
    const Sweep sweep(work, n);
    if (shift == 0) sweep_unshifted(block, sweep);
    else sweep_shifted(block, shift, sweep);
    const auto turn = [&](double* x, std::int64_t rows, const double* c, const double* s) {
      if (x) rotate(rows, block.last, c, s, x + (down ? first : last) * rows, block.step * rows);
    };
    turn(down ? v : u, down ? v_rows : u_rows, sweep.first_c, sweep.first_s);
    turn(down ? u : v, down ? u_rows : v_rows, sweep.second_c, sweep.second_s);
  }
  scale(d, n, exponent);
  sort();
  return true;
}

}  // namespace fsvd
