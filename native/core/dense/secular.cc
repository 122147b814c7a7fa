#include "secular.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "core/base/wide_vectors.h"

namespace fsvd {
namespace {

constexpr int lanes = 8;
constexpr int most_steps = 100;

// In double for float too: the squares of what stands between two close poles are out of its range.
using Lanes = double[lanes];

// With μ = σ² − o² for a pole o near σ, d_i² − σ² = (d_i − o)·(d_i + o) − μ has no cancellation.
struct Values {
  Lanes f, slope, size;  // the function, its derivative by μ, and the sum of the magnitudes of its terms
};

FSVD_WIDE_VECTORS Values evaluate(std::int64_t k, const double* d, const double* z, const Lanes& origin,
                                  const Lanes& mu) {
  Values v = {};
  for (std::int64_t i = 0; i < k; ++i) {
    const double d_i = d[i], z_i = z[i];
#pragma GCC unroll 1  // so that GCC sees a loop to make vectors of
    for (int l = 0; l < lanes; ++l) {
      const double t = z_i / ((d_i - origin[l]) * (d_i + origin[l]) - mu[l]);
      v.f[l] += z_i * t, v.slope[l] += t * t, v.size[l] += std::abs(z_i * t);
    }
  }
  return v;
}

// One root: its nearest pole (the origin) and the other pole of the interpolation, and a bracket, all in terms of μ.
struct Root {
  double origin, weight;  // weight: z² there
  double other;           // d² − origin² of the other pole
  double low, high, mu;
  bool last, done = false;

  // The pole next to which the interval begins, and where it ends.
  static double inside(double x, double low, double high) {
    if (x > low && x < high) return x;
    if (low > 0 || high < 0) return std::copysign(std::sqrt(low * high), low + high);
    return (low + high) / 64;  // one end is the origin itself, and the root may be very near it
  }
};

// Where root j begins: from the value f of the function in the middle of its interval, in terms of the pole below.
Root interior(const double* d, const double* z, std::int64_t j, double f) {
  const double gap = (d[j + 1] - d[j]) * (d[j + 1] + d[j]), below = z[j] * z[j], above = z[j + 1] * z[j + 1];
  const double c = f + (below - above) / (gap / 2);  // what all other poles contribute there
  Root root;
  root.last = false;
  if (f > 0) {
    const double a = c * gap + below + above, b = below * gap, q = std::sqrt(std::abs(a * a - 4 * b * c));
    root = {d[j], below, gap, 0, gap / 2, a > 0 ? 2 * b / (a + q) : (a - q) / (2 * c), false};
  } else {
    const double a = c * gap - below - above, b = above * gap, q = std::sqrt(std::abs(a * a + 4 * b * c));
    root = {d[j + 1], above, -gap, -gap / 2, 0, a < 0 ? 2 * b / (a - q) : -(a + q) / (2 * c), false};
  }
  root.mu = Root::inside(root.mu, root.low, root.high);
  return root;
}

// The same for the root above all poles, from the value at half of the interval, which ends at d² + rho².
Root uppermost(std::int64_t k, const double* d, const double* z, double length, double f) {
  const std::int64_t j = k - 1;
  const double gap = (d[j] - d[j - 1]) * (d[j] + d[j - 1]), below = z[j - 1] * z[j - 1], weight = z[j] * z[j];
  const double half = length / 2, c = f + below / (gap + half) + weight / half;
  const double a = -c * gap + below + weight, b = weight * gap, q = std::sqrt(std::abs(a * a + 4 * b * c));
  const double guess = a < 0 ? 2 * b / (q - a) : (a + q) / (2 * c);
  const double low = f > 0 ? 0 : half, high = f > 0 ? half : length * (1 + 4 * std::numeric_limits<double>::epsilon());
  return {d[j], weight, -gap, low, high, Root::inside(guess, low, high), true};
}

// Interpolation takes some five steps, unless a pole that it leaves out dominates: then every other one is a bisection.
constexpr int usual_steps = 10;

// The next μ from the values there.
void advance(Root& r, double f, double slope, double error, int taken) {
  if (r.done) return;
  if (std::abs(f) <= error) {
    r.done = true;
    return;
  }
  (f < 0 ? r.low : r.high) = r.mu;
  const double here = -r.mu, there = r.other - r.mu, near = r.weight / (here * here);
  const double c = f - there * slope + r.other * near, a = (here + there) * f - here * there * slope,
               b = here * there * f;
  const double q = std::sqrt(std::abs(a * a - 4 * b * c));
  double step =
      r.last ? (a >= 0 ? (a + q) / (2 * c) : 2 * b / (a - q)) : (a <= 0 ? (a - q) / (2 * c) : 2 * b / (a + q));
  if (!(f * step < 0)) step = -f / slope;
  const bool bisect = taken > usual_steps && taken % 2 == 0;
  const double next = Root::inside(bisect ? r.low : r.mu + step, r.low, r.high);
  r.done = std::abs(next - r.mu) <= std::numeric_limits<double>::epsilon() * std::abs(r.mu);
  r.mu = next;
}

template <class T>
Vector<double> as_doubles(const T* d, const T* z, std::int64_t k) {
  Vector<double> copy(d, d + k);
  copy.insert(copy.end(), z, z + k);
  return copy;
}

}  // namespace

template <class T>
bool secular_roots(std::int64_t k, const T* d_in, const T* z_in, T rho, std::int64_t first, std::int64_t end,
                   double* origins, double* offsets) {
  const Vector<double> copy = as_doubles(d_in, z_in, k);
  const double *d = copy.data(), *z = d + k;
  const double length = static_cast<double>(rho) * rho, constant = 1 / length;
  constexpr double eps = std::numeric_limits<T>::epsilon() / 2;
  for (std::int64_t from = first; from < end; from += lanes) {
    const int n = static_cast<int>(std::min<std::int64_t>(lanes, end - from));
    Lanes origin, mu;
    const auto root_of = [&](int l) { return from + std::min(l, n - 1); };  // the last lanes may repeat a root
    for (int l = 0; l < lanes; ++l) {
      const std::int64_t j = root_of(l);
      origin[l] = d[j];
      mu[l] = (j + 1 < k ? (d[j + 1] - d[j]) * (d[j + 1] + d[j]) : length) / 2;
    }
    const Values middle = evaluate(k, d, z, origin, mu);
    Root roots[lanes];
    for (int l = 0; l < lanes; ++l) {
      const std::int64_t j = root_of(l);
      roots[l] =
          j + 1 < k ? interior(d, z, j, constant + middle.f[l]) : uppermost(k, d, z, length, constant + middle.f[l]);
      origin[l] = roots[l].origin;
    }
    int step = 0;
    for (bool all = false; !all && step < most_steps; ++step) {
      for (int l = 0; l < lanes; ++l) mu[l] = roots[l].mu;
      const Values v = evaluate(k, d, z, origin, mu);
      all = true;
      for (int l = 0; l < lanes; ++l) {
        advance(roots[l], constant + v.f[l], v.slope[l], eps * (8 * v.size[l] + constant), step);
        all = all && roots[l].done;
      }
    }
    if (step == most_steps) return false;
    for (int l = 0; l < n; ++l) {
      const double o = roots[l].origin;
      origins[from + l] = o, offsets[from + l] = roots[l].mu / (o + std::sqrt(o * o + roots[l].mu));
    }
  }
  return true;
}

template bool secular_roots(std::int64_t, const float*, const float*, float, std::int64_t, std::int64_t, double*,
                            double*);
template bool secular_roots(std::int64_t, const double*, const double*, double, std::int64_t, std::int64_t, double*,
                            double*);

}  // namespace fsvd
